# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading on where the last check ended: nothing lost, nothing twice, whatever happens to the file in between."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import lzma
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._log import tally as tallying
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import FORMATS
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Question, Tally
from ansible_collections.sre.runbooks.plugins.module_utils._log.times import Clock, zone_of
from ansible_collections.sre.runbooks.plugins.module_utils._probe import logfile
from ansible_collections.sre.runbooks.plugins.module_utils._probe.logfile import Log, Place


@pytest.fixture(autouse=True)
def every_match_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, "SAMPLES", 10**6)


class Reader:
    """Checks a log again and again, and knows what was counted."""

    def __init__(self, path: Path | str, form: str = "laravel", encoding: str | None = None, **question: Any) -> None:
        self.log = Log(str(path), encoding=encoding)
        self.form = FORMATS[form]
        self.question = Question(**(question or {"level": "error"}))
        self.places: list[Place] = []
        self.since = 0.0
        self.seen: list[int] = []
        self.lost: str | None = None
        self.total = 0

    def check(self) -> list[int]:
        """The numbers of the lines that count for the first time."""
        now = time.time()
        tally = Tally(self.question, self.form, Clock(zone_of("UTC"), now))
        coverage, self.places = self.log.read_new(tally, self.places, self.since)
        self.since, self.lost = now, coverage.lost
        new = [int(found.group(1)) for one in tally.samples if (found := re.search(rb"number (\d+)", one))]
        assert tally.matches == len(new)
        self.total += tally.records
        self.seen += new
        return new


