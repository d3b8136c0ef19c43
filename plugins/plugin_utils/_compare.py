# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What has changed since the previous run of the same occasion, and what of it somebody has to be told.

Pure: records in, records out. Each record gets ``change``, ``previous`` (the status then, None if there was none) and
``since`` (since when it has been in this status, None for ok and skipped).

``new``
    a problem that was not there. On the first run of an occasion everything that is not ok is new.
``worse``, ``better``
    a problem that has become more or less urgent. ``unknown`` means not seen: what was ok and is unknown is worse, what
    was unknown and turns out to be a warning is new, and what was critical and is unknown is not better.
``still``
    the same problem as before.
``recovered``
    it is ok again.
``missing``
    it was checked and is not any more. Said once, by a record made here.
``None``
    nothing to say: ok as before, or skipped.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES, Check
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Key, Record, identity, iso, make, moment

FINE = ("ok", "skipped")

ONLY_FINDINGS = ("run.", "attestation.")
"""Checks of the controller, which report only what is not fine: without a record they are fine again."""

TOLD = ("new", "worse", "recovered", "missing")
"""The changes that somebody is told about."""


def compare(
    records: t.Iterable[t.Mapping[str, t.Any]],
    previous: t.Iterable[t.Mapping[str, t.Any]],
    *,
    at: dt.datetime,
    hosts: t.Collection[str],
    limited: bool = False,
) -> list[Record]:
    """The records of a run, each with what has changed, and after them one for each check that is missing.

    ``previous`` are the records of :meth:`History.previous`, empty if there was no such run; ``hosts`` are those in
    play. A ``limited`` run misses nothing, because it was not meant to see everything.
    """
    before = {identity(record): record for record in previous}
    compared = [_compared(record, before.get(identity(record)), at) for record in records]
    return compared if limited else compared + _gone(compared, before, set(hosts), at)


def _compared(record: t.Mapping[str, t.Any], before: t.Mapping[str, t.Any] | None, at: dt.datetime) -> Record:
    now, then = record["status"], before["status"] if before else None
    summary = record["summary"]
    if now == "unknown" and then == "critical":
        summary = f"{summary} (it was critical when it was last seen)"
    same = before is not None and now == then
    since = (before or {}).get("since") if same else None
    return {
        **record,
        "summary": summary,
        "change": _change(now, then),
        "previous": then,
        "since": None if now in FINE else since or iso(at),
    }


def _change(now: str, then: str | None) -> str | None:
    if now == "skipped":
        return None
    if now == "ok":
        return None if then is None or then in FINE else "recovered"
    if then is None or then == "skipped":
        return "new"
    if now == then or (then, now) == ("critical", "unknown"):
        return "still"
    if (then, now) in (("ok", "warning"), ("ok", "critical"), ("unknown", "warning")):
        return "new"
    return "worse" if STATUSES.index(now) > STATUSES.index(then) else "better"


def _gone(
    compared: list[Record], before: t.Mapping[Key, t.Mapping[str, t.Any]], hosts: set[str], at: dt.datetime
) -> list[Record]:
    """Records for what the previous run had and this one has not."""
    present = {identity(record) for record in compared}
    lost = {record["host"] for record in compared if record["id"] == "run.host" and record["status"] not in FINE}
    gone = []
    for key, record in sorted(before.items()):
        host, check, target = key
        if key in present or record["status"] == "skipped":
            continue
        if check.startswith(ONLY_FINDINGS):
            if record["status"] != "ok" and host not in lost:
                again = make(Check(check, target, "ok", "not found any more"), host, at)
                gone.append({**again, "change": "recovered", "previous": record["status"], "since": None})
        elif record.get("change") != "missing" and host in hosts and not (host in lost and record["status"] == "ok"):
            # A host that is out of reach is one finding; of its checks only those are named that were not ok.
            was = "ok" if record["status"] == "ok" else f"{record['status']}: {record['summary']}"
            absent = make(
                Check.unknown(check, target, f"not checked in this run; the previous one found it {was}"), host, at
            )
            gone.append({**absent, "change": "missing", "previous": record["status"], "since": iso(at)})
    return gone


def to_tell(
    records: t.Iterable[t.Mapping[str, t.Any]],
    *,
    at: dt.datetime,
    previous_at: dt.datetime | str | None = None,
    repeat: float | None = None,
) -> list[t.Mapping[str, t.Any]]:
    """The records that somebody has to be told about, most urgent first.

    These are new, worse, recovered and missing ones, and a critical one of which the sight was lost. One that is
    still critical is repeated every ``repeat`` hours (0: in each run, None: never), counted from when it became
    critical; ``previous_at`` is when the previous run looked. What is waived is not told.
    """
    told = [
        record
        for record in records
        if not record.get("waiver")
        and (
            record["change"] in TOLD
            or (record["previous"], record["status"]) == ("critical", "unknown")
            or _repeated(record, at, previous_at, repeat)
        )
    ]
    return sorted(told, key=lambda record: (-STATUSES.index(record["status"]), identity(record)))


def _repeated(
    record: t.Mapping[str, t.Any], at: dt.datetime, previous_at: dt.datetime | str | None, repeat: float | None
) -> bool:
    if repeat is None or record["status"] != "critical" or record["change"] != "still":
        return False
    if repeat <= 0 or previous_at is None:
        return True
    since, period = moment(record["since"]), dt.timedelta(hours=repeat)
    return (at - since) // period > (moment(previous_at) - since) // period
