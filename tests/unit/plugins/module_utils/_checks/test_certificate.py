# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificate: every case with its verdict, in one table, on certificates of a CA of the tests and real TLS servers.

A row says what is presented, what the operator asks for, and what is not fine; without a verdict every check has to be
ok or skipped. The places are ``served`` (a server on loopback), ``stored`` (a file), ``secret`` and ``kubeconfig``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import certificate as kind
from ansible_collections.sre.runbooks.tests.unit import authority as ca
from ansible_collections.sre.runbooks.tests.unit import dialogues
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

HOST = "127.0.0.1"
Place = Callable[[Path, contextlib.ExitStack], dict[str, Any]]
"""Makes a place that holds or presents a certificate, and returns the options that address it."""


# What is presented


def served(
    *chain: ca.Issued,
    host: str = HOST,
    name: str | None = "www.test",
    before: ca.Dialogue | None = None,
    starttls: str | None = None,
    vhosts: dict[str, ca.Issued] | None = None,
    demand: ssl.TLSVersion | None = None,
) -> Place:
    """A server; ``vhosts`` are presented by SNI, ``demand`` asks the client for a certificate in that version of TLS."""

    def place(directory: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
        settings = ca.context(directory, chain)
        others = {vhost: ca.context(directory, [one]) for vhost, one in (vhosts or {}).items()}

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, asked: str | None, _settings: ssl.SSLContext) -> None:
            connection.context = others.get(asked or "", settings)

        settings.sni_callback = choose
        if demand:
            settings.maximum_version, settings.verify_mode = demand, ssl.CERT_REQUIRED
        port = stack.enter_context(ca.listening(ca.tls(settings, before), host))
        return {"host": host, "port": port, "server_name": name, "starttls": starttls}

    return place


def stapled(chain: list[ca.Issued], response: bytes) -> Place:
    """A server that staples an OCSP response: openssl's, since Python's cannot."""

    def place(directory: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
        (directory / "response.der").write_bytes(response)
        argv = ["openssl", "s_server", "-accept", f"{HOST}:0", "-status_file", str(directory / "response.der")]
        argv += ["-cert", str(ca.chain_file(directory / "own.pem", chain[0], key=chain[0]))]
        argv += ["-cert_chain", str(ca.chain_file(directory / "above.pem", *chain[1:]))]
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        stack.enter_context(server)
        stack.callback(server.kill)
        assert server.stdout
        line = next(line for line in server.stdout if line.startswith(b"ACCEPT"))
        return {"host": HOST, "port": int(line.rsplit(b":", 1)[1]), "server_name": "www.test"}

    return place


def answered(dialogue: ca.Dialogue, starttls: str | None = None) -> Place:
    """Something that answers, and is no TLS server."""
    return lambda _directory, stack: {
        "host": HOST,
        "port": stack.enter_context(ca.listening(dialogue)),
        "starttls": starttls,
    }


def listen_only(connection: socket.socket) -> None:
    while connection.recv(512):
        pass


def stored(*content: ca.Issued | str | bytes, **options: Any) -> Place:
    """A file with this content; certificates as PEM."""

    def place(directory: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
        parts = [one.pem if isinstance(one, ca.Issued) else one for one in content]
        (directory / "certificate").write_bytes(
            b"".join(part.encode() if isinstance(part, str) else part for part in parts)
        )
        return {"path": str(directory / "certificate"), **options}

    return place


def secret(crt: str | None, key: str | None) -> dict[str, Any]:
    data = {"tls.crt": crt, "tls.key": key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"namespace": "shop", "name": "web-tls", "labels": {}},
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items() if value is not None},
    }


def kubeconfig(user: dict[str, Any], authority: ca.Issued | None = None) -> Place:
    cluster = {"server": "https://127.0.0.1:6443"}
    if authority:
        cluster["certificate-authority-data"] = base64.b64encode(authority.pem.encode()).decode()
    document = {"users": [{"name": "admin", "user": user}], "clusters": [{"name": "prod", "cluster": cluster}]}
    return given(kubeconfig_data=json.dumps(document))


def client_certificate(one: ca.Issued, key: ca.Issued | None = None) -> dict[str, Any]:
    return {
        "client-certificate-data": base64.b64encode(one.pem.encode()).decode(),
        "client-key-data": base64.b64encode((key or one).key_pem().encode()).decode(),
    }


def given(**options: Any) -> Place:
    return lambda _directory, _stack: options


