# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log: what is judged of a log, on real files small enough to count by hand."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import log as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _memory
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NONE = {"warning": "never", "critical": "never"}


def ago(minutes: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).strftime("%d-%b-%Y %H:%M:%S UTC")


class Debug:
    """A debug.log as WordPress writes it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.memory = folder / "debug.log", folder / "memory"

    def write(self, *messages: str, minutes: float = 1) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.writelines(f"[{ago(minutes)}] {message}\n" for message in messages)

    def check(self, check_id: str = "log.matches", **options: Any) -> Check:
        check_mode = options.pop("check_mode", False)
        target = {"path": str(self.path), "memory": str(self.memory), **options}
        return next(one for one in checks_of(kind, check_mode=check_mode, targets=[target]) if one.id == check_id)


@pytest.fixture
def debug(tmp_path: Path) -> Debug:
    return Debug(tmp_path)


FATAL = """PHP Fatal error:  Uncaught Error: Call to undefined function foo() in /var/www/html/a.php:12
Stack trace:
#0 {main}
  thrown in /var/www/html/a.php on line 12"""


@pytest.mark.parametrize(
    ("count", "status"), [(0, "ok"), (10, "ok"), (11, "warning"), (100, "warning"), (101, "critical")]
)
def test_matches_are_judged_by_their_number(debug: Debug, count: int, status: str) -> None:
    debug.write("PHP Notice:  nothing", *[FATAL] * count)
    check = debug.check()
    assert (check.status, check.value) == (status, count)


def test_levels_are_told_apart(debug: Debug) -> None:
    debug.write(
        FATAL,
        "PHP Parse error:  syntax error, unexpected token in /var/www/html/b.php on line 3",
        "PHP Warning:  Undefined array key 1",
        "PHP Deprecated:  Creation of dynamic property",
        "WordPress database error Table 'wp.wp_edubot' doesn't exist for query SELECT 1",
        "EduBot ERROR: API answered 500",
        "an ordinary message",
    )
    assert debug.check().detail["levels"] == {"critical": 2, "error": 2}
    assert debug.check(level="critical").value == 2
    assert debug.check(level="notice").value == 6
    assert debug.check(match="Undefined array key").value == 1
    assert debug.check(match="API answered", level="critical").value == 0
    assert debug.check(exclude="WordPress database").value == 3


def test_only_the_window_counts(debug: Debug) -> None:
    debug.write(FATAL, minutes=13 * 60)
    debug.write(FATAL, minutes=11 * 60)
    check = debug.check(window="12h")
    assert check.value == 1
    assert "in the last 12h" in check.summary
    assert "notes" not in check.detail


def test_a_log_that_does_not_go_back_far_enough_says_so(debug: Debug) -> None:
    debug.write(FATAL, minutes=60)
    check = debug.check(window="7d")
    assert (check.status, check.value) == ("ok", 1)
    assert any("goes back to" in note for note in check.detail["notes"])


def test_an_empty_log_has_no_matches(debug: Debug) -> None:
    debug.path.touch()
    check = debug.check()
    assert (check.status, check.value) == ("ok", 0)


def test_a_missing_log_is_one_unknown(debug: Debug) -> None:
    found = checks_of(kind, targets=[{"path": str(debug.path)}])
    assert [check.status for check in found] == ["unknown", *["skipped"] * 7]
    assert found[0].summary == f"{debug.path} does not exist"


def test_a_log_of_unknown_format_is_unknown(debug: Debug) -> None:
    debug.path.write_text("hello password=hunter2\n")
    check = debug.check()
    assert check.status == "unknown"
    assert "hunter2" not in check.summary


def test_samples_and_signatures_are_redacted(debug: Debug) -> None:
    debug.write(
        "ERROR login of anna@example.org with password=hunter2 from mysql://root:geheim@db/x, card 4111 1111 1111 1111"
    )
    check = debug.check()
    text = json.dumps(check.detail)
    for secret in ("anna@", "hunter2", "geheim", "4111"):
        assert secret not in text
    assert "ERROR login" in text


def test_signatures_fold_what_differs(debug: Debug) -> None:
    debug.write(
        *[f"ERROR order {n} of 0f8fad5b-d9cb-469f-a165-7086772895{n:02d} in /var/www/{n}.php" for n in range(12)]
    )
    signatures = debug.check().detail["signatures"]
    assert signatures == [{"count": 12, "signature": "ERROR order <n> of <id> in <path>"}]


def test_since_the_last_check_each_record_counts_once(debug: Debug) -> None:
    debug.write(FATAL, minutes=60)
    first = debug.check(window="last_check")
    assert (first.value, "the first check" in first.summary) == (1, True)
    assert debug.check(window="last_check").value == 0
    debug.write(FATAL, FATAL)
    check = debug.check(window="last_check")
    assert (check.value, "since the last check at" in check.summary) == (2, True)


def test_the_first_check_is_bounded(debug: Debug) -> None:
    debug.write(FATAL, minutes=300)
    debug.write(FATAL, minutes=60)
    assert debug.check(window="last_check", first_window="2h").value == 1


def test_check_mode_remembers_nothing(debug: Debug) -> None:
    debug.write(FATAL)
    for _ in range(2):
        assert debug.check(window="last_check", check_mode=True).value == 1
    assert not debug.memory.exists()
    assert debug.check(window="last_check").value == 1
    debug.write(FATAL)
    before = sorted((p.name, p.stat().st_mtime_ns) for p in debug.memory.iterdir())
    assert debug.check(window="last_check", check_mode=True).value == 1
    assert sorted((p.name, p.stat().st_mtime_ns) for p in debug.memory.iterdir()) == before
    assert debug.check(window="last_check").value == 1


def test_what_is_remembered_is_private(debug: Debug) -> None:
    debug.write(FATAL)
    debug.check(window="last_check")
    assert stat.S_IMODE(debug.memory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in debug.memory.iterdir()} == {0o600}
    assert "undefined function" not in "".join(path.read_text() for path in debug.memory.iterdir())


def test_two_questions_about_one_log_do_not_take_from_each_other(debug: Debug) -> None:
    debug.write(FATAL, "PHP Warning:  x")
    assert debug.check(window="last_check").value == 1
    assert debug.check(window="last_check", level="warning").value == 2


def test_two_readers_at_once_count_each_record_once(debug: Debug) -> None:
    debug.write(FATAL)
    debug.check(window="last_check")
    debug.write(*[FATAL] * 5)
    found: list[float | None] = []
    threads = [threading.Thread(target=lambda: found.append(debug.check(window="last_check").value)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 5]  # type: ignore[type-var]


def test_a_reader_that_does_not_finish_is_not_waited_for_for_ever(
    debug: Debug, monkeypatch: pytest.MonkeyPatch
) -> None:
    debug.write(FATAL)
    debug.check(window="last_check")
    (state,) = debug.memory.glob("*.json")
    other = _memory.Memory(str(debug.memory), "x", None)
    other.path = str(state)
    other.lock(1)
    check = debug.check(window="last_check", timeout=0.4)
    other.close()
    assert check.status == "unknown"
    assert "another run" in check.summary


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": null}', "\x00" * 100])
def test_a_damaged_memory_counts_the_first_window_again_and_says_so(debug: Debug, content: str) -> None:
    debug.write(FATAL, minutes=60)
    debug.check(window="last_check")
    (state,) = debug.memory.glob("*.json")
    state.write_text(content)
    check = debug.check(window="last_check")
    assert check.value == 1
    assert "was damaged" in check.detail["notes"][0]
    assert debug.check(window="last_check").value == 0


def test_a_memory_of_yesterday_that_was_restored_counts_again(debug: Debug) -> None:
    debug.write(FATAL)
    debug.check(window="last_check")
    (state,) = debug.memory.glob("*.json")
    old = state.read_bytes()
    debug.write(FATAL)
    assert debug.check(window="last_check").value == 1
    state.write_bytes(old)
    assert debug.check(window="last_check").value == 1


def test_a_memory_that_cannot_be_written_is_unknown(debug: Debug) -> None:
    debug.write(FATAL)
    debug.memory.write_text("a file where a directory should be")
    check = debug.check(window="last_check")
    assert check.status == "unknown"
    assert "can be remembered" in check.summary


def test_a_full_disk_is_told_and_the_records_count_again(debug: Debug, monkeypatch: pytest.MonkeyPatch) -> None:
    debug.write(FATAL)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_memory.os, "replace", full)
        check = debug.check(window="last_check")
    assert (check.status, check.value) == ("unknown", 1)
    assert "No space left" in check.summary
    assert debug.check(window="last_check").value == 1


def test_a_place_that_was_rotated_away_is_unknown_once(debug: Debug) -> None:
    debug.write(FATAL)
    debug.check(window="last_check")
    debug.path.unlink()
    debug.write("PHP Fatal error:  another one")
    check = debug.check(window="last_check")
    assert (check.status, check.detail["counted"]) == ("unknown", 1)
    assert debug.check(window="last_check").status == "ok"


def test_a_log_without_times_is_read_since_the_last_check_only(debug: Debug) -> None:
    debug.path.write_text("an error\n")
    assert debug.check(format="plain").status == "unknown"
    assert debug.check(format="plain", window="last_check").value == 0
    with open(debug.path, "a", encoding="utf-8") as file:
        file.write("another error\nfine\n")
    assert debug.check(format="plain", window="last_check").value == 1


def access(folder: Path, statuses: list[int], *, slow: int = 0) -> Path:
    path = folder / "access.log"
    stamp = dt.datetime.now(dt.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    path.write_text(
        "".join(
            f'10.0.0.7 - - [{stamp}] "GET /p/{n}?token=abc HTTP/1.1" {status} 12 "-" "curl/8" rt={5 if n < slow else 0.1:.3f}\n'
            for n, status in enumerate(statuses)
        )
    )
    return path


@pytest.mark.parametrize(("bad", "status"), [(0, "ok"), (10, "ok"), (11, "warning"), (21, "critical")])
def test_the_share_of_bad_answers_is_judged(tmp_path: Path, bad: int, status: str) -> None:
    path = access(tmp_path, [500] * bad + [200] * (1000 - bad))
    found = checks_of(kind, targets=[{"path": str(path), "matches": NONE, "rate": {"warning": 1, "critical": 2}}])
    rate = next(check for check in found if check.id == "log.rate")
    assert (rate.status, rate.value) == (status, bad / 10)
    assert rate.detail == {"matches": bad, "records": 1000}


def test_a_share_of_hardly_anything_is_unknown(tmp_path: Path) -> None:
    path = access(tmp_path, [500, 200])
    found = checks_of(kind, targets=[{"path": str(path), "rate": {"warning": 1}}])
    assert statuses(found)["log.rate"] == "unknown"


@pytest.mark.parametrize(("count", "status"), [(1, "critical"), (60, "warning"), (150, "ok"), (301, "critical")])
def test_the_number_of_requests_is_judged_both_ways(tmp_path: Path, count: int, status: str) -> None:
    path = access(tmp_path, [200] * count)
    found = checks_of(kind, targets=[{"path": str(path), "records": {"warning": "100..300", "critical": "50..300"}}])
    assert statuses(found)["log.records"] == status


def test_the_number_of_requests_to_a_log_that_is_gone_is_not_known(tmp_path: Path) -> None:
    found = checks_of(kind, targets=[{"path": str(tmp_path / "gone.log"), "records": {"warning": 1}}])
    assert found[0].status == "unknown"
    assert {check.detail.get("blocked_by") for check in found[1:]} == {"log.matches"}


@pytest.mark.parametrize(
    ("slow", "expected"),
    [
        (0, ("ok", "ok", "ok")),
        (2, ("ok", "ok", "critical")),
        (10, ("ok", "critical", "critical")),
        (60, ("critical",) * 3),
    ],
)
def test_percentiles_are_judged(tmp_path: Path, slow: int, expected: tuple[str, ...]) -> None:
    path = access(tmp_path, [200] * 100, slow=slow)
    limit = {"warning": 500, "critical": 1000}
    found = statuses(
        checks_of(
            kind,
            targets=[
                {"path": str(path), "duration": "rt", "duration_unit": "s"}
                | {f"latency_p{share}": limit for share in (50, 95, 99)}
            ],
        )
    )
    assert tuple(found[f"log.latency_p{share}"] for share in (50, 95, 99)) == expected


def test_percentiles_of_hardly_anything_are_unknown(tmp_path: Path) -> None:
    found = statuses(checks_of(kind, targets=[{"path": str(access(tmp_path, [200] * 5)), "duration": "rt"}]))
    assert {found[f"log.latency_p{share}"] for share in (50, 95, 99)} == {"unknown"}


def test_durations_are_read_with_their_units(tmp_path: Path) -> None:
    path = tmp_path / "application.log"
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    values = ["120ms", "0.12s", "120000us", "120000 µs", "120"]
    path.write_text("".join(f"{now} api_response_google={value} ok\n{now} api_response_bing=9s\n" for value in values))
    found = checks_of(kind, targets=[{"path": str(path), "duration": "api_response_google", "samples": 5}])
    for check in found:
        if check.id.startswith("log.latency"):
            assert (check.value, check.detail["values"], check.detail["longest"]) == (120, 5, 120)


def test_new_signatures_are_learned_and_then_judged(debug: Debug) -> None:
    options = {"new_signatures": {"warning": 0, "critical": 1}}
    debug.write("ERROR order 1 is lost")
    assert debug.check("log.new_signatures", **options).status == "skipped"
    debug.write("ERROR order 2 is lost")
    assert debug.check("log.new_signatures", **options).status == "ok"
    debug.write("ERROR the house is on fire")
    check = debug.check("log.new_signatures", **options)
    assert (check.status, check.value) == ("warning", 1)
    assert check.detail["signatures"] == [{"count": 1, "signature": "ERROR the house is on fire"}]
    assert debug.check("log.new_signatures", **options).status == "ok"


@pytest.mark.parametrize(("hours", "status"), [(0.5, "ok"), (1.5, "warning"), (3, "critical")])
def test_a_silent_log_is_judged(debug: Debug, hours: float, status: str) -> None:
    debug.write("something", minutes=hours * 60)
    assert debug.check("log.freshness", freshness={"warning": 1, "critical": 2}).status == status


def test_the_silence_of_an_empty_log_is_not_known(debug: Debug) -> None:
    debug.path.touch()
    assert debug.check("log.freshness", freshness={"warning": 1}).status == "unknown"


def test_times_ahead_of_now_are_pointed_at(debug: Debug) -> None:
    debug.write(FATAL, minutes=-120)
    check = debug.check()
    assert check.value == 1
    assert "later than now" in check.detail["notes"][-1]


def test_a_time_zone_is_taken_as_given(debug: Debug) -> None:
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=5)))
    debug.path.write_text(f"[{now:%d-%b-%Y %H:%M:%S}] PHP Fatal error:  x\n")
    assert debug.check(timezone="+05:00", window="1h").value == 1
    assert debug.check(timezone="+12:00", window="1h").value == 0


def test_rotated_files_belong_to_the_window(debug: Debug) -> None:
    debug.write(FATAL, minutes=90)
    with gzip.open(f"{debug.path}.1.gz", "wb") as file:
        file.write(debug.path.read_bytes())
    debug.path.unlink()
    debug.write(FATAL, minutes=1)
    assert debug.check(window="2h").value == 2


def test_a_pattern_of_ones_own(debug: Debug) -> None:
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
    debug.path.write_text(f"{stamp} WARN slow\n{stamp} ERROR broken\n  more of it\n")
    pattern = r"(?P<time>\d{8}T\d{6}) (?P<level>[A-Z]+) (?P<message>.*)"
    assert debug.check(pattern=pattern, time_format="%Y%m%dT%H%M%S", timezone="UTC", level="warning").value == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "soon"}, "window: 'soon' is no span of time"),
        ({"first_window": "last_check"}, "first_window: "),
        ({"match": "("}, "match: '\\(' is no regular expression"),
        ({"duration": "((x)"}, "duration: "),
        ({"latency_p95": {"warning": 1}}, "latency_p95: say with duration"),
        ({"journal": {}}, "mutually exclusive"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(debug: Debug, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        debug.check(**options)


def test_without_targets_the_log_of_the_host_is_read(debug: Debug, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = dt.datetime.now(dt.UTC).isoformat()
    debug.path.write_text(f"{stamp} web1 kernel: Out of memory: Killed process 1 (php)\n")
    monkeypatch.setattr(kind.probe.journal, "present", lambda: False)
    monkeypatch.setattr(kind.probe, "SYSTEM_LOGS", (str(debug.path),))
    found = checks_of(kind)
    assert (found[0].target, found[0].status, found[0].value) == ("system log", "ok", 1)


def test_a_host_without_any_log_is_unknown(debug: Debug, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_args: object) -> float:
        raise Unmeasurable("the journal has no entry at all, or none that may be read")

    monkeypatch.setattr(kind.probe.journal, "present", lambda: True)
    monkeypatch.setattr(kind.probe.journal.Journal, "newest", nothing)
    monkeypatch.setattr(kind.probe, "SYSTEM_LOGS", (str(debug.path),))
    found = checks_of(kind)
    assert found[0].status == "unknown"
    assert found[0].summary == (
        "this host has no system log that can be read: the journal has no entry at all, or none that may be read, "
        f"{debug.path} does not exist"
    )


def test_a_log_that_takes_too_long_is_unknown_and_counts_next_time(debug: Debug) -> None:
    debug.write(FATAL)
    assert debug.check(window="last_check", timeout=1e-9).status == "unknown"
    assert debug.check(window="last_check").value == 1


def test_times_do_not_depend_on_the_zone_of_the_test(debug: Debug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        debug.path.write_text(f"[{dt.datetime.now():%d-%b-%Y %H:%M:%S}] PHP Fatal error:  x\n")  # noqa: DTZ005
        assert debug.check(window="1m").value == 1
    finally:
        monkeypatch.undo()
        os.environ.pop("TZ", None)
        time.tzset()
