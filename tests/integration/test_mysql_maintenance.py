# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_maintenance and the roles around it, on a real MariaDB, as the user of the documentation."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sre.runbooks.plugins.module_utils import _mysql_maintenance as maintenance
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._guard import Refused
from ansible_collections.sre.runbooks.tests.integration.conftest import Mariadb
from ansible_collections.sre.runbooks.tests.integration.playbook import ROOT, _write
from ansible_collections.sre.runbooks.tests.integration.test_mysql import PASSWORD, statements_of_the_page

OLD_ROWS = {"action": "purge", "tables": ["logs"], "column": "at", "older_than": 90, "pause": 0, "without_backup": True}


@pytest.fixture(scope="module")
def server(mariadb: Mariadb) -> Mariadb:
    """The server of the session, with the maintaining user of the documentation."""
    mariadb.sql("".join(statements_of_the_page("## To maintain")))
    return mariadb


@pytest.fixture
def database(server: Mariadb) -> Iterator[str]:
    """A database with 1000 rows in its log, of which 400 are older than 90 days."""
    server.sql("CREATE DATABASE wordpress")
    server.sql(
        """
        CREATE TABLE posts (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT);
        CREATE TABLE logs (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME, t TEXT);
        INSERT INTO logs (at) SELECT NOW() - INTERVAL IF(seq <= 400, 100, 10) DAY FROM seq_1_to_1000;
        """,
        "wordpress",
    )
    yield "wordpress"
    server.sql("DROP DATABASE wordpress")


