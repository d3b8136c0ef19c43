# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""package: apt and dpkg with a root of their own, where updates are pending for real."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import time
from email.utils import format_datetime
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import package as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe.apt import Apt

ARCHITECTURE = subprocess.run(
    ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
).stdout.strip()


def stanza(name: str, version: str, **more: str) -> str:
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": ARCHITECTURE,
        "Maintainer": "Jo <jo@example.org>",
        "Description": f"the package {name}",
        **more,
    }
    return "".join(f"{field.replace('_', '-')}: {value}\n" for field, value in fields.items()) + "\n"


class Root:
    """A machine of its own for apt and dpkg: what is installed, and archives with their suites."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for place in (
            "etc/sources.list.d",
            "etc/preferences.d",
            "lists/partial",
            "cache/archives",
            "dpkg/info",
            "dpkg/updates",
        ):
            (path / place).mkdir(parents=True)
        (path / "dpkg/status").write_text("")
        (path / "dpkg/available").write_text("")
        (path / "etc/sources.list").write_text("")
        (path / "apt.conf").write_text(
            f"""Dir::State::lists "{path}/lists"; Dir::State::status "{path}/dpkg/status"; Dir::Cache "{path}/cache";
Dir::Etc "{path}/etc"; Dir::Etc::sourcelist "sources.list"; APT::Sandbox::User "root"; Dir::State "{path}";
APT::Architectures {{ "{ARCHITECTURE}"; }}; Acquire::Languages "none";"""
        )

    def install(self, name: str, version: str, status: str = "install ok installed", **more: str) -> None:
        with (self.path / "dpkg/status").open("a") as file:
            file.write(stanza(name, version, Status=status, **more))
        (self.path / f"dpkg/info/{name}.list").write_text("/.\n")
        (self.path / f"dpkg/info/{name}.md5sums").write_text("")

    def publish(self, suite: str, *packages: str, hours_ago: float = 1, label: str = "Debian", **more: str) -> None:
        archive = self.path / f"archive/dists/{suite}"
        (archive / f"main/binary-{ARCHITECTURE}").mkdir(parents=True)
        (archive / f"main/binary-{ARCHITECTURE}/Packages").write_text("".join(packages))
        date = format_datetime(dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours_ago), usegmt=True)
        fields = {"Origin": "Debian", "Label": label, "Suite": suite, "Codename": suite, "Date": date, **more}
        digest = subprocess.run(
            ["sha256sum", f"main/binary-{ARCHITECTURE}/Packages"],
            cwd=archive,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[0]
        size = (archive / f"main/binary-{ARCHITECTURE}/Packages").stat().st_size
        (archive / "Release").write_text(
            "".join(f"{field}: {value}\n" for field, value in fields.items())
            + f"Components: main\nArchitectures: {ARCHITECTURE}\nSHA256:\n {digest} {size} main/binary-{ARCHITECTURE}/Packages\n"
        )
        with (self.path / "etc/sources.list").open("a") as file:
            file.write(f"deb [trusted=yes] file:{self.path}/archive {suite} main\n")

    def update(self) -> None:
        answer = subprocess.run(["apt-get", "update"], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("DPKG_ADMINDIR", str(tmp_path / "dpkg"))
    return Root(tmp_path)


def apt() -> Apt:
    return Apt(time.monotonic() + 60)


def test_security_updates_are_told_from_others_by_their_source(root: Root) -> None:
    root.install("openssl", "1.0")
    root.install("vim", "1.0")
    root.install("bash", "1.0")
    root.publish("bookworm", stanza("vim", "1.1"), stanza("bash", "1.0"), stanza("openssl", "1.0"))
    root.publish("bookworm-security", stanza("openssl", "1.0.1"), label="Debian-Security")
    root.update()
    found = {update.name: (update.candidate, update.security) for update in apt().updates()}
    assert found == {"openssl": ("1.0.1", True), "vim": ("1.1", False)}


def test_a_security_update_that_a_point_release_has_overtaken_is_still_one(root: Root) -> None:
    root.install("openssl", "1.0")
    root.publish("bookworm", stanza("openssl", "1.2"))
    root.publish("bookworm-security", stanza("openssl", "1.1"), label="Debian-Security")
    root.update()
    [update] = apt().updates()
    assert (update.candidate, update.security) == ("1.2", True)


def test_an_old_security_update_that_is_installed_is_none(root: Root) -> None:
    root.install("openssl", "1.1")
    root.publish("bookworm", stanza("openssl", "1.2"))
    root.publish("bookworm-security", stanza("openssl", "1.1"), label="Debian-Security")
    root.update()
    [update] = apt().updates()
    assert (update.candidate, update.security) == ("1.2", False)


def test_updates_of_held_and_of_pinned_packages_are_seen(root: Root) -> None:
    root.install("held", "1.0", "hold ok installed")
    root.install("pinned", "1.0")
    root.publish("bookworm-security", stanza("held", "1.1"), stanza("pinned", "1.1"), label="Debian-Security")
    (root.path / "etc/preferences.d/pin").write_text("Package: pinned\nPin: version 1.0\nPin-Priority: 1001\n")
    root.update()
    assert [update.name for update in apt().updates() if update.security] == ["held", "pinned"]
    assert apt().held() == ["held"]


def test_a_version_in_backports_is_no_update(root: Root) -> None:
    root.install("vim", "1.0")
    root.publish("bookworm", stanza("vim", "1.0"))
    root.publish("bookworm-backports", stanza("vim", "2.0"), NotAutomatic="yes", ButAutomaticUpgrades="yes")
    root.update()
    assert apt().updates() == []


def test_lists_are_as_old_as_their_publisher_says_however_often_they_are_fetched(root: Root) -> None:
    root.publish("bookworm", hours_ago=2)
    root.publish("bookworm-security", hours_ago=300, label="Debian-Security")
    root.update()
    lists = apt().lists()
    assert lists.security
    assert 299 < (time.time() - lists.at) / 3600 < 301
    assert len(lists.sources) == 2


def test_sources_without_one_of_security_updates_say_so(root: Root) -> None:
    root.publish("bookworm")
    root.update()
    assert not apt().lists().security


def test_a_host_whose_lists_were_never_fetched_is_unmeasurable(root: Root) -> None:
    with pytest.raises(Unmeasurable, match="there are no package lists in"):
        apt().lists()


def test_a_host_without_installed_packages_is_unmeasurable_and_not_up_to_date(root: Root) -> None:
    with pytest.raises(Unmeasurable, match="knows no installed package"):
        apt().updates()


def test_a_source_that_cannot_be_parsed_is_unmeasurable(root: Root) -> None:
    root.install("vim", "1.0")
    (root.path / "etc/sources.list").write_text("this is no source\n")
    with pytest.raises(Unmeasurable, match="apt-cache ended with exit code 100"):
        apt().updates()


def test_a_package_that_is_half_configured_is_named(root: Root) -> None:
    root.install("nginx", "1.0", "install ok half-configured")
    assert [line.split()[0] for line in apt().broken()] == ["nginx"]


def test_a_dependency_that_is_not_there_is_named(root: Root) -> None:
    root.install("shop", "1.0", Depends="libshop")
    [line] = apt().broken()
    assert "shop" in line
    assert "libshop" in line


def test_a_sound_host_has_nothing_broken_and_nothing_held(root: Root) -> None:
    root.install("vim", "1.0")
    assert (apt().broken(), apt().held()) == ([], [])


def test_asking_writes_nothing(root: Root) -> None:
    root.install("vim", "1.0")
    root.publish("bookworm-security", stanza("vim", "1.1"), label="Debian-Security")
    root.update()
    (root.path / "cache/pkgcache.bin").unlink()

    def look() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in root.path.rglob("*")}

    before = look()
    apt().updates(), apt().broken(), apt().held(), apt().lists()
    assert look() == before


def test_the_newest_kernel_is_found_by_number_and_not_by_name(tmp_path: Path) -> None:
    for version in ("6.1.0-9-amd64", "6.1.0-10-amd64", "0-rescue-abc"):
        (tmp_path / f"vmlinuz-{version}").touch()
    newest = probe.newest_kernel(str(tmp_path))
    assert newest is not None
    assert newest[0] == "6.1.0-10-amd64"
    assert probe.newest_kernel(str(tmp_path / "none")) is None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host that is no container, with one kernel and without needrestart."""
    monkeypatch.setattr(probe, "CONTAINER", ())
    monkeypatch.setattr(probe, "REBOOT_REQUIRED", (str(tmp_path / "reboot-required"),))
    monkeypatch.setattr(probe.shutil, "which", lambda _name: None)
    monkeypatch.setattr(probe.platform, "release", lambda: "6.1.0-9-amd64")
    monkeypatch.setattr(probe, "newest_kernel", lambda _boot: ("6.1.0-9-amd64", time.time()))
    return tmp_path


