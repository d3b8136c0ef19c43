#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_check
short_description: Check that services run, come back after a boot, do not keep restarting, and answer
version_added: 0.1.0
description:
  - Asks systemd about units, and the port or socket of a service for a connection. It changes nothing.
  - A unit that does not exist is C(critical), because its promise is broken. A host without systemd is C(unknown).
  - Several units may stand behind one target, by alias or glob. All of them that are running, enabled or broken have to be
    well. One that is stopped and disabled while another runs is taken for a version left behind.
  - A C(oneshot) service is well when its last run ended well. A service started by a socket is well while the socket
    listens. A timer is well when it is active and the last run of what it starts ended well.
  - Debian's C(postgresql.service) is active whether or not a server runs. Name C(postgresql@*) instead.
  - Restarts are those by systemd itself, counted in O(window). A service that has been active for longer than that had
    none; for a younger one the journal is read, which takes root or the group C(systemd-journal). Where the journal begins
    later than both the window and the boot, what it and systemd's own counter know can still be too much, but not well.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The services to look at. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      unit:
        description:
          - The name of a unit, without V(.service) if you like.
          - Also several names with V(|) between them, of which the host has one, and globs.
        type: str
        required: true
      port:
        description: A TCP port that must take connections, on O(targets[].address).
        type: int
      address:
        description: Where the port is.
        type: str
        default: localhost
      socket:
        description: A Unix socket that must take connections, or a glob; then each of the sockets found must.
        type: path
      name:
        description: What to call the target in reports and history. By default its O(targets[].unit) as written.
        type: str
      enabled:
        description: &enabled Whether the service has to come back after a boot.
        type: bool
      restarts:
        description: &restarts How many restarts by systemd itself may lie in the O(window), counted in restarts.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      window:
        description: &window How far back restarts count, in hours.
        type: float
      patience:
        description: &patience How long a port or socket may take to answer, in seconds.
        type: float
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  enabled:
    description: *enabled
    type: bool
    default: true
  restarts:
    description: *restarts
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str, default: "5"}
  window:
    description: *window
    type: float
    default: 24.0
  patience:
    description: *patience
    type: float
    default: 5.0
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check that nginx runs
  sre.runbooks.service_check:
    targets: [{unit: nginx}]

- name: Check the services of a web server, whatever the distribution calls them
  sre.runbooks.service_check:
    targets:
      - {unit: nginx, port: 443}
      - {unit: mysql|mariadb|mysqld, socket: /run/mysqld/mysqld.sock}
      - {unit: php*-fpm, socket: /run/php/php*-fpm.sock}
      - {unit: postgresql@*, port: 5432}

- name: Check nightly jobs, and a service that is started by hand
  sre.runbooks.service_check:
    targets:
      - {unit: backup.timer}
      - {unit: importer, enabled: false, restarts: {warning: 3, critical: 10}}
    window: 12
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
    - id: service.active
      target: php*-fpm
      status: critical
      summary: php8.2-fpm.service ended with oom-kill, exit status 9
      value: 0
      unit: ""
      warning:
      critical:
      detail:
        units: {php8.2-fpm.service: failed (failed)}
      seconds: 0.018
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import service
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(service)


if __name__ == "__main__":
    main()
