# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Processes that must be there: how many, how large, how old."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import processes as probe
from ansible_collections.sre.runbooks.plugins.module_utils._words import span

CHECKS = {
    "process.count": "As many of the processes run as should.",
    "process.memory": "The processes hold no more memory than they should.",
    "process.oldest": "None of the processes has been running for too long.",
    "process.youngest": "None of the processes has just been started again.",
}
TARGET: dict[str, t.Any] = {
    "process": {"type": "str"},
    "command": {"type": "str"},
    "user": {"type": "str"},
}
TUNING: dict[str, t.Any] = {
    "count": limits(critical="1..", unit="processes", possible=(0, 1e9)),
    "memory": limits(unit="MiB", possible=(0, 1e12)),
    "oldest": limits(unit="min", possible=(0, 1e9)),
    "youngest": limits(unit="min", worse="lower", possible=(0, 1e9)),
}
RULES = {"required_one_of": [("process", "command")]}
MIB = 1024**2


def name(target: t.Mapping[str, t.Any]) -> str:
    called = target["process"] or target["command"]
    return f"{called} of {target['user']}" if target["user"] else str(called)


def validate(target: t.Mapping[str, t.Any]) -> None:
    try:
        re.compile(target["command"] or "")
    except re.error as exc:
        raise BadOption(f"command: not a regular expression: {exc}") from None


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    matching = probe.matching(probe.processes(), name=target["process"], command=target["command"], user=target["user"])
    found = [process for process in matching if process.alive]
    now = probe.uptime()
    yield Check.judge(
        "process.count",
        target["name"],
        len(found),
        target["count"],
        f"{len(found)} running"
        + (
            f", {len(matching) - len(found)} more have ended without being noticed"
            if len(matching) > len(found)
            else ""
        ),
        processes=[  # without their command lines, which hold secrets
            {
                "pid": process.pid,
                "name": process.name,
                "user": probe.user_name(process.uid),
                "rss_mib": process.rss // MIB,
                "minutes": round((now - process.started) / 60, 1),
            }
            for process in found[:20]
        ],
    )
    rss = sum(process.rss for process in found) / MIB
    ages = [now - process.started for process in found]
    yield from _if_any(target, "memory", rss, f"{rss:,.0f} MiB in all", found)
    for check_id, age in (("oldest", max(ages, default=0.0)), ("youngest", min(ages, default=0.0))):
        yield from _if_any(target, check_id, age / 60, f"the {check_id} has been running for {span(age)}", found)


def _if_any(
    target: dict[str, t.Any], what: str, value: float, summary: str, found: list[probe.Process]
) -> t.Iterator[Check]:
    if not target[what]:
        yield Check.skipped(f"process.{what}", target["name"], f"not asked for: no limit for {what} is given")
    elif not found:
        yield Check.skipped(f"process.{what}", target["name"], "no such process is running, see process.count")
    else:
        yield Check.judge(f"process.{what}", target["name"], value, target[what], summary)
