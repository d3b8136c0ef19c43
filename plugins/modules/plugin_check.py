#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plugin_check
short_description: Check what a monitoring plugin finds
version_added: 0.1.0
description:
  - Runs plugins written for Nagios, Icinga and their kin on the host and adopts their verdict. Exit codes 0 to 3 are
    C(ok), C(warning), C(critical) and C(unknown); any other end is C(unknown).
  - A plugin that prints nothing is C(unknown), even when it exits with 0.
  - The first item of performance data is the value of the check, with its unit and limits. All items are in its detail.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The plugins to run. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      command:
        description:
          - The plugin and its arguments. Quotes group words as in a shell; pipes, variables and wildcards mean nothing.
          - The plugin is given by its full path, or by a name that is looked for in C(/usr/lib/nagios/plugins),
            C(/usr/lib64/nagios/plugins), C(/usr/lib/monitoring-plugins), C(/usr/local/lib/nagios/plugins) and
            C(/usr/local/libexec/nagios).
          - Everybody on the host can read the arguments of a running command. Secrets belong into
            O(targets[].secret_environment), or into a file that only the plugin's user can read.
        type: str
      argv:
        description: The same as a list of words. Exactly one of the two is needed.
        type: list
        elements: str
      name:
        description: What to call the target in reports and history. By default the plugin's name, without arguments.
        type: str
      environment:
        description: &environment Variables for the plugin, beside those of Ansible on the host and C(LC_ALL=C).
        type: dict
      secret_environment:
        description: &secret_environment Variables for the plugin that hold secrets. Their values are kept out of logs and results.
        type: dict
      timeout:
        description: &timeout How long one plugin may take, in seconds. Then it is ended, with all that it has started.
        type: float
  environment:
    description: *environment
    type: dict
    default: {}
  secret_environment:
    description: *secret_environment
    type: dict
    default: {}
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check the load as the old monitoring did
  sre.runbooks.plugin_check:
    targets:
      - command: check_load -w 5,4,3 -c 10,9,8

- name: Check what no kind of this collection covers
  sre.runbooks.plugin_check:
    targets:
      - name: mail queue
        command: check_mailq -w 100 -c 500 -M postfix
      - name: raid
        argv: [/opt/vendor/check raid, --controller, "0"]
        timeout: 120

- name: Check the directory with a password that stays out of sight
  sre.runbooks.plugin_check:
    targets:
      - command: /usr/local/lib/nagios/plugins/check_ldap_sync --host ldap.example.org
        secret_environment:
          LDAP_PASSWORD: "{{ vault_ldap_password }}"
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
checks:
  description: One record for each plugin, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: plugin.verdict
      target: check_load
      status: ok
      summary: "LOAD OK - total load average: 1.39, 1.62, 1.08"
      value: 1.39
      unit: ""
      warning: 0..5.000
      critical: 0..10.000
      detail:
        exit_code: 0
        output: ["LOAD OK - total load average: 1.39, 1.62, 1.08"]
        metrics:
          - {label: load1, value: 1.39, unit: "", warning: "5.000", critical: "10.000", min: "0", max: ""}
      seconds: 0.004
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import plugin
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(plugin)


if __name__ == "__main__":
    main()
