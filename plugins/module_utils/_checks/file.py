# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Files that have to be there: dumps, exports, heartbeats, configuration."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import files as probe

CHECKS = {
    "file.present": "The file exists.",
    "file.count": "There are as many files as expected.",
    "file.clock": "The newest file is not dated in the future.",
    "file.age": "The newest file is recent enough.",
    "file.content": "The newest file is not empty.",
    "file.size": "The newest file has a plausible size.",
    "file.owner": "The files belong to whom they should.",
    "file.mode": "Nobody has more access to the files than planned.",
}
TARGET: dict[str, t.Any] = {
    "pattern": {"type": "path", "required": True},
    "recurse": {"type": "bool", "default": False},
}
TUNING: dict[str, t.Any] = {
    "present": {"type": "bool", "default": True},
    "may_be_empty": {"type": "bool", "default": False},
    "count": limits(unit="files", possible=(0, float("inf"))),
    "clock": limits(5, unit="min", possible=(0, float("inf"))),
    "age": limits(unit="h", possible=(0, float("inf"))),
    "size": limits(unit="MiB", worse="lower", possible=(0, float("inf"))),
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
}
MIB = 1024**2
SHOWN = 20


def validate(target: t.Mapping[str, t.Any]) -> None:
    if not target["pattern"].startswith("/"):
        raise BadOption(f"pattern: {target['pattern']} is not absolute; a module has no directory of its own")
    if target["mode"] is not None and not re.fullmatch("0[0-7]{3,4}", target["mode"]):
        raise BadOption(f'mode: {target["mode"]} is not an octal mode with a leading zero; write it in quotes, "0640"')


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    found = probe.matching(target["pattern"], target["recurse"])
    yield _present(target, found)
    yield _count(target, found)
    if found.files:
        yield from _newest(target, found)
        yield _owner(target, found.files)
        yield _mode(target, found.files)
        return
    reason = {"blocked_by": "file.present"} if target["present"] else {}
    for check_id in ("file.clock", "file.age", "file.content", "file.size", "file.owner", "file.mode"):
        yield Check.skipped(check_id, target["name"], "there is no file", **reason)


def _present(target: t.Mapping[str, t.Any], found: probe.Found) -> Check:
    name, files = target["name"], len(found.files)
    if not target["present"]:
        return Check.skipped("file.present", name, "not asked for: present is not set")
    if files:
        summary = "the file is there" if files == 1 else f"{files} files are there"
    else:
        summary = "; ".join(["no file is there", *found.others[:1]])
    return Check.expect("file.present", name, bool(files), summary, others=list(found.others[:SHOWN]))


def _count(target: t.Mapping[str, t.Any], found: probe.Found) -> Check:
    name, files = target["name"], len(found.files)
    if not target["count"]:
        return Check.skipped("file.count", name, "not asked for: count has no limit")
    newest = [file.path for file in found.files[:SHOWN]]
    return Check.judge("file.count", name, files, target["count"], f"{files} files match", newest=newest)


def _newest(target: t.Mapping[str, t.Any], found: probe.Found) -> t.Iterator[Check]:
    name, newest = target["name"], found.files[0]
    hours, mib = round((found.now - newest.mtime) / 3600, 4), round(newest.size / MIB, 6)
    evidence: dict[str, t.Any] = {"file": newest.path, "bytes": newest.size, "modified": round(newest.mtime, 3)}

    ahead = max(0.0, -60 * hours)
    dated = (
        f"the newest file is dated {ahead:.1f} min in the future" if ahead else "the newest file is dated in the past"
    )
    clock = Check.judge("file.clock", name, ahead, target["clock"], dated, **evidence)
    yield clock
    if not target["age"]:
        yield Check.skipped("file.age", name, "not asked for: age has no limit")
    elif clock.status != "ok":
        yield Check.unknown("file.age", name, f"the age cannot be told: {dated}", **evidence)
    else:
        hours = max(0.0, hours)
        yield Check.judge(
            "file.age", name, hours, target["age"], f"the newest file is {_duration(hours)} old", **evidence
        )

    if target["may_be_empty"]:
        yield Check.skipped("file.content", name, "not asked for: the file may be empty")
    else:
        size = f"the newest file holds {newest.size:,} bytes" if newest.size else "the newest file is empty"
        yield Check.expect("file.content", name, newest.size > 0, size, **evidence)
    if target["size"]:
        yield Check.judge("file.size", name, mib, target["size"], f"the newest file has {mib:,.3f} MiB", **evidence)
    else:
        yield Check.skipped("file.size", name, "not asked for: size has no limit")


def _owner(target: t.Mapping[str, t.Any], files: t.Sequence[probe.File]) -> Check:
    name, owner, group = target["name"], target["owner"], target["group"]
    if not (owner or group):
        return Check.skipped("file.owner", name, "not asked for: neither owner nor group is given")
    wanted = f"{owner or '*'}:{group or '*'}"
    strange = [file for file in files if (owner or file.owner) != file.owner or (group or file.group) != file.group]
    summary = (
        f"{len(strange)} of {len(files)} files do not belong to {wanted}" if strange else f"all belong to {wanted}"
    )
    evidence = [f"{file.path} belongs to {file.owner}:{file.group}" for file in strange[:SHOWN]]
    return Check.expect("file.owner", name, not strange, summary, strange=evidence)


def _mode(target: t.Mapping[str, t.Any], files: t.Sequence[probe.File]) -> Check:
    name, most = target["name"], target["mode"]
    if most is None:
        return Check.skipped("file.mode", name, "not asked for: mode is not given")
    open_files = [file for file in files if file.mode & ~int(most, 8)]
    summary = (
        f"{len(open_files)} of {len(files)} files grant more than {most}" if open_files else f"none exceeds {most}"
    )
    evidence = [f"{file.path} has mode {file.mode:04o}" for file in open_files[:SHOWN]]
    return Check.expect("file.mode", name, not open_files, summary, open=evidence)


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} d ({hours:.0f} h)"
