# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the files of a tree grant, and to whom, by a policy: not every readable file is a finding."""

from __future__ import annotations

import re
import stat
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import permission as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe._trees import (
    Entry,
    Some,
    Unreadable,
    below,
    is_program,
    matches,
    shown,
)

CHECKS = {
    "permission.world_writable": "Nothing can be written to by everybody.",
    "permission.setuid": "No program runs with the rights of its owner unexpectedly.",
    "permission.owner": "Every file belongs to whom it should.",
    "permission.group_writable": "Nothing can be written to by its group unexpectedly.",
    "permission.mode": "Files that the policy names grant no more than they may.",
    "permission.private_keys": "No private key can be read by everybody.",
    "permission.executable_uploads": "No program lies below the uploads.",
}
TARGET: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
}
_PATTERNS: dict[str, t.Any] = {"type": "list", "elements": "str", "no_log": False}
TUNING: dict[str, t.Any] = {
    "exclude": {**_PATTERNS, "default": []},
    "uploads": {**_PATTERNS, "default": ["wp-content/uploads"]},
    "owners": {**_PATTERNS, "default": []},
    "groups": {**_PATTERNS, "default": []},
    "modes": {
        "type": "dict",
        "default": {"wp-config.php": "0640", ".env": "0640"},
    },
    "fine": {
        "type": "dict",
        "options": dict.fromkeys(
            ("world_writable", "setuid", "group_writable", "private_keys", "executable_uploads"), _PATTERNS
        ),
    },
    "world_writable": limits(critical=0, unit="files", possible=(0, 1e9)),
    "setuid": limits(critical=0, unit="files", possible=(0, 1e9)),
    "owner": limits(0, unit="files", possible=(0, 1e9)),
    "group_writable": limits(unit="files", possible=(0, 1e9)),
    "mode": limits(critical=0, unit="files", possible=(0, 1e9)),
    "private_keys": limits(critical=0, unit="files", possible=(0, 1e9)),
    "executable_uploads": limits(critical=0, unit="files", possible=(0, 1e9)),
}
WORDS = {
    "world_writable": "can be written to by everybody",
    "setuid": "run with the rights of their owner or group",
    "owner": "belong to somebody else than they should",
    "group_writable": "can be written to by their group",
    "mode": "grant more than they may",
    "private_keys": "hold a secret and can be read by everybody",
    "executable_uploads": "below the uploads could be executed by the web server",
}


def validate(target: t.Mapping[str, t.Any]) -> None:
    for pattern, mode in (target.get("modes") or {}).items():
        if not re.fullmatch(r"0[0-7]{3,4}", str(mode)):
            raise BadOption(f"modes.{pattern}: {mode!r} is no mode such as '0640', octal and in quotes")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    tree = probe.tree(target["path"], target["exclude"], target["timeout"])
    found = {what: Some() for what in WORDS}
    unread, count, policies, with_uploads = Some(), 0, 0, False
    closed = Some()  # keys in files that we may not read either
    for entry in probe.entries(tree):
        count += 1
        with_uploads = with_uploads or below(f"{entry.path}/", target["uploads"])
        policies += entry.kind == "file" and _policy(target, entry) is not None
        for what, note in _findings(target, entry):
            if not matches(entry.path, _fine(target, what)):
                found[what].add(f"{shown(entry.path)}: {note}")
        if _readable_by_all(entry) and not matches(entry.path, _fine(target, "private_keys")):
            try:
                if probe.is_secret(tree, entry):
                    found["private_keys"].add(f"{shown(entry.path)}: {_mode(entry):04o}")
            except Unreadable:
                closed.add(shown(entry.path))
    for folder in tree.unreadable:
        unread.add(shown(folder))
    reasons = _not_asked_for(target, bool(policies or unread.count), with_uploads or bool(unread.count))
    for what, some in found.items():
        if what in reasons:
            yield Check.skipped(f"permission.{what}", target["name"], reasons[what])
        else:
            yield _judged(what, target, some, closed if what == "private_keys" and closed.count else unread, count)


def _findings(target: t.Mapping[str, t.Any], entry: Entry) -> t.Iterator[tuple[str, str]]:
    """(what is wrong, the evidence) of one entry. The mode of a link means nothing."""
    mode, status = _mode(entry), entry.status
    owner, group = probe.owner(status.st_uid), probe.group(status.st_gid)
    if (target["owners"] and owner not in target["owners"]) or (target["groups"] and group not in target["groups"]):
        yield "owner", f"{owner}:{group}"
    if entry.kind == "link":
        return
    if mode & stat.S_IWOTH and not (entry.kind == "dir" and mode & stat.S_ISVTX) and entry.kind != "special":
        yield "world_writable", f"{mode:04o} {owner}:{group}"
    if mode & stat.S_IWGRP:
        yield "group_writable", f"{mode:04o} {owner}:{group}"
    if entry.kind != "file":
        return
    if mode & (stat.S_ISUID | stat.S_ISGID):
        yield "setuid", f"{mode:04o} {owner}:{group}"
    most = _policy(target, entry)
    if most is not None and mode & ~most:
        yield "mode", f"{mode:04o}, at most {most:04o}"
    if below(entry.path, target["uploads"]) and is_program(entry.path):
        yield "executable_uploads", f"{mode:04o} {owner}:{group}"


def _mode(entry: Entry) -> int:
    return stat.S_IMODE(entry.status.st_mode)


def _policy(target: t.Mapping[str, t.Any], entry: Entry) -> int | None:
    """The most that a file may grant, by the first pattern that means it; None when none does."""
    modes = (target["modes"] or {}).items()
    return next((int(str(mode), 8) for pattern, mode in modes if matches(entry.path, [pattern])), None)


def _readable_by_all(entry: Entry) -> bool:
    return entry.kind == "file" and bool(_mode(entry) & stat.S_IROTH)


def _fine(target: t.Mapping[str, t.Any], what: str) -> list[str]:
    return (target["fine"] or {}).get(what) or []


def _not_asked_for(target: t.Mapping[str, t.Any], policies: bool, with_uploads: bool) -> dict[str, str]:
    reasons = {}
    if not (target["owners"] or target["groups"]):
        reasons["owner"] = "not asked for: neither owners nor groups is given"
    if not target["group_writable"]:
        reasons["group_writable"] = "not asked for: group_writable has no limits"
    if not target["uploads"]:
        reasons["executable_uploads"] = "not asked for: uploads is empty"
    elif not with_uploads:
        reasons["executable_uploads"] = f"not applicable: the tree has no {' and no '.join(target['uploads'])}"
    if not policies:
        reasons["mode"] = "not applicable: there is no file that modes names"
    return reasons


def _judged(what: str, target: t.Mapping[str, t.Any], some: Some, unread: Some, count: int) -> Check:
    check_id = f"permission.{what}"
    summary = f"{some.count} of {count} files {WORDS[what]}"
    check = Check.judge(check_id, target["name"], some.count, target[what], summary, files=some.first)
    if unread.count and check.status != "critical":
        reason = f"{summary}, but {unread.count} files or directories cannot be read, {unread.first[0]} for one"
        return Check.unknown(check_id, target["name"], reason, files=some.first, unread=unread.first)
    return check
