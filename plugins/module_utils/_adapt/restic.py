# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What restic says of its repository, in our words. Versions since 0.12 or so; since 0.17 it tells sizes by itself."""

from __future__ import annotations

import datetime as dt
import json
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._backup import Backup
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

_NOT_LOOKED_INTO = re.compile(
    r"wrong password|unable to (?:open|create lock|locate)|no key found|does not exist|already locked|Is there a repository"
)


def snapshots(text: str, repository: str) -> list[Backup]:
    """The snapshots of ``restic snapshots --json``. Raises :class:`Unmeasurable`."""
    try:
        return [
            Backup(
                name=one["short_id"],
                place=f"restic:{repository}::{one['short_id']}",
                size=(one.get("summary") or {}).get("total_bytes_processed"),
                taken=_moment(one["time"]),
                latest=_moment(one["time"]),
            )
            for one in json.loads(text) or []
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise Unmeasurable(f"restic does not answer as restic does: {exc!r}") from exc


def size(text: str) -> int:
    """The bytes that would be restored, of ``restic stats --json``. Raises :class:`Unmeasurable`."""
    try:
        return int(json.loads(text)["total_size"])
    except (ValueError, KeyError, TypeError) as exc:
        raise Unmeasurable(f"restic does not tell the size of a snapshot: {exc!r}") from exc


def complaints(rc: int, text: str) -> list[str]:
    """What ``restic check`` found, nothing when all is well. Raises :class:`Unmeasurable` when it could not look."""
    if rc == 0:
        return []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [
        line for line in lines if re.match(r"(?i)error|pack |Fatal: repository contains|.*not found in index", line)
    ]
    if not found or _NOT_LOOKED_INTO.search(text):
        raise Unmeasurable(f"restic could not check the repository: {'; '.join(lines[-3:])[:300]}")
    return found


def _moment(text: str) -> float:
    """RFC 3339 with nanoseconds → seconds since the epoch."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if not found:
        raise ValueError(f"not a time: {text}")
    zone = "+0000" if found.group(3) == "Z" else found.group(3).replace(":", "")
    moment = dt.datetime.strptime(found.group(1) + zone, "%Y-%m-%dT%H:%M:%S%z")
    return moment.timestamp() + float(found.group(2) or 0)


def newest_with_size(backups: t.Sequence[Backup], told: int) -> list[Backup]:
    """The snapshots, newest first given, the newest with the size that was asked for."""
    return [Backup(**{**vars(backups[0]), "size": told}), *backups[1:]]
