# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""system: the real kernel of this machine, and small trees for the hosts that it is not."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import system as probe
from ansible_collections.sre.runbooks.tests.unit.proc import TICKS, process, write

MIB = 1024**2
V1 = "4:memory:{path}\n3:cpuset:/\n0::/\n"
V2 = "0::{path}\n"
MOUNT_V1 = "35 31 0:32 {mounted} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
MOUNT_V2 = "31 23 0:28 {mounted} /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
UNLIMITED_V1 = 9223372036854771712


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host with 1000 MiB of memory, 400 of them available, whose first process is in the root control group."""
    process(tmp_path, 1, "systemd", started=0)
    meminfo = f"MemTotal: {1000 * 1024} kB\nMemFree: 1 kB\nMemAvailable: {400 * 1024} kB\n"
    write(
        tmp_path,
        meminfo=f"{meminfo}SwapTotal: {100 * 1024} kB\nSwapFree: {75 * 1024} kB\nHugePages_Total: 0\n",
        uptime="7200.50 1.00\n",
        loadavg="0.50 1.25 2.00 1/234 5678\n",
        stat="cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nintr 1\n",
    )
    return write(
        tmp_path, **{"1__cgroup": V2.format(path="/init.scope"), "self__mountinfo": MOUNT_V2.format(mounted="/")}
    )


def group(host: Path, directory: str, **files: object) -> None:
    path = host / "sys/fs/cgroup" / directory
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(f"{text}\n")


def limited(host: Path, directory: str, limit: object, usage: int, cache: int = 0) -> None:
    """A control group of version 2, in MiB."""
    limit = limit * MIB if isinstance(limit, int) else limit
    stat = f"anon 1\ninactive_file {cache * MIB}"
    group(host, directory, memory__max=limit, memory__current=usage * MIB, memory__stat=stat)


def after(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Do something while the probe sleeps, instead of sleeping."""
    monkeypatch.setattr(probe.time, "sleep", lambda _seconds: act())


# CPU


