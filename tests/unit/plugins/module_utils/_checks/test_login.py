# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""login: what is judged of who tried to log in."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import login as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.login import Logins
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NOW = 1_800_000_000.0
DAY = 86400


def quiet() -> Logins:
    return Logins(NOW - DAY, NOW, "the journal", begins=NOW - 9 * DAY)


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the logs of the host and of WordPress say; what is an exception is raised."""
    said: dict[str, Any] = {"host": quiet(), "wordpress": quiet()}

    def answer(which: str) -> Any:
        if isinstance(said[which], Exception):
            raise said[which]
        return said[which]

    monkeypatch.setattr(kind.probe, "of_host", lambda *_: answer("host"))
    monkeypatch.setattr(kind.probe, "of_wordpress", lambda *_: answer("wordpress"))
    return said


def one(check_id: str, **options: Any) -> Check:
    given = {"targets": [{"access_log": "/var/log/nginx/access.log"}], **options}
    return next(check for check in checks_of(kind, **given) if check.id == check_id)


def test_nothing_in_a_log_that_can_be_read_is_ok() -> None:
    found = checks_of(kind, targets=[{"access_log": "/x"}])
    assert {check.status for check in found} == {"ok"}
    assert {check.target for check in found} == {"logins"}


@pytest.mark.parametrize(("times", "status"), [(200, "ok"), (201, "warning"), (100_000, "warning")])
def test_failures_are_judged_by_their_sum(logs: dict[str, Any], times: int, status: str) -> None:
    logs["host"].failed("192.0.2.1", "root", times=times - 1)
    logs["host"].failed("192.0.2.2", "jo")
    check = one("login.failures")
    assert (check.status, check.value) == (status, times)
    assert check.detail["users"]["jo"] == 1


@pytest.mark.parametrize(("times", "status"), [(50, "ok"), (51, "warning"), (500, "warning"), (501, "critical")])
def test_the_source_of_most_failures_is_judged_and_named(logs: dict[str, Any], times: int, status: str) -> None:
    logs["host"].failed("192.0.2.1", "root", times=times)
    logs["host"].failed("192.0.2.2", "jo", times=40)
    check = one("login.source")
    assert (check.status, check.value) == (status, times)
    assert check.summary == f"{times} logins from 192.0.2.1 did not succeed in the last 24h"
    assert check.detail["of"] == 2


@pytest.mark.parametrize(("times", "status"), [(0, "ok"), (2, "ok"), (3, "warning"), (4, "warning"), (5, "critical")])
def test_a_login_after_failures_is_judged_by_how_many_there_were(logs: dict[str, Any], times: int, status: str) -> None:
    logs["host"].failed("192.0.2.1", "root", times=times)
    logs["host"].succeeded("192.0.2.1", "jo", NOW)
    check = one("login.success_after_failures")
    assert (check.status, check.value) == (status, times)
    if times:
        assert check.detail["logins"][0]["at"] == "2027-01-15 08:00:00 UTC"
        assert "jo logged in from 192.0.2.1" in check.summary


@pytest.mark.parametrize(("times", "status"), [(3, "ok"), (4, "warning"), (10, "warning"), (11, "critical")])
def test_refusals_of_sudo_are_judged_by_their_sum(logs: dict[str, Any], times: int, status: str) -> None:
    logs["host"].refused("jo", times)
    assert (one("login.sudo_failures").status, one("login.sudo_failures").detail) == (status, {"users": {"jo": times}})


@pytest.mark.parametrize(("times", "status"), [(50, "ok"), (51, "warning"), (501, "critical")])
def test_logins_to_wordpress_are_judged_by_their_sum(logs: dict[str, Any], times: int, status: str) -> None:
    logs["wordpress"].failed("192.0.2.1", "?", times=times)
    assert one("login.wordpress").status == status


def test_without_targets_the_log_of_the_host_is_read() -> None:
    assert one("login.failures", targets=None).status == "ok"


def test_without_an_access_log_wordpress_is_not_asked_for() -> None:
    assert one("login.wordpress", targets=[{}]).status == "skipped"


def test_a_log_of_the_host_that_tells_nothing_is_one_unknown_and_wordpress_reports(logs: dict[str, Any]) -> None:
    logs["host"] = Unmeasurable("there is no log of logins")
    assert statuses(checks_of(kind, targets=[{"access_log": "/x"}])) == {
        "login.failures": "unknown",
        "login.source": "skipped",
        "login.success_after_failures": "skipped",
        "login.sudo_failures": "skipped",
        "login.wordpress": "ok",
    }


def test_an_access_log_that_tells_nothing_is_unknown_and_the_host_reports(logs: dict[str, Any]) -> None:
    logs["wordpress"] = Unmeasurable("/x does not exist")
    assert one("login.wordpress").status == "unknown"
    assert one("login.failures").status == "ok"


def test_a_log_that_is_shorter_than_the_window_says_so(logs: dict[str, Any]) -> None:
    logs["host"].begins = NOW - 5 * 3600
    assert one("login.failures").summary == "0 logins did not succeed in the last 5 hours, as far back as the log goes"


def test_what_may_be_a_password_typed_as_a_name_is_not_shown(logs: dict[str, Any]) -> None:
    logs["host"].failed("192.0.2.1", "hunter2!", invalid=True)
    logs["host"].failed("192.0.2.1", "admin", invalid=True, times=3)
    check = one("login.failures")
    assert check.detail["invalid_users"] == {"admin": 3}
    assert check.detail["invalid_logins"] == 4
    assert "hunter2!" not in str(checks_of(kind))


def test_evidence_is_bounded(logs: dict[str, Any]) -> None:
    for number in range(5000):
        logs["host"].failed(f"192.0.{number // 250}.{number % 250}", f"user{number}")
    check = one("login.source")
    assert len(check.detail["sources"]) == 10
    assert len(one("login.failures").detail["users"]) == 10


def test_a_window_that_is_no_span_of_time_is_refused() -> None:
    with pytest.raises(BadOption, match="window: 'yesterday' is no span of time"):
        checks_of(kind, window="yesterday")
