# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup as a stream, with the real tools."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import itertools
import lzma
import os
import random
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import (
    Broken,
    Keys,
    Process,
    TooSlow,
    close,
    from_file,
    open_stream,
    peek,
    sniff,
)

PLAIN = b"-- a dump\n" + random.Random(7).randbytes(1_500_000) + b"-- its end\n"
PASSPHRASE = "correct horse battery staple"


def run(*argv: str, stdin: bytes = b"", home: Path | None = None) -> bytes:
    env = {**os.environ, **({"GNUPGHOME": str(home)} if home else {})}
    return subprocess.run(argv, input=stdin, check=True, capture_output=True, timeout=60, env=env).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Keys for age and gpg: ours, which everything is encrypted for, and others'."""
    place = tmp_path_factory.mktemp("k")
    made = {name: place / name for name in ("ours.age", "others.age", "ours.gpg", "others.gpg", "ring")}
    for name in ("ours.age", "others.age"):
        run("age-keygen", "-o", str(made[name]))
    made["ring"].mkdir(mode=0o700)
    for name in ("ours", "others"):
        address = f"{name}@example.org"
        ring = ("--homedir", str(made["ring"]), "--batch", "--passphrase", "", "--pinentry-mode", "loopback")
        run("gpg", *ring, "--quick-gen-key", address, "default", "default", "never")
        made[f"{name}.gpg"].write_bytes(run("gpg", *ring, "--export-secret-keys", address))
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made["ring"]), "--kill", "gpg-agent"], check=True, timeout=10)


def age(plain: bytes, keys: dict[str, Path]) -> bytes:
    recipient = run("age-keygen", "-y", str(keys["ours.age"])).decode().strip()
    return run("age", "-r", recipient, stdin=plain)


def gpg(plain: bytes, keys: dict[str, Path], *options: str) -> bytes:
    ring = ("--homedir", str(keys["ring"]), "--batch", "--trust-model", "always")
    return run("gpg", *ring, *options, "-r", "ours@example.org", "--encrypt", stdin=plain)


def gpg_symmetric(plain: bytes, keys: dict[str, Path]) -> bytes:
    ring = ("--homedir", str(keys["ring"]), "--batch", "--pinentry-mode", "loopback")
    return run("gpg", *ring, "--passphrase", PASSPHRASE, "--symmetric", stdin=plain)


def openssl(plain: bytes, keys: dict[str, Path]) -> bytes:
    return run("openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-pass", f"pass:{PASSPHRASE}", stdin=plain)


def zstd(plain: bytes, _keys: object = None) -> bytes:
    return run("zstd", "-c", stdin=plain)


def in_pieces(data: bytes, size: int = 65536) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def taken(data: bytes, keys: Keys = Keys(), workdir: Path | None = None, size: int = 65536) -> tuple[bytes, list[str]]:  # noqa: B008
    stream = open_stream(in_pieces(data, size), keys, workdir=str(workdir) if workdir else None)
    try:
        return b"".join(stream.chunks), stream.stages
    finally:
        stream.close()


def all_keys(keys: dict[str, Path]) -> Keys:
    return Keys(age_identity=str(keys["ours.age"]), gpg_key=str(keys["ours.gpg"]), passphrase=PASSPHRASE)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5
    while (left := threads()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, "stages end with their stream"
    children = Path(f"/proc/{os.getpid()}/task/{threading.main_thread().native_id}/children").read_text().split()
    assert not [
        pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() in ("zstd", "age", "gpg", "cat")
    ]
    assert not list(tmp_path.glob("gpg-*")), "a key ring goes with its stream"


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "_work" in thread.name or "_feed" in thread.name]


Wrap = Callable[[bytes, dict[str, Path]], bytes]


