# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nagios: exit codes, sentences and performance data of monitoring plugins."""

from __future__ import annotations

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._adapt.nagios import Metric, check, limit, read
from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, interval
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer

DISK = "DISK OK - free space: / 72151MiB (69% inode=95%);| /=33287MiB;129000;232000;0;258000"


def verdict(rc: int, stdout: str, stderr: str = "") -> Check:
    return check("plugin.verdict", "x", Answer(rc, stdout, stderr))


@pytest.mark.parametrize(("rc", "status"), [(0, "ok"), (1, "warning"), (2, "critical"), (3, "unknown")])
def test_an_exit_code_is_a_verdict(rc: int, status: str) -> None:
    found = verdict(rc, DISK)
    assert (found.status, found.summary) == (status, "DISK OK - free space: / 72151MiB (69% inode=95%);")
    assert (found.value, found.unit, found.warning, found.critical) == (33287, "MiB", "0..129000", "0..232000")


@pytest.mark.parametrize(
    ("rc", "reason"),
    [
        (4, "exit code 4, which is no verdict"),
        (126, "exit code 126"),
        (127, "exit code 127"),
        (255, "exit code 255"),
        (-9, "ended by SIGKILL"),
        (-11, "ended by SIGSEGV"),
        (-63, "ended by signal 63"),
    ],
)
def test_any_other_end_is_unknown(rc: int, reason: str) -> None:
    found = verdict(rc, "ALL OK", "sh: 1: x: not found")
    assert found.status == "unknown"
    assert reason in found.summary
    assert found.value is None


@pytest.mark.parametrize("silence", ["", "\n", "  \n\n", "|load=1", " | load=1;2;3"])
@pytest.mark.parametrize("rc", [0, 1, 2, 3])
def test_a_plugin_that_says_nothing_is_unknown_even_when_it_ends_well(rc: int, silence: str) -> None:
    found = verdict(rc, silence, "cannot open shared object file")
    assert found.status == "unknown"
    assert "cannot open shared object file" in found.summary


def test_a_value_is_not_needed() -> None:
    found = verdict(0, "OK: hello")
    assert (found.value, found.unit, found.warning, found.critical) == (None, "", None, None)
    assert found.detail == {"exit_code": 0, "output": ["OK: hello"]}


@pytest.mark.parametrize(
    ("perfdata", "metric"),
    [
        ("load1=1.390;5.000;10.000;0;", Metric("load1", 1.39, "", "5.000", "10.000", "0")),
        ("'free space'=12.5%", Metric("free space", 12.5, "%")),
        ("'it''s'=1", Metric("it's", 1)),
        ("'a=b'=1c;;;0;9", Metric("a=b", 1, "c", "", "", "0", "9")),
        ("time=0.01s;~:5;@10:20;;", Metric("time", 0.01, "s", "~:5", "@10:20")),
        ("/var=-3.5e2KB", Metric("/var", -350, "KB")),
        ("temp=+.5C", Metric("temp", 0.5, "C")),
        ("users=U;5;10", Metric("users", None, "", "5", "10")),
        ("C:\\=1GB", Metric("C:\\", 1, "GB")),
        ("größe=3µs", Metric("größe", 3, "µs")),
    ],
)
def test_performance_data_is_read_in_full(perfdata: str, metric: Metric) -> None:
    output = read(f"OK | {perfdata}")
    assert output.metrics == (metric,)
    assert output.unread == ""


def test_all_metrics_are_kept_and_the_first_is_the_value() -> None:
    found = verdict(0, "LOAD OK |load1=1.5;5;10;0; load5=1.6;4;9;0; load15=1;3;8;0; \n")
    assert [metric["label"] for metric in found.detail["metrics"]] == ["load1", "load5", "load15"]
    assert (found.value, found.warning) == (1.5, "0..5")


def test_what_is_no_performance_data_is_kept_and_hides_nothing() -> None:
    output = read("OK | a=1 junk b=2,5 'open=3 c=4")
    assert [metric.label for metric in output.metrics] == ["a", "c"]
    assert output.unread == "junk b=2,5 'open=3"


def test_long_output_may_carry_more_performance_data() -> None:
    output = read("DISK OK | /=1MB\nfirst line\nsecond line | /var=2MB\n/home=3MB\n")
    assert output.text == "DISK OK"
    assert output.more == ("first line", "second line")
    assert [metric.label for metric in output.metrics] == ["/", "/var", "/home"]


def test_evidence_is_bounded_and_holds_no_secret() -> None:
    lines = "\n".join(f"password=hunter{n} " + "x" * 1000 for n in range(100))
    found = verdict(2, f"CRITICAL token=abcdef\n{lines}", lines)
    assert len(found.detail["output"]) == len(found.detail["stderr"]) == 20
    assert max(map(len, found.detail["output"])) <= 300
    assert "hunter" not in str(found)
    assert "abcdef" not in str(found)


@pytest.mark.parametrize(
    ("nagios", "ours"),
    [
        ("10", "0..10"),
        ("10:", "10.."),
        ("~:10", "..10"),
        ("10:20", "10..20"),
        ("-5:-1", "-5..-1"),
        (":10", "0..10"),
        ("0:0", "0..0"),
        ("1.5:2.5", "1.5..2.5"),
        ("@10:20", None),
        ("~:", None),
        ("~", None),
        ("20:10", None),
        ("", None),
        ("10%", None),
        ("nonsense", None),
    ],
)
def test_a_nagios_range_is_told_in_our_words(nagios: str, ours: str | None) -> None:
    assert limit(nagios) == ours
    interval(limit(nagios), "higher")
