# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tools/catalogue.py: README.md lists every check there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def catalogue(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/catalogue.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The kinds of this checkout beside a README of its own."""
    for name in ("plugins", "collections"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "README.md").write_text(
        (ROOT / "README.md").read_text(encoding="utf-8").replace("| `mount_check` |", "|")
    )
    return tmp_path


def test_the_catalogue_is_up_to_date() -> None:
    done = catalogue("--check")
    assert done.returncode == 0, done.stderr


def test_a_catalogue_that_is_not_true_is_seen_and_written_anew(tree: Path) -> None:
    assert catalogue("--check", "--root", str(tree)).returncode == 1
    assert catalogue("--root", str(tree)).returncode == 0
    assert (tree / "README.md").read_text() == (ROOT / "README.md").read_text()


def test_a_readme_without_a_place_for_it_is_left_alone(tree: Path) -> None:
    (tree / "README.md").write_text("# Nothing\n")
    done = catalogue("--root", str(tree))
    assert done.returncode == 1
    assert "no place for the catalogue" in done.stderr
    assert (tree / "README.md").read_text() == "# Nothing\n"
