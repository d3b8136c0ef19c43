# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Count what a log says, block by block, in memory that does not grow with the log.

A block is bytes that hold whole records. Counting scans for what is asked for and looks closely only at records that may
have it, so that a large log costs little more than reading it.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._log import formats, signatures
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import Format, Header
from ansible_collections.sre.runbooks.plugins.module_utils._log.times import Clock
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

SAMPLES = 5
KINDS = 5000
"""Kinds of message told apart in one reading; what comes after them is counted as others."""

_DIGITS = b"0123456789"
_MILLISECONDS = {b"s": 1e3, b"sec": 1e3, b"ms": 1.0, b"us": 1e-3, "µs".encode(): 1e-3, "μs".encode(): 1e-3, b"ns": 1e-6}
_UNIT = "(?:(s|sec|ms|us|µs|μs|ns)\\b)?"


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked of a log.

    ``only`` and ``exclude`` say which records are looked at; of those, the ones at ``level`` or worse that match ``match``
    are counted. ``duration`` is a name before a value, or a pattern with a group; ``unit`` is the one of values that have
    none. ``records`` asks for the number of all records looked at, which costs reading them all.
    """

    level: str | None = None
    match: str | None = None
    only: str | None = None
    exclude: str | None = None
    duration: str | None = None
    unit: str = "ms"
    records: bool = False


def duration_pattern(duration: str) -> t.Pattern[bytes]:
    """The pattern of a value with its unit: behind a name, or what an operator's own pattern has in its first group.

    Raises :class:`re.error`.
    """
    if "(" in duration:
        return re.compile(duration.encode())
    return re.compile((re.escape(duration) + r"[\"']?\s*[=: ]\s*[\"']?(\d+(?:\.\d+)?)\s?" + _UNIT).encode())


@dataclasses.dataclass
class Kind:
    """Records whose first lines differ in digits only."""

    level: str
    message: bytes
    count: int = 0


class Tally:
    """What has been counted so far. ``start`` is the epoch from which records count, where it has to be looked at."""

    def __init__(self, question: Question, form: Format, clock: Clock, start: float = float("-inf")) -> None:
        self.question, self.form, self.clock, self.start = question, form, clock, start
        self.records = self.undated = 0
        self.durations: collections.Counter[float] = collections.Counter()
        """Milliseconds, to three significant digits → how often: at most 900 entries for each power of ten."""
        self.samples: collections.deque[bytes] = collections.deque(maxlen=SAMPLES)
        self.last_match = -1
        """Where in the latest block the latest match begins."""
        self._spots: collections.deque[tuple[int, int]] = collections.deque(maxlen=SAMPLES)
        self._kinds: dict[bytes, Kind] = {}
        self._others: dict[str, Kind] = {}
        self._match, self._only, self._exclude = (
            re.compile(pattern.encode()) if pattern else None
            for pattern in (question.match, question.only, question.exclude)
        )
        self._whole = bool((question.level and question.match) or question.only or question.exclude)
        """Whether all lines of a record have to be looked at."""
        self._duration = duration_pattern(question.duration) if question.duration else None
        self._judged = bool(question.level or question.match or not (question.records or question.duration))
        """Whether anything is to be counted but the totals."""
        self._scan: Scanner = _scanner(question, form) if self._judged else lambda _block, _end: iter(())

    def take(self, block: bytes, end: int, *, dated: bool = False, seen: int = 0, counted: bool = False) -> None:
        """Count the records of a block up to ``end``, where one ends.

        ``dated`` looks at each record's time. The first ``seen`` bytes were there at an earlier reading: the record that
        they begin is no new one; where ``counted`` it was a match then, and is none again.
        """
        self.last_match = -1
        totals = self.question.records or self._duration is not None
        if totals and (dated or self._only or self._exclude):
            self._take_each(block, end, dated, seen, counted)
        else:
            if self.question.records:
                self.records += count_records(block, end, self.form) - (seen > 0)
            if self._duration:
                for found in self._duration.findall(block, seen, end):
                    self._value(found)
            self._take_hits(block, end, dated, counted)
        self.samples.extend(block[line : min(stop, line + 1200)] for line, stop in self._spots)
        self._spots.clear()

    def _take_hits(self, block: bytes, end: int, dated: bool, counted: bool) -> None:
        """Look only where there may be a match.

        Most lines that match differ from an earlier one in digits only. Where nothing but the level has to be looked at,
        they are not read anew.
        """
        known, first_line, spots = self._kinds.get, self.form.header.match, self._spots
        alike = not dated and not self._whole
        handled = -1
        for position, in_header in self._scan(block, end):
            if position < handled:
                continue
            line = block.rfind(b"\n", 0, position) + 1
            if alike and line:
                handled = block.find(b"\n", position, end)
                if handled < 0:
                    handled = end
                kind = known(block[line:handled].translate(None, _DIGITS))
                if kind is not None:
                    kind.count += 1
                    self.last_match = line
                    spots.append((line, handled))
                    continue
            header = first_line(block, line)
            if header is None and not in_header:
                line, header = _record_of(block, line, self.form)
            if header is None or line == self.last_match:
                continue
            handled = record_end(block, header.end(), end, self.form) if self._whole else header.end()
            if self._whole and not (self._looked_at(block, line, handled) and self._matches(block, line, handled)):
                continue
            if not dated or self._in_window(header):
                self._judge(block, header, line, handled, counted)

    def _take_each(self, block: bytes, end: int, dated: bool, seen: int, counted: bool) -> None:
        line = 0
        while line < end:
            header = self.form.header.match(block, line)
            if header is None:
                line = _next_line(block, line, end)
                continue
            following = record_end(block, header.end(), end, self.form)
            if (not dated or self._in_window(header)) and self._looked_at(block, line, following):
                self.records += line > 0 or not seen
                if self._duration:
                    for found in self._duration.finditer(block, line, following):
                        if found.start() >= seen:
                            self._value(found.groups() or (found.group(),))
                if self._judged and self._matches(block, line, following):
                    self._judge(block, header, line, following, counted)
            line = following

    def _in_window(self, header: Header) -> bool:
        stamp = self.form.stamp(header)
        when = self.clock.read(stamp) if stamp else None
        if when is None:
            self.undated += 1
            return True  # better one too many than one that nobody sees
        return when >= self.start

    def _looked_at(self, block: bytes, line: int, end: int) -> bool:
        return not (self._only and not self._only.search(block, line, end)) and not (
            self._exclude and self._exclude.search(block, line, end)
        )

    def _matches(self, block: bytes, line: int, end: int) -> bool:
        return not self._match or self._match.search(block, line, end) is not None

    def _judge(self, block: bytes, header: Header, line: int, end: int, counted: bool) -> None:
        level = self.form.level(header)
        if self.question.level and not formats.at_least(level, self.question.level):
            return
        self.last_match = line
        if counted and line == 0:
            return
        self._spots.append((line, end))
        level = level or "none"
        rough = header.group().translate(None, _DIGITS)
        kind = self._kinds.get(rough)
        if kind is None and len(self._kinds) < KINDS:
            kind = self._kinds[rough] = Kind(level, self.form.message(header)[:500])
        elif kind is None:
            kind = self._others.setdefault(level, Kind(level, b"(other kinds)"))
        kind.count += 1

    def _value(self, found: bytes | tuple[bytes, ...]) -> None:
        text, unit = (found, b"") if isinstance(found, bytes) else (*found, b"")[:2]
        try:
            value = float(text) * _MILLISECONDS[unit or self.question.unit.encode()]
        except (ValueError, TypeError, KeyError):
            return  # nginx writes "-" where there was no upstream
        self.durations[float(f"{value:.3g}")] += 1

    @property
    def matches(self) -> int:
        """How many records matched."""
        return sum(self.levels.values())

    @property
    def levels(self) -> collections.Counter[str]:
        """Level → how many records matched."""
        counts: collections.Counter[str] = collections.Counter()
        for kind in (*self._kinds.values(), *self._others.values()):
            counts[kind.level] += kind.count
        return counts

    def kinds(self) -> collections.Counter[str]:
        """Signature → how often, of what matched."""
        folded: collections.Counter[str] = collections.Counter()
        for kind in (*self._kinds.values(), *self._others.values()):
            folded[signatures.fold(readable(kind.message))] += kind.count
        return folded

    def shown(self) -> list[str]:
        """The latest matches, redacted, for evidence."""
        return [redact(re.sub(r"^<\d{1,3}>", "", readable(sample))).strip()[:300] for sample in self.samples]


def percentile(durations: t.Mapping[float, int], share: float) -> float:
    """The smallest value that is not exceeded by this share (0 to 1) of all values."""
    rank, seen = share * sum(durations.values()), 0
    for value in sorted(durations):
        seen += durations[value]
        if seen >= rank:
            return value
    raise ValueError("there are no values")


def readable(raw: bytes) -> str:
    """Bytes of a log as text: what is not UTF-8 stays visible."""
    return raw.decode("utf-8", "backslashreplace")


def count_records(block: bytes, end: int, form: Format) -> int:
    """How many records begin in a block before ``end``."""
    if not form.starts:
        return block.count(b"\n", 0, end) + (block[end - 1 : end] not in (b"\n", b""))
    return block.startswith(form.starts) + sum(block.count(b"\n" + start, 0, end) for start in form.starts)


def record_end(block: bytes, position: int, end: int, form: Format) -> int:
    """Where the record ends whose first line ends at ``position``: at the next first line, or at ``end``."""
    line = _next_line(block, position, end)
    while line < end and form.header.match(block, line) is None:
        line = _next_line(block, line, end)
    return line


def last_record(block: bytes, end: int, form: Format) -> int:
    """Where the last record of a block begins before ``end``; 0 also when no line is a first line."""
    line, header = _record_of(block, block.rfind(b"\n", 0, max(0, end - 1)) + 1, form)
    return line if header else 0


def _next_line(block: bytes, position: int, end: int) -> int:
    found = block.find(b"\n", position, end)
    return end if found < 0 else found + 1


def _record_of(block: bytes, line: int, form: Format) -> tuple[int, Header | None]:
    """The first line of the record that holds a line, going back."""
    header = form.header.match(block, line)
    while header is None and line > 0:
        line = block.rfind(b"\n", 0, line - 1) + 1
        header = form.header.match(block, line)
    return line, header


Scanner = t.Callable[[bytes, int], t.Iterator[t.Tuple[int, bool]]]
"""Yields positions before an end that may belong to a record that counts, and whether they must be in its first line."""


def _scanner(question: Question, form: Format) -> Scanner:
    hint = form.hint(question.level) if question.level else None
    if isinstance(hint, tuple):
        return _Literals(hint, in_header=True)
    if isinstance(hint, formats.Words):
        return _words(hint)
    if question.match and not question.level:
        if question.match == re.escape(question.match):
            return _Literals((question.match.encode(),), in_header=False)
        return _pattern(re.compile(question.match.encode()))
    return _every_line


def _pattern(pattern: t.Pattern[bytes]) -> Scanner:
    return lambda block, end: ((found.start(), False) for found in pattern.finditer(block, 0, end))


def _words(hint: formats.Words) -> Scanner:
    """Looking for one word after the other is ten times as fast as a pattern that takes either case of any of them."""

    def scan(block: bytes, end: int) -> t.Iterator[tuple[int, bool]]:
        if hint.priority and (block.startswith(b"<") or b"\n<" in block):
            yield from _every_line(block, end)
            return
        lowered, positions = block.lower(), []
        for word in hint.words:
            position = lowered.find(word, 0, end)
            while position >= 0:
                positions.append(position)
                position = lowered.find(word, position + 1, end)
        for position in sorted(positions):
            yield position, True

    return scan


def _every_line(block: bytes, end: int) -> t.Iterator[tuple[int, bool]]:
    line = 0
    while line < end:
        yield line, True
        line = _next_line(block, line, end)


class _Literals:
    """Finds any of some literals by the byte they all have in common that is rarest in the text.

    Looking for one byte is several times as fast as looking for a word; where no byte is rare, a pattern looks for words.
    """

    def __init__(self, literals: tuple[bytes, ...], *, in_header: bool) -> None:
        self.literals, self.in_header = literals, in_header
        self.pattern = re.compile(b"|".join(map(re.escape, literals)))
        self.common = set.intersection(*map(set, literals))
        self.rare: tuple[bytes, list[tuple[int, tuple[bytes, ...]]]] | None = None
        self.sampled = False

    def __call__(self, block: bytes, end: int) -> t.Iterator[tuple[int, bool]]:
        if not self.sampled:
            self._sample(block)
        if self.rare is None:
            return ((found.start(), self.in_header) for found in self.pattern.finditer(block, 0, end))
        byte, places = self.rare
        if len(places) == 1:
            return self._by_byte(block, end, byte, *places[0])
        return self._by_bytes(block, end, byte, places)

    def _by_byte(
        self, block: bytes, end: int, byte: bytes, back: int, literals: tuple[bytes, ...]
    ) -> t.Iterator[tuple[int, bool]]:
        find, begins, in_header = block.find, block.startswith, self.in_header
        position = find(byte, back, end)
        while position >= 0:
            if begins(literals, position - back):
                yield position - back, in_header
            position = find(byte, position + 1, end)

    def _by_bytes(
        self, block: bytes, end: int, byte: bytes, places: list[tuple[int, tuple[bytes, ...]]]
    ) -> t.Iterator[tuple[int, bool]]:
        find, begins, in_header = block.find, block.startswith, self.in_header
        before = {literal[back - 1] for back, literals in places for literal in literals if back}
        position = find(byte, 1, end)
        while position >= 0:
            if block[position - 1] in before or not places[0][0]:
                for back, literals in places:
                    if position >= back and begins(literals, position - back):
                        yield position - back, in_header
                        break
            position = find(byte, position + 1, end)

    def _sample(self, block: bytes) -> None:
        sample = block[: 1 << 16]
        self.sampled = len(sample) == 1 << 16
        counts = {byte: sample.count(byte) for byte in self.common}
        rarest = min(counts, key=counts.__getitem__, default=None)
        self.rare = None
        if rarest is None or counts[rarest] * 400 > len(sample):
            return
        places: dict[int, tuple[bytes, ...]] = {}
        for literal in self.literals:
            place = literal.index(rarest)
            places[place] = (*places.get(place, ()), literal)
        self.rare = bytes((rarest,)), sorted(places.items())
