# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Restore a backup into a throwaway server or directory, and say what came out of it. No verdict.

Whatever is made for it is gone when :func:`prove` returns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import threading
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _dump as dump
from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils import _pipe as pipe
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs as proofs
from ansible_collections.sre.runbooks.plugins.module_utils import _scratch as scratch
from ansible_collections.sre.runbooks.plugins.module_utils import _unpack as unpack
from ansible_collections.sre.runbooks.plugins.module_utils._backup import Backup, newest_first
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._engine import MIB, Engine, Mysql, Postgresql, Refused, Walls
from ansible_collections.sre.runbooks.plugins.module_utils._probe import backups, s3
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command

FILES = "files"
_SLACK = 30.0
"""Seconds that are kept back to clear up."""
_TELL = 2.0
"""Seconds between two notes of progress."""

_TIMES = re.compile(r"date|timestamp|\w*char|\w*text")
"""The types of columns that can hold a point in time."""

_one_at_a_time = threading.Lock()
"""Two throwaway servers would take from each other what is measured of them."""


@dataclasses.dataclass
class Proof:
    """What a proof has seen so far. Times are seconds since 1970, lengths of time are seconds."""

    place: str = ""
    bytes: int = 0
    taken: float = 0.0
    started: float = 0.0
    sha256: str = ""
    stages: list[str] = dataclasses.field(default_factory=list)
    format: str = ""
    engine: str = ""
    server: str = ""
    database: str = ""
    scan: dump.Scan | None = None
    broken: pipe.Broken | None = None
    """Why the backup could not be restored: its own fault."""
    expected: manifest.Facts | None = None
    reference: str = ""
    """What it is compared with: a manifest, or the production server."""
    no_reference: str = ""
    dumped: float | None = None
    """When the manifest says that the backup was taken, None where it does not."""
    found: manifest.Facts | None = None
    tables: list[str] | None = None
    """The tables whose rows were restored, None for all."""
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    """``start`` of the server, ``restore`` from the first byte to the last row, then side by side ``check`` and ``compare``."""
    share: float = 1.0
    """The part of the data that was restored."""
    engine_check: str = ""
    damages: list[str] = dataclasses.field(default_factory=list)
    behind: list[str] = dataclasses.field(default_factory=list)
    newest: float | None = None
    newest_by: str = ""
    newest_problem: str = ""
    answers: dict[str, float | str] = dataclasses.field(default_factory=dict)
    """Invariant → the number it gave, or why it gave none."""
    unpacked: unpack.Unpacked | None = None
    smoke: tuple[int, str] | None = None
    remembered: dict[str, str] = dataclasses.field(default_factory=dict)
    """Table → when it was last proven, before this proof."""
    state_problem: str = ""
    cleared: list[str] = dataclasses.field(default_factory=list)
    left: list[str] = dataclasses.field(default_factory=list)
    missing_walls: list[str] = dataclasses.field(default_factory=list)

    @property
    def restored(self) -> bool:
        return self.found is not None


class Progress:
    """Tells how far a restore is, in a small file that can be looked at while it runs, and stops one that would fill the disk."""

    def __init__(self, target: t.Mapping[str, t.Any], place: str, name: str) -> None:
        self._target, self._place = target, place
        self.path = target.get("progress_path") or os.path.join(target["scratch"], f"{_slug(name)}.progress.json")
        self._told = 0.0
        self._began = time.time()
        self.stage = "start"
        self.meter: pipe.Meter | None = None
        self.scan: dump.Scan | None = None

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._told < _TELL:
            return
        self._told = now
        self._watch_the_disk()
        self._tell()

    def _watch_the_disk(self) -> None:
        if scratch.free(self._place) < self._target["disk_reserve"] * MIB:
            raise Unmeasurable(
                f"stopped: less than {self._target['disk_reserve']} MiB are left where the throwaway data lies, {self._place}"
            )
        limit = self._target["disk_limit"]
        if limit and scratch.size(self._place) > limit * MIB:
            raise Unmeasurable(f"stopped: the throwaway data has grown beyond disk_limit, {limit} MiB")

    def _tell(self) -> None:
        seconds = time.time() - self._began
        told: dict[str, t.Any] = {"stage": self.stage, "seconds": round(seconds), "at": proofs.time_text(time.time())}
        if self.meter:
            told["bytes"], told["of"] = self.meter.bytes, self.meter.total
            if self.meter.total and self.meter.bytes:
                share = min(1.0, self.meter.bytes / self.meter.total)
                told["percent"] = round(100 * share, 1)
                told["seconds_left"] = round(seconds / share - seconds)
        if self.scan and self.scan.tables:
            told["tables"], told["table"] = len(self.scan.tables), next(reversed(self.scan.tables))
        proofs.write(self.path, json.dumps(told) + "\n")

    def end(self) -> None:
        try:
            os.unlink(self.path)
        except OSError:
            return


