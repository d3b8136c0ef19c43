# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a database holds, as a small dict: taken when it is dumped, taken again when the dump was restored, compared.

It lies next to the dump as JSON (:func:`path_of`) and holds no row of anybody::

    {"format": 1, "engine": "mysql", "server": "10.11.6-MariaDB", "database": "shop", "taken": "2025-11-05T02:00:01Z",
     "tables": {"orders": {"columns": {"id": "int(11) not null"}, "indexes": {"PRIMARY": "unique (id)"},
                           "constraints": {}, "rows": 1200,
                           "sample": {"one_in": 2, "rows": 611, "checksum": "8174…"}}},
     "objects": ["view latest_orders", "routine tidy"],
     "sequences": {"orders.id": 1201},
     "grants": ["orders: web=SELECT"],
     "dump": {"name": "shop.sql.gz", "bytes": 41920, "sha256": "…", "plain_bytes": 190233}}

``dump`` is added by whoever dumps. Everything is asked through a function that runs one statement and returns rows of
text, so that the same code serves a production server, read-only, and a throwaway one. No I/O here.
"""

# ruff: noqa: S608 - names are quoted by text() and _back(), or by the server

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

FORMAT = 1
SUFFIX = ".manifest.json"
NULL = "\\N"
"""How a null is told by a :data:`Sql`."""

Sql = t.Callable[[str], t.List[t.List[str]]]
Facts = t.Dict[str, t.Any]

SESSION = {
    "mysql": "SET NAMES utf8mb4; SET time_zone = '+00:00'; SET SESSION group_concat_max_len = 1000000",
    "postgresql": "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex';"
    " SET extra_float_digits = 1; SET client_encoding = 'UTF8'",
}
"""Engine → the statements with which a :data:`Sql` begins its session, so that values read the same everywhere."""

SAMPLE = 1000
"""Rows of each table whose checksum is taken, about."""
_AT_ONCE = 40
"""Tables that one statement counts."""


def path_of(dump: str) -> str:
    """Where the manifest of a dump lies: a path or an S3 key."""
    return dump + SUFFIX


def read(text: str, where: str) -> Facts:
    """A manifest out of its JSON. Raises :class:`Unmeasurable`."""
    try:
        facts = json.loads(text)
    except ValueError as exc:
        raise Unmeasurable(f"{where} is no manifest: {exc}") from exc
    if not isinstance(facts, dict) or facts.get("format") != FORMAT or not isinstance(facts.get("tables"), dict):
        raise Unmeasurable(f"{where} is no manifest of format {FORMAT}")
    return facts


def take(
    sql: Sql, engine: str, database: str, *, like: Facts | None = None, only: t.Container[str] | None = None
) -> Facts:
    """What a database holds. ``engine`` is ``mysql`` or ``postgresql``.

    ``like`` are the facts to compare with later: the same rows are sampled. ``only`` limits the counting to some tables,
    whose rows are None otherwise.
    """
    dialect = _Postgresql(sql, database) if engine == "postgresql" else _Mysql(sql, database)
    tables = dialect.tables()
    estimates = {name: table.pop("about") for name, table in tables.items()}
    parents = [name for name, table in tables.items() if table.pop("parent", False)]
    wanted = [name for name in tables if name not in parents and (only is None or name in only)]
    for table in tables.values():
        table.update(rows=None, sample=None)
    for start in range(0, len(wanted), _AT_ONCE):
        part = {name: _one_in(name, estimates[name], like) for name in wanted[start : start + _AT_ONCE]}
        for name, rows, sampled, checksum in sql(
            "\nUNION ALL ".join(dialect.count(name, tables[name], one_in) for name, one_in in part.items())
        ):
            tables[name]["rows"] = int(rows)
            tables[name]["sample"] = {"one_in": part[name], "rows": int(sampled), "checksum": checksum}
    for table in tables.values():
        table.pop("key")
    return {
        "format": FORMAT,
        "engine": engine,
        "server": dialect.server(),
        "database": database,
        "tables": tables,
        "objects": sorted(dialect.objects()),
        "sequences": dialect.sequences(),
        "grants": sorted(dialect.grants()),
    }


def _one_in(name: str, estimate: int, like: Facts | None) -> int:
    """Which share of the rows of a table is sampled: the same as in the facts to compare with."""
    expected = ((like or {}).get("tables", {}).get(name) or {}).get("sample")
    return int(expected["one_in"]) if expected else max(1, estimate // SAMPLE)


def text(value: str) -> str:
    """A string literal of both dialects. Backslashes are refused: they mean different things."""
    if "\\" in value or "\0" in value:
        raise Unmeasurable(f"a name with a backslash is not supported: {value!r}")
    return "'" + value.replace("'", "''") + "'"


def _counts(table: Facts, key: t.Sequence[str]) -> bool:
    """Whether the rows of a table are numbered, so that some of them can be picked without calculating a digest of each."""
    return len(key) == 1 and bool(re.match(r"(?:tiny|small|medium|big)?int", table["columns"].get(key[0], "")))


class _Mysql:
    def __init__(self, sql: Sql, database: str) -> None:
        self._sql, self._database = sql, text(database)
        self._prefix = _back(database)

    def server(self) -> str:
        return self._sql("SELECT VERSION()")[0][0]

    def tables(self) -> dict[str, Facts]:
        found: dict[str, Facts] = {
            name: {"columns": {}, "indexes": {}, "constraints": {}, "key": [], "about": int(rows)}
            for name, rows in self._sql(
                "SELECT TABLE_NAME, COALESCE(TABLE_ROWS, 0) FROM information_schema.TABLES"
                f" WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA = {self._database} ORDER BY TABLE_NAME"
            )
        }
        for name, column, kind, null, collation in self._sql(
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COALESCE(COLLATION_NAME, '') FROM"
            f" information_schema.COLUMNS WHERE TABLE_SCHEMA = {self._database} ORDER BY TABLE_NAME, ORDINAL_POSITION"
        ):
            if name in found:
                words = [kind, "" if null == "YES" else "not null", collation]
                found[name]["columns"][column] = " ".join(word for word in words if word)
        for name, index, free, column, part in self._sql(
            "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COALESCE(COLUMN_NAME, '(expression)'), COALESCE(SUB_PART, '') FROM"
            f" information_schema.STATISTICS WHERE TABLE_SCHEMA = {self._database}"
            " ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
        ):
            if name in found:
                self._index(found[name], index, free == "0", f"{column}({part})" if part else column)
                if index == "PRIMARY":
                    found[name]["key"].append(column)
        for name, constraint, other in self._sql(
            "SELECT TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS"
            f" WHERE CONSTRAINT_SCHEMA = {self._database}"
        ):
            if name in found:
                found[name]["constraints"][constraint] = f"references {other}"
        return found

    @staticmethod
    def _index(table: Facts, index: str, unique: bool, column: str) -> None:
        before = table["indexes"].get(index)
        begun = before[:-1] + ", " if before else ("unique (" if unique else "(")
        table["indexes"][index] = f"{begun}{column})"

    def count(self, name: str, table: Facts, one_in: int) -> str:
        columns = [f"COALESCE(CAST({_back(column)} AS BINARY), {text('<null>')})" for column in table["columns"]]
        row = f"CONCAT_WS(0x1f, {', '.join(columns)})"
        key = f"CONCAT_WS(0x1f, {', '.join(map(_back, table['key']))})" if table["key"] else row
        number = _back(table["key"][0]) if _counts(table, table["key"]) else f"CRC32({key})"
        chosen = "1" if one_in == 1 else f"{number} % {one_in} = 0"
        digest = f"CAST(CONV(LEFT(MD5({row}), 15), 16, 10) AS UNSIGNED)"
        return (
            f"SELECT {text(name)}, COUNT(*), COALESCE(SUM({chosen}), 0),"
            f" BIT_XOR(IF({chosen}, {digest}, 0)) FROM {self._prefix}.{_back(name)}"
        )

    def objects(self) -> t.Iterator[str]:
        for kind, table, name, schema in (
            ("view", "VIEWS", "TABLE_NAME", "TABLE_SCHEMA"),
            ("routine", "ROUTINES", "ROUTINE_NAME", "ROUTINE_SCHEMA"),
            ("trigger", "TRIGGERS", "TRIGGER_NAME", "TRIGGER_SCHEMA"),
            ("event", "EVENTS", "EVENT_NAME", "EVENT_SCHEMA"),
        ):
            for row in self._sql(f"SELECT {name} FROM information_schema.{table} WHERE {schema} = {self._database}"):
                yield f"{kind} {row[0]}"
        for row in self._sql(
            "SELECT TABLE_NAME FROM information_schema.TABLES"
            f" WHERE TABLE_TYPE = 'SEQUENCE' AND TABLE_SCHEMA = {self._database}"
        ):
            yield f"sequence {row[0]}"

    def sequences(self) -> dict[str, int]:
        """The next value of each column that counts up by itself."""
        counting = self._sql(
            "SELECT c.TABLE_NAME, c.COLUMN_NAME, t.AUTO_INCREMENT FROM information_schema.COLUMNS c JOIN"
            " information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME WHERE"
            f" c.EXTRA LIKE '%auto_increment%' AND t.AUTO_INCREMENT IS NOT NULL AND c.TABLE_SCHEMA = {self._database}"
        )
        return {f"{table}.{column}": int(value) for table, column, value in counting}

    def behind(self) -> list[str]:
        """Sequences whose next value the column that they number has come to already, as with PostgreSQL.

        Columns that count up by themselves are never behind, the engine sees to it.
        """
        defaults = self._sql(
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_DEFAULT FROM information_schema.COLUMNS"
            f" WHERE COLUMN_DEFAULT LIKE 'nextval(`%`)' AND TABLE_SCHEMA = {self._database}"
        )
        found = []
        for table, column, default in defaults:
            sequence = default[len("nextval(") : -1]
            ((step, cycles),) = self._sql(f"SELECT increment, cycle_option FROM {sequence}")
            farthest, beyond = _farthest(step)
            reached = f"(SELECT {farthest}({_back(column)}) FROM {self._prefix}.{_back(table)})"
            taken = self._sql(f"SELECT 1 FROM {sequence} WHERE {reached} {beyond} next_not_cached_value")
            if taken and cycles == "0":
                found.append(sequence.rpartition("`.`")[2].strip("`"))
        return sorted(set(found))

    def grants(self) -> list[str]:
        """None: MySQL keeps them in a database of its own, which a dump of this one does not hold."""
        return []


_OURS = (
    "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND NOT EXISTS"
    " (SELECT FROM pg_depend d WHERE d.objid = {oid} AND d.classid = '{catalog}'::regclass AND d.deptype = 'e')"
)
_NAMED = "CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || {name}"


class _Postgresql:
    def __init__(self, sql: Sql, database: str) -> None:
        self._sql, self._database = sql, database
        self._real: dict[str, str] = {}

    def server(self) -> str:
        return self._sql("SHOW server_version")[0][0]

    def _of_relations(
        self, what: str, more: str = "", where: str = "c.relkind IN ('r', 'p')", order: str = "1"
    ) -> list[list[str]]:
        name, ours = _NAMED.format(name="c.relname"), _OURS.format(oid="c.oid", catalog="pg_class")
        return self._sql(
            f"SELECT {name}, {what} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace {more}"
            f" WHERE {where} AND {ours} ORDER BY {order}"
        )

    def tables(self) -> dict[str, Facts]:
        found: dict[str, Facts] = {}
        for name, real, kind, about in self._of_relations(
            "quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind, greatest(c.reltuples, 0)::bigint"
        ):
            self._real[name] = real
            found[name] = {"columns": {}, "indexes": {}, "constraints": {}, "key": [], "about": int(about)}
            if kind == "p":
                found[name]["parent"] = True
        for name, column, kind in self._of_relations(
            "a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END",
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped",
            order="1, a.attnum",
        ):
            found[name]["columns"][column] = kind
        for name, index, definition in self._of_relations(
            "i.relname, pg_get_indexdef(i.oid)",
            "JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid",
        ):
            found[name]["indexes"][index] = definition
        for name, constraint, definition in self._of_relations(
            "k.conname, pg_get_constraintdef(k.oid)", "JOIN pg_constraint k ON k.conrelid = c.oid"
        ):
            found[name]["constraints"][constraint] = definition
        for name, column in self._of_relations(
            "quote_ident(a.attname)",
            "JOIN pg_index x ON x.indrelid = c.oid AND x.indisprimary"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (x.indkey)",
            order="1, a.attnum",
        ):
            found[name]["key"].append(column)
        return found

    def count(self, name: str, table: Facts, one_in: int) -> str:
        row = "md5(sre_row::text)"
        parts = ["sre_row." + column for column in table["key"]]
        key = f"md5(concat_ws(chr(31), {', '.join(parts)}))" if parts else row
        number = parts[0] if _counts(table, table["key"]) else f"('x' || left({key}, 8))::bit(32)::bigint"
        chosen = "true" if one_in == 1 else f"{number} % {one_in} = 0"
        return (
            f"SELECT {text(name)}, count(*), count(*) FILTER (WHERE {chosen}), coalesce(sum(('x' || left({row}, 15))"
            f"::bit(60)::bigint) FILTER (WHERE {chosen}), 0)::text FROM {self._real[name]} AS sre_row"
        )

    def objects(self) -> t.Iterator[str]:
        kinds = "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'sequence' END"
        for name, kind in self._of_relations(kinds, where="c.relkind IN ('v', 'm', 'f', 'S')"):
            yield f"{kind} {name}"
        for name, trigger in self._of_relations(
            "g.tgname", "JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal"
        ):
            yield f"trigger {name}.{trigger}"
        routine, ours = _NAMED.format(name="p.proname"), _OURS.format(oid="p.oid", catalog="pg_proc")
        for row in self._sql(
            f"SELECT {routine} || '(' || pg_get_function_identity_arguments(p.oid) || ')' FROM pg_proc p"
            f" JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {ours}"
        ):
            yield f"routine {row[0]}"
        for row in self._sql("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"):
            yield f"extension {row[0]}"

    def sequences(self) -> dict[str, int]:
        name = "CASE schemaname WHEN 'public' THEN '' ELSE schemaname || '.' END || sequencename"
        rows = self._sql(f"SELECT {name}, coalesce(last_value, 0) FROM pg_sequences ORDER BY 1")
        return {name: int(value) for name, value in rows}

    def behind(self) -> list[str]:
        """Sequences whose next value their column has come to already: it is theirs, or asks for it by its default.

        Those that begin anew at their end are left out: they are meant to repeat themselves.
        """
        used = (
            "SELECT d.refobjid, d.refobjsubid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid"
            " AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') UNION SELECT f.adrelid, f.adnum FROM"
            " pg_depend d JOIN pg_attrdef f ON f.oid = d.objid WHERE d.classid = 'pg_attrdef'::regclass"
            " AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid"
        )
        counting = self._of_relations(
            "t.oid::regclass, quote_ident(a.attname), c.oid::regclass, q.seqincrement",
            f"JOIN pg_sequence q ON q.seqrelid = c.oid AND NOT q.seqcycle JOIN LATERAL ({used}) AS u (relation, column_) ON true"
            " JOIN pg_class t ON t.oid = u.relation AND t.relkind IN ('r', 'p') AND NOT t.relispartition"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.column_"
            " AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)"
            " LEFT JOIN pg_attrdef e ON e.adrelid = t.oid AND e.adnum = a.attnum",
            where="c.relkind = 'S' AND (e.oid IS NULL"  # what calculates with its values holds others than them
            " OR pg_get_expr(e.adbin, e.adrelid) = 'nextval(' || quote_literal(c.oid::regclass::text) || '::regclass)')",
        )
        asked = [  # max() is told by the index, if there is one, while a condition would be looked for in every row
            f"SELECT {text(name)} FROM {sequence} AS s WHERE (SELECT {_farthest(step)[0]}({column}) FROM {table})"
            f" {_farthest(step)[1]} s.last_value::numeric + CASE WHEN s.is_called THEN {step} ELSE 0 END"
            for name, table, column, sequence, step in counting
        ]
        return sorted({row[0] for row in self._sql(" UNION ALL ".join(asked))}) if asked else []

    def grants(self) -> list[str]:
        """What others than the owner may do with tables, views and sequences."""
        granted: dict[tuple[str, str], list[str]] = {}
        for name, grantee, privilege in self._of_relations(
            "CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee) END, x.privilege_type",
            "CROSS JOIN LATERAL aclexplode(c.relacl) x",
            where="c.relkind IN ('r', 'p', 'v', 'm', 'S') AND x.grantee <> c.relowner",
            order="1, 2, 3",
        ):
            granted.setdefault((name, grantee), []).append(privilege)
        return [f"{name}: {grantee}={','.join(privileges)}" for (name, grantee), privileges in granted.items()]


def _back(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _farthest(step: str) -> tuple[str, str]:
    """Of a sequence: which value of its column it is compared with, and how. Nulls and an empty table are beyond nothing."""
    return ("min", "<=") if step.startswith("-") else ("max", ">=")


def behind(sql: Sql, engine: str, database: str) -> list[str]:
    """Sequences that would hand out a value that is taken. Reads the highest value of each column that has one."""
    return (_Postgresql(sql, database) if engine == "postgresql" else _Mysql(sql, database)).behind()


# Comparing


def schema_differences(expected: Facts, found: Facts) -> list[str]:
    """What differs between two databases besides their rows, as phrases: what is missing, changed, or too much."""
    differences = list(_missing("table", expected["tables"], found["tables"]))
    for name in sorted(set(expected["tables"]) & set(found["tables"])):
        before, after = expected["tables"][name], found["tables"][name]
        for what in ("columns", "indexes", "constraints"):
            one = {"columns": "column", "indexes": "index", "constraints": "constraint"}[what]
            differences += _missing(f"{one} {name}.", before.get(what, {}), after.get(what, {}))
            differences += [
                f"{one} {name}.{part} was {before[what][part]}, is {after[what][part]}"
                for part in sorted(set(before.get(what, {})) & set(after.get(what, {})))
                if before[what][part] != after[what][part]
            ]
    differences += _missing("", expected.get("objects", []), found.get("objects", []))
    differences += [
        f"grant {grant} is missing" for grant in sorted(set(expected.get("grants", [])) - set(found.get("grants", [])))
    ]
    return differences


def _missing(kind: str, before: t.Iterable[str], after: t.Iterable[str]) -> list[str]:
    label = kind if not kind or kind.endswith(".") else f"{kind} "
    return [f"{label}{name} is missing" for name in sorted(set(before) - set(after))] + [
        f"{label}{name} was not there" for name in sorted(set(after) - set(before))
    ]


def row_deviations(expected: Facts, found: Facts) -> dict[str, tuple[int, int, float]]:
    """Table → rows expected, rows found, deviation in percent, for all tables whose rows are known on both sides.

    A table that has lost everything, or was empty and is not, deviates by 100 percent.
    """
    deviations = {}
    for name, table in sorted(expected["tables"].items()):
        before, after = table.get("rows"), (found["tables"].get(name) or {}).get("rows")
        if before is not None and after is not None:
            share = 0.0 if before == after else 100.0 if not before else 100.0 * abs(after - before) / before
            deviations[name] = (before, after, share)
    return deviations


def sample_differences(expected: Facts, found: Facts) -> tuple[int, list[str]]:
    """How many tables were compared by the checksum of sampled rows, and phrases for those that differ."""
    compared, differing = 0, []
    for name, table in sorted(expected["tables"].items()):
        before, after = table.get("sample"), (found["tables"].get(name) or {}).get("sample")
        if not before or not after or before["one_in"] != after["one_in"]:
            continue
        compared += 1
        if before["rows"] != after["rows"]:
            differing.append(f"{name}: {before['rows']} rows were sampled, {after['rows']} are there")
        elif before["checksum"] != after["checksum"]:
            differing.append(f"{name}: {before['rows']} sampled rows have another checksum")
    return compared, differing
