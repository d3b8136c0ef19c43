# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One small report in every format of text: what a reader is given, whole."""

from __future__ import annotations

import json as json_of_python
import typing as t

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, Sample
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import (
    RENDERERS,
    json,
    markdown,
    nagios,
    prometheus,
    terminal,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.tests import samples
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import Step, record, report

WAIVER = {"reason": "moves on Friday", "owner": "DBA", "until": "2025-12-05"}
DISK = {"value": 93.0, "unit": "%", "warning": "80", "critical": "90"}
RECORDS = [
    record("mount.space", "/var", "critical", "93 % of /var is used", change="worse", previous="warning", **DISK),
    record("mount.space", "/srv", "critical", "97 % of /srv is used", waiver=WAIVER, **{**DISK, "value": 97.0}),
    record("mount.space", "/", "ok", "41 % of / is used", **{**DISK, "value": 41.0}),
    record("mysql.tables", "shop", "unknown", "access was refused", host="db-1", change="new"),
    record("service.active", "nginx", "ok", "nginx is active", value=1.0, change="recovered", previous="critical"),
]
STEPS = [
    Step("S1", "Disk usage", checks=("mount.space",)),
    Step("S2", "nginx is running", checks=("service.active@nginx",)),
    Step("S3", "API is green", checks=("api.connection",)),
    Step("H1", "Review maintenance", attest=True, owner="Lead"),
    Step("R1", "Drop old tables", refused="destroys evidence"),
]
SMALL = report(RECORDS, STEPS, timezone="Europe/Berlin", pages="https://docs.example.org/runbooks/")


def test_the_terminal_shows_what_is_not_fine_one_line_each() -> None:
    assert terminal.render(SMALL).splitlines() == [
        "critical  mount.space   /var on web-1  93 % of /var is used (warning 80, critical 90, worse, was warning)",
        "unknown   mysql.tables  shop on db-1   access was refused (new)",
        "waived    mount.space   /srv on web-1  97 % of /srv is used (critical, waived until 2025-12-05 by DBA)",
        "waits     H1 Review maintenance: Lead, waits until Sat 22 Nov, 05:00",
        "",
        "edubot Morning startup, Fri 21 Nov 2025, 05:00 Europe/Berlin: critical",
        "1 critical and 1 unknown among 4 checks; 1 step of the runbook did not run; 1 step waits for a person.",
        "1 critical, 1 unknown, 2 ok, 1 waived; took 42 s of 10 min",
    ]


def a_morning_without(*reasons: Record, steps: int) -> str:
    silent = [record("run.step", f"S{n}", "unknown", "no check reported", host="localhost") for n in range(steps)]
    return terminal.render(report([*reasons, *silent]))


DEAD = record("run.host", "web-1", "critical", "cannot be reached")


def test_the_terminal_folds_the_steps_of_a_dead_host_into_one_line() -> None:
    assert a_morning_without(DEAD, steps=5).splitlines()[:3] == [
        "critical  run.host  web-1                 cannot be reached",
        "unknown   run.step  5 steps on localhost  nothing was measured for S0, S1, S2, S3, S4",
        "",
    ]


@pytest.mark.parametrize(("reasons", "steps"), [((DEAD,), 3), ((), 5)], ids=["few", "unexplained"])
def test_the_terminal_has_a_line_for_each_of_the_steps_that_are(reasons: tuple[Record, ...], steps: int) -> None:
    assert a_morning_without(*reasons, steps=steps).count("no check reported") == steps


def test_steps_that_did_not_run_are_not_accounted_for() -> None:
    steps = [Step("S1", "Disk usage", checks=("mount.space",)), Step("S2", "Memory", checks=("system.memory",))]
    silent = [record("run.step", step.id, "unknown", "no check reported", host="localhost") for step in steps]
    said = words.headline(report([DEAD, *silent], steps))
    assert said == "1 critical and 2 unknown among 3 checks; 2 steps of the runbook did not run."


def test_the_terminal_says_where_the_report_lies_once_it_does() -> None:
    assert terminal.render(report([], run={"path": "/runs/r1"})).endswith("\n/runs/r1/report.html\n")


def test_the_terminal_has_colours_only_when_asked() -> None:
    assert "\033" not in terminal.render(SMALL)
    assert "\033[1;31mcritical\033[0m" in terminal.render(SMALL, colour=True)


def test_markdown_has_everything_as_lists() -> None:
    assert (
        markdown.render(SMALL)
        == """\
# edubot Morning startup: critical

Fri 21 Nov 2025, 05:00 Europe/Berlin. 1 critical and 1 unknown among 4 checks; 1 step of the runbook did not run; 1 step waits for a person.

## What changed

- **unknown** [`mysql.tables`](https://docs.example.org/runbooks/mysql.tables.md) shop on db-1: access was refused (new)
- **critical** [`mount.space`](https://docs.example.org/runbooks/mount.space.md) /var on web-1: 93 % of /var is used (warning 80, critical 90; worse, was warning)
- **ok** [`service.active`](https://docs.example.org/runbooks/service.active.md) nginx on web-1: nginx is active (recovered, was critical)

## Who is needed

- **critical** Operations Team: S1 Disk usage: 93 % of /var is used (web-1)
- **unknown** Operations Team: S3 API is green: no check reported: api.connection
- **unknown** Operations Team: mysql.tables access was refused (db-1)
- **waiting** Lead: H1 Review maintenance (by Sat 22 Nov, 05:00)

## Not fine

- **critical** [`mount.space`](https://docs.example.org/runbooks/mount.space.md) /var on web-1: 93 % of /var is used (warning 80, critical 90; worse, was warning)
- **unknown** [`mysql.tables`](https://docs.example.org/runbooks/mysql.tables.md) shop on db-1: access was refused (new)

## Waived

- **waived** [`mount.space`](https://docs.example.org/runbooks/mount.space.md) /srv on web-1: 97 % of /srv is used (critical; moves on Friday; DBA until 2025-12-05)

## The runbook, line by line

- [ ] S1 Disk usage — 1 critical, 1 ok, 1 waived
- [x] S2 nginx is running — ok
- [ ] S3 API is green — did not run: no check reported: api.connection
- [ ] H1 Review maintenance — waits until Sat 22 Nov, 05:00
- [ ] R1 Drop old tables — not automated: destroys evidence

Run `20251121T040000Z-morning-4f2a1c`, 42 s.
"""  # noqa: E501
    )


def test_markdown_of_a_bad_day_is_cut_and_says_so() -> None:
    many = [record("a.b", f"t{number}", "critical", change="new") for number in range(300)]
    text = markdown.render(report(many))
    assert "- and 260 more, in the report" in text
    assert len(text.splitlines()) < 100


def test_markdown_has_the_evidence_of_few_good_proofs_and_of_every_bad_one() -> None:
    text = markdown.render(report([samples.proof("shop")]))
    first, *lines = text.partition("## Restore proofs\n\n- ")[2].partition("\n\n")[0].splitlines()
    figures = "2.1 h would be lost, by the newest row of orders.at (warning 26 h, critical 50 h); restoring takes 94 s (critical 60 min)"
    assert first == f"**proven** shop on db-1: {figures}"
    assert lines[0] == "  - Backup: /var/backups/databases/shop-20251121T020000Z.sql.zst.age"
    assert lines[-1] == "  - Tables: all"
    assert len(lines) == 15
    text = markdown.render(samples.proofs(30))
    assert text.count("\n- **proven** shop-") == 28
    assert text.count("\n  - Backup: ") == 1
    assert (
        "\n- **not restored** newsletter on db-3: not measured, see restore.cleared: mariadbd is not installed" in text
    )


def test_json_has_the_same_evidence_as_it_was_measured() -> None:
    whole = json_of_python.loads(json.render(report([samples.proof("shop")])))
    detail = whole["records"][0]["detail"]
    assert detail == samples.proof("shop")["detail"]
    assert (detail["sha256"][:4], detail["checks"]["rows"], detail["verdict"]) == ("9f86", "ok", "proven")


def test_nagios_gets_one_line_with_figures() -> None:
    assert nagios.render(SMALL) == (
        "CRITICAL - edubot Morning startup: 1 critical and 1 unknown among 4 checks; 1 step of the runbook did not run; "
        "1 step waits for a person. | critical=1 unknown=1 warning=0 ok=2 skipped=0 waived=1 duration=42s;600\n"
    )


def test_prometheus_gets_a_gauge_for_each_check_and_step_and_for_the_run() -> None:
    run = 'system="edubot",occasion="morning"'
    text = prometheus.render(SMALL)
    for expected in (
        f'sre_check_status{{{run},host="web-1",check="mount.space",target="/var"}} 4',
        f'sre_check_value{{{run},host="web-1",check="mount.space",target="/var",unit="%"}} 93',
        f'sre_check_waived{{{run},host="web-1",check="mount.space",target="/srv"}} 1',
        f'sre_step_status{{{run},step="H1",state="pending"}} 0',
        f'sre_run_checks{{{run},status="ok"}} 2',
        f"sre_run_verdict{{{run}}} 4",
        f"sre_run_timestamp_seconds{{{run}}} 1763697600",
        f"sre_run_duration_seconds{{{run}}} 42",
        f"sre_run_budget_seconds{{{run}}} 600",
    ):
        assert f"\n{expected}\n" in f"\n{text}"


def test_json_has_everything_and_names_records_by_host_id_and_target() -> None:
    whole = json_of_python.loads(json.render(SMALL))
    assert (whole["schema"], whole["verdict"], whole["counts"]["waived"]) == (1, "critical", 1)
    assert whole["occasion"]["budget"] == 600
    assert whole["steps"][1]["records"] == [["web-1", "service.active", "nginx"]]
    assert whole["changes"]["worse"] == [["web-1", "mount.space", "/var"]]
    assert whole["records"][0]["page"] == "https://docs.example.org/runbooks/mount.space.md"


def test_json_is_json_though_a_detail_is_not() -> None:
    odd = record("a.b", detail={"nan": float("nan"), "set": {1}, 3: b"bytes"}, value=float("inf"))
    whole = json_of_python.loads(json.render(report([odd])), parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
    assert whole["records"][0]["detail"] == {"nan": None, "set": "{1}", "3": "b'bytes'"}
    assert whole["records"][0]["value"] is None


@pytest.mark.parametrize("name", RENDERERS)
def test_a_run_in_which_nothing_happened_can_be_rendered_and_is_not_green(name: str) -> None:
    text = RENDERERS[name](report([]))
    assert name == "junit" or "unknown" in text.lower()


@pytest.mark.parametrize("name", RENDERERS)
def test_a_run_that_was_broken_off_early_can_be_rendered(name: str) -> None:
    facts = {"ended": None, "seconds": None, "state": "broken_off", "occasion": None, "user": None, "check_mode": True}
    assert RENDERERS[name](report(RECORDS, run={**facts, "limited": True}))


@pytest.mark.parametrize("name", RENDERERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, -0.0])
def test_a_value_that_is_hardly_a_number_breaks_no_format(name: str, value: float) -> None:
    odd = record("a.b", "t", "warning", value=value, unit="%", warning="1e400")
    trends = {("web-1", "a.b", "t"): [Sample("2025-11-21T04:00:00+00:00", value, "ok")] * 3}
    assert RENDERERS[name](report([odd], trends=trends))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0 s"),
        (0.26, "0.3 s"),
        (42, "42 s"),
        (570, "9 min 30 s"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
        (None, "unknown"),
    ],
)
def test_a_length_of_time_is_said_in_two_units(seconds: float | None, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("at", "zone", "said"),
    [
        ("2025-11-21T04:00:00+00:00", "UTC", "Fri 21 Nov 2025, 04:00"),
        ("2025-11-21T04:00:00", "Europe/Berlin", "Fri 21 Nov 2025, 05:00"),
        ("2025-07-01T23:30:00+00:00", "Europe/Berlin", "Wed 2 Jul 2025, 01:30"),
        ("soon", "UTC", "soon"),
        ("2025-11-21T04:00:00+00:00", "Mars/Olympus", "2025-11-21T04:00:00+00:00"),
    ],
    ids=["UTC", "no zone means UTC", "summer time and the next day", "no time", "no zone of this world"],
)
def test_a_moment_is_said_as_people_there_say_it(at: str, zone: str, said: str) -> None:
    assert words.clock(at, zone) == said


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "Nothing was measured."),
        ([record("a.b", status="skipped")], "Nothing was measured."),
        ([record("a.b")], "1 check ok."),
        ([record("a.b"), record("a.c")], "All 2 checks ok."),
        ([record("a.b"), record("a.c", status="warning")], "1 warning among 2 checks."),
    ],
)
def test_the_headline_is_one_true_sentence(records: list[t.Any], said: str) -> None:
    assert words.headline(report(records)) == said


def test_the_headline_says_when_every_step_is_accounted_for() -> None:
    whole = report([record("service.active", "nginx")], STEPS[1:2])
    assert words.headline(whole) == "1 check ok; 1 step of the runbook accounted for."
