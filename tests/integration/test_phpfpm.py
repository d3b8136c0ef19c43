# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real php-fpm of its own with two workers: fine, overrun, hung, and stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import phpfpm as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe import fastcgi
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

CONFIG = """[global]
error_log = {directory}/error.log
daemonize = no
[shop]
{user}
listen = {directory}/fpm.sock
pm = static
pm.max_children = 2
pm.status_path = /status
ping.path = /ping
request_slowlog_timeout = 1s
slowlog = {directory}/slow.log
catch_workers_output = yes
"""


@dataclasses.dataclass
class Fpm:
    """A running php-fpm. Its files lie in ``directory``."""

    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return str(self.directory / "fpm.sock")

    def script(self, name: str, php: str) -> str:
        path = self.directory / f"{name}.php"
        path.write_text(f"<?php {php}")
        return str(path)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


@pytest.fixture
def fpm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fpm]:
    program = max(glob.glob("/usr/sbin/php-fpm*"), default=None)
    assert program, "php-fpm is not installed: apt-get install php-fpm"
    directory = Path(tempfile.mkdtemp(prefix="fpm-"))
    directory.chmod(0o755)
    config = directory / "fpm.conf"
    user = "user = nobody\ngroup = nogroup\nlisten.mode = 0666" if os.geteuid() == 0 else ""
    config.write_text(CONFIG.format(directory=directory, user=user))
    monkeypatch.setattr(kind.probe, "CONFIGURED", (str(config),))
    monkeypatch.setattr(kind.probe.settings_of, "__defaults__", ((str(config),),))
    command = [program, "-y", str(config), "-d", "zend_extension=opcache.so", "-d", "opcache.enable=1"]
    command += ["-d", "opcache.file_update_protection=0"]
    with (directory / "out.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        while not _answers(directory / "fpm.sock"):
            assert process.poll() is None, (directory / "out.log").read_text()
            assert time.monotonic() < deadline, (directory / "out.log").read_text()
            time.sleep(0.05)
        yield Fpm(directory, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers as well: they outlive it, and go on answering
        process.wait(10)
        shutil.rmtree(directory)


def _answers(path: Path) -> bool:
    with contextlib.suppress(fastcgi.Silent):
        return fastcgi.ask(str(path), "/ping", 2).body == "pong"
    return False


def look(fpm: Fpm, **options: Any) -> dict[str, Check]:
    given = {"answer_within": 1, "state_directory": str(fpm.directory / "state"), **options}
    return {check.id.partition(".")[2]: check for check in checks_of(kind, targets=[{"address": fpm.address}], **given)}


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def request(fpm: Fpm, script: str, times: int) -> Iterator[None]:
    """Have a script run so often at the same time, and wait for all of them afterwards."""

    def ask() -> None:
        with contextlib.suppress(fastcgi.Silent):
            fastcgi.ask(fpm.address, script, 20)

    threads = [threading.Thread(target=ask) for _ in range(times)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(25)


def test_a_pool_that_is_fine(fpm: Fpm) -> None:
    found = look(fpm)
    assert {name: check.status for name, check in found.items()} == {
        "ping": "ok", "listen_queue": "ok", "workers": "ok", "max_children": "ok", "slow_requests": "ok",
        "opcache": "skipped",
    }  # fmt: skip
    assert found["workers"].summary == "0 of at most 2 workers are busy"
    assert found["slow_requests"].detail["slower_than"] == "1s"


def test_slow_requests_and_a_queue_are_seen(fpm: Fpm) -> None:
    """Two workers that are kept busy hold everybody up: nobody answers, and the kernel counts who waits."""
    slow = fpm.script("slow", f"while (!file_exists('{fpm.directory}/go')) {{ clearstatcache(); usleep(20000); }}")
    with request(fpm, slow, 8):
        until(lambda: (kind.probe.queue(fpm.address, 5) or 0) >= 6)
        found = look(fpm)
        assert (found["ping"].status, found["ping"].summary) == ("critical", "no answer within 1 s")
        assert found["listen_queue"].status == "warning"
        assert found["workers"].detail["blocked_by"] == "phpfpm.ping"
        until(lambda: (fpm.directory / "error.log").read_text().count("too slow") >= 2)
        (fpm.directory / "go").touch()
    found = look(fpm, slow_requests={"warning": 0})
    assert found["ping"].status == "ok"
    assert (found["slow_requests"].status, found["slow_requests"].value or 0) >= ("warning", 2)
    assert look(fpm)["slow_requests"].status == "ok", "counted since the last check"


def test_workers_that_hang_are_critical_although_the_service_is_running(fpm: Fpm) -> None:
    workers = fpm.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    try:
        found = look(fpm)
        assert fpm.process.poll() is None
        assert (found["ping"].status, found["ping"].summary) == ("critical", "no answer within 1 s")
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
    until(lambda: look(fpm)["ping"].status == "ok")


def test_php_fpm_that_is_stopped_is_critical(fpm: Fpm) -> None:
    fpm.process.terminate()
    fpm.process.wait(10)
    found = look(fpm)
    assert found["ping"].status == "critical"
    assert "refused" in found["ping"].summary or "does not exist" in found["ping"].summary
    assert found["listen_queue"].status == "unknown"


def test_the_opcode_cache_of_the_pool_is_seen_through_a_script(fpm: Fpm) -> None:
    script = fpm.script("opcache", "echo json_encode(opcache_get_status(false));")
    page = fpm.script("page", "echo 1;")
    assert look(fpm, opcache_script=script)["opcache"].status == "skipped"
    for _ in range(1100):
        fastcgi.ask(fpm.address, page, 5)
    found = look(fpm, opcache_script=script)["opcache"]
    assert (found.status, found.unit) == ("ok", "%")
    assert (found.value or 0) > 99
    missing = look(fpm, opcache_script=str(fpm.directory / "missing.php"))["opcache"]
    assert missing.status == "unknown"
    assert "does not run" in missing.summary
    other = fpm.script("other", "echo 'hello';")
    assert look(fpm, opcache_script=other)["opcache"].status == "unknown"


def test_a_pool_without_a_status_page_is_told_to_have_one(fpm: Fpm) -> None:
    found = look(fpm, status_path="/no-such-page")
    assert (found["ping"].status, found["workers"].status) == ("ok", "unknown")
    assert "set pm.status_path" in found["workers"].summary
