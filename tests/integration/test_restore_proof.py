# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of real servers, good ones and broken ones, restored into throwaway servers while production runs beside them."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _engine, _scratch
from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import restore as kind
from ansible_collections.sre.runbooks.tests.browser import measure
from ansible_collections.sre.runbooks.tests.integration import broken_backups
from ansible_collections.sre.runbooks.tests.integration.broken_backups import DAY, Broken, Good, run
from ansible_collections.sre.runbooks.tests.integration.conftest import Mariadb, Postgresql, free_port
from ansible_collections.sre.runbooks.tests.integration.playbook import Result, Site
from ansible_collections.sre.runbooks.tests.integration.production import ROWS, checksum, pg_checksum
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

SINCE = (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(f"{DAY}T00:00:00+00:00")).days * 24
"""How old, in hours, the rows of a good dump are."""
RPO = {"warning": SINCE + 26, "critical": SINCE + 50}


@pytest.fixture
def scratch() -> Iterator[str]:
    """A root for throwaway data, in which nothing may be left."""
    root = f"/var/tmp/sre-test-{os.getpid()}"
    yield root
    end = time.monotonic() + 60
    while os.path.isdir(root) and os.listdir(root) and time.monotonic() < end:
        time.sleep(0.05)  # a proof that was given up clears up in its own thread
    left = os.listdir(root) if os.path.isdir(root) else []
    running = _scratch.processes_in(root)
    shutil.rmtree(root, ignore_errors=True)
    assert left == []
    assert running == []


@pytest.fixture
def hacked(tmp_path: Path) -> Iterator[Path]:
    """A file that hostile dumps try to write, where everybody could."""
    place = Path(f"/var/tmp/sre-hacked-{os.getpid()}")
    yield place
    there = place.exists()
    place.unlink(missing_ok=True)
    assert not there, "a dump has written a file"


Prove = Callable[..., list[Check]]


@pytest.fixture
def prove(scratch: str, tmp_path: Path, age_keys: Path) -> Prove:
    def proven(**options: Any) -> list[Check]:
        given = {"name": "shop", "database": "shop", "age_identity": str(age_keys / "ours.age"), **options}
        places = {"scratch": scratch, "state": str(tmp_path / "state"), "sheets": str(tmp_path / "sheets")}
        task = {**places, "disk_reserve": 1, "rpo": RPO, **given.pop("task", {})}
        return checks_of(kind, targets=[given], **task)

    return proven


def judged(found: list[Check]) -> dict[str, str]:
    """What is not skipped."""
    return {check_id: status for check_id, status in statuses(found).items() if status != "skipped"}


def bad(found: list[Check]) -> str:
    return "\n".join(
        f"{check.status} {check.id}: {check.summary}" for check in found if check.status not in ("ok", "skipped")
    )


# MariaDB

NEWEST = [{"table": "orders", "column": "at"}]


def in_full(good: Good, hacked: Path) -> Good:
    """The path of the file that a hostile dump tries to write is known to the test only."""
    write = good.write
    good.write = lambda content, *rest, **more: write(_named(content, hacked), *rest, **more)  # type: ignore[method-assign]
    return good


def _named(content: bytes, hacked: Path) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        try:
            return gzip.compress(gzip.decompress(content).replace(b"{hacked}", str(hacked).encode()))
        except (EOFError, OSError):
            return content
    return content.replace(b"{hacked}", str(hacked).encode())


def caught(case: Broken, found: list[Check]) -> None:
    by_id = {check.id: check for check in found}
    assert (by_id[case.check].status, case.check) == (case.status, case.check), bad(found)
    assert re.search(case.says, by_id[case.check].summary), by_id[case.check].summary
    if case.status != "warning":
        assert by_id["restore.proof"].status == "critical"


def by_name(case: Broken) -> str:
    return f"{case.level} {case.name}".strip()


