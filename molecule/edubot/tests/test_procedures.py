# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runbook changes, done for real: what is refused, what changes, what comes back, and what a kill leaves."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

SITE = "/var/www/html"
PATCHES = "/var/lib/sre-runbooks/patches/var_www_html"
WP = f"setpriv --reuid=www-data --regid=www-data --init-groups wp --path={SITE}"
VISIT = "import urllib.request as r; print(r.urlopen('https://edubot.example.org/').status)"

# Publishes a release, a plugin or a theme on the stand-in for wordpress.org: publish WHAT NAME VERSION EDIT, where EDIT is a
# command that makes the new version out of the installed one.
PUBLISH = r"""
publish() {
  set -e
  cd /srv/wordpress.org
  case $1 in
    core) from=core; to=core-$3; name=wordpress; zip=wordpress-$3.zip ;;
    *) from=/var/www/html/wp-content/$1s/$2; to=$1s/$2/$3; name=$2; zip=$2.$3.zip ;;
  esac
  work=$(mktemp -d)
  cp -a $from "$work/$name"
  (cd "$work/$name"; eval "$4")
  (cd "$work"; zip -qr0 "/srv/wordpress.org/packages/$zip" "$name")
  mkdir -p "$(dirname "$to")"
  mv "$work/$name" "$to"
  rmdir "$work"
}
"""


UPDATE: dict[str, Any] = {
    "path": SITE,
    "proven": 0,
    "smoke": {
        "targets": [{"url": "https://edubot.example.org/"}],
        "latency": {"critical": "never", "warning": "never"},
    },
}
ONLY_REPAIR = {**UPDATE, "core": "none", "plugins": False, "themes": False}
QUICK = ("--tags", "patch_wordpress", "-e", "patch_wordpress_proven=0 patch_wordpress_packages=false")
PLACES = "/var/www/html /srv/wordpress.org /var/lib/sre-runbooks /var/log/nginx /etc/apt /var/lib/apt"
KEEP = f"""
mkdir /root/new
cp -a --parents {PLACES} /root/new
mariadb-dump --single-transaction wordpress_db >/root/new/wordpress_db.sql
mv /root/new /root/keep
"""
BRING_BACK = f"""
for place in {PLACES}; do rsync -a --delete /root/keep$place/ $place/; done
mariadb wordpress_db </root/keep/wordpress_db.sql
dpkg --purge --force-hold sre-tiny sre-held 2>/dev/null
rm -rf /root/before /srv/apt /run/reboot-required* /run/sre /usr/local/bin/cp
systemctl restart php8.2-fpm
nginx -s reopen
"""


@pytest.fixture(scope="module", autouse=True)
def everything_comes_back(host: Any) -> Iterator[None]:
    """Whatever is published, updated and proven here is gone afterwards: other tests find the host as it was, even when
    somebody kills these. Events of WordPress rest meanwhile: they write what is compared here.
    """
    host.check_output("systemctl stop cron")
    first = f"if [ -d /root/keep ]; then {BRING_BACK} else rm -rf /root/new; {KEEP} fi"
    host.check_output("bash -ec %s", first)
    yield
    host.check_output("bash -ec %s", f"{BRING_BACK} rm -r /root/keep; systemctl start cron")


@pytest.fixture(scope="module")
def publish(host: Any) -> Callable[..., None]:
    def say(what: str, name: str, version: str, edit: str) -> None:
        done = host.run("bash -c %s", f"{PUBLISH}\npublish {what} '{name}' {version} '{edit}'")
        assert done.rc == 0, done.stderr

    return say


def release(host: Any, version: str) -> None:
    host.check_output("echo %s >/srv/wordpress.org/releases.json", json.dumps({"6.1.9": "insecure", version: "latest"}))


@pytest.fixture
def fresh(host: Any) -> None:
    """The site as it was, with nothing new published."""
    host.check_output("rsync -a --delete /root/keep/var/www/html/ /var/www/html/")
    host.check_output("rsync -a --delete /root/keep/srv/wordpress.org/ /srv/wordpress.org/")
    host.check_output(f"mariadb wordpress_db </root/keep/wordpress_db.sql; rm -rf {PATCHES}")
    host.check_output("systemctl restart php8.2-fpm")


