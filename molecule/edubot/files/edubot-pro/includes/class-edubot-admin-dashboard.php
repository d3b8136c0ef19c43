<?php
// Copyright: (c) sre.runbooks contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

defined('ABSPATH') || exit;

/** The dashboard, and the key figures on it. */
class EduBot_Admin_Dashboard
{
    /** Key figures of a period: day, week or month. */
    public function get_kpis($period = 'week')
    {
        global $wpdb;
        $days = array('day' => 1, 'week' => 7, 'month' => 30);
        if (!isset($days[$period])) {
            return null;
        }
        $p = $wpdb->prefix . 'edubot_';
        $since = gmdate('Y-m-d H:i:s', time() - $days[$period] * DAY_IN_SECONDS);
        $sessions = $wpdb->get_var($wpdb->prepare("SELECT count(*) FROM {$p}attribution_sessions WHERE created_at >= %s", $since));
        $row = $wpdb->get_row($wpdb->prepare("SELECT count(*) AS n, sum(value) AS v FROM {$p}conversions WHERE created_at >= %s", $since));
        if ($sessions === null || $row === null) {
            return null;
        }
        return array(
            'period' => $period,
            'sessions' => (int) $sessions,
            'conversions' => (int) $row->n,
            'conversion_rate' => $sessions ? round(100 * $row->n / $sessions, 2) : null,
            'revenue' => $row->v === null ? null : (float) $row->v,
        );
    }

    public static function page()
    {
        $kpis = (new self())->get_kpis('week');
        echo '<div class="wrap" id="edubot-dashboard"><h1>EduBot Dashboard</h1><ul>';
        foreach ((array) $kpis as $name => $value) {
            printf('<li>%s: %s</li>', esc_html($name), esc_html((string) $value));
        }
        echo '</ul></div>';
    }
}
