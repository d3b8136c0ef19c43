# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands: real ones, ended in time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command


def script(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_answer_has_both_streams_and_the_exit_code(tmp_path: Path) -> None:
    answer = command([script(tmp_path / "x", "echo out", "echo err >&2", "exit 7")], 10)
    assert (answer.rc, answer.stdout, answer.stderr) == (7, "out\n", "err\n")


def test_a_signal_is_a_negative_exit_code(tmp_path: Path) -> None:
    assert command([script(tmp_path / "x", "kill -TERM $$")], 10).rc == -15


def test_words_are_never_read_by_a_shell() -> None:
    assert command(["echo", "$HOME", ";", "id", "*"], 10).stdout == "$HOME ; id *\n"


def test_a_command_speaks_the_language_of_c_and_knows_its_environment(tmp_path: Path) -> None:
    answer = command([script(tmp_path / "x", "echo $LC_ALL $TOKEN")], 10, env={"TOKEN": "t"})
    assert answer.stdout == "C t\n"


def test_input_is_given_and_ends() -> None:
    assert command(["cat"], 10, stdin="hello").stdout == "hello"
    assert command(["cat"], 10).stdout == ""


def test_output_that_is_not_text_stays_visible() -> None:
    assert command(["printf", r"caf\351 \000 \303\251"], 10).stdout == r"caf\xe9 \x00 é"


def test_a_flood_of_output_does_not_block() -> None:
    assert len(command(["head", "-c", "3000000", "/dev/zero"], 30).stdout) == 4 * 3_000_000


def test_a_command_that_is_not_there_is_unmeasurable() -> None:
    with pytest.raises(Unmeasurable, match="no-such-command is not installed"):
        command(["no-such-command"], 10)


def test_a_script_without_its_interpreter_is_unmeasurable(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)
    with pytest.raises(Unmeasurable, match="its interpreter is missing"):
        command([str(path)], 10)


def test_a_file_that_cannot_be_executed_is_unmeasurable(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(Unmeasurable, match="cannot be started: Permission denied"):
        command([str(tmp_path / "x")], 10)


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(Unmeasurable, match=r"gave no answer within 0\.5 s"):
        command([script(tmp_path / "x", f"sleep 600 & echo $! > {child}", "wait")], 0.5)
    assert eventually(lambda: not is_running(int(child.read_text())))


def test_a_child_that_keeps_the_output_open_does_not_keep_us(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(Unmeasurable):
        command([script(tmp_path / "x", f"sleep 600 & echo $! > {child}")], 0.5)
    assert eventually(lambda: not is_running(int(child.read_text())))


def test_a_module_that_gives_up_on_a_command_leaves_nothing_behind(tmp_path: Path) -> None:
    """As a check does that is overdue: its thread still waits for the command when the module ends."""
    waiting = script(tmp_path / "x", f"echo $$ > {tmp_path}/pid", "sleep 600")
    program = (
        "import threading, time, pathlib;"
        "from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command;"
        f"threading.Thread(target=command, args=([{waiting!r}], 600), daemon=True).start();"
        f"path = pathlib.Path({str(tmp_path / 'pid')!r});"
        "[time.sleep(0.01) for _ in iter(lambda: path.exists() and path.read_text().strip() != '', True)]"
    )
    collections = Path(__file__).resolve().parents[5] / "collections"
    environment = {**os.environ, "PYTHONPATH": str(collections)}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=environment)
    assert eventually(lambda: not is_running(int((tmp_path / "pid").read_text())))


def test_a_lock_holds_as_long_as_the_command_that_holds_it_whoever_is_killed(tmp_path: Path) -> None:
    lock, go = tmp_path / "lock", tmp_path / "go"
    os.mkfifo(go)
    waiting = script(tmp_path / "x", f"read word <{go}")
    program = (
        "import fcntl; from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command;"
        f"file = open({str(lock)!r}, 'w'); fcntl.flock(file, fcntl.LOCK_EX); print('locked', flush=True);"
        f"command([{waiting!r}], 600, holds=[file.fileno()])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[5] / "collections")}

    def is_locked() -> bool:
        with open(lock, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE) as module:
        assert module.stdout
        assert module.stdout.readline() == b"locked\n"
        with open(go, "w") as held:  # the command has opened its end
            module.kill()
            module.wait()
            assert is_locked()
            held.write("go\n")
    assert eventually(lambda: not is_locked())
