# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""backup_check on what real tools write: dumps of both servers, every packing, S3, restic, borg, pgBackRest."""

from __future__ import annotations

import gzip
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import backup as kind
from ansible_collections.sre.runbooks.tests.integration.conftest import S3, Mariadb, Postgresql
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

DAY = 86400
TABLES = "CREATE TABLE customers (id int PRIMARY KEY, name text); CREATE TABLE orders (id int PRIMARY KEY, note text)"
ROWS = "INSERT INTO customers VALUES (1, 'Zoë; USE live;'), (2, 'b'); INSERT INTO orders VALUES (7, 'x')"


def run(*command: str, stdin: bytes | None = None, cwd: Path | None = None, **environment: str) -> bytes:
    done = subprocess.run(
        command, input=stdin, capture_output=True, timeout=120, check=False, cwd=cwd, env={**os.environ, **environment}
    )
    assert done.returncode == 0, f"{command[0]}: {done.stderr.decode()}"
    return done.stdout


def looked(source: Any, **options: Any) -> dict[str, Check]:
    target: dict[str, Any] = {"source": str(source)}
    target.update({key: options.pop(key) for key in ("offsite", "database") if key in options})
    return {check.id: check for check in checks_of(kind, targets=[target], **options)}


def red(found: dict[str, Check]) -> dict[str, str]:
    return {key: check.summary for key, check in found.items() if check.status not in ("ok", "skipped")}


@pytest.fixture(scope="module")
def mysql_dump(mariadb: Mariadb) -> bytes:
    mariadb.sql(f"CREATE DATABASE looked_at; USE looked_at; {TABLES}; {ROWS}")
    return run(
        "mariadb-dump",
        "--no-defaults",
        "-uroot",
        "-S",
        mariadb.socket,
        "--single-transaction",
        "--routines",
        "looked_at",
    )


@pytest.fixture(scope="module")
def pg_url(postgresql: Postgresql) -> str:
    postgresql.sql("CREATE DATABASE looked_at")
    postgresql.sql(f"{TABLES}; {ROWS}; CREATE SCHEMA audit; CREATE TABLE audit.events (id int)", "looked_at")
    return postgresql.url("looked_at")


# Dumps


def test_a_dump_of_mariadb_is_what_it_should_be(tmp_path: Path, mysql_dump: bytes) -> None:
    (tmp_path / "a.sql.gz").write_bytes(gzip.compress(mysql_dump))
    found = looked(tmp_path / "a.sql.gz", level=2, database="looked_at", objects=["customers", "orders"])
    assert red(found) == {}
    assert found["backup.complete"].detail["completed"]
    ((lacking, summary),) = red(looked(tmp_path / "a.sql.gz", level=2, database="looked_at", objects=["gone"])).items()
    assert lacking == "backup.objects"
    assert re.fullmatch(r"it holds 2 tables with \d+ bytes of data; the table gone is missing", summary)


@pytest.mark.parametrize("option", ["--databases", "--add-drop-database"])
def test_a_dump_that_carries_its_database_along_is_judged_by_whose_it_is(
    tmp_path: Path, mariadb: Mariadb, mysql_dump: bytes, option: str
) -> None:
    arguments = ["--databases", "looked_at"] if option == "--databases" else [option, "--databases", "looked_at"]
    dump = run("mariadb-dump", "--no-defaults", "-uroot", "-S", mariadb.socket, *arguments)
    (tmp_path / "a.sql").write_bytes(dump)
    own = looked(tmp_path / "a.sql", level=2, database="looked_at")["backup.foreign"]
    assert own.status == ("ok" if option == "--databases" else "critical"), "to drop a database is foreign to any dump"
    assert looked(tmp_path / "a.sql", level=2, database="test")["backup.foreign"].status == "critical"


@pytest.mark.parametrize(("form", "ending"), [("p", ".sql"), ("c", ".dump"), ("t", ".tar"), ("d", "")])
def test_a_dump_of_postgresql_is_what_it_should_be_in_every_format(
    tmp_path: Path, pg_url: str, form: str, ending: str
) -> None:
    path = tmp_path / f"a{ending}"
    run("pg_dump", f"-F{form}", "-f", str(path), pg_url)
    found = looked(path, level=2, objects=["customers", "orders"], **({} if form == "p" else {"database": "looked_at"}))
    assert red(found) == {}
    assert found["backup.complete"].status == "ok"


def test_a_custom_dump_of_another_database_is_found(tmp_path: Path, pg_url: str) -> None:
    run("pg_dump", "-Fc", "-f", str(tmp_path / "a.dump"), pg_url)
    assert red(looked(tmp_path / "a.dump", level=2, database="shop")) == {
        "backup.database": "it is of the database looked_at"
    }


