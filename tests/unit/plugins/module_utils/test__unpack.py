# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that nobody trusts."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._pipe import Broken
from ansible_collections.sre.runbooks.plugins.module_utils._unpack import (
    Unpacked,
    inside,
    open_to_everybody,
    unpack_tar,
    unpack_zip,
)


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for about, content in entries:
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return file.getvalue()


def entry(
    name: str, content: bytes = b"x", mode: int = 0o644, kind: bytes = tarfile.REGTYPE, to: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    about = tarfile.TarInfo(name)
    about.mode, about.type, about.linkname = mode, kind, to
    return about, content if kind == tarfile.REGTYPE else b""


def unpacked(data: bytes, place: Path, size: int = 1000) -> Unpacked:
    return unpack_tar((data[start : start + size] for start in range(0, len(data), size)), str(place))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "place").mkdir()
    yield tmp_path / "place"
    assert os.listdir(tmp_path) == ["place"], "nothing lies outside"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b", "a/b"), ("./a", "a"), ("a/../b", "b"), ("/etc/passwd", None), ("../x", None), ("a/../../x", None), ("..", None),
        ("a\\..\\..\\x", None),
    ],
)  # fmt: skip
def test_a_name_stays_inside_or_is_refused(name: str, path: str | None) -> None:
    assert inside(name) == path


@pytest.mark.parametrize("size", [1, 511, 512, 100_000])
def test_files_come_out_as_they_were(place: Path, size: int) -> None:
    found = unpacked(
        tar(entry("./a", b"1" * 3000), entry("d/b", b"", 0o600), entry("e", kind=tarfile.DIRTYPE)), place, size
    )
    assert {path: about["bytes"] for path, about in found.files.items()} == {"a": 3000, "d/b": 0}
    assert (place / "a").read_bytes() == b"1" * 3000
    assert found.files["d/b"]["mode"] == "0600"
    assert (place / "e").is_dir()


@pytest.mark.parametrize(
    "bad",
    [
        entry("../out"), entry("/out"), entry("l", kind=tarfile.SYMTYPE, to="/etc"), entry("l", kind=tarfile.SYMTYPE, to="../.."),
        entry("l", kind=tarfile.LNKTYPE, to="/etc/passwd"), entry("d", kind=tarfile.CHRTYPE), entry("d", kind=tarfile.FIFOTYPE),
    ],
    ids=lambda value: f"{value[0].type!r} {value[0].name} {value[0].linkname}",
)  # fmt: skip
def test_what_leads_out_is_named_and_the_rest_is_unpacked(place: Path, bad: tuple[tarfile.TarInfo, bytes]) -> None:
    found = unpacked(tar(bad, entry("good")), place)
    assert len(found.refused) == 1
    assert list(found.files) == ["good"]
    assert os.listdir(place) == ["good"]


def test_nothing_is_written_through_a_link(place: Path, tmp_path: Path) -> None:
    unpacked(tar(entry("l", kind=tarfile.SYMTYPE, to="elsewhere"), entry("l/x", b"x")), place)
    assert not (place / "l").is_symlink()


def test_links_within_are_counted_and_hard_links_made(place: Path) -> None:
    found = unpacked(
        tar(
            entry("a", b"text"), entry("d/s", kind=tarfile.SYMTYPE, to="../a"), entry("h", kind=tarfile.LNKTYPE, to="a")
        ),
        place,
    )
    assert found.links == 2
    assert (place / "h").read_bytes() == b"text"
    assert found.files["h"] == found.files["a"]


def test_what_runs_as_somebody_else_does_not_when_it_is_unpacked(place: Path) -> None:
    found = unpacked(tar(entry("s", mode=0o4777), entry("w", mode=0o666), entry("ok", mode=0o755)), place)
    assert stat.S_IMODE(os.stat(place / "s").st_mode) == 0o700
    assert open_to_everybody(found) == ["s has mode 4777", "w has mode 0666"]


@pytest.mark.parametrize("keep", [400, 512, 1536, 2000, 3072])
def test_an_archive_that_is_cut_off_is_broken(place: Path, keep: int) -> None:
    """Also where an entry ends, which tarfile takes for a good end."""
    data = tar(entry("a", b"1" * 1000), entry("b", b"1" * 1000))
    with pytest.raises(Broken, match="tar: "):
        unpacked(data[:keep], place)


def test_a_damaged_header_is_not_taken_for_the_end(place: Path) -> None:
    data = bytearray(tar(entry("a", b"1" * 1000), entry("b", b"1" * 1000)))
    data[1536 + 10] ^= 4
    with pytest.raises(Broken, match="tar: the archive is damaged"):
        unpacked(bytes(data), place)


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "text" * 1000)
    return path


def test_a_zip_is_unpacked_and_what_leads_out_is_named(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = zipped(tmp_path_factory.mktemp("z") / "a.zip", "a/b", "../out")
    found = unpack_zip(str(path), str(place), None)
    assert (list(found.files), len(found.refused)) == (["a/b"], 1)


def test_a_damaged_zip_is_broken(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = zipped(tmp_path_factory.mktemp("z") / "a.zip", "a")
    data = bytearray(path.read_bytes())
    data[45] ^= 255
    path.write_bytes(data)
    with pytest.raises(Broken, match="zip: "):
        unpack_zip(str(path), str(place), None)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Broken, match="zip: "):
        unpack_zip(str(path), str(place), None)
