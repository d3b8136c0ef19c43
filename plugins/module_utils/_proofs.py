# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What has been proven when: one small file for each target, on the host where the proof ran.

``{"tables": {"orders": "2025-11-05T03:00:00Z"}, "proofs": [{"at": …, "source": …, "sha256": …, "bytes": …, "proven": true,
"tables": null}]}``. Retention and real restores look here before they delete or choose a backup.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import re
import tempfile
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

DIRECTORY = "/var/lib/sre-runbooks/proofs"
_KEPT = 400
_UNFINISHED = ".unfinished-"


def path_of(directory: str, name: str) -> str:
    """The file of one target."""
    return os.path.join(directory, re.sub(r"[^\w.-]+", "_", name).strip("_.")[:150] + ".json")


def read(path: str) -> dict[str, t.Any]:
    """What is known of a target: nothing yet when there is no file. Raises :class:`Unmeasurable`."""
    try:
        with open(path, encoding="utf-8") as file:
            known = json.load(file)
    except FileNotFoundError:
        known = {}
    except (OSError, ValueError) as exc:
        raise Unmeasurable(f"{path}, where proofs are remembered: {exc}") from exc
    if not isinstance(known, dict):
        raise Unmeasurable(f"{path}, where proofs are remembered, holds something else")
    return {"tables": {}, "proofs": [], **known}


def add(path: str, proof: dict[str, t.Any], tables: t.Iterable[str]) -> None:
    """Remember a proof, and of a good one the tables that it has proven. Raises :class:`Unmeasurable`."""
    known = read(path)
    known["proofs"] = [*known["proofs"], proof][-_KEPT:]
    if proof["proven"]:
        known["tables"].update(dict.fromkeys(tables, proof["at"]))
    write(path, json.dumps(known, indent=1))


def write(path: str, text: str) -> None:
    """Replace a file in one step; only we can read it. Raises :class:`Unmeasurable`."""
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        handle, temporary = _unfinished(os.path.dirname(path))
        with open(handle, "w", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
    except OSError as exc:
        raise Unmeasurable(f"{path} cannot be written: {exc.strerror or exc}") from exc


def _unfinished(directory: str) -> tuple[int, str]:
    """A file to write to. It stays locked while it is open, so nobody takes it for one that a killed process has left."""
    while True:
        handle, path = tempfile.mkstemp(dir=directory, prefix=_UNFINISHED)
        with contextlib.suppress(OSError):  # where there are no locks, nothing is cleared either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.lexists(path):
            return handle, path
        os.close(handle)  # it was cleared before it had its lock


def clear_dead(directory: str) -> list[str]:
    """Remove what killed processes have not finished writing. Returns the paths that are gone."""
    removed = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if name.startswith(_UNFINISHED):
                with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(path)
                    removed.append(path)
    return removed


def proven(directory: str) -> dict[str, dict[str, t.Any]]:
    """Checksum (SHA-256) of a backup → its last proof that went well and was of all tables. Raises :class:`Unmeasurable`."""
    found: dict[str, dict[str, t.Any]] = {}
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(directory)):
            if name.endswith(".json") and not name.startswith("."):
                for proof in read(os.path.join(directory, name))["proofs"]:
                    if proof.get("proven") and proof.get("sha256") and not proof.get("tables"):
                        found[proof["sha256"]] = proof
    return found


def time_text(seconds: float) -> str:
    """A time as it is written here."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> float:
    """The time that such a text tells. Raises :class:`Unmeasurable`."""
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    except (TypeError, ValueError):
        raise Unmeasurable(f"{text!r} is no time as in 2025-11-05T02:00:00Z") from None
