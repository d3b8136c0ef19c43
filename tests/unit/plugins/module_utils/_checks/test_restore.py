# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restore: what is judged of a restored backup. Real backups are restored in tests/integration/test_restore_proof.py."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import restore as kind
from ansible_collections.sre.runbooks.plugins.module_utils._dump import MYSQL, TAR, Scan, Touch
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import Broken
from ansible_collections.sre.runbooks.plugins.module_utils._probe.restores import Proof
from ansible_collections.sre.runbooks.plugins.module_utils._unpack import Unpacked
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0

TABLES = {
    name: {
        "columns": {"id": "int(11) not null", "note": "text"},
        "indexes": {"PRIMARY": "unique (id)"},
        "constraints": {},
        "rows": rows,
        "sample": {"one_in": 1, "rows": rows, "checksum": "42"},
    }
    for name, rows in (("customers", 50), ("orders", 1000))
}
FACTS: dict[str, Any] = {"format": 1, "tables": TABLES, "objects": ["view v"], "sequences": {}, "grants": []}
FILES = {"index.php": {"bytes": 5, "sha256": "ab", "mode": "0644"}, "a/b": {"bytes": 5, "sha256": "cd", "mode": "0600"}}


@pytest.fixture
def proof(monkeypatch: pytest.MonkeyPatch) -> Proof:
    """A good proof of a dump; a test changes what it is about."""
    facts = Proof(
        place="/b/shop.sql.gz.age", bytes=1_000_000, taken=NOW - HOUR, started=NOW, sha256="5c1e", stages=["age", "gzip"],
        format=MYSQL, engine="mysql", server="10.11", database="shop", scan=Scan(MYSQL, header=True, database="shop"),
        expected=copy.deepcopy(FACTS), reference="the manifest", found=copy.deepcopy(FACTS),
        seconds={"start": 1.0, "restore": 600.0, "check": 5.0, "compare": 5.0}, engine_check="CHECK TABLE",
        newest=NOW - 2 * HOUR, newest_by="the newest row of orders.at", answers={"some": 5.0, "none": 0.0},
    )  # fmt: skip
    monkeypatch.setattr(kind.probe, "prove", lambda target: facts)
    return facts


@pytest.fixture
def files(proof: Proof) -> Proof:
    """The same of an archive."""
    proof.format, proof.engine, proof.scan, proof.answers = TAR, "files", None, {}
    proof.unpacked = Unpacked(files=copy.deepcopy(FILES))
    proof.expected, proof.found = {"files": copy.deepcopy(FILES)}, {"files": proof.unpacked.files}
    proof.smoke = (0, "")
    return proof


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kind.TUNING["state"], "default", str(tmp_path / "state"))


INVARIANTS = [
    {"name": "some", "sql": "SELECT 5", "critical": "1.."},
    {"name": "none", "sql": "SELECT 0", "warning": "0", "critical": "3"},
]


def checks(**options: Any) -> list[Check]:
    own = {"source": "/b/*", "name": "shop", "database": "shop", "invariants": copy.deepcopy(INVARIANTS)}
    return checks_of(kind, targets=[{**own, **options.pop("target", {})}], **{"encrypted": True, **options})


def one(check_id: str, **options: Any) -> Check:
    return next(check for check in checks(**options) if check.id == check_id)


def test_a_good_proof_of_a_database_is_ok_in_every_respect(proof: Proof) -> None:
    expected = {**dict.fromkeys(kind.CHECKS, "ok"), "restore.permissions": "skipped"}
    assert statuses(checks(rto={"warning": 30})) == expected


def test_a_good_proof_of_files_is_ok_in_every_respect(files: Proof) -> None:
    expected = {**dict.fromkeys(kind.CHECKS, "ok"), "restore.engine_check": "skipped", "restore.sequences": "skipped"}
    assert statuses(checks()) == expected


def test_in_check_mode_nothing_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind.probe, "prove", lambda target: pytest.fail("restored in check mode"))
    found = checks(check_mode=True)
    assert {check.status for check in found} == {"skipped"}
    assert {check.summary for check in found} == {kind.IN_CHECK_MODE}


