# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task that reviews the last days: run as Ansible runs it, on a history made for the test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader
from ansible.template import Templar

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES
from ansible_collections.sre.runbooks.plugins.modules import review_check
from ansible_collections.sre.runbooks.plugins.plugin_utils import _review
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History
from ansible_collections.sre.runbooks.plugins.plugin_utils._past import arguments
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import iso
from ansible_collections.sre.runbooks.tests.unit.test_architecture import disagreements, documented

NOW = dt.datetime.now(dt.UTC)
SITE = "https://shop.example/"
UP = [{"of": "http.status"}]
FAST = [{"of": "http.latency"}]
Day = dict[str, Any]


def look(status: str = "ok", value: float | None = None, check: str = "http.status", target: str = SITE) -> Day:
    about = {"host": "web1", "id": check, "target": target, "status": status, "value": value}
    return {**about, "unit": "ms" if check == "http.latency" else "", "summary": "as it is"}


def latency(value: float, target: str = SITE) -> Day:
    return look("ok", value, "http.latency", target)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("SRE_RUNBOOKS_RUN", raising=False)
    return str(tmp_path / "history.sqlite")


@pytest.fixture
def remember(place: str) -> Callable[..., None]:
    """Save one run a day, each with the looks of a day; the last day is yesterday."""

    def save(*days: list[Day]) -> None:
        with History(place) as history:
            for ago, records in zip(range(len(days), 0, -1), days, strict=True):
                started = iso(NOW - dt.timedelta(days=ago) + dt.timedelta(minutes=5))
                history.save({"id": f"{ago}", "system": "shop", "state": "closed", "started": started}, records)

    return save


@pytest.fixture
def review(place: str) -> Callable[..., dict[str, Any]]:
    def run(**arguments: Any) -> dict[str, Any]:
        task = Task.load({"name": "Look back", "sre.runbooks.review_check": {}})
        variables = {"inventory_hostname": "web1", "sre_runbook": {"system": "shop"}, "sre_history": place}
        loader = DataLoader()
        action = action_loader.get(
            "sre.runbooks.review_check",
            task=task,
            connection=mock.Mock(),
            play_context=mock.Mock(),
            loader=loader,
            templar=Templar(loader, variables),
            shared_loader_obj=None,
        )
        task.args = arguments
        return dict(action.run(task_vars=variables))

    return run


def check(result: dict[str, Any], check_id: str) -> dict[str, Any]:
    assert not result.get("changed")
    [found] = [each for each in result["checks"] if each["id"] == f"review.{check_id}"]
    return dict(found)


# Availability


@pytest.mark.parametrize(("down", "status"), [(0, "ok"), (1, "warning"), (3, "critical")])
def test_availability_is_the_share_of_looks_that_found_it_there(
    review: Any, remember: Any, down: int, status: str
) -> None:
    remember(*[[look("critical" if day < down else "ok")] for day in range(7)])
    found = check(review(targets=UP, availability={"warning": 99, "critical": 70}), "availability")
    assert found["status"] == status
    assert found["value"] == round(100 * (7 - down) / 7, 3)
    assert f"was there in {7 - down} of 7 looks" in found["summary"]


def test_slow_is_there_all_the_same(review: Any, remember: Any) -> None:
    remember(*[[look("warning")]] * 7)
    assert check(review(targets=UP, availability={"critical": 99}), "availability")["value"] == 100


def test_looks_that_saw_nothing_do_not_matter_where_they_change_nothing(review: Any, remember: Any) -> None:
    remember(*[[look("unknown" if day == 0 else "ok")] for day in range(7)])
    found = check(review(targets=UP, availability={"warning": 80}), "availability")
    assert (found["status"], found["summary"]) == ("ok", "was there in 6 of 6 looks, 100 %, 1 more saw nothing")


