#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wp_cli
short_description: Run a command of WP-CLI
version_added: 0.1.0
description:
  - Runs any command of WP-CLI for a site, as the user whom the site belongs to, and never as root unless that is asked for.
  - What a command changes cannot be told from outside. Say that it only reads with O(reads), name a command that tells
    that nothing is to be done with O(unless), or one whose answer shows what has changed with O(watch). Otherwise the
    task says that it has changed something whenever it has run.
  - The exit code of WP-CLI is no proof. An update without a network may change files and end with 1, and C(core check-update)
    prints nothing and ends with 0 when nobody answers. To judge a site, use M(sre.runbooks.wordpress_check).
requirements:
  - WP-CLI 2 or later on the host
  - C(setpriv) of util-linux, to become the user of the site
author: [sre.runbooks contributors (@sre-runbooks)]
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: partial
    details:
      - A command that only reads is run. Of any other, only O(unless) is run, and the task says what it would run.
      - What O(watch) would show cannot be foretold, so that such a task says that it would change something.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: partial
    details: What O(watch) answers before and after.
options:
  command:
    description: The command and its arguments, one to an element. Never a secret, every user of the host sees them.
    type: list
    elements: str
    required: true
  path:
    description: The directory of WordPress.
    type: path
    required: true
  url:
    description: The address of the site, which tells the sites of a network apart.
    type: str
  user:
    description:
      - Who runs WP-CLI, and with it the code of the site. By default the owner of O(path).
      - Root only when V(root) is written here. Becoming somebody else takes root.
    type: str
  executable:
    description: The C(wp) command.
    type: path
    default: wp
  reads:
    description: The command only reads. It is run in check mode as well, and changes nothing.
    type: bool
    default: false
  unless:
    description:
      - A command that ends with exit code 0 when there is nothing to do. It only reads, and is run in check mode as well.
      - When it ends with another one and complains, the task fails, because nobody knows whether there is anything to do.
    type: list
    elements: str
  watch:
    description: A command that only reads. The task has changed something when its answer differs before and after.
    type: list
    elements: str
  parse:
    description: Read what is printed as JSON, into RV(json). Warnings of PHP around it do no harm; no JSON fails the task.
    type: bool
    default: false
  accept:
    description: Exit codes that do not fail the task.
    type: list
    elements: int
    default: [0]
  stdin:
    description: What to hand to the command on its standard input, a secret for instance.
    type: str
  timeout:
    description: How long each command may take, in seconds.
    type: float
    default: 300.0
"""

EXAMPLES = r"""
- name: Flush the object cache
  sre.runbooks.wp_cli:
    path: /var/www/html
    command: [cache, flush]

- name: Activate a plugin, if it is not active
  sre.runbooks.wp_cli:
    path: /var/www/shop
    user: www-data
    command: [plugin, activate, shop-pro]
    unless: [plugin, is-active, shop-pro]

- name: Bring the database to the version of the files, and see whether that was needed
  sre.runbooks.wp_cli:
    path: /var/www/shop
    command: [core, update-db]
    watch: [option, get, db_version]

- name: Read the plugins
  sre.runbooks.wp_cli:
    path: /var/www/shop
    command: [plugin, list, --skip-update-check, --format=json]
    reads: true
    parse: true
  register: shop_plugins

- name: Set a password without showing it to anybody
  sre.runbooks.wp_cli:
    path: /var/www/shop
    command: [user, update, anna, --prompt=user_pass]
    stdin: "{{ shop_password_of_anna }}\n"
"""

RETURN = r"""
msg:
  description: What was done, or would be done.
  returned: always
  type: str
  sample: ran cache flush
rc:
  description: The exit code.
  returned: when the command has run
  type: int
  sample: 0
stdout:
  description: What the command printed.
  returned: when the command has run
  type: str
  sample: "Success: The cache was flushed.\n"
stderr:
  description: What the command complained about.
  returned: when the command has run
  type: str
  sample: ""
json:
  description: The list or object that the command printed, null without O(parse).
  returned: when the command has run
  type: raw
  sample: [{name: akismet, status: active}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sre.runbooks.plugins.module_utils import _tool
from ansible_collections.sre.runbooks.plugins.module_utils._probe import wp_cli

SITE = {
    "path": {"type": "path", "required": True},
    "url": {"type": "str"},
    "user": {"type": "str"},
    "executable": {"type": "path", "default": "wp"},
}


def main() -> None:
    module = AnsibleModule({**_tool.OPTIONS, **SITE}, mutually_exclusive=_tool.EXCLUSIVE, supports_check_mode=True)
    site = wp_cli.Site(**{option: module.params[option] for option in SITE})
    _tool.carry_out(
        module,
        lambda arguments, stdin: wp_cli.wp(site, arguments, module.params["timeout"], stdin=stdin),
        wp_cli.complaint,
        wp_cli.document,
    )


if __name__ == "__main__":
    main()
