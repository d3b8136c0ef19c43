# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task that attests: run as Ansible runs it, without a playbook around it."""

from __future__ import annotations

import datetime as dt
import getpass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader
from ansible.template import Templar

from ansible_collections.sre.runbooks.plugins.action.attest import ARGUMENTS
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History
from ansible_collections.sre.runbooks.tests.unit.test_architecture import disagreements, documented

RUNBOOK = {
    "system": "shop",
    "timezone": "Pacific/Kiritimati",  # 14 hours ahead: the day is seldom the one of UTC
    "occasions": {
        "evening": {
            "title": "Evening",
            "playbook": "evening",
            "owner": "Operations",
            "steps": [
                {"id": "E-1", "title": "Review", "attest": True},
                {"id": "E-2", "title": "x", "checks": ["run.task"]},
            ],
        }
    },
}
TODAY = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=14)).date()


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "history.sqlite")


@pytest.fixture
def attest(place: str) -> Any:
    def run(*, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
        runbook = arguments.pop("runbook", RUNBOOK)
        given = {"occasion": "evening", "step": "E-1", **arguments}
        task = Task.load({"name": "Attest", "sre.runbooks.attest": given, "check_mode": check_mode})
        loader = DataLoader()
        variables = {"sre_runbook": runbook, "sre_history": place}
        action = action_loader.get(
            "sre.runbooks.attest",
            task=task,
            connection=mock.Mock(),
            play_context=mock.Mock(),
            loader=loader,
            templar=Templar(loader, variables),
            shared_loader_obj=None,
        )
        task.args = given
        return dict(action.run(task_vars=variables))

    return run


def rows(place: str) -> list[dict[str, Any]]:
    with History(place) as history:
        return history.attestations("shop")


def test_who_did_what_is_recorded_for_today_where_the_runbook_is_at_home(attest: Any, place: str) -> None:
    result = attest(note="two accounts closed", evidence="https://tickets.example.org/1")
    assert result["changed"] is True
    assert result["msg"] == f"E-1 of evening is done for {TODAY}, says {getpass.getuser()}"
    [row] = rows(place)
    assert (row["step"], row["state"], row["date"], row["by"]) == ("E-1", "done", TODAY, getpass.getuser())
    assert (row["note"], row["evidence"]) == ("two accounts closed", "https://tickets.example.org/1")
    assert dt.datetime.now(dt.UTC) - row["at"] < dt.timedelta(minutes=1)


def test_saying_the_same_again_changes_nothing(attest: Any, place: str) -> None:
    first = attest(by="jo")
    again = attest(by="jo")
    assert again["changed"] is False
    assert again["attestation"] == first["attestation"]
    assert len(rows(place)) == 1


def test_saying_something_else_adds_a_row_and_shows_the_difference(attest: Any, place: str) -> None:
    attest(by="jo")
    result = attest(by="jo", state="not_applicable", note="holiday")
    assert result["changed"] is True
    assert (result["diff"]["before"]["state"], result["diff"]["after"]["state"]) == ("done", "not_applicable")
    assert [row["state"] for row in rows(place)] == ["done", "not_applicable"]


def test_check_mode_tells_the_truth_and_writes_nothing(attest: Any, place: str) -> None:
    assert attest(check_mode=True, by="jo")["changed"] is True
    assert not Path(place).parent.exists()
    attest(by="jo")
    assert attest(check_mode=True, by="jo")["changed"] is False
    assert attest(check_mode=True, by="ann")["changed"] is True
    assert len(rows(place)) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"occasion": "morning"}, "occasion: 'morning' is not in the runbook"),
        ({"step": "E-9"}, "step: 'E-9' is not in evening"),
        ({"step": "E-2"}, "step: E-2 is measured, not attested"),
        ({"by": " "}, "by: who says so? The name is empty"),
        ({"state": "not_applicable", "note": " "}, "note: say why the step is not applicable"),
        ({"date": "tomorrow"}, "date: 'tomorrow' is not a date, write YYYY-MM-DD"),
        ({"date": "2999-01-01"}, "date: 2999-01-01 is in the future"),
        ({"runbook": None}, "sre_runbook: the key system is missing"),
        ({"history": "mysql://db/history"}, "history is kept in sqlite or postgresql, not in mysql"),
    ],
)
def test_what_cannot_be_attested_is_refused(attest: Any, place: str, given: dict[str, Any], message: str) -> None:
    result = attest(**given)
    assert result["failed"] is True
    assert result["msg"].startswith(message)
    assert rows(place) == []


def test_the_day_of_the_last_run_is_pointed_out_when_it_is_another_one(attest: Any, place: str) -> None:
    run = {
        "id": "1",
        "system": "shop",
        "occasion": "evening",
        "state": "closed",
        "started": "2026-11-01T05:00:00+00:00",
    }
    with History(place) as history:
        history.save(run, [])
    [warning] = attest()["warnings"]
    assert warning == "the last run of evening is of 2026-11-01: if that one is meant, attest with that date"
    assert "warnings" not in attest(date="2026-11-01")
    assert "warnings" not in attest(date="2026-11-02")


def test_documentation_and_arguments_agree() -> None:
    assert list(disagreements(documented("attest")["options"], ARGUMENTS)) == []