def test_what_keeps_us_from_proving_is_one_unknown_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_target: Any) -> None:
        raise Unmeasurable("mariadbd is not installed on the host: …")

    monkeypatch.setattr(kind.probe, "prove", fail)
    found = checks()
    assert [check.summary for check in found if check.status != "skipped"] == [
        "mariadbd is not installed on the host: …"
    ]
    assert found[0].status == "unknown"
    assert all(check.detail["blocked_by"] == "restore.cleared" for check in found[1:])


def test_what_killed_proofs_left_is_told(proof: Proof) -> None:
    proof.cleared = ["/var/tmp/sre-proof/p-x"]
    assert one("restore.cleared").status == "warning"
    proof.left = ["/var/tmp/sre-proof/p-x"]
    assert one("restore.cleared").status == "critical"


@pytest.mark.parametrize(
    ("stages", "encrypted", "status"),
    [
        (["age", "gzip"], True, "ok"),
        (["gzip", "gpg"], True, "ok"),
        (["gzip"], True, "critical"),
        ([], True, "critical"),
        ([], False, "skipped"),
    ],
)
def test_a_backup_has_to_be_encrypted_where_that_is_policy(
    proof: Proof, stages: list[str], encrypted: bool, status: str
) -> None:
    proof.stages = stages
    assert one("restore.encryption", encrypted=encrypted).status == status
    if status == "critical":
        assert one("restore.proof", encrypted=encrypted).status == "critical"


def broken(proof: Proof, stage: str = "gzip") -> None:
    proof.broken, proof.found, proof.seconds = Broken(stage, "the archive ends in the middle: it was cut off"), None, {}


def test_a_broken_backup_is_critical_with_the_stage_and_nothing_else_is_judged(proof: Proof) -> None:
    broken(proof)
    found = {check.id: check for check in checks()}
    assert found["restore.loads"].status == "critical"
    assert found["restore.loads"].summary == "not restored: gzip: the archive ends in the middle: it was cut off"
    assert found["restore.proof"].status == "critical"
    assert {check.detail.get("blocked_by") for check in found.values() if check.status == "skipped"} >= {
        "restore.loads"
    }
    assert [check.id for check in found.values() if check.status == "critical"] == ["restore.loads", "restore.proof"]


def test_encryption_cannot_be_told_of_a_backup_that_was_not_read(proof: Proof) -> None:
    broken(proof, "find")
    proof.stages, proof.format = [], ""
    assert one("restore.encryption").status == "unknown"


def test_what_a_dump_says_about_other_databases_is_critical_with_its_line(proof: Proof) -> None:
    proof.scan = Scan(
        MYSQL, header=True, database="shop", touches=[Touch(12, "use", "production", "USE `production`;")]
    )
    check = one("restore.contained")
    assert check.status == "critical"
    assert check.detail["statements"] == ["line 12: USE `production`;"]


def test_a_dump_of_another_database_is_critical(proof: Proof) -> None:
    proof.scan = Scan(MYSQL, header=True, database="blog")
    assert one("restore.contained").detail["statements"] == [
        "the dump says that it is of blog, and shop is expected"
    ]  # fmt: skip


def test_an_archive_that_leads_out_of_its_directory_is_critical(files: Proof) -> None:
    assert files.unpacked
    files.unpacked.refused = ["../../etc/cron.d/x: would lie outside of the directory"]
    assert one("restore.contained").status == "critical"


def test_damage_is_critical(proof: Proof) -> None:
    proof.damages = ["orders: Record-count is not ok"]
    assert one("restore.engine_check").status == "critical"
    assert one("restore.proof").detail["because"] == ["restore.engine_check"]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda facts: facts["tables"].pop("orders"), "table orders is missing"),
        (lambda facts: facts["tables"].update(extra=facts["tables"]["orders"]), "table extra was not there"),
        (
            lambda facts: facts["tables"]["orders"]["columns"].update(id="bigint(20) not null"),
            "column orders.id was int(11) not null, is bigint(20) not null",
        ),
        (lambda facts: facts["tables"]["orders"]["columns"].pop("note"), "column orders.note is missing"),
        (lambda facts: facts["tables"]["orders"]["indexes"].clear(), "index orders.PRIMARY is missing"),
        (lambda facts: facts["objects"].clear(), "view v is missing"),
    ],
)
def test_every_difference_of_the_schema_is_critical(proof: Proof, change: Any, difference: str) -> None:
    change(proof.found)
    check = one("restore.schema")
    assert (check.status, check.value, check.detail["differences"]) == ("critical", 1, [difference])


