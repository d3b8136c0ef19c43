# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forecasts of disks whose future is known."""

from __future__ import annotations

import datetime as dt
import statistics

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._forecast import Days, Forecast, TooFew, forecast
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils import growth
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.growth import SUITE, growing, samples, truth


def likely(found: Forecast, limit: float = 100) -> float:
    days = found.days_to(limit)
    assert days is not None
    return days.likely


def error(name: str, seed: int) -> float:
    shape, days, spikes = SUITE[name]
    known = truth(shape, days=days)
    return abs(likely(forecast(samples(shape, days=days, spikes=spikes, seed=seed))) - known) / known


def test_the_median_error_of_the_suite_is_at_most_a_tenth() -> None:
    assert statistics.median(error(name, seed) for name in SUITE for seed in range(5)) <= 0.10


@pytest.mark.parametrize("name", SUITE)
def test_the_median_error_of_each_shape_is_at_most_a_tenth(name: str) -> None:
    assert statistics.median(error(name, seed) for seed in range(9)) <= 0.10


@pytest.mark.parametrize("name", SUITE)
def test_the_interval_holds_the_likely_day_and_mostly_the_true_one(name: str) -> None:
    shape, days, spikes = SUITE[name]
    known, held = truth(shape, days=days), 0
    for seed in range(9):
        found = forecast(samples(shape, days=days, spikes=spikes, seed=seed)).days_to(100)
        assert found is not None
        assert found.earliest <= found.likely
        assert found.latest is None or found.likely <= found.latest
        held += found.earliest * 0.9 <= known <= (found.latest or known) * 1.1
    assert held >= 6


FLAT = {
    "flat": growing(0),
    "flat, daily sawtooth": growth.sawtooth(growing(0), 20),
    "flat, weekly burst": growth.weekly(growing(0), 30),
    "flat after a step up": growth.step(growing(0), 40, 30),
    "flat after a clean-up": growth.step(growing(0), 20, -30),
    "rotated each week": lambda day: 40 + 3 * (day % 7),
}


@pytest.mark.parametrize("name", FLAT)
def test_what_does_not_grow_never_gets_there_soon(name: str) -> None:
    """A slope that is chance may be seen in one case of ten; it must be next to nothing."""
    found = [forecast(samples(FLAT[name], seed=seed)) for seed in range(10)]
    assert sum(each.direction == "flat" for each in found) >= 7
    assert all(abs(each.slope) < 0.02 for each in found)
    assert all(days is None or days.likely > 1000 for days in (each.days_to(100) for each in found))


def test_a_value_that_never_moves_is_flat_without_scatter() -> None:
    found = forecast(samples(growing(0), noise=0))
    assert (found.direction, found.slope, found.level, found.step) == ("flat", 0, 40, None)
    assert found.days_to(100) is None
    assert found.deviation == 0


@pytest.mark.parametrize(
    "shape", [growing(-0.3, 80), growth.weekly(growing(-0.3, 80), 10)], ids=["line", "weekly burst"]
)
def test_what_shrinks_is_said_to_shrink(shape: growth.Shape) -> None:
    found = forecast(samples(shape))
    assert found.direction == "shrinking"
    assert found.days_to(100) is None
    assert found.slope == pytest.approx(-0.3, rel=0.1)


def test_what_is_there_already_takes_no_time() -> None:
    assert forecast(samples(growing(1, 45))).days_to(100) == Days(0, 0, 0)


def test_what_falls_towards_zero_is_forecast_just_as_well() -> None:
    free = [(at, 100 - value) for at, value in samples(growing(0.3))]
    found = forecast(free, worse="lower")
    assert found.direction == "shrinking"
    assert likely(found, 0) == pytest.approx(truth(growing(0.3)), rel=0.05)
    assert found.low <= found.slope <= found.high < 0


def test_the_day_and_the_size_of_the_last_step_are_told() -> None:
    found = forecast(samples(growth.step(growth.step(growing(0.3), 20, 15), 45, -20)))
    assert found.step is not None
    assert found.step.day == (growth.BEGIN + dt.timedelta(days=45)).date()
    assert found.step.size == pytest.approx(-20, abs=1)
    assert forecast(samples(growing(0.3), spikes=5)).step is None
    assert forecast(samples(growth.weekly(growing(0.3), 20))).step is None


def test_a_clean_up_of_this_hour_is_believed_at_once() -> None:
    points = samples(growing(0.5, 60))
    before = likely(forecast(points))
    cleaned = [*points, (points[-1][0] + dt.timedelta(hours=1), 30.0)]
    assert before == pytest.approx(21, abs=2)
    assert likely(forecast(cleaned)) == pytest.approx(140, abs=3)


def test_a_rise_is_believed_when_it_is_seen_twice() -> None:
    points = samples(growing(0.5, 40))
    once = [*points, (points[-1][0] + dt.timedelta(hours=1), 95.0)]
    twice = [*once, (points[-1][0] + dt.timedelta(hours=2), 96.0)]
    assert likely(forecast(once)) == pytest.approx(likely(forecast(points)), rel=0.05)
    assert likely(forecast(twice)) == pytest.approx(10, abs=1)


def test_a_value_out_of_the_ordinary_is_seen() -> None:
    points = samples(growing(0.3))
    odd = [*points, (points[-1][0] + dt.timedelta(hours=1), points[-1][1] + 5)]
    assert forecast(points).deviation < 5
    assert forecast(odd).deviation > 15


def test_the_usual_burst_of_a_weekday_is_nothing_out_of_the_ordinary() -> None:
    on_the_day = samples(growth.weekly(growing(0.1), 20), days=63)  # ends with the burst
    moved = [*on_the_day[:-1], (on_the_day[-1][0] + dt.timedelta(days=2), on_the_day[-1][1])]
    assert forecast(on_the_day).deviation < 5
    assert forecast(moved).deviation > 15


@pytest.mark.parametrize("days", [0, 1, 3, 6])
def test_too_few_days_are_told(days: int) -> None:
    with pytest.raises(TooFew, match=f"{days} of 7 days"):
        forecast(samples(growing(1), days=days))


def test_gaps_and_one_run_a_week_are_enough() -> None:
    shape = growing(0.3)
    every = samples(shape, days=90, per_day=1)
    assert likely(forecast(every[::7])) == pytest.approx(truth(shape, days=90, per_day=1), rel=0.15)
    assert likely(forecast(every[:30] + every[60:])) == pytest.approx(truth(shape, days=90, per_day=1), rel=0.1)


def test_whole_percents_are_enough() -> None:
    shape = growing(0.3)
    rounded = [(at, float(round(value))) for at, value in samples(shape)]
    assert likely(forecast(rounded)) == pytest.approx(truth(shape), rel=0.1)


def test_the_order_of_samples_and_their_time_zone_do_not_matter() -> None:
    points = samples(growing(0.3))
    elsewhere = [(at.astimezone(dt.timezone(dt.timedelta(hours=9))), value) for at, value in reversed(points)]
    assert forecast(elsewhere) == forecast(points)
