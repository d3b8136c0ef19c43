# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How things are said, the same in every format: times, spans, limits, tallies, and what became of a step."""

from __future__ import annotations

import dataclasses
import math
import re
import typing as t
import zoneinfo

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES, number
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, moment
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import (
    Report,
    StepResult,
    standing,
)

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not from strftime: Ansible sets the locale, and a report reads the same on every controller."""

ORDER = (*reversed(STATUSES), "waived")
"""The order of a tally, most urgent first."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: t.Any) -> str:
    """The text without what XML forbids and terminals obey: control characters, lone surrogates."""
    return _UNPRINTABLE.sub("\ufffd", str(text))


def one_line(text: t.Any) -> str:
    """Printable, and without line breaks."""
    return " ".join(printable(text).split())


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def clock(text: str, zone: str = "UTC") -> str:
    """An ISO 8601 time as people of that zone say it: ``Fri 21 Nov 2025, 05:00``; as it is when it is no time."""
    try:
        at = moment(str(text)).astimezone(zoneinfo.ZoneInfo(zone))
    except (ValueError, zoneinfo.ZoneInfoNotFoundError):
        return str(text)
    return f"{WEEKDAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M}"


def when(report: Report, text: str) -> str:
    """A time in the zone of the report; the year only where it is not that of the run."""
    said, year = clock(text, report.timezone), clock(report.run["started"], report.timezone)[-12:-7]
    return said.replace(f"{year},", ",", 1)


