# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Kind ``log``: what logs say, in a stated window or since the last check."""

from __future__ import annotations

import datetime as dt
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import FORMATS, LEVELS
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Question, duration_pattern, percentile
from ansible_collections.sre.runbooks.plugins.module_utils._probe import logs as probe
from ansible_collections.sre.runbooks.plugins.module_utils._words import seconds

CHECKS = {
    "log.matches": "The log has no more records of the kind that is looked for than its limit allows.",
    "log.rate": "The share of such records among all records is within its limit.",
    "log.new_signatures": "The log says nothing that it has never said before.",
    "log.records": "The number of records, requests say, is as expected.",
    "log.latency_p50": "Half of the durations that the log tells are short enough.",
    "log.latency_p95": "95 % of the durations that the log tells are short enough.",
    "log.latency_p99": "99 % of the durations that the log tells are short enough.",
    "log.freshness": "The log is still being written.",
}
TARGET = {
    "path": {"type": "path"},
    "journal": {
        "type": "dict",
        "options": {
            "unit": {"type": "list", "elements": "str"},
            "identifier": {"type": "list", "elements": "str"},
            "directory": {"type": "path"},
            "file": {"type": "path"},
        },
    },
    "system": {"type": "bool"},
    "archives": {"type": "path"},
    "format": {"type": "str", "choices": ["auto", *FORMATS], "default": "auto"},
    "pattern": {"type": "str"},
    "time_format": {"type": "str"},
    "encoding": {"type": "str"},
    "level": {"type": "str", "choices": list(LEVELS)},
    "match": {"type": "str"},
    "only": {"type": "str"},
    "exclude": {"type": "str"},
    "duration": {"type": "str"},
    "duration_unit": {"type": "str", "choices": ["s", "ms", "us", "ns"], "default": "ms"},
}
TUNING = {
    "window": {"type": "str", "default": "24h"},
    "first_window": {"type": "str", "default": "24h"},
    "timezone": {"type": "str"},
    "memory": {"type": "path"},
    "samples": {"type": "int", "default": 20},
    "matches": limits(10, 100, unit="records", possible=(0, float("inf"))),
    "rate": limits(unit="%"),
    "new_signatures": limits(unit="signatures", possible=(0, float("inf"))),
    "records": limits(unit="records", worse="lower", possible=(0, float("inf"))),
    "latency_p50": limits(unit="ms", possible=(0, float("inf"))),
    "latency_p95": limits(unit="ms", possible=(0, float("inf"))),
    "latency_p99": limits(unit="ms", possible=(0, float("inf"))),
    "freshness": limits(unit="h", possible=(0, float("inf"))),
}
RULES = {"required_one_of": [("path", "journal", "system")], "mutually_exclusive": [("path", "journal", "system")]}
DEFAULT_TARGETS = ({"system": True},)

LATENCIES = {"log.latency_p50": 0.5, "log.latency_p95": 0.95, "log.latency_p99": 0.99}


def name(target: t.Mapping[str, t.Any]) -> str:
    """The path, or the journal and what is chosen of it."""
    if target.get("system"):
        return "system log"
    if target.get("path"):
        return str(target["path"])
    chosen = [*(_journal(target).get("unit") or []), *(_journal(target).get("identifier") or [])]
    return " ".join(["journal", *chosen])


