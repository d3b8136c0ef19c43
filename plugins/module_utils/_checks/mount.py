# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Mounted file systems that must stay there, stay writable and not fill up."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import mounts as probe

CHECKS = {
    "mount.present": "The file system is mounted where it is expected.",
    "mount.space": "The file system has room.",
    "mount.inodes": "The file system has room for more files.",
    "mount.writable": "The file system can be written to.",
}
TARGET: dict[str, t.Any] = {
    "path": {"type": "path"},
    "mounted": {"type": "bool", "default": False},
}
TUNING: dict[str, t.Any] = {
    "space": limits(80, 90, unit="%"),
    "inodes": limits(80, 90, unit="%"),
    "writable": {"type": "bool", "default": True},
}
DEFAULT_TARGETS: list[dict[str, t.Any]] = [{"path": None, "mounted": False}]
MIB = 1024**2


def name(target: t.Mapping[str, t.Any]) -> str:
    return target["path"] or "all mounts"


def expand(target: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Without a path, every mount that holds data."""
    if target["path"]:
        return [target]
    return [{**target, "path": mount.path, "mounted": False} for mount in probe.real_mounts(probe.mounts())]


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    path = target["path"]
    mount = probe.mount_of(path, probe.mounts())
    if target["mounted"]:
        here = mount.path == path.rstrip("/") or path == "/"
        found = f"{mount.source} is mounted here" if here else f"nothing is mounted here: the files lie on {mount.path}"
        yield Check.expect("mount.present", target["name"], here, found, source=mount.source, type=mount.type)
    else:
        yield Check.skipped("mount.present", target["name"], "not asked for: mounted is not set")

    usage = probe.usage(mount, target["timeout"])
    evidence = {"mount": mount.path, "source": mount.source, "type": mount.type}
    total = usage.used + usage.available
    if total:
        share = 100 * usage.used / total
        yield Check.judge(
            "mount.space",
            target["name"],
            share,
            target["space"],
            f"{share:.1f} % of the space is used, {usage.available / MIB:,.0f} MiB are free",
            available_mib=usage.available // MIB,
            total_mib=total // MIB,
            **evidence,
        )
    else:
        yield Check.unknown(
            "mount.space", target["name"], f"{mount.type} does not say how much space it has", **evidence
        )
    if usage.inodes:
        share = 100 * usage.inodes_used / usage.inodes
        yield Check.judge(
            "mount.inodes",
            target["name"],
            share,
            target["inodes"],
            f"{share:.1f} % of the inodes are used",
            inodes=usage.inodes,
            **evidence,
        )
    else:
        yield Check.skipped("mount.inodes", target["name"], f"{mount.type} does not count inodes")
    if not target["writable"] or probe.read_only_by_plan(mount.path):
        yield Check.skipped("mount.writable", target["name"], "read-only is intended")
    elif "ro" in mount.options and "ro" not in mount.below:  # a bind mount: only somebody's will makes one
        yield Check.skipped(
            "mount.writable", target["name"], "only this mount point is read-only, the file system is not"
        )
    else:
        writable = "ro" not in mount.below
        yield Check.expect(
            "mount.writable",
            target["name"],
            writable,
            "mounted for reading and writing" if writable else "mounted read-only, which nobody planned",
            options=[*mount.options, *mount.below],
            **evidence,
        )