def test_no_reboot_is_due_when_the_newest_kernel_runs(machine: Path) -> None:
    assert probe.reboot(5).reasons == []


def test_a_reboot_that_was_asked_for_names_the_packages_and_the_days(machine: Path) -> None:
    (machine / "reboot-required").touch()
    (machine / "reboot-required.pkgs").write_text("libc6\nlinux-image-amd64\nlibc6\n")
    os.utime(machine / "reboot-required", (0, time.time() - 5 * 86400))
    due = probe.reboot(5)
    assert due.reasons == ["a reboot was asked for by libc6, linux-image-amd64"]
    assert due.days == pytest.approx(5, abs=0.1)


def test_another_kernel_than_the_newest_is_a_reason(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "newest_kernel", lambda _boot: ("6.1.0-10-amd64", time.time() - 86400))
    due = probe.reboot(5)
    assert due.reasons == ["the kernel 6.1.0-10-amd64 is installed, 6.1.0-9-amd64 runs"]
    assert due.days == pytest.approx(1, abs=0.1)


def test_a_host_without_any_kernel_is_unmeasurable_and_a_container_is_not(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "newest_kernel", lambda _boot: None)
    with pytest.raises(Unmeasurable, match="/boot holds none"):
        probe.reboot(5)
    monkeypatch.setattr(probe, "CONTAINER", ("/proc",))
    assert probe.reboot(5).reasons == []


