# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task that looks at history: run as Ansible runs it, on a history made for the test."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader
from ansible.template import Templar

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES
from ansible_collections.sre.runbooks.plugins.modules import trend_check
from ansible_collections.sre.runbooks.plugins.plugin_utils import _trend
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History
from ansible_collections.sre.runbooks.plugins.plugin_utils._past import arguments
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import iso
from ansible_collections.sre.runbooks.tests.unit.test_architecture import disagreements, documented

NOW = dt.datetime.now(dt.UTC)
SPACE = [{"of": "mount.space", "reaches": 100}]


def record(value: float | None, target: str = "/", check: str = "mount.space", host: str = "web1") -> dict[str, Any]:
    status = "unknown" if value is None else "ok"
    about = {"host": host, "id": check, "target": target, "status": status, "value": value, "unit": "%"}
    return {**about, "summary": "as it is"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("SRE_RUNBOOKS_RUN", raising=False)
    return str(tmp_path / "history.sqlite")


@pytest.fixture
def remember(place: str) -> Callable[..., None]:
    """Save one run a day, the last one ``ago`` days ago; ``records`` makes those of a day."""

    def save(days: int, records: Callable[[int], list[dict[str, Any]]], ago: int = 1) -> None:
        with History(place) as history:
            for day in range(days):
                started = NOW - dt.timedelta(days=days - 1 - day + ago)
                run = {"id": f"{day}", "system": "shop", "state": "closed", "started": iso(started)}
                history.save(run, records(day))

    return save


@pytest.fixture
def trend(place: str) -> Callable[..., dict[str, Any]]:
    def run(**arguments: Any) -> dict[str, Any]:
        task = Task.load({"name": "Look back", "sre.runbooks.trend_check": {}})
        variables = {"inventory_hostname": "web1", "sre_runbook": {"system": "shop"}, "sre_history": place}
        loader = DataLoader()
        action = action_loader.get(
            "sre.runbooks.trend_check",
            task=task,
            connection=mock.Mock(),
            play_context=mock.Mock(),
            loader=loader,
            templar=Templar(loader, variables),
            shared_loader_obj=None,
        )
        task.args = {"targets": SPACE, **arguments}
        return dict(action.run(task_vars=variables))

    return run


def check(result: dict[str, Any], check_id: str = "trend.exhaustion", target: str = "mount.space@/") -> dict[str, Any]:
    assert not result.get("changed")
    [found] = [each for each in result["checks"] if (each["id"], each["target"]) == (check_id, target)]
    return dict(found)


@pytest.mark.parametrize(("slope", "status"), [(0.1, "ok"), (2, "warning"), (6, "critical"), (0, "ok"), (-1, "ok")])
def test_the_days_to_the_limit_are_judged(trend: Any, remember: Any, slope: float, status: str) -> None:
    remember(8, lambda day: [record(50 + slope * day)])
    result = trend()
    assert check(result)["status"] == result["status"] == status
    assert (check(result)["unit"], check(result)["warning"], check(result)["critical"]) == ("d", "30", "7")


def test_a_forecast_names_the_day_and_the_milestones(trend: Any, remember: Any) -> None:
    remember(20, lambda day: [record(50 + 2 * day)])
    found = check(trend())
    assert found["value"] == 6.0
    on = (NOW + dt.timedelta(days=6)).date()
    assert found["summary"] == f"grows by 2 % a day: 100 % in 6 days, on {on} (6 to 6 days)"
    assert [mark["value"] for mark in found["detail"]["milestones"]] == [80, 90, 100]
    assert [mark["days"] for mark in found["detail"]["milestones"]] == [0, 1.0, 6.0]


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        (0, "neither grows nor shrinks: never 100 % that way"),
        (-1, "shrinks by 1 % a day: never 100 % that way"),
        (0.001, "grows by 0.001 % a day: 100 % is more than ten years away"),
        (8, "100 % has been reached"),
    ],
)
def test_what_is_never_or_now_is_said_in_words(trend: Any, remember: Any, slope: float, words: str) -> None:
    remember(8, lambda day: [record(50 + slope * day)])
    assert check(trend())["summary"] == words


