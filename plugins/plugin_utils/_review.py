# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""review: what the last days were like, as the runs of these days have seen them.

Where a target stands for several series (``of: http.latency`` of three addresses), the worst of them is judged and the
others are evidence: a review is read by people who want to know whether they have to look further.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import fnmatch
import math
import statistics
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    STATUSES,
    BadOption,
    Check,
    Unmeasurable,
    at_least,
    limits,
    number,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._past import is_id
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Sample, moment

CHECKS = {
    "review.availability": "It was there as often as promised, each time that a run looked.",
    "review.percentile": "95 % of the values stayed within their limit.",
    "review.change": "The values are no worse than in the time before.",
    "review.recurring": "No check keeps failing.",
}
TARGET: dict[str, t.Any] = {
    "of": {"type": "str", "required": True},
    "target": {"type": "str", "default": "*"},
    "worse": {"type": "str", "choices": ["higher", "lower"], "default": "higher"},
}
TUNING: dict[str, t.Any] = {
    "availability": limits(unit="%", worse="lower"),
    "percentile": limits(unit=""),
    "change": limits(unit="%", possible=(0, math.inf)),
    "recurring": limits(0, unit="checks", possible=(0, math.inf)),
    "days": {"type": "int", "default": 3},
    "window": {"type": "int", "default": 7},
    "minimum": {"type": "int", "default": 2},
}

OWN = ("review.*",)
"""What a review does not review."""

LINES = 20


@dataclasses.dataclass(frozen=True)
class Series:
    """One series: what was seen within the window, and in the time of the same length before it."""

    name: str
    recent: list[Sample]
    before: list[Sample]


def name(target: t.Mapping[str, t.Any]) -> str:
    return f"{target['of']}@{target['target']}"


def reach(target: t.Mapping[str, t.Any]) -> int:
    return 2 * int(target["window"])


def validate(target: t.Mapping[str, t.Any]) -> None:
    from ansible_collections.sre.runbooks.plugins.plugin_utils._catalogue import promises  # which reads CHECKS of here

    if not fnmatch.filter(promises(), target["of"]):
        raise BadOption(f"of: there is no check {target['of']}")
    if target["window"] < 1:
        raise BadOption(f"window: {target['window']} days are no time to look back")
    for option in ("days", "minimum"):
        if not 1 <= target[option] <= target["window"]:
            raise BadOption(f"{option}: {target[option]} is outside of the window, 1 to {target['window']} days")


def measure(target: t.Mapping[str, t.Any]) -> t.Iterator[Check]:
    series = _select(target)
    if not any(each.recent for each in series):
        raise Unmeasurable(f"no run of the last {target['window']} days had {target['of']} for {target['target']}")
    begin = min(moment(sample.at) for each in series for sample in [*each.recent, *each.before]).date()
    known = (target["now"].date() - begin).days + 1
    if known < target["minimum"]:
        for check_id in CHECKS:
            young = f"history begins on {begin}: {known} of {target['minimum']} days"
            yield Check.skipped(check_id, target["name"], young)
        return
    if is_id(target["of"]):
        yield _worst("review.availability", [_availability(target, each) for each in series], target)
        yield _worst("review.percentile", [_percentile(target, each) for each in series], target)
        yield _worst("review.change", [_change(target, each) for each in series], target)
    else:
        for check_id in ("review.availability", "review.percentile", "review.change"):
            yield Check.skipped(check_id, target["name"], "not judged over several checks at once")
    yield _recurring(target, series)


def _select(target: t.Mapping[str, t.Any]) -> list[Series]:
    past = target["past"]
    if isinstance(past, Unmeasurable):
        raise past
    begin = target["now"] - dt.timedelta(days=target["window"])
    found = []
    for (check, key), samples in sorted(past.items()):
        if not fnmatch.fnmatchcase(check, target["of"]) or any(fnmatch.fnmatchcase(check, own) for own in OWN):
            continue
        if key == target["target"] or fnmatch.fnmatchcase(key, target["target"]):
            seen = [sample for sample in samples if sample.status != "skipped"]
            recent = [sample for sample in seen if moment(sample.at) >= begin]
            before = [sample for sample in seen if moment(sample.at) < begin]
            found.append(Series(key if is_id(target["of"]) else f"{check}@{key}", recent, before))
    return found


def _worst(check_id: str, judged: t.Sequence[Check], target: t.Mapping[str, t.Any]) -> Check:
    """The most urgent of what was found in each series, with the others as evidence."""
    order = sorted(judged, key=lambda check: (-STATUSES.index(check.status), -(check.detail.get("bad") or 0)))
    worst = order[0]
    lines = [f"{check.target}: {check.summary}" for check in order[:LINES]]
    detail = {key: value for key, value in worst.detail.items() if key != "bad"}
    several = len(judged) > 1
    return dataclasses.replace(
        worst,
        id=check_id,
        target=target["name"],
        summary=f"{worst.target}: {worst.summary}" if several else worst.summary,
        detail={**detail, "each": lines} if several else detail,
    )


