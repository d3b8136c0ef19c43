# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sequences of real servers that would hand out a value that is taken, and those that would not."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest
from ansible_collections.sre.runbooks.tests.integration.broken_backups import run
from ansible_collections.sre.runbooks.tests.integration.conftest import Mariadb, Postgresql

Behind = Callable[[str], list[str]]


@pytest.fixture
def pg_behind(postgresql: Postgresql) -> Iterator[Behind]:
    """What is behind in a database that these statements have made."""
    postgresql.sql("CREATE DATABASE counting")

    def ask(statement: str) -> list[list[str]]:
        raw = run("psql", "-XAtq", "--csv", "-v", "ON_ERROR_STOP=1", "-d", postgresql.url("counting"), "-c", statement)
        return list(csv.reader(io.StringIO(raw.decode())))

    def behind(statements: str) -> list[str]:
        ask(statements)
        return _manifest.behind(ask, "postgresql", "counting")

    yield behind
    postgresql.sql("DROP DATABASE counting")


SERIAL = "CREATE TABLE t (id serial PRIMARY KEY, note text);"
DOWN = "CREATE SEQUENCE s INCREMENT -1; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'));"
SHARED = (
    "CREATE SEQUENCE s; CREATE TABLE t (id int DEFAULT nextval('s')); CREATE TABLE u (id int DEFAULT nextval('s'));"
)
FIFTIES = (
    "CREATE SEQUENCE s INCREMENT 50; CREATE TABLE t (id int); ALTER SEQUENCE s OWNED BY t.id; SELECT nextval('s');"
)
ODD = 'CREATE SCHEMA "An other"; CREATE TABLE "An other"."T" ("Id" serial);'
FULL = "CREATE TABLE t (id bigserial); INSERT INTO t VALUES (9223372036854775807); SELECT setval('t_id_seq', 9223372036854775807)"
PARTS = (
    "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, at int) PARTITION BY RANGE (at);"
    "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (9); INSERT INTO t (at) VALUES (1), (2);"
)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (SERIAL, []),
        (SERIAL + "SELECT setval('t_id_seq', 7)", []),
        (SERIAL + "INSERT INTO t (note) VALUES ('a'), ('b')", []),
        (SERIAL + "INSERT INTO t (id) VALUES (1)", ["t_id_seq"]),
        (SERIAL + "INSERT INTO t (id) VALUES (7); SELECT setval('t_id_seq', 6)", ["t_id_seq"]),
        (SERIAL + "INSERT INTO t (id) VALUES (7); SELECT setval('t_id_seq', 7)", []),
        (SERIAL + "INSERT INTO t (id) VALUES (7); SELECT setval('t_id_seq', 7, false)", ["t_id_seq"]),
        ("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY); INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (3)", ["t_id_seq"]),
        ("CREATE TABLE t (id serial, other int); ALTER TABLE t ALTER id DROP NOT NULL; INSERT INTO t VALUES (null, 1)", []),
        (DOWN, []),
        (DOWN + "INSERT INTO t VALUES (default), (default)", []),
        (DOWN + "INSERT INTO t VALUES (-2); SELECT nextval('s')", ["s"]),
        (DOWN + "INSERT INTO t VALUES (900)", []),
        (SHARED + "INSERT INTO t VALUES (default); INSERT INTO u VALUES (default)", []),
        (SHARED + "INSERT INTO u VALUES (4)", ["s"]),
        (SHARED + "INSERT INTO t VALUES (4); INSERT INTO u VALUES (5)", ["s"]),
        ("CREATE SEQUENCE s; CREATE TABLE t (id int); INSERT INTO t VALUES (9)", []),
        (FIFTIES + "INSERT INTO t VALUES (50)", []),
        (FIFTIES + "INSERT INTO t VALUES (51)", ["s"]),
        (PARTS, []),
        (PARTS + "SELECT setval('t_id_seq', 1)", ["t_id_seq"]),
        ("CREATE SEQUENCE s CYCLE MAXVALUE 3; CREATE TABLE t (id int DEFAULT nextval('s')); INSERT INTO t VALUES (3)", []),
        ("CREATE SEQUENCE s; CREATE TABLE t (id text DEFAULT 'A' || nextval('s')); INSERT INTO t VALUES ('A9')", []),
        ("CREATE SEQUENCE s; CREATE TABLE t (id bigint DEFAULT 8 * nextval('s')); INSERT INTO t VALUES (80)", []),
        (FULL, []),
        (ODD + 'INSERT INTO "An other"."T" VALUES (2)', ["An other.T_Id_seq"]),
    ],
)  # fmt: skip
def test_sequences_of_postgresql(pg_behind: Behind, statements: str, expected: list[str]) -> None:
    assert pg_behind(statements) == expected


MARIADB = "CREATE SEQUENCE `an s`; CREATE TABLE `a t` (id int DEFAULT nextval(`an s`));"
MARIADB_DOWN = "CREATE SEQUENCE s INCREMENT -1 MAXVALUE -1; CREATE TABLE t (id int DEFAULT nextval(s));"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY); INSERT INTO t VALUES (9)", []),
        (MARIADB, []),
        (MARIADB + "INSERT INTO `a t` VALUES (null)", []),
        (MARIADB + "INSERT INTO `a t` VALUES (2)", ["an s"]),
        (MARIADB + "INSERT INTO `a t` VALUES (2); DO setval(`an s`, 2)", []),
        (MARIADB + "INSERT INTO `a t` VALUES (2); DO setval(`an s`, 2, 0)", ["an s"]),
        (MARIADB_DOWN + "INSERT INTO t VALUES (default)", []),
        (MARIADB_DOWN + "INSERT INTO t VALUES (-1)", ["s"]),
        ("CREATE SEQUENCE s CYCLE MAXVALUE 3; CREATE TABLE t (id int DEFAULT nextval(s)); INSERT INTO t VALUES (3)", []),
        ("CREATE SEQUENCE s; CREATE TABLE t (id int); INSERT INTO t VALUES (9)", []),
    ],
)  # fmt: skip
def test_sequences_of_mariadb(mariadb: Mariadb, statements: str, expected: list[str]) -> None:
    def ask(statement: str) -> list[list[str]]:
        return [line.split("\t") for line in mariadb.sql(f"USE counting; {statement}").splitlines()]

    mariadb.sql("CREATE DATABASE counting")
    try:
        ask(statements)
        assert _manifest.behind(ask, "mysql", "counting") == expected
    finally:
        mariadb.sql("DROP DATABASE counting")
