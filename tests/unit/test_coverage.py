# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row of a company's document has its place in the runbook of its inventory. Run with ``-rA`` to see the counts.

The ids of the rows stand in ``tests/fixtures/SYSTEM_rows.txt``; a system is held to them as soon as it has such a list.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ansible_collections.sre.runbooks.plugins.filter.timers import timers
from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import Runbook, Source, Step, read

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = sorted(path.stem[: -len("_rows")] for path in (ROOT / "tests/fixtures").glob("*_rows.txt"))
every_system = pytest.mark.parametrize("system", SYSTEMS)


def runbook(system: str) -> Runbook:
    path = ROOT / f"inventories/{system}/group_vars/all/runbook.yml"
    return read(yaml.safe_load(path.read_text(encoding="utf-8"))["sre_runbook"], Source(path))


def home(step: Step) -> str:
    return "refused" if step.refused else "attested" if step.attest else "measured"


@every_system
def test_every_row_of_the_document_has_a_home(system: str) -> None:
    rows = set((ROOT / f"tests/fixtures/{system}_rows.txt").read_text(encoding="utf-8").split())
    steps = [step for occasion in runbook(system).occasions.values() for step in occasion.steps]
    counts = Counter(home(step) for step in steps)
    said = f"{system}: {len(rows)} rows, {', '.join(f'{count} {how}' for how, count in sorted(counts.items()))}"
    print(said)  # noqa: T201 - what a reader of the tests wants to know
    assert sorted(rows - {step.id for step in steps}) == []
    assert sorted({step.id for step in steps} - rows) == [], "steps that no row asks for"


@every_system
def test_every_occasion_has_its_playbook_and_its_time(system: str) -> None:
    for occasion in runbook(system).occasions.values():
        assert (ROOT / f"playbooks/{occasion.playbook}.yml").is_file(), occasion.id
        assert occasion.schedule, occasion.id
        assert occasion.budget, occasion.id


@every_system
def test_every_occasion_becomes_a_timer(system: str) -> None:
    path = ROOT / f"inventories/{system}/group_vars/all/runbook.yml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))["sre_runbook"]
    assert len(timers(data, inventory=str(path.parents[2]))) == len(data["occasions"])


@every_system
def test_the_owner_of_every_occasion_is_a_person_or_a_team(system: str) -> None:
    for occasion in runbook(system).occasions.values():
        assert re.fullmatch(r"[A-Z]\w+( \w+)*", occasion.owner), occasion.id
