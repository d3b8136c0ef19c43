# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host is what the occasions need: a real WordPress that is healthy, with the plugin of the runbook and its data."""

from __future__ import annotations

import json
from typing import Any

import pytest

SITE = "https://edubot.example.org"
WP = "setpriv --reuid=www-data --regid=www-data --init-groups wp --path=/var/www/html"
TABLES = ["attribution_sessions", "attributions", "conversions", "logs", "report_schedules"]

LOGIN = f"""
import http.cookiejar, urllib.parse, urllib.request
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
opener.open("{SITE}/wp-login.php").read()
form = {{"log": "edubot-admin", "pwd": "only-in-the-scenario-1", "testcookie": "1", "redirect_to": "{SITE}/wp-admin/PAGE"}}
answer = opener.open("{SITE}/wp-login.php", urllib.parse.urlencode(form).encode())
print(answer.status, answer.url, answer.read().decode())
"""


@pytest.mark.parametrize("service", ["nginx", "mariadb", "php8.2-fpm", "cron", "rsyslog", "ssh"])
def test_a_service_is_running_and_comes_back(host: Any, service: str) -> None:
    assert host.service(service).is_running
    assert host.service(service).is_enabled


def test_the_site_answers_over_tls_that_the_host_trusts(host: Any) -> None:
    page = host.run(f"python3 -c 'import urllib.request as r; print(r.urlopen(\"{SITE}/\").read().decode())'")
    assert page.rc == 0, page.stderr
    assert "EduBot" in page.stdout


@pytest.mark.parametrize(
    ("page", "holds"),
    [
        ("admin.php?page=edubot-dashboard", 'id="edubot-dashboard"'),
        ("admin.php?page=edubot-api-settings", "Connection: OK"),
        ("profile.php", 'value="edubot-admin"'),
    ],
)
def test_an_administrator_can_log_in_and_see(host: Any, page: str, holds: str) -> None:
    seen = host.run("python3 -c %s", LOGIN.replace("PAGE", page))
    assert seen.rc == 0, seen.stderr
    assert seen.stdout.startswith("200 ")
    assert holds in seen.stdout
    assert "wp-login.php" not in seen.stdout.split()[1]


def test_the_tables_of_the_plugin_are_there_with_data_and_old_log_rows(host: Any) -> None:
    tables = host.check_output("mariadb -BN wordpress_db -e %s", "show tables like 'wp\\_edubot\\_%'").split()
    assert tables == [f"wp_edubot_{table}" for table in TABLES]
    for table in TABLES:
        assert int(host.check_output(f"mariadb -BN wordpress_db -e 'select count(*) from wp_edubot_{table}'")) > 0
    old = "select count(*) from wp_edubot_logs where created_at < now() - interval 90 day"
    assert int(host.check_output("mariadb -BN wordpress_db -e %s", old)) >= 290


def test_the_key_figures_are_numbers(host: Any) -> None:
    code = "echo wp_json_encode((new EduBot_Admin_Dashboard())->get_kpis('week'));"
    kpis = json.loads(host.check_output(f"{WP} eval %s", code))
    assert kpis["sessions"] > 100
    assert 15 < kpis["conversion_rate"] < 25


def test_events_are_scheduled_and_run_by_the_system(host: Any) -> None:
    hooks = {event["hook"] for event in json.loads(host.check_output(f"{WP} cron event list --format=json"))}
    assert {"edubot_daily_report", "edubot_refresh_tokens", "wp_version_check", "wp_update_plugins"} <= hooks
    assert "cron event run" in host.file("/etc/cron.d/wordpress").content_string


def test_php_writes_to_the_log(host: Any) -> None:
    log = host.file("/var/www/html/wp-content/debug.log")
    assert (log.user, log.mode) == ("www-data", 0o640)


CHECKS = {
    "wordpress": {
        "targets": [{"path": "/var/www/html"}],
        "plugins_active": ["edubot-pro"],
        "admins": ["edubot-admin"],
        "core_version": "6.1.9",
        "cron_hooks": ["wp_version_check", "wp_update_plugins", "wp_update_themes", "edubot_daily_report"],
        "checksums": True,
        "own_plugins": ["edubot-pro"],
    },
    "wordpress_value": {
        "path": "/var/www/html",
        "targets": [
            {
                "name": "conversions of the week",
                "expression": "(new EduBot_Admin_Dashboard())->get_kpis('week')",
                "key": "conversions",
                "number": {"warning": "5..", "critical": "1.."},
            }
        ],
    },
    "phpfpm": {
        "targets": [
            {"address": "/run/php/php8.2-fpm.sock", "opcache_script": "/usr/local/share/sre-runbooks/opcache.php"}
        ],
        "answer_within": 2,
    },
}


