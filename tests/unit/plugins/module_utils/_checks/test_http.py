# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""http: what is judged of a web address. The requests themselves: ``_probe/test_http.py``."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import http as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.http import (
    Answer,
    Certificate,
    NoAnswer,
    Untrusted,
    Visit,
)
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

URL = "https://www.example.org/"
PAGE = Answer(
    url=URL,
    status=200,
    reason="OK",
    headers={"content-type": "text/html; charset=UTF-8"},
    body=b"<h1>Welcome</h1>",
    peer="192.0.2.1 port 443",
    certificates=(Certificate("www.example.org", 60.0),),
    seconds=0.2,
)
LOGIN_PAGE = b'<form action="/wp-login.php"><input name="log"><input type="password" name="pwd"></form>'


def answer(**changed: Any) -> Answer:
    return dataclasses.replace(PAGE, **changed)


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the visit finds; a test changes what it is about."""
    facts: dict[str, Any] = {"visit": Visit((PAGE,) * 3)}

    def visit(_target: object) -> Visit:
        if isinstance(facts["visit"], Exception):
            raise facts["visit"]
        return Visit(**vars(facts["visit"]))

    monkeypatch.setattr(kind.probe, "visit", visit)
    return facts


def look(**options: Any) -> dict[str, Check]:
    return {check.id: check for check in checks_of(kind, targets=[{"url": URL, **options}])}


def test_a_good_page_is_ok_and_says_what_was_not_asked_for() -> None:
    assert statuses(list(look().values())) == {
        "http.status": "ok",
        "http.tls": "ok",
        "http.redirect": "ok",
        "http.content_type": "skipped",
        "http.content": "ok",
        "http.size": "ok",
        "http.latency": "ok",
    }


# Status


@pytest.mark.parametrize(
    ("status", "expected", "verdict"),
    [
        (200, [200], "ok"),
        (204, [200, 204], "ok"),
        (401, [401], "ok"),
        (404, [200], "critical"),
        (500, [200], "critical"),
        (302, [200], "critical"),
    ],
)
def test_a_status_is_fine_when_it_is_expected(
    found: dict[str, Any], status: int, expected: list[int], verdict: str
) -> None:
    found["visit"] = Visit((answer(status=status, reason="Whatever"),))
    check = look(status=expected)["http.status"]
    assert check.status == verdict
    assert str(status) in check.summary


def test_no_answer_is_critical_and_blocks_the_rest(found: dict[str, Any]) -> None:
    found["visit"] = Visit((), NoAnswer("connecting to 192.0.2.1 port 443: Connection refused"))
    checks = look()
    assert (checks["http.status"].status, checks["http.status"].value) == ("critical", 0)
    assert "Connection refused" in checks["http.status"].summary
    rest = [check for check in checks.values() if check.id != "http.status"]
    assert {check.status for check in rest} == {"skipped"}
    assert {check.detail.get("blocked_by") for check in rest} == {"http.status"}


def test_one_bad_answer_of_several_is_critical_and_the_good_ones_are_still_judged(found: dict[str, Any]) -> None:
    found["visit"] = Visit((PAGE, answer(status=502, reason="Bad Gateway", seconds=0.001), PAGE))
    checks = look()
    assert checks["http.status"].status == "critical"
    assert "1 of 3" in checks["http.status"].summary
    assert checks["http.status"].detail["statuses"] == [200, 502, 200]
    assert checks["http.latency"].value == 200
    assert checks["http.latency"].detail["requests"] == 2


def test_an_answer_that_fails_to_come_later_is_critical(found: dict[str, Any]) -> None:
    found["visit"] = Visit((PAGE,), NoAnswer("no answer in time"))
    checks = look()
    assert checks["http.status"].status == "critical"
    assert "request 2" in checks["http.status"].summary
    assert checks["http.content"].status == "ok"


def test_retries_are_recorded(found: dict[str, Any]) -> None:
    found["visit"] = Visit((answer(retried=("status 503",)), PAGE))
    check = look()["http.status"]
    assert check.status == "ok"
    assert "1 retries" in check.summary
    assert check.detail["retried"] == ["status 503"]


@pytest.mark.parametrize("status", [401, 403, 407])
def test_refused_credentials_are_unknown_and_none_at_all_are_critical(found: dict[str, Any], status: int) -> None:
    found["visit"] = Visit((answer(status=status, reason="No"),))
    assert look()["http.status"].status == "critical"
    for credentials in ({"username": "ops", "password": "wrong-pass"}, {"secret_headers": {"X-Key": "wrong-key"}}):
        checks = look(**credentials)
        assert checks["http.status"].status == "unknown"
        assert "credentials are refused" in checks["http.status"].summary
        assert checks["http.content"].detail["blocked_by"] == "http.status"


def test_a_login_that_is_refused_is_unknown(found: dict[str, Any]) -> None:
    found["visit"] = Unmeasurable("the login was refused: status 200 and the login form again")
    assert statuses(list(look().values())) == {
        check_id: "unknown" if check_id == "http.status" else "skipped" for check_id in kind.CHECKS
    }


# Certificate


@pytest.mark.parametrize(
    ("days", "status"), [(60, "ok"), (10, "ok"), (9.9, "warning"), (3, "warning"), (2.9, "critical")]
)
def test_the_certificate_that_ends_first_is_judged(found: dict[str, Any], days: float, status: str) -> None:
    found["visit"] = Visit((answer(certificates=(Certificate("a", 90.0), Certificate("b", days))),))
    check = look()["http.tls"]
    assert (check.status, check.value, check.unit) == (status, days, "days")
    assert "of b " in check.summary


def test_a_certificate_that_browsers_refuse_is_critical(found: dict[str, Any]) -> None:
    found["visit"] = Visit((), Untrusted("the certificate is not trusted: certificate has expired"))
    checks = look()
    assert checks["http.status"].status == checks["http.tls"].status == "critical"
    assert "expired" in checks["http.tls"].summary


def test_an_address_without_encryption_has_no_certificate(found: dict[str, Any]) -> None:
    found["visit"] = Visit((answer(certificates=()),))
    assert look()["http.tls"].summary == "not encrypted"
    assert "validate_certs is off" in look(validate_certs=False)["http.tls"].summary


# Redirects


@pytest.mark.parametrize(
    ("end", "body", "expected", "status"),
    [
        (URL, b"home", None, "ok"),
        ("https://other.example.org/home", b"home", None, "ok"),
        ("https://www.example.org/wp-login.php?redirect_to=x", LOGIN_PAGE, None, "critical"),
        (URL, LOGIN_PAGE, None, "ok"),  # asked for: nothing was redirected
        ("https://www.example.org/wp-login.php", LOGIN_PAGE, "https://www.example.org/wp-login.php*", "ok"),
        ("https://www.example.org/home", b"home", "https://www.example.org/*", "ok"),
        ("https://www.example.net/home", b"home", "https://www.example.org/*", "critical"),
        ("http://www.example.org/home", b"home", None, "warning"),
        ("http://www.example.org/home", b"home", "http://www.example.org/home", "ok"),
    ],
)
def test_where_redirects_lead_is_judged(
    found: dict[str, Any], end: str, body: bytes, expected: str | None, status: str
) -> None:
    hops = () if end == URL else (f"302 {URL}",)
    found["visit"] = Visit((answer(url=end, body=body, hops=hops),))
    check = look(final_url=expected)["http.redirect"]
    assert check.status == status
    assert check.detail["final_url"] == end


def test_a_login_form_after_the_login_is_critical(found: dict[str, Any]) -> None:
    found["visit"] = Visit((answer(body=LOGIN_PAGE),))
    login = {"url": f"{URL}wp-login.php", "username": "ops", "password": "correct horse"}
    assert look(login=login)["http.redirect"].status == "critical"


def test_an_expected_redirect_is_judged_by_where_it_points(found: dict[str, Any]) -> None:
    found["visit"] = Visit((answer(url="http://www.example.org/", status=301, location=URL, body=b""),))
    checks = look(status=[301], final_url=URL)
    assert checks["http.redirect"].status == "ok"
    assert checks["http.size"].status == "skipped"
    assert look(status=[301], final_url="https://elsewhere/")["http.redirect"].status == "critical"


# Content


@pytest.mark.parametrize(
    ("sent", "expected", "status"),
    [
        ("text/html; charset=utf-8", "text/html", "ok"),
        ("Text/HTML", "text/html", "ok"),
        ("image/png", "image/*", "ok"),
        ("text/html", "application/json", "critical"),
        (None, "text/html", "critical"),
    ],
)
def test_the_kind_of_the_answer_is_judged(found: dict[str, Any], sent: str | None, expected: str, status: str) -> None:
    found["visit"] = Visit((answer(headers={"content-type": sent} if sent else {}),))
    assert look(content_type=expected)["http.content_type"].status == status


def test_a_required_text_has_to_be_in_every_answer(found: dict[str, Any]) -> None:
    assert look(contains=["Welcome"])["http.content"].status == "ok"
    found["visit"] = Visit((PAGE, answer(body=b"<h1>Maintenance</h1>")))
    check = look(contains=["Welcome"])["http.content"]
    assert (check.status, check.detail["missing"]) == ("critical", ["Welcome"])


def test_an_error_that_php_shows_is_critical_and_shown_without_its_secrets(found: dict[str, Any]) -> None:
    body = b"<b>Fatal error</b>:  connect(mysql://app:hunter2secret@db/x) in <b>/var/www/a.php</b> on line 7"
    found["visit"] = Visit((PAGE, answer(body=body)))
    check = look()["http.content"]
    assert check.status == "critical"
    assert "/var/www/a.php" in check.detail["unwanted"][0]
    assert "hunter2secret" not in str(check)


def test_what_is_too_long_to_look_at_is_unknown(found: dict[str, Any]) -> None:
    found["visit"] = Visit((answer(complete=False),))
    checks = look(contains=["Welcome"], content_type="text/html")
    assert checks["http.status"].status == checks["http.content_type"].status == "ok"
    assert checks["http.content"].status == "unknown"
    assert checks["http.size"].detail["blocked_by"] == checks["http.latency"].detail["blocked_by"] == "http.content"


@pytest.mark.parametrize(
    ("size", "limits", "status"),
    [
        (0, {}, "critical"),
        (1, {}, "ok"),
        (0, {"critical": "never"}, "ok"),
        (999, {"warning": "1000..2000"}, "warning"),
        (1000, {"warning": "1000..2000"}, "ok"),
        (2001, {"critical": "..2000"}, "critical"),
    ],
)
def test_an_empty_answer_is_critical_and_other_sizes_by_their_limits(
    found: dict[str, Any], size: int, limits: dict[str, Any], status: str
) -> None:
    found["visit"] = Visit((PAGE, answer(body=b"x" * size)))
    if "warning" in limits or limits.get("critical") == "..2000":
        found["visit"] = Visit((answer(body=b"x" * size),))
    assert look(size=limits)["http.size"].status == status


def test_an_answer_that_has_no_content_by_its_nature_is_not_judged_by_it(found: dict[str, Any]) -> None:
    found["visit"] = Visit((answer(body=b"", status=204),))
    assert look(status=[204])["http.size"].status == "skipped"
    found["visit"] = Visit((answer(body=b""),))
    checks = look(method="HEAD", contains=["Welcome"])
    assert checks["http.size"].status == checks["http.content"].status == "skipped"


# Latency


@pytest.mark.parametrize(
    ("seconds", "p95", "status"),
    [
        ([0.1], 100, "ok"),
        ([2.0], 2000, "ok"),
        ([0.1, 0.1, 2.1], 2100, "warning"),  # of few requests the slowest counts
        ([5.001], 5001, "critical"),
        ([0.1] * 19 + [9.0], 100, "ok"),  # one of twenty may be slow
        ([0.1] * 18 + [9.0] * 2, 9000, "critical"),
    ],
)
def test_95_percent_of_the_requests_are_judged(
    found: dict[str, Any], seconds: list[float], p95: float, status: str
) -> None:
    found["visit"] = Visit(tuple(answer(seconds=each) for each in seconds))
    check = look()["http.latency"]
    assert (check.status, check.value, check.unit) == (status, p95, "ms")
    assert check.detail["max_ms"] == 1000 * max(seconds)


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "www.example.org"}, "write http"),
        ({"url": "ftp://www.example.org/"}, "write http"),
        ({"url": "https://ops:hunter2secret@www.example.org/"}, "holds credentials"),
        ({"url": "https://www.example.org:99999/"}, "is no address"),
        ({"samples": 0}, "1 to 20"),
        ({"status": []}, "empty list"),
        ({"retries": -1}, "0 or more"),
        ({"request_timeout": 30.0}, "less than timeout"),
        ({"username": "ops"}, "give both or none"),
        ({"client_key": "/k"}, "no client_cert"),
        ({"proxy": "socks5://127.0.0.1:1080"}, "write http://host:port"),
        ({"login": {"url": f"{URL}login"}}, "username and password are required"),
        ({"secret_headers": {"Authorization": "Bearer hunter2secret\n"}}, "line break"),
        ({"headers": {"Bad header": "x"}}, "not a header"),
        ({"connect_to": "::1"}, "[address]:port"),
        ({"connect_to": "192.0.2.1:http"}, "[address]:port"),
        ({"connect_to": "https://192.0.2.1/"}, "[address]:port"),
        ({"tls": {"warning": 3, "critical": 10}}, "never be seen"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_is_asked(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOption) as refused:
        look(**options)
    assert said in str(refused.value)
    assert "hunter2secret" not in str(refused.value)


def test_a_target_is_named_by_its_address_without_secrets() -> None:
    checks = checks_of(kind, targets=[{"url": f"{URL}x?page=2&token=hunter2secret"}])
    assert {check.target for check in checks} == {f"{URL}x?page=2&token=***"}
