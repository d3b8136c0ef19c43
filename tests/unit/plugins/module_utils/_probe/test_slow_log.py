# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The slow log as a file, as MariaDB 10.11 and MySQL 8.0 write it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import slow_log

NOON = 1_795_251_600
MARIADB = f"""\
mariadbd, Version: 10.11.19-MariaDB (Debian 12). started with:
Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock
Time\t\t    Id Command\tArgument
# Time: 261121  9:03:10
# User@Host: shop[shop] @ localhost []
# Thread_id: 9  Schema: wp  QC_hit: No
# Query_time: 2.500000  Lock_time: 0.000000  Rows_sent: 1  Rows_examined: 5000
# Rows_affected: 0  Bytes_sent: 108
use `wp`;
SET timestamp={NOON};
select *
from posts where author = 'anna@example.org';
# User@Host: shop[shop] @ localhost []
# Thread_id: 9  Schema: wp  QC_hit: No
# Query_time: 1.500000  Lock_time: 0.000117  Rows_sent: 1  Rows_examined: 7000
# Rows_affected: 0  Bytes_sent: 79
SET timestamp={NOON + 1};
select * from posts where author = 'bert@example.org';
# Time: 261121  9:04:10
# User@Host: root[root] @ localhost []
# Thread_id: 10  Schema:   QC_hit: No
# Query_time: 9.000000  Lock_time: 0.000000  Rows_sent: 0  Rows_examined: 0
# Rows_affected: 0  Bytes_sent: 0
SET timestamp={NOON + 2};
select sleep(9);
"""
MYSQL_80 = f"""\
/usr/sbin/mysqld, Version: 8.0.36 (MySQL Community Server - GPL). started with:
Tcp port: 3306  Unix socket: /var/run/mysqld/mysqld.sock
Time                 Id Command    Argument
# Time: 2026-11-21T09:00:00.123456Z
# User@Host: shop[shop] @ localhost []  Id:     8
# Query_time: 3.000000  Lock_time: 0.000002 Rows_sent: 2  Rows_examined: 900
use shop;
SET timestamp={NOON};
SELECT * FROM orders WHERE id = 17;
"""


def test_entries_of_mariadb_are_read_without_their_values(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_text(MARIADB)
    tally, oldest = slow_log.read(str(log), NOON - 60)
    assert oldest == NOON
    assert [
        (one.schema, one.shape, one.count, one.total, one.longest, one.examined, one.sent) for one in tally.values()
    ] == [
        ("wp", "select * from posts where author = ?", 2, 4.0, 2.5, 12000, 2),
        ("", "select sleep(?)", 1, 9.0, 9.0, 0, 0),
    ]


def test_entries_of_mysql_8_0_are_read(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_text(MYSQL_80)
    tally, _oldest = slow_log.read(str(log), NOON - 60)
    assert [(one.schema, one.shape, one.total) for one in tally.values()] == [
        ("shop", "SELECT * FROM orders WHERE id = ?", 3.0)
    ]


def test_only_the_window_counts(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_text(MARIADB)
    assert sum(one.count for one in slow_log.read(str(log), NOON + 1)[0].values()) == 2
    tally, oldest = slow_log.read(str(log), NOON + 3)
    assert (tally, oldest) == ({}, NOON)


def test_a_log_that_was_rotated_is_read_with_its_predecessor(tmp_path: Path) -> None:
    (tmp_path / "slow.log.1").write_text(MARIADB)
    (tmp_path / "slow.log").write_text(MYSQL_80)
    os.utime(tmp_path / "slow.log.1", (NOON + 2, NOON + 2))
    assert len(slow_log.read(str(tmp_path / "slow.log"), NOON - 60)[0]) == 3
    os.utime(tmp_path / "slow.log.1", (NOON - 61, NOON - 61))
    assert len(slow_log.read(str(tmp_path / "slow.log"), NOON - 60)[0]) == 1


def test_an_empty_log_says_that_nothing_was_slow(tmp_path: Path) -> None:
    (tmp_path / "slow.log").touch()
    assert slow_log.read(str(tmp_path / "slow.log"), NOON) == ({}, None)


def test_a_log_that_is_not_there_or_no_file_is_unmeasurable(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="No such file"):
        slow_log.read(str(tmp_path / "slow.log"), NOON)
    with pytest.raises(Unmeasurable, match="no regular file"):
        slow_log.read(str(tmp_path), NOON)


def test_entries_that_are_cut_off_are_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    for length in range(0, len(MARIADB), 7):
        log.write_bytes(MARIADB[:length].encode() + b"\xff\x00")
        slow_log.read(str(log), NOON - 60)
