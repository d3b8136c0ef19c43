# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""services: what systemd 252 and its journal really answered, replayed by commands on PATH; and real sockets."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import services as probe

RECORDED = Path(__file__).parent / "recorded/systemd-252.json"
REPLAY = """#!{python}
import json, os, sys
with open({path!r}) as file:
    calls = json.load(file)["calls"]
argv = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
for call in calls:
    if call["argv"] == argv and call["user"] == os.environ.get("REPLAY_USER", "root"):
        sys.stdout.write(call["stdout"])
        sys.stderr.write(call["stderr"])
        sys.exit(call["rc"])
sys.exit("not recorded: " + repr(argv))
"""


class Clock:
    """The time at which the answers were recorded."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.time = lambda: recorded["now"]
        self.monotonic = lambda: recorded["monotonic"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A host under systemd, as it was recorded."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("systemctl", "journalctl"):
        (commands / name).write_text(REPLAY.format(python=sys.executable, path=str(RECORDED)))
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.setattr(probe, "time", Clock(json.loads(RECORDED.read_text())))
    monkeypatch.setattr(probe, "up", lambda: json.loads(RECORDED.read_text())["up"])
    monkeypatch.setattr(probe, "GENERATORS", str(tmp_path / "generator*"))
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return str(tmp_path)


def test_a_running_service_tells_its_state_and_since_when(root: str) -> None:
    (nginx,) = probe.find(["nginx"], 5, root)
    assert (nginx.id, nginx.load, nginx.active, nginx.sub) == ("nginx.service", "loaded", "active", "running")
    assert (nginx.type, nginx.file_state, nginx.restarts, nginx.kind) == ("forking", "enabled", 0, "service")
    assert nginx.active_for
    assert 600 < nginx.active_for < 3600
    assert nginx.inactive_for is None


def test_several_names_of_one_unit_find_it_once_and_a_missing_one_says_so(root: str) -> None:
    found = probe.find(["mysql", "mariadb", "mysqld"], 5, root)
    assert [(unit.id, unit.load) for unit in found] == [("mariadb.service", "loaded"), ("mysqld.service", "not-found")]


def test_a_glob_finds_stopped_units_too_but_no_templates(root: str) -> None:
    found = probe.find(["php*-fpm"], 5, root)
    assert {(unit.id, unit.active, unit.file_state) for unit in found} == {
        ("php7.4-fpm.service", "inactive", "disabled"),
        ("php8.2-fpm.service", "active", "enabled"),
    }


def test_a_timer_tells_what_it_starts_and_the_job_how_it_ended(root: str) -> None:
    (timer,) = probe.find(["badjob.timer"], 5, root)
    assert (timer.kind, timer.sub, timer.triggers, timer.restarts) == ("timer", "waiting", ("badjob.service",), None)
    (job,) = probe.show(timer.triggers, 5)
    assert (job.active, job.result, job.exit_status, job.type) == ("failed", "exit-code", "1", "oneshot")
    assert job.inactive_for is not None


def test_a_service_tells_which_socket_starts_it(root: str) -> None:
    (lazy,) = probe.find(["lazy"], 5, root)
    assert (lazy.active, lazy.triggered_by) == ("inactive", ("lazy.socket",))
    assert probe.show(lazy.triggered_by, 5)[0].sub == "listening"


def test_a_unit_that_a_generator_enables_comes_back_after_a_boot(root: str) -> None:
    assert probe.find(["runtime"], 5, root)[0].file_state == "enabled-runtime"
    wants = Path(root) / "generator.late/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "runtime.service").touch()
    assert probe.find(["runtime"], 5, root)[0].file_state == "generated"


def test_restarts_are_counted_within_the_window(root: str) -> None:
    flapping = probe.restarts(["flap.service"], 10, 5)
    assert flapping.complete
    assert 3 <= flapping.count <= 10  # one every two seconds or so
    assert probe.restarts(["nginx.service"], 10, 5) == probe.Restarts(0, complete=True)


def test_a_journal_that_begins_with_the_boot_is_complete(root: str) -> None:
    since_the_boot = probe.restarts(["flap.service"], 86400, 5)
    assert since_the_boot.complete
    assert since_the_boot.count > 100


def test_a_journal_that_begins_later_than_boot_and_window_is_not(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "up", lambda: 30 * 86400.0)
    assert not probe.restarts(["flap.service"], 86400, 5).complete


def test_a_journal_that_is_not_ours_to_read_is_not_empty(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLAY_USER", "nobody")
    with pytest.raises(Unmeasurable, match="insufficient permissions"):
        probe.restarts(["flap.service"], 3600, 5)


def test_a_host_that_does_not_run_under_systemd_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="does not run under systemd"):
        probe.find(["nginx"], 5, str(tmp_path))


def test_a_missing_systemctl_says_so(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", root)
    with pytest.raises(Unmeasurable, match="systemctl is not installed"):
        probe.find(["nginx"], 5, root)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'Failed to connect to bus: Host is down' >&2; exit 1", "Host is down"),
        ("echo Id=nginx.service", "does not answer as systemd does"),
        ("exec /bin/sleep 60", "no answer within 0.3 s"),
    ],
)
def test_an_answer_that_is_none_is_unmeasurable(root: str, script: str, reason: str) -> None:
    (Path(root) / "bin/systemctl").write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(Unmeasurable, match=reason):
        probe.find(["nginx"], 0.3, root)


@pytest.mark.parametrize(
    ("name", "full"),
    [("nginx", "nginx.service"), ("php8.2-fpm", "php8.2-fpm.service"), ("a.timer", "a.timer"), ("x@1", "x@1.service")],
)
def test_a_name_without_a_type_is_a_service(name: str, full: str) -> None:
    assert probe.full_name(name) == full


# Ports and sockets


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_takes_connections_refuses_nothing(listening: int) -> None:
    assert probe.refused_by("localhost", listening, None, 5) is None


def test_a_port_where_nobody_listens_says_so() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        assert probe.refused_by("127.0.0.1", reserved.getsockname()[1], None, 5) == "Connection refused"


def test_a_port_whose_server_is_too_busy_to_accept_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting: list[socket.socket] = []
        try:
            refusal = None
            while refusal is None and len(waiting) < 16:
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(server.getsockname())
                refusal = probe.refused_by("127.0.0.1", server.getsockname()[1], None, 0.2)
            assert refusal == "no answer within 0.2 s"
        finally:
            for client in waiting:
                client.close()


def test_a_name_that_does_not_resolve_is_unmeasurable() -> None:
    with pytest.raises(Unmeasurable, match="does not resolve"):
        probe.refused_by("no-such-host.invalid", 80, None, 5)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_a_unix_socket_of_any_kind_takes_connections(tmp_path: Path, kind: socket.SocketKind) -> None:
    path = str(tmp_path / "s.sock")
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(path)
        if kind != socket.SOCK_DGRAM:
            server.listen()
        assert probe.sockets(str(tmp_path / "*.sock")) == [path]
        assert probe.refused_by(None, None, path, 5) is None
    assert probe.refused_by(None, None, path, 5) == "Connection refused"  # left behind by a server that died
    os.unlink(path)
    assert probe.refused_by(None, None, path, 5) == "No such file or directory"


def test_a_unix_socket_that_is_not_ours_to_use_is_unmeasurable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    with pytest.raises(Unmeasurable, match="Permission denied"):
        probe.refused_by(None, None, str(tmp_path / "s.sock"), 5)
