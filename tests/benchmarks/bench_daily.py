# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a daily run costs: 20 local hosts, 40 checks each, against the same play with a module that does nothing.

Run by hand, on an idle machine: python tests/benchmarks/bench_daily.py [--runs 3] [--without-tasks]
The three plays alternate, so that a machine that slows down slows all of them; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
HOSTS = 20
PATHS = ["/", "/etc", "/usr", "/var"]
KINDS: dict[str, dict[str, Any]] = {
    "system": {},
    "mount": {"targets": [{"path": path} for path in PATHS]},
    "process": {"targets": [{"process": "ansible-playbook", "name": f"controller {number}"} for number in range(2)]},
    "file": {"targets": [{"pattern": "/etc/passwd"}]},
}
PREFLIGHT = {"import_playbook": "sre.runbooks.preflight", "vars": {"sre_playbook": "daily"}}
VERDICT = {"import_playbook": "sre.runbooks.verdict"}


def play(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"name": "Look", "hosts": "all", "gather_facts": False, "tasks": list(tasks)}


def single(kind: str, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The same targets as tasks of their own, as a playbook without checkup would have them."""
    targets = options.get("targets") or [None]
    return [
        {"name": f"{kind} {number}", f"sre.runbooks.{kind}_check": {"targets": [target]} if target else {}}
        for number, target in enumerate(targets)
    ]


PLAYS = {
    "no-op": [play({"name": "Nothing", "ansible.builtin.ping": {}})],
    "daily": [PREFLIGHT, play({"name": "All", "sre.runbooks.checkup": KINDS}), VERDICT],
    "tasks": [PREFLIGHT, play(*(task for kind, options in KINDS.items() for task in single(kind, options))), VERDICT],
}


def seconds(folder: Path, name: str) -> float:
    """One run of a play, from outside."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "SRE_RUNBOOKS_DIRECTORY": str(folder / f"state-{name}"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = ["ansible-playbook", "-i", str(folder / "inventory.yml"), str(folder / f"{name}.yml")]
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - started
    if done.returncode not in (0, 2):
        sys.exit(done.stdout + done.stderr)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without-tasks", action="store_true", help="leave the slow play of single tasks out")
    options = parser.parse_args()
    names = [name for name in PLAYS if not (options.without_tasks and name == "tasks")]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
        hosts = {f"host{number:02}": local for number in range(HOSTS)}
        (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        for name in names:
            (folder / f"{name}.yml").write_text(yaml.safe_dump(PLAYS[name], sort_keys=False))
            seconds(folder, name)  # warm
        spent = {name: [] for name in names}  # type: dict[str, list[float]]
        for _ in range(options.runs):
            for name in names:
                spent[name].append(seconds(folder, name))
        report = json.loads((folder / "state-daily/latest/report.json").read_text())
    broken = [record["summary"] for record in report["records"] if record["id"] == "run.task"]
    if broken:
        sys.exit(f"nothing was measured: {broken[0]}")
    own = sum(record["id"].startswith("run.") for record in report["records"])
    checks = (len(report["records"]) - own) / HOSTS
    print(f"{HOSTS} hosts, {checks:.0f} checks each, median of {options.runs} runs")
    base = statistics.median(spent["no-op"])
    for name in names:
        median = statistics.median(spent[name])
        print(f"{name:8} {median:7.1f} s   {median / base:5.2f} times no-op")
    if "tasks" in spent:
        ratio = statistics.median(spent["tasks"]) / statistics.median(spent["daily"])
        print(f"as plain tasks it takes {ratio:.1f} times as long as in one call")


if __name__ == "__main__":
    main()
