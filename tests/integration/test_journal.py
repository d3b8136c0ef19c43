# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal, read with the real journalctl from a journal that systemd-journal-remote has written."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._checks import log as kind
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

REMOTE = "/lib/systemd/systemd-journal-remote"


class Machine:
    """Writes entries into a journal file."""

    def __init__(self, folder: Path) -> None:
        assert shutil.which("journalctl") and Path(REMOTE).exists(), "install systemd and systemd-journal-remote"  # noqa: PT018
        self.folder, self.path, self.clock = folder, folder / "test.journal", 0

    def write(self, *entries: tuple[int, str, str], minutes: float = 1) -> None:
        """Entries (priority, unit, message), written so many minutes ago."""
        text = b""
        for priority, unit, message in entries:
            self.clock += 1000
            raw = message.encode()
            text += (
                (
                    f"__REALTIME_TIMESTAMP={int((time.time() - minutes * 60) * 1e6) + self.clock}\n"
                    f"__MONOTONIC_TIMESTAMP={self.clock}\n_BOOT_ID={'b' * 32}\n_MACHINE_ID={'a' * 32}\n_PID=7\n_HOSTNAME=web1\n"
                    f"PRIORITY={priority}\n_SYSTEMD_UNIT={unit}.service\nSYSLOG_IDENTIFIER={unit}\nMESSAGE\n"
                ).encode()
                + len(raw).to_bytes(8, "little")
                + raw
                + b"\n\n"
            )
        done = subprocess.run([REMOTE, "-o", self.path, "-"], input=text, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr

    def check(self, **options: Any) -> Any:
        selection = {"file": str(self.path), **options.pop("journal", {})}
        target = {"journal": selection, "memory": str(self.folder / "memory"), **options}
        return {check.id: check for check in checks_of(kind, targets=[target])}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_entries_are_counted_by_priority(machine: Machine) -> None:
    machine.write((3, "nginx", "upstream timed out"), (2, "nginx", "bind failed"), (6, "nginx", "reloaded, no error"))
    found = machine.check(rate={"warning": 50}, samples=1)
    assert found["log.matches"].value == 2
    assert found["log.matches"].detail["levels"] == {"error": 1, "critical": 1}
    assert found["log.rate"].value == pytest.approx(66.7, abs=0.1)
    assert found["log.freshness"].value < 1


def test_only_the_window_and_the_unit_count(machine: Machine) -> None:
    machine.write((3, "nginx", "old"), minutes=180)
    machine.write((3, "nginx", "new"), (3, "php8.2-fpm", "another"))
    found = machine.check(journal={"unit": ["nginx"]}, window="2h")["log.matches"]
    assert found.value == 1
    assert found.target == "journal nginx"
    assert "notes" not in found.detail


def test_since_the_last_check_each_entry_counts_once(machine: Machine) -> None:
    machine.write((3, "nginx", "one"))
    assert machine.check(window="last_check")["log.matches"].value == 1
    assert machine.check(window="last_check")["log.matches"].value == 0
    machine.write((3, "nginx", "two"), (3, "nginx", "three"))
    assert machine.check(window="last_check")["log.matches"].value == 2
    assert machine.check(window="last_check")["log.matches"].value == 0


def test_a_position_that_was_vacuumed_is_unknown_once(machine: Machine) -> None:
    machine.write((3, "nginx", "one"))
    machine.check(window="last_check")
    machine.path.unlink()
    machine.write((3, "nginx", "two"), minutes=-0.1)
    found = machine.check(window="last_check")["log.matches"]
    assert (found.status, found.detail["counted"]) == ("unknown", 1)
    assert "has dropped the entry" in found.summary
    assert machine.check(window="last_check")["log.matches"].status == "ok"


def test_messages_of_many_lines_are_one_record(machine: Machine) -> None:
    machine.write((3, "app", "Traceback\n  File x\nValueError: password=hunter2"))
    found = machine.check(match="ValueError")["log.matches"]
    assert found.value == 1
    assert "hunter2" not in str(found.detail)


def test_a_unit_that_the_journal_has_never_heard_of_is_unknown(machine: Machine) -> None:
    machine.write((3, "nginx", "one"))
    found = machine.check(journal={"unit": ["ngnix"]})["log.matches"]
    assert (found.status, found.summary) == (
        "unknown",
        "the journal of ngnix has no entry at all, or none that may be read",
    )


def test_a_journal_that_is_not_there_is_unknown(machine: Machine) -> None:
    found = machine.check()["log.matches"]
    assert found.status == "unknown"
    assert "No such file" in found.summary
