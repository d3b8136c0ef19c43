# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""trend: what is judged of the past of other checks.

A kind like those of ``module_utils/_checks``, but of the controller, where history is. Whoever plans its jobs puts the
past into each target, see ``_past.py``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import fnmatch
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    BadOption,
    Check,
    Unmeasurable,
    limits,
    number,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils import _forecast
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Sample, moment

CHECKS = {
    "trend.exhaustion": "The value will not reach its limit soon.",
    "trend.growth": "The value gets worse no faster than planned.",
    "trend.deviation": "The value is what its past lets expect.",
}
TARGET: dict[str, t.Any] = {
    "of": {"type": "str", "required": True},
    "target": {"type": "str", "default": "*"},
    "reaches": {"type": "float"},
    "worse": {"type": "str", "choices": ["higher", "lower"], "default": "higher"},
}
TUNING: dict[str, t.Any] = {
    "days": limits(30, 7, unit="d", worse="lower", possible=(0, float("inf"))),
    "growth": limits(unit=""),
    "deviation": limits(unit="times", possible=(0, float("inf"))),
    "window": {"type": "int", "default": 90},
    "minimum": {"type": "int", "default": 7},
}

FAR_AWAY = 3650
"""Days beyond which no date is told: nobody believes it."""


def name(target: t.Mapping[str, t.Any]) -> str:
    return f"{target['of']}@{target['target']}"


def reach(target: t.Mapping[str, t.Any]) -> int:
    return int(target["window"])


def validate(target: t.Mapping[str, t.Any]) -> None:
    from ansible_collections.sre.runbooks.plugins.plugin_utils._catalogue import promises  # which reads CHECKS of here

    if target["of"] not in promises():
        raise BadOption(f"of: there is no check {target['of']}")
    if target["minimum"] < 2:
        raise BadOption(f"minimum: {target['minimum']} days show no trend, give at least 2")
    if target["window"] < target["minimum"]:
        raise BadOption(f"window: {target['window']} days cannot hold the minimum of {target['minimum']}")


