#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mount_check
short_description: Check that file systems are mounted, writable and have room
version_added: 0.1.0
description:
  - Measures space, inodes and the read-only state of file systems, and judges them by limits.
  - Without O(targets) every mount that holds data is measured. Pseudo file systems, images such as squashfs, mounts on
    single files and further mounts of the same file system are left out.
  - Space is counted as C(df) does for a user without privileges, blocks reserved for root count as used.
  - A file system on a server that does not answer becomes C(unknown) after O(timeout); the others report.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The file systems to measure. Every option of the task can be given again for one target.
    type: list
    elements: dict
    suboptions:
      path:
        description: A mount point, or any path whose file system is meant. Not given, all mounts that hold data.
        type: path
      mounted:
        description: Whether O(targets[].path) must itself be a mount point, so that a missing disk is noticed.
        type: bool
        default: false
      name:
        description: What to call the target in reports and history. By default its O(targets[].path).
        type: str
      space:
        description: &space How much of the space may be used, in percent.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      inodes:
        description: &inodes How much of the inodes may be used, in percent.
        type: dict
        suboptions: *levels
      writable:
        description: &writable Whether the file system must be writable. One that fstab mounts read-only is left alone.
        type: bool
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  space:
    description: *space
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "80"}
      critical: {description: *critical, type: str, default: "90"}
  inodes:
    description: *inodes
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "80"}
      critical: {description: *critical, type: str, default: "90"}
  writable:
    description: *writable
    type: bool
    default: true
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check every file system of the host
  sre.runbooks.mount_check:

- name: Check that the backup disk is there and has room
  sre.runbooks.mount_check:
    targets:
      - path: /var/backups
        mounted: true
        space: {warning: 70}
      - path: /
    space: {warning: 80, critical: 95}
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
    - id: mount.space
      target: /var
      status: warning
      summary: 84.2 % of the space is used, 3,120 MiB are free
      value: 84.2
      unit: "%"
      warning: "80"
      critical: "90"
      detail: {mount: /var, source: /dev/vda2, type: ext4, available_mib: 3120, total_mib: 19747}
      seconds: 0.002
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import mount
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(mount)


if __name__ == "__main__":
    main()