@pytest.mark.parametrize("case", broken_backups.MARIADB, ids=by_name)
def test_a_broken_backup_of_mariadb_is_caught_and_production_stays_as_it_is(
    case: Broken, good: Good, prove: Prove, shop: Mariadb, hacked: Path
) -> None:
    before = checksum(shop)
    caught(case, prove(newest=NEWEST, **case.make(in_full(good, hacked))))
    assert checksum(shop) == before


@pytest.mark.parametrize("case", broken_backups.HARMLESS, ids=by_name)
def test_what_is_in_a_backup_counts_and_not_its_name(case: Broken, good: Good, prove: Prove) -> None:
    found = prove(newest=NEWEST, **case.make(good))
    assert judged(found)["restore.proof"] == "ok", bad(found)


def test_a_good_backup_of_mariadb_is_proven(good: Good, prove: Prove, shop: Mariadb, tmp_path: Path) -> None:
    before = checksum(shop)
    found = prove(
        **good.write(good.age(gzip.compress(good.plain)), "shop.sql.gz.age"), encrypted=True, newest=NEWEST,
        invariants=[{"name": "unpaid", "sql": "SELECT COUNT(*) FROM orders WHERE paid IS NULL", "critical": 0}],
        task={"rto": {"critical": 10}},
    )  # fmt: skip
    assert set(judged(found).values()) == {"ok"}, bad(found)
    assert checksum(shop) == before
    sheet = json.loads((tmp_path / "sheets/shop.json").read_text())
    assert (sheet["verdict"], sheet["layers"], sheet["compared_with"]) == ("proven", ["age", "gzip"], "the manifest")
    assert sheet["sha256"] == hashlib.sha256((good.place / "shop.sql.gz.age").read_bytes()).hexdigest()


def test_without_a_manifest_production_is_compared_with_and_only_read(good: Good, prove: Prove, shop: Mariadb) -> None:
    backup = good.write(gzip.compress(good.plain), manifest=False)
    found = prove(**backup, newest=NEWEST, production={"socket": shop.socket, "user": "root"})
    assert judged(found)["restore.proof"] == "ok", bad(found)
    assert next(check for check in found if check.id == "restore.schema").summary == "as in the production server"


def test_production_that_does_not_let_us_in_is_unknown_and_the_password_is_not_told(
    good: Good, prove: Prove, shop: Mariadb
) -> None:
    backup = good.write(gzip.compress(good.plain), manifest=False)
    found = prove(**backup, production={"socket": shop.socket, "user": "nobody", "password": "s3cret-canary"})
    assert [check.status for check in found if check.status != "skipped"] == ["unknown"]
    assert "Access denied" in found[0].summary
    assert "s3cret-canary" not in str(found)


def test_a_sample_goes_through_all_tables_by_turns(good: Good, prove: Prove) -> None:
    backup = good.write(gzip.compress(good.plain))
    proven: list[str] = []
    shares: list[float] = []
    for _day in range(3):
        found = {check.id: check for check in prove(**backup, task={"sample_tables": 1})}
        assert found["restore.proof"].status == "ok", bad(list(found.values()))
        proven += found["restore.proof"].detail["tables"]
        shares.append(found["restore.rto"].detail["share"])
    assert sorted(proven) == ["customers", "empty one", "orders"]
    assert found["restore.coverage"].status == "ok"
    found = {check.id: check for check in prove(**backup, newest=NEWEST, task={"sample_tables": 1})}
    assert "orders" in found["restore.proof"].detail["tables"], "its newest row tells the age"
    assert min(shares) < 0.2, "the time of a sample is extrapolated"


@pytest.mark.parametrize(
    ("complaint", "status"), [("Segmentation fault", ("ok", "ok")), ("no space", ("unknown", "skipped"))]
)
def test_a_crash_while_a_server_is_made_is_not_the_fault_of_the_backup(
    good: Good, prove: Prove, monkeypatch: pytest.MonkeyPatch, complaint: str, status: tuple[str, str]
) -> None:
    real, calls = _engine.Mysql.run, []

    def crashing(self: _engine.Mysql, argv: Sequence[str], what: str) -> None:
        calls.append(what)
        if len(calls) == 1:
            Path(self.data).mkdir()
            (Path(self.data) / "ibdata1").write_text("half")
            raise Unmeasurable(f"{what} did not work: {complaint}")
        real(self, argv, what)

    monkeypatch.setattr(_engine.Mysql, "run", crashing)
    found = statuses(prove(**good.write(gzip.compress(good.plain))))
    assert (found["restore.cleared"], found["restore.proof"]) == status


