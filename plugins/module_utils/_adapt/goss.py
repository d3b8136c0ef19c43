# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Adopt the verdicts of goss: the JSON of ``goss validate --format json``, versions 0.3 and 0.4."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

PASSED, FAILED, SKIPPED = 0, 1, 2
"""Values of ``result``. The field ``successful`` is no help: goss says true of a test that it skipped."""

LINES, WIDTH = 20, 300


@dataclasses.dataclass(frozen=True)
class Results:
    """How many tests there were, and one line for each that did not pass."""

    tests: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def passed(self) -> int:
        return self.tests - len(self.failed) - len(self.skipped)


def read(text: str) -> Results:
    """Take results apart. Raises :class:`Unmeasurable` for what is no complete set of results."""
    try:
        answer = json.loads(text)
        results = answer["results"] or []
        promised = answer["summary"]["test-count"]
        lines = [(result["result"], _line(result)) for result in results]
    except ValueError as exc:
        raise Unmeasurable(f"the answer of goss is not JSON: {exc}") from exc
    except (KeyError, TypeError, AttributeError) as exc:
        raise Unmeasurable(f"the answer of goss does not hold results as goss writes them: {exc!r}") from exc
    if len(lines) != promised:
        raise Unmeasurable(f"goss counts {promised} tests and shows {len(lines)}")
    if not lines:
        raise Unmeasurable("goss carried out no tests")
    strange = [line for code, line in lines if code not in (PASSED, FAILED, SKIPPED)]
    if strange:
        raise Unmeasurable(f"goss could not evaluate {len(strange)} of {len(lines)} tests: {strange[0]}")
    return Results(
        len(lines),
        tuple(line for code, line in lines if code == FAILED),
        tuple(line for code, line in lines if code == SKIPPED),
    )


def _line(result: t.Mapping[str, t.Any]) -> str:
    line = result.get("summary-line-compact") or result["summary-line"]
    return redact(" ".join(line.split()))[:WIDTH]
