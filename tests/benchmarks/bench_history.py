# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A year of history (5 occasions a day, 20 hosts, 40 checks each: 1.46 million samples), and what closing one run costs.

    python tests/benchmarks/bench_history.py              # SQLite
    python tests/benchmarks/bench_history.py postgresql   # on a server of its own

Beside it, for scale: the same samples saved once more by the standard library alone, and a plain dump of them to JSON.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))

import sqlalchemy as sa

from ansible_collections.sre.runbooks.plugins.plugin_utils import _compare, _history
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History

DAYS, HOSTS, CHECKS = 365, 20, 40
OCCASIONS = ("morning", "midday", "end_of_day", "weekly", "night")
END = dt.datetime(2026, 11, 21, 5, 0, tzinfo=dt.UTC)


def records(at: dt.datetime, chance: random.Random) -> list[dict[str, Any]]:
    found = []
    for host in range(HOSTS):
        for check in range(CHECKS):
            status = chance.choices(("ok", "warning", "critical"), (97, 2, 1))[0]
            identity = {"host": f"web{host:02}.example.org", "id": f"kind{check % 8}.property{check // 8}"}
            found.append(
                {
                    **identity,
                    "target": f"/srv/target{check % 3}",
                    "status": status,
                    "summary": f"{chance.uniform(0, 100):.1f} % of the space is used, that is {status}",
                    "value": round(chance.uniform(0, 100), 2),
                    "unit": "%",
                    "change": None if status == "ok" else "new",
                    "since": None if status == "ok" else at.isoformat(),
                }
            )
    return found


def run(number: int) -> dict[str, Any]:
    at = END - dt.timedelta(hours=4.8 * number)
    facts = {"user": "ops", "controller": "control", "counts": {"ok": 780, "warning": 15, "critical": 5}}
    about = {"id": f"run-{number}", "system": "shop", "occasion": OCCASIONS[number % 5], "playbook": "daily"}
    return {**about, **facts, "state": "closed", "limited": False, "started": at.isoformat(), "verdict": "critical"}


def fill(history: History, chance: random.Random) -> int:
    """All runs but the newest, by series as the table is laid out: in one go, past the door that runs go through."""
    history.save(run(DAYS * 5), records(END, chance))  # the series
    with history._transaction(write=True) as connection:
        connection.execute(sa.delete(_history.SAMPLES))
        connection.execute(sa.delete(_history.RUNS))
        runs = [{**run(number), "document": run(number)} for number in range(DAYS * 5, 0, -1)]
        columns = ("id", "system", "occasion", "state", "limited", "started", "document")
        rows = [{"key": key, **{column: each[column] for column in columns}} for key, each in enumerate(runs, 1)]
        connection.execute(sa.insert(_history.RUNS), rows)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT setval('runs_key_seq', {len(rows)})")
        series = list(connection.execute(sa.select(_history.SERIES.c.key)).scalars())
        insert = "INSERT INTO samples (series, run, status, value, summary, change, since) VALUES (?, ?, ?, ?, ?, ?, ?)"
        cursor = connection.connection.cursor()
        samples = _year(series, len(rows), chance)
        if connection.dialect.name == "sqlite":
            cursor.executemany(insert, samples)  # type: ignore[arg-type] # a year is better not a list
        else:
            with cursor.copy("COPY samples (run, series, status, value, summary, change, since) FROM STDIN") as copy:
                for key, run_key, *rest in samples:
                    copy.write_row((run_key, key, *rest))
    return len(series) * len(rows)


def _year(series: list[int], runs: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    for key in series:
        for run_key in range(1, runs + 1):
            if chance.random() < 0.97:
                yield key, run_key, "ok", round(chance.uniform(0, 100), 2), None, None, None
            else:
                words = "84.2 % of the space is used, 3,120 MiB are free, that is a warning"
                yield key, run_key, "warning", 84.2, words, "still", "2026-01-01 00:00:00.000000"


def timed(what: str, action: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    result = action()
    spent = time.perf_counter() - begun
    size = f"{len(result)} rows" if hasattr(result, "__len__") else ""
    print(f"  {what:44}{spent * 1000:9.0f} ms  {size}")
    return spent


def measure(place: str, directory: Path) -> None:
    chance = random.Random(1)
    with History(place) as history:
        begun = time.perf_counter()
        count = fill(history, chance)
        print(f"{count} samples filled in within {time.perf_counter() - begun:.0f} s")
        if history.place.endswith(".sqlite"):
            print(f"{Path(history.place).stat().st_size / 2**20:.0f} MiB on disk")
        else:
            with history._transaction() as connection:
                size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
            print(f"{size / 2**20:.0f} MiB on disk")
    now, found = run(0), records(END, chance)
    print("closing a run of 800 records:")
    total = time.perf_counter()
    with History(place) as history:
        timed("open", lambda: History(place).close())
        before: Any = None

        def previous() -> Any:
            nonlocal before
            before = history.previous("shop", now["occasion"], now["started"])
            return before[1]

        timed("previous", previous)
        hosts = {record["host"] for record in found}
        compared = _compare.compare(found, before[1], at=END, hosts=hosts)
        timed("trends, 30 samples of every series", lambda: history.trends("shop"))
        timed("save", lambda: history.save(now, compared))
    print(f"  {'in all':44}{(time.perf_counter() - total) * 1000:9.0f} ms")
    print("besides:")
    with History(place) as history:
        timed("save again", lambda: history.save(now, compared))
        timed("trends of one host", lambda: history.trends("shop", ["web00.example.org"]))
        timed("a year of one check on one host", lambda: history.series("shop", "web00.example.org", "kind1.property1"))
        timed("runs", lambda: history.runs("shop", limit=100))
        timed("forget the oldest month", lambda: history.retain(335, now=END))
    print("for scale:")
    timed("800 records to JSON lines", lambda: (directory / "x").write_text("\n".join(map(json.dumps, compared))))
    timed("800 rows to a new file, sqlite3 alone", lambda: _plain(directory / "plain.sqlite", compared))


def _plain(path: Path, found: list[dict[str, Any]]) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE samples (host, id, target, status, value, summary)")
    keys = ("host", "id", "target", "status", "value", "summary")
    rows = [tuple(record[key] for key in keys) for record in found]
    connection.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        if sys.argv[1:] != ["postgresql"]:
            measure(f"{directory}/history.sqlite", Path(directory))
            return
        from ansible_collections.sre.runbooks.tests.integration.conftest import running_postgresql

        with running_postgresql() as server:
            measure(server.url(), Path(directory))


if __name__ == "__main__":
    main()
