# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is true of a WordPress site. One start of WP-CLI answers nearly everything, and changes nothing.

The commands ``plugin list``, ``theme list`` and ``core check-update`` are not used: before they answer they throw away what
WordPress knows of updates and ask anew, so that an unreachable update server looks as if there were no updates.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import re
import typing as t
import urllib.parse

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe.wp_cli import Site, complaint, evaluate, listed, wp

_FACTS = r"""
call_user_func(function () {
    global $wpdb, $wp_version;
    require_once ABSPATH . 'wp-admin/includes/plugin.php';
    $trouble = array();
    $note = function () use ($wpdb, &$trouble) { if ($wpdb->last_error) { $trouble[] = $wpdb->last_error; } };
    $constant = function ($name) { return defined($name) ? constant($name) : null; };
    $updates = function ($name, $installed) {
        $known = get_site_transient($name);
        $known = is_object($known) ? get_object_vars($known) : array();
        $offered = isset($known['response']) ? (array) $known['response'] : array();
        $fine = isset($known['no_update']) ? (array) $known['no_update'] : array();
        $pending = array();
        foreach ($offered as $key => $offer) {
            $offer = (array) $offer;
            if (isset($installed[$key], $offer['new_version'])
                && version_compare($offer['new_version'], $installed[$key], '>')) {
                $pending[$key] = array($installed[$key], $offer['new_version']);
            }
        }
        return array(
            'checked' => isset($known['response'], $known['last_checked']) ? (int) $known['last_checked'] : null,
            'pending' => (object) $pending,
            'unwatched' => array_values(array_diff(array_keys($installed), array_keys($offered), array_keys($fine))),
            'installed' => count($installed),
        );
    };
    $plugins = wp_list_pluck(get_plugins(), 'Version');
    $themes = array();
    foreach (wp_get_themes() as $key => $theme) { $themes[$key] = (string) $theme->get('Version'); }

    $response = wp_remote_get('https://api.wordpress.org/core/stable-check/1.0/', array('timeout' => SECONDS));
    $releases = is_wp_error($response) ? null : json_decode(wp_remote_retrieve_body($response), true);
    $code = wp_remote_retrieve_response_code($response);
    $problem = is_wp_error($response) ? $response->get_error_message() : ($code == 200 ? null : "it answers with status $code");

    $now = time();
    $cron = _get_cron_array(); $note();
    $hooks = array(); $copies = array(); $late = array(); $total = 0;
    foreach (is_array($cron) ? $cron : array() as $due => $events) {
        foreach ((array) $events as $hook => $scheduled) {
            foreach ((array) $scheduled as $signature => $event) {
                $total++;
                $hooks[$hook] = true;
                if ($due < $now) { $late[] = array($hook, $now - $due); }
                if (!empty($event['schedule'])) {
                    $key = $hook . ' ' . $signature;
                    $copies[$key] = array($hook, isset($copies[$key]) ? $copies[$key][1] + 1 : 1);
                }
            }
        }
    }
    usort($late, function ($a, $b) { return $b[1] - $a[1]; });
    $copies = array_values(array_filter($copies, function ($copy) { return $copy[1] > 1; }));

    $active = get_option('active_plugins'); $note();
    $wide = is_multisite() ? array_keys((array) get_site_option('active_sitewide_plugins', array())) : array(); $note();
    $running = null;
    if (is_array($active)) {
        $running = array();
        foreach (array_merge($active, $wide) as $file) {
            if (file_exists(WP_PLUGIN_DIR . '/' . $file)) {
                $running[] = dirname($file) === '.' ? basename($file, '.php') : dirname($file);
            }
        }
    }
    $powerful = array();
    foreach (wp_roles()->roles as $role => $of) {
        if (!empty($of['capabilities']['manage_options'])) { $powerful[] = $role; }
    }
    $query = version_compare($wp_version, '5.9', '>=') ? array('capability' => 'manage_options') : array('role__in' => $powerful);
    $admins = wp_list_pluck(get_users($query + array('fields' => array('user_login'))), 'user_login'); $note();
    if (is_multisite()) { $admins = array_values(array_unique(array_merge($admins, get_super_admins()))); }

    clearstatcache();
    $file = ABSPATH . '.maintenance';
    $maintenance = null;
    if (file_exists($file)) {
        $until = preg_match('/\$upgrading\s*=\s*(\d+)/', (string) @file_get_contents($file), $found) ? $found[1] + 600 : null;
        $maintenance = array('seconds' => $now - filemtime($file), 'ignored' => $until !== null && $until <= $now);
    }
    $log = $constant('WP_DEBUG_LOG');
    if (in_array(strtolower((string) $log), array('true', '1'), true)) { $log = WP_CONTENT_DIR . '/debug.log'; }
    return array(
        'version' => $wp_version,
        'home' => home_url('/'),
        'path' => ABSPATH,
        'now' => $now,
        'releases' => $releases,
        'releases_problem' => $problem,
        'plugins' => $updates('update_plugins', $plugins),
        'themes' => $updates('update_themes', $themes),
        'cron' => array('events' => $total, 'hooks' => array_keys($hooks), 'late' => array_slice($late, 0, 20),
            'overdue' => count($late), 'copies' => array_slice($copies, 0, 20),
            'surplus' => array_sum(array_map(function ($copy) { return $copy[1] - 1; }, $copies)),
            'by_visits' => !$constant('DISABLE_WP_CRON')),
        'active' => $running,
        'admins' => $admins,
        'debug' => (bool) $constant('WP_DEBUG'),
        'debug_display' => $constant('WP_DEBUG_DISPLAY'),
        'debug_log' => $log ? (string) $log : null,
        'maintenance' => $maintenance,
        'trouble' => $trouble,
    );
})
"""


