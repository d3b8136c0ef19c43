# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An occasion that did not take place is in the report of the next run, whoever was to start it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History
from ansible_collections.sre.runbooks.plugins.plugin_utils._schedule import due
from ansible_collections.sre.runbooks.tests.integration.playbook import Site

MOUNTS = {"name": "Mounts", "sre.runbooks.mount_check": {"targets": [{"path": "/"}]}}
HOUR = dt.timedelta(hours=1)


def occasion(playbook: str, schedule: str) -> dict[str, Any]:
    step = {"id": "S-1", "title": "It takes place", "checks": [f"run.missed@{playbook}"]}
    return {"title": playbook, "playbook": playbook, "owner": "Jo", "schedule": schedule, "steps": [step]}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Hourly at half past, and daily at noon."""
    occasions = {"hourly": occasion("hourly", "*-*-* *:30"), "daily": occasion("daily", "*-*-* 12:00 UTC")}
    book = {"system": "shop", "title": "Shop", "timezone": "Europe/Berlin", "occasions": occasions}
    return Site(tmp_path, {"sre_runbook": book})


def before(ago: dt.timedelta) -> str:
    return (dt.datetime.now(dt.UTC) - ago).isoformat()


def began(site: Site, occasion: str, ago: dt.timedelta, **more: Any) -> None:
    """Remember a run of so long ago."""
    started = before(ago)
    about = {"id": f"{occasion}-{started}", "system": "shop", "occasion": occasion, "playbook": occasion}
    site.state.mkdir(exist_ok=True)
    with History(str(site.state / "history.sqlite")) as history:
        history.save({**about, "state": "closed", "limited": False, "started": started, **more}, [])


def missed(site: Site, *arguments: str, playbook: str = "daily") -> dict[str, tuple[str, float | None]]:
    result = site.run([MOUNTS], *arguments, playbook=playbook)
    return {record["target"]: (record["status"], record["value"]) for record in result.of("run.missed")}


def test_a_first_run_has_missed_nothing_and_says_so(site: Site) -> None:
    result = site.run([MOUNTS])
    found = {each["target"]: (each["status"], each["value"]) for each in result.of("run.missed")}
    assert found == {"hourly": ("ok", 0), "daily": ("ok", 0)}
    assert (result.rc, result.facts["verdict"]) == (0, "ok")


def test_an_occasion_that_nobody_starts_turns_yellow_in_the_others_and_green_when_it_has_taken_place(
    site: Site,
) -> None:
    began(site, "hourly", 10 * HOUR)
    began(site, "daily", 2 * HOUR)
    result = site.run([MOUNTS])
    found = {record["target"]: record for record in result.of("run.missed")}
    assert found["daily"]["status"] == "ok"
    assert found["hourly"]["status"] == "warning"
    assert found["hourly"]["value"] in (8, 9), "all but the last, which may be just about to begin"
    assert " times since " in found["hourly"]["summary"]
    assert found["hourly"]["summary"] in (result.path / "report.txt").read_text()  # type: ignore[operator]
    assert missed(site, playbook="hourly")["hourly"] in (("warning", 8), ("warning", 9)), (
        "and it tells itself what was missed before it"
    )
    assert missed(site) == {"hourly": ("ok", 0), "daily": ("ok", 0)}


@pytest.mark.parametrize("arguments", [["--check"], ["--limit", "localhost"]])
def test_a_run_that_is_not_whole_is_not_the_one_that_is_due(site: Site, arguments: list[str]) -> None:
    began(site, "hourly", 3.5 * HOUR)
    assert missed(site, *arguments, playbook="hourly")["hourly"][0] == "warning"
    began(site, "hourly", HOUR / 60)
    assert missed(site, *arguments, playbook="hourly")["hourly"] == ("ok", 0)


def test_what_has_never_taken_place_is_expected_since_the_first_look(site: Site) -> None:
    record = {"host": "localhost", "id": "run.missed", "target": "hourly", "status": "ok", "value": 0, "summary": ""}
    state = {"id": "first", "system": "shop", "occasion": "daily", "playbook": "daily", "state": "closed"}
    site.state.mkdir()
    with History(str(site.state / "history.sqlite")) as history:
        history.save({**state, "limited": False, "started": before(5 * HOUR)}, [record])
    hourly = next(each for each in site.run([MOUNTS]).of("run.missed") if each["target"] == "hourly")
    assert hourly["status"] == "warning"
    assert hourly["summary"].endswith("; it never has before")


def test_a_history_that_is_away_makes_the_step_unknown(site: Site) -> None:
    site.variables["sre_history"] = "postgresql://sre:hunter2@127.0.0.1:1/history"
    result = site.run([MOUNTS])
    assert {record["status"] for record in result.of("run.missed")} == {"skipped"}
    assert result.of("run.history")[0]["status"] == "unknown"
    assert result.facts["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("schedule", "reason"), [("every now and then", "Failed to parse"), ("*-02-30 05:00", "names no time any more")]
)
def test_a_schedule_that_tells_no_time_is_unknown(site: Site, schedule: str, reason: str) -> None:
    site.variables["sre_runbook"]["occasions"]["hourly"]["schedule"] = schedule
    found = {each["target"]: each for each in site.run([MOUNTS]).of("run.missed")}
    assert {target: each["status"] for target, each in found.items()} == {"hourly": "unknown", "daily": "ok"}
    assert reason in found["hourly"]["summary"]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("*-*-* 05:00 UTC", "2026-11-20T04:59:59", ["2026-11-20T05:00", "2026-11-21T05:00"]),
        ("*-*-* 05:00 UTC", "2026-11-20T05:00:00", ["2026-11-21T05:00", "2026-11-22T05:00"]),
        ("*-*-* 02:30 Europe/Berlin", "2026-10-24T12:00:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),  # two of them
        ("*-*-* 02:30 Europe/Berlin", "2026-03-28T12:00:00", ["2026-03-30T00:30", "2026-03-31T00:30"]),  # and none
        ("Mon *-*-* 09:00 Asia/Kolkata", "2026-11-20T00:00:00", ["2026-11-23T03:30", "2026-11-30T03:30"]),
        ("2026-12-24 18:00 UTC", "2026-11-20T00:00:00", ["2026-12-24T18:00"]),
        ("2026-12-24 18:00 UTC", "2026-12-24T18:00:00", []),
    ],
)
def test_systemd_says_when_an_occasion_is_due(expression: str, after: str, expected: list[str]) -> None:
    found = due(expression, dt.datetime.fromisoformat(f"{after}+00:00"), 2)
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in found] == expected


def test_a_machine_without_systemd_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unmeasurable, match="systemd-analyze is not installed"):
        due("*-*-* 05:00", dt.datetime.now(dt.UTC), 2)
