# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""database_backup on a real MariaDB and a real PostgreSQL, and what becomes of it when something fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sre.runbooks.plugins.module_utils import _database_backup as backup
from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs as proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import backup as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe import backups as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe import s3 as s3_probe
from ansible_collections.sre.runbooks.tests.integration.conftest import S3, Mariadb, Postgresql
from ansible_collections.sre.runbooks.tests.integration.playbook import ROOT, Site
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

PASSWORD = "correct-horse-battery"
TABLES = "CREATE TABLE customers (id int PRIMARY KEY, name text); CREATE TABLE orders (id int PRIMARY KEY, note text)"
ROWS = "INSERT INTO customers VALUES (1, 'Zoë'), (2, 'b'); INSERT INTO orders VALUES (7, 'x')"


@pytest.fixture(scope="module")
def mysql(mariadb: Mariadb) -> dict[str, Any]:
    mariadb.sql(
        f"CREATE DATABASE backed; USE backed; {TABLES}; {ROWS};"
        f" CREATE USER backup@localhost IDENTIFIED BY '{PASSWORD}';"
        " GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES ON backed.* TO backup@localhost;"
        " GRANT SELECT ON mysql.proc TO backup@localhost"
    )
    return {"engine": "mysql", "socket": mariadb.socket, "user": "backup", "password": PASSWORD, "database": "backed"}


@pytest.fixture(scope="module")
def pg(postgresql: Postgresql) -> dict[str, Any]:
    postgresql.sql("CREATE DATABASE backed")
    postgresql.sql(f"{TABLES}; {ROWS}", "backed")
    postgresql.sql(f"CREATE ROLE backup LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_read_all_data")
    return {
        "engine": "postgresql", "host": "127.0.0.1", "port": postgresql.port, "user": "backup", "password": PASSWORD,
        "database": "backed",
    }  # fmt: skip


@pytest.fixture(params=["mysql", "pg"])
def server(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each of the two engines."""
    return dict(request.getfixturevalue(request.param))


def options_of(given: dict[str, Any]) -> dict[str, Any]:
    validated = ArgumentSpecValidator(backup.OPTIONS, mutually_exclusive=backup.EXCLUSIVE).validate(given)
    if validated.error_messages:
        raise BadOption("; ".join(validated.error_messages))
    options: dict[str, Any] = validated.validated_parameters
    backup.validate(options)
    return options


Take = Callable[..., dict[str, Any]]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Take a backup into ``tmp_path/backups``. Warnings are in the result."""

    def taking(server: dict[str, Any], *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        warnings: list[str] = []
        given = {"directory": str(tmp_path / "backups"), "proofs": str(tmp_path / "proofs"), **server, **more}
        result = backup.take(options_of(given), check_mode=check_mode, warn=warnings.append)
        return {**result, "warnings": warnings}

    return taking


def files(tmp_path: Path) -> list[str]:
    """What lies in the directory, but for the lock."""
    return sorted(path.name for path in (tmp_path / "backups").glob("*") if path.name != ".backed.lock")


def looked(source: str, **options: Any) -> dict[str, str]:
    """What backup_check does not like about it."""
    found: list[Check] = checks_of(kind, targets=[{"source": source, "database": "backed"}], level=2, **options)
    assert any(check.id == "backup.checksum" and check.status == "ok" for check in found)
    return {check.id: check.summary for check in found if check.status not in ("ok", "skipped")}


def test_a_backup_and_its_manifest_pass_every_check(take: Take, server: dict[str, Any], tmp_path: Path) -> None:
    about = take(server)["backup"]
    assert looked(about["path"], objects=["customers", "orders"], checksum=True) == {}
    assert (about["tables"], about["rows"]) == (2, 3)
    for path in (about["path"], about["manifest"]):
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "backups").st_mode & 0o777 == 0o700
    facts = json.loads(Path(about["manifest"]).read_text())
    assert facts["tables"]["customers"]["rows"] == 2
    assert facts["dump"]["sha256"] == about["sha256"]
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("compression", ["zstd", "gzip", "xz", "none"])
def test_every_compression_is_named_as_it_is(take: Take, server: dict[str, Any], compression: str) -> None:
    assert looked(take(server, compression=compression)["backup"]["path"]) == {}


def test_age_is_taken_for_its_recipients(take: Take, server: dict[str, Any], tmp_path: Path) -> None:
    subprocess.run(["age-keygen", "-o", tmp_path / "key"], check=True, capture_output=True)
    recipient = subprocess.run(["age-keygen", "-y", tmp_path / "key"], check=True, capture_output=True, text=True)
    path = take(server, age_recipients=[recipient.stdout.strip()])["backup"]["path"]
    assert looked(path, encrypted=True, age_identity=str(tmp_path / "key")) == {}


def test_gpg_needs_the_public_key_and_no_key_ring(take: Take, mysql: dict[str, Any], tmp_path: Path) -> None:
    home = tempfile.mkdtemp(prefix="gpg-")
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
    try:
        subprocess.run(
            [*gpg, "--quick-gen-key", "b@example.org", "default", "default"], check=True, capture_output=True
        )
        for name, option in (("public", "--export"), ("secret", "--export-secret-keys")):
            (tmp_path / name).write_bytes(subprocess.run([*gpg, option], check=True, capture_output=True).stdout)
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)
        shutil.rmtree(home, ignore_errors=True)  # the agent removes its sockets meanwhile
    path = take(mysql, gpg_recipient_file=str(tmp_path / "public"))["backup"]["path"]
    assert looked(path, encrypted=True, gpg_key=str(tmp_path / "secret")) == {}


