# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""system: what is judged of a host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import system as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.system import Clock, Cpu, Pool
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

MIB = 1024**2


def cpu(busy: float = 10.0, steal: float = 0.0) -> Cpu:
    return Cpu(busy=busy, own=1.0, shares={"user": busy - steal, "steal": steal, "idle": 100 - busy}, top=[])


def pressure(some: float, full: float) -> dict[str, dict[str, float]]:
    return {"some": {"avg10": 0.0, "avg60": some, "avg300": 0.0}, "full": {"avg10": 0.0, "avg60": full, "avg300": 0.0}}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One healthy host; a test changes what it is about. An exception as a fact is raised."""
    facts: dict[str, Any] = {
        "cpu": cpu(),
        "memory": [Pool("the host", 40 * MIB, 100 * MIB)],
        "swap": Pool("swap", 0, 100 * MIB),
        "load": (1.0, 1.0, 1.0),
        "cores": 2,
        "pressure": pressure(1, 0),
        "up": 30 * 86400.0,
        "clock": Clock(0.02, synchronised=True, daemons=["chronyd"]),
        "largest": [],
    }

    def answer(fact: str) -> Any:
        def look(*_args: object) -> Any:
            if isinstance(facts[fact], Exception):
                raise facts[fact]
            return facts[fact]

        return look

    for fact in facts:
        monkeypatch.setattr(kind.probe, fact, answer(fact))
    return facts


def one(check_id: str, **options: Any) -> Check:
    return next(check for check in checks_of(kind, **options) if check.id == check_id)


def test_a_healthy_host_is_ok_in_every_respect() -> None:
    found = checks_of(kind)
    assert [check.id for check in found] == list(kind.CHECKS)
    assert {check.target for check in found} == {"host"}
    assert {check.status for check in found} == {"ok"}


@pytest.mark.parametrize(
    ("check_id", "fact", "values"),
    [
        ("system.cpu", "cpu", {80: "ok", 80.1: "warning", 95: "warning", 95.1: "critical"}),
        ("system.steal", "steal", {10: "ok", 11: "warning", 25: "warning", 26: "critical"}),
        ("system.memory", "memory", {85: "ok", 86: "warning", 95: "warning", 96: "critical"}),
        ("system.swap", "swap", {80: "ok", 81: "warning", 95: "warning", 96: "critical"}),
        ("system.load", "load", {2: "ok", 2.1: "warning", 5: "warning", 5.1: "critical"}),
        ("system.pressure_cpu", "some", {60: "ok", 61: "warning", 91: "critical"}),
        ("system.pressure_memory", "full", {10: "ok", 11: "warning", 31: "critical"}),
        ("system.pressure_io", "full", {40: "ok", 41: "warning", 81: "critical"}),
        ("system.reboot", "up", {60: "ok", 59: "warning"}),
        ("system.clock", "clock", {5: "ok", 5.1: "warning"}),
    ],
)
def test_each_value_is_judged_by_its_limits(
    machine: dict[str, Any], check_id: str, fact: str, values: dict[float, str]
) -> None:
    for value, status in values.items():
        changed: dict[str, dict[str, Any]] = {
            "cpu": {"cpu": cpu(value)},
            "steal": {"cpu": cpu(30, value)},
            "memory": {"memory": [Pool("the host", round(value * MIB), 100 * MIB)]},
            "swap": {"swap": Pool("swap", round(value * MIB), 100 * MIB)},
            "load": {"load": (0.0, 2 * value, 0.0)},
            "some": {"pressure": pressure(value, 0)},
            "full": {"pressure": pressure(100, value)},
            "up": {"up": 60 * value},
            "clock": {"clock": Clock(value, synchronised=True, daemons=[])},
        }
        machine.update(changed[fact])
        check = one(check_id)
        assert (check.status, check.value) == (status, value)
        assert check.unit == kind.TUNING[check_id.partition(".")[2]].unit


@pytest.mark.parametrize("fact", ["cpu", "memory", "swap", "load", "cores", "pressure", "up", "clock"])
def test_what_cannot_be_measured_is_unknown_and_leaves_the_rest_alone(machine: dict[str, Any], fact: str) -> None:
    ids = {
        "cpu": {"system.cpu", "system.steal"},
        "cores": {"system.load"},
        "up": {"system.reboot"},
        "pressure": {"system.pressure_cpu", "system.pressure_memory", "system.pressure_io"},
    }.get(fact, {f"system.{fact}"})
    machine[fact] = Unmeasurable("/proc is not mounted")
    found = checks_of(kind)
    assert {check.id for check in found if check.status == "unknown"} == ids
    assert {check.summary for check in found if check.status == "unknown"} == {"/proc is not mounted"}
    assert {check.status for check in found if check.id not in ids} == {"ok"}


def test_the_tighter_of_host_and_container_is_judged_and_named(machine: dict[str, Any]) -> None:
    host, group = Pool("the host", 40 * MIB, 100 * MIB), Pool("control group /web", 9 * MIB, 10 * MIB)
    machine["memory"] = [host, group]
    check = one("system.memory")
    assert (check.status, check.value) == ("warning", 90)
    assert "control group /web" in check.summary
    assert check.detail["pools"]["the host"] == {"used_mib": 40, "total_mib": 100}
    machine["memory"] = [Pool("the host", 97 * MIB, 100 * MIB), group]
    assert "the host" in one("system.memory").summary


def test_a_host_without_swap_and_a_kernel_without_psi_are_skipped_with_the_reason(machine: dict[str, Any]) -> None:
    machine["swap"] = machine["pressure"] = None
    found = {check.id: check for check in checks_of(kind)}
    assert found["system.swap"].status == "skipped"
    for resource in ("cpu", "memory", "io"):
        assert found[f"system.pressure_{resource}"].status == "skipped"
        assert "PSI" in found[f"system.pressure_{resource}"].summary


def test_an_account_of_pressure_without_the_line_that_is_judged_is_unknown(machine: dict[str, Any]) -> None:
    machine["pressure"] = {"some": {"avg60": 1.0}}
    found = statuses(checks_of(kind))
    assert found["system.pressure_cpu"] == "ok"
    assert found["system.pressure_memory"] == "unknown"


def test_a_clock_that_nobody_steers_is_called_not_synchronised(machine: dict[str, Any]) -> None:
    machine["clock"] = Clock(16.0, synchronised=False, daemons=[])
    check = one("system.clock")
    assert check.status == "warning"
    assert "not synchronised" in check.summary
    assert one("system.clock", clock={"warning": "5", "critical": "15"}).status == "critical"


@pytest.mark.parametrize("interval", [0, -1, 30, 31])
def test_an_interval_that_leaves_no_time_is_refused(interval: float) -> None:
    with pytest.raises(BadOption, match="interval"):
        checks_of(kind, interval=interval)
