#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: goss_check
short_description: Check that the tests of a gossfile pass
version_added: 0.1.0
description:
  - Carries out the tests of a gossfile on the host, or reads results that goss has written before, and counts what
    failed and what was skipped.
  - A test that was skipped is no success. Results that are incomplete, empty or all skipped are C(unknown).
  - Made for goss 0.4; results of goss 0.3 can be read.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The gossfiles or results. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      gossfile:
        description: The gossfile whose tests to carry out now. Exactly one of this and O(targets[].results) is needed.
        type: path
      results:
        description: A file that C(goss validate --format json) has written.
        type: path
      vars_file:
        description: The file of variables for the gossfile.
        type: path
      name:
        description: What to call the target in reports and history. By default the path.
        type: str
      executable:
        description: &executable The goss command.
        type: path
      failed:
        description: &failed How many tests may fail, a number of tests.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      skipped:
        description: &skipped How many tests may be skipped, a number of tests.
        type: dict
        suboptions: *levels
      age:
        description: &age How old a file of results may be, in hours.
        type: dict
        suboptions: *levels
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  executable:
    description: *executable
    type: path
    default: goss
  failed:
    description: *failed
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  skipped:
    description: *skipped
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  age:
    description: *age
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "26"}
      critical: {description: *critical, type: str, default: "50"}
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Carry out the tests of the host
  sre.runbooks.goss_check:
    targets: [{gossfile: /etc/goss/goss.yaml}]

- name: Carry out the tests of the image, some of which are known to be skipped
  sre.runbooks.goss_check:
    targets:
      - name: base image
        gossfile: /etc/goss/base.yaml
        vars_file: /etc/goss/vars.yaml
        skipped: {warning: 4}
    timeout: 60

- name: Read what a timer has tested
  sre.runbooks.goss_check:
    targets: [{results: /var/lib/goss/results.json}]
    age: {warning: 2, critical: 6}
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: critical
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: goss.failed
      target: /etc/goss/goss.yaml
      status: critical
      summary: 1 of 12 tests do not pass
      value: 1
      unit: tests
      warning: null
      critical: "0"
      detail:
        tests: 12
        passed: 11
        failed: ["File: /etc/app.conf: exists: Expected false to equal true"]
      seconds: 0.041
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import goss
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(goss)


if __name__ == "__main__":
    main()
