<?php
// Copyright: (c) sre.runbooks contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

defined('ABSPATH') || exit;

/** The five tables of the plugin. */
class EduBot_Tables
{
    /** Make the tables, and fill those that are empty: a quarter of a year of visits, leads and log rows. */
    public static function create()
    {
        global $wpdb;
        require_once ABSPATH . 'wp-admin/includes/upgrade.php';
        $about = $wpdb->get_charset_collate();
        $p = $wpdb->prefix . 'edubot_';
        dbDelta("CREATE TABLE {$p}attribution_sessions (
            session_id bigint unsigned NOT NULL AUTO_INCREMENT,
            visitor varchar(64) NOT NULL,
            channel varchar(32) NOT NULL,
            created_at datetime NOT NULL,
            PRIMARY KEY  (session_id),
            KEY created_at (created_at)
        ) $about;");
        dbDelta("CREATE TABLE {$p}conversions (
            conversion_id bigint unsigned NOT NULL AUTO_INCREMENT,
            session_id bigint unsigned NOT NULL,
            value decimal(10,2) NOT NULL,
            created_at datetime NOT NULL,
            PRIMARY KEY  (conversion_id),
            KEY created_at (created_at),
            KEY session_id (session_id)
        ) $about;");
        dbDelta("CREATE TABLE {$p}attributions (
            attribution_id bigint unsigned NOT NULL AUTO_INCREMENT,
            conversion_id bigint unsigned NOT NULL,
            channel varchar(32) NOT NULL,
            share decimal(5,4) NOT NULL,
            PRIMARY KEY  (attribution_id),
            KEY conversion_id (conversion_id)
        ) $about;");
        dbDelta("CREATE TABLE {$p}report_schedules (
            schedule_id bigint unsigned NOT NULL AUTO_INCREMENT,
            name varchar(64) NOT NULL,
            frequency varchar(16) NOT NULL,
            last_sent datetime NULL,
            PRIMARY KEY  (schedule_id)
        ) $about;");
        dbDelta("CREATE TABLE {$p}logs (
            log_id bigint unsigned NOT NULL AUTO_INCREMENT,
            level varchar(16) NOT NULL,
            message text NOT NULL,
            created_at datetime NOT NULL,
            PRIMARY KEY  (log_id),
            KEY created_at (created_at)
        ) $about;");
        if (!$wpdb->get_var("SELECT count(*) FROM {$p}attribution_sessions")) {
            self::fill($p);
        }
    }

    private static function fill($p)
    {
        global $wpdb;
        $channels = array('facebook', 'google', 'tiktok', 'linkedin');
        for ($n = 0; $n < 400; $n++) {
            $channel = $channels[$n % 4];
            $at = gmdate('Y-m-d H:i:s', time() - $n * 5400);
            $wpdb->insert("{$p}attribution_sessions", array('visitor' => md5("visitor $n"), 'channel' => $channel, 'created_at' => $at));
            if ($n % 5 === 0) {
                $wpdb->insert("{$p}conversions", array('session_id' => $wpdb->insert_id, 'value' => 100 + $n, 'created_at' => $at));
                $wpdb->insert("{$p}attributions", array('conversion_id' => $wpdb->insert_id, 'channel' => $channel, 'share' => 1));
            }
        }
        foreach (array('daily', 'weekly', 'monthly') as $frequency) {
            $wpdb->insert("{$p}report_schedules", array('name' => "$frequency report", 'frequency' => $frequency));
        }
        // 120 days of log rows, 30 of which are older than the 90 days that the runbook keeps them.
        for ($day = 0; $day < 120; $day++) {
            $at = gmdate('Y-m-d H:i:s', time() - $day * DAY_IN_SECONDS);
            for ($n = 0; $n < 10; $n++) {
                $wpdb->insert("{$p}logs", array('level' => 'info', 'message' => "Session $n of the day was attributed", 'created_at' => $at));
            }
        }
    }

    public static function log($level, $message)
    {
        global $wpdb;
        $row = array('level' => $level, 'message' => $message, 'created_at' => gmdate('Y-m-d H:i:s'));
        $wpdb->insert($wpdb->prefix . 'edubot_logs', $row);
    }
}
