#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_check
short_description: Check that backups are there in time, complete, readable and what they claim to be
version_added: 0.1.0
description:
  - Finds the backups that a path, a shell pattern, an S3 pattern or a repository of restic, borg or pgBackRest names, and
    judges the series and the newest of them, as deep as O(level) says. Nothing is restored;
    that a backup counts is only proven by M(sre.runbooks.restore_proof).
  - Level V(0) looks at names, times and sizes only. Level V(1) also reads the newest backup to its end, which proves its
    checksum, its encryption and its compression. Level V(2) also looks at what is in it, which proves that a dump came to
    its end, holds the expected tables, and reaches for no other database.
  - Backups are read as a stream. Memory stays flat, and no plain copy is written to disk. Reading takes as long as the
    disk or the network takes, so raise O(timeout) and O(budget) for what is big. What was not through in time is
    C(unknown).
  - What a backup is made of is told by its content, never by its name. A name that promises something else is a finding.
  - Of restic, borg and pgBackRest, the tool's own list of backups is judged. Level V(1) runs its own check of the
    repository, level V(2) with all data, in which the exit code of C(pgbackrest verify) is not relied upon.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
requirements:
  - gpg, age, openssl, zstd or pg_restore on the host, for backups that are made with them
  - python3-boto3 on the host, for S3
