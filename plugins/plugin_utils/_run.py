# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A run is a directory: ``checks.jsonl``, appended as results arrive and the source of truth, ``run.json``, and reports.

Whoever writes a run holds a lock in its directory. A run that says ``running`` and that can be locked was broken off,
however that happened. The lock belongs to one process: the workers that Ansible forks do not keep it when that one dies.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import re
import secrets
import shutil
import tempfile
import typing as t
from pathlib import Path

JOURNAL = "checks.jsonl"
LOCK = "lock"
Record = dict[str, t.Any]


def now() -> str:
    """This moment in UTC, ISO 8601, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


class Run:
    """A run that is being written by this process. ``trouble`` is why it is not where it was asked to be, if so."""

    def __init__(self, path: Path, facts: Record, trouble: str | None = None) -> None:
        self.path, self.facts, self.trouble = path, facts, trouble
        self._journal = (path / JOURNAL).open("a", encoding="utf-8")
        self._lock = (path / LOCK).open("w")
        fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.save()

    @classmethod
    def open(cls, directory: Path, facts: Record) -> Run:
        """Start a run below a directory, or below the temporary one when that cannot be written to."""
        started = facts.setdefault("started", now())
        stamp = re.sub(r"[-:]|[.+].*", "", started)
        run_id = f"{stamp}Z-{facts.get('occasion') or facts.get('playbook') or 'run'}-{secrets.token_hex(3)}"
        facts = {"id": run_id, "state": "running", **facts}
        try:
            return cls(_make(directory / "runs" / run_id), facts)
        except OSError as exc:
            fallback = Path(tempfile.mkdtemp(prefix="sre-runbooks-")) / run_id
            return cls(
                _make(fallback), facts, f"{directory} cannot be written to ({exc.strerror}): the run lies in {fallback}"
            )

    def append(self, record: Record) -> None:
        """Write one record down, for good. When its disk is full, the run moves to the temporary directory."""
        line = json.dumps(record, ensure_ascii=False, sort_keys=True, default=str) + "\n"
        try:
            self._write(line)
        except OSError as exc:
            self._move(exc)
            self._write(line)

    def _write(self, line: str) -> None:
        self._journal.write(line)
        self._journal.flush()

    def _move(self, reason: OSError) -> None:
        before = read_journal(self.path)
        with contextlib.suppress(OSError):  # what is buffered cannot be written either; it is written anew below
            self._journal.close()
        target = _make(Path(tempfile.mkdtemp(prefix="sre-runbooks-")) / self.path.name)
        moved = Run(
            target, self.facts, f"{self.path} cannot be written to ({reason.strerror}): the run lies in {target}"
        )
        self.path, self.trouble, self._journal, self._lock = moved.path, moved.trouble, moved._journal, moved._lock
        for record in before:
            self._write(json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n")

    def save(self) -> None:
        """Write ``run.json``, whole or not at all."""
        write(self.path / "run.json", json.dumps(self.facts, indent=2, sort_keys=True) + "\n")


def _make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    path.mkdir(mode=0o750)
    return path


def write(path: Path, text: str) -> None:
    """Replace a file, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_journal(path: Path) -> list[Record]:
    """The records of a run. A last line that was cut off by a kill is left out; it never was a result."""
    try:
        lines = (path / JOURNAL).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    records = []
    for position, line in enumerate(lines):
        try:
            records.append(json.loads(line))
        except ValueError:
            if position < len(lines) - 1:
                raise
    return records


def read_facts(path: Path) -> Record:
    """``run.json`` of a run."""
    return t.cast("Record", json.loads((path / "run.json").read_text(encoding="utf-8")))


def broken_off(directory: Path, own: Path) -> list[tuple[Path, Record]]:
    """The runs beside one's own that say they are running and that nobody writes any more, oldest first."""
    found = []
    for path in sorted((directory / "runs").glob("*/run.json")):
        with contextlib.suppress(OSError, ValueError):
            facts = json.loads(path.read_text(encoding="utf-8"))
            if path.parent != own and facts.get("state") == "running" and not _written_now(path.parent):
                found.append((path.parent, facts))
    return found


def _written_now(path: Path) -> bool:
    with (path / LOCK).open("r+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
    return False


def point_latest(path: Path) -> None:
    """Let the link ``latest`` beside ``runs`` name this run."""
    link = path.parent.parent / "latest"
    beside = link.with_name(f".latest.{path.name}")
    beside.symlink_to(path.relative_to(link.parent))
    beside.replace(link)


def retain(directory: Path, days: int) -> list[str]:
    """Remove closed runs that started more than so many days ago; return their ids."""
    oldest = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    removed = []
    for path in sorted((directory / "runs").glob("*/run.json")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["state"] != "running" and datetime.datetime.fromisoformat(facts["started"]) < oldest:
                shutil.rmtree(path.parent)
                removed.append(path.parent.name)
    return removed
