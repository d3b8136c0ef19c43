# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Read logs in files: what was written since a moment, or since the last reading, whatever rotation did in between.

A position is kept as content, not as an inode: a hash of the file's first bytes, and one of the bytes before the position.
Where both are found again, in a file of whatever name, reading goes on there. So it does not matter whether a log was
renamed, copied and truncated, compressed, or written anew up to the same size.
"""

from __future__ import annotations

import bz2
import codecs
import dataclasses
import glob
import gzip
import hashlib
import lzma
import os
import re
import stat
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import Format
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Tally, last_record
from ansible_collections.sre.runbooks.plugins.module_utils._log.times import Clock

BLOCK = 1 << 20
"""Bytes read at a time. A longer line is cut here and counts once."""
EDGE = 1024
"""Bytes hashed at the start of a file and before a position."""
STALE = 60
"""Seconds without a write after which a last line without an end is taken as complete."""
REMEMBERED = 100
"""Files of one log whose positions are kept."""
JITTER = 600.0
"""Seconds by which time stamps may be out of order in a file that counts as sorted: slow requests, several writers."""

_OPENERS: dict[str, t.Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_ROTATED = re.compile(r"(?:\.\d{1,4}|[.-]\d{4}-?\d\d-?\d\d[\d-]*|[.-]\d{10})(?:\.(?:gz|xz|bz2|zst|Z))?")
_NULS = re.compile(rb"(?:\A|(?<=\n))\0+")


@dataclasses.dataclass(frozen=True)
class Segment:
    """One file of a log: the one that is written, or one that rotation put away."""

    path: str
    status: os.stat_result
    live: bool
    remembered: bool = False
    """Not among the names of the log; it was once."""

    @property
    def compressed(self) -> bool:
        return _compressed(self.path)


@dataclasses.dataclass
class Place:
    """How far a file has been read, and how to know it again.

    Positions count bytes of the content, decompressed and as UTF-8. ``record`` is where the last record begins, ``end``
    where reading ended; the record is read again the next time, because it may have become longer, and ``counted`` says
    whether it has matched. ``end`` is None for an archive that is older than all that was asked for and was not opened.
    """

    path: str
    device: int
    inode: int
    size: int
    written: int
    head: str = ""
    head_size: int = 0
    tail: str = ""
    end: int | None = None
    record: int = 0
    counted: bool = False
    live: bool = False

    def unchanged(self, segment: Segment) -> bool:
        """Whether a file is what it was, as far as its status tells: enough for archives."""
        status = segment.status
        return (self.device, self.inode, self.size, self.written) == (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
        )


@dataclasses.dataclass
class Coverage:
    """What of the log was there to be read. ``begins`` is the epoch of its first record, where it was looked for."""

    files: list[str] = dataclasses.field(default_factory=list)
    begins: float | None = None
    newest: float | None = None
    complete: bool = True
    lost: str | None = None
    bytes: int = 0


class Log:
    """The files of one log. ``path`` may be a pattern of names, as of a log that begins a file each day."""

    def __init__(
        self, path: str, *, archives: str | None = None, encoding: str | None = None, deadline: float = float("inf")
    ) -> None:
        self.path, self.archives, self.encoding, self.deadline = path, archives, encoding, deadline

    def segments(self, also: t.Iterable[str] = ()) -> list[Segment]:
        """Every file of the log, oldest first. Raises :class:`Unmeasurable` when the log itself is not there."""
        live = sorted(glob.glob(self.path)) if glob.has_magic(self.path) else [self.path]
        found: dict[str, Segment] = {}
        for path in live:
            self._add(found, path, live=not _compressed(path))
        if not any(segment.live for segment in found.values()):
            raise Unmeasurable(
                f"no file matches {self.path}" if glob.has_magic(self.path) else f"{self.path} does not exist"
            )
        places = {place for path in live for place in (path, os.path.realpath(path))}
        put_away = (
            glob.glob(self.archives) if self.archives else [other for place in places for other in rotated(place)]
        )
        for path in sorted(put_away):
            self._add(found, path, live=False)
        for path in also:
            self._add(found, path, live=False, remembered=True)
        names = {segment.path for segment in found.values()}
        kept = [
            segment
            for segment in found.values()  # while it is being compressed, both are there
            if not (segment.compressed and os.path.splitext(segment.path)[0] in names)
        ]
        return sorted(kept, key=_age)

    def _add(self, found: dict[str, Segment], path: str, *, live: bool, remembered: bool = False) -> None:
        real = os.path.realpath(path)
        if real in found:
            return
        try:
            status = os.stat(real)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise Unmeasurable(f"{path}: {exc.strerror}") from exc
        if stat.S_ISREG(status.st_mode):
            found[real] = Segment(real, status, live, remembered)
        elif live:
            raise Unmeasurable(f"{path} is not a regular file")

    def open(self, segment: Segment) -> Source:
        """The content of one file. Raises :class:`Unmeasurable`."""
        return Source(segment, self.encoding)

    def in_time(self) -> None:
        """Raises :class:`Unmeasurable` when there is no time left to read on."""
        if time.monotonic() > self.deadline:
            raise Unmeasurable(f"{self.path} is too large to be read in the time given")

    def sample(self) -> bytes:
        """The first and the last lines of the newest file that has any."""
        for segment in reversed(self.segments()):
            with self.open(segment) as source:
                first = source.read(BLOCK // 8, 0)
                if first.strip(b"\0\r\n "):
                    size = 0 if source.streamed else max(0, segment.status.st_size - BLOCK // 8)
                    return first + (b"\n" + source.read(BLOCK // 8, size).partition(b"\n")[2] if size else b"")
        return b""

    def newest(self, form: Format, clock: Clock) -> float | None:
        """When the newest record was written (epoch); by the file's status where its records do not tell."""
        for segment in reversed(self.segments()):
            if segment.status.st_size == 0:
                continue
            with self.open(segment) as source:
                clock.begin(segment.status.st_mtime)
                told = (
                    None
                    if source.streamed or not form.dated
                    else last_time(source, segment.status.st_size, form, clock)
                )
            return segment.status.st_mtime if told is None else told
        return None

    def read_window(self, tally: Tally, start: float, *, go_on: bool = False) -> tuple[Coverage, list[Place]]:
        """Count what was written since ``start`` (epoch).

        Returns also the places reached. To ``go_on`` from there, a last line that is still being written is left for then.
        """
        coverage, older, reached = Coverage(), False, []
        segments = self._newest(self.segments())
        current = self._current(segments)
        for segment in _without_copies(self, segments):
            if segment.status.st_mtime < start - 3600 and not segment.live:
                older = True
                reached.append(_closed(segment))
                continue
            with self.open(segment) as source:
                partial = not (go_on and _fresh(segment))
                record, end, matched = self._window_of(source, segment, tally, start, coverage, partial)
                reached.append(self._place(source, segment, end, record, matched))
                reached[-1].live = segment is current
        coverage.complete = older or (coverage.begins is not None and coverage.begins <= start)
        return coverage, reached

    def _window_of(
        self, source: Source, segment: Segment, tally: Tally, start: float, coverage: Coverage, partial: bool
    ) -> tuple[int, int, bool]:
        form, clock, size = tally.form, tally.clock, segment.status.st_size
        clock.begin(segment.status.st_mtime)
        first = first_time(source, 0, form, clock)
        if first and (coverage.begins is None or first[1] < coverage.begins):
            coverage.begins = first[1]
        if form.dated and first is None and source.read(BLOCK, 0).strip(b"\0\r\n \t"):
            raise Unmeasurable(f"{segment.path}: no time stamp of the format {form.name} was found")
        coverage.files.append(segment.path)
        if not form.dated or source.streamed or first is None:
            return self._blocks(source, tally, 0, dated=form.dated, partial=partial)
        near = JITTER if _regular(clock, start) else 7500.0  # an hour may be repeated
        low, high = 0, size
        if sorted_by_time(source, size, form, clock):
            low, high = (seek_time(source, size, form, clock, start + offset) for offset in (-near, near))
        clock.begin(segment.status.st_mtime)
        coverage.bytes += size - low
        edge = self._blocks(source, tally, low, stop=high, dated=True)
        body = self._blocks(source, tally, high, partial=partial)
        return body if body[1] > high else edge

    def _blocks(
        self,
        source: Source,
        tally: Tally,
        position: int,
        *,
        stop: int | None = None,
        dated: bool = False,
        seen: int = 0,
        counted: bool = False,
        partial: bool = True,
    ) -> tuple[int, int, bool]:
        """Count from a position on, where a record begins; ``seen`` bytes of it were read before.

        Returns where the last record begins, where reading ended, and whether that record matched. Without ``partial`` a
        last line that has no end yet is left for the next time.
        """
        record, matched, form = position, counted, tally.form
        if seen == 0 and position and source.read(1, position - 1) != b"\n":
            position = record = self._next_line(source, position)  # the rest of a line that was cut
        while True:
            self.in_time()
            block = source.read(min(BLOCK, stop - position) if stop is not None else BLOCK, position)
            last = len(block) < BLOCK
            if not block:
                return record, position, matched
            if b"\0" in block:
                if not block.strip(b"\0"):
                    position = record = position + len(block)
                    continue
                block = _NULS.sub(lambda found: b"\n" * len(found.group()), block).replace(b"\0", b" ")
            end = len(block)
            if last and not partial:
                end = block.rfind(b"\n") + 1
            beginning = last_record(block, end, form)
            if not last:
                end = beginning or block.rfind(b"\n") + 1
            tally.take(block, end or (0 if last else len(block)), dated=dated, seen=seen, counted=counted)
            if last:
                known = form.header.match(block, beginning) is not None and end > 0
                if end == 0:
                    return record, position, matched
                return (
                    position + (beginning if known else end),
                    position + end,
                    tally.last_match == beginning or (counted and beginning == 0) if known else False,
                )
            seen, counted = 0, False
            if end:
                position += end
                record, matched = position, False
            else:
                matched = tally.last_match == 0
                position = self._next_line(source, position + len(block))

    def _next_line(self, source: Source, position: int) -> int:
        while True:
            self.in_time()
            block = source.read(BLOCK, position)
            found = block.find(b"\n")
            if found >= 0 or not block:
                return position + found + 1 if found >= 0 else position
            position += len(block)

    def read_new(self, tally: Tally, places: list[Place], since: float) -> tuple[Coverage, list[Place]]:
        """Count what was written since the files were at these places, the latest of them at ``since`` (epoch).

        Returns also the places reached, for the next time. Raises :class:`Unmeasurable` and leaves nothing half done.
        """
        coverage = Coverage()
        segments = self._newest(self.segments(also=[place.path for place in places]))
        current = self._current(segments)
        written = self._still_written(segments, places)
        known, found_again, reached = list(places), set(), []
        for segment in segments:
            closed = next((p for p in places if (segment.compressed or p.end is None) and p.unchanged(segment)), None)
            if closed:
                found_again.add(id(closed))
                reached.append(closed)
                continue
            with self.open(segment) as source:
                place = self._recognised(source, known)
                if segment.remembered and not place:
                    continue
                original = None if place or segment.live else _copied(source, segment, written)
                if original:
                    new = dataclasses.replace(original, path=segment.path)
                elif place or segment.live or segment.status.st_mtime > since - 2:
                    new = self._read_on(source, segment, tally, place, coverage)
                else:
                    new = _closed(segment)  # older than the last check, so nothing in it is new
            found_again.add(id(place))
            new.live = segment is current
            known.append(new)
            reached.append(new)
        gone = [p for p in places if p.live and p.end and id(p) not in found_again]
        if gone:
            coverage.lost = f"{gone[0].path} as it was at the last check is not among the files any more"
        return coverage, reached

    def _read_on(
        self, source: Source, segment: Segment, tally: Tally, place: Place | None, coverage: Coverage
    ) -> Place:
        tally.clock.begin(segment.status.st_mtime)
        begin, seen, counted = (
            (place.record, (place.end or 0) - place.record, place.counted) if place else (0, 0, False)
        )
        if source.streamed:
            source.rewind()
        record, end, matched = self._blocks(
            source, tally, begin, seen=seen, counted=counted, partial=not _fresh(segment)
        )
        if place and end <= (place.end or 0):
            record, end, matched = place.record, place.end or 0, place.counted
        else:
            coverage.files.append(segment.path)
            coverage.bytes += end - begin
        if source.streamed:
            source.rewind()
        return self._place(source, segment, end, record, matched)

    def _recognised(self, source: Source, known: list[Place]) -> Place | None:
        """The furthest place that this content holds."""
        head = source.read(EDGE, 0)
        alike = [(p.end, p) for p in known if p.end and _begins(head, p)]
        for end, place in sorted(alike, key=lambda pair: pair[0], reverse=True):
            edge = min(EDGE, end)
            tail = source.read(edge, end - edge)
            if len(tail) == edge and _hash(tail) == place.tail:
                return place
            if source.streamed:
                source.rewind()
        return None

    def _still_written(self, segments: list[Segment], places: list[Place]) -> list[Place]:
        """The places that are still in the file that is being written."""
        found = []
        for segment in segments:
            if segment.live:
                with self.open(segment) as source:
                    found.append(self._recognised(source, places))
        return [place for place in found if place]

    def _newest(self, segments: list[Segment]) -> list[Segment]:
        return segments[-REMEMBERED:]

    def _current(self, segments: list[Segment]) -> Segment:
        """The file that is written now."""
        return max((segment for segment in segments if segment.live), key=lambda segment: segment.status.st_mtime_ns)

    def _place(self, source: Source, segment: Segment, end: int, record: int, counted: bool) -> Place:
        edge = min(EDGE, end)
        return dataclasses.replace(
            _closed(segment),
            head=_hash(source.read(edge, 0)),
            head_size=edge,
            tail=_hash(source.read(edge, end - edge)),
            end=end,
            record=record,
            counted=counted,
        )


