# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Find and run monitoring plugins, as Nagios, Icinga and their kin do, but without a shell."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command

PLACES = (
    "/usr/lib/nagios/plugins",
    "/usr/lib64/nagios/plugins",
    "/usr/lib/monitoring-plugins",
    "/usr/local/lib/nagios/plugins",
    "/usr/local/libexec/nagios",
)
"""Where distributions and people put plugins, in the order in which they are looked for."""


def find(plugin: str, places: t.Sequence[str] = PLACES) -> str:
    """The full path of a plugin that is given by name, or by a full path."""
    if os.path.isabs(plugin):
        if not os.path.exists(plugin):
            raise Unmeasurable(f"{plugin} is not installed")
        return plugin
    for place in places:
        path = os.path.join(place, plugin)
        if os.path.exists(path):
            return path
    raise Unmeasurable(f"{plugin} is not installed: it is in none of {', '.join(places)}")


def run(argv: t.Sequence[str], timeout: float, env: t.Mapping[str, str]) -> Answer:
    """The answer of a plugin, whatever its exit code. Raises :class:`Unmeasurable` when it gives none."""
    plugin, *arguments = argv
    return command([find(plugin), *arguments], timeout, env=env)
