# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a check remembers for its next run: one small JSON file for each target, private, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import tempfile
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


def directory(given: str | None) -> str:
    """Where memories lie: as given, or ``/var/lib/sre-runbooks`` for root and the user's state directory for others."""
    if given:
        return given
    if os.geteuid() == 0:
        return "/var/lib/sre-runbooks"
    return os.path.join(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "sre-runbooks")


class Memory:
    """The memory of one target: ``content`` as it was kept, or None when there is none, and why in ``trouble``.

    ``key`` is all that makes the target what it is: another question has a memory of its own. With ``lock``, another run
    that wants to lock the same memory waits until this one has kept or closed it.
    """

    def __init__(self, base: str, name: str, key: t.Any) -> None:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self.path = os.path.join(base, f"{re.sub(r'[^A-Za-z0-9.-]+', '-', name).strip('-')[-60:]}-{digest}.json")
        self.content: dict[str, t.Any] | None = None
        self.trouble: str | None = None
        self._lock: int | None = None

    def lock(self, timeout: float) -> None:
        """Wait for other readers to finish. Raises :class:`Unmeasurable` when they do not, or nothing can be kept."""
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            until = time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except OSError as exc:
                    if exc.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                if time.monotonic() > until:
                    self.close()
                    raise Unmeasurable(f"another run has been reading with {self.path} for {timeout:.0f} s")
                time.sleep(0.02)
        except OSError as exc:
            raise Unmeasurable(f"nothing can be remembered in {self.path}: {exc.strerror}") from exc

    def load(self) -> None:
        """Read what was kept. A damaged file is as none, and says so. Raises :class:`Unmeasurable` when it is unreadable."""
        try:
            with open(self.path, encoding="utf-8") as file:
                content = json.load(file)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise Unmeasurable(f"{self.path}: {exc.strerror}") from exc
        except ValueError:
            content = None
        if isinstance(content, dict) and isinstance(content.get("at"), (int, float)):
            self.content = content
        else:
            self.trouble = f"{self.path} was damaged, so that what was seen before is not known"

    def keep(self, content: dict[str, t.Any]) -> None:
        """Replace what was kept, and let the next run in. Raises :class:`OSError`."""
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(self.path), prefix=".", suffix=".json")  # 0600
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
        finally:
            self.close()

    def close(self) -> None:
        """Let the next run in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
