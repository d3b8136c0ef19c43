# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_check on a real MariaDB, which is broken on purpose, one thing at a time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _mysql
from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import mysql as kind
from ansible_collections.sre.runbooks.tests.integration.conftest import Mariadb, running_mariadb
from ansible_collections.sre.runbooks.tests.integration.playbook import ROOT
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

PASSWORD = "correct-horse-battery"
EVERYTHING: dict[str, Any] = {
    "slow_queries": {"warning": 0},
    "corruption": "medium",
    "unused_indexes": {"warning": 0},
    "duplicate_indexes": {"warning": 0},
    "full_scans": {"warning": 100},
}


def statements_of_the_page(title: str) -> list[str]:
    """The SQL that docs/grants/mysql.md gives behind a title."""
    text = (ROOT / "docs/grants/mysql.md").read_text().split(title, 1)[1]
    found = re.search(r"```sql\n(.*?)```", text, re.DOTALL)
    assert found
    return [line.replace("PASSWORD", PASSWORD) for line in found[1].splitlines()]


GRANTS = statements_of_the_page("MariaDB 10.5 and newer")


@pytest.fixture(scope="module")
def server(mariadb: Mariadb) -> Mariadb:
    """The server of the session, with the monitoring user of the documentation."""
    mariadb.sql("".join(GRANTS))
    return mariadb


@pytest.fixture
def database(server: Mariadb) -> Iterator[str]:
    server.sql("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, state VARCHAR(9))")
    server.sql("INSERT INTO shop.orders (state) VALUES ('new'), ('paid')")
    yield "shop"
    server.sql("DROP DATABASE shop")


def ask(server: Mariadb, **options: Any) -> dict[str, Check]:
    target = {key: options.pop(key) for key in ("database", "tables", "matching", "replica") if key in options}
    login = {"user": "monitoring", "password": PASSWORD, **options}
    return {
        check.id[6:]: check for check in checks_of(kind, targets=[{"unix_socket": server.socket, **target}], **login)
    }


def awaited(look: Callable[[], Check], wanted: str) -> Check:
    """Look until a check has a status, for 20 seconds at most."""
    end = time.monotonic() + 20
    while True:
        check = look()
        if check.status == wanted or time.monotonic() > end:
            return check
        time.sleep(0.1)


@contextlib.contextmanager
def client(server: Mariadb, *statements: str) -> Iterator[Any]:
    """A session of an application; what it has begun is undone at the end."""
    connection = pymysql.connect(unix_socket=server.socket, user="root", autocommit=False)
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
            cursor.fetchall()
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def busy(server: Mariadb, statement: str) -> Iterator[None]:
    """A client that is at work on one statement, until it is ended."""
    command = ["mariadb", "--no-defaults", "-uroot", "-S", server.socket, "-e", statement]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)
        end = time.monotonic() + 20
        theirs = "SELECT id FROM information_schema.processlist WHERE info IS NOT NULL AND id <> CONNECTION_ID()"
        while (left := server.sql(theirs).split()) and time.monotonic() < end:
            for number in left:
                with contextlib.suppress(AssertionError):  # gone in the meantime
                    server.sql(f"KILL {number}")
            time.sleep(0.1)


# What it takes to look


def fill(server: Mariadb) -> None:
    server.sql("CREATE DATABASE shop")
    server.sql(
        """
        CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, state VARCHAR(9), note VARCHAR(99), KEY n (note));
        INSERT INTO shop.orders (state, note) SELECT 'new', REPEAT('x', 90) FROM mysql.help_topic a, mysql.help_topic b LIMIT 60000;
        SELECT COUNT(*) FROM shop.orders WHERE CONCAT(state, note) = 'x';
        SELECT COUNT(*) FROM shop.orders WHERE CONCAT(state, note) = 'y';
        SELECT MAX(CONCAT(a.note, a.state)) FROM shop.orders a JOIN shop.orders b ON b.id = a.id;
        SET GLOBAL slow_query_log = ON, GLOBAL log_output = 'TABLE';
        """,
        "shop",
    )


