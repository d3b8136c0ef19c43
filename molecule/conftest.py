# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the playbook of an occasion against the fleet of a scenario, and look at its report."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Report:
    """What an occasion ended with."""

    rc: int
    output: str
    data: dict[str, Any]

    @property
    def red(self) -> dict[str, str]:
        """``id@target`` → status of what is not fine."""
        return {
            f"{record['id']}@{record['target']}": record["status"]
            for record in self.data["records"]
            if record["status"] not in ("ok", "skipped")
        }

    def record(self, name: str) -> dict[str, Any]:
        """The one record that is called ``id@target``."""
        (found,) = [record for record in self.data["records"] if f"{record['id']}@{record['target']}" == name]
        return dict(found)

    def step(self, step_id: str) -> dict[str, Any]:
        (found,) = [step for step in self.data["steps"] if step["id"] == step_id]
        return dict(found)


Occasion = Callable[..., Report]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of a file's tests lie, with one history."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def start(state: Path) -> Callable[..., subprocess.Popen[str]]:
    """``start("daily", "-e", "…")`` starts sre.runbooks.daily against the fleet."""
    scenario = os.environ["MOLECULE_SCENARIO_DIRECTORY"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "SRE_RUNBOOKS_DIRECTORY": str(state),
    }

    def begin(playbook: str, *arguments: str) -> subprocess.Popen[str]:
        command = ["ansible-playbook", f"sre.runbooks.{playbook}", "-i", str(ROOT / "molecule/inventory")]
        command += ["-i", f"{scenario}/inventory", *arguments]
        return subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return begin


@pytest.fixture(scope="module")
def occasion(state: Path, start: Callable[..., subprocess.Popen[str]]) -> Occasion:
    """``occasion("daily", "-e", "…")`` runs sre.runbooks.daily against the fleet and returns its report."""

    def run(playbook: str, *arguments: str) -> Report:
        with start(playbook, *arguments) as running:
            output = running.communicate()[0]
        report = state / "latest" / "report.json"
        assert report.exists(), output
        return Report(running.returncode, output, json.loads(report.read_text()))

    return run
