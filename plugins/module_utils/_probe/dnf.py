# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Ask dnf and rpm what is pending and what is wrong, from the cache alone: without network and without writing."""

from __future__ import annotations

import glob
import os
import re
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command
from ansible_collections.sre.runbooks.plugins.module_utils._probe._packages import Lists, Update

CACHE = "/var/cache/dnf"
LOCKS = "/etc/dnf/plugins/versionlock.list"
_LINE = re.compile(r"(\S+)\.\S+\s+(\S+)\s+\S+")
EVERYTHING = ("--disableplugin=versionlock", "--disableexcludes=all")
"""Locked and excluded packages have updates as well."""


class Dnf:
    """The package manager of Red Hat's and its kin, version 4. ``deadline`` is a moment of ``time.monotonic()``."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def _ask(self, *argv: str, fine: t.Container[int] = (0,)) -> Answer:
        answer = command(argv, max(0.1, self.deadline - time.monotonic()))
        if answer.rc not in fine:
            said = " ".join((answer.stderr or answer.stdout).split())[:300]
            raise Unmeasurable(f"{argv[0]} ended with exit code {answer.rc}: {said}")
        return answer

    def _dnf(self, *argv: str, fine: t.Container[int] = (0,)) -> Answer:
        return self._ask("dnf", "--cacheonly", "--quiet", *argv, fine=fine)

    def lists(self) -> Lists:
        """Dated by when the cache of each enabled repository was last fetched, or found to be up to date."""
        rows = self._dnf("repolist", "--enabled").stdout.splitlines()[1:]
        names = [row.split()[0] for row in rows if row.strip()]
        sources: dict[str, float] = {}
        for name in names:
            caches = glob.glob(os.path.join(glob.escape(CACHE), f"{glob.escape(name)}-*", "repodata", "repomd.xml"))
            if not caches:
                raise Unmeasurable(
                    f"there is no package list of {name} in {CACHE}: dnf makecache was never run, or failed"
                )
            sources[name] = max(map(os.path.getmtime, caches))
        if not sources:
            raise Unmeasurable("no repository is enabled")
        advisories = bool(self._dnf("updateinfo", "list", "--all").stdout.strip())
        missing = "none of the repositories says which updates are security updates"
        return Lists(min(sources.values()), advisories, missing, sources)

    def updates(self) -> list[Update]:
        everything, security = self._pending(), self._pending("--security")
        return [Update(name, "", version, name in security) for name, version in sorted(everything.items())]

    def _pending(self, *only: str) -> dict[str, str]:
        """Name → version. Exit code 100 says that there are some."""
        answer = self._dnf(*EVERYTHING, "check-update", *only, fine=(0, 100))
        listed = answer.stdout.partition("Obsoleting Packages")[0]
        return {found[1]: found[2] for found in map(_LINE.fullmatch, map(str.strip, listed.splitlines())) if found}

    def held(self) -> list[str]:
        try:
            with open(LOCKS, encoding="utf-8") as file:
                return [line.strip() for line in file if line.strip() and not line.startswith("#")]
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise Unmeasurable(f"{LOCKS}: {exc.strerror}") from exc

    def broken(self) -> list[str]:
        """Dependencies that are not there, and packages that are there twice because an upgrade was broken off."""
        answer = self._dnf("check", "--dependencies", "--duplicates", fine=(0, 1))
        problems = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
        if answer.rc and not problems:
            raise Unmeasurable(f"dnf check says: {' '.join(answer.stderr.split())[:300]}")
        return problems
