#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: integrity_check
short_description: Check that nobody has changed files
version_added: 0.1.0
description:
  - Compares a tree of files with the baseline that M(sre.runbooks.integrity_baseline) has made of it. Every file is
    read and its SHA-256 compared; times of modification prove nothing, because whoever changes a file can set them
    back.
  - Links are not followed, and what is no file is not read. What cannot be read makes finding nothing C(unknown).
  - A baseline that was tampered with is C(critical). Without a baseline everything is C(unknown).
seealso:
  - module: sre.runbooks.integrity_baseline
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
      baseline:
        description:
          - Where the baseline lies, outside of the tree. By default in C(/var/lib/sre-runbooks/baselines) for root, and
            in the user's state directory for others.
        type: path
      name:
        description: What to call the target in reports and history. By default its O(targets[].path).
        type: str
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
      key:
        description: &key
          - The key with which the baseline is sealed, at least 16 characters. It comes from the controller and never
            lies on the host, so that nobody who owns the host can make a baseline that holds.
          - Without a key the baseline has to be writable for nobody but root and the user who runs this. That keeps out
            everybody but root.
        type: str
      exclude:
        description: &exclude
          - Patterns of what is left out. One without a slash means names at any depth, as V(*.log); one with a slash
            means the path below the root and all that is below it, as V(wp-content/cache).
        type: list
        elements: str
      uploads:
        description: &uploads
          - Directories, relative to the root, that change all day. In them only files that a web server may execute are
            looked at, by their names. V(.) is the tree itself.
        type: list
        elements: str
      deploy:
        description: &deploy
          - A window in which changes are expected. Programs below O(uploads) and the baseline itself are judged all the
            same.
        type: dict
        suboptions: &deploy_options
          until:
            description: When the window ends, with a time zone, as V(2026-11-21T18:00:00+00:00).
            type: str
          reason:
            description: What changes, as the number of the release. It stands in the report.
            type: str
      age:
        description: &age How old the baseline may be, in days.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      changed:
        description: &changed How many files may have other content, a number of files.
        type: dict
        suboptions: *levels
      added:
        description: &added How many files may have been added, a number of files.
        type: dict
        suboptions: *levels
      removed:
        description: &removed How many files may be missing, a number of files.
        type: dict
        suboptions: *levels
      metadata:
        description: &metadata How many files or directories may have another owner or mode, a number of files.
        type: dict
        suboptions: *levels
  timeout:
    description: *timeout
    type: float
    default: 30.0
  key:
    description: *key
    type: str
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
  deploy:
    description: *deploy
    type: dict
    suboptions: *deploy_options
  age:
    description: *age
    type: dict
    suboptions: *levels
  changed:
    description: *changed
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  added:
    description: *added
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  removed:
    description: *removed
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  metadata:
    description: *metadata
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
"""

EXAMPLES = r"""
- name: Check a site
  sre.runbooks.integrity_check:
    targets: [{path: /srv/www/shop}]

- name: Check a plugin and the system's programs, with a key that never lies on the host
  sre.runbooks.integrity_check:
    targets:
      - {path: /srv/www/shop/wp-content/plugins/shop, uploads: []}
      - {path: /usr/local/bin, removed: {critical: 0}}
    key: "{{ vault_integrity_key }}"
    timeout: 300

- name: Check a site while it is being deployed
  sre.runbooks.integrity_check:
    targets: [{path: /srv/www/shop, exclude: [wp-content/cache, "*.log"]}]
    deploy: {until: "2026-11-21T18:00:00+00:00", reason: Release 4.3}
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
    - id: integrity.changed
      target: /srv/www/shop
      status: critical
      summary: 1 files have another content than in the baseline
      value: 1
      unit: files
      warning: null
      critical: "0"
      detail: {files: [wp-includes/load.php]}
      seconds: 1.4
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import integrity as kind
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