def prove(target: t.Mapping[str, t.Any]) -> Proof:
    """Restore the newest backup of a target, look at what came out, and remove it.

    Raises :class:`Unmeasurable` when the fault is not the backup's.
    """
    deadline = time.monotonic() + max(1.0, target["timeout"] - min(_SLACK, target["timeout"] / 10))
    with _one_at_a_time:
        return _alone(target, deadline)


def _alone(target: t.Mapping[str, t.Any], deadline: float) -> Proof:
    proof = Proof(started=time.time())
    proof.cleared, proof.left = scratch.clear_dead(target["scratch"])
    for directory in sorted({target["scratch"], target["state"], target["sheets"] or target["state"]}):
        proof.cleared += proofs.clear_dead(directory)
    try:
        backup = _newest(target)
    except pipe.Broken as exc:
        proof.broken = exc
        return proof
    proof.place, proof.bytes, proof.taken = backup.place, backup.size or 0, backup.taken
    _remember(proof, target)
    place = scratch.make(target["scratch"])
    progress = Progress(target, place, target["name"])
    try:
        _prove(proof, target, backup, place, progress, deadline)
    except pipe.Broken as exc:
        proof.broken = exc
    finally:
        progress.end()
        proof.left += scratch.remove(place)
    return proof


def _newest(target: t.Mapping[str, t.Any]) -> Backup:
    found = backups.found(target["source"], target["dated_by"], target["s3"] or {}, 60.0)
    if not found:
        raise pipe.Broken("find", f"there is no backup at {target['source']}")
    return newest_first(found)[0]


def _remember(proof: Proof, target: t.Mapping[str, t.Any]) -> None:
    try:
        proof.remembered = proofs.read(proofs.path_of(target["state"], target["name"]))["tables"]
    except Unmeasurable as exc:
        proof.state_problem = str(exc)


def keep(proof: Proof, target: t.Mapping[str, t.Any], proven: bool) -> None:
    """Remember a proof for the next one, for retention and for real restores. Raises :class:`Unmeasurable`."""
    entry = {
        "at": proofs.time_text(proof.started), "source": proof.place, "sha256": proof.sha256, "bytes": proof.bytes,
        "proven": proven, "tables": proof.tables, "seconds": proof.seconds,
    }  # fmt: skip
    restored = proof.tables if proof.tables is not None else list((proof.found or {}).get("tables", {}))
    proofs.add(proofs.path_of(target["state"], target["name"]), entry, restored)


def write_sheet(directory: str, name: str, texts: t.Mapping[str, str]) -> None:
    """Write an evidence sheet: ending → text. Raises :class:`Unmeasurable`."""
    for ending, text in texts.items():
        proofs.write(os.path.join(directory, _slug(name) + ending), text)


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("_.")[:150]


def _prove(
    proof: Proof, target: t.Mapping[str, t.Any], backup: Backup, place: str, progress: Progress, deadline: float
) -> None:
    _expect(proof, target, backup)
    _ensure_room(proof, target, place)
    if backup.directory:
        proof.format = dump.PG_DIRECTORY
        _prove_database(proof, target, backup, None, place, progress, deadline)
        return
    stream = pipe.open_stream(
        backups.read(backup, target["s3"] or {}, 60.0),
        _keys(target),
        total=backup.size,
        workdir=place,
        deadline=deadline,
    )
    proof.stages = stream.stages
    progress.meter = stream.raw
    try:
        head, stream.chunks = pipe.peek(stream.chunks, 4096)
        format_ = dump.recognise(head)
        if format_ is None:
            raise pipe.Broken("recognise", f"this is neither a dump nor an archive: it begins with {head[:40]!r}")
        proof.format = format_
        if format_ in (dump.TAR, dump.ZIP):
            _prove_files(proof, target, backup, stream, place, progress, deadline)
        else:
            _named_by_dump(proof, head)
            _prove_database(proof, target, backup, stream, place, progress, deadline)
    finally:
        stream.close()


