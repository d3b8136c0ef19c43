#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wordpress_check
short_description: Check that WordPress sites are up to date, untouched and on time
version_added: 0.1.0
description:
  - Asks WordPress itself, through WP-CLI and as the user of the site, for versions and updates, scheduled events, active
    plugins, administrators, debugging and maintenance. All of that takes one start of WP-CLI and changes nothing.
  - What WordPress knows of updates is believed only when wordpress.org can be reached now. WordPress notes the time of a
    look for updates before it looks, and several commands of WP-CLI say "no updates" when nobody answered.
  - Whether the installed version is secure, and which releases are newer, comes from wordpress.org's own list of releases.
  - When WordPress does not load, because its database is down or a plugin breaks it, everything is C(unknown) for this reason.
    That the site answers its visitors is for M(sre.runbooks.http_check).
requirements:
  - WP-CLI 2 or later on the host
  - C(setpriv) of util-linux, to become the user of the site
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The sites. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The directory of WordPress, with C(wp-load.php) in it.
        type: path
        required: true
      url:
        description: The address of the site, which tells the sites of a network apart.
        type: str
      name:
        description: What to call the target in reports and history. By default the URL, or the path.
        type: str
      user:
        description: &user >-
          Who runs WP-CLI, and with it the code of the site. By default the owner of the path. Root only
          when V(root) is written here. Becoming somebody else takes root.
        type: str
      executable:
        description: &executable The C(wp) command.
        type: path
      core_version:
        description: &core_version >-
          The version of WordPress that should run, for instance after patching. Not judged when not given.
        type: str
      core_update:
        description: &core_update >-
          How many newer releases of WordPress there may be, a number of releases. The newest of the same
          branch and the newest of all count.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      plugin_updates:
        description: &plugin_updates How many plugins may have an update, a number of updates.
        type: dict
        suboptions: *levels
      theme_updates:
        description: &theme_updates How many themes may have an update, a number of updates.
        type: dict
        suboptions: *levels
      looked_within:
        description: &looked_within >-
          How many hours ago WordPress may have looked for updates of plugins and themes for its knowledge
          to be believed.
        type: float
      checksums:
        description: &checksums >-
          Whether to compare files with those that wordpress.org has published. Takes two more starts of WP-
          CLI and the network.
        type: bool
      core_checksums:
        description: &core_checksums >-
          How many files of WordPress may deviate, be missing or be too many, a number of files.
        type: dict
        suboptions: *levels
      plugin_checksums:
        description: &plugin_checksums How many files of plugins may deviate or be too many, a number of files.
        type: dict
        suboptions: *levels
      own_plugins:
        description: &own_plugins >-
          Plugins that wordpress.org does not publish and that cannot be verified there. Any other one that
          was not verified is C(unknown).
        type: list
        elements: str
      cron_overdue:
        description: &cron_overdue How long a scheduled event may be overdue, in minutes.
        type: dict
        suboptions: *levels
      cron_hooks:
        description: &cron_hooks Events that have to be scheduled.
        type: list
        elements: str
      cron_duplicates:
        description: &cron_duplicates >-
          How many recurring events may be scheduled once more than needed, a number of events. The same
          hook with other arguments is another event.
        type: dict
        suboptions: *levels
      plugins_active:
        description: &plugins_active >-
          The plugins that should be active, and no others. One that is not is critical, one too many a
          warning. Not judged when not given.
        type: list
        elements: str
      admins:
        description: &admins >-
          The login names that should have the rights of an administrator, and no others. One too many is
          critical, one missing a warning. Not judged when not given.
        type: list
        elements: str
      maintenance:
        description: &maintenance How long the site may be in maintenance, in minutes.
        type: dict
        suboptions: *levels
      doctor:
        description: &doctor Whether to run all checks of wp doctor, and adopt their verdicts. It has to be installed.
        type: bool
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  user:
    description: *user
    type: str
  executable:
    description: *executable
    type: path
    default: wp
  core_version:
    description: *core_version
    type: str
  core_update:
    description: *core_update
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  plugin_updates:
    description: *plugin_updates
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  theme_updates:
    description: *theme_updates
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  looked_within:
    description: *looked_within
    type: float
    default: 26.0
  checksums:
    description: *checksums
    type: bool
    default: false
  core_checksums:
    description: *core_checksums
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  plugin_checksums:
    description: *plugin_checksums
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  own_plugins:
    description: *own_plugins
    type: list
    elements: str
    default: []
  cron_overdue:
    description: *cron_overdue
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "15"}
      critical: {description: *critical, type: str, default: "60"}
  cron_hooks:
    description: *cron_hooks
    type: list
    elements: str
    default: [wp_version_check, wp_update_plugins, wp_update_themes]
  cron_duplicates:
    description: *cron_duplicates
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str, default: "10"}
  plugins_active:
    description: *plugins_active
    type: list
    elements: str
  admins:
    description: *admins
    type: list
    elements: str
  maintenance:
    description: *maintenance
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str, default: "30"}
  doctor:
    description: *doctor
    type: bool
    default: false
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Look at a site
  sre.runbooks.wordpress_check:
    targets: [{path: /var/www/html}]

- name: Look at a site that www-data runs, with what it should be
  sre.runbooks.wordpress_check:
    targets: [{name: shop, path: /var/www/shop}]
    user: www-data
    plugins_active: [akismet, woocommerce, shop-pro]
    admins: [anna, bela]
    cron_hooks: [wp_version_check, shop_daily_report]
    cron_overdue: {warning: 10, critical: 30}

- name: Compare the files of all sites of a host with what was published, once a week
  sre.runbooks.wordpress_check:
    targets:
      - {path: /var/www/shop, user: shop, own_plugins: [shop-pro]}
      - {path: /var/www/blog, user: blog}
    checksums: true
    timeout: 300
    budget: 600

- name: Look at two sites of a network, and be content with a pending update
  sre.runbooks.wordpress_check:
    targets:
      - {path: /var/www/network, url: https://a.example.org}
      - {path: /var/www/network, url: https://b.example.org}
    user: www-data
    plugin_updates: {warning: 5, critical: 20}
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
    - id: wordpress.plugin_updates
      target: shop
      status: warning
      summary: 2 of 11 plugins have an update
      value: 2
      unit: updates
      warning: "0"
      critical: null
      detail: {pending: {akismet/akismet.php: 5.3 → 5.5}, nobody_looks_for: [shop-pro/shop-pro.php]}
      seconds: 0.84
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import wordpress
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(wordpress)


if __name__ == "__main__":
    main()
