# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""http_check beside check_http and check_curl of the monitoring plugins, on the servers of the integration test.

Prints a table of verdicts, the rows that differ last, and what a good target costs. Needs the Debian packages
liburiparser1, monitoring-plugins-basic, nginx-light and tinyproxy. With ``--page`` it writes the table of docs/comparison/http.md anew.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, worst
from ansible_collections.sre.runbooks.plugins.module_utils._checks import http as kind
from ansible_collections.sre.runbooks.tests.integration.http_cases import (
    CASES,
    Case,
    filled,
    servers,
    target,
)
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

PLUGINS = Path("/usr/lib/nagios/plugins")
SAID = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}
PAGE = ROOT / "docs/comparison/http.md"
MARK = "<!-- written by tests/benchmarks/bench_http.py --page -->\n"


def command(plugin: str, row: Case, places: dict[str, str]) -> list[str]:
    """What a careful operator gives to a plugin: redirects followed, time, size, certificate and trust where it can."""
    url = urllib.parse.urlsplit(filled(row.url, places))
    host = str(url.hostname)
    port = url.port or (443 if url.scheme == "https" else 80)
    name = "-I" if ":" in host else "-H"
    argv = [str(PLUGINS / plugin), name, host, "-p", str(port), "-u", url.path, "-f", "follow", "-t", "1"]
    if url.scheme == "https":
        argv += ["-S", "--sni", "-C", "10,3", "--continue-after-certificate"]
        if plugin == "check_curl" and row.given.get("validate_certs", True):
            argv += ["-D", "--ca-cert", places["ca"]]
    return argv + list(filled(row.plugin, places))


def plugin_verdict(plugin: str, row: Case, places: dict[str, str]) -> str:
    if row.plugin is None:
        return "-"
    done = subprocess.run(command(plugin, row, places), capture_output=True, text=True, timeout=60, check=False)
    return SAID.get(done.returncode, f"died ({done.returncode})")


def rows(places: dict[str, str]) -> list[list[str]]:
    ours: dict[str, list[Check]] = {}
    for check in checks_of(kind, targets=[target(row, places) for row in CASES]):
        ours.setdefault(check.target, []).append(check)
    table = []
    for row in CASES:
        red = [f"{check.status} ({check.id})" for check in ours[row.title] if check.status not in ("ok", "skipped")]
        wanted = worst(status for status in row.expected.values() if status != "skipped")
        found = worst(check.status for check in ours[row.title])
        assert found == (wanted if row.expected else "ok"), f"{row.title}: {found}"
        others = [plugin_verdict(plugin, row, places) for plugin in ("check_http", "check_curl")]
        differs = any(other not in ("-", found) for other in others)
        table.append([row.title, ", ".join(red) or "ok", *others, row.why if differs else ""])
    return table


def markdown(table: list[list[str]]) -> str:
    head = ["Case", "http_check", "check_http", "check_curl", "Where they differ"]
    lines = [head, ["---"] * len(head), *table]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The best of several: what else runs on the machine only ever adds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def one_by_one(argv: list[str], count: int) -> None:
    for _ in range(count):
        subprocess.run(argv, capture_output=True, check=False)


def cost(places: dict[str, str]) -> None:
    print("\nCost of good targets, one request each; best of 3, the plugin is 1.0")
    for scheme in ("nginx", "tls"):
        page = Case("page", f"{{{scheme}}}/page", {})
        for count in (1, 16, 64):
            targets = [{**target(page, places), "name": str(n)} for n in range(count)]
            ours = seconds(functools.partial(checks_of, kind, targets=targets))
            theirs = seconds(functools.partial(one_by_one, command("check_http", page, places), count))
            print(f"  {scheme:6} {count:3} targets: {1000 * ours / count:6.2f} ms each, "
                  f"check_http {1000 * theirs / count:6.2f} ms each, ratio {ours / theirs:.2f}")  # fmt: skip
    hanging = [{**target(Case("h", "{bad}/hang", {}), places), "name": str(n)} for n in range(16)]
    ours = seconds(lambda: checks_of(kind, targets=hanging), 1)
    print(f"  16 targets that hang for 1 s each: {ours:.1f} s; one after the other, as a loop of plugins, 16 s")


def main() -> None:
    with servers() as places:
        table = rows(places)
        print(markdown([row for row in table if not row[-1]] + [row for row in table if row[-1]]))
        if "--page" in sys.argv:
            text = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
            PAGE.write_text(text + MARK + "\n" + markdown(table), encoding="utf-8")
        else:
            cost(places)


if __name__ == "__main__":
    main()
