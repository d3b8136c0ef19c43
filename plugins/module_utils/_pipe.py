# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A backup as a stream: decrypted and decompressed while it is read, never as a plain copy on disk.

Every stage takes an iterator of bytes and is one. What a stage is made of is told by the first bytes that reach it, never
by a file name. :class:`Broken` says that the backup is at fault, and at which stage; :class:`Unmeasurable` that we are: a
tool or a key is missing. Memory stays flat, whatever the size. No stage ends well unless all before it have.
"""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import fcntl
import hashlib
import lzma
import os
import queue
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import typing as t
import zlib

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

CHUNK = 1024**2
HEAD = 1024
"""Bytes that tell what a stream is: the magic of a tar archive stands at 257."""

Chunks = t.Iterator[bytes]
"""Bytes in pieces of at most about :data:`CHUNK`. Whoever takes them ends them with :func:`close`."""

ENCRYPTIONS = ("age", "gpg", "openssl")
COMPRESSIONS = ("gzip", "zstd", "xz", "bzip2")
_LAYERS = 8
"""Layers of encryption and compression that are plausible. What has more is not a backup but a trap."""
_TICK = 1.0
"""Seconds after which a stage looks up from its work: is there time left, has somebody to be told?"""
_STDERR = 16384
_PIPE_SIZE = 1031
"""The number of ``F_SETPIPE_SZ``, which Python knows since 3.10."""
_AGE_PLEA = "report unexpected or unhelpful errors"
"""What age adds to whatever it has to say."""
_OPENPGP = re.compile(rb"(?:\x84.|\x85..|\x86....|\xc1..?)\x03|(?:\x8c|\xc3).[\x04-\x06]", re.DOTALL)
"""What an encrypted message begins with: a session key for a public key, or for a passphrase; length, then version."""


class Broken(Exception):
    """The backup is at fault, at this stage, for this reason."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage, self.reason = stage, reason


class TooSlow(Unmeasurable):
    """The time that the caller gave is over."""


@dataclasses.dataclass(frozen=True)
class Keys:
    """What a stream is decrypted with. Paths are read by the tools; the passphrase is handed over."""

    age_identity: str | None = None
    gpg_home: str | None = None
    gpg_key: str | None = None
    """A file with a secret key, which is imported into a key ring that lives as long as the stream."""
    passphrase: str | None = None
    openssl_cipher: str = "aes-256-cbc"
    openssl_iterations: int = 0
    """Rounds of PBKDF2; 0 leaves it to openssl, whose default is 10000."""
    openssl_pbkdf2: bool = True
    openssl_digest: str = "sha256"

    def __repr__(self) -> str:  # a traceback may show it
        return "Keys(…)"


