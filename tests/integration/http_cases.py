# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Web addresses, what is to be said of each, and the servers behind them: a real nginx, and one that misbehaves.

The one table serves the integration test and ``tests/benchmarks/bench_http.py``, which puts check_http beside it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.sre.runbooks.tests.integration.conftest import free_port
from ansible_collections.sre.runbooks.tests.unit import authority
from ansible_collections.sre.runbooks.tests.unit.web import PASSWORD, web

FINE: dict[str, str] = {}
NO_ANSWER = {"status": "critical", "redirect": "skipped", "content": "skipped", "size": "skipped", "latency": "skipped"}
REFUSED = {**NO_ANSWER, "tls": "critical"}
NO_SIGHT = {**NO_ANSWER, "status": "unknown"}


@dataclasses.dataclass(frozen=True)
class Case:
    """``expected``: id without ``http.`` → status; an id that it does not name has to be ok or skipped.

    ``plugin``: what an operator would add for check_http, None where it cannot be asked for. ``why``: where the plugins
    say something else, who is right.
    """

    title: str
    url: str
    expected: dict[str, str]
    said: str = ""
    given: dict[str, Any] = dataclasses.field(default_factory=dict)
    plugin: tuple[str, ...] | None = ()
    why: str = ""


def case(title: str, url: str, expected: dict[str, str], said: str = "", **more: Any) -> Case:
    plugin, why = more.pop("plugin", ()), more.pop("why", "")
    return Case(title, url, expected, said, more, plugin, why)


LOGIN_FOLLOWED = (
    "Nobody sees the page that was asked for. check_http follows to the login page and is content with its 200; "
    "check_curl loses the port of a relative redirect, and is red for that."
)
SOON = "check_curl prints the warning, and ends with 0 when it goes on after the certificate."
NEVER = "Visitors never arrive at a page."
BROKEN = "The answer is incomplete: what visitors see is half a page, or an error."
PACKED = "Browsers show an error; the plugins do not decompress what they look at."
TRUST = "Browsers refuse the page. check_http cannot verify trust, check_curl can."

