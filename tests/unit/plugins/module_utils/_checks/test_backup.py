# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""backup: what is judged of backups. The files are real ones; repositories and buckets are in tests/integration."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import re
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import backup as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

HOUR, DAY, MIB = 3600.0, 86400.0, 1024**2
NOW = time.mktime((2025, 11, 5, 5, 0, 0, 0, 0, -1))
"""Five in the morning: the dump of two o'clock is three hours old."""


def noise(size: int) -> bytes:
    """What cannot be compressed, and is always the same."""
    return random.Random(7).randbytes(size)


TABLE = """\
CREATE TABLE `{name}` (
  `id` int(11) NOT NULL
);
"""
DATA = "INSERT INTO `{name}` VALUES (1),(2);\n"


def dump(*tables: str, database: str = "shop", extra: str = "", empty: tuple[str, ...] = (), end: bool = True) -> bytes:
    """What mariadb-dump writes, in short."""
    text = f"-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n--\n-- Host: localhost    Database: {database}\n{extra}"
    for name in tables or ("orders", "customers"):
        text += TABLE.format(name=name) + ("" if name in empty else DATA.format(name=name))
    return (text + ("-- Dump completed on 2025-11-05  2:00:07\n" if end else "")).encode()


class Folder:
    """A directory with backups. ``name`` may hold {day}, which is replaced by the date of the day it is taken."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, content: bytes, days_ago: float = 0, name: str = "shop-{day}.sql.gz", *, plain: bool = False) -> Path:
        taken = NOW - 3 * HOUR - days_ago * DAY
        path = self.path / name.format(day=time.strftime("%Y%m%d", time.localtime(taken)))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if plain else gzip.compress(content))
        os.utime(path, (taken, taken))
        return path

    @property
    def source(self) -> str:
        return f"{self.path}/shop-*"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind.probe, "now_and_deadline", lambda seconds: (NOW, time.monotonic() + seconds))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def looked(folder: Folder, **options: Any) -> dict[str, Check]:
    target = {
        "source": folder.source,
        **{key: options.pop(key) for key in ("source", "offsite", "database") if key in options},
    }
    return {check.id: check for check in checks_of(kind, targets=[target], **options)}


def test_a_healthy_series_is_ok_in_every_respect(folder: Folder, tmp_path: Path) -> None:
    there = Folder(tmp_path / "offsite")
    for days in range(10):
        content = dump(extra=f"-- {'x' * days}\n")
        path = folder.put(content, days)
        there.put(content, days)
        path.with_name(path.name + ".sha256").write_text(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        )
    found = looked(
        folder,
        offsite=there.source,
        database="shop",
        level=2,
        anomaly={"warning": 6},
        window=7,
        count={"warning": "7..7"},
        gaps={"warning": 26},
        retention={"warning": "9..10"},
        checksum=True,
        encrypted=False,
        objects=["orders"],
    )
    assert {key: check.summary for key, check in found.items() if check.status != "ok"} == {}


# L0


def test_no_backup_at_all_is_one_critical_line(folder: Folder) -> None:
    found = looked(folder, level=2, retention={"warning": 30}, anomaly={"warning": 6})
    assert found["backup.present"].status == "critical"
    assert [check.id for check in found.values() if check.status not in ("skipped", "critical")] == []
    assert found["backup.archive"].detail["blocked_by"] == "backup.present"


def test_a_directory_that_cannot_be_read_is_one_unknown(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise Unmeasurable("/var/backups: Permission denied")

    monkeypatch.setattr(kind.probe, "found", closed)
    found = looked(folder)
    assert (found["backup.present"].status, found["backup.present"].summary) == (
        "unknown",
        "/var/backups: Permission denied",
    )
    assert {check.status for check in found.values()} == {"unknown", "skipped"}


@pytest.mark.parametrize(
    ("age", "status"), [(0, "ok"), (26, "ok"), (26.1, "warning"), (50, "warning"), (50.1, "critical")]
)
def test_the_age_of_the_newest_backup_is_judged(folder: Folder, age: float, status: str) -> None:
    folder.put(dump(), (age - 3) / 24, "shop-dump.sql.gz")
    folder.put(dump(), 300, "shop-old.sql.gz")
    check = looked(folder, level=0)["backup.age"]
    assert (check.status, check.unit) == (status, "h")
    assert check.value == pytest.approx(age, abs=1e-3)


def test_touching_an_old_dump_does_not_make_it_young(folder: Folder) -> None:
    path = folder.put(dump(), 9)
    os.utime(path, (NOW, NOW))
    assert looked(folder, level=0)["backup.age"].status == "critical"
    assert looked(folder, level=0, dated_by="modified")["backup.age"].status == "ok"


@pytest.mark.parametrize(("ahead", "status"), [(4, "ok"), (6, "warning"), (61, "critical")])
def test_a_backup_from_the_future_is_a_finding_and_leaves_no_age(folder: Folder, ahead: float, status: str) -> None:
    folder.put(dump(), 0)
    path = folder.put(dump(), 0, "shop-next.sql.gz")
    os.utime(path, (NOW + 60 * ahead, NOW + 60 * ahead))
    found = looked(folder, level=0)
    assert found["backup.clock"].status == status
    assert found["backup.age"].status == ("ok" if status == "ok" else "unknown")


def test_a_name_from_the_future_is_a_finding_whatever_its_time_of_modification(folder: Folder) -> None:
    folder.put(dump(), 0, "shop-20260101.sql.gz")
    assert looked(folder, level=0)["backup.clock"].status == "critical"


def test_an_empty_backup_is_critical_without_any_limit(folder: Folder) -> None:
    folder.put(b"", plain=True)
    found = looked(folder, level=0)
    assert (found["backup.size"].status, found["backup.size"].summary) == ("critical", "the newest backup is empty")


@pytest.mark.parametrize(("mib", "status"), [(5, "critical"), (15, "warning"), (20, "ok"), (31, "warning")])
def test_the_size_of_the_newest_backup_is_judged_on_both_sides(folder: Folder, mib: int, status: str) -> None:
    with folder.put(b"", plain=True).open("r+b") as file:
        file.truncate(mib * MIB)
    folder_now(folder)
    check = looked(folder, level=0, size={"warning": "20..30", "critical": "10..40"})["backup.size"]
    assert (check.status, check.value, check.unit) == (status, mib, "MiB")


def folder_now(folder: Folder) -> None:
    for path in folder.path.iterdir():
        os.utime(path, (NOW - 3 * HOUR, NOW - 3 * HOUR))


@pytest.mark.parametrize(("size", "status"), [(1000, "ok"), (1050, "ok"), (700, "warning"), (100, "critical")])
def test_a_size_that_is_far_from_the_usual_is_an_anomaly(folder: Folder, size: int, status: str) -> None:
    for days, usual in enumerate((size, 1000, 1020, 980, 1010, 990)):
        folder.put(b"x" * usual, days, plain=True)
    assert looked(folder, level=0, anomaly={"warning": 6, "critical": 25})["backup.anomaly"].status == status


def test_what_is_usual_is_unknown_for_a_young_series(folder: Folder) -> None:
    for days in range(4):
        folder.put(dump(), days)
    check = looked(folder, level=0, anomaly={"warning": 6})["backup.anomaly"]
    assert check.status == "unknown"
    assert "3 earlier backups" in check.summary


@pytest.mark.parametrize(("count", "status"), [("7..7", "ok"), ("8", "warning"), ("..6", "warning")])
def test_backups_are_counted_within_the_window(folder: Folder, count: str, status: str) -> None:
    for days in range(10):
        folder.put(dump(), days)
    check = looked(folder, level=0, window=7, count={"warning": count})["backup.count"]
    assert (check.status, check.value) == (status, 7)


@pytest.mark.parametrize(("days", "status"), [((0, 1, 2, 3), "ok"), ((0, 1, 3, 4), "warning"), ((0, 9), "critical")])
def test_a_gap_in_the_series_is_found(folder: Folder, days: tuple[int, ...], status: str) -> None:
    for day in days:
        folder.put(dump(), day)
    check = looked(folder, level=0, gaps={"warning": 26, "critical": 100})["backup.gaps"]
    assert check.status == status
    assert check.detail["before"].endswith(".sql.gz")


def test_one_backup_is_no_series(folder: Folder) -> None:
    folder.put(dump())
    assert looked(folder, level=0, gaps={"warning": 26})["backup.gaps"].status == "unknown"


@pytest.mark.parametrize(("oldest", "status"), [(20, "warning"), (30, "ok"), (40, "warning"), (99, "critical")])
def test_what_was_deleted_too_early_or_kept_too_long_is_found(folder: Folder, oldest: int, status: str) -> None:
    folder.put(dump(), 0)
    folder.put(dump(), oldest)
    check = looked(folder, level=0, retention={"warning": "29..32", "critical": "10..60"})["backup.retention"]
    assert check.status == status
    assert len(check.detail["oldest"]) == 2


# Off-site


@pytest.fixture
def there(folder: Folder, tmp_path: Path) -> Folder:
    return Folder(tmp_path / "offsite")


def test_a_copy_that_has_not_arrived_is_found_by_how_long_it_is_missing(folder: Folder, there: Folder) -> None:
    for days in range(3):
        folder.put(dump(), days)
    there.put(dump(), 1)
    there.put(dump(), 2)
    found = looked(folder, offsite=there.source)
    assert (found["backup.offsite_lag"].status, found["backup.offsite_lag"].value) == ("warning", 3)
    assert found["backup.offsite"].status == "ok"
    assert looked(folder, offsite=there.source, offsite_lag={"critical": 2})["backup.offsite_lag"].status == "critical"


def test_no_copy_at_all_is_critical(folder: Folder, there: Folder) -> None:
    for days in range(3):
        folder.put(dump(), days)
    found = looked(folder, offsite=there.source)
    assert found["backup.offsite_lag"].summary == "there is no copy at all"
    assert {found[one].status for one in ("backup.offsite_lag", "backup.offsite")} == {"critical"}


@pytest.mark.parametrize("level", [0, 1])
def test_a_copy_of_another_size_is_critical(folder: Folder, there: Folder, level: int) -> None:
    folder.put(dump())
    there.put(dump()[:-9])
    assert looked(folder, offsite=there.source, level=level)["backup.offsite"].status == "critical"


def test_a_copy_of_the_same_size_and_another_content_takes_level_1_to_be_found(folder: Folder, there: Folder) -> None:
    content = gzip.compress(dump())
    folder.put(content, plain=True)
    there.put(content[:50] + b"!" + content[51:], plain=True)
    assert looked(folder, offsite=there.source, level=0)["backup.offsite"].status == "ok"
    check = looked(folder, offsite=there.source)["backup.offsite"]
    assert check.status == "critical"
    assert check.summary.endswith("has the same size and another checksum")


def test_an_other_place_that_cannot_be_read_is_unknown(
    folder: Folder, there: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put(dump())
    real = kind.probe.found

    def closed(source: str, *rest: Any) -> Any:
        if source == "s3://bucket/shop-*":
            raise Unmeasurable("s3://bucket: AccessDenied")
        return real(source, *rest)

    monkeypatch.setattr(kind.probe, "found", closed)
    found = looked(folder, offsite="s3://bucket/shop-*")
    assert found["backup.offsite_lag"].status == "unknown"
    assert found["backup.offsite"].detail["blocked_by"] == "backup.offsite_lag"
    assert found["backup.archive"].status == "ok"


def test_a_copy_whose_checksum_cannot_be_told_is_unknown(
    folder: Folder, there: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put(dump())
    there.put(dump())

    def refused(*_: object) -> None:
        raise Unmeasurable("s3://bucket: InvalidObjectState")

    monkeypatch.setattr(kind.probe.Sums, "of", refused)
    assert looked(folder, offsite=there.source)["backup.offsite"].status == "unknown"


# Duplicates


def test_yesterdays_dump_once_more_is_critical(folder: Folder) -> None:
    content = gzip.compress(dump())
    folder.put(content, 0, plain=True)
    folder.put(content, 1, plain=True)
    check = looked(folder)["backup.duplicate"]
    assert check.status == "critical"
    assert check.summary == "shop-20251105.sql.gz is shop-20251104.sql.gz once more"
    assert looked(folder, may_repeat=True)["backup.duplicate"].status == "skipped"


def test_a_dump_of_the_same_size_is_no_duplicate(folder: Folder) -> None:
    folder.put(b"a" * 500, 0, plain=True)
    folder.put(b"b" * 500, 1, plain=True)
    assert looked(folder)["backup.duplicate"].status == "ok"


def test_an_earlier_dump_that_cannot_be_read_leaves_it_unknown(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    for days in range(2):
        folder.put(b"a" * 500, days, plain=True)

    def refused(*_: object) -> None:
        raise Unmeasurable("Permission denied")

    monkeypatch.setattr(kind.probe.Sums, "of", refused)
    assert looked(folder)["backup.duplicate"].status == "unknown"


# L1


def test_the_newest_backup_is_read_once_whatever_is_compared_with_it(
    folder: Folder, there: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in range(2):
        content = dump(extra=f"-- {days}\n")  # of the same size, so that only their content tells them apart
        path = folder.put(content, days, "shop-{day}.sql", plain=True)
        there.put(content, days, "shop-{day}.sql", plain=True)
        beside(path, ".sha1", hashlib.sha1(path.read_bytes()).hexdigest())
    read, really = [], kind.probe.read

    def counted(one: Any, *rest: Any) -> Any:
        read.append(one.place)
        return really(one, *rest)

    monkeypatch.setattr(kind.probe, "read", counted)
    found = looked(folder, offsite=there.source, level=2)
    compared = ("checksum", "offsite", "duplicate", "archive", "complete")
    assert {found[f"backup.{one}"].status for one in compared} == {"ok"}
    assert sorted(read) == sorted(
        f"{one.path}/shop-{day}.sql" for one, day in ((folder, 20251104), (folder, 20251105), (there, 20251105))
    )


def beside(path: Path, ending: str, text: str) -> None:
    path.with_name(path.name + ending).write_text(text)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize(("flipped", "status"), [(False, "ok"), (True, "critical")])
def test_a_checksum_beside_the_backup_is_compared(folder: Folder, algorithm: str, flipped: bool, status: str) -> None:
    path = folder.put(dump())
    beside(path, f".{algorithm}", f"{hashlib.new(algorithm, path.read_bytes()).hexdigest()}  {path.name}\n")
    if flipped:
        folder.put(dump(extra="-- changed\n"))
    assert looked(folder)["backup.checksum"].status == status


def test_a_list_of_checksums_is_read_for_the_right_line(folder: Folder) -> None:
    path = folder.put(dump())
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder.path / "SHA256SUMS").write_text(f"{'0' * 64}  other.gz\n{right} *{path.name}\n")
    assert looked(folder)["backup.checksum"].status == "ok"


def test_a_manifest_is_a_checksum_as_well(folder: Folder) -> None:
    path = folder.put(dump())
    beside(path, ".manifest.json", json.dumps({"format": 1, "tables": {}, "dump": {"sha256": "0" * 64}}))
    assert looked(folder)["backup.checksum"].status == "critical"


def test_a_checksum_that_is_asked_for_has_to_be_there(folder: Folder) -> None:
    folder.put(dump())
    assert looked(folder)["backup.checksum"].status == "skipped"
    assert looked(folder, checksum=True)["backup.checksum"].status == "critical"


def test_a_backup_that_cannot_be_read_is_unknown(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put(dump())

    def refused(*_: object) -> Any:
        raise Unmeasurable("Permission denied")

    monkeypatch.setattr(kind.probe, "read", refused)
    found = looked(folder, level=2)
    assert found["backup.checksum"].status == "unknown"
    assert found["backup.archive"].detail["blocked_by"] == "backup.checksum"


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing in it": (lambda content: gzip.compress(b""), "there is not one byte in it"),
    "cut off": (lambda content: gzip.compress(noise(9000))[:5000], "cut off"),
    "a flipped bit": (
        lambda content: content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 8]) + content[len(content) // 2 + 1 :],
        "damaged",
    ),
    "rubbish behind": (lambda content: content + b"<html>Bad Gateway</html>", "something else follows"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_damaged_archive_is_critical_and_says_how(folder: Folder, case: str) -> None:
    damage, reason = BROKEN[case]
    folder.put(damage(gzip.compress(dump() + noise(5000))), plain=True)
    check = looked(folder)["backup.archive"]
    assert check.status == "critical"
    assert check.summary.startswith("gzip: ")
    assert reason in check.summary


def test_a_backup_for_which_a_tool_is_missing_is_unknown(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put(b"\x28\xb5\x2f\xfd" + bytes(50), plain=True, name="shop-{day}.sql.zst")
    monkeypatch.setenv("PATH", "/nowhere")
    found = looked(folder, level=2)
    assert (found["backup.archive"].status, found["backup.archive"].summary) == (
        "unknown",
        "zstd is not installed on the host",
    )
    assert {found[one].status for one in kind.DEEP} == {"skipped"}
    assert {found[one].detail["blocked_by"] for one in kind.DEEP} == {"backup.archive"}


def tar_of(content: bytes) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        info = tarfile.TarInfo("uploads/a.jpg")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


@pytest.mark.parametrize("left", [1024, 800, 512 + 1024], ids=["at a border", "within", "without its end mark"])
def test_half_a_tar_is_critical_wherever_it_was_cut(folder: Folder, left: int) -> None:
    folder.put(tar_of(b"x" * 1000)[:left], name="shop-{day}.tar.gz")
    check = looked(folder)["backup.archive"]
    assert check.status == "critical"
    assert check.summary.startswith("tar: ")


def test_a_tar_holds_what_it_should(folder: Folder) -> None:
    folder.put(tar_of(b"x" * 1000), name="shop-{day}.tar.gz")
    found = looked(folder, level=2, objects=["uploads/a.jpg"])
    assert {found[f"backup.{one}"].status for one in ("objects", "complete", "foreign")} == {"ok"}
    found = looked(folder, level=2, objects=["uploads/b.jpg"])
    assert found["backup.objects"].summary == "it holds 1 members; uploads/b.jpg is missing"


def test_a_tar_is_compared_with_its_manifest_by_name_and_size(folder: Folder) -> None:
    path = folder.put(tar_of(b"x" * 1000), name="shop-{day}.tar.gz")
    files = {"uploads/a.jpg": {"bytes": 1000}}
    for changed, complaint in (
        (files, None),
        ({**files, "uploads/b.jpg": {}}, "uploads/b.jpg of the manifest is missing"),
        ({"uploads/a.jpg": {"bytes": 900}}, "uploads/a.jpg has 1,000 bytes, and had 900"),
    ):
        beside(path, ".manifest.json", json.dumps({"format": 1, "tables": {}, "files": changed}))
        check = looked(folder, level=2)["backup.objects"]
        assert (check.status, check.detail["complaints"]) == (("critical", [complaint]) if complaint else ("ok", []))


def test_an_archive_too_big_to_be_compared_is_unknown(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind.content, "MOST_NAMES", 0)
    folder.put(tar_of(b"x" * 1000), name="shop-{day}.tar.gz")
    assert looked(folder, level=2, objects=["uploads/a.jpg"])["backup.objects"].status == "unknown"
    assert looked(folder, level=2)["backup.objects"].status == "ok", "nothing was asked for"


def zip_of(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        archive.writestr("uploads/", b"")
        archive.writestr("uploads/a", content)
    return raw.getvalue()


def test_a_zip_is_tested_and_half_of_it_found(folder: Folder) -> None:
    content = zip_of(b"x" * 5000, zipfile.ZIP_STORED)
    folder.put(content, name="shop-{day}.zip", plain=True)
    assert looked(folder, level=2, objects=["uploads/a", "uploads"])["backup.objects"].status == "ok"
    folder.put(content[:4000], name="shop-{day}.zip", plain=True)
    assert looked(folder)["backup.archive"].status == "critical"
    folder.put(content.replace(b"x" * 10, b"y" * 10, 1), name="shop-{day}.zip", plain=True)
    assert looked(folder)["backup.archive"].status == "critical"


def test_a_zip_within_an_encryption_is_tested_as_well(folder: Folder) -> None:
    folder.put(encrypted(zip_of(noise(9000))), name="shop-{day}.zip.enc", plain=True)
    found = looked(folder, level=2, passphrase=PASSPHRASE, objects=["uploads/a"])
    assert {key: check.summary for key, check in found.items() if check.status not in ("ok", "skipped")} == {}
    folder.put(encrypted(zip_of(noise(9000))[:5000]), name="shop-{day}.zip.enc", plain=True)
    check = looked(folder, passphrase=PASSPHRASE)["backup.archive"]
    assert (check.status, check.summary) == ("critical", "zip: the archive ends in the middle: it was cut off")


def test_a_zip_with_a_password_is_unknown(folder: Folder) -> None:
    content = bytearray(zip_of(b"x"))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        for place in re.finditer(re.escape(mark), bytes(content)):
            content[place.start() + (6 if mark[2] == 3 else 8)] |= 1
    folder.put(bytes(content), name="shop-{day}.zip", plain=True)
    found = looked(folder, level=2, encrypted=True)
    assert (found["backup.encryption"].status, found["backup.encryption"].summary) == (
        "unknown", "the zip archive is encrypted, and nothing here can decrypt it",
    )  # fmt: skip
    assert found["backup.archive"].detail["blocked_by"] == "backup.encryption"


# Encryption

PASSPHRASE = "correct horse"
OPENSSL = ["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-pass", f"pass:{PASSPHRASE}"]


def encrypted(content: bytes) -> bytes:
    return subprocess.run(OPENSSL, input=content, check=True, capture_output=True).stdout


@pytest.mark.parametrize(("policy", "status"), [(None, "ok"), (True, "ok"), (False, "critical")])
def test_encryption_is_proven_by_decrypting(folder: Folder, policy: bool | None, status: str) -> None:
    folder.put(encrypted(gzip.compress(dump())), name="shop-{day}.sql.gz.enc", plain=True)
    found = looked(folder, encrypted=policy, passphrase=PASSPHRASE, level=2)
    assert found["backup.encryption"].status == status
    assert found["backup.archive"].status == "ok"
    assert found["backup.complete"].status == "ok"


def test_a_wrong_key_is_critical_and_blocks_what_is_inside(folder: Folder) -> None:
    folder.put(encrypted(gzip.compress(dump())), name="shop-{day}.sql.gz.enc", plain=True)
    found = looked(folder, passphrase="wrong", level=2)
    assert found["backup.encryption"].status == "critical"
    assert "cannot be decrypted by openssl" in found["backup.encryption"].summary
    assert found["backup.archive"].detail["blocked_by"] == "backup.encryption"
    assert PASSPHRASE not in str(found)


def test_what_nobody_has_the_key_of_is_unknown(folder: Folder) -> None:
    folder.put(encrypted(gzip.compress(dump())), name="shop-{day}.sql.gz.enc", plain=True)
    found = looked(folder, encrypted=True, level=2)
    assert found["backup.encryption"].status == "unknown"
    assert found["backup.foreign"].detail["blocked_by"] == "backup.encryption"
    assert found["backup.checksum"].status == "skipped", "the checksum needs no key"


def test_compression_is_not_taken_for_encryption(folder: Folder) -> None:
    folder.put(dump())
    check = looked(folder, encrypted=True)["backup.encryption"]
    assert check.status == "critical"
    assert check.summary == "the backup is compressed by gzip and not encrypted"


# L2


def deep(folder: Folder, **options: Any) -> dict[str, Check]:
    return looked(folder, level=2, **{"database": "shop", **options})


@pytest.mark.parametrize(
    ("name", "plain", "complaint"),
    [
        ("shop-{day}.sql", False, "its name ends with .sql"),
        ("shop-{day}.dump", True, "its name ends with .dump"),
        ("shop-{day}.sql.gz", True, ".gz promises gzip"),
        ("shop-{day}.sql.zst", False, ".zst promises zstd"),
        ("shop-{day}.tgz", False, "its name ends with .tgz"),
    ],
)
def test_a_name_that_promises_something_else_is_critical(
    folder: Folder, name: str, plain: bool, complaint: str
) -> None:
    folder.put(dump(), name=name, plain=plain)
    check = deep(folder)["backup.format"]
    assert check.status == "critical"
    assert complaint in check.summary


@pytest.mark.parametrize("name", ["shop-{day}.sql", "shop-{day}", "shop-{day}.bak"])
def test_a_name_that_promises_nothing_else_is_fine(folder: Folder, name: str) -> None:
    folder.put(dump(), name=name, plain=True)
    assert deep(folder)["backup.format"].status == "ok"


@pytest.mark.parametrize(("wanted", "status"), [("mysql", "ok"), ("pg_custom", "critical")])
def test_the_expected_format_outranks_the_name(folder: Folder, wanted: str, status: str) -> None:
    folder.put(dump(), name="shop-{day}.dump", plain=True)
    assert deep(folder, format=wanted)["backup.format"].status == status


def test_a_page_of_an_error_is_no_backup(folder: Folder) -> None:
    folder.put(b"<html>502 Bad Gateway</html>")
    found = deep(folder)
    assert found["backup.format"].status == "critical"
    assert {found[f"backup.{name}"].status for name in ("complete", "objects", "foreign", "database")} == {"unknown"}


@pytest.mark.parametrize(("database", "status"), [("shop", "ok"), ("shop_test", "critical")])
def test_the_dump_of_another_database_is_found(folder: Folder, database: str, status: str) -> None:
    folder.put(dump(database=database))
    check = deep(folder)["backup.database"]
    assert (check.status, check.summary) == (status, f"it is of the database {database}")


def test_a_dump_that_was_cut_off_within_a_whole_archive_is_found(folder: Folder) -> None:
    folder.put(dump(end=False))
    found = deep(folder)
    assert found["backup.archive"].status == "ok"
    assert found["backup.complete"].status == "critical"
    assert "without its last words" in found["backup.complete"].summary


def test_sql_that_has_no_last_words_is_unknown(folder: Folder) -> None:
    folder.put(b"CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\n")
    assert deep(folder)["backup.complete"].status == "unknown"


@pytest.mark.parametrize(
    ("content", "options", "complaint"),
    [
        (dump(empty=("orders",)), {"objects": ["orders"]}, "the table orders is empty"),
        (dump("customers"), {"objects": ["orders"]}, "the table orders is missing"),
        (dump(empty=("orders", "customers")), {}, "it only holds the schema, and no data"),
        (dump().replace(b"CREATE TABLE", b"-- "), {}, "it only holds data, and creates no table"),
        (b"-- MariaDB dump 10.19\n-- Dump completed\n", {}, "there is no table"),
    ],
    ids=["zero rows", "missing table", "schema only", "data only", "no table"],
)
def test_a_dump_that_lacks_something_is_critical(
    folder: Folder, content: bytes, options: dict[str, Any], complaint: str
) -> None:
    folder.put(content)
    check = deep(folder, **options)["backup.objects"]
    assert check.status == "critical"
    assert complaint in check.summary


def test_a_dump_of_the_schema_alone_may_be_planned(folder: Folder) -> None:
    folder.put(dump(empty=("orders", "customers")))
    assert deep(folder, contents="schema", objects=["orders"])["backup.objects"].status == "ok"


def test_a_dump_is_compared_with_its_manifest(folder: Folder) -> None:
    path = folder.put(dump("orders", "strange", "customers", empty=("customers",)))
    tables = {"orders": {"rows": 2}, "customers": {"rows": 7}, "payments": {"rows": 0}}
    beside(path, ".manifest.json", json.dumps({"format": 1, "tables": tables}))
    assert deep(folder)["backup.objects"].detail["complaints"] == [
        "the table payments of the manifest is missing",
        "the table strange is not in the manifest",
        "the table customers is empty, and had 7 rows",
    ]


@pytest.mark.parametrize(
    "statement",
    ["USE `live`;", "CREATE DATABASE `live`;", "DROP DATABASE `shop`;", "INSERT INTO `live`.`orders` VALUES (1);"],
)
def test_what_reaches_for_another_database_is_named(folder: Folder, statement: str) -> None:
    folder.put(dump(extra=statement + "\n"))
    check = deep(folder)["backup.foreign"]
    assert check.status == "critical"
    assert statement in check.summary
    assert check.detail["statements"] == [f"line 4: {statement}"]


def test_a_dump_may_choose_its_own_database(folder: Folder) -> None:
    folder.put(dump(extra="CREATE DATABASE `shop`;\nUSE `shop`;\n"))
    assert deep(folder)["backup.foreign"].status == "ok"


# Repositories of other tools


SNAPSHOTS = [
    {"time": "2025-11-05T01:00:00.123456789Z", "short_id": "b", "summary": {"total_bytes_processed": 5 * MIB}},
    {"time": "2025-11-04T02:00:00+01:00", "short_id": "a"},
]


@pytest.fixture
def restic(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    facts: dict[str, Any] = {"snapshots": json.dumps(SNAPSHOTS), "check": Answer(0, "no errors were found", "")}
    monkeypatch.setattr(kind.repositories, "restic_snapshots", lambda *_: facts["snapshots"])
    monkeypatch.setattr(kind.repositories, "restic_check", lambda *_args, **_options: facts["check"])
    return facts


def test_a_repository_is_judged_by_what_its_tool_says(folder: Folder, restic: dict[str, Any]) -> None:
    found = looked(folder, source="restic:/srv/restic", encrypted=True, gaps={"warning": 26}, level=2)
    for name in ("present", "clock", "age", "size", "gaps", "encryption", "archive"):
        assert found[f"backup.{name}"].status == "ok", name
    assert {found[one].status for one in kind.DEEP} == {"skipped"}


def test_what_a_tool_finds_in_its_repository_is_critical(folder: Folder, restic: dict[str, Any]) -> None:
    restic["check"] = Answer(1, "", "pack 1a2b3c: not referenced\nFatal: repository contains errors\n")
    check = looked(folder, source="restic:/srv/restic")["backup.archive"]
    assert check.status == "critical"
    assert check.detail["complaints"] == ["pack 1a2b3c: not referenced", "Fatal: repository contains errors"]


def test_a_repository_that_cannot_be_checked_is_unknown(folder: Folder, restic: dict[str, Any]) -> None:
    restic["check"] = Answer(1, "", "Fatal: wrong password or no key found\n")
    assert looked(folder, source="restic:/srv/restic")["backup.archive"].status == "unknown"


# Options


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"source": "dumps/*.gz"}, "neither an absolute path"),
        ({"source": "s3://bucket"}, "names no objects"),
        ({"source": "/a", "offsite": "restic:/b"}, "only files and objects can be compared"),
        ({"source": "/a", "anomaly_over": 0}, "nothing to compare with"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadOption, match=reason):
        checks_of(kind, targets=[options])


def test_the_evidence_stays_small_however_many_backups_there_are(folder: Folder) -> None:
    for days in range(100):
        folder.put(dump(extra=f"-- {days}\n"), days)
    found = looked(folder, offsite=f"{folder.path}/none/*", count={"warning": 1}, retention={"warning": 1}, level=2)
    assert (
        max(len(value) for check in found.values() for value in check.detail.values() if isinstance(value, list)) == 20
    )
