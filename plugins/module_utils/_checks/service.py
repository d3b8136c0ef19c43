# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Services under systemd that must run, come back after a boot, not keep restarting, and answer."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    STATUSES,
    BadOption,
    Check,
    Unmeasurable,
    limits,
)
from ansible_collections.sre.runbooks.plugins.module_utils._probe import services as probe
from ansible_collections.sre.runbooks.plugins.module_utils._words import span

CHECKS = {
    "service.answers": "The service takes connections.",
    "service.active": "The service does its work.",
    "service.enabled": "The service comes back after a boot.",
    "service.restarts": "The service does not keep restarting.",
}
TARGET: dict[str, t.Any] = {
    "unit": {"type": "str", "required": True},
    "port": {"type": "int"},
    "address": {"type": "str", "default": "localhost"},
    "socket": {"type": "path"},
}
TUNING: dict[str, t.Any] = {
    "enabled": {"type": "bool", "default": True},
    "restarts": limits(0, 5, unit="restarts", possible=(0, 1e9)),
    "window": {"type": "float", "default": 24.0},
    "patience": {"type": "float", "default": 5.0},
}
RULES = {"mutually_exclusive": [("port", "socket")]}

COMES_BACK = ("enabled", "static", "alias", "generated", "indirect", "transient", "linked")
"""States of unit files that need no enabling, or have it."""


def validate(target: t.Mapping[str, t.Any]) -> None:
    if not all(target["unit"].split("|")):
        raise BadOption(f"unit: {target['unit']!r} holds an empty name")
    if target["port"] is not None and not 0 < target["port"] < 65536:
        raise BadOption(f"port: {target['port']} is not between 1 and 65535")
    for option in ("window", "patience"):
        if not target[option] > 0:
            raise BadOption(f"{option}: {target[option]:g} is not more than 0")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    yield _answers(target)  # first, because it needs no systemd
    found = probe.find(target["unit"].split("|"), target["timeout"])
    installed = [unit for unit in found if unit.load != "not-found"]
    if not installed:
        yield Check.expect("service.active", target["name"], False, f"there is no unit {target['unit']}")
        for other in ("service.enabled", "service.restarts"):
            yield Check.skipped(other, target["name"], "there is no such unit", blocked_by="service.active")
        return
    wanted = _wanted(installed)
    names = {name for unit in wanted for name in (*unit.triggers, *unit.triggered_by)}
    related = {unit.id: unit for unit in probe.show(sorted(names), target["timeout"])}
    yield _active(target, wanted, related)
    yield _enabled(target, wanted, related)
    try:
        yield _restarts(target, [unit for unit in wanted if unit.kind == "service"])
    except Unmeasurable as exc:
        yield Check.unknown("service.restarts", target["name"], str(exc))


def _wanted(installed: list[probe.Unit]) -> list[probe.Unit]:
    """Of several units behind one alias those that are meant to run; a version left behind and switched off is not."""
    meant = [unit for unit in installed if unit.active != "inactive" or unit.file_state in ("enabled", "generated")]
    return meant or installed


def _answers(target: dict[str, t.Any]) -> Check:
    where = target["socket"] or (target["port"] and f"{target['address']}:{target['port']}")
    if not where:
        return Check.skipped("service.answers", target["name"], "not asked for: neither port nor socket is given")
    paths = probe.sockets(where) if target["socket"] else [None]
    if not paths:
        return Check.expect("service.answers", target["name"], False, f"there is no socket {where}")
    for path in paths:
        try:
            refusal = probe.refused_by(target["address"], target["port"], path, target["patience"])
        except Unmeasurable as exc:
            return Check.unknown("service.answers", target["name"], str(exc))
        if refusal:
            summary = f"{path or where} takes no connection: {refusal}"
            return Check.expect("service.answers", target["name"], False, summary)
    return Check.expect("service.answers", target["name"], True, f"{where} takes connections")


def _active(target: dict[str, t.Any], wanted: list[probe.Unit], related: dict[str, probe.Unit]) -> Check:
    status, summary = max((_state(unit, related) for unit in wanted), key=lambda state: STATUSES.index(state[0]))
    evidence = {unit.id: f"{unit.active} ({unit.sub})" for unit in wanted[:20]}
    if status == "unknown":
        return Check.unknown("service.active", target["name"], summary, units=evidence)
    return Check.expect("service.active", target["name"], status == "ok", summary, otherwise=status, units=evidence)


