# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The second `make daily`: how much of its time is ours, and how much is starting ansible-runner and Ansible.

Run by hand: python tests/benchmarks/bench_make_daily.py [--runs 5]
The other side is ansible-runner with a play of one module that does nothing; the two alternate.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTHING = """
import sys, tempfile, ansible_runner
with tempfile.TemporaryDirectory() as place:
    sys.exit(ansible_runner.run(private_data_dir=place, playbook=sys.argv[1], inventory=sys.argv[2], quiet=True).rc)
"""
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
"""


def seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        play = Path(place) / "nothing.yml"
        play.write_text(PLAY)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "SRE_RUNBOOKS_DIRECTORY": f"{place}/state"}
        sides = {
            "make daily": ["make", "--silent", "daily"],
            "nothing": [sys.executable, "-c", NOTHING, str(play), str(ROOT / "inventories/local")],
        }
        spent: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(runs + 1):
            for name, command in sides.items():
                took = seconds(command, environment)
                if number:  # the first is to warm up
                    spent[name].append(took)
    median = {name: statistics.median(times) for name, times in spent.items()}
    for name, took in median.items():
        print(f"{name:12} {took:6.2f} s")
    print(f"ours is {100 * (1 - median['nothing'] / median['make daily']):.0f} % of it")


if __name__ == "__main__":
    main()
