# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""secret: a planted set of credentials that all have to be found, and what looks like some and is none."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _secrets
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import secret as probe

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def some(length: int, alphabet: str = ALNUM, seed: int = 7) -> str:
    """Random, and the same each time. No credential stands in this file: it would be found."""
    dice = random.Random(f"{seed}{length}{alphabet}")
    return "".join(dice.choice(alphabet) for _ in range(length))


UPPER = string.ascii_uppercase
PLANTED = {
    "private_key": "-----BEGIN RSA PRIVATE" + " KEY-----\n" + some(64) + "\n" + some(64) + "\n-----END",
    "private_key in a string": '$k = "-----BEGIN PRIVATE' + " KEY-----\\n" + some(64) + '\\n";',
    "private_key of ssh": "-----BEGIN OPENSSH PRIVATE" + " KEY-----\n" + some(70) + "\n",
    "aws_access_key": "'key' => 'AKIA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") + "',",
    "aws_secret_key": "aws_secret_access_key = " + some(40),
    "github_token": "git clone https://ghp_" + some(36) + "@github.com/x/y",
    "github_token of the new kind": "TOKEN: github_pat_" + some(22) + "_" + some(59),
    "gitlab_token": "PRIVATE-TOKEN: glpat-" + some(20),
    "slack_token": "$slack = 'xoxb-" + some(12, string.digits) + "-" + some(12, string.digits) + "-" + some(24) + "';",
    "slack_webhook": "https://hooks.slack.com/services/T" + some(9, UPPER) + "/B" + some(9, UPPER) + "/" + some(24),
    "discord_webhook": "https://discord.com/api/webhooks/" + some(18, string.digits) + "/" + some(68),
    "discord_token": "DISCORD_BOT='M" + some(25) + "." + some(6) + "." + some(30) + "'",
    "telegram_token": "bot" + "url = '" + some(9, string.digits) + ":AA" + some(33) + "'",
    "stripe_key": "\\Stripe\\Stripe::setApiKey('sk_live_" + some(24) + "');",
    "stripe_key of webhooks": "whsec_" + some(32),
    "google_api_key": "maps?key=AIza" + some(35),
    "google_oauth_secret": '"client_secret":"GOCSPX-' + some(28) + '"',
    "sendgrid_key": "SG." + some(22) + "." + some(43),
    "mailgun_key": "api:key-" + some(32, HEX),
    "mailchimp_key": "'" + some(32, HEX) + "-us14'",
    "twilio_key": "new Client('SK" + some(32, HEX) + "')",
    "npm_token": "//registry.npmjs.org/:_authToken=npm_" + some(36),
    "shopify_token": "shpat_" + some(32, HEX),
    "openai_key": "sk-proj-" + some(24) + "T3BlbkFJ" + some(24),
    "digitalocean_token": "dop_v1_" + some(64, HEX),
    "azure_storage_key": "AccountName=x;AccountKey=" + some(86) + "==;EndpointSuffix=x",
    "vault_token": "hvs." + some(28),
    "jwt": "Bearer eyJ" + some(20) + ".eyJ" + some(30) + "." + some(43),
    "wordpress_salt": "define('AUTH_KEY', '" + some(30) + " |:+ }" + some(28) + "');",
    "laravel_key": "APP_KEY=base64:" + some(43) + "=",
    "url_password": "DATABASE_URL=mysql://shop:" + some(12) + "@db.internal:3306/shop",
    "assigned_secret": "define( 'DB_PASSWORD', 'k7" + "Tr!vq2' );",
    "assigned_secret in an array": "'smtp_password' => 'Winter" + "2026!x',",
    "assigned_secret in PHP": '$apiSecret = "' + some(20) + '";',
    "assigned_secret in JSON": '{"db": {"password": "' + some(14) + '"}}',
    "assigned_secret in Python": "client = Client(token='" + some(24) + "')",
    "assigned_secret in a setting": "MAIL_PASSWORD=r4" + "inyDay!now",
    "high_entropy": "const signingKeyOfShop = sign(`" + some(48) + "`)",
}


