#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: phpfpm_check
short_description: Check pools of php-fpm
version_added: 0.1.0
description:
  - Asks a pool itself, at its socket and in FastCGI, without a web server. So it tells a pool whose workers all hang, which its
    service manager calls running, from one that is fine.
  - Paths of the ping and status pages, the most workers and whether slow requests are counted are read from the settings of
    the pool on the host.
  - Counters are judged since the last check, or since php-fpm was started. Where that stands is kept in a small file.
  - How many requests wait is asked of the kernel, because php-fpm does not count it for unix sockets.
requirements:
  - C(ss) of iproute2, for the queue
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description:
      - The pools. Every option of the task can be given again for one target.
      - Without an address, every pool that is configured on the host.
    type: list
    elements: dict
    suboptions:
      address:
        description: Where the pool listens, the path of a socket or C(host:port).
        type: str
      name:
        description: What to call the target in reports and history. By default the address.
        type: str
      answer_within:
        description: &answer_within >-
          How long a pool may take to answer its ping, and each of its pages, in seconds. A ping that is not
          answered is critical.
        type: float
      ping_path:
        description: &ping_path >-
          The ping page. By default what the settings of the pool say, or V(/ping). Any answer shows a free worker.
        type: str
      status_path:
        description: &status_path The status page. By default what the settings of the pool say, or V(/status).
        type: str
      status_address:
        description: &status_address Where the status page is answered when it has an address of its own, C(pm.status_listen).
        type: str
      opcache_script:
        description: &opcache_script >-
          A script on the host, readable by the pool, that prints C(json_encode(opcache_get_status(false))). Not
          judged when not given, because the cache of the command line is another one.
        type: path
      listen_queue:
        description: &listen_queue How many requests may wait for a worker, a number of requests.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      workers:
        description: &workers How many of the most workers may be busy, in percent.
        type: dict
        suboptions: *levels
      max_children:
        description: &max_children How many times the pool may have run out of workers since the last check, a number of times.
        type: dict
        suboptions: *levels
      slow_requests:
        description: &slow_requests >-
          How many requests may have been slow since the last check, a number of requests. Slow is what takes longer
          than C(request_slowlog_timeout) of the pool.
        type: dict
        suboptions: *levels
      opcache:
        description: &opcache >-
          How many lookups should hit the opcode cache, in percent, without the first one of each script. Not judged below a thousand.
        type: dict
        suboptions: *levels
      state_directory:
        description: &state_directory >-
          Where to remember counters. By default V(/var/lib/sre-runbooks) for root, and the state directory of other
          users.
        type: path
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  answer_within:
    description: *answer_within
    type: float
    default: 5.0
  ping_path:
    description: *ping_path
    type: str
  status_path:
    description: *status_path
    type: str
  status_address:
    description: *status_address
    type: str
  opcache_script:
    description: *opcache_script
    type: path
  listen_queue:
    description: *listen_queue
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "5"}
      critical: {description: *critical, type: str, default: "50"}
  workers:
    description: *workers
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "80"}
      critical: {description: *critical, type: str, default: "95"}
  max_children:
    description: *max_children
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  slow_requests:
    description: *slow_requests
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  opcache:
    description: *opcache
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "90"}
      critical: {description: *critical, type: str, default: "70"}
  state_directory:
    description: *state_directory
    type: path
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Look at every pool of the host
  sre.runbooks.phpfpm_check:

- name: Look at one pool, where requests of a second are slow and none may wait
  sre.runbooks.phpfpm_check:
    targets: [{name: shop, address: /run/php/php8.2-fpm-shop.sock}]
    listen_queue: {warning: 0, critical: 10}
    slow_requests: {warning: 5, critical: 100}

- name: Look at the opcode cache as well, through a script outside of every web root
  sre.runbooks.phpfpm_check:
    targets: [{address: /run/php/php8.2-fpm.sock}]
    opcache_script: /usr/local/share/sre-runbooks/opcache.php
    opcache: {warning: 98, critical: 90}

- name: Look at pools in containers, that answer their status page at a port of its own
  sre.runbooks.phpfpm_check:
    targets:
      - {name: shop, address: "127.0.0.1:9000", status_address: "127.0.0.1:9010"}
      - {name: api, address: "127.0.0.1:9001", status_address: "127.0.0.1:9011"}
    answer_within: 2
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
    - id: phpfpm.ping
      target: /run/php/php8.2-fpm.sock
      status: critical
      summary: no answer within 5 s
      value: 0
      unit: ""
      warning: null
      critical: null
      detail: {}
      seconds: 5.002
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import phpfpm
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(phpfpm)


if __name__ == "__main__":
    main()