def test_what_the_throwaway_server_may_take_is_limited(good: Good, prove: Prove, scratch: str) -> None:
    backup = good.write(gzip.compress(good.plain))
    found = prove(**backup, task={"disk_reserve": 10**9})
    assert found[0].status == "unknown"
    assert "choose another place by scratch" in found[0].summary
    found = prove(**backup, task={"disk_limit": 1})
    assert found[0].status == "unknown"


def test_a_proof_that_takes_too_long_is_unknown_and_leaves_nothing(good: Good, prove: Prove) -> None:
    found = prove(**good.write(gzip.compress(good.plain)), task={"timeout": 1.0})
    assert [check.status for check in found if check.status != "skipped"] == ["unknown"]


def test_check_mode_leaves_no_trace(good: Good, scratch: str, tmp_path: Path) -> None:
    found = checks_of(
        kind,
        targets=[good.write(gzip.compress(good.plain))],
        scratch=scratch,
        state=str(tmp_path / "s"),
        check_mode=True,
    )
    assert {check.status for check in found} == {"skipped"}
    assert not os.path.exists(scratch)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("user", ["root", "mysql", "postgres", "nobody-at-all"])
def test_users_whom_production_may_let_in_are_refused(good: Good, prove: Prove, user: str) -> None:
    found = prove(**good.write(gzip.compress(good.plain)), task={"user": user})
    assert [check.status for check in found if check.status != "skipped"] == ["unknown"]


