# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What backup_check costs, against the bare tools that do a part of its work.

One dump of MariaDB, a gigabyte before it is compressed, with its checksum beside it: `gzip -t` or `zstd -t` and `sha256sum`, one
after the other, in turns with the check at level 1 (the same) and at level 2 (which also reads the SQL; nothing bare does).
Memory is that of the process that checks, before and after. Then a directory of 10,000 dumps, at level 0, against
`find -printf` and `sort`. Run by ``make bench``, or by hand with another size in MiB: ``bench_backup.py 100``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TURNS = 3
MANY = 10_000

CHECK = """
import json, resource, sys, time
sys.path[0] = sys.argv[2]  # absolute, where Ansible's loader demands it
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
from ansible_collections.sre.runbooks.plugins.module_utils._checks import backup
from ansible_collections.sre.runbooks.plugins.module_utils import _door
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
given = ArgumentSpecValidator(_door.options(backup)).validate(json.loads(sys.argv[1])).validated_parameters
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.monotonic()
checks = list(_door.measure_all(_door.plan(backup, given), 14400))
seconds = time.monotonic() - began
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
red = {check.id: check.summary for check in checks if check.status not in ("ok", "skipped")}
ok = [check.id for check in checks if check.status == "ok"]
print(json.dumps({"seconds": seconds, "before": before, "after": after, "red": red, "ok": ok}))
"""


def checked(source: str, **options: Any) -> dict[str, Any]:
    task = {"targets": [{"source": source}], "timeout": 3600, **options}
    argv = [sys.executable, "-c", CHECK, json.dumps(task), str(ROOT / "collections")]
    answer: dict[str, Any] = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)
    assert not answer["red"], answer["red"]
    return answer


def dump(path: Path, mib: int, packer: list[str]) -> None:
    """What mariadb-dump 10.11 writes: a table, statements of a megabyte with a row a line, all different, and its last words."""
    with path.open("wb") as file, subprocess.Popen([*packer, "-c"], stdin=subprocess.PIPE, stdout=file) as process:
        into = process.stdin
        assert into
        into.write(b"-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n--\n-- Host: localhost    Database: shop\n")
        into.write(b"CREATE TABLE `events` (\n  `id` int NOT NULL,\n  `note` text\n);\n")
        row = "({0},{1},'2025-11-05 02:{2:02}:{3:02}',{4}.{5:02},'{6:064x} it\\'s a note; {7}')"
        number = 0
        for _statement in range(mib):
            rows, size = [], 0
            while size < 2**20:
                spread = number * 2654435761 % 2**32
                one = row.format(
                    number,
                    spread % 50000,
                    spread % 60,
                    number % 60,
                    spread % 9999,
                    number % 100,
                    spread**7,
                    "x" * (spread % 90),
                )
                rows.append(one)
                size += len(one) + 1
                number += 1
            into.write(b"INSERT INTO `events` VALUES\n" + ",\n".join(rows).encode() + b";\n")
        into.write(b"-- Dump completed on 2025-11-05  2:00:07\n")
    assert process.returncode == 0
    Path(f"{path}.sha256").write_bytes(subprocess.run(["sha256sum", path], check=True, stdout=subprocess.PIPE).stdout)


def timed(*commands: list[str]) -> float:
    began = time.monotonic()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def side_by_side(
    bare: Callable[[], float], ours: list[Callable[[], dict[str, Any]]]
) -> tuple[float, list[dict[str, Any]]]:
    """The best of some turns each."""
    bare_seconds, answers = [], [[] for _one in ours]  # type: list[float], list[list[dict[str, Any]]]
    for _turn in range(TURNS):
        bare_seconds.append(bare())
        for found, one in zip(answers, ours, strict=True):
            found.append(one())
    return min(bare_seconds), [min(found, key=lambda answer: float(answer["seconds"])) for found in answers]


def row(what: str, bare: float, answer: dict[str, Any]) -> None:
    memory = f"{answer['before'] // 1024} -> {answer['after'] // 1024} MiB"
    print(f"{what:34}{bare:8.2f} s{answer['seconds']:8.2f} s{answer['seconds'] / bare:8.2f}{memory:>20}", flush=True)


def main() -> None:
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    place = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    print(f"{'':34}{'bare':>10}{'check':>10}{'ratio':>8}{'our memory':>20}")
    try:
        for ending, packer, bare in ((".gz", ["gzip", "-1"], "gzip"), (".zst", ["zstd", "-q", "-1"], "zstd")):
            path = place / f"shop.sql{ending}"
            dump(path, mib, packer)
            best, answers = side_by_side(
                lambda path=path, bare=bare: timed([bare, "-tq", str(path)], ["sha256sum", str(path)]),  # type: ignore[misc]
                [lambda path=path, level=level: checked(str(path), level=level) for level in (1, 2)],  # type: ignore[misc]
            )
            assert {"backup.checksum", "backup.archive"} <= set(answers[0]["ok"])
            assert {"backup.complete", "backup.foreign"} <= set(answers[1]["ok"])
            size = path.stat().st_size / 2**20
            for level, answer in enumerate(answers, 1):
                row(f"{mib} MiB in {size:.0f} MiB {ending}, level {level}", best, answer)
            path.unlink()
        many = place / "many"
        many.mkdir()
        now = time.time()
        for number in range(MANY):
            day = time.strftime("%Y%m%d-%H%M%S", time.localtime(now - number * 3600))
            (many / f"shop-{day}.sql.gz").write_bytes(bytes(200 + number % 7))
        best, answers = side_by_side(
            lambda: timed(["sh", "-c", f"find {many} -name 'shop-*' -printf '%T@ %s %p\\n' | sort -n | tail -1"]),
            [
                lambda: checked(
                    f"{many}/shop-*", level=0, gaps={"warning": 2}, anomaly={"warning": 6}, retention={"warning": 400}
                )
            ],
        )
        row(f"{MANY:,} dumps, level 0", best, answers[0])
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