def test_all_but_idle_is_busy_and_steal_is_told(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after(monkeypatch, lambda: write(host, stat="cpu  20 10 10 40 5 0 5 10 999 999\n"))
    cpu = probe.cpu(1.0, str(host))
    assert cpu.busy == pytest.approx(60, abs=1)
    assert (cpu.shares["steal"], cpu.shares["iowait"], cpu.shares["idle"]) == (10, 5, 40)


def test_the_work_of_the_check_itself_is_not_held_against_the_host(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter((1.0, 1.5))
    monkeypatch.setattr(probe.time, "process_time", lambda: next(spent))
    after(monkeypatch, lambda: write(host, stat=f"cpu  {TICKS} 0 0 {TICKS} 0 0 0 0 0 0\n"))
    cpu = probe.cpu(1.0, str(host))
    assert (cpu.busy, cpu.own) == (25, 25)


def test_waiting_for_disks_that_runs_backwards_is_none(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(host, stat="cpu  0 0 0 0 50 0 0 0 0 0\n")
    after(monkeypatch, lambda: write(host, stat="cpu  0 0 0 100 40 0 0 0 0 0\n"))
    assert probe.cpu(1.0, str(host)).busy == 0


def test_who_used_the_cpus_is_told_by_name_only(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process(host, 7, "php", "php", "--password=hunter2", cpu=1)

    def work() -> None:
        write(host, stat="cpu  100 0 0 100 0 0 0 0 0 0\n")
        process(host, 7, "php", "php", "--password=hunter2", cpu=3)

    after(monkeypatch, work)
    assert probe.cpu(4.0, str(host)).top == [{"pid": 7, "name": "php", "percent_of_a_core": 50.0}]


@pytest.mark.parametrize("stat", ["", "cpu  1 2 3 4\n", "intr 1 2 3 4 5 6 7 8 9 10\n"])
def test_a_stat_that_is_not_of_linux_is_unmeasurable(host: Path, stat: str) -> None:
    write(host, stat=stat)
    with pytest.raises(Unmeasurable, match="no line for the CPUs"):
        probe.cpu(0.01, str(host))


def test_cpus_that_stand_still_are_unmeasurable_not_idle(host: Path) -> None:
    with pytest.raises(Unmeasurable, match="stood still"):
        probe.cpu(0.01, str(host))


def test_the_real_cpus_are_measured() -> None:
    cpu = probe.cpu(0.2)
    assert 0 <= cpu.busy <= 100
    assert sum(cpu.shares.values()) == pytest.approx(100, abs=1)


# Memory


def test_memory_is_used_when_the_kernel_cannot_give_it_away(host: Path) -> None:
    assert probe.memory(str(host)) == [probe.Pool("the host", 600 * MIB, 1000 * MIB)]


@pytest.mark.parametrize("meminfo", ["", "MemTotal: 1000 kB\nMemFree: 10 kB\n", "MemTotal: 0 kB\nMemAvailable: 0 kB\n"])
def test_a_kernel_that_does_not_tell_what_is_available_is_unmeasurable(host: Path, meminfo: str) -> None:
    write(host, meminfo=meminfo)
    with pytest.raises(Unmeasurable, match="available"):
        probe.memory(str(host))


def test_the_limit_of_a_container_counts_without_its_idle_cache(host: Path) -> None:
    limited(host, "", 100, 95, cache=20)
    assert probe.memory(str(host))[1:] == [probe.Pool("control group /", 75 * MIB, 100 * MIB)]


def test_every_limit_above_the_first_process_counts(host: Path) -> None:
    write(host, **{"1__cgroup": V2.format(path="/kubepods/pod1/app")})
    limited(host, "kubepods/pod1/app", "max", 50)
    limited(host, "kubepods/pod1", 200, 50)
    limited(host, "kubepods", 800, 700)
    assert [(pool.name, pool.used // MIB, pool.total // MIB) for pool in probe.memory(str(host))[1:]] == [
        ("control group /kubepods/pod1", 50, 200),
        ("control group /kubepods", 700, 800),
    ]


def test_a_limit_beyond_the_memory_of_the_host_is_none(host: Path) -> None:
    limited(host, "", 4000, 100)
    assert len(probe.memory(str(host))) == 1


@pytest.mark.parametrize("hybrid", [False, True])
def test_version_1_and_the_hybrid_of_both_are_read(host: Path, hybrid: bool) -> None:
    path = "/libpod_parent/libpod-2e1c"  # the group as the host calls it, mounted as the root of the container
    mounts = (UNIFIED if hybrid else "") + MOUNT_V1.format(mounted=path)
    write(host, **{"1__cgroup": V1.format(path=path + "/init.scope"), "self__mountinfo": mounts})
    stat = f"inactive_file 1\ntotal_inactive_file {10 * MIB}"
    files = {"memory__usage_in_bytes": 60 * MIB, "memory__stat": stat}
    group(host, "memory", memory__limit_in_bytes=100 * MIB, **files)
    group(host, "memory/init.scope", memory__limit_in_bytes=UNLIMITED_V1, **files)
    assert probe.memory(str(host))[1:] == [probe.Pool("control group /", 50 * MIB, 100 * MIB)]


def test_a_first_process_outside_of_what_is_mounted_has_the_limit_of_the_mount(host: Path) -> None:
    write(host, **{"1__cgroup": V2.format(path="/../..")})
    limited(host, "", 100, 50)
    assert [pool.name for pool in probe.memory(str(host))[1:]] == ["control group /"]


def test_a_control_group_with_a_limit_and_no_usage_is_unmeasurable(host: Path) -> None:
    group(host, "", memory__max=100 * MIB)
    with pytest.raises(Unmeasurable, match=r"memory\.current"):
        probe.memory(str(host))
    group(host, "", memory__current="many", memory__stat="")
    with pytest.raises(Unmeasurable, match="numbers of a control group"):
        probe.memory(str(host))


def test_swap_is_measured_and_none_is_none(host: Path) -> None:
    assert probe.swap(str(host)) == probe.Pool("swap", 25 * MIB, 100 * MIB)
    write(host, meminfo="SwapTotal: 0 kB\nSwapFree: 0 kB\n")
    assert probe.swap(str(host)) is None
    write(host, meminfo="MemTotal: 1 kB\n")
    with pytest.raises(Unmeasurable, match="swap"):
        probe.swap(str(host))


def test_the_largest_processes_come_first(host: Path) -> None:
    process(process(host, 7, "small", mib=10), 8, "large", mib=30)
    assert probe.largest(str(host))[:2] == [
        {"pid": 8, "name": "large", "rss_mib": 30},
        {"pid": 7, "name": "small", "rss_mib": 10},
    ]


# Load, pressure, boot and clock


def test_the_load_and_the_cores_are_read(host: Path) -> None:
    assert probe.load(str(host)) == (0.5, 1.25, 2.0)
    assert probe.cores(str(host)) == 2
    write(host, loadavg="none\n", stat="intr 1\n")
    with pytest.raises(Unmeasurable, match="three load averages"):
        probe.load(str(host))
    with pytest.raises(Unmeasurable, match="no CPU"):
        probe.cores(str(host))


def test_pressure_is_read_by_line_and_span(host: Path) -> None:
    text = "some avg10=1.50 avg60=2.25 avg300=0.10 total=12345\nfull avg10=0.00 avg60=1.00 avg300=0.00 total=99\n"
    write(host, pressure__io=text)
    pressure = probe.pressure("io", str(host))
    assert pressure
    assert (pressure["some"]["avg60"], pressure["full"]["avg60"]) == (2.25, 1.0)


def test_a_kernel_without_an_account_of_pressure_has_none(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe.pressure("io", str(host)) is None

    def switched_off(*_args: object, **_more: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("builtins.open", switched_off)  # booted with psi=0: the file is there and cannot be read
    assert probe.pressure("io", str(host)) is None


@pytest.mark.parametrize("text", ["some avg60\n", "some avg60=much\n", "\n"])
def test_an_account_of_pressure_that_cannot_be_read_is_unmeasurable(host: Path, text: str) -> None:
    write(host, pressure__io=text)
    with pytest.raises(Unmeasurable, match="as Linux writes it"):
        probe.pressure("io", str(host))


def test_a_container_is_up_since_its_first_process(host: Path) -> None:
    assert probe.up(str(host)) == 7200.5
    process(host, 1, "app", started=7000)
    assert probe.up(str(host)) == 200.5


def test_the_real_host_is_up() -> None:
    assert 0 < probe.up() <= time.clock_gettime(time.CLOCK_BOOTTIME) + 1


def test_the_real_clock_has_a_bound() -> None:
    clock = probe.clock()
    assert 0 < clock.bound <= 16
    assert clock.synchronised == (clock.bound < 16)


@pytest.mark.parametrize("answer", [-1, AttributeError("adjtimex")])
def test_a_kernel_that_does_not_tell_about_the_clock_is_unmeasurable(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    class Libc:
        def adjtimex(self, _timex: object) -> int:
            if isinstance(answer, Exception):
                raise answer
            return int(answer)

    monkeypatch.setattr(probe.ctypes, "CDLL", lambda *_args, **_more: Libc())
    with pytest.raises(Unmeasurable, match="clock"):
        probe.clock()
