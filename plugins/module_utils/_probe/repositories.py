# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Commands of restic, borg and pgBackRest that read: what lies in a repository, and whether it is whole.

A password is handed over in the environment; without one, the tools read their own variables and files.
"""

from __future__ import annotations

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact


def restic_snapshots(repository: str, password: str | None, timeout: float) -> str:
    return _said(_restic(repository, password, timeout, "snapshots", "--json"), "restic")


def restic_size(repository: str, snapshot: str, password: str | None, timeout: float) -> str:
    return _said(_restic(repository, password, timeout, "stats", "--json", snapshot), "restic")


def restic_check(repository: str, password: str | None, timeout: float, *, data: bool) -> Answer:
    """What restic says of the structure of a repository; with ``data`` all of it is read."""
    return _restic(repository, password, timeout, "check", *(["--read-data"] if data else []))


def _restic(repository: str, password: str | None, timeout: float, *arguments: str) -> Answer:
    env = {} if password is None else {"RESTIC_PASSWORD": password}
    return command(["restic", "--repo", repository, "--no-lock", "--no-cache", *arguments], timeout, env=env)


def borg_archives(repository: str, password: str | None, timeout: float) -> str:
    return _said(_borg(password, timeout, "list", "--json", repository), "borg")


def borg_sizes(repository: str, password: str | None, timeout: float, last: int) -> str:
    return _said(_borg(password, timeout, "info", "--json", "--last", str(last), repository), "borg")


def borg_check(repository: str, password: str | None, timeout: float, *, data: bool) -> Answer:
    """What borg says of a repository; with ``data`` every archive is decrypted and its checksums are compared."""
    return _borg(password, timeout, "check", "--verify-data" if data else "--repository-only", repository)


def _borg(password: str | None, timeout: float, *arguments: str) -> Answer:
    env = {"TZ": "UTC", "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    if password is not None:
        env["BORG_PASSPHRASE"] = password
    return command(["borg", "--lock-wait", "5", *arguments], timeout, env=env)


def pgbackrest_info(stanza: str, timeout: float) -> str:
    return _said(command(["pgbackrest", f"--stanza={stanza}", "--output=json", "info"], timeout), "pgbackrest")


def pgbackrest_verify(stanza: str, timeout: float) -> Answer:
    """What pgBackRest says after it has compared the checksum of every file in a repository."""
    return command(["pgbackrest", f"--stanza={stanza}", "--log-level-console=info", "verify"], timeout)


def _said(answer: Answer, tool: str) -> str:
    if answer.rc:
        raise Unmeasurable(f"{tool} refused: {complaint(answer)}")
    return answer.stdout


def complaint(answer: Answer) -> str:
    """The last lines of what a tool says on failure, without secrets."""
    lines: list[str] = [line.strip() for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
    return redact("; ".join(lines[-3:]))[:300] or f"exit code {answer.rc}"
