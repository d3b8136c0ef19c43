# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Ask an HTTP server as a visitor does: name, connection, TLS, proxy, login, redirects, body. With the standard library.

Everything is bounded: a request by its deadline as a whole, however slowly the answer drips; an answer by
``BODY_LIMIT`` after decompression; redirects by number. Headers, credentials and bodies that the operator gave go to
the host they were given for and to no other.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import errno
import functools
import http.client
import http.cookiejar
import queue
import re
import socket
import ssl
import threading
import time
import typing as t
import urllib.parse
import urllib.request
import zlib

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import login_form
from ansible_collections.sre.runbooks.plugins.module_utils._redact import HIDDEN, redact
from ansible_collections.sre.runbooks.plugins.module_utils._request import DIRECT

BODY_LIMIT = 4 * 1024**2
MOST_REDIRECTS = 10
RETRY_PAUSE = 0.5
"""Seconds: a request that is repeated at once finds the same moment again."""

REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
OUR_SIDE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EMFILE, errno.EACCES, errno.EPERM)
"""What says that we cannot look, and nothing about the other side."""


class NoAnswer(Unmeasurable):
    """The other side gave no complete HTTP answer: where to be reachable is the promise, that is a verdict."""


class Untrusted(NoAnswer):
    """The other side has a certificate that a visitor's browser would refuse."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A served certificate that was verified. ``days`` is how long it is still valid."""

    host: str
    days: float


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer at the end of all redirects. ``seconds`` is from the first look-up to the last byte of the last body."""

    url: str
    status: int
    reason: str
    headers: t.Mapping[str, str]
    body: bytes
    peer: str
    complete: bool = True
    location: str | None = None
    hops: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    seconds: float = 0.0
    retried: tuple[str, ...] = ()

    @property
    def media_type(self) -> str:
        """``text/html``, without parameters and in lower case; empty when the answer does not say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @functools.cached_property
    def text(self) -> str:
        """The body as text: by the charset of the header, the byte order mark, the page itself, else UTF-8 or Latin-1."""
        declared = re.search(r"charset=[\"']?([\w.:-]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        inside = re.search(rb"(?i)<meta[^>]{0,100}charset=[\"']?([\w.:-]+)", self.body[:2048])
        marked = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb": "utf-8-sig"}.get(self.body[:2])
        for charset in (
            marked,
            declared and declared.group(1),
            inside and str(inside.group(1), "ascii"),
            "utf-8",
        ):
            if charset:
                try:
                    return self.body.decode(charset)
                except (LookupError, UnicodeDecodeError):
                    continue
        return self.body.decode("latin-1")


class Client:
    """One visitor: credentials, cookies, and the way to the server. Made for one target, from its options."""

    def __init__(self, target: t.Mapping[str, t.Any]) -> None:
        self.options = target
        self.home = urllib.parse.urlsplit(target["url"])
        self.via: str | None = target.get("connect_to")
        self.cookies = http.cookiejar.CookieJar()
        self.ends: float = time.monotonic() + 0.95 * target["timeout"]  # a little before the door gives up
        self.address = _with_parameters(target["url"], target["secret_parameters"])

    def ask(
        self,
        url: str | None = None,
        *,
        expected: t.Container[int] = (200,),
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answer:
        """The answer of ``url``, after redirects, unless their status is itself expected, and after retries.

        A request without an answer, or with an unexpected status of 500 and more, is repeated up to ``retries`` times.
        Raises :class:`NoAnswer` for the last of them, its reasons naming all, and :class:`Unmeasurable`.
        """
        retried: list[str] = []
        while True:
            last = len(retried) >= self.options["retries"] or self.remaining <= 0
            try:
                answer = self._follow(url or self.address, expected, method, body)
            except NoAnswer as exc:
                if last or isinstance(exc, Untrusted):
                    more = f" (tried {len(retried) + 1} times, before: {retried[-1]})" if retried else ""
                    raise type(exc)(self.clean(f"{exc}{more}")) from None
                retried.append(self.clean(str(exc)))
            else:
                if answer.status < 500 or answer.status in expected or last:
                    return dataclasses.replace(answer, retried=tuple(retried))
                retried.append(f"status {answer.status}")
            time.sleep(min(RETRY_PAUSE, max(self.remaining, 0)))

    @property
    def remaining(self) -> float:
        """Seconds until the target as a whole is given up."""
        return self.ends - time.monotonic()

    def clean(self, text: str) -> str:
        """The text without the secrets of this target and what else looks like one, bounded."""
        options, login = self.options, self.options["login"] or {}
        secrets = [options["password"], login.get("password"), *options["secret_parameters"].values()]
        secrets += [
            part for value in options["secret_headers"].values() for part in (str(value), *str(value).split()[-1:])
        ]
        for secret in sorted((str(secret) for secret in secrets if secret), key=len, reverse=True):
            for form in {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)}:
                text = text.replace(form, HIDDEN) if len(form) > 2 else text
        return redact(text)

    def log_in(self) -> None:
        """Fill in the login form and keep the cookies. Raises :class:`Unmeasurable` when the login is not accepted."""
        login, until = self.options["login"], self._deadline()
        page = self._follow(login["url"], (), "GET", None)
        if not _same_site(login["url"], page.url):
            raise Unmeasurable(
                self.clean(f"the login page leads to another host, {page.url}: no password is sent there")
            )
        if page.status != 200:
            raise Unmeasurable(f"the login failed: its page answers with status {page.status}")
        form = login_form.find(page.text)
        names = login["username_field"] or form.username, login["password_field"] or form.password
        if not all(names):
            raise Unmeasurable("the login failed: its page has no login form; name username_field and password_field")
        fields = {**form.fields, **(login["fields"] or {}), names[0]: login["username"], names[1]: login["password"]}
        action = urllib.parse.urljoin(page.url, form.action or page.url)
        if not _same_site(page.url, action):
            raise Unmeasurable(self.clean(f"the login form posts to another host, {action}: no password is sent there"))
        before = self._cookie_values()
        ours = _same_site(self.address, action)
        answer = self._exchange(action, "POST", urllib.parse.urlencode(fields).encode(), until, ours)
        back = answer.location and _path(answer.location) in (_path(page.url), _path(login["url"]))
        if answer.status >= 400 or back or (not answer.location and login_form.find(answer.text).password):
            raise Unmeasurable(
                f"the login was refused: status {answer.status}{'' if answer.status >= 400 else ' and the login form again'}"
            )
        if self._cookie_values() == before:
            raise Unmeasurable("the login was not accepted: it set no cookie")

    def _cookie_values(self) -> dict[tuple[str, str, str], str | None]:
        return {(cookie.domain, cookie.path, cookie.name): cookie.value for cookie in self.cookies}

    def _deadline(self) -> float:
        return min(time.monotonic() + float(self.options["request_timeout"]), self.ends)

    def _follow(self, url: str, expected: t.Container[int], method: str, body: bytes | None) -> Answer:
        started, until = time.monotonic(), self._deadline()
        seen: list[tuple[str, t.Any]] = []
        hops: list[str] = []
        certificates: list[Certificate] = []
        ours = _same_site(self.address, url)
        while True:
            seen.append((url, self._cookie_values()))
            answer = self._exchange(url, method, body, until, ours)
            certificates += answer.certificates
            if answer.location is None or answer.status in expected:
                return dataclasses.replace(
                    answer,
                    hops=tuple(hops),
                    certificates=tuple(certificates),
                    seconds=time.monotonic() - started,
                )
            hops.append(f"{answer.status} {url}")
            url = answer.location
            if (url, self._cookie_values()) in seen:
                raise NoAnswer(f"redirects in a circle: {' → '.join([*hops[-4:], url])}")
            if len(hops) > MOST_REDIRECTS:
                raise NoAnswer(f"redirects without end: {' → '.join(hops[-3:])} → …")
            ours = ours and _same_site(self.address, url)
            if not ours or answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), None

    def _exchange(self, url: str, method: str, body: bytes | None, until: float, ours: bool) -> Answer:
        """One request and its answer, on a connection of its own. ``ours``: to the host that the operator meant."""
        place = _place(url)
        proxy = self._proxy(place)
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(contextlib.closing(self._connect(place, proxy, until)))
            peer = _peer(sock)
            certificates: tuple[Certificate, ...] = ()
            encrypted: _TlsSocket | None = None
            if place.scheme == "https":
                if proxy:
                    self._tunnel(sock, place, proxy)
                encrypted = stack.enter_context(contextlib.closing(self._encrypt(sock, place, until, ours)))
                certificates = _certificates(encrypted, str(place.hostname))
            connection = http.client.HTTPConnection(str(place.hostname))
            connection.sock = encrypted or sock
            path = urllib.parse.quote(place.path or "/", safe="/%:=&~+!$,;'@()*")
            query = "?" + urllib.parse.quote(place.query, safe="/%:=&?~+!$,;'@()*[]|") if place.query else ""
            headers = self._headers(url, place, body, ours)
            prefix = ""
            if proxy and place.scheme == "http":
                prefix = f"http://{headers['Host'].decode()}"
                headers.update(_proxy_authorization(proxy))
            with _while(f"waiting for the answer of {place.netloc}"):
                connection.request(method, prefix + path + query, body, headers)
                response = connection.getresponse()
            with _while(f"reading the answer of {place.netloc}"):
                content, complete = _read(response, until)
        self.cookies.extract_cookies(response, urllib.request.Request(url))
        location = response.getheader("Location") if response.status in REDIRECTS else None
        return Answer(
            url=url,
            status=response.status,
            reason=response.reason,
            headers={key.lower(): value for key, value in response.getheaders()},
            body=content,
            complete=complete,
            peer=peer,
            location=_join(url, location) if location else None,
            certificates=certificates,
        )

    def _headers(self, url: str, place: urllib.parse.SplitResult, body: bytes | None, ours: bool) -> dict[str, bytes]:
        port = "" if place.port in (None, PORTS[place.scheme]) else f":{place.port}"
        host = str(place.hostname)
        host = f"[{host}]" if ":" in host else host.encode("idna").decode()
        headers = {
            "Host": f"{host}{port}",
            "User-Agent": "sre.runbooks",
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "close",
        }
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        request = urllib.request.Request(url)
        self.cookies.add_cookie_header(request)
        headers.update(request.unredirected_hdrs)
        if ours:
            if self.options["username"] is not None:
                headers["Authorization"] = _basic(self.options["username"], self.options["password"])
            for key, value in {**self.options["headers"], **self.options["secret_headers"]}.items():
                headers = {old: kept for old, kept in headers.items() if old.lower() != key.lower()}
                headers["Host" if key.lower() == "host" else key] = str(value)
        return {key: value.encode() for key, value in headers.items()}

    def _proxy(self, place: urllib.parse.SplitResult) -> urllib.parse.SplitResult | None:
        """The proxy for an address: the option, else what the environment says, as for curl. A given way needs none."""
        chosen: str | None = self.options["proxy"]
        if chosen == DIRECT or self.via:
            return None
        if not chosen:
            known = urllib.request.getproxies()
            if urllib.request.proxy_bypass(place.netloc):
                return None
            chosen = known.get(place.scheme) or known.get("all")
        if not chosen:
            return None
        proxy = urllib.parse.urlsplit(chosen if "://" in chosen else f"http://{chosen}")
        if proxy.scheme != "http" or not proxy.hostname:
            raise Unmeasurable(f"the environment names a {proxy.scheme} proxy, which is not supported here")
        return proxy

    def _connect(
        self, place: urllib.parse.SplitResult, proxy: urllib.parse.SplitResult | None, until: float
    ) -> _Socket:
        host, port = str(place.hostname), place.port or PORTS[place.scheme]
        family = FAMILIES[self.options["family"]]
        if proxy:
            try:
                return _open(str(proxy.hostname), proxy.port or 3128, socket.AF_UNSPEC, until)
            except NoAnswer as exc:
                raise Unmeasurable(f"the proxy is not there: {exc}") from None
        if self.via and host == self.home.hostname:
            if self.via.startswith("/"):
                return _open_unix(self.via, until)
            way = urllib.parse.urlsplit(f"//{self.via}")
            if way.port is None or port == (self.home.port or PORTS[self.home.scheme]):
                return _open(str(way.hostname), way.port or port, family, until)
        return _open(host, port, family, until)

    def _tunnel(self, sock: _Socket, place: urllib.parse.SplitResult, proxy: urllib.parse.SplitResult) -> None:
        host = f"[{place.hostname}]" if ":" in str(place.hostname) else place.hostname
        where = f"{host}:{place.port or 443}"
        lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
        lines += [f"{key}: {value.decode()}" for key, value in _proxy_authorization(proxy).items()]
        response = http.client.HTTPResponse(sock, method="CONNECT")
        with _while("waiting for the proxy"):
            sock.sendall("\r\n".join([*lines, "", ""]).encode())
            response.begin()
            response.close()
        if response.status >= 500:
            raise NoAnswer(f"the proxy does not reach {where}: status {response.status} {response.reason}")
        if not 200 <= response.status < 300:
            raise Unmeasurable(f"the proxy refuses to connect to {where}: status {response.status} {response.reason}")

    def _encrypt(self, sock: _Socket, place: urllib.parse.SplitResult, until: float, ours: bool) -> _TlsSocket:
        options = self.options
        identity = (options["client_cert"], options["client_key"]) if ours else (None, None)
        context = _context(options["ca_path"], options["validate_certs"], *identity)
        with _while(f"agreeing on TLS with {place.netloc}"):
            sock.settimeout(_left(until))
            encrypted = t.cast("_TlsSocket", context.wrap_socket(sock, server_hostname=place.hostname))
        encrypted.until = until
        return encrypted


