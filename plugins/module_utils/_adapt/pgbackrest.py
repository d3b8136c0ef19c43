# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What pgBackRest says of a stanza, in our words."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._backup import Backup
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

_OK, _NO_STANZA, _NO_BACKUP = 0, 1, 2
_FINDING = re.compile(
    r"status: (?:error|invalid)|invalid checksum|(?:checksum invalid|size invalid|missing|other): [1-9]"
)


class Stanza(t.NamedTuple):
    """One stanza: its backups, whether its repository is encrypted, and what pgBackRest complains about."""

    backups: list[Backup]
    encrypted: bool
    complaints: list[str]


def stanza(text: str, name: str) -> Stanza:
    """The stanza of that name in ``pgbackrest info --output=json``. Raises :class:`Unmeasurable`."""
    try:
        answer = next((one for one in json.loads(text) if one["name"] == name), None)
        if answer is None:
            raise Unmeasurable(f"pgbackrest knows of no stanza {name}")
        found = [
            Backup(
                name=one["label"],
                place=f"pgbackrest:{name}::{one['label']}",
                size=one["info"]["size"],
                taken=float(one["timestamp"]["stop"]),
                latest=float(one["timestamp"]["stop"]),
            )
            for one in answer["backup"]
        ]
        complaints = [
            f"{one['label']} has pages whose checksum is wrong" for one in answer["backup"] if one.get("error")
        ]
        code, message = answer["status"]["code"], answer["status"]["message"]
        ciphers = {answer.get("cipher", "none"), *(repo.get("cipher", "none") for repo in answer.get("repo", []))}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise Unmeasurable(f"pgbackrest does not answer as pgbackrest does: {exc!r}") from exc
    if code == _NO_STANZA:
        raise Unmeasurable(f"pgbackrest finds no stanza {name}: {message}")
    if code not in (_OK, _NO_BACKUP):
        complaints.append(f"status {code}: {message}")
    return Stanza(found, "none" not in ciphers, complaints)


def complaints(rc: int, text: str) -> list[str]:
    """What ``pgbackrest verify`` found, nothing when all is well: its exit code is 0 all the same (2.45).

    Raises :class:`Unmeasurable` when it could not look.
    """
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    found = [line for line in lines if _FINDING.search(line)]
    if not found and (rc or not any("verify command end: completed" in line for line in lines)):
        raise Unmeasurable(f"pgbackrest could not verify the repository: {'; '.join(lines[-3:])[:300]}")
    return found
