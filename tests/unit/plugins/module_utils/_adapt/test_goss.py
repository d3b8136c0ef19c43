# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""goss: what goss 0.4.9 said, recorded, and what it might say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._adapt.goss import read
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

RECORDED = Path(__file__).resolve().parents[4] / "fixtures/goss"


def recorded(what: str) -> str:
    return (RECORDED / f"0.4.9-{what}.json").read_text()


def changed(what: str, **fields: Any) -> str:
    """A recording with the first result changed."""
    answer = json.loads(recorded(what))
    answer["results"][0].update(fields)
    return json.dumps(answer)


def test_each_result_counts_once() -> None:
    results = read(recorded("mixed"))
    assert (results.tests, results.passed, len(results.failed), len(results.skipped)) == (12, 7, 3, 2)


def test_a_result_that_is_not_passed_is_told_in_one_line() -> None:
    results = read(recorded("mixed"))
    assert results.failed[0] == "File: /etc/absent: exists: Expected false to equal true"
    assert results.skipped == ("File: /etc/hostname: exists: skipped", "File: /etc/absent: mode: skipped")


def test_a_test_that_goss_could_not_carry_out_failed() -> None:
    failed = read(recorded("unevaluated")).failed
    assert len(failed) == 6
    assert any("connection refused" in line for line in failed)


def test_skipped_is_no_success_although_goss_says_so() -> None:
    answer = json.loads(recorded("all_skipped"))
    assert answer["results"][0]["successful"] is True
    assert read(json.dumps(answer)).passed == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        (recorded("passed")[:500], "not JSON"),
        ("null", "as goss writes them"),
        ("[]", "as goss writes them"),
        ("{}", "as goss writes them"),
        ('{"results": [1], "summary": {"test-count": 1}}', "as goss writes them"),
        ('{"results": [], "summary": {"test-count": 0}}', "no tests"),
        ('{"results": null, "summary": {"test-count": 0}}', "no tests"),
        ('{"results": [], "summary": {"test-count": 3}}', "counts 3 tests and shows 0"),
        (changed("passed", result=3), "could not evaluate 1 of 2 tests"),
        (changed("passed", result=None), "could not evaluate"),
    ],
)
def test_what_is_no_complete_set_of_results_is_unmeasurable(text: str, reason: str) -> None:
    with pytest.raises(Unmeasurable, match=reason):
        read(text)


def test_values_of_secrets_are_not_kept() -> None:
    results = read(changed("passed", result=1, **{"summary-line-compact": "Command: x: stdout: password=hunter2"}))
    assert "hunter2" not in results.failed[0]