def test_files_that_are_missing_are_critical(files: Proof) -> None:
    assert files.unpacked
    del files.unpacked.files["a/b"]
    assert one("restore.schema").detail["differences"] == ["a/b is missing"]
    assert (one("restore.rows").status, one("restore.rows").value) == ("critical", 50)


@pytest.mark.parametrize(
    ("rows", "status", "off"),
    [
        (1000, "ok", 0), (990, "ok", 1), (1010, "ok", 1), (989, "warning", 1.1), (900, "warning", 10), (899, "critical", 10.1),
        (0, "critical", 100),
    ],
)  # fmt: skip
def test_rows_are_judged_by_the_table_that_is_farthest_off(proof: Proof, rows: int, status: str, off: float) -> None:
    assert proof.found
    proof.found["tables"]["orders"]["rows"] = rows
    check = one("restore.rows")
    assert (check.status, check.unit) == (status, "%")
    assert check.value == pytest.approx(off)


def test_a_dump_without_one_row_is_critical_also_with_nothing_to_compare(proof: Proof) -> None:
    assert proof.found
    for table in proof.found["tables"].values():
        table["rows"] = 0
    proof.expected = None
    assert one("restore.rows").summary == "not one row in 2 tables: only the schema was backed up"


def test_rows_that_nobody_counted_are_unknown(proof: Proof) -> None:
    assert proof.expected
    for table in proof.expected["tables"].values():
        table["rows"] = None
    assert one("restore.rows").status == "unknown"


def test_with_nothing_to_compare_it_says_so(proof: Proof) -> None:
    proof.expected, proof.reference, proof.no_reference = None, "", "there is no manifest at /b/x"
    found = {check.id: check for check in checks()}
    assert (found["restore.schema"].status, found["restore.sample"].status) == ("skipped", "skipped")
    assert found["restore.proof"].summary.endswith("with nothing to compare it with")
    assert found["restore.proof"].detail["compared_with"] == "nothing: there is no manifest at /b/x"


def test_sampled_rows_with_another_checksum_are_critical_and_say_nothing_against_a_server_in_use(proof: Proof) -> None:
    assert proof.found
    proof.found["tables"]["orders"]["sample"]["checksum"] = "43"
    assert one("restore.sample").summary == "orders: 1000 sampled rows have another checksum"
    assert one("restore.sample").status == "critical"
    proof.reference = "the production server"
    gone_on = one("restore.sample")
    assert gone_on.status == "skipped"
    assert "1 of 2 tables differ from the production server, which has gone on" in gone_on.summary
    assert gone_on.detail["differing"] == ["orders: 1000 sampled rows have another checksum"]


def test_a_reference_without_checksums_is_unknown(proof: Proof) -> None:
    assert proof.expected
    for table in proof.expected["tables"].values():
        table["sample"] = None
    assert one("restore.sample").status == "unknown"


def test_files_with_another_checksum_are_critical(files: Proof) -> None:
    assert files.unpacked
    files.unpacked.files["index.php"]["sha256"] = "xx"
    assert one("restore.sample").summary == "index.php has another checksum"


def test_a_sequence_behind_its_column_is_critical(proof: Proof) -> None:
    proof.behind = ["orders_id_seq"]
    assert one("restore.sequences").status == "critical"


@pytest.mark.parametrize("mode", ["0666", "4755", "0640"])
def test_modes_that_are_open_or_others_than_they_were_are_a_warning(files: Proof, mode: str) -> None:
    assert files.unpacked
    files.unpacked.files["index.php"]["mode"] = mode
    assert one("restore.permissions").status == "warning"


@pytest.mark.parametrize(
    ("hours", "status"), [(0, "ok"), (26, "ok"), (26.1, "warning"), (50, "warning"), (50.1, "critical")]
)
def test_the_age_of_the_newest_row_is_the_rpo(proof: Proof, hours: float, status: str) -> None:
    proof.newest = NOW - hours * HOUR
    check = one("restore.rpo")
    assert (check.status, check.unit) == (status, "h")
    assert check.value == pytest.approx(hours)