options:
  budget:
    description:
      - How long the whole call may take, in seconds.
      - What has not been measured by then becomes C(unknown), the rest report.
    type: float
    default: 1800.0
  targets:
    description: The series of backups to look at. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      source:
        description:
          - Where one series of backups lies. An absolute path or shell pattern (C(*), C(?), C([…])), or
            V(s3://bucket/pattern), in which C(*) does not stop at a slash, or V(restic:REPOSITORY), V(borg:REPOSITORY) or
            V(pgbackrest:STANZA).
          - Checksums, signatures and manifests that lie beside backups do not count as backups. A directory counts where it
            is a dump in PostgreSQL's directory format.
        type: str
        required: true
      offsite:
        description:
          - Where copies of these backups lie, another path or V(s3://bucket/pattern). Copies are recognised by their names.
          - From O(level) 1 on, checksums are compared as well. S3 is asked for its own; where it has none, as of what was
            uploaded in parts, and for files, the copy is read. Store the checksum in the metadata C(sha256) to save that.
        type: str
      database:
        description: The database that a dump has to be of. What a dump does to any other database is a finding.
        type: str
      name:
        description: What to call the target in reports and history. By default its O(targets[].source).
        type: str
      level:
        description: &level How deep to look, from V(0), times and sizes, to V(2), what is in the newest backup.
        type: int
        choices: [0, 1, 2]
      dated_by:
        description: &dated_by
          - What tells when a backup was taken. With V(name), the date in its name in the time zone of the host, with
            V(name_utc) the same in UTC, with V(modified) the time of modification, or of upload.
          - A name that only tells the day is placed within that day by the time of modification. A name without a date is
            dated by the latter. Copying and touching files makes them younger than they are; names stay.
        type: str
        choices: [name, name_utc, modified]
      clock:
        description: &clock How far in the future any backup may be dated, in minutes. Beyond it no age can be told.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      age:
        description: &age How old the newest backup may be, in hours. This is the recovery point that is lost at most.
        type: dict
        suboptions: *levels
      size:
        description: &size How small the newest backup may be, in MiB, or a range of sizes as V(100..500).
        type: dict
        suboptions: *levels
      anomaly:
        description: &anomaly
          - How far the size of the newest backup may be from the median of the earlier ones, in deviations. One deviation
            is what they usually differ (their median absolute deviation, scaled), and at least 1 % of the median.
          - Something like V(6) for a warning is right for most. It takes 4 earlier backups; with less it is C(unknown).
        type: dict
        suboptions: *levels
      anomaly_over:
        description: &anomaly_over With how many earlier backups the newest is compared.
        type: int
      window:
        description: &window How many days are looked back at for O(count) and O(gaps). By default all that is there.
        type: float
      count:
        description: &count How many backups there have to be, a number of backups, or a range as V(28..31).
        type: dict
        suboptions: *levels
      gaps:
        description: &gaps How long the time between one backup and the next may be, in hours.
        type: dict
        suboptions: *levels
      retention:
        description: &retention
          - How old the oldest backup has to be, in days. A range as V(29..32) finds both what was deleted too early and what
            was kept too long.
        type: dict
        suboptions: *levels
      offsite_lag:
        description: &offsite_lag How long a backup may be without its copy at O(targets[].offsite), in hours.
        type: dict
        suboptions: *levels
      may_repeat:
        description: &may_repeat Whether the newest backup may be the same as the one before it, bit by bit.
        type: bool
      checksum:
        description: &checksum
          - Whether a checksum has to lie beside the backup. One that does is compared in any case. It is looked for in the
            manifest of this collection, in C(NAME.sha256) and the like, in C(SHA256SUMS), and in the metadata of an object.
        type: bool
      encrypted:
        description: &encrypted
          - Whether backups have to be encrypted. What is encrypted is decrypted in any case, which is the only proof that
            it can be. By default, what is not encrypted is fine.
        type: bool
      format:
        description: &format The format that the content has to have. By default any that is known and fits the name.
        type: str
        choices: &formats [mysql, pg_custom, pg_directory, pg_tar, postgresql, sql, tar, zip]
      contents:
        description: &contents What a dump has to hold, V(all), or only the V(schema) or the V(data).
        type: str
        choices: [all, schema, data]
      objects:
        description: &objects
          - Tables that a dump has to hold, with data, or members of an archive that have to be there. A manifest of this
            collection beside the backup is compared in any case.
          - Tables of PostgreSQL outside of the schema C(public) are given as C(schema.table).
        type: list
        elements: str
      age_identity:
        description: &age_identity The path of an identity of age on the host, to decrypt with.
        type: path
      gpg_home:
        description: &gpg_home The path of a home directory of gpg that holds the secret key.
        type: path
      gpg_key:
        description: &gpg_key The path of a file with the secret key, for a key ring that lasts as long as the check.
        type: path
      passphrase:
        description: &passphrase
          - The passphrase for gpg, openssl, restic or borg. Without one, restic and borg look for their own variables.
        type: str
      openssl_cipher:
        description: &openssl_cipher The cipher that C(openssl enc) was called with.
        type: str
      openssl_digest:
        description: &openssl_digest The digest that C(openssl enc) was called with.
        type: str
      openssl_pbkdf2:
        description: &openssl_pbkdf2 Whether C(openssl enc) was called with C(-pbkdf2).
        type: bool
      openssl_iterations:
        description: &openssl_iterations The iterations that C(openssl enc) was called with, V(0) for its default.
        type: int
      s3:
        description: &s3 How S3 is reached. What is not given is taken from where boto3 takes it.
        type: dict
        suboptions: &s3_options
          endpoint: {description: The URL of something other than AWS that speaks its protocol., type: str}
          region: {description: The region., type: str}
          profile: {description: The profile in the configuration files of AWS., type: str}
          ca_bundle: {description: The path of certificates to verify the server with., type: path}
          access_key: {description: The access key., type: str}
          secret_key: {description: The secret key., type: str}
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  level:
    description: *level
    type: int
    choices: [0, 1, 2]
    default: 1
  dated_by:
    description: *dated_by
    type: str
    choices: [name, name_utc, modified]
    default: name
  clock:
    description: *clock
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "5"}
      critical: {description: *critical, type: str, default: "60"}
  age:
    description: *age
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "26"}
      critical: {description: *critical, type: str, default: "50"}
  size:
    description: *size
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0.0001"}
  anomaly:
    description: *anomaly
    type: dict
    suboptions: *levels
  anomaly_over:
    description: *anomaly_over
    type: int
    default: 14
  window:
    description: *window
    type: float
  count:
    description: *count
    type: dict
    suboptions: *levels
  gaps:
    description: *gaps
    type: dict
    suboptions: *levels
  retention:
    description: *retention
    type: dict
    suboptions: *levels
  offsite_lag:
    description: *offsite_lag
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "1"}
      critical: {description: *critical, type: str, default: "12"}
  may_repeat:
    description: *may_repeat
    type: bool
    default: false
  checksum:
    description: *checksum
    type: bool
    default: false
  encrypted:
    description: *encrypted
    type: bool
  format:
    description: *format
    type: str
    choices: *formats
  contents:
    description: *contents
    type: str
    choices: [all, schema, data]
    default: all
  objects:
    description: *objects
    type: list
    elements: str
  age_identity:
    description: *age_identity
    type: path
  gpg_home:
    description: *gpg_home
    type: path
  gpg_key:
    description: *gpg_key
    type: path
  passphrase:
    description: *passphrase
    type: str
  openssl_cipher:
    description: *openssl_cipher
    type: str
    default: aes-256-cbc
  openssl_digest:
    description: *openssl_digest
    type: str
    default: sha256
  openssl_pbkdf2:
    description: *openssl_pbkdf2
    type: bool
    default: true
  openssl_iterations:
    description: *openssl_iterations
    type: int
    default: 0
  s3:
    description: *s3
    type: dict
    suboptions: *s3_options
  timeout:
    description: *timeout
    type: float
    default: 600.0
