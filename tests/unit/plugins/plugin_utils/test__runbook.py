# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runbook as data: what is read, and what is refused with its place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import RunbookError, Source, read, seconds

RUNBOOK: dict[str, Any] = {
    "system": "acme",
    "timezone": "Europe/Berlin",
    "occasions": {
        "morning": {
            "title": "Morning",
            "playbook": "daily",
            "owner": "Operations",
            "schedule": "*-*-* 05:00",
            "budget": "10m",
            "steps": [
                {"id": "A-1", "title": "Disks have room", "checks": ["mount.space", "mount.*@/var"]},
                {"id": "A-2", "title": "Talk to the night shift", "attest": True, "due": "2h"},
                {"id": "A-3", "title": "Drop the caches", "refused": "It hides the cause and helps nobody."},
            ],
        },
        "noon": {
            "title": "Noon",
            "playbook": "midday",
            "owner": "Operations",
            "steps": [{"id": "B-1", "title": "x", "attest": True}],
        },
    },
}


def changed(*path: Any, to: Any = None) -> dict[str, Any]:
    """The runbook with one thing replaced, or removed."""
    data = copy.deepcopy(RUNBOOK)
    node: Any = data
    for key in path[:-1]:
        node = node[key]
    if to is None:
        del node[path[-1]]
    else:
        node[path[-1]] = to
    return data


def test_a_good_runbook_is_read_whole() -> None:
    runbook = read(RUNBOOK)
    morning = runbook.occasions["morning"]
    assert (runbook.system, runbook.timezone, list(runbook.occasions)) == ("acme", "Europe/Berlin", ["morning", "noon"])
    assert (morning.budget, morning.schedule, len(morning.steps)) == (600, "*-*-* 05:00", 3)
    assert (morning.steps[1].attest, morning.steps[1].due) == (True, 7200)
    assert morning.steps[2].refused


STEP = ("occasions", "morning", "steps", 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "sre_runbook: None is not of type 'object'"),
        (changed("timezone"), "sre_runbook: the key timezone is missing"),
        (changed("timezone", to="Berlin"), "key timezone: Berlin is no time zone"),
        (changed("occasions", to={}), "key occasions"),
        (changed("occasions", "morning", "owner"), "occasion morning: the key owner is missing"),
        (changed("occasions", "morning", "budget", to="ten"), "occasion morning, key budget: 'ten': write a duration"),
        (changed("occasions", "morning", "steps", to=[]), "occasion morning, key steps"),
        (changed(*STEP, "chekcs", to=["x.y"]), "occasion morning, step A-1: unknown key chekcs; did you mean checks?"),
        (
            changed(*STEP, "checks", 0, to="mount.spaec"),
            "step A-1, key checks.0: there is no check mount.spaec; did you mean mount.space?",
        ),
        (changed(*STEP, "checks", 0, to="space"), "step A-1, key checks.0: 'space': write kind.property"),
        (changed(*STEP, "checks"), "step A-1: needs exactly one of checks, attest: true and refused: why; it has none"),
        (
            changed(*STEP, "attest", to=True),
            "step A-1: needs exactly one of checks, attest: true and refused: why; it has checks and attest",
        ),
        (changed(*STEP, "id", to="A-2"), "step A-2, key id: another step of the occasion has this id"),
        (changed(*STEP, "id"), "occasion morning, step 1: the key id is missing"),
        (changed("occasions", "morning", "steps", 2, "refused", to="no"), "step A-3, key refused"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(data: Any, message: str) -> None:
    with pytest.raises(RunbookError) as caught:
        read(data)
    assert message in str(caught.value)


def test_file_and_line_are_named(tmp_path: Path) -> None:
    file = tmp_path / "group_vars" / "all" / "runbook.yml"
    file.parent.mkdir(parents=True)
    data = changed(*STEP, "chekcs", to=["x.y"])
    file.write_text("---\n" + yaml.safe_dump({"sre_runbook": data}, sort_keys=False))
    line = next(
        number for number, text in enumerate(file.read_text().splitlines(), 1) if "chekcs" not in text and "A-1" in text
    )
    with pytest.raises(RunbookError, match=rf"^{file}:{line}: occasion morning, step A-1: unknown key"):
        read(data, Source.find([str(tmp_path)]))


def test_the_playbook_finds_its_occasion() -> None:
    runbook = read(RUNBOOK)
    assert runbook.occasion("daily") is runbook.occasions["morning"]
    assert runbook.occasion("weekly") is None
    assert runbook.occasion("daily", "noon") is runbook.occasions["noon"]


def test_a_playbook_of_several_occasions_needs_a_name() -> None:
    runbook = read(changed("occasions", "noon", "playbook", to="daily"))
    with pytest.raises(RunbookError, match="say which, with sre_occasion: morning, noon"):
        runbook.occasion("daily")


def test_an_unknown_occasion_is_refused() -> None:
    with pytest.raises(RunbookError, match="there is no occasion mornin; did you mean morning"):
        read(RUNBOOK).occasion("daily", "mornin")


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800)])
def test_durations(text: str, expected: int) -> None:
    assert seconds(text) == expected
