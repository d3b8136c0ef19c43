# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every occasion of the runbook of EduBot runs on a host that is well, with the variables of inventories/edubot.

Run with ``-rA`` to see how long each of them took.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
HOST = "sre-edubot-one"
SECRET = "only-in-the-scenario-"  # how every password and key of the scenario begins
RUNBOOK = yaml.safe_load((ROOT / "inventories/edubot/group_vars/all/runbook.yml").read_text())["sre_runbook"][
    "occasions"
]
STEPS = {about["playbook"]: {step["id"]: step for step in about["steps"]} for about in RUNBOOK.values()}

# In this order: patching demands a backup that was proven, and the reviews look back at what the others found.
OCCASIONS = [
    "daily",
    "midday",
    "evening",
    "performance_analysis",
    "security_audit",
    "backup_verification",
    "database_maintenance",
    "patching",
    "weekly_review",
    "performance_review",
    "capacity",
]
NOT_FINE = {
    # The server was started for this test: it has to have counted for days.
    "weekly_review": {"mysql.unused_indexes@edubot": "unknown"},
    # Nobody has looked at the preview yet.
    "database_maintenance": {"mysql_maintenance.old_rows@wordpress_db.wp_edubot_logs": "warning"},
}
every_occasion = pytest.mark.parametrize("playbook", OCCASIONS)
Run = Callable[[str], Any]


SAMPLER = """
import glob, time
seen = set()
while True:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                line = file.read()
        except OSError:
            continue
        if line not in seen:
            seen.add(line)
            with open("/run/commands", "ab") as log:
                log.write(line.replace(b"\\0", b" ") + b"\\n")
    time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def commands(host: Any) -> Iterator[Callable[[], str]]:
    """``commands()`` returns the command lines of all processes that have run on the host since the first test."""
    host.check_output("rm -f /run/commands")
    host.check_output("systemd-run --quiet --unit=watch-commands /usr/bin/python3 -c %s", SAMPLER)
    yield lambda: str(host.check_output("cat /run/commands"))
    host.check_output("systemctl stop watch-commands")


@pytest.fixture(scope="module")
def first(occasion: Any, commands: Any) -> Run:  # noqa: ARG001 - from now on they are watched
    """``first("daily")`` returns the report of the one run of an occasion that all tests look at, as loud as can be."""
    seen: dict[str, Any] = {}

    def run(playbook: str) -> Any:
        if playbook not in seen:
            seen[playbook] = occasion(playbook, "-vvv")
        return seen[playbook]

    return run


def test_the_runbook_has_these_occasions() -> None:
    assert len(OCCASIONS) == 11
    assert set(OCCASIONS) == set(STEPS)


@every_occasion
def test_an_occasion_accounts_for_every_step(first: Run, playbook: str) -> None:
    report = first(playbook)
    run = report.data["run"]
    print(f"{playbook}: {run['seconds']} s, {report.data['verdict']}, {run['counts']}")  # noqa: T201 - for whoever reads on
    assert report.red == NOT_FINE.get(playbook, {})
    assert report.rc == 0
    found = {step["id"]: step for step in report.data["steps"]}
    assert found.keys() == STEPS[playbook].keys()
    for step_id, said in STEPS[playbook].items():
        step = found[step_id]
        if said.get("attest") or said.get("refused"):
            assert (step_id, step["state"]) == (step_id, "pending" if said.get("attest") else "refused")
        else:  # history begins with this test, so that what looks back at it has no answer yet, and says so
            looks_back = step["state"] == "not_applicable" and re.search(
                "history begins|for the first time", step["reason"]
            )
            assert step["state"] == "measured" or looks_back, step
        assert step["status"] != "unknown"
        assert step["silent"] == []


@every_occasion
def test_no_secret_of_the_inventory_is_in_anything_that_an_occasion_leaves(
    first: Run, host: Any, playbook: str
) -> None:
    report = first(playbook)
    assert SECRET not in report.output
    state = Path(report.data["run"]["directory"])
    left = [path for path in state.rglob("*") if path.is_file()]
    assert {"report.html", "report.json", "checks.jsonl", "history.sqlite"} <= {path.name for path in left}
    assert [str(path) for path in left if SECRET.encode() in path.read_bytes()] == []
    # 3 to 6 are what the inventory has; the others made the site. Written so that the search does not find itself.
    logs = host.run(f"grep -rlE '{SECRET[:-1]}[-][3-6]' /var/log /var/lib/sre-runbooks /backups /srv/offsite")
    assert (logs.rc, logs.stdout) == (1, "")


def test_no_secret_was_seen_in_the_command_line_of_any_process(first: Run, commands: Callable[[], str]) -> None:
    for playbook in OCCASIONS:
        first(playbook)
    seen = commands()
    assert "mariadbd" in seen
    assert "wp --path=/var/www/html" in seen or "/usr/local/bin/wp" in seen
    assert SECRET not in seen


def test_the_morning_takes_no_more_than_four_remote_calls(first: Run) -> None:
    calls = re.findall(rf"^<{HOST}> (?:PODMAN EXEC|PUT|FETCH)", first("daily").output, re.MULTILINE)
    assert 1 <= len(calls) <= 4


# Check mode

WRITES = re.compile(
    r"^(insert|update|delete|replace|truncate|create|drop|alter|rename|grant|revoke|optimize|analyze|repair|load)\b",
    re.IGNORECASE,
)
# Below /root/.ansible is where Ansible itself puts its modules, and takes them away.
SNAPSHOT = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/log -o -path /var/lib/mysql \
  -o -path /root/.ansible \) \
  -prune -o \! -path /var/tmp \! -path / \! -name debug.log -printf '%p %y %m %u %g %s %T@ %C@ %l\n' | sort
find /var/www /etc /backups /srv /var/lib/sre-runbooks -type f \! -name debug.log -exec sha256sum {} + | sort
"""


