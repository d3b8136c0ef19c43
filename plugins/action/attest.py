# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import getpass
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.plugins.plugin_utils import _attest, _runbook
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import (
    History,
    HistoryUnavailable,
    NoHistory,
    location,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import iso

ARGUMENTS: dict[str, t.Any] = {
    "occasion": {"type": "str", "required": True},
    "step": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(_attest.STATES), "default": "done"},
    "date": {"type": "str"},
    "by": {"type": "str"},
    "note": {"type": "str", "default": ""},
    "evidence": {"type": "str", "default": ""},
    "history": {"type": "str", "no_log": True},
}


class ActionModule(ActionBase):
    """Say that a human step of the runbook is done. Runs on the controller."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(ARGUMENTS, required_if=[("state", "not_applicable", ["note"])])
        variables = task_vars or {}
        try:
            runbook = _runbook.read(self._templar.template(variables.get("sre_runbook") or {}))
            history = self._templar.template(args["history"] or variables.get("sre_history"))
            row = attestation(runbook, args, now=dt.datetime.now(dt.UTC))
            before, hint = self._record(row, history, runbook)
        except (BadOption, HistoryUnavailable, _runbook.RunbookError) as exc:
            return {**result, "failed": True, "msg": str(exc)}
        changed = not _attest.same(row, before)
        shown, shown_before = _shown(row), before and _shown(before)
        result |= {
            "changed": changed,
            "attestation": shown if changed else shown_before,
            "msg": f"{row['step']} of {row['occasion']} is {row['state']} for {row['date']}, says {row['by']}",
            "diff": {"before": shown_before or {}, "after": shown if changed else shown_before},
        }
        return {**result, "warnings": [hint]} if hint and not args["date"] else result

    def _record(
        self, row: dict[str, t.Any], history: str | None, runbook: _runbook.Runbook
    ) -> tuple[t.Mapping[str, t.Any] | None, str | None]:
        """Append the row unless it is there already. Returns the row that held before, and what looks odd."""
        try:
            with History(location(history), write=not self._task.check_mode) as memory:
                rows = memory.attestations(row["system"], row["occasion"], since=row["date"])
                before = _attest.latest(rows, row["occasion"], row["step"], row["date"])
                if not self._task.check_mode and not _attest.same(row, before):
                    memory.attest(row)
                runs = memory.runs(row["system"], row["occasion"], limit=1)
        except NoHistory:  # only in check mode
            return None, None
        last = _attest.day(runbook, runs[0]["started"]) if runs else row["date"]
        if last == row["date"]:
            return before, None
        return before, f"the last run of {row['occasion']} is of {last}: if that one is meant, attest with that date"


def attestation(runbook: _runbook.Runbook, args: t.Mapping[str, t.Any], now: dt.datetime) -> dict[str, t.Any]:
    """The row for history. Raises :class:`BadOption` for what cannot be attested."""
    _attest.human_step(runbook, args["occasion"], args["step"])
    row: dict[str, t.Any] = {"system": runbook.system, "at": now}
    row |= {key: str(args[key] or "").strip() for key in ("occasion", "step", "state", "by", "note", "evidence")}
    if args["by"] is None:
        row["by"] = getpass.getuser()
    if not row["by"]:
        raise BadOption("by: who says so? The name is empty")
    if row["state"] == "not_applicable" and not row["note"]:
        raise BadOption("note: say why the step is not applicable")
    row["date"] = _date(args["date"], _attest.day(runbook, now))
    return row


def _date(given: str | None, today: dt.date) -> dt.date:
    try:
        date = dt.date.fromisoformat(given) if given else today
    except ValueError:
        raise BadOption(f"date: {given!r} is not a date, write YYYY-MM-DD") from None
    if date > today:
        raise BadOption(f"date: {date} is in the future")
    return date


def _shown(row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {**row, "date": row["date"].isoformat(), "at": iso(row["at"])}
