# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Production, as far as tests of backups have one: a shop in a real MariaDB and in a real PostgreSQL, and good dumps of it.

The fixtures are known everywhere below tests/integration, by conftest.py.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest
from ansible_collections.sre.runbooks.tests.integration import broken_backups
from ansible_collections.sre.runbooks.tests.integration.broken_backups import DAY, Good, run

if TYPE_CHECKING:  # conftest imports us
    from ansible_collections.sre.runbooks.tests.integration.conftest import Mariadb, Postgresql

ROWS = 2000


@pytest.fixture(scope="session")
def age_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return broken_backups.keys_in(tmp_path_factory.mktemp("keys"))


# MariaDB

SHOP = """
CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
CREATE TABLE customers (id int AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, mail varchar(100), UNIQUE (mail));
CREATE TABLE orders (id int AUTO_INCREMENT PRIMARY KEY, customer int NOT NULL, note text, photo blob, at datetime, paid decimal(9,2),
  FOREIGN KEY (customer) REFERENCES customers (id));
CREATE TABLE `empty one` (id int PRIMARY KEY);
INSERT INTO customers (name, mail) SELECT CONCAT('Zoë Müller ', seq), CONCAT('c', seq, '@example.org') FROM seq_1_to_200;
INSERT INTO orders (customer, note, photo, at, paid) SELECT 1 + seq % 200, CONCAT('line one\\nUSE production; line ', seq),
  UNHEX(SHA2(seq, 256)), '{day} 00:00:00' + INTERVAL seq SECOND, seq / 7 FROM seq_1_to_{rows};
CREATE VIEW recent AS SELECT * FROM orders ORDER BY at DESC LIMIT 10;
CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.at = COALESCE(NEW.at, NOW());
DELIMITER ;;
CREATE PROCEDURE tidy()
BEGIN
  DELETE FROM orders WHERE id < 0;
END;;
DELIMITER ;
CREATE DATABASE production; CREATE TABLE production.users (id int PRIMARY KEY); INSERT INTO production.users VALUES (1), (2);
CREATE DATABASE blog; CREATE TABLE blog.posts (id int PRIMARY KEY); INSERT INTO blog.posts VALUES (1);
"""


def client(server: Mariadb, statement: str) -> list[list[str]]:
    text = f"{_manifest.SESSION['mysql']};\n{statement};\n".encode()
    raw = run("mariadb", "--no-defaults", "-uroot", "-S", server.socket, "-BN", "shop", stdin=text)
    return [line.split("\t") for line in raw.decode().splitlines()]


def dump(server: Mariadb, *options: str, database: str = "shop") -> bytes:
    first = [option for option in options if option.startswith("--skip") or not option.startswith("--no-c")]
    return run(
        "mariadb-dump", "--no-defaults", "-uroot", "-S", server.socket, "--single-transaction", "--routines", "--triggers",
        "--events", *first, *(option for option in options if option not in first), database,
    )  # fmt: skip


@pytest.fixture(scope="session")
def shop(shop_server: Mariadb) -> Mariadb:
    """Production: the database that was dumped, and one that no dump of it may touch."""
    text = SHOP.replace("{day}", DAY).replace("{rows}", str(ROWS))
    run("mariadb", "--no-defaults", "-uroot", "-S", shop_server.socket, stdin=text.encode())
    return shop_server


@pytest.fixture(scope="session")
def shop_manifest(shop: Mariadb) -> dict[str, Any]:
    return {**_manifest.take(functools.partial(client, shop), "mysql", "shop"), "taken": f"{DAY}T02:00:00Z"}


@pytest.fixture(scope="session")
def shop_dump(shop: Mariadb) -> bytes:
    return dump(shop)


@pytest.fixture
def good(shop: Mariadb, shop_dump: bytes, shop_manifest: dict[str, Any], age_keys: Path, tmp_path: Path) -> Good:
    place = tmp_path / "backups"
    place.mkdir()
    return Good(
        place, functools.partial(dump, shop), lambda: dump(shop, database="blog"), shop_dump,
        json.loads(json.dumps(shop_manifest)), age_keys,
    )  # fmt: skip


