# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is in a backup: read once from beginning to end, as a stream, in memory that does not grow with it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import posixpath
import tarfile
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _dump as dump
from ansible_collections.sre.runbooks.plugins.module_utils import _pipe as pipe
from ansible_collections.sre.runbooks.plugins.module_utils import _unzip as unzip
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import text
from ansible_collections.sre.runbooks.plugins.module_utils._unpack import inside

MOST_NAMES = 100_000
"""Members of an archive that are kept, to be compared with those that are expected."""
_MANY = 50
_HEAD = 4096
_PG_RESTORE_TOO_OLD = "unsupported version"


@dataclasses.dataclass
class Members:
    """What an archive holds."""

    count: int = 0
    names: set[str] = dataclasses.field(default_factory=set)
    """As the archive has them, of the first :data:`MOST_NAMES`."""
    files: dict[str, int] = dataclasses.field(default_factory=dict)
    """Path → bytes, of files alone, and of as many."""
    outside: list[str] = dataclasses.field(default_factory=list)
    """What would be written elsewhere than where the archive is unpacked, and why."""

    def add(self, name: str, size: int | None = None) -> None:
        """A member, with its size where it is a file."""
        self.count += 1
        path = inside(name)
        if path is None and len(self.outside) < _MANY:
            self.outside.append(f"{name[:200]} would lie outside of the directory")
        if self.count <= MOST_NAMES:
            self.names.add(name)
            if size is not None and path is not None:
                self.files[path] = size


@dataclasses.dataclass
class Content:
    """What was seen of a backup. What comes after the place where it is broken, or where we could not go on, is missing."""

    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    """Algorithm → hex digits, of the bytes as they lie there: those that were asked for."""
    outermost: str | None = None
    """The layer of compression or encryption that the first bytes tell."""
    stages: tuple[str, ...] = ()
    format: str | None = None
    database: str = ""
    """The database that a dump says it is of."""
    scan: dump.Scan | None = None
    members: Members | None = None
    plain_bytes: int = 0
    broken: tuple[str, str] | None = None
    """The stage at which the backup turned out to be at fault, and the reason."""
    problem: str = ""
    """Why we could not read on, where that is not the fault of the backup."""


@dataclasses.dataclass(frozen=True)
class How:
    """How to read: with which keys, how deep, until when (a moment of ``time.monotonic()``), for which checksums."""

    keys: pipe.Keys
    deep: bool
    deadline: float
    algorithms: t.Collection[str] = ()


def examine(source: t.Callable[[], pipe.Chunks], how: How) -> Content:
    """Read a backup to its end: every layer is taken off, and what is inside is tested.

    Raises :class:`Unmeasurable` when the bytes themselves cannot be read.
    """
    seen, digests = Content(), _Digests(how.algorithms)
    head, chunks = pipe.peek(_in_time(source(), how.deadline))
    seen.outermost = pipe.sniff(head)
    try:
        stream = pipe.open_stream(chunks, how.keys, deadline=how.deadline, meter=digests)
        try:
            _look_into(stream, seen, how)
        finally:
            seen.stages = tuple(stream.stages)
            stream.close()
    except pipe.Broken as exc:
        seen.broken = (exc.stage, exc.reason)
    except pipe.TooSlow:
        raise
    except Unmeasurable as exc:
        seen.problem = str(exc)
    stopped = seen.broken or seen.problem
    if stopped and how.algorithms:  # once more, for the checksum of all
        seen.digests = digests_of(source(), how.algorithms, how.deadline)
    else:
        seen.digests = digests.hex()
    return seen


def examine_directory(path: str, how: How) -> Content:
    """The same of a dump in PostgreSQL's directory format, which pg_restore reads itself."""
    seen = Content(format=dump.PG_DIRECTORY)
    try:
        with open(f"{path}/toc.dat", "rb") as file:
            seen.database = dump.database_in_header(file.read(_HEAD))
        _restored(["pg_restore", "-f", "-", path], iter(()), seen, how)
    except OSError as exc:
        seen.problem = f"{path}: {exc.strerror}"
    except pipe.Broken as exc:
        seen.broken = (exc.stage, exc.reason)
    except pipe.TooSlow:
        raise
    except Unmeasurable as exc:
        seen.problem = str(exc)
    return seen


def digests_of(chunks: pipe.Chunks, algorithms: t.Collection[str], deadline: float) -> dict[str, str]:
    """The checksums of what is not looked into."""
    digests = _Digests(algorithms)
    for _chunk in digests.watch(_in_time(chunks, deadline)):
        pass
    return digests.hex()


class _Digests(pipe.Meter):
    """Takes the checksums that somebody wants to know, while the bytes pass by."""

    def __init__(self, algorithms: t.Collection[str]) -> None:
        super().__init__()
        self._sums = {name: hashlib.new(name) for name in algorithms}

    def watch(self, chunks: pipe.Chunks) -> pipe.Chunks:
        for chunk in chunks:
            for one in self._sums.values():
                one.update(chunk)
            yield chunk

    def hex(self) -> dict[str, str]:
        return {name: one.hexdigest() for name, one in self._sums.items()}


def _in_time(chunks: pipe.Chunks, deadline: float) -> pipe.Chunks:
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise pipe.TooSlow("the backup could not be read in the time given: give more, or ask for a lower level")
        yield chunk


