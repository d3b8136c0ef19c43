# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Read one log, of files or of the journal, over a window of time or since the last reading."""

from __future__ import annotations

import collections
import dataclasses
import os
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._log import formats
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import Format
from ansible_collections.sre.runbooks.plugins.module_utils._log.signatures import digest
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Question, Tally, readable
from ansible_collections.sre.runbooks.plugins.module_utils._log.times import Clock, zone_of
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _memory, journal, logfile
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

LAST_CHECK = "last_check"
SIGNATURES = 5000
"""Signatures remembered; the ones not seen for longest are forgotten first."""
SYSTEM_LOGS = ("/var/log/syslog", "/var/log/messages")


@dataclasses.dataclass
class Reading:
    """What a log said.

    ``since`` and ``until`` are epochs; ``covered`` says whether the log goes back to ``since``. ``records`` is None when it
    was not asked for. ``new`` are the signatures never seen before, None when nothing is known of before. ``lost`` says why
    some of the log may not have been read. ``age`` is how old the newest record is, in seconds. ``keep`` makes the next
    reading go on from here.
    """

    since: float
    until: float
    first: bool
    tally: Tally
    covered: bool
    begins: float | None
    age: float | None
    files: list[str]
    kinds: collections.Counter[str]
    new: list[str] | None = None
    lost: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    keep: t.Callable[[], None] | None = None
    release: t.Callable[[], None] = lambda: None


@dataclasses.dataclass(frozen=True)
class Request:
    """Which log is read and how; the options of a target, read. ``window`` and ``first_window`` are seconds."""

    name: str
    path: str | None
    journal: t.Mapping[str, t.Any] | None
    question: Question
    window: float | None
    first_window: float
    archives: str | None = None
    format: str = "auto"
    pattern: str | None = None
    time_format: str | None = None
    encoding: str | None = None
    timezone: str | None = None
    remember: bool = False
    """Whether signatures are remembered."""
    memory: str | None = None
    timeout: float = 30.0


def system_log() -> dict[str, t.Any]:
    """Where the host's own log is: ``{"journal": {}}`` or ``{"path": …}``. Raises :class:`Unmeasurable` when nowhere."""
    reasons = ["journalctl is not installed"]
    if journal.present():
        try:
            journal.Journal({}, time.monotonic() + 10).newest()
            return {"journal": {}}
        except Unmeasurable as exc:
            reasons = [str(exc)]
    for path in SYSTEM_LOGS:
        if os.access(path, os.R_OK):
            return {"path": path}
        reasons.append(f"{path} {'may not be read' if os.path.exists(path) else 'does not exist'}")
    raise Unmeasurable("this host has no system log that can be read: " + ", ".join(reasons))


def read(request: Request, *, keeping: bool) -> Reading:
    """Read a log. Without ``keeping`` nothing is written, so that the next reading begins where this one began.

    Raises :class:`Unmeasurable` when the log, or what was kept of the last reading, cannot be read.
    """
    deadline = time.monotonic() + 0.9 * request.timeout
    memory = None
    if request.window is None or request.remember:
        key = [request.name, request.path, request.journal, dataclasses.astuple(request.question), request.format]
        memory = _memory.Memory(_memory.directory(request.memory), request.name, key)
        if keeping:
            memory.lock(0.5 * request.timeout)
        memory.load()
    try:
        reading, content = (_read_journal if request.path is None else _read_files)(request, memory, deadline)
    except BaseException:
        if memory:
            memory.close()
        raise
    if memory:
        _compare(reading, memory, content)
        if memory.trouble:
            reading.notes.append(memory.trouble)
        if keeping:
            kept = memory
            reading.keep, reading.release = lambda: kept.keep(content), kept.close
    return reading