@pytest.fixture
def look(ask: Any) -> Any:
    """``look()`` asks everything of this file and returns what is not fine, ``id`` → (status, summary)."""

    def red() -> dict[str, tuple[str, str]]:
        result = ask("sre.runbooks.checkup", CHECKS)
        assert len(result["checks"]) == 24
        return {
            check["id"]: (check["status"], check["summary"])
            for check in result["checks"]
            if check["status"] not in ("ok", "skipped")
        }

    return red


def test_a_healthy_site_is_green(look: Any) -> None:
    assert look() == {}


FAULTS = {
    "core file changed": (
        "cp -a /var/www/html/wp-login.php /root/keep; echo '// hello' >>/var/www/html/wp-login.php",
        "mv /root/keep /var/www/html/wp-login.php",
        {"wordpress.core_checksums": ("critical", "1 files are not as published")},
    ),
    "plugin file added": (
        "touch /var/www/html/wp-content/plugins/akismet/shell.php",
        "rm /var/www/html/wp-content/plugins/akismet/shell.php",
        {"wordpress.plugin_checksums": ("critical", "1 files are not as published")},
    ),
    "release insecure, newer one out": (
        """echo '{"6.1.9": "insecure", "6.1.10": "outdated", "6.9": "latest"}' >/srv/wordpress.org/releases.json""",
        """echo '{"6.0": "insecure", "6.1": "insecure", "6.1.9": "latest"}' >/srv/wordpress.org/releases.json""",
        {
            "wordpress.core_security": ("critical", "6.1.9 is known to be insecure"),
            "wordpress.core_update": ("warning", "6.1.9 runs, 6.1.10 (minor) and 6.9 (major) is out"),
        },
    ),
    "wordpress.org away": (
        "mv /srv/wordpress.org/releases.json /root/keep",
        "mv /root/keep /srv/wordpress.org/releases.json",
        {
            "wordpress.core_security": (
                "unknown",
                "wordpress.org cannot be asked for its releases: it answers with status 503",
            ),
            "wordpress.core_checksums": ("unknown", "not compared"),
            "wordpress.plugin_checksums": ("unknown", "akismet"),
        },
    ),
    "crontab lost": (
        "mv /etc/cron.d/wordpress /root/keep",
        "mv /root/keep /etc/cron.d/wordpress",
        {"wordpress.cron_runner": ("critical", "no system cron runs the events")},
    ),
    "plugin deactivated": (
        WP + " plugin deactivate edubot-pro",
        WP + " plugin activate edubot-pro",
        {
            "wordpress.cron_missing": ("critical", "edubot_daily_report is not scheduled"),
            "wordpress.plugins_active": ("critical", "edubot-pro should be and is not"),
            "wordpress_value.number": ("unknown", "EduBot_Admin_Dashboard"),
        },
    ),
    "administrator smuggled in": (
        WP
        + ' eval \'wp_insert_user(array("user_login" => "mallory", "user_pass" => "x", "role" => "administrator"));\'',
        WP
        + ' eval \'require_once ABSPATH . "wp-admin/includes/user.php"; wp_delete_user(get_user_by("login", "mallory")->ID);\'',
        {"wordpress.admins": ("critical", "mallory is and should not be")},
    ),
    "debugging output shown": (
        "sed -i \"s/'WP_DEBUG_DISPLAY', false/'WP_DEBUG_DISPLAY', true/\" /var/www/html/wp-config.php",
        "sed -i \"s/'WP_DEBUG_DISPLAY', true/'WP_DEBUG_DISPLAY', false/\" /var/www/html/wp-config.php",
        {"wordpress.debug": ("critical", "shown to visitors")},
    ),
    "maintenance left on": (
        WP + " maintenance-mode activate; touch -d '-40 minutes' /var/www/html/.maintenance",
        WP + " maintenance-mode deactivate",
        {"wordpress.maintenance": ("critical", "40 minutes")},
    ),
    "php-fpm stopped": (
        "systemctl stop php8.2-fpm",
        "systemctl start php8.2-fpm",
        {
            "phpfpm.ping": ("critical", "does not exist"),
            "phpfpm.listen_queue": ("unknown", "no socket"),
            "wordpress.core_security": ("unknown", "502"),
            "wordpress.core_checksums": ("unknown", "502"),
            "wordpress.plugin_checksums": ("unknown", "502"),
        },
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_red_on_its_own_line_until_it_is_healed(host: Any, look: Any, fault: str) -> None:
    broken, healed, expected = FAULTS[fault]
    try:
        assert host.run(broken).rc == 0
        found = look()
    finally:
        assert host.run(healed).rc == 0
    assert found.keys() == expected.keys()
    for check_id, (status, says) in expected.items():
        assert found[check_id][0] == status
        assert says in found[check_id][1]
    assert look() == {}
