# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP probe against servers on loopback, most of them bad ones."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import http as kind
from ansible_collections.sre.runbooks.plugins.module_utils._door import options, plan
from ansible_collections.sre.runbooks.plugins.module_utils._probe import http as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe.http import Answer, Client, NoAnswer, Untrusted
from ansible_collections.sre.runbooks.tests.unit import authority
from ansible_collections.sre.runbooks.tests.unit.web import PAGE, PASSWORD, Web, response, until_gone, web

SECRET = "hunter2-of-the-tests"


@pytest.fixture(scope="module")
def one_server() -> Iterator[Web]:
    with web() as server:
        yield server


@pytest.fixture
def server(one_server: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    one_server.seen.clear()
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(probe, "RETRY_PAUSE", 0)
    return one_server


def target(url: str, **given: Any) -> dict[str, Any]:
    """The complete options of one target, as the door hands them to a kind."""
    validated = ArgumentSpecValidator(options(kind)).validate(
        {"targets": [{"url": url, "request_timeout": 1.5, "retries": 0, "samples": 1, **given}]}
    )
    assert not validated.error_messages
    return plan(kind, validated.validated_parameters)[0].target


def ask(url: str, expected: tuple[int, ...] = (200,), **given: Any) -> Answer:
    return Client(target(url, **given)).ask(expected=expected)


# Answers as they should be, and as they may be


@pytest.mark.parametrize(
    "path",
    ["page", "gzip", "gzip-two", "deflate", "deflate-raw", "longer", "old", "no-headers", "to-page", "cookie-first"],
)
def test_a_page_arrives_whole_however_it_is_sent(server: Web, path: str) -> None:
    answer = ask(f"{server.url}/{path}")
    assert (answer.status, answer.complete) == (200, True)
    assert answer.body in (PAGE, b"<h1>Dashboard</h1>")
    assert answer.seconds > 0


@pytest.mark.parametrize("path", ["latin1", "meta", "wrong-charset", "no-such-charset", "utf16"])
def test_text_is_read_by_the_charset_that_fits(server: Web, path: str) -> None:
    assert "Müller" in ask(f"{server.url}/{path}").text


def test_redirects_are_followed_and_remembered(server: Web) -> None:
    answer = ask(f"{server.url}/to-page#top")
    assert answer.url == f"{server.url}/page"
    assert answer.hops == (f"301 {server.url}/to-page",)
    assert ask(f"{server.url}/to-unicode").status == 200


def test_a_redirect_that_is_expected_is_the_answer(server: Web) -> None:
    answer = ask(f"{server.url}/to-page", expected=(301,))
    assert (answer.status, answer.location) == (301, f"{server.url}/page")


def test_a_body_above_the_bound_is_cut_and_says_so(server: Web) -> None:
    for path in ("huge", "bomb"):
        answer = ask(f"{server.url}/{path}", request_timeout=8.0)
        assert (len(answer.body), answer.complete) == (probe.BODY_LIMIT, False)


def test_a_head_request_needs_no_body(server: Web) -> None:
    (answer,) = probe.visit(target(f"{server.url}/short", method="HEAD")).answers
    assert (answer.status, answer.body) == (200, b"")


# Answers that are none


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("hang", "waiting for the answer"),
        ("hang-in-head", "waiting for the answer"),
        ("hang-in-body", "reading the answer"),
        ("drip-head", "waiting for the answer"),
        ("drip-body", "reading the answer"),
        ("continue-without-end", "waiting for the answer"),
    ],
)
def test_however_slowly_an_answer_drips_the_request_ends_in_time(server: Web, path: str, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(NoAnswer, match="no answer in time") as problem:
        ask(f"{server.url}/{path}", request_timeout=0.6)
    assert said in str(problem.value)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("garbage", "is not HTTP, it begins with"),
        ("close", "closed without an answer"),
        ("reset", "waiting for the answer"),
        ("short", "broke off"),
        ("chunk-cut", "broke off"),
        ("chunk-bad", "broke off"),
        ("gzip-cut", "broke off"),
        ("gzip-bad", "claims to be compressed"),
        ("headers-without-end", "not good HTTP"),
        ("header-too-long", "not good HTTP"),
        ("loop", "in a circle"),
        ("ping", "in a circle"),
        ("on-and-on", "without end"),
        ("to-ftp", "no web page"),
        ("to-nonsense", "no web page"),
    ],
)
def test_what_is_no_answer_says_why(server: Web, path: str, said: str) -> None:
    with pytest.raises(NoAnswer) as problem:
        ask(f"{server.url}/{path}")
    assert said in str(problem.value)


def test_an_encoding_that_cannot_be_read_is_our_side(server: Web) -> None:
    with pytest.raises(Unmeasurable, match="encoded with br") as problem:
        ask(f"{server.url}/brotli")
    assert not isinstance(problem.value, NoAnswer)


