# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Pools of php-fpm: does a worker answer, do requests wait, are there enough workers, are they slow, is the cache used."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Limits, Unmeasurable, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _memory as memory
from ansible_collections.sre.runbooks.plugins.module_utils._probe import phpfpm as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe.fastcgi import Silent

CHECKS = {
    "phpfpm.ping": "A worker of the pool answers.",
    "phpfpm.listen_queue": "Requests do not wait for a worker.",
    "phpfpm.workers": "There are workers to spare.",
    "phpfpm.max_children": "The pool has not run out of workers.",
    "phpfpm.slow_requests": "Requests do not take too long.",
    "phpfpm.opcache": "Scripts come out of the opcode cache.",
}
TARGET: dict[str, t.Any] = {"address": {"type": "str"}}
ANY = (0, float("inf"))
TUNING: dict[str, t.Any] = {
    "answer_within": {"type": "float", "default": 5.0},
    "ping_path": {"type": "str"},
    "status_path": {"type": "str"},
    "status_address": {"type": "str"},
    "opcache_script": {"type": "path"},
    "listen_queue": limits(5, 50, unit="requests", possible=ANY),
    "workers": limits(80, 95, unit="%"),
    "max_children": limits(0, unit="times", possible=ANY),
    "slow_requests": limits(0, unit="requests", possible=ANY),
    "opcache": limits(90, 70, unit="%", worse="lower"),
    "state_directory": {"type": "path"},
}
DEFAULT_TARGETS: list[dict[str, t.Any]] = [{}]
FEW = 1000
"""Lookups in the opcode cache below which its hit rate says only that it has just been started."""

Target = t.Dict[str, t.Any]
Settings = t.Dict[str, str]


def name(target: t.Mapping[str, t.Any]) -> str:
    return target.get("address") or "pools"


def validate(target: t.Mapping[str, t.Any]) -> None:
    for option in ("address", "status_address"):
        given = target.get(option)
        if given and not re.fullmatch(r"/.+|(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}", given):
            raise BadOption(f"{option}: {given} is neither the path of a socket nor host:port")


def expand(target: Target) -> list[Target]:
    """Without an address, every pool that is configured on the host."""
    if target.get("address"):
        return [target]
    found = [{**target, "address": _address(settings["listen"])} for settings in probe.pools()]
    if not found:
        raise Unmeasurable("no pool of php-fpm is configured on this host: name an address")
    return found


def _address(listen: str) -> str:
    """Where to reach what listens: a lone port, and ``*``, listen everywhere."""
    return f"127.0.0.1:{listen}" if listen.isdigit() else listen.replace("*:", "127.0.0.1:")


def measure(target: Target) -> t.Iterator[Check]:
    address, site = target["address"], target["name"]
    settings = probe.settings_of(address) or {}
    answers = True
    try:
        answer = probe.ping(
            address, target["ping_path"] or settings.get("ping.path") or "/ping", target["answer_within"]
        )
        summary = f"a worker answers in {answer.seconds * 1000:.0f} ms"
        yield Check.expect("phpfpm.ping", site, True, summary, milliseconds=round(answer.seconds * 1000, 1))
    except Silent as exc:
        answers = False
        yield Check.expect("phpfpm.ping", site, False, str(exc))
    page, problem = _status(target, settings, answers)
    yield _queue(target, page)
    if page is None:
        blocked = {} if answers else {"blocked_by": "phpfpm.ping"}
        ids = ("phpfpm.workers", "phpfpm.max_children", "phpfpm.slow_requests")
        yield Check.unknown(ids[0], site, problem) if answers else Check.skipped(ids[0], site, problem, **blocked)
        for check_id in ids[1:]:
            yield Check.skipped(check_id, site, problem, **(blocked or {"blocked_by": ids[0]}))
    else:
        yield _workers(target, settings, page)
        yield from _counters(target, settings, page)
    yield _opcache(target, answers)


def _status(target: Target, settings: Settings, answers: bool) -> tuple[dict[str, t.Any] | None, str]:
    """The status page, or why there is none. Where it has an address of its own, it answers when no worker does."""
    own = target["status_address"] or settings.get("pm.status_listen")
    if not own and not answers:
        return None, "not measured, see phpfpm.ping: no worker is free to give the status page"
    path = target["status_path"] or settings.get("pm.status_path")
    if settings and not path:
        return None, "the pool has no status page: set pm.status_path"
    try:
        return probe.status(_address(own) if own else target["address"], path or "/status", target["answer_within"]), ""
    except Unmeasurable as exc:
        return None, str(exc)


