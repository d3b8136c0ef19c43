# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about a server of MySQL or MariaDB and the databases on it, in the SQL that its version understands."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import os
import re
import socket
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _mysql
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._mysql import Session, Unreachable, quoted
from ansible_collections.sre.runbooks.plugins.module_utils._probe import slow_log
from ansible_collections.sre.runbooks.plugins.module_utils._statement import shape

__all__ = ["Server", "Unreachable", "connect"]

SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
"""Databases of the server's own."""

OPENS_THE_EYES = {"ALL PRIVILEGES", "INSERT", "REFERENCES", "SELECT", "UPDATE"}
"""Privileges of which each makes a table and its columns visible in information_schema. Without any of them a table seems
not to be there; others, such as SHOW VIEW, show it without its columns."""

MOST_LOGGED = 5000
"""Rows that are read of the slow-log table."""

LARGEST = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
"""Integer type → bits."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table as the server describes it: sizes in bytes, rows estimated. ``engine`` is None when it cannot be opened."""

    schema: str
    name: str
    engine: str | None
    rows: int
    size: int
    free: int
    auto_increment: int | None
    comment: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclasses.dataclass(frozen=True)
class Index:
    """An index; a column is its name, with the length of its prefix where it has one: ``title(20)``."""

    schema: str
    table: str
    name: str
    unique: bool
    type: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}.{self.name} ({', '.join(self.columns)})"


@dataclasses.dataclass(frozen=True)
class Running:
    """A session that is at work: the seconds its statement takes so far, its state, the shape of its statement."""

    id: int
    user: str
    schema: str
    seconds: float
    state: str
    shape: str

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s, {self.user}, session {self.id}, {self.state or 'running'}: {self.shape}"


@dataclasses.dataclass(frozen=True)
class Wait:
    """A session that waits for a lock, and who holds it where that is known."""

    id: int
    seconds: float
    shape: str
    blocker: str

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s, session {self.id} waits for {self.blocker}: {self.shape}"


@dataclasses.dataclass(frozen=True)
class Channel:
    """A connection to a source of replication. ``lag`` in seconds beyond an intended delay; None when not known."""

    name: str
    source: str
    receiving: str
    applying: str
    lag: float | None
    problem: str

    @property
    def replicates(self) -> bool:
        return self.receiving == "Yes" and self.applying == "Yes"


@dataclasses.dataclass(frozen=True)
class Slow:
    """The slow statements of a window, where that is known from, and from what length on a statement counts as slow."""

    statements: list[slow_log.Statement]
    source: str
    seconds: float


def connect(target: t.Mapping[str, t.Any], timeout: float) -> Server:
    """Log in and look. Raises :class:`Unreachable` or :class:`Unmeasurable`."""
    return Server(
        _mysql.connect(target, timeout), target["database"], target["matching"], target["ignore_tables"] or []
    )