def test_nobody_listening_is_no_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer, match="Connection refused"):
            ask(f"http://127.0.0.1:{unused.getsockname()[1]}/")


def test_a_full_backlog_is_no_answer_in_time() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        with pytest.raises(NoAnswer, match="no answer in time"):
            ask(f"http://127.0.0.1:{full.getsockname()[1]}/", request_timeout=0.3)


# Names


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(socket.EAI_NONAME, NoAnswer), (socket.EAI_AGAIN, Unmeasurable), (socket.EAI_FAIL, Unmeasurable)],
)
def test_a_name_that_does_not_exist_is_no_answer_and_a_resolver_that_fails_is_our_side(
    monkeypatch: pytest.MonkeyPatch, error: int, verdict: type[Exception]
) -> None:
    def look_up(*_args: object) -> None:
        raise socket.gaierror(error, "says the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(Unmeasurable, match="says the resolver") as problem:
        ask("http://www.example.org/")
    assert type(problem.value) is verdict


def test_a_resolver_that_hangs_is_our_side(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: over.wait(10))
    try:
        with pytest.raises(Unmeasurable, match="resolver of this host") as problem:
            ask("http://www.example.org/", request_timeout=0.2)
        assert not isinstance(problem.value, NoAnswer)
    finally:
        over.set()


def test_the_next_address_is_tried_when_the_first_is_dead(server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", unused.getsockname()),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: both)
        assert ask("http://www.example.org/page").status == 200


def test_a_route_that_this_host_does_not_have_is_our_side(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_args: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(probe._Socket, "connect", connect)
    with pytest.raises(Unmeasurable, match="Network is unreachable") as problem:
        ask("http://192.0.2.1/")
    assert not isinstance(problem.value, NoAnswer)


# Retries and several requests


def test_a_request_is_repeated_and_every_retry_recorded(server: Web) -> None:
    answer = ask(f"{server.url}/flaky", retries=1)
    assert (answer.status, answer.retried) == (200, ("status 503",))
    with pytest.raises(NoAnswer, match="tried 3 times"):
        ask(f"{server.url}/close", retries=2)
    assert [request.path for request in server.seen].count("/close") == 3


def test_a_status_that_is_expected_is_not_repeated(server: Web) -> None:
    assert ask(f"{server.url}/status/503", expected=(503,), retries=3).retried == ()
    assert len(server.seen) == 1


def test_several_requests_are_made_one_after_the_other(server: Web) -> None:
    visit = probe.visit(target(f"{server.url}/page", samples=5))
    assert (len(visit.answers), len(server.seen)) == (5, 5)


def test_a_dead_server_is_not_asked_again(server: Web) -> None:
    visit = probe.visit(target(f"{server.url}/close", samples=5))
    assert visit.answers == ()
    assert isinstance(visit.broken_off, NoAnswer)
    assert len(server.seen) == 1


# Credentials


def test_credentials_reach_the_host_they_are_for(server: Web) -> None:
    answer = ask(f"{server.url}/basic", username="ops", password="secret of ops")
    assert answer.status == 200
    ask(
        f"{server.url}/page?a=1",
        headers={"Host": "shop.example.org"},
        secret_headers={"X-Key": SECRET},
        secret_parameters={"token": SECRET},
    )
    sent = server.seen[-1]
    assert (sent.headers["host"], sent.headers["x-key"]) == ("shop.example.org", SECRET)
    assert sent.path == f"/page?a=1&token={SECRET}"


def test_nothing_of_ours_goes_to_another_host(server: Web) -> None:
    with web() as elsewhere:
        for to in (f"{server.other}/page", f"{elsewhere.url}/page"):
            answer = ask(
                f"{server.url}/to?url={to}",
                username="ops",
                password=SECRET,
                secret_headers={"X-Key": SECRET},
                headers={"X-Plain": "also ours"},
            )
            assert answer.status == 200
        for request in (server.seen[1], elsewhere.seen[-1]):
            assert request.path == "/page"
            assert SECRET not in str(request.headers)
            assert "authorization" not in request.headers
            assert "x-plain" not in request.headers


def test_a_body_is_sent_once_and_not_to_another_host(server: Web) -> None:
    for status, to, method in (
        ("307 Temporary Redirect", f"{server.url}/page", "POST"),
        ("307 Temporary Redirect", f"{server.other}/page", "GET"),
        ("302 Found", f"{server.url}/page", "GET"),
        ("303 See Other", f"{server.url}/page", "GET"),
    ):
        url = f"{server.url}/to?url={to}&status={status}"
        probe.visit(target(url, method="POST", body=f"key={SECRET}"))
        assert (server.seen[-1].method, SECRET in server.seen[-1].body) == (method, method == "POST")


def test_no_secret_stands_in_what_is_reported(server: Web) -> None:
    given = {"secret_parameters": {"q": SECRET}, "secret_headers": {"Authorization": f"Bearer {SECRET}"}}
    client = Client(target(f"{server.url}/on-and-on", **given))
    with pytest.raises(NoAnswer) as problem:
        Client(target(f"{server.url}/to?url=ftp://x/{SECRET}", **given)).ask()
    assert SECRET not in str(problem.value)
    assert client.clean(f"Bearer {SECRET} and {SECRET}") == "*** and ***"


# Login


def login(server: Web, **changed: Any) -> dict[str, Any]:
    return {"url": f"{server.url}/login", "username": "ops", "password": PASSWORD, **changed}


def test_a_login_form_is_filled_in_and_its_cookie_kept(server: Web) -> None:
    visit = probe.visit(target(f"{server.url}/dashboard", login=login(server), samples=2))
    assert [answer.text for answer in visit.answers] == ["<h1>Dashboard</h1>"] * 2
    assert [f"{request.method} {request.path}" for request in server.seen] == [
        "GET /login", "POST /login", "GET /dashboard", "GET /dashboard",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "wrong-password"}, "login form again"),
        ({"username": "nobody"}, "login form again"),
        ({"fields": {"_token": "old"}}, "login form again"),
        ({"url": "/page"}, "no login form"),
        ({"url": "/status/404"}, "status 404"),
        ({"url": "/status/500"}, "status 500"),
    ],
)
def test_a_login_that_is_not_accepted_is_our_side(server: Web, changed: dict[str, Any], said: str) -> None:
    if "url" in changed:
        changed = {"url": server.url + changed["url"]}
    with pytest.raises(Unmeasurable, match=said) as problem:
        probe.visit(target(f"{server.url}/dashboard", login=login(server, **changed)))
    assert not isinstance(problem.value, NoAnswer)
    assert "/dashboard" not in [request.path for request in server.seen]


