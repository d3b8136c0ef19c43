# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._notify import Notifier, chosen, text
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import record, report

ALL = Notifier("ops", ("json://localhost",))
YESTERDAY = {"id": "r0", "started": "2025-11-20T04:00:00+00:00", "verdict": "ok"}

NEW = record("service.active", "nginx", "critical", "nginx is inactive", change="new", previous="ok")
WORSE = record("mount.space", "/", "warning", "85 % of / is used", change="worse", previous="ok", warning="80")
FINE = record("log.errors", "app", "ok", "no errors", change="recovered", previous="warning")
GONE = record("backup.age", "db", "unknown", "not checked in this run", change="missing", previous="ok")
STILL = record(
    "tcp.open", "x:1", "critical", "refused", change="still", previous="critical", since="2025-11-19T04:00:00+00:00"
)
LOST = record("http.status", "shop", "unknown", "no answer", change="still", previous="critical")
QUIET = record("system.cpu")


def names(notifier: Notifier, *records: Record, **more: t.Any) -> list[str]:
    return [found["id"] for found in chosen(notifier, report(records, previous=YESTERDAY, **more))]


def test_what_changed_is_told_most_urgent_first_and_the_rest_is_not() -> None:
    told = names(ALL, QUIET, FINE, WORSE, GONE, NEW, STILL)
    assert told == ["service.active", "backup.age", "mount.space", "log.errors"]


@pytest.mark.parametrize(
    ("notifier", "told"),
    [
        (Notifier("n", (), on=("recovered",)), ["log.errors"]),
        (Notifier("n", (), minimum="unknown"), ["service.active", "backup.age"]),
        (Notifier("n", (), minimum="critical"), ["service.active"]),
        (Notifier("n", (), on=("worse",), minimum="critical"), []),
    ],
    ids=["only what recovered", "from unknown up", "only critical", "nothing is left"],
)
def test_a_notifier_says_which_changes_and_how_urgent(notifier: Notifier, told: list[str]) -> None:
    assert names(notifier, FINE, WORSE, GONE, NEW) == told


def test_what_is_still_critical_is_repeated_after_so_many_hours() -> None:
    assert names(Notifier("n", (), repeat=24), STILL) == ["tcp.open"]
    assert names(Notifier("n", (), repeat=72), STILL) == []


def test_a_critical_one_out_of_sight_is_told() -> None:
    assert names(ALL, LOST) == ["http.status"]


def test_what_is_waived_is_not_told() -> None:
    assert names(ALL, {**NEW, "waiver": {"reason": "known", "owner": "DBA", "until": "2026-01-01"}}) == []


def test_the_message_says_what_where_and_how_bad() -> None:
    message = text(report([NEW, WORSE, FINE, QUIET]), [NEW, WORSE, FINE])
    assert message.title == "edubot daily: critical, 1 new, 1 worse, 1 recovered"
    assert message.plain.splitlines() == [
        "1 critical and 1 warning among 4 checks.",
        "",
        "CRITICAL service.active nginx on web-1: nginx is inactive [new, was ok]",
        "WARNING mount.space / on web-1: 85 % of / is used (warning 80) [worse, was ok]",
        "OK log.errors app on web-1: no errors [recovered, was warning]",
        "",
        "Fri 21 Nov 2025, 04:00 UTC, run 20251121T040000Z-morning-4f2a1c",
    ]
    assert "- **critical** `service.active` nginx on web-1: nginx is inactive (new, was ok)" in message.markdown


def test_a_long_message_is_cut_and_says_how_much_is_missing() -> None:
    many = [record("a.b", f"t{number}", "critical", "x" * 500, change="new") for number in range(300)]
    message = text(report(many), many)
    assert max(len(message.plain), len(message.markdown)) <= 1800
    shown = message.plain.count("CRITICAL")
    assert f"and {300 - shown} more" in message.plain
    assert len(message.title) <= 120


def test_a_summary_cannot_format_mention_or_break_the_lines() -> None:
    bad = record("a.b", "t", "critical", "<b>*bold*</b> @everyone\n# title [x](http://e) `c`", change="new")
    message = text(report([bad]), [bad])
    assert "<b>" not in message.markdown
    assert "@everyone" not in message.markdown
    assert "[x](" not in message.markdown
    assert "\n# title" not in message.plain + message.markdown
