# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""package: what is judged of installed software."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import package as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe._packages import Lists, Update
from ansible_collections.sre.runbooks.plugins.module_utils._probe.package import Reboot, Support
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

NOW = 1_800_000_000.0
NO_SOURCE = "none of the package sources is one of security updates"


@dataclasses.dataclass
class Host:
    """A healthy host; a test changes what it is about. What is an exception is raised."""

    lists_: Any = None
    updates_: Any = ()
    held_: Any = ()
    broken_: Any = ()
    reboot: Any = None
    support: Any = None

    def lists(self) -> Any:
        return _answer(self.lists_)

    def updates(self) -> Any:
        return list(_answer(self.updates_))

    def held(self) -> Any:
        return list(_answer(self.held_))

    def broken(self) -> Any:
        return list(_answer(self.broken_))


def _answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def lists(hours: float = 1.0, security: bool = True) -> Lists:
    return Lists(NOW - hours * 3600, security, NO_SOURCE, {"bookworm-security": NOW - hours * 3600})


def pending(count: int, *, security: bool = False) -> list[Update]:
    return [Update(f"lib{number}", "1.0", "1.1", security) for number in range(count)]


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(
        lists_=lists(),
        reboot=Reboot([], 0.0, [], ["/boot"]),
        support=Support("Debian 12", "2028-06-30", 500.0, "the table"),
    )
    monkeypatch.setattr(kind.probe, "manager", lambda _timeout: host)
    monkeypatch.setattr(kind.probe, "now", lambda: NOW)
    monkeypatch.setattr(kind.probe, "reboot", lambda _timeout: _answer(host.reboot))
    monkeypatch.setattr(kind.probe, "support", lambda _until: _answer(host.support))
    return host


def one(check_id: str, **options: Any) -> Check:
    return next(check for check in checks_of(kind, **options) if check.id == check_id)


def test_a_host_without_a_flaw_is_ok_in_every_respect() -> None:
    assert {check.status for check in checks_of(kind)} == {"ok"}


@pytest.mark.parametrize(("hours", "status"), [(96, "ok"), (96.1, "warning"), (168, "warning"), (168.1, "critical")])
def test_lists_are_judged_by_their_age(host: Host, hours: float, status: str) -> None:
    host.lists_ = lists(hours)
    check = one("package.lists_age")
    assert (check.status, check.unit) == (status, "h")


@pytest.mark.parametrize(("count", "status"), [(0, "ok"), (1, "warning"), (10, "warning"), (11, "critical")])
def test_security_updates_are_judged_by_their_number_and_named(host: Host, count: int, status: str) -> None:
    host.updates_ = [*pending(count, security=True), *pending(3)]
    check = one("package.security")
    assert (check.status, check.value) == (status, count)
    assert check.detail["packages"][:1] == ["lib0 1.0 → 1.1"][:count]
    assert one("package.updates").value == 3


def test_other_updates_have_a_limit_of_their_own(host: Host) -> None:
    host.updates_ = pending(51)
    assert one("package.updates").status == "warning"
    assert one("package.security").status == "ok"
    assert len(one("package.updates").detail["packages"]) == 20


def test_no_update_in_stale_lists_is_unknown_and_not_none(host: Host) -> None:
    host.lists_ = lists(500)
    for check_id in ("package.security", "package.updates"):
        check = one(check_id)
        assert check.status == "unknown"
        assert "500 h old" in check.summary


def test_many_security_updates_in_stale_lists_are_many_all_the_same(host: Host) -> None:
    host.lists_ = lists(500)
    host.updates_ = pending(11, security=True)
    assert one("package.security").status == "critical"


def test_a_limit_that_is_switched_off_makes_no_list_stale(host: Host) -> None:
    host.lists_ = lists(500)
    assert one("package.security", lists_age={"critical": "never"}).status == "ok"


def test_without_a_source_of_security_updates_finding_none_is_unknown(host: Host) -> None:
    host.lists_ = lists(security=False)
    check = one("package.security")
    assert check.status == "unknown"
    assert NO_SOURCE in check.summary
    assert one("package.updates").status == "ok"


def test_lists_that_are_not_there_are_one_unknown_and_the_rest_reports(host: Host) -> None:
    host.lists_ = Unmeasurable("there are no package lists")
    found = {check.id: check for check in checks_of(kind)}
    assert found["package.lists_age"].status == "unknown"
    assert found["package.security"].detail == {"blocked_by": "package.lists_age"}
    assert found["package.updates"].detail == {"blocked_by": "package.lists_age"}
    assert found["package.held"].status == found["package.broken"].status == "ok"


def test_updates_that_cannot_be_told_are_unknown_beside_the_age_of_the_lists(host: Host) -> None:
    host.updates_ = Unmeasurable("apt-cache ended with exit code 100")
    found = {check.id: check.status for check in checks_of(kind)}
    assert found["package.lists_age"] == "ok"
    assert found["package.security"] == "unknown"
    assert found["package.updates"] == "skipped"


def test_a_package_is_held_unexpectedly_until_it_is_said_to_be(host: Host) -> None:
    host.held_ = ["mariadb-server", "nginx"]
    assert (one("package.held").status, one("package.held").value) == ("warning", 2)
    check = one("package.held", expected_holds=["mariadb-server", "nginx"])
    assert (check.status, check.detail["expected"]) == ("ok", ["mariadb-server", "nginx"])


def test_a_package_that_is_half_configured_is_critical(host: Host) -> None:
    host.broken_ = ["nginx  high performance web server"]
    check = one("package.broken")
    assert (check.status, check.detail["problems"]) == ("critical", ["nginx  high performance web server"])


@pytest.mark.parametrize(
    ("reasons", "days", "status"),
    [([], 0, "ok"), (["asked for"], 0, "warning"), (["asked for"], 30, "warning"), (["asked for"], 30.1, "critical")],
)
def test_a_reboot_is_due_from_its_first_moment(host: Host, reasons: list[str], days: float, status: str) -> None:
    host.reboot = Reboot(reasons, days, ["nginx.service"], ["/run/reboot-required"])
    check = one("package.reboot")
    assert check.status == status
    assert "1 services still run replaced code" in check.summary


@pytest.mark.parametrize(
    ("days", "status"), [(180, "ok"), (179, "warning"), (30, "warning"), (29, "critical"), (-3, "critical")]
)
def test_the_end_of_support_is_judged_by_the_days_that_are_left(host: Host, days: float, status: str) -> None:
    host.support = Support("Debian 10", "2024-06-30", days, "the table")
    check = one("package.end_of_life")
    assert check.status == status
    assert ("has had no security updates for 3 days" in check.summary) == (days < 0)


@pytest.mark.parametrize(
    ("attribute", "check_id"),
    [
        ("held_", "package.held"),
        ("broken_", "package.broken"),
        ("reboot", "package.reboot"),
        ("support", "package.end_of_life"),
    ],
)
def test_what_cannot_be_told_is_unknown_and_says_why(host: Host, attribute: str, check_id: str) -> None:
    setattr(host, attribute, Unmeasurable("dpkg-query is not installed"))
    check = one(check_id)
    assert (check.status, check.summary) == ("unknown", "dpkg-query is not installed")


def test_a_date_of_support_that_is_none_is_refused() -> None:
    with pytest.raises(BadOption, match="support_until: 'June' is no date"):
        checks_of(kind, support_until="June")
