# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The occasions take place at their hour, by timers that call ansible-runner, and one that does not is missed.

The host is its own controller here: Ansible, ansible-runner and this collection are installed on it.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import shlex
import subprocess
import sys
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = yaml.safe_load((ROOT / "inventories/edubot/group_vars/all/runbook.yml").read_text())["sre_runbook"]
MORNING, MIDDAY = "sre-edubot-morning_startup", "sre-edubot-midday_check"
STATE = "/var/lib/sre-runbooks"

# What pip would have written for this Python.
COMMANDS = """
import importlib.metadata, os
for command in importlib.metadata.entry_points(group="console_scripts"):
    if command.name.startswith("ansible"):
        with open(f"/opt/sre/bin/{command.name}", "w") as file:
            os.chmod(file.fileno(), 0o755)
            file.write(f"#!/opt/sre/bin/python\\nimport sys\\nfrom {command.module} import {command.attr}\\n")
            file.write(f"sys.exit({command.attr}())\\n")
"""
PUT_BACK = """
import sqlite3
with sqlite3.connect("/var/lib/sre-runbooks/history.sqlite") as memory:
    earlier = "strftime('%Y-%m-%d %H:%M:%f000', started, '-3 days')"
    memory.execute(f"update runs set started = {earlier} where occasion = 'midday_check'")
"""


@pytest.fixture(scope="module")
def unpack(host: Any) -> Callable[..., None]:
    """``unpack("/place", "-C", "/from", …)`` puts what tar makes of its arguments on the host."""

    def run(place: str, *arguments: str) -> None:
        host.check_output("mkdir -p %s", place)
        packed = subprocess.Popen(["tar", "-ch", *arguments], stdout=subprocess.PIPE)
        command = ["podman", "exec", "--interactive", host.backend.name, "tar", "-x", "--no-same-owner", "-C", place]
        subprocess.run(command, stdin=packed.stdout, check=True, timeout=120)
        assert packed.wait(10) == 0

    return run


@pytest.fixture(scope="module", autouse=True)
def _controller(host: Any, unpack: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> None:
    """The host as a controller, with the inventory in /etc/sre-runbooks/edubot.

    Neither an index of packages nor pip is within its reach, so what is installed here for its Python is brought there.
    """
    version = host.check_output("python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'")
    venv = Path(sys.prefix)
    if version != f"{sys.version_info.major}.{sys.version_info.minor}":
        venv = ROOT / f".venv-{version}"
        subprocess.run(["tools/setup.sh", str(venv), "requirements.txt", version], cwd=ROOT, check=True, timeout=600)
    host.check_output("python3 -m venv --without-pip /opt/sre")
    packages = f"lib/python{version}/site-packages"
    unpack(f"/opt/sre/{packages}", "-C", str(venv / packages), "--exclude=./ansible_collections", ".")
    host.check_output("/opt/sre/bin/python -c %s", COMMANDS)

    built = tmp_path_factory.mktemp("collection")
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(built)], cwd=ROOT, check=True, timeout=120
    )
    unpack("/root/collection", "-C", str(built), ".")
    install = "/opt/sre/bin/ansible-galaxy collection install --offline --no-deps -p /usr/share/ansible/collections"
    host.check_output(f"{install} /root/collection/*")

    inventory = tmp_path_factory.mktemp("inventory")
    hosts = {"wordpress": {"hosts": {"edubot": {"ansible_connection": "local"}}}}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    unpack("/etc/sre-runbooks/edubot", "-C", str(inventory), "hosts.yml")
    unpack("/etc/sre-runbooks/edubot", "-C", str(Path(__file__).parents[1] / "inventory"), "group_vars")


