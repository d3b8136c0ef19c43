#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_maintenance
short_description: Check, analyze and rebuild tables of MySQL and MariaDB, and delete their oldest rows
version_added: 0.1.0
description:
  - One action on the tables of one database. It looks first and does only what is worth doing, so that a second run changes
    nothing.
  - V(check) fails when a table is damaged. So does V(optimize), before it rebuilds anything.
  - V(purge) deletes rows that are older than a number of days. Without O(token) it only looks, and returns what it would
    delete and the token of that. With the token of this very plan it deletes, in batches along the primary key.
  - Only one maintenance of a database is at work at a time. One that is killed leaves nothing switched on.
author: [sre.runbooks contributors (@sre-runbooks)]
requirements:
  - python3-pymysql on the host
options:
  action:
    description: What to do.
    type: str
    required: true
    choices: [check, analyze, optimize, purge]
  database:
    description: The database. The server's own are refused.
    type: str
    required: true
  tables:
    description:
      - The tables, by name or shell pattern. A name or a pattern that no table has is refused.
      - V(purge) takes the name of one.
    type: list
    elements: str
    default: ["*"]
  protect:
    description: Shell patterns of tables that must not be touched. When O(tables) means one of them, nothing is done.
    type: list
    elements: str
    default: []
  thoroughness:
    description: How V(check), and V(optimize) before it begins, look for damage.
    type: str
    choices: [quick, fast, changed, medium, extended]
    default: medium
  analyzed_within:
    description: V(analyze) leaves tables alone whose statistics are younger than this, in days.
    type: float
    default: 7.0
  reclaimable:
    description: V(optimize) rebuilds tables of which at least this much is free, in percent.
    type: float
    default: 30.0
  min_size:
    description: V(optimize) leaves smaller tables alone, in MiB.
    type: float
    default: 100.0
  room:
    description: How many times the size of a table has to be free at the data directory before it is rebuilt.
    type: float
    default: 1.5
  column:
    description: The column with the time of a row, for V(purge).
    type: str
  older_than:
    description:
      - V(purge) deletes rows that are older than this, in days, counted from the last midnight of the server.
      - A plan therefore holds for the rest of the day.
    type: float
  most:
    description: How many rows V(purge) deletes at most in one run. They are the first by their key.
    type: int
    default: 1000000
  batch:
    description: How many rows are deleted at a time. Each batch is a transaction.
    type: int
    default: 1000
  pause:
    description: How long to wait after each batch, in seconds, so that others and the replicas get their turn.
    type: float
    default: 0.1
  token:
    description: The token of the preview. It is no secret, it says that somebody has seen this very plan.
    type: str
  backup:
    description: Pattern of backup files on the host. V(purge) deletes only when the newest of them is recent.
    type: path
  backup_within:
    description: How old the newest backup may be, in hours.
    type: float
    default: 26.0
  without_backup:
    description: Whether V(purge) may go without a backup.
    type: bool
    default: false
  host:
    description: Where the server is. Neither this nor O(unix_socket) given, it is the one of the host.
    type: str
  port:
    description: The port, V(3306) by default.
    type: int
  unix_socket:
    description: The socket to connect to instead.
    type: path
  user:
    description: Who logs in. It takes more privileges than looking, see C(docs/grants/mysql.md).
    type: str
  password:
    description: The password.
    type: str
  option_file:
    description: A file on the host with user, password, and perhaps host, port or socket in its section C(client).
    type: path
  allow_root:
    description: Whether to log in as C(root), who may do everything.
    type: bool
    default: false
  tls:
    description: Whether to insist on TLS.
    type: bool
    default: false
  validate_certs:
    description: Whether the certificate of the server is verified, including its name.
    type: bool
    default: true
  ca_path:
    description: A file with the authorities to trust instead of those of the system.
    type: path
  client_cert:
    description: A file with the certificate to log in with.
    type: path
  client_key:
    description: A file with the key of O(client_cert).
    type: path
  timeout:
    description: How long one statement may take, in seconds. Waiting for others to let go of a table takes at most half of it.
    type: float
    default: 3600.0
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: none
notes:
  - C(OPTIMIZE) blocks a table for a moment at its beginning and its end, and makes replicas lag.
"""

EXAMPLES = r"""
- name: Check all tables for damage
  sre.runbooks.mysql_maintenance:
    action: check
    database: wordpress
    option_file: /root/.maintenance.cnf

- name: Renew the statistics of the tables of a plugin
  sre.runbooks.mysql_maintenance:
    action: analyze
    database: wordpress
    tables: [wp_edubot_*]
    option_file: /root/.maintenance.cnf

- name: Rebuild tables that consist of holes
  sre.runbooks.mysql_maintenance:
    action: optimize
    database: wordpress
    reclaimable: 40
    min_size: 500
    option_file: /root/.maintenance.cnf

- name: See which log rows are older than 90 days
  sre.runbooks.mysql_maintenance: &old_rows
    action: purge
    database: wordpress
    tables: [wp_edubot_logs]
    column: created_at
    older_than: 90
    backup: /var/backups/mysql/*.sql.gz
    option_file: /root/.maintenance.cnf
  register: old

- name: Delete them, once somebody has looked at the preview and given its token
  sre.runbooks.mysql_maintenance:
    <<: *old_rows
    token: "{{ purge_token }}"
"""

RETURN = r"""
tables:
  description: What was found and done, for each table. Not for V(purge).
  returned: success
  type: list
  elements: dict
  sample: [{table: wp_edubot_logs, changed: true, before_mib: 812.5, free_mib: 400.0, after_mib: 415.2, said: OK}]
preview:
  description: What V(purge) deletes, or would delete.
  returned: O(action=purge)
  type: dict
  sample:
    table: wordpress.wp_edubot_logs
    rows: 48211
    before: "2025-08-07"
    oldest: "2025-01-02 03:04:05"
    newest: "2025-08-06 23:59:58"
    first_key: "17"
    last_key: "96120"
    checksum: 2843517311
token:
  description: The token of the preview.
  returned: O(action=purge)
  type: str
  sample: 9f2c54d1a0b37e66
rows:
  description: How many rows the preview holds.
  returned: O(action=purge)
  type: int
deleted:
  description: How many rows were deleted.
  returned: O(action=purge)
  type: int
remaining:
  description: How many rows that are as old are left.
  returned: O(action=purge)
  type: int
before_mib:
  description: The size of the table before, in MiB, as the server estimates it.
  returned: O(action=purge)
  type: float
checks:
  description: What the action says in the report of the run. A failed task has it too.
  returned: always
  type: list
  elements: dict
after_mib:
  description: The size of the table afterwards, in MiB. It hardly changes before the table is rebuilt.
  returned: when rows were deleted
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._guard import Refused
from ansible_collections.sre.runbooks.plugins.module_utils._mysql_maintenance import (
    OPTIONS,
    RULES,
    Damaged,
    perform,
    told,
)


def main() -> None:
    module = AnsibleModule(OPTIONS, supports_check_mode=True, **RULES)
    try:
        module.exit_json(**perform(module.params, check_mode=module.check_mode))
    except BadOption as exc:
        module.fail_json(msg=str(exc))
    except (Refused, Unmeasurable) as exc:
        damaged = module.params["action"] == "check" and isinstance(exc, Damaged)
        status = "critical" if damaged else "unknown"
        module.fail_json(msg=str(exc), checks=[told(module.params, status, str(exc))])


if __name__ == "__main__":
    main()
