#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: permission_check
short_description: Check what files grant, and to whom, by a policy
version_added: 0.1.0
description:
  - Judges who may write to the files of a tree, whose they are, which run with the rights of their owner, which hold
    secrets that everybody can read, and which programs lie where only uploads should be.
  - A file that everybody can read is no finding. Links are not followed and their modes mean nothing. Access control
    lists are not looked at.
  - A directory that cannot be read makes finding nothing C(unknown).
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
          - Patterns of what is left out. One without a slash means names at any depth, as V(*.log); one with a slash
            means the path below the root and all that is below it, as V(wp-content/cache).
        type: list
        elements: str
      uploads:
        description: &uploads
          - Directories, relative to the root, in which no file that a web server may execute should be. V(.) is the tree
            itself.
        type: list
        elements: str
      owners:
        description: &owners
          - Users to whom files may belong; numbers where the host knows no name. Not given, owners are not judged.
        type: list
        elements: str
      groups:
        description: &groups Groups to whom files may belong. Not given, groups are not judged.
        type: list
        elements: str
      modes:
        description: &modes
          - The most that files may grant, pattern to mode, octal and in quotes. The first pattern that means a file
            holds.
        type: dict
      fine:
        description: &fine What is all right although it would be a finding, as patterns like those of O(exclude).
        type: dict
        suboptions: &fine_options
          world_writable:
            description: What everybody may write to.
            type: list
            elements: str
          setuid:
            description: Programs that may be setuid or setgid.
            type: list
            elements: str
          group_writable:
            description: What its group may write to.
            type: list
            elements: str
          private_keys:
            description: Secrets that everybody may read, as those of tests.
            type: list
            elements: str
          executable_uploads:
            description: Programs that may lie among the uploads.
            type: list
            elements: str
      world_writable:
        description: &world_writable
          - How many files or directories may be writable for everybody, a number of files. Directories with the sticky
            bit do not count.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      setuid:
        description: &setuid How many files may be setuid or setgid, a number of files.
        type: dict
        suboptions: *levels
      owner:
        description: &owner How many files may belong to others than O(owners) and O(groups), a number of files.
        type: dict
        suboptions: *levels
      group_writable:
        description: &group_writable
          - How many files or directories may be writable for their group, a number of files. Without limits it is not
            judged.
        type: dict
        suboptions: *levels
      mode:
        description: &mode How many files may grant more than O(modes) says, a number of files.
        type: dict
        suboptions: *levels
      private_keys:
        description: &private_keys
          - How many secrets may be readable for everybody, a number of files. Keys are known by their content, others
            by their names.
        type: dict
        suboptions: *levels
      executable_uploads:
        description: &executable_uploads How many programs may lie among the uploads, a number of files.
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
  uploads:
    description: *uploads
    type: list
    elements: str
    default: ["wp-content/uploads"]
  owners:
    description: *owners
    type: list
    elements: str
    default: []
  groups:
    description: *groups
    type: list
    elements: str
    default: []
  modes:
    description: *modes
    type: dict
    default: {"wp-config.php": "0640", ".env": "0640"}
  fine:
    description: *fine
    type: dict
    suboptions: *fine_options
  world_writable:
    description: *world_writable
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  setuid:
    description: *setuid
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  owner:
    description: *owner
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  group_writable:
    description: *group_writable
    type: dict
    suboptions: *levels
  mode:
    description: *mode
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  private_keys:
    description: *private_keys
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  executable_uploads:
    description: *executable_uploads
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
"""

EXAMPLES = r"""
- name: Check a site
  sre.runbooks.permission_check:
    targets: [{path: /srv/www/shop}]

- name: Check that the web server can write to nothing but the uploads
  sre.runbooks.permission_check:
    targets: [{path: /srv/www/shop}]
    owners: [deploy]
    groups: [www-data]
    group_writable: {critical: 0}
    fine:
      group_writable: [wp-content/uploads, wp-content/cache]
      executable_uploads: [wp-content/uploads/index.php]

- name: Check the programs of the system, and keys
  sre.runbooks.permission_check:
    targets:
      - path: /usr
        fine: {setuid: [bin/sudo, bin/su, bin/passwd, bin/mount, bin/umount, bin/newgrp, bin/chsh, bin/chfn, bin/gpasswd]}
      - path: /etc/ssl/private
        modes: {"*": "0640"}
    uploads: []
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
    - id: permission.world_writable
      target: /srv/www/shop
      status: critical
      summary: 1 of 4211 files can be written to by everybody
      value: 1
      unit: files
      warning: null
      critical: "0"
      detail: {files: ["wp-content/cache: 0777 deploy:www-data"]}
      seconds: 0.2
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import permission as kind
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
