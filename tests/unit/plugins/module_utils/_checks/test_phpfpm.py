# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pools of php-fpm: what they say of themselves, judged."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import phpfpm as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.fastcgi import Answer
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

SOCKET = "/run/php/php-fpm.sock"
SETTINGS = {
    "pool": "www",
    "listen": SOCKET,
    "pm.max_children": "10",
    "pm.status_path": "/status",
    "ping.path": "/ping",
    "request_slowlog_timeout": "5s",
    "slowlog": "/var/log/php-fpm.slow",
}
PAGE = {
    "pool": "www",
    "start time": 1_800_000_000,
    "start since": 3600,
    "listen queue": 0,
    "listen queue len": 0,
    "active processes": 1,
    "total processes": 4,
    "max active processes": 3,
    "max children reached": 0,
    "slow requests": 0,
}
OPCACHE = {"cache_full": False, "opcache_statistics": {"hits": 99_000, "misses": 1000, "num_cached_scripts": 700}}


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A pool that is fine; a test changes what it says, or puts an exception in its place."""
    facts: dict[str, Any] = {
        "settings": dict(SETTINGS), "page": dict(PAGE), "queue": 0, "opcache": copy.deepcopy(OPCACHE),
        "ping": Answer(200, "pong", "", 0.004), "asked": [], "directory": str(tmp_path),
    }  # fmt: skip

    def told(what: str) -> Any:
        def answer(*arguments: Any) -> Any:
            facts["asked"].append((what, *arguments[:2]))
            if isinstance(facts[what], Exception):
                raise facts[what]
            return facts[what]

        return answer

    monkeypatch.setattr(kind.probe, "settings_of", told("settings"))
    monkeypatch.setattr(kind.probe, "ping", told("ping"))
    monkeypatch.setattr(kind.probe, "status", told("page"))
    monkeypatch.setattr(kind.probe, "queue", told("queue"))
    monkeypatch.setattr(kind.probe, "opcache", told("opcache"))
    return facts


def look(pool: dict[str, Any], **options: Any) -> dict[str, Check]:
    given = {"opcache_script": "/opcache.php", "state_directory": pool["directory"], **options}
    checks = checks_of(kind, **{"targets": [{"address": SOCKET}], **given})
    return {check.id.partition(".")[2]: check for check in checks}


def test_a_pool_that_is_fine_keeps_every_promise(pool: dict[str, Any]) -> None:
    assert {name: check.status for name, check in look(pool).items()} == {
        check_id.partition(".")[2]: "ok" for check_id in kind.CHECKS
    }


def test_a_pool_whose_workers_all_hang_is_critical_because_nobody_answers(pool: dict[str, Any]) -> None:
    pool.update(ping=kind.Silent("no answer within 5 s"), queue=120)
    found = look(pool)
    assert (found["ping"].status, found["ping"].summary) == ("critical", "no answer within 5 s")
    assert (found["listen_queue"].status, found["listen_queue"].value) == ("critical", 120)
    for name in ("workers", "max_children", "slow_requests", "opcache"):
        assert found[name].detail["blocked_by"] == "phpfpm.ping"


def test_a_status_page_of_its_own_answers_when_no_worker_does(pool: dict[str, Any]) -> None:
    pool["page"].update({"active processes": 10, "max children reached": 1})
    pool.update(ping=kind.Silent("no answer within 5 s"))
    pool["settings"]["pm.status_listen"] = "9001"
    found = look(pool)
    assert ("page", "127.0.0.1:9001", "/status") in pool["asked"]
    assert (found["workers"].status, found["workers"].value) == ("critical", 100)
    assert found["max_children"].status == "warning"


def test_an_answer_of_any_status_shows_a_free_worker(pool: dict[str, Any]) -> None:
    pool["ping"] = Answer(404, "File not found.", "", 0.001)
    assert look(pool)["ping"].status == "ok"


def test_a_pool_that_may_not_be_asked_is_one_unknown(pool: dict[str, Any]) -> None:
    pool["ping"] = Unmeasurable(f"{SOCKET} may not be used by this user")
    found = look(pool)
    assert found["ping"].status == "unknown"
    assert {check.detail["blocked_by"] for name, check in found.items() if name != "ping"} == {"phpfpm.ping"}


@pytest.mark.parametrize(("waiting", "status"), [(5, "ok"), (6, "warning"), (50, "warning"), (51, "critical")])
def test_waiting_requests_are_counted(pool: dict[str, Any], waiting: int, status: str) -> None:
    pool["queue"] = waiting
    assert look(pool)["listen_queue"].status == status


@pytest.mark.parametrize(
    ("queue", "page", "status"),
    [
        (None, {"listen queue": 7, "listen queue len": 511}, "warning"),
        (None, {"listen queue": 0, "listen queue len": 0}, "unknown"),
        (Unmeasurable("ss is not installed"), {"listen queue": 0, "listen queue len": 0}, "unknown"),
    ],
)
def test_a_queue_that_nobody_counts_is_not_empty(
    pool: dict[str, Any], queue: Any, page: dict[str, int], status: str
) -> None:
    """php-fpm does not count the queue of a unix socket: it says 0, of at most 0."""
    pool["queue"] = queue
    pool["page"].update(page)
    assert look(pool)["listen_queue"].status == status


@pytest.mark.parametrize(("active", "status"), [(1, "ok"), (9, "ok"), (10, "warning")])
def test_busy_workers_are_compared_with_those_there_may_be(pool: dict[str, Any], active: int, status: str) -> None:
    pool["page"]["active processes"] = active
    found = look(pool)["workers"]
    assert (found.status, found.value) == (status, (active - 1) * 10)


def test_without_its_settings_a_pool_has_no_known_most(pool: dict[str, Any]) -> None:
    pool["settings"] = None
    found = look(pool)
    assert (found["workers"].status, found["slow_requests"].status) == ("unknown", "unknown")
    assert found["max_children"].status == "ok"


def test_a_pool_without_a_status_page_says_what_to_set(pool: dict[str, Any]) -> None:
    del pool["settings"]["pm.status_path"]
    found = look(pool)
    assert (found["workers"].status, found["workers"].summary[-18:]) == ("unknown", "set pm.status_path")
    assert found["max_children"].detail["blocked_by"] == found["slow_requests"].detail["blocked_by"] == "phpfpm.workers"
    assert look(pool, status_path="/fpm-status")["workers"].status == "ok"


@pytest.mark.parametrize(
    ("name", "counter"), [("max_children", "max children reached"), ("slow_requests", "slow requests")]
)
def test_counters_are_judged_since_the_last_check(pool: dict[str, Any], name: str, counter: str) -> None:
    pool["page"][counter] = 3
    first, second = look(pool)[name], look(pool)[name]
    assert (first.status, first.value) == ("warning", 3)
    assert first.summary.endswith("since php-fpm was started")
    assert (second.status, second.value) == ("ok", 0)
    assert second.summary.endswith("since the last check")
    pool["page"][counter] = 5
    assert look(pool)[name].value == 2
    pool["page"].update({counter: 1, "start time": 1_800_000_009})
    assert look(pool)[name].value == 1, "php-fpm was restarted, and counts anew"


def test_check_mode_remembers_nothing(pool: dict[str, Any]) -> None:
    pool["page"]["slow requests"] = 3
    assert [look(pool, check_mode=True)["slow_requests"].value for _ in range(2)] == [3, 3]


@pytest.mark.parametrize("timeout", ["0", "0s", None])
def test_slow_requests_that_nobody_counts_are_unknown(pool: dict[str, Any], timeout: str | None) -> None:
    pool["settings"]["request_slowlog_timeout"] = timeout or "0"
    found = look(pool)["slow_requests"]
    assert (found.status, "request_slowlog_timeout is off" in found.summary) == ("unknown", True)
    assert look(pool, slow_requests={"warning": "never"})["slow_requests"].status == "skipped"


@pytest.mark.parametrize("problem", ["there is no status page at /status", "the status page is not JSON"])
def test_a_status_page_that_says_nothing_is_unknown(pool: dict[str, Any], problem: str) -> None:
    pool["page"] = Unmeasurable(problem)
    found = look(pool)
    assert (found["ping"].status, found["workers"].status, found["workers"].summary) == ("ok", "unknown", problem)


@pytest.mark.parametrize(
    ("hits", "misses", "status"),
    [
        (9000, 1700, "ok"),  # 700 scripts had to be compiled once, 1000 were compiled again
        (9000, 1701, "warning"),
        (700, 1000, "warning"),
        (699, 1000, "critical"),
        (0, 700, "skipped"),
        (0, 1000, "critical"),
        (500, 499, "skipped"),
    ],
)
def test_the_hit_rate_of_the_opcode_cache_is_judged(pool: dict[str, Any], hits: int, misses: int, status: str) -> None:
    pool["opcache"]["opcache_statistics"].update(hits=hits, misses=misses)
    assert look(pool)["opcache"].status == status


def test_an_opcode_cache_that_is_off_is_critical_and_a_silent_one_unknown(pool: dict[str, Any]) -> None:
    pool["opcache"] = None
    assert (look(pool)["opcache"].status, look(pool)["opcache"].summary) == ("critical", "the opcode cache is off")
    pool["opcache"] = {"opcache_statistics": {"hits": None}}
    assert look(pool)["opcache"].status == "unknown"
    pool["opcache"] = Unmeasurable("php-fpm does not run /opcache.php: status 404")
    assert look(pool)["opcache"].status == "unknown"
    assert look(pool, opcache_script=None)["opcache"].status == "skipped"


def test_without_an_address_every_pool_of_the_host_is_looked_at(
    pool: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind.probe, "pools", lambda: [{"listen": "/run/a.sock"}, {"listen": "9000"}])
    found = checks_of(kind, state_directory=pool["directory"])
    assert [check.target for check in found if check.id == "phpfpm.ping"] == ["/run/a.sock", "127.0.0.1:9000"]
    monkeypatch.setattr(kind.probe, "pools", list)
    assert statuses(checks_of(kind))["phpfpm.ping"] == "unknown"


@pytest.mark.parametrize("address", ["php-fpm.sock", "localhost", "localhost:", "localhost:php", "9000"])
def test_an_address_is_a_path_or_host_and_port(pool: dict[str, Any], address: str) -> None:
    with pytest.raises(BadOption, match="neither the path of a socket nor host:port"):
        look(pool, targets=[{"address": address}])
