# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for tickets and chats: Markdown, lists rather than tables, because lists survive everywhere."""

from __future__ import annotations

import re

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Errand, Record, Report, StepResult, standing

MOST = 40
"""Lines of one section: who wants to see all of a bad day opens the report."""

TICKED = ("done", "not_applicable")


def render(report: Report) -> str:
    when = f"{words.clock(report.run['started'], report.timezone)} {report.timezone}"
    parts = [
        [f"# {plain(report.system)} {plain(report.title)}: {report.verdict}", "", f"{when}. {words.headline(report)}"],
        _section(
            "What changed", [line(report, r) for change, rs in report.changes.items() if change != "still" for r in rs]
        ),
        _section("Who is needed", [errand(report, each) for each in report.people]),
        _section("Not fine", [line(report, record) for record in report.findings]),
        _section("Waived", [line(report, record) for record in report.waived]),
        _section("Restore proofs", [proof(sheet) for sheet in words.sheets(report)]),
        _section("The runbook, line by line", [_step(report, step) for step in report.steps]),
        ["", f"Run `{code(str(report.run['id']))}`, {words.span(report.run.get('seconds'))}."],
    ]
    return "\n".join(text for part in parts for text in part) + "\n"


def line(report: Report, record: Record) -> str:
    """One record as an item of a list."""
    status = standing(record)
    extra = [text for text in (words.limits(record), words.since(record)) if text]
    if status == "waived":
        waiver = record["waiver"]
        extra = [record["status"], f"{waiver.get('reason')}", f"{waiver.get('owner')} until {waiver.get('until')}"]
    page = report.page(record["id"])
    named = f"[`{code(record['id'])}`]({page})" if page else f"`{code(record['id'])}`"
    said = plain(f"{words.place(record)}: {words.shorten(record['summary'], 300)}")
    more = f" ({plain('; '.join(extra))})" if extra else ""
    return f"**{status}** {named} {said}{more}"


def errand(report: Report, each: Errand) -> str:
    """What somebody has to do, as an item of a list."""
    status = "waiting" if each.status == "skipped" else each.status
    due = f" (by {words.when(report, each.due)})" if each.due else ""
    said = plain(f"{each.who or 'Nobody is named'}: {each.step or each.check} {each.what}")
    return f"**{status}** {said}{due}"


def proof(sheet: words.Sheet) -> str:
    """The evidence sheet of a backup, as an item with items of its own; of a good one among many its figures."""
    told = [f"  - {plain(name)}: {plain(text)}" for name, text in sheet.lines] if sheet.unfolded else []
    said = plain(f"{words.place(sheet.record)}: {words.shorten(sheet.figures, 300)}")
    return "\n".join([f"**{plain(sheet.verdict)}** {said}", *told])


def _section(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = [f"- and {len(items) - MOST} more, in the report"] if len(items) > MOST else []
    return ["", f"## {title}", "", *(f"- {item}" for item in items[:MOST]), *more]


def _step(report: Report, step: StepResult) -> str:
    ticked = step.status == "ok" or step.state in TICKED
    reason = f": {step.reason}" if step.reason else ""
    return (
        f"[{'x' if ticked else ' '}] {plain(f'{step.id} {step.title}')} — {plain(words.became(report, step) + reason)}"
    )


def plain(text: str) -> str:
    """Text that means nothing to Markdown, HTML or a chat: no emphasis, link, tag or mention comes out of it."""
    text = words.one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u2060")
    return re.sub(r"([\\`*\[\]|~#])|(?<![^\W_])(_)|(_)(?![^\W_])", r"\\\g<0>", text)


def code(text: str) -> str:
    """Text for a span of code, which nothing can end early."""
    return words.one_line(text).replace("`", "'")