def test_a_passphrase_reaches_openssl_by_no_argument(
    take: Take, mysql: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    real = subprocess.Popen.__init__

    def noted(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        started.extend(map(str, args))
        real(self, args, *rest, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    path = take(mysql, passphrase="the-passphrase", openssl_iterations=1000)["backup"]["path"]
    assert looked(path, encrypted=True, passphrase="the-passphrase", openssl_iterations=1000) == {}
    assert "openssl" in started
    assert not [word for word in started if PASSWORD in word or "the-passphrase" in word]


def test_the_manifest_of_postgresql_is_of_the_same_moment(
    take: Take, pg: dict[str, Any], postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backup.manifest.take

    def busy(*arguments: Any, **options: Any) -> Any:
        postgresql.sql("INSERT INTO orders SELECT max(id) + 1, 'meanwhile' FROM orders", "backed")
        return real(*arguments, **options)

    monkeypatch.setattr("ansible_collections.sre.runbooks.plugins.module_utils._client.manifest.take", busy)
    before = int(postgresql.sql("SELECT count(*) FROM orders", "backed"))
    about = take(pg)["backup"]
    postgresql.sql("CREATE DATABASE compared")
    plain = subprocess.run(["zstd", "-dc", about["path"]], check=True, capture_output=True).stdout
    subprocess.run(["pg_restore", "-d", postgresql.url("compared")], input=plain, check=True, capture_output=True)
    restored = int(postgresql.sql("SELECT count(*) FROM orders", "compared"))
    postgresql.sql("DELETE FROM orders WHERE note = 'meanwhile'", "backed")
    postgresql.sql("DROP DATABASE compared")
    facts = json.loads(Path(about["manifest"]).read_text())
    assert facts["tables"]["orders"]["rows"] == restored == before


def test_a_sequence_of_mariadb_that_is_a_default_comes_back(
    take: Take, mysql: dict[str, Any], mariadb: Mariadb
) -> None:
    mariadb.sql(
        "CREATE DATABASE counted; USE counted; CREATE SEQUENCE s; CREATE TABLE t (id int DEFAULT nextval(s), note text)"
    )
    mariadb.sql("INSERT INTO t (note) VALUES ('one'), ('two')", "counted")
    about = take({**mysql, "database": "counted", "user": "root", "password": ""})["backup"]
    plain = subprocess.run(["zstd", "-dc", about["path"]], check=True, capture_output=True).stdout
    mariadb.sql("DROP DATABASE counted; CREATE DATABASE counted")
    client = ["mariadb", "--no-defaults", "-uroot", "-S", mariadb.socket, "counted"]
    subprocess.run(client, input=plain, check=True, capture_output=True, timeout=60)
    mariadb.sql("INSERT INTO t (note) VALUES ('three')", "counted")
    assert mariadb.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM t", "counted") == "3\t3"
    mariadb.sql("DROP DATABASE counted")


# Failures leave nothing


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"password": "wrong"}, "no backup was taken"),
        ({"database": "none"}, "there is no database none"),
        ({"age_recipients": ["age1nonsense"]}, "encrypt: "),
        ({"directory": "/proc/none"}, "/proc/none"),
    ],
    ids=["login", "database", "encryption", "directory"],
)
def test_a_failure_leaves_no_file(
    take: Take, server: dict[str, Any], tmp_path: Path, more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(backup.Failed) as raised:
        take(server, **more)
    assert reason in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert files(tmp_path) == []


@pytest.fixture
def broken_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a script before a tool of that name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


@pytest.mark.parametrize(
    ("tool", "script", "reason"),
    [
        ("mariadb-dump", "echo '-- MariaDB dump'; echo 'Got error: 2013: Lost connection' >&2; exit 3", "dump: Got error: 2013"),
        ("mariadb-dump", "echo '-- MariaDB dump'; exit 0", "without the line that says that it is complete"),
        ("zstd", "cat >/dev/null; exit 1", "compress: ended with exit code 1"),
        ("zstd", "head -c 10; exit 0", "compress: stopped before the end of its input"),
    ],
    ids=["the dump breaks off", "the dump ends early", "compression fails", "compression stops"],
)  # fmt: skip
def test_a_stage_that_fails_is_named_and_leaves_no_file(
    take: Take, mysql: dict[str, Any], tmp_path: Path, broken_tool: Callable[[str, str], None],
    mariadb: Mariadb, tool: str, script: str, reason: str,
) -> None:  # fmt: skip
    mariadb.sql(
        "CREATE TABLE IF NOT EXISTS filler (t longtext); INSERT INTO filler VALUES (REPEAT('x', 3000000))", "backed"
    )
    broken_tool(tool, script)
    try:
        with pytest.raises(backup.Failed) as raised:
            take(mysql)
    finally:
        mariadb.sql("DROP TABLE filler", "backed")
    assert reason in str(raised.value)
    assert files(tmp_path) == []


# A run that is killed


def die_when_called(place: Any, name: str, when: Callable[..., bool] = lambda *_: True, *, after: bool = False) -> None:
    """Kill this process at a call of a function, before it or after: at the first whose arguments fit."""
    real = getattr(place, name)

    def deadly(*arguments: Any, **options: Any) -> Any:
        fits = when(*arguments)
        if fits and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*arguments, **options)
        if fits:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(place, name, deadly)