def _begins(head: bytes, place: Place) -> bool:
    return len(head) >= place.head_size > 0 and _hash(head[: place.head_size]) == place.head


def _copied(source: Source, segment: Segment, written: list[Place]) -> Place | None:
    """The place of the log of which this file is a copy that is still being made, to be truncated then."""
    if not _recent(segment):
        return None
    head = source.read(EDGE, 0)
    return next((p for p in written if p.end and _begins(head, p) and not source.read(1, p.end - 1)), None)


def _recent(segment: Segment) -> bool:
    """Whether somebody may be writing at this moment."""
    return time.time() - segment.status.st_mtime < STALE


def _fresh(segment: Segment) -> bool:
    """Whether a last line may not be complete."""
    return segment.live and _recent(segment)


def _closed(segment: Segment) -> Place:
    """The place of an archive that is of no interest: known by its status, never opened."""
    status = segment.status
    return Place(segment.path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, live=segment.live)


class Source:
    """The content of one file by position: as it is, or decompressed, or turned into UTF-8."""

    def __init__(self, segment: Segment, encoding: str | None) -> None:
        self.segment = segment
        try:
            self._file: t.BinaryIO = open(segment.path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
        except OSError as exc:
            raise Unmeasurable(f"{segment.path}: {exc.strerror}") from exc
        self._encoding = _encoding(encoding, b"" if segment.compressed else os.pread(self._file.fileno(), 4, 0))
        self.streamed = segment.compressed or self._encoding is not None
        self._stream: t.Iterator[bytes] = iter(())
        self._buffer, self._start = b"", 0
        if self.streamed:
            self.rewind()

    def __enter__(self) -> Source:  # noqa: PYI034 - typing has no Self before Python 3.11
        return self

    def __exit__(self, *_exc: object) -> None:
        self._file.close()

    def read(self, size: int, position: int) -> bytes:
        """Up to so many bytes; fewer only at the end. A stream reads on, but goes back no further than a few blocks."""
        try:
            if not self.streamed:
                return os.pread(self._file.fileno(), size, position)
            return self._read_stream(size, position)
        except (OSError, EOFError, lzma.LZMAError, zlib_error, UnicodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
            raise Unmeasurable(f"{self.segment.path} cannot be read: {reason}") from exc

    def rewind(self) -> None:
        """Begin a stream anew."""
        self._buffer, self._start = b"", 0
        self._file.seek(0)
        self._stream = self._content()

    def _read_stream(self, size: int, position: int) -> bytes:
        if position < self._start:
            self.rewind()
        while self._start + len(self._buffer) < position + size:
            more = next(self._stream, b"")
            if not more:
                break
            if len(self._buffer) > 4 * BLOCK:
                drop = max(0, min(len(self._buffer) - 2 * BLOCK, position - self._start))
                self._buffer, self._start = self._buffer[drop:], self._start + drop
            self._buffer += more
        return self._buffer[position - self._start : position - self._start + size]

    def _content(self) -> t.Iterator[bytes]:
        opener = _OPENERS.get(os.path.splitext(self.segment.path)[1])
        if self.segment.compressed and opener is None:
            raise Unmeasurable(f"{self.segment.path}: this compression cannot be read here, gz, xz and bz2 can")
        file = opener(self._file, "rb") if opener else self._file
        decoder = codecs.getincrementaldecoder(self._encoding)("backslashreplace") if self._encoding else None
        while True:
            raw = file.read(BLOCK)
            if not raw:
                return
            yield decoder.decode(raw).encode("utf-8", "backslashreplace") if decoder else raw


try:
    from zlib import error as zlib_error
except ImportError:  # a Python without zlib reads no gz, and says so when it is asked to
    zlib_error = EOFError  # type: ignore[assignment,misc]


def _encoding(given: str | None, mark: bytes) -> str | None:
    """What content has to be decoded from; None when it is UTF-8 or near enough."""
    for bom, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig")):
        if mark.startswith(bom) and not given:
            return name
    if not given:
        return None
    name = codecs.lookup(given).name
    return None if name in ("utf-8", "ascii") else name


def _compressed(path: str) -> bool:
    return os.path.splitext(path)[1] in (*_OPENERS, ".zst", ".Z")


def rotated(path: str) -> list[str]:
    """What logrotate and its kin make of a log: log.1, log.2.gz, log-20251105.xz, log.2025-11-05, app-20251105.log."""
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name)
    try:
        others = os.listdir(folder or ".")
    except OSError:
        return []
    return sorted(
        os.path.join(folder, other)
        for other in others
        if (other.startswith(name) and _ROTATED.fullmatch(other, len(name)))
        or (extension and other.startswith(stem) and _with_extension(other[len(stem) :], extension))
    )


def _with_extension(rest: str, extension: str) -> bool:
    bare = rest.partition(extension)
    return bool(bare[0] and bare[1] and _ROTATED.fullmatch(bare[0] + bare[2]))


def _age(segment: Segment) -> tuple[bool, int, int, str]:
    number = re.search(r"\.(\d{1,4})(?:\.\w+)?$", segment.path)
    return segment.live, segment.status.st_mtime_ns, -int(number.group(1)) if number else 0, segment.path


def _without_copies(log: Log, segments: list[Segment]) -> list[Segment]:
    """Leave out what is there twice: copytruncate has both between its two steps."""
    kept: list[Segment] = []
    heads: dict[bytes, Segment] = {}
    for segment in reversed(segments):
        if not segment.compressed:
            with log.open(segment) as source:
                head = source.read(64, 0)
                other = heads.get(head) if len(head) == 64 else None
                if other is not None and _begins_like(log, source, segment, other):
                    continue
                heads.setdefault(head, segment)
        kept.append(segment)
    return kept[::-1]


def _begins_like(log: Log, source: Source, segment: Segment, other: Segment) -> bool:
    size = min(segment.status.st_size, other.status.st_size)
    with log.open(other) as second:
        return all(
            source.read(65536, at)[: size - at] == second.read(65536, at)[: size - at]
            for at in (0, max(0, size - 65536))
        )


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:32]


