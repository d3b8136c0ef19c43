# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tls: what a server presents, seen on real servers on loopback, and what verifies."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import tls, x509
from ansible_collections.sre.runbooks.tests.unit import authority as ca

ROOT = ca.authority()
INTERMEDIATE = ca.authority("Test Intermediate", by=ROOT)
LEAF = INTERMEDIATE.issue("www.test", "127.0.0.1")


def read(*chain: ca.Issued) -> list[x509.Certificate]:
    return [x509.certificate(one.der) for one in chain]


def hang_up(connection: socket.socket) -> None:
    connection.recv(1)


def http(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def say_nothing(connection: socket.socket) -> None:
    connection.settimeout(None)
    while connection.recv(1024):
        pass


def test_the_whole_chain_is_seen_in_the_order_in_which_it_is_sent(tmp_path: Path) -> None:
    settings = ca.context(tmp_path, [LEAF, ROOT, INTERMEDIATE])
    with ca.listening(ca.tls(settings)) as port:
        seen = tls.served("127.0.0.1", port, timeout=10)
    assert list(seen.chain) == read(LEAF, ROOT, INTERMEDIATE)
    assert (seen.protocol, seen.staple) == ("TLSv1.3", None)
    assert seen.cipher


@pytest.mark.parametrize("server_name", ["www.test", None])
def test_the_server_name_is_sent_only_when_there_is_one(tmp_path: Path, server_name: str | None) -> None:
    asked: list[str | None] = []
    settings = ca.context(tmp_path, [LEAF])
    settings.sni_callback = lambda _socket, name, _settings: asked.append(name)
    with ca.listening(ca.tls(settings)) as port:
        tls.served("localhost", port, server_name=server_name, timeout=10)
    assert asked == [server_name]


@pytest.mark.parametrize(
    ("dialogue", "starttls", "reason"),
    [
        (hang_up, None, "the server hung up during the TLS handshake"),
        (http, None, "what answers there does not speak TLS"),
        (say_nothing, None, "openssl gave no answer within 1 s"),
        (say_nothing, "smtp", "openssl gave no answer within 1 s"),
    ],
)
def test_what_is_no_tls_server_is_named(dialogue: ca.Dialogue, starttls: str | None, reason: str) -> None:
    with ca.listening(dialogue) as port, pytest.raises(Unmeasurable) as caught:
        tls.served("127.0.0.1", port, starttls=starttls, timeout=1)
    assert str(caught.value) == f"127.0.0.1:{port}: {reason}"


def test_a_closed_port_and_an_unknown_name_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unmeasurable, match="Connection refused"):
        tls.served("127.0.0.1", port, timeout=10)
    with pytest.raises(Unmeasurable, match="the name does not resolve"):
        tls.served("nowhere.invalid", 443, timeout=10)


def test_a_host_without_openssl_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unmeasurable, match="openssl is not installed"):
        tls.served("127.0.0.1", 443, timeout=10)


def test_a_chain_verifies_by_the_ca_given_and_by_no_other(tmp_path: Path) -> None:
    chain = read(LEAF, INTERMEDIATE)
    assert tls.verify(chain, ca_data=ROOT.pem) == tls.Verdict(True)
    assert tls.verify(chain, ca_path=str(ca.chain_file(tmp_path / "ca.pem", ROOT))) == tls.Verdict(True)
    assert tls.verify(chain, ca_data=ca.authority("Other Root").pem).no_issuer
    assert tls.verify(chain).no_issuer
    assert tls.verify(chain[:1], ca_data=ROOT.pem) == tls.Verdict(
        False, "unable to get local issuer certificate", 0, no_issuer=True
    )


def test_cas_that_cannot_be_read_are_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="does not exist"):
        tls.verify(read(LEAF), ca_path=str(tmp_path / "none.pem"))
    with pytest.raises(Unmeasurable, match="openssl verify: "):
        tls.verify(read(LEAF), ca_data="no certificate at all")


def test_the_chain_ends_when_its_first_needed_member_does() -> None:
    soon = ca.authority("Test Intermediate", by=ROOT, left=10, key=INTERMEDIATE.key)
    root_ends = ca.authority("Short Root", left=20)
    below = root_ends.issue("www.test")
    trust = {"ca_data": ROOT.pem}
    assert tls.verified_until(read(LEAF, INTERMEDIATE), ca.now(), **trust) == LEAF.certificate.not_valid_after_utc
    assert tls.verified_until(read(LEAF, soon), ca.now(), **trust) == soon.certificate.not_valid_after_utc
    assert tls.verified_until(read(LEAF, soon, INTERMEDIATE), ca.now(), **trust) == LEAF.certificate.not_valid_after_utc
    ends = tls.verified_until(read(below), ca.now(), ca_data=root_ends.pem)
    assert ends is not None
    assert 0 <= (root_ends.certificate.not_valid_after_utc - ends).total_seconds() < 3600
    assert tls.verified_until(read(LEAF), ca.now(), **trust) is None