@pytest.mark.parametrize(
    ("text", "until", "source"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "2028-06-30", "distro-info"),
        ('ID=rocky\nVERSION_ID="9.4"\n', "2032-05-31", "Rocky"),
        ("ID=fedora\nVERSION_ID=42\nSUPPORT_END=2026-05-13\n", "2026-05-13", "os-release"),
    ],
)
def test_the_end_of_support_is_known_with_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, until: str, source: str
) -> None:
    (tmp_path / "os-release").write_text(text)
    monkeypatch.setattr(probe, "OS_RELEASE", (str(tmp_path / "os-release"),))
    monkeypatch.setattr(probe, "now", lambda: dt.datetime(2026, 5, 12, tzinfo=dt.UTC).timestamp())
    support = probe.support(None)
    assert support.until == until
    assert source in support.source
    assert probe.support("2026-05-12").days == 1, "the last day is a whole day of support"


@pytest.mark.parametrize("text", ["ID=debian\n", "ID=arch\nVERSION_ID=1\n", ""])
def test_a_release_that_nobody_knows_is_unmeasurable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "os-release").write_text(text)
    monkeypatch.setattr(probe, "OS_RELEASE", (str(tmp_path / "os-release"),))
    with pytest.raises(Unmeasurable, match="give support_until"):
        probe.support(None)


def test_a_host_without_os_release_is_unmeasurable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "OS_RELEASE", (str(tmp_path / "none"),))
    with pytest.raises(Unmeasurable, match="there is no /etc/os-release"):
        probe.support(None)


def test_a_host_without_a_package_manager_is_unmeasurable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.shutil, "which", lambda _name: None)
    with pytest.raises(Unmeasurable, match="neither apt nor dnf"):
        probe.manager(1)
