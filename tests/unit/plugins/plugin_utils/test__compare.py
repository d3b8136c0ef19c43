# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has changed since the previous run, and who is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._compare import compare, to_tell

THEN = dt.datetime(2026, 11, 20, 5, 0, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 21, 5, 0, tzinfo=dt.UTC)


def record(
    status: str, target: str = "/", host: str = "web1", check: str = "mount.space", **more: Any
) -> dict[str, Any]:
    return {"host": host, "id": check, "target": target, "status": status, "summary": f"is {status}", **more}


def compared(
    now: list[dict[str, Any]], then: list[dict[str, Any]], hosts: tuple[str, ...] = ("web1",), limited: bool = False
) -> list[dict[str, Any]]:
    return compare(now, then, at=NOW, hosts=hosts, limited=limited)


@pytest.mark.parametrize(
    ("then", "now", "change"),
    [
        (None, "ok", None),
        (None, "skipped", None),
        (None, "warning", "new"),
        (None, "unknown", "new"),
        (None, "critical", "new"),
        ("ok", "ok", None),
        ("ok", "skipped", None),
        ("ok", "warning", "new"),
        ("ok", "unknown", "worse"),
        ("ok", "critical", "new"),
        ("skipped", "ok", None),
        ("skipped", "skipped", None),
        ("skipped", "warning", "new"),
        ("skipped", "unknown", "new"),
        ("skipped", "critical", "new"),
        ("warning", "ok", "recovered"),
        ("warning", "skipped", None),
        ("warning", "warning", "still"),
        ("warning", "unknown", "worse"),
        ("warning", "critical", "worse"),
        ("unknown", "ok", "recovered"),
        ("unknown", "skipped", None),
        ("unknown", "warning", "new"),
        ("unknown", "unknown", "still"),
        ("unknown", "critical", "worse"),
        ("critical", "ok", "recovered"),
        ("critical", "skipped", None),
        ("critical", "warning", "better"),
        ("critical", "unknown", "still"),
        ("critical", "critical", "still"),
    ],
)
def test_every_transition_has_one_name(then: str | None, now: str, change: str | None) -> None:
    [result] = compared([record(now)], [record(then)] if then else [])
    assert (result["change"], result["previous"]) == (change, then)


def test_losing_sight_of_a_critical_check_is_said_and_told() -> None:
    [result] = compared([record("unknown")], [record("critical")])
    assert "it was critical when it was last seen" in result["summary"]
    assert to_tell([result], at=NOW) == [result]


def test_since_is_kept_while_the_status_lasts() -> None:
    [still] = compared([record("critical")], [record("critical", since=THEN.isoformat())])
    [worse] = compared([record("critical")], [record("warning", since=THEN.isoformat())])
    [fine] = compared([record("ok")], [record("ok")])
    assert (still["since"], worse["since"], fine["since"]) == (THEN.isoformat(), NOW.isoformat(), None)


def test_a_check_that_is_gone_becomes_an_unknown_record_that_says_what_it_was() -> None:
    missing_fine, missing_red = compared([], [record("ok", "/"), record("critical", "/data")])
    assert (missing_fine["status"], missing_fine["change"], missing_fine["previous"]) == ("unknown", "missing", "ok")
    assert missing_fine["summary"] == "not checked in this run; the previous one found it ok"
    assert missing_red["summary"] == "not checked in this run; the previous one found it critical: is critical"
    assert set(missing_red) >= {"play", "role", "task", "labels", "at", "value", "unit", "detail", "since"}


def test_what_is_missing_is_said_once() -> None:
    assert compared([], [record("unknown", change="missing")]) == []


@pytest.mark.parametrize(
    ("hosts", "limited", "then"),
    [(("web2",), False, "critical"), (("web1",), True, "critical"), (("web1",), False, "skipped")],
    ids=["host not in play", "limited run", "skipped before"],
)
def test_nothing_is_missing_that_was_not_to_be_seen(hosts: tuple[str, ...], limited: bool, then: str) -> None:
    assert compared([], [record(then)], hosts=hosts, limited=limited) == []


def test_a_host_out_of_reach_is_one_finding_and_names_only_what_was_not_ok() -> None:
    down = record("critical", "web1", check="run.host")
    results = compared([down], [record("ok", "/"), record("ok", "/var"), record("warning", "/data")])
    assert [(result["id"], result["target"]) for result in results] == [("run.host", "web1"), ("mount.space", "/data")]


@pytest.mark.parametrize("check", ["run.task", "run.host", "attestation.done"])
def test_a_finding_of_the_run_that_is_gone_has_recovered(check: str) -> None:
    [result] = compared([], [record("unknown", "x", check=check)])
    assert (result["status"], result["change"]) == ("ok", "recovered")
    assert compared([], [record("ok", "x", check=check)]) == []


def test_a_task_has_not_recovered_on_a_host_that_is_out_of_reach() -> None:
    down = record("critical", "web1", check="run.host")
    assert [result["id"] for result in compared([down], [record("unknown", "x", check="run.task")])] == ["run.host"]


def test_the_input_is_left_alone() -> None:
    now = [record("unknown")]
    compared(now, [record("critical")])
    assert now == [record("unknown")]


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        (None, "warning", True),
        ("warning", "critical", True),
        ("ok", "unknown", True),
        ("critical", "ok", True),
        ("critical", None, True),
        ("critical", "warning", False),
        ("warning", "warning", False),
        ("critical", "critical", False),
        ("ok", "ok", False),
        (None, "skipped", False),
    ],
)
def test_people_are_told_what_is_new_worse_recovered_or_missing(then: str | None, now: str | None, told: bool) -> None:
    results = compared([record(now)] if now else [], [record(then)] if then else [])
    assert bool(to_tell(results, at=NOW)) == told


def test_what_is_waived_is_not_told() -> None:
    [result] = compared([record("critical")], [])
    assert to_tell([{**result, "waiver": {"owner": "jo"}}], at=NOW) == []


@pytest.mark.parametrize(
    ("hours_critical", "hours_since_previous", "repeat", "told"),
    [
        (24, 24, None, False),
        (24, 24, 0, True),
        (24, 24, 4, True),
        (4, 1, 4, True),
        (5, 1, 4, False),
        (3.9, 1, 4, False),
        (8.5, 1, 4, True),
        (8.5, 0.25, 4, False),
    ],
)
def test_what_stays_critical_is_repeated(
    hours_critical: float, hours_since_previous: float, repeat: float | None, told: bool
) -> None:
    since = NOW - dt.timedelta(hours=hours_critical)
    results = compared([record("critical")], [record("critical", since=since.isoformat())])
    previous_at = NOW - dt.timedelta(hours=hours_since_previous)
    assert bool(to_tell(results, at=NOW, previous_at=previous_at.isoformat(), repeat=repeat)) == told


def test_a_warning_is_not_repeated() -> None:
    results = compared([record("warning")], [record("warning", since=THEN.isoformat())])
    assert to_tell(results, at=NOW, previous_at=THEN, repeat=0) == []


def test_the_most_urgent_comes_first() -> None:
    results = compared([record("warning", "/a"), record("critical", "/b"), record("unknown", "/c")], [])
    assert [result["status"] for result in to_tell(results, at=NOW)] == ["critical", "unknown", "warning"]
