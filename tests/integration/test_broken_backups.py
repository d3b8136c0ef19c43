# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What backup_check says of every broken backup: at which level, by which check, with which words.

The words stand in docs/comparison/backups.md, whose table is compared with what happens, numbers and places aside.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import backup as kind
from ansible_collections.sre.runbooks.tests.integration import broken_backups as table
from ansible_collections.sre.runbooks.tests.integration.broken_backups import Broken, Good
from ansible_collections.sre.runbooks.tests.integration.conftest import S3, Mariadb, Postgresql
from ansible_collections.sre.runbooks.tests.integration.production import checksum, pg_checksum
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

DOCUMENT = Path(__file__).parents[2] / "docs/comparison/backups.md"
GROUPS = {
    "MariaDB": table.MARIADB,
    "Names": table.HARMLESS,
    "PostgreSQL": table.POSTGRESQL,
    "Archives": table.ARCHIVES,
    "The other place": table.OFFSITE,
}
"""Heading in the document → its rows."""
NAMED = (
    "empty", "zero-byte gz", "truncated gz", "truncated SQL with valid gz", "bit flip", "wrong key",
    "unencrypted where encryption is policy", "wrong database", "foreign USE", "DROP DATABASE", "data only", "schema only",
    "zero rows in one table", "missing table", "extra table", "changed column", "stale", "future date",
    "duplicate of yesterday's", "gz named .sql", "plain SQL named .dump", "half an archive", "off-site missing",
    "off-site older", "charset damage",
)  # fmt: skip
"""What every tool that claims to look after backups has to notice."""


def cases(*groups: str) -> pytest.MarkDecorator:
    """Rows, with the heading under which they stand."""
    found = [(group, row) for group in groups for row in GROUPS[group]]
    return pytest.mark.parametrize(("group", "row"), found, ids=[f"{group} {row.name}" for group, row in found])


def looked(options: dict[str, Any], level: int) -> list[Check]:
    target = {key: options[key] for key in ("source", "offsite", "database") if key in options}
    task = {key: value for key, value in options.items() if key not in (*target, "smoke")}
    return checks_of(kind, targets=[{"name": "shop", **target}], level=level, dated_by="modified", **task)


def red(found: list[Check]) -> dict[str, Check]:
    return {check.id: check for check in found if check.status not in ("ok", "skipped")}


def judged(group: str, row: Broken, good: Good, **options: Any) -> None:
    """The row is seen at its level and at none below, and told as the document has it."""
    given = {"age_identity": str(good.keys / "ours.age"), **options, **row.make(good)}
    found = [looked(given, level) for level in (0, 1, 2)]
    seen = next((level for level, checks in enumerate(found) if red(checks)), None)
    assert "proven" not in " ".join(check.summary for checks in found for check in checks), "only a restore proves"
    if not row.seen:
        assert seen is None, {check.id: check.summary for check in red(found[seen]).values()}
        told = f"| {row.name} | | all is well, as far as can be seen without a restore |{proof(row)} |"
    else:
        wanted = row.seen.partition(" ")[2]
        assert seen is not None, "nothing was seen"
        assert (f"L{seen}", wanted in red(found[seen])) == (row.seen[:2], True), red(found[seen])
        check = red(found[seen])[wanted]
        assert check.status == ("critical" if row.check else row.status)
        told = f"| {row.name} | L{seen} `{wanted}` {check.status} | {words(check, good)} |{proof(row)} |"
    assert steady(told) in [steady(line) for line in lines(group)], f"docs/comparison/backups.md has to say: {told}"


def proof(row: Broken) -> str:
    """What restore_proof says of a row, which test_restore_proof.py sees to."""
    return f" `{row.check}` {row.status}" if row.check else ""


def words(check: Check, good: Good) -> str:
    """The summary, without the place where the test runs."""
    place = str(good.place)
    return check.summary.replace(f"{place}/", "").replace(place, "").replace("|", "\\|")


def steady(line: str) -> str:
    """Without what differs from one run and one version of a tool to the next."""
    return re.sub(r"\d[\d,.]*", "0", line)


