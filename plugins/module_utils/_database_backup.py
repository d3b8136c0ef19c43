# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Take a backup of one database that is worth its name, or none at all.

dump | compress | encrypt | file, as one stream: nothing plain touches the disk, memory stays flat. What goes wrong at any
stage leaves nothing under the final name. Beside the backup lies its manifest (:mod:`_manifest`), by which a restore is
judged. Old backups are removed, but never the last one that was proven by a restore.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import typing as t

from ansible.module_utils.urls import open_url

from ansible_collections.sre.runbooks.plugins.module_utils import _client as client
from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs as proofs
from ansible_collections.sre.runbooks.plugins.module_utils._backup import DAY, Backup, newest_first
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._engine import Refused
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import Broken, Chunks, Process, close
from ansible_collections.sre.runbooks.plugins.module_utils._probe import backups as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe import s3

COMPRESSIONS: dict[str, tuple[list[str], str]] = {
    "zstd": (["zstd", "-q", "-c"], ".zst"),
    "gzip": (["gzip", "-c"], ".gz"),
    "xz": (["xz", "-c"], ".xz"),
    "none": ([], ""),
}
OPTIONS: dict[str, t.Any] = {
    **client.LOGIN,
    "database": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "name": {"type": "str"},
    "compression": {"type": "str", "choices": list(COMPRESSIONS), "default": "zstd"},
    "age_recipients": {"type": "list", "elements": "str"},
    "gpg_recipient_file": {"type": "path"},
    "passphrase": {"type": "str", "no_log": True},
    "openssl_iterations": {"type": "int", "default": 600000},
    "offsite": {"type": "str"},
    "s3": {
        "type": "dict",
        "options": {
            "endpoint": {"type": "str"},
            "region": {"type": "str"},
            "profile": {"type": "str"},
            "ca_bundle": {"type": "path"},
            "access_key": {"type": "str", "no_log": True},
            "secret_key": {"type": "str", "no_log": True},
        },
    },
    "keep_days": {"type": "float"},
    "keep_days_offsite": {"type": "float"},
    "keep_at_least": {"type": "int", "default": 3},
    "proofs": {"type": "path", "default": proofs.DIRECTORY},
    "heartbeat": {"type": "path"},
    "heartbeat_url": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 14400.0},
}
EXCLUSIVE = [("age_recipients", "gpg_recipient_file", "passphrase")]
_TAIL = 4096
_LAST_WORDS = b"-- Dump completed"


class Failed(Exception):
    """There is no new backup, or it is not where it should be, for this reason."""


Result = t.Dict[str, t.Any]


def validate(options: t.Mapping[str, t.Any]) -> None:
    """Raises :class:`BadOption` for what cannot be meant."""
    name = options["name"] or options["database"]
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise BadOption(f"name: {name} cannot be the beginning of a file name; give another one")
    if options["keep_at_least"] < 1:
        raise BadOption("keep_at_least: to keep none at all is no retention")
    if options["offsite"] and not re.fullmatch(r"s3://[^/]+/(?:[^*?\[]*/)?", options["offsite"]):
        raise BadOption(f"offsite: {options['offsite']} is no place such as s3://bucket/folder/")
    if options["keep_days_offsite"] is not None and not options["offsite"]:
        raise BadOption("keep_days_offsite: there is no offsite")


