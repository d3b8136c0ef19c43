# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Unpack an archive that nobody trusts, and nothing but its files, directories and harmless links.

An entry that would lie elsewhere, a link that leads out, a device or a pipe is not unpacked but named. Owners are not
taken over, and modes without what runs as somebody else; the modes that the archive has are remembered.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import posixpath
import stat
import tarfile
import typing as t
import zipfile
import zlib

from ansible_collections.sre.runbooks.plugins.module_utils._pipe import CHUNK, Broken, Chunks

_MANY = 50


@dataclasses.dataclass
class Unpacked:
    """What came out. ``files``: path → size in bytes, SHA-256 and mode, as the archive has it."""

    files: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    links: int = 0
    refused: list[str] = dataclasses.field(default_factory=list)
    newest: float = 0.0

    def refuse(self, name: str, why: str) -> None:
        if len(self.refused) < _MANY:
            self.refused.append(f"{name[:200]}: {why}")


def facts_of(found: Unpacked) -> dict[str, t.Any]:
    """The same as a manifest has it, without the paths that were refused."""
    return {"format": 1, "engine": "files", "files": found.files}


class _Flow(io.RawIOBase):
    """Chunks as something that can be read from beginning to end."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, left = [], size
        while size < 0 or left > 0:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part = self._rest if size < 0 else self._rest[:left]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def inside(name: str) -> str | None:
    """The path that an entry has below the place where it is unpacked; None when it would lie elsewhere."""
    path = posixpath.normpath(name.replace("\\", "/"))
    if path == ".." or path.startswith(("/", "../")) or "\0" in path:
        return None
    return path


class _Entry(tarfile.TarInfo):
    """The header of an entry. Python takes a missing end mark, and any header that it cannot read, for a good end."""

    @classmethod
    def frombuf(cls, buf: t.Any, encoding: str, errors: str) -> t.Any:
        if len(buf) < tarfile.BLOCKSIZE:
            raise Broken("tar", "the archive ends without its end mark: it was cut off")
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.TarError as exc:
            if any(buf):
                raise Broken("tar", f"the archive is damaged: {exc}") from exc
            raise


def unpack_tar(chunks: Chunks, place: str) -> Unpacked:
    """Unpack a plain tar archive from a stream. Raises :class:`Broken`."""
    found = Unpacked()
    flow = _Flow(chunks)
    try:
        with tarfile.open(fileobj=flow, mode="r|", bufsize=CHUNK, tarinfo=_Entry) as archive:
            for entry in archive:
                _entry(archive, entry, place, found)
                archive.members = []  # type: ignore[attr-defined]  # it keeps them all
        for _rest in iter(lambda: flow.read(CHUNK), b""):
            pass  # padding: what comes before us is to end well, too
    except (tarfile.TarError, EOFError, zlib.error) as exc:
        raise Broken("tar", f"the archive is damaged: {exc}") from exc
    return found


def _entry(archive: tarfile.TarFile, entry: tarfile.TarInfo, place: str, found: Unpacked) -> None:
    path = inside(entry.name)
    if path is None:
        found.refuse(entry.name, "would lie outside of the directory")
    elif entry.isdir():
        os.makedirs(_within(place, path), 0o700, exist_ok=True)
    elif entry.isfile():
        source = t.cast(t.IO[bytes], archive.extractfile(entry))
        _file(source, entry.size, place, path, entry.mode, found)
        found.newest = max(found.newest, float(entry.mtime))
    elif entry.issym() or entry.islnk():
        _link(entry, place, path, found)
    else:
        found.refuse(entry.name, "is a device or a pipe")


def _link(entry: tarfile.TarInfo, place: str, path: str, found: Unpacked) -> None:
    """Symbolic links are counted, not made: what is unpacked later could be written through them."""
    base = posixpath.dirname(path) if entry.issym() else ""
    if inside(posixpath.join(base, entry.linkname)) is None:
        found.refuse(entry.name, f"links to {entry.linkname[:100]}, outside of the directory")
    else:
        found.links += 1
        target = _within(place, posixpath.normpath(posixpath.join(base, entry.linkname)))
        if entry.islnk() and os.path.isfile(target):
            os.makedirs(os.path.dirname(_within(place, path)), 0o700, exist_ok=True)
            os.link(target, _within(place, path))
            found.files[path] = dict(found.files[posixpath.normpath(entry.linkname)])


def _within(place: str, path: str) -> str:
    return os.path.join(place, *path.split("/"))


def _file(source: t.IO[bytes], size: int | None, place: str, path: str, mode: int, found: Unpacked) -> None:
    full = _within(place, path)
    os.makedirs(os.path.dirname(full), 0o700, exist_ok=True)
    digest, written = hashlib.sha256(), 0
    handle = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            file.write(chunk)
            digest.update(chunk)
            written += len(chunk)
    if size is not None and written != size:
        raise Broken("tar", f"{path} has {written} of its {size} bytes: the archive was cut off")
    os.chmod(full, mode & 0o700 | 0o600)
    found.files[path] = {"bytes": written, "sha256": digest.hexdigest(), "mode": f"{mode & 0o7777:04o}"}


def unpack_zip(path: str, place: str, password: str | None) -> Unpacked:
    """Unpack a zip archive, whose directory stands at its end. Raises :class:`Broken`."""
    found = Unpacked()
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name, mode = inside(entry.filename), entry.external_attr >> 16
                kind = stat.S_IFMT(mode)
                if name is None:
                    found.refuse(entry.filename, "would lie outside of the directory")
                elif entry.is_dir():
                    os.makedirs(_within(place, name), 0o700, exist_ok=True)
                elif kind == stat.S_IFLNK:
                    found.links += 1
                elif kind not in (0, stat.S_IFREG):
                    found.refuse(entry.filename, "is a device or a pipe")
                else:
                    with archive.open(entry, pwd=password.encode() if password else None) as source:
                        _file(
                            source,
                            entry.file_size,
                            place,
                            name,
                            stat.S_IMODE(mode) or 0o644,
                            found,
                        )
    except NotImplementedError as exc:
        raise Broken("zip", f"a kind of compression or encryption that is not supported: {exc}") from exc
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as exc:
        raise Broken("zip", f"the archive is damaged, or its password is another: {exc}") from exc
    return found


def open_to_everybody(found: Unpacked) -> list[str]:
    """Files that anybody may change, or that run with the rights of their owner."""
    return [
        f"{path} has mode {about['mode']}"
        for path, about in sorted(found.files.items())
        if int(about["mode"], 8) & (stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)
    ]
