# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WordPress sites: what WordPress says of itself, judged."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import wordpress as kind
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NOW = 1_800_000_000
HEALTHY: dict[str, Any] = {
    "version": "6.8.7",
    "home": "https://www.example.org/",
    "path": "/var/www/html/",
    "now": NOW,
    "releases": {"6.7": "insecure", "6.8": "insecure", "6.8.7": "latest"},
    "releases_problem": None,
    "plugins": {"checked": NOW - 3600, "pending": {}, "unwatched": ["shop/shop.php"], "installed": 2},
    "themes": {"checked": NOW - 3600, "pending": {}, "unwatched": [], "installed": 1},
    "cron": {
        "events": 8,
        "hooks": ["wp_version_check", "wp_update_plugins", "wp_update_themes", "shop_report"],
        "late": [],
        "overdue": 0,
        "copies": [],
        "surplus": 0,
        "by_visits": True,
    },
    "active": ["shop"],
    "admins": ["admin"],
    "debug": True,
    "debug_display": False,
    "debug_log": "/var/www/html/wp-content/debug.log",
    "maintenance": None,
    "trouble": [],
}
EVERYTHING = {
    "checksums": True,
    "doctor": True,
    "plugins_active": ["shop"],
    "admins": ["admin"],
    "core_version": "6.8.7",
}


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the site tells; a test changes what is not as it should be."""
    told = copy.deepcopy(HEALTHY)
    monkeypatch.setattr(kind.probe, "facts", lambda *_: told)
    monkeypatch.setattr(kind.probe, "core_checksums", lambda *_: kind.probe.Verified((), {}))
    monkeypatch.setattr(kind.probe, "plugin_checksums", lambda *_: kind.probe.Verified((), {}))
    monkeypatch.setattr(
        kind.probe, "doctor", lambda *_: [{"name": "cron-count", "status": "success", "message": "fine"}]
    )
    monkeypatch.setattr(kind.probe, "cron_runner", lambda *_: None)
    return told


def look(**options: Any) -> dict[str, Check]:
    checks = checks_of(kind, **{"targets": [{"path": "/var/www/html"}], **EVERYTHING, **options})
    return {check.id.partition(".")[2]: check for check in checks}


def test_a_healthy_site_keeps_every_promise(facts: dict[str, Any]) -> None:
    assert {name: check.status for name, check in look().items()} == {
        check_id.partition(".")[2]: "ok" for check_id in kind.CHECKS
    }


def test_what_was_not_asked_for_is_skipped(facts: dict[str, Any]) -> None:
    found = statuses(checks_of(kind, targets=[{"path": "/var/www/html"}]))
    assert {check_id for check_id, status in found.items() if status == "skipped"} == {
        "wordpress.core_version",
        "wordpress.core_checksums",
        "wordpress.plugin_checksums",
        "wordpress.plugins_active",
        "wordpress.admins",
        "wordpress.doctor",
    }


def test_a_site_that_does_not_load_is_one_unknown_for_every_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> dict[str, Any]:
        raise Unmeasurable("WordPress cannot be asked: Error establishing a database connection.")

    monkeypatch.setattr(kind.probe, "facts", down)
    first, *rest = checks_of(kind, targets=[{"path": "/var/www/html"}], **EVERYTHING)
    assert (first.id, first.status) == ("wordpress.core_version", "unknown")
    assert "database connection" in first.summary
    assert {check.status for check in rest} == {"skipped"}
    assert {check.detail["blocked_by"] for check in rest} == {"wordpress.core_version"}


# Versions and updates


def test_another_version_than_planned_is_critical(facts: dict[str, Any]) -> None:
    found = look(core_version="6.8.9")["core_version"]
    assert (found.status, found.summary) == ("critical", "6.8.7 runs, and it should be 6.8.9")


@pytest.mark.parametrize(
    ("releases", "security", "update", "newer"),
    [
        ({"6.8.7": "latest"}, "ok", "ok", {}),
        ({"6.8.7": "outdated", "6.8.9": "latest"}, "ok", "warning", {"minor": "6.8.9"}),
        ({"6.8.7": "insecure", "6.8.9": "latest"}, "critical", "warning", {"minor": "6.8.9"}),
        ({"6.8.7": "outdated", "6.9": "outdated", "6.9.1": "latest"}, "ok", "warning", {"major": "6.9.1"}),
        (
            {"6.8.7": "insecure", "6.8.9": "outdated", "6.8.10": "outdated", "7.0": "latest", "7.1-beta1": "x"},
            "critical",
            "warning",
            {"minor": "6.8.10", "major": "7.0"},
        ),
    ],
)
def test_security_is_critical_and_any_other_release_a_warning(
    facts: dict[str, Any], releases: dict[str, str], security: str, update: str, newer: dict[str, str]
) -> None:
    facts["releases"] = releases
    found = look()
    assert (found["core_security"].status, found["core_update"].status) == (security, update)
    assert (found["core_update"].value, found["core_update"].detail["newer"]) == (len(newer), newer)


@pytest.mark.parametrize(
    ("releases", "problem", "reason"),
    [
        (None, "cURL error 6: Could not resolve host", "Could not resolve host"),
        (None, None, "its answer cannot be read"),
        ({}, None, "its answer cannot be read"),
        ({"6.8.9": "latest"}, None, "knows of no release 6.8.7"),
    ],
)
def test_wordpress_org_that_does_not_answer_is_no_sign_of_being_up_to_date(
    facts: dict[str, Any], releases: Any, problem: str | None, reason: str
) -> None:
    facts.update(releases=releases, releases_problem=problem)
    found = look()
    assert found["core_security"].status == "unknown"
    assert reason in found["core_security"].summary
    assert found["core_update"].detail["blocked_by"] == "wordpress.core_security"


@pytest.mark.parametrize("what", ["plugin", "theme"])
def test_pending_updates_are_counted_and_named(facts: dict[str, Any], what: str) -> None:
    facts[f"{what}s"]["pending"] = {"akismet": ["5.0", "5.1"], "forms": ["1.0", "2.0"]}
    found = look(**{f"{what}_updates": {"warning": 1, "critical": 2}})[f"{what}_updates"]
    assert (found.status, found.value, found.unit) == ("warning", 2, "updates")
    assert found.detail["pending"] == {"akismet": "5.0 → 5.1", "forms": "1.0 → 2.0"}


@pytest.mark.parametrize("what", ["plugin", "theme"])
@pytest.mark.parametrize(
    ("checked", "status"),
    [(NOW - 26 * 3600, "ok"), (NOW - 26 * 3600 - 1, "unknown"), (NOW + 7200, "unknown"), (None, "unknown")],
)
def test_old_knowledge_of_updates_is_none(facts: dict[str, Any], what: str, checked: int | None, status: str) -> None:
    facts[f"{what}s"]["checked"] = checked
    assert look()[f"{what}_updates"].status == status


def test_fresh_knowledge_of_updates_is_none_when_the_server_cannot_be_reached(facts: dict[str, Any]) -> None:
    """WordPress notes that it has looked before it looks."""
    facts.update(releases=None, releases_problem="cURL error 28: timed out")
    found = look()
    assert found["plugin_updates"].status == found["theme_updates"].status == "skipped"
    assert found["plugin_updates"].detail["blocked_by"] == "wordpress.core_security"


def test_plugins_that_nobody_looks_after_are_named(facts: dict[str, Any]) -> None:
    assert look()["plugin_updates"].detail["nobody_looks_for"] == ["shop/shop.php"]


# Files


@pytest.mark.parametrize("what", ["core", "plugin"])
def test_a_file_that_deviates_is_critical(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    verified = kind.probe.Verified(("akismet/akismet.php: Checksum does not match",), {"shop": "no checksums"})
    monkeypatch.setattr(kind.probe, f"{what}_checksums", lambda *_: verified)
    found = look()[f"{what}_checksums"]
    assert (found.status, found.value) == ("critical", 1)
    assert found.detail["deviating"] == ["akismet/akismet.php: Checksum does not match"]


@pytest.mark.parametrize("what", ["core", "plugin"])
def test_files_that_could_not_be_compared_are_not_fine(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def offline(*_: object) -> None:
        raise Unmeasurable("the files were not compared: Could not resolve host")

    monkeypatch.setattr(kind.probe, f"{what}_checksums", offline)
    found = look()
    assert found[f"{what}_checksums"].status == "unknown"
    assert found["cron_overdue"].status == "ok"


def test_a_plugin_that_nobody_could_verify_is_unknown_unless_it_is_our_own(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = kind.probe.Verified((), {"shop": "wordpress.org has no checksums of it"})
    monkeypatch.setattr(kind.probe, "plugin_checksums", lambda *_: verified)
    assert look()["plugin_checksums"].status == "unknown"
    assert "shop" in look()["plugin_checksums"].summary
    assert look(own_plugins=["shop"])["plugin_checksums"].status == "ok"


# Scheduled events


@pytest.mark.parametrize(("seconds", "status"), [(900, "ok"), (960, "warning"), (3600, "warning"), (3660, "critical")])
def test_the_longest_overdue_event_is_judged(facts: dict[str, Any], seconds: int, status: str) -> None:
    facts["cron"].update(late=[["shop_report", seconds], ["wp_scheduled_delete", 5]], overdue=2)
    found = look()["cron_overdue"]
    assert (found.status, found.value, found.unit) == (status, seconds / 60, "min")
    assert found.summary.startswith("shop_report has been due for ")


def test_a_site_without_any_event_is_not_punctual(facts: dict[str, Any]) -> None:
    facts["cron"].update(events=0, hooks=[])
    found = look()
    assert (found["cron_overdue"].status, found["cron_missing"].status) == ("unknown", "critical")


def test_an_event_that_is_not_scheduled_is_critical(facts: dict[str, Any]) -> None:
    found = look(cron_hooks=["shop_report", "shop_export"])["cron_missing"]
    assert (found.status, found.summary) == ("critical", "shop_export is not scheduled")
    assert look(cron_hooks=[])["cron_missing"].status == "skipped"


@pytest.mark.parametrize(("surplus", "status"), [(0, "ok"), (1, "warning"), (10, "warning"), (11, "critical")])
def test_copies_of_recurring_events_are_counted(facts: dict[str, Any], surplus: int, status: str) -> None:
    facts["cron"].update(surplus=surplus, copies=[["shop_report", surplus + 1]] if surplus else [])
    assert look()["cron_duplicates"].status == status


@pytest.mark.parametrize(
    ("by_visits", "line", "status"),
    [
        (True, None, "ok"),
        (False, "/etc/cron.d/wp: */5 * * * * www-data wp cron event run --due-now", "ok"),
        (False, None, "critical"),
    ],
)
def test_without_visits_a_system_cron_has_to_run_the_events(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, by_visits: bool, line: str | None, status: str
) -> None:
    facts["cron"]["by_visits"] = by_visits
    monkeypatch.setattr(kind.probe, "cron_runner", lambda *_: line)
    assert look()["cron_runner"].status == status


def test_crontabs_that_may_not_be_read_leave_the_runner_unknown(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise Unmeasurable("/var/spool/cron/crontabs may not be read")

    facts["cron"]["by_visits"] = False
    monkeypatch.setattr(kind.probe, "cron_runner", refused)
    assert look()["cron_runner"].status == "unknown"


# Plugins and people


@pytest.mark.parametrize(
    ("present", "status"),
    [(["shop"], "ok"), (["shop", "toy"], "warning"), ([], "critical"), (["toy"], "critical"), (None, "unknown")],
)
def test_a_plugin_that_is_missing_is_worse_than_one_too_many(
    facts: dict[str, Any], present: list[str] | None, status: str
) -> None:
    facts["active"] = present
    assert look()["plugins_active"].status == status


@pytest.mark.parametrize(
    ("present", "status"),
    [(["admin"], "ok"), (["admin", "intruder"], "critical"), (["other"], "critical"), ([], "unknown")],
)
def test_an_administrator_too_many_is_worse_than_one_missing(
    facts: dict[str, Any], present: list[str], status: str
) -> None:
    facts["admins"] = present
    found = look()["admins"]
    assert found.status == status
    assert look(admins=["admin", "deputy"])["admins"].status == ("warning" if present == ["admin"] else status)


# Debugging, maintenance, wp doctor


@pytest.mark.parametrize(
    ("debug", "display", "status"),
    [
        (False, True, "ok"),
        (True, False, "ok"),
        (True, True, "critical"),
        (True, 1, "critical"),
        (True, None, "unknown"),
    ],
)
def test_debugging_output_is_not_for_visitors(facts: dict[str, Any], debug: bool, display: Any, status: str) -> None:
    facts.update(debug=debug, debug_display=display)
    assert look()["debug"].status == status


@pytest.mark.parametrize(
    ("debug", "log", "status"), [(True, "/d.log", "ok"), (True, None, "warning"), (False, "/d.log", "warning")]
)
def test_a_log_needs_both_constants(facts: dict[str, Any], debug: bool, log: str | None, status: str) -> None:
    facts.update(debug=debug, debug_log=log)
    assert look()["debug_log"].status == status


@pytest.mark.parametrize(
    ("found", "status", "says"),
    [
        (None, "ok", "not in maintenance"),
        ({"seconds": 0, "ignored": False}, "warning", "in maintenance for 0 s"),
        ({"seconds": 1800, "ignored": False}, "warning", "30 minutes"),
        ({"seconds": 1860, "ignored": False}, "critical", "31 minutes"),
        ({"seconds": 7200, "ignored": True}, "critical", "visitors get through again"),
    ],
)
def test_maintenance_is_judged_by_how_long_it_lasts(
    facts: dict[str, Any], found: dict[str, Any] | None, status: str, says: str
) -> None:
    facts["maintenance"] = found
    check = look()["maintenance"]
    assert check.status == status
    assert says in check.summary


def test_verdicts_of_wp_doctor_are_adopted(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": "cron-count", "status": "error", "message": "too many"}]
    monkeypatch.setattr(kind.probe, "doctor", lambda *_: rows)
    assert look()["doctor"].status == "critical"


def test_wp_doctor_that_is_asked_for_and_not_installed_is_unknown(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise Unmeasurable("wp doctor is not installed")

    monkeypatch.setattr(kind.probe, "doctor", absent)
    assert look()["doctor"].status == "unknown"


def test_sites_of_a_network_are_told_apart_by_their_address(facts: dict[str, Any]) -> None:
    targets = [
        {"path": "/w", "url": "https://a.example.org"},
        {"path": "/w", "url": "https://b.example.org"},
        {"path": "/w"},
    ]
    names = {check.target for check in checks_of(kind, targets=targets)}
    assert names == {"https://a.example.org", "https://b.example.org", "/w"}