def test_a_value_that_falls_towards_its_limit_is_judged_too(trend: Any, remember: Any) -> None:
    remember(10, lambda day: [record(50 - 4 * day, check="mount.inodes")])
    result = trend(targets=[{"of": "mount.inodes", "reaches": 0, "worse": "lower"}], growth={"warning": 3})
    assert check(result, target="mount.inodes@/")["status"] == "critical"
    assert check(result, "trend.growth", "mount.inodes@/")["status"] == "warning"


def test_each_matching_target_of_this_host_is_one_target(trend: Any, remember: Any) -> None:
    remember(8, lambda day: [record(1, "/"), record(1, "/var/a"), record(1, "/var/b"), record(1, "/x", host="web2")])
    assert {found["target"] for found in trend()["checks"]} == {
        "mount.space@/",
        "mount.space@/var/a",
        "mount.space@/var/b",
    }
    result = trend(targets=[{**SPACE[0], "target": "/var/*"}])
    assert {found["target"] for found in result["checks"]} == {"mount.space@/var/a", "mount.space@/var/b"}


def test_growth_and_deviation_are_skipped_unless_asked_for(trend: Any, remember: Any) -> None:
    remember(8, lambda day: [record(50)])
    result = trend()
    assert check(result, "trend.growth")["status"] == check(result, "trend.deviation")["status"] == "skipped"
    assert check(trend(targets=[{"of": "mount.space"}]))["summary"] == "no limit to reach was given"


@pytest.mark.parametrize(("slope", "status"), [(1, "ok"), (2.5, "warning"), (4, "critical"), (-4, "ok")])
def test_growth_is_judged_by_the_day(trend: Any, remember: Any, slope: float, status: str) -> None:
    remember(8, lambda day: [record(50 + slope * day)])
    found = check(trend(growth={"warning": 2, "critical": 3}), "trend.growth")
    assert (found["status"], found["value"], found["unit"]) == (status, slope, "%/d")


@pytest.mark.parametrize(("newest", "status"), [(50, "ok"), (53, "warning"), (90, "critical"), (10, "critical")])
def test_a_value_out_of_the_ordinary_is_judged_by_its_distance(
    trend: Any, remember: Any, newest: float, status: str
) -> None:
    remember(20, lambda day: [record(newest if day == 19 else 50 + day % 3 - 1)])
    found = check(trend(deviation={"warning": 1.5, "critical": 10}), "trend.deviation")
    assert (found["status"], found["unit"]) == (status, "times")


