# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How measured things are put into words, and the words of operators into numbers."""

from __future__ import annotations

import re

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def span(seconds: float) -> str:
    """A length of time as people say it, in whole units of which there are at least two: ``90 minutes``, ``3 days``."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{seconds:.0f} s"


def seconds(text: str) -> float:
    """A span of time as operators write it: ``90m``, ``12h``, ``7d``, ``1d12h``. Raises :class:`BadOption`."""
    found = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(text))
    if not found or _SPAN.sub("", text).strip():
        raise BadOption(f"{text!r} is no span of time such as 90m, 12h or 7d")
    return found
