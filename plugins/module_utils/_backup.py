# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a backup is, wherever it lies, and when it was taken. No I/O."""

from __future__ import annotations

import calendar
import dataclasses
import re
import statistics
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

BESIDE = (
    ".sha512",
    ".sha256",
    ".sha1",
    ".md5",
    ".asc",
    ".sig",
    ".manifest.json",
    ".proof.json",
    ".part",
    ".tmp",
    ".log",
)
"""How the names of files end that lie beside backups and are none."""

DAY = 86400.0
_DATE = re.compile(
    r"(?<!\d)(20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?:[T_\-. ]?([01]\d|2[0-3])[-_:.h]?([0-5]\d)(?:[-_:.m]?([0-5]\d))?(Z|[+-]\d{4})?)?(?!\d)"
)
_EPOCH = re.compile(r"(?<!\d)(1[5-9]\d{8})(?!\d)")


@dataclasses.dataclass(frozen=True)
class Backup:
    """One backup: a file, a directory, an object or a snapshot. Times are seconds since the epoch.

    ``name`` is the same for its copies at other places; ``place`` says where this one lies; ``size`` is in bytes, None
    where nobody tells. ``taken`` is the best that can be said of its moment, ``latest`` the latest moment that its name or
    its place claims.
    """

    name: str
    place: str
    size: int | None
    taken: float
    latest: float
    directory: bool = False

    @property
    def key(self) -> str:
        """By what copies are told to be of the same backup: the last part of the name, where a date makes it unique."""
        last = self.name.rpartition("/")[2]
        return last if time_in_name(last) else self.name


def backup(name: str, place: str, size: int | None, modified: float, dated_by: str, **different: t.Any) -> Backup:
    """A backup that is dated by ``name`` (local time of the host), ``name_utc`` or ``modified``.

    What only tells a day is placed within that day by the time of modification: who dates by name knows that copying and
    touching a file changes the latter.
    """
    told = None if dated_by == "modified" else time_in_name(name, utc=dated_by == "name_utc")
    if told is None:
        return Backup(name, place, size, modified, modified, **different)
    start, length = told
    return Backup(name, place, size, min(max(modified, start), start + length), max(modified, start), **different)


def time_in_name(name: str, *, utc: bool = False) -> tuple[float, float] | None:
    """The moment that a name tells, and how many seconds it leaves open: those of a day, of a minute, none.

    None: it tells no moment.
    """
    for found in _DATE.finditer(name):
        year, _between, month, day, hour, minute, second, zone = found.groups()
        parts = (int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        if parts[2] > calendar.monthrange(*parts[:2])[1]:
            continue
        length = 0.0 if second else 60.0 if hour else DAY
        if zone or utc:
            offset = 0 if zone in (None, "Z") else int(f"{zone[0]}1") * (int(zone[1:3]) * 3600 + int(zone[3:]) * 60)
            return calendar.timegm((*parts, 0, 0, 0)) - float(offset), length
        return time.mktime((*parts, 0, 0, -1)), length
    epoch = _EPOCH.search(name)
    return (float(epoch.group(1)), 0.0) if epoch else None


def newest_first(backups: t.Iterable[Backup]) -> list[Backup]:
    return sorted(backups, key=lambda one: (-one.taken, one.name))


def longest_gap(backups: t.Sequence[Backup], since: float) -> tuple[float, Backup, Backup]:
    """The longest time (seconds) between one backup and the next, newest first given, and these two.

    Only what ends after the moment ``since`` counts. Raises :class:`Unmeasurable` for less than two backups.
    """
    pairs = [
        (later.taken - earlier.taken, earlier, later)
        for later, earlier in zip(backups, backups[1:])
        if later.taken >= since
    ]
    if not pairs:
        raise Unmeasurable("gaps need two backups at least")
    return max(pairs, key=lambda pair: pair[0])


FEW = 4
"""Sizes by which what is usual can be told, at least."""


def deviation(size: float, earlier: t.Sequence[float]) -> tuple[float, float]:
    """How far a size is from the median of the earlier ones, as a multiple of what they usually differ, and that median.

    What is usual is the median of the absolute deviations (MAD), scaled as a standard deviation is, and at least one
    percent: sizes that never change would make of every byte an anomaly. Raises :class:`Unmeasurable` for too few.
    """
    if len(earlier) < FEW:
        raise Unmeasurable(f"what size is usual cannot be told by {len(earlier)} earlier backups: it takes {FEW}")
    median = statistics.median(earlier)
    usual = 1.4826 * statistics.median(abs(one - median) for one in earlier)
    return abs(size - median) / max(usual, 0.01 * median, 1.0), median
