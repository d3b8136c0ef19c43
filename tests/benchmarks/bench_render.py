# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long rendering 20 hosts x 40 checks with 30-point trends takes, beside writing the same records as JSON lines."""

from __future__ import annotations

import json
import os
import statistics
import time
import typing as t
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

os.environ.setdefault("ANSIBLE_CONFIG", str(Path(__file__).resolve().parents[2] / "ansible.cfg"))
init_plugin_loader()

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import RENDERERS
from ansible_collections.sre.runbooks.tests import samples

ROUNDS = 7


def seconds(call: t.Callable[[], str]) -> tuple[float, int]:
    """The median of some rounds, and the length of the text."""
    times, length = [], len(call())
    for _round in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times), length


def main() -> None:
    report = samples.fleet()
    base, length = seconds(lambda: "\n".join(json.dumps(record) for record in report.records))
    print(f"{len(report.records)} records, median of {ROUNDS} rounds")
    print(f"{'format':12} {'ms':>8} {'ratio':>7} {'kB':>7}")
    print(f"{'(journal)':12} {base * 1e3:8.1f} {1:7.1f} {length / 1e3:7.0f}")
    for name, render in RENDERERS.items():
        took, length = seconds(lambda render=render: render(report))  # type: ignore[misc]
        print(f"{name:12} {took * 1e3:8.1f} {took / base:7.1f} {length / 1e3:7.0f}")


if __name__ == "__main__":
    main()
