# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of which version, and what answers mean.

The answers of MySQL 8.0 are shapes from its manual, replayed: no such server can be had here. What a real MariaDB answers
is in tests/integration/test_mysql.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._mysql import Session
from ansible_collections.sre.runbooks.plugins.module_utils._probe import mysql as probe

Rows = list[dict[str, Any]]


class Replay(Session):
    """A session whose answers are looked up by how the statement begins."""

    def __init__(self, version: str, answers: dict[str, Rows]) -> None:
        super().__init__(None)
        self.text, self.user = version, "monitoring@%"
        self.answers: dict[str, Rows] = {"SELECT CURRENT_ROLE": [{"roles": "NONE"}], **answers}
        self.asked: list[str] = []

    def rows(self, statement: str, values: Any = ()) -> Rows:
        self.asked.append(" ".join(statement.split()))
        return next((rows for start, rows in self.answers.items() if self.asked[-1].startswith(start)), [])


def server(version: str, database: str | None = None, **answers: Rows) -> probe.Server:
    known = {key.replace("_", " ").replace("CURRENT ROLE", "CURRENT_ROLE"): rows for key, rows in answers.items()}
    return probe.Server(Replay(version, known), database)


def grants(*lines: str) -> Rows:
    return [{"Grants for monitoring@%": line} for line in lines]


MYSQL, MARIADB = "8.0.36", "5.5.5-10.11.6-MariaDB-0+deb12u1"


def test_versions_are_read_as_servers_write_them() -> None:
    assert (Replay(MARIADB, {}).version, Replay(MARIADB, {}).mariadb) == ((10, 11, 6), True)
    assert (Replay(MYSQL, {}).version, Replay(MYSQL, {}).mariadb) == ((8, 0, 36), False)
    assert Replay("8.4.0-log", {}).version == (8, 4, 0)


@pytest.mark.parametrize(
    ("grant", "database", "sees"),
    [
        ("GRANT PROCESS, REFERENCES ON *.* TO `m`@`%`", None, True),
        ("GRANT PROCESS, SHOW VIEW ON *.* TO `m`@`%`", None, False),
        ("GRANT PROCESS, REPLICATION CLIENT ON *.* TO `m`@`%`", None, False),
        ("GRANT ALL PRIVILEGES ON *.* TO `m`@`%` WITH GRANT OPTION", "wp", True),
        ("GRANT SELECT ON `wp`.* TO `m`@`%`", "wp", True),
        ("GRANT SELECT ON `wp`.* TO `m`@`%`", None, False),
        ("GRANT SELECT ON `wp`.* TO `m`@`%`", "shop", False),
        (r"GRANT SELECT ON `wp\_x`.* TO `m`@`%`", "wp_x", True),
        (r"GRANT SELECT ON `wp\_x`.* TO `m`@`%`", "wpax", False),
        ("GRANT SELECT ON `wp_x`.* TO `m`@`%`", "wpax", True),
        ("GRANT SELECT ON `wp%`.* TO `m`@`%`", "wp2", True),
        ("GRANT SELECT ON `wp`.`posts` TO `m`@`%`", "wp", False),
        ("GRANT USAGE ON *.* TO `m`@`%` IDENTIFIED BY PASSWORD '*B6'", "wp", False),
    ],
)
def test_tables_are_trusted_to_be_all_only_where_a_grant_says_so(grant: str, database: str | None, sees: bool) -> None:
    asked = server(MARIADB, database, SHOW_GRANTS=grants(grant))
    if sees:
        assert asked.tables == []
        return
    with pytest.raises(Unmeasurable, match="may not see all tables: it takes GRANT REFERENCES ON"):
        _ = asked.tables


def test_roles_of_mysql_8_0_count_among_the_grants() -> None:
    asked = server(
        MYSQL, "wp",
        SELECT_CURRENT_ROLE=[{"roles": "`watch`@`%`"}],
        SHOW_GRANTS=grants("GRANT SELECT ON `wp`.* TO `m`@`%`", "GRANT `watch`@`%` TO `m`@`%`"),
    )  # fmt: skip
    assert asked.tables == []
    assert isinstance(asked.session, Replay)
    assert "SHOW GRANTS FOR CURRENT_USER() USING `watch`@`%`" in asked.session.asked


