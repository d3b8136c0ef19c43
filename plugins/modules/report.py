#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Close the run, report it, and give the verdict
version_added: 0.1.0
description:
  - Last page of every occasion. Compares the run with the one before, applies waivers, tells whoever is to be told,
    remembers the results, and writes the reports into the directory of the run.
  - This is the only place where findings turn the exit code red. The task fails when the worst finding that is not
    waived is at least O(fail_on).
author: [sre.runbooks contributors (@sre-runbooks)]
options:
  fail_on:
    description: Fail when the verdict is at least this urgent.
    type: str
    choices: [never, warning, unknown, critical]
    default: critical
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: The run is reported all the same; notifications are shown instead of sent.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: none
seealso:
  - module: sre.runbooks.preflight
"""

EXAMPLES = r"""
- name: Report what this run found
  sre.runbooks.report:

- name: Report, and fail on a blind spot too
  sre.runbooks.report:
    fail_on: unknown
"""

RETURN = r"""
verdict:
  description: The worst status that is not waived.
  returned: always
  type: str
  sample: warning
counts:
  description: How many records have which status.
  returned: always
  type: dict
  sample: {ok: 38, warning: 1, unknown: 0, critical: 0, skipped: 1}
path:
  description: The HTML report.
  returned: always
  type: str
  sample: /var/lib/sre-runbooks/runs/20261121T050000Z-morning_startup-3f9a1c/report.html
"""
