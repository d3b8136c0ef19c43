# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """What every check module has in common."""

    DOCUMENTATION = r"""
options:
  budget:
    description:
      - How long the whole call may take, in seconds.
      - What has not been measured by then becomes C(unknown), the rest report.
    type: float
    default: 120.0
  fail_on:
    description:
      - Fail the task when the worst check is at least this urgent.
      - The playbooks of this collection leave it at V(never), because the verdict is given once, at the end of the run.
    type: str
    choices: [never, warning, unknown, critical]
    default: never
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: Reads only, the same with and without check mode.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: none
notes:
  - The order of urgency is C(skipped), C(ok), C(warning), C(unknown), C(critical).
  - A limit is the last value that is fine, or C(low..high) with either side open, ends included. V(never) switches a
    default off.
  - What cannot be measured is C(unknown) and says why. It never counts as success.
"""
