# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records, steps and reports in few words, for the tests of what is made of them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report, build

RUN: dict[str, t.Any] = {
    "id": "20251121T040000Z-morning-4f2a1c",
    "system": "edubot",
    "occasion": "morning",
    "playbook": "daily",
    "state": "closed",
    "started": "2025-11-21T04:00:00+00:00",
    "ended": "2025-11-21T04:00:42+00:00",
    "seconds": 42.0,
    "user": "ops",
    "controller": "control-1",
    "ansible": "2.21.5",
    "check_mode": False,
    "limited": False,
    "fail_on": "critical",
}


@dataclasses.dataclass(frozen=True)
class Step:
    """A step as the runbook has it."""

    id: str
    title: str
    checks: tuple[str, ...] = ()
    attest: bool = False
    refused: str | None = None
    due: int = 86400
    owner: str | None = None


@dataclasses.dataclass(frozen=True)
class Occasion:
    """An occasion as the runbook has it."""

    steps: tuple[Step, ...] = ()
    id: str = "morning"
    title: str = "Morning startup"
    playbook: str = "daily"
    owner: str = "Operations Team"
    schedule: str | None = "*-*-* 05:00"
    budget: int | None = 600


def record(check_id: str, target: str = "main", status: str = "ok", summary: str = "", **more: t.Any) -> Record:
    """One line of the journal, compared."""
    return {
        "id": check_id,
        "target": target,
        "status": status,
        "summary": summary or f"{target} is {status}",
        "value": None,
        "unit": "",
        "warning": None,
        "critical": None,
        "detail": {},
        "seconds": 0.1,
        "host": "web-1",
        "play": "Look",
        "role": "services",
        "task": "Check",
        "labels": {},
        "at": "2025-11-21T04:00:10+00:00",
        "change": None,
        "previous": None,
        "waiver": None,
        **more,
    }


def report(records: t.Iterable[Record] = (), steps: t.Iterable[Step] = (), **more: t.Any) -> Report:
    """A report of records, of an occasion when there are steps."""
    steps = tuple(steps)
    more.setdefault("occasion", Occasion(steps) if steps else None)
    return build({**RUN, **more.pop("run", {})}, records, **more)
