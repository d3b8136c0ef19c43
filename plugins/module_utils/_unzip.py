# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A zip archive read as a stream, from its first byte to its last, as it comes out of a decryption or of S3.

The zipfile of Python begins at the end and jumps back. Here each member is tested as it passes by, and what the table of
contents at the end says is compared with what was seen.
"""

from __future__ import annotations

import struct
import typing as t
import zlib

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import CHUNK, Broken, Chunks

_MEMBER, _LISTED, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END_64, _LOCATOR_64, _DESCRIPTOR = b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"
_ENCRYPTED, _SIZES_FOLLOW = 0x1, 0x8
_STORED, _DEFLATED = 0, 8
_EVERYTHING = 0xFFFFFFFF
"""Where a size would be, when it takes more than four bytes and stands elsewhere."""


class Encrypted(Unmeasurable):
    """The members have a password."""


class Member(t.NamedTuple):
    """What the table of contents lists. ``size`` is in bytes, of the plain content."""

    name: str
    size: int


class _Source:
    """Chunks of which as many bytes can be asked for as are needed, and given back."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks, self._rest = chunks, b""

    def some(self) -> bytes:
        """What is there next, at least a byte."""
        data, self._rest = self._rest or next(self._chunks, b""), b""
        if not data:
            raise Broken("zip", "the archive ends in the middle: it was cut off")
        return data

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.some()
        self.back(data[size:])
        return data[:size]

    def back(self, data: bytes) -> None:
        self._rest = data + self._rest

    def ended(self) -> bool:
        self._rest = self._rest or next(self._chunks, b"")
        return not self._rest


def members(chunks: Chunks) -> t.Iterator[Member]:
    """Test the members of an archive, then tell them.

    Raises :class:`Broken`, and :class:`Unmeasurable` for what cannot be unpacked here, or not as a stream.
    """
    source, sizes = _Source(chunks), {}  # type: _Source, dict[bytes, int]
    while True:
        kind = source.exactly(4)
        if kind == _MEMBER:
            name, size = _tested(source)
            sizes[name] = size
        elif kind == _LISTED:
            yield _listed(source, sizes)
        elif kind == _END_64:
            (size,) = struct.unpack("<Q", source.exactly(8))
            source.exactly(size)
        elif kind == _LOCATOR_64:
            source.exactly(16)
        elif kind == _END:
            source.exactly(struct.unpack("<16xH", source.exactly(18))[0])
            break
        else:
            raise Broken("zip", "the archive is damaged: between two members stands what is none")
    if not source.ended():
        raise Broken("zip", "something else follows the end of the archive")


def _tested(source: _Source) -> tuple[bytes, int]:
    """Read a member to its end. Returns its name and size."""
    _version, flags, method, _time, _date, checksum, packed, plain, length, more = struct.unpack(
        "<5H3L2H", source.exactly(26)
    )
    name, extra = source.exactly(length), source.exactly(more)
    if flags & _ENCRYPTED:
        raise Encrypted("the zip archive is encrypted, and nothing here can decrypt it")
    if _EVERYTHING in (packed, plain):
        plain, packed = _long_sizes(extra, name)
    if method == _DEFLATED:
        seen = _inflated(source, name)
    elif method == _STORED:
        seen = _copied(source, packed)
    else:
        raise Unmeasurable(f"the zip archive is packed in a way (number {method}) that nothing here can unpack")
    fine = _described(source, seen) if flags & _SIZES_FOLLOW else seen == (checksum, packed, plain)
    if not fine and method == _STORED and flags & _SIZES_FOLLOW:  # its size was not known when it was begun
        raise Unmeasurable("the zip archive was streamed without compression: nothing tells where its members end")
    if not fine:
        raise Broken("zip", f"the archive is damaged: {_text(name)} is not what its checksum says")
    return name, seen[2]


def _long_sizes(extra: bytes, name: bytes) -> tuple[int, int]:
    """The plain and the packed size of a member that is bigger than four bytes can tell."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<2H", extra[:4])
        if kind == 1 and length >= 16:
            return t.cast("tuple[int, int]", struct.unpack("<2Q", extra[4:20]))
        extra = extra[4 + length :]
    raise Broken("zip", f"the archive is damaged: nothing tells the size of {_text(name)}")


def _copied(source: _Source, size: int) -> tuple[int, int, int]:
    """Pass over bytes. Returns their checksum and, twice, their number."""
    checksum, left = 0, size
    while left:
        data = source.some()
        source.back(data[left:])
        checksum = zlib.crc32(data[:left], checksum)
        left -= min(left, len(data))
    return checksum, size, size


def _inflated(source: _Source, name: bytes) -> tuple[int, int, int]:
    """Pass over compressed bytes, which tell their end. Returns the checksum, the packed and the plain size."""
    decoder = zlib.decompressobj(-15)
    checksum = packed = plain = 0
    try:
        while not decoder.eof:
            data = source.some()
            packed += len(data)
            while data and not decoder.eof:
                content = decoder.decompress(data, CHUNK)
                checksum, plain = zlib.crc32(content, checksum), plain + len(content)
                data = decoder.unconsumed_tail
    except zlib.error as exc:
        raise Broken("zip", f"the archive is damaged: {_text(name)}: {exc}") from exc
    source.back(decoder.unused_data)
    return checksum, packed - len(decoder.unused_data), plain


def _described(source: _Source, seen: tuple[int, int, int]) -> bool:
    """Whether the checksum and the sizes follow, in one of the four ways in which they may."""
    ways = ["<LQQ"] if max(seen) > _EVERYTHING else ["<LQQ", "<LLL"]
    for wanted in (mark + struct.pack(way, *seen) for way in ways for mark in (_DESCRIPTOR, b"")):
        data = source.exactly(len(wanted))
        if data == wanted:
            return True
        source.back(data)
    return False


def _listed(source: _Source, sizes: t.Mapping[bytes, int]) -> Member:
    """One line of the table of contents, whose member is to have been seen."""
    length, more, comment = struct.unpack("<24x3H12x", source.exactly(42))
    name = source.exactly(length)
    source.exactly(more + comment)
    if name not in sizes:
        raise Broken("zip", f"the archive is damaged: its table of contents lists {_text(name)}, which is not in it")
    return Member(_text(name), sizes[name])


def _text(name: bytes) -> str:
    """Info-ZIP does not say that its names are UTF-8; what is not is of the time of DOS."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")
