# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for people: one self-contained file without scripts. ``report.html.j2`` and ``report.css`` say how it looks."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import typing as t
from pathlib import Path

import jinja2
from markupsafe import Markup

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, interval, number
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, Sample
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import (
    Errand,
    Report,
    StepResult,
    is_finding,
    standing,
)

EVIDENCE = 200_000
"""Characters of evidence in one report: many checks share it, so that the file stays one that a phone opens."""

SHOWN = 8
"""Lines of one list that are seen at once; the rest is folded."""

FEW = 2
"""Fine lines beside others that are not, up to which folding them away would save nothing."""

WIDTH, HEIGHT, MARGIN = 104, 28, 3
"""Of a trend, in pixels."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One record, ready to be shown."""

    record: Record
    status: str
    place: str
    trend: Markup
    evidence: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Group:
    """The records of one check, all hosts and targets: what is not fine first, the fine ones to be folded."""

    id: str
    promise: str
    page: str
    loud: tuple[Row, ...]
    quiet: tuple[Row, ...]
    tally: str


@dataclasses.dataclass(frozen=True)
class Line:
    """A step, ready to be shown. ``symbol`` is a status, or ``person`` for what people did or have to do."""

    anchor: str
    step: StepResult
    symbol: str
    said: str
    groups: tuple[Group, ...]


def render(report: Report) -> str:
    room = max(400, min(6000, EVIDENCE // max(1, len(report.records))))
    lines = tuple(
        Line(f"step-{number}", step, _symbol(step), words.became(report, step), _groups(report, step.records, room))
        for number, step in enumerate(report.steps, 1)
    )
    about = _groups(report, [record for record in report.rest if record["id"].startswith("run.")], room)
    others = [record for record in report.rest if not record["id"].startswith("run.")]
    anchors = {id(record): line.anchor for line in reversed(lines) for record in line.step.records}
    return _template().render(
        report=report,
        lines=lines,
        itself=[group for group in about if group.loud],
        routine=[group for group in about if not group.loud],
        others=_groups(report, others, room),
        sheets=words.sheets(report),
        people=_by_person(report.people),
        anchor_of_step={line.step.id: line.anchor for line in lines},
        anchor=lambda record: anchors.get(id(record), "itself" if record["id"].startswith("run.") else "others"),
    )


@functools.cache
def _template() -> jinja2.Template:
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: words.printable(value) if type(value) is str else value,
    )
    environment.globals.update(words=words, SHOWN=SHOWN, FEW=FEW, is_finding=is_finding, standing=standing)
    return environment.get_template("report.html.j2")


def _symbol(step: StepResult) -> str:
    if step.state in ("pending", "overdue", "done"):
        return "warning" if step.state == "overdue" else "ok" if step.state == "done" else "person"
    only_waived = step.status == "skipped" and any(standing(record) == "waived" for record in step.records)
    return "waived" if only_waived else step.status


def _by_person(errands: t.Iterable[Errand]) -> dict[str, list[Errand]]:
    people: dict[str, list[Errand]] = {}
    for errand in errands:
        people.setdefault(errand.who or "Nobody is named", []).append(errand)
    return people


def _groups(report: Report, records: t.Sequence[Record], room: int) -> tuple[Group, ...]:
    """The records by check, in their order: the group with the most urgent record comes first."""
    by_id: dict[str, list[Record]] = {}
    for record in records:
        by_id.setdefault(record["id"], []).append(record)
    return tuple(_group(report, check_id, same, room) for check_id, same in by_id.items())


def _group(report: Report, check_id: str, records: t.Sequence[Record], room: int) -> Group:
    rows = [
        Row(
            record,
            standing(record),
            words.place(record),
            trend(report.trend(record), record),
            evidence(record.get("detail") or {}, room if is_finding(record) else min(room, 600)),
        )
        for record in records
    ]
    quiet = tuple(row for row in rows if row.status in ("ok", "skipped"))
    return Group(
        id=check_id,
        promise=report.promises.get(check_id, ""),
        page=report.page(check_id),
        loud=tuple(row for row in rows if row.status not in ("ok", "skipped")),
        quiet=quiet,
        tally=words.tally(words.count(row.record for row in quiet)),
    )


def evidence(detail: t.Mapping[str, t.Any], room: int) -> tuple[tuple[str, str], ...]:
    """Name and text of each piece, together no longer than the room there is."""
    shown = []
    for name, value in detail.items():
        if value in (None, "", [], {}) or name == "blocked_by":
            continue
        text = words.shorten(_text(value), max(room, 20))
        room -= len(text)
        shown.append((str(name).replace("_", " "), text))
        if room <= 0:
            break
    return tuple(shown)


def _text(value: t.Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return "\n".join(map(_text, value))
    return json.dumps(value, ensure_ascii=False, default=str, indent=1 if isinstance(value, dict) else None)


def trend(samples: t.Sequence[Sample], record: Record) -> Markup:
    """A sparkline with the limit as a dashed line, and in words for who cannot see it; empty below two values."""
    values = [sample.value for sample in samples]
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < 2:
        return Markup("")
    warning, critical = _bounds(record.get("warning")), _bounds(record.get("critical"))
    near = [*warning, *(critical if not warning or record["status"] == "critical" else [])]
    low, high = min(known + near), max(known + near)
    step = (WIDTH - 2 * MARGIN) / (len(values) - 1)

    def y(value: float) -> int:
        part = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - MARGIN - part * (HEIGHT - 2 * MARGIN))

    course, pen, end = "", "M", (0, 0)
    for position, value in enumerate(values):
        if value is None or not math.isfinite(value):
            pen = "M"  # an unknown is a gap, not a straight line
            continue
        end = round(MARGIN + position * step), y(value)
        course, pen = f"{course}{pen}{end[0]} {end[1]}", "L"
    lines = "".join(
        f'<path class="{level}" d="M0 {y(bound)}H{WIDTH}"/>'
        for level, bounds in (("warning", warning), ("critical", critical))
        for bound in bounds
        if low <= bound <= high
    )
    said = f"{len(values)} runs, {number(known[0])} to {number(known[-1])}, between {number(min(known))} and {number(max(known))}"
    return Markup(  # noqa: S704 - numbers and a status of ours, nothing from outside
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}"><title>{said}</title>'
        f'{lines}<path d="{course}"/><circle class="{record["status"]}" cx="{end[0]}" cy="{end[1]}" r="2.5"/></svg>'
    )


def _bounds(limit: t.Any) -> list[float]:
    """The numbers in a limit, whichever direction it has; none when a foreign tool has a syntax of its own."""
    try:
        return [bound for bound in interval(None if limit is None else str(limit), "higher") if math.isfinite(bound)]
    except BadOption:
        return []
