# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""file: what is judged of files."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import file as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.files import File, Found
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NOW = 1_800_000_000.0
HOUR, MINUTE, MIB = 3600, 60, 1024**2
DUMP = "/var/backups/*.sql.gz"


def dump(age: float = HOUR, size: int = 100 * MIB, **different: Any) -> File:
    facts = {"path": "/var/backups/a.sql.gz", "owner": "backup", "group": "backup", "mode": 0o640, **different}
    return File(size=size, mtime=NOW - age, **facts)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One healthy dump; a test changes what it is about."""
    facts: dict[str, Any] = {"files": (dump(),), "others": ()}
    monkeypatch.setattr(kind.probe, "matching", lambda *_: Found(facts["files"], facts["others"], NOW))
    return facts


def one(check_id: str, **options: Any) -> Check:
    found = checks_of(kind, **{"targets": [{"pattern": DUMP}], **options})
    return next(check for check in found if check.id == check_id)


def test_a_healthy_dump_is_ok_in_every_respect(disk: dict[str, Any]) -> None:
    found = checks_of(
        kind,
        targets=[{"pattern": DUMP}],
        age={"warning": 26},
        size={"warning": "10..500"},
        count={"warning": "1..31"},
        owner="backup",
        group="backup",
        mode="0640",
    )
    assert statuses(found) == dict.fromkeys(kind.CHECKS, "ok")
    assert {check.target for check in found} == {DUMP}


def test_a_file_that_is_not_there_is_one_critical_line(disk: dict[str, Any]) -> None:
    disk["files"] = ()
    found = checks_of(kind, targets=[{"pattern": DUMP}], age={"warning": 26}, count={"critical": "1.."})
    assert statuses(found)["file.present"] == "critical"
    assert statuses(found)["file.count"] == "critical"
    blocked = [check.id for check in found if check.detail.get("blocked_by") == "file.present"]
    assert blocked == ["file.clock", "file.age", "file.content", "file.size", "file.owner", "file.mode"]


def test_what_stands_in_place_of_the_file_is_named(disk: dict[str, Any]) -> None:
    disk.update(files=(), others=("/var/backups/latest is a link to /mnt/x, which is not there",))
    assert one("file.present").summary == (
        "no file is there; /var/backups/latest is a link to /mnt/x, which is not there"
    )


def test_a_file_that_need_not_exist_is_not_missed(disk: dict[str, Any]) -> None:
    disk["files"] = ()
    found = checks_of(kind, targets=[{"pattern": "/var/crash/*"}], present=False, count={"critical": 0})
    assert [check.status for check in found if check.status != "skipped"] == ["ok"]
    assert not any(check.detail for check in found if check.status == "skipped"), "nothing is blocked, nothing is amiss"


def test_a_file_that_must_not_exist_is_critical_by_its_count(disk: dict[str, Any]) -> None:
    assert one("file.count", present=False, count={"critical": 0}).status == "critical"


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (0, "ok"),
        (26 * HOUR, "ok"),
        (26 * HOUR + MINUTE, "warning"),
        (50 * HOUR, "warning"),
        (50 * HOUR + MINUTE, "critical"),
    ],
)
def test_the_age_of_the_newest_file_is_judged_in_hours(disk: dict[str, Any], age: float, status: str) -> None:
    disk["files"] = (dump(age), dump(1000 * HOUR, path="/var/backups/old.sql.gz"))
    check = one("file.age", age={"warning": 26, "critical": 50})
    assert (check.status, check.unit) == (status, "h")
    assert check.value == pytest.approx(age / HOUR, abs=1e-3)
    assert check.detail["file"] == "/var/backups/a.sql.gz"


def test_an_age_of_days_is_also_told_in_days(disk: dict[str, Any]) -> None:
    disk["files"] = (dump(170 * HOUR),)
    assert one("file.age", age={"warning": 26}).summary == "the newest file is 7.1 d (170 h) old"


@pytest.mark.parametrize(
    ("ahead", "clock", "age"),
    [(0, "ok", "ok"), (5 * MINUTE, "ok", "ok"), (6 * MINUTE, "warning", "unknown"), (HOUR, "warning", "unknown")],
)
def test_a_file_from_the_future_is_a_finding_and_has_no_age(
    disk: dict[str, Any], ahead: float, clock: str, age: str
) -> None:
    """A host whose clock jumped would otherwise have fresh dumps for ever."""
    disk["files"] = (dump(-ahead),)
    found = statuses(checks_of(kind, targets=[{"pattern": DUMP}], age={"warning": 26}))
    assert (found["file.clock"], found["file.age"]) == (clock, age)


def test_an_empty_newest_file_is_critical_however_big_the_older_ones_are(disk: dict[str, Any]) -> None:
    disk["files"] = (dump(size=0), dump(25 * HOUR, path="/var/backups/b.sql.gz"))
    assert one("file.content").status == "critical"
    assert one("file.content", may_be_empty=True).status == "skipped"


@pytest.mark.parametrize(
    ("mib", "status"),
    [(5, "critical"), (10, "warning"), (49, "warning"), (50, "ok"), (500, "ok"), (501, "warning"), (1001, "critical")],
)
def test_the_size_of_the_newest_file_is_judged_on_both_sides(disk: dict[str, Any], mib: int, status: str) -> None:
    disk["files"] = (dump(size=mib * MIB),)
    check = one("file.size", size={"warning": "50..500", "critical": "10..1000"})
    assert (check.status, check.value, check.unit) == (status, mib, "MiB")


def test_a_lone_size_is_the_smallest_that_is_fine(disk: dict[str, Any]) -> None:
    disk["files"] = (dump(size=9 * MIB),)
    assert one("file.size", size={"warning": 10}).status == "warning"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"owner": "backup"}, "ok"),
        ({"group": "backup"}, "ok"),
        ({"owner": "root"}, "critical"),
        ({"owner": "backup", "group": "adm"}, "critical"),
    ],
)
def test_owner_and_group_are_judged_apart(disk: dict[str, Any], options: dict[str, str], status: str) -> None:
    assert one("file.owner", **options).status == status


def test_every_file_that_belongs_to_somebody_else_is_named(disk: dict[str, Any]) -> None:
    disk["files"] = (dump(), dump(2 * HOUR, path="/var/backups/b.sql.gz", owner="1001"))
    check = one("file.owner", owner="backup")
    assert check.summary == "1 of 2 files do not belong to backup:*"
    assert check.detail["strange"] == ["/var/backups/b.sql.gz belongs to 1001:backup"]


@pytest.mark.parametrize(
    ("mode", "status"), [(0o640, "ok"), (0o600, "ok"), (0o000, "ok"), (0o644, "critical"), (0o4640, "critical")]
)
def test_a_mode_may_grant_less_but_not_more(disk: dict[str, Any], mode: int, status: str) -> None:
    disk["files"] = (dump(mode=mode),)
    assert one("file.mode", mode="0640").status == status


@pytest.mark.parametrize("mode", ["416", "640", "0o640", "0888", "u=rw"])
def test_a_mode_that_yaml_has_read_as_a_number_is_refused(mode: str) -> None:
    with pytest.raises(BadOption, match="in quotes"):
        checks_of(kind, targets=[{"pattern": DUMP, "mode": mode}])


def test_a_relative_pattern_is_refused() -> None:
    with pytest.raises(BadOption, match="not absolute"):
        checks_of(kind, targets=[{"pattern": "dumps/*.gz"}])


def test_a_directory_that_cannot_be_read_is_one_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> Found:
        raise Unmeasurable("/var/backups: Permission denied")

    monkeypatch.setattr(kind.probe, "matching", closed)
    found = checks_of(kind, targets=[{"pattern": DUMP}])
    assert (found[0].status, found[0].summary) == ("unknown", "/var/backups: Permission denied")
    assert {check.status for check in found[1:]} == {"skipped"}


def test_the_evidence_stays_small_however_many_files_match(disk: dict[str, Any]) -> None:
    disk["files"] = tuple(dump(n, path=f"/var/backups/{n}", mode=0o666) for n in range(500))
    found = checks_of(kind, targets=[{"pattern": DUMP}], count={"warning": 1}, owner="root", mode="0600")
    assert max(len(value) for check in found for value in check.detail.values() if isinstance(value, list)) == 20
