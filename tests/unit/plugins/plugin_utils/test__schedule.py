# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which occasions did not take place, with a clock of our own. What systemd says is in ``tests/integration``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer
from ansible_collections.sre.runbooks.plugins.plugin_utils import _runbook, _schedule


def occasion(**more: Any) -> dict[str, Any]:
    steps = [{"id": "S-1", "title": "Space", "checks": ["mount.space"]}]
    return {"title": "Look", "playbook": "look", "owner": "Operations", "steps": steps, **more}


RUNBOOK = _runbook.read(
    {
        "system": "shop",
        "timezone": "Europe/Berlin",
        "occasions": {
            "morning": occasion(schedule="*-*-* 05:00", budget="10m"),
            "weekly": occasion(schedule="Mon *-*-* 05:00"),
            "incident": occasion(),
        },
    }
)
DAY = dt.timedelta(days=1)


def at(day: int, hour: float = 4) -> dt.datetime:
    """A moment of November 2026, UTC. Schedules ask for 4:00, which is 5:00 in Berlin; the 2nd is a Monday."""
    return dt.datetime(2026, 11, day, tzinfo=dt.UTC) + dt.timedelta(hours=hour)


def clock(expression: str, after: dt.datetime, times: int) -> list[dt.datetime]:
    """In the place of systemd."""
    wanted = "Mon" if expression.startswith("Mon") else ""
    days = (at(1) + number * DAY for number in range(400))
    return [day for day in days if day >= after and wanted in day.strftime("%a")][:times]


@pytest.fixture(autouse=True)
def _systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schedule, "due", clock)


def told(
    current: str | None, started: dt.datetime, known: dict[str, dt.datetime], **last: dt.datetime
) -> dict[str, Check]:
    return {check.target: check for check in _schedule.missed(RUNBOOK, current, started, last, known)}


def counts(
    current: str | None, started: dt.datetime, known: Any = None, **last: dt.datetime
) -> dict[str, float | None]:
    return {target: check.value for target, check in told(current, started, known or {}, **last).items()}


def test_only_what_has_a_schedule_can_be_missed() -> None:
    assert [*told("morning", at(10), {})] == ["morning", "weekly"]


def test_an_occasion_that_took_place_at_its_time_is_ok() -> None:
    found = told("morning", at(10, 4.01), {}, morning=at(9, 4.01), weekly=at(9, 4.3))
    assert {check.status for check in found.values()} == {"ok"}
    assert found["weekly"].summary == "weekly was not missed; the last run began Mon 2026-11-09 05:18 CET"


def test_a_timer_that_is_dead_is_seen_by_the_other_occasions() -> None:
    found = told("weekly", at(16, 6), {}, morning=at(12, 4.01), weekly=at(9))
    assert {target: check.status for target, check in found.items()} == {"morning": "warning", "weekly": "ok"}
    assert found["morning"].summary == (
        "morning did not take place 4 times since Fri 2026-11-13 05:00 CET; the last run began Thu 2026-11-12 05:00 CET"
    )
    assert found["morning"].detail["due"][0] == "2026-11-13T04:00:00+00:00"


def test_an_occasion_tells_of_itself_what_was_missed_before_it() -> None:
    found = told("morning", at(12, 4.01), {}, morning=at(10, 4.01), weekly=at(9))
    assert found["morning"].summary.startswith("morning did not take place Wed 2026-11-11 05:00 CET; ")
    assert found["morning"].value == 1


@pytest.mark.parametrize(
    ("started", "missed"),
    [
        (at(11, 4.01), 0),
        (at(11, 9), 0),  # late, as after a night without power: it is the one of 4:00
        (at(11, 3), 0),  # by hand, before its time
        (at(11, 3.99), 0),  # a clock that is half a minute fast
        (at(12, 3.9), 0),  # by hand: the one of the day before, very late
        (at(12, 4.01), 1),
        (at(20, 4.01), 9),
    ],
)
def test_the_run_itself_is_the_one_of_the_last_time_it_was_due(started: dt.datetime, missed: int) -> None:
    assert counts("morning", started, morning=at(10, 4.01), weekly=at(9))["morning"] == missed


@pytest.mark.parametrize(
    ("started", "missed"),
    [
        (at(11, 4.5), 0),  # it waits for another one to end
        (at(11, 5.16), 0),  # an hour late, and ten minutes for the budget
        (at(11, 5.18), 1),
        (at(12, 5.18), 2),
    ],
)
def test_another_occasion_may_begin_late_and_take_its_time(started: dt.datetime, missed: int) -> None:
    assert counts("weekly", started, morning=at(10, 4.01), weekly=at(9))["morning"] == missed


