# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificate beside Debian's check_http -C and check_ssl_cert: the verdicts on the same servers, and what a target costs.

Needs the packages monitoring-plugins-basic, monitoring-plugins-contrib and bind9-host. Prints Markdown, as in docs/comparison/.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader

os.environ.setdefault("ANSIBLE_CONFIG", str(Path(__file__).resolve().parents[2] / "ansible.cfg"))
init_plugin_loader()

from ansible_collections.sre.runbooks.plugins.module_utils._check import worst
from ansible_collections.sre.runbooks.plugins.module_utils._checks import certificate as kind
from ansible_collections.sre.runbooks.tests.unit import authority as ca
from ansible_collections.sre.runbooks.tests.unit.door import checks_of
from ansible_collections.sre.runbooks.tests.unit.plugins.module_utils._checks.test_certificate import (
    CASES,
    CHAIN,
    HOST,
    ROOT,
    TRUSTED,
    served,
    write_files,
)

PLUGINS = Path("/usr/lib/nagios/plugins")
STATES = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}
ROUNDS, TARGETS = 9, 16


def days(options: dict[str, Any]) -> tuple[str, str]:
    """Warning and critical, as the plugins take them: whole numbers, and both."""
    given = options.get("expiry", {})
    if given.get("warning") == "never":
        return "0", "0"
    warning = given.get("warning", 21)
    return str(warning), str(min(7, warning))


def check_http(target: dict[str, Any], options: dict[str, Any]) -> list[str]:
    argv = [str(PLUGINS / "check_http"), "-I", target["host"], "-p", str(target.get("port", 443)), "-t", "10"]
    argv += ["-C", ",".join(days(options))]
    return argv + (["--sni", "-H", target["server_name"]] if target.get("server_name") else [])


def check_ssl_cert(target: dict[str, Any], options: dict[str, Any], ca_path: str) -> list[str]:
    warning, critical = days(options)
    argv = [str(PLUGINS / "check_ssl_cert"), "-H", target["host"], "-p", str(target.get("port", 443)), "-t", "10"]
    argv += ["-w", warning, "-c", critical, "--ignore-sct", "--rootcert-file", ca_path]
    argv += ["-P", target["starttls"]] if target.get("starttls") else []
    argv += ["--sni", target["server_name"]] if target.get("server_name") else []
    return [*argv, "-m", target.get("server_name") or target["host"]]


def run(argv: list[str]) -> tuple[str, str]:
    """The verdict of a plugin, and its sentence."""
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=60)
    said = (done.stdout + done.stderr).decode(errors="replace").partition("|")[0].strip()
    return STATES.get(done.returncode, f"killed by signal {-done.returncode}"), " ".join(said.split())[:160]


def verdicts() -> None:
    print("| case | expected | ours | check_ssl_cert | check_http -C |")
    print("|---|---|---|---|---|")
    differences = []
    for name, (place, options, verdict) in CASES.items():
        with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as made:
            directory = Path(made)
            address = {key: value for key, value in place(directory, stack).items() if value is not None}
            # What the plugins have no option for is not held against them.
            if "host" not in address or {"same_as", "crl_path", "trust", "ca_path", "names"} & options.keys():
                continue
            given = write_files({**TRUSTED, **options, **address}, directory)
            given = {key: value for key, value in given.items() if value is not None}
            if given.get("ca_data") == "none":
                continue
            ca_path = directory / "ca.pem"
            ca_path.write_text(given.get("ca_data", ca.authority("Nobody").pem))
            expected = worst([*verdict.values(), "ok"])
            row = [expected, worst(check.status for check in checks_of(kind, targets=[given]))]
            status, said = run(check_ssl_cert(address, options, str(ca_path)))
            row.append(status)
            if status != expected:
                differences.append(f"- {name}: {said}")
            row.append("-" if address.get("starttls") else run(check_http(address, options))[0])
            print(f"| {name} | {' | '.join(row)} |", flush=True)
    print("\nWhere check_ssl_cert differs, it says:\n")
    print("\n".join(differences))


def costs() -> None:
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        ca_path = directory / "ca.pem"
        ca_path.write_text(ROOT.pem)
        address = {key: value for key, value in served(*CHAIN)(directory, stack).items() if value is not None}
        targets = [{**address, "name": str(number), "ca_data": ROOT.pem} for number in range(TARGETS)]
        handshake = ["openssl", "s_client", "-connect", f"{HOST}:{address['port']}"]
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "openssl s_client, the handshake alone": (1, lambda: run(handshake)),
            "check_http -C": (1, lambda: run(check_http(address, {}))),
            "check_ssl_cert": (1, lambda: run(check_ssl_cert(address, {}, str(ca_path)))),
            "ours, one target": (1, lambda: checks_of(kind, targets=targets[:1])),
            f"ours, {TARGETS} targets in one call": (TARGETS, lambda: checks_of(kind, targets=targets)),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):  # in turn, so that other load falls on all of them
            for name, (count, call) in ways.items():
                start = time.perf_counter()
                call()
                times[name].append((time.perf_counter() - start) / count)
    took = {name: statistics.median(some) for name, some in times.items()}
    base = next(iter(took.values()))
    print(f"\n| a target, median of {ROUNDS} | ms | times a handshake |\n|---|---|---|")
    for name, spent in took.items():
        print(f"| {name} | {spent * 1e3:.0f} | {spent / base:.1f} |")


def main() -> None:
    missing = [name for name in ("check_http", "check_ssl_cert") if not (PLUGINS / name).exists()]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}")
    verdicts()
    costs()


if __name__ == "__main__":
    main()
