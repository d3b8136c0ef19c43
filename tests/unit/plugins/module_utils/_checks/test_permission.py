# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""permission: real files, and a policy."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import permission as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _trees
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

UPLOADS = "wp-content/uploads"
ME = getpass.getuser()
EVERYTHING: dict[str, Any] = {"owners": [ME], "group_writable": {"warning": 0}}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site as it should be: 0644, 0755, a closed configuration, pictures among the uploads."""
    root = tmp_path / "site"
    for path in ("index.php", "wp-config.php", f"{UPLOADS}/cat.jpg", "tls/site.key", "tls/site.pem"):
        write(root, path)
    (root / "wp-config.php").chmod(0o640)
    (root / "tls/site.key").write_text("-----BEGIN PRIVATE KEY-----\nMIIE\n")
    (root / "tls/site.key").chmod(0o600)
    (root / "tls/site.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIE\n")
    (root / "loop").symlink_to(".")
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)
    return root


def write(root: Path, path: str, mode: int = 0o644) -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("x")
    (root / path).chmod(mode)
    return root / path


def check(site: Path, **options: Any) -> dict[str, Check]:
    found = checks_of(kind, targets=[{"path": str(site)}], **{**EVERYTHING, **options})
    return {one.id.partition(".")[2]: one for one in found}


def red(found: dict[str, Check]) -> dict[str, str]:
    return {what: one.status for what, one in found.items() if one.status not in ("ok", "skipped")}


def test_a_site_as_it_should_be_is_ok_although_everybody_can_read_it(site: Path) -> None:
    found = check(site)
    assert {one.status for one in found.values()} == {"ok"}
    assert found["world_writable"].summary == "0 of 10 files can be written to by everybody"


@pytest.mark.parametrize(
    ("path", "mode", "expected"),
    [
        ("index.php", 0o646, {"world_writable": "critical"}),
        ("index.php", 0o666, {"world_writable": "critical", "group_writable": "warning"}),
        ("index.php", 0o664, {"group_writable": "warning"}),
        ("tls", 0o757, {"world_writable": "critical"}),
        ("tls", 0o1757, {}),
        (".", 0o757, {"world_writable": "critical"}),
        ("index.php", 0o4755, {"setuid": "critical"}),
        ("index.php", 0o2755, {"setuid": "critical"}),
        ("tls", 0o2755, {}),
        ("wp-config.php", 0o644, {"mode": "critical"}),
        ("wp-config.php", 0o440, {}),
        ("wp-config.php", 0o650, {"mode": "critical"}),
        ("tls/site.key", 0o644, {"private_keys": "critical"}),
        ("tls/site.key", 0o640, {}),
        ("tls/site.pem", 0o644, {}),
    ],
)
def test_each_mode_is_judged_by_what_it_grants(site: Path, path: str, mode: int, expected: dict[str, str]) -> None:
    (site / path).chmod(mode)
    found = check(site)
    assert red(found) == expected
    for what in expected:
        assert found[what].value == 1
        assert found[what].detail["files"][0].startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["x.php", "x.php.jpg", "X.PHTML", ".htaccess", "deep/er/x.phar"])
def test_a_program_among_the_uploads_is_critical_whatever_its_mode(site: Path, name: str) -> None:
    write(site, f"{UPLOADS}/{name}", 0o400)
    assert red(check(site)) == {"executable_uploads": "critical"}


def test_the_tree_may_be_the_uploads_themselves(site: Path) -> None:
    write(site, f"{UPLOADS}/2026/x.php")
    found = check(site / UPLOADS, uploads=["."])
    assert red(found) == {"executable_uploads": "critical"}
    assert found["executable_uploads"].detail["files"][0].startswith("2026/x.php: ")


def test_a_tree_without_uploads_is_not_praised_for_having_no_program_there(site: Path) -> None:
    found = check(site / "tls")["executable_uploads"]
    assert (found.status, found.summary) == ("skipped", f"not applicable: the tree has no {UPLOADS}")


@pytest.mark.parametrize("name", ["id_ed25519", ".pgpass", "store.p12", ".htpasswd"])
def test_a_secret_is_known_by_its_name(site: Path, name: str) -> None:
    write(site, name)
    assert red(check(site)) == {"private_keys": "critical"}


def test_files_of_somebody_else_are_named_with_their_owner(site: Path) -> None:
    found = check(site, owners=["nobody-of-this-name"])
    assert red(found) == {"owner": "warning"}
    assert found["owner"].value == 10, "the link counts as well"
    assert ME in found["owner"].detail["files"][0]
    assert check(site, owners=[], groups=["no-such-group"])["owner"].status == "warning"


@pytest.mark.parametrize(
    ("what", "path", "mode"),
    [
        ("world_writable", "cache/x", 0o646),
        ("setuid", "bin/ping", 0o4755),
        ("group_writable", "cache/y", 0o664),
        ("private_keys", "tests/id_rsa", 0o644),
        ("executable_uploads", f"{UPLOADS}/index.php", 0o644),
    ],
)
def test_what_the_policy_calls_fine_is_fine(site: Path, what: str, path: str, mode: int) -> None:
    write(site, path, mode)
    assert list(red(check(site))) == [what]
    assert red(check(site, fine={what: [path]})) == {}


def test_what_was_not_asked_for_is_skipped_with_the_reason(site: Path) -> None:
    found = check(site, owners=[], group_writable={}, uploads=[], modes={"*.ini": "0600"})
    skipped = {what: one.summary for what, one in found.items() if one.status == "skipped"}
    assert skipped == {
        "owner": "not asked for: neither owners nor groups is given",
        "group_writable": "not asked for: group_writable has no limits",
        "executable_uploads": "not asked for: uploads is empty",
        "mode": "not applicable: there is no file that modes names",
    }


def test_the_first_pattern_that_means_a_file_is_its_policy(site: Path) -> None:
    write(site, "a/x.ini", 0o644)
    assert red(check(site, modes={"a/*.ini": "0644", "*.ini": "0600"})) == {}
    assert red(check(site, modes={"*.ini": "0600", "a/*.ini": "0644"})) == {"mode": "critical"}


def test_a_tree_that_is_not_there_is_one_unknown(tmp_path: Path) -> None:
    found = checks_of(kind, targets=[{"path": str(tmp_path / "none")}])
    assert [one.status for one in found] == ["unknown", *["skipped"] * 6]
    assert "does not exist" in found[0].summary


def test_a_directory_that_cannot_be_read_makes_finding_nothing_unknown(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.listdir

    def refuse(path: str) -> list[str]:
        if path.endswith("tls"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    (site / "index.php").chmod(0o646)
    monkeypatch.setattr(_trees.os, "listdir", refuse)
    found = checks_of(kind, targets=[{"path": str(site)}], **EVERYTHING)
    assert statuses(found) == {**dict.fromkeys(kind.CHECKS, "unknown"), "permission.world_writable": "critical"}
    assert found[1].detail["unread"] == ["tls"]


def test_a_key_that_cannot_be_read_makes_only_the_secrets_unknown(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "tls/site.key").chmod(0o644)
    real = os.open

    def refuse(path: str, *rest: Any, **more: Any) -> int:
        if str(path).endswith("site.key"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)

    monkeypatch.setattr(_trees.os, "open", refuse)
    assert red(check(site)) == {"private_keys": "unknown"}


@pytest.mark.parametrize("mode", ["416", "rw-r-----", "0999", 416])
def test_a_mode_that_is_none_is_refused(site: Path, mode: Any) -> None:
    """YAML reads 0640 without quotes as 416."""
    with pytest.raises(BadOption, match=r"modes.x: .* octal and in quotes"):
        check(site, modes={"x": mode})
