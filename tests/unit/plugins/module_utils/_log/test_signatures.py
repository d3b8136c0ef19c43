# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures: messages of one kind have one, messages of two kinds have two."""

from __future__ import annotations

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._log.signatures import digest, fold


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        ("order 4711 took 1.5 s", "order <n> took <n> s"),
        ("user 0f8fad5b-d9cb-469f-a165-70867728950e gone", "user <id> gone"),
        ("commit 678acf3a2b1c4d5e6f7081920a1b2c3d4e5f6071", "commit <id>"),
        ("at 0x7f22936b1e90", "at <id>"),
        ("no file /var/www/html/a-1.php here", "no file <path> here"),
        ("connect to 10.0.0.7:9000 and [2001:db8::1]", "connect to <ip> and [<ip>]"),
        ("fetch https://x.example/a?b=1 timed out", "fetch <url> timed out"),
        ("since 2025-11-05T05:00:00Z nothing", "since <time> nothing"),
        ("502 GET /api/v1/calls/4711", "<n> GET /api/v<n>/calls/<n>"),
        ("mail to anna@example.org with password=x", "mail to [mail] with password=***"),
        ("Call to undefined function foo()", "Call to undefined function foo()"),
    ],
)
def test_what_differs_from_case_to_case_is_folded(message: str, signature: str) -> None:
    assert fold(message) == signature


def test_two_kinds_stay_two() -> None:
    assert digest(fold("Connection refused by 10.0.0.7")) != digest(fold("Connection reset by 10.0.0.7"))
    assert digest(fold("Connection refused by 10.0.0.7")) == digest(fold("Connection refused by 10.0.0.8"))
