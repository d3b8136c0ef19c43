# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redaction: what must not survive, and what must."""

from __future__ import annotations

import time

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

CANARY = "Zq7canary"

SECRETS = [
    f"connecting to mysql://root:{CANARY}@db:3306/shop",
    f"redis://:{CANARY}@cache:6379",
    f"https://user:p@{CANARY}@host/path",
    f"password={CANARY} host=db",
    f"DB_PASSWORD={CANARY}",
    f'{{"user": "a", "password": "{CANARY}"}}',
    f'{{"context": "{{\\"password\\": \\"{CANARY}\\"}}"}}',
    f"[password] => {CANARY}",
    f"'secret' => 'x {CANARY} y'",
    f"api_key: {CANARY}",
    f"GET /reset?token={CANARY}&x=1 HTTP/1.1",
    f"GET /wp-login.php?action=rp&key={CANARY}&login=anna HTTP/1.1",
    f"Authorization: Bearer {CANARY}.abc",
    f"authorization: Basic {CANARY}",
    f'"Authorization":"{CANARY}"',
    f"Cookie: wordpress_logged_in_x={CANARY}; other={CANARY}",
    f"PHPSESSID={CANARY}",
    f"mysqldump -u root -p{CANARY} shop",
    f"curl -s -u admin:{CANARY} https://x",
    f"redis-cli -h x -a {CANARY} info",
    f"CREATE USER a IDENTIFIED BY '{CANARY}'",
    f"ALTER ROLE a PASSWORD '{CANARY}'",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY} cut off",
    f"no such customer {CANARY}@example.org in list",
    f"ghp_{CANARY}0123456789abcdefghij",
    f"charge with sk_live_{CANARY}0123456789 declined",
    f"eyJhbGciOiJIUzI1NiJ9.eyJ{CANARY}fQ.{CANARY}",
    f"value {CANARY}0123456789abcdefGHIJKLMNOP01 seen",
]


@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_does_not_survive(line: str) -> None:
    assert CANARY not in redact(line)


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004", "340000000000009"]
)
def test_a_card_number_does_not_survive(number: str) -> None:
    assert redact(f"card {number} declined") == "card [card] declined"


@pytest.mark.parametrize(
    "line",
    [
        "Access denied for user 'root'@'localhost' (using password: YES)",
        "connect() to 10.0.0.7:9000 at 2025-11-05T05:00:00.123456+00:00",
        "PHP Fatal error:  Uncaught TypeError in /var/www/html/wp-content/plugins/edubot/class-edubot-api.php:123",
        "order 4111111111111112 shipped",
        "epoch 1762318800000 took 120 ms, id 0f8fad5b-d9cb-469f-a165-70867728950e",
        "commit 678acf3a2b1c4d5e6f7081920a1b2c3d4e5f6071",
        'syntax error, unexpected token ";" on line 3',
        "http://localhost:8080/health answered 500",
    ],
)
def test_what_diagnosis_needs_stays(line: str) -> None:
    assert redact(line) == line


def test_the_words_around_a_secret_stay() -> None:
    assert redact("mysql://root:x@db/shop is down, password=y, host=db") == (
        "mysql://root:***@db/shop is down, password=***, host=db"
    )


@pytest.mark.parametrize("line", SECRETS)
def test_redacting_twice_changes_nothing_more(line: str) -> None:
    assert redact(redact(line)) == redact(line)


@pytest.mark.parametrize(
    "part", ["a", "@", "a@b.", "4", "://", "password", "mysql ", "cookie:", "eyJ", "curl -u a", "\\"]
)
def test_a_long_hostile_line_does_not_hold_up_the_run(part: str) -> None:
    def seconds(size: int) -> float:
        text, started = part * (size // len(part)), time.process_time()
        redact(text)
        return time.process_time() - started

    assert seconds(80_000) < max(0.2, 30 * seconds(8_000))  # linear would be 10 times, quadratic 100 times