def visited(host: Any) -> str:
    """The status that a visitor gets."""
    seen = host.run("python3 -c %s", VISIT)
    return str(seen.stdout.strip() or seen.stderr.strip().splitlines()[-1])


# Every row of the tables but what visits and cron keep writing.
FORGETS = "option_name like '%transient%' or option_name in ('cron', 'auto_core_update_notified')"
ROWS = f"""
mariadb wordpress_db -e "delete from wp_options where {FORGETS}; delete from wp_usermeta where meta_key = 'session_tokens'"
mariadb-dump --skip-dump-date --skip-extended-insert --ignore-table=wordpress_db.wp_edubot_logs wordpress_db |
sed 's/ AUTO_INCREMENT=[0-9]*//' """


def remember(host: Any) -> None:
    """Keep what the site is, for ``changes``."""
    files = f"mkdir -p /root/before; rsync -a --delete {SITE}/ /root/before/site/"
    host.check_output("bash -ec %s", f"{files}; {ROWS} >/root/before/rows")


def changes(host: Any) -> str:
    """What has changed since: files, their owner, mode or content, and rows. Empty for nothing.

    The site's log does not count, nor what WordPress has unpacked for an update.
    """
    options = (
        "-rlpgoD --checksum --delete --dry-run --itemize-changes --exclude=debug.log --exclude=/wp-content/upgrade"
    )
    files = f"rsync {options} {SITE}/ /root/before/site/"
    lines = f"diff -r --exclude=debug.log --exclude=upgrade /root/before/site {SITE}"
    rows = f"diff /root/before/rows <({ROWS})"
    return str(host.check_output("bash -c %s", f"({files}; {lines}; {rows}) 2>&1 | cut -c1-300 | head -n 60"))


def versions(host: Any) -> dict[str, str]:
    code = """
        require_once ABSPATH . "wp-admin/includes/plugin.php";
        echo json_encode(array("core" => $GLOBALS["wp_version"], "akismet" => get_plugins("/akismet")["akismet.php"]["Version"],
            "theme" => wp_get_theme()->get("Version")));"""
    return dict(json.loads(host.check_output(f"{WP} eval %s", code)))


def updates(report: Any) -> dict[str, tuple[str, str]]:
    return {
        record["target"].removeprefix(f"{SITE} "): (record["status"], record["summary"])
        for record in report.data["records"]
        if record["id"] == "patch.update"
    }


# The way back


PROOF = "/var/lib/sre-runbooks/proofs/edubot.json"


def prove(ask: Any) -> list[dict[str, Any]]:
    given = {"source": "/backups/edubot/*/db_backup_*.sql.gz", "database": "wordpress_db", "name": "edubot"}
    return list(ask("sre.runbooks.restore_proof", {"targets": [given]})["checks"])


def test_nothing_is_touched_without_a_proven_backup(host: Any, occasion: Any) -> None:
    host.check_output("rm -rf /var/lib/sre-runbooks/proofs")
    remember(host)
    report = occasion("patching", "--tags", "patch_wordpress")
    assert "no backup has ever been restored to prove it" in report.record(f"patch.site@{SITE}")["summary"]
    assert report.red[f"patch.site@{SITE}"] == "unknown"
    assert "changed=0" in report.output
    assert "Install what Debian or Ubuntu have for security" not in report.output
    assert changes(host) == ""


def test_a_proof_that_is_stale_does_not_count_and_a_real_one_does(host: Any, ask: Any) -> None:
    proven = {check["id"]: check["status"] for check in prove(ask)}
    assert proven["restore.proof"] == "ok", proven
    given = {key: value for key, value in ONLY_REPAIR.items() if key != "proven"}
    assert ask("sre.runbooks.wordpress_update", given)["status"] == "ok"
    host.check_output(
        f'cp {PROOF} /root/proof.json; sed -i -E \'s/"at": "[^"]*"/"at": "2020-01-01T00:00:00Z"/\' {PROOF}'
    )
    try:
        refused = ask("sre.runbooks.wordpress_update", given)
    finally:
        host.check_output(f"mv /root/proof.json {PROOF}")
    assert refused["status"] == "unknown"
    assert "days ago, 8 are allowed" in refused["checks"][-1]["summary"]


