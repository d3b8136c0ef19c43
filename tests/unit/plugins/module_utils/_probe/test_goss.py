# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""goss: a stand-in for the command, real files of results."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import goss


@pytest.fixture
def gossfile(tmp_path: Path) -> str:
    (tmp_path / "goss.yaml").write_text("{}")
    return str(tmp_path / "goss.yaml")


def stand_in(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("rc", [0, 1])
def test_results_come_with_the_exit_codes_of_passed_and_failed(tmp_path: Path, gossfile: str, rc: int) -> None:
    executable = stand_in(tmp_path / "goss", 'echo "$@"', f"exit {rc}")
    assert goss.validate(gossfile, "/v.yaml", executable, 10) == (
        f"--gossfile {gossfile} --vars /v.yaml validate --format json --no-color\n"
    )


def test_goss_that_cannot_begin_is_unmeasurable(tmp_path: Path, gossfile: str) -> None:
    """The exit code and the sentence are those of goss 0.4.9 for a file without tests."""
    executable = stand_in(tmp_path / "goss", "echo 'Error: found 0 tests, source: goss.yaml' >&2", "exit 78")
    with pytest.raises(Unmeasurable, match="exit code 78: Error: found 0 tests"):
        goss.validate(gossfile, None, executable, 10)


def test_goss_that_dies_in_silence_is_unmeasurable(tmp_path: Path, gossfile: str) -> None:
    with pytest.raises(Unmeasurable, match="exit code -9: it said nothing"):
        goss.validate(gossfile, None, stand_in(tmp_path / "goss", "kill -9 $$"), 10)


def test_without_goss_or_its_file_nothing_is_measured(tmp_path: Path, gossfile: str) -> None:
    with pytest.raises(Unmeasurable, match="no-such-goss is not installed"):
        goss.validate(gossfile, None, "no-such-goss", 10)
    with pytest.raises(Unmeasurable, match="does not exist"):
        goss.validate(str(tmp_path / "gone.yaml"), None, "goss", 10)


def test_a_file_of_results_has_an_age(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("{}")
    os.utime(path, (time.time() - 7200,) * 2)
    text, hours = goss.results(str(path))
    assert text == "{}"
    assert hours == pytest.approx(2, abs=0.01)


def test_a_file_of_results_that_is_gone_is_unmeasurable(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="No such file"):
        goss.results(str(tmp_path / "results.json"))
