# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""processes: the real ``/proc`` of this machine, and small ones for what it does not have."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import processes as probe
from ansible_collections.sre.runbooks.tests.unit.proc import process, write

SECRET = "--password=hunter2"


def pids(root: Path, name: str | None = None, command: str | None = None, user: str | None = None) -> list[int]:
    found = probe.matching(probe.processes(str(root)), name=name, command=command, user=user, root=str(root))
    return [one.pid for one in found]


def test_a_real_process_is_found_with_its_age_and_size_and_without_its_arguments() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", SECRET], stdin=subprocess.PIPE) as child:
        (found,) = (one for one in probe.processes() if one.pid == child.pid)
        assert (found.parent, found.uid, found.alive) == (os.getpid(), os.getuid(), True)
        assert 0 <= probe.uptime() - found.started < 60
        assert found.rss >= 0
        assert "hunter2" not in repr(found)
        matching = probe.matching(probe.processes(), name=None, command=SECRET, user=None)
        assert [one.pid for one in matching] == [child.pid]
        child.communicate(b"\n")


def test_a_real_process_that_nobody_waited_for_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    try:
        state = "R"
        while state != "Z" and time.monotonic() < deadline:
            (found,) = (one for one in probe.processes() if one.pid == child.pid)
            state = found.state
        assert (state, found.alive) == ("Z", False)
    finally:
        child.wait()


def test_this_process_is_there_and_uses_cpu() -> None:
    (me,) = (one for one in probe.processes() if one.pid == os.getpid())
    assert me.cpu > 0
    assert me.rss > 1024**2


@pytest.mark.parametrize(
    ("kernel_name", "arguments", "asked"),
    [
        ("nginx", ["nginx: master process /usr/sbin/nginx"], "nginx"),
        ("mariadbd", ["/usr/sbin/mariadbd"], "mariadbd"),
        ("MainThread", ["/usr/bin/node", "server.js"], "node"),  # node renames its first thread
        ("a-very-long-nam", ["/opt/a-very-long-name"], "a-very-long-name"),
        ("supervisord", ["/usr/bin/python3", "/usr/bin/supervisord", "-n"], "supervisord"),
        ("kworker/0:1", [], "kworker/0:1"),
        ("odd) name (", ["odd"], "odd) name ("),
    ],
)
def test_a_name_is_found_whoever_knows_it(tmp_path: Path, kernel_name: str, arguments: list[str], asked: str) -> None:
    process(process(tmp_path, 1, "init"), 7, kernel_name, *arguments)
    assert pids(tmp_path, name=asked) == [7]
    assert pids(tmp_path, name=asked[:-2]) == [], "the whole name, not its beginning"


def test_a_name_is_not_found_among_the_arguments(tmp_path: Path) -> None:
    process(process(tmp_path, 1, "init"), 7, "vi", "vi", "/etc/nginx")
    assert pids(tmp_path, name="nginx") == []


def test_a_command_line_is_searched_as_a_whole(tmp_path: Path) -> None:
    process(process(tmp_path, 1, "init"), 7, "php8.2", "php", "artisan", "queue:work", "--queue=mail")
    process(tmp_path, 8, "php8.2", "php", "artisan", "schedule:run")
    assert pids(tmp_path, command="artisan queue:work") == [7]
    assert pids(tmp_path, name="php8.2", command=r"schedule:\w+$") == [8]


def test_a_user_is_found_by_name_and_by_number(tmp_path: Path) -> None:
    process(process(tmp_path, 1, "init"), 7)
    assert pids(tmp_path, name="worker", user=str(os.getuid())) == [7]
    assert pids(tmp_path, name="worker", user=probe.user_name(os.getuid())) == [7]
    assert pids(tmp_path, name="worker", user="4294967294") == []
    with pytest.raises(Unmeasurable, match="no user nobody-of-this-name"):
        pids(tmp_path, name="worker", user="nobody-of-this-name")
    assert probe.user_name(4294967294) == "4294967294"


def test_what_ansible_runs_to_look_is_not_found(tmp_path: Path) -> None:
    ad_hoc = ["python3", "/usr/bin/ansible", "-m", "process_check", "-a", "queue:work"]
    process(process(tmp_path, 1, "init"), 20, "ansible", *ad_hoc)
    process(tmp_path, 21, "ansible", *ad_hoc, parent=20)  # the worker above us
    process(tmp_path, 22, "ansible", *ad_hoc, parent=20)  # one for another host
    process(tmp_path, os.getpid(), "python3", "python3", "AnsiballZ", "queue:work", parent=21)
    process(tmp_path, 23, "php", "php", "artisan", "queue:work")
    assert pids(tmp_path, command="queue:work") == [23]


def test_processes_that_are_hidden_are_unmeasurable(tmp_path: Path) -> None:
    process(tmp_path, 7)  # with hidepid=2 only our own are there
    with pytest.raises(Unmeasurable, match="hidepid"):
        probe.processes(str(tmp_path))


def test_a_proc_that_is_not_there_is_unmeasurable(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="No such file"):
        probe.processes(str(tmp_path))
    with pytest.raises(Unmeasurable, match="No such file"):
        probe.uptime(str(tmp_path))
    with pytest.raises(Unmeasurable, match="no uptime in it"):
        probe.uptime(str(write(tmp_path, uptime="")))


def test_what_ends_while_we_look_is_left_out(tmp_path: Path) -> None:
    process(process(tmp_path, 1, "init"), 7)
    (tmp_path / "proc/7/stat").unlink()
    assert [one.pid for one in probe.processes(str(tmp_path))] == [1]
    assert probe.command_line(8, str(tmp_path)) == []