@dataclasses.dataclass(frozen=True)
class Visit:
    """Several requests to one address. ``broken_off`` is why the last one got no answer, in spite of its retries."""

    answers: tuple[Answer, ...]
    broken_off: NoAnswer | None = None
    clean: t.Callable[[str], str] = redact


def visit(target: t.Mapping[str, t.Any]) -> Visit:
    """Log in where that is asked for, then ask ``samples`` times, one after the other.

    It ends at the first request without an answer, and when the time of the target is nearly over. Raises
    :class:`Unmeasurable` for what is our side: a refused login, a missing file, the proxy.
    """
    client = Client(target)
    answers: list[Answer] = []
    broken_off = None
    try:
        if target["login"]:
            client.log_in()
        body = None if target["body"] is None else str(target["body"]).encode()
        for _ in range(target["samples"]):
            if answers and client.remaining < 2 * max(answer.seconds for answer in answers):
                break
            answers.append(client.ask(expected=target["status"], method=target["method"], body=body))
    except NoAnswer as exc:
        broken_off = exc
    return Visit(tuple(answers), broken_off, client.clean)


class _Socket(socket.socket):
    """A socket with a deadline for all reading together, instead of one for each piece."""

    until = 0.0

    def recv_into(self, *args: t.Any, **kwargs: t.Any) -> int:
        self.settimeout(_left(self.until))
        return super().recv_into(*args, **kwargs)