def _availability(target: t.Mapping[str, t.Any], series: Series) -> Check:
    """The share of looks that found it there. Looks that saw nothing may have been either: both are tried."""
    looks = collections.Counter(sample.status for sample in series.recent)
    down, blind = looks["critical"], looks["unknown"]
    fine = len(series.recent) - down - blind
    if not fine + down:
        return Check.unknown("", series.name, f"none of {_plural(len(series.recent), 'look')} could tell")
    seen, least = 100 * fine / (fine + down), 100 * fine / len(series.recent)
    saw_nothing = f", {blind} more saw nothing" if blind else ""
    summary = f"was there in {fine} of {_plural(fine + down, 'look')}, {number(seen)} %{saw_nothing}"
    detail = {"fine": fine, "down": down, "blind": blind, "bad": 100 - least}
    check = Check.judge("", series.name, round(seen, 3), target["availability"], summary, **detail)
    if Check.judge("", series.name, least, target["availability"], "").status != check.status:
        return Check.unknown(
            "", series.name, f"{summary}: anything from {number(least)} % to {number(seen)} %", **detail
        )
    return check


def _percentile(target: t.Mapping[str, t.Any], series: Series) -> Check:
    values = _values(series.recent)
    if not values:
        return _without_values(series)
    p50, p95, p99 = (_at_share(values, share) for share in (0.50, 0.95, 0.99))
    unit = _unit(series)
    summary = (
        f"95 % of {_plural(len(values), 'value')} up to {number(p95)} {unit}, half of them up to {number(p50)} {unit}"
    )
    if target["worse"] == "lower":
        p50, p95, p99 = (_at_share(values, share) for share in (0.50, 0.05, 0.01))
        summary = f"95 % of {_plural(len(values), 'value')} from {number(p95)} {unit} on, half of them from {number(p50)} {unit}"
    towards = p95 if target["worse"] == "higher" else -p95
    detail = {"p50": p50, "p95": p95, "p99": p99, "n": len(values), "bad": towards}
    judged = Check.judge(
        "", series.name, p95, dataclasses.replace(target["percentile"], worse=target["worse"]), summary, **detail
    )
    return dataclasses.replace(judged, unit=unit)


def _change(target: t.Mapping[str, t.Any], series: Series) -> Check:
    values, earlier = _values(series.recent), _values(series.before)
    if not values:
        return _without_values(series)
    if not earlier:
        return Check.skipped("", series.name, f"there is no value of the {target['window']} days before")
    now, then, unit = statistics.median(values), statistics.median(earlier), _unit(series)
    said = f"{number(now)} {unit} in the middle, {number(then)} {unit} in the {target['window']} days before"
    if not then:
        return Check.skipped("", series.name, f"{said}: no share of nothing can be told")
    percent = 100 * (now - then) / abs(then)
    direction = (
        "as before" if not round(percent, 1) else f"{number(abs(percent))} % {'more' if percent > 0 else 'less'}"
    )
    towards = round(percent if target["worse"] == "higher" else -percent, 2)
    detail = {"median": now, "before": then, "n": len(values), "n_before": len(earlier), "bad": towards}
    return Check.judge("", series.name, towards, target["change"], f"{said}: {direction}", **detail)


def _recurring(target: t.Mapping[str, t.Any], series: t.Sequence[Series]) -> Check:
    """How many checks were not fine on so many days that it is no accident."""
    found = []
    for each in series:
        bad = [sample for sample in each.recent if at_least(sample.status, "warning")]
        days = {moment(sample.at).date() for sample in bad}
        if len(days) >= target["days"]:
            found.append((len(days), each.name, max(bad, key=lambda sample: sample.at)))
    found.sort(key=lambda item: (-item[0], item[1]))
    lines = [f"{key}: {days} days, {last.status} on {moment(last.at).date()}" for days, key, last in found]
    if not found:
        summary = f"nothing was found on {target['days']} days or more of the last {target['window']}"
    else:
        first = f"{found[0][1]} on {found[0][0]} days"
        summary = (
            f"{_plural(len(found), 'check')} found on {target['days']} days or more of the last {target['window']}: "
        )
        summary += first + (f", and {len(found) - 1} more" if len(found) > 1 else "")
    return Check.judge(
        "review.recurring", target["name"], float(len(found)), target["recurring"], summary, each=lines[:LINES]
    )


def _values(samples: t.Iterable[Sample]) -> list[float]:
    return sorted(sample.value for sample in samples if sample.value is not None)


def _unit(series: Series) -> str:
    return next((sample.unit for sample in reversed(series.recent) if sample.unit), "")


def _at_share(ordered: t.Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed: one of them, none in between."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _without_values(series: Series) -> Check:
    if series.recent:
        return Check.unknown("", series.name, f"none of {_plural(len(series.recent), 'look')} brought a value")
    return Check.skipped("", series.name, "there was none any more")


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
