#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: integrity_baseline
short_description: Vouch for a tree of files as it is now
version_added: 0.1.0
description:
  - Makes the baseline that M(sre.runbooks.integrity_check) compares with. The one before is kept beside it.
  - Look at what M(sre.runbooks.integrity_check) finds first. What is in the tree now counts as good from now on.
  - Nothing is written when the tree is as the last baseline says. When that one was tampered with, the module fails and
    leaves it for whoever looks into it.
author: [sre.runbooks contributors (@sre-runbooks)]
options:
  path:
    description: The root of the tree.
    type: path
    required: true
  reason:
    description: Why the tree is good as it is, such as the release that was deployed. It stands in every report.
    type: str
    required: true
  by:
    description: Who vouches for it. By default the user who became the one that runs this, else the latter.
    type: str
  run:
    description: The run or the ticket that this belongs to.
    type: str
    default: ""
  baseline:
    description: See O(sre.runbooks.integrity_check#module:targets[].baseline).
    type: path
  key:
    description: See O(sre.runbooks.integrity_check#module:key).
    type: str
  exclude:
    description: See O(sre.runbooks.integrity_check#module:exclude).
    type: list
    elements: str
    default: []
  uploads:
    description: See O(sre.runbooks.integrity_check#module:uploads).
    type: list
    elements: str
    default: ["wp-content/uploads"]
  timeout:
    description: How long it may take, in seconds.
    type: float
    default: 600.0
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: none
"""

EXAMPLES = r"""
- name: Vouch for the site after a deployment
  sre.runbooks.integrity_baseline:
    path: /srv/www/shop
    reason: Release 4.2 deployed

- name: Vouch for it with a key that never lies on the host
  sre.runbooks.integrity_baseline:
    path: /srv/www/shop
    exclude: [wp-content/cache]
    key: "{{ vault_integrity_key }}"
    by: Jo Doe
    run: CHG-4711
    reason: WordPress 6.8.3, checked with wp core verify-checksums
"""

RETURN = r"""
baseline:
  description: Where the baseline lies.
  returned: success
  type: str
  sample: /var/lib/sre-runbooks/baselines/srv-www-shop.baseline
previous:
  description: Where the one before was kept; null where there was none, and in check mode.
  returned: success
  type: str
  sample: /var/lib/sre-runbooks/baselines/srv-www-shop.baseline.20261014T160211Z
differences:
  description: How the tree differs from the last baseline, a count and the first names of each kind; null where there was none.
  returned: success
  type: dict
  sample: {changed: {count: 1, first: [wp-includes/version.php]}}
"""

import dataclasses
import getpass
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe.integrity import Forged, Header, renew

SPEC = {
    "path": {"type": "path", "required": True},
    "reason": {"type": "str", "required": True},
    "by": {"type": "str"},
    "run": {"type": "str", "default": ""},
    "baseline": {"type": "path"},
    "key": {"type": "str", "no_log": True},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "uploads": {"type": "list", "elements": "str", "default": ["wp-content/uploads"]},
    "timeout": {"type": "float", "default": 600.0},
}


def main() -> None:
    module = AnsibleModule(SPEC, supports_check_mode=True)
    given = module.params
    if not given["reason"].strip():
        module.fail_json(msg="reason: say why the tree is good as it is")
    by = given["by"] or os.environ.get("SUDO_USER") or getpass.getuser()
    header = Header(
        given["path"], given["exclude"], given["uploads"], time.time(), by, given["run"], given["reason"].strip()
    )
    try:
        done = renew(header, given["baseline"], given["key"], given["timeout"], keep=not module.check_mode)
    except (Forged, Unmeasurable) as exc:
        module.fail_json(msg=str(exc))
    differences = dataclasses.asdict(done.differences) if done.differences is not None else None
    module.exit_json(changed=done.changed, baseline=done.path, previous=done.previous, differences=differences)


if __name__ == "__main__":
    main()
