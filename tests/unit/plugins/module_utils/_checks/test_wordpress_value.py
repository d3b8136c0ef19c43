# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A number that a WordPress site computes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import wordpress_value as kind
from ansible_collections.sre.runbooks.tests.unit.door import checks_of


def look(monkeypatch: pytest.MonkeyPatch, answer: Any, **options: Any) -> Check:
    monkeypatch.setattr(kind.probe, "evaluate", lambda *_: answer)
    target = {"name": "conversions", "expression": "kpis()", "path": "/w", **options}
    (check,) = checks_of(kind, targets=[target])
    return check


@pytest.mark.parametrize(
    ("answer", "value"), [(3, 3), (2.5, 2.5), ("17", 17), ("-0.5", -0.5), (0, 0), ("0", 0), ("1e3", 1000)]
)
def test_numbers_are_judged_also_when_they_come_as_text(
    monkeypatch: pytest.MonkeyPatch, answer: Any, value: float
) -> None:
    check = look(monkeypatch, answer, unit="leads")
    assert (check.status, check.value, check.unit) == ("ok", value, "leads")
    assert check.summary.endswith(" leads")


@pytest.mark.parametrize("answer", [None, True, False, "", "n/a", "1,5", "0x1A", [], [3], {}, {"a": 1}, float("nan")])
def test_what_is_no_number_is_unknown(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    assert look(monkeypatch, answer).status == "unknown"


@pytest.mark.parametrize(("answer", "status"), [(9, "critical"), (10, "warning"), (49, "warning"), (50, "ok")])
def test_limits_say_which_numbers_are_fine(monkeypatch: pytest.MonkeyPatch, answer: int, status: str) -> None:
    assert look(monkeypatch, answer, number={"warning": "50..", "critical": "10.."}).status == status


def test_a_key_leads_to_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"week": [{"leads": "12"}, {"leads": None}], "day": {}}
    assert look(monkeypatch, answer, key="week.0.leads").value == 12
    assert look(monkeypatch, answer, key="week.1.leads").summary == "the answer.week.1.leads is null, not a number"
    assert look(monkeypatch, answer, key="day.leads").summary == "the answer.day has no leads"
    assert look(monkeypatch, None, key="day").status == "unknown"


def test_a_site_that_cannot_be_asked_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise Unmeasurable("WordPress cannot be asked: Uncaught Error: Class not found")

    monkeypatch.setattr(kind.probe, "evaluate", down)
    (check,) = checks_of(kind, targets=[{"expression": "kpis()"}], path="/w")
    assert (check.status, check.target) == ("unknown", "kpis()")
    assert "Class not found" in check.summary


@pytest.mark.parametrize("target", [{"expression": "kpis()"}, {"expression": "kpis();", "path": "/w"}])
def test_questions_that_cannot_be_meant_are_refused(target: dict[str, str]) -> None:
    with pytest.raises(BadOption):
        checks_of(kind, targets=[target])