def take(options: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], None]) -> Result:
    """Take a backup, copy it, remove old ones, and say what was done. Raises :class:`Failed`.

    In check mode, the server is asked, and nothing is written anywhere.
    """
    started = time.time()
    deadline = time.monotonic() + options["timeout"]
    name = options["name"] or options["database"]
    path = ""
    try:
        with client.connect(options, deadline) as server:
            if options["database"] not in server.databases():
                raise Failed(f"there is no database {options['database']} on {server.address}")
            if check_mode:
                path = _path(options, name, started)
                planned = {"path": path, "offsite": _copy_url(options, path)}
                return {"backup": planned, "removed": _outdated(options, name, path, started, warn)}
            with alone(options["directory"], name):
                clear_rest(options["directory"], name)
                path = _unused_path(options, name)
                about = _write(server, options, path, warn)
                server.close()
                about["seconds"] = round(time.time() - started, 1)
                if options["offsite"]:
                    _clear_rest_of_copies(options, name, warn)
                about["offsite"] = _copy(options, path, about["sha256"])
                removed = _outdated(options, name, path, started, warn)
                _remove(options, removed)
    except (Refused, Broken, Unmeasurable) as exc:
        raise Failed(
            f"no backup was taken: {exc}" if not os.path.exists(path) else f"{path} was taken, but: {exc}"
        ) from exc
    except OSError as exc:
        raise Failed(f"{exc.filename or options['directory']}: {exc.strerror or exc}") from exc
    _heartbeat(options, about, warn)
    return {"backup": about, "removed": removed}


def _path(options: t.Mapping[str, t.Any], name: str, seconds: float) -> str:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
    return os.path.join(options["directory"], f"{name}-{stamp}{_ending(options)}")


def _unused_path(options: t.Mapping[str, t.Any], name: str) -> str:
    """Where the backup of this second goes. What was taken in the same second stays: then it is the next one's."""
    while os.path.exists(path := _path(options, name, time.time())):
        time.sleep(0.05)
    return path


def _ending(options: t.Mapping[str, t.Any]) -> str:
    encryption = ".age" if options["age_recipients"] else ".gpg" if options["gpg_recipient_file"] else ""
    encryption = encryption or (".enc" if options["passphrase"] else "")
    plain = ".dump" if options["engine"] == client.POSTGRESQL else ".sql"
    return plain + COMPRESSIONS[options["compression"]][1] + encryption


@contextlib.contextmanager
def alone(directory: str, name: str) -> t.Iterator[None]:
    """Nobody else takes a backup of this name meanwhile. The lock ends with the process, however that ends."""
    os.makedirs(directory, 0o700, exist_ok=True)
    handle = os.open(os.path.join(directory, f".{name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 100).decode("ascii", "replace").strip() or "somebody"
            raise Failed(f"another backup of {name} is being taken, by {holder}") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} since {proofs.time_text(time.time())}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def clear_rest(directory: str, name: str) -> None:
    """Remove what a run that was killed has left: what is unfinished, and manifests without their backup."""
    unfinished = re.compile(rf"\.{_stamped(name)}.*\.part")
    alone_with = re.compile(rf"({_stamped(name)}.*){re.escape(manifest.SUFFIX)}")
    for entry in list(os.scandir(directory)):
        backup = alone_with.fullmatch(entry.name)
        if unfinished.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif unfinished.fullmatch(entry.name) or (backup and not os.path.exists(os.path.join(directory, backup[1]))):
            os.unlink(entry.path)


def _stamped(name: str) -> str:
    """How the names of backups of this name begin, and of no other: ``shop`` is not the beginning of ``shop-archive``."""
    return re.escape(name) + r"-\d{8}T\d{6}Z"


def _write(
    server: client.Server, options: t.Mapping[str, t.Any], path: str, warn: t.Callable[[str], None]
) -> dict[str, t.Any]:
    """Write backup and manifest under temporary names, and give them their own when both are whole and on disk."""
    database = options["database"]
    if isinstance(server, client.Postgresql):
        server.hold(database)
    elif isinstance(server, client.Mysql):
        unsafe = server.unsafe_tables(database)
        if unsafe:
            warn(f"not InnoDB, so what is written to them meanwhile may be torn: {', '.join(unsafe[:10])}")
    facts = server.facts(database)
    facts["taken"] = proofs.time_text(time.time())
    temporary, beside = _unfinished(path), _unfinished(manifest.path_of(path))
    try:
        about = _stream(server, options, temporary)
        facts["dump"] = {"name": os.path.basename(path), **about}
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(facts, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, manifest.path_of(path))
        os.replace(temporary, path)
        _sync_directory(os.path.dirname(path))
    finally:
        for leftover in (temporary, beside):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)
    rows = sum(table["rows"] or 0 for table in facts["tables"].values())
    return {"path": path, "manifest": manifest.path_of(path), "tables": len(facts["tables"]), "rows": rows, **about}


