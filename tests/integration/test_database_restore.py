# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""database_restore on a real MariaDB and a real PostgreSQL, with everything that can stand in its way."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sre.runbooks.plugins.module_utils import _database_backup as backup
from ansible_collections.sre.runbooks.plugins.module_utils import _database_restore as restoring
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs as proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.tests.integration.playbook import ROOT, Site
from ansible_collections.sre.runbooks.tests.integration.test_database_backup import die_when_called

TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, name varchar(50));
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers (id), note varchar(50));
INSERT INTO customers VALUES (1, 'Zoë; USE mysql;'), (2, 'b');
INSERT INTO orders VALUES (7, 1, 'x'), (8, 2, 'y'), (9, 2, 'z');
CREATE VIEW latest AS SELECT max(id) AS id FROM orders;
CREATE VIEW a_first AS SELECT id FROM latest;
"""
MYSQL_CODE = """
ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id);
CREATE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = CONCAT('noted ', NEW.note);
CREATE PROCEDURE tidy() DELETE FROM orders WHERE id < 0;
"""


class Shop:
    """The database ``shop`` on one of the servers, its backups, and a restore of them."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.mysql = hasattr(server, "socket")
        if self.mysql:
            self.login: dict[str, Any] = {"engine": "mysql", "socket": server.socket, "user": "root"}
        else:
            self.login = {
                "engine": "postgresql", "host": "127.0.0.1", "port": server.port, "user": server.user,
                "password": server.password,
            }  # fmt: skip

    def sql(self, statements: str, database: str = "shop") -> str:
        return str(self.server.sql(statements, database))

    def databases(self) -> list[str]:
        asked = (
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'shop%'"
            if self.mysql
            else "SELECT datname FROM pg_database WHERE datname LIKE 'shop%'"
        )
        return sorted(self.server.sql(asked, "mysql" if self.mysql else "postgres").split())

    def clear(self) -> None:
        for name in self.databases():
            if self.mysql:
                self.server.sql(f"DROP DATABASE `{name}`")
            else:
                self.server.sql(f'DROP DATABASE "{name}" WITH (FORCE)', "postgres")

    def state(self) -> list[str]:
        """All rows and all objects, as one list."""
        schema = "shop" if self.mysql else "public"
        asked = [f"SELECT * FROM {table} ORDER BY id" for table in ("a_first",)]
        asked += [
            f"SELECT {name} FROM information_schema.{table} WHERE {where} = '{schema}' ORDER BY 1"
            for name, table, where in (
                ("table_name", "tables", "table_schema"),
                ("trigger_name", "triggers", "trigger_schema"),
                ("routine_name", "routines", "routine_schema"),
                ("constraint_name", "referential_constraints", "constraint_schema"),
            )
        ]
        return [*self.tables(), *(self.sql(statement) for statement in asked)]

    def tables(self) -> list[str]:
        """The rows of tables only, as :meth:`state` begins."""
        return [self.sql(f"SELECT * FROM {table} ORDER BY id") for table in ("customers", "orders")]

    def back_up(self, *, prove: bool = True) -> dict[str, Any]:
        given = {**self.login, "database": "shop", "directory": str(self.folder / "backups")}
        options = ArgumentSpecValidator(backup.OPTIONS).validate(given).validated_parameters
        about: dict[str, Any] = backup.take(options, check_mode=False, warn=print)["backup"]
        if prove:
            self.prove(about["sha256"])
        return about

    def prove(self, sha256: str) -> None:
        proof = {"at": "2025-11-05T03:00:00Z", "sha256": sha256, "proven": True, "tables": None}
        proofs.add(proofs.path_of(str(self.folder / "proofs"), "shop"), proof, [])

    def options(self, **more: Any) -> dict[str, Any]:
        given = {
            **self.login, "database": "shop", "source": f"{self.folder}/backups/shop-*",
            "directory": str(self.folder / "restores"), "proofs": str(self.folder / "proofs"), **more,
        }  # fmt: skip
        validated = ArgumentSpecValidator(restoring.OPTIONS).validate(given)
        assert not validated.error_messages
        restoring.validate(validated.validated_parameters)
        return dict(validated.validated_parameters)

    def restore(self, *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        warnings: list[str] = []
        result = restoring.restore(self.options(**more), check_mode=check_mode, warn=warnings.append)
        return {**result, "warnings": warnings}

    def restore_for_real(self, **more: Any) -> dict[str, Any]:
        return self.restore(**more, token=self.restore(**more)["token"])

    def record(self) -> dict[str, Any]:
        path = max((self.folder / "restores").glob("restore-shop-*.json"))
        assert os.stat(path).st_mode & 0o777 == 0o600
        return dict(json.loads(path.read_text()))


@pytest.fixture(params=["mysql", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    server = request.getfixturevalue("mariadb" if request.param == "mysql" else "postgresql")
    one = Shop(server, tmp_path)
    one.clear()
    server.sql("CREATE DATABASE shop", "mysql" if one.mysql else "postgres")
    one.sql(TABLES)
    if one.mysql:
        for statement in MYSQL_CODE.strip().splitlines():
            one.sql(statement)
    yield one
    one.clear()
    if one.mysql:
        assert one.sql("SELECT User FROM mysql.user WHERE User LIKE 'sre_restore%'", "mysql") == "", (
            "nobody is left behind"
        )


def damage(shop: Shop) -> None:
    """What a restore is needed for."""
    shop.sql("DELETE FROM orders WHERE id = 8; UPDATE customers SET name = 'gone'; CREATE TABLE junk (id int)")


def test_a_preview_says_what_would_be_done_and_does_nothing(shop: Shop) -> None:
    about = shop.back_up()
    damage(shop)
    before = shop.state()
    result = shop.restore()
    assert re.fullmatch("[0-9a-f]{16}", result["token"])
    assert result["preview"]["backup"] == about["path"]
    assert result["preview"]["proven"] == "2025-11-05T03:00:00Z"
    assert result["preview"]["tables"] == ["customers", "junk", "orders"]
    assert "everything that was written to shop since" in result["preview"]["lost"]
    assert not result["restored"]
    assert (shop.state(), shop.databases()) == (before, ["shop"])
    assert not (shop.folder / "restores").exists()
    assert shop.restore(check_mode=True, token=result["token"])["restored"] is False
    assert not (shop.folder / "restores").exists()


def test_a_restore_brings_everything_back_and_keeps_what_was_there(shop: Shop) -> None:
    good = shop.state()
    shop.back_up()
    damage(shop)
    result = shop.restore_for_real()
    assert shop.state() == good
    assert shop.databases() == sorted(["shop", result["kept"]])
    assert shop.sql("SELECT count(*) FROM orders", result["kept"]) == "2"
    assert shop.sql("SELECT name FROM customers WHERE id = 1", result["kept"]) == "gone"
    (saved,) = (shop.folder / "restores").glob("shop-before-restore-*[!n]")
    assert saved.stat().st_size
    record = shop.record()
    assert record["outcome"] == "restored"
    assert [step["step"] for step in record["steps"]][-2:] == ["verify", "swap"]
    shop.sql("INSERT INTO orders VALUES (10, 1, 'new')")
    expected = "noted new" if shop.mysql else "new"
    assert shop.sql("SELECT note FROM orders WHERE id = 10") == expected, "triggers are where they were"


def test_a_database_that_is_gone_is_restored(shop: Shop) -> None:
    good = shop.state()
    shop.back_up()
    shop.clear()
    result = shop.restore_for_real()
    assert shop.state() == good
    assert (shop.databases(), result["kept"]) == (["shop"], None)


def test_a_restore_beside_leaves_the_database_alone(shop: Shop) -> None:
    shop.back_up()
    damage(shop)
    before = shop.state()
    result = shop.restore_for_real(swap=False)
    assert shop.state() == before
    assert shop.sql("SELECT count(*) FROM orders", result["side"]) == "3"
    assert result["status"] == "ok"
    again = shop.restore()
    assert (again["preview"]["leftovers"], statuses(again)["interrupted"]) == ([], "ok"), "nobody has broken it off"
    shop.restore_for_real()
    assert result["side"] in shop.databases(), "it stays until somebody drops it"


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_who_may_connect_and_settings_go_over(shop: Shop) -> None:
    shop.sql(
        "DROP ROLE IF EXISTS web; CREATE ROLE web; REVOKE ALL ON DATABASE shop FROM PUBLIC;"
        " GRANT CONNECT ON DATABASE shop TO web; ALTER DATABASE shop SET work_mem TO '7MB';"
        " ALTER DATABASE shop SET search_path TO public, audit"
    )
    asked = (
        "SELECT d.datacl, s.setconfig FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid"
        " WHERE datname = 'shop'"
    )
    before = shop.sql(asked)
    shop.back_up()
    shop.restore_for_real()
    assert shop.sql(asked) == before
    shop.clear()
    shop.server.sql("DROP ROLE web", "postgres")


@pytest.mark.parametrize("shop", ["mysql"], indirect=True)
def test_everything_that_belongs_to_a_database_changes_places(shop: Shop) -> None:
    shop.sql("CREATE SEQUENCE numbers START WITH 100; SELECT NEXTVAL(numbers)")
    shop.sql("CREATE TABLE versioned (id int PRIMARY KEY) WITH SYSTEM VERSIONING; INSERT INTO versioned VALUES (1)")
    good = shop.state()
    shop.back_up()
    damage(shop)
    shop.sql("DROP SEQUENCE numbers; DELETE FROM versioned; CREATE VIEW newer AS SELECT id FROM junk")
    shop.sql("CREATE PROCEDURE newer() SELECT 1; CREATE EVENT newer ON SCHEDULE EVERY 1 DAY DO DELETE FROM junk")
    assert shop.restore_for_real()["status"] == "ok"
    assert shop.state() == good, "and what the backup does not have is gone"
    assert shop.sql("SELECT count(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop'") == "0"
    assert int(shop.sql("SELECT NEXTVAL(numbers)")) > 100
    assert shop.sql("SELECT id FROM versioned") == "1"
    with pytest.raises(AssertionError, match="foreign key constraint fails"):
        shop.sql("INSERT INTO orders VALUES (11, 99, 'of nobody')")


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_applications_that_come_back_at_once_do_not_keep_it_from_being_swapped(shop: Shop) -> None:
    good = shop.state()
    shop.back_up()
    damage(shop)
    token = shop.restore()["token"]
    over = threading.Event()

    def application() -> None:
        while not over.is_set():
            with contextlib.suppress(subprocess.CalledProcessError):
                shop.sql("SELECT pg_sleep(30)")

    applications = [threading.Thread(target=application) for _each in range(3)]
    for one in applications:
        one.start()
    try:
        assert shop.restore(token=token)["status"] == "ok"
    finally:
        over.set()
        shop.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)'")
        for one in applications:
            one.join()
    assert shop.state() == good


# What is measured


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {check["id"].partition(".")[2]: check["status"] for check in result["checks"]}


def summaries(result: dict[str, Any]) -> dict[str, str]:
    return {check["id"].partition(".")[2]: check["summary"] for check in result["checks"]}


def test_a_preview_says_that_it_is_one_and_a_restore_what_is_there(shop: Shop) -> None:
    shop.back_up()
    damage(shop)
    result = shop.restore()
    assert statuses(result) == {"interrupted": "ok", "restored": "warning", "schema": "skipped", "rows": "skipped"}
    begin = (
        f"preview only, nothing was touched; with the token {result['token']} {result['preview']['backup']}, taken at"
    )
    assert summaries(result)["restored"].startswith(begin)
    result = shop.restore(token=result["token"])
    assert set(statuses(result).values()) == {"ok"}
    assert summaries(result)["rows"] == "shop has 5 rows, in no table other than in the backup"
    assert {check["id"] for check in result["checks"]} == set(restoring.CHECKS)


def test_a_database_that_is_not_what_the_manifest_says_is_red(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.back_up()
    place = restoring._PLACES[shop.login["engine"]]
    real = place.swap

    def swapped(self: Any, *, exists: bool) -> None:
        real(self, exists=exists)
        shop.sql(
            "DELETE FROM orders WHERE id = 9; ALTER TABLE customers ADD COLUMN more int; CREATE TABLE junk (id int)"
        )

    monkeypatch.setattr(place, "swap", swapped)
    result = shop.restore_for_real()
    assert statuses(result) == {"interrupted": "ok", "restored": "ok", "schema": "critical", "rows": "critical"}
    assert "table junk was not there; column customers.more was not there" in summaries(result)["schema"]
    assert summaries(result)["rows"] == "orders has 2 rows, and 3 in the backup, which is 33.33 % off"
    assert result["status"] == "critical"


def test_a_database_that_cannot_be_asked_is_unknown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.back_up()
    server = type(restoring.client.connect(shop.login, 0))
    real = server.facts

    def facts(self: Any, database: str, like: Any = None) -> Any:
        if database == "shop" and like:
            raise restoring.Refused("Server has gone away")
        return real(self, database, like)

    monkeypatch.setattr(server, "facts", facts)
    result = shop.restore_for_real()
    assert statuses(result) == {"interrupted": "ok", "restored": "ok", "schema": "unknown", "rows": "skipped"}
    assert summaries(result)["schema"] == "shop could not be asked after the restore: Server has gone away"


# Which backup


def test_only_a_proven_backup_is_taken_unless_told_otherwise(shop: Shop) -> None:
    with pytest.raises(restoring.Failed, match="there is no backup at"):
        shop.restore()
    newest = shop.back_up(prove=False)
    with pytest.raises(restoring.Failed, match="none of 1 backups has been proven"):
        shop.restore()
    result = shop.restore(choose="newest")
    assert (result["preview"]["backup"], result["preview"]["proven"]) == (newest["path"], None)
    shop.prove(newest["sha256"])
    assert shop.restore()["preview"]["backup"] == newest["path"]


def test_the_newest_until_a_time_is_taken(shop: Shop) -> None:
    about = shop.back_up()
    for stamp in ("20251104T020000Z", "20251105T020000Z"):
        for ending in ("", ".manifest.json"):
            path = Path(about["path"] + ending)
            path.with_name(re.sub(r"\d{8}T\d{6}Z", stamp, path.name)).write_bytes(path.read_bytes())
    assert "20251104T020000Z" in shop.restore(at="2025-11-05T01:59:59Z")["preview"]["backup"]
    assert "20251105T020000Z" in shop.restore(at="2025-11-05T02:00:00Z")["preview"]["backup"]
    with pytest.raises(restoring.Failed, match=r"the oldest, shop-20251104T020000Z\."):
        shop.restore(at="2025-01-01T00:00:00Z")


# What is refused


def test_a_token_is_only_good_for_what_was_seen(shop: Shop) -> None:
    shop.back_up()
    token = shop.restore()["token"]
    shop.sql("CREATE TABLE junk (id int)")
    before = shop.state()
    with pytest.raises(restoring.Failed, match="has changed since the preview"):
        shop.restore(token=token)
    with pytest.raises(restoring.Failed, match="refused"):
        shop.restore(token="0123456789abcdef")
    assert (shop.state(), shop.databases()) == (before, ["shop"])


@pytest.mark.parametrize("database", ["mysql", "postgres", "template1", "SHOP"])
def test_databases_of_the_server_and_protected_ones_are_refused(shop: Shop, database: str) -> None:
    shop.back_up()
    with pytest.raises(restoring.Failed, match="is protected"):
        shop.restore(database=database, protected=["sho*"])


def plain(shop: Shop, path: str) -> bytes:
    content = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
    if shop.mysql:
        return content
    return subprocess.run(["pg_restore", "-f", "-"], input=content, check=True, capture_output=True).stdout


@pytest.fixture
def broken(shop: Shop) -> Callable[[Callable[[bytes], bytes]], Path]:
    """Make a backup of the good one, changed, under its manifest."""

    def make(change: Callable[[bytes], bytes]) -> Path:
        about = shop.back_up(prove=False)
        path = shop.folder / "backups" / "shop-broken.sql.gz"
        content = gzip.compress(change(plain(shop, about["path"])))
        path.write_bytes(content)
        facts = json.loads(Path(about["manifest"]).read_text())
        del facts["dump"]
        path.with_name(path.name + ".manifest.json").write_text(json.dumps(facts))
        return path

    return make


def with_first(statement: bytes) -> Callable[[bytes], bytes]:
    """The dump with a statement before the first table."""
    return lambda content: content.replace(b"CREATE TABLE", statement + b"\nCREATE TABLE", 1)


CASES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut off": (lambda content: content[: content.rindex(b"\n", 0, -200)], "without the line that says|was cut off|load: "),
    "no table": (lambda content: b"SELECT 1;\n", "there is not one table"),
    "rows are missing": (
        lambda content: re.sub(rb"(?m),?\n?\(9,2,'z'\)|^9\t2\tz\n", b"", content).replace(b"(9,2,'z')", b""),
        "orders has 2 rows instead of 3",
    ),
    "a column has changed": (
        lambda content: re.sub(rb"(varchar|varying)\(50\)", rb"\1(60)", content),
        "column customers.name was",
    ),
    "a statement is wrong": (with_first(b"FROBNICATE;"), "load: "),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_backup_that_is_not_as_it_should_be_leaves_the_database_as_it_was(
    shop: Shop, broken: Callable[[Callable[[bytes], bytes]], Path], case: str
) -> None:
    change, reason = CASES[case]
    path = broken(change)
    before = shop.state()
    with pytest.raises(restoring.Failed, match=reason):
        shop.restore_for_real(source=str(path), choose="newest")
    assert (shop.state(), shop.databases()) == (before, ["shop"]), "nothing was touched and nothing is left"
    assert shop.record()["outcome"].startswith("failed: ")


@pytest.mark.parametrize(
    ("to_mysql", "to_postgresql"),
    [
        (b"USE `shop_live`;", b"\\connect shop_live"),
        (b"DROP DATABASE `shop`;", b"DROP DATABASE shop;"),
        (b"DELETE FROM `shop`.`orders`;", b"\\! touch /tmp/x"),
        (b"SELECT 1; DELETE FROM shop.orders;", b"COPY customers FROM PROGRAM 'id';"),
    ],
    ids=["another database", "drop", "by its full name", "hidden or a program"],
)
def test_a_dump_cannot_reach_what_is_there(
    shop: Shop, broken: Callable[[Callable[[bytes], bytes]], Path], to_mysql: bytes, to_postgresql: bytes
) -> None:
    path = broken(with_first(to_mysql if shop.mysql else to_postgresql))
    before = shop.state()
    with pytest.raises(restoring.Failed, match=r"reaches out of the database|denied"):
        shop.restore_for_real(source=str(path), choose="newest")
    assert (shop.state(), shop.databases()) == (before, ["shop"])


@pytest.mark.parametrize("shop", ["mysql"], indirect=True)
def test_a_dump_that_carries_its_own_database_along_is_loaded_beside_it(shop: Shop) -> None:
    path = shop.folder / "shop-all.sql"
    command = ["mariadb-dump", "--no-defaults", "-uroot", "-S", shop.server.socket, "--routines", "--databases", "shop"]
    path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    good = shop.state()
    damage(shop)
    shop.restore_for_real(source=str(path), choose="newest", without_manifest=True)
    assert shop.state() == good


def test_a_backup_without_a_manifest_is_only_taken_when_told_to(shop: Shop) -> None:
    about = shop.back_up(prove=False)
    os.unlink(about["manifest"])
    with pytest.raises(restoring.Failed, match="has no manifest to verify it by"):
        shop.restore_for_real(choose="newest")
    result = shop.restore_for_real(choose="newest", without_manifest=True)
    assert any("there is no manifest" in str(step) for step in result["steps"])
    assert statuses(result)["schema"] == "unknown"
    assert summaries(result)["schema"] == "there is no manifest of the backup to compare shop with"


# A restore that is killed


def _first_part(where: str) -> Callable[..., Any]:
    """Run statements until the first that begins so, then die. A transaction that was begun is never ended."""

    def sql(real: Callable[..., Any], server: Any, statements: str, database: str | None = None) -> Any:
        if where not in statements:
            return real(server, statements, database)
        real(server, statements[: statements.index(where)], database)
        return os.kill(os.getpid(), signal.SIGKILL)

    return sql


def _within(place: Any, name: str, deadly: Callable[..., Any]) -> None:
    real = getattr(place, name)
    setattr(place, name, lambda *arguments, **options: deadly(real, *arguments, **options))


def _half_of_it(real: Callable[..., Any], server: Any, argv: Any, chunks: Iterator[bytes]) -> None:
    """Load the first half of a dump, then die."""

    def half() -> Iterator[bytes]:
        content = b"".join(chunks)
        yield content[: len(content) // 2]
        os.kill(os.getpid(), signal.SIGKILL)

    real(server, argv, half())


MYSQL, POSTGRESQL = restoring._Mysql, restoring._Postgresql
ANYWHERE: dict[str, Callable[[], None]] = {
    "while what is there is backed up": lambda: die_when_called(restoring.taking, "_stream", after=True),
    "while it is loaded": lambda: _within(restoring.client.Server, "_through", _half_of_it),
    "before it is verified": lambda: die_when_called(restoring._Restore, "_verify"),
}
MOMENTS: dict[str, dict[str, Callable[[], None]]] = {
    "mysql": {
        **ANYWHERE,
        "before the journal": lambda: die_when_called(MYSQL, "swap"),
        "before the journal is written to its end": lambda: _within(
            restoring.client.Mysql, "sql", _first_part("INSERT INTO `shop_restore_")
        ),
        "before the triggers are dropped": lambda: _within(restoring.client.Mysql, "sql", _first_part("DROP TRIGGER")),
        "before the tables are renamed": lambda: _within(restoring.client.Mysql, "sql", _first_part("RENAME TABLE")),
        "after the tables are renamed": lambda: die_when_called(MYSQL, "_finish"),
        "before the triggers are made anew": lambda: die_when_called(MYSQL, "_create_views", after=True),
        "before the database beside is dropped": lambda: die_when_called(
            MYSQL, "drop", lambda _place, name: "_restore_" in name
        ),
        "before the journal is removed": lambda: die_when_called(
            MYSQL, "drop", lambda _place, name: "_restore_" in name, after=True
        ),
    },
    "postgresql": {
        **ANYWHERE,
        "before they change names": lambda: die_when_called(POSTGRESQL, "swap"),
        "between the two names": lambda: _within(
            restoring.client.Postgresql, "sql", _first_part('ALTER DATABASE "shop_restore_')
        ),
        "before the end of the transaction": lambda: _within(restoring.client.Postgresql, "sql", _first_part("COMMIT")),
        "after they changed names": lambda: die_when_called(POSTGRESQL, "swap", after=True),
    },
}
"""When a run dies → how that is brought about, in its own process."""
HALF_WAY = list(MOMENTS["mysql"])[5:]
"""The moments at which the journal is needed."""
SWAPPED = [*list(MOMENTS["mysql"])[7:], "after they changed names"]
EVERY_MOMENT = [
    pytest.param(engine, moment, id=f"{engine}-{moment}") for engine in MOMENTS for moment in MOMENTS[engine]
]


def restore_and_die() -> None:
    """A process that restores and is killed at a moment: both are read from the standard input."""
    given = json.load(sys.stdin)
    MOMENTS[given["options"]["engine"]][given["moment"]]()
    restoring.restore(given["options"], check_mode=False, warn=print)


def die(shop: Shop, moment: str, **more: Any) -> None:
    options = shop.options(**more)
    options["token"] = shop.restore(**more)["token"]
    (shop.folder / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import restore_and_die; restore_and_die()"],
        input=json.dumps({"options": options, "moment": moment}), text=True, capture_output=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "collections"), "TMPDIR": str(shop.folder / "tmp")},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, f"it did not come to that moment: {done.stdout}{done.stderr}"
    assert list((shop.folder / "tmp").iterdir()) == []
    assert "broken off, at the step: " in shop.record()["outcome"]


@pytest.mark.parametrize(("shop", "moment"), EVERY_MOMENT, indirect=["shop"])
def test_a_restore_that_is_killed_leaves_all_old_or_all_new_and_the_next_run_says_which_and_repairs_it(
    shop: Shop, moment: str
) -> None:
    good = shop.state()
    about = shop.back_up()
    damage(shop)
    bad = shop.state()
    die(shop, moment)
    tables, expected = shop.tables(), good if moment in SWAPPED else bad
    assert tables == expected[: len(tables)], "no table is missing and none is of the other state"
    if moment not in HALF_WAY:
        assert shop.state() == expected, "triggers, routines and views as well"

    preview = shop.restore()
    found = {check["id"]: check for check in preview["checks"]}["database_restore.interrupted"]
    left = [name for name in shop.databases() if "_restore_" in name]
    assert preview["preview"]["leftovers"] == left
    assert found["status"] == ("critical" if moment in HALF_WAY else "warning" if left else "ok")
    if moment in HALF_WAY:
        assert ("in the place of shop already" if moment in SWAPPED else "are as they were") in found["summary"]
    assert preview["preview"]["finish"] == (moment in HALF_WAY and moment in SWAPPED)
    assert preview["preview"]["backup"] == about["path"]

    result = shop.restore(token=preview["token"])
    assert result["status"] == "ok", result["checks"]
    assert shop.state() == good
    kept = [name for name in shop.databases() if name != "shop"]
    assert result["kept"] in kept
    assert len(kept) == 1 + (moment == "after they changed names"), "that one had been a whole restore"
    assert shop.sql("SELECT name FROM customers WHERE id = 1", kept[0]) == "gone"
    assert not [name for name in os.listdir(shop.folder / "restores") if ".part" in name]
    assert not list((shop.folder / "restores" / ".work").glob("*"))
    again = {check["id"]: check["status"] for check in shop.restore()["checks"]}
    assert again["database_restore.interrupted"] == "ok", "nothing is left beside it"


@pytest.mark.parametrize("shop", ["mysql"], indirect=True)
@pytest.mark.parametrize("moment", HALF_WAY[:2])
def test_what_was_killed_is_put_back_also_when_the_next_restore_fails(
    shop: Shop, broken: Callable[[Callable[[bytes], bytes]], Path], moment: str
) -> None:
    path = broken(with_first(b"FROBNICATE;"))
    damage(shop)
    before = shop.state()
    die(shop, moment, source=f"{shop.folder}/backups/shop-2*", choose="newest")
    with pytest.raises(restoring.Failed, match="load: "):
        shop.restore_for_real(source=str(path), choose="newest")
    assert (shop.state(), shop.databases()) == (before, ["shop"])


@pytest.mark.parametrize("shop", ["mysql"], indirect=True)
@pytest.mark.parametrize("moment", ["before the tables are renamed", "after the tables are renamed"])
def test_a_restore_of_a_database_that_is_gone_is_repaired_as_well(shop: Shop, moment: str) -> None:
    good = shop.state()
    shop.back_up()
    shop.clear()
    die(shop, moment)
    result = shop.restore_for_real()
    assert (shop.state(), shop.databases(), result["kept"]) == (good, ["shop"], None)


def test_what_a_killed_restore_has_left_is_seen_and_removed_by_the_next(shop: Shop) -> None:
    shop.back_up()
    shop.server.sql("CREATE DATABASE shop_restore_20251105t020000z", "mysql" if shop.mysql else "postgres")
    shop.server.sql("CREATE DATABASE shop_restored", "mysql" if shop.mysql else "postgres")
    if shop.mysql:
        shop.sql("CREATE USER 'sre_restore_20251105t020000z'@'%'")
    assert shop.restore()["preview"]["leftovers"] == ["shop_restore_20251105t020000z"]
    result = shop.restore_for_real()
    assert shop.databases() == sorted(["shop", "shop_restored", result["kept"]])


def test_two_restores_do_not_meet(shop: Shop) -> None:
    shop.back_up()
    token = shop.restore()["token"]
    with (
        backup.alone(str(shop.folder / "restores"), "restore-shop"),
        pytest.raises(restoring.Failed, match="is being taken"),
    ):
        shop.restore(token=token)


def test_a_swap_that_the_server_refuses_is_taken_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.back_up()
    damage(shop)
    before = shop.state()
    real = type(restoring.client.connect(shop.login, 0)).sql

    def refusing(self: Any, statements: str, database: str | None = None) -> Any:
        if "RENAME T" in statements:
            raise restoring.Refused("not today")
        return real(self, statements, database)

    monkeypatch.setattr(type(restoring.client.connect(shop.login, 0)), "sql", refusing)
    with pytest.raises(restoring.Failed, match="not today"):
        shop.restore_for_real()
    monkeypatch.undo()
    assert (shop.state(), shop.databases()) == (before, ["shop"])


@pytest.mark.parametrize("shop", ["mysql"], indirect=True)
def test_tables_that_somebody_uses_are_waited_for_and_then_left_as_they_were(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sql("CREATE TRIGGER first BEFORE INSERT ON customers FOR EACH ROW SET NEW.name = 'first'")
    shop.back_up()
    damage(shop)
    before = shop.state()
    monkeypatch.setattr(restoring._Mysql, "PATIENCE", 1)
    with contextlib.closing(
        pymysql.connect(unix_socket=shop.server.socket, user="root", database="shop")
    ) as application:
        application.begin()
        application.cursor().execute("SELECT COUNT(*) FROM orders")
        with pytest.raises(restoring.Failed, match="Lock wait timeout"):
            shop.restore_for_real()
    assert (shop.state(), shop.databases()) == (before, ["shop"]), (
        "with all triggers, although one could have been dropped"
    )


@pytest.mark.parametrize(("more", "reason"), [({"at": "yesterday"}, "no time"), ({"database": "x" * 50}, "no room")])
def test_what_cannot_be_meant_is_refused(shop: Shop, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadOption, match=reason):
        shop.restore(**more)


# The role


def test_the_role_shows_the_token_first_and_restores_with_it(shop: Shop) -> None:
    good = shop.state()
    shop.back_up()
    damage(shop)
    login = {f"restore_database_{key}": value for key, value in shop.login.items()}
    variables = {
        **login, "restore_database_database": "shop", "restore_database_source": f"{shop.folder}/backups/shop-*",
        "restore_database_directory": f"{shop.folder}/restores", "restore_database_choose": "newest",
    }  # fmt: skip
    role = {
        "name": "Restore",
        "ansible.builtin.include_role": {"name": "sre.runbooks.restore_database"},
        "vars": variables,
    }
    first = Site(shop.folder, {"sre_fail_on": "never"}).run([role], "-vvv")
    assert first.rc == 0, first.output
    token = re.search(r"with\s+the\s+token\s+([0-9a-f]{16})", first.output)
    assert token, first.output
    assert "changed=0" in first.output
    assert first.facts["verdict"] == "warning"
    (preview,) = first.of("database_restore.restored")
    assert preview["summary"].startswith("preview only, nothing was touched; with the token ")
    second = Site(shop.folder, {"sre_fail_on": "never"}).run([role], "-vvv", "-e", f"restore_database_token={token[1]}")
    assert second.rc == 0, second.output
    assert second.facts["verdict"] == "ok"
    assert {record["id"] for record in second.records if record["status"] == "ok"} >= set(restoring.CHECKS)
    assert shop.state() == good
    third = Site(shop.folder, {"sre_fail_on": "critical"}).run([role], "-e", f"restore_database_token={token[1]}")
    assert (third.rc != 0, third.facts["verdict"]) == (True, "unknown")
    assert "has changed since the preview" in third.of("database_restore.restored")[0]["summary"]
    assert "secret-of-admin" not in first.output + second.output
