# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Put a backup in the place of a database: previewed, beside it, verified, and only then swapped.

The backup is loaded into a database of its own on the same server. When everything in it is as its manifest says, the two
change places, and the old one stays under another name. Whatever goes wrong before that, the database has not been touched.
Every run leaves a record of what was done.
"""

# ruff: noqa: S608 - names are quoted by backquoted(), doublequoted() and text()

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import json
import os
import re
import secrets
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _client as client
from ansible_collections.sre.runbooks.plugins.module_utils import _database_backup as taking
from ansible_collections.sre.runbooks.plugins.module_utils import _dump as dump
from ansible_collections.sre.runbooks.plugins.module_utils import _guard as guard
from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs as proofs
from ansible_collections.sre.runbooks.plugins.module_utils._backup import Backup, newest_first
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._engine import Refused, backquoted, doublequoted
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import (
    Broken,
    Chunks,
    Keys,
    open_stream,
    peek,
)
from ansible_collections.sre.runbooks.plugins.module_utils._probe import backups as probe

OPTIONS: dict[str, t.Any] = {
    **client.LOGIN,
    "database": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "s3": taking.OPTIONS["s3"],
    "dated_by": {"type": "str", "choices": ["name", "name_utc", "modified"], "default": "name"},
    "choose": {"type": "str", "choices": ["proven", "newest"], "default": "proven"},
    "at": {"type": "str"},
    "token": {"type": "str", "no_log": False},
    "protected": {"type": "list", "elements": "str"},
    "without_manifest": {"type": "bool", "default": False},
    "rows_tolerance": {"type": "float", "default": 1.0},
    "swap": {"type": "bool", "default": True},
    "directory": {"type": "path", "required": True},
    "age_recipients": taking.OPTIONS["age_recipients"],
    "gpg_recipient_file": taking.OPTIONS["gpg_recipient_file"],
    "age_identity": {"type": "path"},
    "gpg_home": {"type": "path"},
    "gpg_key": {"type": "path", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "openssl_cipher": {"type": "str", "default": "aes-256-cbc"},
    "openssl_digest": {"type": "str", "default": "sha256"},
    "openssl_pbkdf2": {"type": "bool", "default": True},
    "openssl_iterations": {"type": "int", "default": 0},
    "proofs": {"type": "path", "default": proofs.DIRECTORY},
    "timeout": {"type": "float", "default": 14400.0},
}
EXCLUSIVE = [("age_recipients", "gpg_recipient_file")]
OF_THE_SERVER = (
    "mysql", "sys", "information_schema", "performance_schema", "postgres", "template?", "rdsadmin", "cloudsqladmin",
)  # fmt: skip
"""Databases that belong to the server, and that nobody restores over."""
_STAMP = r"\d{8}t\d{6}z"
_LONGEST = 63
_MANY = 20


class Failed(Exception):
    """Nothing was restored, for this reason; or something that has to be looked at remains, which is said."""


Result = t.Dict[str, t.Any]


def validate(options: t.Mapping[str, t.Any]) -> None:
    """Raises :class:`BadOption` for what cannot be meant."""
    if len(options["database"]) > _LONGEST - len("_restore_20251105t020000z"):
        raise BadOption(f"database: {options['database']} leaves no room for the name of the database beside it")
    if options["at"]:
        try:
            proofs.seconds_of(options["at"])
        except Unmeasurable as exc:
            raise BadOption(f"at: {exc}") from None


@dataclasses.dataclass(frozen=True)
class Choice:
    """The backup that was chosen: what it is, its checksum, and when a restore has proven it (None: never)."""

    backup: Backup
    sha256: str
    proven: str | None


def restore(options: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], None]) -> Result:
    """Preview, or with the token of that preview restore. Raises :class:`Failed`."""
    deadline = time.monotonic() + options["timeout"]
    try:
        with client.connect(options, deadline) as server:
            choice = choose(options, deadline)
            plan, preview = _plan(options, server, choice)
            if options["token"]:
                guard.demand_token(plan, options["token"])
            result = {"token": plan.token, "preview": preview, "restored": False}
            if check_mode or not options["token"]:
                return {**result, "msg": _sentence(preview, plan.token)}
            with taking.alone(options["directory"], f"restore-{options['database']}"):
                done = _Restore(options, server, choice, plan, warn).run(preview)
        return {**result, "restored": True, **done, "msg": f"{choice.backup.place} was restored, see {done['record']}"}
    except guard.Refused as exc:
        raise Failed(f"refused: {exc}") from exc
    except (Refused, Broken, Unmeasurable, taking.Failed) as exc:
        raise Failed(str(exc)) from exc


def _sentence(preview: t.Mapping[str, t.Any], token: str) -> str:
    proven = f"proven at {preview['proven']}" if preview["proven"] else "never proven by a restore"
    place = "in the place of" if preview["exists"] else "as a new database"
    place = place if preview["swap"] else "beside"
    return (
        f"{preview['backup']}, taken at {preview['taken']}, {proven}, would be put {place} {preview['database']} on"
        f" {preview['server']} with its {len(preview['tables'])} tables; the token for that is {token}"
    )


# What, and in the place of what


def choose(options: t.Mapping[str, t.Any], deadline: float) -> Choice:
    """The newest backup, of those until the time that was asked for, of those that were proven."""
    settings = options["s3"] or {}
    found = newest_first(probe.found(options["source"], options["dated_by"], settings, 60))
    until = proofs.seconds_of(options["at"]) if options["at"] else float("inf")
    known = proofs.proven(options["proofs"])
    candidates = [one for one in found if one.taken <= until]
    for one in candidates:
        if one.directory:
            continue
        digest = _digest(one, settings, deadline)
        if options["choose"] == "newest" or digest in known:
            return Choice(one, digest, known[digest]["at"] if digest in known else None)
    if not found:
        raise Failed(f"there is no backup at {options['source']}")
    until_text = f" until {options['at']}" if options["at"] else ""
    if not candidates:
        raise Failed(
            f"there is no backup{until_text}: the oldest, {found[-1].name}, is of {proofs.time_text(found[-1].taken)}"
        )
    raise Failed(
        f"none of {len(candidates)} backups{until_text} has been proven by a restore: prove one, or choose the newest"
    )


def _digest(one: Backup, settings: t.Mapping[str, t.Any], deadline: float) -> str:
    told = probe.told_digest(one, settings, 60)
    if told and told[0] == "sha256":
        return told[1]
    return probe.sha256(one, settings, 60, deadline)


def _plan(options: t.Mapping[str, t.Any], server: client.Server, choice: Choice) -> tuple[guard.Plan, dict[str, t.Any]]:
    database = options["database"]
    guard.refuse_protected([database], [*OF_THE_SERVER, *(options["protected"] or [])])
    there = server.databases()
    tables = sorted(server.tables(database)) if database in there else []
    leftovers = [one for one in there if re.fullmatch(rf"{re.escape(database)}_restore_{_STAMP}", one)]
    what = {
        "backup": choice.backup.place,
        "sha256": choice.sha256,
        "exists": database in there,
        "tables": tables,
        "leftovers": leftovers,
        "swap": options["swap"],
    }
    action = "restore a backup in the place of a database" if options["swap"] else "restore a backup beside a database"
    preview = {
        **what,
        "database": database,
        "server": server.address,
        "bytes": choice.backup.size,
        "taken": proofs.time_text(choice.backup.taken),
        "proven": choice.proven,
        "lost": f"everything that was written to {database} since {proofs.time_text(choice.backup.taken)}",
    }
    return guard.Plan(action, f"{database} on {server.address}", what), preview


class _Restore:
    """One restore, step by step. ``record`` is what is written down of it, whatever becomes of it."""

    def __init__(
        self,
        options: t.Mapping[str, t.Any],
        server: client.Server,
        choice: Choice,
        plan: guard.Plan,
        warn: t.Callable[[str], None],
    ) -> None:
        self.options, self.server, self.choice, self.plan, self.warn = options, server, choice, plan, warn
        self.stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.database = options["database"]
        self.side = f"{self.database}_restore_{self.stamp.lower()}"
        self.before = f"{self.database}_before_{self.stamp.lower()}"
        self.place = _PLACES[server.engine](server, self.database, self.side, self.before)
        self.expected: manifest.Facts | None = None

    def run(self, preview: t.Mapping[str, t.Any]) -> Result:
        path = os.path.join(self.options["directory"], f"restore-{self.database}-{self.stamp}.json")
        record: dict[str, t.Any] = {
            "plan": dict(preview), "token": self.plan.token, "by": _who(), "started": proofs.time_text(time.time()),
            "steps": [], "outcome": "broken off",
        }  # fmt: skip
        proofs.write(path, json.dumps(record, indent=1))
        try:
            for name, step in (
                ("clear leftovers", self._clear),
                ("back up what is there", self._back_up),
                ("load beside it", self._load),
                ("verify", self._verify),
                ("swap", self._swap),
            ):
                started = time.monotonic()
                said = step()
                record["steps"].append({"step": name, "seconds": round(time.monotonic() - started, 1), **said})
            record["outcome"] = "restored" if self.options["swap"] else "restored beside it"
        except BaseException as exc:
            record["outcome"] = f"failed: {exc}"
            if not self.place.swapped:
                with contextlib.suppress(Refused, Unmeasurable):
                    self.place.drop_side()
            raise
        finally:
            self.place.leave()
            record["ended"] = proofs.time_text(time.time())
            proofs.write(path, json.dumps(record, indent=1))
        kept = self.before if self.options["swap"] and self.plan.what["exists"] else None
        return {
            "steps": record["steps"],
            "record": path,
            "kept": kept,
            "side": None if self.options["swap"] else self.side,
        }

    def _clear(self) -> Result:
        for name in self.plan.what["leftovers"]:
            self.place.drop(name)
        self.place.clear_users()
        return {"dropped": self.plan.what["leftovers"]}

    def _back_up(self) -> Result:
        if not self.plan.what["exists"]:
            return {"backup": None}
        given = {key: self.options[key] for key in (*client.LOGIN, "age_recipients", "gpg_recipient_file", "timeout")}
        defaults = {key: about.get("default") for key, about in taking.OPTIONS.items()}
        mine = {
            "database": self.database,
            "directory": self.options["directory"],
            "name": f"{self.database}-before-restore",
        }
        return {
            "backup": taking.take({**defaults, **given, **mine}, check_mode=False, warn=self.warn)["backup"]["path"]
        }

    def _load(self) -> Result:
        settings, one = self.options["s3"] or {}, self.choice.backup
        self.expected = probe.told_facts(one, settings, 60)
        if self.expected is None and not self.options["without_manifest"]:
            raise Failed(f"{one.place} has no manifest to verify it by: allow that by without_manifest")
        keys = Keys(**{field.name: self.options[field.name] for field in dataclasses.fields(Keys)})
        self.place.create_side()
        stream = open_stream(probe.read(one, settings, 60), keys, total=one.size, deadline=self.server.deadline)
        try:
            scan = self._feed(stream.chunks)
        finally:
            stream.close()
        if stream.raw.sha256 != self.choice.sha256:
            raise Broken("read", "the backup has another checksum than the one that was chosen")
        if scan is not None and scan.header and not scan.complete:
            raise Broken("dump", "it ends without the line that says that it is complete")
        return {"database": self.side, "bytes": stream.raw.bytes}

    def _feed(self, chunks: Chunks) -> dump.Scan | None:
        head, chunks = peek(chunks, 4096)
        form = dump.recognise(head)
        if form in (dump.PG_CUSTOM, dump.PG_TAR) and self.server.engine == client.POSTGRESQL:
            self.place.load_packed(chunks)
            return None
        fitting = (dump.POSTGRESQL, dump.SQL) if self.server.engine == client.POSTGRESQL else (dump.MYSQL, dump.SQL)
        if form not in fitting:
            raise Broken(
                "dump", f"it is {dump.FORMATS.get(form or '', 'nothing known')}, which does not fit the server"
            )
        scan = dump.Scan(self.server.engine)
        self.place.load(contained(dump.pieces(chunks, scan), scan, self.database))
        return scan

    def _verify(self) -> Result:
        found = self.server.facts(self.side, self.expected)
        rows = {name: table["rows"] or 0 for name, table in found["tables"].items()}
        if not rows:
            raise Failed("there is not one table in what was restored")
        if self.expected is None:
            return {"tables": len(rows), "rows": sum(rows.values()), "compared": "nothing: there is no manifest"}
        differences = manifest.schema_differences(self.expected, found)
        for name, (before, after, percent) in manifest.row_deviations(self.expected, found).items():
            if percent > self.options["rows_tolerance"]:
                differences.append(f"{name} has {after:,} rows instead of {before:,}")
        if differences:
            shown = "; ".join(differences[:3])
            raise Failed(f"what was restored is not what the manifest says, {self.database} is as it was: {shown}")
        sampled, other = manifest.sample_differences(self.expected, found)
        if other:
            self.warn(f"rows that were sampled have changed between manifest and dump: {'; '.join(other[:3])}")
        return {"tables": len(rows), "rows": sum(rows.values()), "sampled": sampled, "samples_differ": other[:_MANY]}

    def _swap(self) -> Result:
        if not self.options["swap"]:
            return {"swapped": False}
        self.place.swap(exists=self.plan.what["exists"])
        return {"swapped": True, "kept": self.before if self.plan.what["exists"] else None}


def _who() -> str:
    with contextlib.suppress(KeyError, OSError):
        return os.environ.get("SUDO_USER") or getpass.getuser()
    return str(os.geteuid())


def contained(parts: t.Iterable[dump.Piece], scan: dump.Scan, own: str) -> Chunks:
    """The statements of a dump, without those that choose or create its own database: it is loaded into another.

    Whatever else concerns a whole database or reaches out of one is :class:`Broken`, before it is handed on.
    """
    seen = 0
    for piece in parts:
        touches, seen = scan.touches[seen:], len(scan.touches)
        for touch in touches:
            if touch.act not in ("use", "create") or touch.database != own:
                raise Broken("dump", f"line {touch.line} reaches out of the database: {touch.text[:100]}")
        if touches or (piece.start and piece.table is None and _chooses(piece.data, own)):
            continue
        yield piece.data


_OWN = re.compile(rb"(?:/\*M?!\d*\s*)?(?:USE|CREATE\s+DATABASE|\\c(?:onnect)?)\b[^\n]*", re.IGNORECASE)


def _chooses(line: bytes, own: str) -> bool:
    """A statement that was seen before is noted once only, and has to be left out every time."""
    return bool(_OWN.match(line)) and own.encode() in line


# What differs between the servers


class _Place:
    """Two databases on a server that change places."""

    def __init__(self, server: t.Any, database: str, side: str, before: str) -> None:
        self.server, self.database, self.side, self.before = server, database, side, before
        self.swapped = False

    def drop_side(self) -> None:
        if self.side in self.server.databases():
            self.drop(self.side)

    def clear_users(self) -> None:
        """Remove roles that killed runs have left."""

    def leave(self) -> None:
        """Remove what was only needed meanwhile."""

    def load_packed(self, chunks: Chunks) -> None:
        raise NotImplementedError

    def create_side(self) -> None:
        raise NotImplementedError

    def drop(self, name: str) -> None:
        raise NotImplementedError

    def load(self, chunks: Chunks) -> None:
        raise NotImplementedError

    def swap(self, *, exists: bool) -> None:
        raise NotImplementedError


class _Mysql(_Place):
    """Tables are renamed from one database to another, all in one statement. The dump is loaded by a user of its own, to
    whom the server grants nothing but the database beside.
    """

    USER = "sre_restore_"
    EXTRA = ("SET USER", "BINLOG ADMIN", "SET_ANY_DEFINER", "SET_USER_ID", "SYSTEM_VARIABLES_ADMIN")
    """What it takes to create routines of others, under its several names. Not all servers know all."""

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self._user = f"{self.USER}{self.side[-16:]}"

    def create_side(self) -> None:
        like = self.server.sql(
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
            f" WHERE SCHEMA_NAME = {manifest.text(self.database)}"
        )
        charset = f" CHARACTER SET {like[0][0]} COLLATE {like[0][1]}" if like else ""
        self.server.sql(f"CREATE DATABASE {backquoted(self.side)}{charset}")
        password = secrets.token_urlsafe(24)
        self.server.sql(f"CREATE USER '{self._user}'@'%' IDENTIFIED BY '{password}'")
        # in a grant, _ stands for any letter
        pattern = backquoted(self.side.replace("_", "\\_"))
        self.server.sql(f"GRANT ALL ON {pattern}.* TO '{self._user}'@'%'")
        for extra in self.EXTRA:
            with contextlib.suppress(Refused):
                self.server.sql(f"GRANT {extra} ON *.* TO '{self._user}'@'%'")
        self._loader = self.server.as_user(self._user, password)

    def clear_users(self) -> None:
        for (name,) in self.server.sql(f"SELECT User FROM mysql.user WHERE User LIKE '{self.USER}%'"):
            if re.fullmatch(self.USER + _STAMP, name):
                self.server.sql(f"DROP USER '{name}'@'%'")

    def leave(self) -> None:
        with contextlib.suppress(Refused, Unmeasurable):
            self.server.sql(f"DROP USER IF EXISTS '{self._user}'@'%'")

    def drop(self, name: str) -> None:
        self.server.sql(f"DROP DATABASE {backquoted(name)}")

    def load(self, chunks: Chunks) -> None:
        with self._loader as loader:
            loader.load(self.side, chunks)

    def swap(self, *, exists: bool) -> None:
        database, side, before = self.database, self.side, self.before
        ours, theirs = self.server.tables(database) if exists else [], self.server.tables(side)
        views = {view: self._view(view) for view in self._names("VIEWS", "TABLE_NAME", "TABLE_SCHEMA", side)}
        code, old_code = self.server.code(side), self.server.code(database) if exists else b""
        charset = self.server.sql(f"SHOW CREATE DATABASE {backquoted(side)}")[0][1].partition("/*")[2]
        for name in (before, *([] if exists else [database])):
            self.server.sql(f"CREATE DATABASE {backquoted(name)} /*{charset}")
        moves = [f"{_in(database, table)} TO {_in(before, table)}" for table in ours]
        moves += [f"{_in(side, table)} TO {_in(database, table)}" for table in theirs]
        self._drop_triggers(side)
        try:
            self._drop_triggers(database)
            self.server.sql(f"SET FOREIGN_KEY_CHECKS = 0; RENAME TABLE {', '.join(moves)}")
        except (Refused, Unmeasurable):
            self._drop_triggers(database)
            self.server.load(database, iter([old_code]))
            self.drop(before)
            raise
        self.swapped = True
        self._create_views(views)
        self.server.load(database, iter([code]))
        self.drop(side)
        if not ours:
            self.drop(before)

    def _names(self, table: str, column: str, schema: str, of: str) -> list[str]:
        rows = self.server.sql(f"SELECT {column} FROM information_schema.{table} WHERE {schema} = {manifest.text(of)}")
        return [row[0] for row in rows]

    def _drop_triggers(self, database: str) -> None:
        for trigger in self._names("TRIGGERS", "TRIGGER_NAME", "TRIGGER_SCHEMA", database):
            self.server.sql(f"DROP TRIGGER {_in(database, trigger)}")

    def _view(self, view: str) -> str:
        """The statement that creates a view, as of the database that it is going to be in."""
        statement = self.server.sql(f"SHOW CREATE VIEW {_in(self.side, view)}")[0][1]
        statement = statement.replace(f"{backquoted(self.side)}.", f"{backquoted(self.database)}.")
        return str(re.sub(r"^CREATE ", "CREATE OR REPLACE ", statement))

    def _create_views(self, views: dict[str, str]) -> None:
        """Create views, those on which others depend first: as long as one more can be created, there is progress."""
        waiting, problem = dict(views), None  # type: dict[str, str], Refused | None
        while waiting:
            before = len(waiting)
            for view, statement in list(waiting.items()):
                try:
                    self.server.sql(statement, self.database)
                    del waiting[view]
                except Refused as exc:  # noqa: PERF203 - another view may have to come first
                    problem = exc
            if len(waiting) == before:
                raise Failed(f"the tables were swapped, but views are missing: {', '.join(waiting)}: {problem}")


def _in(database: str, name: str) -> str:
    return f"{backquoted(database)}.{backquoted(name)}"


class _Postgresql(_Place):
    """Databases are renamed. Who may connect, and settings, go over to the new one."""

    LISTS = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries", "DateStyle")

    def create_side(self) -> None:
        like = self.server.sql(
            "SELECT quote_ident(pg_get_userbyid(datdba)), pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database"
            f" WHERE datname = {manifest.text(self.database)}"
        )
        kind = ""
        if like:
            owner, encoding, collate, ctype = like[0]
            kind = f" OWNER {owner} ENCODING '{encoding}' LC_COLLATE '{collate}' LC_CTYPE '{ctype}'"
        self.server.sql(f"CREATE DATABASE {doublequoted(self.side)} TEMPLATE template0{kind}")

    def drop(self, name: str) -> None:
        self._end_sessions(name)
        self.server.sql(f"DROP DATABASE {doublequoted(name)}")

    def load(self, chunks: Chunks) -> None:
        self.server.load(self.side, chunks)

    def load_packed(self, chunks: Chunks) -> None:
        self.server.load_packed(self.side, chunks)

    def _end_sessions(self, name: str) -> None:
        self.server.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {manifest.text(name)}"
            " AND pid <> pg_backend_pid()"
        )

    def swap(self, *, exists: bool) -> None:
        if not exists:
            self._rename(self.side, self.database)
            self.swapped = True
            return
        self.server.sql(f"ALTER DATABASE {doublequoted(self.database)} ALLOW_CONNECTIONS false")
        moved = False
        try:
            self._rename(self.database, self.before)
            moved = True
            self._rename(self.side, self.database)
        except (Refused, Unmeasurable):
            if moved:
                self._rename(self.before, self.database)
            self.server.sql(f"ALTER DATABASE {doublequoted(self.database)} ALLOW_CONNECTIONS true")
            raise
        self.swapped = True
        for statement in self._settings():
            self.server.sql(statement)
        self.server.sql(f"ALTER DATABASE {doublequoted(self.before)} ALLOW_CONNECTIONS true")

    def _rename(self, old: str, new: str) -> None:
        self._end_sessions(old)
        self.server.sql(f"ALTER DATABASE {doublequoted(old)} RENAME TO {doublequoted(new)}")

    def _settings(self) -> t.Iterator[str]:
        """Statements that give the new database the grants and settings of the old one."""
        new, old = doublequoted(self.database), manifest.text(self.before)
        grants = self.server.sql(
            "SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
            f", a.is_grantable FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = {old}"
        )
        if grants:
            yield f"REVOKE ALL ON DATABASE {new} FROM PUBLIC"
        for privilege, grantee, more in grants:
            yield f"GRANT {privilege} ON DATABASE {new} TO {grantee}{' WITH GRANT OPTION' if more == 't' else ''}"
        for role, setting in self.server.sql(
            "SELECT coalesce(quote_ident(r.rolname), ''), unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d"
            f" ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = {old}"
        ):
            name, _equals, value = setting.partition("=")
            who = f"ROLE {role} IN DATABASE {new}" if role else f"DATABASE {new}"
            yield f"ALTER {who} SET {doublequoted(name)} TO {value if name in self.LISTS else manifest.text(value)}"


_PLACES: dict[str, type[_Place]] = {client.MYSQL: _Mysql, client.POSTGRESQL: _Postgresql}