def _look_into(stream: pipe.Stream, seen: Content, how: How) -> None:
    head, chunks = pipe.peek(stream.chunks, _HEAD)
    if not head:
        raise pipe.Broken(stream.stages[-1] if stream.stages else "read", "there is not one byte in it")
    seen.format = dump.recognise(head)
    if seen.format is None and "openssl" in stream.stages:
        raise pipe.Broken("openssl", "what it decrypts to is nothing known: a wrong passphrase, cipher or digest")
    if seen.format in (dump.PG_CUSTOM, dump.PG_TAR):
        seen.database = dump.database_in_header(head)
        whole = _whole_tar(chunks) if seen.format == dump.PG_TAR else chunks
        _restored(["pg_restore", "-f", "-"], whole, seen, how)
    elif seen.format in (dump.MYSQL, dump.POSTGRESQL, dump.SQL):
        _scanned(_counted(chunks, seen), seen, how)
        seen.database = seen.scan.database if seen.scan else ""
    elif seen.format == dump.TAR:
        _members(_counted(chunks, seen), seen)
    elif seen.format == dump.ZIP:
        _zipped(_counted(chunks, seen), seen)
    else:
        for _chunk in _counted(chunks, seen):
            pass


def _counted(chunks: pipe.Chunks, seen: Content) -> pipe.Chunks:
    for chunk in chunks:
        seen.plain_bytes += len(chunk)
        yield chunk


def _scanned(chunks: pipe.Chunks, seen: Content, how: How) -> None:
    if not how.deep:
        for _chunk in chunks:
            pass
        return
    scan = seen.scan = dump.Scan(seen.format if seen.format in (dump.MYSQL, dump.SQL) else dump.POSTGRESQL)
    for _piece in dump.pieces(chunks, scan):
        pass


def _restored(argv: list[str], chunks: pipe.Chunks, seen: Content, how: How) -> None:
    """Let pg_restore write the dump out as SQL: nothing else reads all of it."""
    try:
        process = pipe.Process("pg_restore", argv, chunks, deadline=how.deadline)
        try:
            _scanned(_counted(process, seen), seen, how)
        finally:
            process.close()
    except pipe.Broken as exc:
        if _PG_RESTORE_TOO_OLD in exc.reason:
            raise Unmeasurable(f"pg_restore of the host is older than the dump: {exc.reason}") from exc
        raise


def _whole_tar(chunks: pipe.Chunks) -> pipe.Chunks:
    """Look for the end mark while a tar archive passes by: of one that was cut off, pg_restore says nothing."""
    header, left, ended = b"", 0, False
    for chunk in chunks:
        position = 0
        while position < len(chunk) and not ended:
            if left:
                step = min(left, len(chunk) - position)
                left -= step
            else:
                step = min(tarfile.BLOCKSIZE - len(header), len(chunk) - position)
                header += chunk[position : position + step]
            position += step
            if len(header) == tarfile.BLOCKSIZE:
                left, ended, header = _member_size(header), not any(header), b""
        yield chunk
    if not ended:
        raise pipe.Broken("tar", "the archive ends without its end mark: it was cut off")


def _member_size(header: bytes) -> int:
    """The bytes that a member takes after its header, whole blocks."""
    size = header[124:136]
    try:
        told = int.from_bytes(size[1:], "big") if size[0] == 0o200 else int(size.strip(b" \0") or b"0", 8)
    except ValueError:
        raise pipe.Broken("tar", "the archive is damaged: what should be a size is none") from None
    return -(-told // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


class _Member(tarfile.TarInfo):
    """A header of an archive. tarfile takes an archive that ends without its end mark for whole."""

    @classmethod
    def frombuf(cls, buf: t.Any, encoding: str, errors: str) -> t.Any:
        if not buf:
            raise pipe.Broken("tar", "the archive ends without its end mark: it was cut off")
        return super().frombuf(buf, encoding, errors)


class _Readable(io.RawIOBase):
    """Chunks as the file that tarfile reads."""

    def __init__(self, chunks: pipe.Chunks) -> None:
        self._chunks, self._rest = chunks, b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _members(chunks: pipe.Chunks, seen: Content) -> None:
    members = seen.members = Members()
    ways_out: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=_Readable(chunks), mode="r|", bufsize=pipe.CHUNK, tarinfo=_Member) as archive:
            for entry in archive:
                _entry(entry, members, ways_out)
                archive.members = []  # type: ignore[attr-defined]  # it keeps them all
    except tarfile.TarError as exc:
        raise pipe.Broken("tar", f"the archive is damaged: {exc}") from exc
    for _chunk in chunks:
        pass


def _entry(entry: tarfile.TarInfo, members: Members, ways_out: dict[str, str]) -> None:
    """Note a member. A link that leads out does no harm until something is written through it, or it is a hard one."""
    name = text(entry.name.encode("utf-8", "surrogateescape"))
    members.add(name, entry.size if entry.isfile() else None)
    if len(members.outside) >= _MANY:
        return
    if entry.islnk() and inside(entry.linkname) is None:
        members.outside.append(f"{name[:200]} links to {entry.linkname[:100]}")
    elif entry.issym() and inside(posixpath.join(posixpath.dirname(entry.name), entry.linkname)) is None:
        if len(ways_out) < MOST_NAMES:
            ways_out[posixpath.normpath(entry.name)] = entry.linkname
    elif ways_out:
        parts = posixpath.normpath(entry.name).split("/")
        through = next(
            (way for way in map("/".join, (parts[:end] for end in range(1, len(parts)))) if way in ways_out), ""
        )
        if through:
            members.outside.append(
                f"{name[:200]} would be written to {ways_out[through][:100]}, to where {through} links"
            )


def _zipped(chunks: pipe.Chunks, seen: Content) -> None:
    members = seen.members = Members()
    try:
        for name, size in unzip.members(chunks):
            members.add(name, None if name.endswith("/") else size)
    except unzip.Encrypted:
        seen.outermost = "zip"
        raise
