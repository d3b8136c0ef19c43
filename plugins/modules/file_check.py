#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: file_check
short_description: Check that files exist, are recent and have a plausible size
version_added: 0.1.0
description:
  - Finds the files that a path or a shell pattern names and judges the newest of them. Made for dumps, exports and
    heartbeats, which nobody misses until they are needed.
  - A file that should be there and is not is C(critical). A directory that cannot be read is C(unknown), because
    nobody knows what it holds.
  - Links are followed to the file they name; a link to nothing is no file. Directories, sockets and devices do not count.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The files to look at. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      pattern:
        description:
          - An absolute path or shell pattern (C(*), C(?), C([…])). Of several files that match, the newest is judged.
          - As in a shell, names with a leading dot are only matched by a pattern that begins with one.
        type: path
        required: true
      recurse:
        description: Whether to look for the last part of O(targets[].pattern) in all directories below as well.
        type: bool
        default: false
      name:
        description: What to call the target in reports and history. By default its O(targets[].pattern).
        type: str
      present:
        description: &present Whether a file must exist. Without it, files that happen to exist are judged all the same.
        type: bool
      may_be_empty:
        description: &may_be_empty Whether the newest file may have no content, as a heartbeat made with C(touch) has none.
        type: bool
      count:
        description: &count How many files may match, a number of files.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      clock:
        description: &clock How far in the future the newest file may be dated, in minutes. Beyond it no age can be told.
        type: dict
        suboptions: *levels
      age:
        description: &age How old the newest file may be, in hours.
        type: dict
        suboptions: *levels
      size:
        description: &size How small the newest file may be, in MiB, or a range of sizes as V(10..500).
        type: dict
        suboptions: *levels
      owner:
        description: &owner Whom the files must belong to, a name, or a number where the host knows no name.
        type: str
      group:
        description: &group Which group the files must belong to.
        type: str
      mode:
        description: &mode The most that the permissions may grant, octal and in quotes, as V("0640").
        type: str
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  present:
    description: *present
    type: bool
    default: true
  may_be_empty:
    description: *may_be_empty
    type: bool
    default: false
  count:
    description: *count
    type: dict
    suboptions: *levels
  clock:
    description: *clock
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "5"}
      critical: {description: *critical, type: str}
  age:
    description: *age
    type: dict
    suboptions: *levels
  size:
    description: *size
    type: dict
    suboptions: *levels
  owner:
    description: *owner
    type: str
  group:
    description: *group
    type: str
  mode:
    description: *mode
    type: str
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check that last night's dump is there
  sre.runbooks.file_check:
    targets: [{pattern: /var/backups/mysql/*.sql.gz}]
    age: {warning: 26, critical: 50}

- name: Check dumps that hold customers' data
  sre.runbooks.file_check:
    targets:
      - name: shop dump
        pattern: /var/backups/shop/shop-*.sql.gz
        size: {warning: 200..2000, critical: 50..5000}
        count: {warning: 7..31}
      - name: uploads archive
        pattern: /var/backups/shop/uploads-*.tar.zst
        age: {critical: 170}
    age: {warning: 26, critical: 50}
    owner: backup
    mode: "0640"

- name: Check that the scheduler still touches its heartbeat
  sre.runbooks.file_check:
    targets: [{pattern: /run/scheduler/heartbeat, may_be_empty: true}]
    age: {warning: 0.1, critical: 0.5}

- name: Check that nothing has dumped core and no site was left in maintenance
  sre.runbooks.file_check:
    targets:
      - {pattern: /var/crash/*, name: core dumps}
      - {pattern: /srv/www/.maintenance, recurse: true, name: maintenance flags, may_be_empty: true}
    present: false
    count: {critical: 0}
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: critical
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: file.age
      target: /var/backups/mysql/*.sql.gz
      status: critical
      summary: the newest file is 51.3 h old
      value: 51.3
      unit: h
      warning: "26"
      critical: "50"
      detail: {file: /var/backups/mysql/shop-20251105.sql.gz, bytes: 48211200, modified: 1762315203.0}
      seconds: 0.001
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import (
    file as kind,
)
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
