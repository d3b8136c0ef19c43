# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""When a record was written: the time stamps of the common formats as seconds since the epoch."""

from __future__ import annotations

import datetime as dt
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")

ISO = rb"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)(?!\w))?"
"""2025-11-05 05:00:00, 2025/11/05 05:00:00, 2025-11-05T05:00:00.123456+01:00, 2025-11-05 05:00:00,123"""
CLF = rb"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
"""05/Nov/2025:05:00:00 +0000"""
PHP = rb"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(?:\.\d+)?(?: [A-Za-z][\w/+-]*)?"
"""05-Nov-2025 05:00:00 UTC, 05-Nov-2025 05:00:00 Europe/Berlin, 05-Nov-2025 05:00:00"""
CTIME = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \d{4}"
"""Wed Nov 05 05:00:00.123456 2025"""
BSD = rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
"""Nov  5 05:00:00: no year"""

_CLOCK = rb"(?P<h>\d\d):(?P<mi>\d\d):(?P<s>\d\d)(?:[.,](?P<f>\d+))?"
_SHAPES = [
    re.compile(shape)
    for shape in (
        rb"(?P<y>\d{4})[-/](?P<m>\d\d)[-/](?P<d>\d\d)[T ]" + _CLOCK + rb" ?(?P<z>Z|UTC|GMT|[+-]\d\d:?\d\d)?",
        rb"(?P<d>\d\d)/(?P<m>\w{3})/(?P<y>\d{4}):" + _CLOCK + rb" (?P<z>[+-]\d{4})",
        rb"(?P<d>\d\d)-(?P<m>\w{3})-(?P<y>\d{4}) " + _CLOCK + rb"(?: (?P<z>[\w/+-]+))?",
        rb"\w{3} (?P<m>\w{3}) (?P<d>[ \d]\d) " + _CLOCK + rb" (?P<y>\d{4})(?P<z>)",
        rb"(?P<m>[A-Z][a-z]{2}) (?P<d>[ \d]\d) " + _CLOCK + rb"(?P<y>)(?P<z>)",
    )
]


def zone_of(name: str | None) -> dt.tzinfo | None:
    """The time zone of that name, an offset such as ``+01:00``, or None for the zone of the host.

    Raises :class:`Unmeasurable` for a zone that this Python does not know.
    """
    if not name:
        return None
    if name.upper() in ("Z", "UTC", "GMT"):
        return dt.timezone.utc
    found = _OFFSET.fullmatch(name)
    if found:
        offset = dt.timedelta(hours=int(found.group(2)), minutes=int(found.group(3)))
        return dt.timezone(-offset if found.group(1) == "-" else offset)
    try:
        import zoneinfo  # novm: older ones are told so
    except ImportError:
        raise Unmeasurable(
            f"the time zone {name} cannot be looked up by the host's Python, which is older than 3.9: "
            "give an offset such as +01:00"
        ) from None
    try:
        return zoneinfo.ZoneInfo(name)
    except Exception as exc:
        raise Unmeasurable(f"the host knows no time zone {name} (is tzdata installed?)") from exc


class Clock:
    """Reads time stamps that have no zone as ``zone``, and those that have no year as the last one up to ``written``.

    ``now`` and ``written``, the last change of the file that is read, are epochs.
    Time stamps are read in the order of the file: of the two readings of an hour that the end of summer time repeats, the
    one is taken with which time does not run backwards.
    """

    def __init__(self, zone: dt.tzinfo | None, now: float, time_format: str | None = None) -> None:
        self.zone, self.now, self.time_format = zone, now, time_format
        self.begin(now)
        self._zones: dict[bytes, dt.tzinfo | None] = {}
        self._midnights: dict[t.Any, float | None] = {}
        self._shape = _SHAPES[0]

    def begin(self, written: float) -> None:
        """Begin to read another file, or another place of it."""
        self.last, self.written = float("-inf"), min(written, self.now)

    def read(self, stamp: bytes) -> float | None:
        """Seconds since the epoch, or None for what is no time stamp."""
        try:
            if self.time_format:
                return self._custom(stamp.decode())
            if stamp[4:5] not in (b"-", b"/") and stamp.replace(b".", b"", 1).isdigit():
                return _number(float(stamp))
            return self._shaped(stamp)
        except (ValueError, KeyError, OverflowError):
            return None

    def _custom(self, stamp: str) -> float:
        when = dt.datetime.strptime(stamp, self.time_format or "")  # noqa: DTZ007 - the zone is added below
        return when.timestamp() if when.tzinfo else self._epoch(when, self.zone)

    def _shaped(self, stamp: bytes) -> float | None:
        found = self._shape.match(stamp)
        if not found:
            shape = next((shape for shape in _SHAPES if shape.match(stamp)), None)
            if shape is None:
                return None
            self._shape = shape
            found = shape.match(stamp)
        year, month, day, hour, minute, second, fraction, zone = found.group("y", "m", "d", "h", "mi", "s", "f", "z")  # type: ignore[union-attr]
        date = year, month, day, zone
        if date not in self._midnights:
            self._midnights[date] = self._regular_midnight(date) if year else None
        midnight = self._midnights[date]
        seconds = int(hour) * 3600 + int(minute) * 60 + int(second) + (float(b"0." + fraction) if fraction else 0.0)
        if midnight is not None:
            return midnight + seconds
        clock = dt.timedelta(seconds=min(int(second), 59), minutes=int(minute), hours=int(hour))
        if not year:
            return self._yearless(_month(month), int(day), clock)
        return self._epoch(dt.datetime(int(year), _month(month), int(day)) + clock, self._zone(zone))  # noqa: DTZ001

    def _zone(self, name: bytes | None) -> dt.tzinfo | None:
        if not name:
            return self.zone
        if name not in self._zones:
            self._zones[name] = zone_of(name.decode())
        return self._zones[name]

    def _regular_midnight(self, date: tuple[bytes, ...]) -> float | None:
        """The start of a day of 24 hours; None for the days on which the clocks are changed."""
        if len(self._midnights) > 5000:
            self._midnights.clear()
        year, month, day, zone_name = date
        zone = self._zone(zone_name)
        midnight = dt.datetime(int(year), _month(month), int(day), tzinfo=zone)
        following = midnight + dt.timedelta(days=1)
        start = midnight.timestamp()
        return start if following.timestamp() - start == 86400 else None

    def _epoch(self, when: dt.datetime, zone: dt.tzinfo | None) -> float:
        first = when.replace(tzinfo=zone, fold=0).timestamp()
        second = when.replace(tzinfo=zone, fold=1).timestamp()
        if second > first and first < self.last - 60 and second <= self.now + 60:
            first = second
        self.last = first
        return first

    def _yearless(self, month: int, day: int, clock: dt.timedelta) -> float | None:
        year = dt.datetime.fromtimestamp(self.written, self.zone or dt.timezone.utc).year + 1
        for candidate in range(year, year - 10, -1):
            try:
                when = dt.datetime(candidate, month, day) + clock  # noqa: DTZ001 - the zone is added in _epoch
            except ValueError:
                continue  # 29 February of another year
            if when.replace(tzinfo=self.zone).timestamp() <= self.written + 86400:
                return self._epoch(when, self.zone)
        return None


def _month(text: bytes) -> int:
    return int(text) if text.isdigit() else _MONTHS[text]


def _number(value: float) -> float | None:
    """Seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by their size."""
    for scale in (1, 1e3, 1e6, 1e9):
        if 1e8 < value / scale < 1e10:
            return value / scale
    return None
