# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Run a command: argv only, in the C locale, with a time limit, never waiting for input."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


@dataclasses.dataclass(frozen=True)
class Answer:
    r"""What a command answered. Bytes that are not UTF-8 are kept as ``\xNN``: nothing is lost and nothing breaks."""

    rc: int
    stdout: str
    stderr: str


def command(
    argv: t.Sequence[str], timeout: float, *, env: t.Mapping[str, str] | None = None, stdin: str | bytes = b""
) -> Answer:
    """Run a command and return its answer, whatever its exit code.

    ``timeout`` is in seconds; the command's whole process group is killed when it is over. Raises :class:`Unmeasurable`
    when the command is not there, cannot be started or does not end in time.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C", "PAGER": "cat", "SYSTEMD_PAGER": "", **(env or {})},
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Unmeasurable(f"{argv[0]} is not installed") from None
    except OSError as exc:
        raise Unmeasurable(f"{argv[0]} cannot be started: {exc.strerror}") from exc
    try:
        out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Unmeasurable(f"{argv[0]} gave no answer within {timeout:g} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.stdout and process.stdout.close()
            process.stderr and process.stderr.close()
    return Answer(process.returncode, text(out), text(err))


def text(raw: bytes) -> str:
    """Bytes as text that can be stored and shown: invalid UTF-8 and NUL stay visible as escapes."""
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
