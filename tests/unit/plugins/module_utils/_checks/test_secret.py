# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""secret: what is judged of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import secret as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _trees
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

ONE, OTHER = "k7" + "Tr!vq2zz", "Winter" + "2026!x"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


def leave(site: Path, name: str, value: str) -> None:
    (site / name).write_text(f"<?php\n$password = '{value}';\n")


def check(site: Path, **options: Any) -> tuple[Check, Check]:
    found, new = checks_of(kind, targets=[{"path": str(site)}], memory=str(site.parent / "memory"), **options)
    return found, new


def fingerprint(found: Check) -> str:
    return str(found.detail["findings"][0].split(" ")[0])


def test_a_source_without_credentials_is_ok_and_stays_so(site: Path) -> None:
    (site / "index.php").write_text("<?php $password = get_option('x');")
    assert [one.status for one in check(site)] == ["ok", "skipped"]
    assert [one.status for one in check(site)] == ["ok", "ok"]


def test_a_credential_is_critical_and_reported_without_being_told(site: Path) -> None:
    leave(site, "a.php", ONE)
    leave(site, "b.php", ONE)
    found, new = check(site)
    assert (found.status, found.value, found.summary) == ("critical", 1, "1 credentials stand in 2 of 2 files")
    assert found.detail["findings"][0].endswith(" assigned_secret a.php:2")
    assert ONE not in str(found) + str(new)
    memory = "".join(path.read_text() for path in (site.parent / "memory").iterdir())
    assert ONE not in memory


def test_only_what_appeared_since_the_last_check_is_new(site: Path) -> None:
    leave(site, "a.php", ONE)
    assert check(site)[1].status == "skipped"
    leave(site, "c.php", ONE)
    assert check(site)[1].status == "ok", "the same credential at another place"
    leave(site, "b.php", OTHER)
    new = check(site)[1]
    assert (new.status, new.value) == ("critical", 1)
    assert new.detail["findings"][0].endswith("b.php:2")
    assert check(site)[1].status == "ok"


def test_check_mode_remembers_nothing(site: Path) -> None:
    for _ in range(2):
        assert check(site, check_mode=True)[1].status == "skipped"
    assert not (site.parent / "memory").exists()


def test_what_is_allowed_with_a_reason_is_fine_until_its_day(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(site, "a.php", ONE)
    allow = {"fingerprint": fingerprint(check(site)[0]), "reason": "a test account"}
    assert check(site, allow=[allow])[0].status == "ok"
    assert check(site, allow=[allow])[0].detail["allowed"] == 1
    monkeypatch.setattr(kind.probe, "now", lambda: 1_800_000_000.0)
    assert check(site, allow=[{**allow, "until": "2027-01-15"}])[0].status == "ok"
    late = check(site, allow=[{**allow, "until": "2027-01-14"}])[0]
    assert (late.status, late.detail["allowed_no_longer"]) == ("critical", [allow["fingerprint"]])


def test_what_is_allowed_and_gone_is_named_so_that_the_list_stays_short(site: Path) -> None:
    found = check(site, allow=[{"fingerprint": "0123456789abcdef", "reason": "gone"}])[0]
    assert found.detail["allowed_and_gone"] == ["0123456789abcdef"]


def test_a_file_that_cannot_be_read_makes_finding_nothing_unknown(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(site)
    (site / "closed.php").touch()

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_trees.os, "open", refuse)
    found = checks_of(kind, targets=[{"path": str(site)}], memory=str(site.parent / "memory"), check_mode=True)
    assert [one.status for one in found] == ["unknown", "unknown"]
    assert "closed.php for one" in found[0].summary


def test_a_tree_that_is_not_there_is_one_unknown(tmp_path: Path) -> None:
    found = checks_of(kind, targets=[{"path": str(tmp_path / "none")}])
    assert [one.status for one in found] == ["unknown", "skipped"]


def test_evidence_is_bounded(site: Path) -> None:
    for number in range(50):
        leave(site, f"{number}.php", f"{ONE}{number}")
    found = check(site)[0]
    assert (found.value, len(found.detail["findings"])) == (50, 20)


@pytest.mark.parametrize(
    "allow", [{"fingerprint": "x", "reason": ""}, {"fingerprint": "x", "reason": "y", "until": "June"}]
)
def test_an_exception_without_a_reason_or_with_a_day_that_is_none_is_refused(site: Path, allow: dict[str, str]) -> None:
    with pytest.raises(BadOption, match="allow: "):
        check(site, allow=[allow])
