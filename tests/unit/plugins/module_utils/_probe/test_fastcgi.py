# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that misbehave in place of php-fpm. The real one is in ``tests/integration/test_phpfpm.py``."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import fastcgi, phpfpm

Serve = Callable[[Callable[[socket.socket], None]], str]


def record(kind: int, content: bytes, padding: int = 0) -> bytes:
    return fastcgi.HEADER.pack(1, kind, 1, len(content), padding) + content + b"x" * padding


DONE = record(fastcgi.END, struct.pack("!LB3x", 0, 0))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A server that does with its first connection what it is told, and how to reach it."""
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / "s"
    listener.bind(str(path))
    listener.listen()
    threads = []

    def start(behave: Callable[[socket.socket], None]) -> str:
        def work() -> None:
            connection, _address = listener.accept()
            with connection:
                behave(connection)

        threads.append(threading.Thread(target=work, daemon=True))
        threads[0].start()
        return str(path)

    yield start
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    listener.close()


def answer(*parts: bytes) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.recv(10_000)
        for part in parts:
            connection.sendall(part)

    return behave


def test_an_answer_in_pieces_is_put_together(serve: Serve) -> None:
    head = b"Status: 404 Not Found\r\nContent-type: text/html\r\n\r\nFile "
    address = serve(
        answer(
            record(fastcgi.STDOUT, head, 5),
            record(fastcgi.STDERR, b"Primary script unknown"),
            record(fastcgi.STDOUT, b"not found.\n"),
            record(fastcgi.STDOUT, b"") + DONE,
        )
    )
    found = fastcgi.ask(address, "/ping", 5)
    assert (found.status, found.body, found.complaints) == (404, "File not found.\n", "Primary script unknown")


def test_an_answer_without_a_status_is_fine(serve: Serve) -> None:
    address = serve(answer(record(fastcgi.STDOUT, b"Content-type: text/plain\r\n\r\npong") + DONE))
    assert fastcgi.ask(address, "/ping", 5).status == 200


def test_the_request_is_one_that_others_can_read(serve: Serve) -> None:
    got: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        got.append(connection.recv(10_000))
        connection.sendall(record(fastcgi.STDOUT, b"a: b\r\n\r\n") + DONE)

    fastcgi.ask(serve(behave), "/" + 200 * "s", 5, "json")
    kinds, position = [], 0
    while position < len(got[0]):
        _version, kind, _id, length, padding = fastcgi.HEADER.unpack_from(got[0], position)
        kinds.append((kind, length > 0))
        position += fastcgi.HEADER.size + length + padding
    assert kinds == [(fastcgi.BEGIN, True), (fastcgi.PARAMS, True), (fastcgi.PARAMS, False), (fastcgi.STDIN, False)]
    assert b"\x0c\x04QUERY_STRINGjson" in got[0]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([], "closed before the answer was complete"),
        ([record(fastcgi.STDOUT, b"a: b\r\n\r\npo")], "closed before the answer was complete"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak FastCGI"),
        ([DONE], "not FastCGI's"),
        ([record(fastcgi.STDOUT, b"x" * 60_000)] * 40, "larger than"),
    ],
)
def test_what_is_no_answer_is_told(serve: Serve, parts: list[bytes], reason: str) -> None:
    with pytest.raises(Unmeasurable, match=reason):
        fastcgi.ask(serve(_patiently(answer(*parts))), "/ping", 5)


def _patiently(behave: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def ignoring(connection: socket.socket) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client has heard enough
            behave(connection)

    return ignoring


def test_nobody_there_is_silence(tmp_path: Path) -> None:
    with pytest.raises(fastcgi.Silent, match="does not exist"):
        fastcgi.ask(str(tmp_path / "gone"), "/ping", 5)
    (tmp_path / "left").touch()
    with pytest.raises(fastcgi.Silent, match="refused"):
        fastcgi.ask(str(tmp_path / "left"), "/ping", 5)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(fastcgi.Silent, match="refused"):
            fastcgi.ask(f"127.0.0.1:{closed.getsockname()[1]}", "/ping", 5)


def test_an_answer_that_drips_is_silence_when_its_time_is_over(serve: Serve) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not over.wait(0.05):
            try:
                connection.sendall(record(fastcgi.STDOUT, b"x"))
            except OSError:
                return

    started = time.monotonic()
    try:
        with pytest.raises(fastcgi.Silent, match=r"no answer within 0\.3 s"):
            fastcgi.ask(serve(drip), "/ping", 0.3)
    finally:
        over.set()
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"pool: www", "not JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "does not say start time"),
        (b'{"start time": "x"}', "does not say start time"),
    ],
)
def test_a_status_page_has_to_be_one(serve: Serve, body: bytes, reason: str) -> None:
    address = serve(answer(record(fastcgi.STDOUT, b"a: b\r\n\r\n" + body) + DONE))
    with pytest.raises(Unmeasurable, match=reason):
        phpfpm.status(address, "/status", 5)


def test_settings_of_pools_are_found_by_where_they_listen(tmp_path: Path) -> None:
    socket_path = tmp_path / "php8.2-fpm.sock"
    socket_path.touch()
    (tmp_path / "php-fpm.sock").symlink_to(socket_path)
    (tmp_path / "a.conf").write_text(
        f"; a comment\n[www]\nlisten = {socket_path}\npm.max_children = 5\nslowlog = log/$pool.slow\n"
        "php_admin_value[error_log] = /x\n[api]\nlisten = 127.0.0.1:9000\n[global-ish]\nuser = x\n"
    )
    patterns = [str(tmp_path / "*.conf")]
    assert [found["pool"] for found in phpfpm.pools(patterns)] == ["www", "api"]
    found = phpfpm.settings_of(str(tmp_path / "php-fpm.sock"), patterns)
    assert found
    assert (found["pm.max_children"], found["slowlog"]) == ("5", "log/www.slow")
    assert phpfpm.settings_of("localhost:9000", patterns)
    assert phpfpm.settings_of("localhost:9001", patterns) is None
    (tmp_path / "b.conf").write_text("no section = here\n")
    with pytest.raises(Unmeasurable, match=r"b\.conf cannot be read"):
        phpfpm.pools(patterns)


def test_the_queue_of_a_socket_is_counted_by_the_kernel(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket() as tcp:
        listener.bind(str(tmp_path / "q"))
        listener.listen(8)
        assert phpfpm.queue(str(tmp_path / "q"), 5) == 0
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for one in waiting:
            one.connect(str(tmp_path / "q"))
        assert phpfpm.queue(str(tmp_path / "q"), 5) == 3
        for one in waiting:
            one.close()
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(8)
        address = f"127.0.0.1:{tcp.getsockname()[1]}"
        with socket.create_connection(tcp.getsockname()):
            assert phpfpm.queue(address, 5) == 1
    assert phpfpm.queue(str(tmp_path / "other"), 5) is None


def test_a_full_queue_of_a_unix_socket_is_silence(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "q"))
        listener.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(str(tmp_path / "q"))
            with pytest.raises(fastcgi.Silent, match=r"queue of the socket is full|no answer within"):
                fastcgi.ask(str(tmp_path / "q"), "/ping", 0.3)
        finally:
            for one in waiting:
                one.close()
