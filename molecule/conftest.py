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


@pytest.fixture(scope="session")
def occasion(tmp_path_factory: pytest.TempPathFactory) -> Occasion:
    """``occasion("daily", "-e", "…")`` runs sre.runbooks.daily against the fleet, all with one history."""
    state = tmp_path_factory.mktemp("state")
    scenario = os.environ["MOLECULE_SCENARIO_DIRECTORY"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "SRE_RUNBOOKS_DIRECTORY": str(state),
    }

    def run(playbook: str, *arguments: str) -> Report:
        command = ["ansible-playbook", f"sre.runbooks.{playbook}", "-i", str(ROOT / "molecule/inventory")]
        command += ["-i", f"{scenario}/inventory", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        report = state / "latest" / "report.json"
        output = done.stdout + done.stderr
        assert report.exists(), output
        return Report(done.returncode, output, json.loads(report.read_text()))

    return run
