# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""log_check since the last check, while the real logrotate rotates the log in each of its ways."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._checks import log as kind
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

WAYS = [
    "create",
    "copytruncate",
    "create\ncompress",
    "create\ncompress\ndelaycompress",
    "copytruncate\ncompress",
    "copytruncate\ncompress\ncompresscmd /usr/bin/xz\ncompressext .xz",
    "create\ndateext\ndateformat -%Y%m%d-TURN",
    "create\ndateext\ndateformat -%Y%m%d-TURN\nextension .log\ncompress",
    "copytruncate\nolddir old",
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.replace("\n", " "))
def test_each_record_counts_once_whatever_logrotate_does(tmp_path: Path, way: str) -> None:
    assert shutil.which("logrotate"), "install logrotate"
    path, config = tmp_path / "app.log", tmp_path / "logrotate.conf"
    (tmp_path / "old").mkdir()
    path.touch()
    target = {"path": str(path), "memory": str(tmp_path / "memory"), "window": "last_check", "timezone": "UTC"}
    if "olddir" in way:
        target["archives"] = str(tmp_path / "old/app.log*")
    number, counted = 0, 0

    def write(records: int) -> None:
        nonlocal number
        with open(path, "a", encoding="ascii") as file:
            for _ in range(records):
                number += 1
                file.write(f"[{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S}] app.ERROR: number {number}\n#0 trace\n")

    def check() -> int:
        found = checks_of(kind, targets=[target])[0]
        assert found.status in ("ok", "warning", "critical"), found
        return int(found.value or 0)

    for turn in range(6):
        write(20 + turn)
        if turn != 3:  # once, the log is rotated twice between two checks
            counted += check()
        write(5)
        config.write_text(f"{path} {{\nrotate 9\n{way.replace('TURN', str(turn))}\n}}\n")
        config.chmod(0o600)
        done = subprocess.run(
            ["logrotate", "--force", "--state", tmp_path / "state", config],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        path.touch()
        write(3)
    counted += check()
    assert counted == number
    assert check() == 0
