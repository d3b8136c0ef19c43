#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_proof
short_description: Check that a backup can be restored, by restoring it
version_added: 0.1.0
description:
  - Restores the newest backup of a target into a throwaway server that is started for it, looks at what came out, and
    removes everything again. A backup that has not been through this is a hope.
  - Takes dumps of MariaDB, MySQL and PostgreSQL (plain, custom, tar, directory), and archives of files (tar, zip), from
    this host or from S3, compressed by gzip, zstd, xz or bzip2, encrypted by age, gpg or openssl, in any order. What a
    backup is made of is told by its content, never by its name.
  - A backup is decrypted, decompressed and loaded as a stream, without a plain copy on disk. Whatever goes wrong at any
    stage is named with the stage. Statements are loaded strictly, the first that is refused ends the proof.
  - Judged are whether it loads to its end; whether the server finds damage in it (C(CHECK TABLE), C(amcheck)); tables,
    columns, indexes, constraints, views, routines, triggers, sequences, extensions and grants, rows, and checksums of
    sampled rows, all against a manifest that was taken with the backup or against the production server; statements of
    your own; the age of the newest row, which is the RPO as measured; the time it took, which is the RTO as measured.
  - The throwaway server has its own data and its own socket in a private directory, no TCP, no network where the kernel
    lets us take it away, no option files and an empty environment. It runs as O(user), whom no database server knows.
    Clients can start no program and write no file. A dump that contains C(USE), C(DROP DATABASE), C(\!), C(COPY … PROGRAM)
    or the like is reported by C(restore.contained), and cannot reach the production server.
  - It is removed in every case. After a C(kill -9) the server dies with the module, and what is left of its directory is
    removed by the next proof, which says so.
  - Proofs of several targets run one after the other, so that what is measured of one is its own.
  - Needs the binaries of the server, of the same or a newer version than the backup is of. Run it on the database server,
    or better on a staging host that can read the backups.
  - Restores nothing in check mode, all of its checks are C(skipped) then.