def test_half_a_custom_dump_is_found_though_its_list_reads_well(tmp_path: Path, postgresql: Postgresql) -> None:
    postgresql.sql("CREATE DATABASE big")
    postgresql.sql("CREATE TABLE a AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i", "big")
    path = tmp_path / "a.dump"
    run("pg_dump", "-Fc", "-f", str(path), postgresql.url("big"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    run("pg_restore", "-l", str(path))
    found = looked(path, level=2)
    assert found["backup.archive"].status == found["backup.complete"].status == "critical"
    assert found["backup.archive"].summary.startswith("pg_restore: ")


@pytest.mark.parametrize("damage", ["missing", "cut off", "flipped", "no table of contents"])
def test_a_damaged_dump_in_the_directory_format_is_found(tmp_path: Path, postgresql: Postgresql, damage: str) -> None:
    if not postgresql.sql("SELECT 1 FROM pg_database WHERE datname = 'wide'"):
        postgresql.sql("CREATE DATABASE wide")
        postgresql.sql("CREATE TABLE a AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i", "wide")
    path = tmp_path / "a"
    run("pg_dump", "-Fd", "-f", str(path), postgresql.url("wide"))
    assert red(looked(path, level=2, objects=["a"])) == {}
    data = max(path.glob("*.dat.gz"), key=lambda file: file.stat().st_size)
    raw = bytearray(data.read_bytes())
    if damage == "missing":
        data.unlink()
    elif damage == "cut off":
        data.write_bytes(raw[: len(raw) // 2])
    elif damage == "flipped":
        raw[len(raw) // 2] ^= 4
        data.write_bytes(raw)
    else:
        (path / "toc.dat").write_bytes(b"")
    for level in (1, 2):
        found = looked(path, level=level, size={})
        assert found["backup.archive"].status == "critical", "\n".join(map(str, found.values()))


def test_half_a_dump_in_the_tar_format_is_found_though_pg_restore_takes_it_for_whole(
    tmp_path: Path, postgresql: Postgresql
) -> None:
    postgresql.sql("CREATE DATABASE long")
    postgresql.sql("CREATE TABLE a AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i", "long")
    path = tmp_path / "a.tar"
    run("pg_dump", "-Ft", "-f", str(path), postgresql.url("long"))
    assert red(looked(path)) == {}
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    run("pg_restore", "-f", "-", stdin=path.read_bytes())
    check = looked(path)["backup.archive"]
    assert (check.status, check.summary) == (
        "critical", "tar: the archive ends without its end mark: it was cut off",
    )  # fmt: skip


def test_a_plain_dump_under_the_name_of_a_custom_one_is_found(tmp_path: Path, pg_url: str) -> None:
    run("pg_dump", "-f", str(tmp_path / "a.dump"), pg_url)
    check = looked(tmp_path / "a.dump", level=2)["backup.format"]
    assert check.summary == "it is a plain dump of PostgreSQL, and its name ends with .dump"


def test_a_dump_that_connects_elsewhere_is_found(tmp_path: Path, pg_url: str) -> None:
    run("pg_dump", "-C", "-f", str(tmp_path / "a.sql"), pg_url)
    check = looked(tmp_path / "a.sql", level=2, database="shop")["backup.foreign"]
    assert check.status == "critical"
    assert any("\\connect looked_at" in line for line in check.detail["statements"])


# Packing


@pytest.mark.parametrize(
    ("command", "ending"),
    [(["gzip"], ".gz"), (["zstd", "-q"], ".zst"), (["xz"], ".xz"), (["bzip2"], ".bz2")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_compression_is_read_and_its_damage_found(
    tmp_path: Path, mysql_dump: bytes, command: list[str], ending: str
) -> None:
    path = tmp_path / f"a.sql{ending}"
    packed = run(*command, "-c", stdin=mysql_dump)
    path.write_bytes(packed)
    assert red(looked(path, level=2)) == {}
    path.write_bytes(packed[: len(packed) // 2])
    assert looked(path)["backup.archive"].status == "critical"


@pytest.fixture(scope="module")
def age_keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("age")
    for name in ("right", "wrong"):
        run("age-keygen", "-o", str(folder / name))
    return {name: folder / name for name in ("right", "wrong")}


def test_age_is_proven_by_its_key(tmp_path: Path, mysql_dump: bytes, age_keys: dict[str, Path]) -> None:
    recipient = run("age-keygen", "-y", str(age_keys["right"])).decode().strip()
    path = tmp_path / "a.sql.zst.age"
    path.write_bytes(run("age", "-r", recipient, stdin=run("zstd", "-qc", stdin=mysql_dump)))
    options = {"level": 2, "encrypted": True}
    assert red(looked(path, age_identity=str(age_keys["right"]), **options)) == {}
    wrong = red(looked(path, age_identity=str(age_keys["wrong"]), **options))
    assert list(wrong) == ["backup.encryption"]
    assert "no identity matched" in wrong["backup.encryption"]
    assert "/gone" in red(looked(path, age_identity="/gone", **options))["backup.encryption"]


def test_gpg_is_proven_by_its_key_which_leaves_no_trace(tmp_path: Path, mysql_dump: bytes) -> None:
    home = Path(tempfile.mkdtemp(prefix="gpg-"))  # its sockets need a short path
    try:
        gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
        run(*gpg, "--quick-gen-key", "backup@example.org", "default", "default")
        (tmp_path / "key").write_bytes(run(*gpg, "--export-secret-keys"))
        path = tmp_path / "a.sql.gpg"
        path.write_bytes(run(*gpg, "--trust-model", "always", "-r", "backup@example.org", "-e", stdin=mysql_dump))
    finally:
        run("gpgconf", "--homedir", str(home), "--kill", "gpg-agent")
        shutil.rmtree(home, ignore_errors=True)  # the agent removes its sockets meanwhile
    assert red(looked(path, level=2, gpg_key=str(tmp_path / "key"), encrypted=True)) == {}
    assert "neither a key nor a passphrase" in red(looked(path, encrypted=True))["backup.encryption"]


# S3


def test_backups_in_a_bucket_are_judged_as_those_on_disk_are(s3: S3, mysql_dump: bytes) -> None:
    client = s3.bucket("judged")
    for days in range(3):
        day = time.strftime("%Y%m%d", time.gmtime(time.time() - days * DAY))
        body = gzip.compress(mysql_dump + b"-- %d\n" % days)
        client.put_object(Bucket="judged", Key=f"db/{day[:4]}/shop-{day}.sql.gz", Body=body)
    client.put_object(Bucket="judged", Key="db/other.txt", Body=b"x")
    found = looked(
        "s3://judged/db/*.sql.gz", level=2, database="looked_at", dated_by="name_utc", s3=s3.settings,
        count={"warning": "3..3"}, gaps={"warning": 48}, objects=["orders"],
    )  # fmt: skip
    assert red(found) == {}
    assert found["backup.checksum"].status == "ok", "the ETag is a checksum"
    assert red(looked("s3://judged/none/*", s3=s3.settings)) == {"backup.present": "there is no backup"}


def test_a_zip_in_a_bucket_is_tested_as_it_streams_by(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    for number in range(5):
        (tmp_path / "uploads" / str(number)).write_bytes(os.urandom(300_000))
    run("zip", "-qr", str(tmp_path / "u.zip"), "uploads", cwd=tmp_path)
    content = (tmp_path / "u.zip").read_bytes()
    client = s3.bucket("zipped")
    client.put_object(Bucket="zipped", Key="u.zip", Body=content)
    options = {"level": 2, "s3": s3.settings, "objects": ["uploads/3"]}
    assert red(looked("s3://zipped/*.zip", **options)) == {}
    client.put_object(Bucket="zipped", Key="u.zip", Body=content[: len(content) // 2])
    check = looked("s3://zipped/*.zip", **options)["backup.archive"]
    assert (check.status, check.summary) == ("critical", "zip: the archive ends in the middle: it was cut off")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"endpoint": "http://127.0.0.1:1"}, "Could not connect"), ({}, "NoSuchBucket")],
    ids=["nobody there", "no such bucket"],
)
def test_a_bucket_that_cannot_be_read_is_unknown(s3: S3, settings: dict[str, str], reason: str) -> None:
    check = looked("s3://nobody/*", s3={**s3.settings, **settings})["backup.present"]
    assert check.status == "unknown"
    assert reason in check.summary
    assert "secret-of-s3" not in str(check)


@pytest.mark.parametrize("told", [False, True], ids=["to be read", "by its metadata"])
def test_the_copy_in_a_bucket_is_compared(s3: S3, tmp_path: Path, mysql_dump: bytes, told: bool) -> None:
    bucket = f"copies-{int(told)}"
    client = s3.bucket(bucket)
    path = tmp_path / "shop-20251105.sql.gz"
    path.write_bytes(gzip.compress(mysql_dump) + os.urandom(6 * 1024**2))
    options = {"offsite": f"s3://{bucket}/*", "s3": s3.settings}
    assert looked(path, **options)["backup.offsite_lag"].summary == "there is no copy at all"

    from boto3.s3.transfer import TransferConfig

    parts = TransferConfig(multipart_threshold=5 * 1024**2, multipart_chunksize=5 * 1024**2)
    digest = run("sha256sum", str(path)).decode().split()[0]
    client.upload_file(
        str(path), bucket, path.name, ExtraArgs={"Metadata": {"sha256": digest}} if told else {}, Config=parts
    )
    assert "-" in client.head_object(Bucket=bucket, Key=path.name)["ETag"], "uploaded in parts, it is no checksum"
    assert looked(path, **options)["backup.offsite"].status == "ok"

    damaged(tmp_path)
    check = looked(path, **options)["backup.offsite"]
    assert check.summary.endswith("has the same size and another checksum")


# Repositories


def damaged(folder: Path) -> None:
    """One byte of the biggest file is changed."""
    biggest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    biggest.chmod(0o600)
    raw = bytearray(biggest.read_bytes())
    raw[len(raw) // 2] ^= 1
    biggest.write_bytes(bytes(raw))


def test_restic_is_adopted(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(os.urandom(300_000))
    repository = f"restic:{tmp_path}/repository"
    environment: dict[str, Any] = {"RESTIC_PASSWORD": "right", "HOME": str(tmp_path)}
    restic = ["restic", "-q", "-r", f"{tmp_path}/repository"]
    run(*restic, "init", **environment)
    for _number in range(2):
        run(*restic, "backup", str(tmp_path / "data"), **environment)
    options = {"level": 2, "passphrase": "right", "encrypted": True, "count": {"warning": "2..2"}}
    assert red(looked(repository, size={"warning": "0.2..0.4"}, **options)) == {}
    wrong = looked(repository, **{**options, "passphrase": "wrong"})["backup.present"]
    assert (wrong.status, "wrong password" in wrong.summary) == ("unknown", True)
    assert looked(f"restic:{tmp_path}/none", **options)["backup.present"].status == "unknown"
    damaged(tmp_path / "repository" / "data")
    assert looked(repository, **options)["backup.archive"].status == "critical"


def test_borg_is_adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "base"))
    (tmp_path / "data").write_bytes(os.urandom(300_000))
    repository = f"borg:{tmp_path}/repository"
    run("borg", "init", "-e", "repokey", f"{tmp_path}/repository", BORG_PASSPHRASE="right")
    for number in range(2):
        run("borg", "create", f"{tmp_path}/repository::a{number}", str(tmp_path / "data"), BORG_PASSPHRASE="right")
    options = {"level": 2, "passphrase": "right", "encrypted": True, "count": {"warning": "2..2"}}
    found = looked(repository, size={"warning": "0.2..0.4"}, **options)
    assert red(found) == {}
    assert found["backup.age"].value == pytest.approx(0, abs=0.1), "its times are taken for UTC"
    assert looked(repository, **{**options, "passphrase": "wrong"})["backup.present"].status == "unknown"
    damaged(tmp_path / "repository" / "data")
    assert looked(repository, **options)["backup.archive"].status == "critical"


def test_a_repository_of_borg_without_encryption_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "base"))
    run("borg", "init", "-e", "none", f"{tmp_path}/repository")
    found = looked(f"borg:{tmp_path}/repository", encrypted=True)
    assert red(found) == {
        "backup.present": "there is no backup",
        "backup.encryption": "the repository is not encrypted",
    }


@pytest.fixture
def pgbackrest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stanza with one full backup of a server that does not run. It belongs to nobody, as root may not have one."""
    tools = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="pgb-"))
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    shutil.chown(folder, user)
    settings = {"repo1-path": folder / "repo", "log-path": folder / "log", "lock-path": folder / "lock"}
    lines = [f"{key}={value}" for key, value in settings.items()]
    lines += ["repo1-retention-full=2", "repo1-cipher-type=aes-256-cbc", "repo1-cipher-pass=secret"]
    (folder / "config").write_text(
        "\n".join(["[global]", *lines, "[main]", f"pg1-path={folder}/data", f"pg1-socket-path={folder}"]) + "\n"
    )
    monkeypatch.setenv("PGBACKREST_CONFIG", str(folder / "config"))

    def as_user(*command: str) -> None:
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        as_user(str(tools / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-N")
        as_user("pgbackrest", "--stanza=main", "--no-online", "stanza-create")
        as_user("pgbackrest", "--stanza=main", "--no-online", "--type=full", "--log-level-console=off", "backup")
        yield folder
    finally:
        shutil.rmtree(folder)


def test_pgbackrest_is_adopted_and_its_exit_code_not_believed(pgbackrest: Path) -> None:
    options = {"level": 2, "encrypted": True, "size": {"warning": "10..100"}}
    assert red(looked("pgbackrest:main", **options)) == {}
    assert looked("pgbackrest:other")["backup.present"].status == "unknown"
    damaged(pgbackrest / "repo" / "backup" / "main")
    assert "status: error" in str(looked("pgbackrest:main", **options)["backup.archive"].detail["complaints"])
