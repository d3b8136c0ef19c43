# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about a host as a whole, from the Linux kernel: CPU, memory, load, pressure, boot and clock.

``root`` is where the host's file system is seen; tests give a small tree of their own.
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import os
import re
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import processes as probe

TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of /proc/stat; the guest times after them are part of user and nice."""

UNSYNCHRONISED = 16.0
"""The kernel raises its bound of the clock's error by 500 ppm until somebody steers the clock, up to this many seconds."""

CLOCK_DAEMONS = ("chronyd", "systemd-timesyn", "ntpd", "ntpsec", "openntpd", "ptp4l", "phc2sys", "timemaster")


def read(path: str) -> str:
    """The text of a file of the kernel. Raises :class:`Unmeasurable`."""
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror}") from exc


@dataclasses.dataclass(frozen=True)
class Cpu:
    """Shares of all CPU time in percent, by column of /proc/stat and in sum; ``own`` is what this check itself used.

    ``top`` are the processes that used most, each with its percentage of one core.
    """

    busy: float
    own: float
    shares: dict[str, float]
    top: list[dict[str, t.Any]]


def cpu(interval: float, root: str = "/") -> Cpu:
    """What the CPUs did during the coming ``interval`` (seconds). The work of this process is not held against the host."""
    before, own, spent = _cpu_times(root), time.process_time(), _spent(root)
    time.sleep(interval)
    after, own, spent_after = _cpu_times(root), time.process_time() - own, _spent(root)
    ticks = {name: max(0, after[name] - before[name]) for name in TIMES}  # iowait may run backwards
    total = sum(ticks.values())
    if not total:
        raise Unmeasurable(f"{root.rstrip('/')}/proc/stat stood still for {interval:g} s")
    shares = {name: 100 * ticks[name] / total for name in TIMES}
    own = min(100 * own * probe.TICKS / total, 100 - shares["idle"])
    used = {key: seconds - spent.get(key, 0.0) for key, seconds in spent_after.items()}
    return Cpu(
        busy=100 - shares["idle"] - own,
        own=own,
        shares={name: round(share, 1) for name, share in shares.items()},
        top=[
            {"pid": pid, "name": name, "percent_of_a_core": round(100 * used[pid, name] / interval, 1)}
            for pid, name in sorted(used, key=used.__getitem__, reverse=True)[:5]
            if used[pid, name] > 0
        ],
    )


def _cpu_times(root: str) -> dict[str, int]:
    path = os.path.join(root, "proc/stat")
    columns = read(path).partition("\n")[0].split()
    if columns[:1] != ["cpu"] or len(columns) <= len(TIMES):
        raise Unmeasurable(f"{path} has no line for the CPUs as Linux writes it")
    return dict(zip(TIMES, map(int, columns[1:])))


def _spent(root: str) -> dict[tuple[int, str], float]:
    """CPU seconds of every other process; evidence only, so that none is fine."""
    try:
        return {(one.pid, one.name): one.cpu for one in probe.processes(root) if one.pid != os.getpid()}
    except Unmeasurable:
        return {}


def cores(root: str = "/") -> int:
    """How many CPUs are on line."""
    count = len(re.findall(r"^cpu\d+ ", read(os.path.join(root, "proc/stat")), re.MULTILINE))
    if not count:
        raise Unmeasurable("/proc/stat names no CPU")
    return count


def load(root: str = "/") -> tuple[float, float, float]:
    """The load averages over 1, 5 and 15 minutes."""
    path = os.path.join(root, "proc/loadavg")
    try:
        one, five, fifteen = map(float, read(path).split()[:3])
    except ValueError:
        raise Unmeasurable(f"{path} does not hold three load averages") from None
    return one, five, fifteen


@dataclasses.dataclass(frozen=True)
class Pool:
    """Memory with an end, in bytes. ``name`` says whose: the host's, or that of a control group with a limit."""

    name: str
    used: int
    total: int


def meminfo(root: str = "/") -> dict[str, int]:
    """/proc/meminfo in bytes."""
    rows = re.findall(r"^(\S+):\s+(\d+) kB$", read(os.path.join(root, "proc/meminfo")), re.MULTILINE)
    return {name: int(size) * 1024 for name, size in rows}


def memory(root: str = "/") -> list[Pool]:
    """The memory of the host, by what the kernel could still give out, and of every control group that limits us all."""
    info = meminfo(root)
    if not info.get("MemTotal") or "MemAvailable" not in info:
        raise Unmeasurable("/proc/meminfo does not say how much memory is available")
    host = Pool("the host", info["MemTotal"] - info["MemAvailable"], info["MemTotal"])
    return [host, *(pool for pool in _limited_groups(root) if pool.total < host.total)]


