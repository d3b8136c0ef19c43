# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server on loopback that does what a good one never does, and notes what it was sent."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import itertools
import socket
import struct
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator

from ansible_collections.sre.runbooks.tests.unit.authority import listening

PASSWORD = "correct horse battery"
PAGE = b"<html><h1>Welcome</h1></html>"
JSON = b'{"status": "up", "queue": {"waiting": 12}, "rate": null}'


@dataclasses.dataclass
class Request:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


Route = Callable[[socket.socket, Request], None]


def read(connection: socket.socket) -> Request:
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionAbortedError
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, path, _ = first.split(" ")
    return Request(method, path, headers, body.decode())


def response(body: bytes = PAGE, status: str = "200 OK", **headers: str) -> bytes:
    """A complete answer. A header given as an empty string is left out."""
    fields = {"Content-Type": "text/html", "Content-Length": str(len(body))}
    fields.update({key.replace("_", "-").title(): value for key, value in headers.items()})
    lines = [f"HTTP/1.1 {status}", *(f"{key}: {value}" for key, value in fields.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(raw: bytes) -> Route:
    return lambda connection, _: connection.sendall(raw)


def until_gone(connection: socket.socket, *first: bytes) -> None:
    """Say something, then nothing more until the other side gives up."""
    for raw in first:
        connection.sendall(raw)
    while connection.recv(65536):
        pass


def drip(raw: bytes, first: bytes = b"") -> Route:
    """One byte at a time, each well before a time-out for a single read."""

    def route(connection: socket.socket, _request: Request) -> None:
        connection.sendall(first)
        for byte in raw:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    return route


def without_end(first: bytes, piece: bytes) -> Route:
    def route(connection: socket.socket, _request: Request) -> None:
        connection.sendall(first)
        for _ in itertools.count():
            connection.sendall(piece)

    return route


def late(connection: socket.socket, _request: Request) -> None:
    time.sleep(0.2)
    connection.sendall(response())


def reset(connection: socket.socket, _request: Request) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def redirect(to: str, status: str = "302 Found", **headers: str) -> bytes:
    return response(b"", status, location=to, **headers)


def _raw_deflate(body: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(body) + machine.flush()


FIXED: dict[str, bytes] = {
    "/page": response(),
    "/empty": response(b""),
    "/json": response(JSON, content_type="application/json"),
    "/html-as-json": response(content_type="application/json"),
    "/null": response(b'{"queue": null}', content_type="application/json"),
    "/error": response(b"<b>Fatal error</b>:  Uncaught TypeError in <b>/var/www/index.php</b> on line 3"),
    "/short": response(b"only this", content_length="5000"),
    "/longer": response(PAGE + b"and more", content_length=str(len(PAGE))),
    "/bad-length": response(content_length="many"),
    "/chunk-cut": response(b"5\r\nhello\r\n", content_length="", transfer_encoding="chunked"),
    "/chunk-bad": response(b"xyz\r\nhello\r\n", content_length="", transfer_encoding="chunked"),
    "/gzip": response(gzip.compress(PAGE), content_encoding="gzip"),
    "/gzip-two": response(gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:]), content_encoding="gzip"),
    "/gzip-cut": response(gzip.compress(PAGE)[:-12], content_encoding="gzip"),
    "/gzip-bad": response(PAGE, content_encoding="gzip"),
    "/deflate": response(zlib.compress(PAGE), content_encoding="deflate"),
    "/deflate-raw": response(_raw_deflate(PAGE), content_encoding="deflate"),
    "/brotli": response(b"\x0b\x02\x80", content_encoding="br"),
    "/bomb": response(gzip.compress(bytes(64 * 1024**2), 9), content_encoding="gzip"),
    "/latin1": response("Müller".encode("latin-1"), content_type="text/html; charset=ISO-8859-1"),
    "/meta": response(b'<meta charset="windows-1252">' + "Müller".encode("cp1252")),
    "/wrong-charset": response("Müller".encode("latin-1"), content_type="text/html; charset=utf-8"),
    "/no-such-charset": response("Müller".encode(), content_type="text/html; charset=klingon"),
    "/utf16": response("Müller".encode("utf-16")),
    "/garbage": b"SSH-2.0-OpenSSH_9.2\r\n",
    "/close": b"",
    "/old": b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE,
    "/no-headers": b"HTTP/1.1 200 OK\r\n\r\n" + PAGE,
    "/header-too-long": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n",
    "/loop": redirect("/loop"),
    "/ping": redirect("/pong"),
    "/pong": redirect("/ping"),
    "/to-page": redirect("/page", "301 Moved Permanently"),
    "/to-unicode": redirect("/pàge?q=ü", "301 Moved Permanently"),
    "/to-ftp": redirect("ftp://127.0.0.1/page"),
    "/to-nowhere": response(b"", "302 Found"),
    "/to-nonsense": redirect("http://[::1/page"),
    "/to-login": redirect("/login"),
    "/hidden-login": response(b'<form><input name="user"><input type="password" name="pass"></form>'),
    "/no-content": response(b"", "204 No Content", content_length="", content_type=""),
}
MOVING: dict[str, Route] = {
    "/hang": lambda connection, _: until_gone(connection),
    "/hang-in-head": lambda connection, _: until_gone(connection, b"HTTP/1.1 200 OK\r\n"),
    "/hang-in-body": lambda connection, _: until_gone(connection, response(b"half", content_length="400")),
    "/drip-head": drip(response() * 20),
    "/drip-body": drip(b"x" * 400, first=response(b"", content_length="400")),
    "/late": late,
    "/reset": reset,
    "/huge": without_end(response(b"", content_length=""), b"x" * 65536),
    "/headers-without-end": without_end(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
    "/continue-without-end": without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


class Web:
    """The routes above, a little application with a login, and ``seen``, what arrived."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.port = 0
        self.flaky = itertools.count()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def other(self) -> str:
        """The same server under the name of another host."""
        return f"http://localhost:{self.port}"

    def answer(self, connection: socket.socket) -> None:
        request = read(connection)
        self.seen.append(request)
        path = urllib.parse.urlsplit(request.path).path
        if path in FIXED:
            connection.sendall(FIXED[path])
        elif path in MOVING:
            MOVING[path](connection, request)
        else:
            connection.sendall(self._application(path, request))

    def _application(self, path: str, request: Request) -> bytes:
        cookies = request.headers.get("cookie", "")
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.path).query))
        if path.startswith("/status/"):
            return response(b"<h1>Status</h1>", f"{path.rpartition('/')[2]} Whatever")
        if path == "/to":
            return redirect(query["url"], query.get("status", "302 Found"))
        if path == "/on-and-on":
            return redirect(f"/on-and-on?n={int(query.get('n', 0)) + 1}")
        if path == "/cookie-first" and "visited=yes" not in cookies:
            return redirect("/cookie-first", set_cookie="visited=yes; Path=/")
        if path == "/flaky" and next(self.flaky) % 2 == 0:
            return response(b"busy", "503 Service Unavailable")
        if path == "/login":
            return self._login(request)
        if path == "/dashboard" and "session=valid" not in cookies:
            return redirect("/login?next=/dashboard")
        if path in ("/cookie-first", "/flaky", "/dashboard", "/pàge", "/p%C3%A0ge"):
            return response(b"<h1>Dashboard</h1>")
        if path == "/basic" and request.headers.get("authorization") != "Basic b3BzOnNlY3JldCBvZiBvcHM=":
            return response(b"", "401 Unauthorized", www_authenticate='Basic realm="ops"')
        return response(b"<h1>Here you are</h1>") if path == "/basic" else response(b"", "404 Not Found")

    @staticmethod
    def _login(request: Request) -> bytes:
        """Wants a name, a password and the token of its own form, as Laravel does; WordPress without the token."""
        form = (
            b'<form><input name="s" placeholder="Search"></form>'
            b'<form method="post" action="/login"><input type="hidden" name="_token" value="t0ken">'
            b'<input type="email" name="email"><input type="password" name="pwd"></form>'
        )
        fields = dict(urllib.parse.parse_qsl(request.body))
        if request.method == "GET":
            return response(form)
        if fields == {"_token": "t0ken", "email": "ops", "pwd": PASSWORD}:
            return redirect("/dashboard", set_cookie="session=valid; Path=/; HttpOnly")
        return response(form)


@contextlib.contextmanager
def web(host: str = "127.0.0.1") -> Iterator[Web]:
    server = Web()
    with listening(server.answer, host) as server.port:
        yield server
