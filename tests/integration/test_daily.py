# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job, through each of its doors: this very machine is measured, without any configuration.

What it finds depends on the machine; that it measures, accounts for every step and says where the report is, does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PLAYBOOK = str(BIN / "ansible-playbook")


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SRE_"))}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**bare, "PATH": path, "SRE_RUNBOOKS_DIRECTORY": str(tmp_path / "state"), **more}


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    command = [str(BIN / "ansible-galaxy"), "collection", "build", str(ROOT), "--output-path", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.tar.gz")
    return built


@pytest.mark.parametrize("door", ["runner", "path", "installed"])
def test_the_daily_runbook_measures_this_machine(tmp_path: Path, tarball: Path, door: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    inventory = str(ROOT / "inventories/local")
    if door == "runner":
        command, folder, variables = [sys.executable, str(ROOT / "tools/daily.py")], ROOT, environment(tmp_path)
    elif door == "path":
        command, folder, variables = [PLAYBOOK, "playbooks/daily.yml", "-i", inventory], ROOT, environment(tmp_path)
    else:
        place = tmp_path / "collections"
        install = [str(BIN / "ansible-galaxy"), "collection", "install", str(tarball), "--no-deps", "-p", str(place)]
        subprocess.run(install, check=True, capture_output=True, cwd=empty, env=environment(tmp_path))
        variables = environment(
            tmp_path, ANSIBLE_CALLBACKS_ENABLED="sre.runbooks.journal", ANSIBLE_COLLECTIONS_PATH=str(place)
        )
        command, folder = [PLAYBOOK, "sre.runbooks.daily", "-i", inventory], empty
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode in (0, 2), done.stdout + done.stderr
    latest = tmp_path / "state" / "latest"
    report = json.loads((latest / "report.json").read_text())
    assert done.returncode == (2 if report["verdict"] == "critical" else 0)
    assert str(latest.resolve() / "report.html") in done.stdout
    measured = {record["id"] for record in report["records"] if record["status"] not in ("skipped", "unknown")}
    assert measured >= {"system.cpu", "system.memory", "mount.space", "mount.inodes"}
    assert all(step["status"] != "unknown" or step["reason"] or step["records"] for step in report["steps"])
    assert {step["id"] for step in report["steps"]} == {f"L-0{number}" for number in range(1, 9)}
    assert not [record for record in report["records"] if record["id"] in ("run.step", "run.task")]
