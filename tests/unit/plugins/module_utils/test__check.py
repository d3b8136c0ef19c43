# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract: limits on, inside and outside of each bound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    STATUSES,
    BadOption,
    Check,
    Limits,
    Unmeasurable,
    at_least,
    each_alone,
    interval,
    limits,
    number,
    worst,
)

NEXT = 1e-9


@pytest.mark.parametrize(
    ("text", "worse", "fine"),
    [
        ("20", "higher", (-math.inf, 20)),
        ("20", "lower", (20, math.inf)),
        ("10..20", "higher", (10, 20)),
        ("10..20", "lower", (10, 20)),
        ("50..500", "higher", (50, 500)),
        ("..20", "lower", (-math.inf, 20)),
        ("10..", "higher", (10, math.inf)),
        ("-5..-1", "higher", (-5, -1)),
        ("-5", "lower", (-5, math.inf)),
        ("0.25..1.75", "higher", (0.25, 1.75)),
        (".5...75", "higher", (0.5, 0.75)),
        ("1e3..2e3", "higher", (1000, 2000)),
        ("+3", "higher", (-math.inf, 3)),
        (" 7 ", "higher", (-math.inf, 7)),
        ("5..5", "higher", (5, 5)),
        (None, "higher", (-math.inf, math.inf)),
    ],
)
def test_a_limit_names_what_is_fine(text: str | None, worse: str, fine: tuple[float, float]) -> None:
    assert interval(text, worse) == fine


@pytest.mark.parametrize(
    "text",
    ["", "..", "ten", "10:20", "10-20", "@10:20", "~:5", "80%", "1,5", "5.", "1..2..3", "1...", "nan", "inf", "0x10"],
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(BadOption):
        interval(text, "higher")


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(BadOption, match="names no value at all"):
        interval("20..10", "higher")


@given(some.floats(-1e9, 1e9), some.floats(-1e9, 1e9))
def test_any_two_numbers_make_the_range_they_name(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert interval(f"{low!r}..{high!r}", "higher") == (low, high)


@pytest.mark.parametrize(
    ("pair", "worse", "values"),
    [
        (("80", "95"), "higher", {-1e9: "ok", 80: "ok", 80 + NEXT: "warning", 95: "warning", 95 + NEXT: "critical"}),
        (("21", "7"), "lower", {1e9: "ok", 21: "ok", 21 - NEXT: "warning", 7: "warning", 7 - NEXT: "critical"}),
        (
            ("10..20", "5..30"),
            "higher",
            {
                4: "critical",
                5: "warning",
                9: "warning",
                10: "ok",
                20: "ok",
                21: "warning",
                30: "warning",
                31: "critical",
            },
        ),
        ((None, "3"), "higher", {3: "ok", 4: "critical"}),
        (("3", None), "higher", {3: "ok", 4: "warning", 1e12: "warning"}),
        ((None, None), "higher", {-1e12: "ok", 1e12: "ok"}),
    ],
)
def test_the_bounds_themselves_are_fine(
    pair: tuple[str | None, str | None], worse: str, values: dict[float, str]
) -> None:
    given = limits(unit="x", worse=worse).read(dict(zip(("warning", "critical"), pair, strict=True)))
    assert {value: given.status(value) for value in values} == values


@pytest.mark.parametrize(
    ("pair", "worse", "complaint"),
    [
        ((95, 80), "higher", "beyond critical"),
        ((7, 21), "lower", "beyond critical"),
        (("5..20", "10..30"), "higher", "beyond critical"),
        ((10, "20:30"), "higher", "ranges are written low..high"),
        ((620, None), "higher", "YAML reads 10:20 as 620"),
        ((-1, None), "higher", "outside of what can occur"),
    ],
)
def test_a_pair_that_cannot_be_meant_is_refused(pair: tuple[Any, Any], worse: str, complaint: str) -> None:
    with pytest.raises(BadOption, match=complaint):
        limits(unit="%", worse=worse).read(dict(zip(("warning", "critical"), pair, strict=True)))


def test_a_refusal_can_name_bounds_that_are_open() -> None:
    with pytest.raises(BadOption, match="0 to inf h"):
        limits(unit="h", possible=(0, math.inf)).read({"warning": "-3", "critical": None})


@pytest.mark.parametrize("off", [None, "", "never"])
def test_a_default_limit_can_be_switched_off(off: str | None) -> None:
    given = limits(80, 90, unit="%").read({"warning": off, "critical": off})
    assert not given
    assert given.status(100) == "ok"


def test_a_record_keeps_the_limits_as_they_were_written() -> None:
    check = Check.judge("a.b", "x", 5, Limits("1..9", "0..10", "h"), "five")
    assert (check.warning, check.critical, check.unit) == ("1..9", "0..10", "h")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "5", True])
def test_a_value_that_is_no_number_is_unknown(value: Any) -> None:
    assert Check.judge("a.b", "x", value, Limits("1", "2"), "so and so").status == "unknown"


def test_unknown_outranks_warning_and_only_critical_outranks_it() -> None:
    assert worst(STATUSES) == "critical"
    assert worst(["ok", "warning", "unknown"]) == "unknown"
    assert worst([]) == "skipped"
    assert [status for status in STATUSES if at_least(status, "warning")] == ["warning", "unknown", "critical"]
    assert not any(at_least(status, "never") for status in STATUSES)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (0.25, "0.25"),
        (1234.56, "1235"),
        (1e-7, "1e-07"),
        (2e15, "2000000000000000"),
        (math.inf, "inf"),
    ],
)
def test_a_number_is_written_as_people_do(value: float, text: str) -> None:
    assert number(value) == text


def test_a_look_that_cannot_be_taken_leaves_the_others_alone() -> None:
    def broken_off(_target: dict[str, Any]) -> Iterator[Check]:
        yield Check.expect("a.one", "x", True, "fine")
        raise Unmeasurable("no answer")

    def well(_target: dict[str, Any]) -> Iterator[Check]:
        yield Check.expect("b.one", "x", True, "fine")

    found = list(each_alone({("a.one", "a.two", "a.three"): broken_off, ("b.one",): well}, {"name": "x"}))
    assert [(check.id, check.status) for check in found] == [
        ("a.one", "ok"),
        ("a.two", "unknown"),
        ("a.three", "skipped"),
        ("b.one", "ok"),
    ]
    assert found[2].detail == {"blocked_by": "a.two"}
