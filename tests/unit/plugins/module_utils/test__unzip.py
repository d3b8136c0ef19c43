# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Zip archives of Python and of Info-ZIP, read as a stream, whole and broken."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _unzip as unzip
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import Broken

CONTENT = {"a.txt": b"text\n" * 5000, "folder/ünï.bin": random.Random(7).randbytes(20_000), "folder/empty": b""}


class Unseekable(io.RawIOBase):
    """What a pipe is to whoever writes an archive."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def archive(method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False, long: bool = False) -> bytes:
    raw = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as made:
        made.comment = b"PK\x05\x06 is no end"
        for name, content in CONTENT.items():
            with made.open(name, "w", force_zip64=long) as file:
                file.write(content)
    return bytes(raw.data) if isinstance(raw, Unseekable) else raw.getvalue()


def listed(data: bytes, size: int = 1000) -> dict[str, int]:
    pieces = iter([data[start : start + size] for start in range(0, len(data), size)])
    return {member.name: member.size for member in unzip.members(pieces)}


SIZES = {name: len(content) for name, content in CONTENT.items()}


@pytest.mark.parametrize("size", [1, 1000, 10**6])
@pytest.mark.parametrize("long", [False, True], ids=["short", "zip64"])
@pytest.mark.parametrize("streamed", [False, True], ids=["to a file", "to a pipe"])
def test_an_archive_is_read_however_it_was_written(streamed: bool, long: bool, size: int) -> None:
    assert listed(archive(streamed=streamed, long=long), size) == SIZES


def test_members_without_compression_are_read() -> None:
    assert listed(archive(zipfile.ZIP_STORED)) == SIZES


@pytest.mark.parametrize("options", [["-r"], ["-r", "-0"], ["-r", "-fz"], ["-r", "-y"]], ids=" ".join)
@pytest.mark.parametrize("to", ["file", "pipe"])
def test_what_info_zip_writes_is_read(tmp_path: Path, options: list[str], to: str) -> None:
    for name, content in CONTENT.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    where = str(tmp_path / "out.zip") if to == "file" else "-"
    done = subprocess.run(["zip", "-q", *options, where, "."], cwd=tmp_path / "in", check=True, capture_output=True)
    data = (tmp_path / "out.zip").read_bytes() if to == "file" else done.stdout
    found = listed(data)
    assert {name: size for name, size in found.items() if not name.endswith("/")} == SIZES


def test_a_stream_without_compression_is_our_own_fault() -> None:
    with pytest.raises(Unmeasurable, match="streamed without compression"):
        listed(archive(zipfile.ZIP_STORED, streamed=True))


def test_an_empty_archive_is_read() -> None:
    raw = io.BytesIO()
    zipfile.ZipFile(raw, "w").close()
    assert listed(raw.getvalue()) == {}


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_archive_that_is_cut_off_is_broken(share: float, streamed: bool) -> None:
    data = archive(streamed=streamed)
    with pytest.raises(Broken, match="cut off"):
        listed(data[: int(len(data) * share)])


def test_no_flipped_bit_of_a_member_goes_unseen() -> None:
    data = archive(zipfile.ZIP_STORED)
    start = data.index(CONTENT["a.txt"])
    for place in range(start, start + 20_000, 997):
        turned = bytearray(data)
        turned[place] ^= 1
        with pytest.raises(Broken, match=r"a\.txt is not what its checksum says"):
            listed(bytes(turned))


def test_rubbish_after_the_end_is_broken() -> None:
    with pytest.raises(Broken, match="something else follows"):
        listed(archive() + b"<html>")


def test_a_member_that_is_listed_and_not_there_is_broken() -> None:
    data = archive()
    end = data.rindex(b"a.txt")
    with pytest.raises(Broken, match=r"lists b\.txt, which is not in it"):
        listed(data[:end] + b"b" + data[end + 1 :])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_is_not_known_is_our_own_fault(method: int) -> None:
    with pytest.raises(Unmeasurable, match="nothing here can unpack"):
        listed(archive(method))


def test_memory_stays_flat() -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = packer.compress(b"0123456789abcdef" * 2**16) + packer.flush(zlib.Z_FULL_FLUSH)

    def endless() -> Iterator[bytes]:
        yield b"PK\x03\x04" + bytes([20, 0, 8, 0, 8, 0]) + bytes(16) + b"\x01\x00\x00\x00" + b"a"
        for _number in range(200):
            yield block

    tracemalloc.start()
    try:
        with pytest.raises(Broken, match="cut off"):
            list(unzip.members(endless()))
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20, "of 200 MiB"
    finally:
        tracemalloc.stop()
    assert sys.getsizeof(block) < 2**20