@pytest.fixture
def general_log(host: Any) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """``general_log()`` returns (user, statement) of all that MariaDB was told since it was called last."""
    host.check_output("mariadb -e %s", "set global log_output = 'TABLE', general_log = on; truncate mysql.general_log")

    def told() -> list[tuple[str, str]]:
        rows = host.check_output(
            "mariadb -BN -e %s",
            "select substring_index(user_host, '[', 1), argument from mysql.general_log"
            " where command_type in ('Query', 'Execute', 'Prepare') and argument not like '%general_log%'",
        )
        return [(user, statement) for user, _tab, statement in (row.partition("\t") for row in rows.splitlines())]

    yield told
    host.check_output("mariadb -e %s", "set global general_log = off, log_output = 'FILE'; truncate mysql.general_log")


@every_occasion
def test_in_check_mode_nothing_is_written(
    first: Run, occasion: Any, host: Any, general_log: Any, playbook: str
) -> None:
    first(playbook)
    host.check_output("mariadb -e 'truncate mysql.general_log'")
    host.check_output("systemctl stop cron")  # which runs the events of WordPress
    try:
        before = host.check_output("sh -c %s", SNAPSHOT).splitlines()
        report = occasion(playbook, "--check")
        after = host.check_output("sh -c %s", SNAPSHOT).splitlines()
    finally:
        host.check_output("systemctl start cron")
    assert report.rc == 0
    assert report.data["run"]["check_mode"] is True
    assert [step["id"] for step in report.data["steps"] if step["silent"]] == []
    assert sorted(set(before) ^ set(after)) == []
    # Who is logged in is written down by WordPress when the runbook looks at the dashboard as a user does.
    written = [(user, told) for user, told in general_log() if WRITES.match(told) and "session_tokens" not in told]
    assert written == []


# What changes something

CHANGED = re.compile(r"changed=(\d+)")


def changes(report: Any) -> int:
    return sum(int(count) for count in CHANGED.findall(report.output))


@pytest.mark.parametrize("playbook", [one for one in OCCASIONS if one not in ("database_maintenance", "patching")])
def test_an_occasion_that_only_looks_changes_nothing(first: Run, playbook: str) -> None:
    assert changes(first(playbook)) == 0


LOGS = "wordpress_db.wp_edubot_logs"


