#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: trend_check
short_description: Check how values develop
version_added: 0.1.0
description:
  - Looks at what earlier runs have found on the host of the play, and at what this run has found so far. Put it after
    the checks that it is about.
  - The forecast withstands clean-ups, weekly bursts, daily sawteeth and single spikes. It is a median of slopes between
    days, with an interval of 90 %; a step, such as a clean-up, is recognised and does not count as growth.
  - While history is younger than O(minimum) days, the checks are C(skipped) and say so. Later on, too few values are
    C(unknown), and so is a history that cannot be read.
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
        description: The id of the check whose values are meant, such as V(mount.space).
        type: str
        required: true
      target:
        description:
          - Which targets of that check, exactly or as a pattern with C(*) and C(?).
          - A target that has not reported for O(minimum) days is left out of a pattern, as long as others report.
        type: str
        default: "*"
      reaches:
        description: The value that must not be reached, in the unit of the check. Without it, nothing runs out.
        type: float
      worse:
        description: In which direction the value gets worse.
        type: str
        choices: [higher, lower]
        default: higher
      name:
        description: What to call the target in reports and history, where it is one. By default the check and its target.
        type: str
      days:
        description: &days How many days it should at least take until the limit is reached.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      growth:
        description: &growth How much worse the value may get in one day, in the unit of the check.
        type: dict
        suboptions: *levels
      deviation:
        description:
          - &deviation How many times farther than usual the newest value may be from what was to be expected. V(6) is a
            sensible limit.
        type: dict
        suboptions: *levels
      window:
        description: &window How far to look back, in days.
        type: int
      minimum:
        description: &minimum On how many days there must be a value to say anything.
        type: int
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  days:
    description: *days
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "30"}
      critical: {description: *critical, type: str, default: "7"}
  growth:
    description: *growth
    type: dict
    suboptions: *levels
  deviation:
    description: *deviation
    type: dict
    suboptions: *levels
  window:
    description: *window
    type: int
    default: 90
  minimum:
    description: *minimum
    type: int
    default: 7
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
- name: Check when the disks will be full
  sre.runbooks.trend_check:
    targets:
      - {of: mount.space, reaches: 100}

- name: Check disks early, and inodes with the usual limits
  sre.runbooks.trend_check:
    targets:
      - of: mount.space
        target: /var/lib/*
        reaches: 95
        days: {warning: 90, critical: 30}
      - {of: mount.inodes, reaches: 100}

- name: Check that the database does not grow faster than planned, and that response times are the usual ones
  sre.runbooks.trend_check:
    targets:
      - of: file.size
        target: /var/lib/app/data.db
        growth: {warning: 500, critical: 2000}
      - of: http.latency
        deviation: {warning: 6, critical: 20}
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
    - id: trend.exhaustion
      target: mount.space@/var
      status: warning
      summary: "grows by 0.42 % a day: 100 % in 23 days, on 2026-12-14 (21 to 26 days)"
      value: 23.1
      unit: d
      warning: "30"
      critical: "7"
      detail:
        per_day: 0.42
        per_day_between: [0.37, 0.46]
        level: 90.3
        days_seen: 60
        last_step: {day: "2026-10-02", size: -21.5}
        milestones:
          - {value: 80, days: 0, date: "2026-11-21"}
          - {value: 90, days: 0, date: "2026-11-21"}
          - {value: 100, days: 23.1, date: "2026-12-14"}
      seconds: 0.004
"""
