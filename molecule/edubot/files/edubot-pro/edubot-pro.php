<?php
// Copyright: (c) sre.runbooks contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/*
Plugin Name: EduBot Pro
Description: The plugin of the runbook, as far as checks and procedures can see it: tables, dashboard, settings, key figures.
Version: 1.4.1
Author: sre.runbooks contributors
*/
defined('ABSPATH') || exit;

require_once __DIR__ . '/includes/class-edubot-tables.php';
require_once __DIR__ . '/includes/class-edubot-connections.php';
require_once __DIR__ . '/includes/class-edubot-admin-dashboard.php';

register_activation_hook(__FILE__, array('EduBot_Tables', 'create'));
register_activation_hook(__FILE__, function () {
    get_role('administrator')->add_cap('edubot_see');
    add_role('edubot_reader', 'EduBot reader', array('read' => true, 'edubot_see' => true));
    if (!wp_next_scheduled('edubot_daily_report')) {
        wp_schedule_event(time() + 600, 'daily', 'edubot_daily_report');
    }
    if (!wp_next_scheduled('edubot_refresh_tokens')) {
        wp_schedule_event(time() + 600, 'hourly', 'edubot_refresh_tokens');
    }
});
register_deactivation_hook(__FILE__, function () {
    wp_clear_scheduled_hook('edubot_daily_report');
    wp_clear_scheduled_hook('edubot_refresh_tokens');
});

add_action('edubot_daily_report', function () { EduBot_Tables::log('info', 'The daily report was sent'); });
add_action('edubot_refresh_tokens', array('EduBot_Connections', 'refresh'));

add_action('admin_menu', function () {
    add_menu_page('EduBot Dashboard', 'EduBot', 'edubot_see', 'edubot-dashboard', array('EduBot_Admin_Dashboard', 'page'));
    add_submenu_page(
        'edubot-dashboard', 'API settings', 'API settings', 'manage_options', 'edubot-api-settings', array('EduBot_Connections', 'page')
    );
});