def test_looks_that_saw_nothing_are_unknown_where_they_could_have_been_the_fall(review: Any, remember: Any) -> None:
    remember(*[[look("unknown" if day == 0 else "ok")] for day in range(7)])
    found = check(review(targets=UP, availability={"warning": 99}), "availability")
    assert found["status"] == "unknown"
    assert "anything from 85.71 % to 100 %" in found["summary"]


def test_only_blind_looks_are_unknown(review: Any, remember: Any) -> None:
    remember(*[[look("unknown")]] * 7)
    found = check(review(targets=UP), "availability")
    assert (found["status"], found["summary"]) == ("unknown", "none of 7 looks could tell")


def test_what_was_before_the_window_does_not_count(review: Any, remember: Any) -> None:
    remember(*[[look("critical" if day < 3 else "ok")] for day in range(10)])
    assert check(review(targets=UP), "availability")["value"] == 100


# Percentiles and change


@pytest.mark.parametrize(("limit", "status"), [(95, "ok"), (94, "warning")])
def test_the_percentile_is_judged_in_the_unit_of_the_check(review: Any, remember: Any, limit: int, status: str) -> None:
    looks = [[latency(day * 20 + number) for number in range(20)] for day in range(5)]
    for day in looks:  # one look a day for each series, so the values of a day are targets of their own
        for number, record in enumerate(day):
            record["target"] = f"{SITE}{number}"
    remember(*looks)
    found = check(
        review(targets=[{"of": "http.latency", "target": f"{SITE}15"}], percentile={"warning": limit}), "percentile"
    )
    assert (found["value"], found["unit"], found["status"]) == (95, "ms", status)
    assert found["detail"]["n"] == 5


def test_mean_hides_what_the_percentile_shows(review: Any, remember: Any) -> None:
    remember(*[[latency(9000 if day == 3 else 100)] for day in range(7)])
    found = check(review(targets=FAST, percentile={"critical": 5000}), "percentile")
    assert found["status"] == "critical"
    assert found["summary"] == "95 % of 7 values up to 9000 ms, half of them up to 100 ms"


def test_without_a_limit_the_percentile_informs(review: Any, remember: Any) -> None:
    remember(*[[latency(100)]] * 7)
    assert check(review(targets=FAST), "percentile")["status"] == "ok"


def test_where_lower_is_worse_the_low_end_counts(review: Any, remember: Any) -> None:
    remember(*[[latency(float(day))] for day in range(1, 8)])
    found = check(review(targets=[{**FAST[0], "worse": "lower"}], percentile={"warning": 2}), "percentile")
    assert (found["status"], found["value"]) == ("warning", 1)


@pytest.mark.parametrize(("now", "status"), [(100, "ok"), (125, "ok"), (126, "warning"), (50, "ok")])
def test_the_median_is_compared_with_the_time_before(review: Any, remember: Any, now: float, status: str) -> None:
    remember(*[[latency(100 if day < 7 else now)] for day in range(14)])
    found = check(review(targets=FAST, change={"warning": 25}), "change")
    assert (found["status"], found["value"]) == (status, now - 100)


def test_without_a_time_before_nothing_is_compared(review: Any, remember: Any) -> None:
    remember(*[[latency(100)]] * 5)
    found = check(review(targets=FAST, change={"warning": 25}), "change")
    assert (found["status"], found["summary"]) == ("skipped", "there is no value of the 7 days before")


def test_looks_without_a_value_are_unknown(review: Any, remember: Any) -> None:
    remember(*[[look("unknown", None, "http.latency")]] * 7)
    result = review(targets=FAST)
    assert check(result, "percentile")["status"] == check(result, "change")["status"] == "unknown"


def test_of_several_series_the_worst_is_judged_and_the_others_are_told(review: Any, remember: Any) -> None:
    remember(*[[latency(100, "a"), latency(3000, "b"), latency(200, "c")]] * 3)
    found = check(review(targets=FAST, percentile={"warning": 2000}), "percentile")
    assert (found["status"], found["value"]) == ("warning", 3000)
    assert found["summary"].startswith("b: ")
    assert [line[0] for line in found["detail"]["each"]] == ["b", "c", "a"]