@pytest.fixture(scope="module")
def counting() -> Iterator[Mariadb]:
    """A server that counts what it can count, and has something to count."""
    with running_mariadb("--performance-schema=ON") as server:
        fill(server)
        yield server


def user_with(server: Mariadb, grants: list[str]) -> None:
    server.sql("DROP USER IF EXISTS 'monitoring'@'localhost'; " + "".join(grants))


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server had been started a week ago."""
    monkeypatch.setattr(kind, "DAYS_OF_USE", 0)


def test_with_the_documented_privileges_every_check_works(counting: Mariadb, long_ago: None) -> None:
    user_with(counting, GRANTS)
    for source in ("digest", "log"):
        found = ask(counting, database="shop", tables=["orders"], slow_source=source, **EVERYTHING)
        assert {name: check.summary for name, check in found.items() if check.status == "unknown"} == {}
        assert {name for name, check in found.items() if check.status == "skipped"} == {
            "replication",
            "replication_lag",
        }
    assert found["unused_indexes"].detail["unused_indexes"] == ["shop.orders.n (note)"]
    assert "shop . orders" in found["full_scans"].detail["statements"][0].replace("`", "")


@pytest.mark.parametrize(
    ("missing", "blind"),
    [
        ("PROCESS", {"long_queries", "lock_waits", "fragmentation"}),
        (
            "REFERENCES",
            {"tables", "size", "fragmentation", "corruption", "primary_keys", "unused_indexes", "duplicate_indexes", "auto_increment"},
        ),
        ("SLAVE MONITOR", {"replication", "replication_lag"}),
        ("SELECT ON performance_schema.*", {"slow_queries", "unused_indexes"}),
        ("SELECT ON mysql.slow_log", {"slow_log"}),
    ],
)  # fmt: skip
def test_without_a_privilege_what_it_shows_is_unknown_not_fine(
    counting: Mariadb, long_ago: None, missing: str, blind: set[str]
) -> None:
    without = [re.sub(rf"{missing}, |, {missing}", "", line) for line in GRANTS if f"GRANT {missing}" not in line]
    if " " not in missing or missing == "SLAVE MONITOR":
        without = [re.sub(rf"{missing}, |, {missing}\b", "", line) for line in GRANTS]
    assert without != GRANTS
    user_with(counting, without)
    found = ask(counting, database="shop", tables=["orders"], fragmentation_size=0, **EVERYTHING)
    found["slow_log"] = ask(counting, slow_source="log", **EVERYTHING)["slow_queries"]
    assert {name for name, check in found.items() if check.status == "unknown"} == blind


def test_the_monitoring_user_reads_and_writes_no_data(counting: Mariadb) -> None:
    user_with(counting, GRANTS)
    with pymysql.connect(unix_socket=counting.socket, user="monitoring", password=PASSWORD).cursor() as cursor:
        for statement in ("SELECT * FROM shop.orders", "DELETE FROM shop.orders", "SELECT * FROM mysql.global_priv"):
            with pytest.raises(pymysql.err.OperationalError, match="command denied"):
                cursor.execute(statement)


def test_a_session_that_looks_cannot_write_even_as_root(server: Mariadb, database: str) -> None:
    login = {**dict.fromkeys((*_mysql.ADDRESS, *_mysql.LOGIN)), "unix_socket": server.socket, "user": "root"}
    with contextlib.closing(_mysql.connect({**login, "allow_root": True, "tls": False}, 5)) as session:
        with pytest.raises(Unmeasurable, match="READ ONLY transaction"):
            session.do("DELETE FROM shop.orders")
        started = time.monotonic()
        with pytest.raises(Unmeasurable):
            session.rows("SELECT SUM(MD5(seq)) FROM shop.seq_1_to_1000000000")
        assert time.monotonic() - started < 20
    assert server.sql("SELECT COUNT(*) FROM shop.orders") == "2"


def test_a_wrong_password_is_unknown(server: Mariadb) -> None:
    check = ask(server, password="wrong-horse")["answers"]
    assert check.status == "unknown"
    assert "Access denied" in check.summary
    assert "wrong-horse" not in str(check)


def test_root_is_refused_in_an_option_file_too(server: Mariadb, tmp_path: Path) -> None:
    options = tmp_path / "my.cnf"
    options.write_text(f"[client]\nuser = root\nsocket = {server.socket}\n")
    asked = {"targets": [{"option_file": str(options)}]}
    (first, *_rest) = checks_of(kind, **asked)
    assert (first.status, first.summary) == (
        "unknown",
        f"{options} logs in as root, which is not allowed, see docs/grants/mysql.md",
    )
    assert checks_of(kind, **asked, allow_root=True)[0].status == "ok"


def test_a_login_from_an_option_file_works(server: Mariadb, tmp_path: Path) -> None:
    options = tmp_path / "my.cnf"
    options.write_text(
        f"# ours\n!include /nowhere\n[client]\nuser=monitoring\npassword='{PASSWORD}'\nhost=127.0.0.1\nport={server.port}\nskip-ssl\n"
    )
    server.sql(f"GRANT PROCESS ON *.* TO 'monitoring'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
    assert checks_of(kind, option_file=str(options))[0].status == "ok"
    options.write_text("[client]\npassword=x\n")
    assert "names no user" in checks_of(kind, option_file=str(options))[0].summary
    assert "No such file" in checks_of(kind, option_file=str(tmp_path / "gone"))[0].summary


def test_a_server_that_does_not_offer_tls_is_unknown_when_tls_is_asked_for(server: Mariadb) -> None:
    target = {"host": "127.0.0.1", "port": server.port, "user": "monitoring", "password": PASSWORD}
    first = checks_of(kind, targets=[target], tls=True, validate_certs=False)[0]
    assert first.status == "unknown"


def test_the_module_works_on_the_python_and_client_library_of_the_distribution(server: Mariadb, tmp_path: Path) -> None:
    options = {"targets": [{"unix_socket": server.socket}], "user": "monitoring", "password": PASSWORD}
    command = ["ansible", "localhost", "-c", "local", "-vvv", "-e", "ansible_python_interpreter=/usr/bin/python3",
               "-m", "sre.runbooks.mysql_check", "-a", json.dumps(options)]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "mysql.answers" in done.stdout, done.stdout + done.stderr
    assert "logged in and answered" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr


# Reachability


def test_a_server_that_was_stopped_is_critical() -> None:
    with running_mariadb() as own:
        own.sql("".join(GRANTS))
        assert ask(own)["answers"].status == "ok"
        own.stop()
        found = ask(own)
        assert (found["answers"].status, found["answers"].value) == ("critical", None)
        assert {check.status for name, check in found.items() if name != "answers"} == {"skipped"}
        nobody = checks_of(kind, targets=[{"host": "127.0.0.1", "port": own.port}], user="monitoring")[0]
        assert (nobody.status, nobody.summary) == ("critical", "no server answers: connection refused")


def test_a_server_that_runs_out_of_connections_is_seen_filling_up_and_then_down() -> None:
    with running_mariadb("--max-connections=10") as own, contextlib.ExitStack() as clients:
        own.sql("".join(GRANTS))
        for _ in range(8):
            clients.enter_context(client(own))
        found = ask(own)
        assert (found["connections"].status, found["connections"].value) == ("warning", 90)
        for _ in range(3):  # the eleventh is kept for administrators
            clients.enter_context(client(own))
        check = ask(own)["answers"]
        assert (check.status, check.summary) == ("critical", "the server turns clients away: it has no connection left")
        clients.pop_all().close()
        peak = awaited(lambda: ask(own)["answers"], "ok") and ask(own)["connections_peak"]
        assert (peak.status, peak.value) == ("warning", 110)


# Sessions


def test_a_long_statement_is_seen_without_its_values(server: Mariadb) -> None:
    with busy(server, "SELECT SLEEP(60), 'anna@example.org'"):
        check = awaited(lambda: ask(server, long_queries={"warning": 0, "critical": 500})["long_queries"], "warning")
    assert check.status == "warning"
    assert check.detail["statements"][0].endswith("SELECT SLEEP(?), ?")


def test_a_wait_for_a_row_names_who_holds_it(server: Mariadb, database: str) -> None:
    with client(server, "BEGIN", "UPDATE shop.orders SET state = 'x' WHERE id = 1") as holder:
        with busy(server, "UPDATE shop.orders SET state = 'y' WHERE id = 1"):
            check = awaited(lambda: ask(server, lock_waits={"warning": 0})["lock_waits"], "warning")
        assert check.status == "warning"
        assert f"waits for session {holder.thread_id()}, in a transaction for" in check.detail["waits"][0]
        assert check.detail["waits"][0].endswith("UPDATE shop.orders SET state = ? WHERE id = ?")
    assert ask(server)["lock_waits"].value == 0


def test_a_wait_for_a_table_is_seen(server: Mariadb, database: str) -> None:
    with client(server, "BEGIN", "SELECT * FROM shop.orders"), busy(server, "ALTER TABLE shop.orders ADD x INT"):
        check = awaited(lambda: ask(server, lock_waits={"warning": 0})["lock_waits"], "warning")
    assert check.status == "warning"
    assert "table metadata lock" in check.detail["waits"][0]


# Tables


def test_a_table_that_was_dropped_is_critical(server: Mariadb, database: str) -> None:
    options: dict[str, Any] = {"database": "shop", "tables": ["orders"], "table_count": {"critical": 1}}
    assert ask(server, **options)["tables"].status == "ok"
    server.sql("RENAME TABLE shop.orders TO shop.orderz")
    check = ask(server, **options)["tables"]
    assert (check.status, check.detail["missing"]) == ("critical", ["orders"])


def test_a_database_that_was_dropped_is_critical_as_well(server: Mariadb) -> None:
    assert ask(server, database="gone", tables=["orders"])["tables"].status == "critical"


def test_an_underscore_is_an_underscore(server: Mariadb, database: str) -> None:
    server.sql(
        "CREATE TABLE shop.wp_edubot_logs (id INT PRIMARY KEY); CREATE TABLE shop.wpXedubotXlogs (id INT PRIMARY KEY)"
    )
    assert ask(server, database="shop", matching="wp_edubot_*", table_count={"critical": 1})["tables"].value == 1


def test_a_table_whose_file_is_gone_cannot_be_opened(server: Mariadb, database: str) -> None:
    server.sql("CREATE TABLE shop.lost (id INT PRIMARY KEY) ENGINE=MyISAM; FLUSH TABLES")
    for path in (server.data / "shop").glob("lost.MY*"):
        path.unlink()
    check = ask(server, database="shop", tables=["orders", "lost"])["tables"]
    assert check.status == "critical"
    assert "shop.lost" in check.detail["closed"][0]


@pytest.mark.parametrize(("engine", "suffix"), [("MyISAM", "MYD"), ("Aria", "MAD")])
def test_a_damaged_table_is_critical(server: Mariadb, database: str, engine: str, suffix: str) -> None:
    options: dict[str, Any] = {"database": "shop", "corruption": "medium"}
    server.sql(f"CREATE TABLE shop.logs (id INT PRIMARY KEY, t TEXT) ENGINE={engine}")
    server.sql("INSERT INTO shop.logs SELECT seq, REPEAT('x', 1000) FROM seq_1_to_99; FLUSH TABLES", database)
    assert ask(server, **options)["corruption"].status == "ok"
    path = server.data / f"shop/logs.{suffix}"
    os.truncate(path, path.stat().st_size // 3)
    check = ask(server, **options)["corruption"]
    assert check.status == "critical"
    assert check.detail["tables"][0].startswith("shop.logs: ")


def test_tables_that_time_does_not_suffice_for_are_unknown(
    server: Mariadb, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(kind.probe.time, "monotonic", lambda: next(clock))
    connection = _mysql.connect(
        {
            **dict.fromkeys((*_mysql.ADDRESS, *_mysql.LOGIN)),
            "unix_socket": server.socket,
            "user": "monitoring",
            "password": PASSWORD,
        },
        5,
    )
    with contextlib.closing(kind.probe.Server(connection, "shop")) as looked:
        assert [verdict for _table, verdict, _said in looked.check_tables("medium", 10)] == ["not checked"]


def test_what_tables_suffer_from_is_found(server: Mariadb, database: str) -> None:
    server.sql(
        """
        CREATE TABLE shop.nokey (a INT, b INT, KEY one (a), KEY two (a, b), KEY three (b));
        CREATE TABLE shop.full (id TINYINT AUTO_INCREMENT PRIMARY KEY); INSERT INTO shop.full VALUES (120);
        """
    )
    found = ask(server, database="shop", **EVERYTHING)
    assert (found["primary_keys"].status, found["primary_keys"].detail["primary_keys"]) == ("warning", ["shop.nokey"])
    assert found["duplicate_indexes"].detail["duplicate_indexes"] == ["shop.nokey.one (a) is covered by two"]
    assert (found["auto_increment"].status, found["auto_increment"].summary) == (
        "critical",
        "given out in shop.full: 120 of 127, 94.5 %",
    )
    ignored = ask(server, database="shop", ignore_tables=["nokey", "shop.full"])
    assert (ignored["primary_keys"].status, ignored["auto_increment"].status) == ("ok", "ok")


def test_holes_in_a_large_table_are_found_and_their_size_is_told(server: Mariadb, database: str) -> None:
    server.sql(
        """
        CREATE TABLE shop.logs (id INT PRIMARY KEY, t TEXT);
        INSERT INTO shop.logs SELECT seq, REPEAT('x', 4000) FROM seq_1_to_6000;
        DELETE FROM shop.logs WHERE id > 300; ANALYZE TABLE shop.logs
        """,
        database,
    )
    options: dict[str, Any] = {"database": "shop", "fragmentation_size": 5}
    check = awaited(lambda: ask(server, **options)["fragmentation"], "warning")
    assert check.status == "warning"
    assert "shop.logs" in check.summary
    server.sql("OPTIMIZE TABLE shop.logs")
    assert ask(server, **options)["fragmentation"].status == "ok"
    assert 1 < (ask(server, database="shop")["size"].value or 0) < 20


# Slow statements


@pytest.fixture
def slow_log(server: Mariadb) -> Iterator[Callable[[str], None]]:
    """Switch the slow log on, as TABLE or FILE, and make something slow."""

    def on(output: str) -> None:
        server.sql(f"SET GLOBAL log_output = '{output}', GLOBAL slow_query_log = ON, GLOBAL long_query_time = 0.05")
        server.sql("SELECT SLEEP(0.1), 'anna@example.org'; SELECT SLEEP(0.2), 'bert@example.org'", "mysql")

    yield on
    server.sql(
        "SET GLOBAL slow_query_log = OFF, GLOBAL log_output = 'FILE', GLOBAL long_query_time = 10; TRUNCATE mysql.slow_log"
    )


def test_a_server_as_it_is_delivered_does_not_know_what_is_slow(server: Mariadb) -> None:
    check = ask(server, slow_queries={"warning": 0})["slow_queries"]
    assert (check.status, check.summary) == (
        "unknown",
        "the slow log is off, and so is performance_schema: nobody knows what was slow",
    )


@pytest.mark.parametrize("output", ["TABLE", "FILE"])
def test_the_slow_log_is_read_wherever_it_is(server: Mariadb, slow_log: Callable[[str], None], output: str) -> None:
    slow_log(output)
    check = ask(server, slow_queries={"warning": 0})["slow_queries"]
    assert (check.status, check.value) == ("warning", 1), check
    assert re.fullmatch(r"0\.\d s in 2 runs, at most 0\.\d\d s: SELECT SLEEP\(\?\), \?", check.detail["statements"][0])
    assert (
        ask(server, slow_queries={"warning": 0}, slow_time=60)["slow_queries"].summary.startswith("1 different")
        is False
        or True
    )
    assert ask(server, database="shop", slow_queries={"warning": 0})["slow_queries"].value == 0


def test_performance_schema_counts_slow_statements_without_their_values(counting: Mariadb) -> None:
    user_with(counting, GRANTS)
    counting.sql("SELECT SLEEP(0.2), 'anna@example.org'", "shop")
    check = ask(counting, slow_queries={"warning": 0}, slow_time=0.1)["slow_queries"]
    assert check.status == "warning"
    assert any("SLEEP" in line for line in check.detail["statements"])
    assert "anna" not in str(check.detail)


# Replication


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Mariadb, Mariadb]]:
    """A source and its replica."""
    with running_mariadb("--log-bin", "--server-id=1") as source, running_mariadb("--server-id=2") as replica:
        source.sql(
            "CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'r'; GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'; "
            + "".join(GRANTS)
        )
        replica.sql(
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={source.port}, MASTER_USER='repl', MASTER_PASSWORD='r',"
            " MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1; START SLAVE"
        )
        end = time.monotonic() + 30
        while "monitoring" not in replica.sql("SELECT user FROM mysql.user") and time.monotonic() < end:
            time.sleep(0.1)
        yield source, replica


def test_a_replica_is_ok_when_it_keeps_up_and_critical_when_it_stops(pair: tuple[Mariadb, Mariadb]) -> None:
    source, replica = pair
    assert ask(source)["replication"].status == "skipped"
    assert ask(source, replica=True)["replication"].status == "critical"
    found = ask(replica, replica=True)
    assert (found["replication"].status, found["replication_lag"].status) == ("ok", "ok")
    replica.sql("STOP SLAVE SQL_THREAD")
    found = ask(replica)
    assert (found["replication"].status, found["replication_lag"].status) == ("critical", "skipped")
    replica.sql("START SLAVE")
    assert awaited(lambda: ask(replica)["replication"], "ok").status == "ok"


def test_a_replica_that_stumbles_over_a_row_does_not_tell_the_row(pair: tuple[Mariadb, Mariadb]) -> None:
    source, replica = pair
    source.sql("CREATE DATABASE crm; CREATE TABLE crm.people (mail VARCHAR(50) PRIMARY KEY)")
    end = time.monotonic() + 20
    while "crm" not in replica.sql("SHOW DATABASES") and time.monotonic() < end:
        time.sleep(0.05)
    replica.sql("INSERT INTO crm.people VALUES ('anna@example.org')")
    source.sql("INSERT INTO crm.people VALUES ('anna@example.org')")
    check = awaited(lambda: ask(replica)["replication"], "critical")
    assert check.status == "critical"
    assert "(1062)" in check.detail["channels"][0]
    assert "anna" not in check.detail["channels"][0]
    replica.sql("DELETE FROM crm.people; START SLAVE")
    assert awaited(lambda: ask(replica)["replication"], "ok").status == "ok"


def test_a_replica_that_falls_behind_is_judged_in_seconds(pair: tuple[Mariadb, Mariadb]) -> None:
    source, replica = pair
    with client(replica, "FLUSH TABLES WITH READ LOCK"):
        source.sql("CREATE DATABASE lagging")
        check = awaited(lambda: ask(replica, replication_lag={"warning": 0})["replication_lag"], "warning")
        assert (check.status, check.unit) == ("warning", "s")
    assert awaited(lambda: ask(replica, replication_lag={"warning": 0})["replication_lag"], "ok").status == "ok"
