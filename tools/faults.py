# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults, of which a test sees each red and healed: write docs/faults.md, or with --check only say whether it is true."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TABLE = "molecule/edubot/tests/test_faults.py"
RUNBOOK = "inventories/edubot/group_vars/all/runbook.yml"
PAGE = f"""# What goes wrong, and where it is seen

`make molecule-edubot` sets up a real host with WordPress, MariaDB, nginx and php-fpm, and makes these faults one by one, as
reality makes them. The playbook of an occasion, with the variables of `inventories/edubot`, sees each of them on the line
named here and on no other, but for what the fault explains; then it is healed, and the line is fine again.
[The test]({"../" + TABLE}) is the source of this table.

| Fault | Seen by | Step | Line | Verdict | It says | The fault also explains |
| --- | --- | --- | --- | --- | --- | --- |
"""


def faults() -> list[Any]:
    """The table of the test."""
    return list(runpy.run_path(str(ROOT / TABLE))["FAULTS"])


def page(table: Iterable[Any], occasions: dict[str, str]) -> str:
    """In Markdown. ``occasions`` is the playbook of an occasion → its title."""
    return PAGE + "".join(
        f"| {fault.name} | {occasions[fault.occasion]}, `{fault.occasion}` | {fault.step} | {line(fault.line)}"
        f' | {fault.status} | "{fault.says.strip()}" | {also(fault.also)} |\n'
        for fault in table
    )


def line(name: str) -> str:
    """The id leads to the page for whoever is woken by it."""
    check_id, _, target = name.partition("@")
    return f"[`{check_id}`](runbooks/{check_id}.md)`@{target}`"


def also(lines: dict[str, str]) -> str:
    return "<br>".join(f"{status} `{name}`" for name, status in lines.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; end with 1 when the page is not up to date"
    )
    given = parser.parse_args()
    runbook = yaml.safe_load((ROOT / RUNBOOK).read_text(encoding="utf-8"))["sre_runbook"]
    new = page(faults(), {one["playbook"]: one["title"] for one in runbook["occasions"].values()})
    path = ROOT / "docs/faults.md"
    if given.check and not (path.exists() and path.read_text(encoding="utf-8") == new):
        sys.exit("docs/faults.md is not up to date: python tools/faults.py")
    if not given.check:
        path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
