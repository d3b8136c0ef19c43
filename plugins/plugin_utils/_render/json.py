# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for machines: everything, as JSON. What has no place in JSON (NaN, infinity) is null."""

from __future__ import annotations

import json
import math
import typing as t

from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, identity
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report

SCHEMA = 1
"""Raised when a reader of the former shape would misunderstand the new one."""


def render(report: Report) -> str:
    """Steps, the rest and the changes name records by ``[host, id, target]``; ``records`` has them in full."""
    occasion = report.occasion
    whole = {
        "schema": SCHEMA,
        "run": report.run,
        "system": report.system,
        "timezone": report.timezone,
        "occasion": occasion
        and {name: getattr(occasion, name) for name in ("id", "title", "owner", "schedule", "budget")},
        "verdict": report.verdict,
        "counts": report.counts,
        "previous": report.previous,
        "people": [errand.__dict__ for errand in report.people],
        "steps": [{**step.__dict__, "records": list(map(identity, step.records))} for step in report.steps],
        "rest": list(map(identity, report.rest)),
        "changes": {change: list(map(identity, records)) for change, records in report.changes.items()},
        "records": [_record(report, record) for record in report.records],
    }
    return json.dumps(_plain(whole), indent=2, ensure_ascii=True) + "\n"


def _record(report: Report, record: Record) -> Record:
    return {**record, "promise": report.promises.get(record["id"]), "page": report.page(record["id"]) or None}


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, t.Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