@pytest.fixture(scope="module", autouse=True)
def _timers(host: Any, start: Any, _controller: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The occasions as timers of the host, each at its hour but one, which is due all the time."""
    runbook = copy.deepcopy(RUNBOOK)
    runbook["occasions"]["midday_check"]["schedule"] = "*-*-* *:*:0/10"
    about = {"sre_scheduler": "molecule", "sre_runbook": runbook, "schedule_runner": "/opt/sre/bin/ansible-runner"}
    host.check_output(f"rm -f {STATE}/latest")  # what is there later is of a timer
    variables = tmp_path_factory.mktemp("schedule") / "variables.yml"
    variables.write_text(yaml.safe_dump({**about, "schedule_inventory": "/etc/sre-runbooks/edubot"}))
    with start("schedule", "-e", f"@{variables}") as running:
        output = running.communicate()[0]
    assert running.returncode == 0, output
    yield
    host.check_output("cd /etc/systemd/system; systemctl disable --quiet --now sre-edubot-*.timer")
    host.check_output("systemctl stop 'sre-edubot-*'; systemctl reset-failed 'sre-edubot-*'")
    host.check_output("rm /etc/systemd/system/sre-edubot-* /var/lib/systemd/timers/stamp-sre-edubot-*")
    host.check_output("systemctl daemon-reload")


@pytest.fixture
def by_hand(host: Any) -> None:
    """No run begins by itself: the hour of one of them may be just now."""
    host.check_output("systemctl stop 'sre-edubot-*.timer' 'sre-edubot-*.service'")


def until(condition: str) -> str:
    return f"timeout 240 bash -c {shlex.quote(f'until {condition}; do sleep 0.2; done')}"


def report(host: Any, run: str = "latest") -> dict[str, Any]:
    return dict(json.loads(host.check_output(f"cat {STATE}/{run}/report.json")))


def take_place(host: Any, unit: str) -> dict[str, dict[str, Any]]:
    """Let an occasion take place as its timer would, and return what it says of the schedules, by occasion."""
    host.run(f"systemctl start {unit}.service")
    return {record["target"]: record for record in report(host)["records"] if record["id"] == "run.missed"}


def test_the_timers_are_armed_for_the_hours_of_the_runbook(host: Any) -> None:
    assert host.check_output("systemd-analyze verify /etc/systemd/system/sre-edubot-* 2>&1") == ""
    timers = json.loads(host.check_output("systemctl list-timers --output=json 'sre-edubot-*'"))
    assert len(timers) == 11
    (morning,) = [timer["next"] for timer in timers if timer["activates"] == f"{MORNING}.service"]
    at = dt.datetime.fromtimestamp(morning / 1e6, zoneinfo.ZoneInfo("Europe/Berlin"))
    assert (at.hour, at.minute) == (5, 0)


def test_a_timer_fires_and_the_run_is_reported(host: Any) -> None:
    host.check_output(until(f"[ -e {STATE}/latest/report.json ]"))
    assert host.check_output(f"systemctl show --property=LastTriggerUSec --value {MIDDAY}.timer")
    host.check_output(f"systemctl stop {MIDDAY}.timer")
    host.check_output(until(f"systemctl show --property=ActiveState {MIDDAY}.service | grep -qE 'inactive|failed'"))
    log = host.check_output(f"journalctl --output=cat --unit={MIDDAY}.service")
    assert f"{STATE}/runs/" in log, "who reads the journal of systemd is told where the report is"
    found = report(host)
    assert (found["run"]["occasion"], found["run"]["state"]) == ("midday_check", "closed")
    assert {"http.status", "log.matches", "run.missed"} <= {record["id"] for record in found["records"]}
    events = host.check_output(f"ls {STATE}/runner/edubot/artifacts")
    assert events, "what ansible-runner keeps of it"


@pytest.mark.usefixtures("by_hand")
def test_occasions_wait_for_each_other_and_end_with_the_code_of_their_verdict(host: Any) -> None:
    host.check_output("systemctl stop nginx")
    try:
        host.check_output(f"systemctl start --no-block {MORNING}.service {MIDDAY}.service")
        host.check_output(until(f'[ "$(systemctl is-failed {MORNING}.service {MIDDAY}.service | sort -u)" = failed ]'))
    finally:
        host.check_output("systemctl start nginx")
    *_, first, second = host.check_output(f"ls {STATE}/runs").split()
    earlier, later = (report(host, f"runs/{run}")["run"] for run in (first, second))
    assert {earlier["occasion"], later["occasion"]} == {"morning_startup", "midday_check"}
    assert earlier["ended"] <= later["started"], "one waits until the other has ended"
    assert (earlier["verdict"], later["verdict"]) == ("critical", "critical")
    codes = host.check_output(f"systemctl show --property=ExecMainStatus --value {MORNING}.service {MIDDAY}.service")
    assert codes.split() == ["2", "2"]


@pytest.mark.usefixtures("by_hand")
def test_a_timer_that_died_is_seen_by_the_other_occasions_until_it_takes_place_again(host: Any) -> None:
    take_place(host, MIDDAY)
    assert take_place(host, MORNING)["midday_check"]["status"] == "ok"
    host.check_output("python3 -c %s", PUT_BACK)
    missed = take_place(host, MORNING)
    assert (missed["midday_check"]["status"], missed["morning_startup"]["status"]) == ("warning", "ok")
    assert " times since " in missed["midday_check"]["summary"]
    assert take_place(host, MIDDAY)["midday_check"]["status"] == "warning", "it says itself what was missed before it"
    (step,) = [step for step in report(host)["steps"] if step["id"] == "EB-D2-00"]
    assert step["status"] == "warning"
    assert take_place(host, MORNING)["midday_check"]["status"] == "ok"