def perform(server: Mariadb, action: str, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    given = {
        "database": "wordpress",
        "user": "maintenance",
        "password": PASSWORD,
        "unix_socket": server.socket,
        **options,
    }
    validated = ArgumentSpecValidator(maintenance.OPTIONS).validate({"action": action, **given})
    assert not validated.error_messages
    return maintenance.perform(validated.validated_parameters, check_mode=check_mode)


def purge(server: Mariadb, **options: Any) -> dict[str, Any]:
    return perform(server, **{**OLD_ROWS, **options})


def rows(server: Mariadb) -> int:
    return int(server.sql("SELECT COUNT(*) FROM wordpress.logs"))


def break_table(server: Mariadb) -> None:
    server.sql("CREATE TABLE wordpress.broken (id INT PRIMARY KEY, t TEXT) ENGINE=Aria")
    server.sql("INSERT INTO broken SELECT seq, REPEAT('x', 1000) FROM seq_1_to_99; FLUSH TABLES", "wordpress")
    path = server.data / "wordpress/broken.MAD"
    os.truncate(path, path.stat().st_size // 3)


# check


def test_sound_tables_are_sound_and_nothing_changes(server: Mariadb, database: str) -> None:
    found = perform(server, "check")
    assert (found["changed"], found["msg"]) == (False, "2 tables are sound")


def test_damage_stops_everything(server: Mariadb, database: str) -> None:
    break_table(server)
    with pytest.raises(maintenance.Damaged, match=r"1 of 3 tables are not sound, see to them .*: broken damaged"):
        perform(server, "check")
    server.sql("FLUSH TABLES")
    with pytest.raises(Refused, match=r"broken damaged|wordpress.broken cannot be opened"):
        perform(server, "optimize", min_size=0, reclaimable=0)


# analyze


def age_statistics(server: Mariadb) -> None:
    server.sql(
        "UPDATE mysql.innodb_table_stats SET last_update = NOW() - INTERVAL 8 DAY WHERE table_name = 'logs'; FLUSH TABLES"
    )


def test_statistics_are_renewed_once(server: Mariadb, database: str) -> None:
    server.sql(
        "UPDATE mysql.innodb_table_stats SET last_update = NOW() - INTERVAL 8 DAY WHERE table_name = 'logs'; FLUSH TABLES"
    )
    predicted = perform(server, "analyze", check_mode=True)
    changed = [one["table"] for one in predicted["tables"] if one["changed"]]
    assert predicted["changed"]
    assert "logs" in changed
    assert [one["table"] for one in perform(server, "analyze")["tables"] if one["changed"]] == changed
    assert perform(server, "analyze")["changed"] is False


# optimize


def holes(server: Mariadb) -> None:
    server.sql(
        "INSERT INTO posts SELECT seq, REPEAT('x', 4000) FROM seq_1_to_6000; DELETE FROM posts WHERE id > 300; ANALYZE TABLE posts",
        "wordpress",
    )
    end = time.monotonic() + 20
    free = "SELECT data_free > 10000000 FROM information_schema.tables WHERE table_name = 'posts' AND table_schema = 'wordpress'"
    while server.sql(free) != "1" and time.monotonic() < end:
        time.sleep(0.1)


def test_a_table_of_holes_is_rebuilt_once_and_gets_smaller(server: Mariadb, database: str) -> None:
    holes(server)
    predicted = perform(server, "optimize", min_size=10, check_mode=True)
    assert (predicted["changed"], predicted["msg"]) == (True, "1 of 2 tables optimized")
    assert server.data.joinpath("wordpress/posts.ibd").stat().st_size > 15_000_000
    done = perform(server, "optimize", min_size=10)
    (posts,) = [one for one in done["tables"] if one["changed"]]
    assert posts["table"] == "posts"
    assert posts["before_mib"] > 3 * posts["after_mib"]
    assert server.data.joinpath("wordpress/posts.ibd").stat().st_size < 5_000_000
    assert perform(server, "optimize", min_size=10)["changed"] is False


def test_a_table_is_not_rebuilt_without_room_for_it(
    server: Mariadb, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    holes(server)
    with pytest.raises(Refused, match=r"to rebuild wordpress.posts takes .* MiB at .*, and .* MiB are free"):
        perform(server, "optimize", min_size=10, room=1e6)
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    with pytest.raises(Refused, match="cannot be seen from this host"):
        perform(server, "optimize", min_size=10)
    assert server.data.joinpath("wordpress/posts.ibd").stat().st_size > 15_000_000


# purge


def test_a_preview_deletes_nothing_and_has_a_token(server: Mariadb, database: str) -> None:
    found = purge(server)
    assert (found["changed"], found["rows"], found["deleted"], rows(server)) == (False, 400, 0, 1000)
    assert (found["preview"]["first_key"], found["preview"]["last_key"]) == ("1", "400")
    assert found["token"] in found["msg"]
    assert purge(server)["token"] == found["token"]


def test_the_token_of_the_preview_deletes_exactly_these_rows_in_batches(server: Mariadb, database: str) -> None:
    token = purge(server)["token"]
    predicted = purge(server, token=token, check_mode=True)
    assert (predicted["changed"], predicted["deleted"], rows(server)) == (True, 0, 1000)
    done = purge(server, token=token, batch=70)
    assert (done["changed"], done["deleted"], done["remaining"], rows(server)) == (True, 400, 0, 600)
    again = purge(server, token=token)
    assert (again["changed"], again["deleted"], again["rows"]) == (False, 0, 0)


def test_a_plan_that_has_changed_since_is_refused(server: Mariadb, database: str) -> None:
    token = purge(server)["token"]
    server.sql(
        "DELETE FROM wordpress.logs WHERE id = 7; INSERT INTO wordpress.logs (at) VALUES (NOW() - INTERVAL 100 DAY)"
    )
    with pytest.raises(Refused, match="has changed since the preview"):
        purge(server, token=token)
    with pytest.raises(Refused, match="has changed since the preview"):
        purge(server, token="0123456789abcdef")
    assert rows(server) == 1000


def test_a_run_deletes_no_more_rows_than_it_may(server: Mariadb, database: str) -> None:
    first = purge(server, most=150)
    assert (first["rows"], first["remaining"]) == (150, 400)
    assert purge(server, most=150, token=first["token"], batch=100)["remaining"] == 250
    assert rows(server) == 850


def test_rows_without_a_date_are_not_old(server: Mariadb, database: str) -> None:
    server.sql("SET sql_mode=''; INSERT INTO wordpress.logs (at) VALUES (NULL), ('0000-00-00 00:00:00')")
    assert purge(server)["rows"] == 400


@pytest.mark.parametrize(
    ("statement", "options", "reason"),
    [
        ("ALTER TABLE logs MODIFY id INT, DROP PRIMARY KEY", {}, "has no primary key of one column"),
        ("ALTER TABLE logs DROP PRIMARY KEY, ADD PRIMARY KEY (id, at)", {}, "has no primary key of one column"),
        ("ALTER TABLE logs MODIFY at INT", {}, "logs.at is a int, no time"),
        ("SELECT 1", {"column": "made"}, "has no column made"),
        (
            "CREATE TABLE c (l INT, FOREIGN KEY (l) REFERENCES logs (id) ON DELETE CASCADE)",
            {},
            "rows of wordpress.c refer to",
        ),
        ("SELECT 1", {"protect": ["log*"]}, "logs is protected, by log"),
        ("SELECT 1", {"tables": ["gone"]}, "has no table gone"),
        ("SELECT 1", {"database": "mysql", "tables": ["user"]}, "mysql is protected"),
    ],
)
def test_what_must_not_be_purged_is_refused(
    server: Mariadb, database: str, statement: str, options: dict[str, Any], reason: str
) -> None:
    server.sql("SET sql_mode=''; DELETE FROM logs; " + statement, "wordpress")
    with pytest.raises(Refused, match=reason):
        purge(server, **options)


def test_rows_are_deleted_only_with_a_recent_backup(server: Mariadb, database: str, tmp_path: Path) -> None:
    token = purge(server)["token"]
    asked: dict[str, Any] = {"token": token, "without_backup": False}
    with pytest.raises(Refused, match="takes a backup"):
        purge(server, **asked)
    asked["backup"] = str(tmp_path / "*.sql.gz")
    with pytest.raises(Refused, match="there is no backup"):
        purge(server, **asked)
    backup = tmp_path / "wordpress.sql.gz"
    backup.touch()
    with pytest.raises(Refused, match="no file with content"):
        purge(server, **asked)
    backup.write_bytes(b"x")
    os.utime(backup, (time.time() - 27 * 3600,) * 2)
    with pytest.raises(Refused, match=r"27.0 h old, more than 26 h"):
        purge(server, **asked)
    assert rows(server) == 1000
    os.utime(backup)
    assert purge(server, **asked)["deleted"] == 400


def test_one_maintenance_at_a_time(server: Mariadb, database: str) -> None:
    with contextlib.closing(pymysql.connect(unix_socket=server.socket, user="root")) as other:
        other.cursor().execute("SELECT GET_LOCK('sre.runbooks/wordpress', 0)")
        with pytest.raises(Refused, match="another maintenance of wordpress is at work") as refusal:
            perform(server, "check")
        assert not isinstance(refusal.value, maintenance.Damaged), "nothing is known about the tables"
    end = time.monotonic() + 10
    while time.monotonic() < end:  # the session of a run that was killed takes its lock with it
        with contextlib.suppress(Refused):
            perform(server, "check")
            return
    pytest.fail("the lock outlived its session")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"older_than": 0}, "older_than: rows of the last day are not old"),
        ({"tables": ["log*"]}, "tables: rows are deleted from one table"),
        ({"batch": 0}, "batch: 0 does nothing"),
        ({"room": 0.5}, "room: a rebuild takes as much room"),
        ({"user": "root"}, "user: root may do everything"),
    ],
)
def test_what_cannot_be_meant_is_refused(server: Mariadb, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadOption, match=complaint):
        purge(server, **options)


