# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real WordPress, broken and asked: the checks see it, and asking changes nothing."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import wordpress, wordpress_value
from ansible_collections.sre.runbooks.tests.integration.wordpress_site import WP, Site, running_wordpress
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

Look = Callable[..., dict[str, Check]]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_wordpress() as running:
        yield running


@pytest.fixture
def look(site: Site) -> Look:
    """Ask a site that is fine, unless a test has broken it."""
    version = site.wp("core", "version").strip()
    site.wordpress_org_answers(releases={version: "latest"})
    looked = "(object) array('response' => array(), 'last_checked' => time())"
    site.wp("eval", f"wp_clear_scheduled_hook('shop'); set_site_transient('update_plugins', {looked});")

    def ask(**options: Any) -> dict[str, Check]:
        checks = checks_of(wordpress, targets=[{"path": str(site.path)}], executable=str(WP), user=site.user, **options)
        return {check.id.partition(".")[2]: check for check in checks}

    return ask


def test_nothing_is_red_on_a_fresh_site_but_what_was_never_looked_at(look: Look) -> None:
    found = look(admins=["admin"], plugins_active=[])
    not_fine = {name: check.status for name, check in found.items() if check.status not in ("ok", "skipped")}
    assert not_fine == {"theme_updates": "unknown", "debug_log": "warning"}


def test_asking_writes_nothing_to_the_database(site: Site, look: Look) -> None:
    look()
    dump = "echo md5(serialize($wpdb->get_results('select * from wp_options')));"
    before = site.wp("eval", f"global $wpdb; {dump}")
    look()
    assert site.wp("eval", f"global $wpdb; {dump}") == before


def test_a_site_that_was_never_answered_is_not_up_to_date(site: Site, look: Look) -> None:
    """WordPress has just tried, and has noted that it has looked. Nobody answered."""
    site.nobody_answers()
    site.wp("eval", "wp_version_check(array(), true); wp_update_plugins();")
    noted = site.wp("eval", "echo get_site_transient('update_core')->last_checked;")
    assert abs(int(noted) - time.time()) < 60
    found = look()
    assert found["core_security"].status == "unknown"
    assert "Could not resolve host" in found["core_security"].summary
    assert found["plugin_updates"].detail["blocked_by"] == "wordpress.core_security"


def test_an_insecure_version_and_a_pending_update_are_seen(site: Site, look: Look) -> None:
    version = site.wp("core", "version").strip()
    site.wordpress_org_answers(
        releases={version: "insecure", re.sub(r"\d+$", "99", version): "outdated", "99.1": "latest"}
    )
    plugin = site.path / "wp-content/plugins/shop"
    plugin.mkdir()
    (plugin / "shop.php").write_text("<?php\n/*\nPlugin Name: Shop\nVersion: 1.4.1\n*/\n")
    offer = "array('shop/shop.php' => (object) array('new_version' => '1.5.0'), 'gone/gone.php' => (object) array('new_version' => '9'))"
    site.wp(
        "eval",
        f"set_site_transient('update_plugins', (object) array('last_checked' => time(), 'response' => {offer}));",
    )
    found = look(plugins_active=["shop"])
    assert (found["core_security"].status, found["core_update"].value) == ("critical", 2)
    assert found["plugin_updates"].detail["pending"] == {"shop/shop.php": "1.4.1 → 1.5.0"}
    assert (found["plugins_active"].status, found["plugins_active"].detail["missing"]) == ("critical", ["shop"])
    site.wp("plugin", "activate", "shop")
    assert look(plugins_active=["shop"])["plugins_active"].status == "ok"


def test_overdue_missing_and_doubled_events_are_seen(site: Site, look: Look) -> None:
    site.wp(
        "eval", "wp_schedule_event(time() - 7200, 'hourly', 'shop'); wp_schedule_event(time() + 60, 'daily', 'shop');"
    )
    found = look(cron_hooks=["shop", "export"])
    assert found["cron_overdue"].status == "critical"
    assert found["cron_overdue"].summary == "shop has been due for 2 hours"
    assert found["cron_missing"].detail["missing"] == ["export"]
    assert (found["cron_duplicates"].status, found["cron_duplicates"].detail["copies"]) == ("warning", {"shop": 2})


def test_an_administrator_is_seen_however_he_became_one(site: Site, look: Look) -> None:
    """By a role of another name, with the right to do everything."""
    code = "add_role('helper', 'Helper', array('read' => true, 'manage_options' => true));"
    site.wp("eval", code + "$id = wp_create_user('mallory', 'pw', 'm@b.test'); (new WP_User($id))->set_role('helper');")
    try:
        found = look(admins=["admin"])["admins"]
        assert (found.status, found.detail["unexpected"]) == ("critical", ["mallory"])
    finally:
        site.wp("eval", "wp_delete_user(get_user_by('login', 'mallory')->ID); remove_role('helper');")


def test_debugging_maintenance_and_a_missing_runner_are_seen(site: Site, look: Look) -> None:
    site.configure("define('WP_DEBUG', true); define('WP_DEBUG_LOG', true); define('DISABLE_WP_CRON', true);")
    site.wp("maintenance-mode", "activate")
    try:
        found = look()
        assert found["debug"].status == "critical"
        assert found["debug_log"].summary == f"PHP writes to {site.path}/wp-content/debug.log"
        assert found["cron_runner"].status in ("critical", "unknown")
        assert found["maintenance"].status == "warning"
    finally:
        site.wp("maintenance-mode", "deactivate")
        site.configure()
    found = look()
    assert (found["debug"].status, found["maintenance"].status, found["cron_runner"].status) == ("ok", "ok", "ok")


def number(site: Site, expression: str) -> Check:
    target = {"expression": expression, "path": str(site.path)}
    (check,) = checks_of(wordpress_value, targets=[target], executable=str(WP), user=site.user)
    return check


def test_the_site_computes_numbers(site: Site) -> None:
    assert number(site, "wp_count_posts()->publish").value == 1
    assert number(site, "null").status == "unknown"
    broken = number(site, "Shop_Dashboard::kpis()")
    assert broken.status == "unknown"
    assert 'Class "Shop_Dashboard" not found' in broken.summary


def test_code_of_the_site_that_ends_every_request_is_one_unknown(site: Site, look: Look) -> None:
    bad = site.path / "wp-content/mu-plugins/bad.php"
    bad.write_text("<?php add_action('init', function () { undefined_function(); });\n")
    try:
        first, *rest = look().values()
        assert first.status == "unknown"
        assert "undefined_function" in first.summary
        assert {check.status for check in rest} == {"skipped"}
    finally:
        bad.unlink()


def test_a_database_that_is_down_or_hangs_is_one_unknown(site: Site, look: Look) -> None:
    site.mariadb.send_signal(signal.SIGSTOP)
    try:
        first = next(iter(look(timeout=2).values()))
        assert first.status == "unknown"
        assert "within 2 s" in first.summary
    finally:
        site.mariadb.send_signal(signal.SIGCONT)
    socket = site.directory / "db.sock"
    socket.rename(site.directory / "moved.sock")
    try:
        first = next(iter(look().values()))
        assert first.status == "unknown"
        assert "Error establishing a database connection" in first.summary
    finally:
        (site.directory / "moved.sock").rename(socket)
