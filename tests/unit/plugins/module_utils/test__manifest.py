# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a database holds, compared. Taken from real servers it is in tests/integration/test_restore_proof.py."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

TABLE = {
    "columns": {"id": "int not null", "note": "text"}, "indexes": {"PRIMARY": "unique (id)"}, "constraints": {},
    "rows": 100, "sample": {"one_in": 1, "rows": 100, "checksum": "7"},
}  # fmt: skip
FACTS: dict[str, Any] = {
    "format": 1,
    "tables": {"a": TABLE, "b": TABLE},
    "objects": ["view v"],
    "sequences": {},
    "grants": ["a: web=SELECT"],
}


@pytest.fixture
def found() -> dict[str, Any]:
    return {**copy.deepcopy(FACTS), "tables": {name: copy.deepcopy(TABLE) for name in "ab"}}


def test_the_same_is_the_same(found: dict[str, Any]) -> None:
    assert manifest.schema_differences(FACTS, found) == []
    assert set(manifest.row_deviations(FACTS, found).values()) == {(100, 100, 0.0)}
    assert manifest.sample_differences(FACTS, found) == (2, [])


def test_differences_are_named(found: dict[str, Any]) -> None:
    del found["tables"]["b"]
    found["tables"]["c"] = TABLE
    found["tables"]["a"]["columns"].update(id="bigint not null", more="text")
    found["tables"]["a"]["indexes"] = {}
    found["objects"], found["grants"] = ["view w"], ["a: others=SELECT"]
    assert manifest.schema_differences(FACTS, found) == [
        "table b is missing", "table c was not there", "column a.more was not there", "column a.id was int not null, is bigint not null",
        "index a.PRIMARY is missing", "view v is missing", "view w was not there", "grant a: web=SELECT is missing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [(100, 90, 10), (100, 110, 10), (100, 0, 100), (0, 5, 100), (0, 0, 0), (3, 2, 100 / 3)],
)
def test_rows_deviate_by_a_share_of_what_is_expected(
    found: dict[str, Any], before: int, after: int, share: float
) -> None:
    expected = copy.deepcopy(FACTS)
    expected["tables"]["a"]["rows"], found["tables"]["a"]["rows"] = before, after
    *rows, off = manifest.row_deviations(expected, found)["a"]
    assert rows == [before, after]
    assert off == pytest.approx(share)


def test_tables_whose_rows_were_not_restored_are_not_compared(found: dict[str, Any]) -> None:
    found["tables"]["b"].update(rows=None, sample=None)
    assert list(manifest.row_deviations(FACTS, found)) == ["a"]
    assert manifest.sample_differences(FACTS, found) == (1, [])


def test_a_sample_differs_by_its_number_or_its_checksum(found: dict[str, Any]) -> None:
    found["tables"]["a"]["sample"]["rows"] = 99
    found["tables"]["b"]["sample"]["checksum"] = "8"
    assert manifest.sample_differences(FACTS, found) == (
        2, ["a: 100 rows were sampled, 99 are there", "b: 100 sampled rows have another checksum"]
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "tables": {}}', '{"format": 1, "tables": []}'])
def test_what_is_no_manifest_is_a_reason(text: str) -> None:
    with pytest.raises(Unmeasurable, match="/b/x is no manifest"):
        manifest.read(text, "/b/x")


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifest.read(json.dumps(FACTS), "x") == FACTS


def test_names_with_quotes_stay_names() -> None:
    assert manifest.text("it's") == "'it''s'"
    with pytest.raises(Unmeasurable):
        manifest.text("a\\'")