def plant(root: Path) -> None:
    for number, (what, content) in enumerate(PLANTED.items()):
        name = ".env" if what.endswith("setting") else "source.php"
        (root / f"{number:02}").mkdir(parents=True)
        (root / f"{number:02}/{name}").write_text(f"<?php\n// some code\n{content}\n")


def test_every_planted_credential_is_found_by_its_rule_on_its_line(tmp_path: Path) -> None:
    plant(tmp_path)
    found = {(int(one.path[:2]), one.rule, one.line) for one in probe.scan(str(tmp_path), [], 60).findings}
    missed = [
        what
        for number, what in enumerate(PLANTED)
        if not any(place == number and rule == what.split(" ")[0] and line in (3, 4) for place, rule, line in found)
    ]
    assert missed == []
    assert len(PLANTED) >= 20


@pytest.mark.parametrize(
    "line",
    [
        "$password = get_option('shop_password');",
        "$password = $_POST['password'];",
        "'password' => 'user_password',",
        "'password' => __( 'Password' ),",
        "'token_endpoint' => '/oauth2/token',",
        "$args = array( 'type' => 'password', 'name' => 'pwd2' );",
        "'api_key' => 'YOUR-API-KEY-123!',",
        "password: ${DB_PASSWORD}",
        "define( 'DB_PASSWORD', 'password_here1!' );",
        "define( 'AUTH_KEY', 'put your unique phrase here' );",
        "$token = 'csrf-token-2';",
        "$secret = 'sha256';",
        "const TOKEN_CLOSE = ');';",
        "$key = 'AKIAIOSFODNN7EXAMPLE';",
        "mysql://user:password@localhost/db",
        "mysql://user:${PASSWORD}@localhost/db",
        "-----BEGIN PRIVATE" + " KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + some(64),
        '"integrity": "sha512-' + some(86) + '=="',
        "$hash = '" + some(64, HEX) + "'; // token",
        "<label for='password1'>Password</label>",
        "'reset_password' => 'resetPasswordForm2'",
    ],
)
def test_what_is_no_credential_is_not_found(line: str) -> None:
    assert [match.rule for match in _secrets.scan(line.encode(), "source.php")] == []


def test_a_fingerprint_is_the_same_wherever_the_credential_stands_and_does_not_hold_it(tmp_path: Path) -> None:
    for name in ("a.php", "b.php"):
        (tmp_path / name).write_text("\n" * (name == "b.php") + PLANTED["stripe_key"])
    one, other = probe.scan(str(tmp_path), [], 60).findings
    assert one.fingerprint == other.fingerprint
    assert (one.line, other.line) == (1, 2)
    assert len(one.fingerprint) == 16


def test_binary_files_are_counted_and_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0" + PLANTED["stripe_key"].encode())
    (tmp_path / "windows.txt").write_text(PLANTED["stripe_key"], encoding="utf-16")
    found = probe.scan(str(tmp_path), [], 60)
    assert (found.files, found.binary, [one.path for one in found.findings]) == (2, 1, ["windows.txt"])


def test_a_file_too_large_to_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "LARGEST", 10)
    (tmp_path / "dump.sql").write_text("x" * 11)
    assert probe.scan(str(tmp_path), [], 60).unread.first == ["dump.sql (0 MiB)"]
    assert probe.scan(str(tmp_path), ["*.sql"], 60).unread.count == 0


def test_a_tree_that_is_not_there_is_unmeasurable(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="does not exist"):
        probe.scan(str(tmp_path / "none"), [], 60)


def test_a_line_of_a_million_characters_takes_no_time_to_speak_of(tmp_path: Path) -> None:
    (tmp_path / "app.min.js").write_text("var password='" + "a=b," * 250_000 + "';")
    (tmp_path / "many.php").write_text("$password = $x;\n" * 20_000)
    assert probe.scan(str(tmp_path), [], 20).findings == []
