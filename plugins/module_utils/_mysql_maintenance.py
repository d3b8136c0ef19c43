# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Maintenance of the tables of a database: check them, renew their statistics, rebuild them, delete their oldest rows.

Each action looks first and does only what is worth doing, so that a second run finds nothing to do. Damage, a missing
backup, too little room and a plan that nobody has seen stop it before anything is changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import glob
import os
import socket
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _mysql
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._guard import Plan, Refused, demand_token, refuse_protected
from ansible_collections.sre.runbooks.plugins.module_utils._mysql import Session, quoted
from ansible_collections.sre.runbooks.plugins.module_utils._probe.mysql import SYSTEM, Server, Table, check_verdict

CHECKS = {
    "mysql_maintenance.sound": "The tables are sound.",
    "mysql_maintenance.statistics": "The statistics of the tables are recent.",
    "mysql_maintenance.rebuilt": "Tables that consist of holes have been rebuilt.",
    "mysql_maintenance.old_rows": "Rows that are too old have been deleted.",
}
JUDGED_BY = dict(zip(("check", "analyze", "optimize", "purge"), CHECKS))
"""Action → the check that says in the report what came of it."""

MIB = 1024**2
Result = t.Dict[str, t.Any]


class Damaged(Refused):
    """A table is damaged, or one that was named is not there."""


OPTIONS: dict[str, t.Any] = {
    **_mysql.ADDRESS,
    **_mysql.LOGIN,
    "action": {"type": "str", "required": True, "choices": ["check", "analyze", "optimize", "purge"]},
    "database": {"type": "str", "required": True},
    "tables": {"type": "list", "elements": "str", "default": ["*"]},
    "protect": {"type": "list", "elements": "str", "default": []},
    "thoroughness": {
        "type": "str",
        "choices": ["quick", "fast", "changed", "medium", "extended"],
        "default": "medium",
    },
    "analyzed_within": {"type": "float", "default": 7.0},
    "reclaimable": {"type": "float", "default": 30.0},
    "min_size": {"type": "float", "default": 100.0},
    "room": {"type": "float", "default": 1.5},
    "column": {"type": "str"},
    "older_than": {"type": "float"},
    "most": {"type": "int", "default": 1_000_000},
    "batch": {"type": "int", "default": 1000},
    "pause": {"type": "float", "default": 0.1},
    "token": {"type": "str", "no_log": False},
    "backup": {"type": "path"},
    "backup_within": {"type": "float", "default": 26.0},
    "without_backup": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 3600.0},
}
RULES: dict[str, t.Any] = {
    "required_if": [("action", "purge", ("column", "older_than"))],
    "mutually_exclusive": [("backup", "without_backup")],
}


def perform(options: t.Mapping[str, t.Any], *, check_mode: bool) -> Result:
    """Do what the action says, or in check mode say what it would do.

    Raises :class:`BadOption`, :class:`Refused` (nothing was changed) and :class:`Unmeasurable` (the server has stopped us).
    """
    _validate(options)
    refuse_protected([options["database"]], SYSTEM)
    session = _mysql.connect(options, options["timeout"], writing=True)
    with contextlib.closing(session):
        _lock(session, options["database"])
        work = Work(session, options, check_mode=check_mode)
        result = {"changed": False, **t.cast("Result", getattr(work, options["action"])())}
        status = "warning" if result.get("remaining") else "ok"
        return {**result, "checks": [told(options, status, result["msg"])]}


def told(options: t.Mapping[str, t.Any], status: str, summary: str) -> dict[str, t.Any]:
    """What an action says in the report."""
    table = f".{options['tables'][0]}" if options["action"] == "purge" and options["tables"] else ""
    return dataclasses.asdict(
        Check(JUDGED_BY[options["action"]], f"{options['database']}{table}", status, summary[:300])
    )


def _validate(options: t.Mapping[str, t.Any]) -> None:
    _mysql.check_login(options)
    for option in ("batch", "most", "timeout"):
        if not options[option] > 0:
            raise BadOption(f"{option}: {options[option]:g} does nothing; give more than 0")
    if options["room"] < 1:
        raise BadOption(
            f"room: a rebuild takes as much room as the table; {options['room']:g} times that is too little"
        )
    if options["action"] == "purge":
        if len(options["tables"]) != 1 or any(sign in options["tables"][0] for sign in "*?["):
            raise BadOption("tables: rows are deleted from one table at a time, give its name")
        if not options["older_than"] >= 1:
            raise BadOption(
                f"older_than: rows of the last day are not old, give 1 and more, not {options['older_than']:g}"
            )
    if not options["tables"]:
        raise BadOption("tables: names nothing")


