# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""plugin_check against the monitoring plugins of Debian."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, interval
from ansible_collections.sre.runbooks.plugins.module_utils._checks import plugin
from ansible_collections.sre.runbooks.tests.unit.door import checks_of


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    assert Path("/usr/lib/nagios/plugins/check_dummy").exists(), (
        "the monitoring plugins are not installed: apt-get install monitoring-plugins-basic"
    )


@pytest.fixture
def port() -> Iterator[int]:
    """A port on loopback that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def one(command: str, **options: Any) -> Check:
    (check,) = checks_of(plugin, targets=[{"command": command, **options}])
    return check


@pytest.mark.parametrize(("code", "status"), [(0, "ok"), (1, "warning"), (2, "critical"), (3, "unknown")])
def test_every_verdict_is_adopted(code: int, status: str) -> None:
    check = one(f"check_dummy {code} 'said by the plugin'")
    assert check.status == status
    assert check.summary.endswith("said by the plugin")


def test_disks_are_told_with_value_unit_and_limits() -> None:
    check = one("check_disk -w 0% -c 0% -p / -p /dev/shm")
    assert check.status == "ok"
    assert check.value
    assert check.unit == "B"
    labels = [metric["label"] for metric in check.detail["metrics"]]
    assert labels == ["/", "/dev/shm"]
    assert interval(check.critical, "higher")[1] > 0


def test_a_full_disk_is_critical() -> None:
    assert one("check_disk -w 100% -c 100% -p /").status == "critical"


def test_a_disk_that_is_not_there_is_not_fine() -> None:
    assert one("check_disk -w 10% -c 5% -p /no/such/disk").status in ("critical", "unknown")


def test_processes_are_counted() -> None:
    check = one("check_procs -w 1: -c 1:")
    assert check.status == "ok"
    assert check.value
    assert (check.warning, check.critical) == ("1..", "1..")


def test_all_three_loads_are_kept() -> None:
    check = one("check_load -w 1000,900,800 -c 2000,1900,1800")
    assert [metric["label"] for metric in check.detail["metrics"]] == ["load1", "load5", "load15"]
    assert (check.warning, check.critical) == ("0..1000.000", "0..2000.000")


def test_a_port_that_answers_is_ok_and_tells_its_time(port: int) -> None:
    check = one(f"check_tcp -H 127.0.0.1 -p {port} -w 5 -c 10")
    assert (check.status, check.unit) == ("ok", "s")


def test_a_port_that_refuses_is_critical(port: int) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert one(f"check_tcp -H 127.0.0.1 -p {unused.getsockname()[1]}").status == "critical"


def test_a_plugin_that_is_asked_nonsense_is_unknown() -> None:
    assert one("check_disk --no-such-option").status == "unknown"


def test_a_plugin_that_debian_does_not_have_is_unknown() -> None:
    check = one("check_no_such_thing")
    assert check.status == "unknown"
    assert "is not installed" in check.summary


def test_negate_turns_a_verdict_round() -> None:
    assert one("negate /usr/lib/nagios/plugins/check_dummy 2 bad").status == "ok"