# Off-site


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """How to reach a stand-in for S3 on loopback, with an empty bucket ``backups``."""
    server = Path(__file__).resolve().parents[2] / ".venv-moto/bin/moto_server"
    assert server.is_file(), "moto is not installed: tools/setup.sh .venv-moto requirements-s3-test.txt"
    port = free_port()
    with open(tmp_path_factory.mktemp("moto") / "log", "wb") as log:
        process = subprocess.Popen([server, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    about = {
        "endpoint": f"http://127.0.0.1:{port}",
        "region": "eu-central-1",
        "access_key": "access-canary",
        "secret_key": "s3cret-canary",
    }
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, "moto_server ended"
            assert time.monotonic() < end, "moto_server does not answer"
            time.sleep(0.1)
        bucket(about).create_bucket(Bucket="backups", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield about
    finally:
        process.terminate()
        process.wait(10)


def bucket(about: dict[str, str]) -> Any:
    return boto3.client(
        "s3", endpoint_url=about["endpoint"], region_name=about["region"], aws_access_key_id=about["access_key"],
        aws_secret_access_key=about["secret_key"],
    )  # fmt: skip


def test_the_off_site_copy_is_streamed_and_proven(good: Good, prove: Prove, s3: dict[str, str]) -> None:
    client_of = bucket(s3)
    key = "good/shop-2025-11-05.sql.gz.age"
    client_of.put_object(Bucket="backups", Key="good/shop-2025-11-04.sql.gz.age", Body=b"")
    client_of.put_object(Bucket="backups", Key=key, Body=good.age(gzip.compress(good.plain)))
    client_of.put_object(Bucket="backups", Key=f"{key}.manifest.json", Body=json.dumps(good.manifest).encode())
    found = prove(source="s3://backups/good/shop-*.age", s3=s3, newest=NEWEST, encrypted=True)
    assert set(judged(found).values()) == {"ok"}, bad(found)
    assert found[-1].detail["source"] == f"s3://backups/{key}"
    assert "s3cret-canary" not in str(found)


def test_an_off_site_copy_that_is_missing_is_caught(prove: Prove, s3: dict[str, str]) -> None:
    found = {check.id: check for check in prove(source="s3://backups/missing/*", s3=s3)}
    assert found["restore.loads"].summary == "not restored: find: there is no backup at s3://backups/missing/*"


def test_an_off_site_copy_that_is_older_is_caught(good: Good, prove: Prove, s3: dict[str, str]) -> None:
    old = broken_backups.moved(good.plain, -9)
    bucket(s3).put_object(Bucket="backups", Key="older/shop-2025-11-05.sql.gz", Body=gzip.compress(old))
    found = {check.id: check for check in prove(source="s3://backups/older/*", s3=s3, newest=NEWEST)}
    assert (found["restore.loads"].status, found["restore.rpo"].status) == ("ok", "critical")


def test_an_off_site_place_that_does_not_answer_is_unknown(prove: Prove) -> None:
    nowhere = {"endpoint": f"http://127.0.0.1:{free_port()}", "region": "x", "access_key": "a", "secret_key": "b"}
    assert prove(source="s3://backups/*", s3=nowhere)[0].status == "unknown"


# Files


@pytest.fixture
def uploads(good: Good) -> Good:
    good.manifest = {
        "format": 1, "engine": "files", "tables": {},
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "mode": f"{mode:04o}"}
            for name, content, mode in broken_backups.UPLOADS
        },
    }  # fmt: skip
    return good


@pytest.mark.parametrize("case", broken_backups.ARCHIVES, ids=by_name)
def test_a_broken_archive_is_caught(case: Broken, uploads: Good, prove: Prove) -> None:
    caught(case, prove(engine="files", task={"rpo": {}}, **case.make(uploads)))
    assert not Path("/etc/hacked").exists()
    assert not Path("/tmp/sre-hacked").exists()


@pytest.mark.parametrize("name", ["u.tar", "u.tar.gz", "u.tar.gz.age", "u.zip"])
def test_a_good_archive_is_proven(name: str, uploads: Good, prove: Prove, tmp_path: Path) -> None:
    content = broken_backups.tar_of(*broken_backups.UPLOADS, broken_backups.link("uploads/latest", "1.txt"))
    if name.endswith("zip"):
        for path, data, mode in broken_backups.UPLOADS:
            (tmp_path / "z" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "z" / path).write_bytes(data)
            (tmp_path / "z" / path).chmod(mode)
        content = Path(shutil.make_archive(str(tmp_path / "u"), "zip", tmp_path / "z")).read_bytes()
    content = gzip.compress(content) if ".gz" in name else content
    content = uploads.age(content) if name.endswith("age") else content
    found = prove(
        engine="files",
        smoke=["/usr/bin/grep", "-q", "text 7", "{directory}/uploads/7.txt"],
        **uploads.write(content, name),
    )
    assert set(judged(found).values()) == {"ok"}, bad(found)


# PostgreSQL


@pytest.mark.parametrize("case", broken_backups.POSTGRESQL, ids=by_name)
def test_a_broken_backup_of_postgresql_is_caught_and_production_stays_as_it_is(
    case: Broken, good_pg: Good, prove: Prove, bot: Postgresql, hacked: Path
) -> None:
    before = pg_checksum(bot)
    caught(case, prove(newest=NEWEST, **case.make(in_full(good_pg, hacked))))
    assert pg_checksum(bot) == before


@pytest.mark.parametrize("form", ["plain", "-Fc", "-Ft", "-Fd", "zstd", "gpg"])
def test_a_good_backup_of_postgresql_is_proven(
    form: str, good_pg: Good, prove: Prove, bot: Postgresql, tmp_path: Path
) -> None:
    before = pg_checksum(bot)
    more: dict[str, Any] = {}
    if form == "-Fd":
        path = good_pg.place / "shop.d"
        run("pg_dump", "-Fd", "-f", str(path), "-d", bot.url("shop"))
        Path(f"{path}.manifest.json").write_text(json.dumps(good_pg.manifest), encoding="utf-8")
        more = {"source": str(path)}
    elif form == "zstd":
        more = good_pg.write(run("zstd", "-c", stdin=good_pg.plain), "shop.sql.zst")
    elif form == "gpg":
        ring = tmp_path / "ring"
        ring.mkdir(0o700)
        words = [
            "--homedir",
            str(ring),
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "secret",
            "--symmetric",
        ]
        more = {
            **good_pg.write(run("gpg", *words, stdin=good_pg.dump("-Fc")), "shop.gpg"),
            "passphrase": "secret",
            "encrypted": True,
        }
        run("gpgconf", "--homedir", str(ring), "--kill", "gpg-agent")
    else:
        more = good_pg.write(good_pg.plain if form == "plain" else good_pg.dump(form), "shop.dump")
    found = prove(
        newest=NEWEST,
        invariants=[{"name": "orders", "sql": "SELECT count(*) FROM orders", "critical": f"{ROWS}.."}],
        **more,
    )
    assert set(judged(found).values()) == {"ok"}, bad(found)
    assert pg_checksum(bot) == before


# How old the data is


@pytest.mark.parametrize(
    ("days", "taken", "newest", "says"),
    [
        (1, f"{DAY}T02:00:00Z", NEWEST, "the newest row of orders.at is 22.6 h newer than the backup, which was taken at {day}T02"),
        (0, f"{DAY}T02:00:00Z", [{"table": "customers", "column": "at"}], "(?is)customers.at does not tell .* column .*at"),
        (0, None, [], "the manifest does not say when the backup was taken .None., and newest names no column"),
    ],
    ids=["newer than the backup", "no column", "no time in the manifest"],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["mysql", "postgresql"])
def test_an_age_that_nothing_tells_is_unknown_and_never_fine(
    engine: str, days: float, taken: str | None, newest: list[dict[str, str]], says: str,
    request: pytest.FixtureRequest, prove: Prove,
) -> None:  # fmt: skip
    good: Good = request.getfixturevalue("good" if engine == "mysql" else "good_pg")
    good.manifest["taken"] = taken
    found = {check.id: check for check in prove(newest=newest, **good.write(broken_backups.moved(good.plain, days)))}
    assert found["restore.rpo"].status == "unknown"
    assert re.search(says.replace("{day}", DAY), found["restore.rpo"].summary), found["restore.rpo"].summary
    assert found["restore.proof"].status == "critical"
    assert found["restore.proof"].detail["rpo"] == f"unknown: {found['restore.rpo'].summary}"


# Killed

MOMENTS = [
    *(
        (engine, moment)
        for engine in ("mysql", "postgresql")
        for moment in ("_install", "_start", "load", "take", "remove")
    ),
    *(("files", moment) for moment in ("unpack", "keep")),
]
"""Engine and when: server made, server started, loading, comparing, removing; unpacking, writing the proof down."""
KILLED = """
import os, signal, sys, json
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
from ansible_collections.sre.runbooks.plugins.module_utils import _engine, _manifest, _scratch, _unpack
from ansible_collections.sre.runbooks.plugins.module_utils._checks import restore
from ansible_collections.sre.runbooks.tests.unit.door import checks_of
moment, given = sys.argv[1], json.loads(sys.argv[2])
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
def dying(chunks):
    for number, chunk in enumerate(chunks):
        yield chunk
        if number == 20:
            die()
def replace(owner, name, new):
    old = getattr(owner, name)
    setattr(owner, name, lambda *words, **more: new(old, *words, **more))
engine = {"mysql": _engine.Mysql, "postgresql": _engine.Postgresql}.get(given["engine"])
if moment == "load":
    replace(_engine.Engine, "load", lambda old, self, chunks, tick: old(self, dying(chunks), tick))
elif moment in ("_install", "_start"):
    replace(engine, moment, lambda old, self: (old(self), die()))
elif moment == "take":
    replace(_manifest, "take", lambda old, *words, **more: die())
elif moment == "unpack":
    replace(_unpack, "_file", lambda old, *words, **more: (old(*words, **more), die()))
elif moment == "keep":
    replace(os, "replace", lambda old, new, path: die() if path.startswith(given["task"]["state"]) else old(new, path))
elif moment == "remove":
    replace(_scratch, "remove", lambda old, place: die())
checks_of(restore, **given["task"])
"""


def production(engine: str, request: pytest.FixtureRequest) -> str:
    """What the production server of an engine holds; files have none."""
    if engine == "files":
        return ""
    return (
        checksum(request.getfixturevalue("shop")) if engine == "mysql" else pg_checksum(request.getfixturevalue("bot"))
    )


@pytest.mark.parametrize(("engine", "moment"), MOMENTS)
def test_a_proof_that_is_killed_leaves_no_server_and_the_next_one_clears_up(
    engine: str, moment: str, request: pytest.FixtureRequest, prove: Prove, scratch: str, tmp_path: Path
) -> None:
    good: Good = request.getfixturevalue({"mysql": "good", "postgresql": "good_pg", "files": "uploads"}[engine])
    content = broken_backups.tar_of(*broken_backups.UPLOADS) if engine == "files" else good.plain
    target = {**good.write(content, "shop.sql"), "name": "shop", "database": "shop"}
    before = production(engine, request)
    task = {"targets": [target], "scratch": scratch, "state": str(tmp_path / "state"), "disk_reserve": 1, "rpo": RPO}
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, moment, json.dumps({"engine": engine, "task": task})],
        capture_output=True, text=True, timeout=120, check=False, env=env,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = [*os.listdir(scratch), *(os.listdir(tmp_path / "state") if moment == "keep" else [])]
    assert left, "it was killed while there was something"
    end = time.monotonic() + 60
    while (running := _scratch.processes_in(scratch)) and time.monotonic() < end:
        time.sleep(0.05)
    assert running == [], "the server dies with us"
    found = prove(**target)
    assert statuses(found)["restore.cleared"] == "warning"
    assert {os.path.basename(path) for path in found[0].detail["cleared"]} == {
        name for name in left if "progress" not in name
    }
    assert statuses(found)["restore.proof"] == "ok", bad(found)
    assert os.listdir(tmp_path / "state") == ["shop.json"]
    assert production(engine, request) == before