@functools.cache
def lines(group: str) -> list[str]:
    """The rows of a table of the document, by the heading above it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    _before, found, section = text.partition(f"\n### {group}\n")
    assert found, f"{DOCUMENT.name} has no section {group}"
    rows = itertools.takewhile(lambda line: not line.startswith("#"), section.splitlines())
    return [line for line in rows if line.startswith("| ")][2:]


def test_the_document_shows_every_row_and_no_other() -> None:
    for group, rows in GROUPS.items():
        assert [line.split(" | ")[0][2:] for line in lines(group)] == [row.name for row in rows], group


def test_what_has_to_be_noticed_is_in_the_table() -> None:
    there = {row.name for rows in GROUPS.values() for row in rows}
    assert [name for name in NAMED if name not in there] == []


@cases("MariaDB", "Names")
def test_a_broken_backup_of_mariadb_is_seen_as_far_as_it_can_be(
    group: str, row: Broken, good: Good, shop: Mariadb
) -> None:
    before = checksum(shop)
    judged(group, row, good, database="shop")
    assert checksum(shop) == before


@cases("PostgreSQL")
def test_a_broken_backup_of_postgresql_is_seen_as_far_as_it_can_be(
    group: str, row: Broken, good_pg: Good, bot: Postgresql
) -> None:
    before = pg_checksum(bot)
    judged(group, row, good_pg)
    assert pg_checksum(bot) == before


@cases("Archives")
def test_a_broken_archive_is_seen_as_far_as_it_can_be(group: str, row: Broken, good: Good) -> None:
    files = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "mode": f"{mode:04o}"}
        for name, content, mode in table.UPLOADS
    }
    good.manifest = {"format": 1, "engine": "files", "tables": {}, "files": files}
    judged(group, row, good)


@pytest.fixture
def uploading(s3: S3, good: Good, request: pytest.FixtureRequest) -> Good:
    """The same, with a bucket of its own as the other place."""
    name = f"offsite-{int(hashlib.sha256(request.node.name.encode()).hexdigest()[:8], 16)}"
    client = s3.bucket(name)

    def upload(key: str, content: bytes | None) -> str:
        if content is not None:
            client.put_object(Bucket=name, Key=key, Body=content)
        return f"s3://{name}/shop-*"

    return dataclasses.replace(good, upload=upload)


@cases("The other place")
def test_a_copy_that_is_none_is_seen(group: str, row: Broken, uploading: Good, s3: S3, shop: Mariadb) -> None:
    before = checksum(shop)
    judged(group, row, uploading, database="shop", s3=s3.settings)
    assert checksum(shop) == before


GOOD: dict[str, Callable[[Good], dict[str, Any]]] = {
    "plain": lambda good: good.write(good.plain, "shop.sql"),
    "compressed": lambda good: good.write(gzip.compress(good.plain)),
    "encrypted": lambda good: {**good.write(good.age(gzip.compress(good.plain)), "shop.sql.gz.age"), "encrypted": True},
    "with its checksum": lambda good: {**_with_digest(good), "checksum": True},
}


def _with_digest(good: Good) -> dict[str, Any]:
    content = gzip.compress(good.plain)
    good.manifest["dump"] = {"sha256": hashlib.sha256(content).hexdigest()}
    return good.write(content)


@pytest.mark.parametrize("how", GOOD)
@pytest.mark.parametrize("engine", ["mariadb", "postgresql"])
def test_nothing_is_found_in_a_good_backup(how: str, engine: str, request: pytest.FixtureRequest) -> None:
    good: Good = request.getfixturevalue("good" if engine == "mariadb" else "good_pg")
    found = looked({"age_identity": str(good.keys / "ours.age"), **GOOD[how](good)}, 2)
    assert {check.id: check.summary for check in red(found).values()} == {}
    assert json.loads(Path(f"{next(good.place.glob('shop*[!n]'))}.manifest.json").read_text())["tables"], (
        "compared with"
    )
