# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proof does at the same time, and how old a backup says it is. What it does with backups is tested with real servers."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._backup import Backup
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import restores


def test_comparing_and_checking_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    restores._side_by_side(lambda: None, meeting.wait, meeting.wait)


def test_the_first_of_them_that_cannot_go_on_ends_the_waiting_for_the_other() -> None:
    never = threading.Event()

    def refused() -> None:
        raise Unmeasurable("the server has gone")

    try:
        with pytest.raises(Unmeasurable, match="the server has gone"):
            restores._side_by_side(lambda: None, lambda: never.wait(30), refused)
    finally:
        never.set()


def test_it_is_told_how_far_they_are_and_stopped_when_the_disk_is_full() -> None:
    never = threading.Event()

    def full() -> None:
        raise Unmeasurable("stopped: less than 1024 MiB are left")

    try:
        with pytest.raises(Unmeasurable, match="MiB are left"):
            restores._side_by_side(full, lambda: never.wait(30))
    finally:
        never.set()


@pytest.mark.parametrize(
    ("taken", "newest"),
    [("2025-11-05T02:00:00Z", 1762308000.0), *((other, None) for other in (None, "", "yesterday", 1762308000, ["x"]))],
)
def test_a_manifest_says_when_the_backup_was_taken_or_nothing_does(
    taken: Any, newest: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "shop.sql"
    Path(f"{path}.manifest.json").write_text(json.dumps({"format": 1, "tables": {}, "taken": taken}), encoding="utf-8")
    proof = restores.Proof(taken=1762400000.0)
    restores._expect(proof, {"manifest": None, "s3": None}, Backup(path.name, str(path), 1, 1762400000.0, 1762400000.0))
    restores._newest_by_backup(proof)
    assert proof.newest == newest
    problem = f"the manifest does not say when the backup was taken ({taken!r}), and newest names no column"
    assert proof.newest_problem == ("" if newest else problem)


def test_without_a_manifest_the_time_of_the_file_is_all_that_is_known() -> None:
    proof = restores.Proof(taken=1762400000.0)
    restores._newest_by_backup(proof)
    assert (proof.newest, proof.newest_by) == (1762400000.0, "the time of the file")
