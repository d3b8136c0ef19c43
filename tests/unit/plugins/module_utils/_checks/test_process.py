# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""process: what is judged of the processes of a name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import process as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.processes import Process
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NOW = 100_000.0
EVERYTHING = {
    "memory": {"warning": "100"},
    "oldest": {"warning": "60", "critical": "120"},
    "youngest": {"warning": "10", "critical": "5"},
}


def worker(pid: int, minutes: float = 30, mib: int = 10, state: str = "S") -> Process:
    return Process(pid, 1, "worker", state, 33, 0.0, NOW - 60 * minutes, mib * 1024**2)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two workers; a test changes what it is about."""
    facts: dict[str, Any] = {"matching": [worker(10), worker(11)]}

    def matching(_every: object, **_wanted: object) -> list[Process]:
        if isinstance(facts["matching"], Exception):
            raise facts["matching"]
        return list(facts["matching"])

    monkeypatch.setattr(kind.probe, "processes", list)
    monkeypatch.setattr(kind.probe, "matching", matching)
    monkeypatch.setattr(kind.probe, "uptime", lambda: NOW)
    return facts


def one(check_id: str, **options: Any) -> Check:
    found = checks_of(kind, targets=[{"process": "worker"}], **options)
    return next(check for check in found if check.id == check_id)


def test_healthy_processes_are_ok_in_every_respect() -> None:
    found = checks_of(kind, targets=[{"process": "worker"}], **EVERYTHING)
    assert [check.id for check in found] == list(kind.CHECKS)
    assert {check.status for check in found} == {"ok"}
    assert [check.value for check in found] == [2, 20, 30, 30]


@pytest.mark.parametrize(("number", "status"), [(0, "critical"), (1, "warning"), (2, "ok"), (4, "ok"), (5, "warning")])
def test_their_number_is_judged_by_a_band(machine: dict[str, Any], number: int, status: str) -> None:
    machine["matching"] = [worker(pid) for pid in range(10, 10 + number)]
    check = one("process.count", count={"warning": "2..4", "critical": "1.."})
    assert (check.status, check.value, check.unit) == (status, number, "processes")


def test_by_default_one_is_enough_and_none_is_critical(machine: dict[str, Any]) -> None:
    machine["matching"] = [worker(10)]
    assert one("process.count").status == "ok"
    machine["matching"] = []
    assert one("process.count").status == "critical"


def test_one_that_must_not_run_is_critical(machine: dict[str, Any]) -> None:
    assert one("process.count", count={"critical": "..0"}).status == "critical"
    machine["matching"] = []
    assert one("process.count", count={"critical": "..0"}).status == "ok"


def test_zombies_do_not_count_and_are_mentioned(machine: dict[str, Any]) -> None:
    machine["matching"] = [worker(10, state="Z"), worker(11, state="Z")]
    check = one("process.count")
    assert check.status == "critical"
    assert "0 running, 2 more" in check.summary


def test_their_memory_is_added_up(machine: dict[str, Any]) -> None:
    machine["matching"] = [worker(10, mib=60), worker(11, mib=41)]
    check = one("process.memory", memory={"warning": "100", "critical": "200"})
    assert (check.status, check.value, check.unit) == ("warning", 101, "MiB")


def test_one_that_hangs_and_one_that_was_just_started_are_seen(machine: dict[str, Any]) -> None:
    machine["matching"] = [worker(10, minutes=121), worker(11, minutes=9)]
    found = {check.id: check for check in checks_of(kind, targets=[{"process": "worker"}], **EVERYTHING)}
    assert (found["process.oldest"].status, found["process.oldest"].value) == ("critical", 121)
    assert (found["process.youngest"].status, found["process.youngest"].value) == ("warning", 9)


def test_without_limits_only_the_number_is_judged() -> None:
    assert statuses(checks_of(kind, targets=[{"process": "worker"}])) == {
        "process.count": "ok",
        "process.memory": "skipped",
        "process.oldest": "skipped",
        "process.youngest": "skipped",
    }


def test_with_none_running_only_the_number_is_judged(machine: dict[str, Any]) -> None:
    machine["matching"] = []
    found = statuses(checks_of(kind, targets=[{"process": "worker"}], **EVERYTHING))
    assert list(found.values()) == ["critical", "skipped", "skipped", "skipped"]


def test_processes_that_are_hidden_are_unknown(machine: dict[str, Any]) -> None:
    machine["matching"] = Unmeasurable("/proc does not show every process")
    found = checks_of(kind, targets=[{"process": "worker"}], **EVERYTHING)
    assert [check.status for check in found] == ["unknown", "skipped", "skipped", "skipped"]


def test_the_evidence_is_bounded_and_says_who_but_not_with_which_arguments(machine: dict[str, Any]) -> None:
    machine["matching"] = [worker(pid) for pid in range(10, 110)]
    evidence = one("process.count").detail["processes"]
    assert len(evidence) == 20
    assert evidence[0] == {"pid": 10, "name": "worker", "user": "www-data", "rss_mib": 10, "minutes": 30.0}
    json.dumps(evidence)


def test_a_target_is_called_after_what_is_looked_for() -> None:
    targets = [{"process": "worker"}, {"process": "worker", "user": "www-data"}, {"command": "queue:work"}]
    assert {check.target for check in checks_of(kind, targets=targets)} == {
        "worker",
        "worker of www-data",
        "queue:work",
    }


@pytest.mark.parametrize("target", [{}, {"user": "root"}, {"command": "("}])
def test_a_target_that_names_nothing_to_look_for_is_refused(target: dict[str, str]) -> None:
    with pytest.raises(BadOption):
        checks_of(kind, targets=[target])
