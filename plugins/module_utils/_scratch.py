# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Private directories for what is tried out, which are gone afterwards, also when we were killed.

All lie below one root. Each has a file ``owner`` that its process keeps locked; a lock ends with its process, however that
ended. Whoever comes next and gets the lock knows that the owner is dead: it ends what still runs in there and removes it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import signal
import stat
import tempfile
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

ROOT = "/var/tmp/sre-proof"  # noqa: S108 - owned, checked, and closed to others
"""Short, because the path of a socket may have 107 bytes."""
_PREFIX, _OWNER = "p-", "owner"
_YOUNG = 60.0
"""Seconds in which a directory without an owner may just be coming into being."""

_mine: dict[str, int] = {}


def make(root: str = ROOT) -> str:
    """A new private directory. Whoever runs in it as another user is given directories of its own within."""
    _ensure_root(root)
    try:
        place = tempfile.mkdtemp(prefix=_PREFIX, dir=root)
        handle = os.open(os.path.join(place, _OWNER), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(handle, f"{os.getpid()}\n".encode())
    except OSError as exc:
        raise Unmeasurable(f"{root}: no private directory can be made: {exc.strerror}") from exc
    _mine[place] = handle
    return place


def _ensure_root(root: str) -> None:
    """The root belongs to us and nobody else can put anything there."""
    try:
        with contextlib.suppress(FileExistsError):
            os.makedirs(root, 0o711)
            os.chmod(root, 0o711)  # noqa: S103 - to pass through, not to look around
        about = os.lstat(root)
    except OSError as exc:
        raise Unmeasurable(f"{root} cannot be used: {exc.strerror}") from exc
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o022:
        raise Unmeasurable(f"{root} cannot be used: it is not a directory of ours that nobody else can write to")


def remove(place: str) -> list[str]:
    """End what runs in a directory and remove it. Returns what could not be removed, none when all is gone."""
    end_processes(place)
    for _attempt in range(3):
        shutil.rmtree(place, ignore_errors=True)
        if not os.path.lexists(place):
            break
        time.sleep(0.2)
    handle = _mine.pop(place, None)
    if handle is not None:
        os.close(handle)
    return [place] if os.path.lexists(place) else []


def clear_dead(root: str = ROOT) -> tuple[list[str], list[str]]:
    """Remove what killed runs have left: paths that were removed, and those that could not be."""
    removed: list[str] = []
    left: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(root)):
            place = os.path.join(root, name)
            if name.startswith(_PREFIX) and place not in _mine and _is_dead(place):
                left += remove(place)
                removed.append(place)
    return [place for place in removed if place not in left], left


def _is_dead(place: str) -> bool:
    try:
        handle = os.open(os.path.join(place, _OWNER), os.O_RDWR)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            return time.time() - os.stat(place).st_mtime > _YOUNG
        return False
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def processes_in(place: str) -> list[int]:
    """Processes whose working directory lies in a directory, or whose command line names something in it."""
    inside = os.path.realpath(place) + "/"
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if (os.readlink(f"/proc/{name}/cwd") + "/").startswith(inside):
                found.append(int(name))
                continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
            if inside.encode() in file.read():
                found.append(int(name))
    return found


def end_processes(place: str, patience: float = 10.0) -> None:
    """Kill what runs in a directory, and wait until it is gone."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        running = [pid for pid in processes_in(place) if not _is_zombie(pid)]
        if not running:
            return
        for pid in running:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def size(place: str) -> int:
    """Bytes that the files in a directory take up on disk."""
    total = 0
    for folder, _folders, files in os.walk(place):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total


def free(place: str) -> int:
    """Bytes that are free where a directory lies."""
    about = os.statvfs(place)
    return about.f_bavail * about.f_frsize


@atexit.register
def _leave_nothing_behind() -> None:
    """A proof that was given up has left its thread behind, and its directory with it."""
    for place in list(_mine):
        remove(place)


def mine() -> t.Iterable[str]:
    """The directories of this process that have not been removed yet."""
    return tuple(_mine)