def test_sessions_of_others_are_not_called_none_without_the_privilege_to_see_them() -> None:
    asked = server(MARIADB, SHOW_GRANTS=grants("GRANT REFERENCES ON *.* TO `m`@`%`"))
    with pytest.raises(
        Unmeasurable, match="has not the privilege PROCESS, without which only its own sessions are shown"
    ):
        _ = asked.running


def test_sessions_that_sleep_replicate_or_are_ours_do_not_count() -> None:
    def row(
        number: int, command: str, user: str = "shop", info: str | None = "select 1", seconds: int = 9
    ) -> dict[str, Any]:
        return {"Id": number, "User": user, "db": "wp", "Command": command, "Time": seconds, "State": "", "Info": info}

    asked = server(
        MYSQL,
        SHOW_GRANTS=grants("GRANT PROCESS ON *.* TO `m`@`%`"),
        SELECT_CONNECTION=[{"id": 5}],
        SHOW_FULL=[
            row(1, "Sleep", info=None), row(2, "Daemon", "event_scheduler", "Waiting on empty queue"), row(5, "Query"),
            row(3, "Binlog Dump", "repl"), row(4, "Query", "system user", "insert into t values (1)"),
            row(6, "Query", info="select 'anna'", seconds=40), row(7, "Execute", seconds=50),
        ],
    )  # fmt: skip
    assert [(one.id, one.seconds, one.shape) for one in asked.running] == [(7, 50, "select ?"), (6, 40, "select ?")]


def test_mysql_8_0_is_asked_for_locks_in_performance_schema() -> None:
    asked = server(
        MYSQL,
        SHOW_GRANTS=grants("GRANT PROCESS ON *.* TO `m`@`%`"),
        SELECT_w=[{"id": 9, "seconds": 12, "statement": "update t set a = 1", "blocker": 7, "age": 95}],
        SELECT_CONNECTION=[{"id": 5}],
        SHOW_FULL=[
            {
                "Id": 11, "User": "u", "db": "", "Command": "Query", "Time": 3,
                "State": "Waiting for table metadata lock", "Info": "alter table t",
            }
        ],
    )  # fmt: skip
    assert list(map(str, asked.waits())) == [
        "12 s, session 9 waits for session 7, in a transaction for 95 s: update t set a = ?",
        "3 s, session 11 waits for table metadata lock: alter table t",
    ]
    assert isinstance(asked.session, Replay)
    assert any("performance_schema.data_lock_waits" in statement for statement in asked.session.asked)


OLD_WORDS = {
    "Slave_IO_Running": "Yes", "Slave_SQL_Running": "No", "Seconds_Behind_Master": None, "SQL_Delay": 0, "Last_SQL_Errno": 1062,
    "Master_Host": "db1", "Master_Port": 3306, "Last_IO_Error": "", "Channel_Name": "",
    "Last_SQL_Error": "Error 'Duplicate entry 'anna@example.org' for key 'mail'' on query. Query: 'INSERT INTO u VALUES (7)'",
}  # fmt: skip
NEW_WORDS = {key.replace("Slave", "Replica").replace("Master", "Source"): value for key, value in OLD_WORDS.items()}


@pytest.mark.parametrize(
    ("version", "statement", "row"),
    [
        ("8.0.36", "SHOW REPLICA STATUS", NEW_WORDS),
        ("8.0.21", "SHOW SLAVE STATUS", OLD_WORDS),
        (MARIADB, "SHOW ALL SLAVES STATUS", {**OLD_WORDS, "Connection_name": "east"}),
    ],
)
def test_replication_is_asked_for_in_the_words_of_the_version(
    version: str, statement: str, row: dict[str, Any]
) -> None:
    asked = probe.Server(Replay(version, {statement: [row]}), None)
    (channel,) = asked.channels
    assert (channel.source, channel.receiving, channel.applying, channel.lag) == ("db1:3306", "Yes", "No", None)
    assert not channel.replicates
    assert channel.problem == "(1062) Error …"


