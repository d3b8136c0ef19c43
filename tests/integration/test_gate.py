# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible itself notices is one clear line in the report and the right exit code; nothing of a run is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.tests.integration.playbook import LOCAL, Site

MOUNTS = {"name": "Mounts", "sre.runbooks.mount_check": {"targets": [{"path": "/"}]}}
FULL = {
    "name": "Full",
    "sre.runbooks.mount_check": {"targets": [{"path": "/", "space": {"warning": 0, "critical": 0}}]},
}
GONE = {"name": "Gone", "sre.runbooks.mount_check": {"targets": [{"path": "/nonexistent"}]}}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_fine_run_is_0_and_remembered(site: Site) -> None:
    result = site.run([MOUNTS])
    assert (result.rc, result.facts["verdict"], result.facts["state"]) == (0, "ok", "closed")
    assert {record["id"] for record in result.records} >= {
        "mount.space",
        "mount.inodes",
        "mount.writable",
        "run.history",
    }
    assert result.path
    assert str(result.path / "report.html") in result.output
    assert all(
        (result.path / name).stat().st_size for name in ("report.html", "report.md", "junit.xml", "metrics.prom")
    )


@pytest.mark.parametrize(
    ("task", "fail_on", "rc"),
    [
        (FULL, "critical", 2),
        (FULL, "never", 0),
        (GONE, "critical", 0),
        (GONE, "unknown", 2),
        (GONE, "warning", 2),
        (MOUNTS, "warning", 0),
    ],
)
def test_the_exit_code_is_decided_by_fail_on(site: Site, task: dict[str, Any], fail_on: str, rc: int) -> None:
    site.variables = {"sre_fail_on": fail_on}
    assert site.run([task]).rc == rc


def test_an_unreachable_host_is_one_critical_line(site: Site) -> None:
    site.hosts["far"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    result = site.run([MOUNTS, FULL])
    assert result.rc != 0
    (record,) = result.of("run.host")
    assert (record["host"], record["status"]) == ("far", "critical")
    assert "cannot be reached" in record["summary"]
    assert result.of("mount.space")  # the others report


def test_a_failed_task_is_one_line_with_its_reason(site: Site) -> None:
    result = site.run([{"name": "Break", "ansible.builtin.fail": {"msg": "the oven is cold"}}])
    (record,) = result.of("run.task")
    assert (record["status"], record["target"], record["summary"]) == ("unknown", "Break", "the oven is cold")
    assert result.rc == 2


def test_a_run_whose_hosts_all_fail_reports_all_the_same(site: Site) -> None:
    site.hosts = {"far": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}}
    result = site.run([MOUNTS])
    assert result.rc != 0
    assert (result.facts["verdict"], result.facts["state"]) == ("critical", "closed")
    assert result.of("run.host")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": {"warning": 95, "critical": 90}}, "space.warning 95 is beyond critical 90"),
        ({"space": {"warning": "10:20"}}, "'10:20' is neither a number nor low..high"),
        ({"space": {"warning": "much"}}, "'much' is neither a number nor low..high"),
        ({"space": {"warning": 620}}, "620 is outside of what can occur, 0 to 100 %"),
        ({"spaec": {"warning": 80}}, "Unsupported parameters"),
        ({"timeout": 0}, "timeout: 0.0 s leaves no time to measure"),
    ],
)
def test_an_option_that_cannot_be_meant_is_one_line(site: Site, options: dict[str, Any], message: str) -> None:
    result = site.run([{"name": "Mounts", "sre.runbooks.mount_check": options}])
    (record,) = result.of("run.task")
    assert message in record["summary"]
    assert (result.rc, result.facts["verdict"]) == (2, "unknown")
    assert not result.of("mount.space")


def test_an_unknown_kind_is_one_line(site: Site) -> None:
    result = site.run([{"name": "All", "sre.runbooks.checkup": {"mounts": {}}}])
    (record,) = result.of("run.task")
    assert "mounts" in record["summary"]
    assert result.rc == 2