def _queue(target: Target, page: dict[str, t.Any] | None) -> Check:
    try:
        waiting = probe.queue(target["address"], target["answer_within"])
    except Unmeasurable as exc:
        waiting, reason = None, str(exc)
    else:
        reason = "no socket of this host listens there"
    if waiting is None and page and page.get("listen queue len"):
        waiting = page.get("listen queue")
    if waiting is None:
        return Check.unknown("phpfpm.listen_queue", target["name"], f"how many requests wait cannot be told: {reason}")
    return Check.judge(
        "phpfpm.listen_queue", target["name"], waiting, target["listen_queue"], f"{waiting} requests wait for a worker"
    )


def _workers(target: Target, settings: Settings, page: dict[str, t.Any]) -> Check:
    most, active = settings.get("pm.max_children", ""), page["active processes"]
    if not most.isdigit() or not int(most):
        reason = f"{active} workers are active, out of how many cannot be told: the settings of the pool are not on this host"
        return Check.unknown("phpfpm.workers", target["name"], reason)
    # Where the status page has no address of its own, the request for it keeps a worker busy as well.
    busy = active if target["status_address"] or settings.get("pm.status_listen") else max(0, active - 1)
    return Check.judge(
        "phpfpm.workers",
        target["name"],
        round(100 * busy / int(most), 1),
        target["workers"],
        f"{busy} of at most {most} workers are busy",
        active=active,
        total=page.get("total processes"),
        most_at_once=page.get("max active processes"),
    )


def _counters(target: Target, settings: Settings, page: dict[str, t.Any]) -> t.Iterator[Check]:
    """Count since the last check, or since the start of php-fpm: a counter that never goes back would stay red."""
    kept = memory.Memory(memory.directory(target["state_directory"]), f"phpfpm-{target['name']}", target["address"])
    kept.load()
    before = kept.content or {}
    known = before.get("start") == page["start time"]
    if target["afterwards"]:
        seen = {"reached": page["max children reached"], "slow": page["slow requests"]}
        now = page["start time"] + int(page.get("start since", 0))
        target["afterwards"](lambda: kept.keep({"at": now, "start": page["start time"], **seen}))
    since = "since the last check" if known else "since php-fpm was started"
    reached = page["max children reached"] - (before["reached"] if known else 0)
    yield Check.judge(
        "phpfpm.max_children",
        target["name"],
        reached,
        target["max_children"],
        f"the pool ran out of workers {reached} times {since}",
        max_children=settings.get("pm.max_children"),
    )
    slow = page["slow requests"] - (before["slow"] if known else 0)
    yield _slow(target, settings, slow, f"{slow} requests were slow {since}")


def _slow(target: Target, settings: Settings, slow: int, summary: str) -> Check:
    limited: Limits = target["slow_requests"]
    if not limited:
        return Check.skipped("phpfpm.slow_requests", target["name"], "not asked for: slow_requests has no limit")
    slower_than = settings.get("request_slowlog_timeout", "0")
    if not slow and not re.search(r"[1-9]", slower_than):
        where = "is off" if settings else "cannot be seen, the settings of the pool are not on this host"
        reason = f"nobody counts slow requests: request_slowlog_timeout {where}"
        return Check.unknown("phpfpm.slow_requests", target["name"], reason)
    log = settings.get("slowlog")
    return Check.judge("phpfpm.slow_requests", target["name"], slow, limited, summary, slower_than=slower_than, log=log)


def _opcache(target: Target, answers: bool) -> Check:
    check_id, site = "phpfpm.opcache", target["name"]
    if not target["opcache_script"]:
        return Check.skipped(check_id, site, "not asked for: opcache_script names no script")
    if not answers:
        return Check.skipped(check_id, site, "not measured, see phpfpm.ping", blocked_by="phpfpm.ping")
    try:
        told = probe.opcache(target["address"], target["opcache_script"], target["answer_within"])
    except Unmeasurable as exc:
        return Check.unknown(check_id, site, str(exc))
    if told is None:
        return Check.judge(check_id, site, 0, target["opcache"], "the opcode cache is off")
    counted = told["opcache_statistics"]
    hits, misses, scripts = (counted.get(key) for key in ("hits", "misses", "num_cached_scripts"))
    if not all(isinstance(value, int) for value in (hits, misses, scripts)):
        return Check.unknown(check_id, site, "the opcode cache does not say how often it was hit")
    if hits + misses < FEW:
        return Check.skipped(check_id, site, f"only {hits + misses} lookups since the cache was started say nothing")
    # Each script that is in the cache had to be compiled once: that it was is no fault of the cache.
    again = max(0, misses - scripts)
    rate = round(100 * hits / (hits + again), 2) if hits + again else 0
    return Check.judge(
        check_id,
        site,
        rate,
        target["opcache"],
        f"{rate:.1f} % of {hits + misses} lookups hit the opcode cache, not counting the first of each script",
        scripts=scripts,
        compiled_again=again,
        full=told.get("cache_full"),
        free_bytes=told.get("memory_usage", {}).get("free_memory"),
        restarts_for_memory=counted.get("oom_restarts"),
    )
