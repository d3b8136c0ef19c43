# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waivers: read, applied, and noticed when they run out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.plugins.plugin_utils import _waivers

TODAY = dt.date(2026, 11, 21)
AT = dt.datetime(2026, 11, 21, 5, 0, tzinfo=dt.UTC)
GOOD = {"check": "mount.space", "reason": "grows on purpose", "owner": "Jo", "until": "2026-12-31"}
RECORD = {"host": "web1", "id": "mount.space", "target": "/data", "status": "critical", "summary": "full"}


def waived(record: dict[str, Any], *waivers: dict[str, Any]) -> Any:
    return _waivers.apply([record], _waivers.read(list(waivers)), TODAY)[0]["waiver"]


def found(record: dict[str, Any], *waivers: dict[str, Any]) -> list[dict[str, Any]]:
    return _waivers.findings([record], _waivers.read(list(waivers)), TODAY, AT)


def test_a_waived_record_keeps_its_status_and_says_who_answers_for_it() -> None:
    [record] = _waivers.apply([RECORD], _waivers.read([GOOD]), TODAY)
    assert record == {**RECORD, "waiver": {"reason": "grows on purpose", "owner": "Jo", "until": "2026-12-31"}}


@pytest.mark.parametrize(
    ("limits", "matches"),
    [
        ({}, True),
        ({"host": "web1", "target": "/data"}, True),
        ({"host": "web*", "target": "/da?a"}, True),
        ({"check": "mount.*"}, True),
        ({"check": "*"}, True),
        ({"check": "mount.inodes"}, False),
        ({"host": "web2"}, False),
        ({"host": "Web1"}, False),
        ({"target": "/"}, False),
    ],
)
def test_a_waiver_matches_by_name_or_pattern(limits: dict[str, str], matches: bool) -> None:
    assert bool(waived(RECORD, {**GOOD, **limits})) == matches


def test_a_name_with_brackets_matches_itself() -> None:
    assert waived({**RECORD, "target": "[::1]:443"}, {**GOOD, "target": "[::1]:443"})


@pytest.mark.parametrize(
    ("status", "matters"), [("ok", False), ("skipped", False), ("warning", True), ("unknown", True)]
)
def test_only_a_problem_is_waived(status: str, matters: bool) -> None:
    assert bool(waived({**RECORD, "status": status}, GOOD)) == matters


@pytest.mark.parametrize(("until", "holds"), [("2026-11-21", True), ("2026-11-20", False), (TODAY, True)])
def test_a_waiver_holds_to_the_end_of_its_last_day(until: Any, holds: bool) -> None:
    assert bool(waived(RECORD, {**GOOD, "until": until})) == holds


def test_an_expired_waiver_whose_problem_lasts_is_a_finding() -> None:
    [finding] = found(RECORD, {**GOOD, "host": "web1", "until": "2026-11-20"})
    assert (finding["id"], finding["status"], finding["host"]) == ("run.waiver", "warning", "localhost")
    assert finding["target"] == "mount.space on web1"
    assert "2026-11-20" in finding["summary"]
    assert "Jo" in finding["summary"]


def test_an_expired_waiver_is_no_finding_once_the_problem_is_solved_or_waived_anew() -> None:
    old = {**GOOD, "until": "2026-11-20"}
    assert found({**RECORD, "status": "ok"}, old) == []
    assert found(RECORD, old, GOOD) == []


def test_a_waiver_that_matches_nothing_is_visible() -> None:
    [finding] = found(RECORD, {**GOOD, "target": "/typo"})
    assert (finding["status"], finding["summary"]) == ("skipped", "matches no check of this run")
    assert finding["target"] == "mount.space@/typo"


def test_a_waiver_in_force_is_no_finding() -> None:
    assert found(RECORD, GOOD) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([GOOD, {**GOOD, "reason": ""}], "sre_waivers[1].reason: is missing"),
        ([{**GOOD, "owner": None}], "sre_waivers[0].owner: is missing"),
        ([{key: value for key, value in GOOD.items() if key != "until"}], "sre_waivers[0].until: is missing"),
        ([{key: value for key, value in GOOD.items() if key != "check"}], "sre_waivers[0].check: is missing"),
        ([{**GOOD, "until": "31.12.2026"}], "sre_waivers[0].until: '31.12.2026' is not a date, write YYYY-MM-DD"),
        ([{**GOOD, "until": "2026-02-30"}], "sre_waivers[0].until: '2026-02-30' is not a date, write YYYY-MM-DD"),
        ([{**GOOD, "hosts": "web1"}], "sre_waivers[0].hosts: there is no such key"),
        (["mount.space"], "sre_waivers[0]: a waiver has the keys"),
        ({"check": "x"}, "sre_waivers: a list of waivers is needed, not dict"),
    ],
)
def test_a_waiver_that_cannot_be_meant_is_named(given: Any, message: str) -> None:
    with pytest.raises(BadOption) as caught:
        _waivers.read(given)
    assert str(caught.value).startswith(message)


def test_no_waivers_are_fine() -> None:
    assert _waivers.read(None) == []
    assert _waivers.read([]) == []
