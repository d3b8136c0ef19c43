# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Look through the files of a tree for credentials. What is found never leaves here but as a fingerprint."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _secrets
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _memory
from ansible_collections.sre.runbooks.plugins.module_utils._probe._trees import Some, Tree, Unreadable, shown

LARGEST = 32 << 20
"""Bytes of a file that is looked through; a larger one is named."""
MOST = 2000
"""Findings that are kept; more of them say no more."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A credential, by what stands for it."""

    rule: str
    path: str
    line: int
    fingerprint: str


@dataclasses.dataclass
class Scan:
    """What was found, and what was looked at. ``unread`` are files whose content is not known."""

    findings: list[Finding] = dataclasses.field(default_factory=list)
    files: int = 0
    binary: int = 0
    bytes: int = 0
    unread: Some = dataclasses.field(default_factory=Some)


def now() -> float:
    """This moment (epoch)."""
    return time.time()


def scan(root: str, exclude: t.Sequence[str], timeout: float) -> Scan:
    """Look through every text file of a tree. Raises :class:`Unmeasurable` when it is not there or too large."""
    tree, found = Tree(root, exclude, time.monotonic() + 0.95 * timeout), Scan()
    fingerprints: dict[tuple[str, bytes], str] = {}
    for entry in tree.entries():
        if entry.kind != "file":
            continue
        if entry.status.st_size > LARGEST:
            found.unread.add(f"{shown(entry.path)} ({entry.status.st_size >> 20} MiB)")
            continue
        try:
            content = b"".join(tree.blocks(entry.path))
        except FileNotFoundError:
            continue
        except Unreadable:
            found.unread.add(shown(entry.path))
            continue
        found.files += 1
        found.bytes += len(content)
        if b"\0" in content[:8192] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            found.binary += 1
            continue
        for match in _secrets.scan(_utf_8(content), entry.name):
            known = (match.rule, match.secret)
            if known not in fingerprints and len(found.findings) < MOST:
                fingerprints[known] = _secrets.fingerprint(*known)
            if known in fingerprints:
                found.findings.append(Finding(match.rule, shown(entry.path), match.line, fingerprints[known]))
    for folder in tree.unreadable:
        found.unread.add(shown(folder))
    return found


def _utf_8(content: bytes) -> bytes:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content


@dataclasses.dataclass
class Known:
    """The fingerprints of the last check, None when there was none; ``keep`` makes the next one know these."""

    before: set[str] | None
    keep: t.Callable[[], None]


def known(directory: str | None, name: str, root: str, scan: Scan, *, keeping: bool) -> Known:
    """What the last check of a tree has found. Raises :class:`Unmeasurable` when it cannot be read."""
    memory = _memory.Memory(_memory.directory(directory), f"secrets {name}", [name, root])
    if keeping:
        memory.lock(10)
    try:
        memory.load()
    except BaseException:
        memory.close()
        raise
    before = (memory.content or {}).get("fingerprints")
    content = {"at": now(), "fingerprints": sorted({finding.fingerprint for finding in scan.findings})}
    return Known(set(before) if isinstance(before, list) else None, lambda: memory.keep(content))