def test_a_login_without_a_cookie_is_none(server: Web) -> None:
    fields = {"username_field": "log", "password_field": "pwd"}
    with pytest.raises(Unmeasurable, match="no cookie"):
        probe.visit(target(f"{server.url}/dashboard", login=login(server, url=f"{server.url}/page", **fields)))


def test_a_password_is_not_sent_where_a_redirect_leads(server: Web) -> None:
    away = login(server, url=f"{server.url}/to?url={server.other}/login")
    with pytest.raises(Unmeasurable, match="another host"):
        probe.visit(target(f"{server.url}/dashboard", login=away))
    assert not [request for request in server.seen if request.method == "POST"]


def test_a_login_server_that_is_gone_is_no_answer(server: Web) -> None:
    visit = probe.visit(target(f"{server.url}/dashboard", login=login(server, url=f"{server.url}/close")))
    assert isinstance(visit.broken_off, NoAnswer)


# Ways to the server


def test_the_way_to_the_server_can_be_given(server: Web) -> None:
    answer = ask("http://www.example.org/page", connect_to=f"127.0.0.1:{server.port}")
    assert (answer.url, server.seen[-1].headers["host"]) == ("http://www.example.org/page", "www.example.org")


def test_a_redirect_elsewhere_leaves_the_given_way(server: Web) -> None:
    with web() as elsewhere:
        ask(f"http://www.example.org/to?url={elsewhere.url}/page", connect_to=f"127.0.0.1:{server.port}")
        assert elsewhere.seen[-1].path == "/page"


