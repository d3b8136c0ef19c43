#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_check
short_description: Check that no credentials stand in the source
version_added: 0.1.0
description:
  - Looks through the text files of a tree for keys and tokens that are known by their shape, for what is assigned to
    names such as C(password), for passwords in addresses, and for long random values beside such names.
  - A finding is reported by its rule, its place and a fingerprint. The credential itself is in no report, log or file
    of this collection. The same credential has the same fingerprint wherever it stands.
  - >-
    Files that cannot be read, or are larger than 32 MiB, make finding nothing C(unknown): exclude them if they are not
    to be looked at. Binary files are counted and not looked at. The history of C(git) is not looked at.
  - >-
    How often it is wrong, and how that was measured: C(docs/secrets.md).
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The trees to look at. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The root of the tree.
        type: path
        required: true
      name:
        description: What to call the target in reports and history. By default its O(targets[].path).
        type: str
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
      exclude:
        description: &exclude
          - Patterns of what is left out. One without a slash means names at any depth, as V(*.sql); one with a slash
            means the path below the root and all that is below it, as V(wp-content/uploads).
        type: list
        elements: str
      allow:
        description: &allow Findings that are no secrets, with the reason why.
        type: list
        elements: dict
        suboptions: &allow_options
          fingerprint:
            description: The fingerprint that the report gives.
            type: str
          reason:
            description: Why it may stand there.
            type: str
          until:
            description: The last day on which it may, as V(2026-12-31). Not given, for good.
            type: str
      memory:
        description: &memory
          - Where the fingerprints of the last check are kept. By default C(/var/lib/sre-runbooks) for root, and the
            user's state directory for others.
        type: path
      findings:
        description: &findings How many credentials may be found, a number of credentials.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      new:
        description: &new
          - How many credentials may have appeared since the last check, a number of credentials. The first check only
            learns.
        type: dict
        suboptions: *levels
  timeout:
    description: *timeout
    type: float
    default: 30.0
  exclude:
    description: *exclude
    type: list
    elements: str
    default: []
  allow:
    description: *allow
    type: list
    elements: dict
    default: []
    suboptions: *allow_options
  memory:
    description: *memory
    type: path
  findings:
    description: *findings
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  new:
    description: *new
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
"""

EXAMPLES = r"""
- name: Check a plugin for credentials
  sre.runbooks.secret_check:
    targets: [{path: /srv/www/shop/wp-content/plugins/shop}]

- name: Check a site, of which the configuration has to hold them
  sre.runbooks.secret_check:
    targets:
      - path: /srv/www/shop
        exclude: [wp-content/uploads, wp-content/cache, wp-config.php]
    timeout: 120

- name: Check sources, one finding of which is none
  sre.runbooks.secret_check:
    targets: [{path: /srv/src/shop}]
    allow:
      - {fingerprint: 5f0c3a1be77d9a42, reason: Key of the sandbox of the payment provider, until: "2026-12-31"}
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
    - id: secret.findings
      target: /srv/src/shop
      status: critical
      summary: 1 credentials stand in 1 of 412 files
      value: 1
      unit: credentials
      warning: null
      critical: "0"
      detail: {findings: ["5f0c3a1be77d9a42 stripe_key includes/pay.php:12"], allowed: 0}
      seconds: 0.4
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import secret as kind
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