@pytest.fixture
def kept_log_rows(host: Any) -> Iterator[None]:
    host.check_output("mariadb -e %s", f"create table mysql.kept_logs as select * from {LOGS}")
    yield
    host.check_output("mariadb -e %s", f"replace into {LOGS} select * from mysql.kept_logs; drop table mysql.kept_logs")


@pytest.mark.usefixtures("kept_log_rows")
def test_old_log_rows_go_when_their_preview_was_looked_at_and_a_second_run_changes_nothing(
    first: Run, occasion: Any, host: Any
) -> None:
    old = f"mariadb -BN -e 'select count(*) from {LOGS} where created_at < curdate() - interval 90 day'"
    assert int(host.check_output(old)) > 0
    preview = first("database_maintenance").record(f"mysql_maintenance.old_rows@{LOGS}")["summary"]
    token = re.search(r"token (\w+)$", preview)
    assert token, preview
    given = json.dumps({"maintain_databases_tokens": {"wp_edubot_logs": token[1]}})
    done = occasion("database_maintenance", "-e", given)
    assert (done.red, done.rc, changes(done)) == ({}, 0, 1)
    assert int(host.check_output(old)) == 0
    assert done.step("EB-M1-04")["status"] == "ok"
    again = occasion("database_maintenance", "-e", given)
    assert (again.red, again.rc, changes(again)) == ({}, 0, 0)


# What PHP and people say


def test_what_is_deprecated_is_no_error(first: Run, host: Any) -> None:
    log = host.file("/var/www/html/wp-content/debug.log").content_string
    assert log.count("PHP Deprecated:") > 10, "the release of Debian is older than its PHP, and says so"
    for name in ("errors of the night", "critical errors of the night"):
        record = first("daily").record(f"log.matches@{name}")
        assert (record["status"], record["value"]) == ("ok", 0)


def test_a_step_of_people_is_done_when_somebody_says_so(occasion: Any) -> None:
    occasion("attest", "-e", "occasion=end_of_day step=EB-D3-04 by='Jo Doe' note='two updates wait'")
    report = occasion("evening")
    step = report.step("EB-D3-04")
    assert (step["state"], step["status"]) == ("done", "ok")
    assert (step["attestation"]["by"], step["attestation"]["note"]) == ("Jo Doe", "two updates wait")
    assert report.step("EB-D3-06")["state"] == "pending"


# What looks back


def remember(history: Path, run_id: str, days: int) -> None:
    """Have seen on each of so many days before what was seen in a run."""
    with sqlite3.connect(history) as memory:
        for day in range(1, days + 1):
            added = memory.execute(
                "insert into runs (id, system, occasion, state, limited, started, document)"
                " select id || '-' || ?, system, occasion, state, limited,"
                " strftime('%Y-%m-%d %H:%M:%f000', started, '-' || ? || ' days'), document from runs where id = ?",
                (day, day, run_id),
            )
            memory.execute(
                "insert into samples select series, ?, samples.status, value, summary, change, since"
                " from samples join runs on runs.key = samples.run where runs.id = ?",
                (added.lastrowid, run_id),
            )


@pytest.fixture(scope="module")
def two_months(first: Run) -> None:
    for playbook in ("daily", "midday", "evening"):
        run = first(playbook).data["run"]
        remember(Path(run["directory"]) / "history.sqlite", run["id"], 60)


@pytest.mark.usefixtures("two_months")
@pytest.mark.parametrize("playbook", ["weekly_review", "performance_review", "capacity"])
def test_with_two_months_of_history_every_step_that_looks_back_has_an_answer(occasion: Any, playbook: str) -> None:
    report = occasion(playbook)
    for step in report.data["steps"]:
        measured = not {"attest", "refused"} & STEPS[playbook][step["id"]].keys()
        assert not measured or (step["state"], step["status"] != "unknown") == ("measured", True), step
    if playbook != "capacity":
        seen = report.record("review.availability@availability of the site")
        assert (seen["status"], seen["value"]) == ("ok", 100)
    else:
        assert report.record("trend.exhaustion@mount.space@/")["status"] == "ok"
