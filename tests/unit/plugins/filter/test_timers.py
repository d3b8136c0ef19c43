# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The occasions of a runbook as units, as systemd itself reads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.sre.runbooks.plugins.filter import timers as documentation
from ansible_collections.sre.runbooks.plugins.filter.timers import timers

STEPS = [{"id": "X-1", "title": "CPU", "checks": ["system.cpu"]}]


def runbook(timezone: str = "Europe/Berlin", **occasions: str | None) -> dict[str, Any]:
    def occasion(name: str, schedule: str | None) -> dict[str, Any]:
        title = name.replace("_", " ").capitalize()
        about = {"title": title, "playbook": "daily", "owner": "Operations", "steps": STEPS}
        return {**about, "schedule": schedule} if schedule else about

    found = {name: occasion(name, schedule) for name, schedule in occasions.items()}
    return {"system": "shop", "timezone": timezone, "occasions": found}


def calendar(schedule: str, timezone: str = "Europe/Berlin") -> str:
    (found,) = timers(runbook(timezone, morning=schedule), inventory="/etc/sre/shop")
    assert f"OnCalendar={found['calendar']}\n" in found["timer"]
    return found["calendar"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*-*-* 05:00", "*-*-* 05:00 Europe/Berlin"),
        ("Mon  *-*-* 09:00", "Mon *-*-* 09:00 Europe/Berlin"),
        ("*-*-01 02:00 UTC", "*-*-01 02:00 UTC"),
        ("*-*-* 05:00 America/New_York", "*-*-* 05:00 America/New_York"),
        ("daily", "daily Europe/Berlin"),
    ],
)
def test_a_schedule_is_meant_in_the_time_zone_of_the_runbook(schedule: str, expected: str) -> None:
    assert calendar(schedule) == expected


def test_the_hour_on_the_clock_stays_through_the_change_of_the_clocks() -> None:
    command = ["systemd-analyze", "calendar", "--iterations=3", "--base-time=2026-03-27 12:00 UTC"]
    done = subprocess.run(
        [*command, calendar("*-*-* 05:00")],
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "UTC", "LC_ALL": "C"},
    )
    times = [line.split()[-2] for line in done.stdout.splitlines() if line.strip().endswith("UTC") and "2026-" in line]
    assert times == ["04:00:00", "03:00:00", "03:00:00"]


def test_an_occasion_without_a_schedule_has_no_timer() -> None:
    found = timers(runbook(morning="*-*-* 05:00", on_demand=None), inventory="/etc/sre/shop")
    assert [unit["name"] for unit in found] == ["sre-shop-morning"]


def test_a_runbook_that_cannot_be_meant_has_no_timers() -> None:
    with pytest.raises(AnsibleFilterError, match=r"there is no check system\.cup; did you mean system\.cpu"):
        timers(
            {
                "system": "shop",
                "timezone": "UTC",
                "occasions": {
                    "a": {
                        "title": "A",
                        "playbook": "daily",
                        "owner": "B",
                        "steps": [{"id": "X", "title": "X", "checks": ["system.cup"]}],
                    }
                },
            },
            inventory="/etc/sre/shop",
        )


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    data = runbook(morning="*-*-* 05:00")
    data["occasions"]["morning"]["title"] = '100 % up, $HOME & "quotes" %n'
    (found,) = timers(data, inventory=str(tmp_path), runner=str(shutil.which("true")), limit="2h")
    paths = []
    for kind in ("service", "timer"):
        path = tmp_path / f"{found['name']}.{kind}"
        path.write_text(found[kind])
        paths.append(str(path))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_every_word_of_the_command_arrives_as_it_was_meant() -> None:
    (found,) = timers(
        runbook(morning="*-*-* 05:00"),
        inventory="/etc/sre/my shop",
        arguments=["-e", 'note="50 % of $HOME"'],
        environment={"ANSIBLE_VAULT_PASSWORD_FILE": "/etc/sre/a b"},
    )
    lines = found["service"].splitlines()
    assert 'Environment="ANSIBLE_VAULT_PASSWORD_FILE=/etc/sre/a b"' in lines
    (command,) = [line for line in lines if line.startswith("ExecStart=")]
    assert '"/etc/sre/my shop"' in command
    assert "--playbook sre.runbooks.daily" in command
    assert "sre_occasion=morning" in command
    assert "50 %% of $$HOME" in command


def test_a_control_character_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="control character"):
        timers(runbook(morning="*-*-* 05:00"), inventory="/etc/sre/shop\n[Install]")


def test_one_occasion_waits_for_the_other() -> None:
    found = timers(runbook(morning="*-*-* 05:00", noon="*-*-* 12:00"), inventory="/etc/sre/shop", wait=60)
    commands = [line for unit in found for line in unit["service"].splitlines() if line.startswith("ExecStart=")]
    locked = "ExecStart=/usr/bin/flock --timeout 60 --conflict-exit-code 75 /var/lib/sre-runbooks/runner/shop/lock "
    assert [command.startswith(locked) for command in commands] == [True, True]


def test_every_documented_option_is_one() -> None:
    options = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    defaults = {**(timers.__kwdefaults__ or {}), "environment": {}, "arguments": []}
    assert {
        name: option.get("default") for name, option in options.items() if name not in ("_input", "inventory")
    } == defaults