def at(name: str, content: str | bytes) -> Callable[[Path], str]:
    """An option whose value is the path of a file with this content."""

    def write(directory: Path) -> str:
        (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return str(directory / name)

    return write


# Who issued what


ROOT = ca.authority()
OTHER_ROOT = ca.authority("Other Root")
ISSUING = ca.authority("Test Issuing CA", by=ROOT)
UPPER = ca.authority("Test Upper CA", by=ROOT)
LOWER = ca.authority("Test Lower CA", by=UPPER)
LEAF = ISSUING.issue("www.test", "test")
CHAIN = (LEAF, ISSUING)
RENEWED = ISSUING.issue("www.test", left=89, key=LEAF.key)
SELF_SIGNED = ca.issue("www.test")
REVOKED = ISSUING.issue("www.test")
MUST_STAPLE = ISSUING.issue("www.test", must_staple=True)
CLIENT = ROOT.issue("admin", usage=ExtendedKeyUsageOID.CLIENT_AUTH, lifetime=365, left=200)
RSA_CA = ca.authority("RSA CA", by=ROOT, key=ca.new_key(2048))


def again(**options: Any) -> ca.Issued:
    """The issuing CA once more, with the same name and key."""
    return ca.authority("Test Issuing CA", **{"by": ROOT, "key": ISSUING.key, **options})


def lives(lifetime: float, left: float) -> Place:
    return served(ISSUING.issue("www.test", lifetime=lifetime, left=left), ISSUING)


def for_names(*names: str, asked: str | None = "www.test", host: str = HOST, **options: Any) -> Place:
    return served(ISSUING.issue(*names, **options), ISSUING, name=asked, host=host)


def under(root: ca.Issued, *between: ca.Issued, **options: Any) -> tuple[ca.Issued, ...]:
    return ((between or (root,))[0].issue("www.test", **options), *between)


def tampered() -> ca.Issued:
    """A certificate with one bit of its signature changed."""
    der = LEAF.der[:-1] + bytes([LEAF.der[-1] ^ 1])
    return ca.Issued(x509.load_der_x509_certificate(der), LEAF.key)


def weakly_signed(digest: str) -> tuple[ca.Issued, ca.Issued]:
    """Signed with a digest that the library refuses to sign with. The openssl command still does."""
    holder = ca.Issued(LEAF.certificate, ca.new_key())
    with tempfile.TemporaryDirectory() as directory:
        signer = str(ca.chain_file(Path(directory) / "ca.pem", RSA_CA, key=RSA_CA))
        own = Path(directory) / "key.pem"
        own.write_text(holder.key_pem())
        argv = ["openssl", "req", "-x509", "-new", "-CA", signer, "-CAkey", signer, "-key", str(own), f"-{digest}"]
        argv += ["-days", "60", "-subj", "/CN=weak", "-addext", "subjectAltName=DNS:www.test"]
        made = subprocess.run(argv, check=True, capture_output=True).stdout
    return ca.Issued(x509.load_pem_x509_certificate(made), holder.key), RSA_CA


def packed(passphrase: str) -> bytes:
    above = [ISSUING.certificate]
    return pkcs12.serialize_key_and_certificates(
        b"web", LEAF.key, LEAF.certificate, above, BestAvailableEncryption(passphrase.encode())
    )


TRUSTED = {"ca_data": ROOT.pem}
UNREACHABLE = {"expiry": "unknown"}
NOT_READ = UNREACHABLE


# The table: what is presented · what is asked for besides · what is not fine

CASES: dict[str, tuple[Place, dict[str, Any], dict[str, str]]] = {
    # How long it lasts, by the limits that fit its lifetime
    "90 days, freshly renewed": (lives(90, 89), {}, {}),
    "90 days, due for renewal": (lives(90, 29), {}, {}),
    "90 days, renewal not yet overdue": (lives(90, 22.6), {}, {}),
    "90 days, renewal overdue": (lives(90, 22), {}, {"renewal": "warning"}),
    "90 days, two weeks left": (lives(90, 14.9), {}, {"renewal": "warning", "expiry": "warning"}),
    "90 days, a week left": (lives(90, 6.9), {}, {"renewal": "warning", "expiry": "critical"}),
    "47 days, half over": (lives(47, 23), {}, {}),
    "47 days, below 30 days and healthy": (lives(47, 29), {}, {}),
    "47 days, due for renewal": (lives(47, 15), {}, {}),
    "47 days, renewal overdue": (lives(47, 11), {}, {"renewal": "warning"}),
    "47 days, a week left": (lives(47, 7), {}, {"renewal": "warning", "expiry": "warning"}),
    "47 days, three days left": (lives(47, 3), {}, {"renewal": "warning", "expiry": "critical"}),
    "6 days, due for renewal": (lives(6.67, 3), {}, {}),
    "6 days, renewal overdue": (lives(6.67, 1.6), {}, {"renewal": "warning"}),
    "6 days, a day left": (lives(6.67, 1), {}, {"renewal": "warning", "expiry": "warning"}),
    "6 days, half a day left": (lives(6.67, 0.5), {}, {"renewal": "warning", "expiry": "critical"}),
    "398 days, 22 left": (lives(398, 22), {}, {}),
    "398 days, 20 left": (lives(398, 20), {}, {"expiry": "warning"}),
    "398 days, 6 left": (lives(398, 6), {}, {"expiry": "critical"}),
    "ten years, 22 left": (lives(3650, 22), {}, {}),
    "expired an hour ago": (lives(90, -0.04), {}, {"renewal": "warning", "expiry": "critical"}),
    "expired a year ago": (lives(398, -365), {}, {"expiry": "critical"}),
    "expired, with every limit switched off": (
        lives(398, -1),
        {"expiry": {"warning": "never", "critical": "never"}},
        {"expiry": "critical"},
    ),
    "the operator's 30 days hold for a long life": (lives(398, 29), {"expiry": {"warning": 30}}, {"expiry": "warning"}),
    "the operator's 30 days hold for a short life": (lives(47, 29), {"expiry": {"warning": 30}}, {"expiry": "warning"}),
    "the operator's 5 days make the automatic week give way": (
        lives(398, 6),
        {"expiry": {"warning": 5}},
        {},
    ),
    "the operator's renewal holds for a long life": (
        lives(398, 100),
        {"renewal": {"warning": 30}},
        {"renewal": "warning"},
    ),
    "valid only from tomorrow": (lives(90, 91), {}, {"valid_from": "critical"}),
    # The rest of the chain, and until when it verifies
    "intermediate expires before its leaf": (
        served(LEAF, again(left=15)),
        {},
        {"chain_expiry": "warning", "verified_expiry": "warning"},
    ),
    "intermediate about to expire": (
        served(LEAF, again(left=5)),
        {},
        {"chain_expiry": "warning", "verified_expiry": "critical"},
    ),
    "intermediate expired": (
        served(LEAF, again(left=-5)),
        {},
        {"chain_expiry": "warning", "verified_expiry": "critical"},
    ),
    "intermediate valid only from tomorrow": (
        served(LEAF, again(lifetime=3650, left=3651)),
        {},
        {"valid_from": "critical"},
    ),
    "expired intermediate beside its successor": (
        served(LEAF, ISSUING, again(left=-5)),
        {},
        {"chain_expiry": "warning"},
    ),
    "expired cross-signed root that nobody needs": (
        served(LEAF, ISSUING, ca.authority("Test Root", by=OTHER_ROOT, key=ROOT.key, left=-30)),
        {},
        {"chain_expiry": "warning"},
    ),
    "the same, with the nag switched off": (
        served(LEAF, ISSUING, ca.authority("Test Root", by=OTHER_ROOT, key=ROOT.key, left=-30)),
        {"chain_expiry": {"warning": "never"}},
        {},
    ),
    "root expires before its leaf": (
        served(*under(ca.authority("Short Root", key=ROOT.key, left=15))),
        {"ca_data": ca.authority("Short Root", key=ROOT.key, left=15).pem},
        {"verified_expiry": "warning"},
    ),
    "root expired": (
        served(*under(ca.authority("Dead Root", key=ROOT.key))),
        {"ca_data": ca.authority("Dead Root", key=ROOT.key, left=-1).pem},
        {"verified_expiry": "critical"},
    ),
    "members never valid together": (
        served(LEAF, again(left=-200)),
        {},
        {"chain_expiry": "warning", "verified_expiry": "critical"},
    ),
    "file with an expiring intermediate, trust not asked": (
        stored(LEAF, again(left=5)),
        {"ca_data": None},
        {"chain_expiry": "critical"},
    ),
    # Completeness and order
    "intermediate missing": (served(LEAF), {}, {"trust": "critical", "chain": "critical"}),
    "upper of two intermediates missing": (
        served(*under(ROOT, LOWER)),
        {},
        {"trust": "critical", "chain": "unknown"},
    ),
    "two intermediates": (served(*under(ROOT, LOWER, UPPER)), {}, {}),
    "two intermediates and the root": (served(*under(ROOT, LOWER), UPPER, ROOT), {}, {}),
    "chain in the wrong order": (served(LOWER.issue("www.test"), UPPER, LOWER), {}, {"chain": "warning"}),
    "root before the intermediate": (served(LEAF, ROOT, ISSUING), {}, {"chain": "warning"}),
    "root sent along": (served(*CHAIN, ROOT), {}, {}),
    "intermediate sent twice": (served(*CHAIN, ISSUING), {}, {"chain": "warning"}),
    "leaf sent twice": (served(LEAF, LEAF, ISSUING), {}, {"chain": "warning"}),
    "a stranger sent along": (served(*CHAIN, UPPER), {}, {"chain": "warning"}),
    # Trust
    "self-signed": (served(SELF_SIGNED), {}, {"trust": "critical"}),
    "self-signed, and trusted as it is": (served(SELF_SIGNED), {"ca_data": SELF_SIGNED.pem}, {}),
    "self-signed, and trust not asked for": (served(SELF_SIGNED), {"trust": False}, {}),
    "private CA that this host does not know": (
        served(*CHAIN),
        {"ca_data": None},
        {"trust": "critical", "chain": "unknown"},
    ),
    "root that is not trusted sent along": (served(*CHAIN, ROOT), {"ca_data": OTHER_ROOT.pem}, {"trust": "critical"}),
    "pinned to the intermediate": (served(*CHAIN), {"ca_data": ISSUING.pem}, {}),
    "issued by a certificate that is no CA": (served(LEAF.issue("www.test"), LEAF, ISSUING), {}, {"trust": "critical"}),
    "good for clients only": (
        served(ISSUING.issue("www.test", usage=ExtendedKeyUsageOID.CLIENT_AUTH), ISSUING),
        {},
        {"trust": "critical"},
    ),
    "outside of the names its CA may issue for": (
        served(*under(ROOT, ca.authority("Limited CA", by=ROOT, permitted="elsewhere.test"))),
        {},
        {"trust": "critical"},
    ),
    "signature broken": (served(tampered(), ISSUING), {}, {"trust": "critical"}),
    "issuer of the same name with another key": (
        served(LEAF, ca.authority("Test Issuing CA", by=ROOT)),
        {},
        {"trust": "critical", "chain": "critical"},
    ),
    "CA file that is not there": (served(*CHAIN), {"ca_data": None, "ca_path": "/nowhere.pem"}, {"trust": "unknown"}),
    "CA that is none": (served(*CHAIN), {"ca_data": "none"}, {"trust": "unknown"}),
    # Names
    "another name": (for_names("other.test"), {}, {"hostname": "critical"}),
    "wildcard for one label": (for_names("*.test"), {}, {}),
    "wildcard for two labels": (for_names("*.test", asked="a.b.test"), {}, {"hostname": "critical"}),
    "wildcard for the bare domain": (for_names("*.www.test"), {}, {"hostname": "critical"}),
    "wildcard within a label": (for_names("w*.test"), {}, {"hostname": "critical"}),
    "upper case and a trailing dot": (for_names("WWW.Test", asked="wWw.test."), {}, {}),
    "international name": (for_names("xn--mnchen-3ya.test", asked="münchen.test"), {}, {}),
    "international name under a wildcard": (for_names("*.xn--mnchen-3ya.test", asked="www.münchen.test"), {}, {}),
    "another international name": (for_names("xn--kln-sna.test", asked="münchen.test"), {}, {"hostname": "critical"}),
    "only a common name": (for_names(subject="www.test"), {}, {"hostname": "critical"}),
    "address without SNI": (for_names(HOST, asked=None), {}, {}),
    "address written as a name": (for_names("localhost", asked=None), {}, {"hostname": "critical"}),
    "IPv6 address": (for_names("::1", asked=None, host="::1"), {}, {}),
    "another IPv6 address": (for_names("::2", asked=None, host="::1"), {}, {"hostname": "critical"}),
    "further names covered": (served(*CHAIN), {"names": ["test"]}, {}),
    "further names not covered": (served(*CHAIN), {"names": ["test", "shop.test"]}, {"hostname": "critical"}),
    "one of several by SNI": (
        served(SELF_SIGNED, vhosts={"www.test": ISSUING.issue("www.test")}),
        {"ca_data": ISSUING.pem},
        {},
    ),
    "the default one without SNI": (
        served(ISSUING.issue("default.test"), vhosts={"www.test": LEAF}, name=None),
        {"ca_data": ISSUING.pem},
        {"hostname": "critical"},
    ),
    # Keys and signatures
    "RSA 1024": (for_names("www.test", key=ca.new_key(1024)), {}, {"strength": "critical"}),
    "RSA 2048": (for_names("www.test", key=ca.new_key(2048)), {}, {}),
    "RSA 2048 where 128 bit are asked for": (
        for_names("www.test", key=ca.new_key(2048)),
        {"strength": {"warning": 128}},
        {"strength": "warning"},
    ),
    "Ed25519": (for_names("www.test", key=ed25519.Ed25519PrivateKey.generate()), {}, {}),
    "signed with SHA-1": (served(*weakly_signed("sha1")), {}, {"strength": "critical"}),
    "signed with MD5": (served(*weakly_signed("md5")), {}, {"strength": "critical"}),
    # STARTTLS, by scripted dialogues
    **{
        f"STARTTLS {protocol}": (served(*CHAIN, before=dialogue, starttls=protocol), {}, {})
        for protocol, dialogue in dialogues.STARTTLS.items()
    },
    "STARTTLS, expired": (
        served(*under(ROOT, ISSUING, left=-1), before=dialogues.STARTTLS["smtp"], starttls="smtp"),
        {},
        {"expiry": "critical", "renewal": "warning"},
    ),
    "STARTTLS not offered": (answered(dialogues.SMTP_WITHOUT_TLS, "smtp"), {}, UNREACHABLE),
    # No certificate to see: reachability is not what this kind promises
    "nobody listens": (given(host=HOST, port=1), {}, UNREACHABLE),
    "name unknown": (given(host="nowhere.invalid"), {}, UNREACHABLE),
    "plain HTTP": (answered(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")), {}, UNREACHABLE),
    "hangs up": (answered(lambda connection: None), {}, UNREACHABLE),
    "says nothing": (answered(listen_only), {"timeout": 1}, UNREACHABLE),
    "client certificate demanded, TLS 1.2": (served(*CHAIN, demand=ssl.TLSVersion.TLSv1_2), {}, {}),
    "client certificate demanded, TLS 1.3": (served(*CHAIN, demand=ssl.TLSVersion.TLSv1_3), {}, {}),
    # Stapled OCSP
    "staple good": (stapled([*CHAIN], ISSUING.ocsp(LEAF)), {}, {}),
    "staple says revoked": (stapled([*CHAIN], ISSUING.ocsp(LEAF, revoked=True)), {}, {"revocation": "critical"}),
    "staple expired": (stapled([*CHAIN], ISSUING.ocsp(LEAF, days=-1, age=3)), {}, {"staple": "critical"}),
    "staple from the future": (stapled([*CHAIN], ISSUING.ocsp(LEAF, age=-1)), {}, {"staple": "critical"}),
    "staple about another": (stapled([*CHAIN], ISSUING.ocsp(RENEWED)), {}, {"staple": "critical"}),
    "staple soon over": (
        stapled([*CHAIN], ISSUING.ocsp(LEAF, days=0.5)),
        {"staple": {"warning": 24}},
        {"staple": "warning"},
    ),
    "staple that is an error": (stapled([*CHAIN], b"\x30\x03\x0a\x01\x03"), {}, {"staple": "unknown"}),
    "staple demanded and absent": (served(MUST_STAPLE, ISSUING), {}, {"staple": "critical"}),
    "staple demanded and there": (stapled([MUST_STAPLE, ISSUING], ISSUING.ocsp(MUST_STAPLE)), {}, {}),
    # Revocation lists
    "list fresh": (served(*CHAIN), {"crl_path": at("crl", ISSUING.crl(REVOKED))}, {}),
    "list overdue": (served(*CHAIN), {"crl_path": at("crl", ISSUING.crl(days=-1, age=8))}, {"crl": "critical"}),
    "list due tomorrow": (
        served(*CHAIN),
        {"crl_path": at("crl", ISSUING.crl(days=0.9)), "crl": {"warning": 1}},
        {"crl": "warning"},
    ),
    "leaf on the list": (
        served(REVOKED, ISSUING),
        {"crl_path": at("crl", ISSUING.crl(REVOKED))},
        {"revocation": "critical"},
    ),
    "intermediate on the root's list": (
        served(*CHAIN),
        {"crl_path": at("crl", ROOT.crl(ISSUING))},
        {"revocation": "critical"},
    ),
    "lists of both CAs in one file": (
        served(*CHAIN),
        {"crl_path": at("crl", ISSUING.crl() + ROOT.crl(days=-1, age=8))},
        {"crl": "critical"},
    ),
    "list of a stranger": (served(*CHAIN), {"crl_path": at("crl", OTHER_ROOT.crl())}, {"revocation": "unknown"}),
    "list with a forged signature": (
        served(*CHAIN),
        {"crl_path": at("crl", ca.authority("Test Issuing CA", by=ROOT).crl())},
        {"revocation": "unknown"},
    ),
    "list that is none": (
        served(*CHAIN),
        {"crl_path": at("crl", "none")},
        {"revocation": "unknown", "crl": "unknown"},
    ),
    "list that is not there": (
        served(*CHAIN),
        {"crl_path": "/nowhere.crl"},
        {"revocation": "unknown", "crl": "unknown"},
    ),
    # Files
    "PEM, chain": (stored(*CHAIN), {}, {}),
    "PEM, chain and key": (stored(*CHAIN, LEAF.key_pem()), {}, {}),
    "PEM, key first": (stored(LEAF.key_pem(), *CHAIN), {}, {}),
    "PEM with Windows line ends and text": (stored("subject=web\r\n", LEAF.pem.replace("\n", "\r\n"), ISSUING), {}, {}),
    "PEM, leaf alone, trust not asked for": (stored(LEAF), {"ca_data": None}, {}),
    "PEM, leaf alone": (stored(LEAF), {}, {"trust": "critical", "chain": "critical"}),
    "PEM, intermediate first": (stored(ISSUING, LEAF), {"ca_data": None}, {"chain": "warning"}),
    "PEM, for a name": (stored(*CHAIN), {"names": ["www.test"]}, {}),
    "PEM, not for a name": (stored(*CHAIN), {"names": ["shop.test"]}, {"hostname": "critical"}),
    "PEM, expired": (stored(*under(ROOT, ISSUING, left=-1)), {}, {"expiry": "critical", "renewal": "warning"}),
    "PEM, bundle of CAs, one about to expire": (
        stored(ROOT, ca.authority("Old Root", left=6), OTHER_ROOT),
        {"ca_data": None},
        {"expiry": "critical"},
    ),
    "PEM, bundle of CAs": (stored(ROOT, OTHER_ROOT), {"ca_data": None}, {}),
    "PEM, key of another": (stored(*CHAIN, SELF_SIGNED.key_pem()), {}, {"key": "critical"}),
    "PEM, key encrypted": (stored(*CHAIN, LEAF.key_pem("s3same")), {}, {"key": "unknown"}),
    "PEM, key encrypted, passphrase given": (stored(*CHAIN, LEAF.key_pem("s3same"), passphrase="s3same"), {}, {}),
    "PEM, key encrypted, wrong passphrase": (
        stored(*CHAIN, LEAF.key_pem("s3same"), passphrase="n0t-this"),
        {},
        {"key": "unknown"},
    ),
    "PEM, key in a file beside": (stored(*CHAIN), {"key_path": at("key", LEAF.key_pem())}, {}),
    "PEM, wrong key in a file beside": (
        stored(*CHAIN),
        {"key_path": at("key", SELF_SIGNED.key_pem())},
        {"key": "critical"},
    ),
    "PEM, key file missing": (stored(*CHAIN), {"key_path": "/nowhere.key"}, {"key": "unknown"}),
    "PEM, key file without a key": (stored(*CHAIN), {"key_path": at("key", LEAF.pem)}, {"key": "unknown"}),
    "DER": (stored(LEAF.der), {"ca_data": ISSUING.pem}, {}),
    "PKCS#12": (stored(packed("s3same"), passphrase="s3same"), {}, {}),
    "PKCS#12, wrong passphrase": (stored(packed("s3same"), passphrase="n0t-this"), {}, NOT_READ),
    "PKCS#12, no passphrase": (stored(packed("s3same")), {}, NOT_READ),
    "file missing": (given(path="/nowhere.pem"), {}, NOT_READ),
    "file empty": (stored(""), {}, NOT_READ),
    "file with a key only": (stored(LEAF.key_pem()), {}, NOT_READ),
    "file cut off": (stored(LEAF.pem[:400]), {}, NOT_READ),
    "file with a certificate cut short": (
        stored("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        {},
        NOT_READ,
    ),
    "file of garbage": (stored(b"\x30\x82\x01\x00garbage"), {}, NOT_READ),
    "Java keystore": (stored(b"\xfe\xed\xfe\xed\0\0\0\2"), {}, NOT_READ),
    "directory": (given(path="/tmp"), {}, NOT_READ),
    "pattern without a file": (given(path="/nowhere/*.pem"), {}, NOT_READ),
    # Kubernetes
    "secret": (given(secrets=[secret(LEAF.pem + ISSUING.pem, LEAF.key_pem())]), {}, {}),
    "secret, for the hosts of its ingress": (
        given(secrets=[secret(LEAF.pem + ISSUING.pem, LEAF.key_pem())]),
        {"names": ["www.test", "shop.test"]},
        {"hostname": "critical"},
    ),
    "secret, key of another": (
        given(secrets=[secret(LEAF.pem + ISSUING.pem, SELF_SIGNED.key_pem())]),
        {},
        {"key": "critical"},
    ),
    "secret without its key": (given(secrets=[secret(LEAF.pem + ISSUING.pem, None)]), {}, {"key": "unknown"}),
    "secret without its certificate": (given(secrets=[secret(None, LEAF.key_pem())]), {}, NOT_READ),
    "secret with an empty certificate": (given(secrets=[secret("", LEAF.key_pem())]), {}, NOT_READ),
    "secret that is not base64": (given(secrets=[{"data": {"tls.crt": "-----"}}]), {}, NOT_READ),
    "no secret found": (given(secrets=[]), {}, NOT_READ),
    "kubeconfig": (kubeconfig(client_certificate(CLIENT)), {}, {}),
    "kubeconfig, client certificate about to expire": (
        kubeconfig(client_certificate(ROOT.issue("a", usage=ExtendedKeyUsageOID.CLIENT_AUTH, lifetime=365, left=5))),
        {},
        {"expiry": "critical"},
    ),
    "kubeconfig, server's certificate for a client": (
        kubeconfig(client_certificate(ROOT.issue("a"))),
        {},
        {"trust": "critical"},
    ),
    "kubeconfig, key of another": (kubeconfig(client_certificate(CLIENT, LEAF)), {}, {"key": "critical"}),
    "kubeconfig, its CA about to expire": (
        kubeconfig({"token": "t"}, ca.authority("Cluster CA", left=5)),
        {"ca_data": None},
        {"expiry": "critical"},
    ),
    "kubeconfig without a certificate": (kubeconfig({"token": "t"}), {}, NOT_READ),
    "kubeconfig that is none": (given(kubeconfig_data="- a\n- list"), {}, NOT_READ),
    # The same certificate everywhere
    "served is what lies in the file": (served(*CHAIN), {"same_as": [{"path": at("file", LEAF.pem)}]}, {}),
    "renewed, and the server not reloaded": (
        served(*CHAIN),
        {"same_as": [{"path": at("file", RENEWED.pem)}]},
        {"same": "warning"},
    ),
    "served is not what lies in the secret": (
        served(*CHAIN),
        {"same_as": [{"secrets": [secret(RENEWED.pem, RENEWED.key_pem())]}]},
        {"same": "warning"},
    ),
    "the file to compare with is missing": (served(*CHAIN), {"same_as": [{"path": "/nowhere"}]}, {"same": "unknown"}),
    "the host to compare with is down": (stored(*CHAIN), {"same_as": [{"host": HOST, "port": 1}]}, {"same": "unknown"}),
    "a difference outweighs what is not seen": (
        stored(*CHAIN),
        {"same_as": [{"path": "/nowhere"}, {"path": at("file", RENEWED.pem)}]},
        {"same": "warning"},
    ),
}


def write_files(value: Any, directory: Path) -> Any:
    """Options with the paths of files that are written only now."""
    if callable(value):
        return value(directory)
    if isinstance(value, dict):
        return {key: write_files(one, directory) for key, one in value.items()}
    return [write_files(one, directory) for one in value] if isinstance(value, list) else value


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[Callable[..., list[Check]]]:
    with contextlib.ExitStack() as stack:

        def measure(place: Place, **options: Any) -> list[Check]:
            target = {**options, **place(tmp_path, stack)}
            written = {option: value for option, value in target.items() if value is not None}
            return checks_of(kind, targets=[write_files(written, tmp_path)])

        yield measure


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str, measured: Callable[..., list[Check]]) -> None:
    place, options, verdict = CASES[case]
    found = measured(place, **{**TRUSTED, **options})
    assert {check.id for check in found} == set(kind.CHECKS)
    not_fine = {check.id: check.status for check in found if check.status not in ("ok", "skipped")}
    assert not_fine == {f"certificate.{check}": status for check, status in verdict.items()}, [
        f"{check.id} {check.status}: {check.summary}" for check in found
    ]


@pytest.mark.parametrize(
    ("lifetime", "warning", "critical"),
    [(3650, "21", "7"), (398, "21", "7"), (200, "21", "7"), (90, "15", "7"), (47, "7.833", "3.917"), (6, "1", "0.5")],
)
def test_the_automatic_limits_fit_the_lifetime(lifetime: float, warning: str, critical: str) -> None:
    limits = kind.expiry_limits({"warning": "auto", "critical": "auto"}, lifetime)
    assert (limits.warning, limits.critical) == (warning, critical)


@pytest.mark.parametrize("lifetime", [398, 90, 47, 6.67])
def test_a_certificate_that_is_renewed_on_time_never_alarms(lifetime: float) -> None:
    """Machines renew with a third of the lifetime left, or half of it for very short lives; people a month before."""
    left = 30.0 if lifetime > 100 else lifetime / 3 if lifetime > 10 else lifetime / 2
    assert kind.expiry_limits({"warning": "auto", "critical": "auto"}, lifetime).status(left) == "ok"
    assert kind.renewal_limits({"warning": "auto", "critical": None}, lifetime).status(100 * left / lifetime) == "ok"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ({"host": "www.example.org"}, "www.example.org:443"),
        ({"host": "mx.example.org", "starttls": "smtp"}, "mx.example.org:25"),
        ({"host": "192.0.2.7", "server_name": "shop.example.org"}, "shop.example.org@192.0.2.7:443"),
        ({"host": "2001:db8::7", "port": 8443}, "[2001:db8::7]:8443"),
        ({"host": "[2001:db8::7]"}, "[2001:db8::7]:443"),
        ({"path": "/etc/ssl/web.pem"}, "/etc/ssl/web.pem"),
        ({"secrets": [{"metadata": {"namespace": "shop", "name": "web"}}]}, "secret shop/web"),
    ],
)
def test_a_target_is_called_by_where_it_is(target: dict[str, Any], name: str) -> None:
    assert kind.name({**dict.fromkeys(kind.TARGET), **target}) == name


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"targets": [{}]}, "one of the following is required: host, path"),
        ({"targets": [{"host": "www.test", "path": "/x"}]}, "mutually exclusive"),
        ({"targets": [{"host": ""}]}, "the target names nothing"),
        ({"targets": [{"path": ""}]}, "the target names nothing"),
        ({"targets": [{"discover": False}]}, "the target names nothing"),
        ({"targets": [{"host": "https://www.test/"}]}, "is no host name or address"),
        ({"targets": [{"host": "-connect"}]}, "is no host name or address"),
        ({"targets": [{"host": "www.test", "port": 70000}]}, "70000 is no port"),
        ({"targets": [{"path": "/x", "starttls": "smtp"}]}, "no host is given"),
        ({"targets": [{"host": "www.test", "starttls": "gopher"}]}, "value of starttls must be one of"),
        ({"targets": [{"host": "www.test", "same_as": [{}]}]}, "same_as[0].host: names nothing"),
        ({"targets": [{"host": "www.test"}], "ca_path": "/x", "ca_data": "y"}, "give one of ca_path and ca_data"),
        ({"targets": [{"host": "www.test"}], "expiry": {"warning": 7, "critical": 30}}, "expiry.warning 7 is beyond"),
        ({"targets": [{"host": "www.test"}], "expiry": {"warning": "soon"}}, "expiry.warning: 'soon' is neither"),
        ({"targets": [{"host": "www.test"}], "strength": {"critical": 2048}}, "outside of what can occur"),
        ({"targets": [{"host": "www.test"}, {"host": "www.test"}]}, "two targets are called www.test:443"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadOption) as caught:
        checks_of(kind, **options)
    assert complaint in str(caught.value)


