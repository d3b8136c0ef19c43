#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_check
short_description: Check that updates are installed and the distribution is supported
version_added: 0.1.0
description:
  - >-
    Tells security updates from others, for apt and dnf. Nothing is downloaded: judged is what the package lists of the
    host say, and whether these are recent enough to be believed.
  - Updates of held, pinned and phased packages count, and a security update counts as one even when a later version of
    another origin has overtaken it.
  - Package lists older than the critical limit of O(lists_age) make finding no update C(unknown), and so do sources
    without security updates.
  - >-
    The age of the lists of apt is that of their content, as their publisher signed it: C(apt-get update) reports
    success without having fetched anything, and a mirror may stand still.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: What to measure. There is one target, the host, which does not have to be given.
    type: list
    elements: dict
    suboptions:
      name:
        description: What to call the target in reports and history. By default V(packages).
        type: str
      lists_age:
        description: &lists_age How old the package lists may be, in hours.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      security:
        description: &security How many packages may have a security update pending, a number of packages.
        type: dict
        suboptions: *levels
      updates:
        description: &updates How many packages may have another update pending, a number of packages.
        type: dict
        suboptions: *levels
      held:
        description: &held How many packages may be held at their version unexpectedly, a number of packages.
        type: dict
        suboptions: *levels
      expected_holds:
        description: &expected_holds Packages that are held on purpose.
        type: list
        elements: str
      reboot:
        description: &reboot For how many days a reboot may have been due.
        type: dict
        suboptions: *levels
      end_of_life:
        description: &end_of_life How many days of security support must be left.
        type: dict
        suboptions: *levels
      support_until:
        description: &support_until
          - The last day of support as V(2028-06-30), where you have a contract or the collection does not know the
            release.
        type: str
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  lists_age:
    description: *lists_age
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "96"}
      critical: {description: *critical, type: str, default: "168"}
  security:
    description: *security
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str, default: "10"}
  updates:
    description: *updates
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "50"}
      critical: {description: *critical, type: str}
  held:
    description: *held
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  expected_holds:
    description: *expected_holds
    type: list
    elements: str
    default: []
  reboot:
    description: *reboot
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str, default: "30"}
  end_of_life:
    description: *end_of_life
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "180"}
      critical: {description: *critical, type: str, default: "30"}
  support_until:
    description: *support_until
    type: str
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check updates, reboot and support of the host
  sre.runbooks.package_check:

- name: Allow a week for security updates, and hold the database
  sre.runbooks.package_check:
    security: {warning: 0, critical: 25}
    reboot: {warning: 7, critical: 30}
    expected_holds: [mariadb-server, mariadb-client]

- name: Check a release with a support contract of its own
  sre.runbooks.package_check:
    support_until: "2030-04-25"
    end_of_life: {warning: 365, critical: 90}
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
    - id: package.security
      target: packages
      status: warning
      summary: 3 security updates are pending
      value: 3
      unit: packages
      warning: "0"
      critical: "10"
      detail: {packages: [openssl 3.0.15-1~deb12u1 → 3.0.17-1~deb12u2]}
      seconds: 1.2
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import package as kind
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
