# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Run a command: argv only, in the C locale, with a time limit, never waiting for input."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import select
import signal
import subprocess
import tempfile
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


@dataclasses.dataclass(frozen=True)
class Answer:
    r"""What a command answered. Bytes that are not UTF-8 are kept as ``\xNN``: nothing is lost and nothing breaks."""

    rc: int
    stdout: str
    stderr: str


def command(
    argv: t.Sequence[str],
    timeout: float,
    *,
    env: t.Mapping[str, str] | None = None,
    stdin: str | bytes = b"",
    holds: t.Sequence[int] = (),
) -> Answer:
    """Run a command and return its answer, whatever its exit code.

    ``timeout`` is in seconds; the command's whole process group is killed when it is over. ``holds`` are open files that it
    keeps open as well: a lock holds then until both we and the command have ended. Raises :class:`Unmeasurable` when the
    command is not there, cannot be started or does not end in time.
    """
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # a probe has no AnsibleModule
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C", "PAGER": "cat", "SYSTEMD_PAGER": "", **(env or {})},
            start_new_session=True,
            pass_fds=holds,
        )
    except FileNotFoundError:
        reason = "cannot be started: its interpreter is missing" if os.path.exists(argv[0]) else "is not installed"
        raise Unmeasurable(f"{argv[0]} {reason}") from None
    except OSError as exc:
        raise Unmeasurable(f"{argv[0]} cannot be started: {exc.strerror}") from exc
    _running.add(process)
    try:
        out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        raise Unmeasurable(f"{argv[0]} gave no answer within {timeout:g} s") from None
    finally:
        _running.discard(process)
    return Answer(process.returncode, text(out), text(err))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it has started and that may hold its output open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel, it dies when that lets it go
        process.wait(1)
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):
            pipe and pipe.close()


_running: set[subprocess.Popen[bytes]] = set()


@atexit.register
def _leave_nothing_behind() -> None:
    """A check that was given up has left its thread behind, and its command with it."""
    for process in list(_running):
        _kill(process)


def lines(argv: t.Sequence[str], deadline: float, *, complaints: t.Sequence[str] = ()) -> t.Iterator[bytes]:
    """Run a command and yield the lines that it prints, as they come, in memory that does not grow with the answer.

    The command is ended when nobody reads on: close the iterator. ``deadline`` is a moment of ``time.monotonic()``. Raises
    :class:`Unmeasurable` when the command cannot be started, is not done by then, ends with another exit code than 0, or
    says one of ``complaints`` on stderr.
    """
    with tempfile.TemporaryFile() as stderr:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C", "PAGER": "cat", "SYSTEMD_PAGER": ""},
                start_new_session=True,
            )
        except FileNotFoundError:
            raise Unmeasurable(f"{argv[0]} is not installed") from None
        except OSError as exc:
            raise Unmeasurable(f"{argv[0]} cannot be started: {exc.strerror}") from exc
        _running.add(process)
        try:
            yield from _printed(process, argv[0], deadline)
            rc = process.wait(timeout=5)
            stderr.seek(0)
            said = " ".join(text(stderr.read(2000)).split())
            if rc or any(complaint in said for complaint in complaints):
                raise Unmeasurable(f"{argv[0]} says: {said[:300]}" if said else f"{argv[0]} ended with exit code {rc}")
        except subprocess.TimeoutExpired:
            raise Unmeasurable(f"{argv[0]} does not end") from None
        finally:
            _running.discard(process)
            if process.poll() is None:
                _kill(process)
            process.stdout and process.stdout.close()


def _printed(process: subprocess.Popen[bytes], name: str, deadline: float) -> t.Iterator[bytes]:
    handle, rest = process.stdout.fileno() if process.stdout else -1, b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], min(left, 3600))[0]:
            raise Unmeasurable(f"{name} was not done in the time given")
        block = os.read(handle, 1 << 20)
        if not block:
            break
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def text(raw: bytes) -> str:
    """Bytes as text that can be stored and shown: invalid UTF-8 and NUL stay visible as escapes."""
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
