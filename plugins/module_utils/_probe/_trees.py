# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Walk through a tree of files in a fixed order, without following links and without reading what is no file."""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import os
import re
import stat
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import text

BLOCK = 1 << 20
KEPT = 20
"""Files of one kind that are named; the rest is only counted."""
_PROGRAM = re.compile(
    r"(?i)(?:^\.(?:htaccess|user\.ini)$|\.(?:php\d?|phtml|phar|pht|phps|cgi|pl|py|rb|sh|jspx?|aspx?|exe|so)(?:\.|$))"
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One thing in a tree. ``path`` is relative to its root, ``kind`` is ``file``, ``dir``, ``link`` or ``special``."""

    path: str
    kind: str
    status: os.stat_result

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclasses.dataclass
class Some:
    """How many there are, and the first of them."""

    count: int = 0
    first: list[str] = dataclasses.field(default_factory=list)

    def add(self, what: str) -> None:
        self.count += 1
        if len(self.first) < KEPT:
            self.first.append(what)


class Unreadable(Exception):
    """One file cannot be read, the others can."""


class Tree:
    """A tree of files below ``root``. ``deadline`` is a moment of ``time.monotonic()``.

    ``exclude`` are patterns as :func:`matches` takes them; what is below an excluded directory is excluded. ``unreadable``
    fills with directories whose content is not known while :meth:`entries` is read.
    """

    def __init__(self, root: str, exclude: t.Sequence[str] = (), deadline: float = float("inf")) -> None:
        self.root, self.exclude, self.deadline = os.path.realpath(root), exclude, deadline
        self.unreadable: list[str] = []
        if not os.path.isdir(self.root):
            raise Unmeasurable(f"{root} is not a directory" if os.path.exists(root) else f"{root} does not exist")

    def entries(self) -> t.Iterator[Entry]:
        """Everything in the tree, each directory before its content, ordered by the parts of the path."""
        waiting = [""]
        while waiting:
            self.in_time()
            path = waiting.pop()
            entry = self._entry(path) if path else None
            if entry:
                yield entry
            if not path or (entry and entry.kind == "dir"):
                waiting += self._names(path)

    def _names(self, folder: str) -> list[str]:
        try:
            names = os.listdir(os.path.join(self.root, folder))
        except FileNotFoundError:
            return []
        except OSError as exc:
            if not folder:
                raise Unmeasurable(f"{self.root}: {exc.strerror}") from exc
            self.unreadable.append(folder)
            return []
        paths = [f"{folder}/{name}" if folder else name for name in sorted(names, reverse=True)]
        return [path for path in paths if not matches(path, self.exclude)]

    def _entry(self, path: str) -> Entry | None:
        try:
            status = os.lstat(os.path.join(self.root, path))
        except FileNotFoundError:
            return None  # gone since it was listed
        except OSError as exc:
            raise Unmeasurable(f"{os.path.join(self.root, path)}: {exc.strerror}") from exc
        for kind, test in (("file", stat.S_ISREG), ("dir", stat.S_ISDIR), ("link", stat.S_ISLNK)):
            if test(status.st_mode):
                return Entry(path, kind, status)
        return Entry(path, "special", status)

    def in_time(self) -> None:
        """Raises :class:`Unmeasurable` when there is no time left to go on."""
        if time.monotonic() > self.deadline:
            raise Unmeasurable(f"{self.root} is too large to be looked through in the time given: raise timeout")

    def blocks(self, path: str) -> t.Iterator[bytes]:
        """The content of a regular file. Raises :class:`Unreadable`, and :class:`FileNotFoundError` when it is gone."""
        try:
            handle = os.open(os.path.join(self.root, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise Unreadable(f"{path}: {exc.strerror}") from exc
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unreadable(f"{path} is no regular file any more")
            while True:
                self.in_time()
                block = os.read(handle, BLOCK)
                if not block:
                    return
                yield block
        except OSError as exc:
            raise Unreadable(f"{path}: {exc.strerror}") from exc
        finally:
            os.close(handle)

    def digest(self, path: str) -> str:
        """SHA-256 of the content of a regular file. Raises as :meth:`blocks` does."""
        digest = hashlib.sha256()
        for block in self.blocks(path):
            digest.update(block)
        return digest.hexdigest()

    def target(self, path: str) -> str:
        """Where a link leads, as it is written."""
        return os.readlink(os.path.join(self.root, path))


def matches(path: str, patterns: t.Iterable[str]) -> bool:
    """Whether one of the patterns means a path: the name at any depth, or with a slash the whole path or what it is below."""
    name = path.rpartition("/")[2]
    for pattern in patterns:
        whole = pattern.strip("/")
        if "/" not in pattern:
            if fnmatch.fnmatchcase(name, pattern):
                return True
        elif fnmatch.fnmatchcase(path, whole) or fnmatch.fnmatchcase(path, f"{whole}/*"):
            return True
    return False


def below(path: str, folders: t.Iterable[str]) -> bool:
    """Whether a path lies in one of the folders, all relative to the same root, which itself is ``.``."""
    return any(folder == "." or path.startswith(folder.strip("/") + "/") for folder in folders)


def is_program(path: str) -> bool:
    """Whether a web server may execute a file of this name, ``shell.php.jpg`` as well, or take it for its configuration."""
    return _PROGRAM.search(path.rpartition("/")[2]) is not None


def shown(path: str) -> str:
    """A path as evidence."""
    return text(os.fsencode(path))[:300]
