# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.plugins.plugin_utils import _close, _runbook


class ActionModule(ActionBase):
    """Documented in the module of the same name; runs on the controller, without a connection."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({"playbook": {"type": "str", "required": True}})
        variables = _close.Variables(task_vars or {}, self._loader)
        if not os.environ.get(_close.ENABLED):
            return {
                "failed": True,
                "msg": "The callback sre.runbooks.journal is not enabled, so nothing of this run would be written down. "
                "Set callbacks_enabled = sre.runbooks.journal in ansible.cfg, or ANSIBLE_CALLBACKS_ENABLED.",
            }
        try:
            settings = _close.Settings.read(variables)
            occasion = settings.occasion(args["playbook"])
        except (_runbook.RunbookError, BadOption) as exc:
            return {"failed": True, "msg": str(exc)}
        run = {
            "system": settings.system,
            "playbook": args["playbook"],
            "occasion": occasion.id if occasion else None,
        }
        return {"changed": False, "run": run, "msg": occasion.title if occasion else "no occasion of a runbook"}
