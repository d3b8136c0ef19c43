# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small ``/proc``, for tests of what reads it: real lines of Linux 6.1 with the numbers of the case."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def write(root: Path, **files: str) -> Path:
    """Write files below ``root/proc``; ``pressure__cpu`` is ``pressure/cpu``."""
    for name, text in files.items():
        path = root / "proc" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def process(root: Path, pid: int, name: str = "worker", *arguments: str, **facts: Any) -> Path:
    """Write a process; facts are ``parent``, ``state``, ``cpu`` and ``started`` in seconds, and ``mib``."""
    directory = root / "proc" / str(pid)
    directory.mkdir(parents=True, exist_ok=True)
    ticks, started = round(facts.get("cpu", 0) * TICKS), round(facts.get("started", 0) * TICKS)
    pages = facts.get("mib", 0) * 1024**2 // PAGE
    (directory / "stat").write_text(
        f"{pid} ({name}) {facts.get('state', 'S')} {facts.get('parent', 1)} {pid} {pid} 0 -1 4194560 44 0 0 0 "
        f"{ticks} 0 0 0 20 0 1 0 {started} 53596160 {pages} 18446744073709551615 1 1 0 0 0 0 0 4096 1256 0 0 0 17 1 "
        "0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    )
    (directory / "cmdline").write_bytes(b"".join(argument.encode() + b"\0" for argument in arguments))
    return root
