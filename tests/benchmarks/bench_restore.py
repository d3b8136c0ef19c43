# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proof of restore costs, against the bare client that loads the same dump into a server that is running already.

A dump of a gigabyte for each engine, compressed by zstd, loaded in turns. The proof starts a server, loads, checks every
table, counts every row, compares and removes everything; it should take at most 1.2 times as long as the bare client with
a server that waits for its disk, as servers do unless they are told otherwise. The throwaway server does not wait, so the
client is also measured with one that is told so. The memory is that of our own process. Run by ``make bench``, or by hand
with another size in MiB: ``bench_restore.py 2000 postgresql``.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))
init_plugin_loader()

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest, _proofs
from ansible_collections.sre.runbooks.tests.integration import conftest

TARGET = 1.2
ROW_BYTES = 220
"""About how long a row is in a dump."""

MYSQL = """
CREATE DATABASE bench; USE bench;
CREATE TABLE events (id int AUTO_INCREMENT PRIMARY KEY, customer int NOT NULL, at datetime NOT NULL, amount decimal(9,2), note varchar(255),
  KEY (customer), KEY (at));
INSERT INTO events (customer, at, amount, note) SELECT seq % 50000, NOW() - INTERVAL seq SECOND, seq / 7,
  CONCAT(SHA2(seq, 256), ' ', SHA2(seq + 1, 256), ' ', REPEAT('x', seq % 90)) FROM seq_1_to_{rows};
"""
POSTGRESQL = """
CREATE TABLE events (id serial PRIMARY KEY, customer int NOT NULL, at timestamptz NOT NULL, amount numeric(9,2), note text);
INSERT INTO events (customer, at, amount, note) SELECT n % 50000, now() - n * interval '1 second', n / 7.0,
  encode(sha256(n::text::bytea), 'hex') || ' ' || encode(sha256((n + 1)::text::bytea), 'hex') || ' ' || repeat('x', n % 90)
  FROM generate_series(1, {rows}) n;
CREATE INDEX ON events (customer); CREATE INDEX ON events (at);
ANALYZE;
"""


def piped(*commands: list[str], output: Path | None = None, text: str | None = None) -> bytes:
    """Run commands as a pipe."""
    with contextlib.ExitStack() as stack:
        running: list[subprocess.Popen[bytes]] = []
        for position, command in enumerate(commands):
            last = position == len(commands) - 1
            target: Any = stack.enter_context(output.open("wb")) if last and output else subprocess.PIPE
            source: Any = running[-1].stdout if running else subprocess.PIPE
            running.append(subprocess.Popen(command, stdin=source, stdout=target))
        if text is not None and running[0].stdin:
            running[0].stdin.write(text.encode())
        if running[0].stdin:
            running[0].stdin.close()
        out = running[-1].stdout.read() if running[-1].stdout else b""
        assert all(process.wait() == 0 for process in running), commands
    return out


@contextlib.contextmanager
def mysql(rows: int, place: Path) -> Iterator[tuple[Path, dict[str, Any], Callable[[bool], float]]]:
    """A dump, its manifest, and how long the bare client loads it into a server that waits for its disk, or does not.

    What it has loaded is removed at once: its server would go on cleaning and writing while the proof is measured.
    """
    with conftest.running_mariadb("--innodb-buffer-pool-size=256M", "--innodb-log-file-size=512M") as server:
        to = ["mariadb", "--no-defaults", "-uroot", "-S", server.socket, "-BN"]
        piped(to, text=MYSQL.replace("{rows}", str(rows)))
        dump = place / "mysql.sql.zst"
        piped(
            ["mariadb-dump", "--no-defaults", "-uroot", "-S", server.socket, "bench"], ["zstd", "-q", "-1"], output=dump
        )

        def ask(statement: str) -> list[list[str]]:
            raw = piped([*to, "bench"], text=f"{_manifest.SESSION['mysql']};\n{statement};\n")
            return [line.split("\t") for line in raw.decode().splitlines()]

        facts = {**_manifest.take(ask, "mysql", "bench"), "taken": _proofs.time_text(time.time())}

        def bare(waits: bool) -> float:
            server.sql(f"SET GLOBAL innodb_flush_log_at_trx_commit = {1 if waits else 0}")
            server.sql("CREATE DATABASE bare")
            seconds, _out = timed(lambda: piped(["zstd", "-dcq", str(dump)], [*to, "bare"]))
            server.sql("DROP DATABASE bare")
            return seconds

        server.sql("DROP DATABASE bench")
        yield dump, facts, bare


