# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""History in an SQLite file, and what its address may be. PostgreSQL is in ``tests/integration``."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from ansible_collections.sre.runbooks.plugins.plugin_utils import _history
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History, HistoryUnavailable, NoHistory
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.histories import (
    EveryHistory,
    another_process,
    open_as_nobody,
    record,
    run,
)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "history.sqlite")


# Only a file


class TestSqlite(EveryHistory):
    pass


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    place = tmp_path / "state" / "history.sqlite"
    umask = os.umask(0)
    try:
        with History(str(place)) as history:
            history.save(run(), [record()])
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.parent.iterdir()}
    finally:
        os.umask(umask)
    assert modes["history.sqlite"] == 0o600
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_a_history_that_another_run_is_just_creating_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "history.sqlite")
    begin = _history._begin_sqlite

    def begin_once_the_other_is_done(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("sre_write"):
            other.rollback()
        begin(connection)

    monkeypatch.setattr(_history, "_begin_sqlite", begin_once_the_other_is_done)
    with contextlib.closing(sqlite3.connect(place)) as other:
        other.execute("BEGIN IMMEDIATE")
        with History(place) as history:
            assert history.runs() == []


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_path_and_a_url_name_the_same_file(tmp_path: Path, form: str) -> None:
    with History(form.format(tmp_path / "a.sqlite")):
        assert (tmp_path / "a.sqlite").exists()


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    with History(str(tmp_path / "a b?c#d%20.sqlite")):
        assert (tmp_path / "a b?c#d%20.sqlite").exists()


def test_readers_go_on_while_a_run_is_saved(place: str) -> None:
    with History(place) as writer:
        writer.save(run(0), [record()])
        with History(place, write=False) as reader, writer._transaction(write=True) as connection:
            connection.execute(sa.delete(_history.RUNS))
            assert len(reader.runs()) == 1


def test_a_writer_that_has_to_wait_too_long_is_told_so(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_history, "BUSY_SECONDS", 0.1)
    with (
        History(place) as one,
        History(place) as other,
        one._transaction(write=True),
        pytest.raises(HistoryUnavailable, match="database is locked"),
    ):
        other.save(run(), [])


def test_reading_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match="nothing has been saved"):
        History(str(tmp_path / "none" / "history.sqlite"), write=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_a_reason(tmp_path: Path) -> None:
    place = tmp_path / "history.sqlite"
    place.write_text("what a day\n" * 100)
    with pytest.raises(HistoryUnavailable, match=r"history.sqlite: file is not a database"):
        History(str(place))
    assert place.read_text().startswith("what a day")


def test_a_directory_that_cannot_be_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryUnavailable, match=r"file/state/history.sqlite: Not a directory"):
        History(str(tmp_path / "file" / "state" / "history.sqlite"))


def test_a_directory_that_may_not_be_written_to_is_a_reason(tmp_path: Path) -> None:
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    tmp_path.chmod(0o555)
    said, trouble = another_process(open_as_nobody, str(tmp_path / "history.sqlite")).communicate("go\n", timeout=60)
    assert "history.sqlite: Permission denied" in said, trouble


# Addresses


def test_history_lies_where_it_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SRE_RUNBOOKS_HISTORY", raising=False)
    assert _history.location() == "~/.local/state/sre-runbooks/history.sqlite"
    monkeypatch.setenv("SRE_RUNBOOKS_HISTORY", "postgresql://db/history")
    assert _history.location() == "postgresql://db/history"
    assert _history.location("/srv/history.sqlite") == "/srv/history.sqlite"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("mysql://jo:s3cret@db/history", "history is kept in sqlite or postgresql, not in mysql"),
        ("postgresql://jo:s3cret@db:port/history", "the address of history, postgresql://…, is not a URL"),
        ("postgresql+asyncpg://jo:s3cret@db/history", "not in postgresql+asyncpg"),
    ],
)
def test_an_address_that_cannot_be_meant_is_a_reason_without_its_password(where: str, message: str) -> None:
    with pytest.raises(HistoryUnavailable) as caught:
        History(where)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "where",
    ["postgresql://jo:s3cret@127.0.0.1:{port}/history", "postgresql://jo@127.0.0.1:{port}/history?password=s3cret"],
)
def test_a_database_that_does_not_listen_is_a_reason_without_its_password(where: str, free_port: int) -> None:
    with pytest.raises(HistoryUnavailable) as caught:
        History(where.format(port=free_port))
    assert str(caught.value).startswith(f"history at postgresql://jo@127.0.0.1:{free_port}/history: ")
    assert "refused" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_database_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing, like a server behind a broken firewall."""
    monkeypatch.setattr(_history, "CONNECT_SECONDS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(HistoryUnavailable, match="timeout"):
            History(f"postgresql://jo:s3cret@127.0.0.1:{silent.getsockname()[1]}/history")
