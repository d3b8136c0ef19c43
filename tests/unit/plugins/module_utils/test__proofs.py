# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was proven when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


def proof(**different: object) -> dict[str, object]:
    return {"at": "2025-11-05T03:00:00Z", "source": "/b/a", "sha256": "ab", "proven": True, "tables": None, **different}


def test_proofs_are_remembered_and_only_we_can_read_them(tmp_path: Path) -> None:
    path = _proofs.path_of(str(tmp_path / "s"), "shop at s3://x/*")
    assert Path(path).name == "shop_at_s3_x.json"
    _proofs.add(path, proof(), ["orders"])
    _proofs.add(path, proof(at="2025-11-06T03:00:00Z", sha256="cd", proven=False), ["orders", "users"])
    known = _proofs.read(path)
    assert known["tables"] == {"orders": "2025-11-05T03:00:00Z"}, "a proof that failed has proven no table"
    assert [one["sha256"] for one in known["proofs"]] == ["ab", "cd"]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_backup_is_proven_by_a_whole_proof_that_went_well(tmp_path: Path) -> None:
    _proofs.add(_proofs.path_of(str(tmp_path), "a"), proof(), [])
    _proofs.add(_proofs.path_of(str(tmp_path), "b"), proof(sha256="bad", proven=False), [])
    _proofs.add(_proofs.path_of(str(tmp_path), "c"), proof(sha256="sample", tables=["a"]), [])
    _proofs.add(_proofs.path_of(str(tmp_path), "d"), proof(sha256=""), [])
    assert list(_proofs.proven(str(tmp_path))) == ["ab"]
    assert _proofs.proven(str(tmp_path / "nowhere")) == {}


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    path = _proofs.path_of(str(tmp_path), "a")
    _proofs.write(path, '{"proofs": [' + ",".join(["{}"] * 500) + "]}")
    _proofs.add(path, proof(), [])
    assert len(_proofs.read(path)["proofs"]) == 400


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_memory_is_a_reason_and_not_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(Unmeasurable, match="where proofs are remembered"):
        _proofs.read(str(path))
    with pytest.raises(Unmeasurable):
        _proofs.proven(str(tmp_path))


def test_a_place_that_cannot_be_written_is_a_reason() -> None:
    with pytest.raises(Unmeasurable, match="cannot be written"):
        _proofs.write("/proc/nothing/a.json", "")


WRITER = """
import os, signal, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs
def dies(*paths):
    os.kill(os.getpid(), signal.SIGKILL)
def waits(*paths):
    print("writes", flush=True)
    sys.stdin.read()
os.replace = {"dies": dies, "waits": waits}[sys.argv[2]]
_proofs.write(sys.argv[1], "half")
"""


def writer(path: Path, what: str) -> subprocess.Popen[str]:
    """A process that comes to the moment in which it would give a file its name."""
    argv = [sys.executable, "-c", WRITER, str(path), what]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_process_did_not_finish_writing_is_removed(tmp_path: Path) -> None:
    _proofs.write(str(tmp_path / "a.json"), "whole")
    with writer(tmp_path / "a.json", "dies") as dead:
        assert dead.wait(60) == -signal.SIGKILL
    (left,) = (name for name in os.listdir(tmp_path) if name != "a.json")
    assert _proofs.clear_dead(str(tmp_path)) == [str(tmp_path / left)]
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "whole"
    assert os.listdir(tmp_path) == ["a.json"]


def test_what_is_being_written_is_left_alone(tmp_path: Path) -> None:
    with writer(tmp_path / "a.json", "waits") as alive:
        assert alive.stdin
        assert alive.stdout
        assert alive.stdout.readline() == "writes\n"
        assert _proofs.clear_dead(str(tmp_path)) == []
        assert len(os.listdir(tmp_path)) == 1
        alive.stdin.close()


def test_where_nothing_was_written_nothing_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-of-somebody").mkdir()
    assert _proofs.clear_dead(str(tmp_path)) == []
    assert _proofs.clear_dead(str(tmp_path / "nothing")) == []


def test_times_are_read_as_they_are_written() -> None:
    assert _proofs.seconds_of(_proofs.time_text(1_762_311_600.0)) == 1_762_311_600.0
    with pytest.raises(Unmeasurable, match="is no time"):
        _proofs.seconds_of("yesterday")