def test_without_targets_the_files_of_services_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = ca.chain_file(tmp_path / "fullchain.pem", *CHAIN)
    key = tmp_path / "privkey.pem"
    key.write_text(LEAF.key_pem())
    monkeypatch.setattr(kind.probe, "discovered", lambda: [(str(chain), str(key)), ("/nowhere.pem", None)])
    found = {(check.target, check.id): check.status for check in checks_of(kind)}
    assert found[str(chain), "certificate.expiry"] == found[str(chain), "certificate.key"] == "ok"
    assert found[str(chain), "certificate.trust"] == "skipped"
    assert found["/nowhere.pem", "certificate.expiry"] == "unknown"


def test_a_host_without_certificate_files_is_skipped_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind.probe, "discovered", list)
    found = checks_of(kind)
    assert set(statuses(found).values()) == {"skipped"}
    assert found[0].summary == "no certificate file of a service was found on this host"


def test_each_file_behind_a_pattern_and_each_secret_is_a_target(tmp_path: Path) -> None:
    for name in ("a.pem", "b.pem"):
        ca.chain_file(tmp_path / name, *CHAIN)
    secrets = [secret(LEAF.pem, LEAF.key_pem()), {"metadata": {"namespace": "a", "name": "b"}, "data": {}}]
    found = checks_of(kind, targets=[{"path": f"{tmp_path}/*.pem"}, {"secrets": secrets}])
    names = [f"{tmp_path}/a.pem", f"{tmp_path}/b.pem", "secret shop/web-tls", "secret a/b"]
    assert list(dict.fromkeys(check.target for check in found)) == names


