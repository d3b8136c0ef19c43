# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is mounted, what of it holds data, and how full it is: on made-up tables and on this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import mounts as probe

MOUNTINFO = r"""
20 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
21 20 0:20 / /proc rw,nosuid - proc proc rw
22 20 0:21 / /sys rw,nosuid - sysfs sysfs rw
23 20 0:22 / /run rw,nosuid - tmpfs tmpfs rw,size=800M
24 20 254:17 / /srv/the\040data rw,relatime - xfs /dev/vdb1 ro,attr2
25 20 254:17 /sub /srv/again ro,relatime - xfs /dev/vdb1 ro,attr2
26 20 254:1 /etc/hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw
27 20 7:1 / /snap/core/1 ro,nodev - squashfs /dev/loop1 ro
28 20 0:50 / /mnt/share rw - nfs4 server:/export rw,vers=4.2
29 20 0:51 / /mnt/over rw - tmpfs tmpfs rw
30 20 254:33 / /mnt/over rw - ext4 /dev/vdc1 rw
"""


@pytest.fixture
def table(tmp_path: Path) -> list[probe.Mount]:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTINFO.lstrip())
    return probe.mounts(str(path))


def test_every_mount_is_read_with_its_names_unescaped(table: list[probe.Mount]) -> None:
    data = next(mount for mount in table if mount.path == "/srv/the data")
    assert (data.type, data.source, data.device) == ("xfs", "/dev/vdb1", "254:17")
    assert (data.options, data.below) == (("rw", "relatime"), ("ro", "attr2"))


def test_a_mount_that_another_one_hides_is_not_there(table: list[probe.Mount]) -> None:
    assert [mount.type for mount in table if mount.path == "/mnt/over"] == ["ext4"]


def test_only_what_holds_data_is_real(table: list[probe.Mount], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.os.path, "isdir", lambda path: path != "/etc/hosts")
    real = [mount.path for mount in probe.real_mounts(table)]
    assert real == ["/", "/mnt/over", "/mnt/share", "/srv/again"]  # of one file system only the shortest path


def test_no_table_is_unmeasurable() -> None:
    with pytest.raises(Unmeasurable, match="/nonexistent: No such file"):
        probe.mounts("/nonexistent")


def test_the_mount_of_a_path_is_the_nearest_above(tmp_path: Path) -> None:
    found = probe.mount_of(str(tmp_path), probe.mounts())
    assert str(tmp_path).startswith(found.path)


def test_a_path_that_is_not_there_has_no_mount() -> None:
    with pytest.raises(Unmeasurable, match="/nonexistent does not exist"):
        probe.mount_of("/nonexistent", probe.mounts())


def test_usage_is_what_df_says(tmp_path: Path) -> None:
    mount = probe.mount_of(str(tmp_path), probe.mounts())
    usage = probe.usage(mount, 5)
    stat = os.statvfs(tmp_path)
    assert usage.available == pytest.approx(stat.f_bavail * stat.f_frsize, rel=0.05)
    assert usage.used == pytest.approx((stat.f_blocks - stat.f_bfree) * stat.f_frsize, rel=0.05)


def test_a_server_is_asked_aside_and_says_the_same(tmp_path: Path) -> None:
    here = probe.mount_of(str(tmp_path), probe.mounts())
    remote = probe.Mount(here.path, "nfs4", "server:/export", "0:50", ("rw",))
    assert probe.usage(remote, 5).inodes == probe.usage(here, 5).inodes


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_statvfs", lambda _path: time.sleep(60))
    remote = probe.Mount("/mnt/share", "nfs4", "server:/export", "0:50", ("rw",))
    started = time.monotonic()
    with pytest.raises(Unmeasurable, match=r"/mnt/share: the file server gave no answer within 0\.2 s"):
        probe.usage(remote, 0.2)
    assert time.monotonic() - started < 30
    os.waitpid(-1, 0)  # the process that asked was killed


def test_a_server_that_refuses_says_why() -> None:
    remote = probe.Mount("/nonexistent", "nfs4", "server:/export", "0:50", ("rw",))
    with pytest.raises(Unmeasurable, match="/nonexistent: No such file or directory"):
        probe.usage(remote, 5)


@pytest.mark.parametrize(
    ("fstab", "planned"),
    [
        ("/dev/vdb1 /srv xfs ro,nofail 0 2\n", True),
        ("# /dev/vdb1 /srv xfs ro 0 2\n/dev/vdb1 /srv xfs rw,errors=remount-ro 0 2\n", False),
        ("", False),
    ],
)
def test_fstab_says_what_is_read_only_on_purpose(tmp_path: Path, fstab: str, planned: bool) -> None:
    path = tmp_path / "fstab"
    path.write_text(fstab)
    assert probe.read_only_by_plan("/srv", str(path)) is planned


def test_without_fstab_nothing_is_planned() -> None:
    assert probe.read_only_by_plan("/srv", "/nonexistent") is False
