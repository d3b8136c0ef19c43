# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How a value develops, and when it will reach a limit.

A straight line through everything that was measured is wrong wherever somebody cleaned up, a weekly job fills the disk
for an hour, or a log grows all day and is rotated at night. So:

1. Each day counts once, with its worst value: the peak is what fills a disk.
2. Steps are found (a clean-up, a restore) by comparing the week before with the week after.
3. The slope is the median of the slopes between pairs of days (Theil and Sen): days of one segment between two steps,
   and the same day of the week, so that neither steps nor the rhythm of the week pass for growth. If it is clearly
   another one in the last weeks, that one counts.
4. The level is where the line of the last segment stands today, with what the usual peaks add to it; a newest value far
   below the usual ones is believed at once, one far above them when it is seen twice.

Pure Python, no clock. Days are those of UTC.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import datetime as dt
import itertools
import math
import statistics
import typing as t

WEEK = 7
RECENT = 28
"""Days in which a new slope shows itself, and from which the usual peaks are taken."""

_AFTER = 3  # days that have to follow a step before it counts as one
_Z = 1.645  # of an interval of 90 %
_FAR = 4.0  # times the usual scatter


class TooFew(Exception):
    """There are values on too few days to say anything."""


class Days(t.NamedTuple):
    """How long it will take: what is likely, and the ends of the interval of 90 %; ``latest`` is None for never."""

    likely: float
    earliest: float
    latest: float | None


