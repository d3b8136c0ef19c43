# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql: what is judged of a server and its tables. The server is faked here; tests/integration has real ones."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import mysql as kind
from ansible_collections.sre.runbooks.plugins.module_utils._mysql import Unreachable
from ansible_collections.sre.runbooks.plugins.module_utils._probe.mysql import (
    Channel,
    Index,
    Running,
    Slow,
    Table,
    Wait,
)
from ansible_collections.sre.runbooks.plugins.module_utils._probe.slow_log import Statement
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

MIB = 1024**2
LOGS = Table("wp", "wp_logs", "InnoDB", 1000, 90 * MIB, 10 * MIB, 71, "")
POSTS = Table("wp", "wp_posts", "InnoDB", 10, 10 * MIB, 0, None, "")
KEYS = [Index("wp", name, "PRIMARY", True, "BTREE", ("id",)) for name in ("wp_logs", "wp_posts")]
SELECT = Statement("select * from wp_posts where id = ?", "wp", 12, 18.0, 2.5, 120_000, 12)


class Fake:
    """A healthy server. An attribute that is an exception is raised when it is asked for."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {
            "milliseconds": 12.0,
            "version": "8.0.36",
            "tables": [LOGS, POSTS],
            "visible_tables": [LOGS, POSTS],
            "indexes": KEYS,
            "running": [],
            "channels": [],
            "shared_space": set(),
            "waits": [],
            "slow": Slow([], "performance_schema", 1.0),
            "digests": [],
            "auto_increments": [(LOGS, 70, 100)],
            "unused_indexes": [],
            "check_tables": [(LOGS, "ok", ""), (POSTS, "ok", "")],
            "status": {
                "Threads_connected": 80, "Max_used_connections": 90, "Uptime": 30 * 86400,
                "Handler_read_rnd_next": 500_000, "Handler_read_first": 0, "Handler_read_key": 400_000,
                "Handler_read_last": 0, "Handler_read_next": 100_000, "Handler_read_prev": 0, "Handler_read_rnd": 0,
                "Innodb_buffer_pool_read_requests": 1_000_000, "Innodb_buffer_pool_reads": 50_000,
            },
            "variable": {"max_connections": "100", "innodb_buffer_pool_size": "134217728"},
        }  # fmt: skip
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        fact = self.facts[name]
        if name in ("status", "variable"):
            return lambda which: give(fact if isinstance(fact, Exception) else fact[which])
        if name in ("waits", "slow", "digests", "auto_increments", "unused_indexes", "check_tables"):
            return lambda *_: give(fact)
        return give(fact)


def give(fact: Any) -> Any:
    if isinstance(fact, Exception):
        raise fact
    return fact


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr(kind.probe, "connect", lambda _target, _timeout: fake)
    return fake


def ask(**options: Any) -> list[Check]:
    target = {key: options.pop(key) for key in ("database", "tables", "replica", "matching") if key in options}
    return checks_of(kind, targets=[{"host": "db", **target}], user="monitoring", **options)


def one(check_id: str, **options: Any) -> Check:
    return next(check for check in ask(**options) if check.id == f"mysql.{check_id}")


ASKED: dict[str, dict[str, Any]] = {
    "tables": {"table_count": {"critical": 1}},
    "slow_queries": {"slow_queries": {"warning": 0}},
    "corruption": {"corruption": "fast"},
    "unused_indexes": {"unused_indexes": {"warning": 0}},
    "duplicate_indexes": {"duplicate_indexes": {"warning": 0}},
    "full_scans": {"full_scans": {"warning": 50}},
    "replication": {"replica": True},
    "replication_lag": {"replica": True},
}
"""What has to be said for a check that is not made otherwise."""


def test_a_healthy_server_is_ok_and_what_was_not_asked_for_is_skipped(server: Fake) -> None:
    skipped = {f"mysql.{name}" for name in ASKED}
    expected = {check_id: "skipped" if check_id in skipped else "ok" for check_id in kind.CHECKS}
    assert statuses(ask()) == expected
    assert server.closed


def test_a_healthy_server_is_ok_in_all_that_can_be_asked_for(server: Fake) -> None:
    server.facts["channels"] = [Channel("", "db1:3306", "Yes", "Yes", 0.0, "")]
    options = {key: value for asked in ASKED.values() for key, value in asked.items()}
    assert set(statuses(ask(**options)).values()) == {"ok"}


def test_the_target_is_named_by_address_and_database() -> None:
    assert {check.target for check in ask(database="wp")} == {"db:3306/wp"}
    assert {check.target for check in checks_of(kind, user="monitoring")} == {"localhost"}


# Reachability


def test_a_server_that_cannot_be_reached_is_critical_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*_: object) -> Fake:
        raise Unreachable("no server answers: connection refused")

    monkeypatch.setattr(kind.probe, "connect", dead)
    first, *rest = ask()
    assert (first.id, first.status, first.value) == ("mysql.answers", "critical", None)
    assert first.summary == "no server answers: connection refused"
    assert {(check.status, check.detail["blocked_by"]) for check in rest} == {("skipped", "mysql.answers")}


def test_a_login_that_is_refused_is_unknown_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Fake:
        raise Unmeasurable("the login is refused: Access denied for user 'monitoring'@'db' (1045)")

    monkeypatch.setattr(kind.probe, "connect", refused)
    first, *rest = ask()
    assert (first.id, first.status) == ("mysql.answers", "unknown")
    assert {check.status for check in rest} == {"skipped"}


@pytest.mark.parametrize(("took", "status"), [(500, "ok"), (501, "warning"), (2000, "warning"), (2001, "critical")])
def test_a_slow_login_is_judged_in_milliseconds(server: Fake, took: float, status: str) -> None:
    server.facts["milliseconds"] = took
    check = one("answers")
    assert (check.status, check.value, check.unit) == (status, took, "ms")


# One fact that is missing


@pytest.mark.parametrize(
    ("check_id", "fact"),
    [
        ("tables", "tables"),
        ("connections", "status"),
        ("connections_peak", "status"),
        ("long_queries", "running"),
        ("lock_waits", "waits"),
        ("replication", "channels"),
        ("replication_lag", "channels"),
        ("slow_queries", "slow"),
        ("size", "tables"),
        ("fragmentation", "tables"),
        ("corruption", "check_tables"),
        ("primary_keys", "indexes"),
        ("unused_indexes", "unused_indexes"),
        ("duplicate_indexes", "indexes"),
        ("full_scans", "status"),
        ("auto_increment", "auto_increments"),
        ("buffer_pool", "status"),
    ],
)
def test_a_fact_that_cannot_be_had_is_unknown_and_hides_no_other(server: Fake, check_id: str, fact: str) -> None:
    server.facts[fact] = Unmeasurable("SELECT command denied (1142)")
    found = ask(**ASKED.get(check_id, {}))
    assert len(found) == len(kind.CHECKS)
    check = next(check for check in found if check.id == f"mysql.{check_id}")
    assert (check.status, check.summary) == ("unknown", "SELECT command denied (1142)")
    assert found[0].status == "ok"


def test_a_database_without_a_table_is_one_unknown_and_nothing_is_fine(server: Fake) -> None:
    server.facts.update(tables=[], visible_tables=[], indexes=[], check_tables=[], auto_increments=[])
    found = {check.id: check for check in ask(corruption="fast", duplicate_indexes={"warning": 0})}
    assert (found["mysql.size"].status, found["mysql.size"].summary) == ("unknown", "there is no table")
    for name in ("corruption", "primary_keys", "duplicate_indexes", "auto_increment", "fragmentation"):
        assert found[f"mysql.{name}"].detail == {"blocked_by": "mysql.size"}


# Tables


def test_a_table_that_is_missing_is_critical(server: Fake) -> None:
    check = one("tables", database="wp", tables=["wp_logs", "wp_gone", "wp_p*"])
    assert (check.status, check.summary) == ("critical", "missing: wp_gone")
    assert check.detail["missing"] == ["wp_gone"]
    assert one("tables", database="wp", tables=["wp_logs", "wp_p*"]).status == "ok"


def test_a_table_that_may_only_be_hidden_is_unknown(server: Fake) -> None:
    server.facts["visible_tables"] = []
    server.facts["tables"] = Unmeasurable("may not see all tables")
    assert one("tables", database="wp", tables=["wp_logs"]).status == "unknown"


def test_a_table_that_cannot_be_opened_is_critical(server: Fake) -> None:
    broken = Table("wp", "wp_posts", None, 0, 0, 0, None, "Table 'wp.wp_posts' doesn't exist in engine")
    server.facts["visible_tables"] = [LOGS, broken]
    check = one("tables", database="wp", tables=["wp_logs"])
    assert (check.status, check.summary) == ("critical", "cannot be opened: wp.wp_posts")
    assert "doesn't exist in engine" in check.detail["closed"][0]


def test_of_many_tables_that_are_missing_some_are_named() -> None:
    check = one("tables", database="wp", tables=[f"wp_{n}" for n in range(5)])
    assert check.summary == "missing: wp_0, wp_1, wp_2 and 2 more"


@pytest.mark.parametrize(("least", "status"), [(2, "ok"), (3, "critical")])
def test_tables_are_counted(least: int, status: str) -> None:
    check = one("tables", table_count={"critical": least})
    assert (check.status, check.value) == (status, 2)


def test_the_size_of_all_tables_is_recorded_and_judged_when_it_has_limits() -> None:
    check = one("size")
    assert (check.status, check.value, check.unit) == ("ok", 100, "MiB")
    assert check.detail["tables"][0] == "wp.wp_logs: 90.0 MiB, about 1,000 rows"
    assert one("size", size={"warning": 99}).status == "warning"
    assert one("size", size={"critical": "101.."}).status == "critical"


def test_free_space_is_judged_in_large_tables_that_have_a_file_of_their_own(server: Fake) -> None:
    holes = Table("wp", "holes", "InnoDB", 0, 60 * MIB, 60 * MIB, None, "")
    server.facts["tables"] = [LOGS, holes]
    check = one("fragmentation")
    assert (check.status, check.value, check.summary) == ("warning", 50, "50.0 % of wp.holes is free")
    assert one("fragmentation", fragmentation_size=121).status == "ok"
    server.facts["shared_space"] = {"wp.holes"}
    assert one("fragmentation").value == 10


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("ok", "ok"),
        ("no check", "ok"),
        ("damaged", "critical"),
        ("suspect", "warning"),
        ("not checked", "unknown"),
    ],
)
def test_damage_is_critical_and_a_table_that_was_not_checked_is_unknown(
    server: Fake, verdict: str, status: str
) -> None:
    server.facts["check_tables"] = [(LOGS, "ok", ""), (POSTS, verdict, "error: Corrupt")]
    assert one("corruption", corruption="medium").status == status


def test_damage_outranks_what_was_not_checked(server: Fake) -> None:
    server.facts["check_tables"] = [(LOGS, "not checked", "no time was left"), (POSTS, "damaged", "error: Corrupt")]
    check = one("corruption", corruption="medium")
    assert (check.status, check.detail["tables"][0]) == ("critical", "wp.wp_posts: error: Corrupt")


def test_a_table_without_a_primary_key_is_a_warning(server: Fake) -> None:
    server.facts["indexes"] = KEYS[:1]
    check = one("primary_keys")
    assert (check.status, check.value, check.detail["primary_keys"]) == ("warning", 1, ["wp.wp_posts"])


@pytest.mark.parametrize(("used", "status"), [(70, "ok"), (71, "warning"), (90, "warning"), (91, "critical")])
def test_automatic_numbers_that_run_out_are_judged_by_the_worst_table(server: Fake, used: int, status: str) -> None:
    server.facts["auto_increments"] = [(POSTS, 1, 100), (LOGS, used, 100)]
    check = one("auto_increment")
    assert (check.status, check.value) == (status, used)
    assert "wp.wp_logs" in check.summary


def test_tables_without_automatic_numbers_are_skipped(server: Fake) -> None:
    server.facts["auto_increments"] = []
    assert one("auto_increment").status == "skipped"


# Indexes


def index(name: str, *columns: str, unique: bool = False, kind: str = "BTREE", table: str = "t") -> Index:
    return Index("wp", table, name, unique, kind, columns)


@pytest.mark.parametrize(
    ("indexes", "expected"),
    [
        ([index("a", "x"), index("b", "x")], ["b"]),
        ([index("a", "x"), index("b", "x", "y")], ["a"]),
        ([index("PRIMARY", "x", unique=True), index("b", "x", unique=True)], ["b"]),
        ([index("PRIMARY", "x", unique=True), index("b", "x")], ["b"]),
        ([index("a", "x", unique=True), index("b", "x", "y")], []),  # it forbids what the longer one allows
        ([index("z", "x", unique=True), index("a", "x")], ["a"]),
        ([index("a", "y"), index("b", "x", "y")], []),
        ([index("a", "x(10)"), index("b", "x")], []),
        ([index("a", "x", kind="FULLTEXT"), index("b", "x", "y", kind="FULLTEXT")], []),
        ([index("a", "x", kind="HASH"), index("b", "x")], []),
        ([index("a", "x"), index("b", "x", table="other")], []),
        ([index("a", "x"), index("b", "x"), index("c", "x", "y")], ["a", "b"]),
    ],
)
def test_an_index_repeats_another_one_that_serves_for_it(indexes: list[Index], expected: list[str]) -> None:
    assert [one.name for one, _other in kind.repeated(indexes)] == expected


def test_repeated_and_unused_indexes_are_advice(server: Fake) -> None:
    server.facts["indexes"] = [*KEYS, index("b", "id", table="wp_posts")]
    server.facts["unused_indexes"] = [index("old", "x")]
    check = one("duplicate_indexes", duplicate_indexes={"warning": 0})
    assert (check.status, check.detail["duplicate_indexes"]) == (
        "warning",
        ["wp.wp_posts.b (id) is covered by PRIMARY"],
    )
    assert one("unused_indexes", unused_indexes={"warning": 0}).status == "warning"
    assert one("unused_indexes", unused_indexes={"warning": 1}).status == "ok"


def test_an_index_is_not_called_unused_before_a_week_is_over(server: Fake) -> None:
    server.facts["status"]["Uptime"] = 6 * 86400
    check = one("unused_indexes", unused_indexes={"warning": 0})
    assert (check.status, check.summary) == (
        "unknown",
        "the server has counted for 6 days, too short to call an index unused",
    )


# Sessions and statements


@pytest.mark.parametrize(("used", "status"), [(80, "ok"), (81, "warning"), (91, "critical")])
def test_connections_are_judged_by_their_share(server: Fake, used: int, status: str) -> None:
    server.facts["status"]["Threads_connected"] = used
    assert (one("connections").status, one("connections").value) == (status, used)


@pytest.mark.parametrize(("used", "status"), [(90, "ok"), (91, "warning"), (101, "warning")])
def test_the_peak_of_connections_is_remembered(server: Fake, used: int, status: str) -> None:
    server.facts["status"]["Max_used_connections"] = used
    assert one("connections_peak").status == status


@pytest.mark.parametrize(("seconds", "status"), [(60, "ok"), (61, "warning"), (601, "critical")])
def test_the_longest_statement_is_judged(server: Fake, seconds: float, status: str) -> None:
    server.facts["running"] = [
        Running(7, "shop", "wp", seconds, "Sending data", "select ?"),
        Running(8, "shop", "wp", 1, "", "x"),
    ]
    check = one("long_queries")
    assert (check.status, check.value) == (status, seconds)
    assert check.detail["statements"][0] == f"{seconds:.0f} s, shop, session 7, Sending data: select ?"


@pytest.mark.parametrize(("seconds", "status"), [(10, "ok"), (11, "warning"), (31, "critical")])
def test_the_longest_wait_for_a_lock_is_judged(server: Fake, seconds: float, status: str) -> None:
    server.facts["waits"] = [Wait(7, seconds, "update t set x = ?", "session 5")]
    assert (one("lock_waits").status, one("lock_waits").value) == (status, seconds)


def test_slow_statements_are_counted_by_their_shape(server: Fake) -> None:
    server.facts["slow"] = Slow([SELECT], "table mysql.slow_log", 1.0)
    check = one("slow_queries", slow_queries={"warning": 0})
    assert (check.status, check.value, check.unit) == ("warning", 1, "statements")
    assert check.summary == "1 different statements took 1 s or more within 24 h"
    assert check.detail["statements"] == [
        "18.0 s in 12 runs, at most 2.50 s, 10,000 rows looked at for each returned: select * from wp_posts where id = ?"
    ]


def test_full_scans_are_advice_and_name_the_statements(server: Fake) -> None:
    server.facts["digests"] = [SELECT]
    check = one("full_scans", full_scans={"warning": 49.9})
    assert (check.status, check.value) == ("warning", 50)
    assert "wp_posts" in check.detail["statements"][0]
    server.facts["digests"] = Unmeasurable("performance_schema is off: nobody counts this")
    check = one("full_scans", full_scans={"warning": 49.9})
    assert (check.status, check.detail["statements"]) == (
        "warning",
        ["the statements are not known: performance_schema is off: nobody counts this"],
    )


@pytest.mark.parametrize("check_id", ["full_scans", "buffer_pool"])
def test_a_share_of_very_little_is_not_judged(server: Fake, check_id: str) -> None:
    for counter in server.facts["status"]:
        server.facts["status"][counter] //= 100
    assert one(check_id, **ASKED.get(check_id, {})).status == "skipped"


@pytest.mark.parametrize(("missed", "status"), [(50_000, "ok"), (50_001, "warning")])
def test_pages_that_come_from_the_disk_are_judged(server: Fake, missed: int, status: str) -> None:
    server.facts["status"]["Innodb_buffer_pool_reads"] = missed
    assert one("buffer_pool").status == status


# Replication


def test_a_replica_that_was_meant_to_be_one_is_missed() -> None:
    assert one("replication", replica=True).status == "critical"


@pytest.mark.parametrize(("receiving", "applying"), [("Yes", "No"), ("Connecting", "Yes"), ("No", "No")])
def test_replication_that_has_stopped_is_critical_and_its_lag_is_not_judged(
    server: Fake, receiving: str, applying: str
) -> None:
    server.facts["channels"] = [Channel("", "db1:3306", receiving, applying, None, "Duplicate entry ?")]
    check = one("replication")
    assert (check.status, check.detail["channels"]) == (
        "critical",
        [f"db1:3306: receiving {receiving}, applying {applying} Duplicate entry ?"],
    )
    assert one("replication_lag").detail == {"blocked_by": "mysql.replication"}


@pytest.mark.parametrize(
    ("lag", "status"), [(0, "ok"), (60, "ok"), (61, "warning"), (601, "critical"), (None, "unknown")]
)
def test_the_lag_of_a_replica_is_judged_by_its_worst_source(server: Fake, lag: float | None, status: str) -> None:
    server.facts["channels"] = [
        Channel(name, "db1:3306", "Yes", "Yes", each, "") for name, each in (("a", 0.0), ("b", lag))
    ]
    assert one("replication").status == "ok"
    assert one("replication_lag").status == status


# Options


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"user": "root"}, "user: root may do everything"),
        ({"user": None}, "user: say who logs in"),
        ({"tables": ["t"]}, "tables: expected where"),
        ({"database": "wp", "tables": []}, "tables: name at least one"),
        ({"unix_socket": "/s"}, "unix_socket: give a host or a socket"),
        ({"port": 70000}, "port: 70000 is no port"),
        ({"full_scans": {"critical": 90}}, "full_scans.critical: a recommendation"),
        ({"window": 0}, "window: 0 h is no time"),
        ({"ca_path": "/ca.pem"}, "ca_path: says how to use TLS"),
        ({"tls": True, "client_key": "/key.pem"}, "client_key: belongs to a client_cert"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadOption, match=complaint):
        checks_of(kind, targets=[{"host": "db", "user": "monitoring", **options}])


def test_root_may_look_where_it_is_allowed() -> None:
    assert checks_of(kind, targets=[{"host": "db", "user": "root", "allow_root": True}])


def test_evidence_is_bounded(server: Fake) -> None:
    many = [Table("wp", f"t{number}" + "x" * 400, "InnoDB", 0, MIB, 0, None, "") for number in range(100)]
    server.facts.update(tables=many, indexes=[], running=[Running(1, "u", "d", 1, "", "x" * 400)] * 100)
    for check in ask():
        for lines in (value for value in check.detail.values() if isinstance(value, list)):
            assert len(lines) <= 20
