# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about files: which match a pattern, how old, how big, whose."""

from __future__ import annotations

import dataclasses
import errno
import fnmatch
import grp
import os
import pwd
import stat
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import text

MOST = 200_000
"""Directory entries that are looked at before we say that the pattern is too wide."""

_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR)


@dataclasses.dataclass(frozen=True)
class File:
    """One regular file, links followed. ``mode`` holds the permission bits; ids without a name stay numbers."""

    path: str
    size: int
    mtime: float
    owner: str
    group: str
    mode: int


@dataclasses.dataclass(frozen=True)
class Found:
    """What matches a pattern at one moment: regular files, newest first, and what matches without being one."""

    files: tuple[File, ...]
    others: tuple[str, ...]
    now: float


def matching(pattern: str, recurse: bool = False) -> Found:
    """The files that a path or a shell pattern names.

    As in a shell, a name with a leading dot is only matched by a pattern with one. With ``recurse`` the last part of the
    pattern is looked for at any depth, links to directories not followed. A directory that does not exist holds no
    files; one that cannot be read raises :class:`Unmeasurable`, because nobody knows what it holds.
    """
    files, others, looked_at = [], [], 0
    for path in paths(pattern, recurse):
        looked_at += 1
        if looked_at > MOST:
            raise Unmeasurable(f"{pattern} matches more than {MOST:,} files: choose a narrower pattern")
        try:
            files.append(_file(path))
        except _NotAFile as exc:
            others.append(text(os.fsencode(str(exc))))
        except FileNotFoundError:
            continue  # gone since it was listed
        except OSError as exc:
            raise Unmeasurable(f"{path}: {exc.strerror}") from exc
    files.sort(key=lambda file: (-file.mtime, file.path))
    return Found(tuple(files), tuple(others), time.time())


class _NotAFile(Exception):
    """Something else of this name, and what."""


def _file(path: str) -> File:
    try:
        status = os.stat(path)
    except OSError as exc:
        if exc.errno in (*_NOTHING_THERE, errno.ELOOP) and os.path.islink(path):
            raise _NotAFile(f"{path} is a link to {os.readlink(path)}, which is not there") from None
        raise
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise _NotAFile(f"{path} is {kind}")
    return File(
        path=text(os.fsencode(path)),
        size=status.st_size,
        mtime=status.st_mtime,
        owner=_name(pwd.getpwuid, status.st_uid),
        group=_name(grp.getgrgid, status.st_gid),
        mode=stat.S_IMODE(status.st_mode),
    )


def _name(lookup: t.Callable[[int], t.Sequence[t.Any]], number: int) -> str:
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)


def paths(pattern: str, recurse: bool = False) -> t.Iterator[str]:
    """Whatever exists of a name that matches, as :func:`matching` says."""
    folder, last = os.path.split(pattern)
    for place in _expand(folder):
        for below in _below(place) if recurse else (place,):
            yield from _named(below, last)


def _expand(folder: str) -> t.Iterator[str]:
    """The directories that a directory pattern names, part by part."""
    parent, last = os.path.split(folder)
    if folder == parent or not _is_pattern(folder):
        yield folder
        return
    for place in _expand(parent):
        yield from (path for path in _named(place, last) if os.path.isdir(path))


def _named(folder: str, pattern: str) -> t.Iterator[str]:
    if not _is_pattern(pattern):
        path = os.path.join(folder, pattern)
        if _exists(path):
            yield path
        return
    for name in _names(folder):
        if fnmatch.fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith(".")):
            yield os.path.join(folder, name)


def _below(folder: str) -> t.Iterator[str]:
    """A directory and all directories in it."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        yield place
        paths = (os.path.join(place, name) for name in _names(place))
        waiting += [path for path in paths if os.path.isdir(path) and not os.path.islink(path)]


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as exc:
        if exc.errno in _NOTHING_THERE:
            return []
        raise Unmeasurable(f"{folder}: {exc.strerror}") from exc


def _exists(path: str) -> bool:
    try:
        os.lstat(path)
    except OSError as exc:
        if exc.errno in _NOTHING_THERE:
            return False
        raise Unmeasurable(f"{path}: {exc.strerror}") from exc
    return True


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")
