# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far forecasts are from a known truth, beside a straight line through everything (least squares)."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.sre.runbooks.plugins.plugin_utils._forecast import forecast
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils import growth


def main() -> None:
    print(f"{'shape':32}{'truth':>8}{'error':>8}{'worst':>8}{'straight line':>16}   (medians of 20 seeds)")
    ours, spent, count = [], 0.0, 0
    for name, (shape, days, spikes) in growth.SUITE.items():
        truth = growth.truth(shape, days=days)
        errors, lines = [], []
        for seed in range(20):
            points = growth.samples(shape, days=days, spikes=spikes, seed=seed)
            begun = time.perf_counter()
            found = forecast(points).days_to(100)
            spent, count = spent + time.perf_counter() - begun, count + 1
            errors.append(abs(found.likely - truth) / truth if found else float("inf"))
            line = growth.least_squares(points)
            lines.append(abs(line - truth) / truth if line is not None else float("inf"))
        ours += errors
        straight = statistics.median(lines)
        print(
            f"{name:32}{truth:8.0f}{statistics.median(errors):8.1%}{max(errors):8.1%}"
            + (f"{straight:16.1%}" if straight < 100 else f"{'never':>16}")
        )
    print(f"\nmedian error {statistics.median(ours):.1%}; {spent / count * 1000:.1f} ms a series")


if __name__ == "__main__":
    main()