def span(seconds: float | None) -> str:
    """A length of time, in its two largest units: ``42 s``, ``9 min 30 s``, ``2 h 5 min``."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{number(round(seconds, 1))} s"
    whole, parts = round(seconds), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])


def measured(record: Record) -> str:
    """The judged number with its unit, or nothing for a yes-or-no."""
    value, unit = record.get("value"), record.get("unit")
    if value is None or not math.isfinite(value) or not (unit or record.get("warning") or record.get("critical")):
        return ""
    return f"{number(value)} {unit}".strip()


def limits(record: Record) -> str:
    """The limits as the operator wrote them: ``warning 80, critical 95``."""
    return ", ".join(f"{level} {record[level]}" for level in ("warning", "critical") if record.get(level))


def place(record: Record) -> str:
    """Where a check looked: the target and the host, once when they are the same."""
    return record["target"] if record["target"] == record["host"] else f"{record['target']} on {record['host']}"


def tally(counts: t.Mapping[str, int], order: t.Iterable[str] = ORDER) -> str:
    """How many of each: ``2 critical, 41 ok``."""
    return ", ".join(f"{counts[status]} {status}" for status in order if counts.get(status))


def count(records: t.Iterable[Record]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in records:
        counts[standing(record)] = counts.get(standing(record), 0) + 1
    return counts


def plural(amount: int, noun: str) -> str:
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    counts, waits = report.counts, [step for step in report.steps if step.state in ("pending", "overdue")]
    looked = sum(amount for status, amount in counts.items() if status not in ("skipped", "waived"))
    *most, last = tally(counts, ("critical", "unknown", "warning")).split(", ")
    bad = f"{', '.join(most)} and {last}" if most else last
    if not looked:
        said = "Nothing was measured"
    elif bad:
        said = f"{bad} among {plural(looked, 'check')}"
    else:
        said = f"{'All ' if looked > 1 else ''}{plural(looked, 'check')} ok"
    blind = [step for step in report.steps if step.state == "not_run" and step.status == "unknown"]
    if blind:
        said += f"; {plural(len(blind), 'step')} of the runbook did not run"
    elif report.steps and not waits and not report.run.get("limited"):
        said += f"; {plural(len(report.steps), 'step')} of the runbook accounted for"
    if waits:
        said += f"; {plural(len(waits), 'step')} {'waits' if len(waits) == 1 else 'wait'} for a person"
    return f"{said}."


def became(report: Report, step: StepResult) -> str:
    """What became of a step, in few words."""
    said = step.attestation or {}
    who = f" by {said['by']}" if said.get("by") else ""
    at = f", {when(report, said['at'])}" if said.get("at") else ""
    return {
        "measured": _measured(step),
        "done": f"done{who}{at}",
        "not_applicable": "does not apply" + (f", says {said['by']}" if who else ""),
        "pending": f"waits until {when(report, step.due)}",
        "overdue": f"overdue since {when(report, step.due)}",
        "refused": "not automated",
        "not_run": "did not run",
    }[step.state]


def _measured(step: StepResult) -> str:
    shown = [record for record in step.records if record["status"] != "skipped"]
    if len(shown) == 1 and standing(shown[0]) == "ok":
        return measured(shown[0]) or "ok"
    counts = count(shown)
    return f"{counts['ok']} of {counts['ok']} ok" if set(counts) == {"ok"} else tally(counts)


def since(record: Record) -> str:
    """What has become of a check since the previous run: ``new, was ok``."""
    change, previous = record.get("change"), record.get("previous")
    if not change:
        return ""
    return f"{change}, was {previous}" if previous and previous != record["status"] else str(change)


PROOF = "restore.proof"
UNFOLDED = 4
"""Evidence sheets up to which those of good backups are shown in full."""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """The evidence of one backup that had to prove itself: names and texts of what is on it, in their order.

    ``figures`` says in one line what a good proof has measured, and what is in the way of one that is not.
    """

    record: Record
    standing: str
    verdict: str
    figures: str
    lines: tuple[tuple[str, str], ...]
    unfolded: bool


def sheets(report: Report) -> list[Sheet]:
    """The evidence sheets of all proofs of a run, also of those that could not be made; the most urgent first."""
    records = [record for record in report.records if record["id"] == PROOF]
    made = [_sheet(report, record, few=len(records) <= UNFOLDED) for record in records]
    return sorted(made, key=lambda sheet: ORDER.index(sheet.standing))


def _sheet(report: Report, record: Record, few: bool) -> Sheet:
    detail = record.get("detail") or {}
    status = "unknown" if detail.get("blocked_by") else standing(record)
    made = bool(detail.get("verdict"))
    measured = [str(detail[name]) for name in ("rpo", "rto") if detail.get(name)]
    return Sheet(
        record=record,
        standing=status,
        verdict=(one_line(detail["verdict"]) if status != "unknown" else "unknown") if made else "not restored",
        figures=one_line("; ".join(measured) if status == "ok" and measured else record["summary"]),
        lines=tuple(_evidence(report, detail)) if made else (),
        unfolded=few or status != "ok",
    )


def _evidence(report: Report, detail: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    """What was restored, when and into what, how long it took, what it was compared with, and what came of it."""
    size, checks = detail.get("bytes"), detail.get("checks")
    layers = ", ".join(_list(detail.get("layers"))) or "neither compressed nor encrypted"
    by_status: dict[str, list[str]] = {}
    for name, status in checks.items() if isinstance(checks, dict) else ():
        by_status.setdefault(str(status), []).append(str(name))
    lines = {
        "Backup": detail.get("source"),
        "Content": detail.get("format") and f"{detail['format']}, {layers}",
        "Size": f"{size / 1024**2:,.1f} MiB ({size:,} bytes)" if isinstance(size, int) else "",
        "SHA-256": detail.get("sha256"),
        "Taken": _moment(report, detail.get("taken")),
        "Restored": _moment(report, detail.get("at")),
        "Into": ", database ".join(str(detail[name]) for name in ("server", "database") if detail.get(name)),
        "It took": ", ".join(_stages(detail.get("seconds"))),
        "Found": detail.get("found"),
        "Compared with": detail.get("compared_with"),
        "Would be lost": detail.get("rpo"),
        "Time to restore": detail.get("rto"),
        **{f"Checks {status}": ", ".join(by_status[status]) for status in ORDER if status in by_status},
        "Tables": ", ".join(_list(detail.get("tables"))),
    }
    for name, text in lines.items():
        if text:
            yield name, shorten(one_line(text), 2000)


def _stages(seconds: t.Any) -> t.Iterator[str]:
    for stage in ("start", "restore", "check", "compare"):  # the journal has them by name
        took = seconds.get(stage) if isinstance(seconds, dict) else None
        if isinstance(took, (int, float)) and math.isfinite(took):
            yield f"{stage} {span(took)}"


def _list(value: t.Any) -> list[str]:
    return [str(part) for part in (value if isinstance(value, (list, tuple)) else [value] if value else [])]


def _moment(report: Report, text: t.Any) -> str:
    return f"{clock(text, report.timezone)} {report.timezone}" if text else ""
