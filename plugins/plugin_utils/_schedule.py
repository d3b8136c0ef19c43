# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The schedules of a runbook: when its occasions are due, and which of them did not take place.

Whoever starts the runs, timers, AWX or a person: what the runbook says is what is expected. An occasion that nobody starts
is seen by the next run of any other one.
"""

from __future__ import annotations

import datetime as dt
import re
import typing as t
import zoneinfo

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Limits, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import iso
from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import Occasion, Runbook

TIMEOUT = 10
"""Seconds that systemd may take to read a schedule."""

EARLY = dt.timedelta(minutes=1)
"""A run that starts so shortly before its time is the one of that time: clocks differ."""

PATIENCE = dt.timedelta(hours=1)
"""An occasion may begin so late, and take its budget besides: occasions of a system wait for each other."""

COUNTED = 100
"""From how many missed times on they are not counted any more."""

SHOWN = 20
"""How many of them the detail has."""


def calendar(occasion: Occasion, timezone: str) -> str:
    """The schedule as systemd reads it, with a time zone at its end where it has none."""
    schedule = " ".join(str(occasion.schedule).split())
    last = schedule.rpartition(" ")[2]
    named = last in zoneinfo.available_timezones() and not re.search(r"[\d*]", last)
    return schedule if named else f"{schedule} {timezone}"


def due(expression: str, after: dt.datetime, times: int) -> list[dt.datetime]:
    """The next ``times`` moments of a calendar expression, fewer where it ends. Raises :class:`Unmeasurable`.

    Source: systemd.time(7); systemd-analyze(1), calendar.
    """
    base = f"--base-time=@{after.timestamp():.0f}"
    argv = ["systemd-analyze", "calendar", base, f"--iterations={times}", "--", expression]
    answer = command(argv, TIMEOUT, env={"TZ": "UTC"})
    if answer.rc:
        raise Unmeasurable(f"systemd-analyze: {' '.join(answer.stderr.split())}")
    if "Next elapse: never" in answer.stdout:
        return []
    found = re.findall(r"^ *(?:Next elapse|Iter.*#\d+): \w+ (\S+ \S+) UTC$", answer.stdout, re.MULTILINE)
    if not found:
        raise Unmeasurable(f"systemd-analyze does not say when {expression} is due")
    return [dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC) for moment in found]


def missed(
    runbook: Runbook,
    current: str | None,
    started: dt.datetime,
    last: t.Mapping[str, dt.datetime],
    known: t.Mapping[str, dt.datetime],
) -> t.Iterator[Check]:
    """``run.missed`` for each occasion with a schedule.

    ``current`` is the occasion that is just taking place, if one is, since ``started``; ``last`` is when each began the last
    time before that, and ``known`` when each was looked at here for the first time, which counts for one that never began.
    """
    told: set[str] = set()
    for occasion in runbook.occasions.values():
        if not occasion.schedule:
            continue
        began, expression = last.get(occasion.id), calendar(occasion, runbook.timezone)
        since = began or known.get(occasion.id) or started
        until = started if occasion.id == current else started - PATIENCE - dt.timedelta(seconds=occasion.budget or 0)
        try:
            times = _due_between(expression, since + EARLY, until)
        except Unmeasurable as exc:
            reason = f"nobody knows when it was due: {exc}"
            if reason in told:  # what is wrong with all of them is one line
                yield Check.skipped("run.missed", occasion.id, reason, blocked_by="run.missed")
            else:
                yield Check.unknown("run.missed", occasion.id, reason)
            told.add(reason)
            continue
        if occasion.id == current:
            times = times[:-1]  # the last one is what is taking place
        detail = {"schedule": expression, "since": iso(since), "due": [iso(moment) for moment in times[:SHOWN]]}
        summary = f"{_words(occasion.id, times, runbook.timezone)}; {_before(began, runbook.timezone)}"
        yield Check.judge("run.missed", occasion.id, float(len(times)), Limits(warning="0"), summary, **detail)


def untold(runbook: Runbook, blocked_by: str) -> t.Iterator[Check]:
    """``run.missed`` where nothing is known of earlier runs, for a reason that another check says."""
    for occasion in runbook.occasions.values():
        if occasion.schedule:
            yield Check.skipped("run.missed", occasion.id, f"not known, see {blocked_by}", blocked_by=blocked_by)


def _due_between(expression: str, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """The moments between two others, not many more than :data:`COUNTED`. As a rule there are none, or there is one.

    Raises :class:`Unmeasurable`, also when the expression names no time at all after the first.
    """
    following = due(expression, after, 2)
    if not following:
        raise Unmeasurable(f"{expression} names no time any more")
    times = [moment for moment in following if moment <= until]
    if len(times) < 2:
        return times
    return [moment for moment in due(expression, after, COUNTED + 1) if moment <= until]


def _words(name: str, times: t.Sequence[dt.datetime], timezone: str) -> str:
    """What happened, with the name: who is needed is told the sentence alone."""
    if not times:
        return f"{name} was not missed"
    first = _local(times[0], timezone)
    if len(times) == 1:
        return f"{name} did not take place {first}"
    return f"{name} did not take place {len(times)} times{' or more' if len(times) >= COUNTED else ''} since {first}"


def _before(began: dt.datetime | None, timezone: str) -> str:
    return f"the last run began {_local(began, timezone)}" if began else "it never has before"


def _local(moment: dt.datetime, timezone: str) -> str:
    return f"{moment.astimezone(zoneinfo.ZoneInfo(timezone)):%a %Y-%m-%d %H:%M %Z}"