CASES = (
    # A good server
    case("page over http", "{nginx}/page", FINE, "200 OK"),
    case("page over https, own authority", "{tls}/page", FINE, "200 OK"),
    case("page over IPv6", "{six}/page", FINE, "200 OK"),
    case("page over a unix socket", "http://localhost/page", FINE, "200 OK", connect_to="{socket}", plugin=None),
    case("page, compressed", "{nginx}/long", FINE, contains=["the end of the page"], plugin=("-s", "the end of the page")),
    case("one server past its name", "http://www.example.org:{port}/page", FINE, connect_to="127.0.0.1",
         plugin=("-I", "127.0.0.1")),
    case("head of a download", "{nginx}/download", FINE, method="HEAD", plugin=("-j", "HEAD")),
    case("no content, expected", "{bad}/no-content", FINE, status=[204], plugin=("-e", "204")),
    case("page in Latin-1", "{bad}/latin1", FINE, contains=["Müller"], plugin=("-s", "Müller"),
         why="The text is there, in another charset; the plugins compare bytes."),
    # Status
    case("not found", "{nginx}/nothing", {**NO_ANSWER, "tls": "skipped"}, "404",
         why="The page is not there, which is what was asked. For the plugins every 4xx is a warning."),
    case("error 500", "{nginx}/status/500", NO_ANSWER, "500"),
    case("error 503, maintenance", "{nginx}/status/503", NO_ANSWER, "503"),
    case("bad gateway, upstream is down", "{nginx}/upstream", NO_ANSWER, "502"),
    case("503 expected during maintenance", "{nginx}/status/503", FINE, status=[503], plugin=("-e", "503")),
    case("401 is expected", "{nginx}/basic", FINE, status=[401], plugin=("-e", "401")),
    case("busy once, retried", "{bad}/flaky", FINE, "200", retries=1, plugin=None),
    # Nobody there
    case("connection refused", "http://127.0.0.1:1/", NO_ANSWER, "refused"),
    case("unix socket is gone", "http://localhost/", NO_ANSWER, "No such file", connect_to="/nonexistent/app.sock",
         plugin=None),
    case("name does not exist", "http://nonexistent.invalid/", NO_ANSWER, "looking up",
         why="Visitors look names up as well."),
    case("closed without an answer", "{bad}/close", NO_ANSWER, "without an answer"),
    case("connection reset", "{bad}/reset", NO_ANSWER),
    case("https asked of http", "https://127.0.0.1:{bad_port}/page", {**NO_ANSWER, "tls": "skipped"}, "TLS"),
    # Hanging and dripping: the request as a whole has 1 second
    case("no answer at all", "{bad}/hang", NO_ANSWER, "in time"),
    case("hangs in the head", "{bad}/hang-in-head", NO_ANSWER, "in time"),
    case("hangs in the body", "{bad}/hang-in-body", NO_ANSWER, "in time"),
    case("head drips", "{bad}/drip-head", NO_ANSWER, "in time"),
    case("body drips", "{bad}/drip-body", NO_ANSWER, "in time"),
    case("continues without end", "{bad}/continue-without-end", NO_ANSWER, "in time"),
    # Broken answers
    case("no HTTP", "{bad}/garbage", NO_ANSWER, "not HTTP"),
    case("head without end", "{bad}/headers-without-end", NO_ANSWER, "not good HTTP"),
    case("one header of 70 kB", "{bad}/header-too-long", NO_ANSWER, "not good HTTP",
         why="Few proxies on the way pass on more than 8 kB of head, so many visitors get an error."),
    case("body shorter than it says", "{bad}/short", NO_ANSWER, "broke off", why=BROKEN),
    case("chunk breaks off", "{bad}/chunk-cut", NO_ANSWER, "broke off", why=BROKEN),
    case("chunk is no chunk", "{bad}/chunk-bad", NO_ANSWER, "broke off", why=BROKEN),
    case("compressed data breaks off", "{bad}/gzip-cut", NO_ANSWER, "broke off", why=PACKED),
    case("compressed in name only", "{bad}/gzip-bad", NO_ANSWER, "compressed", why=PACKED),
    case("encoding nobody asked for", "{bad}/brotli", NO_SIGHT, "encoded with br",
         why="The content was not seen by either; only we say so."),
    case("endless body", "{bad}/huge", {"content": "unknown", "size": "skipped", "latency": "skipped"}, "200",
         request_timeout=5.0, timeout=12.0, why="What was not looked at is unknown."),
    case("gzip bomb", "{bad}/bomb", {"content": "unknown", "size": "skipped", "latency": "skipped"}, "200",
         request_timeout=5.0, timeout=12.0, why="What was not looked at is unknown; the plugins do not decompress."),
    # Redirects
    case("redirect is followed", "{nginx}/moved", FINE, "200 OK"),
    case("http leads to https", "{nginx}/secure", FINE, final_url="{tls}/page"),
    case("redirect is expected, and is there", "{nginx}/moved", FINE, "301", status=[301], final_url="{nginx}/page",
         plugin=("-e", "301", "-d", "/page")),
    case("redirect leads elsewhere", "{nginx}/moved", {"redirect": "critical"}, final_url="{nginx}/other", plugin=None),
    case("redirect to a login page", "{bad}/to-login", {"redirect": "critical"}, why=LOGIN_FOLLOWED),
    case("session ended, redirect to login", "{bad}/dashboard", {"redirect": "critical"}, why=LOGIN_FOLLOWED),
    case("https leads back to http", "{tls}/downgrade", {"redirect": "warning"},
         why="What follows can be read and changed on the way; the plugins follow without a word."),
    case("redirect to itself", "{bad}/loop", NO_ANSWER, "circle"),
    case("redirects in a circle of two", "{bad}/ping", NO_ANSWER, "circle", why=NEVER),
    case("redirects without end", "{bad}/on-and-on", NO_ANSWER, "without end", why=NEVER),
    case("redirect to itself with a cookie", "{bad}/cookie-first", FINE, "200",
         why="Browsers keep the cookie and arrive; the plugins do not."),
    case("redirect to nowhere", "{bad}/to-nowhere", NO_ANSWER, "302", why=NEVER),
    case("redirect to ftp", "{bad}/to-ftp", NO_ANSWER, "no web page", why=NEVER),
    # Content
    case("required text is there", "{nginx}/page", FINE, contains=["Welcome"], plugin=("-s", "Welcome")),
    case("required text is missing", "{nginx}/page", {"content": "critical"}, contains=["Add to cart"],
         plugin=("-s", "Add to cart")),
    case("PHP shows an error", "{nginx}/php-error", {"content": "critical"}, plugin=("--invert-regex", "-r", "Fatal error")),
    case("white screen: 200 and nothing", "{nginx}/empty", {"size": "critical"}, plugin=("-m", "1"),
         why="An empty page is no page. What -m 1 counts has the headers in it, and they are never empty."),
    case("too large", "{nginx}/long", {"size": "warning"}, size={"warning": "1..1000"}, plugin=("-m", "0:1000"),
         why="The plugins measure head and body as sent; we the content after decompression."),
    case("JSON is JSON", "{nginx}/health", FINE, content_type="application/json",
         plugin=("-d", "application/json")),
    case("HTML where JSON belongs", "{nginx}/page", {"content_type": "critical"}, content_type="application/json",
         plugin=("-d", "application/json")),
    # Latency
    case("slower than its limit", "{bad}/late", {"latency": "warning"}, latency={"warning": 100, "critical": 5000},
         plugin=("-w", "0.1")),
    case("much slower than its limit", "{bad}/late", {"latency": "critical"}, latency={"warning": 50, "critical": 100},
         plugin=("-w", "0.05", "-c", "0.1")),
    # Certificates
    case("certificate ends in 5 days", "{tls_soon}/page", {"tls": "warning"}, why=SOON),
    case("certificate ends in 2 days", "{tls_sooner}/page", {"tls": "critical"}, why=SOON),
    case("certificate has ended", "{tls_expired}/page", REFUSED, "expired"),
    case("certificate of another host", "{tls_other}/page", REFUSED, "mismatch", why=TRUST),
    case("certificate signed by itself", "{tls_self}/page", REFUSED, "self-signed", why=TRUST),
    case("intermediate is missing", "{tls_incomplete}/page", REFUSED, "local issuer", why=TRUST),
    case("verification switched off", "{tls_self}/page", FINE, validate_certs=False),
    case("client certificate is demanded and shown", "{tls_client}/page", FINE, client_cert="{identity}",
         plugin=("-J", "{identity}", "-K", "{identity}")),
    case("client certificate is demanded, none given", "{tls_client}/page", NO_ANSWER, "400",
         why="Visitors get 400, not the page. For the plugins every 4xx is a warning."),
    case("our authority's file is missing", "{tls}/page", NO_SIGHT, "ca_path", ca_path="/nonexistent/ca.pem",
         plugin=None),
    # Credentials
    case("basic authentication", "{nginx}/basic", FINE, username="ops", password="secret of ops",
         plugin=("-a", "ops:secret of ops")),
    case("basic authentication, refused", "{nginx}/basic", NO_SIGHT, "credentials are refused", username="ops",
         password="an old secret", plugin=("-a", "ops:an old secret"),
         why="The site may be well: it is our password that is wrong, and nothing was seen."),
    case("no credentials where they are needed", "{nginx}/basic", NO_ANSWER, "401",
         why="Without credentials of ours, 401 is what visitors get. For the plugins every 4xx is a warning."),
    case("a key in a header", "{nginx}/key", FINE, secret_headers={"X-Key": "of-the-tests"},
         plugin=("-k", "X-Key: of-the-tests")),
    case("login by form", "{bad}/dashboard", FINE, contains=["Dashboard"], plugin=None,
         login={"url": "{bad}/login", "username": "ops", "password": PASSWORD}),
    case("login by form, refused", "{bad}/dashboard", NO_SIGHT, "login was refused", plugin=None,
         login={"url": "{bad}/login", "username": "ops", "password": "an old password"}),
    case("login page is gone", "{bad}/dashboard", NO_SIGHT, "status 404", plugin=None,
         login={"url": "{bad}/login.php", "username": "ops", "password": PASSWORD}),
    # Proxies
    case("through a proxy", "{nginx}/page", FINE, proxy="{proxy}", plugin=None),
    case("through a proxy, encrypted", "{tls}/page", FINE, proxy="{proxy}", plugin=None),
    case("the proxy is not there", "{nginx}/page", NO_SIGHT, "proxy is not there", proxy="http://127.0.0.1:1",
         plugin=None),
    case("the proxy wants a password", "{tls}/page", NO_SIGHT, "407", proxy="{proxy_closed}", plugin=None),
    case("nobody behind the proxy", "https://127.0.0.1:1/", NO_ANSWER, "does not reach", proxy="{proxy}", plugin=None),
)  # fmt: skip


