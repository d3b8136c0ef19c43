# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about systemd units, from ``systemctl`` and the journal, and whether a service takes connections."""

from __future__ import annotations

import dataclasses
import errno
import glob
import os
import socket
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command
from ansible_collections.sre.runbooks.plugins.module_utils._probe.system import up

TYPES = ("automount", "device", "mount", "path", "scope", "service", "slice", "socket", "swap", "target", "timer")
PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Type,Result,NRestarts,ExecMainStatus,Triggers,TriggeredBy,"
    "ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic"
)
RESTART_SCHEDULED = "5eb03494b6584870a536b337290809b3"
"""The journal's id of systemd's message that it restarts a unit of its own accord."""

BOOT = 120
"""Seconds after its start by which systemd has said something that is in the journal."""

GENERATORS = "/run/systemd/generator*"
"""Where generators link the units that they want started, as Debian does for each PostgreSQL cluster."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """One unit as systemd sees it.

    ``active_for`` and ``inactive_for`` are the seconds since it last became active and inactive, None for never since
    the boot; ``restarts`` counts the restarts by systemd itself since somebody last started it, None for what is no service.
    """

    id: str
    load: str
    active: str
    sub: str
    file_state: str
    type: str
    result: str
    exit_status: str
    restarts: int | None
    triggers: tuple[str, ...]
    triggered_by: tuple[str, ...]
    active_for: float | None
    inactive_for: float | None

    @property
    def kind(self) -> str:
        """The type of the unit: ``service``, ``timer`` and so on."""
        return self.id.rpartition(".")[2]


def full_name(name: str) -> str:
    """``nginx`` → ``nginx.service``."""
    return name if name.rpartition(".")[2] in TYPES else f"{name}.service"


def find(names: t.Sequence[str], timeout: float, root: str = "/") -> list[Unit]:
    """The units behind names and globs, those that are not loaded as well; one unit with several names is found once.

    Raises :class:`Unmeasurable` where systemd does not run.
    """
    if not os.path.isdir(os.path.join(root, "run/systemd/system")):  # as sd_booted(3) does
        raise Unmeasurable("the host does not run under systemd")
    names = [full_name(name) for name in names]
    globs = [name for name in names if any(char in name for char in "*?[")]
    # a glob for `show` matches only what systemd has in memory, so that a stopped unit has to be looked up by its file
    files = _systemctl(["list-unit-files", "--no-legend", "--", *globs], timeout) if globs else ""
    installed = [line.split()[0] for line in files.splitlines() if line.strip()]
    return show([*names, *(name for name in installed if "@." not in name)], timeout)


def show(names: t.Sequence[str], timeout: float) -> list[Unit]:
    """The units of these names, each once, in this order; a name that is no unit has ``load`` "not-found"."""
    if not names:
        return []
    output = _systemctl(["show", f"--property={PROPERTIES}", "--", *names], timeout)
    found: dict[str, Unit] = {}
    for block in output.split("\n\n"):
        rows = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if rows:
            found.setdefault(rows.get("Id", ""), _unit(rows))
    return list(found.values())


def _systemctl(arguments: t.Sequence[str], timeout: float) -> str:
    answer = command(["systemctl", "--no-pager", "--full", *arguments], timeout)
    if answer.rc != 0:
        raise Unmeasurable(f"systemctl {arguments[0]} ended with {answer.rc}: {answer.stderr.strip()[:300]}")
    return answer.stdout


def _unit(rows: t.Mapping[str, str]) -> Unit:
    try:
        return Unit(
            id=rows["Id"],
            load=rows["LoadState"],
            active=rows["ActiveState"],
            sub=rows["SubState"],
            file_state=_file_state(rows),
            type=rows.get("Type", ""),
            result=rows.get("Result", ""),
            exit_status=rows.get("ExecMainStatus", ""),
            restarts=int(rows["NRestarts"]) if "NRestarts" in rows else None,
            triggers=tuple(rows.get("Triggers", "").split()),
            triggered_by=tuple(rows.get("TriggeredBy", "").split()),
            active_for=_since(rows, "ActiveEnterTimestampMonotonic"),
            inactive_for=_since(rows, "InactiveEnterTimestampMonotonic"),
        )
    except (KeyError, ValueError) as exc:
        raise Unmeasurable(f"systemctl show does not answer as systemd does: {exc!r}") from exc


def _since(rows: t.Mapping[str, str], key: str) -> float | None:
    microseconds = int(rows.get(key) or 0)
    return time.monotonic() - microseconds / 1e6 if microseconds else None


def _file_state(rows: t.Mapping[str, str]) -> str:
    """What systemd says, but a unit that a generator enables at each boot is ``generated``, not enabled until then."""
    state = rows.get("UnitFileState", "")
    if state == "enabled-runtime" and glob.glob(f"{GENERATORS}/*.*/{glob.escape(rows['Id'])}"):
        return "generated"
    return state


@dataclasses.dataclass(frozen=True)
class Restarts:
    """How often systemd restarted units of its own accord; ``complete`` when the journal covers the window since the boot."""

    count: int
    complete: bool


def restarts(ids: t.Sequence[str], window: float, timeout: float) -> Restarts:
    """Restarts in the last ``window`` seconds, from the journal. Raises :class:`Unmeasurable` when it is not ours to read."""
    now = time.time()
    start, booted = now - window, now - up() + BOOT
    # backwards, because journalctl 252 does not heed --until when it looks for the last line
    complete = bool(_journal(["--reverse", "--lines=1", f"--until=@{max(start, booted):.0f}", "_PID=1"], timeout))
    if not complete and not _journal(["--lines=1", "_PID=1"], timeout):
        raise Unmeasurable("the journal of the system is empty or not readable: root and the group systemd-journal may")
    units = [f"UNIT={unit}" for unit in ids]
    return Restarts(
        len(_journal([f"--since=@{start:.0f}", f"MESSAGE_ID={RESTART_SCHEDULED}", *units], timeout)), complete
    )


def _journal(arguments: t.Sequence[str], timeout: float) -> list[str]:
    argv = ["journalctl", "--no-pager", "--quiet", "--output=cat", *arguments]
    answer = command(argv, timeout)
    if answer.rc != 0 and answer.stderr.strip():  # some versions end with 1 when nothing matches
        raise Unmeasurable(f"journalctl ended with {answer.rc}: {answer.stderr.strip()[:300]}")
    return answer.stdout.splitlines()


def sockets(pattern: str) -> list[str]:
    """The paths that a glob stands for."""
    return sorted(glob.glob(pattern))


def refused_by(address: str | None, port: int | None, path: str | None, timeout: float) -> str | None:
    """Why nobody takes a connection on a TCP port or at a Unix socket; None when it is taken.

    Raises :class:`Unmeasurable` when that is our own fault: a name that does not resolve, a socket that is not ours to use.
    """
    try:
        if path is not None:
            _connect_unix(path, timeout)
        else:
            socket.create_connection((address or "localhost", port or 0), timeout).close()
    except socket.gaierror as exc:
        raise Unmeasurable(f"{address} does not resolve: {exc.strerror}") from exc
    except PermissionError as exc:
        raise Unmeasurable(f"{path or address}: {exc.strerror}") from exc
    except socket.timeout:
        return f"no answer within {timeout:g} s"
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def _connect_unix(path: str, timeout: float) -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.settimeout(timeout)
            try:
                client.connect(path)
                return
            except OSError as exc:
                if exc.errno != errno.EPROTOTYPE or kind == socket.SOCK_DGRAM:
                    raise