def _journal(target: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    return target.get("journal") or {}


def validate(target: t.Mapping[str, t.Any]) -> None:
    """Spans of time and patterns are read before anything is measured."""
    for option in ("window", "first_window"):
        if not (option == "window" and target[option] == probe.LAST_CHECK):
            try:
                seconds(target[option])
            except BadOption as exc:
                raise BadOption(f"{option}: {exc}") from None
    readers: dict[str, t.Callable[[str], object]] = dict.fromkeys(("match", "only", "exclude", "pattern"), re.compile)
    readers["duration"] = duration_pattern
    for option, read in readers.items():
        if target.get(option):
            try:
                read(target[option])
            except re.error as exc:
                raise BadOption(f"{option}: {target[option]!r} is no regular expression: {exc}") from None
    if target.get("system") is False:
        raise BadOption("system: false names no log")
    for option in LATENCIES:
        if target[option.partition(".")[2]] and not target.get("duration"):
            raise BadOption(f"{option.partition('.')[2]}: say with duration where records tell how long something took")


def expand(target: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The host's own log is the journal, else the file that syslog writes."""
    return [{**target, **probe.system_log()}] if target.get("system") else [target]


def request(target: t.Mapping[str, t.Any]) -> probe.Request:
    """The options of a target as the probe takes them."""
    level = target.get("level") or (None if target.get("match") else "error")
    journal = target.get("journal")
    return probe.Request(
        name=target["name"],
        path=target.get("path"),
        journal=journal,
        question=Question(
            level=level,
            match=target.get("match"),
            only=target.get("only"),
            exclude=target.get("exclude"),
            duration=target.get("duration"),
            unit=target.get("duration_unit") or "ms",
            records=bool(target["rate"] or target["records"]),
        ),
        window=None if target["window"] == probe.LAST_CHECK else seconds(target["window"]),
        first_window=seconds(target["first_window"]),
        archives=target.get("archives"),
        format=target.get("format") or "auto",
        pattern=target.get("pattern"),
        time_format=target.get("time_format"),
        encoding=target.get("encoding"),
        timezone=target.get("timezone"),
        remember=bool(target["new_signatures"]),
        memory=target.get("memory"),
        timeout=target["timeout"],
    )


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    """Read the log once, judge it in each respect."""
    reading = probe.read(request(target), keeping=target["afterwards"] is not None)
    if reading.keep:
        target["afterwards"](reading.keep)
    yield _matches(target, reading)
    yield _rate(target, reading)
    yield _new_signatures(target, reading)
    yield _records(target, reading)
    for id_, share in LATENCIES.items():
        yield _latency(id_, share, target, reading)
    yield _freshness(target, reading)


def _span(target: t.Mapping[str, t.Any], reading: probe.Reading) -> str:
    if target["window"] != probe.LAST_CHECK:
        return f"in the last {target['window']}"
    if reading.first:
        return f"in the last {target['first_window']}, this being the first check"
    return f"since the last check at {_time(reading.since)}"


def _time(epoch: float) -> str:
    return dt.datetime.fromtimestamp(epoch, dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _matches(target: t.Mapping[str, t.Any], reading: probe.Reading) -> Check:
    tally = reading.tally
    detail: dict[str, t.Any] = {
        "since": _time(reading.since),
        "levels": dict(tally.levels.most_common()),
        "signatures": [{"count": count, "signature": kind} for kind, count in reading.kinds.most_common(10)],
        "latest": tally.shown(),
        "files": reading.files[-10:],
    }
    notes = list(reading.notes)
    if reading.begins is not None and not reading.covered and (reading.first or target["window"] != probe.LAST_CHECK):
        notes.append(f"the log goes back to {_time(reading.begins)} only")
    if tally.undated:
        notes.append(f"{tally.undated} records without a readable time stamp were counted")
    if reading.age is not None and reading.age < -300:
        notes.append(
            f"the newest record is stamped {-reading.age / 60:.0f} minutes later than now: see clock and timezone"
        )
    if notes:
        detail["notes"] = notes
    what = f"{tally.matches} {'record' if tally.matches == 1 else 'records'} {_wanted(target)} {_span(target, reading)}"
    check = Check.judge("log.matches", target["name"], tally.matches, target["matches"], what, **detail)
    if reading.lost and check.status != "critical":
        return Check.unknown(
            "log.matches", target["name"], f"{what}, of what is left: {reading.lost}", **detail, counted=tally.matches
        )
    return check


def _wanted(target: t.Mapping[str, t.Any]) -> str:
    level = target.get("level") or (None if target.get("match") else "error")
    wanted = [f"at level {level} or above"] if level else []
    return " ".join([*wanted, *([f"matching {target['match']!r}"] if target.get("match") else [])])


def _rate(target: t.Mapping[str, t.Any], reading: probe.Reading) -> Check:
    if not target["rate"]:
        return Check.skipped("log.rate", target["name"], "no limits were asked for")
    matches, records = reading.tally.matches, reading.tally.records
    detail = {"matches": matches, "records": records}
    if records < max(1, target["samples"]):
        few = f"{records} records {_span(target, reading)} are too few for a share, {target['samples']} are needed"
        return Check.unknown("log.rate", target["name"], few, **detail)
    rate = min(100.0, 100.0 * matches / records)
    summary = f"{rate:.3g} % of {records} records {_span(target, reading)} are {_wanted(target)}"
    return Check.judge("log.rate", target["name"], rate, target["rate"], summary, **detail)


def _new_signatures(target: t.Mapping[str, t.Any], reading: probe.Reading) -> Check:
    id_ = "log.new_signatures"
    if not target["new_signatures"]:
        return Check.skipped(id_, target["name"], "no limits were asked for")
    if reading.new is None:
        learned = f"{len(reading.kinds)} signatures were seen for the first time and are remembered from now on"
        return Check.skipped(id_, target["name"], learned)
    summary = f"{len(reading.new)} signatures {_span(target, reading)} were never seen before"
    new = [{"count": reading.kinds[kind], "signature": kind} for kind in reading.new[:10]]
    return Check.judge(id_, target["name"], len(reading.new), target["new_signatures"], summary, signatures=new)


def _records(target: t.Mapping[str, t.Any], reading: probe.Reading) -> Check:
    if not target["records"]:
        return Check.skipped("log.records", target["name"], "no limits were asked for")
    records = reading.tally.records
    hours = max(1.0, reading.until - reading.since) / 3600
    summary = f"{records} records {_span(target, reading)}, {records / hours:.3g} an hour"
    return Check.judge("log.records", target["name"], records, target["records"], summary)


def _latency(id_: str, share: float, target: t.Mapping[str, t.Any], reading: probe.Reading) -> Check:
    if not target.get("duration"):
        return Check.skipped(id_, target["name"], "no duration was asked for")
    durations = reading.tally.durations
    count = sum(durations.values())
    if count < max(1, target["samples"]):
        few = f"{count} values of {target['duration']} {_span(target, reading)} are too few, {target['samples']} are needed"
        return Check.unknown(id_, target["name"], few, values=count)
    value = percentile(durations, share)
    summary = (
        f"{share:.0%} of {count} values of {target['duration']} {_span(target, reading)} are at most {value:.3g} ms"
    )
    limit = target[id_.partition(".")[2]]
    return Check.judge(id_, target["name"], value, limit, summary, values=count, longest=max(durations))


def _freshness(target: t.Mapping[str, t.Any], reading: probe.Reading) -> Check:
    if reading.age is None:
        reason = "the log has no record that tells when it was written"
        empty = Check.unknown if target["freshness"] else Check.skipped
        return empty("log.freshness", target["name"], reason)
    hours = max(0.0, reading.age / 3600)
    summary = f"the newest record is {hours:.1f} h old"
    return Check.judge("log.freshness", target["name"], hours, target["freshness"], summary)