def test_an_intended_delay_is_no_lag() -> None:
    row = {**NEW_WORDS, "Replica_SQL_Running": "Yes", "Seconds_Behind_Source": 3605, "SQL_Delay": 3600}
    (channel,) = probe.Server(Replay(MYSQL, {"SHOW REPLICA STATUS": [row]}), None).channels
    assert (channel.replicates, channel.lag) == (True, 5)


def test_the_range_of_automatic_numbers_follows_the_type() -> None:
    def table(name: str, value: int | None) -> dict[str, Any]:
        return {"s": "wp", "n": name, "e": "InnoDB", "r": 1, "d": 1, "i": 1, "f": 0, "a": value, "c": ""}

    answers = {
        "SHOW GRANTS": grants("GRANT REFERENCES ON *.* TO `m`@`%`"),
        "SELECT table_schema AS s, table_name AS n, engine": [table("a", 128), table("b", 201), table("c", None)],
        "SELECT table_schema AS s, table_name AS n, data_type": [
            {"s": "wp", "n": "a", "t": "tinyint", "c": "tinyint(4)"},
            {"s": "wp", "n": "b", "t": "INT", "c": "int unsigned"},
            {"s": "wp", "n": "c", "t": "bigint", "c": "bigint"},
        ],
    }
    asked = probe.Server(Replay(MYSQL, answers), "wp")
    assert [(str(one), last, most) for one, last, most in asked.auto_increments()] == [
        ("wp.a", 127, 127),
        ("wp.b", 200, 4294967295),
    ]


@pytest.mark.parametrize(
    ("messages", "verdict"),
    [
        ([("status", "OK")], "ok"),
        ([("status", "Table is already up to date")], "ok"),
        ([("warning", "1 client is using or hasn't closed the table properly"), ("status", "OK")], "suspect"),
        ([("error", "Size of datafile is: 0         Should be: 8192"), ("error", "Corrupt")], "damaged"),
        ([("Error", "Index for table 'x' is corrupt; try to repair it"), ("status", "Operation failed")], "damaged"),
        ([("Warning", "InnoDB: Index a is marked as corrupted"), ("error", "Corrupt")], "damaged"),
        ([("note", "The storage engine for the table doesn't support check")], "no check"),
        ([("Error", "Lock wait timeout exceeded; try restarting transaction"), ("status", "Operation failed")], "not checked"),
        ([], "not checked"),
    ],
)  # fmt: skip
def test_what_check_table_says_has_one_meaning(messages: list[tuple[str, str]], verdict: str) -> None:
    assert probe.check_verdict(messages)[0] == verdict


def variables(**values: str) -> Rows:
    return [{"Variable_name": key, "Value": value} for key, value in values.items()]


OFF = {
    "performance_schema": "OFF",
    "slow_query_log": "OFF",
    "log_output": "FILE",
    "long_query_time": "10.000000",
    "hostname": "elsewhere",
    "datadir": "/var/lib/mysql/",
    "slow_query_log_file": "db-slow.log",
}


@pytest.mark.parametrize(
    ("settings", "seconds", "reason"),
    [
        ({}, None, "the slow log is off, and so is performance_schema"),
        ({"slow_query_log": "ON", "log_output": "NONE"}, None, "the slow log is off"),
        ({"slow_query_log": "ON"}, 1.0, "holds only what takes 10 s, and slow_time asks for 1 s"),
        ({"slow_query_log": "ON"}, None, "a file of another host, /var/lib/mysql/db-slow.log"),
        ({"performance_schema": "ON"}, None, "its consumer statements_digest is off"),
    ],
)
def test_where_nobody_counts_slow_statements_there_are_not_none(
    settings: dict[str, str], seconds: float | None, reason: str
) -> None:
    asked = server(MARIADB, SHOW_GLOBAL_VARIABLES=variables(**{**OFF, **settings}), SELECT_ENABLED=[{"e": "NO"}])
    with pytest.raises(Unmeasurable, match=reason):
        asked.slow("auto", 24, seconds, None)


def test_a_counter_that_the_server_does_not_have_is_unmeasurable() -> None:
    with pytest.raises(Unmeasurable, match="the server has no status Threads_connected"):
        server(MYSQL, SHOW_GLOBAL_STATUS=[]).status("Threads_connected")
