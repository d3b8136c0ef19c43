# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""http_check on a real nginx, a real proxy and a server that misbehaves: the table of ``http_cases.py``, in one call."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import http as kind
from ansible_collections.sre.runbooks.tests.integration.http_cases import CASES, Case, servers, target
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

Verdicts = dict[str, dict[str, Check]]


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    for command, package in (("nginx", "nginx-light"), ("tinyproxy", "tinyproxy")):
        assert shutil.which(command, path="/usr/sbin:/usr/bin"), f"{command} is missing: apt-get install {package}"
    with servers() as running, pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        yield running


@pytest.fixture(scope="module")
def verdicts(places: dict[str, str]) -> Verdicts:
    """All cases in one call, side by side, the hostile ones among the others."""
    found: Verdicts = {}
    for check in checks_of(kind, targets=[target(row, places) for row in CASES]):
        found.setdefault(check.target, {})[check.id.partition(".")[2]] = check
    return found


@pytest.mark.parametrize("row", CASES, ids=lambda row: row.title)
def test_the_verdict_is_that_of_the_table(row: Case, verdicts: Verdicts) -> None:
    checks = verdicts[row.title]
    for judged, check in checks.items():
        wanted = row.expected.get(judged)
        if wanted is None:
            assert check.status in ("ok", "skipped"), f"{check.id} is {check.status}: {check.summary}"
        else:
            assert check.status == wanted, f"{check.id} is {check.status}: {check.summary}"
    assert row.said in checks["status"].summary
    assert not [secret for secret in ("secret of ops", "of-the-tests", "an old") if secret in str(checks.values())]


def test_the_table_has_no_title_twice() -> None:
    assert len({row.title for row in CASES}) == len(CASES) >= 50


def test_twenty_addresses_that_hang_take_as_long_as_two(places: dict[str, str]) -> None:
    """Sixteen are measured side by side."""
    hanging = [{"name": str(n), "url": f"{places['bad']}/hang"} for n in range(20)]
    started = time.monotonic()
    found = checks_of(kind, targets=hanging, request_timeout=1.0, retries=0, samples=1)
    assert [check.status for check in found if check.id == "http.status"] == ["critical"] * 20
    assert time.monotonic() - started < 6