def test_a_user_that_may_not_do_it_is_told_so(server: Mariadb, database: str) -> None:
    age_statistics(server)
    server.sql("REVOKE INSERT ON wordpress.* FROM maintenance@localhost")
    try:
        with pytest.raises(Unmeasurable, match="INSERT command denied"):
            perform(server, "analyze")
    finally:
        server.sql("GRANT INSERT ON wordpress.* TO maintenance@localhost")


# The roles


def play(folder: Path, role: str, variables: dict[str, Any], *arguments: str) -> str:
    """Run one role on this host; return what Ansible says."""
    hosts = {"host": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
    _write(folder / "hosts.yml", {"all": {"hosts": hosts, "vars": variables}})
    _write(
        folder / "play.yml",
        [{"name": "Play", "hosts": "all", "gather_facts": False, "roles": [f"sre.runbooks.{role}"]}],
    )
    done = subprocess.run(
        ["ansible-playbook", "-i", str(folder / "hosts.yml"), str(folder / "play.yml"), *arguments],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "SRE_RUNBOOKS_DIRECTORY": str(folder / "state")},
        cwd=folder, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_role_maintains_a_database_once(server: Mariadb, database: str, tmp_path: Path) -> None:
    holes(server)
    backup = tmp_path / "dump.sql"
    backup.write_text("x")
    variables: dict[str, Any] = {
        "maintain_databases_database": "wordpress",
        "maintain_databases_login": {"user": "maintenance", "password": PASSWORD, "unix_socket": server.socket},
        "maintain_databases_min_size": 10,
        "maintain_databases_analyzed_within": 1,
        "maintain_databases_purges": [{"table": "logs", "column": "at", "older_than": 90, "batch": 100}],
        "maintain_databases_backup": str(backup),
    }
    preview = purge(server)
    server.sql("FLUSH LOGS")
    before = server.sql("CHECKSUM TABLE wordpress.logs, wordpress.posts")
    checked = play(tmp_path, "maintain_databases", variables, "--check", "-vvv")
    assert "changed=1" in checked, checked
    assert "failed=0" in checked
    assert PASSWORD not in checked
    assert server.sql("CHECKSUM TABLE wordpress.logs, wordpress.posts") == before

    looked = play(tmp_path, "maintain_databases", variables)
    assert preview["token"] in looked, looked
    assert rows(server) == 1000

    variables["maintain_databases_tokens"] = {"logs": preview["token"]}
    assert "400 rows of wordpress.logs were deleted" in play(tmp_path, "maintain_databases", variables)
    assert rows(server) == 600
    again = play(tmp_path, "maintain_databases", variables)
    assert "changed=0" in again, again
    assert "failed=0" in again


def test_the_role_stops_at_damage(server: Mariadb, database: str, tmp_path: Path) -> None:
    break_table(server)
    variables = {
        "maintain_databases_database": "wordpress",
        "maintain_databases_login": {"user": "maintenance", "password": PASSWORD, "unix_socket": server.socket},
        "maintain_databases_purges": [{"table": "logs", "column": "at", "older_than": 90}],
        "maintain_databases_tokens": {"logs": purge(server)["token"]},
    }
    output = play(tmp_path, "maintain_databases", variables)
    assert "broken damaged" in output, output
    assert "Delete old rows" not in output
    assert rows(server) == 1000


def test_prerequisites_creates_the_user_that_databases_looks_with(
    server: Mariadb, database: str, tmp_path: Path
) -> None:
    server.sql("DROP USER IF EXISTS watch@localhost")
    variables: dict[str, Any] = {
        "prerequisites_libraries": [],
        "prerequisites_mysql_user": "watch",
        "prerequisites_mysql_password": PASSWORD,
        "prerequisites_mysql_login": {"login_unix_socket": server.socket, "login_user": "root"},
        "databases_mysql_user": "watch",
        "databases_mysql_password": PASSWORD,
        "databases_mysql_targets": [
            {"unix_socket": server.socket, "database": "wordpress", "tables": ["logs", "posts"]}
        ],
    }
    first = play(tmp_path, "prerequisites", variables, "-vvv")
    assert "changed=1" in first, first
    assert PASSWORD not in first
    assert "changed=0" in play(tmp_path, "prerequisites", variables)
    looked = play(tmp_path, "databases", variables, "-vvv")
    assert "failed=0" in looked, looked
    assert "2 tables with all that are expected" in looked
    assert "status: unknown" not in looked
    assert PASSWORD not in looked