@pytest.mark.parametrize(
    ("wrap", "stages"),
    [
        (lambda plain, keys: plain, []),
        (lambda plain, keys: gzip.compress(plain), ["gzip"]),
        (lambda plain, keys: bz2.compress(plain), ["bzip2"]),
        (lambda plain, keys: lzma.compress(plain, preset=0), ["xz"]),
        (zstd, ["zstd"]),
        (age, ["age"]),
        (gpg, ["gpg"]),
        (lambda plain, keys: gpg(plain, keys, "--armor"), ["gpg"]),
        (gpg_symmetric, ["gpg"]),
        (openssl, ["openssl"]),
        (lambda plain, keys: age(gzip.compress(plain), keys), ["age", "gzip"]),
        (lambda plain, keys: openssl(zstd(plain), keys), ["openssl", "zstd"]),
        (lambda plain, keys: gzip.compress(gpg(plain, keys)), ["gzip", "gpg"]),
    ],
    ids=[
        "plain", "gzip", "bzip2", "xz", "zstd", "age", "gpg", "gpg-armored", "gpg-passphrase", "openssl",
        "age-gzip", "openssl-zstd", "gzip-gpg",
    ],
)  # fmt: skip
def test_every_layer_is_taken_off_by_what_it_is(
    wrap: Wrap, stages: list[str], keys: dict[str, Path], tmp_path: Path
) -> None:
    assert taken(wrap(PLAIN, keys), all_keys(keys), tmp_path) == (PLAIN, stages)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_it_does_not_matter_how_the_bytes_arrive(size: int) -> None:
    small = PLAIN[:20_000]
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        several = pack(small) + pack(b"") + pack(small) + b"\0" * 1024
        assert taken(several, size=size)[0] == small + small


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, zstd], ids=["gzip", "bzip2", "xz", "zstd"]
)
@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_an_archive_that_is_cut_off_is_broken(pack: Callable[[bytes], bytes], keep: float) -> None:
    data = pack(PLAIN)
    with pytest.raises(Broken) as caught:
        taken(data[: int(len(data) * keep)])
    assert caught.value.stage == sniff(data)


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda plain: run("zstd", "-c", "--check", stdin=plain)]
)
def test_a_flipped_bit_is_broken(pack: Callable[[bytes], bytes]) -> None:
    data = bytearray(pack(PLAIN))
    data[len(data) // 2] ^= 4
    with pytest.raises(Broken) as caught:
        taken(bytes(data))
    assert caught.value.stage == sniff(bytes(data[:10]))


@pytest.mark.parametrize("wrap", [age, gpg, openssl], ids=["age", "gpg", "openssl"])
def test_encryption_that_is_cut_off_is_broken(wrap: Wrap, keys: dict[str, Path], tmp_path: Path) -> None:
    data = wrap(PLAIN, keys)
    with pytest.raises(Broken) as caught:
        taken(data[: len(data) // 2 + 5], all_keys(keys), tmp_path)
    assert caught.value.stage == sniff(data)


def test_rubbish_after_the_end_is_broken() -> None:
    with pytest.raises(Broken, match="gzip: something else follows the end"):
        taken(gzip.compress(PLAIN) + b"rubbish")
    with pytest.raises(Broken, match="gzip: something else follows the end"):
        taken(gzip.compress(PLAIN) + b"x")


@pytest.mark.parametrize("data", [b"", gzip.compress(b""), zstd(b"")], ids=["empty", "empty-gzip", "empty-zstd"])
def test_nothing_is_broken(data: bytes) -> None:
    with pytest.raises(Broken, match="there is not one byte in it"):
        taken(data)


@pytest.mark.parametrize(
    ("wrap", "wrong", "says"),
    [
        (age, lambda keys: Keys(age_identity=str(keys["others.age"])), "no identity matched"),
        (gpg, lambda keys: Keys(gpg_key=str(keys["others.gpg"])), "No secret key"),
        (gpg_symmetric, lambda keys: Keys(passphrase="wr0ng"), "Bad session key"),
        (openssl, lambda keys: Keys(passphrase="wr0ng"), "bad decrypt"),
    ],
    ids=["age", "gpg", "gpg-passphrase", "openssl"],
)
def test_a_wrong_key_is_broken_and_not_told(
    wrap: Wrap, wrong: Callable[[dict[str, Path]], Keys], says: str, keys: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(Broken, match=says) as caught:
        taken(wrap(PLAIN, keys), wrong(keys), tmp_path)
    assert "wr0ng" not in str(caught.value) + repr(wrong(keys))


@pytest.mark.parametrize("wrap", [age, gpg, gpg_symmetric, openssl], ids=["age", "gpg", "gpg-passphrase", "openssl"])
def test_no_key_is_our_own_fault(wrap: Wrap, keys: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="was given"):
        taken(wrap(PLAIN, keys), Keys(), tmp_path)


def test_a_key_file_that_is_not_there_is_no_wrong_key(keys: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="the age identity, /nowhere: No such file"):
        taken(age(PLAIN, keys), Keys(age_identity="/nowhere"))
    with pytest.raises(Unmeasurable, match="the gpg key, /nowhere: No such file"):
        taken(gpg(PLAIN, keys), Keys(gpg_key="/nowhere"), tmp_path)


def test_a_tool_that_is_not_installed_is_our_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zstd(PLAIN)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unmeasurable, match="zstd is not installed on the host"):
        taken(data)


def test_a_passphrase_never_stands_in_an_argument_list(keys: dict[str, Path]) -> None:
    looked = threading.Event()

    def source() -> Iterator[bytes]:  # openssl runs until it has been looked at
        data = openssl(PLAIN, keys)
        yield data[:65536]
        looked.wait(30)
        yield data[65536:]

    stream = open_stream(source(), Keys(passphrase=PASSPHRASE))
    try:
        arguments = [contents(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
        assert any(b"openssl" in line for line in arguments)
        assert not [line for line in arguments if b"battery" in line]
    finally:
        looked.set()
        stream.close()


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # a process that has ended
        return b""


def test_what_goes_wrong_first_is_named_although_later_stages_stumble_over_it() -> None:
    data = gzip.compress(zstd(PLAIN))
    with pytest.raises(Broken) as caught:
        taken(data[: len(data) // 2])
    assert caught.value.stage == "gzip"


def test_a_trap_of_many_layers_is_broken() -> None:
    data = PLAIN[:1000]
    for _ in range(9):
        data = gzip.compress(data)
    with pytest.raises(Broken, match="more than 8 layers"):
        taken(data)


def test_the_checksum_is_that_of_the_file_and_progress_can_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "dump.gz"
    path.write_bytes(gzip.compress(PLAIN))
    stream = open_stream(from_file(str(path)), Keys(), total=path.stat().st_size)
    assert sum(map(len, stream.chunks)) == len(PLAIN)
    assert stream.raw.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert stream.raw.bytes == stream.raw.total
    stream.close()


def test_a_source_that_cannot_be_read_is_our_own_fault() -> None:
    with pytest.raises(Unmeasurable, match="/nowhere: No such file"):
        open_stream(from_file("/nowhere"), Keys())


def test_a_source_that_breaks_off_is_what_is_told() -> None:
    def breaking() -> Iterator[bytes]:
        yield zstd(PLAIN)[:100_000]
        raise Unmeasurable("the connection was lost")

    with pytest.raises(Unmeasurable, match="the connection was lost"):
        b"".join(open_stream(breaking(), Keys()).chunks)


def test_peeking_takes_nothing_away() -> None:
    head, chunks = peek(iter([b"ab", b"cd", b"ef"]), 3)
    assert head == b"abc"
    assert b"".join(chunks) == b"abcdef"


def test_a_stage_that_hangs_is_given_up() -> None:
    process = Process("sleep", ["sleep", "60"], iter(()), deadline=time.monotonic() + 0.1)
    with pytest.raises(TooSlow, match="sleep was not through in time"):
        list(process)
    close(process)


def test_a_stage_that_stops_reading_is_broken_although_it_says_all_is_well() -> None:
    process = Process("head", ["head", "-c", "10"], in_pieces(PLAIN))
    with pytest.raises(Broken, match="head: stopped before the end of its input"):
        list(process)
    close(process)


def test_memory_stays_flat() -> None:
    """A gigabyte of zeros comes out of a megabyte."""
    packed = gzip.compress(bytes(64 * 1024**2), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stream = open_stream(itertools.chain.from_iterable(in_pieces(packed) for _ in range(16)), Keys())
    assert sum(map(len, stream.chunks)) == 1024**3
    stream.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_what_one_tool_hands_to_the_next_arrives_whole_after_its_beginning_was_looked_at() -> None:
    """It goes from pipe to pipe, past us."""
    packed = run("zstd", "-qc", stdin=PLAIN)
    stream = open_stream(in_pieces(packed), Keys())
    head, chunks = peek(stream.chunks, 4096)
    assert head == PLAIN[:4096]
    process = Process("cat", ["cat"], chunks)
    try:
        assert b"".join(process) == PLAIN
    finally:
        close(process)
    assert stream.raw.sha256 == hashlib.sha256(packed).hexdigest()


def test_a_tool_that_breaks_off_on_its_way_to_the_next_is_named() -> None:
    packed = run("zstd", "-qc", stdin=PLAIN)
    stream = open_stream(in_pieces(packed[: len(packed) // 2]), Keys())
    process = Process("cat", ["cat"], stream.chunks)
    try:
        with pytest.raises(Broken, match="zstd"):
            b"".join(process)
    finally:
        close(process)