# Recurring findings


def test_a_check_that_failed_on_three_days_is_recurring(review: Any, remember: Any) -> None:
    remember(*[[look("warning" if day % 2 else "ok"), look("critical", check="mount.space")] for day in range(7)])
    found = check(review(targets=[{"of": "*", "name": "everything"}]), "recurring")
    assert (found["status"], found["value"], found["target"]) == ("warning", 2, "everything")
    assert "mount.space@https://shop.example/ on 7 days, and 1 more" in found["summary"]
    assert found["detail"]["each"][1].startswith(f"http.status@{SITE}: 3 days, warning on ")


def test_two_bad_days_are_not_recurring(review: Any, remember: Any) -> None:
    remember(*[[look("critical" if day < 2 else "ok")] for day in range(7)])
    assert check(review(targets=[{"of": "*"}]), "recurring")["status"] == "ok"
    assert check(review(targets=[{"of": "*"}], days=2), "recurring")["status"] == "warning"


def test_a_review_does_not_review_itself(review: Any, remember: Any) -> None:
    remember(*[[look(), look("warning", check="review.recurring")]] * 7)
    assert check(review(targets=[{"of": "*"}]), "recurring")["value"] == 0


def test_several_checks_are_judged_by_what_recurs_alone(review: Any, remember: Any) -> None:
    remember(*[[look("critical")]] * 7)
    result = review(targets=[{"of": "http.*"}], availability={"critical": 99})
    assert {each["id"]: each["status"] for each in result["checks"]} == {
        "review.availability": "skipped",
        "review.percentile": "skipped",
        "review.change": "skipped",
        "review.recurring": "warning",
    }


# What cannot be told


def test_what_no_run_had_is_unknown(review: Any, remember: Any) -> None:
    remember(*[[look()]] * 7)
    result = review(targets=FAST)
    assert (result["status"], check(result, "availability")["summary"]) == (
        "unknown",
        "no run of the last 7 days had http.latency for *",
    )


def test_what_is_not_measured_any_more_is_unknown(review: Any, remember: Any) -> None:
    remember(*[[look()] if day < 3 else [] for day in range(11)])
    assert review(targets=UP)["status"] == "unknown"


def test_a_young_history_is_skipped_and_says_how_young(review: Any, remember: Any) -> None:
    remember([look("critical")])
    result = review(targets=UP, minimum=3)
    assert result["status"] == "skipped"
    assert "2 of 3 days" in check(result, "availability")["summary"]


def test_a_history_that_cannot_be_read_is_unknown(review: Any, place: str) -> None:
    Path(place).write_text("no database\n" * 100)
    assert check(review(targets=UP), "availability")["summary"] == f"history at {place}: file is not a database"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"targets": [{"of": "http.statis"}]}, "targets[0].of: there is no check http.statis"),
        ({"targets": UP, "window": 0}, "targets[0].window: 0 days are no time to look back"),
        ({"targets": UP, "days": 8}, "targets[0].days: 8 is outside of the window, 1 to 7 days"),
        ({"targets": UP, "minimum": 0}, "targets[0].minimum: 0 is outside of the window, 1 to 7 days"),
    ],
)
def test_what_cannot_be_meant_is_refused(review: Any, given: dict[str, Any], message: str) -> None:
    result = review(**given)
    assert (result["failed"], result["msg"]) == (True, message)


def test_documentation_and_arguments_agree() -> None:
    assert list(disagreements(documented("review_check")["options"], arguments(_review))) == []


@pytest.mark.parametrize("task", yaml.safe_load(review_check.EXAMPLES), ids=lambda task: task["name"])
def test_every_example_is_accepted(review: Any, task: dict[str, Any]) -> None:
    result = review(**task["sre.runbooks.review_check"])
    assert result["failed"] is False, result["msg"]
    assert result["status"] in STATUSES
