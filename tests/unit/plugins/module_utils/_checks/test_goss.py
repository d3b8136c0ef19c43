# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""goss: tests of others, counted and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import goss as kind
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

RECORDED = Path(__file__).resolve().parents[4] / "fixtures/goss"


@pytest.fixture
def goss(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What goss recorded; a test changes which recording, and how old it is."""
    facts: dict[str, Any] = {"what": "passed", "hours": 1.0}

    def text() -> str:
        return (RECORDED / f"0.4.9-{facts['what']}.json").read_text()

    monkeypatch.setattr(kind.probe, "validate", lambda *_: text())
    monkeypatch.setattr(kind.probe, "results", lambda _: (text(), facts["hours"]))
    return facts


def found(**options: Any) -> dict[str, str]:
    return statuses(checks_of(kind, **{"targets": [{"results": "/r.json"}], **options}))


def test_tests_that_all_pass_are_ok(goss: dict[str, Any]) -> None:
    assert found() == {"goss.failed": "ok", "goss.skipped": "ok", "goss.age": "ok"}


def test_tests_that_are_carried_out_now_have_no_age(goss: dict[str, Any]) -> None:
    assert found(targets=[{"gossfile": "/goss.yaml"}])["goss.age"] == "skipped"


def test_failed_and_skipped_tests_are_counted_and_named(goss: dict[str, Any]) -> None:
    goss["what"] = "mixed"
    failed, skipped, _ = checks_of(kind, targets=[{"results": "/r.json"}])
    assert (failed.status, failed.value, failed.unit) == ("critical", 3, "tests")
    assert failed.summary == "3 of 12 tests do not pass"
    assert "File: /etc/absent: exists: Expected false to equal true" in failed.detail["failed"]
    assert (skipped.status, skipped.value, len(skipped.detail["skipped"])) == ("warning", 2, 2)


def test_limits_allow_some_to_fail(goss: dict[str, Any]) -> None:
    goss["what"] = "mixed"
    assert found(failed={"warning": 2, "critical": 3})["goss.failed"] == "warning"


def test_tests_that_were_all_skipped_prove_nothing(goss: dict[str, Any]) -> None:
    goss["what"] = "all_skipped"
    assert found() == {"goss.failed": "unknown", "goss.skipped": "skipped", "goss.age": "skipped"}


@pytest.mark.parametrize(
    ("hours", "status"),
    [(-0.01, "ok"), (26, "ok"), (26.1, "warning"), (50, "warning"), (50.1, "critical"), (-1, "unknown")],
)
def test_results_that_nobody_renews_do_not_stay_green(goss: dict[str, Any], hours: float, status: str) -> None:
    goss["hours"] = hours
    assert found()["goss.age"] == status


def test_goss_that_cannot_be_asked_is_one_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> str:
        raise Unmeasurable("goss is not installed")

    monkeypatch.setattr(kind.probe, "validate", absent)
    assert found(targets=[{"gossfile": "/goss.yaml"}]) == {
        "goss.failed": "unknown",
        "goss.skipped": "skipped",
        "goss.age": "skipped",
    }


@pytest.mark.parametrize("target", [{}, {"gossfile": "/a", "results": "/b"}, {"results": "/b", "vars_file": "/v"}])
def test_tests_come_from_one_source(target: dict[str, str]) -> None:
    with pytest.raises(BadOption):
        found(targets=[target])
