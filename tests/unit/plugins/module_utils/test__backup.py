# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a backup was taken, and what is usual in a series."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _backup as backups
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/Los_Angeles"], autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Whatever a test says of times holds in every time zone of the host."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def local(*parts: int) -> float:
    return time.mktime((*parts, *(0,) * (6 - len(parts)), 0, 0, -1))  # type: ignore[arg-type]


def utc(*parts: int) -> float:
    return float(calendar.timegm((*parts, *(0,) * (6 - len(parts)), 0, 0, 0)))


@pytest.mark.parametrize(
    ("name", "parts", "seconds"),
    [
        ("shop-20251105.sql.gz", (2025, 11, 5), 86400),
        ("shop-2025-11-05.sql.gz", (2025, 11, 5), 86400),
        ("shop_2025_11_05_0200.dump", (2025, 11, 5, 2, 0), 60),
        ("shop-20251105-020007.sql.gz", (2025, 11, 5, 2, 0, 7), 0),
        ("shop-2025-11-05T02:00:07.sql", (2025, 11, 5, 2, 0, 7), 0),
        ("2025-11-05_02h00m07.tar", (2025, 11, 5, 2, 0, 7), 0),
        ("20251105020007.sql", (2025, 11, 5, 2, 0, 7), 0),
        ("20251105/wordpress.sql.gz", (2025, 11, 5), 86400),
        ("v20.20251399-20251105.sql", (2025, 11, 5), 86400),
        ("shop-20251105-2599.sql", (2025, 11, 5), 86400),
        ("shop-20250230-20251105.sql", (2025, 11, 5), 86400),
    ],
)
def test_a_date_is_found_in_a_name(name: str, parts: tuple[int, ...], seconds: float) -> None:
    assert backups.time_in_name(name) == (local(*parts), seconds)


@pytest.mark.parametrize("name", ["shop.sql.gz", "shop-1.2.3.sql", "dump-123456789012345.gz", "20259905.sql"])
def test_a_name_without_a_date_tells_nothing(name: str) -> None:
    assert backups.time_in_name(name) is None


def test_a_zone_in_a_name_is_taken_over() -> None:
    assert backups.time_in_name("shop-20251105T020007Z.sql") == (utc(2025, 11, 5, 2, 0, 7), 0)
    assert backups.time_in_name("shop-20251105T020007+0130.sql") == (utc(2025, 11, 5, 0, 30, 7), 0)
    assert backups.time_in_name("shop-20251105-0200.sql", utc=True) == (utc(2025, 11, 5, 2), 60)
    assert backups.time_in_name("shop-1762300800.sql.gz") == (1762300800.0, 0)


@pytest.mark.parametrize(
    ("modified", "taken"),
    [((5, 2, 7), (5, 2, 7)), ((3, 12), (5, 0)), ((9, 12), (6, 0))],
    ids=["on that day", "before it", "copied days later"],
)
def test_what_only_tells_a_day_is_placed_within_it_by_its_modification(
    modified: tuple[int, ...], taken: tuple[int, ...]
) -> None:
    one = backups.backup("shop-20251105.sql", "/a", 1, local(2025, 11, *modified), "name")
    assert one.taken == local(2025, 11, *taken)
    assert one.latest == max(local(2025, 11, *modified), local(2025, 11, 5))


def test_the_time_of_modification_is_believed_where_that_is_asked_for() -> None:
    one = backups.backup("shop-20251105.sql", "/a", 1, 5.0, "modified")
    assert (one.taken, one.latest) == (5.0, 5.0)


def test_copies_are_told_by_the_last_part_of_a_name_that_has_a_date() -> None:
    def key(name: str) -> str:
        return backups.backup(name, "/a", 1, 0, "name").key

    assert key("2025/11/shop-20251105.sql") == "shop-20251105.sql"
    assert key("20251105/shop.sql") == "20251105/shop.sql"


def test_a_deviation_is_measured_by_what_is_usual() -> None:
    value, median = backups.deviation(400, [90, 100, 110, 100, 120])
    assert median == 100
    assert value == pytest.approx(300 / (1.4826 * 10))
    assert backups.deviation(1010, [1000] * 5)[0] == pytest.approx(1), "one percent, where all are the same"
    with pytest.raises(Unmeasurable, match="3 earlier backups"):
        backups.deviation(1, [1, 2, 3])
