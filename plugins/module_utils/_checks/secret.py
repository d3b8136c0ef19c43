# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Credentials that somebody has left in the source."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import secret as probe

CHECKS = {
    "secret.findings": "No credential stands in the source.",
    "secret.new": "No credential has appeared since the last check.",
}
TARGET: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
}
TUNING: dict[str, t.Any] = {
    "exclude": {"type": "list", "elements": "str", "default": []},
    "allow": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "fingerprint": {"type": "str"},
            "reason": {"type": "str"},
            "until": {"type": "str"},
        },
    },
    "memory": {"type": "path"},
    "findings": limits(critical=0, unit="credentials", possible=(0, 1e9)),
    "new": limits(critical=0, unit="credentials", possible=(0, 1e9)),
}
SHOWN = 20


def validate(target: t.Mapping[str, t.Any]) -> None:
    for allowed in target.get("allow") or []:
        if not (allowed.get("fingerprint") and allowed.get("reason")):
            raise BadOption("allow: say the fingerprint of each, and the reason why it is no secret")
        try:
            allowed.get("until") and dt.date.fromisoformat(allowed["until"])
        except ValueError:
            raise BadOption(f"allow: until {allowed['until']!r} is no date such as 2026-12-31") from None


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    scan = probe.scan(target["path"], target["exclude"], target["timeout"])
    allowed, over = _allowed(target)
    open_ = [finding for finding in scan.findings if finding.fingerprint not in allowed]
    found = {finding.fingerprint for finding in scan.findings}
    different = {finding.fingerprint for finding in open_}
    summary = f"{len(different)} credentials stand in {len({finding.path for finding in open_})} of {scan.files} files"
    check = Check.judge(
        "secret.findings",
        target["name"],
        len(different),
        target["findings"],
        summary,
        findings=_shown(open_),
        allowed=len(found & allowed),
        allowed_no_longer=sorted(over & found)[:SHOWN],
        allowed_and_gone=sorted((allowed | over) - found)[:SHOWN],
        binary_files_not_read=scan.binary,
    )
    yield _with_doubt(check, scan)
    yield _new(target, scan, open_)


def _allowed(target: t.Mapping[str, t.Any]) -> tuple[set[str], set[str]]:
    """The fingerprints that are allowed, and those that no longer are."""
    today = dt.datetime.fromtimestamp(probe.now(), dt.timezone.utc).date().isoformat()
    over = {one["fingerprint"] for one in target["allow"] if one.get("until") and one["until"] < today}
    return {one["fingerprint"] for one in target["allow"]} - over, over


def _new(target: dict[str, t.Any], scan: probe.Scan, open_: list[probe.Finding]) -> Check:
    check_id, keep = "secret.new", target["afterwards"]
    known = probe.known(target["memory"], target["name"], target["path"], scan, keeping=keep is not None)
    if keep is not None:
        keep(known.keep)
    if known.before is None:
        learned = f"{len(open_)} findings were seen for the first time and are remembered from now on"
        return Check.skipped(check_id, target["name"], learned)
    new = [finding for finding in open_ if finding.fingerprint not in known.before]
    count = len({finding.fingerprint for finding in new})
    summary = f"{count} credentials were not there at the last check"
    return _with_doubt(Check.judge(check_id, target["name"], count, target["new"], summary, findings=_shown(new)), scan)


def _shown(findings: list[probe.Finding]) -> list[str]:
    """Rule, place and fingerprint, never the credential."""
    return [f"{one.fingerprint} {one.rule} {one.path}:{one.line}" for one in findings[:SHOWN]]


def _with_doubt(check: Check, scan: probe.Scan) -> Check:
    """A file that was not read may hold anything."""
    if not scan.unread.count or check.status == "critical":
        return check
    reason = f"{check.summary}, but {scan.unread.count} files were not read, {scan.unread.first[0]} for one"
    return Check.unknown(check.id, check.target, reason, **check.detail, unread=scan.unread.first)
