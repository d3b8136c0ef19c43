# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The baseline of a tree of files: what was there at a moment that somebody vouched for, sealed so that tampering shows.

One line of JSON that says who made it, when and why, one for each entry of the tree, and the seal: HMAC-SHA256 with a key, or
without one SHA-256, which only shows damage and relies on nobody else being able to write the file.

Times of modification are not part of it. Whoever changes a file can set them back, so that they prove nothing.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import re
import tempfile
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import _memory
from ansible_collections.sre.runbooks.plugins.module_utils._probe._trees import (
    Entry,
    Some,
    Tree,
    Unreadable,
    below,
    is_program,
    shown,
)

FORMAT = 1
SHORTEST_KEY = 16


class Forged(Exception):
    """A baseline that is not what was sealed."""


Row = t.Tuple[str, str, int, int, int, int, t.Optional[str]]
"""path, kind, mode, uid, gid, size, and the SHA-256 of a file or the target of a link."""


@dataclasses.dataclass(frozen=True)
class Header:
    """Who made a baseline of what, when (epoch) and why, and the SHA-256 of the one before."""

    root: str
    exclude: list[str]
    uploads: list[str]
    created: float
    by: str
    run: str
    reason: str
    previous: str | None = None
    format: int = FORMAT


@dataclasses.dataclass
class Differences:
    """How a tree differs from its baseline. ``unread`` are files and directories whose content is not known.

    ``with_uploads`` is whether the tree has any of the directories of uploads.
    """

    files: int = 0
    with_uploads: bool = True
    changed: Some = dataclasses.field(default_factory=Some)
    added: Some = dataclasses.field(default_factory=Some)
    removed: Some = dataclasses.field(default_factory=Some)
    metadata: Some = dataclasses.field(default_factory=Some)
    uploads: Some = dataclasses.field(default_factory=Some)
    unread_files: Some = dataclasses.field(default_factory=Some)
    unread_folders: Some = dataclasses.field(default_factory=Some)

    def __bool__(self) -> bool:
        return any(some.count for some in (self.changed, self.added, self.removed, self.metadata, self.uploads))


def now() -> float:
    """This moment (epoch)."""
    return time.time()


def place(given: str | None, root: str) -> str:
    """Where the baseline of a tree lies: as given, or in a private directory of the user who asks."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", root).strip("-") or "root"
    return given or os.path.join(_memory.directory(None), "baselines", f"{name}.baseline")


class Baseline:
    """A baseline whose seal is whole. Raises :class:`Forged` when it is not, :class:`Unmeasurable` when there is none."""

    def __init__(self, path: str, key: str | None) -> None:
        self.path = path
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        except FileNotFoundError:
            raise Unmeasurable(
                f"there is no baseline in {path}: look at the tree, then make one with integrity_baseline and a reason"
            ) from None
        except OSError as exc:
            raise Unmeasurable(f"{path}: {exc.strerror}") from exc
        try:
            if not key:
                self._only_ours()
            self.digest, self._end = self._verify(key)
            self.header = self._header()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _only_ours(self) -> None:
        """Without a key, nobody but root and us may be able to write what we believe."""
        for path, status in (
            (self.path, os.fstat(self._file.fileno())),
            (os.path.dirname(self.path), os.stat(os.path.dirname(self.path))),
        ):
            if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
                raise Unmeasurable(
                    f"{path} can be written to by others, so that the baseline proves nothing: seal it with a key"
                )

    def _verify(self, key: str | None) -> tuple[str, int]:
        """The SHA-256 of all of it, and where the seal begins."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - 200))
        tail = self._file.read()
        last = tail[:-1].rpartition(b"\n")[2]
        begin = max(0, size - len(last) - 1)
        name, _, seal = last.decode("ascii", "replace").partition(" ")
        if not tail.endswith(b"\n") or name not in ("hmac-sha256", "sha256"):
            raise Forged(f"{self.path} is damaged: it does not end with a seal")
        if key and name == "sha256":
            raise Forged(f"{self.path} is sealed without the key: it is not the one that was made")
        if not key and name == "hmac-sha256":
            raise Unmeasurable(f"{self.path} is sealed with a key, which is needed to verify it")
        sealing, whole = _sealing(key), hashlib.sha256()
        self._file.seek(0)
        for size_left in iter(lambda: min(1 << 20, begin - self._file.tell()), 0):
            block = self._file.read(size_left)
            sealing.update(block)
            whole.update(block)
        whole.update(self._file.read())
        if not hmac.compare_digest(sealing.hexdigest(), seal):
            hint = ", or the key is another one" if key else ""
            raise Forged(f"{self.path} was changed after it was made{hint}")
        return whole.hexdigest(), begin

    def _header(self) -> Header:
        self._file.seek(0)
        try:
            fields = json.loads(self._file.readline())
            if fields.get("format") != FORMAT:
                raise Unmeasurable(f"{self.path} has another format than this version of the collection: make it anew")
            return Header(**fields)
        except (ValueError, TypeError, AttributeError):
            raise Forged(f"{self.path} is damaged: it does not begin as a baseline") from None

    def rows(self) -> t.Iterator[Row]:
        """The entries of the tree as they were, in the order of :meth:`Tree.entries`."""
        self._file.seek(0)
        self._file.readline()
        while self._file.tell() < self._end:
            yield tuple(json.loads(self._file.readline()))


