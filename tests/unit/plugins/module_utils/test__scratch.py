# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private directories: whose they are, and what becomes of those of the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _scratch
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


@pytest.fixture
def root(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "root")
    for place in _scratch.mine():
        _scratch.remove(place)


def process(*argv: str, cwd: str | None = None) -> subprocess.Popen[bytes]:
    running = subprocess.Popen([*argv], cwd=cwd)
    while not Path(f"/proc/{running.pid}/cmdline").read_bytes().startswith(argv[0].encode()):
        time.sleep(0.01)
    return running


def test_a_directory_is_private_and_goes_away(root: str) -> None:
    place = _scratch.make(root)
    assert os.stat(place).st_mode & 0o777 == 0o700
    Path(place, "data").write_text("x")
    assert _scratch.size(place) > 0
    assert _scratch.remove(place) == []
    assert not os.path.exists(place)


def test_the_living_are_left_alone_within_a_process_and_beyond(root: str) -> None:
    place = _scratch.make(root)
    loader = "import sys; from ansible.plugins.loader import init_plugin_loader; init_plugin_loader()\n"
    script = "from ansible_collections.sre.runbooks.plugins.module_utils import _scratch\nprint(_scratch.clear_dead(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", loader + script, root], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "([], [])"
    assert _scratch.clear_dead(root) == ([], [])
    assert os.path.isdir(place)


def dead(root: str) -> str:
    """A directory whose owner was killed."""
    place = _scratch.make(root)
    os.close(_scratch._mine.pop(place))  # as the kernel does
    return place


def test_what_the_dead_left_is_removed_with_its_processes(root: str) -> None:
    place = dead(root)
    os.mkdir(f"{place}/data")
    by_directory = process("/usr/bin/sleep", "600", cwd=f"{place}/data")
    by_argument = process("/usr/bin/tail", "-f", f"{place}/owner")
    assert sorted(_scratch.processes_in(place)) == sorted([by_directory.pid, by_argument.pid])
    assert _scratch.clear_dead(root) == ([place], [])
    assert [by_directory.wait(5), by_argument.wait(5)] == [-signal.SIGKILL, -signal.SIGKILL]
    assert os.listdir(root) == []


def test_processes_of_others_are_not_ended(root: str, tmp_path: Path) -> None:
    place = dead(root)
    other = process("/usr/bin/tail", "-f", "/dev/null", f"{place}-of-others")
    try:
        assert _scratch.clear_dead(root) == ([place], [])
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_directory_that_is_just_coming_into_being_is_left_alone(root: str) -> None:
    place = dead(root)
    os.unlink(f"{place}/owner")
    assert _scratch.clear_dead(root) == ([], [])
    os.utime(place, (time.time() - 120, time.time() - 120))
    assert _scratch.clear_dead(root) == ([place], [])


def test_other_files_in_the_root_are_left_alone(root: str) -> None:
    _scratch.remove(_scratch.make(root))
    Path(root, "shop.progress.json").write_text("{}")
    os.mkdir(f"{root}/mine")
    assert _scratch.clear_dead(root) == ([], [])
    assert sorted(os.listdir(root)) == ["mine", "shop.progress.json"]


def test_a_root_that_others_can_write_to_is_refused(root: str, tmp_path: Path) -> None:
    os.mkdir(root)
    os.chmod(root, 0o777)
    with pytest.raises(Unmeasurable, match="nobody else can write to"):
        _scratch.make(root)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(Unmeasurable, match="nobody else can write to"):
        _scratch.make(str(link))


def test_a_root_that_cannot_be_made_is_a_reason() -> None:
    with pytest.raises(Unmeasurable, match="/proc/nothing cannot be used"):
        _scratch.make("/proc/nothing")


def test_no_root_has_nothing_left() -> None:
    assert _scratch.clear_dead("/nowhere") == ([], [])
