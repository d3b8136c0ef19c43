#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_check
short_description: Check servers of MySQL and MariaDB
version_added: 0.1.0
description:
  - Logs in once and measures whether the server answers, has connections left, replicates, whether statements run or wait
    for long, and whether tables are there, sound, keyed and of the expected size.
  - A server that cannot be reached is C(critical). A refused login, a missing privilege and facts that the server does not
    keep, such as a slow log that is off, are C(unknown), because such a server shows less, and less looks like all is well.
  - Nothing is written. The session is read-only and its statements end by themselves within O(timeout). Statements that are
    shown as evidence have lost all their values.
  - Checks that advise rather than alarm (O(slow_queries), O(unused_indexes), O(duplicate_indexes), O(full_scans)) and the
    one that reads everything (O(corruption)) have to be asked for.
author: [sre.runbooks contributors (@sre-runbooks)]
requirements:
  - python3-pymysql, and python3-cryptography for users with a password of MySQL 8 that log in without TLS and socket
extends_documentation_fragment:
  - sre.runbooks._check
notes:
  - The privileges that the user needs, and why, are listed in C(docs/grants/mysql.md). None of them lets it read the data.
options:
  targets:
    description:
      - The servers to look at. Every option of the task can be given again for one target.
      - Without it the server of the host, by its socket or at port 3306.
    type: list
    elements: dict
    suboptions:
      host:
        description: Where the server is. Neither this nor O(targets[].unix_socket) given, it is the one of the host.
        type: str
      port:
        description: The port, V(3306) by default.
        type: int
      unix_socket:
        description: The socket to connect to instead.
        type: path
      database:
        description: The database whose tables are looked at. By default all, but for the server's own.
        type: str
      matching:
        description:
          - A shell pattern. Only tables whose name matches are looked at.
          - An underscore is an underscore here, it is not the wildcard of C(LIKE).
        type: str
      tables:
        description: Tables of O(targets[].database) that have to be there, by name or shell pattern.
        type: list
        elements: str
      replica:
        description: Whether the server is meant to be a replica, so that one that has stopped being one is noticed.
        type: bool
      name:
        description: What to call the target in reports and history. By default its address and database.
        type: str
      user:
        description: &user
          - Who logs in. V(root) is refused unless O(allow_root) is set.
        type: str
      password:
        description: &password The password. A user of the system that the server knows by its socket has none.
        type: str
      option_file:
        description: &option_file
          - A file on the host with user, password, and perhaps host, port or socket in its section C(client).
          - What is given as options comes first.
        type: path
      allow_root:
        description: &allow_root Whether to look as C(root), who may do everything and for whom a connection is kept free.
        type: bool
      tls:
        description: &tls Whether to insist on TLS. A server that does not offer it is C(unknown).
        type: bool
      validate_certs:
        description: &validate_certs Whether the certificate of the server is verified, including its name.
        type: bool
      ca_path:
        description: &ca_path A file with the authorities to trust instead of those of the system.
        type: path
      client_cert:
        description: &client_cert A file with the certificate to log in with.
        type: path
      client_key:
        description: &client_key A file with the key of O(client_cert).
        type: path
      answers:
        description: &answers How long logging in and a first answer may take, in milliseconds.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      table_count:
        description: &table_count How many tables there have to be, in tables, of those that are looked at.
        type: dict
        suboptions: *levels
      connections:
        description: &connections How much of C(max_connections) may be in use, in percent.
        type: dict
        suboptions: *levels
      connections_peak:
        description: &connections_peak
          - How much of C(max_connections) may have been in use at once since the server started, in percent.
        type: dict
        suboptions: *levels
      long_queries:
        description: &long_queries How long a statement may run, in seconds. Sessions that sleep or replicate do not count.
        type: dict
        suboptions: *levels
      lock_waits:
        description: &lock_waits How long a session may wait for a lock of a row or a table, in seconds.
        type: dict
        suboptions: *levels
      replication_lag:
        description: &replication_lag How far a replica may be behind, in seconds. An intended delay does not count.
        type: dict
        suboptions: *levels
      slow_queries:
        description: &slow_queries
          - How many different statements may have been slow within O(window), in statements.
          - The same statement with other values is the same. The report lists the costliest.
          - With O(targets[].database) those that ran while it was the selected database.
        type: dict
        suboptions: *levels
      slow_time:
        description: &slow_time
          - From how many seconds on a statement is slow. By default C(long_query_time) of the server.
        type: float
      slow_source:
        description: &slow_source
          - V(digest) asks C(performance_schema). A statement is slow when it takes that long on average since the
            server started, and it counts when it ran within O(window).
          - V(log) reads the slow log, be it a table or a file. It counts what was slow within O(window).
          - V(auto) takes the first that there is. When both are off the check is C(unknown).
        type: str
        choices: [auto, digest, log]
      slow_log:
        description: &slow_log
          - The file of the slow log, where it is not where the server says, as with a server in a container.
        type: path
      window:
        description: &window How far back statements are looked at, in hours.
        type: float
      size:
        description: &size How large the tables and their indexes may be together, in MiB. Without limits it is recorded.
        type: dict
        suboptions: *levels
      fragmentation:
        description: &fragmentation
          - How much of a table's space may be free and of no use to others, in percent. The worst table is judged.
        type: dict
        suboptions: *levels
      fragmentation_size:
        description: &fragmentation_size From how many MiB on a table is looked at for O(fragmentation).
        type: float
      corruption:
        description: &corruption
          - Whether to look for damage with C(CHECK TABLE), and how thoroughly. Anything but V(never) reads the tables
            and blocks writes to tables of MyISAM and Aria meanwhile, so give it a quiet hour and a longer O(timeout).
          - V(fast) and V(changed) pass over tables of MyISAM and Aria that were closed well or have not changed.
          - What is not done after 60 percent of O(timeout) is C(unknown).
        type: str
        choices: [never, quick, fast, changed, medium, extended]
      primary_keys:
        description: &primary_keys How many tables may be without a primary key, in tables.
        type: dict
        suboptions: *levels
      unused_indexes:
        description: &unused_indexes
          - How many indexes may be unused, in indexes. It takes C(performance_schema) and a week since the server started.
        type: dict
        suboptions: *levels
      duplicate_indexes:
        description: &duplicate_indexes How many indexes may repeat another one or the beginning of it, in indexes.
        type: dict
        suboptions: *levels
      full_scans:
        description: &full_scans
          - How much of all rows may be read by scanning whole tables, in percent. It is advice, so it has no critical level.
          - With C(performance_schema) the report lists the statements.
        type: dict
        suboptions: *levels
      auto_increment:
        description: &auto_increment How much of a column of automatic numbers may be used up, in percent.
        type: dict
        suboptions: *levels
      buffer_pool:
        description: &buffer_pool How many of the pages that are asked for have to be in memory, in percent.
        type: dict
        suboptions: *levels
      ignore_tables:
        description: &ignore_tables
          - Shell patterns of tables that are not looked at, by name or as C(database.table).
        type: list
        elements: str
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  user: {description: *user, type: str}
  password: {description: *password, type: str}
  option_file: {description: *option_file, type: path}
  allow_root: {description: *allow_root, type: bool, default: false}
  tls: {description: *tls, type: bool, default: false}
  validate_certs: {description: *validate_certs, type: bool, default: true}
  ca_path: {description: *ca_path, type: path}
  client_cert: {description: *client_cert, type: path}
  client_key: {description: *client_key, type: path}
  answers:
    description: *answers
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "500"}
      critical: {description: *critical, type: str, default: "2000"}
  table_count:
    description: *table_count
    type: dict
    suboptions: *levels
  connections:
    description: *connections
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "80"}
      critical: {description: *critical, type: str, default: "90"}
  connections_peak:
    description: *connections_peak
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "90"}
      critical: {description: *critical, type: str}
  long_queries:
    description: *long_queries
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "60"}
      critical: {description: *critical, type: str, default: "600"}
  lock_waits:
    description: *lock_waits
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "10"}
      critical: {description: *critical, type: str, default: "30"}
  replication_lag:
    description: *replication_lag
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "60"}
      critical: {description: *critical, type: str, default: "600"}
  slow_queries:
    description: *slow_queries
    type: dict
    suboptions: *levels
  slow_time: {description: *slow_time, type: float}
  slow_source: {description: *slow_source, type: str, choices: [auto, digest, log], default: auto}
  slow_log: {description: *slow_log, type: path}
  window: {description: *window, type: float, default: 24.0}
  size:
    description: *size
    type: dict
    suboptions: *levels
  fragmentation:
    description: *fragmentation
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "30"}
      critical: {description: *critical, type: str}
  fragmentation_size: {description: *fragmentation_size, type: float, default: 100.0}
  corruption:
    description: *corruption
    type: str
    choices: [never, quick, fast, changed, medium, extended]
    default: never
  primary_keys:
    description: *primary_keys
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "0"}
      critical: {description: *critical, type: str}
  unused_indexes:
    description: *unused_indexes
    type: dict
    suboptions: *levels
  duplicate_indexes:
    description: *duplicate_indexes
    type: dict
    suboptions: *levels
  full_scans:
    description: *full_scans
    type: dict
    suboptions: *levels
  auto_increment:
    description: *auto_increment
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "70"}
      critical: {description: *critical, type: str, default: "90"}
  buffer_pool:
    description: *buffer_pool
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "95"}
      critical: {description: *critical, type: str}
  ignore_tables: {description: *ignore_tables, type: list, elements: str}
  timeout: {description: *timeout, type: float, default: 30.0}
