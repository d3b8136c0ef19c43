# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the daily runbook against this very machine, through ansible-runner, and say where the report is.

Usage: python tools/daily.py [--inventory inventories/local] [ARGUMENT OF ansible-playbook ...]
Exit code: 0 when the verdict is fine by sre_fail_on, else 2.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import ansible_runner

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", default="inventories/local", help="an inventory, by default this machine")
    options, further = parser.parse_known_args()
    reports: list[Path] = []

    def listen(event: dict[str, Any]) -> bool:
        data = event.get("event_data", {})
        if data.get("resolved_action") == "sre.runbooks.report" and "path" in data.get("res", {}):
            reports.append(Path(data["res"]["path"]))
        return True  # let ansible-runner keep the event

    print(f"playbooks/daily.yml on {options.inventory} …", flush=True)
    with tempfile.TemporaryDirectory(prefix="sre-runbooks-runner-") as private:
        result = ansible_runner.run(
            private_data_dir=private,
            project_dir=str(ROOT),
            playbook="playbooks/daily.yml",
            inventory=str(Path(options.inventory).resolve()),
            cmdline=shlex.join(further) or None,
            envvars={"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PATH": _path()},
            event_handler=listen,
            quiet=True,
        )
        # Without a report, what Ansible said is all there is; with one, it is the same at greater length.
        print(reports[-1].with_name("report.txt").read_text() if reports else result.stdout.read())
    return 0 if result.rc == 0 else 2


def _path() -> str:
    """The environment of this interpreter first: ansible-runner finds ansible-playbook on PATH."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


if __name__ == "__main__":
    sys.exit(main())