MOMENTS: dict[str, Callable[[], None]] = {
    "before the dump": lambda: die_when_called(backup, "_stream"),
    "during the dump": lambda: die_when_called(backup._Plain, "__next__", lambda plain: plain.bytes > 0),
    "before the manifest": lambda: die_when_called(backup, "_stream", after=True),
    "after the manifest": lambda: die_when_called(
        backup.os, "replace", lambda _from, to: not to.endswith(manifest.SUFFIX)
    ),
    "before the copy": lambda: die_when_called(backup, "_copy"),
    "during the copy": lambda: die_when_called(
        botocore.client.BaseClient,
        "_make_request",
        lambda _client, operation, *_: operation.name == "CompleteMultipartUpload",
    ),
    "before the retention": lambda: die_when_called(backup, "_remove"),
    "during the retention": lambda: die_when_called(backup.os, "unlink", lambda path: path.endswith(manifest.SUFFIX)),
    "during the retention of copies": lambda: die_when_called(
        s3_probe.Bucket, "delete", lambda _bucket, key: not key.endswith(manifest.SUFFIX)
    ),
}
"""When a run dies → how that is brought about, in its own process."""
WHOLE = list(MOMENTS)[4:]
COPIED = list(MOMENTS)[6:]
"""The moments at which there is a whole backup already, and its copy."""


def take_and_die() -> None:
    """A process that takes a backup and is killed at a moment: both are read from the standard input."""
    given = json.load(sys.stdin)
    MOMENTS[given["moment"]]()
    backup.take(options_of(given["options"]), check_mode=False, warn=print)


@pytest.fixture
def die(tmp_path: Path, s3: S3, bucket: tuple[str, Any]) -> Callable[[dict[str, Any], str], None]:
    def dying(given: dict[str, Any], moment: str) -> None:
        given = {"directory": str(tmp_path / "backups"), "proofs": str(tmp_path / "proofs"), **given}
        (tmp_path / "tmp").mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", f"from {__name__} import take_and_die; take_and_die()"],
            input=json.dumps({"options": given, "moment": moment}), text=True, capture_output=True, timeout=60, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "collections"), "TMPDIR": str(tmp_path / "tmp")},
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, f"it did not come to that moment: {done.stderr}"

    return dying