def test_each_certificate_of_a_kubeconfig_is_a_target(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text(CLIENT.pem)
    (tmp_path / "client.key").write_text(CLIENT.key_pem())
    config = tmp_path / "config"
    config.write_text(
        "clusters:\n- name: prod\n  cluster: {certificate-authority-data: "
        + base64.b64encode(ROOT.pem.encode()).decode()
        + "}\nusers:\n- name: admin\n  user: {client-certificate: client.pem, client-key: client.key}\n"
    )
    found = {(check.target, check.id): check.status for check in checks_of(kind, targets=[{"kubeconfig": str(config)}])}
    assert found[f"{config} user admin", "certificate.key"] == "ok"
    assert found[f"{config} cluster prod", "certificate.expiry"] == "ok"


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("staple good", "ok"),
        ("staple says revoked", "critical"),
        ("staple expired", "skipped"),
        ("staple from the future", "skipped"),
        ("staple about another", "skipped"),
    ],
)
def test_only_a_response_that_holds_speaks_for_a_certificate(
    case: str, status: str, measured: Callable[..., list[Check]]
) -> None:
    assert statuses(measured(CASES[case][0], **TRUSTED))["certificate.revocation"] == status


def test_one_dead_host_is_one_line(measured: Callable[..., list[Check]]) -> None:
    found = measured(given(host=HOST, port=1))
    assert [check.status for check in found if check.status != "skipped"] == ["unknown"]
    assert found[0].summary == f"{HOST}:1: Connection refused"
    assert all(check.detail["blocked_by"] == "certificate.expiry" for check in found[1:])