def checksum(server: Mariadb) -> str:
    """Everything that production holds."""
    tables = server.sql(
        "SELECT CONCAT('`', TABLE_SCHEMA, '`.`', TABLE_NAME, '`') FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'"
        " AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'sys')"
        " AND TABLE_NAME NOT IN ('innodb_table_stats', 'innodb_index_stats', 'transaction_registry', 'slow_log', 'general_log')"
    ).splitlines()
    return server.sql(f"SHOW DATABASES; CHECKSUM TABLE {', '.join(tables)}")


# PostgreSQL

BOT = """
CREATE ROLE web; CREATE ROLE owner_of_shop;
CREATE DATABASE shop OWNER owner_of_shop;
\\connect shop
CREATE EXTENSION pg_trgm;
CREATE SCHEMA extra;
CREATE TABLE customers (id serial PRIMARY KEY, name character varying(100) NOT NULL);
CREATE TABLE orders (id serial PRIMARY KEY, customer int NOT NULL REFERENCES customers, note text, photo bytea,
  at timestamptz, paid numeric(9,2));
CREATE TABLE extra.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
CREATE TABLE events (id int, at timestamptz) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (1000);
INSERT INTO customers (name) SELECT 'Zoë Müller ' || n FROM generate_series(1, 200) n;
INSERT INTO orders (customer, note, photo, at, paid) SELECT 1 + n % 200, E'line one\\n\\\\connect production ' || n, sha256(n::text::bytea),
  '{day} 00:00:00+00'::timestamptz + n * interval '1 second', n / 7.0 FROM generate_series(1, {rows}) n;
INSERT INTO extra.notes (note) VALUES ('one'), ('two');
INSERT INTO events VALUES (5, '{day} 00:00:00+00');
CREATE INDEX ON orders USING gin (note gin_trgm_ops);
CREATE VIEW recent AS SELECT * FROM orders ORDER BY at DESC LIMIT 10;
CREATE MATERIALIZED VIEW totals AS SELECT customer, sum(paid) FROM orders GROUP BY 1;
CREATE FUNCTION tidy() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
  -- USE production;
  DELETE FROM orders WHERE id < 0; RETURN 1; END $f$;
ALTER TABLE orders OWNER TO owner_of_shop;
GRANT SELECT ON orders TO web;
GRANT SELECT ON extra.notes TO PUBLIC;
"""


def psql(server: Postgresql, statement: str) -> list[list[str]]:
    text = f"{_manifest.SESSION['postgresql']};\n{statement};\n".encode()
    raw = run("psql", "-XAtq", "--csv", "-v", "ON_ERROR_STOP=1", "-d", server.url("shop"), "-f", "-", stdin=text)
    return list(csv.reader(io.StringIO(raw.decode())))


def pg_dump(server: Postgresql, *options: str) -> bytes:
    return run("pg_dump", *options, "-d", server.url("shop"))


@pytest.fixture(scope="session")
def bot(bot_server: Postgresql) -> Postgresql:
    text = BOT.replace("{day}", DAY).replace("{rows}", str(ROWS))
    run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", bot_server.url(), "-c", "CREATE DATABASE production")
    bot_server.sql("CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1), (2)", "production")
    run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", bot_server.url(), "-f", "-", stdin=text.encode())
    run("psql", "-Xq", "-d", bot_server.url("shop"), "-c", "ANALYZE")
    return bot_server


@pytest.fixture(scope="session")
def bot_manifest(bot: Postgresql) -> dict[str, Any]:
    return {**_manifest.take(functools.partial(psql, bot), "postgresql", "shop"), "taken": f"{DAY}T02:00:00Z"}


@pytest.fixture(scope="session")
def bot_dump(bot: Postgresql) -> bytes:
    return pg_dump(bot)


@pytest.fixture
def good_pg(bot: Postgresql, bot_dump: bytes, bot_manifest: dict[str, Any], age_keys: Path, tmp_path: Path) -> Good:
    place = tmp_path / "backups"
    place.mkdir()
    other = functools.partial(run, "pg_dump", "-Fc", "-d", bot.url("production"))
    facts = json.loads(json.dumps(bot_manifest))
    return Good(place, functools.partial(pg_dump, bot), other, bot_dump, facts, age_keys)


def pg_checksum(server: Postgresql) -> str:
    digest = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t"
    tables = ("customers", "orders", "extra.notes", "events")
    return server.sql("SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database") + "".join(
        [
            *(server.sql(digest.format(table), "shop") for table in tables),
            server.sql(digest.format("users"), "production"),
        ]
    )