def test_a_newest_row_from_the_future_has_no_age(proof: Proof) -> None:
    proof.newest = NOW + 3 * HOUR
    assert one("restore.rpo").status == "unknown"
    assert one("restore.proof").status == "critical"


@pytest.mark.parametrize(("newer", "status"), [(-1, "ok"), (0.5, "ok"), (0.6, "unknown"), (1.5, "unknown")])
def test_a_row_that_is_newer_than_its_backup_has_no_age(proof: Proof, newer: float, status: str) -> None:
    proof.dumped = NOW - 4 * HOUR
    proof.newest = proof.dumped + newer * HOUR
    check = one("restore.rpo")
    assert check.status == status
    if status == "unknown":
        says = (
            f"the newest row of orders.at is {newer} h newer than the backup, which was taken at 2027-01-15T04:00:00Z"
        )
        assert check.summary.startswith(says)


def test_a_newest_row_that_is_not_there_is_unknown(proof: Proof) -> None:
    proof.newest, proof.newest_problem = (
        None,
        "orders.at does not tell the age of the newest row: it gave nothing: null",
    )
    assert one("restore.rpo").summary == proof.newest_problem


@pytest.mark.parametrize(
    ("share", "minutes", "status"), [(1.0, 10, "ok"), (0.5, 20, "ok"), (0.25, 40, "warning"), (0.1, 100, "critical")]
)
def test_the_time_of_a_sample_is_extrapolated_to_the_rto(
    proof: Proof, share: float, minutes: float, status: str
) -> None:
    proof.share = share
    check = one("restore.rto", rto={"warning": 30, "critical": 60})
    assert (check.status, check.unit) == (status, "min")
    assert check.value == pytest.approx(minutes)


def test_a_slow_restore_is_still_a_proof(proof: Proof) -> None:
    assert one("restore.proof", rto={"critical": 1}).status == "ok"


@pytest.mark.parametrize(
    ("answers", "status", "value"),
    [
        ({"some": 5.0, "none": 0.0}, "ok", 0),
        ({"some": 5.0, "none": 1.0}, "warning", 1),
        ({"some": 0.0, "none": 1.0}, "critical", 2),
        ({"some": "it gave nothing: null", "none": 0.0}, "unknown", 1),
    ],
)
def test_every_invariant_has_its_limits(proof: Proof, answers: dict[str, Any], status: str, value: float) -> None:
    proof.answers = answers
    check = one("restore.invariants")
    assert (check.status, check.value) == (status, value)


def test_a_smoke_check_that_goes_wrong_is_critical(files: Proof) -> None:
    files.smoke = (1, "index.php is empty")
    assert one("restore.invariants").summary == "the smoke check ended with exit code 1: index.php is empty"


@pytest.mark.parametrize(
    ("days", "status"), [(8, "ok"), (8.1, "warning"), (15, "warning"), (15.1, "critical")]
)  # fmt: skip
def test_the_table_that_was_proven_the_longest_time_ago_is_judged(proof: Proof, days: float, status: str) -> None:
    proof.tables, proof.remembered = ["orders"], {"customers": _proofs.time_text(NOW - days * DAY)}
    check = one("restore.coverage")
    assert (check.status, check.unit) == (status, "d")
    assert check.summary.startswith("customers was restored")


def test_a_table_that_was_never_proven_is_a_warning(proof: Proof) -> None:
    proof.tables = ["orders"]
    assert one("restore.coverage").summary == "1 of 2 tables have never been restored, first customers"


def test_what_cannot_be_remembered_is_unknown(proof: Proof, tmp_path: Path) -> None:
    proof.state_problem = "/x, where proofs are remembered, holds something else"
    assert one("restore.coverage").status == "unknown"
    (tmp_path / "file").write_text("")
    assert one("restore.proof", state=str(tmp_path / "file")).status == "unknown"


def test_a_proof_is_remembered_for_retention_and_real_restores(proof: Proof, tmp_path: Path) -> None:
    checks()
    known = _proofs.proven(str(tmp_path / "state"))
    assert known["5c1e"]["source"] == "/b/shop.sql.gz.age"
    assert _proofs.read(_proofs.path_of(str(tmp_path / "state"), "shop"))["tables"].keys() == {"customers", "orders"}


