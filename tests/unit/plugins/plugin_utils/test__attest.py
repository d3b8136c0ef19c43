# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attestations: which steps they are about, which one holds, and when one is overdue."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.plugins.plugin_utils import _attest, _runbook

RUNBOOK = _runbook.read(
    {
        "system": "shop",
        "timezone": "Europe/Berlin",
        "occasions": {
            "evening": {
                "title": "Evening",
                "playbook": "evening",
                "owner": "Operations",
                "steps": [
                    {"id": "E-1", "title": "Review maintenance", "attest": True, "due": "4h"},
                    {"id": "E-2", "title": "Space", "checks": ["mount.space"]},
                    {"id": "E-3", "title": "Telnet", "refused": "nobody needs it any more"},
                    {"id": "E-4", "title": "Write notes", "attest": True, "owner": "Jo"},
                ],
            },
            "weekly": {
                "title": "Weekly",
                "playbook": "weekly",
                "owner": "Lead",
                "steps": [{"id": "W-1", "title": "Talk", "attest": True}],
            },
        },
    }
)
STARTED = dt.datetime(2026, 11, 20, 17, 0, tzinfo=dt.UTC)
FRIDAY = dt.date(2026, 11, 20)
RUN = {"occasion": "evening", "started": STARTED.isoformat()}


def row(step: str = "E-1", date: dt.date = FRIDAY, **more: Any) -> dict[str, Any]:
    about = {"system": "shop", "occasion": "evening", "step": step, "date": date, "at": STARTED}
    return {**about, "state": "done", "by": "jo", "note": "", "evidence": "", **more}


def late(*rows: dict[str, Any], hours: float, runs: tuple[dict[str, Any], ...] = (RUN,)) -> list[str]:
    return [check.target for check in _attest.overdue(RUNBOOK, runs, rows, STARTED + dt.timedelta(hours=hours))]


@pytest.mark.parametrize(
    ("occasion", "step", "message"),
    [
        ("morning", "E-1", "occasion: 'morning' is not in the runbook, which has evening, weekly"),
        ("evening", "E-9", "step: 'E-9' is not in evening, whose steps for humans are E-1, E-4"),
        ("evening", "E-2", "step: E-2 is measured, not attested"),
        ("evening", "E-3", "step: E-3 is deliberately not done: nobody needs it any more"),
    ],
)
def test_only_a_human_step_can_be_attested(occasion: str, step: str, message: str) -> None:
    with pytest.raises(BadOption) as caught:
        _attest.human_step(RUNBOOK, occasion, step)
    assert str(caught.value).startswith(message)


def test_a_human_step_is_found() -> None:
    assert _attest.human_step(RUNBOOK, "evening", "E-4").title == "Write notes"


def test_a_day_is_one_where_the_runbook_is_at_home() -> None:
    assert _attest.day(RUNBOOK, "2026-11-20T22:59:59+00:00") == FRIDAY
    assert _attest.day(RUNBOOK, "2026-11-20T23:00:00+00:00") == FRIDAY + dt.timedelta(days=1)


def test_the_last_attestation_of_a_step_and_day_holds() -> None:
    rows = [row(), row(state="not_applicable", note="holiday"), row("E-4"), row(date=dt.date(2026, 11, 19), by="ann")]
    held = _attest.latest(rows, "evening", "E-1", FRIDAY)
    assert held is not None
    assert held["note"] == "holiday"
    assert _attest.latest(rows, "evening", "E-1", dt.date(2026, 11, 18)) is None
    assert _attest.for_report(rows, "evening", FRIDAY) == {
        "E-1": {"state": "not_applicable", "by": "jo", "note": "holiday", "evidence": "", "at": STARTED.isoformat()},
        "E-4": {"state": "done", "by": "jo", "note": "", "evidence": "", "at": STARTED.isoformat()},
    }


@pytest.mark.parametrize("key", ["state", "by", "note", "evidence"])
def test_an_attestation_that_says_something_else_is_another_one(key: str) -> None:
    assert _attest.same(row(), row(at=STARTED + dt.timedelta(hours=1)))
    assert not _attest.same({**row(), key: "other"}, row())
    assert not _attest.same(row(), None)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(3.9, []), (4, []), (4.1, ["evening/E-1"]), (24, ["evening/E-1"]), (24.1, ["evening/E-1", "evening/E-4"])],
)
def test_a_step_is_overdue_after_its_time(hours: float, expected: list[str]) -> None:
    assert late(hours=hours) == expected


def test_what_is_overdue_is_a_warning_that_says_whom_to_ask() -> None:
    checks = _attest.overdue(RUNBOOK, [RUN], [row()], STARTED + dt.timedelta(hours=25))
    assert [(check.id, check.status) for check in checks] == [("attestation.done", "warning")]
    assert checks[0].summary == "Write notes: nobody has attested it for 2026-11-20, due 2026-11-21 18:00 CET; ask Jo"


def test_an_attested_step_is_not_overdue_whatever_was_said() -> None:
    assert late(row(), row("E-4", state="not_applicable"), hours=25) == []


def test_an_attestation_counts_for_its_own_day_only() -> None:
    assert late(row(date=dt.date(2026, 11, 21)), row("E-4"), hours=25) == ["evening/E-1"]


def test_what_was_attested_for_a_later_day_is_late_no_more() -> None:
    next_day = {"occasion": "evening", "started": (STARTED + dt.timedelta(days=1)).isoformat()}
    saturday = FRIDAY + dt.timedelta(days=1)
    assert late(row(date=saturday), row("E-4", date=saturday), hours=48, runs=(next_day, RUN)) == []
    assert late(row(), row("E-4"), hours=29, runs=(next_day, RUN)) == ["evening/E-1"]


def test_the_first_run_of_a_day_decides_when_a_step_is_due() -> None:
    again = {"occasion": "evening", "started": (STARTED + dt.timedelta(hours=3)).isoformat()}
    assert late(row("E-4"), hours=4.1, runs=(again, RUN)) == ["evening/E-1"]


@pytest.mark.parametrize("more", [{"limited": True}, {"check_mode": True}, {"occasion": "gone"}, {"occasion": None}])
def test_only_whole_runs_of_the_runbook_ask_for_attestations(more: dict[str, Any]) -> None:
    assert late(hours=99, runs=({**RUN, **more},)) == []


def test_a_step_of_another_occasion_is_not_forgotten() -> None:
    assert late(hours=25, runs=({**RUN, "occasion": "weekly"},)) == ["weekly/W-1"]
