# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about processes, read from Linux ``/proc``. Command lines are looked at and never handed out: they hold secrets."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclasses.dataclass(frozen=True)
class Process:
    """One process: ``cpu`` is the time it has used and ``started`` when it began, both in seconds, the latter since boot."""

    pid: int
    parent: int
    name: str
    state: str
    uid: int
    cpu: float
    started: float
    rss: int

    @property
    def alive(self) -> bool:
        """Whether it is more than the entry of a process that has ended (a zombie)."""
        return self.state not in ("Z", "X", "x")


def processes(root: str = "/") -> list[Process]:
    """Every process, by pid; what ends while we look is left out. Raises :class:`Unmeasurable` when some are hidden."""
    proc = os.path.join(root, "proc")
    try:
        pids = sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit())
    except OSError as exc:
        raise Unmeasurable(f"{proc}: {exc.strerror}") from exc
    found = [process for process in (_process(proc, pid) for pid in pids) if process]
    if not any(process.pid == 1 for process in found):
        raise Unmeasurable(f"{proc} does not show every process: it is mounted with hidepid, or not of Linux")
    return found


def _process(proc: str, pid: int) -> Process | None:
    path = os.path.join(proc, str(pid))
    try:
        with open(os.path.join(path, "stat"), "rb") as file:
            raw = file.read()
        uid = os.stat(path).st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as exc:
        raise Unmeasurable(f"{path} cannot be read: {exc.strerror}") from exc
    name = raw[raw.index(b"(") + 1 : raw.rindex(b")")]  # may itself hold blanks and brackets
    fields = raw[raw.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        name=name.decode("utf-8", "backslashreplace"),
        state=fields[0].decode(),
        uid=uid,
        cpu=(int(fields[11]) + int(fields[12])) / TICKS,
        started=int(fields[19]) / TICKS,
        rss=int(fields[21]) * PAGE,
    )


def uptime(root: str = "/") -> float:
    """Seconds since the kernel booted."""
    path = os.path.join(root, "proc/uptime")
    try:
        with open(path, encoding="ascii") as file:
            return float(file.read().split()[0])
    except (OSError, ValueError, IndexError) as exc:
        raise Unmeasurable(f"{path}: {getattr(exc, 'strerror', None) or 'no uptime in it'}") from exc


def command_line(pid: int, root: str = "/") -> list[str]:
    """The arguments of a process; none for threads of the kernel and for what has ended."""
    try:
        with open(os.path.join(root, "proc", str(pid), "cmdline"), "rb") as file:
            raw = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return []
    except OSError as exc:
        raise Unmeasurable(f"the command line of process {pid} cannot be read: {exc.strerror}") from exc
    return raw.decode("utf-8", "backslashreplace").rstrip("\0").split("\0") if raw else []


def matching(
    every: t.Sequence[Process], *, name: str | None, command: str | None, user: str | None, root: str = "/"
) -> list[Process]:
    """The processes with this name, with this regular expression in their command line, and of this user.

    What Ansible itself runs to get here does not count: its command line may well hold the expression looked for.
    """
    pattern = re.compile(command) if command else None
    uid = None if user is None else _uid(user)
    ours = _our_command_lines(every, root)
    found = []
    for process in every:
        if uid is not None and process.uid != uid:
            continue
        arguments = command_line(process.pid, root)
        if (
            (name is None or name in names(process, arguments))
            and (pattern is None or pattern.search(" ".join(arguments)))
            and arguments not in ours
        ):
            found.append(process)
    return found


def names(process: Process, arguments: t.Sequence[str]) -> set[str]:
    """What a process may be called: its own name, its program, and for a script the script.

    The kernel keeps only 15 bytes of a name, so that a longer one is completed from the command line.
    """
    programs = [os.path.basename(argument) for argument in arguments[:2]]
    return {process.name, *programs[:1], *(program for program in programs if program.startswith(process.name))}


def _our_command_lines(every: t.Sequence[Process], root: str) -> list[list[str]]:
    """Our own command line and those of the Ansible processes above us, which their siblings share."""
    parents = {process.pid: process.parent for process in every}
    pid, lines = os.getpid(), []
    while pid in parents:
        arguments = command_line(pid, root)
        if arguments and (pid == os.getpid() or any("ansible" in argument.lower() for argument in arguments)):
            lines.append(arguments)
        pid = parents.pop(pid)  # so that no loop is walked twice
    return lines


def user_name(uid: int) -> str:
    """The name of a user; the number where the host knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _uid(user: str) -> int:
    try:
        return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise Unmeasurable(f"there is no user {user} on the host") from None