def _sealing(key: str | None) -> t.Any:
    return hmac.new(key.encode(), digestmod=hashlib.sha256) if key else hashlib.sha256()


def same_question(header: Header, root: str, exclude: t.Sequence[str], uploads: t.Sequence[str]) -> bool:
    """Whether a baseline was made of the same tree with the same exclusions."""
    return (header.root, sorted(header.exclude), sorted(header.uploads)) == (root, sorted(exclude), sorted(uploads))


def compare(baseline: Baseline, tree: Tree) -> Differences:
    """How a tree differs from its baseline, in memory that does not grow with the tree."""
    found = Differences()
    old, new = iter(baseline.rows()), _relevant(tree, baseline.header.uploads)
    before, after = next(old, None), next(new, None)
    while before or after:
        order = _order(before, after)
        if order == 0 and before and after:
            _compare_one(found, baseline.header.uploads, before, after, tree)
        elif order > 0 and after:
            if after.kind != "dir":
                (found.uploads if below(after.path, baseline.header.uploads) else found.added).add(shown(after.path))
        elif before and before[1] != "dir" and not below(before[0], [*tree.unreadable, *baseline.header.uploads]):
            found.removed.add(shown(before[0]))
        found.files += after is not None and order >= 0 and after.kind != "dir"
        before = next(old, None) if order <= 0 else before
        after = next(new, None) if order >= 0 else after
    for folder in tree.unreadable:
        found.unread_folders.add(shown(folder))
    folders = [os.path.join(tree.root, folder.strip("/")) for folder in baseline.header.uploads]
    found.with_uploads = any(map(os.path.isdir, folders))
    return found


def _order(before: Row | None, after: Entry | None) -> int:
    """Below zero: only in the baseline; above: only in the tree."""
    if before is None or after is None:
        return 1 if before is None else -1
    left, right = before[0].split("/"), after.path.split("/")
    return (left > right) - (left < right)


def _relevant(tree: Tree, uploads: t.Sequence[str]) -> t.Iterator[Entry]:
    """Of the uploads, which change all day, only what could be executed."""
    for entry in tree.entries():
        if not below(entry.path, uploads) or (entry.kind != "dir" and is_program(entry.path)):
            yield entry


def _compare_one(found: Differences, uploads: t.Sequence[str], before: Row, after: Entry, tree: Tree) -> None:
    path, kind, mode, uid, gid, size, content = before
    status, in_uploads = after.status, below(path, uploads)
    changed = found.uploads if in_uploads else found.changed
    try:
        if kind != after.kind:
            changed.add(f"{shown(path)}: was a {kind}, is a {after.kind}")
        elif (kind == "file" and (size != status.st_size or content != tree.digest(path))) or (
            kind == "link" and content != tree.target(path)
        ):
            changed.add(shown(path))
    except FileNotFoundError:
        found.removed.add(shown(path))
        return
    except Unreadable:
        found.unread_files.add(shown(path))
    if in_uploads:
        return
    owner, owner_now = f"{uid}:{gid}", f"{status.st_uid}:{status.st_gid}"
    notes = [f"owner {owner} → {owner_now}"] if owner != owner_now else []
    if kind == after.kind != "link" and mode != status.st_mode & 0o7777:
        notes.append(f"mode {mode:04o} → {status.st_mode & 0o7777:04o}")
    if notes:
        found.metadata.add(f"{shown(path)}: {', '.join(notes)}")