def test_a_unix_socket_is_a_way(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with pytest.raises(NoAnswer, match="No such file"):
        ask("http://localhost/", connect_to=path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        with pytest.raises(NoAnswer, match="refused"):
            ask("http://localhost/", connect_to=path)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(response())

        thread = threading.Thread(target=serve)
        thread.start()
        assert ask("http://localhost/", connect_to=path).body == PAGE
        thread.join()


def test_ipv6_addresses_and_the_choice_of_a_family(server: Web) -> None:
    with web("::1") as six:
        assert ask(f"http://[::1]:{six.port}/page").peer.startswith("::1")
        assert six.seen[-1].headers["host"] == f"[::1]:{six.port}"
    with pytest.raises(Unmeasurable):
        ask(f"{server.url}/page", family="ipv6")


def test_a_proxy_is_asked_instead_and_only_where_it_is_meant(server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with web() as proxy:
        ask(f"{server.url}/page", (404,), proxy=f"http://us:{SECRET}@127.0.0.1:{proxy.port}")
        assert proxy.seen[-1].path == f"{server.url}/page"
        assert proxy.seen[-1].headers["proxy-authorization"].startswith("Basic ")
        monkeypatch.setenv("http_proxy", proxy.url)
        ask(f"{server.url}/page", (404,))
        assert (len(proxy.seen), len(server.seen)) == (2, 0)
        ask(f"{server.url}/page", proxy="direct")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        ask(f"{server.url}/page")
        assert (len(proxy.seen), len(server.seen)) == (2, 2)


def test_a_proxy_that_is_gone_or_refuses_us_is_our_side(server: Web) -> None:
    for proxy, said in (("http://127.0.0.1:1", "the proxy is not there"), (server.url, "the proxy refuses")):
        with pytest.raises(Unmeasurable, match=said) as problem:
            ask("https://www.example.org/", proxy=proxy)
        assert not isinstance(problem.value, NoAnswer)


# TLS

ROOT = authority.authority()
OTHER_ROOT = authority.authority("Other Root")


def answering(settings: Any) -> authority.Dialogue:
    def answer(connection: socket.socket) -> None:
        with connection.dup() as spare:
            try:
                with settings.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(65536)
                    wrapped.sendall(response())
            except ssl.SSLError:
                until_gone(spare)  # closed with something unread, the alert would be lost in a reset

    return answer


def ask_tls(directory: Path, *chain: authority.Issued, **given: Any) -> Answer:
    ca = authority.chain_file(directory / "ca.pem", ROOT)
    with authority.listening(answering(authority.context(directory, chain))) as port:
        return ask(f"https://127.0.0.1:{port}/", **{"ca_path": str(ca), **given})


def test_a_trusted_certificate_tells_its_days(tmp_path: Path) -> None:
    answer = ask_tls(tmp_path, ROOT.issue("127.0.0.1", left=40))
    (certificate,) = answer.certificates
    assert certificate.host == "127.0.0.1"
    assert certificate.days == pytest.approx(40, abs=0.01)


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ([ROOT.issue("127.0.0.1", left=-1)], "expired"),
        ([ROOT.issue("127.0.0.1", left=90, lifetime=60)], "not yet valid"),
        ([ROOT.issue("www.example.org")], "mismatch"),
        ([authority.issue("127.0.0.1")], "self-signed"),
        ([OTHER_ROOT.issue("127.0.0.1")], "unable to get local issuer"),
        ([authority.authority("Middle", by=ROOT).issue("127.0.0.1")], "unable to get local issuer"),
    ],
)
def test_a_certificate_that_a_browser_refuses_is_not_trusted(
    tmp_path: Path, chain: list[authority.Issued], said: str
) -> None:
    with pytest.raises(Untrusted, match=said):
        ask_tls(tmp_path, *chain, retries=3)
    answer = ask_tls(tmp_path, *chain, validate_certs=False)
    assert (answer.status, answer.certificates) == (200, ())


def test_a_server_without_tls_and_one_that_hangs_in_it_are_no_answers(server: Web) -> None:
    with pytest.raises(NoAnswer, match="agreeing on TLS"):
        ask(f"https://127.0.0.1:{server.port}/page")
    silent = authority.listening(until_gone)
    with silent as port, pytest.raises(NoAnswer, match="in time") as problem:
        ask(f"https://127.0.0.1:{port}/", request_timeout=0.3)
    assert "agreeing on TLS" in str(problem.value)


def test_a_client_certificate_is_shown_and_a_missing_one_is_our_side(tmp_path: Path) -> None:
    settings = authority.context(tmp_path, [ROOT.issue("127.0.0.1")])
    settings.load_verify_locations(authority.chain_file(tmp_path / "ca.pem", ROOT))
    settings.verify_mode = ssl.CERT_REQUIRED
    ours = ROOT.issue("us", usage=authority.ExtendedKeyUsageOID.CLIENT_AUTH)
    given: dict[str, Any] = {
        "ca_path": str(tmp_path / "ca.pem"),
        "client_cert": str(authority.chain_file(tmp_path / "us", ours, key=ours)),
    }
    with authority.listening(answering(settings)) as port:
        assert ask(f"https://127.0.0.1:{port}/", **given).status == 200
        with pytest.raises(Unmeasurable, match="client certificate") as problem:
            ask(f"https://127.0.0.1:{port}/", ca_path=given["ca_path"])
        assert not isinstance(problem.value, NoAnswer)


@pytest.mark.parametrize("option", ["ca_path", "client_cert"])
def test_a_file_of_ours_that_is_missing_or_garbage_is_our_side(tmp_path: Path, option: str) -> None:
    (tmp_path / "garbage").write_text("not a certificate")
    for name in ("missing", "garbage"):
        with pytest.raises(Unmeasurable, match=option) as problem:
            ask_tls(tmp_path, ROOT.issue("127.0.0.1"), **{option: str(tmp_path / name)})
        assert not isinstance(problem.value, NoAnswer)
