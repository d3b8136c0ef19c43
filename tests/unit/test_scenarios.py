# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scenario of a system tries the very variables that its inventory gives to everybody, not a copy of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = sorted(
    path.name for path in (ROOT / "inventories").iterdir() if (ROOT / f"molecule/{path.name}/molecule.yml").is_file()
)
SITE = "site.yml"
every_system = pytest.mark.parametrize("system", [one for one in SYSTEMS if one != "local"])


@every_system
def test_a_scenario_uses_the_files_of_the_inventory(system: str) -> None:
    theirs = ROOT / f"inventories/{system}/group_vars/all"
    ours = ROOT / f"molecule/{system}/inventory/group_vars/all"
    for path in theirs.glob("*.yml"):
        if path.name != SITE:
            assert (ours / path.name).resolve() == path, f"{ours / path.name} should be a link"


@every_system
def test_a_scenario_answers_what_every_site_is_asked(system: str) -> None:
    asked, answered = (
        yaml.safe_load((ROOT / f"{where}/{system}{below}/group_vars/all/{SITE}").read_text(encoding="utf-8"))
        for where, below in (("inventories", ""), ("molecule", "/inventory"))
    )
    assert sorted(asked.keys() - answered.keys()) == []
