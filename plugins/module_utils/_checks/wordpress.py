# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""WordPress sites: versions and updates, files as published, scheduled events, plugins, admins, debugging, maintenance."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._adapt import wp_doctor
from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import wordpress as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe.wp_cli import Site
from ansible_collections.sre.runbooks.plugins.module_utils._words import span

CHECKS = {
    "wordpress.core_version": "WordPress runs in the version that it should.",
    "wordpress.core_security": "The version of WordPress has no known security holes.",
    "wordpress.core_update": "WordPress is up to date.",
    "wordpress.plugin_updates": "The plugins are up to date.",
    "wordpress.theme_updates": "The themes are up to date.",
    "wordpress.core_checksums": "The files of WordPress are as they were published.",
    "wordpress.plugin_checksums": "The files of the plugins are as they were published.",
    "wordpress.cron_overdue": "Scheduled events run when they are due.",
    "wordpress.cron_missing": "Every event that should be scheduled is.",
    "wordpress.cron_duplicates": "No recurring event is scheduled twice.",
    "wordpress.cron_runner": "Something runs the scheduled events.",
    "wordpress.plugins_active": "The plugins that should be active are, and no others.",
    "wordpress.admins": "Those who should be administrators are, and no others.",
    "wordpress.debug": "Visitors see no debugging output.",
    "wordpress.debug_log": "What PHP has to complain about is written to a log.",
    "wordpress.maintenance": "The site is not left in maintenance.",
    "wordpress.doctor": "The checks of wp doctor are content.",
}
TARGET: dict[str, t.Any] = {"path": {"type": "path", "required": True}, "url": {"type": "str"}}
ANY = (0, float("inf"))
TUNING: dict[str, t.Any] = {
    "user": {"type": "str"},
    "executable": {"type": "path", "default": "wp"},
    "core_version": {"type": "str"},
    "core_update": limits(0, unit="releases", possible=ANY),
    "plugin_updates": limits(0, unit="updates", possible=ANY),
    "theme_updates": limits(0, unit="updates", possible=ANY),
    "looked_within": {"type": "float", "default": 26.0},
    "checksums": {"type": "bool", "default": False},
    "core_checksums": limits(critical=0, unit="files", possible=ANY),
    "plugin_checksums": limits(critical=0, unit="files", possible=ANY),
    "own_plugins": {"type": "list", "elements": "str", "default": []},
    "cron_overdue": limits(15, 60, unit="min", possible=ANY),
    "cron_hooks": {
        "type": "list",
        "elements": "str",
        "default": ["wp_version_check", "wp_update_plugins", "wp_update_themes"],
    },
    "cron_duplicates": limits(0, 10, unit="events", possible=ANY),
    "plugins_active": {"type": "list", "elements": "str"},
    "admins": {"type": "list", "elements": "str"},
    "maintenance": limits(0, 30, unit="min", possible=ANY),
    "doctor": {"type": "bool", "default": False},
}
LINES = 20

Facts = t.Dict[str, t.Any]
Target = t.Dict[str, t.Any]


def name(target: t.Mapping[str, t.Any]) -> str:
    """The URL tells the sites of a network apart; they share their path."""
    return str(target["url"] or target["path"])


def measure(target: Target) -> t.Iterator[Check]:
    site = Site(target["path"], target["url"], target["user"], target["executable"])
    facts = probe.facts(site, target["timeout"])
    yield from _core(target, facts)
    for what in ("plugin", "theme"):
        yield _updates(target, facts, what)
    yield _checksums(target, "core", lambda: probe.core_checksums(site, target["timeout"]))
    yield _checksums(target, "plugin", lambda: probe.plugin_checksums(site, target["timeout"]))
    yield from _cron(target, facts)
    yield _set(target, "wordpress.plugins_active", "plugin", facts["active"], missing="critical", foreign="warning")
    yield _set(target, "wordpress.admins", "administrator", facts["admins"], missing="warning", foreign="critical")
    yield from _debug(target["name"], facts)
    yield _maintenance(target, facts["maintenance"])
    yield _doctor(target, site)