# What is updated


PACKAGES = r"""
set -e
mkdir -p /srv/apt; cd /srv/apt
build() {
  mkdir -p "$1/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\n' $1 $2 >$1/DEBIAN/control
  printf 'Maintainer: nobody <nobody@example.org>\nDescription: for a test\n' >>$1/DEBIAN/control
  if [ $1 = sre-tiny ]; then
    # From its first update on it wants a reboot.
    printf '#!/bin/sh\n[ -z "$2" ] || { touch /run/reboot-required; echo %s >/run/reboot-required.pkgs; }\n' $1 >$1/DEBIAN/postinst
    chmod 755 $1/DEBIAN/postinst
  fi
  dpkg-deb --build --root-owner-group $1 $1_$2.deb >/dev/null; rm -r $1
}
for name in sre-tiny sre-held; do
  build $name 1.0; dpkg -i ${name}_1.0.deb >/dev/null; rm ${name}_1.0.deb; build $name 1.1
done
apt-mark hold sre-held >/dev/null
for deb in *.deb; do
  dpkg-deb --field $deb
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $deb $(stat -c %s $deb) $(sha256sum <$deb | cut -d' ' -f1)
done >Packages
printf 'Origin: Debian\nLabel: Debian-Security\nSuite: oldstable-security\nCodename: bookworm-security\n' >Release
printf 'Date: %s\nSHA256:\n %s %s Packages\n' "$(date -Ru)" $(sha256sum <Packages | cut -d' ' -f1) $(stat -c %s Packages) >>Release
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/apt ./' >/etc/apt/sources.list.d/sre.list
rm -rf /var/lib/apt/lists/* /var/lib/apt/periodic/*
touch -d yesterday /var/lib/apt/lists
"""


@pytest.mark.usefixtures("fresh")
def test_what_works_is_updated_what_breaks_the_site_comes_back_and_all_of_it_is_told(
    host: Any, ask: Any, occasion: Any, publish: Any
) -> None:
    if not host.file(PROOF).exists:
        prove(ask)
    host.check_output(f"{WP} plugin activate akismet")
    publish("core", "", "6.1.10", 'sed -i "s/6[.]1[.]9/6.1.10/" wp-includes/version.php')
    publish("theme", "twentytwentythree", "9.0", 'sed -i "s/^Version:.*/Version: 9.0/" style.css')
    publish("plugin", "akismet", "5.5", 'sed -i "s/^Version: .*/Version: 5.5/; \\$ a not_a_function();" akismet.php')
    release(host, "6.1.10")
    host.check_output("bash -c %s", PACKAGES)
    before = versions(host)

    report = occasion("patching")
    assert versions(host) == {"core": "6.1.10", "akismet": before["akismet"], "theme": "9.0"}
    told = updates(report)
    assert told["core"] == ("ok", "updated from 6.1.9 to 6.1.10")
    assert told["theme twentytwentythree"] == ("ok", f"updated from {before['theme']} to 9.0")
    assert told["plugin akismet"][0] == "warning"
    assert "5.5 does not work" in told["plugin akismet"][1]
    assert f"{before['akismet']} is back" in told["plugin akismet"][1]
    assert visited(host) == "200"

    assert host.package("sre-tiny").version == "1.1"
    assert host.package("sre-held").version == "1.0"
    assert "asked for by sre-tiny" in report.record("package.reboot@packages")["summary"]
    assert "sre-held" in json.dumps(report.record("package.held@packages")["detail"])

    again = occasion("patching", "--tags", "patch_wordpress", "-e", '{"patch_wordpress_keep": ["akismet"]}')
    assert "changed=0" in again.output
    assert updates(again) == {SITE: ("ok", "there was nothing to update")}


# What is undone


