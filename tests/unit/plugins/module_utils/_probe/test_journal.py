# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal as journalctl tells it, and journalctl when it does not: see tests/integration/test_journal.py for the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._checks import log as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe import journal
from ansible_collections.sre.runbooks.tests.unit.door import checks_of


def check(**options: Any) -> Any:
    return {check.id: check for check in checks_of(kind, targets=[{"journal": {}, **options}])}


def test_journalctl_that_is_not_installed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert check()["log.matches"].summary == "journalctl is not installed"


@pytest.mark.parametrize(
    ("message", "shown"),
    [("plain", b"plain"), ([104, 195, 40], b"h\\xc3("), (None, b""), (["a", "b"], b"a\n  b"), ("a\nb", b"a\n  b")],
)
def test_every_shape_of_a_message_is_read(message: Any, shown: bytes) -> None:
    entry = {"__REALTIME_TIMESTAMP": "1762318800000000", "PRIORITY": "3", "_COMM": "app", "MESSAGE": message}
    assert journal.as_syslog(entry) == b"<3>2025-11-05T05:00:00.000000+00:00 localhost app: " + shown + b"\n"


def test_a_user_who_does_not_see_all_of_the_journal_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As journalctl of systemd 252 says it to a user outside of the group systemd-journal."""
    fake = tmp_path / "bin/journalctl"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        'echo \'{"__REALTIME_TIMESTAMP":"1762318800000000","MESSAGE":"mine"}\'\n'
        "echo 'Hint: You are currently not seeing messages from other users and the system.' >&2\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    found = check()["log.matches"]
    assert found.status == "unknown"
    assert "not seeing messages" in found.summary


def test_a_journal_that_hangs_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin/journalctl"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    assert check(timeout=0.5)["log.matches"].status == "unknown"
