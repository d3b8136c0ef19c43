# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, made one by one as reality makes them: the occasion sees each on its own line, and what it does not explain stays
as it was. docs/faults.md shows this table to readers; tools/faults.py writes it.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

WP = "setpriv --reuid=www-data --regid=www-data --init-groups wp --path=/var/www/html"
PLUGIN = "/var/www/html/wp-content/plugins/edubot-pro"
UPLOADS = "/var/www/html/wp-content/uploads"
FORGET_OLD_ROWS = "mariadb wordpress_db -e 'delete from wp_edubot_logs where created_at < curdate() - interval 90 day'"
LOOK_FOR_UPDATES = WP + """ eval 'delete_site_transient("update_plugins"); wp_update_plugins();'"""


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong, how it is made and healed by the shell of the host, and what the runbook makes of it.

    ``line`` is the ``id@target`` that tells, with its ``status`` and what its sentence ``says``; ``step`` is the line of the
    runbook. ``also`` is what else the fault explains, pattern of ``id@target`` to status: every pattern is seen. ``cure`` makes
    of that sentence the arguments with which the occasion itself heals the fault.
    """

    name: str
    made: str
    healed: str
    occasion: str
    line: str
    status: str
    says: str
    step: str
    also: dict[str, str] = dataclasses.field(default_factory=dict)
    cure: Callable[[str], list[str]] | None = None


def certificate(days: int) -> str:
    """Have the CA sign one more certificate of the site, as a client for ACME does."""
    return f"""
        cd /etc/ssl/edubot && cp -p edubot.example.org.crt /root/certificate
        openssl x509 -req -in edubot.example.org.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {days} \\
          -extfile edubot.example.org.ext -out new.crt && cat new.crt ca.crt >edubot.example.org.crt
    """


def look_at_it_and_purge(preview: str) -> list[str]:
    tokens = {"wp_edubot_logs": preview.rpartition(" token ")[2]}
    return ["-e", json.dumps({"maintain_databases_tokens": tokens})]


SERVE_THE_OLD_ONE = "mv /root/certificate /etc/ssl/edubot/edubot.example.org.crt; systemctl reload nginx"

FAULTS = [
    Fault(
        "nginx stopped",
        "systemctl stop nginx",
        "systemctl start nginx",
        "daily",
        "service.active@nginx",
        "critical",
        "nginx.service has not been running for",
        "EB-D1-04",
        {
            "service.answers@nginx": "critical",
            "http.status@*": "critical",
            "certificate.same@edubot.example.org": "unknown",
            "wordpress.core_security@edubot": "unknown",  # the stand-in for wordpress.org is behind the same nginx
        },
    ),
    Fault(
        "MariaDB stopped",
        "systemctl stop mariadb",
        "systemctl start mariadb",
        "daily",
        "service.active@database",
        "critical",
        "mariadb.service has not been running for",
        "EB-D1-05",
        {
            "service.answers@database": "critical",
            "mysql.answers@edubot": "critical",
            "http.status@site": "critical",
            "http.status@login": "critical",
            "http.status@dashboard": "unknown",
            "wordpress.core_version@edubot": "unknown",
            "wordpress_value.number@*": "unknown",
        },
    ),
    Fault(
        "php-fpm hung",
        "pkill -STOP -f 'php-fpm: pool www$'",
        "pkill -CONT -f 'php-fpm: pool www$'",
        "daily",
        "phpfpm.ping@/run/php/php8.2-fpm.sock",
        "critical",
        "no answer within 5 s",
        "EB-D1-06",
        {"http.status@*": "critical"},
    ),
    Fault(
        "disk nearly full",
        "fallocate -l 61M /srv/media/dump",
        "rm -f /srv/media/dump",
        "daily",
        "mount.space@/srv/media",
        "critical",
        "95.3 % of the space is used, 3 MiB are free",
        "EB-D1-03",
    ),
    Fault(
        "table dropped",
        """
        mariadb-dump wordpress_db wp_edubot_conversions >/root/table.sql
        mariadb wordpress_db -e 'drop table wp_edubot_conversions'
        """,
        "mariadb wordpress_db </root/table.sql",
        "daily",
        "mysql.tables@edubot",
        "critical",
        "missing: wp_edubot_conversions",
        "EB-D1-09",
        {
            "wordpress_value.number@all conversions": "unknown",
            "wordpress_value.number@* of the *": "unknown",
        },
    ),
    Fault(
        "certificate expiring",
        certificate(days=5) + "systemctl reload nginx",
        SERVE_THE_OLD_ONE,
        "daily",
        "certificate.expiry@edubot.example.org",
        "critical",
        "expires in 5.0 days",
        "EB-D1-10",
        {"http.tls@*": "warning"},
    ),
    Fault(
        "certificate on disk newer than served",
        certificate(days=400),
        SERVE_THE_OLD_ONE,
        "daily",
        "certificate.same@edubot.example.org",
        "warning",
        "another one at edubot.example.org@localhost:443 that expires 35.0 days earlier",
        "EB-D1-10",
    ),
    Fault(
        "overdue cron",
        f"systemctl stop cron && {WP} eval 'wp_schedule_single_event(time() - 7200, \"edubot_export\");'",
        f"{WP} cron event run --due-now; systemctl start cron",
        "daily",
        "wordpress.cron_overdue@edubot",
        "critical",
        "edubot_export has been due for 2 hours",
        "EB-D1-11",
    ),
    Fault(
        "error burst in the log",
        f"""{WP} eval 'for ($n = 0; $n < 12; $n++) $GLOBALS["wpdb"]->query("select nothing from wp_posts");'""",
        "true",  # with the log as it was before, see below
        "daily",
        "log.matches@errors of the night",
        "warning",
        "12 records at level error or above in the last 12h",
        "EB-D1-07",
        {"log.new_signatures@errors of the night": "warning"},
    ),
    Fault(
        "backup missing",
        """
        mkdir /root/nights
        for place in /backups/edubot /srv/offsite/edubot; do
          mkdir /root/nights$place -p && (cd $place && mv $(ls | tail -n 2) /root/nights$place)
        done
        """,
        "cp -a /root/nights/. / && rm -r /root/nights",
        "daily",
        "backup.age@database",
        "critical",
        "the newest backup is ",
        "EB-D1-17",
    ),
    Fault(
        "plugin file changed",
        f"""
        cp -p {PLUGIN}/includes/class-edubot-tables.php /root/file.php
        echo '// if (isset($_POST["x"])) eval($_POST["x"]);' >>{PLUGIN}/includes/class-edubot-tables.php
        touch -r /root/file.php {PLUGIN}/includes/class-edubot-tables.php
        """,
        f"cp -p /root/file.php {PLUGIN}/includes/class-edubot-tables.php",
        "security_audit",
        f"integrity.changed@{PLUGIN}",
        "critical",
        "1 files have another content than in the baseline",
        "EB-W3-01",
    ),
    Fault(
        "PHP file in uploads",
        f"install -D -o www-data -m 644 {PLUGIN}/edubot-pro.php {UPLOADS}/2026/11/holiday.php.jpg",
        f"rm -r {UPLOADS}/2026",
        "security_audit",
        f"integrity.uploads@{UPLOADS}",
        "critical",
        "1 programs below the uploads are not as in the baseline",
        "EB-W3-01",
        {"permission.executable_uploads@/var/www/html": "critical"},
    ),
    Fault(
        "secret in code",
        f"""
        cp -p {PLUGIN}/includes/class-edubot-connections.php /root/file.php
        key=sk_live_$(head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \\n')
        echo "define('EDUBOT_PAYMENT_KEY', '$key');" >>{PLUGIN}/includes/class-edubot-connections.php
        """,
        f"cp -p /root/file.php {PLUGIN}/includes/class-edubot-connections.php",
        "security_audit",
        f"secret.findings@{PLUGIN}",
        "critical",
        "1 credentials stand in 1 of",
        "EB-W3-03",
        {f"secret.new@{PLUGIN}": "critical", f"integrity.changed@{PLUGIN}": "critical"},
    ),
    Fault(
        "brute-force lines in the auth log",
        # sshd lets nine at a time try three passwords each.
        """
        printf '#!/bin/sh\\necho guessed\\n' >/root/guess && chmod +x /root/guess
        export SSH_ASKPASS=/root/guess SSH_ASKPASS_REQUIRE=force
        for round in 1 2; do
          for n in $(seq 9); do
            ssh -n -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PubkeyAuthentication=no root@127.0.0.1 true &
          done
          wait
        done
        """,
        "true",
        "security_audit",
        "login.source@logins",
        "warning",
        "54 logins from 127.0.0.1 did not succeed",
        "EB-W3-05",
    ),
    Fault(
        "update available",
        f"mkdir /srv/wordpress.org/plugins/akismet/5.5 && {LOOK_FOR_UPDATES}",
        f"rmdir /srv/wordpress.org/plugins/akismet/5.5; {LOOK_FOR_UPDATES}",
        "weekly_review",
        "wordpress.plugin_updates@edubot",
        "warning",
        "1 of 2 plugins have an update",
        "EB-W1-10",
    ),
    Fault(
        "slow queries",
        'for n in $(seq 21); do mariadb wordpress_db -e "select count(*) as c$n, sleep(1.2) from wp_options limit 1" & done; wait',
        "mariadb -e 'truncate performance_schema.events_statements_summary_by_digest'",
        "performance_analysis",
        "mysql.slow_queries@edubot",
        "warning",
        "21 different statements took 1 s or more within 72 h",
        "EB-W2-01",
    ),
    Fault(
        "old log rows",
        "mariadb wordpress_db -e 'insert into wp_edubot_logs select * from kept.old_rows'",
        FORGET_OLD_ROWS,
        "database_maintenance",
        "mysql_maintenance.old_rows@wordpress_db.wp_edubot_logs",
        "warning",
        "rows of wordpress_db.wp_edubot_logs are older than",
        "EB-M1-04",
        cure=look_at_it_and_purge,
    ),
    Fault(
        "table damaged",
        # The fifth page is the root of the index created_at. The server has the table in memory: it must not see it coming.
        """
        mariadb-dump wordpress_db wp_edubot_logs >/root/table.sql && systemctl stop mariadb
        printf damage | dd of=/var/lib/mysql/wordpress_db/wp_edubot_logs.ibd bs=1 seek=$((4 * 16384 + 1000)) conv=notrunc status=none
        systemctl start mariadb
        """,
        "mariadb wordpress_db </root/table.sql",
        "database_maintenance",
        "mysql_maintenance.sound@wordpress_db",
        "critical",
        "1 of 5 tables are not sound, see to them before anything else: wp_edubot_logs damaged",
        "EB-M1-03",
        # Nothing is changed, nor looked at afterwards.
        {"run.step@*": "unknown", "mysql_maintenance.*": "unknown", "mysql.*": "unknown"},
    ),
]


OCCASIONS = list(dict.fromkeys(fault.occasion for fault in FAULTS))
BESIDE = ["/var/www/html/wp-content/debug.log", "/var/log/auth.log", "/var/log/nginx/access.log"]
"""Logs in which a fault would be seen for days: each fault finds them as they were before the one before it."""
SPEED = ("http.latency@*", "mysql.answers@*")
"""A warning here is about other work of the machine, as is anything that is unknown because no answer came in time."""


@pytest.fixture(scope="module", autouse=True)
def bed(host: Any) -> Iterator[None]:
    """A volume to fill, and no old rows until they are the fault."""
    did = host.run(f"""
        set -e
        # A block device as far as anybody can see: one that is real would be taken from the machine below.
        mkdir -p /srv/media && mount -t tmpfs -o size=64m /dev/media /srv/media
        mariadb -e 'create database kept;
          create table kept.old_rows as
            select * from wordpress_db.wp_edubot_logs where created_at < curdate() - interval 90 day'
        {FORGET_OLD_ROWS}
        for log in {" ".join(BESIDE)}; do cp -p $log /root/$(basename $log); done
        """)
    assert did.rc == 0, did.stderr
    yield
    did = host.run("""
        umount /srv/media
        mariadb -e 'insert ignore into wordpress_db.wp_edubot_logs select * from kept.old_rows; drop database kept'
        """)
    assert did.rc == 0, did.stderr


@pytest.fixture(scope="module")
def healthy(occasion: Any) -> Callable[[str], Any]:
    """``healthy("daily")`` is the report of an occasion before any fault was made."""
    seen: dict[str, Any] = {}

    def before(playbook: str) -> Any:
        if playbook not in seen:
            seen[playbook] = occasion(playbook)
        return seen[playbook]

    return before


def red(report: Any) -> dict[str, str]:
    """``id@target`` → status of what is not fine, whatever else keeps the machine busy."""
    lines = {f"{record['id']}@{record['target']}": record for record in report.data["records"]}
    return {line: status for line, status in report.red.items() if not late(line, lines[line])}


def late(line: str, record: dict[str, Any]) -> bool:
    slow = any(fnmatch.fnmatchcase(line, pattern) for pattern in SPEED)
    return (record["status"] == "warning" and slow) or (
        record["status"] == "unknown" and "no answer within" in record["summary"]
    )


def heal(host: Any, fault: Fault) -> None:
    restored = "".join(f"; cat /root/$(basename {log}) >{log}" for log in BESIDE)
    did = host.run(f"{fault.healed}{restored}")
    assert did.rc == 0, did.stderr


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_seen_on_its_own_line(host: Any, occasion: Any, healthy: Any, fault: Fault) -> None:
    before = healthy(fault.occasion)
    try:
        made = host.run(fault.made)
        assert made.rc == 0, made.stderr
        report = occasion(fault.occasion)
        found = report.record(fault.line)
        assert fault.says in found["summary"]
        if fault.cure:
            cured = occasion(fault.occasion, *fault.cure(found["summary"])).record(fault.line)
            assert cured["status"] == "ok", cured["summary"]
    finally:
        heal(host, fault)
    new = dict(red(report).items() - red(before).items())
    assert new.pop(fault.line) == fault.status
    explained = {
        line: pattern
        for line, status in new.items()
        for pattern, wanted in fault.also.items()
        if fnmatch.fnmatchcase(line, pattern) and status == wanted
    }
    assert {line: status for line, status in new.items() if line not in explained} == {}, "not explained by the fault"
    assert set(explained.values()) == set(fault.also), "explained by the fault, and not seen"
    step = report.step(fault.step)
    assert fault.line in [f"{check_id}@{target}" for _host, check_id, target in step["records"]]
    assert (before.step(fault.step)["status"], step["status"]) == ("ok", fault.status)


@pytest.mark.parametrize("playbook", OCCASIONS)
def test_what_was_healed_is_seen_to_be_healed(occasion: Any, healthy: Any, playbook: str) -> None:
    after = occasion(playbook)
    assert red(after).items() <= red(healthy(playbook)).items()  # less, where logs had been too young to judge
    for fault in FAULTS:
        if fault.occasion == playbook:
            assert after.record(fault.line)["status"] == "ok", fault.name
