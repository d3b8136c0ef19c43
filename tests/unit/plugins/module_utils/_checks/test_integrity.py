# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""integrity: what is judged of a tree and its baseline."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import integrity as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.integrity import Differences, Forged, Header
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NOW = 1_800_000_000.0
JUDGED = ("changed", "added", "removed", "metadata")


@pytest.fixture(autouse=True)
def tree(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A tree that is as its baseline of ten days ago says; what is an exception is raised."""
    facts: dict[str, Any] = {
        "header": Header("/srv", [], [], NOW - 10 * 86400, "jo", "run-1", "Release 4.2"),
        "found": Differences(files=100),
    }

    def look(*_: object) -> Any:
        if isinstance(facts["found"], Exception):
            raise facts["found"]
        return facts["header"], facts["found"]

    monkeypatch.setattr(kind.probe, "look", look)
    monkeypatch.setattr(kind.probe, "now", lambda: NOW)
    return facts


def one(check_id: str, **options: Any) -> Check:
    return next(check for check in checks_of(kind, targets=[{"path": "/srv"}], **options) if check.id == check_id)


def test_a_tree_as_it_was_is_ok_and_says_who_vouched_for_it() -> None:
    assert {check.status for check in checks_of(kind, targets=[{"path": "/srv"}])} == {"ok"}
    check = one("integrity.baseline")
    assert check.summary == "the baseline was made 10 days ago by jo: Release 4.2"
    assert (check.detail["files"], check.detail["run"]) == (100, "run-1")


@pytest.mark.parametrize(
    ("what", "status"),
    [("changed", "critical"), ("added", "critical"), ("removed", "warning"), ("metadata", "warning")],
)
def test_each_kind_of_difference_has_its_own_urgency(tree: dict[str, Any], what: str, status: str) -> None:
    getattr(tree["found"], what).add("index.php")
    assert statuses(checks_of(kind, targets=[{"path": "/srv"}])) == {
        **dict.fromkeys(kind.CHECKS, "ok"),
        f"integrity.{what}": status,
    }
    assert one(f"integrity.{what}").detail["files"] == ["index.php"]


def test_a_program_in_the_uploads_is_critical_and_a_deployment_does_not_excuse_it(tree: dict[str, Any]) -> None:
    tree["found"].uploads.add("wp-content/uploads/x.php")
    deploy = {"until": "2027-01-15T09:00:00Z", "reason": "4.3"}
    assert one("integrity.uploads", deploy=deploy).status == "critical"
    assert one("integrity.uploads", uploads=[]).status == "skipped"


def test_a_tree_without_uploads_is_not_praised_for_having_no_program_there(tree: dict[str, Any]) -> None:
    tree["found"].with_uploads = False
    check = one("integrity.uploads")
    assert (check.status, check.summary) == ("skipped", "not applicable: the tree has no wp-content/uploads")


def test_a_forged_baseline_is_critical_and_nothing_is_compared_with_it(tree: dict[str, Any]) -> None:
    tree["found"] = Forged("/var/lib/x.baseline was changed after it was made")
    found = checks_of(kind, targets=[{"path": "/srv"}])
    assert [check.status for check in found] == ["critical", *["skipped"] * 5]
    assert found[1].detail == {"blocked_by": "integrity.baseline"}


def test_no_baseline_is_unknown_and_says_what_to_do(tree: dict[str, Any]) -> None:
    tree["found"] = Unmeasurable("there is no baseline in /x: make one with integrity_baseline and a reason")
    found = checks_of(kind, targets=[{"path": "/srv"}])
    assert [check.status for check in found] == ["unknown", *["skipped"] * 5]
    assert "make one" in found[0].summary


@pytest.mark.parametrize(("days", "status"), [(30, "ok"), (31, "warning"), (91, "critical")])
def test_a_baseline_may_have_to_be_recent(tree: dict[str, Any], days: float, status: str) -> None:
    tree["header"] = Header("/srv", [], [], NOW - days * 86400, "jo", "", "4.2")
    assert one("integrity.baseline", age={"warning": 30, "critical": 90}).status == status


@pytest.mark.parametrize(
    ("until", "status"), [("2027-01-15T08:00:01+00:00", "skipped"), ("2027-01-15T07:59:59Z", "critical")]
)
def test_a_change_is_expected_until_the_deployment_ends(tree: dict[str, Any], until: str, status: str) -> None:
    tree["found"].changed.add("index.php")
    check = one("integrity.changed", deploy={"until": until, "reason": "Release 4.3"})
    assert check.status == status
    assert check.detail["files"] == ["index.php"]
    assert ("Release 4.3" in check.summary) == (status == "skipped")


@pytest.mark.parametrize("what", [*JUDGED, "uploads"])
def test_a_directory_that_cannot_be_read_makes_finding_nothing_unknown(tree: dict[str, Any], what: str) -> None:
    tree["found"].unread_folders.add("private")
    check = one(f"integrity.{what}")
    assert (check.status, check.detail["unread"]) == ("unknown", ["private"])


def test_a_file_that_cannot_be_read_leaves_names_and_modes_known(tree: dict[str, Any]) -> None:
    tree["found"].unread_files.add("secret.php")
    assert one("integrity.changed").status == "unknown"
    assert one("integrity.added").status == one("integrity.metadata").status == "ok"


def test_a_change_that_was_found_is_no_less_critical_for_what_cannot_be_read(tree: dict[str, Any]) -> None:
    tree["found"].changed.add("index.php")
    tree["found"].unread_files.add("secret.php")
    assert one("integrity.changed").status == "critical"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"key": "short"}, "it could be guessed"),
        ({"deploy": {"until": "2027-01-15T08:00:00Z"}}, "for what reason"),
        ({"deploy": {"until": "tonight", "reason": "x"}}, "'tonight' is no moment"),
        ({"deploy": {"until": "2027-01-15T08:00:00", "reason": "x"}}, "with a time zone"),
        ({"targets": [{"path": "/srv", "baseline": "/srv/x.baseline"}]}, "lies in the tree"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadOption, match=reason):
        checks_of(kind, **{"targets": [{"path": "/srv"}], **options})