class Server:
    """What a server says about itself, asked when it is needed, and once. Everything may raise :class:`Unmeasurable`."""

    def __init__(
        self, session: Session, database: str | None, matching: str | None = None, ignored: t.Sequence[str] = ()
    ) -> None:
        self.session, self.database, self.matching, self.ignored = session, database, matching, ignored
        self.close = session.close
        self.milliseconds = 1000 * session.seconds
        self.version = session.text

    # The server

    @functools.cached_property
    def _status(self) -> dict[str, str]:
        return {row["Variable_name"]: row["Value"] for row in self.session.rows("SHOW GLOBAL STATUS")}

    @functools.cached_property
    def _variables(self) -> dict[str, str]:
        return {row["Variable_name"]: row["Value"] for row in self.session.rows("SHOW GLOBAL VARIABLES")}

    def status(self, name: str) -> int:
        """A counter of the server."""
        return int(_present(self._status.get(name), f"the server has no status {name}"))

    def variable(self, name: str) -> str:
        return str(_present(self._variables.get(name), f"the server has no variable {name}"))

    @functools.cached_property
    def _grants(self) -> list[tuple[set[str], str]]:
        """(privileges, pattern of databases) of each grant that is not for a single table."""
        statement = "SHOW GRANTS"
        if not self.session.mariadb and self.session.version >= (8, 0):
            roles = self.session.rows("SELECT CURRENT_ROLE() AS roles")[0]["roles"]
            statement += f" FOR CURRENT_USER() USING {roles}" if roles not in (None, "", "NONE") else ""
        found = []
        for row in self.session.rows(statement):
            grant = re.match(r"GRANT (.+?) ON (?:`((?:[^`]|``)+)`|(\*))\.\* TO ", str(next(iter(row.values()))))
            if grant:
                found.append((set(grant[1].split(", ")), grant[3] or grant[2].replace("``", "`")))
        return found

    def _demand(self, privilege: str, purpose: str) -> None:
        """Without some privileges the server does not refuse: it shows less, which looks like all is well."""
        if not any(pattern == "*" and {privilege, "ALL PRIVILEGES"} & granted for granted, pattern in self._grants):
            raise Unmeasurable(f"{self.session.user} has not the privilege {privilege}, without which {purpose}")

    @property
    def _sees_all_tables(self) -> bool:
        return any(
            granted & OPENS_THE_EYES and (pattern == "*" or (self.database and _like(pattern, self.database)))
            for granted, pattern in self._grants
        )

    def _demand_sight(self) -> None:
        if not self._sees_all_tables:
            place = f"{self.database}.*" if self.database else "*.*"
            raise Unmeasurable(f"{self.session.user} may not see all tables: it takes GRANT REFERENCES ON {place}")

    # Sessions

    @functools.cached_property
    def running(self) -> list[Running]:
        """Sessions that work on a statement, the longest first. Not those that sleep, replicate or serve the server."""
        self._demand("PROCESS", "only its own sessions are shown")
        own = self.session.rows("SELECT CONNECTION_ID() AS id")[0]["id"]
        found = [
            Running(
                int(row["Id"]), row["User"], row["db"] or "", max(0.0, float(row["Time"] or 0)), row["State"] or "",
                shape(row["Info"]),
            )
            for row in self.session.rows("SHOW FULL PROCESSLIST")
            if row["Command"] in ("Query", "Execute", "Prepare", "Fetch", "Long Data")
            and row["Info"] and row["Id"] != own and row["User"] not in ("system user", "event_scheduler")
        ]  # fmt: skip
        return sorted(found, key=lambda one: -one.seconds)

    def waits(self) -> list[Wait]:
        """Sessions that wait for a lock of a row or a table, the longest first."""
        self._demand("PROCESS", "locks of others are not shown")
        if self.session.mariadb or self.session.version < (8, 0):
            waits, waiting, blocking = "information_schema.INNODB_LOCK_WAITS", "requesting_trx_id", "blocking_trx_id"
        else:
            waits = "performance_schema.data_lock_waits"
            waiting, blocking = "REQUESTING_ENGINE_TRANSACTION_ID", "BLOCKING_ENGINE_TRANSACTION_ID"
        rows = self.session.rows(
            f"""
            SELECT w.trx_mysql_thread_id AS id, TIMESTAMPDIFF(SECOND, w.trx_wait_started, NOW()) AS seconds,
                   w.trx_query AS statement, b.trx_mysql_thread_id AS blocker,
                   TIMESTAMPDIFF(SECOND, b.trx_started, NOW()) AS age
            FROM information_schema.INNODB_TRX w
            LEFT JOIN {waits} l ON l.{waiting} = w.trx_id
            LEFT JOIN information_schema.INNODB_TRX b ON b.trx_id = l.{blocking}
            WHERE w.trx_state = 'LOCK WAIT'
            """  # noqa: S608 - names of the server's own
        )
        found = {
            row["id"]: Wait(
                int(row["id"]), max(0.0, float(row["seconds"] or 0)), shape(row["statement"] or ""),
                f"session {row['blocker']}, in a transaction for {row['age'] or 0:.0f} s" if row["blocker"] else "a row",
            )
            for row in rows
        }  # fmt: skip
        for one in self.running:
            if one.state.startswith("Waiting for") and "lock" in one.state:
                found.setdefault(one.id, Wait(one.id, one.seconds, one.shape, one.state[len("Waiting for ") :]))
        return sorted(found.values(), key=lambda wait: -wait.seconds)

    # Replication

    @functools.cached_property
    def channels(self) -> list[Channel]:
        """The sources that this server replicates; none when it is no replica."""
        modern = not self.session.mariadb and self.session.version >= (8, 0, 22)
        rows = self.session.rows(
            "SHOW ALL SLAVES STATUS" if self.session.mariadb else f"SHOW {'REPLICA' if modern else 'SLAVE'} STATUS"
        )
        return [_channel({_modern(key): value for key, value in row.items()}) for row in rows]

    # Tables

    @functools.cached_property
    def tables(self) -> list[Table]:
        """The tables that are to be looked at. Raises :class:`Unmeasurable` when some might be hidden from us."""
        self._demand_sight()
        return self.visible_tables

    @functools.cached_property
    def visible_tables(self) -> list[Table]:
        """Those that the server shows to us."""
        rows = self._of_tables(
            """SELECT table_schema AS s, table_name AS n, engine AS e, table_rows AS r, data_length AS d,
                      index_length AS i, data_free AS f, auto_increment AS a, table_comment AS c
               FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"""
        )
        return [
            Table(
                row["s"], row["n"], row["e"], int(row["r"] or 0), int(row["d"] or 0) + int(row["i"] or 0),
                int(row["f"] or 0), None if row["a"] is None else int(row["a"]), row["c"] or "",
            )
            for row in rows
        ]  # fmt: skip

    def _of_tables(self, select: str) -> list[dict[str, t.Any]]:
        """Rows of a SELECT on information_schema whose columns ``s`` and ``n`` name a table that is to be looked at."""
        if self.database:
            rows = self.session.rows(f"{select} AND table_schema = %s", (self.database,))
        else:
            rows = self.session.rows(f"{select} AND table_schema NOT IN %s", (SYSTEM,))
        return [row for row in rows if self._looked_at(row["s"], row["n"])]

    def _looked_at(self, schema: str, name: str) -> bool:
        if self.matching and not fnmatch.fnmatchcase(name, self.matching):
            return False
        return not any(
            fnmatch.fnmatchcase(name, one) or fnmatch.fnmatchcase(f"{schema}.{name}", one) for one in self.ignored
        )

    @functools.cached_property
    def shared_space(self) -> set[str]:
        """Tables that lie in the system tablespace with others: what is free there is not theirs."""
        source = "INNODB_SYS_TABLES" if self.session.mariadb or self.session.version < (8, 0) else "INNODB_TABLES"
        self._demand("PROCESS", "where tables lie is not shown")
        rows = self.session.rows(f"SELECT NAME AS n FROM information_schema.{source} WHERE SPACE = 0")  # noqa: S608
        return {str(row["n"]).replace("/", ".", 1) for row in rows}

    @functools.cached_property
    def indexes(self) -> list[Index]:
        self._demand_sight()
        rows = self._of_tables(
            """SELECT table_schema AS s, table_name AS n, index_name AS i, non_unique AS u, index_type AS t,
                      seq_in_index AS p, column_name AS c, sub_part AS l
               FROM information_schema.statistics WHERE 1 = 1"""
        )
        grouped: dict[tuple[str, str, str], list[dict[str, t.Any]]] = {}
        for row in rows:
            grouped.setdefault((row["s"], row["n"], row["i"]), []).append(row)
        return [
            Index(*key, not int(parts[0]["u"]), parts[0]["t"], tuple(map(_column, sorted(parts, key=lambda part: part["p"]))))
            for key, parts in sorted(grouped.items())
        ]  # fmt: skip

    def auto_increments(self) -> list[tuple[Table, int, int]]:
        """(table, last value given out, largest value of the column)."""
        rows = self._of_tables(
            """SELECT table_schema AS s, table_name AS n, data_type AS t, column_type AS c
               FROM information_schema.columns WHERE extra LIKE '%%auto_increment%%'"""
        )
        tables = {(table.schema, table.name): table for table in self.tables}
        found = []
        for row in rows:
            table, bits = tables.get((row["s"], row["n"])), LARGEST.get(str(row["t"]).lower())
            if table and table.auto_increment and bits:
                unsigned = "unsigned" in str(row["c"]).lower()
                found.append((table, table.auto_increment - 1, 2 ** (bits if unsigned else bits - 1) - 1))
        return found

    def unused_indexes(self) -> list[Index]:
        """Indexes that no statement has used since the server started, of tables that were used. Unique ones have a use."""
        self.demand_performance_schema(instrument="wait/io/table/sql/handler")
        rows = self.session.rows(
            """SELECT object_schema AS s, object_name AS n, index_name AS i
               FROM performance_schema.table_io_waits_summary_by_index_usage
               WHERE index_name IS NOT NULL AND count_star = 0"""
        )
        unused = {(row["s"], row["n"], row["i"]) for row in rows}
        return [one for one in self.indexes if not one.unique and (one.schema, one.table, one.name) in unused]

    def check_tables(self, how: str, seconds: float) -> t.Iterator[tuple[Table, str, str]]:
        """(table, verdict of :func:`check_verdict`, what the server says) of each table; begins none after the time."""
        end = time.monotonic() + seconds
        option = "" if how == "medium" else f" {how.upper()}"
        for table in self.tables:
            if time.monotonic() >= end:
                yield table, "not checked", "no time was left"
                continue
            rows = self.session.rows(f"CHECK TABLE {quoted(table.schema, table.name)}{option}")
            yield (table, *check_verdict([(row["Msg_type"], row["Msg_text"]) for row in rows]))

    # Statements

    def demand_performance_schema(self, *, instrument: str = "", consumer: str = "") -> None:
        if self.variable("performance_schema") != "ON":
            raise Unmeasurable("performance_schema is off: nobody counts this")
        for kind, name in (("instrument", instrument), ("consumer", consumer)):
            if not name:
                continue
            rows = self.session.rows(
                f"SELECT ENABLED AS e FROM performance_schema.setup_{kind}s WHERE NAME = %s", (name,)  # noqa: S608
            )  # fmt: skip
            if not rows or rows[0]["e"] != "YES":
                raise Unmeasurable(f"performance_schema is on, but its {kind} {name} is off")

    def digests(self, hours: float, condition: str, *values: float) -> list[slow_log.Statement]:
        """Statements that ran within the last hours and fulfil a condition, the costliest first."""
        self.demand_performance_schema(consumer="statements_digest")
        rows = self.session.rows(
            f"""
            SELECT digest_text AS t, schema_name AS s, count_star AS c, sum_timer_wait / 1e12 AS w,
                   max_timer_wait / 1e12 AS m, sum_rows_examined AS e, sum_rows_sent AS r
            FROM performance_schema.events_statements_summary_by_digest
            WHERE digest IS NOT NULL AND last_seen >= NOW() - INTERVAL %s SECOND AND {condition}
              AND COALESCE(schema_name, '') NOT IN %s{" AND schema_name = %s" if self.database else ""}
            ORDER BY sum_timer_wait DESC LIMIT {MOST_LOGGED}
            """,  # noqa: S608 - conditions are ours, values are not in the text
            (int(hours * 3600), *values, SYSTEM, *([self.database] if self.database else [])),
        )
        return [
            slow_log.Statement(
                shape(row["t"] or ""), row["s"] or "", int(row["c"]), float(row["w"]), float(row["m"]), int(row["e"]),
                int(row["r"]),
            )
            for row in rows
        ]  # fmt: skip

    def slow(self, source: str, hours: float, seconds: float | None, path: str | None) -> Slow:
        """Slow statements of the last hours, from ``digest``, ``log``, or what there is (``auto``)."""
        least = float(self.variable("long_query_time"))
        if source == "digest" or (source == "auto" and self._variables.get("performance_schema") == "ON"):
            least = least if seconds is None else seconds
            found = self.digests(hours, "avg_timer_wait >= %s * 1e12", least)
            return Slow(found, "performance_schema, since the server started, of what ran in the window", least)
        if self.variable("slow_query_log") != "ON" or "NONE" in self.variable("log_output"):
            raise Unmeasurable("the slow log is off, and so is performance_schema: nobody knows what was slow")
        if seconds is not None and seconds < least:
            raise Unmeasurable(f"the slow log holds only what takes {least:g} s, and slow_time asks for {seconds:g} s")
        least = least if seconds is None else seconds
        if "TABLE" in self.variable("log_output") and not path:
            return Slow(self._slow_table(hours), "table mysql.slow_log", least)
        return self._slow_file(path, hours, least)

    def _slow_table(self, hours: float) -> list[slow_log.Statement]:
        rows = self.session.rows(
            f"""SELECT db AS s, sql_text AS t, TIME_TO_SEC(query_time) + MICROSECOND(query_time) / 1e6 AS w,
                       rows_sent AS r, rows_examined AS e
                FROM mysql.slow_log WHERE start_time >= NOW() - INTERVAL %s SECOND
                ORDER BY query_time DESC LIMIT {MOST_LOGGED}""",  # noqa: S608
            (int(hours * 3600),),
        )
        tally = slow_log.Tally()
        for row in rows:
            text = str(row["t"], "utf-8", "backslashreplace") if isinstance(row["t"], bytes) else row["t"]
            tally.note(row["s"] or "", text, float(row["w"]), int(row["r"]), int(row["e"]))
        return self._of_database(tally)

    def _slow_file(self, path: str | None, hours: float, least: float) -> Slow:
        own = os.path.join(self.variable("datadir"), self.variable("slow_query_log_file"))
        if not path and self.variable("hostname") != socket.gethostname():
            raise Unmeasurable(
                f"the slow log is a file of another host, {own}: look from there, or set log_output=TABLE"
            )
        tally, oldest = slow_log.read(path or own, time.time() - 3600 * hours)
        reach = "" if oldest is None else f", from {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(oldest))}"
        return Slow(self._of_database(tally), f"{path or own}{reach}", least)

    def _of_database(self, tally: slow_log.Tally) -> list[slow_log.Statement]:
        found = [one for one in tally.values() if not self.database or one.schema == self.database]
        return sorted(found, key=lambda one: -one.total)