def filled(value: Any, places: dict[str, str]) -> Any:
    """A value with the addresses of the servers that run now."""
    if isinstance(value, str):
        return value.format(**places)
    if isinstance(value, dict):
        return {key: filled(inner, places) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(filled(inner, places) for inner in value)
    return value


def target(row: Case, places: dict[str, str]) -> dict[str, Any]:
    """A case as a target of http_check."""
    common = {"request_timeout": 1.0, "timeout": 8.0, "retries": 0, "samples": 1, "ca_path": places["ca"]}
    return {"name": row.title, "url": filled(row.url, places), **common, **filled(row.given, places)}


LOCATIONS = """
  root {directory}/www;
  default_type text/html;
  location = /upstream {{ proxy_pass http://127.0.0.1:1; }}
  location = /moved {{ return 301 /page; }}
  location = /secure {{ return 301 https://127.0.0.1:{tls}/page; }}
  location = /downgrade {{ return 302 http://127.0.0.1:{http}/page; }}
  location = /health {{ default_type application/json; return 200 '{{"status": "up"}}'; }}
  location = /status/500 {{ return 500 "<h1>Sorry</h1>"; }}
  location = /status/503 {{ return 503 "<h1>Back soon</h1>"; }}
  location = /basic {{ auth_basic ops; auth_basic_user_file {directory}/users; try_files /page =404; }}
  location = /key {{ if ($http_x_key != "of-the-tests") {{ return 403; }} try_files /page =404; }}
"""
CONFIGURATION = """
daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
events {{}}
http {{
  access_log off; gzip on; gzip_min_length 1; gzip_http_version 1.0;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{ listen 127.0.0.1:{http}; listen [::1]:{http}; listen unix:{directory}/web.sock; {locations} }}
  {encrypted}
}}
"""
ENCRYPTED = (
    "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {chain}; {more} {locations} }}"
)


def certificates(directory: Path) -> dict[str, tuple[Path, str]]:
    """Server → its chain with key, and what else nginx is to be told."""
    root = authority.authority()
    authority.chain_file(directory / "ca.pem", root)
    us = root.issue("us", usage=authority.ExtendedKeyUsageOID.CLIENT_AUTH)
    authority.chain_file(directory / "identity.pem", us, key=us)
    issued = {
        "tls": root.issue("127.0.0.1", left=60),
        "tls_soon": root.issue("127.0.0.1", left=5.5),
        "tls_sooner": root.issue("127.0.0.1", left=2.5),
        "tls_expired": root.issue("127.0.0.1", left=-1.5),
        "tls_other": root.issue("www.example.org"),
        "tls_self": authority.issue("127.0.0.1"),
        "tls_incomplete": authority.authority("Middle", by=root).issue("127.0.0.1"),
        "tls_client": root.issue("127.0.0.1"),
    }
    more = {"tls_client": f"ssl_client_certificate {directory}/ca.pem; ssl_verify_client on;"}
    return {
        name: (authority.chain_file(directory / f"{name}.pem", one, key=one), more.get(name, ""))
        for name, one in issued.items()
    }


@contextlib.contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    """A server in the foreground, until it answers and as long as it is needed."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            ends = time.monotonic() + 20
            while not _answers(port):
                log.seek(0)
                assert process.poll() is None, f"{command[0]} ended: {log.read()}"
                assert time.monotonic() < ends, f"{command[0]} does not answer: {log.read()}"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _nginx(directory: Path, places: dict[str, str]) -> contextlib.AbstractContextManager[None]:
    http, chains = free_port(), certificates(directory)
    ports = {name: free_port() for name in chains}
    www = directory / "www"
    www.mkdir()
    page = "<html><h1>Welcome</h1></html>\n"
    for name, text in {
        "page": page,
        "empty": "",
        "long": "<p>much to read</p>\n" * 2000 + "the end of the page",
        "download": "x" * 6_000_000,
        "php-error": "<b>Fatal error</b>:  Uncaught TypeError in <b>/var/www/index.php</b> on line <b>3</b>",
    }.items():
        (www / name).write_text(text)
    digest = base64.b64encode(hashlib.sha1(b"secret of ops").digest()).decode()
    (directory / "users").write_text(f"ops:{{SHA}}{digest}\n")
    locations = LOCATIONS.format(directory=directory, http=http, tls=ports["tls"])
    encrypted = "\n".join(
        ENCRYPTED.format(port=ports[name], chain=chain, more=more, locations=locations)
        for name, (chain, more) in chains.items()
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(directory=directory, http=http, locations=locations, encrypted=encrypted)
    )
    places.update({name: f"https://127.0.0.1:{port}" for name, port in ports.items()})
    places.update(
        nginx=f"http://127.0.0.1:{http}",
        port=str(http),
        six=f"http://[::1]:{http}",
        socket=f"{directory}/web.sock",
        ca=f"{directory}/ca.pem",
        identity=f"{directory}/identity.pem",
    )
    return running("nginx", "-c", str(configuration), "-p", str(directory), port=http)


def _proxy(
    directory: Path, name: str, places: dict[str, str], more: str = ""
) -> contextlib.AbstractContextManager[None]:
    port = free_port()
    configuration = directory / f"{name}.conf"
    lines = [
        f"Port {port}",
        "Listen 127.0.0.1",
        "Timeout 10",
        f'PidFile "{directory}/{name}.pid"',
        "MaxClients 20",
        more,
    ]
    configuration.write_text("\n".join(lines) + "\n")
    places[name] = f"http://127.0.0.1:{port}"
    return running("tinyproxy", "-d", "-c", str(configuration), port=port)


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """All servers that the table speaks of; yields what its addresses are filled with."""
    places: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="web-")))
        stack.enter_context(_nginx(directory, places))
        stack.enter_context(_proxy(directory, "proxy", places))
        stack.enter_context(_proxy(directory, "proxy_closed", places, "BasicAuth us secret"))
        bad = stack.enter_context(web())
        places.update(bad=bad.url, bad_port=str(bad.port))
        yield places
