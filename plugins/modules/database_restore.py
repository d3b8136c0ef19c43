#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_restore
short_description: Put a backup in the place of a database, after a preview, beside it first, and verified
version_added: 0.1.0
description:
  - Without O(token) it changes nothing, and returns a preview with a token. It tells which backup would be taken, when it was
    proven by a restore, in the place of which database with which tables, and what would be lost. With that token it
    restores, and only if the choice and the database are still the same.
  - First, what is there is backed up, by M(sre.runbooks.database_backup). Then the backup is loaded into a database of its
    own on the same server. Then tables, columns, indexes, views, routines, row counts and the checksum of the backup are
    compared with its manifest. Only then the two change places. The old database stays, as C(NAME_before_TIME), until
    somebody drops it. Whatever goes wrong before the swap, the database is as it was.
  - A dump that reaches for another database, or for files and programs, is refused at that line. To MariaDB and MySQL it is
    loaded by a user that is made for it, to whom the server grants nothing but the database beside.
  - They change places in one step of the server. In PostgreSQL both are renamed in one transaction; their sessions are ended;
    owner, encoding, grants and settings go over before. In MariaDB and MySQL all tables, and sequences, are renamed in one
    statement, for which they may be in use by others for a minute. Triggers, routines, events and views are made anew after
    it, and those that the manifest does not have are removed.
  - So whenever it is killed, the tables are all the old ones or all the new ones. What is half-way beside that stands in a
    journal on the server. The next preview says so, and its token takes it back or finishes it first. A database beside,
    which was being loaded, is removed.
  - Afterwards the database is measured where applications find it, and compared with the manifest once more. The checks
    C(database_restore.schema) and C(database_restore.rows) are C(critical) when it is not the same, and C(unknown) when it
    cannot be asked or when there is no manifest. A preview is a C(warning) of C(database_restore.restored), which holds the
    token.
  - Databases of the server itself and O(protected) ones are refused in any case. Of several backups, only one that was proven
    by M(sre.runbooks.restore_proof) is taken, unless told otherwise by O(choose).
  - Stop the applications before, what they write meanwhile is lost.
  - A record of each step lies in O(directory), whatever the outcome. In check mode it is a preview in any case.