@pytest.mark.parametrize("change", [{"damages": ["orders"]}, {"tables": ["orders"]}])
def test_a_failed_proof_and_a_sample_prove_no_backup(proof: Proof, tmp_path: Path, change: dict[str, Any]) -> None:
    for name, value in change.items():
        setattr(proof, name, value)
    checks()
    assert _proofs.proven(str(tmp_path / "state")) == {}


def test_an_evidence_sheet_is_written_for_people_and_machines(proof: Proof, tmp_path: Path) -> None:
    checks(sheets=str(tmp_path / "sheets"))
    text = (tmp_path / "sheets/shop.md").read_text(encoding="utf-8")
    for part in (
        "# Proof of restore: shop",
        "**Proven**",
        "/b/shop.sql.gz.age",
        "| restore.rpo | ok |",
        "the manifest",
    ):
        assert part in text
    sheet = json.loads((tmp_path / "sheets/shop.json").read_text(encoding="utf-8"))
    assert sheet["verdict"] == "proven"
    assert {check["id"] for check in sheet["checks"]} == set(kind.CHECKS) - {"restore.proof"}


def test_the_evidence_says_what_was_restored_and_measured_with_its_limits(proof: Proof) -> None:
    detail = one("restore.proof", rto={"critical": 60}).detail
    assert detail["source"] == "/b/shop.sql.gz.age"
    assert (detail["bytes"], detail["sha256"], detail["layers"]) == (1_000_000, "5c1e", ["age", "gzip"])
    assert (detail["taken"], detail["at"]) == ("2027-01-15T07:00:00Z", "2027-01-15T08:00:00Z")
    assert (detail["server"], detail["database"], detail["tables"]) == ("10.11", "shop", "all")
    assert detail["found"] == "1,050 rows, in each table as many as in the manifest"
    assert detail["compared_with"] == "the manifest"
    assert detail["rpo"] == "2.0 h would be lost, by the newest row of orders.at (warning 26 h, critical 50 h)"
    assert detail["rto"] == "restoring takes 10 minutes (critical 60 min)"
    assert detail["checks"] == {
        **{check_id.partition(".")[2]: "ok" for check_id in kind.CHECKS if check_id != "restore.proof"},
        "permissions": "skipped",
    }


def test_the_evidence_says_what_was_not_measured_and_why(proof: Proof) -> None:
    proof.newest, proof.newest_problem = (
        None,
        "orders.at does not tell the age of the newest row: it gave nothing: null",
    )
    detail = one("restore.proof").detail
    assert detail["rpo"] == f"unknown: {proof.newest_problem}"
    assert detail["rto"] == "restoring takes 10 minutes (no limit is set)"
    broken(proof, "gzip")
    detail = one("restore.proof").detail
    assert detail["rpo"] == "not measured: nothing was restored, see restore.loads"
    assert detail["compared_with"] == "nothing: it was not restored"
    assert (detail["verdict"], detail["checks"]["loads"], detail["checks"]["rpo"]) == (
        "not proven",
        "critical",
        "skipped",
    )


def test_the_tables_of_a_large_sample_are_counted(proof: Proof) -> None:
    proof.tables = [f"t{number}" for number in range(300)]
    proof.remembered = dict.fromkeys(FACTS["tables"], "2027-01-14T00:00:00Z")
    tables = one("restore.proof").detail["tables"]
    assert (tables[0], tables[-1], len(tables)) == ("t0", "and 280 more", 21)


def test_the_reports_hold_no_secret(proof: Proof) -> None:
    found = checks(target={"passphrase": "s3cret-canary", "production": {"password": "s3cret-canary"}})
    assert "s3cret-canary" not in json.dumps([dataclasses.asdict(check) for check in found])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"memory": 100}, "memory: 100 MiB are too few"),
        ({"sample_tables": -1}, "sample_tables"),
        ({"target": {"invariants": [{"name": "a", "sql": "x"}]}}, "a has no limit"),
        ({"target": {"invariants": [{"name": "a", "sql": "x", "critical": "x"}]}}, "neither a number nor"),
        ({"target": {"invariants": [INVARIANTS[0], INVARIANTS[0]]}}, "two have the same name"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadOption, match=says):
        checks(**options)