class _TlsSocket(ssl.SSLSocket):
    """The same, encrypted."""

    until = 0.0

    def recv_into(self, *args: t.Any, **kwargs: t.Any) -> int:
        self.settimeout(_left(self.until))
        return super().recv_into(*args, **kwargs)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise socket.timeout
    return left


@contextlib.contextmanager
def _while(doing: str) -> t.Iterator[None]:
    """Turn what can go wrong on the way into :class:`NoAnswer`, or :class:`Unmeasurable` where it is our side."""
    started = time.monotonic()
    try:
        yield
    except socket.timeout:
        raise NoAnswer(f"no answer in time, given up after {time.monotonic() - started:.2g} s of {doing}") from None
    except ssl.SSLCertVerificationError as exc:
        raise Untrusted(f"the certificate is not trusted: {exc.verify_message}") from None
    except ssl.SSLError as exc:
        reason = (exc.reason or str(exc)).replace("_", " ").lower()
        if "alert" in reason and ("certificate" in reason or "unknown ca" in reason):
            raise Unmeasurable(f"the server does not accept our client certificate, or demands one: {reason}") from None
        raise NoAnswer(f"{doing}: {reason}") from None
    except http.client.HTTPException as exc:
        raise NoAnswer(f"{doing}: {_explain(exc)}") from None
    except zlib.error as exc:
        raise NoAnswer(f"{doing}: what claims to be compressed is not: {exc}") from None
    except OSError as exc:
        reason = f"{doing}: {exc.strerror or exc}"
        if exc.errno in OUR_SIDE:
            raise Unmeasurable(reason) from None
        raise NoAnswer(reason) from None


