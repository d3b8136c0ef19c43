# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Ask a FastCGI server directly, without a web server: one request, one answer, one connection."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import struct
import time

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import text

BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
HEADER = struct.Struct("!BBHHBx")
"""Version, type, request, length of the content, length of the padding."""
LARGEST = 2_000_000
"""How many bytes of an answer are read; a status page has some hundred."""


class Silent(Exception):
    """Nobody answers at the address: it is not there, refuses, or lets the time pass. Says which."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What was answered: the status, as of HTTP, the body, and what went to standard error."""

    status: int
    body: str
    complaints: str
    seconds: float


def ask(address: str, script: str, timeout: float, query: str = "", root: str = "") -> Answer:
    """Have ``script`` answered by the server at ``address``, a path of a socket or ``host:port``.

    ``root`` is where a script lies that is a file. Raises :class:`Silent` when nobody answers within ``timeout`` seconds, and
    :class:`Unmeasurable` when the answer is none, or we may not ask.
    """
    started = time.monotonic()
    deadline = started + timeout
    try:
        with _connected(address, timeout) as connection:
            connection.sendall(_request(script, query, root))
            output, errors = _answer(connection, deadline)
    except PermissionError:
        raise Unmeasurable(f"{address} may not be used by this user") from None
    except socket.timeout:
        raise Silent(f"no answer within {timeout:g} s") from None
    except FileNotFoundError:
        raise Silent(f"{address} does not exist") from None
    except OSError as exc:
        raise Silent(f"{address}: {exc.strerror or exc}") from None
    head, separator, body = output.partition("\r\n\r\n")
    if not separator:
        raise Unmeasurable(f"{address} gives an answer that is not FastCGI's: {output[:100]!r}")
    status = re.search(r"(?mi)^Status:\s*(\d{3})", head)
    return Answer(int(status[1]) if status else 200, body, errors.strip(), time.monotonic() - started)


def _connected(address: str, timeout: float) -> socket.socket:
    if address.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(address)
        except BlockingIOError:  # the backlog of a unix socket is full, and it does not wait as TCP does
            connection.close()
            raise Silent("the queue of the socket is full") from None
        except BaseException:
            connection.close()
            raise
        return connection
    host, _colon, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout)


def _record(kind: int, content: bytes) -> bytes:
    return HEADER.pack(1, kind, 1, len(content), 0) + content


def _request(script: str, query: str, root: str) -> bytes:
    parameters = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "SCRIPT_FILENAME": os.path.join(root, script.lstrip("/")) if root else script,
        "SCRIPT_NAME": script,
        "REQUEST_URI": f"{script}?{query}" if query else script,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "sre.runbooks",
        "REMOTE_ADDR": "127.0.0.1",
    }
    pairs = b"".join(_length(key) + _length(value) + key.encode() + value.encode() for key, value in parameters.items())
    # A responder that need not keep the connection.
    return b"".join(
        [
            _record(BEGIN, struct.pack("!HB5x", 1, 0)),
            _record(PARAMS, pairs),
            _record(PARAMS, b""),
            _record(STDIN, b""),
        ]
    )


def _length(value: str) -> bytes:
    size = len(value.encode())
    return struct.pack("!B", size) if size < 128 else struct.pack("!I", size | 0x80000000)


def _answer(connection: socket.socket, deadline: float) -> tuple[str, str]:
    parts: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
    size = 0
    while True:
        version, kind, _request_id, length, padding = HEADER.unpack(_read(connection, HEADER.size, deadline))
        if version != 1:
            raise Unmeasurable("what listens there does not speak FastCGI")
        content = _read(connection, length + padding, deadline)[:length]
        size += length
        if size > LARGEST:
            raise Unmeasurable(f"the answer is larger than {LARGEST} bytes")
        if kind == END:
            return text(b"".join(parts[STDOUT])), text(b"".join(parts[STDERR]))
        if kind in parts:
            parts[kind].append(content)


def _read(connection: socket.socket, size: int, deadline: float) -> bytes:
    got = b""
    while len(got) < size:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        block = connection.recv(size - len(got))
        if not block:
            raise Unmeasurable("the connection was closed before the answer was complete")
        got += block
    return got
