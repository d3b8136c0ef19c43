# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A host as a whole: CPU, memory, load, pressure, its last boot and its clock."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import system as probe
from ansible_collections.sre.runbooks.plugins.module_utils._words import span

CHECKS = {
    "system.cpu": "The CPUs have time to spare.",
    "system.steal": "The hypervisor gives the host the CPU time it asks for.",
    "system.memory": "Memory is available.",
    "system.swap": "Swap space is left.",
    "system.load": "No more work is queued than the cores can do.",
    "system.pressure_cpu": "Work does not wait for a CPU.",
    "system.pressure_memory": "Work does not stand still for want of memory.",
    "system.pressure_io": "Work does not stand still for want of a disk.",
    "system.reboot": "The host has not restarted lately.",
    "system.clock": "The clock is synchronised.",
}
TARGET: dict[str, t.Any] = {}
TUNING: dict[str, t.Any] = {
    "interval": {"type": "float", "default": 0.5},
    "cpu": limits(80, 95, unit="%"),
    "steal": limits(10, 25, unit="%"),
    "memory": limits(85, 95, unit="%"),
    "swap": limits(80, 95, unit="%"),
    "load": limits(2, 5, unit="per core", possible=(0, 1e6)),
    "pressure_cpu": limits(60, 90, unit="%"),
    "pressure_memory": limits(10, 30, unit="%"),
    "pressure_io": limits(40, 80, unit="%"),
    "reboot": limits(60, unit="min", worse="lower", possible=(0, 1e9)),
    "clock": limits(5, unit="s", possible=(0, 16)),
}
DEFAULT_TARGETS: list[dict[str, t.Any]] = [{}]
MIB = 1024**2

Look = t.Callable[[t.Dict[str, t.Any]], t.Iterator[Check]]


def name(_target: t.Mapping[str, t.Any]) -> str:
    return "host"


def validate(target: t.Mapping[str, t.Any]) -> None:
    if not 0 < target["interval"] < target["timeout"]:
        raise BadOption(f"interval: {target['interval']:g} s is not between 0 and the timeout, {target['timeout']:g} s")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    for ids, look in LOOKS.items():
        yield from _alone(ids, look, target)


def _alone(ids: tuple[str, ...], look: Look, target: dict[str, t.Any]) -> t.Iterator[Check]:
    """What cannot be measured leaves the rest alone: each look at the host stands for itself."""
    try:
        yield from look(target)
    except Unmeasurable as exc:
        for check_id in ids:
            yield Check.unknown(check_id, target["name"], str(exc))


def _cpu(target: dict[str, t.Any]) -> t.Iterator[Check]:
    cpu = probe.cpu(target["interval"])
    yield Check.judge(
        "system.cpu",
        target["name"],
        cpu.busy,
        target["cpu"],
        f"the CPUs were busy for {cpu.busy:.1f} % of {target['interval']:g} s",
        shares=cpu.shares,
        this_check=round(cpu.own, 1),
        top=cpu.top,
    )
    steal = cpu.shares["steal"]
    yield Check.judge(
        "system.steal",
        target["name"],
        steal,
        target["steal"],
        f"the hypervisor withheld {steal:.1f} % of the CPU time",
    )


def _memory(target: dict[str, t.Any]) -> t.Iterator[Check]:
    pools = probe.memory()
    tightest = max(pools, key=lambda pool: pool.used / pool.total)
    share = 100 * tightest.used / tightest.total
    yield Check.judge(
        "system.memory",
        target["name"],
        share,
        target["memory"],
        f"{share:.1f} % of the memory of {tightest.name} is used, {_mib(tightest.total - tightest.used)} are available",
        pools={pool.name: {"used_mib": pool.used // MIB, "total_mib": pool.total // MIB} for pool in pools},
        top=probe.largest(),
    )


def _swap(target: dict[str, t.Any]) -> t.Iterator[Check]:
    swap = probe.swap()
    if swap is None:
        yield Check.skipped("system.swap", target["name"], "the host has no swap space")
        return
    share = 100 * swap.used / swap.total
    yield Check.judge(
        "system.swap",
        target["name"],
        share,
        target["swap"],
        f"{share:.1f} % of the swap space is used, {_mib(swap.total - swap.used)} are left",
        total_mib=swap.total // MIB,
    )


def _load(target: dict[str, t.Any]) -> t.Iterator[Check]:
    cores, (one, five, fifteen) = probe.cores(), probe.load()
    yield Check.judge(
        "system.load",
        target["name"],
        five / cores,
        target["load"],
        f"the load of the last 5 minutes is {five / cores:.2f} per core",
        averages={"1 min": one, "5 min": five, "15 min": fifteen},
        cores=cores,
    )


def _pressure(resource: str, kind: str, waited: str) -> Look:
    """Judge the pressure on one resource by its last minute; ``kind`` is ``some`` or ``full``."""

    def look(target: dict[str, t.Any]) -> t.Iterator[Check]:
        check_id = f"system.pressure_{resource}"
        pressure = probe.pressure(resource)
        if pressure is None:
            reason = "the kernel keeps no account of pressure (PSI): older than 4.20, or switched off"
            yield Check.skipped(check_id, target["name"], reason)
            return
        if "avg60" not in pressure.get(kind, {}):
            raise Unmeasurable(f"the kernel's account of pressure on {resource} has no {kind} avg60")
        share = pressure[kind]["avg60"]
        summary = f"{waited} for {share:.1f} % of the last minute"
        yield Check.judge(check_id, target["name"], share, target[f"pressure_{resource}"], summary, **pressure)

    return look


def _reboot(target: dict[str, t.Any]) -> t.Iterator[Check]:
    seconds = probe.up()
    yield Check.judge("system.reboot", target["name"], seconds / 60, target["reboot"], f"up for {span(seconds)}")


def _clock(target: dict[str, t.Any]) -> t.Iterator[Check]:
    clock = probe.clock()
    yield Check.judge(
        "system.clock",
        target["name"],
        clock.bound,
        target["clock"],
        f"the clock is right to within {clock.bound:.3f} s"
        if clock.synchronised
        else "the clock is not synchronised: nobody has steered it for hours, or since the boot",
        daemons=clock.daemons,
    )


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB"


LOOKS: dict[tuple[str, ...], Look] = {
    ("system.cpu", "system.steal"): _cpu,
    ("system.memory",): _memory,
    ("system.swap",): _swap,
    ("system.load",): _load,
    ("system.pressure_cpu",): _pressure("cpu", "some", "some task waited for a CPU"),
    ("system.pressure_memory",): _pressure("memory", "full", "all work stood still for want of memory"),
    ("system.pressure_io",): _pressure("io", "full", "all work stood still for want of a disk"),
    ("system.reboot",): _reboot,
    ("system.clock",): _clock,
}
