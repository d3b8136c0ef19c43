# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Backups as they lie there: files, dumps that are a directory, objects in S3, and what lies beside them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils._backup import BESIDE, Backup, backup
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import CHUNK, Chunks, from_file
from ansible_collections.sre.runbooks.plugins.module_utils._probe import files, s3
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import text
from ansible_collections.sre.runbooks.plugins.module_utils._probe.backup_content import digests_of

ALGORITHMS = {128: "sha512", 64: "sha256", 40: "sha1", 32: "md5"}
"""Hex digits → the algorithm they are of."""
_SUMS = ("SHA512SUMS", "SHA256SUMS", "sha256sums.txt", "SHA1SUMS", "MD5SUMS")
_SMALL = 4 * 1024**2


def now_and_deadline(seconds: float) -> tuple[float, float]:
    """The time, in seconds since the epoch, and the moment of ``time.monotonic()`` until when may be read."""
    return time.time(), time.monotonic() + seconds


def found(source: str, dated_by: str, settings: t.Mapping[str, t.Any], timeout: float) -> list[Backup]:
    """All backups that a path, a shell pattern, or ``s3://bucket/pattern`` names.

    A place that does not exist holds none; one that cannot be read raises :class:`Unmeasurable`.
    """
    if s3.is_url(source):
        bucket, pattern = s3.split(source)
        start = len(_fixed(pattern))
        with s3.bucket(bucket, settings, timeout) as place:
            return [
                backup(item.key[start:], f"s3://{bucket}/{item.key}", item.size, item.modified, dated_by)
                for item in place.list(pattern)
                if not item.key.endswith((*BESIDE, "/"))
            ]
    return [
        backup(text(os.fsencode(path[len(_fixed(source)) :])), path, size, modified, dated_by, directory=directory)
        for path, size, modified, directory in _local(source)
    ]


def _fixed(pattern: str) -> str:
    """The directory that all names of a pattern have in common."""
    return pattern[: pattern.rfind("/", 0, re.search(r"[*?[]|$", pattern).start()) + 1]  # type: ignore[union-attr]


def _local(pattern: str) -> t.Iterator[tuple[str, int, float, bool]]:
    for looked_at, path in enumerate(files.paths(pattern)):
        if looked_at >= files.MOST:
            raise Unmeasurable(f"{pattern} matches more than {files.MOST:,} files: choose a narrower pattern")
        if path.endswith(BESIDE):
            continue
        try:
            status = os.stat(path)
            if stat.S_ISREG(status.st_mode):
                yield path, status.st_size, status.st_mtime, False
            elif stat.S_ISDIR(status.st_mode) and os.path.exists(os.path.join(path, "toc.dat")):
                inner = [entry.stat() for entry in os.scandir(path)]
                yield path, sum(one.st_size for one in inner), max(one.st_mtime for one in inner), True
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTDIR):  # gone since it was listed, or a link to nothing
                raise Unmeasurable(f"{path}: {exc.strerror}") from exc


def read(one: Backup, settings: t.Mapping[str, t.Any], timeout: float) -> Chunks:
    """The bytes of a backup. Raises :class:`Unmeasurable`, here and while they are taken."""
    if not s3.is_url(one.place):
        yield from from_file(one.place)
        return
    bucket, key = s3.split(one.place)
    with s3.bucket(bucket, settings, timeout) as place:
        yield from place.read(key, CHUNK)


