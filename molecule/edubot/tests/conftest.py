# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask modules of the fleet directly, without a playbook."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """``ask("sre.runbooks.file_check", {…})`` runs a module on the host and returns its result."""

    def run(module: str, options: dict[str, Any]) -> dict[str, Any]:
        command = ["ansible", "molecule", "-i", str(ROOT / "molecule/inventory")]
        command += [
            "-i",
            f"{os.environ['MOLECULE_SCENARIO_DIRECTORY']}/inventory",
            "-m",
            module,
            "-a",
            json.dumps(options),
        ]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_FORCE_COLOR": "0",  # molecule asks for it
            "SRE_RUNBOOKS_DIRECTORY": str(tmp_path),
        }
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        result, _end = json.JSONDecoder().raw_decode(done.stdout.partition(" => ")[2].lstrip())
        return dict(result)

    return run
