# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats: lines as programs write them, and what is read in them."""

from __future__ import annotations

import calendar
import time

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import FORMATS, LEVELS, Format, at_least, detect
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Question, Tally
from ansible_collections.sre.runbooks.plugins.module_utils._log.times import Clock, zone_of

UTC = zone_of("UTC")
FIVE = float(calendar.timegm((2025, 11, 5, 5, 0, 0)))

LINES = [
    ("laravel", "[2025-11-05 05:00:00] production.ERROR: SQLSTATE[HY000] [2002] Connection refused", FIVE, "error"),
    ("laravel", "[2025-11-05T05:00:00.123456+00:00] local.EMERGENCY: down", FIVE + 0.123456, "emergency"),
    ("laravel", '[2025-11-05 05:00:00] production.INFO: fine {"exception":"[object] (Error(code: 0)"}', FIVE, "info"),
    ("nginx_error", "2025/11/05 05:00:00 [error] 12#12: *3 connect() failed (111: Connection refused)", FIVE, "error"),
    ("nginx_error", "2025/11/05 05:00:00 [emerg] 12#12: bind() to 0.0.0.0:80 failed", FIVE, "emergency"),
    ("nginx_error", "2025/11/05 05:00:00 [crit] 12#12: *1 SSL_do_handshake() failed", FIVE, "critical"),
    ("nginx_error", "2025/11/05 05:00:00 [warn] 12#12: conflicting server name", FIVE, "warning"),
    ("apache_error", "[Wed Nov 05 05:00:00.250000 2025] [core:error] [pid 7] AH00126: Invalid URI", FIVE + 0.25, "error"),
    ("apache_error", "[Wed Nov  5 05:00:00 2025] [error] [client 10.0.0.7] File does not exist", FIVE, "error"),
    ("apache_error", "[Wed Nov 05 05:00:00.000001 2025] [mpm_event:notice] [pid 7:tid 1] resuming", FIVE + 1e-6, "notice"),
    ("apache_error", "[Wed Nov 05 05:00:00 2025] [ssl:trace3] [pid 7] handshake", FIVE, "debug"),
    ("access", '10.0.0.7 - - [05/Nov/2025:05:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.1"', FIVE, "info"),
    ("access", '10.0.0.7 - anna b [05/Nov/2025:06:00:00 +0100] "POST /x HTTP/2.0" 502 5 "-" "-" 0.1', FIVE, "error"),
    ("access", 'host:443 ::1 - - [05/Nov/2025:05:00:00 +0000] "GET /\\" HTTP/1.1" 404 5', FIVE, "warning"),
    ("access", '10.0.0.7 - - [05/Nov/2025:05:00:00 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"', FIVE, "warning"),
    ("php", "[05-Nov-2025 05:00:00 UTC] PHP Fatal error:  Uncaught Error: x in /a.php:1", FIVE, "critical"),
    ("php", "[05-Nov-2025 06:00:00 Europe/Berlin] PHP Parse error:  syntax error", FIVE, "critical"),
    ("php", "[05-Nov-2025 05:00:00 UTC] PHP Warning:  Undefined variable $x", FIVE, "warning"),
    ("php", "[05-Nov-2025 05:00:00 UTC] PHP Deprecated:  Optional parameter", FIVE, "notice"),
    ("php", "[05-Nov-2025 05:00:00 UTC] WordPress database error Deadlock found for query", FIVE, "error"),
    ("php", "[05-Nov-2025 05:00:00 UTC] [EduBot] ERROR - no answer", FIVE, "error"),
    ("php", "[05-Nov-2025 05:00:00] WARNING: [pool www] server reached max_children setting (5)", FIVE, "warning"),
    ("php", "[05-Nov-2025 05:00:00 UTC] Cron unschedule event error for hook: x", FIVE, "info"),
    ("syslog", "Nov  5 05:00:00 web1 sshd[12]: Failed password for root from 10.0.0.7", FIVE, "error"),
    ("syslog", "Nov  5 05:00:00 web1 CRON[12]: (root) CMD (run)", FIVE, "info"),
    ("syslog", "<11>Nov  5 05:00:00 web1 app: quiet words", FIVE, "error"),
    ("syslog", "<34>1 2025-11-05T05:00:00.003Z web1.example.org su - ID47 - 'su root' no", FIVE + 0.003, "critical"),
    ("syslog", "2025-11-05T06:00:00.5+01:00 web1 kernel: Out of memory: Killed process 7", FIVE + 0.5, "critical"),
    ("json", '{"time":"2025-11-05T05:00:00Z","level":"error","msg":"boom"}', FIVE, "error"),
    ("json", '{"level":50,"time":1762318800000,"pid":1,"msg":"boom"}', FIVE, "error"),
    ("json", '{"@timestamp":"2025-11-05T05:00:00.000Z","log.level":"WARN","message":"x"}', FIVE, "warning"),
    ("json", '{"message":"x","level":400,"level_name":"ERROR","datetime":"2025-11-05T05:00:00+00:00"}', FIVE, "error"),
    ("json", '{"log":"panic: nil map\\n","stream":"stderr","time":"2025-11-05T05:00:00.25Z"}', FIVE + 0.25, "critical"),
    ("json", '{"severity":"CRITICAL","timestamp":"2025-11-05 05:00:00","message":"x"}', FIVE, "critical"),
    ("timestamped", "2025-11-05 05:00:00,250 ERROR [main] org.example.App - no connection", FIVE + 0.25, "error"),
    ("timestamped", "[2025-11-05 05:00:00] api_response_google 120ms", FIVE, "info"),
    ("timestamped", "2025-11-05 05:00:00 WARNING slow", FIVE, "warning"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line", "when", "level"), LINES, ids=lambda value: str(value)[:40])
def test_a_line_is_read(name: str, line: str, when: float, level: str) -> None:
    form = detect(line.encode() + b"\n")
    assert form is not None
    assert form.name == name
    found = form.header.match(line.encode())
    assert found
    stamp = form.stamp(found)
    assert stamp
    assert Clock(UTC, FIVE + 3600).read(stamp) == pytest.approx(when, abs=1e-6)
    assert form.level(found) == level


@pytest.mark.parametrize("wanted", LEVELS)
@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_what_is_scanned_for_misses_no_record_of_the_level(form: Format, wanted: str) -> None:
    """The scan is a shortcut: it must find exactly what reading every line finds."""
    lines = [line for name, line, *_ in LINES if name == form.name] * 3
    block = "\n".join([*lines, "  a continuation that tells of an error, Fatal"]).encode() + b"\n"
    expected = 0
    for line in block.splitlines():
        found = form.header.match(line)
        expected += bool(found and at_least(form.level(found), wanted))
    tally = Tally(Question(level=wanted), form, Clock(UTC, time.time()))
    tally.take(block, len(block))
    assert tally.matches == expected


@pytest.mark.parametrize(
    "line",
    ["#0 {main}", "Stack trace:", "[stacktrace]", "  thrown in /a.php on line 3", "Caused by: java.lang.Error", '"}'],
)
def test_a_line_of_a_trace_begins_no_record(line: str) -> None:
    for name in ("laravel", "php", "timestamped", "nginx_error", "apache_error", "json"):
        assert FORMATS[name].header.match(line.encode()) is None


def test_records_with_traces_are_counted_as_one() -> None:
    block = (
        b'[2025-11-05 05:00:00] production.ERROR: one\n[stacktrace]\n#0 /a.php(1)\n#1 {main}\n"}\n'
        b"[2025-11-05 05:00:01] production.INFO: two\n"
    )
    tally = Tally(Question(level="error", records=True), FORMATS["laravel"], Clock(UTC, FIVE))
    tally.take(block, len(block))
    assert (tally.matches, tally.records) == (1, 2)


def test_the_format_of_most_lines_is_taken() -> None:
    lines = [line for name, line, *_ in LINES if name == "access"] * 5 + [
        "PHP message: oops",
        "2025/11/05 05:00:00 [error] 1#1: x",
    ]
    form = detect("\n".join(lines).encode())
    assert form is not None
    assert form.name == "access"
    assert detect(b"nothing\nto see\n") is None


def test_times_of_a_zone_are_read_in_it() -> None:
    assert Clock(zone_of("Europe/Berlin"), FIVE).read(b"2025-11-05 06:00:00") == FIVE
    assert Clock(zone_of("-05:00"), FIVE).read(b"05-Nov-2025 00:00:00") == FIVE
    assert Clock(UTC, FIVE).read(b"2025-11-05T06:00:00+0100") == FIVE
    assert Clock(UTC, FIVE).read(b"no time") is None
    assert Clock(UTC, FIVE).read(b"2025-13-45 05:00:00") is None
