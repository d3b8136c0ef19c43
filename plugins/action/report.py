# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, at_least
from ansible_collections.sre.runbooks.plugins.plugin_utils import _close, _runbook

LEVELS = ["never", "warning", "unknown", "critical"]


class ActionModule(ActionBase):
    """Documented in the module of the same name; runs on the controller, without a connection."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({"fail_on": {"type": "str", "choices": LEVELS, "default": "critical"}})
        if not os.environ.get(_close.RUN):
            return {
                "failed": True,
                "msg": "There is no run to report: import preflight.yml before, or check something.",
            }
        try:
            outcome = _close.finish(Path(os.environ[_close.RUN]), _close.Variables(task_vars or {}, self._loader))
        except (_runbook.RunbookError, BadOption) as exc:
            return {"failed": True, "msg": str(exc)}
        return {
            "changed": False,
            "failed": at_least(outcome.verdict, args["fail_on"]),
            "msg": f"The verdict is {outcome.verdict}.",
            "verdict": outcome.verdict,
            "counts": outcome.counts,
            "path": str(outcome.path / "report.html"),
            "ansible_stats": {  # what set_stats would hand to AWX
                "data": {"sre_verdict": outcome.verdict, "sre_counts": outcome.counts, "sre_run": outcome.path.name},
                "per_host": False,
                "aggregate": True,
            },
        }
