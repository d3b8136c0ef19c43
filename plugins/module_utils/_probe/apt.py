# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Ask apt and dpkg what is pending and what is wrong, without network, locks or writing.

What is pending is read from the version tables of ``apt-cache policy``, not from a simulated upgrade: that leaves out held,
pinned, phased and kept-back packages, and calls an update by the origin of its newest version, so that a security update
goes unseen once a point release has overtaken it.
"""

from __future__ import annotations

import calendar
import email.utils
import glob
import os
import re
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command
from ansible_collections.sre.runbooks.plugins.module_utils._probe._packages import Lists, Update

IN_MEMORY = ("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=")
_FIELD = re.compile(r"(?m)^(Label|Suite|Codename|Date): *(.+?)\s*$")
_SECURITY_SUITE = re.compile(r"-security(?:/|$)|/updates/")


class Apt:
    """The package manager of Debian and its kin. ``deadline`` is a moment of ``time.monotonic()``."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def _ask(self, *argv: str, fine: t.Container[int] = (0,)) -> Answer:
        answer = command(argv, max(0.1, self.deadline - time.monotonic()))
        if answer.rc not in fine:
            said = " ".join((answer.stderr or answer.stdout).split())[:300]
            raise Unmeasurable(f"{argv[0]} ended with exit code {answer.rc}: {said}")
        return answer

    def lists(self) -> Lists:
        """Dated by what their publisher says, because apt reports success with lists that it could not fetch."""
        shell = self._ask("apt-config", "shell", "place", "Dir::State::lists/d").stdout
        place = shell.partition("'")[2].rpartition("'")[0]
        security: list[float] = []
        sources: dict[str, float] = {}
        for path in sorted(glob.glob(os.path.join(glob.escape(place), "*Release"))):
            fields = _release(path)
            date = _epoch(fields.get("Date", ""))
            if date is None:
                raise Unmeasurable(f"{path} does not say when it was published")
            sources[re.sub(r"_(?:In)?Release$", "", os.path.basename(path))] = date
            if re.search(
                "security", f"{fields.get('Label')} {fields.get('Codename')} {fields.get('Suite')}", re.IGNORECASE
            ):
                security.append(date)
        if not sources:
            raise Unmeasurable(f"there are no package lists in {place}: apt-get update was never run, or failed")
        missing = "none of the package sources is one of security updates"
        return Lists(min(security) if security else max(sources.values()), bool(security), missing, sources)

    def updates(self) -> list[Update]:
        """Installed packages of which the sources have a newer version."""
        names = [name for _want, status, name in self._packages() if status == "installed"]
        if not names:
            raise Unmeasurable("dpkg-query knows no installed package")
        answer = self._ask("apt-cache", *IN_MEMORY, "policy", *names)
        return [update for update in map(_update, _tables(answer.stdout)) if update]

    def held(self) -> list[str]:
        return [name for want, _status, name in self._packages() if want == "hold"]

    def _packages(self) -> list[tuple[str, str, str]]:
        """(what is wanted of it, what it is, its name) of every package that dpkg knows."""
        form = "${db:Status-Want} ${db:Status-Status} ${binary:Package}\n"
        rows = [line.split(" ") for line in self._ask("dpkg-query", "-W", "-f", form).stdout.splitlines()]
        return [(row[0], row[1], row[2]) for row in rows if len(row) == 3]

    def broken(self) -> list[str]:
        """What dpkg has begun and not ended, and dependencies that are not there."""
        audit = self._ask("dpkg", "--audit", fine=(0, 1)).stdout
        problems = [line.strip() for line in audit.splitlines() if line.startswith(" ")]
        if audit.strip() and not problems:
            problems = audit.strip().splitlines()
        check = self._ask("apt-get", "-s", "-o", "Debug::NoLocking=1", *IN_MEMORY, "check", fine=(0, 100))
        if check.rc:
            if "nmet dependencies" not in check.stdout + check.stderr:
                raise Unmeasurable(f"apt-get check says: {' '.join(check.stderr.split())[:300]}")
            problems += [line.strip() for line in check.stdout.splitlines() if "Depends:" in line]
        return problems


def _release(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return dict(_FIELD.findall(file.read(20_000)))
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror}") from exc


def _epoch(date: str) -> float | None:
    parsed = email.utils.parsedate(date)
    return calendar.timegm(parsed) if parsed else None


def _tables(policy: str) -> t.Iterator[tuple[str, list[str]]]:
    """(package, lines about it) of an answer of ``apt-cache policy``."""
    name, lines = "", []  # type: str, list[str]
    for line in policy.splitlines():
        if line and not line.startswith(" "):
            if name:
                yield name, lines
            name, lines = line.rstrip(":"), []
        else:
            lines.append(line)
    if name:
        yield name, lines


def _update(table: tuple[str, list[str]]) -> Update | None:
    """The update of one package. Versions above the installed one are newer.

    Those of other sources than the preferred ones (backports, a pin) are no update, unless they are security updates.
    """
    name, lines = table
    candidate, installed, newer, security = "", "", [], []  # type: str, str, list[str], list[str]
    for line in lines:
        if line.startswith("  Candidate: "):
            candidate = line.split()[1]
        elif line.startswith(" *** "):
            installed = line.split()[1]
            break
        elif re.match(r" {5}\S", line):
            newer.append(line.split()[0])
        elif newer and _SECURITY_SUITE.search([*line.split(), "", "", ""][2]):
            security.append(newer[-1])
    if not installed or not (candidate in newer or security):
        return None
    return Update(name, installed, candidate if candidate in newer else security[0], bool(security))