def facts(site: Site, timeout: float) -> dict[str, t.Any]:
    """Everything that the site itself can tell; see the array that ``_FACTS`` returns for its shape.

    ``releases`` is what wordpress.org says of every release (``latest``, ``outdated``, ``insecure``), None when it cannot be
    asked. That WordPress looked for updates lately proves nothing: it notes the time before it asks. ``checked`` of plugins and
    themes is that time, or None as long as nobody has ever answered.
    """
    answer = evaluate(site, _FACTS.replace("SECONDS", str(int(max(2, timeout / 3)))).strip(), timeout)
    if not isinstance(answer, dict) or "trouble" not in answer:
        raise Unmeasurable(f"WordPress gave an answer of another shape than asked for: {type(answer).__name__}")
    if answer["trouble"]:
        raise Unmeasurable(f"the database refuses queries: {answer['trouble'][0]}"[:300])
    return answer


@dataclasses.dataclass(frozen=True)
class Verified:
    """Files that are not as they were published, each with what is wrong, and plugins nobody could verify, with why."""

    deviating: tuple[str, ...]
    unverified: dict[str, str]


_CORE = re.compile(r"(?m)^Warning: (File (?:doesn't verify against checksum|doesn't exist|should not exist): .+)$")


def core_checksums(site: Site, timeout: float) -> Verified:
    """Files of WordPress itself. Raises :class:`Unmeasurable` when they were not compared."""
    answer = wp(site, ["core", "verify-checksums"], timeout)
    said = answer.stderr + "\n" + answer.stdout
    if "verifies against checksums" not in said and "doesn't verify against checksums." not in said:
        raise Unmeasurable(f"the files were not compared: {complaint(answer)}")
    return Verified(tuple(_CORE.findall(said)), {})


_COUNTED = re.compile(r"Success: Verified|Error: Only verified|Error: No plugins verified")
_SKIPPED = re.compile(r"(?m)^Warning: Could not retrieve the checksums for version \S* ?of plugin ([^\s,]+), skipping")
_UNVERSIONED = re.compile(r"(?m)^Warning: Could not retrieve the version for plugin ([^\s,]+), skipping")
_UNFETCHED = re.compile(r"(?m)^Warning: (Failed to get url .*|Couldn't fetch response from .*)$")


def plugin_checksums(site: Site, timeout: float) -> Verified:
    """Files of plugins from wordpress.org. Raises :class:`Unmeasurable` when they were not compared."""
    answer = wp(site, ["plugin", "verify-checksums", "--all", "--format=json"], timeout)
    said = answer.stderr + "\n" + answer.stdout
    if not _COUNTED.search(said):
        raise Unmeasurable(f"the files were not compared: {complaint(answer)}")
    rows = listed(answer.stdout)
    if answer.rc and not rows:
        raise Unmeasurable(f"some files deviate and wp does not say which: {complaint(answer)}")
    unfetched = {
        plugin: line for line in _UNFETCHED.findall(said) for plugin in re.findall(r"checksums/([^/]+)/", line)
    }
    skipped = [*_SKIPPED.findall(said), *_UNVERSIONED.findall(said)]
    return Verified(
        tuple(f"{row.get('plugin_name')}/{row.get('file')}: {row.get('message')}" for row in rows or ()),
        {plugin: unfetched.get(plugin, "wordpress.org has no checksums of it")[:200] for plugin in skipped},
    )


def doctor(site: Site, timeout: float) -> list[dict[str, t.Any]]:
    """What wp doctor says, one dict with ``name``, ``status`` and ``message`` for each of its checks."""
    answer = wp(site, ["doctor", "check", "--all", "--format=json"], timeout)
    if "'doctor' is not a registered wp command" in answer.stderr:
        raise Unmeasurable("wp doctor is not installed: wp package install wp-cli/doctor-command")
    rows = listed(answer.stdout)
    if rows is None:
        raise Unmeasurable(f"wp doctor gives no verdicts: {complaint(answer)}")
    return rows


CRONTABS = ("/etc/crontab", "/etc/cron.d/*", "/var/spool/cron/crontabs/*", "/var/spool/cron/*")
UNITS = ("/etc/systemd/system/*.service", "/usr/lib/systemd/system/*.service", "/lib/systemd/system/*.service")


def cron_runner(path: str, home: str, root: str = "") -> str | None:
    """The line of a crontab or of a timed unit that runs the events of a site, None when there is none.

    Raises :class:`Unmeasurable` when there is none among those that may be read, and others may not.
    """
    unreadable: list[str] = []
    for pattern in (*CRONTABS, *UNITS):
        for file in sorted(glob.glob(root + pattern)):
            if not os.path.isfile(file):
                continue
            if file.endswith(".service") and not os.path.exists(f"{file[:-8]}.timer"):
                continue
            try:
                with open(file, encoding="utf-8", errors="replace") as lines:
                    found = [line.strip() for line in lines if _runs_events(line, path, home)]
            except OSError:
                unreadable.append(file)
                continue
            if found:
                return f"{file[len(root) :]}: {found[0]}"
    spools = [root + directory for directory in ("/var/spool/cron/crontabs", "/var/spool/cron")]
    unreadable += [spool for spool in spools if os.path.isdir(spool) and not os.access(spool, os.R_OK | os.X_OK)]
    if unreadable:
        raise Unmeasurable(f"whether a system cron runs the events cannot be told: {unreadable[0]} may not be read")
    return None


def _runs_events(line: str, path: str, home: str) -> bool:
    if line.lstrip().startswith("#") or not re.search(r"wp-cron\.php|\bcron event run\b", line):
        return False
    places = (path.rstrip("/"), urllib.parse.urlsplit(home).netloc, "localhost", "127.0.0.1")
    return any(place and place in line for place in places)