def _lock(session: Session, database: str) -> None:
    """One maintenance at a time. The lock ends with the session, also when its run is killed."""
    if session.rows("SELECT GET_LOCK(%s, 0) AS got", (f"sre.runbooks/{database}"[:64],))[0]["got"] != 1:
        raise Refused(f"another maintenance of {database} is at work")


class Work:
    """What can be done with the tables of one database."""

    def __init__(self, session: Session, options: t.Mapping[str, t.Any], *, check_mode: bool) -> None:
        self.session, self.options, self.check_mode = session, options, check_mode
        self.database: str = options["database"]

    def _look(self) -> Server:
        """The server as it is now: what a :class:`Server` has once said, it keeps."""
        return Server(self.session, self.database)

    def _tables(self) -> list[Table]:
        """The tables that are meant. Raises :class:`Damaged` for a name that no table has and for a table that cannot be
        opened, :class:`Refused` for one that is protected.
        """
        there = self._look().tables
        for pattern in self.options["tables"]:
            if not any(fnmatch.fnmatchcase(table.name, pattern) for table in there):
                raise Damaged(f"{self.database} has no table {pattern}, or it is not shown to {self.session.user}")
        meant = [
            one for one in there if any(fnmatch.fnmatchcase(one.name, pattern) for pattern in self.options["tables"])
        ]
        refuse_protected([table.name for table in meant], self.options["protect"])
        for table in meant:
            if table.engine is None:
                raise Damaged(f"{table} cannot be opened, see to it before anything else: {table.comment}")
        return meant

    def _say(self, verb: str, table: Table, option: str = "") -> list[tuple[str, str]]:
        """What CHECK, ANALYZE and OPTIMIZE TABLE answer: (Msg_type, Msg_text)."""
        rows = self.session.rows(f"{verb} TABLE {quoted(table.schema, table.name)}{option}")
        return [(row["Msg_type"], row["Msg_text"]) for row in rows]

    def _check(self, tables: t.Iterable[Table]) -> list[Result]:
        """CHECK TABLE for each; raises :class:`Damaged` when one is not sound, :class:`Refused` when nobody can say."""
        how = self.options["thoroughness"]
        found: list[Result] = []
        for table in tables:
            verdict, said = check_verdict(self._say("CHECK", table, "" if how == "medium" else f" {how.upper()}"))
            found.append({"table": table.name, "verdict": verdict, "said": said, "mib": _mib(table.size)})
        unsound = [one for one in found if one["verdict"] not in ("ok", "no check")]
        if unsound:
            told = "; ".join(f"{one['table']} {one['verdict']}: {one['said']}" for one in unsound[:5])
            known = any(one["verdict"] != "not checked" for one in unsound)
            raise (Damaged if known else Refused)(
                f"{len(unsound)} of {len(found)} tables are not sound, see to them before anything else: {told}"
            )
        return found

    # check

    def check(self) -> Result:
        found = self._check(self._tables())
        left_out = [one["table"] for one in found if one["verdict"] == "no check"]
        told = f"; there is no check for {', '.join(left_out)}" if left_out else ""
        return {"msg": f"{len(found) - len(left_out)} tables are sound{told}", "tables": found}

    # analyze

    def analyze(self) -> Result:
        """Renew the statistics of tables where they are older than ``analyzed_within`` days."""
        fresh = self._fresh_statistics()
        found: list[Result] = []
        for table in self._tables():
            entry: Result = {"table": table.name, "changed": table.name not in fresh}
            if not entry["changed"]:
                entry["said"] = f"the statistics are younger than {self.options['analyzed_within']:g} days"
            elif not self.check_mode:
                messages = self._say("ANALYZE", table)
                _demand_ok("ANALYZE", table, messages)
                entry["said"] = "; ".join(text for _kind, text in messages)
                entry["changed"] = ("status", "Table is already up to date") not in messages
            found.append(entry)
        return _summary(found, "analyzed")

    def _fresh_statistics(self) -> set[str]:
        rows = self.session.rows(
            "SELECT table_name AS n FROM mysql.innodb_table_stats"
            " WHERE database_name = %s AND last_update >= NOW() - INTERVAL %s SECOND",
            (self.database, int(self.options["analyzed_within"] * 86400)),
        )
        return {row["n"] for row in rows}

    # optimize

    def optimize(self) -> Result:
        """Rebuild tables of which much is free, the smallest first, as far as there is room for it."""
        tables = self._tables()
        shared = self._look().shared_space
        worth: list[Table] = []
        found: list[Result] = []
        for table in sorted(tables, key=lambda one: one.size):
            why_not = self._not_worth(table, shared)
            if why_not:
                found.append({"table": table.name, "changed": False, "said": why_not, "before_mib": _mib(table.size)})
            else:
                worth.append(table)
        if worth:
            self._check(worth)  # a rebuild reads the damage and writes it anew
        for table in worth:
            self._demand_room(table)
            found.append({"table": table.name, "changed": True, **self._rebuild(table)})
        return _summary(found, "optimized")

    def _not_worth(self, table: Table, shared: set[str]) -> str:
        whole = table.size + table.free
        share = 100 * table.free / whole if whole else 0
        if table.engine not in ("InnoDB", "MyISAM", "Aria"):
            return f"tables of {table.engine} are not rebuilt"
        if str(table) in shared:
            return "lies in the shared tablespace, where a rebuild gives nothing back"
        if whole < self.options["min_size"] * MIB:
            return f"has less than {self.options['min_size']:g} MiB"
        if share < self.options["reclaimable"]:
            return f"{share:.1f} % is free, less than {self.options['reclaimable']:g} %"
        return ""

    def _rebuild(self, table: Table) -> Result:
        before = {"before_mib": _mib(table.size + table.free), "free_mib": _mib(table.free)}
        if self.check_mode:
            return {**before, "said": "would be rebuilt"}
        messages = self._say("OPTIMIZE", table)
        _demand_ok("OPTIMIZE", table, messages)
        after = next((one for one in self._look().visible_tables if one.name == table.name), None)
        if after is None or after.engine is None:
            raise Unmeasurable(f"OPTIMIZE {table}: the table cannot be opened afterwards")
        return {
            **before,
            "after_mib": _mib(after.size + after.free),
            "said": "; ".join(text for _kind, text in messages),
        }

    def _demand_room(self, table: Table) -> None:
        """A rebuild writes the table a second time, beside the first."""
        directory = self._look().variable("datadir")
        if self._look().variable("hostname") != socket.gethostname() or not os.path.isdir(directory):
            raise Refused(
                f"how much room there is at {directory} cannot be seen from this host: run it on the server's own"
            )
        stat = os.statvfs(directory)
        free, needed = stat.f_bavail * stat.f_frsize, self.options["room"] * (table.size + table.free)
        if free < needed:
            raise Refused(
                f"to rebuild {table} takes {needed / MIB:,.0f} MiB at {directory}, and {free / MIB:,.0f} MiB are free"
            )

    # purge

    def purge(self) -> Result:
        """Delete the oldest rows of a table, in batches along its primary key, those that the token stands for."""
        (table,) = self._tables()
        key = self._key(table)
        self._demand_time(table)
        self._demand_no_dependants(table)
        plan, total = self._plan(table, key)
        rows = int(plan.what["rows"])
        result: Result = {
            "preview": plan.what, "token": plan.token, "rows": rows, "deleted": 0, "remaining": total, "before_mib": _mib(table.size),
        }  # fmt: skip
        if not rows:
            return {**result, "msg": f"no row of {table} is older than {plan.what['before']}"}
        if not self.options["token"]:
            told = f"{rows:,} rows of {table} are older than {plan.what['before']}; nothing was deleted, that takes the token {plan.token}"
            return {**result, "msg": told}
        demand_token(plan, self.options["token"])
        self._demand_backup()
        if self.check_mode:
            return {**result, "changed": True, "msg": f"{rows:,} rows of {table} would be deleted"}
        deleted = self._delete(table, key, plan)
        if deleted != rows:
            raise Unmeasurable(
                f"{deleted:,} rows of {table} were deleted, and {rows:,} had been counted: somebody else deletes too"
            )
        (after,) = self._tables()
        return {
            **result, "changed": True, "deleted": deleted, "remaining": total - deleted, "after_mib": _mib(after.size),
            "msg": f"{deleted:,} rows of {table} were deleted, {total - deleted:,} older than {plan.what['before']} remain",
        }  # fmt: skip

    def _key(self, table: Table) -> str:
        keys = [one for one in self._look().indexes if (one.table, one.name) == (table.name, "PRIMARY")]
        if len(keys) != 1 or len(keys[0].columns) != 1 or "(" in keys[0].columns[0]:
            raise Refused(f"{table} has no primary key of one column, along which rows could be deleted in batches")
        return keys[0].columns[0]

    def _demand_time(self, table: Table) -> None:
        """A number compared with a date is compared with its year: other rows would seem old."""
        rows = self.session.rows(
            "SELECT data_type AS t FROM information_schema.columns WHERE table_schema = %s AND table_name = %s AND column_name = %s",
            (table.schema, table.name, self.options["column"]),
        )
        if not rows:
            raise Refused(f"{table} has no column {self.options['column']}")
        if rows[0]["t"] not in ("date", "datetime", "timestamp"):
            raise Refused(f"{table}.{self.options['column']} is a {rows[0]['t']}, no time that a row could be old by")

    def _demand_no_dependants(self, table: Table) -> None:
        """Rows of other tables would go with ours, or change, and no preview would have shown them."""
        rows = self.session.rows(
            """SELECT constraint_schema AS s, table_name AS n FROM information_schema.referential_constraints
               WHERE unique_constraint_schema = %s AND referenced_table_name = %s""",
            (table.schema, table.name),
        )
        if rows:
            raise Refused(f"rows of {rows[0]['s']}.{rows[0]['n']} refer to rows of {table}")

    def _plan(self, table: Table, key: str) -> tuple[Plan, int]:
        """The rows that would be deleted, and how many are old in all.

        What counts as old ends at midnight of the server, so that a plan holds for the rest of the day. A row without a
        date is not old. The checksum of the keys stands for the list of them.
        """
        days = (int(self.options["older_than"]),)
        before = self.session.rows("SELECT CAST(CURDATE() - INTERVAL %s DAY AS CHAR) AS b", days)[0]["b"]
        column, at, old = quoted(self.options["column"]), quoted(key), self._old(table)
        total = int(self.session.rows(f"SELECT COUNT(*) AS c {old}", (before,))[0]["c"])
        row = self.session.rows(
            f"""SELECT COUNT(*) AS c, CAST(MIN(k) AS CHAR) AS k0, CAST(MAX(k) AS CHAR) AS k1, CAST(MIN(v) AS CHAR) AS v0,
                       CAST(MAX(v) AS CHAR) AS v1, COALESCE(BIT_XOR(CRC32(k)), 0) AS x
                FROM (SELECT {at} AS k, {column} AS v {old} ORDER BY {at} LIMIT %s) AS old""",  # noqa: S608
            (before, self.options["most"]),
        )[0]
        what = {
            "table": str(table), "rows": int(row["c"]), "before": before, "oldest": row["v0"], "newest": row["v1"],
            "first_key": row["k0"], "last_key": row["k1"], "checksum": int(row["x"]),
        }  # fmt: skip
        return Plan("delete rows", f"{self._look().variable('hostname')}:{table}", what), total

    def _old(self, table: Table) -> str:
        """FROM and WHERE of the rows that are older than a time to be filled in."""
        column = quoted(self.options["column"])
        return f"FROM {quoted(table.schema, table.name)} WHERE {column} >= '1000-01-01' AND {column} < %s"

    def _demand_backup(self) -> None:
        if self.options["without_backup"]:
            return
        if not self.options["backup"]:
            raise Refused("to delete rows takes a backup, or the word that it goes without one (without_backup)")
        files = [path for path in glob.glob(self.options["backup"]) if os.path.isfile(path) and os.path.getsize(path)]
        if not files:
            raise Refused(f"there is no backup: no file with content matches {self.options['backup']}")
        hours = (time.time() - max(map(os.path.getmtime, files))) / 3600
        if not 0 <= hours <= self.options["backup_within"]:
            raise Refused(f"the newest backup is {hours:.1f} h old, more than {self.options['backup_within']:g} h")

    def _delete(self, table: Table, key: str, plan: Plan) -> int:
        """Each batch is a transaction of its own. One that is broken off leaves whole batches deleted, and the rest there."""
        at, old, before = quoted(key), self._old(table), plan.what["before"]
        deleted, after, values = 0, "", ()  # type: int, str, tuple[t.Any, ...]
        while deleted < plan.what["rows"]:
            size = min(self.options["batch"], plan.what["rows"] - deleted)
            keys = self.session.rows(f"SELECT {at} AS k {old} {after} ORDER BY {at} LIMIT %s", (before, *values, size))
            if not keys:
                break
            after, values = f"AND {at} > %s", (keys[-1]["k"],)
            first, last = keys[0]["k"], keys[-1]["k"]
            deleted += self.session.do(f"DELETE {old} AND {at} BETWEEN %s AND %s", (before, first, last))
            time.sleep(self.options["pause"])
        return deleted


def _mib(size: float) -> float:
    return round(size / MIB, 2)


def _demand_ok(verb: str, table: Table, messages: list[tuple[str, str]]) -> None:
    """The statement answers with rows also when it could not do its work."""
    errors = [text for kind, text in messages if kind.lower() == "error"]
    if errors or not any(kind == "status" for kind, _text in messages):
        raise Unmeasurable(f"{verb} {table}: {'; '.join(errors) or 'the server says nothing'}")


def _summary(found: list[Result], done: str) -> Result:
    changed = [one["table"] for one in found if one["changed"]]
    return {"changed": bool(changed), "msg": f"{len(changed)} of {len(found)} tables {done}", "tables": found}
