# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What somebody is told: which records, and in which words. Short enough for any chat; the report has the rest."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import at_least
from ansible_collections.sre.runbooks.plugins.plugin_utils._compare import to_tell
from ansible_collections.sre.runbooks.plugins.plugin_utils._notify.settings import Notifier
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, moment
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._render.markdown import line, plain
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report

TITLE, BODY, SAID = 120, 1800, 200
"""Characters: of the title, of the body (the strictest of the common chats takes 2000), of one finding."""


class Message(t.NamedTuple):
    """The same words twice: as plain text and as Markdown."""

    title: str
    plain: str
    markdown: str


def chosen(notifier: Notifier, report: Report) -> list[Record]:
    """The records that this notifier is told about, most urgent first."""
    previous_at = report.previous["started"] if report.previous else None
    at = moment(str(report.run.get("ended") or report.run["started"]))
    told = to_tell(report.records, at=at, previous_at=previous_at, repeat=notifier.repeat)
    return [dict(record) for record in told if _wanted(notifier, record)]


def _wanted(notifier: Notifier, record: t.Mapping[str, t.Any]) -> bool:
    """What is told though it stands as before, a reminder or a critical one out of sight, is not subject to ``on``."""
    status = record["previous"] if record["change"] == "recovered" else record["status"]
    return (record["change"] in notifier.on or record["change"] == "still") and at_least(status, notifier.minimum)


def text(report: Report, records: t.Sequence[Record]) -> Message:
    """The message about these records."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record["change"]] = counts.get(record["change"], 0) + 1
    changed = ", ".join(f"{amount} {change}" for change, amount in counts.items())
    title = words.one_line(f"{report.system} {report.title}: {report.verdict}, {changed}")
    return Message(
        words.shorten(title, TITLE),
        _body(report, [_line(record) for record in records], str),
        _body(report, [f"- {line(report, _brief(record))}" for record in records], plain),
    )


def _body(report: Report, lines: list[str], escape: t.Callable[[str], str]) -> str:
    when = f"{words.clock(report.run['started'], report.timezone)} {report.timezone}"
    head = escape(words.headline(report))
    foot = escape(words.one_line(f"{when}, run {report.run['id']}"))
    room = BODY - len(head) - len(foot) - 40  # blank lines, and what says how many are left out
    shown: list[str] = []
    for each in lines:
        room -= len(each) + 1
        if room < 0 and shown:
            break
        shown.append(each)
    more = [f"and {len(lines) - len(shown)} more"] if len(shown) < len(lines) else []
    return words.shorten("\n".join([head, "", *shown, *more, "", foot]), BODY)


def _line(record: Record) -> str:
    limits = f" ({words.limits(record)})" if words.limits(record) else ""
    said = words.shorten(record["summary"], SAID)
    since = words.since(record)
    return words.one_line(f"{record['status'].upper()} {record['id']} {words.place(record)}: {said}{limits} [{since}]")


def _brief(record: Record) -> Record:
    return {**record, "summary": words.shorten(record["summary"], SAID)}
