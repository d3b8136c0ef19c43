# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults, as far as it can be held to the runbook and to its page without a host to break."""

from __future__ import annotations

import fnmatch
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import Runbook, Source, read

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = ROOT / "inventories/edubot/group_vars/all/runbook.yml"
FAULTS: list[Any] = runpy.run_path(str(ROOT / "molecule/edubot/tests/test_faults.py"))["FAULTS"]


@pytest.fixture(scope="module")
def runbook() -> Runbook:
    return read(yaml.safe_load(RUNBOOK.read_text(encoding="utf-8"))["sre_runbook"], Source(RUNBOOK))


def test_the_page_shows_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "tools/faults.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_fault_has_a_name_and_a_line_of_its_own() -> None:
    assert (
        len({fault.name for fault in FAULTS}) == len({(fault.occasion, fault.line) for fault in FAULTS}) == len(FAULTS)
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_step_of_a_fault_is_one_of_its_occasion_and_holds_its_line(runbook: Runbook, fault: Any) -> None:
    (occasion,) = [one for one in runbook.occasions.values() if one.playbook == fault.occasion]
    (step,) = [one for one in occasion.steps if one.id == fault.step]
    patterns = [check if "@" in check else f"{check}@*" for check in step.checks]
    assert any(fnmatch.fnmatchcase(fault.line, pattern) for pattern in patterns), step.checks