def expand(target: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """One target for each series that the pattern matches; a series that has ended counts only if there is no other."""
    past = target["past"]
    if isinstance(past, Unmeasurable):
        raise past
    matching = {
        key: samples
        for (_check, key), samples in past.items()
        if key == target["target"] or fnmatch.fnmatchcase(key, target["target"])
    }
    if not matching:
        raise Unmeasurable(f"there is no {target['of']} for {target['target']} of this host, in history or in this run")
    lasting = {key: samples for key, samples in matching.items() if not _ended(samples, target)}
    return [{**target, "target": key, "samples": samples} for key, samples in sorted((lasting or matching).items())]


def _ended(samples: t.Sequence[Sample], target: t.Mapping[str, t.Any]) -> bool:
    return bool(target["now"] - moment(samples[-1].at) > dt.timedelta(days=target["minimum"]))


def measure(target: t.Mapping[str, t.Any]) -> t.Iterator[Check]:
    samples, minimum, now = target["samples"], target["minimum"], target["now"]
    begin = moment(samples[0].at).date()
    known = (now.date() - begin).days + 1
    if known < minimum or samples[-1].status == "skipped":
        young = f"history begins on {begin}: {known} of {minimum} days"
        for check_id in CHECKS:
            yield Check.skipped(check_id, target["name"], young if known < minimum else f"{target['of']} was skipped")
        return
    values = [(moment(sample.at), sample.value) for sample in samples if sample.value is not None]
    if not values or _ended([sample for sample in samples if sample.value is not None], target):
        last = values[-1][0].date() if values else "none at all"
        raise Unmeasurable(f"there is no value of the last {minimum} days, the last one is {last}")
    try:
        forecast = _forecast.forecast(values, worse=target["worse"], minimum=minimum)
    except _forecast.TooFew as exc:
        raise Unmeasurable(f"there are too few values since {begin}: {exc}") from None
    unit = next((sample.unit for sample in reversed(samples) if sample.unit), "")
    yield _exhaustion(target, forecast, unit)
    yield _growth(target, forecast, unit)
    yield _deviation(target, forecast, unit)


def _exhaustion(target: t.Mapping[str, t.Any], forecast: _forecast.Forecast, unit: str) -> Check:
    if target["reaches"] is None:
        return Check.skipped("trend.exhaustion", target["name"], "no limit to reach was given")
    limit = target["reaches"]
    movement = _movement(forecast, unit)
    detail = {**_evidence(forecast), "milestones": _milestones(target, forecast)}
    days = forecast.days_to(limit)
    if days is None:
        judged: Check = Check(
            "trend.exhaustion", target["name"], "ok", f"{movement}: never {_with(limit, unit)} that way"
        )
        wanted = target["days"]
        return dataclasses.replace(judged, unit="d", warning=wanted.warning, critical=wanted.critical, detail=detail)
    if days.likely == 0:
        summary = f"{_with(limit, unit)} has been reached"
    elif days.likely > FAR_AWAY:
        summary = f"{movement}: {_with(limit, unit)} is more than ten years away"
    else:
        latest = "never" if days.latest is None or days.latest > FAR_AWAY else number(round(days.latest))
        on = (target["now"] + dt.timedelta(days=days.likely)).date()
        summary = (
            f"{movement}: {_with(limit, unit)} in {days.likely:.0f} days, on {on} "
            f"({number(round(days.earliest))} to {latest} days)"
        )
    return Check.judge("trend.exhaustion", target["name"], round(days.likely, 1), target["days"], summary, **detail)


def _growth(target: t.Mapping[str, t.Any], forecast: _forecast.Forecast, unit: str) -> Check:
    if not target["growth"]:
        return Check.skipped("trend.growth", target["name"], "no limit of growth was given")
    towards = forecast.slope if target["worse"] == "higher" else -forecast.slope
    summary = f"{_movement(forecast, unit)} ({number(forecast.low)} to {number(forecast.high)})"
    check = Check.judge("trend.growth", target["name"], towards, target["growth"], summary, **_evidence(forecast))
    return dataclasses.replace(check, unit=f"{unit}/d")


def _deviation(target: t.Mapping[str, t.Any], forecast: _forecast.Forecast, unit: str) -> Check:
    if not target["deviation"]:
        return Check.skipped("trend.deviation", target["name"], "no limit of deviation was given")
    times = round(min(forecast.deviation, 1000.0), 1)
    summary = (
        f"{_with(forecast.newest, unit)}, where {_with(forecast.expected, unit)} was to be expected: "
        f"{number(times)} times its usual scatter away"
    )
    return Check.judge("trend.deviation", target["name"], times, target["deviation"], summary, **_evidence(forecast))


def _movement(forecast: _forecast.Forecast, unit: str) -> str:
    if forecast.direction == "flat":
        return "neither grows nor shrinks"
    verb = "grows" if forecast.direction == "growing" else "shrinks"
    return f"{verb} by {_with(abs(forecast.slope), unit)} a day"


def _with(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()


def _evidence(forecast: _forecast.Forecast) -> dict[str, t.Any]:
    step = {"day": forecast.step.day.isoformat(), "size": forecast.step.size} if forecast.step else None
    return {
        "per_day": forecast.slope,
        "per_day_between": [forecast.low, forecast.high],
        "level": forecast.level,
        "days_seen": forecast.days,
        "last_step": step,
    }


def _milestones(target: t.Mapping[str, t.Any], forecast: _forecast.Forecast) -> list[dict[str, t.Any]]:
    """When 80, 90 and 100 % of the limit are reached; where lower is worse, only the limit itself is one."""
    shares = (0.8, 0.9, 1.0) if target["worse"] == "higher" else (1.0,)
    found = []
    for share in shares:
        at = round(share * target["reaches"], 6)
        days = forecast.days_to(at)
        soon = days is not None and days.likely <= FAR_AWAY
        on = (target["now"] + dt.timedelta(days=days.likely)).date().isoformat() if days and soon else None
        found.append({"value": at, "days": round(days.likely, 1) if days and soon else None, "date": on})
    return found
