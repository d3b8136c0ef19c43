# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Installed software: pending updates, held and broken packages, a reboot that is due, the end of support."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Look, each_alone, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import package as probe

CHECKS = {
    "package.lists_age": "The package lists are recent.",
    "package.security": "No security update is pending.",
    "package.updates": "Few other updates are pending.",
    "package.held": "No package is held back unexpectedly.",
    "package.broken": "Every package is completely installed.",
    "package.reboot": "No reboot is due.",
    "package.end_of_life": "The distribution still gets security updates.",
}
TARGET: dict[str, t.Any] = {}
TUNING: dict[str, t.Any] = {
    "lists_age": limits(96, 168, unit="h", possible=(0, 1e6)),
    "security": limits(0, 10, unit="packages", possible=(0, 1e6)),
    "updates": limits(50, unit="packages", possible=(0, 1e6)),
    "held": limits(0, unit="packages", possible=(0, 1e6)),
    "expected_holds": {"type": "list", "elements": "str", "default": []},
    "reboot": limits(0, 30, unit="d", possible=(0, 1e6)),
    "end_of_life": limits(180, 30, unit="d", worse="lower"),
    "support_until": {"type": "str"},
}
DEFAULT_TARGETS: list[dict[str, t.Any]] = [{}]
SHOWN = 20


def name(_target: t.Mapping[str, t.Any]) -> str:
    return "packages"


def validate(target: t.Mapping[str, t.Any]) -> None:
    until = target.get("support_until")
    try:
        until and dt.date.fromisoformat(until)
    except ValueError:
        raise BadOption(f"support_until: {until!r} is no date such as 2028-06-30") from None


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    yield from each_alone(LOOKS, target)


def _updates(target: dict[str, t.Any]) -> t.Iterator[Check]:
    manager = probe.manager(target["timeout"])
    lists = manager.lists()
    hours = (probe.now() - lists.at) / 3600
    age = Check.judge(
        "package.lists_age",
        target["name"],
        hours,
        target["lists_age"],
        f"the package lists are {hours:.0f} h old",
        sources={source: f"{(probe.now() - at) / 3600:.0f} h" for source, at in sorted(lists.sources.items())[:SHOWN]},
    )
    yield age
    pending = manager.updates()
    security = [update for update in pending if update.security]
    others = [update for update in pending if not update.security]
    stale = f"nobody knows what came later: {age.summary}" if age.status == "critical" else None
    yield _pending("package.security", target, security, "security updates", stale or _blind(lists))
    yield _pending("package.updates", target, others, "other updates", stale)


def _blind(lists: t.Any) -> str | None:
    return None if lists.security else str(lists.missing)


def _pending(check_id: str, target: t.Mapping[str, t.Any], found: list[t.Any], what: str, doubt: str | None) -> Check:
    """The number of updates. What is found is found, but where there is a doubt, finding none says nothing."""
    shown = [f"{update.name} {update.installed} → {update.candidate}" for update in found[:SHOWN]]
    summary = f"{len(found)} {what} are pending"
    check = Check.judge(
        check_id, target["name"], len(found), target[check_id.partition(".")[2]], summary, packages=shown
    )
    if doubt and check.status != "critical":
        return Check.unknown(check_id, target["name"], f"{summary}, but {doubt}", packages=shown)
    return check


def _held(target: dict[str, t.Any]) -> t.Iterator[Check]:
    held = probe.manager(target["timeout"]).held()
    surprising = [package for package in held if package not in target["expected_holds"]]
    yield Check.judge(
        "package.held",
        target["name"],
        len(surprising),
        target["held"],
        f"{len(surprising)} packages are held back" + (" unexpectedly" if len(surprising) < len(held) else ""),
        packages=surprising[:SHOWN],
        expected=[package for package in held if package in target["expected_holds"]][:SHOWN],
    )


def _broken(target: dict[str, t.Any]) -> t.Iterator[Check]:
    problems = probe.manager(target["timeout"]).broken()
    summary = f"{len(problems)} packages are not completely installed, or lack what they depend on"
    yield Check.expect(
        "package.broken", target["name"], not problems, summary, problems=[line[:300] for line in problems[:SHOWN]]
    )


def _reboot(target: dict[str, t.Any]) -> t.Iterator[Check]:
    due = probe.reboot(target["timeout"])
    summary = f"a reboot has been due for {due.days:.1f} days: {due.reasons[0]}" if due.reasons else "no reboot is due"
    if due.services:
        summary += f"; {len(due.services)} services still run replaced code"
    yield Check.judge(
        "package.reboot",
        target["name"],
        max(due.days, 0.001) if due.reasons else 0,
        target["reboot"],
        summary,
        reasons=due.reasons,
        services=due.services[:SHOWN],
        looked_at=due.looked_at,
    )


def _end_of_life(target: dict[str, t.Any]) -> t.Iterator[Check]:
    support = probe.support(target["support_until"])
    over = f"{support.release} has had no security updates for {-support.days:.0f} days"
    yield Check.judge(
        "package.end_of_life",
        target["name"],
        support.days,
        target["end_of_life"],
        over if support.days < 0 else f"{support.release} gets security updates for another {support.days:.0f} days",
        until=support.until,
        source=support.source,
    )


LOOKS: dict[tuple[str, ...], Look] = {
    ("package.lists_age", "package.security", "package.updates"): _updates,
    ("package.held",): _held,
    ("package.broken",): _broken,
    ("package.reboot",): _reboot,
    ("package.end_of_life",): _end_of_life,
}
