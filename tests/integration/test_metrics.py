# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics of a report, as Prometheus' own tool reads them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import prometheus
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report
from ansible_collections.sre.runbooks.tests import samples
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils._render.test_hostile import NASTY, hostile


@pytest.mark.parametrize(
    "whole",
    [samples.mixed(), samples.fleet(), *(hostile(text) for text in NASTY)],
    ids=["mixed", "20 hosts x 40 checks", *(f"hostile {number}" for number in range(len(NASTY)))],
)
def test_promtool_has_no_objection(whole: Report) -> None:
    if not shutil.which("promtool"):
        pytest.fail("promtool is not installed; tools/system-packages.txt has its package, prometheus")
    metrics = prometheus.render(whole).encode("utf-8")
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")
