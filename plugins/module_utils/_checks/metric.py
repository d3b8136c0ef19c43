# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Values that somebody else has measured: in JSON, in Prometheus, on an exposition page.

The number is the promise here, not the way to it. A source that does not answer, an answer that holds nothing, null, text
where a number belongs: all of it is unknown, for each value that was asked for.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    STATUSES,
    BadOption,
    Check,
    LimitsSpec,
    Unmeasurable,
    limits,
)
from ansible_collections.sre.runbooks.plugins.module_utils._probe import metrics as probe
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact
from ansible_collections.sre.runbooks.plugins.module_utils._request import OPTIONS, check_request, check_url

CHECKS = {"metric.value": "The value is known and within its limits."}

LIMITS: LimitsSpec = limits(unit="")
TARGET: dict[str, t.Any] = {
    "url": {"type": "str"},
    "file": {"type": "path"},
    "data": {"type": "raw"},
    "format": {"type": "str", "choices": ["json", "prometheus", "exposition"], "default": "json"},
    "connect_to": {"type": "str"},
    "values": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "get": {"type": "str", "required": True},
            "limits": LIMITS,
            "unit": {"type": "str", "default": ""},
            "states": {"type": "dict"},
            "series": {"type": "str", "choices": ["one", "each", "max", "min", "sum", "mean"], "default": "one"},
        },
    },
}
TUNING: dict[str, t.Any] = dict(OPTIONS)
RULES = {"mutually_exclusive": [("url", "file", "data")], "required_one_of": [("url", "file", "data")]}
AGGREGATES: dict[str, t.Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "sum": math.fsum,
    "mean": statistics.fmean,
}


def name(target: t.Mapping[str, t.Any]) -> str:
    """The source, and for one value of it the name of the value, and for one of several series its labels."""
    source = str(target.get("source") or redact(target.get("url") or target.get("file") or "data"))
    value = target.get("value")
    return f"{source} {value['name']}{target['series']}" if value else source


def validate(target: dict[str, t.Any]) -> None:
    if target["url"]:
        check_url(target["url"])
        check_request(target)
    elif target["format"] == "prometheus":
        raise BadOption("url: format prometheus asks a server, give its address")
    names = [value["name"] for value in target["values"]]
    if not names or len(set(names)) < len(names):
        raise BadOption("values: give one or more, each with a name of its own")
    for value in target["values"]:
        try:
            value["bounds"] = LIMITS.read(value["limits"])
        except BadOption as exc:
            raise BadOption(f"values.{value['name']}.limits.{exc}") from None
        if value["states"] is not None:
            value["states"] = _states(value)


def _states(value: t.Mapping[str, t.Any]) -> dict[str, str]:
    states = {str(word).casefold(): str(status) for word, status in value["states"].items()}
    if not states or not set(states.values()) <= {"ok", "warning", "critical"}:
        raise BadOption(f"values.{value['name']}.states: a word leads to ok, warning or critical")
    if value["bounds"]:
        raise BadOption(f"values.{value['name']}: a value has limits or states, not both")
    return states


def expand(target: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """One target for each value, or for each series of it; the source is asked once for all of them.

    A source that cannot be read makes every value of it unknown under its own name, so that none is lost from sight.
    """
    try:
        source: probe.Source | Unmeasurable = probe.Source(target)
    except Unmeasurable as exc:
        source = exc
    return [found for value in target["values"] for found in _series(target, source, value)]


def _series(
    target: dict[str, t.Any], source: probe.Source | Unmeasurable, value: dict[str, t.Any]
) -> t.Iterator[dict[str, t.Any]]:
    one = {**target, "source": name({**target, "source": target["name"]}), "value": value, "series": "", "readings": []}
    try:
        if isinstance(source, Unmeasurable):
            raise source
        readings = source.read(value["get"])
    except Unmeasurable as exc:
        yield {**one, "problem": str(exc)}
        return
    if value["series"] == "each":
        for reading in readings:
            yield {**one, "readings": [reading], "series": reading.series}
    else:
        yield {**one, "readings": readings}


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    if target.get("problem"):
        raise Unmeasurable(target["problem"])
    value, readings = target["value"], target["readings"]
    evidence: dict[str, t.Any] = {"get": redact(value["get"])[:300]}
    if len(readings) > 1 or readings[0].series:
        evidence["series"] = [f"{reading.series} {reading.value}"[:300] for reading in readings[:20]]
    if value["states"]:
        yield _word(target, evidence)
        return
    measured = _number(value, readings)
    yield Check.judge(
        "metric.value",
        target["name"],
        measured,
        dataclasses.replace(value["bounds"], unit=value["unit"]),
        f"is {measured:,.6g} {value['unit']}".strip(),
        **evidence,
    )


def _number(value: t.Mapping[str, t.Any], readings: list[probe.Reading]) -> float:
    numbers = [_numeric(value["get"], reading.value) for reading in readings]
    if value["series"] in AGGREGATES:
        return AGGREGATES[value["series"]](numbers)
    if len(numbers) > 1:
        raise Unmeasurable(f"{value['get'][:200]} has {len(numbers)} series; say with series which of them is meant")
    return numbers[0]


def _numeric(get: str, found: t.Any) -> float:
    """A finite number as it is; all that JSON can hold besides is no number, and says so."""
    get = get[:200]
    if found is None:
        raise Unmeasurable(f"{get} is null or missing")
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        kind = {bool: "true or false", str: "text", list: "a list", dict: "an object"}.get(type(found), "no number")
        raise Unmeasurable(f"{get} is {kind}, not a number: {redact(repr(found)[:80])}")
    if not math.isfinite(found):
        raise Unmeasurable(f"{get} is {found}: there was nothing to calculate with")
    return found


def _word(target: dict[str, t.Any], evidence: dict[str, t.Any]) -> Check:
    """Judge a value that is a word, or true or false, by what its words mean. The worst of several counts."""
    states = target["value"]["states"]
    words = [_plain(target["value"]["get"], reading.value) for reading in target["readings"]]
    strange = [word for word in words if word.casefold() not in states]
    if strange:
        raise Unmeasurable(f"says {redact(strange[0][:80])!r}, of which states does not say what it means")
    word = max(words, key=lambda word: STATUSES.index(states[word.casefold()]))
    status = states[word.casefold()]
    return Check.expect("metric.value", target["name"], status == "ok", f"is {word}", otherwise=status, **evidence)


def _plain(get: str, found: t.Any) -> str:
    if found is None:
        raise Unmeasurable(f"{get[:200]} is null or missing")
    if isinstance(found, (list, dict)):
        raise Unmeasurable(f"{get[:200]} is {'a list' if isinstance(found, list) else 'an object'}, not a word")
    if isinstance(found, bool):
        return "true" if found else "false"
    return f"{found:g}" if isinstance(found, float) else str(found)
