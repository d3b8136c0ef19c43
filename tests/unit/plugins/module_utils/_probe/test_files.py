# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""files: real files in a directory of their own."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import files


def write(path: Path, age: float = 0, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def names(pattern: Path | str, recurse: bool = False) -> list[str]:
    return [Path(file.path).name for file in files.matching(str(pattern), recurse).files]


def test_the_newest_file_comes_first(tmp_path: Path) -> None:
    for age, name in ((30, "b.gz"), (10, "a.gz"), (20, "c.gz"), (5, "d.txt")):
        write(tmp_path / name, age)
    assert names(tmp_path / "*.gz") == ["a.gz", "c.gz", "b.gz"]


def test_what_a_file_is_like_is_told_in_full(tmp_path: Path) -> None:
    path = write(tmp_path / "dump", 60, "12345")
    path.chmod(0o4604)
    found = files.matching(str(path))
    (file,) = found.files
    assert (file.path, file.size, file.mode, file.owner) == (str(path), 5, 0o4604, path.owner())
    assert found.now - file.mtime == pytest.approx(60, abs=5)


def test_an_owner_without_a_name_is_a_number(tmp_path: Path) -> None:
    path = write(tmp_path / "dump")
    os.chown(path, 54321, 54322)
    (file,) = files.matching(str(path)).files
    assert (file.owner, file.group) == ("54321", "54322")


def test_patterns_hold_in_every_part_of_the_path(tmp_path: Path) -> None:
    for name in ("shop/db/1.gz", "blog/db/2.gz", "blog/files/3.gz", "readme"):
        write(tmp_path / name)
    assert sorted(names(tmp_path / "*/db/?.gz")) == ["1.gz", "2.gz"]
    assert sorted(names(tmp_path / "[b]*/*/*.gz")) == ["2.gz", "3.gz"]


def test_hidden_files_are_matched_by_a_hidden_pattern_only(tmp_path: Path) -> None:
    write(tmp_path / ".a.gz.part")
    write(tmp_path / "a.gz")
    assert names(tmp_path / "*") == ["a.gz"]
    assert names(tmp_path / ".*") == [".a.gz.part"]


def test_only_recursion_looks_into_directories_below(tmp_path: Path) -> None:
    write(tmp_path / "2026/11/05/dump.gz")
    write(tmp_path / "dump.gz", 10)
    assert names(tmp_path / "*.gz") == ["dump.gz"]
    assert len(names(tmp_path / "*.gz", recurse=True)) == 2
    assert len(names(tmp_path / "dump.gz", recurse=True)) == 2


def test_recursion_does_not_follow_links_in_circles(tmp_path: Path) -> None:
    write(tmp_path / "a/dump.gz")
    (tmp_path / "a/again").symlink_to(tmp_path)
    assert names(tmp_path / "*.gz", recurse=True) == ["dump.gz"]


def test_a_link_counts_as_the_file_it_names(tmp_path: Path) -> None:
    write(tmp_path / "real/dump", 100, "1234567")
    (tmp_path / "latest").symlink_to("real/dump")
    (file,) = files.matching(str(tmp_path / "latest")).files
    assert (file.size, time.time() - file.mtime > 90) == (7, True)


def test_a_link_to_nothing_is_no_file_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("/gone/dump")
    found = files.matching(str(tmp_path / "latest"))
    assert found.files == ()
    assert found.others == (f"{tmp_path}/latest is a link to /gone/dump, which is not there",)


def test_a_link_to_itself_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert files.matching(str(tmp_path / "loop")).files == ()


def test_directories_and_sockets_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)  # the path of a socket may be no longer than about a hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        found = files.matching(str(tmp_path / "*"))
    assert found.files == ()
    assert found.others == (f"{tmp_path}/folder is a directory", f"{tmp_path}/socket is not a regular file")


@pytest.mark.parametrize("pattern", ["gone", "gone/*.gz", "*/gone/*.gz", "file/below", "*.gz"])
def test_what_is_not_there_is_no_file(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "file")
    assert names(tmp_path / pattern) == []


@pytest.mark.parametrize("pattern", ["*.gz", "*/*.gz"])
def test_a_directory_that_cannot_be_read_is_unmeasurable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    """Tests may run as root, whom no permission stops, so the refusal is the only thing here that is not real."""

    def refuse(path: str) -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(files.os, "listdir", refuse)
    with pytest.raises(Unmeasurable, match="Permission denied"):
        files.matching(str(tmp_path / pattern))


def test_a_path_in_a_directory_that_cannot_be_entered_is_unmeasurable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(files.os, "lstat", refuse)
    with pytest.raises(Unmeasurable, match="Permission denied"):
        files.matching(str(tmp_path / "dump"))


def test_a_file_that_vanishes_while_we_look_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.gz")
    monkeypatch.setattr(files.os, "listdir", lambda _: ["a.gz", "vanished.gz"])
    assert names(tmp_path / "*.gz") == ["a.gz"]


def test_a_pattern_that_matches_the_world_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST", 3)
    for number in range(4):
        write(tmp_path / str(number))
    with pytest.raises(Unmeasurable, match="narrower"):
        files.matching(str(tmp_path / "*"))


def test_names_that_are_not_utf8_can_be_reported(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.gz")).write_text("x")
    (file,) = files.matching(str(tmp_path / "*.gz")).files
    file.path.encode("utf-8")
