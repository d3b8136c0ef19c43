# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What stands before anything that cannot be undone.

Such an action begins with a plan: exactly what would be destroyed, from looking alone. The plan has a token. Applying
takes that token, so that somebody has seen this very plan; when the world has changed since, the token does not fit and
nothing happens. What is protected, and what is more than was allowed for, is refused before there is a token at all.

Everything here is pure: the caller looks, the caller acts.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import json
import typing as t


class Refused(Exception):
    """The guard says no, and why. Nothing was changed."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What would be destroyed.

    ``action`` is what would be done, as people say it: ``delete rows``. ``where`` is the place, so that a plan for the
    test system is none for production. ``what`` is the exact list, or what stands for it (a count with its range and a
    checksum), ready for JSON.
    """

    action: str
    where: str
    what: t.Any

    @property
    def token(self) -> str:
        """Sixteen hexadecimal digits that are different for every other plan."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def demand_token(plan: Plan, given: str | None) -> None:
    """Go on only with the token of this plan. Raises :class:`Refused`."""
    if not given:
        raise Refused(f"to {plan.action} takes the token of its preview")
    if given.strip() != plan.token:
        raise Refused(f"the token does not belong to this plan: {plan.where} has changed since the preview, look again")


def refuse_protected(names: t.Iterable[str], protected: t.Iterable[str]) -> None:
    """Refuse when a name matches one of the shell patterns of what is not to be touched. Case does not save a name."""
    patterns = [pattern.casefold() for pattern in protected]
    for name in names:
        hit = next((pattern for pattern in patterns if fnmatch.fnmatchcase(name.casefold(), pattern)), None)
        if hit is not None:
            raise Refused(f"{name} is protected, by {hit}")


def refuse_more_than(most: float | None, amount: float, unit: str) -> None:
    """Refuse an action that is larger than was allowed for; None allows any."""
    if most is not None and amount > most:
        raise Refused(f"{amount:,.10g} {unit} are more than the {most:,.10g} that are allowed at once")