def holds(place: Path, secret: str) -> list[str]:
    """Files below a place in which a secret can be read."""
    return [str(path) for path in place.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.fixture
def large(server: dict[str, Any], moment: str, mariadb: Mariadb, postgresql: Postgresql) -> Iterator[int]:
    """A table of so many rows: more than the pipes between the tools hold, and than S3 takes at once."""
    rows = 160_000 if moment == "during the copy" else 40_000
    filler = "CREATE TABLE filler (id int, t text);"
    if server["engine"] == "mysql":
        mariadb.sql(f"{filler} INSERT INTO filler SELECT seq, SHA2(seq, 512) FROM seq_1_to_{rows}", "backed")
    else:
        postgresql.sql(
            f"{filler} INSERT INTO filler SELECT i, sha512(i::text::bytea) FROM generate_series(1, {rows}) i", "backed"
        )
    yield rows
    if server["engine"] == "mysql":
        mariadb.sql("DROP TABLE filler", "backed")
    else:
        postgresql.sql("DROP TABLE filler", "backed")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_killed_leaves_no_secret_no_lock_and_nothing_that_looks_like_a_backup(
    take: Take, die: Callable[[dict[str, Any], str], None], server: dict[str, Any], tmp_path: Path, moment: str, large: int,
    old: Callable[..., Path], s3: S3, bucket: tuple[str, Any], mariadb: Mariadb, postgresql: Postgresql,
) -> None:  # fmt: skip
    name, client = bucket
    ending = ".sql" if server["engine"] == "mysql" else ".dump"
    earlier = {days: old(days, ending) for days in (1, 40, 50, 60)}
    proven(tmp_path, 50)
    for path in (tmp_path / "backups").iterdir():
        client.upload_file(str(path), name, f"db/{path.name}")
    given = {
        **server, "compression": "none", "offsite": f"s3://{name}/db/", "s3": s3.settings, "keep_days": 30,
        "keep_days_offsite": 30, "keep_at_least": 2,
    }  # fmt: skip
    die(given, moment)
    assert holds(tmp_path, PASSWORD) == []
    assert list((tmp_path / "tmp").iterdir()) == [], "nothing that the next run would not know of"
    assert earlier[50].exists(), "the last proven one"
    known = {path.name for path in earlier.values()}
    fresh = [one for one in probe.found(f"{tmp_path}/backups/*", "name", {}, 60) if one.name not in known]
    copies = [one for one in probe.found(f"s3://{name}/db/*", "name", s3.settings, 60) if one.name not in known]
    assert (len(fresh), len(copies)) == (moment in WHOLE, moment in COPIED)
    for one in (*fresh, *copies):
        assert looked(one.place, s3=s3.settings, objects=["customers", "filler"], checksum=True) == {}
    _await_no_session(server, mariadb, postgresql)

    about = take(given)["backup"]
    assert about["rows"] == large + 3
    left = [earlier[1].name, earlier[50].name, Path(about["path"]).name]
    assert files(tmp_path) == sorted(file for one in (*left, *_names(fresh)) for file in (one, one + manifest.SUFFIX))
    there = sorted(item["Key"] for item in client.list_objects_v2(Bucket=name)["Contents"])
    assert there == sorted(f"db/{one}{more}" for one in (*left, *_names(copies)) for more in ("", manifest.SUFFIX))
    assert "Uploads" not in client.list_multipart_uploads(Bucket=name), "nothing half sent that has to be paid for"


def _names(backups: list[Any]) -> list[str]:
    return [one.place.rpartition("/")[2] for one in backups]


def _await_no_session(server: dict[str, Any], mariadb: Mariadb, postgresql: Postgresql) -> None:
    """What the killed run had begun on the server comes to its end: it holds no lock and no old rows there."""
    end = time.monotonic() + 20
    while (
        mariadb.sql("SELECT count(*) FROM information_schema.PROCESSLIST WHERE USER = 'backup'")
        if server["engine"] == "mysql"
        else postgresql.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'backup'")
    ) != "0":
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_others_are_just_writing_is_not_taken_for_a_rest(tmp_path: Path) -> None:
    stamp = "20251105T020000Z"
    others = [f".shop-archive-{stamp}.sql.zst.part", f"shop-archive-{stamp}.sql.zst.manifest.json", ".shop-x.part"]
    own = [
        f".shop-{stamp}.sql.zst.part",
        f"shop-{stamp}.sql.zst.manifest.json",
        f".shop-{stamp}.sql.gpg.part.ring.part/x",
    ]
    for name in (*others, *own):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    backup.clear_rest(str(tmp_path), "shop")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_two_runs_do_not_meet(take: Take, mysql: dict[str, Any], tmp_path: Path) -> None:
    with (
        backup.alone(str(tmp_path / "backups"), "backed"),
        pytest.raises(backup.Failed, match="another backup of backed is being taken, by process"),
    ):
        take(mysql)


# Check mode


def test_a_backup_never_takes_the_place_of_another_of_the_same_second(take: Take, mysql: dict[str, Any]) -> None:
    taken = [take(mysql)["backup"]["path"] for _ in range(3)]
    assert len({*taken}) == 3
    assert all(Path(path).exists() for path in taken)


def test_check_mode_asks_and_writes_nothing(take: Take, server: dict[str, Any], tmp_path: Path) -> None:
    about = take(server, check_mode=True, offsite="s3://nowhere/x/", heartbeat=str(tmp_path / "beat"))["backup"]
    assert about["path"].startswith(str(tmp_path / "backups" / "backed-"))
    assert about["offsite"].startswith("s3://nowhere/x/backed-")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(backup.Failed):
        take({**server, "password": "wrong"}, check_mode=True)


# Retention


@pytest.fixture
def old(tmp_path: Path) -> Callable[..., Path]:
    """An earlier backup, so many days old."""

    def put(days: float, ending: str = ".sql.zst") -> Path:
        (tmp_path / "backups").mkdir(exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - days * 86400))
        path = tmp_path / "backups" / f"backed-{stamp}{ending}"
        path.write_bytes(str(days).encode())
        facts = {"format": 1, "tables": {}, "dump": {"sha256": f"digest of {days:g}"}}
        Path(manifest.path_of(str(path))).write_text(json.dumps(facts))
        return path

    return put


