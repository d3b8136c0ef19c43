#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_check
short_description: Check what logs say, in a window of time or since the last check
version_added: 0.1.0
description:
  - Counts records of a log by level or pattern, in the last hours or since the last check, and judges the number, its share
    of all records, kinds of message never seen before, durations, and whether the log is still being written.
  - Reads syslog, nginx, Apache, PHP and WordPress, Laravel, JSON lines, the journal, lines that begin with an ISO time, and
    whatever a pattern describes. A stack trace belongs to the record it follows.
  - Rotated files belong to the log, compressed or not. Since the last check, nothing is lost and nothing counts twice,
    whether the log was renamed, copied and truncated, compressed, or linked elsewhere. Where a part cannot be read
    any more, the check is C(unknown) and says so.
  - Nothing is remembered in check mode.
  - Samples are redacted. Passwords, tokens, keys, cookies, mail addresses and card numbers are taken out.
  - Without O(targets), the host's own log is read, see O(targets[].system).
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The logs to read. Every option of the task can be given again for one target.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - The log file. Its rotated files are found beside it.
          - A pattern of names such as C(/var/www/app/storage/logs/laravel-*.log) is one log, that begins new files.
        type: path
      journal:
        description: Entries of the systemd journal instead of a file. An empty dictionary means all of them.
        type: dict
        suboptions:
          unit: {description: Units whose entries are read., type: list, elements: str}
          identifier: {description: Identifiers whose entries are read., type: list, elements: str}
          directory: {description: Where the journal lies when it is not the host's own., type: path}
          file: {description: One file of a journal., type: path}
      system:
        description: The host's own log. That is the journal, else C(/var/log/syslog) or C(/var/log/messages).
        type: bool
      archives:
        description: A pattern of the rotated files, where they do not lie beside the log under its name.
        type: path
      format:
        description:
          - How the log is written. V(auto) looks at its lines.
          - V(access) is the format of nginx and Apache; status 5xx is level error, 4xx is warning.
          - V(php) has PHP's own messages, those of WordPress and php-fpm. Fatal and parse errors are level critical.
          - V(timestamped) is any line that begins with an ISO time. The words of the line tell its level.
          - V(syslog) takes RFC 3164, RFC 5424 and ISO times. Without a priority, the words of the line tell its level.
          - V(plain) has no times. It can be read since the last check only.
        type: str
        choices: [auto, laravel, nginx_error, apache_error, access, php, syslog, json, timestamped, plain]
        default: auto
      pattern:
        description:
          - A regular expression for the first line of a record, for a format of your own.
          - Its groups C(time), C(level) and C(message) are read as far as there are any.
        type: str
      time_format:
        description: How the group C(time) of O(targets[].pattern) is written, as C(strptime) takes it. Not given, the usual
          ways are tried.
        type: str
      encoding:
        description: The encoding of the log. UTF-16 and UTF-8 with a mark at the beginning are recognised.
        type: str
      level:
        description: Count records of this level or worse. By default V(error), or any level where O(targets[].match) is given.
        type: str
        choices: [debug, info, notice, warning, error, critical, alert, emergency]
      match:
        description: Count records that match this regular expression in any of their lines.
        type: str
      only:
        description: Look at no other records than those that match this regular expression, for totals and durations too.
        type: str
      exclude:
        description: Leave out records that match this regular expression.
        type: str
      duration:
        description:
          - Where records tell how long something took, as the name before the value, C(response_time=120ms) say.
          - With a parenthesis it is a regular expression whose first group is the value, and the second, if any, its unit.
        type: str
      duration_unit:
        description: The unit of durations that have none.
        type: str
        choices: [s, ms, us, ns]
        default: ms
      name:
        description: What to call the target in reports and history. By default its O(targets[].path), or journal and units.
        type: str
      window:
        description: &window
          - How far back to look, as V(90m), V(12h) or V(7d), or V(last_check) for what is new since the last check.
        type: str
      first_window:
        description: &first_window How far back the first check looks that has no last one.
        type: str
      timezone:
        description: &timezone
          - The time zone of times that have none, as V(Europe/Berlin) or V(+01:00). By default that of the host.
        type: str
      memory:
        description: &memory
          - The directory in which to remember how far a log was read, and which kinds of message were seen.
          - By default C(/var/lib/sre-runbooks) for root, and C(~/.local/state/sre-runbooks) for other users.
        type: path
      samples:
        description: &samples How many records or values a share or a percentile needs. With fewer it is C(unknown).
        type: int
      matches:
        description: &matches How many records may match, a number of records.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      rate:
        description: &rate How large the share of matching records may be, in percent.
        type: dict
        suboptions: *levels
      new_signatures:
        description: &new_signatures
          - How many signatures may match that were never seen before. A signature is a message without its numbers, ids,
            addresses and paths.
        type: dict
        suboptions: *levels
      records:
        description: &records How many records there have to be at least, or C(low..high), a number of records.
        type: dict
        suboptions: *levels
      latency_p50:
        description: &latency_p50 How long half of the durations may be at most, in milliseconds.
        type: dict
        suboptions: *levels
      latency_p95:
        description: &latency_p95 How long 95 % of the durations may be at most, in milliseconds.
        type: dict
        suboptions: *levels
      latency_p99:
        description: &latency_p99 How long 99 % of the durations may be at most, in milliseconds.
        type: dict
        suboptions: *levels
      freshness:
        description: &freshness How old the newest record may be, in hours.
        type: dict
        suboptions: *levels
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  window:
    description: *window
    type: str
    default: 24h
  first_window:
    description: *first_window
    type: str
    default: 24h
  timezone:
    description: *timezone
    type: str
  memory:
    description: *memory
    type: path
  samples:
    description: *samples
    type: int
    default: 20
  matches:
    description: *matches
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "10"}
      critical: {description: *critical, type: str, default: "100"}
  rate:
    description: *rate
    type: dict
    suboptions: *levels
  new_signatures:
    description: *new_signatures
    type: dict
    suboptions: *levels
  records:
    description: *records
    type: dict
    suboptions: *levels
  latency_p50:
    description: *latency_p50
    type: dict
    suboptions: *levels
  latency_p95:
    description: *latency_p95
    type: dict
    suboptions: *levels
  latency_p99:
    description: *latency_p99
    type: dict
    suboptions: *levels
  freshness:
    description: *freshness
    type: dict
    suboptions: *levels
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check the host's own log
  sre.runbooks.log_check:

