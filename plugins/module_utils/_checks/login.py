# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Logins that fail, and those that succeed after many have: sshd, PAM, sudo and su, WordPress."""

from __future__ import annotations

import collections
import datetime as dt
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Look, each_alone, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import login as probe
from ansible_collections.sre.runbooks.plugins.module_utils._words import seconds, span

CHECKS = {
    "login.failures": "Few logins fail.",
    "login.source": "No single source tries many logins.",
    "login.success_after_failures": "No login succeeds after many failures from the same source.",
    "login.sudo_failures": "Nobody fails often to become another user.",
    "login.wordpress": "Few logins to WordPress fail.",
}
TARGET: dict[str, t.Any] = {
    "path": {"type": "path"},
    "access_log": {"type": "path"},
}
TUNING: dict[str, t.Any] = {
    "window": {"type": "str", "default": "24h"},
    "timezone": {"type": "str"},
    "failures": limits(200, unit="logins", possible=(0, 1e9)),
    "source": limits(50, 500, unit="logins", possible=(0, 1e9)),
    "success_after_failures": limits(2, 4, unit="logins", possible=(0, 1e9)),
    "sudo_failures": limits(3, 10, unit="refusals", possible=(0, 1e9)),
    "wordpress": limits(50, 500, unit="logins", possible=(0, 1e9)),
}
DEFAULT_TARGETS: list[dict[str, t.Any]] = [{"path": None, "access_log": None}]
SHOWN = 10
REPEATED = 3
"""How often the name of a user that does not exist has to be tried to be shown: once or twice, it may be a password."""


def name(target: t.Mapping[str, t.Any]) -> str:
    return target.get("path") or "logins"


def validate(target: t.Mapping[str, t.Any]) -> None:
    try:
        seconds(target["window"])
    except BadOption as exc:
        raise BadOption(f"window: {exc}") from None


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    yield from each_alone(LOOKS, target)


def _host(target: dict[str, t.Any]) -> t.Iterator[Check]:
    logins = probe.of_host(target["path"], seconds(target["window"]), target["timezone"], target["timeout"])
    when = _when(target, logins)
    yield Check.judge(
        "login.failures",
        target["name"],
        logins.failures,
        target["failures"],
        f"{logins.failures} logins did not succeed {when}",
        users=_top(logins.users),
        invalid_users=_top(collections.Counter({user: n for user, n in logins.invalid.items() if n >= REPEATED})),
        invalid_logins=sum(logins.invalid.values()),
        successes=_top(logins.successes),
        read=logins.read,
    )
    yield _source("login.source", target, logins, when)
    yield _success(target, logins, when)
    refusals = sum(logins.denied.values())
    yield Check.judge(
        "login.sudo_failures",
        target["name"],
        refusals,
        target["sudo_failures"],
        f"sudo and su refused {refusals} times {when}",
        users=_top(logins.denied),
    )


def _source(check_id: str, target: t.Mapping[str, t.Any], logins: probe.Logins, when: str) -> Check:
    source, most = max(logins.sources.items(), key=lambda item: item[1], default=("nowhere", 0))
    summary = f"{most} logins from {source} did not succeed {when}" if most else f"every login succeeded {when}"
    limit = target[check_id.partition(".")[2]]
    return Check.judge(
        check_id, target["name"], most, limit, summary, sources=_top(logins.sources), of=len(logins.sources)
    )


def _success(target: t.Mapping[str, t.Any], logins: probe.Logins, when: str) -> Check:
    breaches = sorted(logins.breaches, key=lambda breach: breach.failures, reverse=True)
    worst = breaches[0] if breaches else None
    summary = (
        f"{worst.user} logged in from {worst.source} after {worst.failures} logins from there had not succeeded"
        if worst
        else f"no login succeeded after others had not {when}"
    )
    shown = [
        {"source": one.source, "user": one.user, "failures": one.failures, "at": _time(one.at)}
        for one in breaches[:SHOWN]
    ]
    value = worst.failures if worst else 0
    limit = target["success_after_failures"]
    return Check.judge("login.success_after_failures", target["name"], value, limit, summary, logins=shown)


def _wordpress(target: dict[str, t.Any]) -> t.Iterator[Check]:
    if not target["access_log"]:
        yield Check.skipped("login.wordpress", target["name"], "not asked for: access_log is not given")
        return
    logins = probe.of_wordpress(target["access_log"], seconds(target["window"]), target["timezone"], target["timeout"])
    most = _top(logins.sources)
    yield Check.judge(
        "login.wordpress",
        target["name"],
        logins.failures,
        target["wordpress"],
        f"{logins.failures} logins to WordPress did not succeed {_when(target, logins)}",
        sources=most,
        succeeded_after=[
            {"source": one.source, "failures": one.failures, "at": _time(one.at)}
            for one in sorted(logins.breaches, key=lambda one: -one.failures)[:SHOWN]
        ],
        read=logins.read,
    )


def _when(target: t.Mapping[str, t.Any], logins: probe.Logins) -> str:
    if logins.covered or logins.begins is None:
        return f"in the last {target['window']}"
    return f"in the last {span(logins.until - logins.begins)}, as far back as the log goes"


def _top(counts: collections.Counter[str]) -> dict[str, int]:
    return dict(counts.most_common(SHOWN))


def _time(epoch: float) -> str:
    return dt.datetime.fromtimestamp(epoch, dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


LOOKS: dict[tuple[str, ...], Look] = {
    ("login.failures", "login.source", "login.success_after_failures", "login.sudo_failures"): _host,
    ("login.wordpress",): _wordpress,
}
