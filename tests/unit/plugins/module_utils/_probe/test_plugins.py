# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""plugins: found where distributions put them, run without a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import plugins


def plugin(path: Path, *lines: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def test_the_first_place_that_has_a_plugin_wins(tmp_path: Path) -> None:
    second, third = plugin(tmp_path / "b/check_x"), plugin(tmp_path / "c/check_x")
    places = [str(tmp_path / name) for name in "abc"]
    assert plugins.find("check_x", places) == second
    assert plugins.find(third, places) == third


def test_a_plugin_that_is_nowhere_is_unmeasurable(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match=f"check_x is not installed: it is in none of {tmp_path}"):
        plugins.find("check_x", [str(tmp_path)])
    with pytest.raises(Unmeasurable, match="/no/check_x is not installed"):
        plugins.find("/no/check_x")


def test_a_plugin_gets_its_words_and_its_environment(tmp_path: Path) -> None:
    path = plugin(tmp_path / "check_x", 'echo "$# $1 $TOKEN"', "exit 2")
    answer = plugins.run([path, "a b; id", "c"], 10, {"TOKEN": "t"})
    assert (answer.rc, answer.stdout) == (2, "2 a b; id t\n")


def test_a_plugin_that_hangs_is_unmeasurable(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="gave no answer within"):
        plugins.run([plugin(tmp_path / "check_x", "echo OK", "sleep 600")], 0.3, {})
