#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: login_check
short_description: Check who tried to log in, and who got in after many tries
version_added: 0.1.0
description:
  - Reads what sshd, PAM, sudo and su have written, over a stated window of time, by source and by user; and the logins
    to WordPress in the access log of its web server.
  - Without O(targets[].path) the journal is read where it goes back to the beginning of the window, else
    C(/var/log/auth.log) or C(/var/log/secure) if something is still being written to it. Rotated and compressed files
    are read with the log, in RFC 3164 and in ISO time stamps.
  - A log that is missing, empty, unreadable, or to which nobody has written for longer than the window is C(unknown).
  - A user of the host can write to its logs what they like. A log that is sent away at once is better evidence.
  - Names of users that do not exist are shown only when they were tried at least three times, because people type
    passwords there.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description:
      - The logs to read. Not given, the one that the host keeps. Every option of the task can be given again for one
        target.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - A file in the format of syslog, or a pattern of file names. Not given, the journal or the file that the host
            keeps.
        type: path
      access_log:
        description:
          - The access log of the web server in front of WordPress, which adds C(login.wordpress). A login form that is
            answered with 200 was refused, one with 302 let somebody in.
        type: path
      name:
        description: What to call the target in reports and history. By default its O(targets[].path), or V(logins).
        type: str
      window:
        description: &window How far back to look, as V(90m), V(12h) or V(7d).
        type: str
      timezone:
        description: &timezone
          - The time zone of time stamps that have none, as V(Europe/Berlin) or V(+01:00). By default that of the host.
        type: str
      failures:
        description: &failures How many logins may fail, a number of logins.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      source:
        description: &source How many logins may fail from one source, a number of logins.
        type: dict
        suboptions: *levels
      success_after_failures:
        description: &success_after_failures
          - How many logins may have failed from a source before one succeeds from there with a password, a number of
            logins. Logins with a key neither count nor end a row of failures.
        type: dict
        suboptions: *levels
      sudo_failures:
        description: &sudo_failures
          - How many refusals by sudo and su are fine, wrong passwords and forbidden commands together, a number of
            refusals.
        type: dict
        suboptions: *levels
      wordpress:
        description: &wordpress How many logins to WordPress may fail, a number of logins.
        type: dict
        suboptions: *levels
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  window:
    description: *window
    type: str
    default: "24h"
  timezone:
    description: *timezone
    type: str
  failures:
    description: *failures
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "200"}
      critical: {description: *critical, type: str}
  source:
    description: *source
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "50"}
      critical: {description: *critical, type: str, default: "500"}
  success_after_failures:
    description: *success_after_failures
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "2"}
      critical: {description: *critical, type: str, default: "4"}
  sudo_failures:
    description: *sudo_failures
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "3"}
      critical: {description: *critical, type: str, default: "10"}
  wordpress:
    description: *wordpress
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "50"}
      critical: {description: *critical, type: str, default: "500"}
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check the logins of the last day
  sre.runbooks.login_check:

- name: Check the logins of the last week, those to WordPress as well
  sre.runbooks.login_check:
    targets: [{access_log: /var/log/nginx/shop.access.log}]
    window: 7d
    failures: {warning: 2000}
    source: {warning: 200, critical: 2000}

- name: Check what a log host keeps of two others
  sre.runbooks.login_check:
    targets:
      - {path: /srv/logs/web1/auth.log, name: web1}
      - {path: /srv/logs/db1/auth.log, name: db1, failures: {warning: 0}}
    timezone: Europe/Berlin
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
    - id: login.success_after_failures
      target: logins
      status: critical
      summary: jo logged in from 203.0.113.5 after 41 logins from there had not succeeded
      value: 41
      unit: logins
      warning: "2"
      critical: "4"
      detail: {logins: [{source: 203.0.113.5, user: jo, failures: 41, at: 2026-11-20 23:11:04 UTC}]}
      seconds: 0.3
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import login as kind
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