def _regular(clock: Clock, when: float) -> bool:
    """Whether no clock is changed within some hours of a moment."""
    offset = [time.localtime(when + hours * 3600).tm_gmtoff for hours in (-4, 4)]
    if clock.zone is not None:
        import datetime as dt

        offset = [dt.datetime.fromtimestamp(when + hours * 3600, clock.zone).utcoffset() for hours in (-4, 4)]  # type: ignore[misc]
    return offset[0] == offset[1]


def first_time(source: Source, position: int, form: Format, clock: Clock) -> tuple[int, float] | None:
    """Where the first dated record at or after a position begins, and its time (epoch); None when there is none."""
    size = 8192
    while size <= 8 * BLOCK:
        block = source.read(size, max(0, position - 1))
        line = 0 if position == 0 else block.find(b"\n") + 1
        if line or position == 0:
            block = (
                block.replace(b"\0", b" ") if form.dated and b"\0" in block and not block.startswith(b"\0") else block
            )
            while line < len(block):
                header = form.header.match(block, line)
                stamp = form.stamp(header) if header else None
                when = clock.read(stamp) if stamp else None
                if when is not None:
                    return max(0, position - 1) + line, when
                line = block.find(b"\n", line) + 1 or len(block)
        if len(block) < size:
            return None
        size *= 4
    return None


