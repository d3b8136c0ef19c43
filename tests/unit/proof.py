# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof that a check can fail: every check id has to be seen ok, red and unknown by the tests of its kind.

Tests go through :func:`tests.unit.door.checks_of`, which notes what it saw with :func:`note`. The notes travel with the
report of the test (``tests/unit/conftest.py``), so that they arrive from the workers of pytest-xdist as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check

NOTES: list[tuple[str, str]] = []
"""(check id, what it was seen as) of the test that is running."""

ok, red, unknown = NEEDED = ("ok", "red", "unknown")


def seen_as(check: Check) -> str:
    """What a check proves. One that is blocked by another is as unmeasured as that one."""
    if check.status in ("warning", "critical"):
        return red
    return unknown if "blocked_by" in check.detail else check.status


def note(checks: Iterable[Check]) -> None:
    NOTES.extend((check.id, seen_as(check)) for check in checks)


def exceptions(path: Path) -> dict[str, str]:
    """``NEVER_RED`` of a test file: the ids that only inform, and why nothing about them can be bad."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NEVER_RED":
            return {str(check_id): str(reason) for check_id, reason in ast.literal_eval(node.value).items()}
    return {}


def unproven(
    promised: Iterable[str], seen: Iterable[tuple[str, str]], never_red: Mapping[str, str] | None = None
) -> list[str]:
    """Sentences about the ids of a kind that its tests have not shown in every light, none when all is proven."""
    seen, promised, never_red = set(seen), list(promised), never_red or {}
    complaints = [
        f"{check_id} was never seen {light}"
        for check_id in promised
        for light in NEEDED
        if (check_id, light) not in seen and not (light == red and check_id in never_red)
    ]
    complaints += [
        f"NEVER_RED names {check_id}, which was seen red" for check_id in never_red if (check_id, red) in seen
    ]
    complaints += [
        f"NEVER_RED names {check_id}, which is no check" for check_id in never_red if check_id not in promised
    ]
    return complaints


def kind_tested_by(node_id: str) -> str | None:
    """The kind whose test file a test belongs to."""
    found = re.search(r"module_utils/_checks/test_(\w+)\.py::", node_id)
    return found[1] if found else None