def test_a_proof_leaves_alone_what_another_one_is_at_work_in(good: Good, prove: Prove, scratch: str) -> None:
    """A second process proves the same while we are at it."""
    script = f"""
import sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
from ansible_collections.sre.runbooks.plugins.module_utils import _scratch
print(_scratch.make({scratch!r}), flush=True)
sys.stdin.read()
_scratch.remove(list(_scratch.mine())[0])
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as other:
        assert other.stdout
        assert other.stdin
        place = other.stdout.readline().strip()
        assert place.startswith(scratch)
        assert statuses(prove(**good.write(gzip.compress(good.plain))))["restore.cleared"] == "ok"
        assert os.path.isdir(place)
        other.stdin.close()


# The playbook, and what people read afterwards

SHEETS = """
return [...page.querySelectorAll('#proofs .row')].map(row => [
  row.querySelector('.place').textContent, row.querySelector('dl').getBoundingClientRect().height > 0,
  Object.fromEntries([...row.querySelectorAll('dt')].map(each => [each.textContent, each.nextElementSibling.textContent]))])
"""


@pytest.fixture
def drill(tmp_path: Path, scratch: str) -> Callable[..., Result]:
    def run_it(targets: list[dict[str, Any]], **options: Any) -> Result:
        options = {"targets": targets, "scratch": scratch, "state": str(tmp_path / "proofs"), "sheets": str(tmp_path / "sheets"),
                   "rpo": {level: str(hours) for level, hours in RPO.items()}, **options}  # fmt: skip
        site = Site(tmp_path, variables={f"rehearse_restore_{name}": value for name, value in options.items()})
        command = site.command([], playbook="restore_drill")
        groups = {"all": {"hosts": site.hosts, "children": {"restore": {"hosts": dict.fromkeys(site.hosts)}}}}
        (tmp_path / "inventory/hosts.yml").write_text(json.dumps(groups))
        command[command.index(str(tmp_path / "restore_drill.yml"))] = "sre.runbooks.restore_drill"
        done = subprocess.run(
            command, env=site.environment(), cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        return site.result(done.returncode, done.stdout + done.stderr)

    return run_it


def test_the_report_of_a_drill_has_an_evidence_sheet_of_every_proof(
    good: Good, drill: Callable[..., Result], s3: dict[str, str], age_keys: Path, tmp_path: Path
) -> None:
    away = bucket(s3)
    away.put_object(Bucket="backups", Key="drill/shop-2025-11-05.sql.zst", Body=run("zstd", "-qc", stdin=good.plain))
    away.put_object(
        Bucket="backups", Key="drill/shop-2025-11-05.sql.zst.manifest.json", Body=json.dumps(good.manifest).encode()
    )
    archive = tmp_path / "uploads-2025-11-05.tgz"
    archive.write_bytes(gzip.compress(broken_backups.tar_of(*broken_backups.UPLOADS)))
    here = {
        **good.write(good.age(gzip.compress(good.plain)), "shop.sql.gz.age"),
        "name": "shop here",
        "newest": NEWEST,
        "age_identity": str(age_keys / "ours.age"),
    }
    cut = tmp_path / "cut.sql"
    cut.write_bytes(good.plain[: len(good.plain) // 2])
    ran = drill(
        [
            here,
            {"name": "shop off-site", "source": "s3://backups/drill/shop-*.zst", "s3": s3, "newest": NEWEST},
            {"name": "uploads", "source": str(archive), "smoke": ["/usr/bin/test", "-d", "{directory}/uploads"]},
            {"name": "shop cut off", "source": str(cut), "database": "shop"},
        ]
    )
    assert ran.path, ran.output
    assert {record["target"]: record["status"] for record in ran.of("restore.proof")} == {
        "shop here": "ok", "shop off-site": "ok", "uploads": "ok", "shop cut off": "critical",
    }  # fmt: skip
    seen = measure(ran.path / "report.html", 375, 740, SHEETS)["found"]
    sheets = {place.partition(" on localhost ")[0]: sheet for place, _unfolded, sheet in seen}
    assert [place for place, unfolded, _sheet in seen if not unfolded] == []
    assert "not proven" in next(place for place, _unfolded, _sheet in seen if place.startswith("shop cut off"))
    away_sheet = sheets["shop off-site"]
    assert away_sheet["Backup"] == "s3://backups/drill/shop-2025-11-05.sql.zst"
    assert away_sheet["Taken"] == "Wed 5 Nov 2025, 02:00 UTC"
    assert away_sheet["Content"].endswith(", zstd")
    assert re.match(r"0\.1 MiB \([0-9,]+ bytes\)$", away_sheet["Size"])
    assert re.match(r"[0-9a-f]{64}$", away_sheet["SHA-256"])
    assert re.match(r"start .* s, restore .* s, (check|compare) .* s", away_sheet["It took"])
    assert away_sheet["Compared with"] == "the manifest"
    limits = f"(warning {RPO['warning']} h, critical {RPO['critical']} h)"
    assert away_sheet["Would be lost"].endswith(f"by the newest row of orders.at {limits}")
    assert away_sheet["Time to restore"].startswith("restoring takes")
    assert "rows, rpo, rto, sample, schema, sequences" in away_sheet["Checks ok"]
    assert sheets["shop here"]["Content"].endswith("age, gzip")
    assert sheets["uploads"]["Compared with"].startswith("nothing: there is no manifest at")
    assert sheets["shop cut off"]["Checks critical"] == "loads"
    assert sheets["shop cut off"]["Would be lost"] == "not measured: nothing was restored, see restore.loads"
    text = (ran.path / "report.md").read_text()
    sheet = (
        r"\n- \*\*proven\*\* shop off-site on localhost: .*\n  - Backup: s3://backups/drill/shop-2025-11-05.sql.zst\n"
    )
    assert re.search(sheet, text)
    assert "canary" not in ran.output + text + (ran.path / "report.json").read_text()
