# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way in which a backup is known to be broken, made of a good one, with the level at which it has to be caught.

Levels: L0 there, age, size · L1 bytes, keys · L2 content complete and its own · L3 it loads · L4 what was loaded is right.
A row of the table says how the backup is made, by which level ``backup_check`` sees it, if it can, and what ``restore_proof``
has to say. ``docs/comparison/backups.md`` shows the table; test_broken_backups.py compares it with what happens.
"""

# ruff: noqa: E501 - a row of the table is a line

from __future__ import annotations

import bz2
import dataclasses
import datetime
import gzip
import io
import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DAY = "2025-11-05"
"""The day of every row of a good dump, which a test moves to where it wants it."""


def run(*argv: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclasses.dataclass
class Good:
    """What broken backups are made of: a good dump, and the means to make others of the same database."""

    place: Path
    """An empty directory for the backup."""
    dump: Callable[..., bytes]
    """Runs the dump tool with more options."""
    dump_other: Callable[[], bytes]
    """A dump of another database."""
    plain: bytes
    manifest: dict[str, Any]
    keys: Path
    """A directory with ``ours.age`` and ``others.age``."""
    upload: Callable[[str, bytes | None], str] = lambda name, content: ""
    """Puts an object at the other place, or none, and returns the pattern that names all of them."""

    def write(self, content: bytes, name: str = "shop.sql.gz", manifest: bool = True) -> dict[str, Any]:
        """Put a backup there, with the manifest of the good one next to it. Returns the options that name it."""
        path = self.place / name
        path.write_bytes(content)
        if manifest:
            Path(f"{path}.manifest.json").write_text(json.dumps(self.manifest), encoding="utf-8")
        return {"source": str(path)}

    def dated(self, days: float, **options: Any) -> dict[str, Any]:
        """The backup that these options name is as old, by its time of modification."""
        taken = time.time() - days * 86400
        os.utime(options["source"], (taken, taken))
        return options

    def twice(self, content: bytes) -> dict[str, Any]:
        """The same as yesterday's backup and as today's."""
        self.dated(1, **self.write(content, "shop-2025-11-04.sql.gz", manifest=False))
        self.write(content, "shop-2025-11-05.sql.gz")
        return {"source": str(self.place / "shop-*.sql.gz")}

    def copied(self, content: bytes | None, name: str = "shop-2025-11-05.sql.gz") -> dict[str, Any]:
        """A good backup of fifteen hours ago, and what is at the other place."""
        options = self.dated(15 / 24, **self.write(gzip.compress(self.plain, mtime=0), "shop-2025-11-05.sql.gz"))
        return {**options, "offsite": self.upload(name, content)}

    def changed(self, old: bytes, new: bytes) -> dict[str, Any]:
        """The good dump with something replaced, which has to be in it."""
        assert old in self.plain, old
        return self.write(gzip.compress(self.plain.replace(old, new)))

    def with_lines(self, lines: bytes, before: bytes) -> dict[str, Any]:
        """The good dump with lines before the first line that begins like this."""
        head, found, tail = self.plain.partition(b"\n" + before)
        assert found, before
        return self.write(gzip.compress(head + b"\n" + lines.rstrip(b"\n") + found + tail))

    def age(self, content: bytes) -> bytes:
        recipient = run("age-keygen", "-y", str(self.keys / "ours.age")).decode().strip()
        return run("age", "-r", recipient, stdin=content)


@dataclasses.dataclass(frozen=True)
class Broken:
    """One row: what is wrong and how to make it.

    ``seen`` is the least level of backup_check that sees it, and the check that does; empty where only a restore can tell.
    ``check``, ``status`` and ``says`` are of restore_proof, which ``level`` says is the latest that may be relied upon.
    """

    name: str
    make: Callable[[Good], dict[str, Any]]
    level: str
    seen: str
    check: str = "restore.loads"
    status: str = "critical"
    says: str = ""


def keys_in(place: Path) -> Path:
    """Two identities of age."""
    for name in ("ours.age", "others.age"):
        run("age-keygen", "-o", str(place / name))
    return place


def moved(plain: bytes, days: float) -> bytes:
    """A dump whose rows are of another day."""
    day = datetime.datetime.strptime(DAY, "%Y-%m-%d").replace(tzinfo=datetime.UTC) + datetime.timedelta(days)
    return plain.replace(DAY.encode(), day.strftime("%Y-%m-%d").encode())


def of_another_day(plain: bytes) -> bytes:
    """A compressed dump of nine days before, when something was there that has gone since: never of the same size."""
    return gzip.compress(moved(plain, -9) + b"-- " + os.urandom(500).hex().encode() + b"\n", mtime=0)


def tar_of(*entries: tuple[str, bytes, int] | tarfile.TarInfo) -> bytes:
    """A tar archive: name, content and mode of each file, or an entry as it is."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
            else:
                about = tarfile.TarInfo(entry[0])
                about.size, about.mode = len(entry[1]), entry[2]
                archive.addfile(about, io.BytesIO(entry[1]))
    return file.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, target
    return about