def test_the_value_of_this_run_is_the_newest_one(
    trend: Any, remember: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(8, lambda day: [record(90 + day % 2)])
    run = tmp_path / "run"
    run.mkdir()
    (run / "checks.jsonl").write_text(json.dumps({**record(100), "at": iso(NOW)}) + "\n")
    monkeypatch.setenv("SRE_RUNBOOKS_RUN", str(run))
    found = check(trend(deviation={"warning": 3}), "trend.deviation")
    assert found["summary"].startswith("100 %, where ")


def test_a_new_host_is_not_red_before_it_has_a_past(
    trend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "checks.jsonl").write_text(json.dumps({**record(99), "at": iso(NOW)}) + "\n")
    monkeypatch.setenv("SRE_RUNBOOKS_RUN", str(run))
    result = trend()
    assert result["status"] == "skipped"
    assert check(result)["summary"] == f"history begins on {NOW.date()}: 1 of 7 days"
    assert not Path(place).exists()


def test_a_young_history_is_skipped_and_says_how_young(trend: Any, remember: Any) -> None:
    remember(3, lambda day: [record(50 + 10 * day)])
    assert check(trend())["summary"] == f"history begins on {(NOW - dt.timedelta(days=3)).date()}: 4 of 7 days"
    assert check(trend(minimum=3))["status"] == "critical"


def test_what_is_not_applicable_has_no_trend(trend: Any, remember: Any) -> None:
    remember(30, lambda day: [{**record(None), "status": "skipped"}])
    assert trend()["status"] == "skipped"
    assert check(trend())["summary"] == "mount.space was skipped"


def unknown(result: dict[str, Any], target: str = "mount.space@/") -> str:
    found = check(result, target=target)
    assert (result["status"], found["status"]) == ("unknown", "unknown")
    return str(found["summary"])


def test_what_was_never_measured_is_unknown(trend: Any, remember: Any) -> None:
    summary = "there is no mount.space for * of this host, in history or in this run"
    assert unknown(trend(), "mount.space@*") == summary
    remember(8, lambda day: [record(50, host="web2")])
    assert unknown(trend(), "mount.space@*") == summary


def test_too_few_values_are_unknown(trend: Any, remember: Any) -> None:
    remember(30, lambda day: [record(50 if day in (0, 10, 29) else None)])
    begin = (NOW - dt.timedelta(days=30)).date()
    assert unknown(trend()) == f"there are too few values since {begin}: 3 of 7 days"


def test_a_value_that_is_not_measured_any_more_is_unknown(trend: Any, remember: Any) -> None:
    remember(30, lambda day: [record(50 if day < 15 else None)])
    last = (NOW - dt.timedelta(days=16)).date()
    assert unknown(trend()) == f"there is no value of the last 7 days, the last one is {last}"
    remember(30, lambda day: [record(None)])
    assert unknown(trend()) == "there is no value of the last 7 days, the last one is none at all"


def test_a_disk_that_was_taken_away_is_not_asked_for_by_a_pattern(trend: Any, remember: Any) -> None:
    remember(30, lambda day: [record(50), *([record(50, "/mnt/usb")] if day < 15 else [])])
    assert {found["target"] for found in trend()["checks"]} == {"mount.space@/"}
    result = trend(targets=[{**SPACE[0], "target": "/mnt/usb"}])
    assert "there is no value of the last 7 days" in unknown(result, "mount.space@/mnt/usb")


def test_a_history_that_cannot_be_read_is_unknown(trend: Any, place: str) -> None:
    Path(place).write_text("no database\n" * 100)
    assert unknown(trend(), "mount.space@*") == f"history at {place}: file is not a database"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"targets": [{"of": "mount.spice", "reaches": 100}]}, "targets[0].of: there is no check mount.spice"),
        ({"minimum": 1}, "targets[0].minimum: 1 days show no trend, give at least 2"),
        ({"window": 3}, "targets[0].window: 3 days cannot hold the minimum of 7"),
        ({"days": {"warning": 5}}, "targets[0].days.warning 5 is beyond critical 7"),
    ],
)
def test_what_cannot_be_meant_is_refused(trend: Any, given: dict[str, Any], message: str) -> None:
    result = trend(**given)
    assert result["failed"] is True
    assert result["msg"].startswith(message)


def test_an_option_that_does_not_exist_is_refused(trend: Any) -> None:
    with pytest.raises(AnsibleError, match="reach"):
        trend(targets=[{"of": "mount.space", "reach": 100}])


def test_the_task_fails_when_it_is_asked_to(trend: Any, remember: Any) -> None:
    remember(8, lambda day: [record(50 + 6 * day)])
    assert trend()["failed"] is False
    assert trend(fail_on="critical")["failed"] is True


def test_documentation_and_arguments_agree() -> None:
    assert list(disagreements(documented("trend_check")["options"], arguments(_trend))) == []


@pytest.mark.parametrize("task", yaml.safe_load(trend_check.EXAMPLES), ids=lambda task: task["name"])
def test_every_example_is_accepted(trend: Any, task: dict[str, Any]) -> None:
    result = trend(**task["sre.runbooks.trend_check"])
    assert result["failed"] is False, result["msg"]
    assert result["status"] in STATUSES