def _unfinished(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.part")


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stream(server: client.Server, options: t.Mapping[str, t.Any], path: str) -> dict[str, t.Any]:
    """Write dump | compress | encrypt > file. Returns its size and checksum, when every stage has ended well."""
    with _key_ring(path) as ring:
        packed = options["compression"] != "none"
        source = plain = _Plain(server.dump(options["database"], packed=packed))  # type: t.Any
        compressing, encrypting = COMPRESSIONS[options["compression"]][0], _encrypting(options, ring)
        if compressing:
            source = Process("compress", compressing, source, deadline=server.deadline)
        if encrypting:
            source = Process("encrypt", encrypting, source, secret=options["passphrase"], deadline=server.deadline)
        digest, written = hashlib.sha256(), 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(handle, "wb", buffering=0) as file:
                for chunk in source:
                    file.write(chunk)
                    digest.update(chunk)
                    written += len(chunk)
                os.fsync(file.fileno())
        finally:
            close(source)
    if server.engine == client.MYSQL and _LAST_WORDS not in plain.tail:
        raise Broken("dump", "it ended without the line that says that it is complete")
    return {"bytes": written, "sha256": digest.hexdigest(), "plain_bytes": plain.bytes}


@contextlib.contextmanager
def _key_ring(path: str) -> t.Iterator[str]:
    """An empty directory beside an unfinished file, and as unfinished: gpg wants one, even to read no key from."""
    ring = f"{path}.ring.part"
    os.mkdir(ring, 0o700)
    try:
        yield ring
    finally:
        shutil.rmtree(ring, ignore_errors=True)


class _Plain:
    """The dump before it is packed: how much it was, and how it ended."""

    def __init__(self, before: Chunks) -> None:
        self._before, self.bytes, self.tail = before, 0, b""

    def __iter__(self) -> _Plain:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._before)
        self.bytes += len(chunk)
        self.tail = (self.tail + chunk)[-_TAIL:]
        return chunk

    def close(self) -> None:
        close(self._before)


def _encrypting(options: t.Mapping[str, t.Any], ring: str) -> list[str]:
    if options["age_recipients"]:
        return ["age", "--encrypt", *(word for one in options["age_recipients"] for word in ("--recipient", one))]
    if options["gpg_recipient_file"]:
        return [
            "gpg", "--batch", "--no-tty", "--quiet", "--homedir", ring, "--trust-model", "always", "--compress-algo", "none",
            "--recipient-file", options["gpg_recipient_file"], "--encrypt",
        ]  # fmt: skip
    if options["passphrase"]:
        return [
            "openssl", "enc", "-aes-256-cbc", "-salt", "-pbkdf2", "-iter", str(options["openssl_iterations"]),
            "-pass", "fd:{secret}",
        ]  # fmt: skip
    return []


# The other place


def _copy_url(options: t.Mapping[str, t.Any], path: str) -> str | None:
    return options["offsite"] + os.path.basename(path) if options["offsite"] else None


def _copy(options: t.Mapping[str, t.Any], path: str, sha256: str) -> str | None:
    """Upload manifest and backup, in this order, so that no backup is there without its manifest.

    Sees that what is there is what was sent.
    """
    url = _copy_url(options, path)
    if url is None:
        return None
    bucket, key = s3.split(url)
    with s3.bucket(bucket, options["s3"] or {}, 60) as place:
        place.upload(manifest.path_of(path), manifest.path_of(key), {})
        place.upload(path, key, {"sha256": sha256})
        arrived = place.size(key)
        if arrived != os.path.getsize(path):
            raise Unmeasurable(f"{url} has {arrived:,} bytes, and {os.path.getsize(path):,} were sent")
    return url