requirements:
  - mariadb-server or mysql-server, or postgresql, for dumps of them; postgresql-contrib for C(amcheck)
  - setpriv, prlimit and unshare (util-linux)
  - zstd, age, gpg, openssl, where backups are made with them
  - boto3, for backups in S3
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  budget:
    description:
      - How long the whole call may take, in seconds.
      - What has not been measured by then becomes C(unknown), the rest report.
    type: float
    default: 14400.0
  targets:
    description: The backups to prove. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      source:
        description:
          - A file, a directory dump of PostgreSQL, a shell pattern that stands for several, or C(s3://bucket/pattern). The
            newest is proven.
        type: str
        required: true
      s3:
        description: How to reach S3. What is left out comes from the environment and the files of the AWS tools.
        type: dict
        suboptions:
          endpoint: {description: Address of a service that speaks the protocol of S3., type: str}
          region: {description: The region., type: str}
          profile: {description: A profile of the files of the AWS tools., type: str}
          access_key: {description: The access key., type: str}
          secret_key: {description: The secret key., type: str}
          ca_bundle: {description: A file with the CAs to trust., type: path}
      engine:
        description:
          - What is expected. V(auto) takes what the content says. SQL without the header of a dump does not say it.
        type: str
        choices: [auto, mysql, postgresql, files]
        default: auto
      database:
        description:
          - The database that the dump has to be of. Statements about any other are C(restore.contained).
          - By default the one that the manifest or the dump itself names.
        type: str
      manifest:
        description: Where the manifest is. By default next to the backup, with C(.manifest.json) at the end.
        type: str
      production:
        description:
          - A server to compare with where there is no manifest, in a session that only reads. It counts the rows of every
            table, so give it a replica where that hurts. A user who may C(SELECT) is enough.
          - What has changed since the backup counts as a difference, so give O(rows) some room. Checksums of sampled rows
            that differ are not judged then.
        type: dict
        suboptions:
          host: {description: Its name or address., type: str}
          port: {description: Its port., type: int}
          socket: {description: 'Its socket, of PostgreSQL the directory of it.', type: path}
          user: {description: The user., type: str}
          password: {description: The password., type: str}
          database: {description: 'The database, where its name is another.', type: str}
      newest:
        description:
          - Columns with the time of rows. The newest of all is what C(restore.rpo) goes by. Times without a zone are
            read as UTC. Each of them has to tell a time, else C(restore.rpo) is unknown.
          - Without any, it goes by the time of the manifest, or of the file.
        type: list
        elements: dict
        suboptions:
          table: {description: 'The table, of PostgreSQL with its schema unless that is C(public).', type: str, required: true}
          column: {description: The column., type: str, required: true}
      invariants:
        description: Statements about the restored data that give one number each, which is judged.
        type: list
        elements: dict
        suboptions:
          name: {description: What to call it., type: str, required: true}
          sql: {description: The statement. It can only read., type: str, required: true}
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      smoke:
        description:
          - A command that has to end with exit code 0 when it looks at restored files, as a list of words. C({directory})
            in it and the variable C(RESTORED) are where they are. It runs as O(user), without a network.
        type: list
        elements: str
      name:
        description: What to call the target in reports and history. By default its O(targets[].source).
        type: str
      rows:
        description: &rows How far the number of rows of a table, or of files, may be off, in percent.
        type: dict
        suboptions: &levels
          warning: {description: *warning, type: str}
          critical: {description: *critical, type: str}
      rpo:
        description: &rpo How old the newest row may be, in hours.
        type: dict
        suboptions: *levels
      rto:
        description: &rto
          - How long restoring may take, in minutes, from the first byte of the backup to the last row. Of a sample it is
            extrapolated to the whole. The throwaway server does not wait for disks, so leave some room.
        type: dict
        suboptions: *levels
      coverage:
        description: &coverage How long ago any table may have been restored last, in days. Of use with O(sample_tables).
        type: dict
        suboptions: *levels
      encrypted:
        description: &encrypted Whether the backup has to be encrypted.
        type: bool
      dated_by:
        description: &dated_by
          - By what the newest backup is told, the date in its V(name) (local time of the host), the same in UTC
            (V(name_utc)), or when it was V(modified). A name without a date is told by its modification.
        type: str
        choices: [name, name_utc, modified]
      age_identity:
        description: &age_identity A file on the host with an identity of age.
        type: path
      gpg_home:
        description: &gpg_home A directory on the host with a key ring of gpg.
        type: path
      gpg_key:
        description: &gpg_key A file on the host with a secret key of gpg, which is used without a lasting key ring.
        type: path
      passphrase:
        description: &passphrase What gpg, openssl or zip are opened with. It is handed over through a pipe.
        type: str
      openssl_cipher:
        description: &openssl_cipher The cipher that C(openssl enc) was called with. The key is derived by PBKDF2.
        type: str
      openssl_iterations:
        description: &openssl_iterations The rounds of PBKDF2 that C(openssl enc) was called with, by default its own.
        type: int
      sample_tables:
        description: &sample_tables
          - Restore the rows of so many tables only, those that were proven the longest time ago, and those of
            O(targets[].newest). Everything else is created without rows. V(0) restores all.
          - Needs a manifest, or an earlier proof, to know the tables.
        type: int
      extensions:
        description: &extensions
          - Extensions of PostgreSQL that only a superuser may create, such as C(postgis). They are created before the dump
            is loaded by an ordinary role.
        type: list
        elements: str
      superuser:
        description: &superuser
          - Load a dump of PostgreSQL with all rights, for one that creates casts, event triggers, subscriptions or C
            functions. It can then start programs as O(user), so only for dumps that you trust.
        type: bool
      settings:
        description: &settings
          - Settings of the throwaway server, such as C(lower_case_table_names). Not those that keep it apart.
        type: dict
      binaries:
        description: &binaries
          - A directory with the binaries of the server and its clients. By default where the distribution puts them, of
            PostgreSQL the newest version.
        type: path
      user:
        description: &user
          - The user to run throwaway servers as, when the module runs as root. Refused are C(root), C(mysql) and
            C(postgres), whom a production server may let in by its socket. Otherwise it is the user of the module.
        type: str
      memory:
        description: &memory How much memory a throwaway server may take, in MiB.
        type: int
      scratch:
        description: &scratch
          - A directory for throwaway data, which must be our own. Keep the path short, sockets lie below it.
        type: path
      disk_reserve:
        description: &disk_reserve How much has to stay free there, in MiB. A proof that would take more is stopped.
        type: int
      disk_limit:
        description: &disk_limit How much throwaway data may take, in MiB. V(0) sets no limit but O(disk_reserve).
        type: int
      disk_factor:
        description: &disk_factor
          - How many times the plain size of a dump has to be free before a proof begins. Where no manifest tells the
            plain size, twice that times the size of the backup.
        type: float
      query_timeout:
        description: &query_timeout How long one statement of yours may take, in seconds.
        type: float
      state:
        description: &state
          - A directory on the host where proofs are remembered. Retention and real restores go by them.
        type: path
      sheets:
        description: &sheets
          - A directory on the host for evidence sheets, the last of each target as Markdown and as JSON.
        type: path
      progress_path:
        description: &progress_path
          - A file that tells how far a proof is while it runs, as JSON, with stage, bytes, percent and the seconds that are
            left. By default C(NAME.progress.json) in O(scratch); C(watch cat) shows it. It is gone at the end.
        type: path
      timeout:
        description: &timeout How long one target may take, in seconds. Waiting for the targets before it counts.
        type: float
  rows:
    description: *rows
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "1"}
      critical: {description: *critical, type: str, default: "10"}
  rpo:
    description: *rpo
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "26"}
      critical: {description: *critical, type: str, default: "50"}
  rto:
    description: *rto
    type: dict
    suboptions: *levels
  coverage:
    description: *coverage
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "8"}
      critical: {description: *critical, type: str, default: "15"}
  encrypted:
    description: *encrypted
    type: bool
    default: false
  dated_by:
    description: *dated_by
    type: str
    choices: [name, name_utc, modified]
    default: name
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
  openssl_iterations:
    description: *openssl_iterations
    type: int
  sample_tables:
    description: *sample_tables
    type: int
    default: 0
  extensions:
    description: *extensions
    type: list
    elements: str
  superuser:
    description: *superuser
    type: bool
    default: false
  settings:
    description: *settings
    type: dict
  binaries:
    description: *binaries
    type: path
  user:
    description: *user
    type: str
    default: nobody
  memory:
    description: *memory
    type: int
    default: 1024
  scratch:
    description: *scratch
    type: path
    default: /var/tmp/sre-proof
  disk_reserve:
    description: *disk_reserve
    type: int
    default: 1024
  disk_limit:
    description: *disk_limit
    type: int
    default: 0
  disk_factor:
    description: *disk_factor
    type: float
    default: 3.0
  query_timeout:
    description: *query_timeout
    type: float
    default: 600.0
  state:
    description: *state
    type: path
    default: /var/lib/sre-runbooks/proofs
  sheets:
    description: *sheets
    type: path
  progress_path:
    description: *progress_path
    type: path
  timeout:
    description: *timeout
    type: float
    default: 14400.0
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details: Restores nothing in check mode.
"""

EXAMPLES = r"""
- name: Prove the newest dump
  sre.runbooks.restore_proof:
    targets:
      - source: /var/backups/mysql/*.sql.gz

- name: Prove the dump of the shop, encrypted by age, with an RPO of 24 hours and an RTO of 30 minutes
  sre.runbooks.restore_proof:
    targets:
      - name: shop
        source: /var/backups/mysql/shop-*.sql.zst.age
        database: shop
        age_identity: /etc/sre/backup.key
        encrypted: true
        newest:
          - {table: orders, column: created_at}
          - {table: visits, column: seen_at}
        invariants:
          - {name: orders of yesterday, sql: SELECT COUNT(*) FROM orders WHERE created_at > NOW() - INTERVAL 1 DAY, critical: 1..}
          - {name: orders without a customer, sql: SELECT COUNT(*) FROM orders WHERE customer_id IS NULL, critical: "0"}
    rpo: {warning: 24, critical: 30}
    rto: {warning: 20, critical: 30}
    sheets: /var/lib/sre-runbooks/sheets

- name: Prove the off-site copy, three tables a day, on a staging host
  sre.runbooks.restore_proof:
    targets:
      - name: media off-site
        source: s3://company-backups/media/*.dump.gpg
        s3:
          endpoint: https://s3.eu-central-1.amazonaws.com
          access_key: "{{ vault_s3_access_key }}"
          secret_key: "{{ vault_s3_secret_key }}"
        engine: postgresql
        gpg_home: /root/.gnupg
        passphrase: "{{ vault_backup_passphrase }}"
        extensions: [postgis]
    sample_tables: 3
    coverage: {warning: 14, critical: 30}
  delegate_to: staging.example.org

- name: Compare a dump without a manifest with production, which only has to be about the same
  sre.runbooks.restore_proof:
    targets:
      - source: /var/backups/pg/bot-*.dump
        database: bot
        production:
          host: replica.example.org
          user: sre_readonly
          password: "{{ vault_sre_readonly }}"
    rows: {warning: 5, critical: 20}

- name: Prove an archive of uploads, and look at what came out
  sre.runbooks.restore_proof:
    targets:
      - name: uploads
        source: /var/backups/files/uploads-*.tar.gz
        engine: files
        smoke: [/usr/bin/test, -s, "{directory}/uploads/index.php"]
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
checks:
  description:
    - One record for each judged value, see the description of the contract in C(docs/contract.md).
    - C(restore.proof) sums up. Its detail is the evidence sheet, what was restored, from where, when, how long it took,
      what it was compared with.
  returned: always
  type: list
  elements: dict
  sample:
    - id: restore.proof
      target: shop
      status: ok
      summary: /var/backups/mysql/shop-2025-11-05.sql.zst.age has been restored
      value: 1.0
      unit: ""
      warning: null
      critical: null
      detail:
        source: /var/backups/mysql/shop-2025-11-05.sql.zst.age
        bytes: 84021931
        sha256: 5c1e1d3f0f4b7c06f2a4a0f3a9d1c1a2
        taken: "2025-11-05T02:00:07Z"
        at: "2025-11-05T03:00:02Z"
        layers: [age, zstd]
        format: a dump of MySQL or MariaDB
        server: 10.11.6-MariaDB-0+deb12u1
        database: shop
        seconds: {start: 1.1, restore: 61.3, compare: 4.2, check: 3.8}
        tables: all
        compared_with: the manifest
        verdict: proven
      seconds: 71.2
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import restore
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(restore)


if __name__ == "__main__":
    main()