def _compare(reading: Reading, memory: _memory.Memory, content: dict[str, t.Any]) -> None:
    before = (memory.content or {}).get("signatures")
    seen = {digest(kind): reading.until for kind in reading.kinds}
    if isinstance(before, dict):
        reading.new = [kind for kind in reading.kinds if digest(kind) not in before]
        seen = {**before, **seen}
    newest = sorted(seen.items(), key=lambda item: item[1], reverse=True)[:SIGNATURES]
    content.update(at=reading.until, signatures=dict(newest))


def _start(request: Request, memory: _memory.Memory | None, now: float) -> tuple[float, t.Any]:
    """Since when to read, and the place to go on from, None when there is none."""
    if request.window is not None:
        return now - request.window, None
    kept = memory.content if memory else None
    if kept and "place" in kept:
        return float(kept["at"]), kept["place"]
    return now - request.first_window, None


def _read_files(request: Request, memory: _memory.Memory | None, deadline: float) -> tuple[Reading, dict[str, t.Any]]:
    now = time.time()
    log = logfile.Log(request.path or "", archives=request.archives, encoding=request.encoding, deadline=deadline)
    form = _format(request, log)
    clock = Clock(zone_of(request.timezone), now, request.time_format)
    since, place = _start(request, memory, now)
    tally = Tally(request.question, form, clock, since)
    notes = []
    if place is None and form.dated:
        coverage, places = log.read_window(tally, since, go_on=request.window is None)
    elif place is None:
        if request.window is not None:
            raise Unmeasurable(
                f"{request.path} has no time stamps, so that no window of it can be told: "
                f"ask for what is new since {LAST_CHECK}, or describe its lines with pattern"
            )
        coverage, places = log.read_window(Tally(request.question, form, clock), since, go_on=True)  # counted nowhere
        notes.append("records have no time stamps: the first reading counts none, the next one counts from here")
    else:
        coverage, places = log.read_new(tally, _places(place), since)
    newest = log.newest(form, clock)
    reading = Reading(
        since=since,
        until=now,
        first=request.window is None and place is None,
        tally=tally,
        covered=coverage.complete,
        begins=coverage.begins,
        age=None if newest is None else now - newest,
        files=coverage.files,
        kinds=tally.kinds(),
        lost=coverage.lost,
        notes=notes,
    )
    return reading, {"place": [dataclasses.asdict(one) for one in places]}


def _places(kept: t.Any) -> list[logfile.Place]:
    try:
        return [logfile.Place(**one) for one in kept]
    except TypeError:
        raise Unmeasurable(
            "what was remembered of the last reading was written by another version: remove it"
        ) from None


def _format(request: Request, log: logfile.Log) -> Format:
    if request.pattern:
        return formats.custom(request.pattern)
    if request.format != "auto":
        return formats.FORMATS[request.format]
    sample = log.sample()
    found = formats.detect(sample)
    if found:
        return found
    if not sample:
        return formats.FORMATS["timestamped"]  # of an empty log, any format tells that there is nothing
    line = redact(readable(sample.strip().splitlines()[0][:120]))
    raise Unmeasurable(f"the format of {log.path} is not known, give format or pattern; it begins: {line}")


def _read_journal(request: Request, memory: _memory.Memory | None, deadline: float) -> tuple[Reading, dict[str, t.Any]]:
    now = time.time()
    source = journal.Journal(request.journal or {}, deadline)
    newest = source.newest()
    since, place = _start(request, memory, now)
    cursor = place.get("cursor") if isinstance(place, dict) else None
    lost = None
    if cursor and not source.has(cursor):
        lost, cursor = f"{source.what} has dropped the entry at which the last check ended", None
    question = request.question
    tally = Tally(question, journal.FORM, Clock(None, now), since)
    only_level = None if question.records or question.duration else question.level
    reached = source.read(tally, since=since, after=cursor, level=only_level)
    begins = source.begins()
    reading = Reading(
        since=since,
        until=now,
        first=request.window is None and place is None,
        tally=tally,
        covered=begins is not None and begins <= since,
        begins=begins,
        age=now - newest,
        files=[],
        kinds=tally.kinds(),
        lost=lost,
    )
    return reading, {"place": {"cursor": reached or cursor}}
