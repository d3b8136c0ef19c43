# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a playbook as a person does, in a place of its own, and look at what the run left behind."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@dataclasses.dataclass(frozen=True)
class Result:
    """What a playbook ended with. ``records`` are those of the report, ``facts`` are run.json; empty without a run."""

    rc: int
    output: str
    facts: dict[str, Any]
    records: list[dict[str, Any]]
    path: Path | None

    def of(self, check_id: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["id"] == check_id]


@dataclasses.dataclass
class Site:
    """An inventory, a playbook and a state directory below one folder."""

    folder: Path
    variables: dict[str, Any] = dataclasses.field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=lambda: {"localhost": dict(LOCAL)})

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def environment(self) -> dict[str, str]:
        own = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "SRE_RUNBOOKS_DIRECTORY": str(self.state),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        return {**os.environ, **own}

    def command(self, tasks: list[dict[str, Any]], *arguments: str, playbook: str = "daily") -> list[str]:
        """Write inventory and playbook down; return the command that runs them."""
        inventory = self.folder / "inventory"
        (inventory / "group_vars" / "all").mkdir(parents=True, exist_ok=True)
        _write(inventory / "hosts.yml", {"all": {"hosts": self.hosts}})
        _write(inventory / "group_vars" / "all" / "all.yml", self.variables)
        play = {"name": "Look", "hosts": "all", "gather_facts": False, "tasks": tasks}
        pages = [
            {"import_playbook": "sre.runbooks.preflight", "vars": {"sre_playbook": playbook}},
            play,
            {"import_playbook": "sre.runbooks.verdict"},
        ]
        _write(self.folder / f"{playbook}.yml", pages)
        return ["ansible-playbook", "-i", str(inventory), str(self.folder / f"{playbook}.yml"), *arguments]

    def run(self, tasks: list[dict[str, Any]], *arguments: str, playbook: str = "daily") -> Result:
        """Run the tasks on all hosts, between preflight and verdict."""
        command = self.command(tasks, *arguments, playbook=playbook)
        done = subprocess.run(
            command, env=self.environment(), cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        return self.result(done.returncode, done.stdout + done.stderr)

    def result(self, rc: int, output: str) -> Result:
        latest = self.state / "latest"
        if not latest.exists():
            return Result(rc, output, {}, [], None)
        report = json.loads((latest / "report.json").read_text())
        return Result(rc, output, json.loads((latest / "run.json").read_text()), report["records"], latest.resolve())


def _write(path: Path, data: Any) -> None:
    path.write_text("---\n" + yaml.safe_dump(data, sort_keys=False))
