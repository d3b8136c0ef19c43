#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: process_check
short_description: Check that processes are running, how many, how large and how old
version_added: 0.1.0
description:
  - Counts processes by name, by command line and by user, and judges their number, their memory and their age by limits.
  - Reads C(/proc). Command lines are searched and never shown, because they hold secrets.
  - A process that has ended and whose parent has not noticed (a zombie) does not count as running.
  - Ansible itself does not count, even when its own command line holds what is looked for.
  - Where C(/proc) hides the processes of others (C(hidepid)) the check is C(unknown), it never counts too few.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The processes to look for. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      process:
        description:
          - The whole name of the process, as C(ps -C) takes it, of its program, or of the script that it runs.
          - Give it, O(targets[].command) or both.
        type: str
      command:
        description: A Python regular expression, looked for in the whole command line.
        type: str
      user:
        description: Only processes of this user, by name or number.
        type: str
      name:
        description:
          - What to call the target in reports and history.
          - By default its O(targets[].process), else its O(targets[].command), followed by C(of) and the user if given.
        type: str
      count:
        description:
          - &count How many processes may be running. By default at least one.
          - &band V(4) means 4 at most, V(4..) 4 at least, V(4..8) between 4 and 8, V(..0) none at all.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      memory:
        description:
          - &memory How much memory they may hold in all, in MiB. By default any.
          - &shared The resident sizes are added up, so that memory they share counts for each.
        type: dict
        suboptions: *levels
      oldest:
        description: &oldest How long the oldest may have been running, in minutes. By default for ever.
        type: dict
        suboptions: *levels
      youngest:
        description: &youngest How long the youngest must have been running, in minutes. By default any time.
        type: dict
        suboptions: *levels
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  count:
    description:
      - *count
      - *band
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "1.."}
  memory:
    description:
      - *memory
      - *shared
    type: dict
    suboptions: *levels
  oldest:
    description: *oldest
    type: dict
    suboptions: *levels
  youngest:
    description: *youngest
    type: dict
    suboptions: *levels
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check that cron is running
  sre.runbooks.process_check:
    targets: [{process: cron}]

- name: Check that the workers of the queue run, in the right number, and are not restarted all the time
  sre.runbooks.process_check:
    targets:
      - name: queue workers
        command: artisan queue:work
        user: www-data
        count: {warning: 4..8, critical: 1..}
        memory: {warning: 1024, critical: 2048}
        youngest: {warning: 2}

- name: Check that no backup hangs and no miner runs
  sre.runbooks.process_check:
    targets:
      - process: mariadb-dump
        count: {warning: 1, critical: never}
        oldest: {warning: 60, critical: 240}
      - process: xmrig
        count: {critical: ..0}
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: process.count
      target: queue workers
      status: warning
      summary: 2 running
      value: 2
      unit: processes
      warning: 4..8
      critical: 1..
      detail:
        processes:
          - {pid: 811, name: php8.2, user: www-data, rss_mib: 61, minutes: 312.4}
          - {pid: 812, name: php8.2, user: www-data, rss_mib: 58, minutes: 312.4}
      seconds: 0.011
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import process
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(process)


if __name__ == "__main__":
    main()
