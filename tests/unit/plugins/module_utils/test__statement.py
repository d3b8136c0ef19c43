# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements lose their values and keep their shape."""

from __future__ import annotations

import time

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._statement import shape


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT * FROM t WHERE id = 42", "SELECT * FROM t WHERE id = ?"),
        ("select 'it''s', \"a\\\"b\", -1.5e-3, 0xDEAD, x'41', .5", "select ?, ?, -?, ?, x?, ?"),
        ("SELECT  a\n  FROM t -- about anna@example.org\n WHERE b=1 # x\n", "SELECT a FROM t WHERE b=?"),
        ("SELECT /* user 17: secret */ 1", "SELECT ?"),
        ("SELECT a--1 FROM t", "SELECT a--? FROM t"),  # no comment without a space after it
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')", "INSERT INTO t VALUES (?, …), …"),
        ("SELECT * FROM `t1` WHERE `2024` IN (1,2 , 3)", "SELECT * FROM `t1` WHERE `2024` IN (?, …)"),
        ("SELECT col1, t2.x3 FROM t2", "SELECT col1, t2.x3 FROM t2"),
        ("UPDATE u SET pw = 'secret that was cut o", "UPDATE u SET pw = ?"),
        ("SELECT 'ends with a backslash\\", "SELECT ?"),
        ("CREATE USER x IDENTIFIED BY 'hunter2'", "CREATE USER x IDENTIFIED BY ?"),
        ("", ""),
    ],
)
def test_values_are_gone_and_names_stay(statement: str, expected: str) -> None:
    assert shape(statement) == expected


def test_statements_that_differ_in_values_have_one_shape() -> None:
    assert shape("select * from t where a in (1,2) and b='x'") == shape(
        "select * from t where a in (7,8,9) and b='y z'"
    )


def test_a_shape_is_short_and_found_in_linear_time() -> None:
    started = time.monotonic()
    for nasty in ("'" * 200_000, "\\" * 200_000, "'\\" * 100_000, "/*" * 100_000, "(" * 200_000, "(1," * 70_000):
        assert len(shape(nasty)) <= 300
    assert time.monotonic() - started < 5
