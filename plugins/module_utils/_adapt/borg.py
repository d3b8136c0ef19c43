# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What borg (1.x) says of its repository, in our words. Its times have no zone: it is asked under UTC."""

from __future__ import annotations

import datetime as dt
import json

from ansible_collections.sre.runbooks.plugins.module_utils._backup import Backup
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

_FINDINGS = ("errors found", "integrity", "checksum", "corrupt", "missing", "invalid segment", "too small")


def archives(text: str, repository: str, sizes: str | None) -> tuple[list[Backup], str]:
    """The archives of ``borg list --json``, with sizes of ``borg info --json --last N``, and the mode of encryption.

    Raises :class:`Unmeasurable`.
    """
    try:
        known = {
            one["name"]: one["stats"]["original_size"] for one in json.loads(sizes or '{"archives": []}')["archives"]
        }
        answer = json.loads(text)
        found = [
            Backup(
                name=one["name"],
                place=f"borg:{repository}::{one['name']}",
                size=known.get(one["name"]),
                taken=_moment(one["time"]),
                latest=_moment(one["time"]),
            )
            for one in answer["archives"]
            if not one["name"].endswith(".checkpoint")
        ]
        return found, str(answer["encryption"]["mode"])
    except (ValueError, KeyError, TypeError) as exc:
        raise Unmeasurable(f"borg does not answer as borg does: {exc!r}") from exc


def complaints(rc: int, text: str) -> list[str]:
    """What ``borg check`` found, nothing when all is well. Raises :class:`Unmeasurable` when it could not look."""
    if rc == 0:
        return []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [line for line in lines if any(word in line.lower() for word in _FINDINGS)]
    if (
        rc > 1 and not any("errors found" in line.lower() or "integrity" in line.lower() for line in lines)
    ) or not found:
        raise Unmeasurable(f"borg could not check the repository: {'; '.join(lines[-3:])[:300]}")
    return found


def _moment(text: str) -> float:
    return dt.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=dt.timezone.utc).timestamp()
