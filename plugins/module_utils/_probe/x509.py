# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about X.509 certificates, keys and revocation lists, read from bytes: PEM, DER or PKCS#12.

Needs the library ``cryptography``, 38 (Debian 12) or newer; it is imported where it is used, and missing it is a reason.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import ipaddress
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")

# Strengths in bits as NIST SP 800-57 part 1 compares them; MD5 and SHA-1 by the best known collision attacks.
_HASH_BITS = {"md2": 0, "md4": 0, "md5": 18, "sha1": 61, "sha224": 112, "sha256": 128, "sha384": 192, "sha512": 256}
_FACTORING_BITS = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80), (0, 0))


@dataclasses.dataclass(frozen=True)
class Certificate:
    """One certificate. Times are aware and in UTC; ``names`` are lower case; ``key`` is the public key as DER.

    ``key_bits`` and ``signature_bits`` are security strengths, None where the algorithm is not known to us;
    ``key_words`` and ``signature_words`` say what they stand for ("RSA 2048", "SHA-256").
    """

    der: bytes
    subject: str
    issuer: str
    serial: int
    not_before: datetime.datetime
    not_after: datetime.datetime
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    authority: bool
    must_staple: bool
    fingerprint: str
    key: bytes
    key_bits: int | None
    key_words: str
    signature_bits: int | None
    signature_words: str

    @property
    def pem(self) -> str:
        body = base64.encodebytes(self.der).decode()
        return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"

    @property
    def self_issued(self) -> bool:
        """Whether issuer and subject are the same, as in every root."""
        return self.issuer == self.subject

    @property
    def lifetime(self) -> float:
        """From first to last day, in days."""
        return (self.not_after - self.not_before).total_seconds() / 86400

    def days_left(self, now: datetime.datetime) -> float:
        return (self.not_after - now).total_seconds() / 86400

    def covers(self, name: str) -> bool:
        """Whether a client that asked for this host name or address accepts the certificate (RFC 9525).

        A wildcard stands for one whole label. The common name does not count: no current client looks at it.
        """
        address = as_address(name)
        if address:
            return address in self.addresses
        wanted = ascii_name(name)
        _, dot, parent = wanted.partition(".")
        return wanted in self.names or bool(dot and f"*.{parent}" in self.names)

    def summary(self) -> dict[str, t.Any]:
        """What a report shows of it."""
        return {
            "subject": self.subject[:300],
            "issuer": self.issuer[:300],
            "serial": f"{self.serial:X}",
            "from": self.not_before.isoformat(),
            "until": self.not_after.isoformat(),
            "sha256": self.fingerprint,
        }


@dataclasses.dataclass(frozen=True)
class Content:
    """What a file held: certificates in their order, and public halves of the private keys, as DER.

    ``key_problem`` says why a private key that is there could not be read; ``ordered`` whether the order says anything
    (PKCS#12 has none).
    """

    certificates: tuple[Certificate, ...]
    keys: tuple[bytes, ...] = ()
    key_problem: str | None = None
    ordered: bool = True


@dataclasses.dataclass(frozen=True)
class Crl:
    """A certificate revocation list. ``next_update`` is None where the list does not promise another one."""

    issuer: str
    next_update: datetime.datetime | None
    entries: int
    _crl: t.Any

    def revokes(self, certificate: Certificate) -> bool:
        return (
            certificate.issuer == self.issuer
            and self._crl.get_revoked_certificate_by_serial_number(certificate.serial) is not None
        )

    def signed_by(self, certificate: Certificate) -> bool:
        """Whether the holder of this certificate signed the list. Only then is it to be believed."""
        key = _cryptography().load_der_x509_certificate(certificate.der).public_key()
        try:
            return bool(self._crl.is_signature_valid(key))
        except Exception:  # noqa: BLE001 - a key of another type is a TypeError, one nobody knows UnsupportedAlgorithm
            return False


def _cryptography() -> t.Any:
    try:
        from cryptography import x509
    except ImportError:
        raise Unmeasurable(
            "the Python library cryptography is not installed on the host: python3-cryptography, 38 or newer"
        ) from None
    return x509


def as_address(name: str) -> str | None:
    """An IP address in its canonical form, None for anything else."""
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return None


