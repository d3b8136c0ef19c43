# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that checks can fail, itself seen failing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.tests.unit.proof import exceptions, kind_tested_by, seen_as, unproven

ROOT = Path(__file__).resolve().parents[2]
ALL = {("a.b", "ok"), ("a.b", "red"), ("a.b", "unknown")}


def test_a_check_seen_in_every_light_is_proven() -> None:
    assert unproven(["a.b"], ALL) == []


@pytest.mark.parametrize("light", ["ok", "red", "unknown"])
def test_a_light_that_was_not_seen_is_named(light: str) -> None:
    assert unproven(["a.b"], ALL - {("a.b", light)}) == [f"a.b was never seen {light}"]


def test_a_check_that_only_informs_need_not_be_red() -> None:
    assert unproven(["a.b"], ALL - {("a.b", "red")}, {"a.b": "a number without limits"}) == []


def test_an_exception_must_be_true() -> None:
    assert unproven(["a.b"], ALL, {"a.b": "", "a.c": ""}) == [
        "NEVER_RED names a.b, which was seen red",
        "NEVER_RED names a.c, which is no check",
    ]


def test_a_blocked_check_counts_as_unknown_and_a_skipped_one_does_not() -> None:
    assert seen_as(Check.skipped("a.b", "x", "see a.a", blocked_by="a.a")) == "unknown"
    assert seen_as(Check.skipped("a.b", "x", "not asked for")) == "skipped"
    assert seen_as(Check("a.b", "x", "warning", "")) == "red"


def test_exceptions_are_read_from_the_test_file(tmp_path: Path) -> None:
    path = tmp_path / "test_a.py"
    path.write_text('NEVER_RED = {"a.b": "a number without limits"}\n')
    assert exceptions(path) == {"a.b": "a number without limits"}


def test_only_tests_of_kinds_are_watched() -> None:
    assert kind_tested_by("tests/unit/plugins/module_utils/_checks/test_mount.py::test_x") == "mount"
    assert kind_tested_by("tests/unit/plugins/module_utils/_probe/test_mounts.py::test_x") is None


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["in process", "with pytest-xdist"])
def test_a_session_that_never_saw_a_check_red_is_red(tmp_path: Path, workers: list[str]) -> None:
    """A copy of the tests of one kind without the tests that turn it critical."""
    here = Path("tests/unit/plugins/module_utils/_checks")
    for path in ("tests/unit/conftest.py",):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).symlink_to(ROOT / path)
    (tmp_path / here).mkdir(parents=True)
    weak = "def test_nothing_much() -> None:\n    statuses(checks_of(kind))\n"
    head = (ROOT / here / "test_mount.py").read_text(encoding="utf-8").split("def one(")[0]
    (tmp_path / here / "test_mount.py").write_text(f"{head}\n\n{weak}", encoding="utf-8")
    (tmp_path / "tests/conftest.py").symlink_to(ROOT / "tests/conftest.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers, str(tmp_path / here)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    assert "mount.space was never seen red" in run.stdout
    assert "mount.space was never seen ok" not in run.stdout
