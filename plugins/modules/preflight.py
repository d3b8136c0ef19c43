#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Read the runbook and open a run
version_added: 0.1.0
description:
  - First page of every occasion. Reads C(sre_runbook), C(sre_waivers) and C(sre_notify), and refuses what cannot be
    meant, with file, line, occasion, step and key, before any host is touched.
  - Finds the occasion that the playbook stands for. A playbook that serves several needs C(sre_occasion).
  - A system without a runbook runs all the same; its report then has no steps.
author: [sre.runbooks contributors (@sre-runbooks)]
options:
  playbook:
    description: The name of the playbook, as the occasions of the runbook give it.
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: Reads only, the same with and without check mode.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: none
notes:
  - The callback P(sre.runbooks.journal#callback) must be enabled; the module fails when it is not, because nothing would
    be written down.
"""

EXAMPLES = r"""
- name: Read the runbook
  sre.runbooks.preflight:
    playbook: daily

- name: Read the runbook of an occasion that shares its playbook with others
  sre.runbooks.preflight:
    playbook: daily
  vars:
    sre_occasion: evening
"""

RETURN = r"""
run:
  description: What the run is about.
  returned: success
  type: dict
  sample: {system: edubot, occasion: morning_startup, playbook: daily}
"""