def ascii_name(name: str) -> str:
    """A host name as certificates write it: lower case, no trailing dot, labels outside ASCII as xn--."""
    name = name.rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def certificate(der: bytes) -> Certificate:
    """Read one certificate. Raises :class:`Unmeasurable` for bytes that are none."""
    x509 = _cryptography()
    try:
        found = x509.load_der_x509_certificate(der)
        names, addresses = _alternative_names(x509, found)
        key, key_bits, key_words = _key(found)
        signature_bits, signature_words = _signature(found)
        return Certificate(
            der=der,
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.rfc4514_string(),
            serial=found.serial_number,
            not_before=_utc(found, "not_valid_before"),
            not_after=_utc(found, "not_valid_after"),
            names=names,
            addresses=addresses,
            authority=bool(_extension(found, x509.BasicConstraints, "ca")),
            must_staple=x509.TLSFeatureType.status_request in (_extension(found, x509.TLSFeature) or ()),
            fingerprint=_sha256(der),
            key=key,
            key_bits=key_bits,
            key_words=key_words,
            signature_bits=signature_bits,
            signature_words=signature_words,
        )
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as exc:
        raise Unmeasurable(f"a certificate that cannot be read: {exc}") from exc


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _utc(found: t.Any, attribute: str) -> datetime.datetime:
    """A time of a certificate or list; ``cryptography`` 42 renamed these attributes."""
    if hasattr(found, f"{attribute}_utc"):
        return t.cast("datetime.datetime", getattr(found, f"{attribute}_utc"))
    return t.cast("datetime.datetime", getattr(found, attribute).replace(tzinfo=datetime.timezone.utc))


def _extension(found: t.Any, kind: t.Any, attribute: str | None = None) -> t.Any:
    x509 = _cryptography()
    try:
        value = found.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    return getattr(value, attribute) if attribute else value