def told_digest(one: Backup, settings: t.Mapping[str, t.Any], timeout: float) -> tuple[str, str, str] | None:
    """The checksum that is kept beside a backup: algorithm, hex digits and where it stands. None: there is none.

    Looked for are a manifest of this collection, ``NAME.sha256`` and the like, a list such as ``SHA256SUMS``, and the
    metadata of an object.
    """
    folder, _slash, name = one.place.rpartition("/")
    places = [manifest.path_of(one.place), *(one.place + ending for ending in BESIDE[:4])]
    for place in [*places, *(f"{folder}/{sums}" for sums in _SUMS)]:
        content = _small(place, settings, timeout)
        digest = None if content is None else _digest_in(content, name, alone=place in places)
        if digest:
            return ALGORITHMS[len(digest)], digest, place
    if s3.is_url(one.place):
        bucket, key = s3.split(one.place)
        with s3.bucket(bucket, settings, timeout) as opened:
            for algorithm, digest in opened.digests(key).items():
                if algorithm in ALGORITHMS.values():
                    return algorithm, digest, f"the metadata of {one.place}"
    return None


def told_facts(one: Backup, settings: t.Mapping[str, t.Any], timeout: float) -> manifest.Facts | None:
    """The manifest beside a backup, None where there is none. Raises :class:`Unmeasurable` for one that cannot be read."""
    place = manifest.path_of(one.place)
    content = _small(place, settings, timeout)
    return None if content is None else manifest.read(content, place)


def _small(place: str, settings: t.Mapping[str, t.Any], timeout: float) -> str | None:
    """The text of a small file beside a backup, None where there is none."""
    if s3.is_url(place):
        bucket, key = s3.split(place)
        with s3.bucket(bucket, settings, timeout) as opened:
            raw = opened.small(key, _SMALL)
            return None if raw is None else text(raw)
    try:
        with open(place, "rb") as file:
            return text(file.read(_SMALL))
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise Unmeasurable(f"{place}: {exc.strerror}") from exc


def _digest_in(content: str, name: str, *, alone: bool) -> str | None:
    """What a file of checksums says of a name. One that lies there for this backup alone need not name it."""
    if alone and content.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            digest = json.loads(content)["dump"]["sha256"]
            return str(digest).lower() if digest else None
    for line in content.splitlines():
        bsd = re.fullmatch(r"\w+ ?\((.+)\) = ([0-9a-fA-F]+)", line.strip())
        gnu = re.fullmatch(r"\\?([0-9a-fA-F]+)(?:\s+\*?(.+))?", line.strip())
        digest, of = (bsd.group(2), bsd.group(1)) if bsd else gnu.group(1, 2) if gnu else (None, None)
        if digest and len(digest) in ALGORITHMS and (alone or (of and of.rpartition("/")[2] == name)):
            return digest.lower()
    return None


def sha256(one: Backup, settings: t.Mapping[str, t.Any], timeout: float, deadline: float) -> str:
    return Sums(settings, timeout, deadline).of(one, "sha256")


class Sums:
    """Checksums of backups, none of which is read twice for the same one."""

    def __init__(self, settings: t.Mapping[str, t.Any], timeout: float, deadline: float) -> None:
        self._settings, self._timeout, self._deadline = settings, timeout, deadline
        self._known: dict[tuple[str, str], str] = {}

    def learn(self, one: Backup, digests: t.Mapping[str, str]) -> None:
        self._known.update({(one.place, algorithm): digest for algorithm, digest in digests.items()})

    def of(self, one: Backup, algorithm: str) -> str:
        """Hex digits. Raises :class:`Unmeasurable`."""
        if (one.place, algorithm) not in self._known:
            chunks = read(one, self._settings, self._timeout)
            self.learn(one, digests_of(chunks, [algorithm], self._deadline))
        return self._known[one.place, algorithm]

    def told(self, one: Backup) -> str:
        """Learn what an object tells of itself. Returns the algorithm by which it can be compared without being read."""
        if s3.is_url(one.place) and not {(one.place, "md5"), (one.place, "sha256")} & self._known.keys():
            bucket, key = s3.split(one.place)
            with s3.bucket(bucket, self._settings, self._timeout) as opened:
                self.learn(one, opened.digests(key))
        known = {algorithm for place, algorithm in self._known if place == one.place}
        return "md5" if "md5" in known and "sha256" not in known else "sha256"