def _explain(exc: http.client.HTTPException) -> str:
    if isinstance(exc, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(exc, http.client.IncompleteRead):
        return "the answer broke off"
    if isinstance(exc, http.client.BadStatusLine):
        return f"the answer is not HTTP, it begins with {str(exc)[:60]!r}"
    return f"the answer is not good HTTP: {type(exc).__name__} {str(exc)[:100]}"


def _resolve(host: str, port: int, family: int, until: float) -> list[t.Any]:
    """The addresses of a host, looked up aside because a look-up cannot be interrupted."""
    answers: queue.SimpleQueue[t.Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))
        except OSError as exc:
            answers.put(exc)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = answers.get(timeout=max(until - time.monotonic(), 0.001))
    except queue.Empty:
        raise Unmeasurable(f"looking up {host}: the resolver of this host gave no answer in time") from None
    if isinstance(found, socket.gaierror):
        reason = f"looking up {host}: {found.strerror}"
        if found.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
            raise NoAnswer(reason)
        raise Unmeasurable(f"{reason} (the resolver of this host)")
    if isinstance(found, OSError):
        raise Unmeasurable(f"looking up {host}: {found}")
    return t.cast("list[t.Any]", found)


def _open(host: str, port: int, family: int, until: float) -> _Socket:
    """A connection to the first address that takes it; each gets a fair share of the time that is left."""
    addresses = _resolve(host, port, family, until)
    problem: Unmeasurable | None = None
    for position, (af, kind, proto, _name, address) in enumerate(addresses):
        try:
            return _dial(af, kind, proto, address, until, len(addresses) - position)
        except Unmeasurable as exc:  # noqa: PERF203 - the next address is the answer to a failed one
            if not isinstance(problem, NoAnswer):  # what the other side did tells more than that we have no IPv6
                problem = exc
    raise problem or NoAnswer(f"{host} has no address")