def test_a_host_without_python_is_one_line(site: Site) -> None:
    site.hosts["bare"] = {**LOCAL, "ansible_python_interpreter": "/nonexistent/python3"}
    result = site.run([MOUNTS])
    (record,) = result.of("run.task")
    assert (record["host"], record["status"]) == ("bare", "unknown")
    assert "/nonexistent/python3" in record["summary"]
    assert result.of("mount.space")


def test_no_log_on_a_check_does_not_read_as_success(site: Site) -> None:
    result = site.run([{**MOUNTS, "no_log": True}])
    (record,) = result.of("run.task")
    assert "no_log hides" in record["summary"]


def test_an_unreadable_runbook_stops_before_anything_runs(site: Site) -> None:
    site.variables = {"sre_runbook": {"system": "acme", "timezone": "UTC", "occasions": {"daily": {"title": "Daily"}}}}
    marker = site.folder / "touched"
    result = site.run([{"name": "Touch", "ansible.builtin.file": {"path": str(marker), "state": "touch"}}])
    assert result.rc == 2
    assert re.search(r"all/all\.yml:\d+: occasion daily: the key owner is missing", " ".join(result.output.split()))
    assert not marker.exists()
    assert result.path is None


def test_a_history_that_cannot_be_reached_is_a_finding_and_the_run_reports(site: Site) -> None:
    site.variables = {"sre_history": "postgresql://sre:hunter2@127.0.0.1:1/history"}
    result = site.run([MOUNTS])
    (record,) = result.of("run.history")
    assert record["status"] == "unknown"
    assert "hunter2" not in result.output + (result.path / "report.html").read_text()  # type: ignore[operator]
    assert result.of("mount.space")


def test_a_run_directory_that_cannot_be_written_does_not_lose_the_run(site: Site) -> None:
    site.state.write_text("a file where a directory should be")
    result = site.run([MOUNTS])
    assert "cannot be written to" in result.output
    assert "run.journal" in result.output
    where = next(line for line in result.output.split() if line.endswith("report.html"))
    assert Path(where).exists()


