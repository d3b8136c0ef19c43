# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What package managers answer, in the same words for each of them."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Lists:
    """The lists of what there is to install.

    ``at`` is the moment (epoch) as of which they are known to be true: that of the lists of security updates where there are
    any, the oldest of these; else the newest of all. ``security`` says whether there is a source of security updates, and
    ``missing`` what is there instead. ``sources`` is name → epoch.
    """

    at: float
    security: bool
    missing: str
    sources: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Update:
    """A newer version of an installed package. ``security`` when it, or one that it skips, is a security update."""

    name: str
    installed: str
    candidate: str
    security: bool


class Manager(t.Protocol):
    """What is asked of a package manager. Everything may raise ``Unmeasurable``; nothing writes or uses the network."""

    def lists(self) -> Lists:
        """What is known about the package lists."""

    def updates(self) -> list[Update]:
        """Every pending update, those of held packages as well."""

    def held(self) -> list[str]:
        """The names of packages that are held at their version."""

    def broken(self) -> list[str]:
        """What is wrong with installed packages, a line for each problem."""
