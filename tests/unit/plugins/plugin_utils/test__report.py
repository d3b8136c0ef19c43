# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._report import matches, unaccounted
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import Step, record, report

NGINX = Step("S1", "nginx is running", checks=("service.active@nginx",))
LOOK = Step("H1", "Review pending maintenance", attest=True, due=3600, owner="DevOps Lead")
WAIVER = {"reason": "replaced in December", "owner": "DBA", "until": "2025-12-31"}


def only_step(*records: t.Any, step: Step = NGINX, **more: t.Any) -> t.Any:
    return report(records, [step], **more).steps[0]


def test_a_measured_step_has_the_worst_status_of_its_records() -> None:
    step = only_step(record("service.active", "nginx"), record("service.active", "nginx", "critical", host="web-2"))
    assert (step.state, step.status, len(step.records)) == ("measured", "critical", 2)


def test_a_step_whose_checks_did_not_run_is_unknown_and_a_finding() -> None:
    whole = report([record("service.active", "mysql")], [NGINX])
    step = whole.steps[0]
    assert (step.state, step.status) == ("not_run", "unknown")
    assert "service.active@nginx" in step.reason
    assert [(check.id, check.target, check.status) for check in unaccounted(whole.steps)] == [
        ("run.step", "S1", "unknown")
    ]
    assert whole.verdict == "unknown"


def test_a_step_of_which_one_check_is_silent_is_unknown_though_the_other_is_ok() -> None:
    both = Step("S2", "Resources", checks=("system.cpu", "system.memory"))
    step = only_step(record("system.cpu"), step=both)
    assert (step.state, step.status, step.silent) == ("measured", "unknown", ("system.memory",))
    assert len(unaccounted([step])) == 1


def test_a_check_that_is_only_remembered_does_not_account_for_a_step() -> None:
    step = only_step(record("service.active", "nginx", "unknown", change="missing"))
    assert (step.state, step.status) == ("not_run", "unknown")


def test_a_step_blocked_by_another_check_is_unknown_but_no_second_finding() -> None:
    blocked = record("mysql.slow", "db", "skipped", "not measured, see mysql.up: refused", detail={"blocked_by": "up"})
    step = only_step(blocked, step=Step("S3", "Slow queries", checks=("mysql.slow",)))
    assert (step.state, step.status, step.reason) == ("not_run", "unknown", "not measured, see mysql.up: refused")
    assert unaccounted([step]) == []


def test_a_step_blocked_on_one_host_only_is_unknown_too() -> None:
    step = only_step(
        record("service.active", "nginx"),
        record("service.active", "nginx", "skipped", host="web-2", detail={"blocked_by": "service.present"}),
    )
    assert (step.state, step.status) == ("measured", "unknown")


def test_a_step_that_does_not_apply_says_why() -> None:
    step = only_step(record("service.active", "nginx", "skipped", "nginx is not installed here"))
    assert (step.state, step.status, step.reason) == ("not_applicable", "skipped", "nginx is not installed here")


def test_a_limited_run_does_not_blame_what_it_left_out() -> None:
    whole = report([record("service.active", "mysql")], [NGINX], run={"limited": True})
    assert (whole.steps[0].state, whole.steps[0].status) == ("not_run", "skipped")
    assert "limited" in whole.steps[0].reason
    assert unaccounted(whole.steps) == []


@pytest.mark.parametrize(
    ("now", "state", "status"),
    [("2025-11-21T05:00:00+00:00", "pending", "skipped"), ("2025-11-21T05:00:01+00:00", "overdue", "warning")],
    ids=["at the deadline it is pending", "a second later it is overdue"],
)
def test_a_human_step_waits_until_its_deadline(now: str, state: str, status: str) -> None:
    whole = report([], [LOOK], now=now)
    assert (whole.steps[0].state, whole.steps[0].status, whole.verdict) == (state, status, status)
    assert unaccounted(whole.steps) == []
    assert [(errand.who, errand.due) for errand in whole.people] == [("DevOps Lead", "2025-11-21T05:00:00+00:00")]


def test_a_human_step_that_was_missed_before_is_overdue_and_shows_the_finding() -> None:
    late = record("attestation.done", "morning/H1", "warning", "nobody has attested it for 2025-11-20", change="still")
    whole = report([late], [LOOK])
    assert (whole.steps[0].state, whole.steps[0].reason) == ("overdue", "nobody has attested it for 2025-11-20")
    assert whole.rest == ()


