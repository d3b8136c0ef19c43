# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""service: what is judged of the units behind a name."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import service as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.services import Restarts, Unit
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NGINX = Unit(
    id="nginx.service",
    load="loaded",
    active="active",
    sub="running",
    file_state="enabled",
    type="forking",
    result="success",
    exit_status="0",
    restarts=0,
    triggers=(),
    triggered_by=(),
    active_for=30 * 86400.0,
    inactive_for=None,
)
JOB = dataclasses.replace(
    NGINX, id="job.service", type="oneshot", active="inactive", sub="dead", file_state="static",
    triggered_by=("job.timer",), active_for=None, inactive_for=3600.0,
)  # fmt: skip
TIMER = dataclasses.replace(NGINX, id="job.timer", type="", sub="waiting", restarts=None, triggers=("job.service",))
SOCKET = dataclasses.replace(NGINX, id="ssh.socket", type="", sub="listening", restarts=None)
SSH = dataclasses.replace(
    NGINX, id="ssh.service", type="notify", active="inactive", sub="dead", file_state="disabled",
    triggered_by=("ssh.socket",), active_for=None,
)  # fmt: skip


def unit(of: Unit = NGINX, **changes: Any) -> Unit:
    return dataclasses.replace(of, **changes)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A healthy nginx; a test changes what it is about. An exception as a fact is raised."""
    facts: dict[str, Any] = {"find": [NGINX], "related": [], "restarts": Restarts(0, complete=True), "refused_by": None}

    def answer(fact: str) -> Any:
        def look(*args: Any, **_more: object) -> Any:
            if isinstance(facts[fact], Exception):
                raise facts[fact]
            return facts[fact]

        return look

    monkeypatch.setattr(kind.probe, "find", answer("find"))
    monkeypatch.setattr(kind.probe, "show", answer("related"))
    monkeypatch.setattr(kind.probe, "restarts", answer("restarts"))
    monkeypatch.setattr(kind.probe, "refused_by", answer("refused_by"))
    monkeypatch.setattr(kind.probe, "sockets", lambda pattern: [] if "gone" in pattern else [pattern])
    return facts


def checks(**target: Any) -> dict[str, Check]:
    return {check.id: check for check in checks_of(kind, targets=[{"unit": "nginx", **target}])}


def test_a_healthy_service_is_ok_in_every_respect() -> None:
    found = checks(port=80)
    assert set(found) == set(kind.CHECKS)
    assert {check.status for check in found.values()} == {"ok"}
    assert "30 days" in found["service.active"].summary


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"active": "reloading", "sub": "reload"}, "ok", "reloading"),
        ({"sub": "exited", "type": "oneshot"}, "ok", "exited"),
        ({"sub": "exited"}, "warning", "none of its processes"),
        ({"active": "activating", "sub": "start"}, "warning", "still starting"),
        ({"active": "activating", "sub": "start", "type": "oneshot"}, "ok", "at work"),
        ({"active": "activating", "sub": "auto-restart", "result": "exit-code"}, "critical", "exit-code"),
        ({"active": "deactivating", "sub": "stop-sigterm"}, "warning", "stopping"),
        ({"active": "failed", "sub": "failed", "result": "oom-kill", "exit_status": "9"}, "critical", "oom-kill"),
        ({"active": "inactive", "sub": "dead", "inactive_for": 7200.0}, "critical", "2 hours"),
        ({"active": "inactive", "sub": "dead", "inactive_for": None}, "critical", "since the boot"),
        ({"active": "maintenance", "sub": "?"}, "unknown", "maintenance"),
        ({"load": "masked", "active": "inactive", "sub": "dead"}, "critical", "masked"),
        ({"load": "bad-setting", "active": "inactive", "sub": "dead"}, "critical", "bad-setting"),
    ],
)
def test_each_state_of_a_service_means_something(
    machine: dict[str, Any], changes: dict[str, Any], status: str, word: str
) -> None:
    machine["find"] = [unit(**changes)]
    check = checks()["service.active"]
    assert check.status == status
    assert word in check.summary


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({}, "ok", "ended well 60 minutes ago"),
        ({"inactive_for": None}, "unknown", "job.timer"),  # nothing to judge yet
        ({"inactive_for": None, "triggered_by": ()}, "critical", "since the boot"),
        ({"active": "failed", "sub": "failed", "result": "exit-code", "exit_status": "1"}, "critical", "exit-code"),
    ],
)
def test_a_oneshot_service_is_judged_by_its_last_run(
    machine: dict[str, Any], changes: dict[str, Any], status: str, word: str
) -> None:
    machine["find"], machine["related"] = [unit(JOB, **changes)], [TIMER]
    check = checks(unit="job")["service.active"]
    assert check.status == status
    assert word in check.summary


@pytest.mark.parametrize(
    ("timer", "job", "status", "word"),
    [
        ({}, {}, "ok", "waiting"),
        ({}, {"active": "failed", "result": "exit-code"}, "critical", "job.service ended with exit-code"),
        ({}, {"load": "not-found"}, "critical", "cannot be loaded"),
        ({"sub": "elapsed"}, {}, "warning", "no next run"),
        ({"active": "inactive", "sub": "dead"}, {}, "critical", "job.timer"),
    ],
)
def test_a_timer_is_well_when_it_is_active_and_its_job_ended_well(
    machine: dict[str, Any], timer: dict[str, Any], job: dict[str, Any], status: str, word: str
) -> None:
    machine["find"], machine["related"] = [unit(TIMER, **timer)], [unit(JOB, **job)]
    found = checks(unit="job.timer")
    assert found["service.active"].status == status
    assert word in found["service.active"].summary
    assert found["service.restarts"].status == "skipped"


def test_a_service_started_by_a_socket_is_well_while_the_socket_listens(machine: dict[str, Any]) -> None:
    machine["find"], machine["related"] = [SSH], [SOCKET]
    found = checks(unit="ssh")
    assert (found["service.active"].status, found["service.enabled"].status) == ("ok", "ok")
    machine["related"] = [unit(SOCKET, active="inactive", sub="dead", file_state="disabled")]
    found = checks(unit="ssh")
    assert (found["service.active"].status, found["service.enabled"].status) == ("critical", "warning")


def test_a_unit_that_does_not_exist_is_critical_once(machine: dict[str, Any]) -> None:
    machine["find"] = [unit(load="not-found", active="inactive", sub="dead")]
    found = checks(port=80)
    assert {check_id: check.status for check_id, check in found.items()} == {
        "service.answers": "ok",
        "service.active": "critical",
        "service.enabled": "skipped",
        "service.restarts": "skipped",
    }
    assert found["service.active"].summary == "there is no unit nginx"


def test_a_host_without_systemd_is_unknown_but_its_port_is_judged(machine: dict[str, Any]) -> None:
    machine["find"] = Unmeasurable("the host does not run under systemd")
    found = statuses(checks_of(kind, targets=[{"unit": "nginx", "port": 80}]))
    assert found == {
        "service.answers": "ok",
        "service.active": "unknown",
        "service.enabled": "skipped",
        "service.restarts": "skipped",
    }


def test_of_several_units_every_one_that_is_meant_to_run_has_to(machine: dict[str, Any]) -> None:
    old = unit(id="php7.4-fpm.service", active="inactive", sub="dead", file_state="disabled", active_for=None)
    new = unit(id="php8.2-fpm.service")
    machine["find"] = [old, new]
    assert checks(unit="php*-fpm")["service.active"].status == "ok"
    machine["find"] = [unit(old, file_state="enabled"), new]
    check = checks(unit="php*-fpm")["service.active"]
    assert check.status == "critical"
    assert "php7.4-fpm.service" in check.summary
    assert check.detail["units"] == {"php7.4-fpm.service": "inactive (dead)", "php8.2-fpm.service": "active (running)"}
    machine["find"] = [old]
    assert checks(unit="php*-fpm")["service.active"].status == "critical"


def test_an_alias_is_found_under_the_name_that_the_host_has_and_keeps_its_own(machine: dict[str, Any]) -> None:
    gone = unit(id="mysqld.service", load="not-found", active="inactive", sub="dead", file_state="")
    machine["find"] = [unit(id="mariadb.service"), gone]
    check = checks(unit="mysql|mariadb|mysqld")["service.active"]
    assert (check.target, check.status) == ("mysql|mariadb|mysqld", "ok")
    assert "mariadb.service" in check.summary


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("enabled", "ok"),
        ("static", "ok"),
        ("generated", "ok"),
        ("disabled", "warning"),
        ("masked", "warning"),
        ("enabled-runtime", "warning"),
        ("", "warning"),
    ],
)
def test_a_service_has_to_come_back_after_a_boot(machine: dict[str, Any], state: str, status: str) -> None:
    machine["find"] = [unit(file_state=state)]
    assert checks()["service.enabled"].status == status
    assert checks(enabled=False)["service.enabled"].status == "skipped"


@pytest.mark.parametrize(("count", "status"), [(0, "ok"), (1, "warning"), (5, "warning"), (6, "critical")])
def test_restarts_within_the_window_are_judged(machine: dict[str, Any], count: int, status: str) -> None:
    machine["find"] = [unit(active_for=600.0, restarts=99)]
    machine["restarts"] = Restarts(count, complete=True)
    check = checks()["service.restarts"]
    assert (check.status, check.value) == (status, count)
    assert "24 h" in check.summary


def test_a_service_active_for_the_whole_window_needs_no_journal(machine: dict[str, Any]) -> None:
    machine["restarts"] = Unmeasurable("the journal is not readable")
    assert checks()["service.restarts"].status == "ok"
    assert checks(window=31 * 24)["service.restarts"].status == "unknown"


@pytest.mark.parametrize(("counter", "status"), [(0, "unknown"), (1, "warning"), (7, "critical")])
def test_a_journal_that_begins_too_late_can_prove_too_many_restarts_but_not_few_enough(
    machine: dict[str, Any], counter: int, status: str
) -> None:
    machine["find"] = [unit(active_for=600.0, restarts=counter)]
    machine["restarts"] = Restarts(0, complete=False)
    check = checks()["service.restarts"]
    assert check.status == status
    assert f"restarted {counter} times" in check.summary or check.value == counter


def test_restarts_that_cannot_be_counted_are_unknown(machine: dict[str, Any]) -> None:
    machine["find"] = [unit(active_for=600.0)]
    machine["restarts"] = Unmeasurable("the journal of the system is empty or not readable")
    found = checks()
    assert found["service.restarts"].status == "unknown"
    assert found["service.active"].status == "ok"


def test_a_service_that_takes_no_connection_is_critical_whatever_systemd_says(machine: dict[str, Any]) -> None:
    machine["refused_by"] = "Connection refused"
    found = checks(port=80)
    assert (found["service.answers"].status, found["service.active"].status) == ("critical", "ok")
    assert found["service.answers"].summary == "localhost:80 takes no connection: Connection refused"
    assert checks(socket="/run/gone*.sock")["service.answers"].status == "critical"
    assert checks()["service.answers"].status == "skipped"


def test_a_socket_that_is_not_ours_to_use_is_unknown(machine: dict[str, Any]) -> None:
    machine["refused_by"] = Unmeasurable("/run/php/php8.2-fpm.sock: Permission denied")
    assert checks(socket="/run/php/php8.2-fpm.sock")["service.answers"].status == "unknown"


@pytest.mark.parametrize(
    "target",
    [{"unit": ""}, {"unit": "mysql|"}, {"port": 0}, {"port": 80, "socket": "/x"}, {"window": 0}, {"patience": 0}],
)
def test_a_target_that_cannot_be_meant_is_refused(target: dict[str, Any]) -> None:
    with pytest.raises(BadOption):
        checks(**target)
