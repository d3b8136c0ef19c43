# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run as a directory: nothing written is lost, and a run that was killed is found."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils import _run

RECORD = {"id": "mount.space", "host": "a", "target": "/", "status": "ok", "summary": "fine \ud83d\ude00 ümlaut"}


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has to move goes to the temporary directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_records_are_readable_while_the_run_goes_on(tmp_path: Path) -> None:
    run = _run.Run.open(tmp_path, {"occasion": "morning"})
    run.append({"id": "x"})
    assert _run.read_journal(run.path) == [{"id": "x"}]
    assert _run.read_facts(run.path)["state"] == "running"
    assert "morning" in run.path.name


def test_two_runs_at_once_lie_apart(tmp_path: Path) -> None:
    facts = {"occasion": "morning", "started": "2026-11-21T05:00:00+00:00"}
    one, two = _run.Run.open(tmp_path, dict(facts)), _run.Run.open(tmp_path, dict(facts))
    one.append({"id": "one"})
    two.append({"id": "two"})
    assert one.path != two.path
    assert _run.read_journal(one.path) == [{"id": "one"}]


def test_a_run_killed_with_9_leaves_a_readable_journal_and_is_found(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from ansible.plugins.loader import init_plugin_loader
        init_plugin_loader()
        from ansible_collections.sre.runbooks.plugins.plugin_utils import _run
        run = _run.Run.open(Path(sys.argv[1]), {"system": "acme", "occasion": "morning"})
        run.append({"id": "first"})
        run._journal.write('{"id": "cut o')
        run._journal.flush()
        print("ready", flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert _run.broken_off(tmp_path, tmp_path) == []
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    ((path, facts),) = _run.broken_off(tmp_path, tmp_path)
    assert facts["occasion"] == "morning"
    assert _run.read_journal(path) == [{"id": "first"}]


def test_a_damaged_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / _run.JOURNAL).write_text('{"id": 1}\ndamaged\n{"id": 2}\n')
    with pytest.raises(ValueError, match="Expecting value"):
        _run.read_journal(tmp_path)


def test_a_directory_that_cannot_be_made_does_not_lose_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = _run.Run.open(tmp_path / "file", {})
    run.append({"id": "x"})
    assert _run.read_journal(run.path) == [{"id": "x"}]
    assert run.trouble
    assert "cannot be written to" in run.trouble


def test_a_full_disk_moves_the_run_with_all_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _run.Run.open(tmp_path, {})
    run.append({"id": "before"})
    real, full = _run.Run._write, run._journal

    def write(self: _run.Run, line: str) -> None:
        if self._journal is full:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, line)

    monkeypatch.setattr(_run.Run, "_write", write)
    run.append({"id": "after"})
    assert [record["id"] for record in _run.read_journal(run.path)] == ["before", "after"]
    assert not run.path.is_relative_to(tmp_path / "runs")
    assert run.trouble
    assert "No space left" in run.trouble


def test_old_runs_are_removed_and_running_ones_never(tmp_path: Path) -> None:
    def made(started: str, **facts: Any) -> _run.Run:
        run = _run.Run.open(tmp_path, {"started": started})
        run.facts.update(facts)
        run.save()
        return run

    old = made("2020-01-01T00:00:00+00:00", state="closed")
    running = made("2020-01-01T00:00:00+00:00")
    young = made(_run.now(), state="closed")
    assert _run.retain(tmp_path, 30) == [old.path.name]
    assert running.path.exists()
    assert young.path.exists()


def test_latest_names_the_last_run(tmp_path: Path) -> None:
    for _ in range(2):
        run = _run.Run.open(tmp_path, {})
        _run.point_latest(run.path)
        assert (tmp_path / "latest").resolve() == run.path.resolve()
