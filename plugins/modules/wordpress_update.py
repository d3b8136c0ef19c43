#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wordpress_update
short_description: Update a WordPress site and go back where that breaks it
version_added: 0.1.0
description:
  - Updates WordPress, its plugins and its themes, one at a time. After each the site is looked at as visitors see it, the
    version is read again, and so is what is active. What does not work is put back as it was.
  - Before anything is changed, the site has to work, and a backup has to have been restored to prove it.
  - A run that was killed is found by the next one, which first puts back what was being updated, also without a proven
    backup. A command that still works for a killed run keeps others out. The maintenance page of WordPress is never left
    behind.
  - What keeps it from patching is a check that is C(unknown); the task does not fail. Look at RV(status) before going on.
  - With the files of WordPress its own tables are put back as well, when the new release wants another shape of them. What
    was written to them meanwhile is lost then. The tables of plugins stay as they are.
requirements:
  - WP-CLI 2 or later on the host, and for updates of WordPress itself the client of its database
author: [sre.runbooks contributors (@sre-runbooks)]
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: Tells what would be updated, as far as WordPress knows; it is not told to look for updates then.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: full
options:
  path:
    description: The directory of WordPress.
    type: path
    required: true
  url:
    description: The address of the site, which tells the sites of a network apart.
    type: str
  user:
    description: Who runs WP-CLI, and with it the code of the site. By default the owner of O(path).
    type: str
  executable:
    description: The C(wp) command.
    type: path
    default: wp
  core:
    description: What WordPress itself is updated to, nothing, the newest release of its branch, or the newest of all.
    type: str
    choices: [none, minor, all]
    default: minor
  plugins:
    description: Whether plugins are updated.
    type: bool
    default: true
  themes:
    description: Whether themes are updated.
    type: bool
    default: true
  keep:
    description: Plugins and themes that stay as they are.
    type: list
    elements: str
    default: []
  smoke:
    description: What the site has to answer, as the options of M(sre.runbooks.http_check). It is asked from the host itself.
    type: dict
    required: true
  settle:
    description: How long to wait until PHP has seen new files before the site is looked at, in seconds.
    type: float
    default: 3.0
  proven:
    description: Within how many days a backup has to have been proven. V(0) does not ask, and leaves the way back to luck.
    type: float
    default: 8.0
  proofs:
    description: Where M(sre.runbooks.restore_proof) remembers what it has proven.
    type: path
    default: /var/lib/sre-runbooks/proofs
  directory:
    description: Where old versions and what is under way are kept, a directory for each site.
    type: path
    default: /var/lib/sre-runbooks/patches
  timeout:
    description: How long one command may take, in seconds.
    type: float
    default: 300.0
"""

EXAMPLES = r"""
- name: Update a site, WordPress itself within its branch
  sre.runbooks.wordpress_update:
    path: /var/www/html
    smoke:
      targets: [{url: "https://www.example.org/"}]

- name: Update plugins alone, but for one, and look at the shop and its cart afterwards
  sre.runbooks.wordpress_update:
    path: /var/www/shop
    core: none
    themes: false
    keep: [shop-pro]
    smoke:
      targets:
        - {url: "https://shop.example.org/", contains: [Add to cart], connect_to: 127.0.0.1}
        - {url: "https://shop.example.org/wp-login.php", contains: ['name="pwd"'], connect_to: 127.0.0.1}
"""

RETURN = r"""
updates:
  description: What was updated or would be, each with C(what), C(name), C(from), C(to) and C(result).
  returned: always
  type: list
  elements: dict
  sample: [{what: plugin, name: akismet, from: "5.3", to: "5.3.1", result: updated}]
checks:
  description: One record for each update, one for the site, and one for what an earlier run has left.
  returned: always
  type: list
  elements: dict
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
"""

import time

from ansible.module_utils.basic import AnsibleModule, _load_params

from ansible_collections.sre.runbooks.plugins.module_utils import _patch, _proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.plugins.module_utils._checks import http
from ansible_collections.sre.runbooks.plugins.module_utils._door import options

SPEC = {
    "path": {"type": "path", "required": True},
    "url": {"type": "str"},
    "user": {"type": "str"},
    "executable": {"type": "path", "default": "wp"},
    "core": {"type": "str", "choices": ["none", "minor", "all"], "default": "minor"},
    "plugins": {"type": "bool", "default": True},
    "themes": {"type": "bool", "default": True},
    "keep": {"type": "list", "elements": "str", "default": []},
    "settle": {"type": "float", "default": 3.0},
    "proven": {"type": "float", "default": 8.0},
    "proofs": {"type": "path", "default": _proofs.DIRECTORY},
    "directory": {"type": "path", "default": "/var/lib/sre-runbooks/patches"},
    "timeout": {"type": "float", "default": 300.0},
}


def main() -> None:
    smoke = {"type": "dict", "required": True, **({"options": options(http)} if _load_params() else {})}
    module = AnsibleModule({**SPEC, "smoke": smoke}, supports_check_mode=True)
    try:
        result = _patch.carry_out(module.params, time.time(), check_mode=module.check_mode)
    except BadOption as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