def check_verdict(messages: t.Sequence[tuple[str, str]]) -> tuple[str, str]:
    """What CHECK TABLE means, from its (Msg_type, Msg_text): ``ok``, ``damaged``, ``suspect``, ``not checked``,
    or ``no check`` where the engine has none.
    """
    said = "; ".join(f"{kind}: {text}" for kind, text in messages if (kind, text) != ("status", "OK"))[:300]
    kinds = {kind.lower() for kind, _text in messages}
    statuses = [text for kind, text in messages if kind.lower() == "status"]
    if "doesn't support check" in said:
        return "no check", said
    if re.search(r"(?i)lock wait timeout|interrupted|max_statement_time", said):
        return "not checked", said
    if "error" in kinds or not all(text in ("OK", "Table is already up to date") for text in statuses):
        return "damaged", said
    if not statuses:
        return "not checked", said or "the server says nothing"
    return ("suspect" if "warning" in kinds else "ok"), said


def _present(value: str | None, reason: str) -> str:
    if value is None:
        raise Unmeasurable(reason)
    return value


def _like(pattern: str, text: str) -> bool:
    """Whether a database is meant by the pattern of a grant, where ``_`` and ``%`` are wild unless escaped."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"_": ".", "%": ".*"}
    return re.fullmatch("".join(wild.get(part) or re.escape(part[-1]) for part in parts), text, re.DOTALL) is not None


def _column(part: t.Mapping[str, t.Any]) -> str:
    return f"{part['c'] or 'an expression'}({part['l']})" if part["l"] else str(part["c"] or "an expression")


def _modern(name: str) -> str:
    return name.replace("Master", "Source").replace("Slave", "Replica")


def _channel(row: t.Mapping[str, t.Any]) -> Channel:
    lag, delay = row.get("Seconds_Behind_Source"), row.get("SQL_Delay") or 0
    # What stopped the applier quotes the statement and the row, within quotes of its own: all between them goes.
    applying = re.sub(r"'.*'", "…", str(row.get("Last_SQL_Error") or ""), flags=re.DOTALL)
    problems = [str(row.get("Last_IO_Error") or ""), f"({row.get('Last_SQL_Errno')}) {applying}" if applying else ""]
    return Channel(
        str(row.get("Connection_name") or row.get("Channel_Name") or ""),
        f"{row.get('Source_Host')}:{row.get('Source_Port')}",
        str(row.get("Replica_IO_Running")),
        str(row.get("Replica_SQL_Running")),
        None if lag is None else max(0.0, float(lag) - float(delay)),
        "; ".join(filter(None, problems)),
    )