- name: Check that WordPress has had few errors in the last 12 hours
  sre.runbooks.log_check:
    targets:
      - path: /var/www/html/wp-content/debug.log
        exclude: wp-cron
    window: 12h
    matches: {warning: 10, critical: 50}

- name: Check what is new since the last check
  sre.runbooks.log_check:
    targets:
      - path: /var/www/app/storage/logs/laravel-*.log
        timezone: Europe/Berlin
        new_signatures: {warning: 0}
      - journal: {unit: [nginx.service, php8.2-fpm.service]}
        level: warning
    window: last_check

- name: Check how fast the site answers, and how often it does not
  sre.runbooks.log_check:
    targets:
      - path: /var/log/nginx/access.log
        exclude: '"GET /health'
        duration: rt
        duration_unit: s
        rate: {warning: 1, critical: 5}
        latency_p95: {warning: 500, critical: 2000}
        records: {warning: 1000}
        freshness: {critical: 1}
    window: 1h

- name: Check a log of our own
  sre.runbooks.log_check:
    targets:
      - path: /var/log/importer.log
        pattern: '(?P<time>\d{8}T\d{6}) (?P<level>[A-Z]+) (?P<message>.*)'
        time_format: '%Y%m%dT%H%M%S'
        level: warning
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
    - id: log.matches
      target: /var/www/html/wp-content/debug.log
      status: warning
      summary: 14 records at level error or above in the last 12h
      value: 14
      unit: records
      warning: "10"
      critical: "50"
      detail:
        since: 2025-11-04 17:00:00 UTC
        levels: {critical: 2, error: 12}
        signatures:
          - {count: 12, signature: WordPress database error Table <path> doesn't exist}
        latest: ["[05-Nov-2025 04:58:01 UTC] PHP Fatal error:  Uncaught Error in /var/www/html/index.php:3"]
      seconds: 0.012
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import log
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(log)


if __name__ == "__main__":
    main()