@dataclasses.dataclass
class Meter:
    """What has passed a point of the stream so far, readable from any thread."""

    total: int | None = None
    bytes: int = 0
    _digest: t.Any = dataclasses.field(default_factory=hashlib.sha256)

    def watch(self, chunks: Chunks) -> Chunks:
        for chunk in chunks:
            self._digest.update(chunk)
            self.bytes += len(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        return str(self._digest.hexdigest())


@dataclasses.dataclass
class Stream:
    """An opened backup: ``chunks`` is its plain content.

    ``stages`` are the layers that were taken off, outermost first, and complete once the first chunk has been read.
    ``raw`` measures what was read from the source; its checksum is that of the whole once the stream has ended.
    """

    chunks: Chunks
    raw: Meter
    stages: list[str]

    def close(self) -> None:
        """End every tool that takes part. Safe at any time, and again."""
        close(self.chunks)

    @property
    def encrypted(self) -> bool:
        return any(stage in ENCRYPTIONS for stage in self.stages)

    @property
    def compressed(self) -> bool:
        return any(stage in COMPRESSIONS for stage in self.stages)


def sniff(head: bytes) -> str | None:
    """The layer that a stream is wrapped in, by its first bytes; None when it is plain."""
    for name, magic in (
        ("gzip", b"\x1f\x8b"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("xz", b"\xfd7zXZ\x00"),
        ("age", b"age-encryption.org/v"),
        ("age", b"-----BEGIN AGE ENCRYPTED FILE-----"),
        ("gpg", b"-----BEGIN PGP MESSAGE-----"),
        ("openssl", b"Salted__"),
    ):
        if head.startswith(magic):
            return name
    if re.match(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", head):
        return "bzip2"
    return "gpg" if _OPENPGP.match(head) else None


def open_stream(
    source: Chunks,
    keys: Keys,
    *,
    total: int | None = None,
    workdir: str | None = None,
    deadline: float | None = None,
    meter: Meter | None = None,
) -> Stream:
    """Take every layer of encryption and compression off a source.

    ``total`` is the size of the source in bytes, for progress; ``meter`` measures the source, in place of the one that
    comes along; ``workdir`` is a private directory, in which gpg may have a key ring; ``deadline`` a time of
    ``time.monotonic()``. Reads what is needed to know the layers. Raises :class:`Broken` and :class:`Unmeasurable`, here
    and out of the chunks.
    """
    raw, stages = meter or Meter(total), []  # type: Meter, list[str]
    chunks: Chunks = Ahead(_Generated(raw.watch(source), source))
    try:
        for _layer in range(_LAYERS):
            head, chunks = peek(chunks)
            if not head:
                raise Broken(stages[-1] if stages else "read", "there is not one byte in it")
            layer = sniff(head)
            if layer is None:
                return Stream(chunks, raw, stages)
            stages.append(layer)
            chunks = _unwrap(layer, chunks, keys, workdir, deadline)
        raise Broken("read", f"more than {_LAYERS} layers of compression and encryption: {', '.join(stages)}")
    except BaseException:
        close(chunks)
        raise


def peek(chunks: Chunks, size: int = HEAD) -> tuple[bytes, Chunks]:
    """The first bytes of a stream, and the stream as if they had not been read."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= size:
            break
    return head[:size], _Peeked(head, chunks)


def pour(chunks: Chunks, handle: int) -> None:
    """Write all that is left of a stream into a pipe; what a tool writes goes from pipe to pipe without passing through us."""
    if hasattr(chunks, "pour"):
        chunks.pour(handle)
        return
    for chunk in chunks:
        _write(handle, chunk)


def _write(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


def close(chunks: t.Any) -> None:
    """End whatever takes part in a stream. Safe at any time, and again."""
    if hasattr(chunks, "close"):
        chunks.close()


# Stages. A class each, and not a generator: one that was never asked for a chunk would not end what stands before it.


class _Generated:
    """Chunks of a generator, which end those before it when they are closed."""

    def __init__(self, chunks: t.Iterator[bytes], before: t.Any) -> None:
        self._chunks, self._before = chunks, before

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        close(self._chunks)
        close(self._before)


class _Peeked:
    """Chunks of which the first bytes have been looked at."""

    def __init__(self, head: bytes, before: Chunks) -> None:
        self._head, self._before = head, before

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> bytes:
        head, self._head = self._head, b""
        return head or next(self._before)

    def pour(self, handle: int) -> None:
        head, self._head = self._head, b""
        _write(handle, head)
        pour(self._before, handle)

    def close(self) -> None:
        close(self._before)


def from_file(path: str) -> Chunks:
    """The bytes of a file. Raises :class:`Unmeasurable` when it cannot be read."""
    try:
        with open(path, "rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror or exc}") from exc


class Ahead:
    """Runs what comes before in a thread of its own, some chunks ahead, so that stages work side by side."""

    def __init__(self, before: Chunks, depth: int = 8) -> None:
        self._before, self._ready, self._stop = before, queue.Queue(depth), threading.Event()  # type: ignore[var-annotated]
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._ended = False

    def _work(self) -> None:
        last: BaseException | None = None
        try:
            for chunk in self._before:
                if not self._put(chunk):
                    return
        except BaseException as exc:  # noqa: BLE001 - it is raised where the chunks are used
            last = exc
        self._put(last)

    def _put(self, item: t.Any) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._ready.put(item, timeout=0.2)
                return True
        return False

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        if self._thread.ident is None:
            self._thread.start()
        item = self._ready.get()
        if isinstance(item, bytes):
            return item
        self._ended = True
        raise item or StopIteration

    def close(self) -> None:
        self._stop.set()
        self._ended = True
        if self._thread.ident is not None:
            self._thread.join(5)  # a source that hangs is left behind
        if not self._thread.is_alive():
            close(self._before)


_DECODERS: dict[str, t.Callable[[], t.Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
}
_MAGIC = 10
"""Bytes by which the next member of an archive is told from rubbish."""


def _decoded(stage: str, chunks: Chunks) -> Chunks:
    """Decompress in process: one or several members, one after the other, each of them complete."""
    decoder, waiting = _DECODERS[stage](), b""
    try:
        for chunk in chunks:
            data, waiting = waiting + chunk, b""
            while data:
                if decoder.eof:
                    data = data.lstrip(b"\0")  # padding
                    if len(data) < _MAGIC:
                        waiting = data
                        break
                    if sniff(data) != stage:
                        raise Broken(stage, "something else follows the end of the archive")
                    decoder = _DECODERS[stage]()
                data = yield from _fed(decoder, data)
    except (zlib.error, lzma.LZMAError, OSError) as exc:
        raise Broken(stage, f"the archive is damaged: {exc}") from exc
    if waiting:
        raise Broken(stage, "something else follows the end of the archive")
    if not decoder.eof:
        raise Broken(stage, "the archive ends in the middle: it was cut off")


def _fed(decoder: t.Any, data: bytes) -> t.Generator[bytes, None, bytes]:
    """Decompress in bounded steps. Returns what follows the end of the member, if it was reached."""
    if hasattr(decoder, "unconsumed_tail"):  # zlib, which hands back what it has not used
        while data and not decoder.eof:
            yield decoder.decompress(data, CHUNK)
            data = decoder.unconsumed_tail
    else:
        yield decoder.decompress(data, CHUNK)
        while not (decoder.eof or decoder.needs_input):
            yield decoder.decompress(b"", CHUNK)
    return bytes(decoder.unused_data)


class Process:
    """A command that takes the chunks before it at its standard input. Its own chunks are its standard output.

    It counts only when all of it went well: what comes before ended well, everything was taken, and the exit code is 0.
    Otherwise :class:`Broken` names the stage that was the first to go wrong. A ``secret`` is :func:`handed_over`, by a
    number that replaces ``{secret}`` in the arguments.
    """

    def __init__(
        self,
        stage: str,
        argv: t.Sequence[str],
        before: Chunks,
        *,
        env: t.Mapping[str, str] | None = None,
        secret: str | None = None,
        cwd: str | None = None,
        deadline: float | None = None,
        tick: t.Callable[[], None] | None = None,
    ) -> None:
        self.stage, self._before, self._deadline, self._tick = stage, before, deadline, tick
        self._stderr = b""
        self._trouble: BaseException | None = None
        self._unread = False
        self._ended = False
        with handed_over(secret) as handle:
            argv = [argument.replace("{secret}", str(handle)) for argument in argv]
            try:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    pass_fds=() if handle is None else (handle,),
                    env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C"} if env is None else dict(env),
                    cwd=cwd, start_new_session=True, bufsize=0,
                )  # fmt: skip
            except FileNotFoundError:
                raise Unmeasurable(f"{argv[0]} is not installed on the host") from None
            except OSError as exc:
                raise Unmeasurable(f"{argv[0]} cannot be started: {exc.strerror}") from exc
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, _PIPE_SIZE, CHUNK)  # type: ignore[arg-type]
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._feeder.start()
        self._listener.start()

    def _feed(self) -> None:
        stdin = t.cast(t.IO[bytes], self._process.stdin)
        try:
            pour(self._before, stdin.fileno())
        except (BrokenPipeError, ValueError):
            self._unread = True
        except BaseException as exc:  # noqa: BLE001 - it is raised where the chunks are used
            self._trouble = exc
        finally:
            with contextlib.suppress(OSError):
                stdin.close()

    def _listen(self) -> None:
        stderr = t.cast(t.IO[bytes], self._process.stderr)
        with contextlib.suppress(OSError, ValueError):
            for piece in iter(lambda: stderr.read(65536), b""):
                self._stderr = (self._stderr + piece)[-_STDERR:]

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        chunk = os.read(self._output(), CHUNK)
        if chunk:
            return chunk
        self._ended = True
        self._finish()
        raise StopIteration

    def pour(self, handle: int) -> None:
        splice = getattr(os, "splice", None)
        if splice is None:  # before Python 3.10
            for chunk in self:
                _write(handle, chunk)
            return
        while not self._ended and splice(self._output(), handle, CHUNK):
            pass
        if not self._ended:
            self._ended = True
            self._finish()

    def _output(self) -> int:
        """The pipe of what the command writes, when there is something in it or it has ended."""
        stdout = t.cast(t.IO[bytes], self._process.stdout)
        while not select.select([stdout], [], [], _TICK)[0]:
            self._look_around()
        self._look_around()
        return stdout.fileno()

    def _look_around(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TooSlow(f"{self.stage} was not through in time")
        if self._tick:
            self._tick()

    def _finish(self) -> None:
        while self._process.poll() is None:
            self._look_around()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_TICK)
        self._feeder.join(_TICK if self._process.returncode else None)
        self._listener.join(_TICK)
        if isinstance(self._trouble, (Broken, Unmeasurable)) or (self._trouble and not self._process.returncode):
            raise self._trouble
        if self._process.returncode:
            raise Broken(self.stage, self.complaint() or f"ended with exit code {self._process.returncode}")
        if self._unread:
            raise Broken(self.stage, "stopped before the end of its input")

    def complaint(self) -> str:
        """The last lines that the command wrote to its standard error, without secrets."""
        lines = [line.strip() for line in self._stderr.decode("utf-8", "backslashreplace").splitlines()]
        return redact("; ".join([line[:300] for line in lines if line and _AGE_PLEA not in line][-4:]))

    def close(self) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._feeder.join(5)
        self._listener.join(5)
        for pipe in (self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                pipe and pipe.close()
        if not self._feeder.is_alive():  # which closes the pipe that it writes to
            close(self._before)


@contextlib.contextmanager
def handed_over(secret: str | None) -> t.Iterator[int | None]:
    """The number of a file that holds the secret and has no name: it ends with those who have it open, even when killed.

    A command that was given the number reads it there, or as ``/dev/fd/NUMBER``, as often as it likes.
    """
    if secret is None:
        yield None
        return
    handle = os.memfd_create("secret")
    try:
        os.fchmod(handle, 0o600)  # libpq refuses more
        os.write(handle, secret.encode() + b"\n")
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


# Layers


def _unwrap(layer: str, chunks: Chunks, keys: Keys, workdir: str | None, deadline: float | None) -> Chunks:
    if layer in _DECODERS:
        return Ahead(_Generated(_decoded(layer, chunks), chunks))
    if layer == "zstd":
        return Process("zstd", ["zstd", "-dc", "--quiet"], chunks, deadline=deadline)
    if layer == "age":
        return _age(chunks, keys, deadline)
    if layer == "openssl":
        return _openssl(chunks, keys, deadline)
    return _gpg(chunks, keys, workdir, deadline)


def _age(chunks: Chunks, keys: Keys, deadline: float | None) -> Chunks:
    if not keys.age_identity:
        raise Unmeasurable("the backup is encrypted by age, and no identity to decrypt it with was given")
    _readable(keys.age_identity, "the age identity")
    return Process("age", ["age", "--decrypt", "--identity", keys.age_identity], chunks, deadline=deadline)


def _openssl(chunks: Chunks, keys: Keys, deadline: float | None) -> Chunks:
    if keys.passphrase is None:
        raise Unmeasurable("the backup is encrypted by openssl, and no passphrase was given")
    argv = ["openssl", "enc", "-d", f"-{keys.openssl_cipher}", "-md", keys.openssl_digest, "-pass", "fd:{secret}"]
    argv += ["-pbkdf2"] if keys.openssl_pbkdf2 else []
    argv += ["-iter", str(keys.openssl_iterations)] if keys.openssl_iterations else []
    return Process("openssl", argv, chunks, secret=keys.passphrase, deadline=deadline)


def _gpg(chunks: Chunks, keys: Keys, workdir: str | None, deadline: float | None) -> Chunks:
    """Decrypt with the key ring of ``gpg_home``, or in one that holds ``gpg_key`` only and goes with the stream."""
    argv = ["gpg", "--batch", "--no-tty", "--quiet", "--trust-model", "always"]
    # always a pipe, even with an empty secret: gpg is never to ask anybody
    decrypt = ["--pinentry-mode", "loopback", "--passphrase-fd", "{secret}", "--decrypt"]
    if keys.gpg_home:
        argv += ["--homedir", keys.gpg_home, *decrypt]
        return Process("gpg", argv, chunks, secret=keys.passphrase or "", deadline=deadline)
    if not keys.gpg_key and keys.passphrase is None:
        raise Unmeasurable("the backup is encrypted by gpg, and neither a key nor a passphrase was given")
    ring = tempfile.mkdtemp(prefix="gpg-", dir=workdir)  # 0700
    argv += ["--homedir", ring]
    try:
        if keys.gpg_key:
            _readable(keys.gpg_key, "the gpg key")
            importing = ["--pinentry-mode", "loopback", "--passphrase-fd", "{secret}", "--import", keys.gpg_key]
            for _nothing in Process("gpg", argv + importing, iter(()), secret=keys.passphrase or "", deadline=deadline):
                pass
        return _KeyRing(Process("gpg", argv + decrypt, chunks, secret=keys.passphrase or "", deadline=deadline), ring)
    except BaseException:
        _burn(ring)
        raise


class _KeyRing(_Generated):
    """A key ring that ends with the stream that it decrypts."""

    def __init__(self, process: Process, ring: str) -> None:
        super().__init__(process, None)
        self._ring = ring

    def close(self) -> None:
        super().close()
        _burn(self._ring)


def _burn(ring: str) -> None:
    """End a key ring, and the agent that gpg leaves behind for it."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            ["gpgconf", "--homedir", ring, "--kill", "gpg-agent"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10, check=False,
        )  # fmt: skip
    shutil.rmtree(ring, ignore_errors=True)


def _readable(path: str, what: str) -> None:
    """Raise :class:`Unmeasurable` for a key file that cannot be opened, so that this is not taken for a wrong key."""
    try:
        with open(path, "rb"):
            pass
    except OSError as exc:
        raise Unmeasurable(f"{what}, {path}: {exc.strerror or exc}") from exc
