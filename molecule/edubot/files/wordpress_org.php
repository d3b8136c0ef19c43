<?php
// Copyright: (c) sre.runbooks contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A STAND-IN for api.wordpress.org and downloads.wordpress.org, as far as WordPress and WP-CLI ask them for versions,
// updates and checksums. What is published is what lies below /srv/wordpress.org; tests change that. For tests only.
//
// releases.json       {"6.1.9": "latest", …}, the verdict on each release
// plugins/NAME/VERSION/…  the files of a version of a plugin; the newest version is offered as an update
// themes/NAME/VERSION/…   the same of a theme
// packages/*.zip      what can be downloaded, as wordpress-VERSION.zip and NAME.VERSION.zip
// core/               the files of the installed release of WordPress, whose checksums are handed out
// core-VERSION/       those of another release

$root = '/srv/wordpress.org';
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

function answer($data)
{
    header('Content-Type: application/json');
    echo json_encode($data);
    exit;
}

function nothing()
{
    http_response_code(404);
    answer(array('error' => 'not found'));
}

function sums($directory)
{
    $found = array();
    if (is_dir($directory)) {
        $all = new RecursiveDirectoryIterator($directory, FilesystemIterator::SKIP_DOTS | FilesystemIterator::FOLLOW_SYMLINKS);
        foreach (new RecursiveIteratorIterator($all) as $file) {
            $found[substr($file->getPathname(), strlen($directory) + 1)] = md5_file($file->getPathname());
        }
    }
    return $found;
}

function newest($directory)
{
    $versions = is_dir($directory) ? array_diff(scandir($directory), array('.', '..')) : array();
    usort($versions, 'version_compare');
    return end($versions);
}

$releases = json_decode((string) @file_get_contents("$root/releases.json"), true);
if (!is_array($releases)) {
    http_response_code(503);
    exit;
}

switch ($path) {
    case '/core/stable-check/1.0/':
        answer($releases);
    case '/core/version-check/1.7/':
        $mine = isset($_GET['version']) ? $_GET['version'] : (isset($_POST['version']) ? $_POST['version'] : '0');
        $offers = array();
        foreach ($releases as $release => $verdict) {
            if (version_compare($release, $mine, '>') || $verdict === 'latest') {
                $zip = "https://downloads.wordpress.org/release/wordpress-$release.zip";
                $offers[] = array('response' => version_compare($release, $mine, '>') ? 'upgrade' : 'latest', 'download' => $zip,
                    'locale' => 'en_US', 'packages' => array('full' => $zip, 'no_content' => false, 'new_bundled' => false,
                    'partial' => false, 'rollback' => false), 'current' => $release, 'version' => $release, 'php_version' => '7.0',
                    'mysql_version' => '5.0', 'new_bundled' => '6.1', 'partial_version' => false);
            }
        }
        answer(array('offers' => $offers, 'translations' => array()));
    case '/core/checksums/1.0/':
        $release = isset($_GET['version'], $releases[$_GET['version']]) ? $_GET['version'] : null;
        answer(array('checksums' => $release ? sums(is_dir("$root/core-$release") ? "$root/core-$release" : "$root/core") : false));
    case '/plugins/update-check/1.1/':
        $asked = json_decode(isset($_POST['plugins']) ? $_POST['plugins'] : '', true);
        $newer = $same = array();
        foreach (isset($asked['plugins']) ? $asked['plugins'] : array() as $file => $plugin) {
            $name = dirname($file);
            $version = newest("$root/plugins/$name");
            if ($version) {
                $offer = array('id' => "w.org/plugins/$name", 'slug' => $name, 'plugin' => $file, 'new_version' => $version,
                    'package' => "https://downloads.wordpress.org/plugin/$name.$version.zip", 'url' => "https://wordpress.org/plugins/$name/");
                version_compare($version, $plugin['Version'], '>') ? $newer[$file] = $offer : $same[$file] = $offer;
            }
        }
        answer(array('plugins' => (object) $newer, 'no_update' => (object) $same, 'translations' => array()));
    case '/themes/update-check/1.1/':
        $asked = json_decode(isset($_POST['themes']) ? $_POST['themes'] : '', true);
        $newer = $same = array();
        foreach (isset($asked['themes']) ? $asked['themes'] : array() as $name => $theme) {
            $version = newest("$root/themes/$name");
            if ($version) {
                $offer = array('theme' => $name, 'new_version' => $version, 'url' => "https://wordpress.org/themes/$name/",
                    'package' => "https://downloads.wordpress.org/theme/$name.$version.zip");
                version_compare($version, $theme['Version'], '>') ? $newer[$name] = $offer : $same[$name] = $offer;
            }
        }
        answer(array('themes' => (object) $newer, 'no_update' => (object) $same, 'translations' => array()));
}
if (preg_match('#^/plugin-checksums/([\w-]+)/([\w.-]+)\.json$#', $path, $found) && is_dir("$root/plugins/{$found[1]}/{$found[2]}")) {
    $files = array();
    foreach (sums("$root/plugins/{$found[1]}/{$found[2]}") as $file => $sum) {
        $files[$file] = array('md5' => $sum);
    }
    answer(array('plugin' => $found[1], 'version' => $found[2], 'files' => $files));
}
if (preg_match('#^/(release|plugin|theme)/([\w.-]+\.zip)$#', $path, $found) && is_file("$root/packages/{$found[2]}")) {
    header('Content-Type: application/zip');
    readfile("$root/packages/{$found[2]}");
    exit;
}
nothing();
