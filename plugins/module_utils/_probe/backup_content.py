# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is in a backup: read once from beginning to end, as a stream, in memory that does not grow with it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import time
import typing as t
import zipfile
import zlib

from ansible_collections.sre.runbooks.plugins.module_utils import _dump as dump
from ansible_collections.sre.runbooks.plugins.module_utils import _pipe as pipe
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import text

MOST_NAMES = 100_000
"""Names of an archive's members that are kept, to be compared with those that are expected."""
_HEAD = 4096
_PG_RESTORE_TOO_OLD = "unsupported version"


@dataclasses.dataclass
class Content:
    """What was seen of a backup. What comes after the place where it is broken, or where we could not go on, is missing."""

    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    """Algorithm → hex digits, of the bytes as they lie there."""
    outermost: str | None = None
    """The layer of compression or encryption that the first bytes tell."""
    stages: tuple[str, ...] = ()
    format: str | None = None
    database: str = ""
    """The database that a dump says it is of."""
    scan: dump.Scan | None = None
    names: set[str] | None = None
    """Members of an archive."""
    plain_bytes: int = 0
    broken: tuple[str, str] | None = None
    """The stage at which the backup turned out to be at fault, and the reason."""
    problem: str = ""
    """Why we could not read on, where that is not the fault of the backup."""


@dataclasses.dataclass(frozen=True)
class How:
    """How to read: with which keys, how deep, until when (a moment of ``time.monotonic()``).

    ``path`` is set for what lies on this host and can be read in any order.
    """

    keys: pipe.Keys
    deep: bool
    deadline: float
    algorithms: tuple[str, ...] = ("sha256",)
    path: str | None = None


def examine(source: t.Callable[[], pipe.Chunks], how: How) -> Content:
    """Read a backup to its end: every layer is taken off, and what is inside is tested.

    Raises :class:`Unmeasurable` when the bytes themselves cannot be read.
    """
    seen = Content()
    digests = _Digests(how.algorithms)
    head, chunks = pipe.peek(_in_time(source(), how.deadline))
    pipe.close(chunks)
    seen.outermost = pipe.sniff(head)
    raw = digests.watch(_in_time(source(), how.deadline))
    try:
        stream = pipe.open_stream(raw, how.keys, deadline=how.deadline)
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
    if seen.broken or seen.problem:
        digests = _Digests(how.algorithms)
        for _chunk in digests.watch(_in_time(source(), how.deadline)):
            pass
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


def digests_of(chunks: pipe.Chunks, algorithms: t.Sequence[str], deadline: float) -> dict[str, str]:
    """The checksums of what is not looked into."""
    digests = _Digests(algorithms)
    for _chunk in digests.watch(_in_time(chunks, deadline)):
        pass
    return digests.hex()


class _Digests:
    def __init__(self, algorithms: t.Sequence[str]) -> None:
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
        _restored(["pg_restore", "-f", "-"], chunks, seen, how)
    elif seen.format in (dump.MYSQL, dump.POSTGRESQL, dump.SQL):
        _scanned(_counted(chunks, seen), seen, how)
        seen.database = seen.scan.database if seen.scan else ""
    elif seen.format == dump.TAR:
        _members(_counted(chunks, seen), seen)
    elif seen.format == dump.ZIP:
        for _chunk in _counted(chunks, seen):
            pass
        _zipped(stream, seen, how)
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
    seen.names = set()
    try:
        with tarfile.open(fileobj=_Readable(chunks), mode="r|", tarinfo=_Member) as archive:
            for member in archive:
                if len(seen.names) < MOST_NAMES:
                    seen.names.add(text(member.name.encode("utf-8", "surrogateescape")))
                archive.members = []  # type: ignore[attr-defined]  # it keeps them all
    except tarfile.TarError as exc:
        raise pipe.Broken("tar", f"the archive is damaged: {exc}") from exc
    for _chunk in chunks:
        pass


def _zipped(stream: pipe.Stream, seen: Content, how: How) -> None:
    """A zip has its table of contents at the end, so only a file can be tested."""
    if stream.stages or how.path is None:
        raise Unmeasurable("a zip archive can only be tested where it lies on the host as it is")
    try:
        with zipfile.ZipFile(how.path) as archive:
            members = archive.infolist()
            seen.names = {member.filename for member in members[:MOST_NAMES]}
            if any(member.flag_bits & 1 for member in members):
                seen.outermost = "zip"
                raise Unmeasurable("the zip archive is encrypted, and nothing here can decrypt it")
            for member in members:
                with archive.open(member) as file:
                    for _chunk in _in_time(iter(lambda file=file: file.read(pipe.CHUNK), b""), how.deadline):  # type: ignore[misc]
                        pass
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as exc:
        if isinstance(exc, NotImplementedError):
            raise Unmeasurable(f"the zip archive cannot be tested: {exc}") from exc
        raise pipe.Broken("zip", f"the archive is damaged: {exc}") from exc
