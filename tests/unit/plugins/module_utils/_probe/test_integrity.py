# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""integrity: real trees, changed in every way, and baselines that are tampered with."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _trees
from ansible_collections.sre.runbooks.plugins.module_utils._probe import integrity as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe.integrity import Differences, Forged, Header, Renewal

KEY = "a key that nobody guesses"
UPLOADS = "wp-content/uploads"


class Site:
    """A small WordPress, with its baseline beside it."""

    def __init__(self, directory: Path) -> None:
        self.root, self.baseline = directory / "site", directory / "vault/site.baseline"
        self.exclude: list[str] = []
        self.key: str | None = KEY
        self.uploads = UPLOADS
        for path in ("index.php", "wp-config.php", "wp-includes/version.php", "a/b.php", "a.php", f"{UPLOADS}/cat.jpg"):
            self.write(path, f"the content of {path}")
        (self.root / "latest").symlink_to("a")

    def write(self, path: str, content: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(content)

    def renew(self, reason: str = "Release 4.2", *, keep: bool = True) -> Renewal:
        header = Header(str(self.root), self.exclude, [self.uploads], 1_700_000_000.0, "jo", "run-1", reason)
        return probe.renew(header, str(self.baseline), self.key, 60, keep=keep)

    def look(self, **other: Any) -> Differences:
        given: dict[str, Any] = {
            "exclude": self.exclude,
            "uploads": [self.uploads],
            "key": self.key,
            "timeout": 60,
            **other,
        }
        return probe.look(str(self.root), str(self.baseline), **given)[1]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.renew()
    return site


def names(found: Differences) -> dict[str, list[str]]:
    every = {what: getattr(found, what).first for what in ("changed", "added", "removed", "metadata", "uploads")}
    return {what: first for what, first in every.items() if first}


def test_a_tree_as_it_was_differs_in_nothing(site: Site) -> None:
    found = site.look()
    assert not found
    assert found.files == 6, "five files and a link; the picture among the uploads is not followed"


def test_changed_content_is_seen_although_size_and_time_are_as_before(site: Site) -> None:
    path = site.root / "index.php"
    before = path.stat()
    path.write_text(path.read_text().replace("content", "CONTENT"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert names(site.look()) == {"changed": ["index.php"]}


def test_added_and_removed_files_are_told_apart_wherever_they_stand_in_the_order(site: Site) -> None:
    for path in ("a/a.php", "a-b/x.php", "zz.php", "0.php"):
        site.write(path, "new")
    (site.root / "a/b.php").unlink()
    (site.root / "index.php").rename(site.root / "index2.php")
    assert names(site.look()) == {
        "added": ["0.php", "a/a.php", "a-b/x.php", "index2.php", "zz.php"],
        "removed": ["a/b.php", "index.php"],
    }


def test_mode_and_owner_are_no_content(site: Site) -> None:
    (site.root / "index.php").chmod(0o666)
    (site.root / "a").chmod(0o777)
    found = site.look()
    assert not found.changed.count
    assert [line.split(": ")[0] for line in found.metadata.first] == ["a", "index.php"]
    assert "→ 0666" in found.metadata.first[1]


def test_a_link_that_leads_elsewhere_and_a_file_that_became_a_link_are_changes(site: Site) -> None:
    (site.root / "latest").unlink()
    (site.root / "latest").symlink_to("/etc")
    (site.root / "a.php").unlink()
    (site.root / "a.php").symlink_to("/etc/passwd")
    assert site.look().changed.first == ["a.php: was a file, is a link", "latest"]


def test_only_programs_matter_among_the_uploads(site: Site) -> None:
    for name in ("dog.jpg", "shell.php", "shell.php.jpg", "x.PHTML", ".htaccess", "2026/deep.phar", "report.pdf"):
        site.write(f"{UPLOADS}/{name}", "new")
    (site.root / f"{UPLOADS}/cat.jpg").unlink()
    found = site.look()
    assert names(found) == {
        "uploads": [
            f"{UPLOADS}/{name}" for name in (".htaccess", "2026/deep.phar", "shell.php", "shell.php.jpg", "x.PHTML")
        ]
    }


def test_the_tree_may_be_the_uploads_themselves(site: Site) -> None:
    site.root, site.uploads = site.root / UPLOADS, "."
    site.renew()
    site.write("dog.jpg", "new")
    assert not site.look()
    site.write("2026/shell.php", "<?php system($_GET[0]);")
    assert names(site.look()) == {"uploads": ["2026/shell.php"]}


def test_whether_there_are_uploads_at_all_is_told(site: Site) -> None:
    assert site.look().with_uploads
    site.uploads = "media"
    site.renew()
    assert not site.look().with_uploads


def test_a_program_among_the_uploads_that_was_vouched_for_is_seen_when_it_changes(site: Site) -> None:
    site.write(f"{UPLOADS}/index.php", "<?php // silence")
    site.renew("the silent index")
    assert not site.look()
    site.write(f"{UPLOADS}/index.php", "<?php system($_GET[0]);")
    assert names(site.look()) == {"uploads": [f"{UPLOADS}/index.php"]}


def test_links_that_lead_in_circles_and_special_files_are_neither_followed_nor_read(site: Site) -> None:
    (site.root / "loop").symlink_to(".")
    os.mkfifo(site.root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(site.root)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    assert names(site.look(timeout=20)) == {"added": ["loop", "pipe", "socket"]}
    site.renew("with a pipe")
    assert not site.look(timeout=20)


def test_names_that_are_not_utf_8_are_kept_apart(site: Site) -> None:
    for name in (b"caf\xe9.php", b"caf\xe8.php", b"line\nbreak.php"):
        with open(os.fsencode(site.root) + b"/" + name, "w") as file:
            file.write("x")
    assert site.look().added.first == ["caf\\xe8.php", "caf\\xe9.php", "line\nbreak.php"]
    site.renew("French names")
    assert not site.look()


@pytest.mark.parametrize(
    "tamper",
    [
        lambda text: text.replace(b'"index.php"', b'"index.phq"'),
        lambda text: text.replace(b'"jo"', b'"me"'),
        lambda text: b"\n".join(line for line in text.split(b"\n") if b"version.php" not in line),
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b"hmac-sha256", b"sha256"),
        lambda text: text + b"\n",
        lambda _text: b"",
        lambda _text: b"{}\nnothing here\n",
    ],
)
def test_a_baseline_that_was_tampered_with_is_forged(site: Site, tamper: Any) -> None:
    site.baseline.write_bytes(tamper(site.baseline.read_bytes()))
    with pytest.raises(Forged):
        site.look()
    with pytest.raises(Forged):
        site.renew("never over a forged one")


def test_a_baseline_sealed_with_another_key_is_forged(site: Site) -> None:
    with pytest.raises(Forged, match="or the key is another one"):
        site.look(key="another key of some length")


def test_a_baseline_without_a_key_still_shows_damage_and_has_to_be_ours_alone(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.key = None
    site.renew()
    assert site.baseline.stat().st_mode & 0o777 == 0o600
    assert not site.look()
    with pytest.raises(Forged, match="sealed without the key"):
        site.look(key=KEY)
    site.baseline.chmod(0o666)
    with pytest.raises(Unmeasurable, match="can be written to by others"):
        site.look()
    site.baseline.chmod(0o600)
    site.baseline.write_bytes(site.baseline.read_bytes().replace(b'"jo"', b'"me"'))
    with pytest.raises(Forged, match="was changed after it was made"):
        site.look()


def test_a_sealed_baseline_without_its_key_is_unmeasurable(site: Site) -> None:
    with pytest.raises(Unmeasurable, match="is sealed with a key"):
        site.look(key=None)


def test_no_baseline_is_unmeasurable_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="make one with integrity_baseline and a reason"):
        Site(tmp_path).look()


def test_a_baseline_of_another_question_does_not_answer_this_one(site: Site) -> None:
    with pytest.raises(Unmeasurable, match="with other exclude or uploads"):
        site.look(exclude=["*.php"])


def test_excluded_files_do_not_matter(site: Site) -> None:
    site.exclude = ["*.log", "wp-content/cache"]
    site.renew("without the cache")
    for path in ("debug.log", "wp-content/cache/deep/x.php", "a/error.log"):
        site.write(path, "new")
    site.write("wp-content/cached.php", "new")
    assert names(site.look()) == {"added": ["wp-content/cached.php"]}


def test_a_second_baseline_of_the_same_tree_changes_nothing(site: Site) -> None:
    before = site.baseline.read_bytes()
    assert not site.renew("the same once more").changed
    assert site.baseline.read_bytes() == before


def test_a_new_baseline_keeps_the_one_before_and_names_it(site: Site) -> None:
    before = site.baseline.read_bytes()
    site.write("index.php", "Release 4.3")
    done = site.renew("Release 4.3")
    assert done.changed
    assert done.differences is not None
    assert names(done.differences) == {"changed": ["index.php"]}
    assert done.previous == f"{site.baseline}.20231114T221320Z"
    assert Path(done.previous).read_bytes() == before
    assert not site.look()
    header = probe.look(str(site.root), str(site.baseline), KEY, [], [UPLOADS], 60)[0]
    assert (header.reason, header.run, len(header.previous or "")) == ("Release 4.3", "run-1", 64)


def test_check_mode_says_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert site.renew(keep=False).changed
    assert not site.baseline.parent.exists()
    site.renew()
    before = site.baseline.read_bytes()
    assert not site.renew(keep=False).changed
    site.write("index.php", "Release 4.3")
    assert site.renew("Release 4.3", keep=False).changed
    assert site.baseline.read_bytes() == before
    assert len(list(site.baseline.parent.iterdir())) == 1


def test_a_baseline_inside_of_its_tree_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.baseline = site.root / "a/site.baseline"
    with pytest.raises(Unmeasurable, match="lies in the tree"):
        site.renew()


def refuse(monkeypatch: pytest.MonkeyPatch, forbidden: str) -> None:
    """Root may read everything: have the system refuse it all the same."""
    real_open, real_listdir = os.open, os.listdir

    def guarded(real: Any) -> Any:
        def call(path: Any, *rest: Any, **more: Any) -> Any:
            if str(path).endswith(forbidden):
                raise PermissionError(13, "Permission denied")
            return real(path, *rest, **more)

        return call

    monkeypatch.setattr(_trees.os, "open", guarded(real_open))
    monkeypatch.setattr(_trees.os, "listdir", guarded(real_listdir))


def test_a_file_that_cannot_be_read_is_not_known_and_not_changed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "wp-config.php")
    found = site.look()
    assert found.unread_files.first == ["wp-config.php"]
    assert not found
    with pytest.raises(Unmeasurable, match="cannot be read"):
        site.renew("blind")


def test_what_is_in_a_directory_that_cannot_be_read_is_not_missing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "wp-includes")
    found = site.look()
    assert found.unread_folders.first == ["wp-includes"]
    assert not found


def test_a_tree_too_large_for_the_time_given_is_unmeasurable(site: Site) -> None:
    with pytest.raises(Unmeasurable, match="raise timeout"):
        site.look(timeout=-1)


def test_a_tree_that_is_not_there_is_unmeasurable(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="does not exist"):
        probe.look(str(tmp_path / "none"), None, None, [], [], 60)


def test_many_differences_are_counted_and_some_of_them_named(site: Site) -> None:
    for number in range(500):
        site.write(f"new/{number:03}.php", "x")
    found = site.look()
    assert (found.added.count, len(found.added.first)) == (500, 20)
