# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The memory of all runs: an SQL database, a file by default and PostgreSQL for teams.

History answers what a single run cannot: what is new, since when, how it develops, and what somebody attested. The run
directory stays the source of truth; whatever is in here but the attestations can be saved again from it.
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import math
import os
import pathlib
import sqlite3
import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import (
    Key,
    Record,
    Sample,
    identity,
    iso,
    moment,
)

CONNECT_SECONDS = 5
"""How long a database may take to answer the call; the run reports without it afterwards."""

BUSY_SECONDS = 10
"""How long to wait for another run that is writing."""

STATEMENT_SECONDS = 60


class HistoryUnavailable(Exception):
    """History cannot be read or written, for this reason. It never contains a password."""


class NoHistory(HistoryUnavailable):
    """Nothing has been saved here yet: no run has ended, or only the place is wrong."""


class _Moment(sa.types.TypeDecorator[dt.datetime]):
    """A moment in UTC, also where the database knows no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: t.Any, _dialect: sa.Dialect) -> dt.datetime | None:
        return None if value is None else moment(value)

    def process_result_value(self, value: t.Any, _dialect: sa.Dialect) -> dt.datetime | None:
        return None if value is None else moment(value)


_METADATA = sa.MetaData()

VERSION = sa.Table("schema_version", _METADATA, sa.Column("version", sa.Integer, nullable=False))

RUNS = sa.Table(
    "runs",
    _METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("occasion", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("limited", sa.Boolean, nullable=False),
    sa.Column("started", _Moment, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),  # run.json, whole
    sa.Index("runs_by_occasion", "system", "occasion", "started"),
)

# Identities are written once and samples refer to them, so that a year of samples stays small.
SERIES = sa.Table(
    "series",
    _METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("check_id", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.UniqueConstraint("system", "host", "check_id", "target"),
)

# Clustered by series, the order in which trends read. No foreign keys: removing a run would scan all samples for each.
SAMPLES = sa.Table(
    "samples",
    _METADATA,
    sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("summary", sa.Text),  # only when not ok
    sa.Column("change", sa.Text),
    sa.Column("since", _Moment),
    sqlite_with_rowid=False,
)

# Only ever appended to: the latest row about a step and a day holds, those before it stay for the audit.
ATTESTATIONS = sa.Table(
    "attestations",
    _METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("occasion", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("date", sa.Date, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", _Moment, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Index("attestations_by_date", "system", "occasion", "date"),
)


def _create(connection: sa.Connection) -> None:
    _METADATA.create_all(connection, tables=[RUNS, SERIES, SAMPLES, ATTESTATIONS])


STEPS: tuple[t.Callable[[sa.Connection], None], ...] = (_create,)
"""What leads from each version of the schema to the next, from an empty database on. Only ever appended to."""

_ADVISORY_LOCK = 0x73726572  # any number, the same in every version


def location(given: str | None = None) -> str:
    """Where history lies: what is given, else ``SRE_RUNBOOKS_HISTORY``, else a file in the directory of the runs."""
    directory = os.environ.get("SRE_RUNBOOKS_DIRECTORY") or "~/.local/state/sre-runbooks"
    return given or os.environ.get("SRE_RUNBOOKS_HISTORY") or os.path.join(directory, "history.sqlite")


class History:
    """History at a path (an SQLite file) or URL (``sqlite:///…``, ``postgresql://…``), created where it does not exist.

    With ``write=False`` nothing is created or changed. Every method may raise :class:`HistoryUnavailable`. Runs and
    records are the dicts of ``run.json`` and ``checks.jsonl``. Use it in a ``with`` statement, or close it.
    """

    def __init__(self, where: str, *, write: bool = True) -> None:
        url = _url(where)
        self.place = _place(url)
        """The address as it may be shown to anybody."""
        self._secrets = [secret for secret in (url.password, url.query.get("password")) if secret]
        self._write = write
        if url.get_backend_name() == "sqlite":
            self._prepare_file(url.database or "")
            self._insert: t.Any = sqlite.insert
        else:
            self._insert = postgresql.insert
        self._engine = _engine(url)
        try:
            self._upgrade()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    # Runs

    def save(self, run: t.Mapping[str, t.Any], records: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        """Keep a run and what it found. Saved again, a run replaces what was saved of it before.

        Of two records with one identity the more urgent is kept, the later one of two alike.
        """
        found: dict[Key, t.Mapping[str, t.Any]] = {}
        for record in records:
            key = _texts(identity(record))
            if key not in found or _urgency(record) >= _urgency(found[key]):
                found[key] = record
        system = _text(run["system"])
        with self._transaction(write=True) as connection:
            run_key = self._save_run(connection, system, run)
            keys = self._intern(connection, system, found)
            of_system = sa.select(SERIES.c.key).where(SERIES.c.system == system)
            connection.execute(sa.delete(SAMPLES).where(SAMPLES.c.run == run_key, SAMPLES.c.series.in_(of_system)))
            if found:
                rows = [_sample(keys[key], run_key, record) for key, record in found.items()]
                connection.execute(sa.insert(SAMPLES), sorted(rows, key=lambda row: row["series"]))

    def _save_run(self, connection: sa.Connection, system: str, run: t.Mapping[str, t.Any]) -> int:
        row = {
            "id": run["id"],
            "system": system,
            "occasion": run.get("occasion"),
            "state": run["state"],
            "limited": bool(run.get("limited")),
            "started": run["started"],
            "document": dict(run),
        }
        insert = self._insert(RUNS).values(row)
        changed = {column: insert.excluded[column] for column in row if column != "id"}
        upsert = insert.on_conflict_do_update(index_elements=["id"], set_=changed).returning(RUNS.c.key)
        return int(connection.execute(upsert).scalar_one())

    def _intern(
        self, connection: sa.Connection, system: str, found: t.Mapping[Key, t.Mapping[str, t.Any]]
    ) -> dict[Key, int]:
        columns = SERIES.c.host, SERIES.c.check_id, SERIES.c.target
        query = sa.select(*columns, SERIES.c.key, SERIES.c.unit).where(SERIES.c.system == system)
        known = {tuple(row[:3]): row for row in connection.execute(query)}
        new = [
            {"system": system, "host": key[0], "check_id": key[1], "target": key[2], "unit": record.get("unit") or ""}
            for key, record in sorted(found.items())  # sorted, so that two runs at once cannot lock each other out
            if key not in known
        ]
        if new:
            connection.execute(self._insert(SERIES).on_conflict_do_nothing(), new)
            known = {tuple(row[:3]): row for row in connection.execute(query)}
        for key, record in sorted(found.items()):
            unit = record.get("unit")
            if unit and unit != known[key].unit:  # what was skipped or unknown at first had none
                connection.execute(sa.update(SERIES).where(SERIES.c.key == known[key].key).values(unit=unit))
        return {key: known[key].key for key in found}

    def previous(
        self, system: str, occasion: str | None, before: str | dt.datetime, *, playbook: str | None = None
    ) -> tuple[dict[str, t.Any], list[Record]] | None:
        """The last run of an occasion that came to its end and was not limited, and its records; None for none.

        Without an occasion it is the last such run of the ``playbook``: others look at other things.

        A record has host, id, target, status, value, unit, summary (empty for ok), change, since and at.
        """
        last = (
            sa.select(RUNS.c.key, RUNS.c.document)
            .where(
                RUNS.c.system == system,
                RUNS.c.occasion.is_not_distinct_from(occasion),
                RUNS.c.state == "closed",
                RUNS.c.limited.is_(False),
                RUNS.c.started < moment(before),
            )
            .order_by(RUNS.c.started.desc(), RUNS.c.key.desc())
            .limit(1)
        )
        if occasion is None and playbook is not None:
            last = last.where(RUNS.c.document["playbook"].as_string() == playbook)
        with self._transaction() as connection:
            run = connection.execute(last).one_or_none()
            if run is None:
                return None
            found = connection.execute(
                sa.select(SERIES, SAMPLES)
                .join(SAMPLES, SAMPLES.c.series == SERIES.c.key)
                .where(SERIES.c.system == system, SAMPLES.c.run == run.key)
            )
            return run.document, [
                {
                    "host": row.host,
                    "id": row.check_id,
                    "target": row.target,
                    "status": row.status,
                    "value": row.value,
                    "unit": row.unit,
                    "summary": row.summary or "",
                    "change": row.change,
                    "since": row.since and iso(row.since),
                    "at": run.document["started"],
                }
                for row in found
            ]

    def runs(
        self,
        system: str | None = None,
        occasion: str | None = None,
        since: str | dt.datetime | None = None,
        limit: int | None = None,
    ) -> list[dict[str, t.Any]]:
        """The runs, each as its ``run.json``, the latest first."""
        query = sa.select(RUNS.c.document).order_by(RUNS.c.started.desc(), RUNS.c.key.desc()).limit(limit)
        if system is not None:
            query = query.where(RUNS.c.system == system)
        if occasion is not None:
            query = query.where(RUNS.c.occasion == occasion)
        if since is not None:
            query = query.where(RUNS.c.started >= moment(since))
        with self._transaction() as connection:
            return list(connection.execute(query).scalars())

    def began(self, system: str, before: str | dt.datetime) -> dict[str, dt.datetime]:
        """When each occasion began the last time before that, of the runs that came to their end and were whole."""
        check_mode = sa.func.coalesce(RUNS.c.document["check_mode"].as_boolean(), sa.false())
        query = (
            sa.select(RUNS.c.occasion, sa.func.max(RUNS.c.started))
            .where(
                RUNS.c.system == system,
                RUNS.c.occasion.is_not(None),
                RUNS.c.state == "closed",
                RUNS.c.limited.is_(False),
                check_mode.is_(False),
                RUNS.c.started < moment(before),
            )
            .group_by(RUNS.c.occasion)
        )
        with self._transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    # Series

    def first_seen(self, system: str, check: str) -> dict[str, dt.datetime]:
        """When each target of a check was reported for the first time, as far as history goes back."""
        query = (
            sa.select(SERIES.c.target, sa.func.min(RUNS.c.started))
            .join(SAMPLES, SAMPLES.c.series == SERIES.c.key)
            .join(RUNS, RUNS.c.key == SAMPLES.c.run)
            .where(SERIES.c.system == system, SERIES.c.check_id == check)
            .group_by(SERIES.c.target)
        )
        with self._transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def trends(self, system: str, hosts: t.Collection[str] | None = None, limit: int = 30) -> dict[Key, list[Sample]]:
        """The last samples of every series of a system, or of some hosts of it; each series from old to new."""
        of_series = SAMPLES.c.series == SERIES.c.key
        oldest = (
            sa.select(SAMPLES.c.run).where(of_series).order_by(SAMPLES.c.run.desc()).limit(1).offset(limit - 1)
        ).correlate(SERIES)
        query = _samples(system).where(SAMPLES.c.run >= sa.func.coalesce(oldest.scalar_subquery(), 0))
        if hosts is not None:
            query = query.where(SERIES.c.host.in_(list(hosts)))
        return self._read_samples(query)

    def series(
        self,
        system: str,
        host: str,
        check: str | None = None,
        since: str | dt.datetime | None = None,
        target: str | None = None,
    ) -> dict[Key, list[Sample]]:
        """All samples of a host, or of one check or target on it; each series from old to new."""
        query = _samples(system).where(SERIES.c.host == host)
        if check is not None:
            query = query.where(SERIES.c.check_id == check)
        if since is not None:
            query = query.where(RUNS.c.started >= moment(since))
        if target is not None:
            query = query.where(SERIES.c.target == target)
        return self._read_samples(query)

    def _read_samples(self, query: sa.Select[t.Any]) -> dict[Key, list[Sample]]:
        found: dict[Key, list[Sample]] = collections.defaultdict(list)
        with self._transaction() as connection:
            for host, check, target, at, *sample in connection.execute(query):
                found[host, check, target].append(Sample(iso(at), *sample))
        return {key: sorted(samples, key=lambda sample: sample.at) for key, samples in found.items()}

    # Attestations

    def attest(self, row: t.Mapping[str, t.Any]) -> None:
        """Append an attestation: system, occasion, step, date, state, by, at, note, evidence."""
        with self._transaction(write=True) as connection:
            connection.execute(sa.insert(ATTESTATIONS).values(dict(row)))

    def attestations(
        self, system: str, occasion: str | None = None, since: dt.date | None = None
    ) -> list[dict[str, t.Any]]:
        """Attestations for the days since a date, oldest first: of two about one step and day, the later one holds."""
        query = sa.select(ATTESTATIONS).where(ATTESTATIONS.c.system == system).order_by(ATTESTATIONS.c.key)
        if occasion is not None:
            query = query.where(ATTESTATIONS.c.occasion == occasion)
        if since is not None:
            query = query.where(ATTESTATIONS.c.date >= since)
        with self._transaction() as connection:
            return [
                {name: value for name, value in row.items() if name != "key"}
                for row in connection.execute(query).mappings()
            ]

    # Upkeep

    def retain(self, days: float, now: dt.datetime | None = None) -> int:
        """Forget the runs older than this and what only they have seen. Returns the number of rows removed.

        Attestations stay: they are few, and an audit asks for the old ones.
        """
        before = (now or dt.datetime.now(dt.UTC)) - dt.timedelta(days=days)
        with self._transaction(write=True) as connection:
            old = sa.select(RUNS.c.key).where(RUNS.c.started < before)
            removed = connection.execute(sa.delete(SAMPLES).where(SAMPLES.c.run.in_(old))).rowcount
            removed += connection.execute(sa.delete(RUNS).where(RUNS.c.started < before)).rowcount
            if removed:
                seen = sa.exists().where(SAMPLES.c.series == SERIES.c.key)
                removed += connection.execute(sa.delete(SERIES).where(~seen)).rowcount
        return removed

    # The database

    def _prepare_file(self, path: str) -> None:
        """Create the file for its owner alone, because summaries tell where a system is weak."""
        try:
            if self._write:
                pathlib.Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            elif not os.path.exists(path):
                raise NoHistory(f"nothing has been saved at {self.place} yet")
        except OSError as exc:
            raise HistoryUnavailable(f"history at {self.place}: {exc.strerror}: {exc.filename}") from None

    def _upgrade(self) -> None:
        """Bring the schema up to date, safe against another process that does the same."""
        with self._transaction() as connection:
            version = _version(connection)
        if version > len(STEPS):
            raise HistoryUnavailable(
                f"history at {self.place} was written by a newer version of sre.runbooks: "
                f"its schema is {version}, this one knows {len(STEPS)}"
            )
        if version == len(STEPS):
            return
        if not self._write and version == 0:
            raise NoHistory(f"nothing has been saved at {self.place} yet")
        if not self._write:
            raise HistoryUnavailable(
                f"history at {self.place} has schema {version} of {len(STEPS)}: the next run that saves brings it up to date"
            )
        with self._transaction(write=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            version = _version(connection)  # perhaps another process was faster
            for step in STEPS[version:]:
                step(connection)
            VERSION.create(connection, checkfirst=True)
            connection.execute(sa.delete(VERSION))
            connection.execute(sa.insert(VERSION).values(version=len(STEPS)))

    @contextlib.contextmanager
    def _transaction(self, *, write: bool = False) -> t.Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection, connection.execution_options(sre_write=write).begin():
                yield connection
        except sa.exc.SQLAlchemyError as exc:
            raise HistoryUnavailable(f"history at {self.place}: {self._reason(exc)}") from None

    def _reason(self, exc: sa.exc.SQLAlchemyError) -> str:
        """What the database said, without the statement and its parameters, and without the password."""
        said = getattr(exc, "orig", None) or exc
        reason = " ".join(str(said).split()) or type(said).__name__
        for secret in self._secrets:
            reason = reason.replace(str(secret), "********")
        return reason


def _url(where: str) -> sa.URL:
    """The address, read. What is no URL is the path of a file. Raises :class:`HistoryUnavailable`."""
    if "://" not in where:
        return sa.URL.create("sqlite", database=os.path.abspath(os.path.expanduser(where)))
    try:
        url = sa.make_url(where)
    except (sa.exc.ArgumentError, ValueError):
        scheme = where.partition("://")[0]
        raise HistoryUnavailable(f"the address of history, {scheme}://…, is not a URL") from None
    if url.get_backend_name() == "sqlite":
        return sa.URL.create("sqlite", database=os.path.abspath(os.path.expanduser(url.database or "history.sqlite")))
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    raise HistoryUnavailable(f"history is kept in sqlite or postgresql, not in {url.drivername}")


def _place(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        sa.event.listen(engine, "connect", _open_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    patience = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    given = {option for option in patience if option in url.query}
    engine = sa.create_engine(url, connect_args={key: value for key, value in patience.items() if key not in given})
    sa.event.listen(engine, "connect", _open_postgresql)
    return engine


def _open_sqlite(connection: t.Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not decide when a transaction begins
    # So that readers go on while a run is saved. Where another process is just switching too, SQLite does not wait
    # but refuses: then that process has switched for both, or the next one that opens the file does.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Who will write takes the lock at once: a reader that turns writer half-way cannot wait for another writer."""
    write = connection.get_execution_options().get("sre_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _open_postgresql(connection: t.Any, _record: object) -> None:
    connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
    connection.execute(f"SET lock_timeout = '{BUSY_SECONDS * 1000:g}ms'")
    connection.commit()


def _version(connection: sa.Connection) -> int:
    if not sa.inspect(connection).has_table(VERSION.name):
        return 0
    return int(connection.execute(sa.select(VERSION.c.version)).scalar() or 0)


def _samples(system: str) -> sa.Select[t.Any]:
    key = SERIES.c.host, SERIES.c.check_id, SERIES.c.target
    return (
        sa.select(*key, RUNS.c.started, SAMPLES.c.value, SAMPLES.c.status, SERIES.c.unit)
        .join(SAMPLES, SAMPLES.c.series == SERIES.c.key)
        .join(RUNS, RUNS.c.key == SAMPLES.c.run)
        .where(SERIES.c.system == system)
    )


def _sample(series: int, run: int, record: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    fine = record["status"] == "ok"
    value = record.get("value")
    return {
        "series": series,
        "run": run,
        "status": record["status"],
        "value": value if value is not None and math.isfinite(value) else None,
        "summary": None if fine else _text(record["summary"]),
        "change": record.get("change"),
        "since": record.get("since"),
    }


def _urgency(record: t.Mapping[str, t.Any]) -> int:
    return STATUSES.index(record["status"])


def _text(text: str) -> str:
    """Text that every database takes: names of files and hosts may hold bytes that are no characters."""
    return str(text).encode("utf-8", "replace").decode().replace("\0", "?")


def _texts(key: Key) -> Key:
    host, check, target = map(_text, key)
    return host, check, target
