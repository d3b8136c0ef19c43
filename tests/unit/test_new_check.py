# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tools/new_check.py: what it writes into a copy of the tree passes all tests but the one for placeholders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TREE = (
    *("ansible.cfg", "changelogs", "collections", "docs", "galaxy.yml", "meta", "playbooks", "plugins"),
    *("pyproject.toml", "roles", "tests", "tools"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout."""
    copy = tmp_path_factory.mktemp("tree")
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, copy / name)
    return copy


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(tree / "ansible.cfg")}
    return subprocess.run(
        [sys.executable, *command], cwd=tree, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def new_check(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(tree, "tools/new_check.py", *arguments)


def test_a_new_kind_passes_every_test_but_the_one_for_placeholders(tree: Path) -> None:
    made = new_check(tree, "zebra", "stripes:The zebra has its stripes.", "zebra.speed:No lion is faster.")
    assert made.returncode == 0, made.stderr
    tests = "tests/unit/plugins/module_utils"
    tested = run(
        tree,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/test_architecture.py"),
        *(f"{tests}/_checks/test_zebra.py", f"{tests}/_probe/test_zebra.py"),
    )
    assert re.findall(r"(?m)^(?:FAILED|ERROR) .*::(\S+)", tested.stdout) == ["test_nothing_is_left_to_be_filled_in"]
    assert "never seen" not in tested.stdout
    assert re.search(r"[1-9]\d+ passed", tested.stdout), tested.stdout


def test_what_is_written_is_listed_and_formatted(tree: Path) -> None:
    made = new_check(tree, "yak", "wool:The yak is warm.")
    listed = made.stdout.split("\n\n")[0].splitlines()
    assert "plugins/modules/yak_check.py" in listed
    assert "docs/runbooks/yak.wool.md" in listed
    python = [path for path in listed if path.endswith(".py")]
    for check in (("format", "--check"), ("check",)):
        done = run(tree, "-m", "ruff", *check, *python)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_overwritten(tree: Path) -> None:
    before = (tree / "plugins/modules/mount_check.py").read_text()
    made = new_check(tree, "mount", "space:There is room.")
    assert made.returncode != 0
    assert "exist already" in made.stderr
    assert (tree / "plugins/modules/mount_check.py").read_text() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("queue",),
        ("Queue", "a:B is c."),
        ("queue", "Length:It is short."),
        ("queue", "length:no capital."),
        ("queue", "a:B"),
    ],
)
def test_what_the_architecture_would_refuse_is_refused_at_once(tree: Path, arguments: tuple[str, ...]) -> None:
    assert new_check(tree, *arguments).returncode != 0
    assert not (tree / "plugins/modules/queue_check.py").exists()


def test_wiring_settles_a_merge_conflict(tree: Path) -> None:
    new_check(tree, "--wire")
    paths = [tree / "meta/runtime.yml", tree / "plugins/modules/checkup.py"]
    right = [path.read_text() for path in paths]
    for path, text, line in zip(paths, right, ("    - mount_check\n", '    "mount",\n'), strict=True):
        path.write_text(
            text.replace(
                line, f"<<<<<<< HEAD\n{line}=======\n    - other\n>>>>>>> theirs\n".replace("    - other\n", line)
            )
        )
    new_check(tree, "--wire")
    assert [path.read_text() for path in paths] == right
    assert yaml.safe_load(right[0])["action_groups"]["checks"][0] == "checkup"
