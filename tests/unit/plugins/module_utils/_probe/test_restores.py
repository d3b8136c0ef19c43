# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proof does at the same time. What it does with backups is tested with real servers."""

from __future__ import annotations

import threading

import pytest

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
