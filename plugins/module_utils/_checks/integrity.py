# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A tree of files against the baseline that somebody vouched for."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import integrity as probe

CHECKS = {
    "integrity.baseline": "The baseline is there, genuine and recent enough.",
    "integrity.uploads": "No program was added or changed below the uploads.",
    "integrity.changed": "No file has another content than in the baseline.",
    "integrity.added": "No file was added since the baseline.",
    "integrity.removed": "No file of the baseline is missing.",
    "integrity.metadata": "No file has another owner or mode than in the baseline.",
}
TARGET: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "baseline": {"type": "path"},
}
TUNING: dict[str, t.Any] = {
    "key": {"type": "str", "no_log": True},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "uploads": {"type": "list", "elements": "str", "default": ["wp-content/uploads"]},
    "deploy": {"type": "dict", "options": {"until": {"type": "str"}, "reason": {"type": "str"}}},
    "age": limits(unit="d", possible=(0, 1e5)),
    "changed": limits(critical=0, unit="files", possible=(0, 1e9)),
    "added": limits(critical=0, unit="files", possible=(0, 1e9)),
    "removed": limits(0, unit="files", possible=(0, 1e9)),
    "metadata": limits(0, unit="files", possible=(0, 1e9)),
}
WORDS = {
    "changed": "have another content than in the baseline",
    "added": "are not in the baseline",
    "removed": "of the baseline are missing",
    "metadata": "have another owner or mode than in the baseline",
}


def validate(target: t.Mapping[str, t.Any]) -> None:
    key = target.get("key")
    if key and len(key) < probe.SHORTEST_KEY:
        raise BadOption(f"key: of fewer than {probe.SHORTEST_KEY} characters it could be guessed")
    deploy = target.get("deploy") or {}
    if any(deploy.values()):
        if not (deploy.get("until") and deploy.get("reason")):
            raise BadOption("deploy: say both until when and for what reason changes are expected")
        try:
            _moment(deploy["until"])
        except ValueError:
            raise BadOption(
                f"deploy.until: {deploy['until']!r} is no moment with a time zone such as 2026-11-21T18:00:00+00:00"
            ) from None
    baseline = probe.place(target.get("baseline"), target["path"])
    if (baseline + "/").startswith(target["path"].rstrip("/") + "/"):
        raise BadOption(f"baseline: {baseline} lies in the tree that it is to vouch for")


def _moment(text: str) -> dt.datetime:
    when = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if when.tzinfo is None:
        raise ValueError("no time zone")
    return when


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    name = target["name"]
    try:
        looked = probe.look(
            target["path"], target["baseline"], target["key"], target["exclude"], target["uploads"], target["timeout"]
        )
    except probe.Forged as exc:
        first, *rest = CHECKS
        yield Check.expect(first, name, False, str(exc))
        for other in rest:
            yield Check.skipped(other, name, f"not measured, see {first}: {exc}", blocked_by=first)
        return
    header, found = looked
    days = (probe.now() - header.created) / 86400
    yield Check.judge(
        "integrity.baseline",
        name,
        days,
        target["age"],
        f"the baseline was made {days:.0f} days ago by {header.by}: {header.reason}",
        by=header.by,
        reason=header.reason,
        run=header.run,
        files=found.files,
        sealed_with_key=bool(target["key"]),
    )
    yield _uploads(target, found)
    window = _window(target)
    for what in WORDS:
        yield _judged(what, target, found, window)


def _uploads(target: t.Mapping[str, t.Any], found: probe.Differences) -> Check:
    """No deployment brings programs into the uploads: the window does not hold here."""
    check_id, name = "integrity.uploads", target["name"]
    if not target["uploads"]:
        return Check.skipped(check_id, name, "not asked for: uploads is empty")
    if not (found.with_uploads or found.uploads.count or found.unread_folders.count):
        return Check.skipped(check_id, name, f"not applicable: the tree has no {' and no '.join(target['uploads'])}")
    summary = f"{found.uploads.count} programs below the uploads are not as in the baseline"
    check = Check.expect(check_id, name, not found.uploads.count, summary, files=found.uploads.first)
    return _with_doubt(check, found)


def _judged(what: str, target: t.Mapping[str, t.Any], found: probe.Differences, window: str | None) -> Check:
    check_id, some = f"integrity.{what}", getattr(found, what)
    summary = f"{some.count} files {WORDS[what]}"
    check = Check.judge(check_id, target["name"], some.count, target[what], summary, files=some.first)
    if window and some.count:
        return Check.skipped(check_id, target["name"], f"{summary}, {window}", files=some.first)
    return _with_doubt(check, found)


def _with_doubt(check: Check, found: probe.Differences) -> Check:
    """What could not be read may have changed: finding nothing is no proof then."""
    unread = [found.unread_folders]
    if check.id in ("integrity.changed", "integrity.uploads"):
        unread.append(found.unread_files)
    names = [name for some in unread for name in some.first]
    if not names or check.status == "critical":
        return check
    count = sum(some.count for some in unread)
    reason = f"{check.summary}, but {count} files or directories cannot be read, {names[0]} for one"
    return Check.unknown(check.id, check.target, reason, **check.detail, unread=names[:20])


def _window(target: t.Mapping[str, t.Any]) -> str | None:
    deploy = target["deploy"] or {}
    if not deploy.get("until") or _moment(deploy["until"]).timestamp() < probe.now():
        return None
    return f"as expected until {deploy['until']}: {deploy['reason']}"
