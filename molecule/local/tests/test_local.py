# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine is broken on purpose: the right line turns red for the right reason, and green again when it is healed."""

from __future__ import annotations

from typing import Any

import pytest

HEALTHY = ["M-01", "M-02", "M-03", "M-04", "M-05", "M-06"]

FAULTS = {
    "service stopped": {
        "break": "systemctl stop nginx",
        "heal": "systemctl start nginx",
        "red": {
            "service.active@nginx": "critical",
            "service.answers@nginx": "critical",
            "process.count@workers": "critical",
        },
        "because": ("service.active@nginx", "has not been running"),
        "step": "M-01",
    },
    "disk filled": {
        "break": "dd if=/dev/zero of=/srv/data/ballast bs=1M count=19 status=none",
        "heal": "rm /srv/data/ballast",
        "red": {"mount.space@/srv/data": "critical"},
        "because": ("mount.space@/srv/data", "95.0 % of the space is used"),
        "step": "M-02",
    },
    "disk read-only": {
        "break": "mount -o remount,ro /srv/data",
        "heal": "mount -o remount,rw /srv/data",
        "red": {"mount.writable@/srv/data": "critical"},
        "because": ("mount.writable@/srv/data", "mounted read-only, which nobody planned"),
        "step": "M-03",
    },
    "disk not mounted": {
        "break": "umount /srv/data",
        "heal": "mount /srv/data",
        "red": {"mount.present@/srv/data": "critical"},
        "because": ("mount.present@/srv/data", "nothing is mounted here"),
        "step": "M-03",
    },
    "dump stale": {
        "break": "touch -d '3 days ago' /srv/backup/shop.sql.gz",
        "heal": "touch /srv/backup/shop.sql.gz",
        "red": {"file.age@dump": "critical"},
        "because": ("file.age@dump", "72"),
        "step": "M-04",
    },
    "dump missing": {
        "break": "mv /srv/backup/shop.sql.gz /srv/backup/elsewhere",
        "heal": "mv /srv/backup/elsewhere /srv/backup/shop.sql.gz",
        "red": {"file.present@dump": "critical"},
        "because": ("file.present@dump", "no file is there"),
        "step": "M-04",
    },
}


def test_a_healthy_machine_is_green(occasion: Any) -> None:
    report = occasion("daily")
    assert (report.red, report.rc) == ({}, 0)
    assert {step["id"]: step["status"] for step in report.data["steps"]} == dict.fromkeys(HEALTHY, "ok")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_red_on_its_own_line_until_it_is_healed(host: Any, occasion: Any, fault: str) -> None:
    case: dict[str, Any] = FAULTS[fault]
    try:
        assert host.run(case["break"]).rc == 0
        broken = occasion("daily")
    finally:
        healed = host.run(case["heal"])
    assert healed.rc == 0
    assert (broken.red, broken.rc) == (case["red"], 2)
    name, reason = case["because"]
    assert reason in broken.record(name)["summary"]
    assert broken.record(name)["change"] == "new"
    assert broken.step(case["step"])["status"] == "critical"
    again = occasion("daily")
    assert (again.red, again.rc) == ({}, 0)
    assert again.record(name)["change"] in ("recovered", None)
