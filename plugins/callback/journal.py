# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: journal
type: aggregate
short_description: Collect check results into a run
version_added: 0.1.0
author: [sre.runbooks contributors (@sre-runbooks)]
description:
  - Writes every check record down as it arrives, with host, role, play, time and the labels of the host (C(sre_labels)).
  - Turns what Ansible itself notices into records, so that it is not lost - an unreachable host, a failed task.
  - Closes the run when the playbook ends, also when every host has failed and Ansible skips the last play.
  - A run opens with M(sre.runbooks.preflight), or with the first check record of a playbook that has no preflight.
requirements:
  - enabled in C(callbacks_enabled)
options:
  directory:
    description:
      - Where runs, the default history database and the link C(latest) lie. Made when missing.
      - On a controller whose disk does not last, such as an execution environment, mount something here that does, and
        let C(sre_history) name a PostgreSQL database.
    type: path
    default: ~/.local/state/sre-runbooks
    env:
      - name: SRE_RUNBOOKS_DIRECTORY
    ini:
      - section: sre_runbooks
        key: directory
"""

import dataclasses
import getpass
import os
import socket
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as ansible_version

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.plugin_utils import _close, _run

PREFLIGHT = "sre.runbooks.preflight"
REPORT = "sre.runbooks.report"  # its failure is the sum of what is written down already


class CallbackModule(CallbackBase):
    """Who, where and when: modules say what, renderers say how it looks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "sre.runbooks.journal"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.playbook = self.started = ""
        self.play: Any = None
        self.run: _run.Run | None = None
        self.labels: dict[str, dict[str, Any]] = {}
        self.terminal: str | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.playbook, self.started = Path(playbook._file_name).stem, _run.now()
        os.environ[_close.ENABLED] = "1"
        os.environ["SRE_RUNBOOKS_DIRECTORY"] = self.get_option("directory")  # for the actions of this playbook

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.play = play

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.resolved_action == PREFLIGHT:
            self._open(result.result.get("run", {}))
        self._take_report(result)
        self._collect(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._take_report(result)
        collected = self._collect(result)
        if collected or ignore_errors or result.task.resolved_action in (PREFLIGHT, REPORT):
            return
        reason = str(result.result.get("msg") or "the task failed without a word")
        self._append(result, Check.unknown("run.task", result.task.get_name(), reason))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        reason = str(result.result.get("msg") or "unreachable")
        self._append(result, Check("run.host", result.host.name, "critical", f"cannot be reached: {reason.strip()}"))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if not self.run:
            return
        if self.terminal is None:
            self.terminal = _close.finish(self.run.path, self._variables("localhost")).terminal
        self._display.display(self.terminal)

    def _take_report(self, result: Any) -> None:
        """Remember that the run is closed, and what is to be read last."""
        if result.task.resolved_action == REPORT and "path" in result.result:
            self.terminal = Path(result.result["path"]).with_name("report.txt").read_text(encoding="utf-8")

    def _open(self, facts: dict[str, Any]) -> _run.Run:
        cli = context.CLIARGS
        limited = bool(cli.get("subset")) or list(cli.get("tags") or ["all"]) != ["all"] or bool(cli.get("skip_tags"))
        directory = Path(self.get_option("directory"))
        self.run = _run.Run.open(
            directory,
            {
                "directory": str(directory),
                "playbook": self.playbook,
                "started": self.started,
                "user": getpass.getuser(),
                "controller": socket.gethostname(),
                "ansible": ansible_version,
                "check_mode": bool(cli.get("check")),
                "limited": limited,
                **facts,
            },
        )
        self._say_where(self.run)
        return self.run

    def _say_where(self, run: _run.Run) -> None:
        os.environ[_close.RUN] = str(run.path)
        if run.trouble:
            self._display.warning(run.trouble)

    def _collect(self, result: Any) -> bool:
        """Write down the records of a task result, looped or not; whether there were any."""
        data = result.result
        items = data["results"] if isinstance(data.get("results"), list) else [data]
        checks = [check for item in items if isinstance(item, dict) for check in item.get("checks") or ()]
        for check in checks:
            try:
                self._append(result, Check(**check))
            except TypeError as exc:
                self._append(result, Check.unknown("run.task", result.task.get_name(), f"not a check record: {exc}"))
        if data.get("censored") and "check" in str(result.task.resolved_action):
            reason = "no_log hides what this task found: take it off, check modules keep secrets themselves"
            self._append(result, Check.unknown("run.task", result.task.get_name(), reason))
        return bool(checks)

    def _append(self, result: Any, check: Check) -> None:
        run = self.run or self._open({})
        role = result.task._role
        delegated = (result.result.get("_ansible_delegated_vars") or {}).get("ansible_delegated_host")
        record = {
            **dataclasses.asdict(check),
            "host": result.host.name,
            "play": self.play.get_name(),
            "role": role.get_name() if role else None,
            "task": result.task.name,
            "labels": self._labels(result.host.name),
            "at": _run.now(),
        }
        if delegated:
            record["seen_from"] = delegated
        path = run.path
        run.append(record)
        if run.path != path:
            self._say_where(run)

    def _labels(self, host: str) -> dict[str, Any]:
        if host not in self.labels:
            self.labels[host] = dict(self._variables(host).get("sre_labels") or {})
        return self.labels[host]

    def _variables(self, host: str) -> _close.Variables:
        """The variables of a host as a task of the present play sees them; templates are resolved where they are used."""
        manager = self.play.get_variable_manager()
        found = manager._inventory.get_host(host)
        variables = manager.get_vars(play=self.play, host=found)
        return _close.Variables(variables, manager._loader)
