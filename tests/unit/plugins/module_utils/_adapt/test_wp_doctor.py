# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdicts of wp doctor become ours."""

from __future__ import annotations

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._adapt.wp_doctor import check
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


def row(status: str, name: str = "cron-count", message: str = "There are 80 cron jobs") -> dict[str, str]:
    return {"name": name, "status": status, "message": message}


@pytest.mark.parametrize(
    ("said", "status", "value"),
    [
        (["success"], "ok", 0),
        (["success", "warning"], "warning", 1),
        (["warning", "error", "success"], "critical", 2),
        (["warning", "incomplete"], "unknown", 2),
        (["success", "splendid"], "unknown", 1),
    ],
)
def test_the_worst_verdict_counts(said: list[str], status: str, value: int) -> None:
    found = check("wordpress.doctor", "/w", [row(word) for word in said])
    assert (found.status, found.value, found.detail["checks"]) == (status, value, len(said))


def test_the_first_that_is_not_content_stands_in_the_summary() -> None:
    found = check(
        "wordpress.doctor", "/w", [row("success"), row("error", "php-in-upload", "password=hunter2\n in a.php")]
    )
    assert found.summary == "1 of 2 checks of wp doctor are not content: php-in-upload: password=*** in a.php"


def test_no_checks_prove_nothing() -> None:
    with pytest.raises(Unmeasurable, match="carried out no checks"):
        check("wordpress.doctor", "/w", [])
