# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of the newest row, as real servers tell it, and what they tell instead."""

from __future__ import annotations

import csv
import functools
import io
import re
import subprocess
import types
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest
from ansible_collections.sre.runbooks.plugins.module_utils._engine import Engine, Refused
from ansible_collections.sre.runbooks.plugins.module_utils._probe import restores
from ansible_collections.sre.runbooks.tests.integration.conftest import Mariadb, Postgresql

MORNING = 1762300800.0  # 2025-11-05 00:00:00 UTC
Newest = Callable[..., restores.Proof]


def client(*argv: str) -> list[list[str]]:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return list(csv.reader(io.StringIO(done.stdout), delimiter="\t"))


def newest(name: str, sql: Callable[[str], list[list[str]]], *columns: tuple[str, str]) -> restores.Proof:
    """What is found out of the newest rows of these columns, each a table and its column."""
    engine = types.SimpleNamespace(name=name, ask=lambda statement, timeout: sql(statement))
    proof = restores.Proof()
    target = {"newest": [{"table": table, "column": column} for table, column in columns], "query_timeout": 60}
    restores._newest_row(proof, target, cast("Engine", engine), _manifest.take(sql, name, "times"))
    return proof


@pytest.fixture(scope="module")
def mariadb_newest(mariadb: Mariadb) -> Iterator[Newest]:
    mariadb.sql(
        "CREATE DATABASE times; USE times; SET time_zone = '+02:00';"
        "CREATE TABLE rows_ (id int PRIMARY KEY, at datetime, stamped timestamp NULL, day date, far datetime, text varchar(20),"
        ' clock time, year_ year, seconds int, zero datetime, `it"s` datetime);'
        "CREATE TABLE `none` (at datetime); CREATE VIEW seen AS SELECT at FROM rows_; SET sql_mode = '';"
        "INSERT INTO rows_ VALUES (1, '2025-11-04', '2025-11-05 02:00:00', '2025-11-05', '9999-12-31', '2025-11-05 00:00:00',"
        " '05:00', 2025, 1762300800, '0000-00-00', '2025-11-05'), (2, '2025-11-05', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    argv = ["mariadb", "--no-defaults", "-uroot", "-S", mariadb.socket, "-BNr", "times", "-e"]

    def ask(statement: str) -> list[list[str]]:
        rows = client(*argv, f"{_manifest.SESSION['mysql']}; {statement}")
        return [[_manifest.NULL if value == "NULL" else value for value in row] for row in rows]

    yield functools.partial(newest, "mysql", ask)
    mariadb.sql("DROP DATABASE times")


@pytest.fixture(scope="module")
def postgresql_newest(postgresql: Postgresql) -> Iterator[Newest]:
    postgresql.sql("CREATE DATABASE times")
    postgresql.sql(
        "CREATE TABLE rows_ (id int PRIMARY KEY, at timestamp, stamped timestamptz, day date, far timestamp, endless timestamptz,"
        ' text varchar(20), clock time, span interval, seconds int, "it""s" timestamp);'
        'CREATE TABLE "none" (at timestamptz); CREATE VIEW seen AS SELECT at FROM rows_;'
        "INSERT INTO rows_ VALUES (1, '2025-11-04', '2025-11-05 02:00:00+02', '2025-11-05', '9999-12-31', 'infinity',"
        " '2025-11-05', '05:00', '5 h', 1762300800, '2025-11-05'); INSERT INTO rows_ VALUES (2, '2025-11-05')",
        "times",
    )
    argv = [
        "psql",
        "-XAtq",
        "-F",
        "\t",
        "-P",
        f"null={_manifest.NULL}",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        postgresql.url("times"),
    ]

    def ask(statement: str) -> list[list[str]]:
        return client(*argv, "-c", f"{_manifest.SESSION['postgresql']};", "-c", statement)

    yield functools.partial(newest, "postgresql", ask)
    postgresql.sql("DROP DATABASE times")


BOTH = [
    ("at", MORNING), ("stamped", MORNING), ("day", MORNING), ("far", 253402214400.0), ('it"s', MORNING),
    ("clock", "it is time.*, which is no time"), ("seconds", "it is int.*, which is no time"), ("gone", "(?i)column.*gone"),
]  # fmt: skip


def judge(proof: restores.Proof, column: str, expected: float | str) -> None:
    if isinstance(expected, float):
        assert (proof.newest, proof.newest_problem) == (expected, "")
    else:
        assert proof.newest is None
        assert proof.newest_problem.startswith(f"rows_.{column} does not tell the age of the newest row: ")
        assert re.search(expected, proof.newest_problem), proof.newest_problem


@pytest.mark.parametrize(
    ("column", "expected"),
    [*BOTH, ("text", MORNING), ("year_", "it is year"), ("zero", "lies before 1970")],
)
def test_mariadb_tells_the_time_of_the_newest_row_or_why_not(
    mariadb_newest: Newest, column: str, expected: float | str
) -> None:
    judge(mariadb_newest(("rows_", column)), column, expected)


@pytest.mark.parametrize(
    ("column", "expected"),
    [*BOTH, ("text", "extract"), ("span", "it is interval"), ("endless", "no number: 'Infinity'")],
)
def test_postgresql_tells_the_time_of_the_newest_row_or_why_not(
    postgresql_newest: Newest, column: str, expected: float | str
) -> None:
    judge(postgresql_newest(("rows_", column)), column, expected)


@pytest.mark.parametrize("server", ["mariadb", "postgresql"])
def test_every_column_that_is_named_has_to_tell_a_time(server: str, request: pytest.FixtureRequest) -> None:
    ask: Newest = request.getfixturevalue(f"{server}_newest")
    assert ask(("rows_", "at"), ("seen", "at")).newest == MORNING
    assert ask(("rows_", "at"), ("rows_", "far")).newest_by == "the newest row of rows_.far"
    for broken, reason in ((("none", "at"), "none.at .*nothing: null"), (("gone", "at"), "(?s)gone.at .*gone")):
        proof = ask(("rows_", "at"), broken)
        assert proof.newest is None
        assert re.match(reason, proof.newest_problem), proof.newest_problem
