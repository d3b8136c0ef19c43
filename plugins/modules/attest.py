#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: attest
short_description: Say that a human step of the runbook is done
version_added: 0.1.0
description:
  - Some steps of a runbook only a human can do. This records who did one, when, and what shows it.
  - Attestations are only ever added. One that corrects an earlier one holds from then on; the earlier one is kept.
  - Runs on the controller, whatever the host of the play.
author: [sre.runbooks contributors (@sre-runbooks)]
options:
  occasion:
    description: The occasion of the runbook, a key of C(sre_runbook.occasions).
    type: str
    required: true
  step:
    description: The id of the step. It must be one for humans, that is one with C(attest=true).
    type: str
    required: true
  state:
    description: Whether it was done, or why it did not have to be; then O(note) is required.
    type: str
    choices: [done, not_applicable]
    default: done
  date:
    description:
      - The day of the run that the step belongs to, as C(YYYY-MM-DD). By default today, in the time zone of the runbook.
    type: str
  by:
    description: Who says so. By default the user of the operating system who runs this.
    type: str
  note:
    description: What there is to say about it.
    type: str
    default: ""
  evidence:
    description: Where it can be seen, such as the address of a ticket.
    type: str
    default: ""
  history:
    description:
      - Path or URL of the history database.
      - By default the variable C(sre_history), then the environment variable E(SRE_RUNBOOKS_HISTORY), then
        C(history.sqlite) in the directory of the runs.
    type: str
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: full
"""

EXAMPLES = r"""
- name: Say that maintenance was reviewed today
  sre.runbooks.attest:
    occasion: end_of_day
    step: EB-D3-04

- name: Say so for last Friday, with evidence
  sre.runbooks.attest:
    occasion: security_audit
    step: EB-W3-05
    date: "2026-11-20"
    by: Jo Doe
    note: Two accounts were closed.
    evidence: https://tickets.example.org/4711

- name: Say that there was nothing to do
  sre.runbooks.attest:
    occasion: end_of_day
    step: EB-D3-07
    state: not_applicable
    note: No maintenance is planned for this week.
"""

RETURN = r"""
attestation:
  description: What holds now.
  returned: success
  type: dict
  sample:
    system: edubot
    occasion: end_of_day
    step: EB-D3-04
    date: "2026-11-21"
    state: done
    by: jo
    at: "2026-11-21T18:04:11+00:00"
    note: ""
    evidence: ""
"""