def _alternative_names(x509: t.Any, found: t.Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    alternatives = _extension(found, x509.SubjectAlternativeName)
    if alternatives is None:
        return (), ()
    return (
        tuple(name.lower() for name in alternatives.get_values_for_type(x509.DNSName)),
        tuple(str(address) for address in alternatives.get_values_for_type(x509.IPAddress)),
    )


def _key(found: t.Any) -> tuple[bytes, int | None, str]:
    """The public key as DER, its strength in bits, and its name."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    try:
        key = found.public_key()
    except UnsupportedAlgorithm as exc:
        return b"", None, str(exc)
    der = public_bytes(key)
    if isinstance(key, (rsa.RSAPublicKey, dsa.DSAPublicKey)):
        bits = next(bits for size, bits in _FACTORING_BITS if key.key_size >= size)
        return der, bits, f"{'RSA' if isinstance(key, rsa.RSAPublicKey) else 'DSA'} {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return der, key.curve.key_size // 2, f"EC {key.curve.name}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return der, 128, "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return der, 224, "Ed448"
    return der, None, type(key).__name__.lstrip("_")


def _signature(found: t.Any) -> tuple[int | None, str]:
    """Strength in bits and name of the hash that the issuer signed."""
    from cryptography.exceptions import UnsupportedAlgorithm

    name = str(getattr(found.signature_algorithm_oid, "_name", "") or found.signature_algorithm_oid.dotted_string)
    try:
        algorithm = found.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None, name
    if algorithm is None:  # Ed25519 and Ed448 bring their own
        return {"ed25519": 128, "ed448": 224}.get(name.lower()), name
    return _HASH_BITS.get(algorithm.name), name


def public_bytes(key: t.Any) -> bytes:
    """A public key as DER, which compares."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return t.cast("bytes", key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def read(data: bytes, passphrase: str | None = None) -> Content:
    """Read certificates and keys out of PEM, DER or PKCS#12. Raises :class:`Unmeasurable` when there is no certificate."""
    _cryptography()
    if not data.strip():
        raise Unmeasurable("it is empty")
    blocks = [(match.group(1), match.group(2)) for match in _PEM.finditer(data)]
    if blocks:
        return _from_pem(blocks, data, passphrase)
    if data.startswith((b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")):
        raise Unmeasurable("it is a Java keystore, which is not read: export it with keytool as PKCS#12")
    if not data.startswith(b"\x30"):
        raise Unmeasurable("it is neither PEM nor DER nor PKCS#12")
    try:
        return Content((certificate(data),))
    except Unmeasurable as not_a_certificate:
        return _from_pkcs12(data, passphrase, not_a_certificate)


def _from_pem(blocks: list[tuple[bytes, bytes]], data: bytes, passphrase: str | None) -> Content:
    certificates = tuple(_from_base64(body) for label, body in blocks if label in _CERTIFICATE_LABELS)
    if not certificates:
        labels = ", ".join(sorted({label.decode() for label, _ in blocks}))
        raise Unmeasurable(f"it holds no certificate, only: {labels}")
    if any(label.endswith(b"PRIVATE KEY") for label, _ in blocks):
        try:
            return Content(certificates, private_keys(data, passphrase))
        except Unmeasurable as exc:
            return Content(certificates, key_problem=str(exc))
    return Content(certificates)


def _from_base64(body: bytes) -> Certificate:
    try:
        return certificate(base64.b64decode(b"".join(body.split()), validate=True))
    except binascii.Error as exc:
        raise Unmeasurable(f"a certificate that cannot be read: {exc}") from exc


def _from_pkcs12(data: bytes, passphrase: str | None, otherwise: Unmeasurable) -> Content:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    if not re.match(rb"\x30.{1,5}\x02\x01\x03", data, re.DOTALL):  # SEQUENCE { INTEGER 3: the version of every PFX
        raise otherwise
    try:
        key, own, others = pkcs12.load_key_and_certificates(data, passphrase.encode() if passphrase else None)
    except ValueError:
        raise Unmeasurable(
            f"it is PKCS#12 that does not open {'with the passphrase given' if passphrase else 'without a passphrase'}"
        ) from None
    certificates = tuple(certificate(one.public_bytes(Encoding.DER)) for one in ([own] if own else []) + list(others))
    if not certificates:
        raise Unmeasurable("it is PKCS#12 without a certificate")
    return Content(certificates, (public_bytes(key.public_key()),) if key else (), ordered=False)


def private_keys(data: bytes, passphrase: str | None = None) -> tuple[bytes, ...]:
    """The public halves of all private keys in PEM or DER. Raises :class:`Unmeasurable` when there is none to read."""
    _cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    secret = passphrase.encode() if passphrase else None
    blocks = [match.group(0) for match in _PEM.finditer(data) if match.group(1).endswith(b"PRIVATE KEY")]
    if not blocks and not data.startswith(b"\x30"):
        raise Unmeasurable("it holds no private key")
    found = []
    for block in blocks or [data]:
        load = serialization.load_pem_private_key if blocks else serialization.load_der_private_key
        try:
            protected = b"ENCRYPTED" in block
            found.append(public_bytes(load(block, secret if protected or not blocks else None).public_key()))
        except TypeError:
            needed = "is encrypted and no passphrase is given" if not secret else "is not encrypted"
            raise Unmeasurable(f"the private key {needed}") from None
        except (ValueError, UnsupportedAlgorithm) as exc:
            wrong = " (wrong passphrase?)" if protected and secret else ""
            raise Unmeasurable(f"the private key cannot be read{wrong}: {str(exc)[:200]}") from None
    return tuple(found)


def crls(data: bytes) -> tuple[Crl, ...]:
    """Read revocation lists: PEM, one after the other, or one in DER. Raises :class:`Unmeasurable`."""
    x509 = _cryptography()
    blocks = [match.group(0) for match in _PEM.finditer(data) if match.group(1) == b"X509 CRL"]
    load = x509.load_pem_x509_crl if blocks else x509.load_der_x509_crl
    try:
        return tuple(_crl(load(block)) for block in blocks or [data])
    except ValueError as exc:
        raise Unmeasurable(f"it is no revocation list: {str(exc)[:200]}") from None


def _crl(found: t.Any) -> Crl:
    promised = found.next_update_utc if hasattr(found, "next_update_utc") else found.next_update
    return Crl(
        issuer=found.issuer.rfc4514_string(),
        next_update=_utc(found, "next_update") if promised else None,
        entries=len(found),
        _crl=found,
    )
