#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: review_check
short_description: Check what the last days were like
version_added: 0.1.0
description:
  - Looks at what the runs of the last days have found on the host of the play, and at what this run has found so far. Put
    it after the checks that it is about.
  - Availability is counted in looks of our own runs. A look that saw nothing may have been either; where that makes a
    difference, the check is C(unknown).
  - Where a target stands for several series, the worst of them is judged, and the others are evidence.
  - While history is younger than O(minimum) days, the checks are C(skipped) and say so. When no run of the window had what
    is asked for, they are C(unknown), and so they are when history cannot be read.
  - Runs on the controller, where history is.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: What to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      of:
        description:
          - The id of the check whose past is meant, such as V(http.status).
          - A pattern with C(*) and C(?) means several; they are judged by O(targets[].recurring) alone.
        type: str
        required: true
      target:
        description: Which targets of that check, exactly or as a pattern with C(*) and C(?).
        type: str
        default: "*"
      worse:
        description: In which direction the value gets worse.
        type: str
        choices: [higher, lower]
        default: higher
      name:
        description: What to call the target in reports and history. By default the check and its target.
        type: str
      availability:
        description: &availability Which share of the looks has to find the check other than critical, in percent.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      percentile:
        description: &percentile The value that 95 % of the values have to stay within, in the unit of the check.
        type: dict
        suboptions: *levels
      change:
        description:
          - &change How much worse the median may be than in the time before, of the same length, in percent.
        type: dict
        suboptions: *levels
      recurring:
        description: &recurring How many checks may have been not fine on O(days) days or more.
        type: dict
        suboptions: *levels
      days:
        description: &days On how many days a check has to be found not fine to count as recurring.
        type: int
      window:
        description: &window How far to look back, in days.
        type: int
      minimum:
        description: &minimum How old history has to be to say anything, in days.
        type: int
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  availability:
    description: *availability
    type: dict
    suboptions: *levels
  percentile:
    description: *percentile
    type: dict
    suboptions: *levels
  change:
    description:
      - *change
    type: dict
    suboptions: *levels
  recurring:
    description: *recurring
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  days:
    description: *days
    type: int
    default: 3
  window:
    description: *window
    type: int
    default: 7
  minimum:
    description: *minimum
    type: int
    default: 2
  timeout:
    description: *timeout
    type: float
    default: 30.0
  history:
    description:
      - Path or URL of the history database.
      - By default the variable C(sre_history), then the environment variable E(SRE_RUNBOOKS_HISTORY), then
        C(~/.local/state/sre-runbooks/history.sqlite).
    type: str
"""

EXAMPLES = r"""
- name: Check that nothing kept failing in the last week
  sre.runbooks.review_check:
    targets:
      - {of: "*", name: all checks}

- name: Check the availability that was promised
  sre.runbooks.review_check:
    targets:
      - {of: http.status}
    availability: {warning: 99.9, critical: 99}
    window: 30

- name: Check response times and table sizes against the month before
  sre.runbooks.review_check:
    window: 30
    targets:
      - of: http.latency
        target: https://www.example.org/
        percentile: {warning: 2000, critical: 5000}
        change: {warning: 25}
      - {of: mount.space, target: /var/lib/mysql, change: {warning: 10}}
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: warning
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: review.availability
      target: http.status@*
      status: warning
      summary: was there in 20 of 21 looks, 95.24 %
      value: 95.238
      unit: "%"
      warning: "99.9"
      critical: "90"
      detail: {fine: 20, down: 1, blind: 0}
      seconds: 0.002
"""