def _keys(target: t.Mapping[str, t.Any]) -> pipe.Keys:
    return pipe.Keys(
        age_identity=target["age_identity"],
        gpg_home=target["gpg_home"],
        gpg_key=target["gpg_key"],
        passphrase=target["passphrase"],
        openssl_cipher=target["openssl_cipher"],
        openssl_iterations=target["openssl_iterations"] or 0,
    )


# What is expected


def _expect(proof: Proof, target: t.Mapping[str, t.Any], backup: Backup) -> None:
    where = target["manifest"] or manifest.path_of(backup.place.rstrip("/"))
    text = _text(where, target)
    if text is not None:
        proof.expected, proof.reference = manifest.read(text, where), "the manifest"
        with contextlib.suppress(Unmeasurable):
            proof.dumped = proofs.seconds_of(t.cast(str, proof.expected.get("taken")))
    elif target["manifest"]:
        raise Unmeasurable(f"{where} is not there")
    else:
        proof.no_reference = f"there is no manifest at {where}"


def _text(place: str, target: t.Mapping[str, t.Any]) -> str | None:
    if s3.is_url(place):
        name, key = s3.split(place)
        with s3.bucket(name, target["s3"] or {}, 60.0) as bucket:
            raw = bucket.small(key, 64 * MIB)
        return None if raw is None else raw.decode("utf-8", "backslashreplace")
    try:
        with open(place, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise Unmeasurable(f"{place}: {exc}") from exc


def _ensure_room(proof: Proof, target: t.Mapping[str, t.Any], place: str) -> None:
    told = (proof.expected or {}).get("dump", {}).get("plain_bytes")
    about = told * target["disk_factor"] if told else proof.bytes * target["disk_factor"] * 2
    free = scratch.free(place) - target["disk_reserve"] * MIB
    if free < about:
        raise Unmeasurable(
            f"the throwaway data may take {about / MIB:,.0f} MiB, and {max(0, free) / MIB:,.0f} MiB are free for it at"
            f" {target['scratch']}: choose another place by scratch, or set disk_factor"
        )


def _named_by_dump(proof: Proof, head: bytes) -> None:
    found = re.search(rb"^-- Host: [^\n]*?Database: ([^\n]+)$", head, re.MULTILINE)
    if found:
        proof.database = found.group(1).decode("utf-8", "replace").strip()


# Databases


def _prove_database(
    proof: Proof,
    target: t.Mapping[str, t.Any],
    backup: Backup,
    stream: pipe.Stream | None,
    place: str,
    progress: Progress,
    deadline: float,
) -> None:
    proof.engine = _engine_of(proof, target)
    database = target["database"] or (proof.expected or {}).get("database") or proof.database or "proof"
    proof.database = database
    began = time.monotonic()
    with _started(proof, target, place, deadline) as engine:
        engine.create(database)
        proof.server = engine.sql("SELECT version()")[0][0].partition(" on ")[0]
        proof.seconds["start"] = time.monotonic() - began
        proof.missing_walls = engine.walls.missing
        _restore(proof, target, engine, backup, stream, progress)
        _look(proof, target, engine, progress)


def _engine_of(proof: Proof, target: t.Mapping[str, t.Any]) -> str:
    told = {
        dump.MYSQL: "mysql", dump.POSTGRESQL: "postgresql", dump.PG_CUSTOM: "postgresql", dump.PG_TAR: "postgresql",
        dump.PG_DIRECTORY: "postgresql", dump.SQL: (proof.expected or {}).get("engine") or target["engine"],
    }[proof.format]  # fmt: skip
    if told not in ("mysql", "postgresql"):
        raise Unmeasurable("the dump does not say which kind of server it is for: say so by engine")
    if target["engine"] not in ("auto", told):
        raise pipe.Broken(
            "recognise", f"it is {dump.FORMATS[proof.format]}, and a dump of {target['engine']} is expected"
        )
    return str(told)


def _started(proof: Proof, target: t.Mapping[str, t.Any], place: str, deadline: float) -> Engine:
    given = (place, target["user"], target["memory"], target["settings"] or {}, deadline, target["binaries"])
    if proof.engine == "mysql":
        return Mysql(*given)
    engine = Postgresql(*given)
    engine.superuser, engine.extensions = target["superuser"], target["extensions"] or []
    return engine


def _restore(
    proof: Proof,
    target: t.Mapping[str, t.Any],
    engine: Engine,
    backup: Backup,
    stream: pipe.Stream | None,
    progress: Progress,
) -> None:
    """Everything from the first byte to the last row, without a copy in between."""
    scan = proof.scan = progress.scan = dump.Scan("postgresql" if proof.engine == "postgresql" else "mysql")
    proof.tables = _chosen(proof, target)
    progress.stage = "restore"
    began = time.monotonic()
    converting = _as_sql(proof, engine, backup, stream)
    text = converting or t.cast(pipe.Stream, stream).chunks
    parts: t.Iterator[dump.Piece] = dump.sample(dump.pieces(text, scan), proof.tables)
    if proof.engine == "postgresql":
        statements = dump.for_postgresql(parts, proof.database, target["extensions"] or ())
    else:
        statements = (piece.data for piece in parts)
    try:
        engine.load(statements, progress.tick)
    finally:
        pipe.close(converting)
    proof.seconds["restore"] = time.monotonic() - began
    if stream:
        for _rest in stream.chunks:
            pass
        proof.sha256 = stream.raw.sha256
    _judge_the_end(proof, scan)
    if proof.tables is not None and scan.data_bytes:
        loaded = sum(table.bytes for name, table in scan.tables.items() if name in proof.tables)
        proof.share = max(loaded, 1) / scan.data_bytes


def _as_sql(proof: Proof, engine: Engine, backup: Backup, stream: pipe.Stream | None) -> pipe.Chunks | None:
    """What ``pg_restore`` makes of PostgreSQL's own formats; None for a dump that is SQL already."""
    if proof.format not in (dump.PG_CUSTOM, dump.PG_TAR, dump.PG_DIRECTORY):
        return None
    argv, before = [engine.tool("pg_restore"), "-f", "-"], iter(())  # type: list[str], t.Iterator[bytes]
    if stream:
        argv.append({dump.PG_CUSTOM: "--format=c", dump.PG_TAR: "--format=t"}[proof.format])
        before = stream.chunks
    else:
        argv.append(backup.place)
    argv = engine.walls.argv(argv, confined=True, dropped=stream is not None)
    return pipe.Process("pg_restore", argv, before, env=engine.walls.env, deadline=engine.deadline)


def _judge_the_end(proof: Proof, scan: dump.Scan) -> None:
    """What a client takes for a good end, and is none. Raises :class:`pipe.Broken`."""
    if scan.header and not scan.complete:
        raise pipe.Broken("dump", "it ends without the line that says that it is complete: it was cut off")
    if not scan.tables:
        raise pipe.Broken("dump", "there is not one table in it")
    told = (proof.expected or {}).get("dump", {}).get("sha256")
    if told and proof.sha256 and told != proof.sha256:
        raise pipe.Broken("checksum", "it is not the file that its manifest describes: the checksums differ")


def _chosen(proof: Proof, target: t.Mapping[str, t.Any]) -> list[str] | None:
    """The tables of a sample: those that were proven the longest time ago, and those whose newest row tells the age."""
    if not target["sample_tables"]:
        return None
    known = list((proof.expected or {}).get("tables", {})) or list(proof.remembered)
    if not known or target["sample_tables"] >= len(known):
        return None
    oldest = sorted(known, key=lambda name: (proof.remembered.get(name, ""), name))[: target["sample_tables"]]
    return sorted({*oldest, *(entry["table"] for entry in target["newest"] or [] if entry["table"] in known)})


def _look(proof: Proof, target: t.Mapping[str, t.Any], engine: Engine, progress: Progress) -> None:
    """Everything that is asked of the restored database, and what the server itself finds in it."""
    progress.stage, progress.meter = "check", None
    try:
        if proof.expected is None and target["production"]:
            proof.expected = _of_production(proof, target, engine, proof.tables)
            proof.reference = "the production server"
        _side_by_side(progress.tick, lambda: _compare(proof, target, engine), lambda: _check(proof, engine))
    except Refused as exc:
        raise Unmeasurable(f"the restored database does not answer: {exc}") from exc


def _compare(proof: Proof, target: t.Mapping[str, t.Any], engine: Engine) -> None:
    began = time.monotonic()
    found = manifest.take(engine.sql, proof.engine, proof.database, like=proof.expected, only=proof.tables)
    proof.behind = manifest.behind(engine.sql, proof.engine, proof.database)
    _newest_row(proof, target, engine, found)
    for invariant in target["invariants"] or []:
        proof.answers[invariant["name"]] = _answer(engine, invariant["sql"], target["query_timeout"])
    proof.found = found
    proof.seconds["compare"] = time.monotonic() - began


def _check(proof: Proof, engine: Engine) -> None:
    began = time.monotonic()
    proof.engine_check, proof.damages = engine.damages(proof.tables)
    proof.seconds["check"] = time.monotonic() - began


def _side_by_side(tick: t.Callable[[], None], *tasks: t.Callable[[], object]) -> None:
    """Run some tasks at the same time. The first that raises ends the waiting for all of them."""
    raised: list[BaseException] = []

    def run(task: t.Callable[[], object]) -> None:
        try:
            task()
        except BaseException as exc:  # noqa: BLE001 - it is raised below
            raised.append(exc)

    threads = [threading.Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and not raised:
            thread.join(0.5)
            tick()
    if raised:
        raise raised[0]


def _newest_row(proof: Proof, target: t.Mapping[str, t.Any], engine: Engine, facts: manifest.Facts) -> None:
    """How new the data is: by its rows where columns are named, else by the manifest, or by the file where there is none."""
    if not target["newest"]:
        _newest_by_backup(proof)
        return
    found: dict[str, float] = {}
    for entry in target["newest"]:
        where, type_ = f"{entry['table']}.{entry['column']}", _type_of(entry, facts)
        if type_ and not _TIMES.match(type_):  # a server may make today's date of a time of day
            answer: float | str = f"it is {type_}, which is no time"
        else:
            statement = newest_row_sql(engine.name, entry["table"], entry["column"])
            answer = _answer(engine, statement, target["query_timeout"])
        if isinstance(answer, float) and answer < 0:
            answer = "it lies before 1970"
        if isinstance(answer, str):  # whoever named it relies on it, whatever the others say
            proof.newest_problem = f"{where} does not tell the age of the newest row: {answer}"
            return
        found[where] = answer
    newest, proof.newest = max(found.items(), key=lambda item: item[1])
    proof.newest_by = f"the newest row of {newest}"


def _type_of(entry: t.Mapping[str, str], facts: manifest.Facts) -> str:
    """The type of a column, or nothing when it is not one of a table."""
    return str((facts["tables"].get(entry["table"]) or {"columns": {}})["columns"].get(entry["column"], ""))


def _newest_by_backup(proof: Proof) -> None:
    if proof.reference != "the manifest":
        proof.newest, proof.newest_by = proof.taken, "the time of the file"
    elif proof.dumped is None:
        taken = t.cast(manifest.Facts, proof.expected).get("taken")
        proof.newest_problem = (
            f"the manifest does not say when the backup was taken ({taken!r}), and newest names no column"
        )
    else:
        proof.newest, proof.newest_by = proof.dumped, "the manifest"


def newest_row_sql(engine: str, table: str, column: str) -> str:
    """A statement that tells the highest time of a column, in seconds since 1970. What has no time zone is read as UTC."""
    if engine == "mysql":
        quoted = ".".join("`" + part.replace("`", "``") + "`" for part in (table, column))
        since = f"TIMESTAMPDIFF(SECOND, '1970-01-01', MAX({quoted}))"  # UNIX_TIMESTAMP ends in 2038
        return f"SELECT {since} FROM {quoted.rpartition('.')[0]}"  # noqa: S608 - quoted
    real = ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
    quoted = '"' + column.replace('"', '""') + '"'
    return f"SELECT extract(epoch FROM max({quoted})) FROM {real}"  # noqa: S608 - quoted


def _answer(engine: Engine, statement: str, timeout: float) -> float | str:
    """The number that a statement gives, or why it gives none."""
    try:
        rows = engine.ask(statement, timeout)
    except Refused as exc:
        return str(exc)
    if len(rows) != 1 or len(rows[0]) != 1:
        return f"it gave {len(rows)} rows of {len(rows[0]) if rows else 0} columns, and one number is expected"
    text = {"t": "1", "f": "0"}.get(rows[0][0], rows[0][0])
    try:
        number = float(text)
    except ValueError:
        return "it gave nothing: null" if text == manifest.NULL else f"it gave no number: {text[:50]!r}"
    return number if math.isfinite(number) else f"it gave no number: {text[:50]!r}"


def _of_production(
    proof: Proof, target: t.Mapping[str, t.Any], engine: Engine, only: t.Container[str] | None
) -> manifest.Facts:
    """What the production server holds now, asked by a session that may only read."""
    about = target["production"]
    database = about.get("database") or proof.database

    def sql(statement: str) -> list[list[str]]:
        return engine.elsewhere(about, database, statement, target["query_timeout"])

    try:
        return manifest.take(sql, engine.name, database, only=only)
    except Refused as exc:
        raise Unmeasurable(f"the production server cannot be compared with: {exc}") from exc


# Files


def _prove_files(
    proof: Proof,
    target: t.Mapping[str, t.Any],
    backup: Backup,
    stream: pipe.Stream,
    place: str,
    progress: Progress,
    deadline: float,
) -> None:
    if target["engine"] not in ("auto", FILES):
        raise pipe.Broken(
            "recognise", f"it is {dump.FORMATS[proof.format]}, and a dump of {target['engine']} is expected"
        )
    proof.engine = FILES
    unpacked = os.path.join(place, "files")
    os.mkdir(unpacked, 0o700)
    progress.stage = "unpack"
    began = time.monotonic()
    if proof.format == dump.ZIP:
        proof.unpacked = _unzipped(proof, target, backup, stream, place, unpacked, progress, deadline)
    else:
        proof.unpacked = unpack.unpack_tar(_ticking(stream.chunks, progress, deadline), unpacked)
    for _rest in stream.chunks:
        pass
    proof.sha256 = stream.raw.sha256
    proof.seconds["restore"] = time.monotonic() - began
    if not proof.unpacked.files:
        raise pipe.Broken("unpack", "there is not one file in it")
    told = (proof.expected or {}).get("dump", {}).get("sha256")
    if told and told != proof.sha256:
        raise pipe.Broken("checksum", "it is not the file that its manifest describes: the checksums differ")
    proof.found = unpack.facts_of(proof.unpacked)
    proof.newest, proof.newest_by = proof.taken, "the time of the file"
    if target["smoke"]:
        _smoke(proof, target, place, unpacked)


def _ticking(chunks: pipe.Chunks, progress: Progress, deadline: float) -> pipe.Chunks:
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise pipe.TooSlow("unpack was not through in time")
        progress.tick()
        yield chunk


def _unzipped(
    proof: Proof,
    target: t.Mapping[str, t.Any],
    backup: Backup,
    stream: pipe.Stream,
    place: str,
    unpacked: str,
    progress: Progress,
    deadline: float,
) -> unpack.Unpacked:
    """A zip has its directory at its end, so what is wrapped or far away is written to the private directory first."""
    path = backup.place
    if proof.stages or s3.is_url(backup.place):
        path = os.path.join(place, "archive.zip")
        with open(path, "wb") as file:
            file.writelines(_ticking(stream.chunks, progress, deadline))
    return unpack.unpack_zip(path, unpacked, target["passphrase"])


def _smoke(proof: Proof, target: t.Mapping[str, t.Any], place: str, unpacked: str) -> None:
    """Run the operator's own command in what was unpacked, as a user without rights and without a network."""
    walls = Walls(target["user"], place)
    os.chmod(place, 0o711)  # noqa: S103 - to pass through
    walls.hand_over(unpacked)
    argv = walls.argv([word.replace("{directory}", unpacked) for word in target["smoke"]])
    answer = command(argv, target["query_timeout"], env={**walls.env, "RESTORED": unpacked})
    proof.smoke = (answer.rc, (answer.stderr or answer.stdout).strip()[-300:])