def _state(unit: probe.Unit, related: dict[str, probe.Unit]) -> tuple[str, str]:  # noqa: C901 - a table of states
    """What the state of a unit means: a status and the sentence for it."""
    for_long = f" for {span(unit.active_for)}" if unit.active_for is not None else ""
    gone = f" for {span(unit.inactive_for)}" if unit.inactive_for is not None else " since the boot"
    if unit.load != "loaded":
        return "critical", f"{unit.id} cannot be used: systemd calls it {unit.load}"
    if unit.active in ("active", "reloading", "refreshing"):
        if unit.kind == "service" and unit.sub == "exited" and unit.type != "oneshot":
            return "warning", f"{unit.id} counts as active, but none of its processes is left"
        if unit.kind == "timer":
            return _timer(unit, related)
        return "ok", f"{unit.id} is {unit.active} ({unit.sub}){for_long}"
    if unit.active == "activating":
        if unit.sub == "auto-restart":
            return "critical", f"{unit.id} ended with {unit.result} and is about to be restarted"
        if unit.type == "oneshot":
            return "ok", f"{unit.id} is at work"
        return "warning", f"{unit.id} is still starting ({unit.sub})"
    if unit.active == "failed":
        return "critical", f"{unit.id} ended with {unit.result}, exit status {unit.exit_status}"
    if unit.active == "deactivating":
        return "warning", f"{unit.id} is stopping ({unit.sub})"
    if unit.active != "inactive":
        return "unknown", f"{unit.id} is in a state that is not known here: {unit.active} ({unit.sub})"
    listening = [
        name
        for name in unit.triggered_by
        if name in related and name.endswith(".socket") and related[name].active == "active"
    ]
    if listening:
        return "ok", f"{unit.id} waits for a connection to {listening[0]}"
    if unit.type == "oneshot" and unit.inactive_for is not None and unit.result == "success":
        return "ok", f"{unit.id} ended well {span(unit.inactive_for)} ago"
    if unit.type == "oneshot" and unit.triggered_by:
        return "unknown", f"{unit.id} has not run since the boot; {unit.triggered_by[0]} starts it: name that one"
    return "critical", f"{unit.id} has not been running{gone}"


def _timer(unit: probe.Unit, related: dict[str, probe.Unit]) -> tuple[str, str]:
    for name in unit.triggers:
        job = related.get(name)
        if job is None or job.load != "loaded":
            return "critical", f"{unit.id} starts {name}, which cannot be loaded"
        if job.result != "success":
            return "critical", f"{unit.id} is active, but the last run of {name} ended with {job.result}"
    if unit.sub == "elapsed":
        return "warning", f"{unit.id} has no next run"
    return "ok", f"{unit.id} is active ({unit.sub})"


def _enabled(target: dict[str, t.Any], wanted: list[probe.Unit], related: dict[str, probe.Unit]) -> Check:
    if not target["enabled"]:
        return Check.skipped("service.enabled", target["name"], "not asked for: enabled is not set")
    states = {unit.id: unit.file_state or "without a unit file" for unit in wanted[:20]}
    for unit in wanted:
        started_by = [name for name in unit.triggered_by if name in related and related[name].file_state in COMES_BACK]
        if unit.file_state not in COMES_BACK and not started_by:
            summary = f"{unit.id} is {states.get(unit.id)}: it does not come back after a boot"
            return Check.expect("service.enabled", target["name"], False, summary, otherwise="warning", states=states)
    return Check.expect("service.enabled", target["name"], True, "comes back after a boot", states=states)


def _restarts(target: dict[str, t.Any], services: list[probe.Unit]) -> Check:
    """Restarts by systemd itself. A service active for the whole window had none; for a younger one the journal knows."""
    if not services:
        return Check.skipped("service.restarts", target["name"], "only services are restarted")
    window = 3600 * target["window"]
    detail = {"since_last_started_by_hand": {unit.id: unit.restarts for unit in services[:20]}}
    if all(unit.active == "active" and (unit.active_for or 0) > window for unit in services):
        counted = probe.Restarts(0, complete=True)
    else:
        counted = probe.restarts([unit.id for unit in services], window, target["timeout"])
    count = counted.count if counted.complete else max(counted.count, sum(unit.restarts or 0 for unit in services))
    check = Check.judge(
        "service.restarts",
        target["name"],
        count,
        target["restarts"],
        f"restarted by systemd {count} times in the last {target['window']:g} h",
        **detail,
    )
    if check.status == "ok" and not counted.complete:
        reason = f"restarted {count} times that are known of, but the journal does not cover {target['window']:g} h"
        return Check.unknown("service.restarts", target["name"], reason, **detail)
    return check
