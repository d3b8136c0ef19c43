# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks whose future is known: each shape is a formula, of which the past is shown and the future is the truth."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

Shape = Callable[[float], float]
"""Days since the beginning → value in percent, without noise and spikes."""

BEGIN = dt.datetime(2026, 8, 3, tzinfo=dt.UTC)


def growing(slope: float, at: float = 40) -> Shape:
    return lambda day: at + slope * day


def sawtooth(shape: Shape, height: float) -> Shape:
    """A log that grows all day and is rotated at midnight."""
    return lambda day: shape(day) + height * (day % 1)


def weekly(shape: Shape, height: float, hours: float = 24) -> Shape:
    """A burst that begins on each Sunday at midnight and is cleaned up afterwards."""
    return lambda day: shape(day) + (height if 6 <= day % 7 < 6 + hours / 24 else 0)


def step(shape: Shape, on: float, size: float) -> Shape:
    """A clean-up (or a restore) on a day, that stays."""
    return lambda day: shape(day) + (size if day >= on else 0)


def bend(shape: Shape, on: float, more: float) -> Shape:
    """A slope that changes on a day."""
    return lambda day: shape(day) + max(0.0, day - on) * more


def samples(
    shape: Shape, *, days: int = 60, per_day: int = 4, noise: float = 0.2, spikes: int = 0, seed: int = 1
) -> list[tuple[dt.datetime, float]]:
    """What runs would have seen: evenly over the day, with noise, and on some days a spike."""
    chance = random.Random(seed)
    spiked = set(chance.sample(range(days * per_day), spikes))
    found = []
    for number in range(days * per_day):
        day = (number + 0.9) / per_day
        value = shape(day) + chance.gauss(0, noise) + (chance.uniform(10, 30) if number in spiked else 0)
        found.append((BEGIN + dt.timedelta(days=day), value))
    return found


def truth(shape: Shape, *, days: int = 60, limit: float = 100, per_day: int = 4) -> float:
    """Days from the last sample until one reaches the limit."""
    last = ((days * per_day - 1) + 0.9) / per_day
    number = days * per_day
    while shape((number + 0.9) / per_day) < limit:
        number += 1
    return (number + 0.9) / per_day - last


SUITE: dict[str, tuple[Shape, int, int]] = {
    # shape, days of history, spikes
    "line": (growing(0.3), 60, 0),
    "line, two weeks": (growing(0.5), 14, 0),
    "line, one week": (growing(1.0), 7, 0),
    "line, spikes": (growing(0.3), 60, 6),
    "daily sawtooth": (sawtooth(growing(0.25), 6), 60, 0),
    "weekly burst": (weekly(growing(0.25), 10), 60, 0),
    "weekly burst, an hour of it": (weekly(growing(0.25), 10, hours=6), 60, 0),
    "one clean-up": (step(growing(0.4, 50), 35, -25), 60, 0),
    "one clean-up last week": (step(growing(0.4, 50), 53, -25), 60, 0),
    "a step up": (step(growing(0.2), 30, 20), 60, 0),
    "two steps": (step(step(growing(0.3), 20, 15), 45, -20), 60, 0),
    "all at once": (step(weekly(sawtooth(growing(0.3, 45), 4), 9), 40, -22), 60, 5),
    "all at once, three months": (step(weekly(sawtooth(growing(0.2, 45), 4), 9), 50, -18), 90, 8),
    "growth that doubled": (bend(growing(0.2), 60, 0.3), 90, 0),
    "slow": (growing(0.05, 60), 90, 0),
}


def least_squares(points: list[tuple[dt.datetime, float]], limit: float = 100) -> float | None:
    """What a straight line through everything says, days to the limit; None for never."""
    xs = [(at - points[-1][0]).total_seconds() / 86400 for at, _value in points]
    ys = [value for _at, value in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)
    return (limit - mean_y + slope * mean_x) / slope if slope > 0 else None