def test_a_run_that_counts_for_nothing_is_none_of_its_occasion() -> None:
    assert counts(None, at(11, 6), morning=at(10, 4.01), weekly=at(9)) == {"morning": 1, "weekly": 0}


def test_a_run_half_a_minute_before_its_time_is_the_one_of_that_time() -> None:
    assert counts("weekly", at(10, 9), morning=at(10, 3.995), weekly=at(9))["morning"] == 0


def test_what_never_took_place_is_expected_since_it_was_first_looked_at() -> None:
    assert counts("morning", at(10), None) == {"morning": 0, "weekly": 0}
    assert counts("morning", at(15, 4.01), {"weekly": at(10)}, morning=at(14, 4.01)) == {"morning": 0, "weekly": 0}
    found = told("morning", at(17, 4.01), {"weekly": at(10)}, morning=at(16, 4.01))["weekly"]
    assert (found.status, found.value) == ("warning", 1)
    assert found.summary == "weekly did not take place Mon 2026-11-16 05:00 CET; it never has before"


def test_very_many_are_counted_up_to_a_hundred() -> None:
    found = told("morning", at(1) + 300 * DAY, {}, morning=at(1), weekly=at(1) + 299 * DAY)["morning"]
    assert found.value == 100
    assert found.summary.startswith("morning did not take place 100 times or more since ")
    assert len(found.detail["due"]) == 20


def test_a_schedule_that_nobody_can_read_is_unknown_and_the_others_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def due(expression: str, after: dt.datetime, times: int) -> list[dt.datetime]:
        if expression.startswith("Mon"):
            raise Unmeasurable("systemd-analyze: Failed to parse")
        return clock(expression, after, times)

    monkeypatch.setattr(_schedule, "due", due)
    found = told("morning", at(10, 4.01), {}, morning=at(9, 4.01))
    assert {target: check.status for target, check in found.items()} == {"morning": "ok", "weekly": "unknown"}
    assert found["weekly"].summary == "nobody knows when it was due: systemd-analyze: Failed to parse"


@pytest.mark.parametrize("last", [{}, {"weekly": at(9)}])
def test_a_schedule_that_names_no_more_times_is_unknown(
    monkeypatch: pytest.MonkeyPatch, last: dict[str, dt.datetime]
) -> None:
    """Such as the 30th of February: nothing can be missed, and nothing takes place."""
    monkeypatch.setattr(
        _schedule, "due", lambda expression, *rest: [] if "Mon" in expression else clock(expression, *rest)
    )
    found = told("morning", at(10, 4.01), {}, morning=at(9, 4.01), **last)
    assert {target: check.status for target, check in found.items()} == {"morning": "ok", "weekly": "unknown"}
    assert found["weekly"].summary.startswith(
        "nobody knows when it was due: Mon *-*-* 05:00 Europe/Berlin names no time any more"
    )


def test_what_is_wrong_with_all_of_them_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def due(*_: Any) -> list[dt.datetime]:
        raise Unmeasurable("systemd-analyze is not installed")

    monkeypatch.setattr(_schedule, "due", due)
    found = told("morning", at(10), {})
    assert [(check.status, check.detail) for check in found.values()] == [
        ("unknown", {}),
        ("skipped", {"blocked_by": "run.missed"}),
    ]


def test_without_a_history_nothing_is_known() -> None:
    found = list(_schedule.untold(RUNBOOK, "run.history"))
    assert [(check.target, check.status) for check in found] == [("morning", "skipped"), ("weekly", "skipped")]
    assert {check.detail["blocked_by"] for check in found} == {"run.history"}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*-*-* 05:00", "*-*-* 05:00 Europe/Berlin"),
        ("Mon  *-*-* 05:00 UTC", "Mon *-*-* 05:00 UTC"),
        ("*-*-* 05:00 America/New_York", "*-*-* 05:00 America/New_York"),
        ("daily", "daily Europe/Berlin"),
    ],
)
def test_a_schedule_is_in_the_time_zone_of_the_runbook_unless_it_names_one(schedule: str, expected: str) -> None:
    data = {"system": "shop", "timezone": "Europe/Berlin", "occasions": {"look": occasion(schedule=schedule)}}
    book = _runbook.read(data)
    assert _schedule.calendar(book.occasions["look"], book.timezone) == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(1, "", "Failed to parse calendar specification 'bla': Invalid argument\n"), "Failed to parse calendar"),
        (Answer(0, "", ""), "does not say when bla is due"),
        (Answer(0, "Next elapse: (null)\n", ""), "does not say when bla is due"),
    ],
)
def test_what_systemd_does_not_say_is_not_known(monkeypatch: pytest.MonkeyPatch, answer: Answer, reason: str) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(_schedule, "command", lambda *_, **__: answer)
    with pytest.raises(Unmeasurable, match=reason):
        _schedule.due("bla", at(1), 2)
