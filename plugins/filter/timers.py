# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: timers
short_description: The occasions of a runbook as units of systemd
version_added: 0.1.0
description:
  - Makes a timer and a service for each occasion of a runbook that has a schedule. The service runs the playbook of the
    occasion by ansible-runner.
  - The schedule is read in the time zone of the runbook, unless it names one itself. An occasion that was missed, because
    the machine was off, takes place as soon as it can.
  - Occasions of one system wait for each other, see O(wait).
author: [sre.runbooks contributors (@sre-runbooks)]
positional: _input
options:
  _input:
    description: The runbook, the variable C(sre_runbook).
    type: dict
    required: true
  runner:
    description: The path of ansible-runner. ansible-playbook is looked for beside it first.
    type: path
    default: /usr/local/bin/ansible-runner
  directory:
    description: Where runs, their history and what ansible-runner leaves lie.
    type: path
    default: /var/lib/sre-runbooks
  inventory:
    description: The inventory of the system.
    type: path
    required: true
  project:
    description: The directory in which the playbooks run, whose C(ansible.cfg) they see. By default one that is empty.
    type: path
  user:
    description: Who runs them.
    type: str
    default: root
  environment:
    description: Further environment variables, such as E(ANSIBLE_VAULT_PASSWORD_FILE).
    type: dict
    default: {}
  arguments:
    description: Further arguments of ansible-playbook.
    type: list
    elements: str
    default: []
  wait:
    description: How long an occasion waits for another one of the system that has not ended, in seconds.
    type: int
    default: 1800
  limit:
    description: After what time a run is ended that does not end by itself, as systemd writes it.
    type: str
    default: 4h
"""

EXAMPLES = r"""
- name: Show when what takes place
  ansible.builtin.debug:
    msg: "{{ sre_runbook | sre.runbooks.timers(inventory='/etc/sre/edubot') | map(attribute='calendar') }}"

- name: Write the timers
  ansible.builtin.copy:
    dest: "/etc/systemd/system/{{ item.name }}.timer"
    content: "{{ item.timer }}"
    mode: "0644"
  loop: "{{ sre_runbook | sre.runbooks.timers(inventory=inventory_dir) }}"
"""

RETURN = r"""
_value:
  description:
    - For each occasion with a schedule C(name), the name of both units; C(calendar), the calendar expression with its time
      zone; and the texts of the units, C(timer) and C(service).
  type: list
  elements: dict
"""

import re
import shlex
import typing as t
from pathlib import PurePosixPath

from ansible.errors import AnsibleFilterError

LOCKED = 75
"""The exit code of a run that found another one in its place: EX_TEMPFAIL."""

SERVICE = """\
# Written by the role sre.runbooks.schedule.
[Unit]
Description={title} ({system}, {owner})
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
{environment}
ExecStart={command}
TimeoutStartSec={limit}
"""

TIMER = """\
# Written by the role sre.runbooks.schedule.
[Unit]
Description=When: {title} ({system})

[Timer]
OnCalendar={calendar}
# One that was missed while the machine was off takes place when it is on again.
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def timers(
    runbook: t.Any,
    *,
    inventory: str,
    runner: str = "/usr/local/bin/ansible-runner",
    directory: str = "/var/lib/sre-runbooks",
    project: str | None = None,
    user: str = "root",
    environment: t.Mapping[str, t.Any] | None = None,
    arguments: t.Sequence[str] = (),
    wait: int = 1800,
    limit: str = "4h",
) -> list[dict[str, str]]:
    """The units of a runbook, in the order of its occasions."""
    # Here, because Ansible loads every filter of a collection, and this needs what only a controller has.
    from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import RunbookError, read
    from ansible_collections.sre.runbooks.plugins.plugin_utils._schedule import calendar

    try:
        book = read(runbook)
    except RunbookError as exc:
        raise AnsibleFilterError(f"sre.runbooks.timers: {exc}") from None
    private = f"{directory}/runner/{book.system}"
    variables = {
        "PATH": f"{PurePosixPath(runner).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ANSIBLE_CALLBACKS_ENABLED": "sre.runbooks.journal",
        "SRE_RUNBOOKS_DIRECTORY": directory,
        **(environment or {}),
    }
    found = []
    for occasion in book.occasions.values():
        if not occasion.schedule:
            continue
        command = ["/usr/bin/flock", "--timeout", str(wait), "--conflict-exit-code", str(LOCKED), f"{private}/lock"]
        command += [runner, "run", private, "--playbook", f"sre.runbooks.{occasion.playbook}"]
        command += ["--inventory", inventory, "--rotate-artifacts", "100"]
        command += ["--project-dir", project] if project else []
        command += [f"--cmdline={shlex.join(['-e', f'sre_occasion={occasion.id}', *arguments])}"]
        when = calendar(occasion, book.timezone)
        words = {"title": _plain(occasion.title), "system": book.system, "owner": _plain(occasion.owner)}
        service = SERVICE.format(
            **words,
            user=user,
            environment="\n".join(f"Environment={_quoted(f'{key}={value}')}" for key, value in variables.items()),
            command=" ".join(_quoted(word, dollar="$$") for word in command),
            limit=limit,
        )
        timer = TIMER.format(**words, calendar=when)
        name = f"sre-{book.system}-{occasion.id}"
        found.append({"name": name, "calendar": when, "timer": timer, "service": service})
    return found


def _plain(text: str) -> str:
    """A text as the value of a setting: one line, in which systemd replaces nothing."""
    return " ".join(text.split()).replace("%", "%%")


def _quoted(word: str, dollar: str = "$") -> str:
    """One word of a setting, taken as it stands."""
    if re.search(r"[\x00-\x1f\x7f]", word):
        raise AnsibleFilterError(f"sre.runbooks.timers: {word!r} has a control character, which no unit can hold")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", dollar)
    return escaped if re.fullmatch(r"[\w@%+=:,./-]+", escaped) else f'"{escaped}"'


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"timers": timers}