def test_the_sentences_tell_what_happened(measured: Callable[..., list[Check]]) -> None:
    place, options, _ = CASES["renewed, and the server not reloaded"]
    found = {check.id: check for check in measured(place, **{**TRUSTED, **options})}
    expiry, same = found["certificate.expiry"], found["certificate.same"]
    assert expiry.summary == "expires in 60.0 days, of a lifetime of 90 days"
    assert (expiry.unit, expiry.warning, expiry.critical) == ("d", "15", "7")
    assert expiry.detail["protocol"] == "TLSv1.3"
    assert same.summary.endswith("/file that expires 29.0 days later")
    assert found["certificate.chain"].summary == "2 certificates, complete and in order"


def test_no_secret_is_reported() -> None:
    found = checks_of(
        kind,
        targets=[
            {"secrets": [secret(LEAF.pem + ISSUING.pem, LEAF.key_pem())]},
            {"kubeconfig_data": json.dumps({"users": [{"name": "a", "user": client_certificate(CLIENT)}]})},
            {"kubeconfig_data": f"{{not yaml\n{LEAF.key_pem()}", "name": "broken"},
        ],
    )
    told = str(found)
    assert "PRIVATE KEY" not in told
    for one in (LEAF, CLIENT):
        assert one.key_pem().splitlines()[1] not in told


def test_a_host_without_the_library_says_what_to_install(
    measured: Callable[..., list[Check]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    found = measured(stored(*CHAIN))
    assert found[0].status == "unknown"
    assert "python3-cryptography" in found[0].summary
