# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""History in PostgreSQL: what holds for every database, and what only a server can do."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils import _history
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History, HistoryUnavailable, NoHistory
from ansible_collections.sre.runbooks.tests.integration.conftest import Postgresql
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.histories import EveryHistory, run

_numbers = itertools.count()


@pytest.fixture
def place(postgresql: Postgresql) -> str:
    """An empty database of its own for each test."""
    name = f"history_{next(_numbers)}"
    postgresql.sql(f"CREATE DATABASE {name}")
    return postgresql.url(name)


class TestPostgresql(EveryHistory):
    pass


def test_reading_creates_nothing(postgresql: Postgresql, place: str) -> None:
    with pytest.raises(NoHistory, match="nothing has been saved"):
        History(place, write=False)
    assert postgresql.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", place.rpartition("/")[2]) == "0"


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgres"])
def test_every_way_to_write_the_address_is_understood(place: str, scheme: str) -> None:
    with History(place.replace("postgresql", scheme, 1)) as history:
        assert history.place.startswith("postgresql://admin@127.0.0.1:")


def test_a_wrong_password_is_a_reason_that_does_not_tell_it(place: str, postgresql: Postgresql) -> None:
    with pytest.raises(HistoryUnavailable, match="password authentication failed") as caught:
        History(place.replace(postgresql.password, "wr0ng-s3cret"))
    assert "wr0ng-s3cret" not in str(caught.value)


def test_a_database_that_does_not_exist_is_a_reason(place: str) -> None:
    with pytest.raises(HistoryUnavailable, match='database "nowhere" does not exist'):
        History(place.rpartition("/")[0] + "/nowhere")


def test_a_server_that_goes_away_is_a_reason(place: str, postgresql: Postgresql) -> None:
    with History(place) as history:
        database = place.rpartition("/")[2]
        postgresql.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
        with pytest.raises(HistoryUnavailable, match="terminating connection"):
            history.save(run(), [])


def test_a_lock_that_somebody_holds_is_waited_for_and_then_a_reason(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_history, "BUSY_SECONDS", 0.2)
    with History(place) as one, History(place) as other, one._transaction(write=True) as connection:
        connection.exec_driver_sql("LOCK TABLE runs")
        with pytest.raises(HistoryUnavailable, match="lock timeout"):
            other.save(run(), [])
