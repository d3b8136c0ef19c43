# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for who started the run: what is not fine, one line each, worst first; then what waits, and the tally."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report, standing

COLOURS = {"critical": "1;31", "unknown": "1;35", "warning": "33", "ok": "32", "skipped": "2", "waived": "2"}
WIDE = 44
"""Up to this width the column of a list is aligned."""

FEW = 3
"""Up to so many steps that did not run have a line each, also where one finding explains them all."""


def render(report: Report, *, colour: bool = False) -> str:
    def paint(text: str, status: str) -> str:
        return f"\033[{COLOURS[status]}m{text}\033[0m" if colour else text

    shown = [*_folded(report.findings), *report.waived]
    ids = min(WIDE, max((len(record["id"]) for record in shown), default=0))
    places = min(WIDE, max((len(words.one_line(words.place(record))) for record in shown), default=0))
    lines = [
        f"{paint(f'{standing(record):8}', standing(record))}  {record['id']:{ids}}  "
        f"{words.one_line(words.place(record)):{places}}  {_said(record)}"
        for record in shown
    ]
    lines += [
        f"waits     {words.one_line(_errand(report, step.id))}" for step in report.steps if step.state == "pending"
    ]
    when = f"{words.clock(report.run['started'], report.timezone)} {report.timezone}"
    title = words.one_line(f"{report.system} {report.title}, {when}")
    lines += ([""] if lines else []) + [f"{title}: {paint(report.verdict, report.verdict)}", words.headline(report)]
    lines += [f"{words.tally(report.counts)}; took {words.span(report.run.get('seconds'))}{_budget(report)}"]
    lines += [words.one_line(f"{report.run['path']}/report.html")] if report.run.get("path") else []
    return "\n".join(lines) + "\n"


def _folded(findings: t.Sequence[Record]) -> list[Record]:
    """One line for all steps that did not run, where a host or a task, which has its own line, is to blame."""
    silent = [record for record in findings if record["id"] == "run.step"]
    explained = any(record["id"] in ("run.host", "run.task") for record in findings)
    if not explained or len(silent) <= FEW:
        return list(findings)
    said = f"nothing was measured for {', '.join(record['target'] for record in silent)}"
    folded = {**silent[0], "target": words.plural(len(silent), "step"), "summary": said, "change": None}
    return [folded if record is silent[0] else record for record in findings if record not in silent[1:]]


def _said(record: Record) -> str:
    extra = ", ".join(text for text in (words.limits(record), words.since(record)) if text)
    if standing(record) == "waived":
        extra = f"{record['status']}, waived until {record['waiver'].get('until')} by {record['waiver'].get('owner')}"
    return words.one_line(f"{words.shorten(record['summary'], 300)}{f' ({extra})' if extra else ''}")


def _errand(report: Report, step_id: str) -> str:
    step = next(step for step in report.steps if step.id == step_id)
    return f"{step.id} {step.title}: {step.owner}, {words.became(report, step)}"


def _budget(report: Report) -> str:
    return f" of {words.span(report.occasion.budget)}" if report.occasion and report.occasion.budget else ""
