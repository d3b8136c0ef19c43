# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real WordPress of its own: Debian's, on a private MariaDB, without a web server, asked through the stand-in for WP-CLI.

What it asks of wordpress.org is answered from a file, by a plugin that every site has; without the file nobody answers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCE = Path("/usr/share/wordpress")
WP = Path(__file__).resolve().parents[2] / "molecule/edubot/files/wp"

CONFIG = """<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}');
define('WP_HOME', 'http://localhost');
define('WP_SITEURL', 'http://localhost');
define('FS_METHOD', 'direct');
{more}
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {{ define('ABSPATH', __DIR__ . '/'); }}
require_once ABSPATH . 'wp-settings.php';
"""

NOBODY_ANSWERS = """<?php
add_filter('pre_http_request', function ($done, $arguments, $url) {
    $file = '%s';
    $answers = is_readable($file) ? json_decode(file_get_contents($file), true) : array();
    foreach ($answers as $part => $answer) {
        if (strpos($url, $part) !== false) {
            return array('response' => array('code' => 200, 'message' => 'OK'), 'body' => json_encode($answer), 'headers' => array());
        }
    }
    return new WP_Error('http_request_failed', 'cURL error 6: Could not resolve host: api.wordpress.org');
}, 10, 3);
"""


@dataclasses.dataclass(frozen=True)
class Site:
    """A site; ``user`` runs it. ``mariadb`` is the server's process."""

    directory: Path
    user: str
    mariadb: subprocess.Popen[bytes]

    @property
    def path(self) -> Path:
        return self.directory / "site"

    def wp(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(WP), *arguments, f"--path={self.path}"],
            user=self.user, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"wp {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def configure(self, more: str = "") -> None:
        """Write wp-config.php, with further lines of PHP."""
        text = CONFIG.format(socket=self.directory / "db.sock", more=more)
        (self.path / "wp-config.php").write_text(text, encoding="utf-8")

    def wordpress_org_answers(self, **answers: Any) -> None:
        """Answer requests whose address contains a key; ``releases`` stands for the verdicts on every release."""
        if "releases" in answers:
            answers["stable-check"] = answers.pop("releases")
        (self.directory / "answers.json").write_text(json.dumps(answers), encoding="utf-8")

    def nobody_answers(self) -> None:
        (self.directory / "answers.json").unlink(missing_ok=True)


@contextlib.contextmanager
def running_wordpress() -> Iterator[Site]:
    """WordPress, installed, with its own cron events and one administrator ``admin``."""
    for path, package in (
        (SOURCE, "wordpress"),
        (Path("/usr/sbin/mariadbd"), "mariadb-server"),
        (Path("/usr/bin/php"), "php-cli"),
    ):
        assert path.exists(), f"{path} is missing: apt-get install {package}"
    directory = Path(tempfile.mkdtemp(prefix="wp-"))
    directory.chmod(0o755)
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    try:
        shutil.copytree(SOURCE, directory / "site")
        plugins = directory / "site/wp-content/mu-plugins"
        plugins.mkdir()
        (plugins / "nobody-answers.php").write_text(NOBODY_ANSWERS % (directory / "answers.json"), encoding="utf-8")
        subprocess.run(["chown", "-R", user, str(directory)], check=True)
        with _running_mariadb(directory, user) as mariadb:
            site = Site(directory, user, mariadb)
            site.configure()
            site.wp(
                "core", "install", "--title=Shop", "--admin_user=admin", "--admin_password=pw", "--admin_email=a@b.test"
            )
            yield site
    finally:
        shutil.rmtree(directory)


@contextlib.contextmanager
def _running_mariadb(directory: Path, user: str) -> Iterator[subprocess.Popen[bytes]]:
    data, socket = directory / "db", directory / "db.sock"
    install = ["mariadb-install-db", "--no-defaults", f"--user={user}", f"--datadir={data}"]
    install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True, timeout=60)
    server = ["/usr/sbin/mariadbd", "--no-defaults", f"--user={user}", f"--datadir={data}", f"--socket={socket}"]
    with (directory / "db.log").open("wb") as log:
        process = subprocess.Popen([*server, "--skip-networking"], stdout=log, stderr=log)
    try:
        client = ["mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e", "create database wordpress"]
        deadline = time.monotonic() + 30
        while subprocess.run(client, capture_output=True, timeout=30, check=False).returncode:
            assert process.poll() is None, (directory / "db.log").read_text()
            assert time.monotonic() < deadline, "MariaDB does not answer"
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(30)
