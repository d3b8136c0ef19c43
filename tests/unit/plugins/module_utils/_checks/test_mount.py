# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mount: what is judged of a file system."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import mount as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.mounts import Mount, Usage
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

DATA = Mount("/data", "ext4", "/dev/vdb1", "254:17", ("rw", "relatime"))
HALF = Usage(used=50, available=50, inodes=100, inodes_used=50)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One healthy file system; a test changes what it is about."""
    facts: dict[str, Any] = {"mount": DATA, "usage": HALF, "planned": False}
    monkeypatch.setattr(kind.probe, "mounts", lambda: [facts["mount"]])
    monkeypatch.setattr(kind.probe, "real_mounts", list)
    monkeypatch.setattr(kind.probe, "mount_of", lambda _path, _every: facts["mount"])
    monkeypatch.setattr(kind.probe, "usage", lambda _mount, _timeout: facts["usage"])
    monkeypatch.setattr(kind.probe, "read_only_by_plan", lambda _path: facts["planned"])
    return facts


def one(check_id: str, **options: Any) -> Check:
    return next(check for check in checks_of(kind, **options) if check.id == check_id)


@pytest.mark.parametrize(
    ("used", "status"), [(0, "ok"), (80, "ok"), (81, "warning"), (90, "warning"), (91, "critical"), (100, "critical")]
)
def test_space_and_inodes_are_judged_by_their_share(machine: dict[str, Any], used: int, status: str) -> None:
    machine["usage"] = Usage(used=used, available=100 - used, inodes=100, inodes_used=used)
    for check_id in ("mount.space", "mount.inodes"):
        check = one(check_id, targets=[{"path": "/data"}])
        assert (check.status, check.value, check.unit, check.warning) == (status, used, "%", "80")


def test_space_that_the_file_system_does_not_tell_is_unknown(machine: dict[str, Any]) -> None:
    machine["usage"] = Usage(used=0, available=0, inodes=0, inodes_used=0)
    assert one("mount.space", targets=[{"path": "/data"}]).status == "unknown"
    assert one("mount.inodes", targets=[{"path": "/data"}]).status == "skipped"


def test_a_disk_that_is_not_mounted_is_critical(machine: dict[str, Any]) -> None:
    machine["mount"] = Mount("/", "ext4", "/dev/vda1", "254:1", ("rw",))
    check = one("mount.present", targets=[{"path": "/data", "mounted": True}])
    assert check.status == "critical"
    assert "the files lie on /" in check.summary


def test_a_disk_that_is_mounted_is_ok() -> None:
    assert one("mount.present", targets=[{"path": "/data", "mounted": True}]).status == "ok"


@pytest.mark.parametrize(
    ("options", "below", "planned", "intended", "status"),
    [
        (("rw",), ("rw",), False, True, "ok"),
        (("rw",), ("ro",), False, True, "critical"),  # the mount says rw, the file system below fell back to ro
        (("ro",), ("ro",), False, True, "critical"),
        (("ro",), ("rw",), False, True, "skipped"),  # a bind mount for reading only
        (("ro",), ("ro",), True, True, "skipped"),
        (("ro",), ("ro",), False, False, "skipped"),
    ],
)
def test_read_only_is_critical_unless_planned(
    machine: dict[str, Any],
    options: tuple[str, ...],
    below: tuple[str, ...],
    planned: bool,
    intended: bool,
    status: str,
) -> None:
    machine["mount"] = Mount("/data", "ext4", "/dev/vdb1", "254:17", options, below)
    machine["planned"] = planned
    assert one("mount.writable", targets=[{"path": "/data", "writable": intended}]).status == status


def test_a_path_that_is_not_there_is_one_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: str, _every: object) -> Mount:
        raise Unmeasurable(f"{path} does not exist")

    monkeypatch.setattr(kind.probe, "mount_of", gone)
    found = checks_of(kind, targets=[{"path": "/gone", "mounted": True}])
    assert [check.status for check in found] == ["unknown", "skipped", "skipped", "skipped"]
    assert found[0].summary == "/gone does not exist"
    assert found[1].detail == {"blocked_by": "mount.present"}


def test_a_file_server_that_does_not_answer_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_args: object) -> Usage:
        raise Unmeasurable("/data: the file server gave no answer within 30 s")

    monkeypatch.setattr(kind.probe, "usage", hang)
    assert statuses(checks_of(kind)) == {
        "mount.present": "skipped",
        "mount.space": "unknown",
        "mount.inodes": "skipped",
        "mount.writable": "skipped",
    }


def test_without_targets_every_mount_is_measured() -> None:
    assert {check.target for check in checks_of(kind)} == {"/data"}


def test_no_mount_at_all_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind.probe, "mounts", list)
    found = checks_of(kind)
    assert (found[0].target, found[0].status) == ("all mounts", "unknown")