def last_time(source: Source, size: int, form: Format, clock: Clock) -> float | None:
    """When the last dated record was written (epoch), looking back over the last 8 MiB."""
    back = 8192
    while True:
        start = max(0, size - back)
        block = source.read(size - start, start)
        line = len(block)
        while line > 0:
            line = block.rfind(b"\n", 0, line - 1) + 1
            header = form.header.match(block, line) if line or start == 0 else None
            stamp = form.stamp(header) if header else None
            when = clock.read(stamp) if stamp else None
            if when is not None:
                return when
        if start == 0 or back == 8 * BLOCK:
            return None
        back = min(8 * back, 8 * BLOCK)


def sorted_by_time(source: Source, size: int, form: Format, clock: Clock, probes: int = 32) -> bool:
    """Whether time rises through the file, as far as some looks at it tell."""
    latest = float("-inf")
    for number in range(probes + 1):
        clock.begin(clock.written)
        found = first_time(source, size * number // (probes + 1), form, clock)
        if found:
            if found[1] < latest - JITTER:
                return False
            latest = max(latest, found[1])
    last = last_time(source, size, form, clock)
    return last is None or last >= latest - JITTER


def _last_line(source: Source, size: int) -> int:
    """Where a last line without an end begins, the size where there is none."""
    block = source.read(BLOCK, max(0, size - BLOCK))
    return size - len(block) + block.rfind(b"\n") + 1


def seek_time(source: Source, size: int, form: Format, clock: Clock, when: float) -> int:
    """In a sorted file, the position of a record before which all are older than ``when``; its size when all are."""
    low, high = 0, size
    answer = size
    while high - low > 4096:
        middle = (low + high) // 2
        clock.begin(clock.written)
        found = first_time(source, middle, form, clock)
        if found is None or found[1] >= when:
            high = middle
            answer = found[0] if found else answer
        else:
            low = found[0]
            high = max(high, low)
    position = low
    while True:
        found = first_time(source, position, form, clock)
        if found is None:
            return answer if answer < size else _last_line(source, size)
        if found[1] >= when:
            return found[0]
        position = found[0] + 1