def test_a_playbook_without_the_journal_refuses_to_start(site: Site) -> None:
    command = site.command([MOUNTS])
    config = site.folder / "ansible.cfg"
    config.write_text("[defaults]\n")
    links = Path(__file__).resolve().parents[2] / "collections"
    done = subprocess.run(
        command,
        env={**site.environment(), "ANSIBLE_CONFIG": str(config), "ANSIBLE_COLLECTIONS_PATH": str(links)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "callbacks_enabled = sre.runbooks.journal" in done.stdout + done.stderr


def test_a_run_killed_with_9_is_reported_as_broken_off_by_the_next(site: Site) -> None:
    ready = site.folder / "ready"
    os.mkfifo(ready)
    wait = {"name": "Wait", "ansible.builtin.command": {"argv": ["sh", "-c", f"echo ready > {ready}; exec sleep 60"]}}
    command = site.command([MOUNTS, wait])
    with subprocess.Popen(
        command, env=site.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert ready.read_text() == "ready\n"
        os.killpg(process.pid, signal.SIGKILL)
    result = site.run([MOUNTS])
    (record,) = result.of("run.broken_off")
    assert record["status"] == "warning"
    assert "did not come to an end" in record["summary"]
    assert "4 results" in record["summary"]
    (again,) = [*site.run([MOUNTS]).of("run.broken_off"), None][:1]  # said once, then recovered
    assert again is None or again["change"] == "recovered"


def test_two_runs_at_once_do_not_harm_each_other(site: Site) -> None:
    command = site.command([MOUNTS])
    runs = [
        subprocess.Popen(command, env=site.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    closed = list((site.state / "runs").glob("*/report.html"))
    assert len(closed) == 2
    result = site.run([MOUNTS])
    assert not result.of("run.broken_off")
    assert [record["change"] for record in result.of("mount.space")] == [None]


def test_a_notification_that_does_not_arrive_is_in_the_report_and_its_address_nowhere(site: Site) -> None:
    site.variables = {"sre_notify": [{"name": "pager", "urls": ["json://user:hunter2@127.0.0.1:1/alarm"]}]}
    result = site.run([FULL])
    (record,) = result.of("run.notification")
    assert (record["target"], record["status"], record["change"]) == ("pager", "critical", "new")
    assert result.path
    everything = result.output + "".join(path.read_text() for path in result.path.iterdir())
    assert "hunter2" not in everything


def test_check_mode_shows_what_would_be_told(site: Site) -> None:
    site.variables = {"sre_notify": [{"name": "pager", "urls": ["json://127.0.0.1:1/alarm"]}]}
    (record,) = site.run([FULL], "--check").of("run.notification")
    assert record["status"] == "skipped"
    assert "mount.space" in record["detail"]["text"]


def test_a_limited_run_is_judged_too_and_misses_nothing(site: Site) -> None:
    site.hosts = {"one": dict(LOCAL), "two": dict(LOCAL)}
    site.run([FULL])
    result = site.run([FULL], "--limit", "one")
    assert (result.rc, result.facts["limited"], result.facts["verdict"]) == (2, True, "critical")
    assert {record["host"] for record in result.of("mount.space")} == {"one"}
    assert not [record for record in result.records if record["change"] == "missing"]


def test_a_run_of_some_tags_is_judged_too_and_misses_nothing(site: Site) -> None:
    tasks = [{**FULL, "tags": "mounts"}, {**GONE, "tags": "others"}]
    site.run(tasks)
    result = site.run(tasks, "--tags", "mounts")
    assert (result.rc, result.facts["limited"], result.facts["verdict"]) == (2, True, "critical")
    assert not [record for record in result.records if record["change"] == "missing"]


def test_a_run_of_some_tags_is_refused_too_before_anything_runs(site: Site) -> None:
    site.variables = {"sre_runbook": {"system": "shop"}}
    result = site.run([{**MOUNTS, "tags": "mounts"}], "--tags", "mounts")
    assert result.rc == 2
    assert not result.of("mount.space")


def test_what_is_not_checked_any_more_is_missing(site: Site) -> None:
    site.run([MOUNTS, {"name": "More", "sre.runbooks.mount_check": {"targets": [{"path": "/etc"}]}}])
    missing = [record for record in site.run([MOUNTS]).records if record["change"] == "missing"]
    assert {(record["target"], record["status"]) for record in missing} == {("/etc", "unknown")}


def test_an_inventory_without_hosts_is_unknown(site: Site) -> None:
    site.hosts = {}
    result = site.run([MOUNTS])
    assert result.facts["verdict"] == "unknown"


def test_a_bad_host_does_not_stop_the_verdict(site: Site) -> None:
    """The play of the verdict runs once, on whatever host is left."""
    far = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    site.hosts = {"far": far, "near": dict(LOCAL)}
    critical = {record["id"] for record in site.run([FULL]).records if record["status"] == "critical"}
    assert critical == {"run.host", "mount.space"}


def test_metrics_are_given_to_the_node_exporter(site: Site) -> None:
    site.variables = {"sre_textfile": str(site.folder), "sre_labels": {"system": "acme"}}
    site.run([MOUNTS])
    metrics = (site.folder / "sre_runbooks_acme_daily.prom").read_text()
    assert 'check="mount.space"' in metrics


def test_metrics_that_cannot_be_written_are_a_finding(site: Site) -> None:
    site.variables = {"sre_textfile": str(site.folder / "nonexistent")}
    result = site.run([MOUNTS])
    (record,) = result.of("run.journal")
    assert (record["status"], result.facts["state"]) == ("unknown", "closed")
    assert "the metrics cannot be written" in record["summary"]
