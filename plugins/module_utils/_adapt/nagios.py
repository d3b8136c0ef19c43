# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Adopt the verdict of a monitoring plugin: its exit code, its sentence, its performance data.

The format is that of the Monitoring Plugins Development Guidelines: exit codes 0 to 3, ``text | label=value[unit];warn;
crit;min;max …`` on the first line, then more text, and after another ``|`` more performance data.
"""

from __future__ import annotations

import dataclasses
import re
import signal
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, interval
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

VERDICTS = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}
LINES, WIDTH, READ, METRICS = 20, 300, 50_000, 50

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_METRIC = re.compile(
    rf"""
    (?<!\S) (?: '(?P<quoted>(?:[^']|'')+)' | (?P<plain>[^\s='][^\s=]*) ) =
    (?: (?P<value>{_NUMBER}) (?P<unit>[^\s\d;,.'][^\s;,']*)? | U ) (?: ;(?P<rest>[^\s]*) )? (?=\s|$)
    """,
    re.VERBOSE,
)
_RANGE = re.compile(r"(?:(?P<low>~|-?[\d.]*\d)?(?P<colon>:))?(?P<high>-?[\d.]*\d)?")


@dataclasses.dataclass(frozen=True)
class Metric:
    """One item of performance data. The ranges stay as the plugin wrote them; ``value`` is None for ``U``, undetermined."""

    label: str
    value: float | None
    unit: str = ""
    warning: str = ""
    critical: str = ""
    min: str = ""
    max: str = ""


@dataclasses.dataclass(frozen=True)
class Output:
    """What a plugin said: its first line, the lines after it, its metrics, and what could not be read as a metric."""

    text: str
    more: tuple[str, ...]
    metrics: tuple[Metric, ...]
    unread: str


def read(stdout: str) -> Output:
    """Take the output of a plugin apart. Nothing raises: what is no performance data is kept in ``unread``."""
    first, _end_of_line, after = stdout.strip("\n").partition("\n")
    text, _bar, perfdata = first.partition("|")
    more, _bar, further = after.partition("|")
    metrics, unread = _metrics(f"{perfdata} {further}")
    return Output(text.strip(), tuple(line.rstrip() for line in more.splitlines() if line.strip()), metrics, unread)


def _metrics(perfdata: str) -> tuple[tuple[Metric, ...], str]:
    metrics = []
    for found in _METRIC.finditer(perfdata):
        value, label = found["value"], found["plain"] or found["quoted"].replace("''", "'")
        rest: str = found["rest"] or ""
        warning, critical, least, most = [*rest.split(";"), "", "", "", ""][:4]
        metrics.append(
            Metric(label, None if value is None else float(value), found["unit"] or "", warning, critical, least, most)
        )
    return tuple(metrics), " ".join(_METRIC.sub(" ", perfdata).split())


def limit(nagios: str) -> str | None:
    """A Nagios range in our words: ``10`` is ``0..10``, ``~:10`` is ``..10``, ``10:`` is ``10..``.

    None for what cannot be said with one range of fine values (``@10:20``, fine outside) and for what is no range.
    """
    found = _RANGE.fullmatch(nagios)
    if not found or not (found["colon"] or found["high"]):
        return None
    low, high = found["low"] or "0", found["high"] or ""
    ours = f"{'' if low == '~' else low}..{high}"
    try:
        interval(ours, "higher")
    except BadOption:
        return None
    return ours


def check(check_id: str, name: str, answer: Answer) -> Check:
    """The check that an answer makes. A plugin that says nothing is unknown, whatever its exit code."""
    output = read(answer.stdout)
    said, complaints = _lines("\n".join((output.text, *output.more))), _lines(answer.stderr)
    found: dict[str, t.Any] = {
        "output": said,
        "metrics": [dataclasses.asdict(metric) for metric in output.metrics[:METRICS]],
        "unread": _lines(output.unread),
        "stderr": complaints,
    }
    evidence = {"exit_code": answer.rc, **{key: value for key, value in found.items() if value}}
    complaint = complaints[0] if complaints else "nothing on standard error either"
    if answer.rc not in VERDICTS:
        reason = said[0] if output.text else complaint
        return Check.unknown(check_id, name, f"{_end(answer.rc)}, which is no verdict: {reason}", **evidence)
    if not output.text:
        return Check.unknown(check_id, name, f"no output, exit code {answer.rc}: {complaint}", **evidence)
    first = output.metrics[0] if output.metrics else Metric("", None)
    return Check(
        check_id,
        name,
        VERDICTS[answer.rc],
        said[0],
        first.value,
        first.unit,
        limit(first.warning),
        limit(first.critical),
        evidence,
    )


def _lines(text: str) -> list[str]:
    """The first lines of a text, without secrets: keys may be longer than a line, so the text is searched as a whole."""
    lines = redact(text[:READ]).splitlines()
    return [line[:WIDTH] for line in lines if line.strip()][:LINES]


def _end(rc: int) -> str:
    if rc >= 0:
        return f"exit code {rc}"
    try:
        return f"ended by {signal.Signals(-rc).name}"
    except ValueError:
        return f"ended by signal {-rc}"