class Step(t.NamedTuple):
    """A jump from one day to the next, that stayed."""

    day: dt.date
    size: float


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What the past lets expect. All values as measured, per day where they are slopes.

    ``slope`` with its interval ``low`` to ``high``; ``level`` is the worst usual value of today; ``expected`` is what
    today's value should be near to, and ``scatter`` how far values usually are from that; ``step`` is the last one.
    """

    slope: float
    low: float
    high: float
    level: float
    expected: float
    scatter: float
    newest: float
    days: int
    step: Step | None
    worse: str

    @property
    def direction(self) -> str:
        """``growing``, ``shrinking``, or ``flat`` when no movement stands out of the scatter."""
        if self.low > 0:
            return "growing"
        return "shrinking" if self.high < 0 else "flat"

    @property
    def deviation(self) -> float:
        """How many times farther than usual the newest value is from what was to be expected."""
        return abs(self.newest - self.expected) / self.scatter if self.scatter else 0.0

    def days_to(self, limit: float) -> Days | None:
        """How long until the value is there, 0 if it is; None if it does not move that way."""
        sign = 1 if self.worse == "higher" else -1
        slow, fast = sorted((sign * self.low, sign * self.high))
        gap = sign * (limit - self.level)
        if gap <= 0:
            return Days(0, 0, 0)
        if slow <= 0:
            return None
        return Days(gap / (sign * self.slope), gap / fast, gap / slow)


def forecast(samples: t.Iterable[tuple[dt.datetime, float]], *, worse: str = "higher", minimum: int = WEEK) -> Forecast:
    """Look at samples in any order. ``worse`` is the direction that matters, ``higher`` or ``lower``.

    Raises :class:`TooFew` for values on fewer days than ``minimum``.
    """
    sign = 1 if worse == "higher" else -1
    ordered = sorted((at.astimezone(dt.UTC), sign * value) for at, value in samples)
    series = _daily(ordered)
    if len(series) < max(minimum, 2):
        raise TooFew(f"{len(series)} of {max(minimum, 2)} days")
    breaks = _breaks(series)
    slope, low, high = _slope(series, breaks)
    bases = _bases(series, breaks, slope)
    starts = [series[at][0] for at in breaks]

    def off(day: int, value: float) -> float:
        """How far a value lies off the line of its own segment."""
        return value - slope * day - bases[bisect.bisect_right(starts, day)]

    today, newest = _number(ordered[-1][0]), ordered[-1][1]
    recent = [(_number(at), off(_number(at), value)) for at, value in ordered if today - _number(at) < RECENT]
    usual = recent[:-2] or recent
    scatter = max(1.4826 * _mad([value for _day, value in usual]), 1e-9 * max(1.0, abs(newest)))
    same_weekday = [value for day, value in usual if (day - today) % WEEK == 0]
    center = statistics.median(same_weekday if len(same_weekday) >= 3 else [value for _day, value in usual])
    line = bases[-1] + slope * today
    peaks = [(day, off(day, value)) for day, value in series if today - day < RECENT]
    level = line + (_beyond(recent[-2:], usual, scatter) or _usual_peak(peaks))
    step = None
    if breaks:
        step = Step(dt.date.fromordinal(starts[-1]), sign * (bases[-1] - bases[-2]))
    low, high = sorted((sign * low, sign * high))
    return Forecast(
        slope=sign * slope,
        low=low,
        high=high,
        level=sign * level,
        expected=sign * (line + center),
        scatter=scatter,
        newest=sign * newest,
        days=len(series),
        step=step,
        worse=worse,
    )


def _bases(series: _Series, breaks: t.Sequence[int], slope: float) -> list[float]:
    """Where the line of each segment stands on day 0."""
    ends = [0, *breaks, len(series)]
    parts = [series[start:end] for start, end in itertools.pairwise(ends)]
    return [statistics.median(value - slope * day for day, value in part[-RECENT:]) for part in parts]


def _beyond(newest: _Series, usual: _Series, scatter: float) -> float:
    """How far the newest values have left what is usual, 0 if they have not.

    One is enough for better, because somebody has just cleaned up; for worse it takes two, because one is a spike.
    """
    values = [value for _day, value in usual]
    lowest, highest = min(values) - _FAR * scatter, max(values) + _FAR * scatter
    last, both = newest[-1][1], min(value for _day, value in newest)
    if last < lowest:
        return last
    return both if both > highest else 0.0


def _usual_peak(off: _Series) -> float:
    """What the rhythm adds to the line: the worst day of the week, or the worst of ten days where weeks are few."""
    weekdays: dict[int, list[float]] = collections.defaultdict(list)
    for day, value in off:
        weekdays[day % WEEK].append(value)
    if len(weekdays) == WEEK and all(len(values) >= 3 for values in weekdays.values()):
        return max(0.0, *(statistics.median_low(values) for values in weekdays.values()))
    return max(0.0, sorted(value for _day, value in off)[math.ceil(0.9 * len(off)) - 1])


_Series = list[tuple[int, float]]
"""Number of the day → its worst value, turned so that higher is worse."""


def _number(at: dt.datetime) -> int:
    return at.date().toordinal()


def _daily(ordered: t.Iterable[tuple[dt.datetime, float]]) -> _Series:
    days: dict[int, float] = {}
    for at, value in ordered:
        days[_number(at)] = max(value, days.get(_number(at), -math.inf))
    return sorted(days.items())


def _jump(series: _Series, at: int, slope: float) -> float:
    """How much higher the values from a position on are than those before it, beyond what growth explains."""
    before, after = series[max(0, at - WEEK) : at], series[at : at + WEEK]
    here = series[at][0]
    levels = (statistics.median(value - slope * (day - here) for day, value in part) for part in (after, before))
    return next(levels) - next(levels)


def _breaks(series: _Series) -> list[int]:
    """The positions at which a new segment begins."""
    if len(series) < 2 * _AFTER + 1:
        return []
    slope = _rough_slope(series)
    jumps = {at: _jump(series, at, slope) for at in range(_AFTER, len(series) - _AFTER + 1)}
    spread = max(value for _day, value in series) - min(value for _day, value in series)
    center = statistics.median(jumps.values())
    far = max(5 * 1.4826 * _mad(list(jumps.values())), 3 * _noise(series, slope), 0.02 * spread)
    found: list[int] = []
    candidates = sorted(jumps, key=lambda at: -abs(jumps[at] - center))
    for at in candidates:
        if abs(jumps[at] - center) <= far or far == 0:
            break
        edge = _edge(series, at, jumps, far)
        local = _slope_beside(series, edge)  # where growth changes, every day looks like a step to the overall slope
        real = abs(_jump(series, edge, local)) > far and _stays(series, edge, local)
        if real and all(abs(edge - other) >= _AFTER for other in found):
            found.append(edge)
    return sorted(found)


def _stays(series: _Series, at: int, slope: float) -> bool:
    """Whether nearly all days on either side are nearer to their own side: a few spikes are no step."""
    here = series[at][0]
    before = [value - slope * (day - here) for day, value in series[max(0, at - WEEK) : at]]
    after = [value - slope * (day - here) for day, value in series[at : at + WEEK]]
    middle = (statistics.median(before) + statistics.median(after)) / 2
    low, high = sorted((before, after), key=statistics.median)
    return all(
        sum(right) > 0.7 * len(right)
        for right in ([value < middle for value in low], [value > middle for value in high])
    )


def _edge(series: _Series, at: int, jumps: dict[int, float], far: float) -> int:
    """The day of the step: around a step several positions look like one, the largest change among them is it."""
    up = jumps[at] > 0
    around = [other for other in range(at - _AFTER, at + _AFTER + 1) if other in jumps and abs(jumps[other]) > far / 2]
    changes = {other: series[other][1] - series[other - 1][1] for other in around}
    return max(changes, key=lambda other: changes[other] if up else -changes[other])


def _rough_slope(series: _Series) -> float:
    """A slope that single steps do not disturb, from days a week apart, or neighbours where there are few."""
    values = dict(series)
    week = [(value - values[day - WEEK]) / WEEK for day, value in series if day - WEEK in values]
    if len(week) >= 2 * WEEK:
        return statistics.median(week)
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(series))


def _slope_beside(series: _Series, at: int) -> float:
    """The slope in the two weeks on either side of a position, not across it."""
    sides = series[max(0, at - 2 * WEEK) : at], series[at : at + 2 * WEEK]
    pairs = (pair for side in sides for pair in itertools.combinations(side, 2))
    return statistics.median((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs)


def _noise(series: _Series, slope: float) -> float:
    """The usual scatter from one day to the next."""
    changes = [b[1] - a[1] - slope * (b[0] - a[0]) for a, b in itertools.pairwise(series)]
    return 1.4826 * statistics.median(abs(change) for change in changes) / math.sqrt(2)


def _slope(series: _Series, breaks: t.Sequence[int]) -> tuple[float, float, float]:
    """Slope per day and its interval; that of the last weeks where it is clearly another one."""
    whole = _theil_sen(series, breaks)
    begin = bisect.bisect_left(series, (series[-1][0] - RECENT + 1, -math.inf))
    recent, later = series[begin:], [at - begin for at in breaks if at > begin]
    if len(recent) < 2 * WEEK or len(recent) == len(series):
        return whole
    late = _theil_sen(recent, later)
    return late if late[1] > whole[2] or late[2] < whole[1] else whole


def _theil_sen(series: _Series, breaks: t.Sequence[int]) -> tuple[float, float, float]:
    """The median of the slopes between pairs of days, with the interval that Kendall's statistic gives."""
    groups = _groups(series, breaks, WEEK)
    if sum(len(group) * (len(group) - 1) // 2 for group in groups) < 3 * WEEK:
        groups = _groups(series, breaks, 1)
    pairs = (pair for group in groups for pair in itertools.combinations(group, 2))
    slopes = sorted((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs)
    variance = sum(len(group) * (len(group) - 1) * (2 * len(group) + 5) / 18 for group in groups)
    reach = _Z * math.sqrt(variance)
    low = max(0, math.floor((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return statistics.median(slopes), slopes[low], slopes[high]


def _groups(series: _Series, breaks: t.Sequence[int], phases: int) -> list[_Series]:
    """Days that may be compared: of one segment, and with 7 phases of one day of the week."""
    groups: dict[tuple[int, int], _Series] = collections.defaultdict(list)
    for position, point in enumerate(series):
        groups[bisect.bisect_right(breaks, position), point[0] % phases].append(point)
    return list(groups.values())


def _mad(values: t.Sequence[float]) -> float:
    center = statistics.median(values)
    return statistics.median(abs(value - center) for value in values)