def _core(target: Target, facts: Facts) -> t.Iterator[Check]:
    version = str(facts["version"])
    if target["core_version"]:
        fine = version == target["core_version"]
        summary = f"{version} runs" if fine else f"{version} runs, and it should be {target['core_version']}"
        yield Check.expect("wordpress.core_version", target["name"], fine, summary)
    else:
        yield Check.skipped("wordpress.core_version", target["name"], f"not asked for: {version} runs")
    problem = _silence(facts, version)
    if problem:
        yield Check.unknown("wordpress.core_security", target["name"], problem)
        yield _blocked("wordpress.core_update", target["name"], "wordpress.core_security", problem)
        return
    safe = facts["releases"][version] != "insecure"
    verdict = "has no security holes that wordpress.org knows of" if safe else "is known to be insecure"
    yield Check.expect("wordpress.core_security", target["name"], safe, f"{version} {verdict}")
    newer = newer_releases(version, facts["releases"])
    yield Check.judge(
        "wordpress.core_update",
        target["name"],
        len(newer),
        target["core_update"],
        f"{version} runs, {' and '.join(f'{release} ({kind})' for kind, release in newer.items()) or 'nothing newer'} is out",
        installed=version,
        newer=newer,
    )


def _silence(facts: Facts, version: str) -> str | None:
    """Why nobody can say how recent a version is."""
    if facts["releases_problem"] or not isinstance(facts["releases"], dict) or not facts["releases"]:
        return f"wordpress.org cannot be asked for its releases: {facts['releases_problem'] or 'its answer cannot be read'}"
    return None if version in facts["releases"] else f"wordpress.org knows of no release {version}"


def newer_releases(version: str, releases: t.Mapping[str, str]) -> dict[str, str]:
    """The newest ``minor`` release of the same branch and the newest ``major`` release, as far as they are newer."""
    installed = _ordered(version)
    numbered = [release for release in releases if re.fullmatch(r"\d+\.\d+(\.\d+)?", release)]
    newer = sorted((release for release in numbered if _ordered(release) > installed), key=_ordered)
    kinds = {"minor" if _ordered(release)[:2] == installed[:2] else "major": release for release in newer}
    return dict(sorted(kinds.items(), reverse=True))


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _blocked(check_id: str, target: str, by: str, reason: str) -> Check:
    return Check.skipped(check_id, target, f"not measured, see {by}: {reason}", blocked_by=by)


def _updates(target: Target, facts: Facts, what: str) -> Check:
    check_id, known = f"wordpress.{what}_updates", facts[f"{what}s"]
    if facts["releases_problem"]:
        # WordPress notes that it looked before it looks: only a server that can be reached makes its memory credible.
        return _blocked(check_id, target["name"], "wordpress.core_security", "wordpress.org cannot be asked")
    if known["checked"] is None:
        return Check.unknown(check_id, target["name"], f"WordPress has never looked for updates of its {what}s")
    hours = (facts["now"] - known["checked"]) / 3600
    if not -1 <= hours <= target["looked_within"]:
        return Check.unknown(
            check_id,
            target["name"],
            f"WordPress last looked for updates {span(abs(hours) * 3600)} ago, its knowledge is old",
        )
    pending = {key: f"{old} → {new}" for key, (old, new) in sorted(known["pending"].items())}
    return Check.judge(
        check_id,
        target["name"],
        len(pending),
        target[f"{what}_updates"],
        f"{len(pending)} of {known['installed']} {what}s have an update",
        pending=dict(list(pending.items())[:LINES]),
        nobody_looks_for=known["unwatched"][:LINES],
    )


def _checksums(target: Target, what: str, verify: t.Callable[[], probe.Verified]) -> Check:
    check_id = f"wordpress.{what}_checksums"
    if not target["checksums"]:
        return Check.skipped(check_id, target["name"], "not asked for: checksums is off")
    try:
        verified = verify()
    except Unmeasurable as exc:
        return Check.unknown(check_id, target["name"], str(exc))
    deviating = list(verified.deviating[:LINES])
    unverified = {plugin: why for plugin, why in verified.unverified.items() if plugin not in target["own_plugins"]}
    if unverified and not deviating:
        plugin, why = next(iter(unverified.items()))
        return Check.unknown(
            check_id,
            target["name"],
            f"{len(unverified)} plugins could not be verified: {plugin}: {why}",
            unverified=unverified,
        )
    return Check.judge(
        check_id,
        target["name"],
        len(verified.deviating),
        target[check_id.partition(".")[2]],
        f"{len(verified.deviating)} files are not as published",
        deviating=deviating,
        unverified=sorted(verified.unverified),
    )