# It changes the tables of WordPress and notes that last, a row of a plugin comes from whoever visits meanwhile, and then no
# page is shown.
CHANGES = r"""
\$wpdb->query(\"ALTER TABLE wp_links ADD sre_shape int\");
\$wpdb->query(\"INSERT INTO wp_edubot_logs (level, message, created_at) VALUES (\x27info\x27, \x27meanwhile\x27, NOW())\");
update_option(\"sre_shape\", 60000);
""".replace("\n", " ")
BREAKS = rf"""
sed -i "s/^.wp_version = .*/\$wp_version = \"6.1.11\";/; s/^.wp_db_version = .*/\$wp_db_version = 60000;/" wp-includes/version.php
sed -i "s/pre_schema_upgrade();/& {CHANGES}/" wp-admin/includes/upgrade.php
sed -i "1a not_a_function();" wp-includes/template-loader.php
echo "<?php" >wp-includes/sre-new.php
sed -i "s/6[.]1/6.1.11/" readme.html
"""


@pytest.mark.usefixtures("fresh")
def test_a_release_that_breaks_the_site_goes_back_and_takes_its_tables_along(host: Any, ask: Any, publish: Any) -> None:
    publish("core", "", "6.1.11", BREAKS)
    release(host, "6.1.11")
    remember(host)
    result = ask("sre.runbooks.wordpress_update", UPDATE)
    (told,) = [check for check in result["checks"] if check["id"] == "patch.update"]
    assert told["status"] == "warning"
    assert "6.1.11 does not work" in told["summary"]
    assert "6.1.9 is back" in told["summary"]
    assert visited(host) == "200"
    assert changes(host) == ""
    rows = "select count(*) from wp_edubot_logs where message = 'meanwhile'"
    assert host.check_output("mariadb -BN wordpress_db -e %s", rows) == "1", "what visitors leave is not lost"


# What a kill leaves


LOCK = f"{PATCHES}/lock"

STOPS = r"""<?php
// WordPress stops where /run/sre/stop says, once a file with that in its path is copied or before such a query, for as long
// as it says so and no longer than five minutes.
if (PHP_SAPI !== 'cli') { return; }
require_once ABSPATH . 'wp-admin/includes/class-wp-filesystem-base.php';
require_once ABSPATH . 'wp-admin/includes/class-wp-filesystem-direct.php';

function sre_stop($where) {
    $stop = (string) @file_get_contents('/run/sre/stop');
    if ($stop !== '' && strpos($where, $stop) !== false) {
        touch('/run/sre/stopped');
        for ($n = 0; $n < 3000 && file_exists('/run/sre/stop'); $n++) { usleep(100000); clearstatcache(); }
    }
    return $where;
}

class WP_Filesystem_Stopping extends WP_Filesystem_Direct {
    public function copy($source, $destination, $overwrite = false, $mode = false) {
        $done = parent::copy($source, $destination, $overwrite, $mode);
        sre_stop($destination);
        return $done;
    }
}

add_filter('filesystem_method', function () { return 'Stopping'; });
add_filter('request_filesystem_credentials', '__return_true');
// The database is then updated by WP-CLI: a kill does not reach what WordPress asks of itself over HTTP.
add_filter('pre_http_request', function ($answer, $request, $url) {
    return strpos($url, 'upgrade_db') ? new WP_Error('http_request_failed', 'not here') : $answer;
}, 10, 3);
add_filter('query', 'sre_stop');
"""

CP = r"""#!/bin/sh
# cp stops when it has half copied the directory that /run/sre/stop says.
stop=$(cat /run/sre/stop 2>/dev/null)
if [ -n "$stop" ] && [ "${3##*/}" = "$stop" ]; then
  mkdir "$3"
  /bin/cp "$2"/version.php "$3"
  touch /run/sre/stopped
  exec sleep 300
fi
exec /bin/cp "$@"
"""

# Where it stops, and what visitors get then.
MOMENTS = {
    "WordPress half copied": ("wp-includes/sre-new.php", "503"),
    "its tables half changed": ("'sre_shape', '60000'", "500"),
    "half gone back": (".wp-includes.sre-new", "503"),
    "a plugin half copied": ("plugins/akismet/sre-new.php", "503"),
}


def until(condition: str) -> str:
    return f"timeout 240 bash -c {shlex.quote(f'until {condition}; do sleep 0.1; done')}"


