# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Adopt the verdicts of wp doctor: the rows of ``wp doctor check --all --format=json``, versions 2 and 3."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable, worst
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

VERDICTS = {"success": "ok", "warning": "warning", "error": "critical"}
"""What a check says → ours. ``incomplete``, which a check says that never came to a verdict, is unknown."""

LINES, WIDTH = 20, 300


def check(check_id: str, target: str, rows: t.Sequence[t.Mapping[str, t.Any]]) -> Check:
    """The worst verdict, with how many checks are not content as its value."""
    if not rows:
        raise Unmeasurable("wp doctor carried out no checks")
    found = [(VERDICTS.get(str(row.get("status")), "unknown"), _line(row)) for row in rows]
    bad = [(status, line) for status, line in found if status != "ok"]
    summary = f"{len(bad)} of {len(found)} checks of wp doctor are not content"
    return Check(
        check_id,
        target,
        worst(status for status, _line in found),
        f"{summary}: {bad[0][1]}" if bad else summary,
        float(len(bad)),
        "checks",
        detail={"checks": len(found), "not content": [f"{status}: {line}" for status, line in bad[:LINES]]},
    )


def _line(row: t.Mapping[str, t.Any]) -> str:
    return redact(f"{row.get('name')}: {' '.join(str(row.get('message')).split())}")[:WIDTH]