def device(name: str) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.devmajor, about.devminor = tarfile.CHRTYPE, 1, 3
    return about


def _flip(data: bytes) -> bytes:
    turned = bytearray(data)
    turned[len(turned) // 2] ^= 4
    return bytes(turned)


def _cut(data: bytes, share: float = 0.6) -> bytes:
    return data[: int(len(data) * share)]


def _other_digest(good: Good) -> dict[str, Any]:
    good.manifest["dump"] = {"sha256": "0" * 64}
    return good.write(gzip.compress(good.plain))


def _without_rows(plain: bytes, table: bytes) -> bytes:
    left, count = re.subn(rb"INSERT INTO `" + table + rb"` VALUES\n.*?;\n", b"", plain, flags=re.DOTALL)
    assert count == 1
    return left


def _half_the_rows(plain: bytes, table: bytes) -> bytes:
    found = re.search(rb"INSERT INTO `" + table + rb"` VALUES\n(.*?);\n", plain, re.DOTALL)
    assert found
    rows = found.group(1).split(b"\n")
    kept = b"\n".join(rows[: len(rows) // 2]).rstrip(b",")
    return plain[: found.start(1)] + kept + plain[found.end(1) :]


MARIADB = [
    Broken("empty", lambda good: good.write(b""), "L0", "L0 backup.size", says="read: there is not one byte in it"),
    Broken("zero-byte gz", lambda good: good.write(gzip.compress(b"")), "L1", "L0 backup.size", says="gzip: there is not one byte"),
    Broken("truncated gz", lambda good: good.write(_cut(gzip.compress(good.plain))), "L1", "L1 backup.archive", says="gzip: .* cut off"),
    Broken("truncated SQL with valid gz", lambda good: good.write(gzip.compress(_cut(good.plain))), "L2", "L2 backup.complete", says="dump: .* cut off|load: ERROR"),
    Broken(
        "truncated SQL between two statements",
        lambda good: good.write(gzip.compress(good.plain[: good.plain.index(b"--\n-- Table structure for table `orders`")])),
        "L2", "L2 backup.complete", says="dump: it ends without the line that says that it is complete",
    ),
    Broken("bit flip", lambda good: good.write(_flip(gzip.compress(good.plain))), "L1", "L1 backup.archive", says="gzip: the archive is damaged"),
    Broken("bit flip in an encrypted file", lambda good: good.write(_flip(good.age(good.plain)), "shop.sql.age"), "L1", "L1 backup.encryption", says="age: "),
    Broken(
        "wrong key",
        lambda good: {**good.write(good.age(good.plain), "shop.sql.age"), "age_identity": str(good.keys / "others.age")},
        "L1", "L1 backup.encryption", says="age: .*no identity matched",
    ),
    Broken(
        "unencrypted where encryption is policy",
        lambda good: {**good.write(gzip.compress(good.plain), "shop.sql.gz.age"), "encrypted": True},
        "L1", "L1 backup.encryption", "restore.encryption", says="not encrypted, although it has to be; layers: gzip",
    ),
    Broken("wrong database", lambda good: good.write(gzip.compress(good.dump_other())), "L2", "L2 backup.database", "restore.contained", says="is of blog, and shop"),
    Broken("foreign USE", lambda good: good.with_lines(b"USE `production`;", b"LOCK TABLES"), "L2", "L2 backup.foreign", "restore.contained", says="USE `production`"),
    Broken(
        "foreign CREATE DATABASE and USE",
        lambda good: good.with_lines(b"CREATE DATABASE `production`;\nUSE `production`;", b"LOCK TABLES"),
        "L2", "L2 backup.foreign", "restore.contained", says="CREATE DATABASE `production`",
    ),
    Broken(
        "DROP DATABASE",
        lambda good: good.with_lines(b"/*!40000 DROP DATABASE IF EXISTS `production`*/;", b"LOCK TABLES"),
        "L2", "L2 backup.foreign", "restore.contained", says="DROP DATABASE IF EXISTS `production`",
    ),
    Broken(
        "rows for another database",
        lambda good: good.with_lines(b"INSERT INTO `production`.`users` VALUES (1);", b"LOCK TABLES"),
        "L2", "L2 backup.foreign", "restore.contained", says="production",
    ),
    Broken("a command for the shell", lambda good: good.with_lines(b"\\! touch {hacked}", b"LOCK TABLES"), "L2", "L2 backup.foreign", "restore.contained", says="touch"),
    Broken(
        "a file of the server",
        lambda good: good.with_lines(b"SELECT 1 INTO OUTFILE '{hacked}';", b"LOCK TABLES"),
        "L2", "L2 backup.foreign", "restore.contained", says="OUTFILE",
    ),
    Broken("data only", lambda good: good.write(gzip.compress(good.dump("--no-create-info"))), "L2", "L2 backup.objects", says="load: ERROR 1146|not one table"),
    Broken("schema only", lambda good: good.write(gzip.compress(good.dump("--no-data"))), "L2", "L2 backup.objects", "restore.rows", says="not one row in 3 tables"),
    Broken("zero rows in one table", lambda good: good.write(gzip.compress(_without_rows(good.plain, b"orders"))), "L4", "L2 backup.objects", "restore.rows", says="orders .*0 of 2,000"),
    Broken("half of the rows of one table", lambda good: good.write(gzip.compress(_half_the_rows(good.plain, b"orders"))), "L4", "", "restore.rows", says="1,000 of 2,000"),
    Broken(
        "missing table",
        lambda good: good.write(gzip.compress(good.dump("--ignore-table=shop.orders", "--ignore-table=shop.recent"))),
        "L4", "L2 backup.objects", "restore.schema", says="",
    ),
    Broken(
        "extra table",
        lambda good: good.with_lines(b"CREATE TABLE `extra` (id int);", b"-- Table structure for table `orders`"),
        "L4", "L2 backup.objects", "restore.schema", says="table extra was not there",
    ),
    Broken("changed column", lambda good: good.changed(b"`name` varchar(100)", b"`name` varchar(90)"), "L4", "", "restore.schema", says="column customers.name was varchar.100"),
    Broken("missing routine", lambda good: good.write(gzip.compress(good.dump("--skip-routines"))), "L4", "", "restore.schema", says="routine tidy is missing"),
    Broken("missing trigger", lambda good: good.write(gzip.compress(good.dump("--skip-triggers"))), "L4", "", "restore.schema", says="trigger stamp is missing"),
    Broken("stale", lambda good: good.dated(9, **good.write(gzip.compress(moved(good.plain, -9)))), "L4", "L0 backup.age", "restore.rpo", says="h would be lost"),
    Broken("future date", lambda good: good.dated(-4000, **good.write(gzip.compress(moved(good.plain, 4000)))), "L4", "L0 backup.clock", "restore.rpo", "unknown", says="in the future"),
    Broken(
        "duplicate of yesterday's",
        lambda good: good.twice(gzip.compress(moved(good.plain, -3))),
        "L0", "L1 backup.duplicate", "restore.rpo", says="h would be lost",
    ),
    Broken("not the file of its manifest", _other_digest, "L1", "L1 backup.checksum", says="checksum: it is not the file that its manifest describes"),
    Broken("charset damage", lambda good: good.write(gzip.compress(good.plain.decode("latin-1").encode())), "L4", "", "restore.sample", says="customers: .* another checksum"),
    Broken("an error page in place of a dump", lambda good: good.write(b"<html>503 Service Unavailable</html>" * 9), "L2", "L2 backup.format", says="recognise: this is neither"),
    Broken("an error message in place of a dump", lambda good: good.write(gzip.compress(b"mysqldump: Got error: 1045: Access denied\n")), "L2", "L0 backup.size", says="recognise: "),
    Broken("rubbish after the end", lambda good: good.write(gzip.compress(good.plain) + b"rubbish after it"), "L1", "L1 backup.archive", says="gzip: something else follows"),
    Broken("missing", lambda good: {"source": str(good.place / "shop-*.sql.gz")}, "L0", "L0 backup.present", says="find: there is no backup at"),
]  # fmt: skip
"""Backups of MariaDB that must not pass."""

HARMLESS = [
    Broken("gz named .sql", lambda good: good.write(gzip.compress(good.plain), "shop.sql"), "L2", "L2 backup.format", "restore.proof", "ok"),
    Broken("plain SQL named .dump", lambda good: good.write(good.plain, "shop.dump"), "L2", "L2 backup.format", "restore.proof", "ok"),
    Broken("encrypted and named .sql", lambda good: good.write(good.age(bz2.compress(good.plain)), "shop.sql"), "L2", "L2 backup.format", "restore.proof", "ok"),
]  # fmt: skip
"""Backups with a wrong name and good content: they can be restored, whatever a check of names says."""

UPLOADS = tuple((f"uploads/{number}.txt", f"text {number}\n".encode() * 300, 0o644) for number in range(20))

ARCHIVES = [
    Broken("half an archive", lambda good: good.write(_cut(tar_of(*UPLOADS)), "u.tar"), "L1", "L1 backup.archive", says="tar: .*cut off|tar: the archive is damaged"),
    Broken("an archive without its end", lambda good: good.write(tar_of(*UPLOADS).rstrip(b"\0"), "u.tar"), "L1", "L1 backup.archive", says="tar: "),
    Broken("half a compressed archive", lambda good: good.write(_cut(gzip.compress(tar_of(*UPLOADS))), "u.tgz"), "L1", "L1 backup.archive", says="gzip: .*cut off"),
    Broken("an empty archive", lambda good: good.write(tar_of(), "u.tar"), "L2", "L2 backup.format", says="recognise: |unpack: there is not one file"),
    Broken("a missing file", lambda good: good.write(tar_of(*UPLOADS[1:]), "u.tar"), "L4", "L2 backup.objects", "restore.schema", says="uploads/0.txt is missing"),
    Broken("a file too many", lambda good: good.write(tar_of(*UPLOADS, ("x.php", b"x", 0o644)), "u.tar"), "L4", "L2 backup.objects", "restore.schema", says="x.php was not there"),
    Broken("a changed file", lambda good: good.write(tar_of(*UPLOADS[1:], ("uploads/0.txt", b"x", 0o644)), "u.tar"), "L4", "L2 backup.objects", "restore.sample", says="uploads/0.txt has another"),
    Broken("an empty file", lambda good: {**good.write(tar_of(*UPLOADS[1:], ("uploads/0.txt", b"", 0o644)), "u.tar"), "smoke": ["/usr/bin/test", "-s", "{directory}/uploads/0.txt"]}, "L4", "L2 backup.objects", "restore.invariants", says="smoke check"),
    Broken("open modes", lambda good: good.write(tar_of(*UPLOADS[1:], (*UPLOADS[0][:2], 0o666)), "u.tar"), "L4", "", "restore.permissions", "warning", says="uploads/0.txt has mode 0666"),
    Broken("a way out", lambda good: good.write(tar_of(*UPLOADS, ("../../hacked", b"x", 0o644)), "u.tar"), "L2", "L2 backup.foreign", "restore.contained", says="hacked: would lie outside"),
    Broken("an absolute name", lambda good: good.write(tar_of(*UPLOADS, ("/tmp/sre-hacked", b"x", 0o644)), "u.tar"), "L2", "L2 backup.foreign", "restore.contained", says="would lie outside"),
    Broken("a link to the outside", lambda good: good.write(tar_of(*UPLOADS, link("a", "/etc"), ("a/hacked", b"x", 0o644)), "u.tar"), "L2", "L2 backup.foreign", "restore.contained", says="links to /etc"),
    Broken("a hard link to the outside", lambda good: good.write(tar_of(*UPLOADS, link("a", "/etc/passwd", tarfile.LNKTYPE)), "u.tar"), "L2", "L2 backup.foreign", "restore.contained", says="links to"),
    Broken("a device", lambda good: good.write(tar_of(*UPLOADS, device("null")), "u.tar"), "L2", "", "restore.contained", says="null: is a device"),
]  # fmt: skip
"""Archives of files that must not pass."""

POSTGRESQL = [
    Broken("empty", lambda good: good.write(b"", "shop.dump"), "L0", "L0 backup.size", says="read: there is not one byte"),
    Broken("truncated custom format", lambda good: good.write(_cut(good.dump("-Fc")), "shop.dump"), "L1", "L1 backup.archive", says="pg_restore: "),
    Broken("truncated tar format", lambda good: good.write(_cut(good.dump("-Ft")), "shop.tar"), "L1", "L1 backup.archive", says="pg_restore: |load: |dump: "),
    Broken("truncated SQL", lambda good: good.write(_cut(good.plain, 0.5), "shop.sql"), "L2", "L2 backup.complete", says="dump: .*cut off|load: "),
    Broken("bit flip", lambda good: good.write(_flip(good.dump("-Fc")), "shop.dump"), "L1", "L1 backup.archive", says="pg_restore: |load: |dump: "),
    Broken(
        "wrong key",
        lambda good: {**good.write(good.age(good.dump("-Fc")), "shop.dump.age"), "age_identity": str(good.keys / "others.age")},
        "L1", "L1 backup.encryption", says="age: .*no identity matched",
    ),
    Broken("truncated zstd", lambda good: good.write(_cut(run("zstd", "-c", stdin=good.plain)), "shop.sql.zst"), "L1", "L1 backup.archive", says="zstd: "),
    Broken("wrong database", lambda good: {**good.write(good.dump_other(), "shop.dump"), "database": "shop"}, "L2", "L2 backup.database", "restore.schema", says="table customers is missing"),
    Broken("foreign connect", lambda good: good.with_lines(b"\\connect production", b"COPY public.orders"), "L2", "L2 backup.foreign", "restore.contained", says="connect production"),
    Broken("DROP DATABASE", lambda good: good.with_lines(b"DROP DATABASE production;", b"COPY public.orders"), "L2", "L2 backup.foreign", "restore.contained", says="DROP DATABASE production"),
    Broken("a command for the shell", lambda good: good.with_lines(b"\\! touch {hacked}", b"COPY public.orders"), "L2", "L2 backup.foreign", "restore.contained", says="touch"),
    Broken("a program of the server", lambda good: good.with_lines(b"COPY public.orders FROM PROGRAM 'touch {hacked}';", b"COPY public.orders"), "L2", "L2 backup.foreign", "restore.contained", says="PROGRAM"),
    Broken("a file of the server", lambda good: good.with_lines(b"COPY public.orders TO '{hacked}';", b"COPY public.orders"), "L2", "L2 backup.foreign", "restore.contained", says="TO '"),
    Broken("data only", lambda good: good.write(good.dump("-a"), "shop.sql"), "L2", "L2 backup.objects", says="load: .*does not exist"),
    Broken("schema only", lambda good: good.write(good.dump("-s", "-Fc"), "shop.dump"), "L2", "L2 backup.objects", "restore.rows", says="not one row"),
    Broken("zero rows in one table", lambda good: good.write(good.dump("-Fc", "--exclude-table-data=orders"), "shop.dump"), "L4", "L2 backup.objects", "restore.rows", says="orders"),
    Broken("missing table", lambda good: good.write(good.dump("-Fc", "-T", "extra.notes"), "shop.dump"), "L4", "L2 backup.objects", "restore.schema", says="extra.notes is missing"),
    Broken("extra table", lambda good: good.with_lines(b"CREATE TABLE public.extra (id integer);", b"COPY public.orders"), "L4", "L2 backup.objects", "restore.schema", says="table extra was not there"),
    Broken("changed column", lambda good: good.changed(b"name character varying(100)", b"name character varying(90)"), "L4", "", "restore.schema", says="column customers.name was"),
    Broken("missing grant", lambda good: good.write(good.dump("-Fc", "-x"), "shop.dump"), "L4", "", "restore.schema", says="grant extra.notes: public=SELECT is missing"),
    Broken("a sequence that is behind", lambda good: good.changed(b"orders_id_seq', 2000, true", b"orders_id_seq', 7, true"), "L4", "", "restore.sequences", says="orders_id_seq"),
    Broken("charset damage", lambda good: good.write(good.plain.decode("latin-1").encode(), "shop.sql"), "L4", "", "restore.sample", says="customers: .* another checksum"),
    Broken("stale", lambda good: good.dated(9, **good.write(moved(good.plain, -9), "shop.sql")), "L4", "L0 backup.age", "restore.rpo", says="h would be lost"),
    Broken("future date", lambda good: good.dated(-4000, **good.write(moved(good.plain, 4000), "shop.sql")), "L4", "L0 backup.clock", "restore.rpo", "unknown", says="in the future"),
]  # fmt: skip
"""Backups of PostgreSQL that must not pass."""

NOBODY = {"endpoint": "http://127.0.0.1:1", "region": "x", "access_key": "a", "secret_key": "b"}

OFFSITE = [
    Broken("off-site missing", lambda good: good.copied(None), "L0", "L0 backup.offsite_lag", ""),
    Broken("off-site older", lambda good: good.copied(b"yesterday's", "shop-2025-11-04.sql.gz"), "L0", "L0 backup.offsite_lag", ""),
    Broken("off-site cut off", lambda good: good.copied(_cut(gzip.compress(good.plain, mtime=0))), "L0", "L0 backup.offsite", ""),
    Broken("off-site damaged", lambda good: good.copied(_flip(gzip.compress(good.plain, mtime=0))), "L1", "L1 backup.offsite", ""),
    Broken("off-site of the same name, and of another day", lambda good: good.copied(of_another_day(good.plain)), "L0", "L0 backup.offsite", ""),
    Broken("off-site does not answer", lambda good: {**good.copied(None), "s3": NOBODY}, "L0", "L0 backup.offsite_lag", "", "unknown"),
]  # fmt: skip
"""Backups that are good here, and not at the other place; a copy that is proven itself is a backup like any other."""
