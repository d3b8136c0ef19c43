# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watch that every check id is seen ok, red and unknown: see ``proof.py``.

Only whole test files are held to it, and only when everything else passed: not a single test picked by name.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.tests.unit import proof

HERE = Path(__file__).resolve().parent
seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
complaints: list[str] = []


@pytest.fixture(autouse=True)
def _notes(request: pytest.FixtureRequest) -> Iterator[None]:
    proof.NOTES.clear()
    yield
    request.node.user_properties.extend(sorted(set(proof.NOTES)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    kind = proof.kind_tested_by(report.nodeid)
    if kind and report.when == "teardown":
        seen[kind].update((str(check_id), str(light)) for check_id, light in report.user_properties)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    picked = any("::" in argument for argument in config.args) or any(
        config.getoption(option, None) for option in ("keyword", "markexpr", "deselect", "lf")
    )
    if exitstatus != pytest.ExitCode.OK or picked or hasattr(config, "workerinput"):
        return
    for kind, notes in sorted(seen.items()):
        module = importlib.import_module(f"ansible_collections.sre.runbooks.plugins.module_utils._checks.{kind}")
        exceptions = proof.exceptions(HERE / f"plugins/module_utils/_checks/test_{kind}.py")
        complaints.extend(proof.unproven(module.CHECKS, notes, exceptions))
    if complaints:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if complaints:
        terminalreporter.section("checks that the tests of their kind do not prove", red=True)
        for line in complaints:
            terminalreporter.line(line)
