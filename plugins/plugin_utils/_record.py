# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A record of the journal: a check, with who, where and when around it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check

Record = dict[str, t.Any]
"""The fields of :class:`Check`, then ``host``, ``play``, ``role``, ``task``, ``labels`` and ``at`` (ISO 8601, UTC)."""

Key = tuple[str, str, str]
"""Host, check id and target: what stays the same from run to run."""


class Sample(t.NamedTuple):
    """What one run found, seen from its series. ``at`` is ISO 8601, in UTC."""

    at: str
    value: float | None
    status: str
    unit: str = ""


def identity(record: t.Mapping[str, t.Any]) -> Key:
    return record["host"], record["id"], record["target"]


def make(check: Check, host: str, at: dt.datetime, **context: t.Any) -> Record:
    """The record of one check. ``context`` may name the play, role, task and labels."""
    around = {"play": None, "role": None, "task": None, "labels": {}, **context}
    return {**dataclasses.asdict(check), "host": host, **around, "at": iso(at)}


def iso(at: dt.datetime) -> str:
    """A moment as records write it: ISO 8601, in UTC."""
    return at.astimezone(dt.UTC).isoformat()


def moment(at: str | dt.datetime) -> dt.datetime:
    """A moment as one computes with it. What names no offset is meant in UTC."""
    read = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
    return read.replace(tzinfo=dt.UTC) if read.tzinfo is None else read.astimezone(dt.UTC)
