# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The slow log as a file of the server: what was slow in a window, each kind of statement once."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._statement import shape

MOST = 32 * 1024**2
"""Bytes that are read of one file, its end."""

_QUERY = re.compile(r"# Query_time:\s*([\d.]+).*?Rows_sent:\s*(\d+)\s+Rows_examined:\s*(\d+)")
_SCHEMA = re.compile(r"Schema: ?(\S*)\s")
_STAMP = re.compile(r"SET timestamp=(\d+)")
_USE = re.compile(r"use `?([^`;]+)`?;", re.IGNORECASE)


@dataclasses.dataclass
class Statement:
    """One kind of statement: its shape, without anybody's values, and what it took. Times in seconds."""

    shape: str
    schema: str
    count: int = 0
    total: float = 0.0
    longest: float = 0.0
    examined: int = 0
    sent: int = 0

    def add(self, seconds: float, sent: int, examined: int) -> None:
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)
        self.examined += examined
        self.sent += sent


class Tally(t.Dict[t.Tuple[str, str], Statement]):
    """Statements by database and shape."""

    def note(self, schema: str, text: str, seconds: float, sent: int, examined: int) -> None:
        key = schema, shape(text)
        if key not in self:
            self[key] = Statement(key[1], schema)
        self[key].add(seconds, sent, examined)


def read(path: str, since: float) -> tuple[Tally, float | None]:
    """What the log says happened since an epoch time, and the oldest time that was read.

    A log that was rotated is read with its predecessor, ``path.1``. None stands for an empty log: nothing was slow
    since it was begun. Raises :class:`Unmeasurable` when the log is not there or may not be read.
    """
    tally, oldest = Tally(), None
    for name in (path + ".1", path):
        try:
            found = os.stat(name)
            if not stat.S_ISREG(found.st_mode):
                raise Unmeasurable(f"the slow log {name} is no regular file")
            if name != path and found.st_mtime < since:
                continue
            with open(name, "rb") as log:
                cut = max(0, found.st_size - MOST)
                log.seek(cut)
                text = log.read(MOST).decode("utf-8", "backslashreplace")
        except OSError as exc:
            if name == path:
                raise Unmeasurable(f"the slow log {path}: {exc.strerror}") from None
            continue
        for at, schema, statement, numbers in _entries(text):
            oldest = at if oldest is None else min(oldest, at)
            if at >= since:
                tally.note(schema, statement, *numbers)
    return tally, oldest


def _entries(text: str) -> t.Iterator[tuple[float, str, str, tuple[float, int, int]]]:
    """Time, database, statement and (seconds, rows sent, rows examined) of each entry.

    An entry begins with a comment that names the user and ends where the next one begins. It brings its time as
    ``SET timestamp``; the comment ``# Time`` is local time, and MariaDB leaves it out within the same second.
    """
    schema = ""
    for chunk in re.split(r"(?m)^(?=# User@Host:)", text)[1:]:
        query, stamp = _QUERY.search(chunk), _STAMP.search(chunk)
        if not (query and stamp):
            continue
        named = _SCHEMA.search(chunk)
        schema = named[1] if named else schema
        kept: list[str] = []
        for line in chunk.split("\n"):
            use = _USE.fullmatch(line.strip())
            if use and not kept:
                schema = use[1]
            elif not (line.startswith("# ") or _STAMP.match(line)):
                kept.append(line)
        seconds, sent, examined = query.groups()
        yield float(stamp[1]), schema, "\n".join(kept).strip().rstrip(";"), (float(seconds), int(sent), int(examined))