def proven(tmp_path: Path, *days: float) -> None:
    for one in days:
        proof = {"at": "2025-11-05T03:00:00Z", "sha256": f"digest of {one:g}", "proven": True, "tables": None}
        proofs.add(proofs.path_of(str(tmp_path / "proofs"), "shop"), proof, [])


def test_old_backups_go_with_their_manifests_and_nothing_else_does(
    take: Take, mysql: dict[str, Any], tmp_path: Path, old: Callable[..., Path]
) -> None:
    paths = {days: old(days) for days in (1, 2, 10, 40, 50)}
    strange = tmp_path / "backups" / "backed-by-hand.sql.zst"
    strange.write_text("x")
    os.utime(strange, (0, 0))
    proven(tmp_path, 2)
    removed = take(mysql, keep_days=30)["removed"]
    assert removed == [str(paths[40]), str(paths[50])]
    assert strange.exists()
    assert not list((tmp_path / "backups").glob(f"{paths[40].name}*"))


def test_the_last_proven_backup_is_never_removed(
    take: Take, mysql: dict[str, Any], tmp_path: Path, old: Callable[..., Path]
) -> None:
    paths = {days: old(days) for days in (1, 2, 10, 40, 50, 60)}
    proven(tmp_path, 50, 60)
    assert take(mysql, keep_days=30)["removed"] == [str(paths[40]), str(paths[60])]
    assert paths[50].exists(), "the last of those that were proven"
    assert take(mysql, keep_days=30)["removed"] == []


def test_the_newest_are_kept_however_old_they_are(
    take: Take, mysql: dict[str, Any], tmp_path: Path, old: Callable[..., Path]
) -> None:
    paths = [old(days) for days in (100, 200, 300)]
    result = take(mysql, keep_days=30, keep_at_least=3)
    assert result["removed"] == [str(paths[2])]
    assert "has ever been proven" in result["warnings"][0]


def test_check_mode_tells_what_would_be_removed_and_removes_nothing(
    take: Take, mysql: dict[str, Any], tmp_path: Path, old: Callable[..., Path]
) -> None:
    paths = [old(days) for days in (1, 2, 40)]
    before = files(tmp_path)
    assert take(mysql, keep_days=30, check_mode=True)["removed"] == [str(paths[2])]
    assert files(tmp_path) == before


# The other place


@pytest.fixture
def bucket(s3: S3, tmp_path: Path) -> tuple[str, Any]:
    """The name of a new bucket, and a client."""
    name = f"b{abs(hash(tmp_path)) % 10**12}"
    return name, s3.bucket(name)