"""

EXAMPLES = r"""
- name: Check that last night's dump is there, of plausible size, and can be read to its end
  sre.runbooks.backup_check:
    targets: [{source: /var/backups/mysql/shop-*.sql.gz}]

- name: Check a series of encrypted dumps in every respect that takes no restore
  sre.runbooks.backup_check:
    targets:
      - name: shop database
        source: /var/backups/shop/shop-*.sql.zst.age
        offsite: s3://example-backups/shop/shop-*.sql.zst.age
        database: shop
        objects: [customers, orders]
    level: 2
    age: {warning: 26, critical: 50}
    size: {warning: 200..2000, critical: 50..5000}
    anomaly: {warning: 6, critical: 20}
    gaps: {warning: 26}
    retention: {warning: 29..32}
    offsite_lag: {warning: 1, critical: 6}
    checksum: true
    encrypted: true
    age_identity: /etc/backup/check.age
    timeout: 1800
    budget: 3600

- name: Check that six-hourly dumps reach the bucket of another provider, without reading them
  sre.runbooks.backup_check:
    targets: [{source: "s3://example-media/database/*.dump"}]
    level: 0
    age: {warning: 7, critical: 13}
    window: 7
    count: {warning: 27..29}
    gaps: {warning: 7}
    s3:
      endpoint: https://s3.example.net
      access_key: "{{ backup_access_key }}"
      secret_key: "{{ backup_secret_key }}"

- name: Check a dump of PostgreSQL in the custom format, and an archive of uploads
  sre.runbooks.backup_check:
    targets:
      - source: /var/backups/pg/media-*.dump
        format: pg_custom
        database: media
        objects: [media_items, audit.events]
      - source: /var/backups/uploads-*.tar.gz
        objects: [uploads/.keep]
        may_repeat: true
    level: 2

- name: Check repositories of restic, borg and pgBackRest by their own means
  sre.runbooks.backup_check:
    targets:
      - source: restic:/srv/restic/web
        passphrase: "{{ restic_password }}"
      - source: borg:ssh://backup@vault.example.org/./web
        passphrase: "{{ borg_passphrase }}"
        level: 0
      - source: pgbackrest:main
        level: 2
    encrypted: true
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
    - id: backup.archive
      target: /var/backups/mysql/shop-*.sql.gz
      status: critical
      summary: "gzip: the archive ends in the middle: it was cut off"
      value: 0.0
      unit: ""
      warning:
      critical:
      detail: {backup: /var/backups/mysql/shop-20251105.sql.gz, layers: [gzip], plain_bytes: 1048576}
      seconds: 0.21
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import (
    backup as kind,
)
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