author: [sre.runbooks contributors (@sre-runbooks)]
requirements:
  - the clients of the server (mariadb and mariadb-dump, or psql, pg_dump and pg_restore) on the host
  - zstd, age, gpg or openssl on the host, for backups that are made with them
  - a user who may create, rename and drop databases, and for MariaDB and MySQL users
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
    description: Who logs in.
    type: str
  password:
    description: The password. It reaches the clients by a file without a name, or by the environment. None of it is left on disk.
    type: str
  database:
    description: The database in whose place the backup is put. It may be missing.
    type: str
    required: true
  source:
    description: Where its backups lie, see O(sre.runbooks.backup_check#module:targets[].source). A single file will do.
    type: str
    required: true
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
  dated_by:
    description: What tells when a backup was taken, see O(sre.runbooks.backup_check#module:dated_by).
    type: str
    choices: [name, name_utc, modified]
    default: name
  choose:
    description: Which backup is taken, the newest that was V(proven) by a restore, or the V(newest).
    type: str
    choices: [proven, newest]
    default: proven
  at:
    description: Take none that is newer than this time, in UTC, as V(2025-11-05T02:00:00Z).
    type: str
  token:
    description: The token of the preview. It says that somebody has seen it.
    type: str
  protected:
    description: Shell patterns of names of databases that are never replaced, token or not.
    type: list
    elements: str
  without_manifest:
    description: Whether a backup without a manifest may be restored, which can hardly be verified.
    type: bool
    default: false
  rows_tolerance:
    description: By how many percent the rows of a table may differ from the manifest.
    type: float
    default: 1.0
  swap:
    description: Whether the two change places. Otherwise the restored database stays beside, to copy single rows from.
    type: bool
    default: true
  directory:
    description: Where the backup of what is there, and the record, are written.
    type: path
    required: true
  age_recipients:
    description: The public keys for which the backup of what is there is encrypted by age.
    type: list
    elements: str
  gpg_recipient_file:
    description: The path of a file with the public key for which it is encrypted by gpg.
    type: path
  age_identity:
    description: The path of an identity of age on the host, to decrypt with.
    type: path
  gpg_home:
    description: The path of a home directory of gpg that holds the secret key.
    type: path
  gpg_key:
    description: The path of a file with the secret key, for a key ring that lasts as long as the restore.
    type: path
  passphrase:
    description: The passphrase for gpg or openssl.
    type: str
  openssl_cipher:
    description: The cipher that C(openssl enc) was called with.
    type: str
    default: aes-256-cbc
  openssl_digest:
    description: The digest that C(openssl enc) was called with.
    type: str
    default: sha256
  openssl_pbkdf2:
    description: Whether C(openssl enc) was called with C(-pbkdf2).
    type: bool
    default: true
  openssl_iterations:
    description:
      - The iterations that C(openssl enc) was called with, V(0) for its default. M(sre.runbooks.database_backup) calls it with
        600000 unless told otherwise.
    type: int
    default: 0
  proofs:
    description: Where M(sre.runbooks.restore_proof) notes on this host what it has proven.
    type: path
    default: /var/lib/sre-runbooks/proofs
  timeout:
    description: How long all of it may take, in seconds.
    type: float
    default: 14400.0
"""

EXAMPLES = r"""
- name: See what a restore would do
  sre.runbooks.database_restore:
    engine: mysql
    user: restore
    password: "{{ restore_password }}"
    database: shop
    source: /var/backups/shop/shop-*
    directory: /var/backups/restores
  register: preview

- name: Show it, with the token to go on with
  ansible.builtin.debug:
    msg: "{{ preview.msg }}"

- name: Restore, with the token that somebody has typed
  sre.runbooks.database_restore:
    engine: mysql
    user: restore
    password: "{{ restore_password }}"
    database: shop
    source: /var/backups/shop/shop-*
    directory: /var/backups/restores
    token: 4f1c9a0be2d85a17

- name: Restore yesterday's state beside production, from the copy at the other place
  sre.runbooks.database_restore:
    engine: postgresql
    socket: /run/postgresql
    user: postgres
    database: media
    source: s3://example-backups/media/media-*
    at: "2025-11-04T23:59:59Z"
    age_identity: /root/restore.age
    directory: /var/backups/restores
    swap: false
    token: 90d3aa41f6c2be08
"""

RETURN = r"""
token:
  description: What has to be given to do what the preview says.
  returned: success
  type: str
  sample: 4f1c9a0be2d85a17
preview:
  description:
    - What would be done, or was done. C(leftovers) are databases beside, of restores that were killed. With C(finish) the
      rest of such a restore is done, and no other one is begun.
  returned: success
  type: dict
  sample:
    backup: /var/backups/shop/shop-20251105T020001Z.sql.zst
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    bytes: 48211200
    taken: "2025-11-05T02:00:01Z"
    proven: "2025-11-05T03:10:44Z"
    database: shop
    server: localhost
    exists: true
    tables: [customers, orders]
    leftovers: []
    swap: true
    finish: false
    lost: everything that was written to shop since 2025-11-05T02:00:01Z
msg:
  description: The preview with its token, or what was done, as a sentence.
  returned: always
  type: str
  sample: /var/backups/shop/shop-20251105T020001Z.sql.zst was restored in the place of shop, see …
checks:
  description: One record for each check, which the report takes up. After a failure C(database_restore.restored) says why.
  returned: always
  type: list
  elements: dict
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
restored:
  description: Whether it was done.
  returned: success
  type: bool
  sample: true
steps:
  description: What was done, step by step, with what was seen.
  returned: when it was done
  type: list
  elements: dict
  sample: [{step: verify, seconds: 1.2, tables: 41, rows: 1203311, sampled: 41, samples_differ: []}]
kept:
  description: The name under which the old database stays. Null where there was none.
  returned: when it was done
  type: str
  sample: shop_before_20251105t100213z
side:
  description: The name of the restored database, without O(swap). Null otherwise.
  returned: when it was done
  type: str
record:
  description: Where the record lies.
  returned: when it was done
  type: str
  sample: /var/backups/restores/restore-shop-20251105T100213Z.json
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sre.runbooks.plugins.module_utils import _database_restore as restoring
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption


def main() -> None:
    module = AnsibleModule(restoring.OPTIONS, mutually_exclusive=restoring.EXCLUSIVE, supports_check_mode=True)
    try:
        restoring.validate(module.params)
        result = restoring.restore(module.params, check_mode=module.check_mode, warn=module.warn)
    except BadOption as exc:
        module.fail_json(msg=str(exc))
    except restoring.Failed as exc:
        module.fail_json(msg=str(exc), **restoring.failed(module.params, str(exc)))
    module.exit_json(changed=result["restored"] or (module.check_mode and bool(module.params["token"])), **result)


if __name__ == "__main__":
    main()
