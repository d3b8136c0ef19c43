# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Attestations: the steps of a runbook that only a human can do, and who says that they are done.

Pure: the runbook, the runs and the rows of history are passed in, and so is the time. An attestation belongs to a step
and a day, one in the time zone of the runbook; of several the last one holds.
"""

from __future__ import annotations

import datetime as dt
import typing as t
import zoneinfo

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import iso, moment
from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import Occasion, Runbook, Step

STATES = ("done", "not_applicable")
"""What may be attested. A step about which nothing is said is pending, and overdue from its ``due`` on."""

Row = t.Mapping[str, t.Any]
"""An attestation as :meth:`History.attestations` returns it."""


def day(runbook: Runbook, at: str | dt.datetime) -> dt.date:
    """The day that a moment belongs to, where the runbook is at home."""
    return moment(at).astimezone(zoneinfo.ZoneInfo(runbook.timezone)).date()


def human_step(runbook: Runbook, occasion: str, step: str) -> Step:
    """The step that somebody wants to attest. Raises :class:`BadOption` if there is none, or if it is not for humans."""
    if occasion not in runbook.occasions:
        raise BadOption(f"occasion: {occasion!r} is not in the runbook, which has {_list(runbook.occasions)}")
    steps = {entry.id: entry for entry in runbook.occasions[occasion].steps}
    humans = _list(key for key, entry in steps.items() if entry.attest)
    if step not in steps:
        raise BadOption(f"step: {step!r} is not in {occasion}, whose steps for humans are {humans}")
    if steps[step].refused:
        raise BadOption(f"step: {step} is deliberately not done: {steps[step].refused}")
    if not steps[step].attest:
        raise BadOption(f"step: {step} is measured, not attested; the steps of {occasion} for humans are {humans}")
    return steps[step]


def _list(names: t.Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def latest(rows: t.Iterable[Row], occasion: str, step: str, date: dt.date) -> Row | None:
    """The row that holds. Rows come oldest first."""
    about = [row for row in rows if (row["occasion"], row["step"], row["date"]) == (occasion, step, date)]
    return about[-1] if about else None


def same(row: Row, other: Row | None) -> bool:
    """Whether a row says what another one about its step and day has said already."""
    return other is not None and all(row[key] == other[key] for key in ("state", "by", "note", "evidence"))


def for_report(rows: t.Iterable[Row], occasion: str, date: dt.date) -> dict[str, dict[str, t.Any]]:
    """What people said about the steps of an occasion on a day: step id → state, by, at (ISO 8601), note, evidence."""
    return {
        row["step"]: {**{key: row[key] for key in ("state", "by", "note", "evidence")}, "at": iso(row["at"])}
        for row in rows
        if (row["occasion"], row["date"]) == (occasion, date)
    }


def overdue(
    runbook: Runbook, runs: t.Iterable[t.Mapping[str, t.Any]], rows: t.Sequence[Row], now: dt.datetime
) -> list[Check]:
    """A warning for each human step of earlier runs, of whatever occasion, that is past its time and not attested.

    ``runs`` go as far back as one wants to be reminded. Of a step that is late on several days the latest is named,
    and one that was attested for a later day is late no more.
    """
    late: dict[str, Check] = {}
    for occasion, started in _first_of_each_day(runbook, runs):
        for step in occasion.steps:
            target = f"{occasion.id}/{step.id}"
            due = started + dt.timedelta(seconds=step.due)
            if not step.attest:
                continue
            if latest(rows, occasion.id, step.id, day(runbook, started)):
                late.pop(target, None)
            elif now > due:
                late[target] = _late(runbook, occasion, step, target, started, due)
    return list(late.values())


def _first_of_each_day(runbook: Runbook, runs: t.Iterable[t.Mapping[str, t.Any]]) -> list[tuple[Occasion, dt.datetime]]:
    """When each occasion began on each day, from old to new. Limited runs and those in check mode do not count."""
    first: dict[tuple[str, dt.date], dt.datetime] = {}
    for run in runs:
        if run.get("occasion") in runbook.occasions and not run.get("limited") and not run.get("check_mode"):
            started = moment(run["started"])
            key = run["occasion"], day(runbook, started)
            first[key] = min(started, first.get(key, started))
    return sorted(
        ((runbook.occasions[occasion], started) for (occasion, _day), started in first.items()),
        key=lambda begun: begun[1],
    )


def _late(
    runbook: Runbook, occasion: Occasion, step: Step, target: str, started: dt.datetime, due: dt.datetime
) -> Check:
    date, owner = day(runbook, started).isoformat(), step.owner or occasion.owner
    local = due.astimezone(zoneinfo.ZoneInfo(runbook.timezone))
    summary = f"{step.title}: nobody has attested it for {date}, due {local:%Y-%m-%d %H:%M %Z}; ask {owner}"
    detail = {"date": date, "due": iso(due), "owner": owner}
    return Check("attestation.done", target, "warning", summary, detail=detail)