def largest(root: str = "/") -> list[dict[str, t.Any]]:
    """The processes that hold most memory; evidence only, so that none is fine."""
    try:
        every = sorted(probe.processes(root), key=lambda one: one.rss, reverse=True)
    except Unmeasurable:
        return []
    return [{"pid": one.pid, "name": one.name, "rss_mib": one.rss // 1024**2} for one in every[:5]]


def swap(root: str = "/") -> Pool | None:
    """The swap space; None where there is none."""
    info = meminfo(root)
    if "SwapTotal" not in info or "SwapFree" not in info:
        raise Unmeasurable("/proc/meminfo does not tell about swap space")
    return Pool("swap", info["SwapTotal"] - info["SwapFree"], info["SwapTotal"]) if info["SwapTotal"] else None


@dataclasses.dataclass(frozen=True)
class _Version:
    """How a version of control groups names its files."""

    limit: str
    usage: str
    reclaimable: str


_V1 = _Version("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Version("memory.max", "memory.current", "inactive_file")


def _limited_groups(root: str) -> t.Iterator[Pool]:
    """Control groups with a memory limit, from that of the first process up: what it is in binds the whole host or container."""
    for line in read(os.path.join(root, "proc/1/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        version = _V1 if "memory" in controllers.split(",") else None if controllers else _V2
        mount = version and _group_mount(root, version)
        if not version or not mount:
            continue
        mounted, point = mount
        inside = (
            path[len(mounted.rstrip("/")) :] if path == mounted or path.startswith(mounted.rstrip("/") + "/") else "/"
        )
        parts = [part for part in inside.split("/") if part] if "/.." not in inside else []
        for depth in range(len(parts), -1, -1):
            group = "/" + "/".join(parts[:depth])
            pool = _group(os.path.join(root, point.lstrip("/"), group.lstrip("/")), group, version)
            if pool:
                yield pool


def _group_mount(root: str, version: _Version) -> tuple[str, str] | None:
    """Which part of the hierarchy is mounted, and where."""
    for line in read(os.path.join(root, "proc/self/mountinfo")).splitlines():
        left, right = line.split(" - ", 1)
        fs_type, _, options = right.split(" ", 2)
        if fs_type == "cgroup2" if version is _V2 else fs_type == "cgroup" and "memory" in options.split(","):
            return left.split(" ")[3], left.split(" ")[4]
    return None


def _group(directory: str, name: str, version: _Version) -> Pool | None:
    limit = os.path.join(directory, version.limit)
    if not os.path.exists(limit):
        return None  # the root of a hierarchy, or one without this controller
    text = read(limit).strip()
    if text == "max":
        return None
    try:
        used = int(read(os.path.join(directory, version.usage)))
        stat = dict(line.split(" ", 1) for line in read(os.path.join(directory, "memory.stat")).splitlines())
        # page cache that nobody used lately is given back before anybody is killed
        return Pool(f"control group {name}", max(0, used - int(stat.get(version.reclaimable, 0))), int(text))
    except ValueError:
        raise Unmeasurable(f"{directory} does not hold the numbers of a control group") from None


def pressure(resource: str, root: str = "/") -> dict[str, dict[str, float]] | None:
    """How much of the time tasks waited for ``cpu``, ``memory`` or ``io``: ``some`` or ``full`` → ``avg10`` … → percent.

    None where the kernel does not keep account of it.
    """
    path = os.path.join(root, "proc/pressure", resource)
    try:
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENOSYS):
            return None
        raise Unmeasurable(f"{path}: {exc.strerror}") from exc
    try:
        rows = [line.split() for line in lines]
        return {row[0]: {key: float(value) for key, value in (pair.split("=") for pair in row[1:])} for row in rows}
    except (ValueError, IndexError):
        raise Unmeasurable(f"{path} is not written as Linux writes it") from None


def up(root: str = "/") -> float:
    """Seconds since the first process started: the boot of a host, the start of a container."""
    first = next((one for one in probe.processes(root) if one.pid == 1), None)
    return probe.uptime(root) - (first.started if first else 0.0)


@dataclasses.dataclass(frozen=True)
class Clock:
    """``bound`` is how far off the clock may be at most, in seconds, as far as the kernel knows."""

    bound: float
    synchronised: bool
    daemons: list[str]


class _Timex(ctypes.Structure):
    """The beginning of the kernel's struct timex, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("maximum_error", ctypes.c_long),
        ("rest", ctypes.c_long * 64),
    )


def clock(root: str = "/") -> Clock:
    """How well the clock is steered, whoever does it: every time daemon tells the kernel.

    Not by the kernel's flag: chronyd leaves that alone when it is not to set the hardware clock.
    """
    timex = _Timex()
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        answer = libc.adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError) as exc:
        raise Unmeasurable(f"the kernel cannot be asked about the clock: {exc}") from exc
    if answer < 0:
        reason = os.strerror(ctypes.get_errno())
        raise Unmeasurable(f"the kernel does not tell how well the clock is steered: {reason}")
    bound = timex.maximum_error / 1e6
    try:
        daemons = sorted({one.name for one in probe.processes(root) if one.name in CLOCK_DAEMONS})
    except Unmeasurable:
        daemons = []
    return Clock(bound, bound < UNSYNCHRONISED, daemons)