def test_an_attested_step_is_ok_and_waits_for_nobody() -> None:
    said = {"state": "done", "by": "ada", "at": "2025-11-21T04:30:00+00:00", "note": "two tickets"}
    whole = report([], [LOOK], attestations={"H1": said})
    assert (whole.steps[0].state, whole.steps[0].status, whole.people) == ("done", "ok", ())


def test_a_step_that_does_not_apply_by_word_of_a_person_keeps_the_reason() -> None:
    step = only_step(step=LOOK, attestations={"H1": {"state": "not_applicable", "note": "no maintenance this week"}})
    assert (step.state, step.status, step.reason) == ("not_applicable", "skipped", "no maintenance this week")


def test_a_refused_step_says_why_and_is_not_green() -> None:
    step = only_step(step=Step("R1", "DROP old tables", refused="destroys evidence"))
    assert (step.state, step.status, step.reason) == ("refused", "skipped", "destroys evidence")


def test_a_waived_finding_counts_neither_for_the_verdict_nor_for_its_step() -> None:
    whole = report([record("service.active", "nginx", "critical", waiver=WAIVER), record("system.cpu")], [NGINX])
    assert (whole.verdict, whole.steps[0].status) == ("ok", "skipped")
    assert (whole.counts["critical"], whole.counts["waived"]) == (0, 1)
    assert [found["target"] for found in whole.waived] == ["nginx"]
    assert whole.findings == ()


@pytest.mark.parametrize("records", [[], [record("system.cpu", status="skipped")]], ids=["nothing", "only skipped"])
def test_a_run_in_which_nobody_looked_is_unknown(records: list[t.Any]) -> None:
    assert report(records).verdict == "unknown"


def test_records_are_worst_first_and_the_waived_last() -> None:
    statuses = ["ok", "critical", "skipped", "unknown", "warning"]
    whole = report([*(record(f"a.{s}", status=s) for s in statuses), record("b.x", status="critical", waiver=WAIVER)])
    assert [found["id"] for found in whole.records] == [
        "a.critical",
        "a.unknown",
        "a.warning",
        "a.ok",
        "a.skipped",
        "b.x",
    ]


def test_what_belongs_to_no_step_is_in_the_rest() -> None:
    whole = report([record("service.active", "nginx"), record("run.host", "web-9", "critical")], [NGINX])
    assert [found["id"] for found in whole.rest] == ["run.host"]


def test_a_finding_about_a_step_stands_with_the_step() -> None:
    whole = report([record("run.step", "S1", "unknown")], [NGINX])
    assert [found["id"] for found in whole.steps[0].records] == ["run.step"]
    assert whole.rest == ()


def test_critical_findings_wait_for_who_is_on_call_and_others_for_the_owner() -> None:
    whole = report(
        [
            record("service.active", "nginx", "critical", "nginx is inactive"),
            record("service.active", "nginx", "critical", "nginx is inactive", host="web-2"),
            record("disk.health", "sda", "warning", "3 sectors were reallocated"),
        ],
        [NGINX],
        on_call="Ada",
    )
    assert [(errand.who, errand.what) for errand in whole.people] == [
        ("Ada", "nginx is running: nginx is inactive (web-1, and 1 more)"),
        ("Operations Team", "3 sectors were reallocated (web-1)"),
    ]


def test_changes_are_grouped_with_every_group_present() -> None:
    whole = report([record("a.b", status="critical", change="new"), record("a.c", change="recovered"), record("a.d")])
    assert {change: [r["id"] for r in found] for change, found in whole.changes.items() if found} == {
        "new": ["a.b"],
        "recovered": ["a.c"],
    }
    assert list(whole.changes) == ["new", "worse", "missing", "recovered", "better", "still"]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("service.active", True),
        ("service.active@nginx", True),
        ("service.*@ng*", True),
        ("service.active@mysql", False),
        ("service", False),
    ],
)
def test_a_step_names_checks_by_id_and_target(pattern: str, matched: bool) -> None:
    assert matches(pattern, record("service.active", "nginx")) is matched


def test_a_target_with_brackets_is_matched_by_its_own_name() -> None:
    assert matches("tcp.open@[::1]:443", record("tcp.open", "[::1]:443"))