def _cron(target: Target, facts: Facts) -> t.Iterator[Check]:
    cron, site = facts["cron"], target["name"]
    late = cron["late"]
    if not cron["events"]:
        yield Check.unknown("wordpress.cron_overdue", site, "no event is scheduled, not even those of WordPress itself")
    else:
        minutes = round(late[0][1] / 60, 1) if late else 0
        yield Check.judge(
            "wordpress.cron_overdue",
            site,
            minutes,
            target["cron_overdue"],
            f"{late[0][0]} has been due for {span(late[0][1])}"
            if late
            else f"none of {cron['events']} events is overdue",
            overdue=cron["overdue"],
            events=[f"{hook}: due for {span(seconds)}" for hook, seconds in late],
        )
    missing = [hook for hook in target["cron_hooks"] if hook not in cron["hooks"]]
    summary = f"{missing[0]} is not scheduled" if missing else "all events that should be scheduled are"
    if target["cron_hooks"]:
        yield Check.expect("wordpress.cron_missing", site, not missing, summary, missing=missing)
    else:
        yield Check.skipped("wordpress.cron_missing", site, "not asked for: cron_hooks names no event")
    yield Check.judge(
        "wordpress.cron_duplicates",
        site,
        cron["surplus"],
        target["cron_duplicates"],
        f"{cron['surplus']} recurring events are scheduled once more than needed",
        copies=dict(cron["copies"]),
    )
    yield _runner(site, facts)


def _runner(site: str, facts: Facts) -> Check:
    if facts["cron"]["by_visits"]:
        return Check.expect("wordpress.cron_runner", site, True, "visits of the site run the events")
    try:
        line = probe.cron_runner(facts["path"], facts["home"])
    except Unmeasurable as exc:
        return Check.unknown("wordpress.cron_runner", site, str(exc))
    summary = "a system cron runs the events" if line else "DISABLE_WP_CRON is set, and no system cron runs the events"
    return Check.expect("wordpress.cron_runner", site, line is not None, summary, line=line)


def _set(target: Target, check_id: str, what: str, present: list[str] | None, missing: str, foreign: str) -> Check:
    """Compare names with those expected; which of missing and foreign is worse depends on what they are."""
    if present is None or (not present and check_id == "wordpress.admins"):
        # Also when nothing is expected: a site without administrators does not exist, an unanswered query does.
        return Check.unknown(check_id, target["name"], f"WordPress names no {what}, which cannot be")
    expected = target[check_id.partition(".")[2]]
    if expected is None:
        return Check.skipped(
            check_id, target["name"], "not asked for: no names are expected", present=sorted(present)[:LINES]
        )
    absent, unexpected = sorted(set(expected) - set(present)), sorted(set(present) - set(expected))
    said = [f"{', '.join(absent[:3])} should be and is not"] if absent else []
    said += [f"{', '.join(unexpected[:3])} is and should not be"] if unexpected else []
    return Check.expect(
        check_id,
        target["name"],
        not said,
        f"{what}s: {'; '.join(said) or f'{len(expected)} as expected'}",
        otherwise="critical"
        if "critical" in ([missing] if absent else []) + ([foreign] if unexpected else [])
        else "warning",
        missing=absent[:LINES],
        unexpected=unexpected[:LINES],
    )


def _debug(site: str, facts: Facts) -> t.Iterator[Check]:
    shown = facts["debug"] and facts["debug_display"] not in (False, None)
    if facts["debug"] and facts["debug_display"] is None:
        reason = "WP_DEBUG is on and WP_DEBUG_DISPLAY is null: php.ini decides whether visitors see its output"
        yield Check.unknown("wordpress.debug", site, reason)
    else:
        how = "on and shown to visitors" if shown else "on and hidden from visitors" if facts["debug"] else "off"
        yield Check.expect("wordpress.debug", site, not shown, f"WP_DEBUG is {how}")
    # Without WP_DEBUG, WordPress does not look at WP_DEBUG_LOG.
    logged = facts["debug"] and facts["debug_log"] is not None
    summary = f"PHP writes to {facts['debug_log']}" if logged else "WP_DEBUG and WP_DEBUG_LOG are not both on"
    yield Check.expect("wordpress.debug_log", site, bool(logged), summary, otherwise="warning")


def _maintenance(target: Target, found: dict[str, t.Any] | None) -> Check:
    minutes = round(max(0, found["seconds"]) / 60, 1) if found else 0
    summary = "the site is not in maintenance"
    if found and found["ignored"]:
        summary = f"a maintenance of {span(found['seconds'])} ago left .maintenance behind; visitors get through again"
    elif found:
        summary = f"the site has been in maintenance for {span(found['seconds'])}"
    # Just switched on is on: the first minute must not look like no maintenance at all.
    value = max(minutes, 0.1) if found else 0
    return Check.judge("wordpress.maintenance", target["name"], value, target["maintenance"], summary)


def _doctor(target: Target, site: Site) -> Check:
    if not target["doctor"]:
        return Check.skipped("wordpress.doctor", target["name"], "not asked for: doctor is off")
    return wp_doctor.check("wordpress.doctor", target["name"], probe.doctor(site, target["timeout"]))