def _clear_rest_of_copies(options: t.Mapping[str, t.Any], name: str, warn: t.Callable[[str], None]) -> None:
    """Remove what a run that was killed while it copied has left: parts of an upload, and a manifest without its backup.

    Only of backups that lie here. Others may be somebody else's, who is copying them just now.
    """
    bucket, folder = s3.split(options["offsite"])
    ours = {folder + entry for entry in os.listdir(options["directory"]) if re.match(_stamped(name), entry)}
    try:
        with s3.bucket(bucket, options["s3"] or {}, 60) as place:
            there = {item.key for item in place.list(f"{folder}{name}-*")}
            for key in sorted(ours & there):
                if key.endswith(manifest.SUFFIX) and key[: -len(manifest.SUFFIX)] not in there:
                    place.delete(key)
            place.abort_uploads(f"{folder}{name}-", ours)
    except Unmeasurable as exc:
        warn(f"it cannot be seen whether an earlier run was killed while it copied: {exc}")


# Retention


def _outdated(
    options: t.Mapping[str, t.Any], name: str, newest: str, now: float, warn: t.Callable[[str], None]
) -> list[str]:
    """What has to go: too old, not among the newest, and not the last that was proven by a restore."""
    places = [(os.path.join(options["directory"], f"{name}-*"), options["keep_days"])]
    if options["offsite"]:
        places.append((f"{options['offsite']}{name}-*", options["keep_days_offsite"]))
    if all(days is None for _place, days in places):
        return []
    proven = proofs.proven(options["proofs"])
    removed = []
    for pattern, days in places:
        if days is None:
            continue
        ours = _ours(probe.found(pattern, "name", options["s3"] or {}, 60), name, options)
        there = [one for one in ours if one.name.rpartition("/")[2] != os.path.basename(newest)]
        keep = options["keep_at_least"] - 1  # the new one is one of them
        candidates = [one for one in there[keep:] if now - one.taken > days * DAY]
        last = next((one.place for one in ours if candidates and _digest(one, options) in proven), None)
        if candidates and last is None:
            warn(f"none of the backups {pattern} has ever been proven by a restore: see the module restore_proof")
        removed += [one.place for one in candidates if one.place != last]
    return removed


def _ours(found: t.Iterable[Backup], name: str, options: t.Mapping[str, t.Any]) -> list[Backup]:
    """Those that this module has named, newest first: nothing else is ever removed."""
    plain = ".dump" if options["engine"] == client.POSTGRESQL else ".sql"
    ours = re.compile(_stamped(name) + re.escape(plain) + r"(\.(zst|gz|xz))?(\.(age|gpg|enc))?")
    return [one for one in newest_first(found) if ours.fullmatch(one.name.rpartition("/")[2])]


def _digest(one: Backup, options: t.Mapping[str, t.Any]) -> str | None:
    facts = probe.told_facts(one, options["s3"] or {}, 60)
    return str(((facts or {}).get("dump") or {}).get("sha256")) if facts else None


def _remove(options: t.Mapping[str, t.Any], places: t.Sequence[str]) -> None:
    for place in places:
        if s3.is_url(place):
            bucket, key = s3.split(place)
            with s3.bucket(bucket, options["s3"] or {}, 60) as opened:
                opened.delete(manifest.path_of(key))
                opened.delete(key)  # last: whoever is killed in between leaves what the next run finds
        else:
            os.unlink(place)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(manifest.path_of(place))


# Signs of life


def _heartbeat(options: t.Mapping[str, t.Any], about: t.Mapping[str, t.Any], warn: t.Callable[[str], None]) -> None:
    """Tell those who wait for it. That nobody could be told is no reason to say that there is no backup."""
    try:
        if options["heartbeat"]:
            proofs.write(
                options["heartbeat"], json.dumps({"at": proofs.time_text(time.time()), **about}, indent=1) + "\n"
            )
        if options["heartbeat_url"]:
            open_url(options["heartbeat_url"], timeout=10).read(1000)
    except (Unmeasurable, OSError, ValueError) as exc:
        reason = exc if isinstance(exc, Unmeasurable) else getattr(exc, "reason", None) or type(exc).__name__
        warn(f"the backup was taken, but its heartbeat could not be given: {reason}")
