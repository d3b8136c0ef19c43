# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading logs beside grep, on one file of 1 GB; and verdicts beside check_log of monitoring-plugins, case by case.

The file, a Laravel log of 30 days with 1 % errors, is made in a temporary directory and removed. Every round runs grep and
ours one after the other, the ratio is of the best rounds, so that what else the machine does touches both alike.
"""

from __future__ import annotations

import datetime as dt
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
import typing as t
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

os.environ.setdefault("ANSIBLE_CONFIG", str(Path(__file__).resolve().parents[2] / "ansible.cfg"))
init_plugin_loader()

from ansible_collections.sre.runbooks.plugins.module_utils._checks import log as kind
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import FORMATS
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Question, Tally
from ansible_collections.sre.runbooks.plugins.module_utils._log.times import Clock
from ansible_collections.sre.runbooks.plugins.module_utils._probe.logfile import Log
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

SIZE = int(os.environ.get("BENCH_LOG_BYTES", "1000000000"))
ROUNDS = 7
DAYS = 30
CHECK_LOG = "/usr/lib/nagios/plugins/check_log"

MESSAGES = (
    'GET /api/v1/calls/{0} 200 {{"ip":"10.0.7.{1}","duration_ms":{2},"user_agent":"Mozilla/5.0 (X11; Linux x86_64)"}}',
    'Processing webhook {{"company_id":{1},"event":"call_ended","call_id":"call_{0:032x}"}}',
    "App\\Jobs\\SyncAppointments finished in {2} ms",
    "User {0} logged in from 10.0.{1}.7",
    "Cache miss for key tenant:{1}:settings, loading from MySQL",
)
ERROR = (
    "SQLSTATE[HY000] [2002] Connection refused (Connection: mysql, SQL: select * from `users` where `id` = {0} limit 1)"
)


def record(number: int) -> str:
    if number % 100 == 0:
        return f"production.ERROR: {ERROR.format(number * 7919 % 99991)}\n"
    level = "WARNING" if number % 37 == 0 else "INFO"
    values = number * 7919 % 99991, number * 31 % 256, number * 17 % 900
    return f"production.{level}: {MESSAGES[number % 5].format(*values)}\n"


def make(path: Path, end: dt.datetime) -> None:
    records = [record(number) for number in range(20_000)]
    start, each_second = end - dt.timedelta(days=DAYS), SIZE / (DAYS * 86400)
    size = number = second = 0
    with open(path, "w", encoding="ascii") as file:
        while size < SIZE:
            stamp = (start + dt.timedelta(seconds=second)).strftime("[%Y-%m-%d %H:%M:%S] ")
            second += 1
            while size < each_second * second:
                size += file.write(stamp + records[number % 20_000])
                number += 1


def took(call: t.Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def grep(path: Path) -> int:
    done = subprocess.run(["grep", "-c", "ERROR", str(path)], stdout=subprocess.PIPE, timeout=600, check=True)
    return int(done.stdout)


def ours(path: Path, start: float, **question: t.Any) -> Tally:
    tally = Tally(Question(**question), FORMATS["laravel"], Clock(dt.UTC, time.time()), start)
    Log(str(path)).read_window(tally, start)
    return tally


def speed(folder: Path) -> None:
    path, end = folder / "app.log", dt.datetime.now(dt.UTC).replace(microsecond=0)
    make(path, end)
    last = end.timestamp() - DAYS * 86400 / 100
    whole = grep(path)
    cases: dict[str, t.Callable[[], object]] = {
        "grep -c ERROR": lambda: grep(path),
        "match: ERROR, whole file": lambda: ours(path, 0, match="ERROR"),
        "level: error, whole file": lambda: ours(path, 0, level="error"),
        "level: error, last 1 %": lambda: ours(path, last, level="error"),
        "the same, with its share": lambda: ours(path, last, level="error", records=True),
    }
    assert ours(path, 0, match="ERROR").matches == ours(path, 0, level="error").matches == whole
    assert abs(ours(path, last, level="error").matches - whole / 100) < whole / 1000
    times = {name: float("inf") for name in cases}
    for _round in range(ROUNDS):
        for name, call in cases.items():
            times[name] = min(times[name], took(call))
    base = times["grep -c ERROR"]
    print(f"{SIZE / 1e9:.2g} GB, {whole} errors, best of {ROUNDS} rounds")
    for name, seconds in times.items():
        print(f"  {name:28} {seconds * 1e3:9.1f} ms {seconds / base:8.2f} x grep")
    target = {"path": str(path), "memory": str(folder / "memory"), "window": "last_check", "timezone": "UTC"}
    checks_of(kind, targets=[{**target, "timeout": 600}])
    incremental = float("inf")
    for _round in range(ROUNDS):
        with open(path, "a", encoding="ascii") as file:
            file.writelines(f"[{end:%Y-%m-%d %H:%M:%S}] {record(number)}" for number in range(8_700))
        start = time.perf_counter()
        found = checks_of(kind, targets=[target])[0]
        incremental = min(incremental, time.perf_counter() - start)
        assert found.value == 87, found
    print(f"  {'last_check after 1 MB more':28} {incremental * 1e3:9.1f} ms {incremental / base:8.2f} x grep")


def memory(folder: Path) -> None:
    print("peak of Python's memory while all of a log is read")
    path, end = folder / "app.log", dt.datetime.now(dt.UTC)
    for name, size in (("1 GB", SIZE), ("100 MB", SIZE // 10), ("10 MB", SIZE // 100), ("one line of 200 MB", 0)):
        if size:
            os.truncate(path, size)
        else:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"[{end:%Y-%m-%d %H:%M:%S}] production.ERROR: ")
                file.writelines("x" * 1_000_000 for _ in range(200))
        tracemalloc.start()
        ours(path, 0, level="error")
        print(f"  {name:28} {tracemalloc.get_traced_memory()[1] / 1e6:9.1f} MB")
        tracemalloc.stop()


class Case:
    """One log that both look at, check after check."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.number = folder, folder / "app.log", 0
        self.path.touch()

    def write(self, count: int, minutes: float = 1, end: str = "\n") -> None:
        stamp = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)
        with open(self.path, "a", encoding="ascii") as file:
            for _ in range(count):
                self.number += 1
                file.write(f"[{stamp:%Y-%m-%d %H:%M:%S}] production.ERROR: number {self.number}{end}")

    def rotate(self) -> None:
        for number in range(5, 0, -1):
            old = Path(f"{self.path}.{number}")
            if old.exists():
                old.rename(f"{self.path}.{number + 1}")
        self.path.rename(f"{self.path}.1")
        self.path.touch()

    def copytruncate(self) -> None:
        shutil.copy2(self.path, f"{self.path}.1")
        os.truncate(self.path, 0)

    def theirs(self) -> str:
        argv = [CHECK_LOG, "-F", str(self.path), "-O", str(self.folder / "old"), "-q", "ERROR", "--all"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        count = done.stdout.split(")")[0].lstrip("(") if done.stdout.startswith("(") else "0"
        return f"{('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[done.returncode]} {count}"

    def ours(self, **options: t.Any) -> str:
        target = {
            "path": str(self.path),
            "memory": str(self.folder / "memory"),
            "window": "last_check",
            "timezone": "UTC",
        }
        check = checks_of(kind, targets=[{**target, "matches": {"warning": 0, "critical": "never"}, **options}])[0]
        return f"{check.status} {check.detail.get('counted', 0) if check.value is None else check.value:g}"


def _gzip_first(case: Case) -> None:
    Path(f"{case.path}.1.gz").write_bytes(gzip.compress(Path(f"{case.path}.1").read_bytes()))
    Path(f"{case.path}.1").unlink()


CASES: dict[str, tuple[t.Callable[[Case], object], ...]] = {
    "nothing new": (),
    "2 errors more": (lambda case: case.write(2),),
    "2 more, then renamed, then 1 more": (lambda case: case.write(2), Case.rotate, lambda case: case.write(1)),
    "the same, and compressed": (lambda case: case.write(2), Case.rotate, _gzip_first, lambda case: case.write(1)),
    "2 more, copied and truncated, 1 more": (lambda case: case.write(2), Case.copytruncate, lambda case: case.write(1)),
    "renamed twice, 1 error in each": (
        lambda case: case.write(1),
        Case.rotate,
        lambda case: case.write(1),
        Case.rotate,
        lambda case: case.write(1),
    ),
    "emptied by hand, 1 more": (lambda case: case.path.write_bytes(b""), lambda case: case.write(1)),
    "removed": (lambda case: case.path.unlink(),),
}


def verdicts(folder: Path) -> None:
    print(f"{'since the last check':40} {'check_log':12} {'ours':12}")
    for number, (name, steps) in enumerate({"the first check, 3 errors there": (), **CASES}.items()):
        place = folder / str(number)
        place.mkdir()
        case = Case(place)
        case.write(3)
        if number:
            case.theirs(), case.ours()
        for step in steps:
            step(case)
        print(f"{name:40} {case.theirs() if Path(CHECK_LOG).exists() else 'missing':12} {case.ours():12}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        verdicts(folder)
        if "verdicts" not in sys.argv:
            speed(folder)
            memory(folder)


if __name__ == "__main__":
    main()
