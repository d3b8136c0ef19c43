# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""secret: how many findings real trees give, how many planted credentials are found, and the time beside grep's.

    python tests/benchmarks/bench_secret.py [tree …]

The trees are published software, so that each finding in them is taken for a false one; ``--show`` prints where they are.
Without a tree: Debian's wordpress (package wordpress). Prints Markdown, as in docs/secrets.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

os.environ.setdefault("ANSIBLE_CONFIG", str(Path(__file__).resolve().parents[2] / "ansible.cfg"))
init_plugin_loader()

from ansible_collections.sre.runbooks.plugins.module_utils._probe.secret import scan
from ansible_collections.sre.runbooks.tests.unit.plugins.module_utils._probe.test_secret import PLANTED, plant

WORDS = "(password|passwd|secret|api[_-]?key|token)[a-z_]*['\"]?[ ]*(=|=>|:)[ ]*['\"][^'\"]+['\"]"
"""What a runbook of shell looks for."""


def grep(tree: str) -> tuple[int, float]:
    """Lines that grep finds, and its seconds."""
    began = time.perf_counter()
    answer = subprocess.run(["grep", "-rIiEc", WORDS, tree], capture_output=True, check=False)
    found = sum(int(line.rpartition(b":")[2]) for line in answer.stdout.splitlines())
    return found, time.perf_counter() - began


def main() -> None:
    show = "--show" in sys.argv
    trees = [argument for argument in sys.argv[1:] if not argument.startswith("--")] or ["/usr/share/wordpress"]
    print("| Tree | Files | MiB | Findings | For 1000 files | Lines of grep | Time / grep's |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for tree in trees:
        lines, grep_seconds = grep(tree)
        began = time.perf_counter()
        found = scan(tree, [], 3600)
        seconds = time.perf_counter() - began
        count = len(found.findings)
        print(
            f"| {tree} | {found.files} | {found.bytes >> 20} | {count} | {1000 * count / max(1, found.files):.1f} "
            f"| {lines} | {seconds / grep_seconds:.1f} |"
        )
        for one in found.findings if show else []:
            print(f"  {one.rule} {one.path}:{one.line}")
    with tempfile.TemporaryDirectory() as directory:
        plant(Path(directory))
        places = {one.path[:2] for one in scan(directory, [], 60).findings}
        print(f"\n{len(places)} of {len(PLANTED)} planted credentials were found.")


if __name__ == "__main__":
    main()