"""

EXAMPLES = r"""
- name: Check the server of this host, logging in by its socket
  sre.runbooks.mysql_check:
    user: monitoring

- name: Check that the tables of the plugin are there
  sre.runbooks.mysql_check:
    option_file: /etc/mysql/monitoring.cnf
    targets:
      - database: wordpress
        matching: wp_edubot_*
        table_count: {critical: 5}
        tables: [wp_edubot_attribution_sessions, wp_edubot_conversions, wp_edubot_attributions, wp_edubot_logs]

- name: Check a managed server and its replica over TLS, from here
  delegate_to: localhost
  sre.runbooks.mysql_check:
    user: monitoring
    password: "{{ vault_mysql_monitoring }}"
    tls: true
    ca_path: /etc/ssl/rds.pem
    targets:
      - host: db.example.org
      - host: replica.example.org
        replica: true
        replication_lag: {warning: 10, critical: 60}

- name: Check what is worth a look once a week
  sre.runbooks.mysql_check:
    user: monitoring
    targets: [{database: shop}]
    window: 168
    slow_time: 0.5
    slow_queries: {warning: 10}
    full_scans: {warning: 50}
    unused_indexes: {warning: 0}
    duplicate_indexes: {warning: 0}
    ignore_tables: ["*_backup"]

- name: Check for damage at night, with an hour for it
  sre.runbooks.mysql_check:
    user: monitoring
    corruption: medium
    timeout: 3600
    budget: 3700
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
    - id: mysql.lock_waits
      target: localhost/shop
      status: warning
      summary: 2 sessions wait for a lock, the longest for 14 s
      value: 14
      unit: s
      warning: "10"
      critical: "30"
      detail:
        waits:
          - "14 s, session 812 waits for session 807, in a transaction for 95 s: update orders set state = ? where id = ?"
      seconds: 0.021
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import mysql
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(mysql)


if __name__ == "__main__":
    main()