def write(path: str, header: Header, tree: Tree, key: str | None, replaces: Baseline | None) -> str | None:
    """Make a baseline, and keep the one before beside it. Returns where that is.

    Raises :class:`Unmeasurable` when a part of the tree cannot be read: what is not known cannot be vouched for.
    """
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".baseline")  # 0600
    except OSError as exc:
        raise Unmeasurable(f"no baseline can be written to {folder}: {exc.strerror}") from exc
    try:
        with os.fdopen(handle, "wb") as file:
            sealing = _sealing(key)
            for line in _lines(header, tree):
                sealing.update(line)
                file.write(line)
            file.write(f"{'hmac-sha256' if key else 'sha256'} {sealing.hexdigest()}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        kept = None
        if replaces:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(replaces.header.created))
            kept = f"{path}.{stamp}"
            with contextlib.suppress(FileExistsError):
                os.link(path, kept)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return kept


def _lines(header: Header, tree: Tree) -> t.Iterator[bytes]:
    yield (json.dumps(dataclasses.asdict(header)) + "\n").encode()
    for entry in _relevant(tree, header.uploads):
        status = entry.status
        try:
            content = tree.digest(entry.path) if entry.kind == "file" else None
            content = tree.target(entry.path) if entry.kind == "link" else content
        except FileNotFoundError:
            continue  # gone since it was listed
        except Unreadable as exc:
            raise Unmeasurable(f"{tree.root}/{exc}: what cannot be read cannot be vouched for") from exc
        mode = status.st_mode & 0o7777
        row: Row = (entry.path, entry.kind, mode, status.st_uid, status.st_gid, status.st_size, content)
        yield (json.dumps(row) + "\n").encode()
    if tree.unreadable:
        raise Unmeasurable(
            f"{tree.root}/{tree.unreadable[0]} cannot be read: what cannot be read cannot be vouched for"
        )


def look(
    root: str, baseline: str | None, key: str | None, exclude: t.Sequence[str], uploads: t.Sequence[str], timeout: float
) -> tuple[Header, Differences]:
    """What a baseline says of itself, and how the tree differs from it."""
    tree = Tree(root, exclude, time.monotonic() + 0.95 * timeout)
    known = Baseline(place(baseline, root), key)
    with contextlib.closing(known):
        if not same_question(known.header, tree.root, exclude, uploads):
            raise Unmeasurable(f"{known.path} was made of another tree, or with other exclude or uploads: make it anew")
        return known.header, compare(known, tree)


@dataclasses.dataclass
class Renewal:
    """What making a baseline did, or would do. ``differences`` is None where there was none before."""

    path: str
    changed: bool
    differences: Differences | None = None
    previous: str | None = None


def renew(header: Header, given: str | None, key: str | None, timeout: float, *, keep: bool) -> Renewal:
    """Make the baseline of a tree, unless it is as the last one says. Without ``keep`` nothing is written.

    Raises :class:`Forged` when the last one is not genuine, :class:`Unmeasurable` when the tree cannot be vouched for.
    """
    path, deadline = place(given, header.root), time.monotonic() + timeout
    tree = Tree(header.root, header.exclude, deadline)
    header = dataclasses.replace(header, root=tree.root)
    if os.path.realpath(path).startswith(tree.root.rstrip("/") + "/"):
        raise Unmeasurable(f"{path} lies in the tree that it is to vouch for")
    if key and len(key) < SHORTEST_KEY:
        raise Unmeasurable(f"a key of fewer than {SHORTEST_KEY} characters could be guessed")
    if not os.path.lexists(path):
        if keep:
            write(path, header, tree, key, None)
        else:
            collections.deque(_lines(header, tree), maxlen=0)
        return Renewal(path, True)
    with contextlib.closing(Baseline(path, key)) as last:
        same = same_question(last.header, tree.root, header.exclude, header.uploads)
        differences = compare(last, tree) if same else None
        if differences is not None and not differences:
            if differences.unread_files.count or differences.unread_folders.count:
                unread = [*differences.unread_folders.first, *differences.unread_files.first]
                raise Unmeasurable(f"{tree.root}/{unread[0]} cannot be read: what cannot be read cannot be vouched for")
            return Renewal(path, False, differences)
        header = dataclasses.replace(header, previous=last.digest)
        previous = write(path, header, Tree(header.root, header.exclude, deadline), key, last) if keep else None
        return Renewal(path, True, differences, previous)