def _dial(af: int, kind: int, proto: int, address: t.Any, until: float, shares: int) -> _Socket:
    where = address if isinstance(address, str) else f"{address[0]} port {address[1]}"
    with _while(f"connecting to {where}"):
        sock = _Socket(af, kind, proto)
        sock.until = until
        try:
            sock.settimeout(_left(until) / shares)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
    return sock


def _open_unix(path: str, until: float) -> _Socket:
    return _dial(socket.AF_UNIX, socket.SOCK_STREAM, 0, path, until, 1)


def _peer(sock: socket.socket) -> str:
    name = sock.getpeername()
    return str(name) if isinstance(name, (str, bytes)) else f"{name[0]} port {name[1]}"


@functools.lru_cache(maxsize=32)
def _context(ca_path: str | None, validate: bool, cert: str | None, key: str | None) -> ssl.SSLContext:
    """A TLS context, made once: reading the certificates of the system takes longer than a request."""
    context = ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # on since Python 3.13, in no browser
    if not validate:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if ca_path:
            context.load_verify_locations(ca_path)
    except (OSError, ssl.SSLError) as exc:
        raise Unmeasurable(f"ca_path {ca_path}: {exc.strerror or exc}") from None
    try:
        if cert:
            context.load_cert_chain(cert, key, password="")
    except (OSError, ssl.SSLError) as exc:
        raise Unmeasurable(f"client_cert {cert}: {exc.strerror or exc}") from None
    return context


