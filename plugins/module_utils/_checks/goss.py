# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tests written for goss, carried out now or by somebody else, whose verdicts are adopted."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._adapt import goss
from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import goss as probe

CHECKS = {
    "goss.failed": "Every goss test passes.",
    "goss.skipped": "Every goss test is carried out.",
    "goss.age": "The goss results are recent enough.",
}
TARGET: dict[str, t.Any] = {
    "gossfile": {"type": "path"},
    "results": {"type": "path"},
    "vars_file": {"type": "path"},
}
TUNING: dict[str, t.Any] = {
    "executable": {"type": "path", "default": "goss"},
    "failed": limits(critical=0, unit="tests", possible=(0, float("inf"))),
    "skipped": limits(0, unit="tests", possible=(0, float("inf"))),
    "age": limits(26, 50, unit="h", possible=(0, float("inf"))),
}
RULES: dict[str, t.Any] = {
    "required_one_of": [("gossfile", "results")],
    "mutually_exclusive": [("gossfile", "results"), ("vars_file", "results")],
}
CLOCK_SKEW = 5 / 60
"""By how many hours the clocks of two hosts may differ."""


def name(target: t.Mapping[str, t.Any]) -> str:
    return str(target["gossfile"] or target["results"])


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    hours = None
    if target["results"]:
        text, hours = probe.results(target["results"])
    else:
        text = probe.validate(target["gossfile"], target["vars_file"], target["executable"], target["timeout"])
    results = goss.read(text)
    if not results.passed and not results.failed:
        raise Unmeasurable(f"goss skipped all of its {results.tests} tests")
    evidence = {"tests": results.tests, "passed": results.passed}
    failed, skipped = len(results.failed), len(results.skipped)
    yield Check.judge(
        "goss.failed",
        target["name"],
        failed,
        target["failed"],
        f"{failed} of {results.tests} tests do not pass",
        failed=list(results.failed[: goss.LINES]),
        **evidence,
    )
    yield Check.judge(
        "goss.skipped",
        target["name"],
        skipped,
        target["skipped"],
        f"{skipped} of {results.tests} tests were skipped",
        skipped=list(results.skipped[: goss.LINES]),
        **evidence,
    )
    if hours is None:
        yield Check.skipped("goss.age", target["name"], "not asked for: the tests are carried out now")
    elif hours < -CLOCK_SKEW:
        yield Check.unknown("goss.age", target["name"], "the age cannot be told: the results are dated in the future")
    else:
        hours = round(max(0.0, hours), 4)
        yield Check.judge("goss.age", target["name"], hours, target["age"], f"the results are {hours:.1f} h old")