def test_a_copy_arrives_with_its_checksum_and_its_manifest(
    take: Take, server: dict[str, Any], s3: S3, bucket: tuple[str, Any]
) -> None:
    name, client = bucket
    about = take(server, offsite=f"s3://{name}/db/", s3=s3.settings)["backup"]
    key = f"db/{Path(about['path']).name}"
    assert about["offsite"] == f"s3://{name}/{key}"
    assert client.head_object(Bucket=name, Key=key)["Metadata"]["sha256"] == about["sha256"]
    assert looked(about["offsite"], s3=s3.settings, checksum=True) == {}
    found = checks_of(
        kind, targets=[{"source": about["path"], "offsite": f"s3://{name}/db/*"}], s3=s3.settings, level=1
    )
    assert {check.id: check.status for check in found}["backup.offsite"] == "ok"


def test_a_copy_that_does_not_arrive_is_a_failure_and_the_backup_stays(
    take: Take, mysql: dict[str, Any], s3: S3, tmp_path: Path
) -> None:
    with pytest.raises(backup.Failed, match="was taken, but: s3://no-such-bucket"):
        take(mysql, offsite="s3://no-such-bucket/db/", s3=s3.settings)
    assert len(files(tmp_path)) == 2


def test_retention_at_the_other_place_keeps_the_last_proven_too(
    take: Take, mysql: dict[str, Any], tmp_path: Path, s3: S3, bucket: tuple[str, Any], old: Callable[..., Path]
) -> None:
    name, client = bucket
    for days in (1, 2, 40, 50, 60):
        path = old(days)
        for one in (str(path), manifest.path_of(str(path))):
            client.upload_file(one, name, f"db/{Path(one).name}")
            os.unlink(one)
    proven(tmp_path, 50)
    removed = take(mysql, offsite=f"s3://{name}/db/", s3=s3.settings, keep_days_offsite=30)["removed"]
    assert len(removed) == 2
    left = [item["Key"] for item in client.list_objects_v2(Bucket=name)["Contents"]]
    assert len(left) == 2 * 4, "today's, those of yesterday and the day before, and the proven one, with manifests"
    assert not [place for place in removed if place.rpartition("/")[2] in " ".join(left)]


# Signs of life


def test_a_heartbeat_is_left_behind(take: Take, mysql: dict[str, Any], tmp_path: Path) -> None:
    take(mysql, heartbeat=str(tmp_path / "beat.json"))
    assert json.loads((tmp_path / "beat.json").read_text())["tables"] == 2


def test_a_heartbeat_that_nobody_takes_is_a_warning(take: Take, mysql: dict[str, Any]) -> None:
    result = take(mysql, heartbeat_url="http://127.0.0.1:1/ping/secret-id")
    assert "its heartbeat could not be given" in result["warnings"][0]
    assert "secret-id" not in result["warnings"][0]


# Options


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"name": "../shop"}, "beginning of a file name"),
        ({"keep_at_least": 0}, "no retention"),
        ({"offsite": "s3://bucket"}, "no place such as"),
        ({"keep_days_offsite": 3}, "there is no offsite"),
        ({"passphrase": "x", "age_recipients": ["y"]}, "mutually exclusive"),
    ],
)
def test_what_cannot_be_meant_is_refused(take: Take, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadOption, match=reason):
        take({"engine": "mysql", "database": "shop"}, **more)


# The role


def test_the_role_backs_up_every_database_it_can_and_keeps_its_secrets(
    mysql: dict[str, Any], mariadb: Mariadb, tmp_path: Path
) -> None:
    variables = {
        "backup_database_engine": "mysql",
        "backup_database_databases": ["none", "backed"],
        "backup_database_socket": mariadb.socket,
        "backup_database_password": PASSWORD,
        "backup_database_directory": str(tmp_path / "backups"),
        "backup_database_heartbeats": str(tmp_path / "beats"),
    }
    role = {
        "name": "Back up",
        "ansible.builtin.include_role": {"name": "sre.runbooks.backup_database"},
        "vars": variables,
    }
    result = Site(tmp_path).run([role], "-vvv")
    assert "there is no database none" in result.output
    assert PASSWORD not in result.output
    assert len([name for name in files(tmp_path) if name.startswith("backed-")]) == 2
    assert [path.name for path in (tmp_path / "beats").iterdir()] == ["backed.json"]
    assert result.rc != 0
