# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Read the journal of systemd through ``journalctl -o json``, as lines in the format of syslog."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import FORMATS
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Tally
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import lines

FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID,_HOSTNAME"
PRIORITIES = {"error": "err", "critical": "crit", "emergency": "emerg"}
BLOCK = 1 << 20
FORM = FORMATS["syslog"]


class Journal:
    """The entries of a journal that were selected: by units, identifiers, a directory or file, and a search time."""

    def __init__(self, selection: t.Mapping[str, t.Any], deadline: float = float("inf")) -> None:
        self.deadline = deadline
        self._argv = ["journalctl", "--output=json", "--no-pager", "--quiet", "--all"]
        for option, value in selection.items():
            for one in value if isinstance(value, list) else [value] if value else []:
                self._argv.append(f"--{option.replace('_', '-')}={one}")
        chosen = [*(selection.get("unit") or []), *(selection.get("identifier") or [])]
        self.what = f"the journal of {', '.join(chosen)}" if chosen else "the journal"
        self._whole = [arg for arg in self._argv if not arg.startswith(("--unit=", "--identifier=", "--user-unit="))]

    def newest(self) -> float:
        """When the latest entry was written (epoch). Raises :class:`Unmeasurable` when there is none, or none to be seen."""
        entry = next(self._entries([*self._argv, "--lines=1"]), None)
        if entry is None:
            raise Unmeasurable(f"{self.what} has no entry at all, or none that may be read")
        return _when(entry)

    def begins(self) -> float | None:
        """When the oldest entry of the whole journal was written (epoch)."""
        with contextlib.closing(self._entries(self._whole)) as entries:
            entry = next(entries, None)
        return _when(entry) if entry else None

    def read(
        self, tally: Tally, *, since: float | None = None, after: str | None = None, level: str | None = None
    ) -> str | None:
        """Count the entries since a moment (epoch), or after a cursor; of a level or worse where one is given.

        Returns the cursor of the last entry, None when there was none.
        """
        argv = [*self._argv, f"--output-fields={FIELDS}"]
        argv += [f"--after-cursor={after}"] if after else [f"--since=@{int(since or 0)}"]
        argv += [f"--priority={PRIORITIES.get(level, level)}"] if level else []
        read: list[bytes] = []
        size, cursor = 0, None
        for entry in self._entries(argv):
            cursor = entry.get("__CURSOR", cursor)
            read.append(as_syslog(entry))
            size += len(read[-1])
            if size > BLOCK:
                tally.take(b"".join(read), size, dated=after is None)
                read, size = [], 0
        tally.take(b"".join(read), size, dated=after is None)
        return cursor

    def has(self, cursor: str) -> bool:
        """Whether the entry of a cursor is still there. A journal that has dropped it goes on at the nearest one."""
        with contextlib.closing(self._entries([*self._argv, f"--cursor={cursor}"])) as entries:
            entry = next(entries, None)
        return entry is not None and entry.get("__CURSOR") == cursor

    def _entries(self, argv: list[str]) -> t.Generator[dict[str, t.Any], None, None]:
        for line in lines(argv, self.deadline, complaints=("not seeing messages", "Permission denied")):
            try:
                entry = json.loads(line)
            except ValueError:
                raise Unmeasurable(f"journalctl answered something else than JSON: {line[:100]!r}") from None
            if isinstance(entry, dict):
                yield entry


def present() -> bool:
    """Whether this host has journalctl at all."""
    return shutil.which("journalctl") is not None


def _when(entry: t.Mapping[str, t.Any]) -> float:
    return int(entry["__REALTIME_TIMESTAMP"]) / 1e6


def _message(entry: t.Mapping[str, t.Any]) -> str:
    """A message may be text, absent, bytes in a list of numbers, or several of these."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        if all(isinstance(part, int) for part in message):
            return bytes(message).decode("utf-8", "backslashreplace")
        return "\n".join(str(part) for part in message)
    return message if isinstance(message, str) else ""


def as_syslog(entry: t.Mapping[str, t.Any]) -> bytes:
    """One entry as a line of syslog with its priority; further lines of its message are indented."""
    when = dt.datetime.fromtimestamp(_when(entry), dt.timezone.utc).isoformat(timespec="microseconds")
    name = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "unknown"
    process = f"[{entry['_PID']}]" if entry.get("_PID") else ""
    message = _message(entry).replace("\0", "").rstrip("\n").replace("\n", "\n  ")[: BLOCK // 4]
    host = entry.get("_HOSTNAME") or "localhost"
    line = f"<{entry.get('PRIORITY', 6)}>{when} {host} {name}{process}: {message}\n"
    return line.encode("utf-8", "backslashreplace")
