#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wordpress_value_check
short_description: Check numbers that the code of a WordPress site computes
version_added: 0.1.0
description:
  - Evaluates a PHP expression inside WordPress, with all plugins loaded, and judges the number that comes out. For business
    figures and whatever else only the site can tell.
  - Null, an empty text, true or false, a list, a key that is missing and code that breaks are C(unknown), never 0.
  - The expression is code, and runs with the rights of the site. Take it from nobody whom you would not let deploy.
requirements:
  - WP-CLI 2 or later on the host
  - C(setpriv) of util-linux, to become the user of the site
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The numbers. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      expression:
        description: >-
          The PHP expression, without a semicolon. Only a number, or an array or object with numbers, can be
          judged.
        type: str
        required: true
      key:
        description: Where the number is in an array or object, with dots between the steps, like V(week.0.leads).
        type: str
      unit:
        description: The unit of the number, for reports.
        type: str
        default: ""
      name:
        description: What to call the target in reports and history. By default the expression and the key.
        type: str
      path:
        description: &path The directory of WordPress. Has to be given for the task or for the target.
        type: path
      url:
        description: &url The address of the site, which tells the sites of a network apart.
        type: str
      user:
        description: &user >-
          Who runs WP-CLI, and with it the code of the site. By default the owner of the path. Root only
          when V(root) is written here. Becoming somebody else takes root.
        type: str
      executable:
        description: &executable The C(wp) command.
        type: path
      number:
        description: &number >-
          Which numbers are fine. A lone limit is the greatest; write V(10..) for the least. Without limits
          the number is recorded, for reports and trends.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  path:
    description: *path
    type: path
  url:
    description: *url
    type: str
  user:
    description: *user
    type: str
  executable:
    description: *executable
    type: path
    default: wp
  number:
    description: *number
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str}
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Count the published posts
  sre.runbooks.wordpress_value_check:
    path: /var/www/html
    targets: [{name: posts, expression: wp_count_posts()->publish}]

- name: Record the key figures of the day, and know when there are hardly any leads
  sre.runbooks.wordpress_value_check:
    path: /var/www/shop
    user: www-data
    targets:
      - name: leads today
        expression: Shop_Dashboard::get_kpis('day')
        key: leads
        unit: leads
        number: {warning: 10.., critical: 1..}
      - name: conversion rate of the week
        expression: Shop_Dashboard::get_kpis('week')
        key: conversion.rate
        unit: "%"

- name: Know when mails pile up
  sre.runbooks.wordpress_value_check:
    path: /var/www/shop
    targets:
      - name: mails waiting
        expression: $GLOBALS['wpdb']->get_var("select count(*) from {$GLOBALS['wpdb']->prefix}mail_queue where sent is null")
        unit: mails
        number: {warning: 50, critical: 500}
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
    - id: wordpress_value.number
      target: leads today
      status: warning
      summary: the site computes 4 leads
      value: 4
      unit: leads
      warning: 10..
      critical: 1..
      detail: {}
      seconds: 0.71
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import wordpress_value
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(wordpress_value)


if __name__ == "__main__":
    main()