@contextlib.contextmanager
def postgresql(rows: int, place: Path) -> Iterator[tuple[Path, dict[str, Any], Callable[[bool], float]]]:
    """The same of PostgreSQL, in its custom format."""
    import csv
    import io

    with conftest.running_postgresql() as server:
        server.sql("CREATE DATABASE bench")
        piped(
            ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", server.url("bench")],
            text=POSTGRESQL.replace("{rows}", str(rows)),
        )
        dump = place / "postgresql.dump.zst"
        piped(["pg_dump", "-Fc", "-Z0", "-d", server.url("bench")], ["zstd", "-q", "-1"], output=dump)

        def ask(statement: str) -> list[list[str]]:
            raw = piped(
                ["psql", "-XAtq", "--csv", "-v", "ON_ERROR_STOP=1", "-d", server.url("bench")],
                text=f"{_manifest.SESSION['postgresql']};\n{statement};\n",
            )
            return list(csv.reader(io.StringIO(raw.decode())))

        facts = {**_manifest.take(ask, "postgresql", "bench"), "taken": _proofs.time_text(time.time())}

        def bare(waits: bool) -> float:
            server.sql(f"ALTER SYSTEM SET fsync = {'on' if waits else 'off'}")
            server.sql("SELECT pg_reload_conf()")
            server.sql("CREATE DATABASE bare")
            loading = ["pg_restore", "--exit-on-error", "-d", server.url("bare")]
            seconds, _out = timed(lambda: piped(["zstd", "-dcq", str(dump)], loading))
            server.sql("DROP DATABASE bare")
            return seconds

        server.sql("DROP DATABASE bench")
        yield dump, facts, bare


PROVE = """
import json, resource, sys, time
sys.path[0] = sys.argv[2]  # absolute, where Ansible's loader demands it
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
began = time.monotonic()  # only here the collection is found that way: a host is sent what it needs
from ansible_collections.sre.runbooks.plugins.module_utils._checks import restore
from ansible_collections.sre.runbooks.plugins.module_utils import _door
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
given = ArgumentSpecValidator(_door.options(restore)).validate(json.loads(sys.argv[1])).validated_parameters
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
checks = {check.id: check for check in _door.measure_all(_door.plan(restore, given), 14400)}
took = time.monotonic() - began
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
proof = checks["restore.proof"]
told = {"status": proof.status, "summary": proof.summary, "seconds": proof.detail.get("seconds"), "took": took}
print(json.dumps({**told, "before": before, "after": after}))
"""


def proof(dump: Path, facts: dict[str, Any], place: Path) -> dict[str, Any]:
    Path(f"{dump}.manifest.json").write_text(json.dumps(facts), encoding="utf-8")
    task = {
        "targets": [{"source": str(dump), "database": "bench"}],
        "state": str(place / "state"),
        "scratch": str(place / "s"),
    }
    raw = subprocess.run(
        [sys.executable, "-c", PROVE, json.dumps(task), str(ROOT / "collections")], check=True, stdout=subprocess.PIPE
    ).stdout
    answer: dict[str, Any] = json.loads(raw)
    assert answer["status"] == "ok", answer["summary"]
    return answer


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and answer, begun when the disk has nothing left to do."""
    os.sync()
    began = time.monotonic()
    answer = what()
    return time.monotonic() - began, answer


def main() -> None:
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    engines = sys.argv[2:] or ["mysql", "postgresql"]
    place = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    place.chmod(0o711)
    print(
        f"{'engine':12}{'plain':>9}{'bare client':>13}{'no waiting':>12}{'proof':>9}{'ratio':>7}{'':8}{'our memory':>16}   of the proof"
    )
    try:
        for name in engines:
            with {"mysql": mysql, "postgresql": postgresql}[name](mib * 1024**2 // ROW_BYTES, place) as (
                dump,
                facts,
                bare,
            ):
                plain = int(piped(["zstd", "-dcq", str(dump)], ["wc", "-c"])) / 1024**2
                waiting, hasty, answers = [], [], []
                for _turn in range(2):
                    waiting.append(bare(True))
                    hasty.append(bare(False))
                    os.sync()
                    answers.append(proof(dump, facts, place))
            best = min(answers, key=lambda answer: float(answer["took"]))
            ratio = best["took"] / min(waiting)
            memory = f"{best['before'] // 1024} -> {best['after'] // 1024} MiB"
            stages = ", ".join(f"{stage} {value:.1f}" for stage, value in best["seconds"].items())
            verdict = "" if ratio <= TARGET else f"   ABOVE {TARGET}"
            print(
                f"{name:12}{plain:5.0f} MiB{min(waiting):11.1f} s{min(hasty):10.1f} s{best['took']:7.1f} s{ratio:7.2f}"
                f" ({best['took'] / min(hasty):.2f}){memory:>17}   {stages} s{verdict}",
                flush=True,
            )
    finally:
        shutil.rmtree(place)
    print(f"memory of this script: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