def _certificates(sock: _TlsSocket, host: str) -> tuple[Certificate, ...]:
    known = sock.getpeercert()  # empty where verification is off
    if not known:
        return ()
    return (Certificate(host, (ssl.cert_time_to_seconds(str(known["notAfter"])) - time.time()) / 86400),)


def _read(response: http.client.HTTPResponse, until: float) -> tuple[bytes, bool]:
    """The body, decompressed, and whether that is all of it: reading stops at ``BODY_LIMIT``."""
    encodings = [name.strip().lower() for name in (response.getheader("Content-Encoding") or "identity").split(",")]
    content = bytearray()
    for piece in _decompressed(_pieces(response), encodings[0] if len(encodings) == 1 else "several"):
        content += piece
        if len(content) > BODY_LIMIT:
            return bytes(content[:BODY_LIMIT]), False
        _left(until)
    return bytes(content), True


def _pieces(response: http.client.HTTPResponse) -> t.Iterator[bytes]:
    while True:
        piece = response.read(65536)
        if not piece:
            break
        yield piece
    if response.length:  # http.client itself takes the end of the connection for the end of the body
        raise http.client.IncompleteRead(b"", response.length)


def _decompressed(pieces: t.Iterator[bytes], encoding: str) -> t.Iterator[bytes]:
    if encoding in ("identity", ""):
        yield from pieces
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unmeasurable(f"the answer is encoded with {encoding}, which was not asked for and cannot be read here")
    machine = None
    for piece in pieces:
        if machine is None:
            raw = encoding == "deflate" and piece[0] & 0x0F != 8  # some servers leave out the zlib header
            machine = zlib.decompressobj(-15 if raw else 47)
        rest = piece
        while rest:
            yield machine.decompress(rest, 65536)
            rest = machine.unconsumed_tail
            if machine.eof and machine.unused_data:
                rest, machine = machine.unused_data, zlib.decompressobj(47)
    if machine is not None and not machine.eof:
        raise http.client.IncompleteRead(b"")


def _place(url: str) -> urllib.parse.SplitResult:
    """The parts of an address that a redirect may have led to."""
    try:
        place = urllib.parse.urlsplit(url)
        if place.scheme in PORTS and place.hostname and place.hostname.encode("idna") and place.port != 0:
            return place
    except ValueError:
        pass
    raise NoAnswer(f"leads to what is no web page: {url[:200]}")


def _same_site(here: str, there: str) -> bool:
    """Whether credentials for one address may go to another: same host and port, or from http up to https on it."""
    left, right = urllib.parse.urlsplit(here), urllib.parse.urlsplit(there)
    ports = [place.port or PORTS.get(place.scheme, 0) for place in (left, right)]
    if left.hostname != right.hostname:
        return False
    if left.scheme == right.scheme:
        return ports[0] == ports[1]
    return (left.scheme, right.scheme) == ("http", "https") and ports == [80, 443]


def _path(url: str) -> str:
    return urllib.parse.urlsplit(url).path.rstrip("/")


def _join(url: str, location: str) -> str:
    """Where a redirect leads. http.client reads headers as Latin-1; what servers mean by a byte above 127 is UTF-8."""
    to = location.encode("latin-1").decode("utf-8", "replace")
    try:
        return urllib.parse.urljoin(url, to)
    except ValueError:
        raise NoAnswer(f"leads to what is no web page: {to[:200]}") from None


def _with_parameters(url: str, parameters: t.Mapping[str, t.Any]) -> str:
    place = urllib.parse.urlsplit(url)
    query = "&".join(filter(None, [place.query, urllib.parse.urlencode(parameters)]))
    return urllib.parse.urlunsplit(place._replace(query=query, fragment=""))


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _proxy_authorization(proxy: urllib.parse.SplitResult) -> dict[str, bytes]:
    if proxy.username is None:
        return {}
    user, password = (urllib.parse.unquote(part or "") for part in (proxy.username, proxy.password))
    return {"Proxy-Authorization": _basic(user, password).encode()}
