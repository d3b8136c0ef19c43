# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Waivers: problems that somebody answers for, until a day.

A waived record keeps its status and gets ``waiver``: reason, owner and until. Pure: today is passed in.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import fnmatch
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.plugin_utils._compare import FINE
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, make

_REQUIRED = ("check", "reason", "owner", "until")
_OPTIONAL = ("host", "target")


@dataclasses.dataclass(frozen=True)
class Waiver:
    """Who answers for which problem, why, and until when (that day included).

    ``check``, ``host`` and ``target`` are exact, or patterns with ``*``, ``?`` and ``[…]``.
    """

    check: str
    reason: str
    owner: str
    until: dt.date
    host: str = "*"
    target: str = "*"

    def matches(self, record: t.Mapping[str, t.Any]) -> bool:
        pairs = (record["id"], self.check), (record["host"], self.host), (record["target"], self.target)
        return all(value == pattern or fnmatch.fnmatchcase(value, pattern) for value, pattern in pairs)

    @property
    def shown(self) -> dict[str, str]:
        return {"reason": self.reason, "owner": self.owner, "until": self.until.isoformat()}

    @property
    def name(self) -> str:
        """``certificate.expiry@www.example.org on web1``, without what is not limited."""
        target = "" if self.target == "*" else f"@{self.target}"
        host = "" if self.host == "*" else f" on {self.host}"
        return f"{self.check}{target}{host}"


def read(given: t.Any) -> list[Waiver]:
    """The variable ``sre_waivers``, read. Raises :class:`BadOption`, which names the waiver and the key."""
    if given is None:
        return []
    if not isinstance(given, (list, tuple)):
        raise BadOption(f"sre_waivers: a list of waivers is needed, not {type(given).__name__}")
    return [_read(entry, f"sre_waivers[{position}]") for position, entry in enumerate(given)]


def _read(entry: t.Any, where: str) -> Waiver:
    if not isinstance(entry, t.Mapping):
        raise BadOption(f"{where}: a waiver has the keys {', '.join(_REQUIRED + _OPTIONAL)}")
    for key in entry:
        if key not in _REQUIRED + _OPTIONAL:
            raise BadOption(f"{where}.{key}: there is no such key, but {', '.join(_REQUIRED + _OPTIONAL)}")
    for key in _REQUIRED:
        if entry.get(key) is None or not str(entry[key]).strip():
            raise BadOption(f"{where}.{key}: is missing")
    texts = {key: str(entry[key]) for key in ("check", "reason", "owner", *_OPTIONAL) if entry.get(key)}
    return Waiver(until=_date(entry["until"], f"{where}.until"), **texts)


def _date(given: t.Any, where: str) -> dt.date:
    if isinstance(given, dt.datetime):
        return given.date()
    if isinstance(given, dt.date):
        return given
    try:
        return dt.date.fromisoformat(str(given).strip())
    except ValueError:
        raise BadOption(f"{where}: {given!r} is not a date, write YYYY-MM-DD") from None


def apply(records: t.Iterable[t.Mapping[str, t.Any]], waivers: t.Sequence[Waiver], today: dt.date) -> list[Record]:
    """The records, each with its waiver or None. The last step, so that what is missing can be waived too."""
    return [{**record, "waiver": _waiver(record, waivers, today)} for record in records]


def findings(
    records: t.Sequence[t.Mapping[str, t.Any]], waivers: t.Sequence[Waiver], today: dt.date, at: dt.datetime
) -> list[Record]:
    """What is to be said about the waivers themselves: records like those of any check, to be compared with them.

    A warning for a waiver that ran out while its problem lasts; a mere note for one that matches nothing.
    """
    checks = (_finding(waiver, records, waivers, today) for waiver in waivers)
    return [make(check, "localhost", at) for check in checks if check]


def _waiver(record: t.Mapping[str, t.Any], waivers: t.Sequence[Waiver], today: dt.date) -> dict[str, str] | None:
    if record["status"] not in FINE:
        for waiver in waivers:
            if waiver.until >= today and waiver.matches(record):
                return waiver.shown
    return None


def _finding(
    waiver: Waiver, records: t.Sequence[t.Mapping[str, t.Any]], waivers: t.Sequence[Waiver], today: dt.date
) -> Check | None:
    matching = [record for record in records if waiver.matches(record)]
    expired = waiver.until < today
    if expired and any(record["status"] not in FINE and not _waiver(record, waivers, today) for record in matching):
        summary = f"expired on {waiver.until} and the problem lasts: {waiver.owner} has to renew it or to solve it"
        return Check("run.waiver", waiver.name, "warning", summary, detail=waiver.shown)
    if not matching:
        summary = f"matches no check of this run{f', and expired on {waiver.until}' if expired else ''}"
        return Check("run.waiver", waiver.name, "skipped", summary, detail=waiver.shown)
    return None