class Writer:
    """Writes numbered errors, with other lines between them."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        path.touch()

    def line(self) -> str:
        self.number += 1
        return f"[2025-11-05 05:00:{self.number % 60:02d}] production.ERROR: number {self.number} is broken\n#0 trace\n"

    def write(self, lines: int = 1, to: Path | None = None) -> list[int]:
        first = self.number + 1
        with open(to or self.path, "a", encoding="utf-8") as file:
            file.writelines(self.line() + "[2025-11-05 05:01:00] production.INFO: fine\n" for _ in range(lines))
        return list(range(first, self.number + 1))

    def rename(self) -> None:
        for number in range(9, 0, -1):
            for ending in ("", ".gz", ".xz", ".bz2"):
                old = Path(f"{self.path}.{number}{ending}")
                if old.exists():
                    old.rename(f"{self.path}.{number + 1}{ending}")
        self.path.rename(f"{self.path}.1")
        self.path.touch()

    def copytruncate(self) -> None:
        for number in range(9, 0, -1):
            for ending in ("", ".gz", ".xz", ".bz2"):
                old = Path(f"{self.path}.{number}{ending}")
                if old.exists():
                    old.rename(f"{self.path}.{number + 1}{ending}")
        shutil.copy2(self.path, f"{self.path}.1")
        os.truncate(self.path, 0)

    def compress(self, number: int = 1, how: Callable[..., Any] = gzip.open, ending: str = ".gz") -> None:
        plain = Path(f"{self.path}.{number}")
        if plain.exists():
            times = plain.stat()
            with how(f"{plain}{ending}", "wb") as file:
                file.write(plain.read_bytes())
            os.utime(f"{plain}{ending}", ns=(times.st_atime_ns, times.st_mtime_ns))
            plain.unlink()


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "app.log")


@pytest.fixture
def reader(writer: Writer) -> Reader:
    return Reader(writer.path)


def test_what_is_appended_counts_once(writer: Writer, reader: Reader) -> None:
    assert reader.check() == []
    assert reader.check() == writer.write(0)
    new = writer.write(3)
    assert reader.check() == new
    assert reader.check() == []


def test_rename_and_create(writer: Writer, reader: Reader) -> None:
    first = writer.write(2)
    assert reader.check() == first
    late = writer.write(1)
    writer.rename()
    fresh = writer.write(1)
    assert reader.check() == late + fresh
    assert reader.lost is None


def test_a_writer_that_goes_on_in_the_renamed_file(writer: Writer, reader: Reader) -> None:
    writer.write(2)
    reader.check()
    writer.rename()
    reader.check()
    late = writer.write(1, to=Path(f"{writer.path}.1"))
    assert reader.check() == late


def test_copytruncate_that_shrank(writer: Writer, reader: Reader) -> None:
    writer.write(5)
    reader.check()
    late = writer.write(2)
    writer.copytruncate()
    fresh = writer.write(1)
    assert reader.check() == late + fresh
    assert reader.lost is None


def test_copytruncate_that_grew_past_the_position(writer: Writer, reader: Reader) -> None:
    writer.write(2)
    reader.check()
    late = writer.write(1)
    writer.copytruncate()
    fresh = writer.write(30)
    assert reader.check() == late + fresh


def test_copytruncate_between_its_two_steps(writer: Writer, reader: Reader) -> None:
    writer.write(40)
    reader.check()
    late = writer.write(20)
    copy = Path(f"{writer.path}.1")
    copy.write_bytes(writer.path.read_bytes()[:-500])  # the copy is still being made
    assert reader.check() == late
    copy.write_bytes(writer.path.read_bytes())
    assert reader.check() == []
    os.truncate(writer.path, 0)
    fresh = writer.write(1)
    assert reader.check() == fresh


BANNER = "#" * 2000 + "\n"


@pytest.mark.parametrize("rotate", ["copytruncate", "rename"])
@pytest.mark.parametrize("lines", [1, 30], ids=["shorter", "longer"])
def test_logs_that_all_begin_alike_are_told_apart(writer: Writer, reader: Reader, rotate: str, lines: int) -> None:
    writer.path.write_text(BANNER)
    writer.write(10)
    reader.check()
    expected = writer.write(2)
    for _ in range(2):
        getattr(writer, rotate)()
        writer.path.write_text(BANNER)
        expected += writer.write(lines)
    assert reader.check() == expected
    assert reader.lost is None


def test_truncation_by_hand_is_told(writer: Writer, reader: Reader) -> None:
    writer.write(5)
    reader.check()
    writer.path.write_bytes(b"")
    fresh = writer.write(1)
    assert reader.check() == fresh
    assert "is not among the files any more" in str(reader.lost)
    writer.write(1)
    reader.check()
    assert reader.lost is None


def test_rotation_twice_between_two_checks(writer: Writer, reader: Reader) -> None:
    writer.write(2)
    reader.check()
    expected = writer.write(2)
    writer.rename()
    expected += writer.write(2)
    writer.rename()
    expected += writer.write(2)
    assert reader.check() == expected


@pytest.mark.parametrize(
    ("how", "ending"), [(gzip.open, ".gz"), (lzma.open, ".xz"), (bz2.open, ".bz2")], ids=["gz", "xz", "bz2"]
)
def test_archives_that_are_compressed(writer: Writer, reader: Reader, how: Callable[..., Any], ending: str) -> None:
    writer.write(50)
    reader.check()
    expected = writer.write(50)
    writer.rename()
    writer.compress(1, how, ending)
    expected += writer.write(1)
    assert reader.check() == expected
    assert reader.check() == []
    writer.rename()
    assert reader.check() == []


def test_archives_named_by_date(writer: Writer, reader: Reader) -> None:
    writer.write(2)
    reader.check()
    expected = writer.write(1)
    writer.path.rename(writer.path.with_name("app.log-20251105"))
    expected += writer.write(1)
    writer.path.rename(writer.path.with_name("app-20251106.log"))
    expected += writer.write(1)
    assert reader.check() == expected


def test_another_file_in_the_same_inode(writer: Writer, reader: Reader) -> None:
    writer.write(3)
    reader.check()
    inode = writer.path.stat().st_ino
    with open(writer.path, "r+b") as file:
        file.truncate()
        file.write(b"[2025-11-06 05:00:00] production.ERROR: number 77 of another log\n" * 1)
        file.write(b"[2025-11-06 05:00:00] production.INFO: more than before" + b"." * 2000 + b"\n")
    assert writer.path.stat().st_ino == inode
    assert reader.check() == [77]


def test_the_same_log_in_another_inode(writer: Writer, reader: Reader) -> None:
    writer.write(3)
    reader.check()
    shutil.copy(writer.path, f"{writer.path}.new")
    os.replace(f"{writer.path}.new", writer.path)
    fresh = writer.write(1)
    assert reader.check() == fresh
    assert reader.lost is None


def test_a_log_made_anew_is_read_whole_and_the_loss_told(writer: Writer, reader: Reader) -> None:
    writer.write(3)
    reader.check()
    writer.path.unlink()
    writer.path.touch()
    fresh = writer.write(2)
    assert reader.check() == fresh
    assert reader.lost


def test_a_last_line_that_is_completed_later_counts_once(writer: Writer, reader: Reader) -> None:
    line = writer.line()
    cut = line.index("ERROR") + 2
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write(line[:cut])
    assert reader.check() == []
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write(line[cut:])
    assert reader.check() == [1]
    assert reader.check() == []


def test_a_line_begun_at_the_first_check_counts_at_the_next(writer: Writer, reader: Reader) -> None:
    writer.write(1)
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write("[2025-11-")
    tally = Tally(Question(level="error"), FORMATS["laravel"], Clock(zone_of("UTC"), time.time()), time.time())
    reader.places = reader.log.read_window(tally, time.time(), go_on=True)[1]
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write("06 05:00:00] production.ERROR: number 2\n")
    assert (tally.matches, reader.check()) == (0, [2])


def test_a_last_line_that_nobody_completes_counts(writer: Writer, reader: Reader) -> None:
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write("[2025-11-05 05:00:00] production.CRITICAL: number 1 then power was lost")
    os.utime(writer.path, (time.time() - 120,) * 2)
    assert reader.check() == [1]
    writer.number = 1
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write(" and came back\n")
    writer.write(1)
    assert reader.check() == [2]


def test_a_trace_across_the_position_belongs_to_its_record(writer: Writer) -> None:
    reader = Reader(writer.path, match="deep in the trace")
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write("[2025-11-05 05:00:00] production.ERROR: number 1\n#0 first\n")
    assert reader.check() == []
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write("#1 deep in the trace\n#2 deep in the trace\n")
    assert reader.check() == [1]
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write("#3 deep in the trace\n")
    assert reader.check() == []


def test_a_level_named_in_a_trace_does_not_count(writer: Writer, reader: Reader) -> None:
    with open(writer.path, "a", encoding="utf-8") as file:
        file.write("[2025-11-05 05:00:00] production.INFO: x\n#0 log.ERROR: number 9\n[stacktrace]\n")
    assert reader.check() == []


def test_a_line_of_50_mb_counts_once_and_costs_no_memory(writer: Writer, reader: Reader) -> None:
    import tracemalloc

    with open(writer.path, "ab") as file:
        file.write(b"[2025-11-05 05:00:00] production.ERROR: number 1 ")
        file.writelines(b"x" * (1 << 20) for _ in range(50))
        file.write(b" .ERROR: number 2\n")
    after = writer.write(0) or [3]
    writer.number = 2
    writer.write(1)
    tracemalloc.start()
    assert reader.check() == [1, *after]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert reader.check() == []


def test_a_line_of_50_mb_that_is_still_being_written(writer: Writer, reader: Reader) -> None:
    with open(writer.path, "ab") as file:
        file.write(b"[2025-11-05 05:00:00] production.ERROR: number 1 " + b"x" * (5 << 20))
    first = reader.check()
    with open(writer.path, "ab") as file:
        file.write(b"y" * (5 << 20) + b"\n")
    writer.number = 1
    fresh = writer.write(1)
    assert first + reader.check() == [1, *fresh]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-8-sig"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "app.log"
    text = "[2025-11-05 05:00:00] production.ERROR: number {} für Ärger\r\n"
    told = encoding if encoding in ("utf-16-le", "utf-16-be", "latin-1") else None
    reader = Reader(path, encoding=told, match="für Ärger")
    path.write_bytes(text.format(1).encode(encoding))
    assert reader.check() == [1]
    with open(path, "ab") as file:
        file.write(text.format(2).encode("utf-16-le" if encoding == "utf-16" else encoding.replace("-sig", "")))
    assert reader.check() == [2]
    assert reader.check() == []


def test_lines_that_are_not_utf8_and_windows_line_ends(writer: Writer, reader: Reader) -> None:
    with open(writer.path, "ab") as file:
        file.write(
            b"[2025-11-05 05:00:00] production.ERROR: number 1 \xff\xfe\r\n[2025-11-05 05:00:00] x.ERROR: number 2\r\n"
        )
    assert reader.check() == [1, 2]


def test_a_hole_of_nuls_that_copytruncate_leaves(writer: Writer, reader: Reader) -> None:
    writer.write(30)
    reader.check()
    size = writer.path.stat().st_size
    writer.copytruncate()
    with open(writer.path, "r+b") as file:  # a writer that does not append goes on at its old place
        file.seek(size + (3 << 20))
        file.write(writer.line().encode())
    assert reader.check() == [31]
    fresh = writer.write(1)
    assert reader.check() == fresh


def test_a_link_that_is_moved_to_another_file(tmp_path: Path) -> None:
    monday, tuesday, link = Writer(tmp_path / "monday.log"), Writer(tmp_path / "tuesday.log"), tmp_path / "current.log"
    link.symlink_to(monday.path)
    reader = Reader(link)
    monday.write(2)
    reader.check()
    late = monday.write(1)
    tuesday.number = 100
    fresh = tuesday.write(2)
    link.unlink()
    link.symlink_to(tuesday.path)
    assert sorted(reader.check()) == late + fresh


def test_a_log_of_one_file_a_day(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "laravel-*.log")
    first = Writer(tmp_path / "laravel-2025-11-05.log")
    first.write(2)
    reader.check()
    expected = first.write(1)
    second = Writer(tmp_path / "laravel-2025-11-06.log")
    second.number = 100
    expected += second.write(2)
    assert reader.check() == expected
    first.path.unlink()  # old days are removed: nothing is lost by that
    second.write(1)
    reader.check()
    assert reader.lost is None


def test_permission_lost(writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    writer.write(1)
    reader.check()
    expected = writer.write(1)
    with monkeypatch.context() as patched:
        patched.setattr("builtins.open", _refuse)
        with pytest.raises(Unmeasurable, match="Permission denied"):
            reader.check()
    assert reader.check() == expected


def _refuse(path: str, *_args: Any, **_kwargs: Any) -> Any:
    raise PermissionError(13, "Permission denied", path)


def test_a_file_that_vanished_and_comes_back(writer: Writer, reader: Reader) -> None:
    writer.write(1)
    reader.check()
    expected = writer.write(1)
    writer.path.rename(f"{writer.path}.1")
    with pytest.raises(Unmeasurable, match="does not exist"):
        reader.check()
    expected += writer.write(1)
    assert reader.check() == expected


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"not compressed at all"])
def test_an_archive_that_is_damaged_is_told(writer: Writer, reader: Reader, content: bytes) -> None:
    writer.write(1)
    reader.check()
    Path(f"{writer.path}.1.gz").write_bytes(content)
    if content:
        with pytest.raises(Unmeasurable, match="cannot be read"):
            reader.check()
    else:
        assert reader.check() == []


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="not a regular file"):
        Reader(tmp_path).check()


def test_records_are_counted_once_too(writer: Writer) -> None:
    reader = Reader(writer.path, level="error", records=True)
    for lines in (2, 0, 3, 1):
        writer.write(lines)
        reader.check()
        writer.rename() if lines == 3 else None
    assert reader.total == 12


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 40)),
        st.sampled_from(
            [("rename",), ("copytruncate",), ("compress",), ("check",), ("partial",), ("late",), ("copy",)]
        ),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_whatever_happens_nothing_is_lost_and_nothing_counts_twice(
    actions: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    writer = Writer(tmp_path_factory.mktemp("log") / "app.log")
    reader = Reader(writer.path)
    for action, *values in actions:
        if action == "write":
            writer.write(values[0])
        elif action == "check":
            reader.check()
        elif action == "partial":
            line = writer.line()
            with open(writer.path, "a", encoding="utf-8") as file:
                file.write(line[:30])
            reader.check()
            with open(writer.path, "a", encoding="utf-8") as file:
                file.write(line[30:])
        elif action == "late":
            if Path(f"{writer.path}.1").exists():
                writer.write(1, to=Path(f"{writer.path}.1"))
        elif action == "copy":
            shutil.copy2(writer.path, f"{writer.path}.copy")
            os.replace(f"{writer.path}.copy", writer.path)
        elif action == "compress":
            writer.compress()
        else:
            getattr(writer, action)()
    reader.check()
    assert sorted(reader.seen) == list(range(1, writer.number + 1))


LINE = "[{}] production.ERROR: number {}\n"


def window(
    path: Path, start: str, form: str = "laravel", *, zone: str = "UTC", now: float | None = None, **question: Any
) -> Any:
    clock = Clock(zone_of(zone), now or time.time())
    since = Clock(zone_of(zone), time.time()).read(start.encode())
    assert since is not None
    tally = Tally(Question(**(question or {"level": "error"})), FORMATS[form], clock, since)
    coverage, _ = Log(str(path)).read_window(tally, since)
    return tally, coverage


def test_a_window_begins_at_its_second(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(LINE.format(f"2025-11-05 05:00:{second:02d}", second) for second in range(60)))
    tally, coverage = window(path, "2025-11-05 05:00:30", level="error", records=True)
    assert (tally.matches, tally.records) == (30, 30)
    assert coverage.complete
    assert not window(path, "2025-11-05 04:59:59")[1].complete


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99, 1.0])
def test_a_large_sorted_log_is_entered_where_the_window_begins(tmp_path: Path, share: float) -> None:
    path, lines = tmp_path / "app.log", 60_000

    def stamp(second: int) -> str:
        return f"2025-11-01 {second // 3600:02d}:{second % 3600 // 60:02d}:{second % 60:02d}"

    path.write_text("".join(LINE.format(stamp(second), second) for second in range(lines)))
    begin = min(int(lines * share), lines - 1)
    tally, coverage = window(path, stamp(begin))
    assert tally.matches == lines - begin
    assert coverage.bytes <= path.stat().st_size * (1 - share) + 60_000


def test_a_log_that_is_not_sorted_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    hours = [*range(12, 24), *range(12)]
    path.write_text(
        "".join(LINE.format(f"2025-11-05 {hour:02d}:00:{n:02d}", hour) for hour in hours for n in range(60))
    )
    assert window(path, "2025-11-05 18:00:00")[0].matches == 6 * 60


def test_a_window_spans_rotated_files(tmp_path: Path, writer: Writer) -> None:
    for hour in (1, 2, 3):
        writer.path.write_text("".join(LINE.format(f"2025-11-05 0{hour}:00:{n:02d}", n) for n in range(10)))
        if hour < 3:
            writer.rename()
            writer.compress()
    tally, coverage = window(writer.path, "2025-11-05 01:00:05")
    assert tally.matches == 25
    assert coverage.complete


def test_archives_older_than_the_window_are_not_opened(writer: Writer) -> None:
    Path(f"{writer.path}.1.gz").write_bytes(b"damaged, and of no interest")
    os.utime(f"{writer.path}.1.gz", (1, 1))
    now = time.gmtime()
    writer.path.write_text(LINE.format(time.strftime("%Y-%m-%d %H:%M:%S", now), 1))
    tally, coverage = window(writer.path, time.strftime("%Y-%m-%d 00:00:00", now))
    assert (tally.matches, coverage.complete) == (1, True)


def test_copytruncate_between_its_two_steps_counts_once_in_a_window(writer: Writer) -> None:
    writer.write(20)
    shutil.copy(writer.path, f"{writer.path}.1")
    writer.write(1)
    assert window(writer.path, "2025-11-05 00:00:00")[0].matches == 21


def test_a_log_without_years_on_the_first_of_january(tmp_path: Path) -> None:
    path = tmp_path / "syslog"
    path.write_text(
        "Dec 31 23:59:58 web1 app: error 1\nDec 31 23:59:59 web1 app: error 2\nJan  1 00:00:01 web1 app: error 3\n"
    )
    now = Clock(zone_of("UTC"), time.time()).read(b"2026-01-01 00:10:00")
    assert now is not None
    os.utime(path, (now, now))
    for start, expected in (("2025-12-31 23:59:59", 2), ("2026-01-01 00:00:00", 1), ("2025-12-31 00:00:00", 3)):
        assert window(path, start, "syslog", now=now)[0].matches == expected


def test_the_29th_of_february_without_a_year(tmp_path: Path) -> None:
    clock = Clock(zone_of("UTC"), 1740960000.0)  # 3 March 2025
    assert clock.read(b"Feb 29 12:00:00") == 1709208000.0  # 2024


def test_the_hour_that_the_end_of_summer_time_repeats(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    stamps = ["01:30:00", "02:10:00", "02:50:00", "02:10:00", "02:50:00", "03:10:00"]
    path.write_text("".join(LINE.format(f"2025-10-26 {stamp}", n) for n, stamp in enumerate(stamps)))
    zone = "Europe/Berlin"
    first = window(path, "2025-10-26 01:00:00+02:00", zone=zone)[0]
    assert first.matches == 6
    assert window(path, "2025-10-26 02:40:00+02:00", zone=zone)[0].matches == 4
    assert window(path, "2025-10-26 02:00:00+01:00", zone=zone)[0].matches == 3


def test_a_time_zone_that_is_not_known_is_told() -> None:
    with pytest.raises(Unmeasurable, match="knows no time zone Mars/Olympus"):
        zone_of("Mars/Olympus")


def test_a_log_of_another_format_is_told(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("hello\nworld\n")
    with pytest.raises(Unmeasurable, match="no time stamp of the format laravel"):
        window(path, "2025-11-05 00:00:00")


def test_a_place_survives_being_kept_as_json(writer: Writer, reader: Reader) -> None:
    import json

    writer.write(3)
    reader.check()
    reader.places = [Place(**one) for one in json.loads(json.dumps([dataclasses.asdict(p) for p in reader.places]))]
    fresh = writer.write(1)
    assert reader.check() == fresh


def test_reading_ends_in_time(writer: Writer) -> None:
    writer.write(1)
    with pytest.raises(Unmeasurable, match="too large to be read in the time given"):
        Log(str(writer.path), deadline=time.monotonic() - 1).read_new(
            Tally(Question(level="error"), FORMATS["laravel"], Clock(None, time.time())), [], 0
        )


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "BLOCK", 512)
    expected = writer.write(100)
    assert reader.check() == expected
