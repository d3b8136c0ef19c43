# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about mounted file systems: Linux ``/proc/self/mountinfo`` and ``statvfs``."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

NETWORK = ("9p", "afs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "ocfs2", "smb3", "virtiofs")
"""File systems without a block device of ours that hold data all the same, and whose server may hang."""

IMAGES = ("cramfs", "erofs", "iso9660", "squashfs", "udf")
"""Read-only by nature and always full."""


@dataclasses.dataclass(frozen=True)
class Mount:
    """One line of mountinfo. ``device`` is major:minor, the same for every bind mount of a file system.

    ``options`` hold for this mount point, ``below`` for the file system itself, whichever way it is reached.
    """

    path: str
    type: str
    source: str
    device: str
    options: tuple[str, ...]
    below: tuple[str, ...] = ()

    @property
    def remote(self) -> bool:
        """Whether asking it may hang on a server."""
        return self.type in NETWORK or self.type.startswith("fuse.")


@dataclasses.dataclass(frozen=True)
class Usage:
    """Bytes and inodes of a file system; ``inodes`` is 0 where the file system does not count them."""

    used: int
    available: int
    inodes: int
    inodes_used: int


def _unescape(field: str) -> str:
    return field.encode("latin-1").decode("unicode_escape").encode("latin-1").decode("utf-8", "backslashreplace")


def mounts(path: str = "/proc/self/mountinfo") -> list[Mount]:
    """Every mount, in mounting order; of several on one path only the last, which hides the others."""
    try:
        with open(path, encoding="latin-1") as lines:
            rows = [line.rstrip("\n").split(" - ", 1) for line in lines]
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror}") from exc
    found: dict[str, Mount] = {}
    for left, right in rows:
        _, _, device, _, point, options, *_ = left.split(" ")
        fs_type, source, super_options = right.split(" ", 2)
        mount = Mount(
            _unescape(point),
            fs_type,
            _unescape(source),
            device,
            tuple(options.split(",")),
            tuple(super_options.split(",")),
        )
        found.pop(mount.path, None)
        found[mount.path] = mount
    return list(found.values())


def real_mounts(every: t.Sequence[Mount]) -> list[Mount]:
    """The mounts that hold data: on a block device, on a server, or the root of a container.

    Pseudo file systems, images, mounts on single files and further mounts of the same file system are left out.
    """
    kept: dict[str, Mount] = {}
    for mount in sorted(every, key=lambda mount: (len(mount.path), mount.path)):
        holds_data = (
            mount.source.startswith("/dev/") or mount.remote or mount.type in ("btrfs", "zfs") or mount.path == "/"
        )
        if (
            holds_data
            and mount.type not in IMAGES
            and mount.device not in kept
            and (mount.remote or os.path.isdir(mount.path))
        ):
            kept[mount.device] = mount
    return sorted(kept.values(), key=lambda mount: mount.path)


def mount_of(path: str, every: t.Sequence[Mount]) -> Mount:
    """The mount that holds a path, which must exist."""
    if not os.path.lexists(path):
        raise Unmeasurable(f"{path} does not exist")
    points = {mount.path: mount for mount in every}
    real = os.path.realpath(path)
    while real not in points and real != "/":
        real = os.path.dirname(real)
    if real not in points:
        raise Unmeasurable(f"no mounted file system holds {path}")
    return points[real]


def usage(mount: Mount, timeout: float) -> Usage:
    """Space and inodes as a user without privileges sees them: blocks reserved for root count as used.

    A file system on a server is asked in a process of its own, because a call to a dead server cannot be interrupted.
    """
    try:
        return _statvfs_aside(mount.path, timeout) if mount.remote else _statvfs(mount.path)
    except OSError as exc:
        raise Unmeasurable(f"{mount.path}: {exc.strerror or exc}") from exc


def _statvfs(path: str) -> Usage:
    stat = os.statvfs(path)
    return Usage(
        used=(stat.f_blocks - stat.f_bfree) * stat.f_frsize,
        available=stat.f_bavail * stat.f_frsize,
        inodes=stat.f_files,
        inodes_used=stat.f_files - stat.f_ffree,
    )


def _statvfs_aside(path: str, timeout: float) -> Usage:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            devnull = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):  # a child stuck in the kernel must not keep our caller's pipes open
                os.dup2(devnull, stream)
            try:
                answer: dict[str, t.Any] = dataclasses.asdict(_statvfs(path))
            except OSError as exc:
                answer = {"error": exc.strerror}
            os.write(writing, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], timeout)[0]:
            os.kill(child, signal.SIGKILL)  # not waited for: it dies when its server answers
            raise Unmeasurable(f"{path}: the file server gave no answer within {timeout:g} s")
        answer = json.loads(os.read(reading, 4096) or b'{"error": "the process that asked died"}')
        os.waitpid(child, 0)
    finally:
        os.close(reading)
    if "error" in answer:
        raise Unmeasurable(f"{path}: {answer['error']}")
    return Usage(**answer)


def read_only_by_plan(path: str, fstab: str = "/etc/fstab") -> bool:
    """Whether fstab says that a mount point is to be read-only. No fstab plans nothing."""
    try:
        with open(fstab, encoding="utf-8", errors="backslashreplace") as lines:
            rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    except OSError:
        return False
    return any(len(row) > 3 and row[1] == path and "ro" in row[3].split(",") for row in rows)
