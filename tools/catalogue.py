# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of checks: write it into README.md between its markers, or with --check only say whether it is true."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- catalogue -->\n", "<!-- end of catalogue -->\n"


def promises(root: Path) -> dict[str, dict[str, str]]:
    """Module → check id → promise, in the order in which they are reported."""
    sys.path.insert(0, str(root / "collections"))
    checks = "ansible_collections.sre.runbooks.plugins.module_utils._checks"
    kinds = sorted(
        path.stem for path in (root / "plugins/module_utils/_checks").glob("*.py") if path.stem != "__init__"
    )
    found = {kind: importlib.import_module(f"{checks}.{kind}") for kind in kinds}
    return {getattr(about, "MODULE", f"{kind}_check"): about.CHECKS for kind, about in found.items()}


def catalogue(promises: dict[str, dict[str, str]]) -> str:
    """The table, in Markdown. The id leads to the page for whoever is woken by it."""
    rows = [
        f"| [`{check_id}`](docs/runbooks/{check_id}.md) | {promise} | `{module}` |"
        for module, checks in promises.items()
        for check_id, promise in checks.items()
    ]
    total = f"{len(rows)} checks of {len(promises)} kinds. Each is green when its promise holds."
    return "\n".join([total, "", "| Check | Promise | Module |", "| --- | --- | --- |", *rows, ""])


def written(readme: str, table: str) -> str:
    """The README with this catalogue."""
    if readme.count(START) != 1 or readme.count(END) != 1:
        sys.exit(f"README.md has no place for the catalogue, between\n{START}and\n{END}")
    before, rest = readme.split(START)
    return f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; end with 1 when README.md is not up to date"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    given = parser.parse_args()
    path = given.root / "README.md"
    old = path.read_text(encoding="utf-8")
    new = written(old, catalogue(promises(given.root)))
    if given.check and new != old:
        sys.exit("the catalogue in README.md is not up to date: python tools/catalogue.py")
    if not given.check:
        path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
