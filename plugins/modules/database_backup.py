#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_backup
short_description: Take a consistent, packed and encrypted backup of a database, with a manifest
version_added: 0.1.0
description:
  - Dumps one database of MariaDB, MySQL or PostgreSQL, compresses and encrypts it as a stream, and writes it to disk with a
    manifest beside it. Nothing plain touches the disk. The manifest holds tables, columns, row counts, sampled checksums of
    rows, and the checksum of the backup. M(sre.runbooks.restore_proof) and M(sre.runbooks.backup_check) compare with it.
  - What goes wrong at any stage, leaves no file under the final name and nothing half-written. What a run that was killed
    has left is removed by the next. Files can be read by their owner only.
  - The dump is of one moment, by C(--single-transaction) or a snapshot of PostgreSQL. Of PostgreSQL, the manifest is of the
    very same moment. Of MariaDB and MySQL it is taken just before, so it differs by what was written meanwhile. A dump of
    MariaDB or MySQL also has to end with the line that says that it is complete.
  - Old backups are removed by O(keep_days), here and at the other place. Only what has the name of a backup of this module
    is ever removed. The newest O(keep_at_least) are kept, and so is the last one that was proven by a restore, however old.
  - Takes a new backup with every call, so it always changes something. In check mode the server is asked and it is told
    what would be written and removed, nothing is written.
author: [sre.runbooks contributors (@sre-runbooks)]
requirements:
  - mariadb-dump or mysqldump, or pg_dump and psql, of the version of the server
  - zstd, gzip or xz, and age, gpg or openssl, on the host, whichever is used
  - python3-boto3 on the host, for S3
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)) in diff mode.
    support: none
options:
  engine:
    description: What the server is. V(mysql) is MariaDB as well.
    type: str
    choices: [mysql, postgresql]
    required: true
  host:
    description: The host of the server. By default the one that the clients take.
    type: str
  port:
    description: The port of the server.
    type: int
  socket:
    description: The socket of the server, for PostgreSQL the directory that it lies in.
    type: path
  user:
    description:
      - Who logs in. Reading is enough, which is C(SELECT), C(SHOW VIEW), C(TRIGGER), C(EVENT) and C(LOCK TABLES), or
        the role C(pg_read_all_data).
    type: str
  password:
    description: The password. It reaches the clients by a file without a name, or by the environment. None of it is left on disk.
    type: str
  database:
    description: The database.
    type: str
    required: true
  directory:
    description: Where backups lie. Made if it is missing, then closed to others.
    type: path
    required: true
  name:
    description: How the names of backups begin. By default the name of the database.
    type: str
  compression:
    description: How the dump is compressed.
    type: str
    choices: [zstd, gzip, xz, none]
    default: zstd
  age_recipients:
    description: The public keys for which the backup is encrypted by age.
    type: list
    elements: str
  gpg_recipient_file:
    description: The path of a file with the public key for which the backup is encrypted by gpg. No key ring is needed.
    type: path
  passphrase:
    description: The passphrase with which the backup is encrypted by openssl (AES-256-CBC, PBKDF2).
    type: str
  openssl_iterations:
    description: The iterations of PBKDF2, which whoever decrypts has to know.
    type: int
    default: 600000
  offsite:
    description: Where a copy is uploaded to, as V(s3://bucket/folder/). The checksum goes into the metadata C(sha256).
    type: str
  s3:
    description: How S3 is reached. What is not given is taken from where boto3 takes it.
    type: dict
    suboptions:
      endpoint: {description: The URL of something other than AWS that speaks its protocol., type: str}
      region: {description: The region., type: str}
      profile: {description: The profile in the configuration files of AWS., type: str}
      ca_bundle: {description: The path of certificates to verify the server with., type: path}
      access_key: {description: The access key., type: str}
      secret_key: {description: The secret key., type: str}
  keep_days:
    description: How many days backups are kept in O(directory). By default for ever.
    type: float
  keep_days_offsite:
    description: How many days backups are kept at O(offsite). By default for ever, or as long as a lifecycle rule says.
    type: float
  keep_at_least:
    description: How many of the newest are kept whatever their age.
    type: int
    default: 3
  proofs:
    description: Where M(sre.runbooks.restore_proof) notes on this host what it has proven.
    type: path
    default: /var/lib/sre-runbooks/proofs
  heartbeat:
    description: A file that is written after each good backup, for M(sre.runbooks.file_check) to watch.
    type: path
  heartbeat_url:
    description: A URL that is fetched after each good backup, of a service that misses it when it does not come.
    type: str
  timeout:
    description: How long all of it may take, in seconds.
    type: float
    default: 14400.0
"""

EXAMPLES = r"""
- name: Take a backup of the shop
  sre.runbooks.database_backup:
    engine: mysql
    user: backup
    password: "{{ backup_password }}"
    database: shop
    directory: /var/backups/shop

- name: Take an encrypted backup, copy it to another provider, keep a month here and a quarter there
  sre.runbooks.database_backup:
    engine: postgresql
    socket: /run/postgresql
    user: backup
    database: media
    directory: /var/backups/media
    age_recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    offsite: s3://example-backups/media/
    s3: {endpoint: "https://s3.example.net", profile: backups}
    keep_days: 30
    keep_days_offsite: 90
    heartbeat: /var/lib/sre-runbooks/media-backup.json
"""

RETURN = r"""
backup:
  description: The new backup. In check mode only C(path) and C(offsite).
  returned: success
  type: dict
  sample:
    path: /var/backups/shop/shop-20251105T020001Z.sql.zst
    manifest: /var/backups/shop/shop-20251105T020001Z.sql.zst.manifest.json
    bytes: 48211200
    plain_bytes: 391203112
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    tables: 41
    rows: 1203311
    seconds: 31.4
    offsite: s3://example-backups/shop/shop-20251105T020001Z.sql.zst
removed:
  description: The old backups that were removed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/var/backups/shop/shop-20251005T020001Z.sql.zst]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sre.runbooks.plugins.module_utils import _database_backup as backup
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption


def main() -> None:
    module = AnsibleModule(backup.OPTIONS, mutually_exclusive=backup.EXCLUSIVE, supports_check_mode=True)
    try:
        backup.validate(module.params)
        result = backup.take(module.params, check_mode=module.check_mode, warn=module.warn)
    except (BadOption, backup.Failed) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
