# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""package: a real dnf with a root, repositories and packages of its own."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import dnf as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command
from ansible_collections.sre.runbooks.plugins.module_utils._probe.dnf import Dnf

ADVISORY = """<?xml version="1.0" encoding="UTF-8"?>
<updates><update from="jo@example.org" status="stable" type="security" version="1">
<id>SHOP-2026-1</id><title>openssl</title><severity>Important</severity><issued date="2026-11-01 00:00:00"/>
<description>A fix.</description><references/><pkglist><collection short="shop"><name>shop</name>
<package name="openssl" version="1.1" release="1" epoch="0" arch="noarch" src="openssl-1.1-1.src.rpm">
<filename>openssl-1.1-1.noarch.rpm</filename></package></collection></pkglist></update></updates>
"""


class Here(Dnf):
    """dnf below a directory."""

    def __init__(self, root: Path) -> None:
        super().__init__(time.monotonic() + 120)
        self.root = root

    def _dnf(self, *argv: str, fine: object = (0,)) -> Answer:
        return super()._dnf(*options(self.root), *argv, fine=fine)  # type: ignore[arg-type]


def options(root: Path) -> list[str]:
    given = {"reposdir": root / "repos.d", "cachedir": root / "cache", "logdir": root, "persistdir": root / "persist"}
    settings = [f"--setopt={name}={value}" for name, value in given.items()]
    return [f"--installroot={root}/root", "--releasever=9", "--nogpgcheck", *settings]


def build(root: Path, name: str, version: str, requires: str = "") -> Path:
    """Build a package that holds nothing."""
    spec = root / f"{name}.spec"
    spec.write_text(
        f"Name: {name}\nVersion: {version}\nRelease: 1\nSummary: {name}\nLicense: GPL\nBuildArch: noarch\n"
        + (f"Requires: {requires}\n" if requires else "")
        + "%description\nNothing.\n%files\n"
    )
    run("rpmbuild", "-bb", "--quiet", f"--define=_topdir {root}/build", str(spec))
    return root / f"build/RPMS/noarch/{name}-{version}-1.noarch.rpm"


def run(*argv: str) -> None:
    answer = command(argv, 120)
    assert answer.rc == 0, f"{argv}: {answer.stdout}{answer.stderr}"


def install(root: Path, *packages: Path) -> None:
    run("rpm", f"--root={root}/root", "--nodeps", "-i", *map(str, packages))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with openssl and vim in version 1.0, and a repository with 1.1 of both, of which one is a security update."""
    missing = [tool for tool in ("dnf", "rpm", "rpmbuild", "createrepo_c", "modifyrepo_c") if not shutil.which(tool)]
    assert not missing, f"install the Debian packages dnf, rpm and createrepo-c: {missing} are not there"
    for place in ("root", "repo", "repos.d"):
        (tmp_path / place).mkdir()
    run("rpm", f"--root={tmp_path}/root", "--initdb")
    install(tmp_path, build(tmp_path, "openssl", "1.0"), build(tmp_path, "vim", "1.0"))
    for name in ("openssl", "vim"):
        shutil.copy(build(tmp_path, name, "1.1"), tmp_path / "repo")
    (tmp_path / "repos.d/shop.repo").write_text(f"[shop]\nname=Shop\nbaseurl=file://{tmp_path}/repo\nenabled=1\n")
    run("createrepo_c", "--quiet", str(tmp_path / "repo"))
    monkeypatch.setattr(probe, "CACHE", str(tmp_path / "cache"))
    return tmp_path


def advise(root: Path) -> None:
    (root / "updateinfo.xml").write_text(ADVISORY)
    run("modifyrepo_c", "--mdtype=updateinfo", str(root / "updateinfo.xml"), str(root / "repo/repodata"))


def fetch(root: Path) -> None:
    run("dnf", "--quiet", *options(root), "makecache")


def test_security_updates_are_told_from_others_by_the_advisories(root: Path) -> None:
    advise(root)
    fetch(root)
    found = {update.name: (update.candidate, update.security) for update in Here(root).updates()}
    assert found == {"openssl": ("1.1-1", True), "vim": ("1.1-1", False)}
    assert Here(root).lists().security


def test_a_repository_without_advisories_says_so(root: Path) -> None:
    fetch(root)
    lists = Here(root).lists()
    assert not lists.security
    assert lists.missing == "none of the repositories says which updates are security updates"


def test_lists_are_as_old_as_their_cache(root: Path) -> None:
    fetch(root)
    [cached] = (root / "cache").glob("shop-*/repodata/repomd.xml")
    os.utime(cached, (0, time.time() - 50 * 3600))
    assert (time.time() - Here(root).lists().at) / 3600 == pytest.approx(50, abs=1)


def test_a_host_whose_lists_were_never_fetched_is_unmeasurable(root: Path) -> None:
    with pytest.raises(Unmeasurable, match="there is no package list of shop"):
        Here(root).lists()
    assert Here(root).updates() == [], (
        "dnf itself takes no list for an empty one, which is why the lists are asked for first"
    )


def test_a_dependency_that_is_not_there_is_named(root: Path) -> None:
    fetch(root)
    assert Here(root).broken() == []
    install(root, build(root, "shop", "1.0", requires="libshop"))
    assert any("libshop" in line for line in Here(root).broken())


def test_locked_packages_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "LOCKS", str(tmp_path / "versionlock.list"))
    assert Here(tmp_path).held() == []
    (tmp_path / "versionlock.list").write_text("# Added by versionlock\nmariadb-server-3:10.5.27-1.el9.*\n")
    assert Here(tmp_path).held() == ["mariadb-server-3:10.5.27-1.el9.*"]


def test_asking_for_an_archive_that_is_off_line_uses_no_network(root: Path) -> None:
    advise(root)
    fetch(root)
    shutil.rmtree(root / "repo")
    assert len(Here(root).updates()) == 2
