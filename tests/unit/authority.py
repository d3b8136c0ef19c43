# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certification authority for tests, and TLS servers on loopback that present what it issues."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
Key = Any
Dialogue = Callable[[socket.socket], None]


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


@dataclasses.dataclass(frozen=True)
class Issued:
    """A certificate with its key; one that is an authority issues further ones."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def key_pem(self, passphrase: str | None = None) -> str:
        protection: Any = serialization.NoEncryption()
        if passphrase:
            protection = serialization.BestAvailableEncryption(passphrase.encode())
        encoding, layout = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return str(self.key.private_bytes(encoding, layout, protection).decode())

    def issue(self, *names: str, **options: Any) -> Issued:
        return issue(*names, by=self, **options)

    def crl(self, *revoked: Issued, days: float = 7, age: float = 1) -> bytes:
        """A revocation list that was made ``age`` days ago and ends in ``days``, as PEM."""
        start = now() - age * DAY
        builder = x509.CertificateRevocationListBuilder(self.certificate.subject, start, now() + days * DAY)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, start).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def ocsp(self, about: Issued, *, revoked: bool = False, days: float = 3, age: float = 1) -> bytes:
        """An OCSP response about one certificate, as DER."""
        start = now() - age * DAY
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=about.certificate,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=start,
            next_update=now() + days * DAY,
            revocation_time=start if revoked else None,
            revocation_reason=None,
        )
        response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
        return response.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def new_key(bits: int | None = None) -> Key:
    """An EC key, which is quick to make, or an RSA key of so many bits."""
    if bits:
        return rsa.generate_private_key(65537, bits)
    return ec.generate_private_key(ec.SECP256R1())


def issue(
    *names: str,
    by: Issued | None = None,
    subject: str | None = None,
    lifetime: float = 90,
    left: float = 60,
    ca: bool = False,
    key: Key = None,
    usage: Any = ExtendedKeyUsageOID.SERVER_AUTH,
    digest: Any = None,
    must_staple: bool = False,
    permitted: str | None = None,
) -> Issued:
    """Make a certificate for names and addresses, with ``left`` days left of ``lifetime``; without ``by`` self-signed."""
    key = key or new_key()
    until = now() + left * DAY
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or (names[0] if names else "nameless"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(by.certificate.subject if by else own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - lifetime * DAY)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if ca:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if by:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if must_staple:
        builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
    if permitted:
        constraint = x509.NameConstraints([x509.DNSName(permitted)], None)
        builder = builder.add_extension(constraint, critical=True)
    return Issued(builder.sign(by.key if by else key, digest or hashes.SHA256()), key)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def authority(name: str = "Test Root", **options: Any) -> Issued:
    """A root, or an intermediate when ``by`` says whose."""
    return issue(subject=name, ca=True, **{"lifetime": 7300, "left": 3650, **options})


def chain_file(path: Path, *chain: Issued, key: Issued | None = None) -> Path:
    """Write certificates in this order, and a key when one is given."""
    path.write_text("".join(one.pem for one in chain) + (key.key_pem() if key else ""))
    return path


def context(directory: Path, chain: Sequence[Issued], key: Key | None = None) -> ssl.SSLContext:
    """A server's settings that accept whatever is in the chain, weak or not."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    path = chain_file(directory / f"{id(made)}.pem", *chain, key=chain[0])
    made.load_cert_chain(path)
    return made


@contextlib.contextmanager
def listening(answer: Dialogue, host: str = "127.0.0.1") -> Iterator[int]:
    """Answer each connection in a thread of its own; yields the port."""
    server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)

    def converse(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                connection, _ = server.accept()
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


def tls(settings: ssl.SSLContext, before: Dialogue | None = None) -> Dialogue:
    """Shake hands, after the plain conversation that STARTTLS needs; then answer HTTP, until the client has gone."""

    def answer(connection: socket.socket) -> None:
        if before:
            before(connection)
        with settings.wrap_socket(connection, server_side=True) as wrapped:
            while heard := wrapped.recv(16384):
                if heard.endswith(b"\r\n\r\n"):
                    wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    break
            wrapped.unwrap()

    return answer
