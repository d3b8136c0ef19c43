# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for metrics: a file for the textfile collector of Prometheus' node exporter.

The collector drops a whole file for one bad or doubled line, so label names are made valid, and of records with the same
labels only the worst remains.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, moment
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report, standing

SCALE = ", ".join(f"{number} {status}" for number, status in enumerate(STATUSES))
Sample = tuple[dict[str, str], float]


def render(report: Report) -> str:
    run = {"system": report.system, "occasion": str(report.run.get("occasion") or report.run.get("playbook") or "")}
    worst_of = {
        _text(labels): (labels, record) for record in reversed(report.records) for labels in [_labels(run, record)]
    }
    checks = [worst_of[name] for name in sorted(worst_of)]
    values = [
        ({**labels, "unit": r.get("unit") or ""}, r["value"]) for labels, r in checks if r.get("value") is not None
    ]
    started = moment(report.run["started"])
    budget = report.occasion.budget if report.occasion else None
    waived = [(labels, 1.0) for labels, record in checks if standing(record) == "waived"]
    counts = [({**run, "status": status}, float(amount)) for status, amount in report.counts.items()]
    seconds = report.run.get("seconds")
    families = [
        ("sre_check_status", f"Status of a check: {SCALE}.", [(labels, _level(r["status"])) for labels, r in checks]),
        ("sre_check_value", "The judged value of a check, in its unit.", values),
        ("sre_check_waived", "A check that is not fine and that somebody answers for.", waived),
        ("sre_step_status", f"Status of a step of the runbook: {SCALE}.", _steps(report, run)),
        ("sre_run_checks", "How many checks of a run have this status.", counts),
        ("sre_run_verdict", f"The worst of a run that is not waived: {SCALE}.", [(run, _level(report.verdict))]),
        ("sre_run_timestamp_seconds", "When the run started, in Unix time.", [(run, started.timestamp())]),
        ("sre_run_duration_seconds", "How long the run took.", [] if seconds is None else [(run, float(seconds))]),
        ("sre_run_budget_seconds", "How long the run may take.", [(run, float(budget))] if budget else []),
    ]
    return "".join(_family(name, told, samples) for name, told, samples in families if samples)


def _steps(report: Report, run: dict[str, str]) -> list[Sample]:
    return [({**run, "step": step.id, "state": step.state}, _level(step.status)) for step in report.steps]


def _labels(run: dict[str, str], record: Record) -> dict[str, str]:
    """Ours, and those of the inventory where they do not collide."""
    labels = {**run, "host": record["host"], "check": record["id"], "target": record["target"]}
    for name, value in sorted((record.get("labels") or {}).items()):
        labels.setdefault(_name(str(name)), str(value))
    labels.pop("unit", None)  # means the unit of the value
    return labels


def _name(text: str) -> str:
    """A valid name of a label; those with two leading underscores belong to Prometheus."""
    return re.sub(r"^(?=[0-9])|^__+", "_", re.sub(r"[^a-zA-Z0-9_]", "_", text)) or "_"


def _level(status: str) -> float:
    return float(STATUSES.index(status))


def _family(name: str, told: str, samples: t.Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {told}", f"# TYPE {name} gauge"]
    lines += [f"{name}{{{_text(labels)}}} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _text(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return words.printable(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(int(value)) if value == value // 1 and abs(value) < 1e15 else repr(float(value))