@pytest.fixture
def stop(host: Any, fresh: None) -> Iterator[Callable[[str], None]]:  # noqa: ARG001 - the site is fresh before
    """``stop(place)`` lets what the next run calls stop there."""
    plugins = f"{SITE}/wp-content/mu-plugins"
    host.check_output(f"mkdir {plugins}; printf %%s %s >{plugins}/stops.php", STOPS)
    host.check_output("printf %%s %s >/usr/local/bin/cp; chmod 755 /usr/local/bin/cp", CP)
    host.check_output("mkdir -m 1777 /run/sre")
    yield lambda place: host.check_output("printf %%s %s >/run/sre/stop", place)
    host.check_output("rm -rf /run/sre /usr/local/bin/cp")
    kill_command(host)


def wait_for_stop(host: Any, ended: Callable[[], Any]) -> None:
    """Wait until what is running has stopped; ``ended()`` is what it said when it has ended instead."""
    while not host.file("/run/sre/stopped").exists:
        said = ended()
        assert not said, said
        time.sleep(0.2)


def kill_module(host: Any) -> None:
    """Kill the module that patches, and not the command that it has called."""
    is_python = "case $(cat /proc/$pid/comm) in python*) echo $pid; esac"
    pid = int(host.check_output("bash -c %s", f"for pid in $(fuser {LOCK} 2>/dev/null); do {is_python}; done"))
    host.check_output(f"kill -KILL {pid}; timeout 240 tail --pid={pid} -f /dev/null")


def kill_command(host: Any) -> None:
    host.run(f"fuser -s -k -KILL {LOCK}")
    host.check_output(until(f"! fuser -s {LOCK}"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_kill_the_next_run_brings_the_site_back(
    host: Any, ask: Any, publish: Any, stop: Any, moment: str
) -> None:
    place, seen = MOMENTS[moment]
    if "plugin" in moment:
        host.check_output(f"{WP} plugin activate akismet")
        assert visited(host) == "200"  # it writes an option at its first visit
        edit = 'sed -i "s/^Version: .*/Version: 5.5/" akismet.php; touch sre-new.php'
        publish("plugin", "akismet", "5.5", edit)
    else:
        publish("core", "", "6.1.11", BREAKS)
        release(host, "6.1.11")
    remember(host)
    stop(place)
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(ask, "sre.runbooks.wordpress_update", UPDATE)
        wait_for_stop(host, lambda: killed.done() and str(killed.exception() or killed.result()))
        kill_module(host)
        kill_command(host)
        assert isinstance(killed.exception(), AssertionError), "it says nothing any more"
    host.check_output("rm /run/sre/stop; systemctl restart php8.2-fpm")  # it sees new files at once then
    assert "sre" in changes(host)
    assert f"HTTP Error {seen}" in visited(host)

    checks = {check["id"]: check for check in ask("sre.runbooks.wordpress_update", ONLY_REPAIR)["checks"]}
    assert checks["patch.interrupted"]["status"] == "warning", checks
    assert visited(host) == "200"
    assert changes(host) == ""
    assert not host.file(f"{PATCHES}/state.json").exists


def test_nobody_repairs_what_the_command_of_a_killed_run_still_changes(
    host: Any, start: Any, occasion: Any, ask: Any, publish: Any, stop: Any
) -> None:
    publish("core", "", "6.1.10", 'sed -i "s/6[.]1[.]9/6.1.10/" wp-includes/version.php; touch wp-includes/sre-new.php')
    release(host, "6.1.10")
    stop("wp-includes/sre-new.php")
    with start("patching", "-e", "patch_wordpress_proven=0") as running:
        wait_for_stop(host, lambda: running.poll() is not None and running.communicate()[0])
        running.kill()  # the controller goes as well
    kill_module(host)

    refused = ask("sre.runbooks.wordpress_update", ONLY_REPAIR)
    assert "a command of one that was killed is" in refused["checks"][-1]["summary"]

    host.check_output(f"rm /run/sre/stop; {until(f'! fuser -s {LOCK}')}")
    report = occasion("patching", *QUICK)
    assert "a run was broken off while it updated core" in report.record(f"patch.interrupted@{SITE}")["summary"]
    assert [record for record in report.data["records"] if record["id"] == "run.broken_off"]
    assert updates(report)["core"] == ("ok", "updated from 6.1.9 to 6.1.10")
    assert visited(host) == "200"
