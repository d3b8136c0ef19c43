# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard before what cannot be undone."""

from __future__ import annotations

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._guard import (
    Plan,
    Refused,
    demand_token,
    refuse_more_than,
    refuse_protected,
)

PLAN = Plan("delete files", "web1:/var/backups", ["/var/backups/a", "/var/backups/b"])


def test_the_token_of_the_plan_that_was_seen_opens_the_way() -> None:
    again = Plan("delete files", "web1:/var/backups", ["/var/backups/a", "/var/backups/b"])
    demand_token(again, PLAN.token)
    demand_token(again, f" {PLAN.token}\n")


@pytest.mark.parametrize("given", [None, "", "yes", "0" * 16, PLAN.token[:-1], PLAN.token.upper() + "0"])
def test_without_the_token_nothing_goes(given: str | None) -> None:
    with pytest.raises(Refused, match="token"):
        demand_token(PLAN, given)


@pytest.mark.parametrize(
    "other",
    [
        Plan("delete files", "web1:/var/backups", ["/var/backups/a"]),
        Plan("delete files", "web1:/var/backups", ["/var/backups/a", "/var/backups/b", "/var/backups/c"]),
        Plan("delete files", "web1:/var/backups", ["/var/backups/b", "/var/backups/a"]),
        Plan("delete files", "web2:/var/backups", PLAN.what),
        Plan("move files", "web1:/var/backups", PLAN.what),
        Plan("delete files", "web1:/var/backups", {"count": 2}),
    ],
)
def test_another_plan_has_another_token(other: Plan) -> None:
    with pytest.raises(Refused, match="has changed since the preview"):
        demand_token(other, PLAN.token)


def test_the_order_of_what_has_no_order_does_not_matter() -> None:
    assert Plan("a", "b", {"x": 1, "y": 2}).token == Plan("a", "b", {"y": 2, "x": 1}).token


@pytest.mark.parametrize(
    ("name", "protected"),
    [("mysql", ["mysql"]), ("shop_prod", ["*_prod"]), ("SHOP_PROD", ["*_prod"]), ("/srv/data/x", ["/srv/data/*"])],
)
def test_what_is_protected_is_refused(name: str, protected: list[str]) -> None:
    with pytest.raises(Refused, match="is protected, by"):
        refuse_protected(["harmless", name], protected)


def test_what_is_not_protected_is_let_through() -> None:
    refuse_protected(["shop_test", "production"], ["*_prod", "prod"])
    refuse_protected([], ["*"])


def test_more_than_was_allowed_for_is_refused() -> None:
    refuse_more_than(1000, 1000, "rows")
    refuse_more_than(None, 10**9, "rows")
    with pytest.raises(Refused, match="1,001 rows are more than the 1,000 that are allowed at once"):
        refuse_more_than(1000, 1001, "rows")
