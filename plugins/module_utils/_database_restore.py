# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Put a backup in the place of a database: previewed, beside it, verified, and only then swapped.

The backup is loaded into a database of its own on the same server. When everything in it is as its manifest says, the two
change places, and the old one stays under another name. Whatever goes wrong before that, the database has not been touched.
They change places in one step of the server, so that whoever is killed leaves it wholly old or wholly new; what such a step
cannot hold (triggers and views of MySQL) stands in a journal first, by which the next run takes it back or finishes it.
Every run leaves a record of what was done, and measures in the end what is there.
"""

# ruff: noqa: S608 - names are quoted by backquoted(), doublequoted() and text()

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import itertools
import json
import os
import re
import secrets
import threading
import time
import typing as t
import zlib

from ansible_collections.sre.runbooks.plugins.module_utils import _client as client
from ansible_collections.sre.runbooks.plugins.module_utils import _database_backup as taking
from ansible_collections.sre.runbooks.plugins.module_utils import _dump as dump
from ansible_collections.sre.runbooks.plugins.module_utils import _guard as guard
from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs as proofs
from ansible_collections.sre.runbooks.plugins.module_utils import _scratch as scratch
from ansible_collections.sre.runbooks.plugins.module_utils._backup import Backup, newest_first
from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    BadOption,
    Check,
    Limits,
    Unmeasurable,
    number,
    worst,
)
from ansible_collections.sre.runbooks.plugins.module_utils._engine import Refused, backquoted, doublequoted
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import (
    Broken,
    Chunks,
    Keys,
    open_stream,
    peek,
)
from ansible_collections.sre.runbooks.plugins.module_utils._probe import backups as probe

CHECKS = {
    "database_restore.interrupted": "No earlier restore was broken off.",
    "database_restore.restored": "The backup has been put in the place of the database.",
    "database_restore.schema": "The restored database has the tables, columns and objects of its backup.",
    "database_restore.rows": "The restored database has the rows of its backup.",
}

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
BESIDE = "restored beside it"
"""What the record says of a restore that was not to be swapped."""
_GRACE = 300.0
"""Seconds for putting right what has failed, when the time for all of it is over."""


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
    acting = bool(options["token"]) and not check_mode
    lock = taking.alone(options["directory"], f"restore-{options['database']}") if acting else contextlib.nullcontext()
    try:
        with client.connect(options, deadline) as server, lock:
            broken_off = _PLACES[server.engine].broken_off(server, options["database"])
            finishing = any(place.swapped for place in broken_off)
            work = (_Finish if finishing else _Restore)(options, server, broken_off, warn)
            if options["token"]:
                guard.demand_token(work.plan, options["token"])
            result = {"token": work.plan.token, "preview": work.preview, "restored": False}
            if not acting:
                checks = _previewed(options["database"], work)
                return {**result, **_told(checks), "msg": checks[1].summary}
            about = work.run()
            checks = [
                Check("database_restore.interrupted", options["database"], "ok", work.settled()),
                Check(
                    "database_restore.restored",
                    options["database"],
                    "ok",
                    work.done,
                    detail={"record": about["record"]},
                ),
                *_measured(server, about["side"] or options["database"], work.expected, options),
            ]
        return {**result, "restored": True, **about, **_told(checks), "msg": f"{work.done}, see {about['record']}"}
    except guard.Refused as exc:
        raise Failed(f"refused: {exc}") from exc
    except (Refused, Broken, Unmeasurable, taking.Failed) as exc:
        raise Failed(str(exc)) from exc


def _told(checks: t.Sequence[Check]) -> Result:
    return {"checks": [dataclasses.asdict(check) for check in checks], "status": worst(one.status for one in checks)}


def failed(options: t.Mapping[str, t.Any], reason: str) -> Result:
    """What the report says when :class:`Failed` was raised."""
    name, acting = options["database"], bool(options["token"]) and not reason.startswith("refused: ")
    restored = "database_restore.restored"
    rest = (one for one in CHECKS if one != restored)
    return _told(
        [
            Check(restored, name, "critical" if acting else "unknown", reason[:300]),
            *(
                Check.skipped(one, name, f"not measured, see {restored}: {reason[:300]}", blocked_by=restored)
                for one in rest
            ),
        ]
    )


def _previewed(name: str, work: _Work) -> list[Check]:
    """What the report says of a preview: what waits for a token, and whether an earlier restore left something."""
    left = work.settled()
    half_way, status = bool(work.broken_off), "ok"
    if half_way or work.preview["leftovers"]:
        status = "critical" if half_way else "warning"
    waits = f"preview only, nothing was touched; with the token {work.plan.token} {work.sentence()}"
    return [
        Check("database_restore.interrupted", name, status, left, detail={"databases": work.preview["leftovers"]}),
        Check("database_restore.restored", name, "warning", waits),
        Check.skipped("database_restore.schema", name, "preview only: nothing was restored"),
        Check.skipped("database_restore.rows", name, "preview only: nothing was restored"),
    ]


def _measured(
    server: client.Server, database: str, expected: manifest.Facts | None, options: t.Mapping[str, t.Any]
) -> t.Iterator[Check]:
    """What is there afterwards, compared with the manifest of the backup."""
    schema, rows, name = "database_restore.schema", "database_restore.rows", options["database"]
    problem, found = f"there is no manifest of the backup to compare {database} with", None
    if expected is not None:
        try:
            found = server.facts(database, expected)
        except (Refused, Unmeasurable) as exc:
            problem = f"{database} could not be asked after the restore: {exc}"
    if expected is None or found is None:
        yield Check.unknown(schema, name, problem)
        yield Check.skipped(rows, name, f"not measured, see {schema}: {problem}", blocked_by=schema)
        return
    differences = manifest.schema_differences(expected, found)
    summary = (
        f"{database} has all {len(expected['tables'])} tables and {len(expected['objects'])} objects of the backup"
    )
    if differences:
        summary = f"{database} differs from the backup: {'; '.join(differences[:3])}"
    yield Check.expect(schema, name, not differences, summary, differences=differences[:_MANY])
    deviations = manifest.row_deviations(expected, found)
    table, (before, after, percent) = max(deviations.items(), key=lambda item: item[1][2], default=("", (0, 0, 0.0)))
    total = sum(one["rows"] or 0 for one in found["tables"].values())
    summary = f"{database} has {total:,} rows, in no table other than in the backup"
    if percent:
        summary = f"{table} has {after:,} rows, and {before:,} in the backup, which is {number(percent)} % off"
    different = {name: f"{was} → {now}" for name, (was, now, share) in deviations.items() if share}
    limits = Limits(critical=number(options["rows_tolerance"]), unit="%")
    yield Check.judge(rows, name, percent, limits, summary, tables=dict(list(different.items())[:_MANY]))


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


class _Work:
    """What a token is for: a plan, and its steps. What is written down of them tells how far it came."""

    outcome = "restored"
    """What the record says when all went well."""
    done = ""
    """The same as a sentence."""
    plan: guard.Plan
    preview: dict[str, t.Any]
    expected: manifest.Facts | None = None
    """The manifest of the backup, once it is known."""
    place: _Place

    def __init__(
        self,
        options: t.Mapping[str, t.Any],
        server: client.Server,
        broken_off: t.Sequence[_Place],
        warn: t.Callable[[str], None],
    ) -> None:
        self.options, self.server, self.broken_off, self.warn = options, server, broken_off, warn
        self.database = options["database"]
        guard.refuse_protected([self.database], [*OF_THE_SERVER, *(options["protected"] or [])])
        self.there = server.databases()
        self.stamp = self._unused_stamp()
        beside = rf"{re.escape(self.database)}_restore_{_STAMP}"
        self.leftovers = [one for one in self.there if re.fullmatch(beside, one) and not self._was_meant(one)]

    def _unused_stamp(self) -> str:
        """Now, as names have it; some seconds later when an earlier restore has that already."""
        for second in itertools.count(int(time.time())):
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            used = {f"{self.database}_{which}_{stamp.lower()}" for which in ("restore", "before")}
            if not used.intersection(self.there) and not os.path.exists(self._path(stamp)):
                break
        return stamp

    def _was_meant(self, beside: str) -> bool:
        """Whether a database was restored beside on purpose. It stays until somebody drops it."""
        with contextlib.suppress(OSError, ValueError), open(self._path(beside[-16:].upper()), encoding="utf-8") as file:
            return bool(json.load(file)["outcome"] == BESIDE)
        return False

    def _path(self, stamp: str) -> str:
        """Where the record of a restore lies."""
        return os.path.join(self.options["directory"], f"restore-{self.database}-{stamp}.json")

    def sentence(self) -> str:
        """What would be done."""
        raise NotImplementedError

    def steps(self) -> t.Iterable[tuple[str, t.Callable[[], Result]]]:
        raise NotImplementedError

    def put_right(self) -> None:
        """Bring what has failed half-way to one of its two ends."""
        raise NotImplementedError

    def settled(self) -> str:
        """What an earlier restore has left, and becomes of it."""
        if not (self.broken_off or self.leftovers):
            return "no earlier restore has left anything"
        states = [place.state() for place in self.broken_off]
        known = {place.side for place in self.broken_off}
        states += [f"{name}, which was being loaded, is removed" for name in self.leftovers if name not in known]
        return f"an earlier restore of {self.database} was broken off: {'; '.join(states)}"

    def run(self) -> Result:
        path = self._path(self.stamp)
        record: dict[str, t.Any] = {
            "plan": self.preview, "token": self.plan.token, "by": _who(), "started": proofs.time_text(time.time()),
            "steps": [], "outcome": "broken off",
        }  # fmt: skip
        proofs.write(path, json.dumps(record, indent=1))
        try:
            for name, step in self.steps():
                started = time.monotonic()
                record["outcome"] = f"broken off, at the step: {name}"
                self._note(path, record)
                said = step()
                record["steps"].append({"step": name, "seconds": round(time.monotonic() - started, 1), **said})
            record["outcome"] = self.outcome
        except BaseException as exc:
            record["outcome"] = f"failed: {exc}"
            self._put_right(exc)
            raise
        finally:
            record["ended"] = proofs.time_text(time.time())
            self._note(path, record)
        return {"steps": record["steps"], "record": path, "kept": None, "side": None}

    def _note(self, path: str, record: t.Mapping[str, t.Any]) -> None:
        """Write down how far it came. That this is not possible any more is no reason to stop half-way."""
        try:
            proofs.write(path, json.dumps(record, indent=1))
        except Unmeasurable as exc:
            self.warn(str(exc))

    def _clear(self) -> Result:
        """Repair and remove what runs that were killed have left."""
        for place in self.broken_off:
            place.settle()
        for name in self.leftovers:
            if name in self.server.databases():
                self.place.drop(name)
        self.place.clear_users()
        taking.clear_rest(self.options["directory"], self._own_backup)
        scratch.clear_dead(self._workdir)
        return {"dropped": self.leftovers}

    @property
    def _own_backup(self) -> str:
        """How the backups of what is there are named."""
        return f"{self.database}-before-restore"

    @property
    def _workdir(self) -> str:
        """Where gpg may have a key ring as long as we live."""
        return os.path.join(self.options["directory"], ".work")

    def _put_right(self, failure: BaseException) -> None:
        self.server.deadline = max(self.server.deadline, time.monotonic() + _GRACE)
        try:
            self.put_right()
        except (Refused, Broken, Unmeasurable, Failed) as exc:
            raise Failed(
                f"{failure}. That could not be put right: {exc}. Run it again without a token to see what is there"
            ) from failure


class _Finish(_Work):
    """The rest of a restore that was broken off when the two had changed places already."""

    outcome = done = "a restore that was broken off has been finished"

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self.place = next(place for place in self.broken_off if place.swapped)
        self.expected = self.place.expected
        what = {"backup": self.place.backup, "kept": self.place.before, "leftovers": self.leftovers}
        self.plan = guard.Plan(
            "finish a restore that was broken off", f"{self.database} on {self.server.address}", what
        )
        self.preview = {**what, "database": self.database, "server": self.server.address, "finish": True}

    def sentence(self) -> str:
        return (
            f"the restore of {self.place.backup} was broken off when its tables were in the place of {self.database} on"
            f" {self.server.address} already: it would be finished"
        )

    def steps(self) -> t.Iterable[tuple[str, t.Callable[[], Result]]]:
        yield "finish what was broken off", self._clear

    def put_right(self) -> None:
        """Nothing: the next run finds what this one has found."""

    def run(self) -> Result:
        return {**super().run(), "kept": self.place.before if self.place.existed else None}


class _Restore(_Work):
    """One restore, from the choice of the backup on."""

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self.choice = choose(self.options, self.server.deadline)
        one = self.choice.backup
        self.expected = probe.told_facts(one, self.options["s3"] or {}, 60)
        if self.expected is None and not self.options["without_manifest"]:
            raise Failed(f"{one.place} has no manifest to verify it by: allow that by without_manifest")
        self.side = f"{self.database}_restore_{self.stamp.lower()}"
        self.before = f"{self.database}_before_{self.stamp.lower()}"
        self.place = _PLACES[self.server.engine](self.server, self.database, self.side, self.before)
        self.exists = self.database in self.there
        place = "in the place of" if self.options["swap"] else "beside"
        self.outcome = "restored" if self.options["swap"] else BESIDE
        self.done = f"{self.choice.backup.place} was restored {place} {self.database}"
        what = {
            "backup": one.place,
            "sha256": self.choice.sha256,
            "exists": self.exists,
            "tables": sorted(self.server.tables(self.database)) if self.exists else [],
            "leftovers": self.leftovers,
            "swap": self.options["swap"],
        }
        self.preview = {
            **what,
            "database": self.database,
            "server": self.server.address,
            "bytes": one.size,
            "taken": proofs.time_text(self.choice.backup.taken),
            "proven": self.choice.proven,
            "finish": False,
            "lost": f"everything that was written to {self.database} since {proofs.time_text(self.choice.backup.taken)}",
        }
        if not self.options["swap"]:
            self.preview["lost"] = "nothing: what is there stays in its place"
        self.plan = guard.Plan(
            f"restore a backup {place} a database", f"{self.database} on {self.server.address}", what
        )

    def sentence(self) -> str:
        about, preview = self.choice, self.preview
        place = "in the place of" if self.exists else "as a new database,"
        place = place if preview["swap"] else "beside"
        with_tables = f" with its {len(preview['tables'])} tables" if self.exists else ""
        return (
            f"{preview['backup']}, taken at {preview['taken']}, "
            + (f"proven at {about.proven}" if about.proven else "never proven by a restore")
            + ("" if self.expected else " and without a manifest to verify it by")
            + f", would be put {place} {self.database} on {preview['server']}{with_tables}"
        )

    def steps(self) -> t.Iterable[tuple[str, t.Callable[[], Result]]]:
        yield "clear leftovers", self._clear
        yield "back up what is there", self._back_up
        yield "load beside it", self._load
        yield "verify", self._verify
        yield "swap", self._swap

    def put_right(self) -> None:
        self.place.settle()

    def run(self) -> Result:
        try:
            done = super().run()
        finally:
            self.place.leave()
        if not self.options["swap"]:
            return {**done, "side": self.side}
        return {**done, "kept": self.before if self.exists else None}

    def _clear(self) -> Result:
        said = super()._clear()
        self.exists = self.database in self.server.databases()
        return said

    def _back_up(self) -> Result:
        if not self.exists:
            return {"backup": None}
        given = {key: self.options[key] for key in (*client.LOGIN, "age_recipients", "gpg_recipient_file", "timeout")}
        defaults = {key: about.get("default") for key, about in taking.OPTIONS.items()}
        mine = {"database": self.database, "directory": self.options["directory"], "name": self._own_backup}
        return {
            "backup": taking.take({**defaults, **given, **mine}, check_mode=False, warn=self.warn)["backup"]["path"]
        }

    def _load(self) -> Result:
        settings, one = self.options["s3"] or {}, self.choice.backup
        keys = Keys(**{field.name: self.options[field.name] for field in dataclasses.fields(Keys)})
        self.place.create_side()
        workdir = scratch.make(self._workdir)
        try:
            source = probe.read(one, settings, 60)
            stream = open_stream(source, keys, total=one.size, workdir=workdir, deadline=self.server.deadline)
            try:
                scan = self._feed(stream.chunks)
            finally:
                stream.close()
        finally:
            scratch.remove(workdir)
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
        self.place.backup, self.place.expected = self.choice.backup.place, self.expected
        self.place.swap(exists=self.exists)
        return {"swapped": True, "kept": self.before if self.exists else None}


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

    backup = ""
    expected: manifest.Facts | None = None
    """The backup that takes the place, and its manifest."""
    existed = True
    """Whether there was a database before."""

    def __init__(self, server: t.Any, database: str, side: str, before: str) -> None:
        self.server, self.database, self.side, self.before = server, database, side, before
        self.swapped = False

    @classmethod
    def broken_off(cls, server: t.Any, database: str) -> list[_Place]:
        """What runs that were killed have left half-way between the two."""
        return []

    def state(self) -> str:
        """What is half-way, and becomes of it, as a phrase."""
        raise NotImplementedError

    def settle(self) -> None:
        """Bring it to one of its two ends, wherever it stands: as it was, with nothing beside it, or swapped."""
        if not self.swapped and self.side in self.server.databases():
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

    That one statement cannot hold triggers, routines, events and views: tables with triggers cannot be renamed, and the
    others belong to their database. So what it takes to put either state in order is written into a table before anything
    is touched: the journal. It lies beside, and is renamed with the others. Where it is, tells how far it came.
    """

    JOURNAL = "sre_runbooks_journal"
    PATIENCE = 60
    """Seconds for which the tables may be in use by somebody else."""
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

    @classmethod
    def broken_off(cls, server: t.Any, database: str) -> list[_Place]:
        found: list[_Place] = []
        for (schema,) in server.sql(
            "SELECT TABLE_SCHEMA FROM information_schema.TABLES"
            f" WHERE TABLE_NAME = {manifest.text(cls.JOURNAL)} ORDER BY 1"
        ):
            told = re.fullmatch(rf"{re.escape(database)}_(restore|before)_({_STAMP})", schema)
            if told:
                place = cls(server, database, f"{database}_restore_{told[2]}", f"{database}_before_{told[2]}")
                journal = place._journal(schema)
                if journal:
                    place.swapped = told[1] == "before"
                    place.backup, place.expected = journal["backup"], journal["expected"]
                    place.existed = journal["existed"]
                    found.append(place)
        return found

    def state(self) -> str:
        if self.swapped:
            return (
                f"the tables of {self.backup} are in the place of {self.database} already, not all of its triggers, routines,"
                " events and views: that is finished first"
            )
        return f"the tables of {self.database} are as they were, not all of its triggers: they are put back first"

    def swap(self, *, exists: bool) -> None:
        database, side, before = self.database, self.side, self.before
        ours, theirs = self._tables(database) if exists else [], self._tables(side)
        charset = self.server.sql(f"SHOW CREATE DATABASE {backquoted(side)}")[0][1].partition("/*")[2]
        self._write_journal(exists=exists)
        for name in (before, *([] if exists else [database])):
            self.server.sql(f"CREATE DATABASE {backquoted(name)} /*{charset}")
        moves = [f"{_in(database, table)} TO {_in(before, table)}" for table in ours]
        moves += [f"{_in(side, table)} TO {_in(database, table)}" for table in theirs]
        moves.append(f"{_in(side, self.JOURNAL)} TO {_in(before, self.JOURNAL)}")
        triggers = "".join(
            f"DROP TRIGGER {_in(schema, name)};\n" for schema in (side, database) for name in self._triggers(schema)
        )
        # All of them first: nobody may write to a table without its triggers while another table is waited for.
        locked = [f"{_in(database, table)} WRITE" for table in ours] + [f"{_in(side, table)} WRITE" for table in theirs]
        self.server.sql(
            f"DO GET_LOCK({self._lock}, 0); {self._patient}; SET SESSION FOREIGN_KEY_CHECKS = 0;\n"
            f"LOCK TABLES {', '.join(locked)};\n{triggers}UNLOCK TABLES;\nRENAME TABLE {', '.join(moves)}"
        )
        self.swapped = True
        self._finish()

    def settle(self) -> None:
        if self.server.sql(f"SELECT GET_LOCK({self._lock}, {2 * self.PATIENCE})") != [["1"]]:
            raise Failed(f"the server has not ended yet what an earlier run has told it to do with {self.database}")
        if self._journal(self.before):
            self.swapped = True
            self._finish()
        elif self._journal(self.side):
            self._take_back()
        else:
            super().settle()

    def _finish(self) -> None:
        """What follows when the tables have changed places. It can be done again from the beginning."""
        journal = self._journal(self.before)
        for statement in journal["obsolete"]:
            self.server.sql(statement, self.database)
        self._create_views(journal["views"])
        self._create(journal["code"])
        if self.side in self.server.databases():
            self.drop(self.side)
        if journal["existed"]:
            self.server.sql(f"DROP TABLE {_in(self.before, self.JOURNAL)}")
        else:
            self.drop(self.before)

    def _take_back(self) -> None:
        """What follows when the tables have not changed places. It can be done again from the beginning."""
        journal = self._journal(self.side)
        if sorted(self._triggers(self.database)) != journal["trigger_names"]:
            self._create(journal["triggers"])
        for name in (self.before, *([] if journal["existed"] else [self.database])):
            if name in self.server.databases() and not self._tables(name):
                self.drop(name)
        self.drop(self.side)

    def _create(self, code: str) -> None:
        self.server.load(self.database, iter([f"{self._patient};\n{code}".encode()]))

    @property
    def _patient(self) -> str:
        """The statement after which a session does not wait for others until the end of the day."""
        return f"SET SESSION lock_wait_timeout = {self.PATIENCE}"

    # The journal

    @property
    def _lock(self) -> str:
        """Held while the tables change places, also when whoever told the server to do so is gone."""
        return manifest.text(f"sre.runbooks/restore/{self.database}"[:64])

    def _write_journal(self, *, exists: bool) -> None:
        side, database = self.side, self.database
        views = {view: self._view(view) for view in self._names("VIEWS", "TABLE_NAME", "TABLE_SCHEMA", side)}
        code = self.server.code(side).replace(backquoted(side).encode(), backquoted(database).encode())
        journal = {
            "existed": exists,
            "backup": self.backup,
            "expected": self.expected,
            "views": views,
            "code": code.decode(),
            "obsolete": list(self._obsolete()) if exists and self.expected is not None else [],
            "triggers": self.server.code(database, triggers_only=True).decode() if exists else "",
            "trigger_names": sorted(self._triggers(database)),
        }
        packed = zlib.compress(json.dumps(journal).encode())
        parts = [packed[start : start + 1024**2] for start in range(0, len(packed), 1024**2)]
        self.server.sql(
            f"CREATE TABLE {_in(side, self.JOURNAL)} (position int PRIMARY KEY, part longblob) ENGINE=InnoDB;\n"
            "START TRANSACTION;\n"
            + "".join(
                f"INSERT INTO {_in(side, self.JOURNAL)} VALUES ({position}, 0x{part.hex()});\n"
                for position, part in enumerate(parts)
            )
            + "COMMIT"
        )

    def _journal(self, database: str) -> dict[str, t.Any]:
        """What is written in the journal in a database. Empty where there is none that was written to its end."""
        if self.JOURNAL not in self._names("TABLES", "TABLE_NAME", "TABLE_SCHEMA", database):
            return {}
        parts = self.server.sql(f"SELECT HEX(part) FROM {_in(database, self.JOURNAL)} ORDER BY position")
        packed = bytes.fromhex("".join(row[0] for row in parts))
        return dict(json.loads(zlib.decompress(packed))) if packed else {}

    def _obsolete(self) -> t.Iterator[str]:
        """Statements that remove what the backup does not have: it would be left over from what was there before."""
        for kind, table, column, schema in (
            ("'VIEW'", "VIEWS", "TABLE_NAME", "TABLE_SCHEMA"),
            ("ROUTINE_TYPE", "ROUTINES", "ROUTINE_NAME", "ROUTINE_SCHEMA"),
            ("'EVENT'", "EVENTS", "EVENT_NAME", "EVENT_SCHEMA"),
        ):
            here, there = (
                self.server.sql(
                    f"SELECT {kind}, {column} FROM information_schema.{table} WHERE {schema} = {manifest.text(of)}"
                )
                for of in (self.database, self.side)
            )
            for what, name in here:
                if [what, name] not in there:
                    yield f"DROP {what} IF EXISTS {_in(self.database, name)}"

    # What belongs to a database

    def _tables(self, database: str) -> list[str]:
        """All that can be renamed: also sequences, and tables that keep their history."""
        rows = self.server.sql(
            f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {manifest.text(database)}"
            f" AND TABLE_TYPE <> 'VIEW' AND TABLE_NAME <> {manifest.text(self.JOURNAL)} ORDER BY 1"
        )
        return [row[0] for row in rows]

    def _triggers(self, database: str) -> list[str]:
        return self._names("TRIGGERS", "TRIGGER_NAME", "TRIGGER_SCHEMA", database)

    def _names(self, table: str, column: str, schema: str, of: str) -> list[str]:
        rows = self.server.sql(f"SELECT {column} FROM information_schema.{table} WHERE {schema} = {manifest.text(of)}")
        return [row[0] for row in rows]

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
    """Databases are renamed, both in one transaction. Who may connect, and settings, go over to the new one before."""

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

    def _end_sessions(self, *names: str) -> None:
        listed = ", ".join(map(manifest.text, names))
        self.server.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ({listed})"
            " AND pid <> pg_backend_pid()"
        )

    def swap(self, *, exists: bool) -> None:
        renames = f"ALTER DATABASE {doublequoted(self.side)} RENAME TO {doublequoted(self.database)};\n"
        if exists:
            for statement in self._settings():
                self.server.sql(statement)
            away = f"ALTER DATABASE {doublequoted(self.database)} RENAME TO {doublequoted(self.before)};\n"
            renames = away + renames
        with self._without_sessions(self.database, self.side):
            self.server.sql(f"BEGIN;\n{renames}COMMIT;")
        self.swapped = True

    @contextlib.contextmanager
    def _without_sessions(self, *names: str) -> t.Iterator[None]:
        """End sessions as they come. A rename waits some seconds for them to end, and keeps new ones out meanwhile."""
        done = threading.Event()

        def end() -> None:
            while not done.wait(0.2):
                with contextlib.suppress(Refused, Unmeasurable):
                    self._end_sessions(*names)

        self._end_sessions(*names)
        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def settle(self) -> None:
        if self.before in self.server.databases():
            self.swapped = True
        super().settle()

    def _settings(self) -> t.Iterator[str]:
        """Statements that give the new database, as yet beside, the grants and settings of the old one."""
        new, old = doublequoted(self.side), manifest.text(self.database)
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
