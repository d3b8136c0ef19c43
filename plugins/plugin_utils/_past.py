# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The task that judges the past of other checks: it runs on the controller, where history is.

Its kinds, ``_trend`` and ``_review``, are like those of ``module_utils/_checks``. They have ``reach(target)`` besides,
how many days they look back, and find in each target ``past``, (check id, target) → samples from old to new, or the
:class:`Unmeasurable` that kept it away; and ``now``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Unmeasurable, at_least, worst
from ansible_collections.sre.runbooks.plugins.module_utils._door import CALL, measure_all, options, plan
from ansible_collections.sre.runbooks.plugins.plugin_utils import _run
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import (
    History,
    HistoryUnavailable,
    NoHistory,
    location,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Sample, identity

Past = dict[tuple[str, str], list[Sample]]


def arguments(kind: t.Any) -> dict[str, t.Any]:
    """The options of a task that looks back."""
    return {**options(kind), **CALL, "history": {"type": "str", "no_log": True}}


class LookBack(ActionBase):
    """Judge the past of the host. Runs on the controller, for each host of the play."""

    kind: t.Any

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, args = self.validate_argument_spec(arguments(self.kind))
        directory = os.environ.get("SRE_RUNBOOKS_RUN")
        current = Path(directory) if directory else None
        now = dt.datetime.now(dt.UTC)
        try:
            jobs = plan(self.kind, args)
        except BadOption as exc:
            return {**result, "failed": True, "msg": str(exc)}
        runbook, labels = (self._templar.template(variables.get(name) or {}) for name in ("sre_runbook", "sre_labels"))
        system = str(runbook.get("system") or labels.get("system") or "unnamed")  # as the run is saved
        where = location(self._templar.template(args["history"] or variables.get("sre_history")))
        for job in jobs:
            since = now - dt.timedelta(days=self.kind.reach(job.target))
            past = recall(where, system, variables["inventory_hostname"], job.target["of"], since, current)
            job.target.update(past=past, now=now)
        checks = measure_all(jobs, args["budget"])
        status = worst(check.status for check in checks)
        result |= {"changed": False, "status": status, "checks": [dataclasses.asdict(check) for check in checks]}
        return {**result, "failed": at_least(status, args["fail_on"]), "msg": f"the worst check is {status}"}


def recall(
    where: str, system: str, host: str, check: str, since: dt.datetime, current: Path | None
) -> Past | Unmeasurable:
    """What history has of a host, and after it what this run has found; or why nothing can be had.

    ``check`` is the id of one check; what is no id, but a pattern, recalls all of them.
    """
    one = check if is_id(check) else None
    try:
        with History(where, write=False) as history:
            found = history.series(system, host, one, since=since)
    except NoHistory:
        found = {}
    except HistoryUnavailable as exc:
        return Unmeasurable(str(exc))
    past: Past = {key[1:]: samples for key, samples in found.items()}
    for record in _run.read_journal(current) if current else []:
        on, check_id, target = identity(record)
        if on == host and check_id == (one or check_id):
            sample = Sample(record["at"], record["value"], record["status"], record["unit"] or "")
            past.setdefault((check_id, target), []).append(sample)
    return past


def is_id(check: str) -> bool:
    """Whether this names one check, not several by a pattern."""
    return not re.search(r"[*?\[]", check)
