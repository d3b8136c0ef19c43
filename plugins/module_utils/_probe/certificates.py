# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Certificates wherever they lie: served, in files, in Kubernetes secrets and kubeconfigs; and where files usually lie."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import glob
import json
import os
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import tls, x509

MOST_BYTES = 10 * 1024**2
"""No file of certificates is larger; a revocation list may be."""

SERVICES: tuple[tuple[str, str, str], ...] = (
    ("/etc/nginx/nginx.conf", r"ssl_certificate\s+", r"ssl_certificate_key\s+"),
    ("/etc/nginx/conf.d/*.conf", r"ssl_certificate\s+", r"ssl_certificate_key\s+"),
    ("/etc/nginx/sites-enabled/*", r"ssl_certificate\s+", r"ssl_certificate_key\s+"),
    ("/etc/apache2/sites-enabled/*", r"SSLCertificateFile\s+", r"SSLCertificateKeyFile\s+"),
    ("/etc/httpd/conf.d/*.conf", r"SSLCertificateFile\s+", r"SSLCertificateKeyFile\s+"),
    ("/etc/haproxy/haproxy.cfg", r"bind\s.*\scrt\s+", r"(?!)"),
    ("/etc/postfix/main.cf", r"smtpd_tls_cert_file\s*=\s*", r"smtpd_tls_key_file\s*=\s*"),
    ("/etc/dovecot/conf.d/10-ssl.conf", r"ssl_cert\s*=\s*<", r"ssl_key\s*=\s*<"),
    ("/etc/postgresql/*/*/postgresql.conf", r"ssl_cert_file\s*=\s*", r"ssl_key_file\s*=\s*"),
    ("/etc/mysql/m*.conf.d/*.cnf", r"ssl[-_]cert\s*=\s*", r"ssl[-_]key\s*=\s*"),
    ("/etc/my.cnf.d/*.cnf", r"ssl[-_]cert\s*=\s*", r"ssl[-_]key\s*=\s*"),
)
"""Configuration files, and what stands in them before the path of a certificate and of its key."""

LETSENCRYPT = "/etc/letsencrypt/live"
LOOSE = ("/etc/ssl/*.pem", "/etc/ssl/*.crt")
A_BUNDLE = 20
"""A file with more certificates than this holds the CAs that a host trusts, not what a service presents."""

_OFF = re.compile(r"^[ \t]*ssl\s*=\s*'?(?:off|no|false|0)\b", re.MULTILINE)
"""How PostgreSQL and Dovecot say that the certificate that they name is not in use."""
_PATH = r"[\"']?(?P<path>[^\s\"';,]+)"


@dataclasses.dataclass(frozen=True)
class Material:
    """What was found at one place. ``leaf`` is what it is about, ``found`` all certificates in their order.

    ``keys`` are public halves as DER, ``key_problem`` says why a private key cannot be read; ``ordered`` whether the
    order says anything; ``session`` names protocol and cipher, ``staple`` is the OCSP response of a server that sent one.
    """

    leaf: x509.Certificate
    found: tuple[x509.Certificate, ...]
    keys: tuple[bytes, ...] = ()
    key_problem: str | None = None
    ordered: bool = True
    session: dict[str, str] = dataclasses.field(default_factory=dict)
    staple: tls.Staple | None = None

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The leaf first, then everything else."""
        return (self.leaf, *(one for one in self.found if one != self.leaf))

    @property
    def bundle(self) -> bool:
        """Whether these are only CAs that do not issue one another, as in a file of CAs that a service trusts."""
        issued = any(one.issuer == other.subject for one in self.found for other in self.found if one != other)
        return len(self.found) > 1 and all(one.authority for one in self.found) and not issued


@dataclasses.dataclass(frozen=True)
class Entry:
    """One certificate of a kubeconfig: ``label`` is "user NAME" or "cluster NAME"."""

    label: str
    certificate: bytes
    key: bytes | None = None


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def read(path: str) -> bytes:
    """A whole file. Raises :class:`Unmeasurable`."""
    try:
        if os.path.isdir(path):
            os.listdir(path)  # a directory that may not be read says so
            raise Unmeasurable(f"{path} is a directory: name the file, or write a pattern")
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror}") from exc
    if len(data) > MOST_BYTES:
        raise Unmeasurable(f"{path} is larger than {MOST_BYTES // 1024**2} MiB")
    return data


def server(address: t.Mapping[str, t.Any], timeout: float) -> Material:
    """What a server presents at ``host``, ``port``, ``starttls`` and ``server_name``."""
    host = address["host"].strip("[]")
    name = address["server_name"] or (None if x509.as_address(host) else host)
    seen = tls.served(host, port_of(address), server_name=name, starttls=address["starttls"], timeout=timeout)
    session = {"protocol": seen.protocol, "cipher": seen.cipher}
    return Material(seen.chain[0], seen.chain, session=session, staple=seen.staple)


def port_of(address: t.Mapping[str, t.Any]) -> int:
    return int(address["port"] or tls.STARTTLS.get(address["starttls"] or "", 443))


def file(path: str, passphrase: str | None = None) -> Material:
    try:
        return _material(x509.read(read(path), passphrase))
    except Unmeasurable as exc:
        raise Unmeasurable(str(exc) if str(exc).startswith(path) else f"{path}: {exc}") from None


def _material(content: x509.Content) -> Material:
    """Say which certificate of a file it is about: the key's, else the first that is no CA, else the first to expire."""
    found = content.certificates
    by_key = [one for one in found if one.key in content.keys]
    ends = [one for one in found if not one.authority]
    leaf = next(iter(by_key + ends), None) or min(found, key=lambda one: one.not_after)
    return Material(leaf, found, content.keys, content.key_problem, content.ordered)


def secret(given: t.Mapping[str, t.Any]) -> Material:
    """A Kubernetes TLS secret as the API gives it."""
    data = given.get("data") or {}
    if not data.get("tls.crt"):
        raise Unmeasurable("the secret has no tls.crt")
    material = _material(x509.read(_decoded(data["tls.crt"], "tls.crt")))
    return with_key(material, _decoded(data["tls.key"], "tls.key") if data.get("tls.key") else None, "tls.key")


def secret_name(given: t.Mapping[str, t.Any]) -> str:
    metadata = given.get("metadata") or {}
    return f"{metadata.get('namespace', 'default')}/{metadata.get('name', 'nameless')}"


def with_key(material: Material, key: bytes | None, origin: str, passphrase: str | None = None) -> Material:
    """The material with a private key from elsewhere; one that is missing or cannot be read is a problem of the key."""
    if key is None:
        return dataclasses.replace(material, keys=(), key_problem=f"{origin} is missing")
    try:
        return dataclasses.replace(material, keys=x509.private_keys(key, passphrase), key_problem=None)
    except Unmeasurable as exc:
        return dataclasses.replace(material, keys=(), key_problem=f"{origin}: {exc}")


def with_key_file(material: Material, path: str, passphrase: str | None) -> Material:
    try:
        return with_key(material, read(path), path, passphrase)
    except Unmeasurable as exc:
        return dataclasses.replace(material, keys=(), key_problem=str(exc))


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unmeasurable(f"{what} is not base64") from None


def kubeconfig(path: str | None, text: str | None) -> list[Entry]:
    """The certificates in a kubeconfig, as data or in files beside it. Raises :class:`Unmeasurable` when it has none."""
    document = _yaml(read(path).decode("utf-8", "replace") if path else text or "")
    base = os.path.dirname(path or "")
    entries = [
        *_entries(document, "users", "user", "client-certificate", "client-key", base),
        *_entries(document, "clusters", "cluster", "certificate-authority", None, base),
    ]
    if not entries:
        raise Unmeasurable("the kubeconfig names no certificate")
    return entries


def _entries(
    document: t.Mapping[str, t.Any], plural: str, singular: str, certificate: str, key: str | None, base: str
) -> t.Iterator[Entry]:
    for one in document.get(plural) or []:
        given = one.get(singular) or {}
        found = _kubeconfig_bytes(given, certificate, base)
        if found is not None:
            yield Entry(f"{singular} {one.get('name')}", found, _kubeconfig_bytes(given, key, base) if key else None)


def _kubeconfig_bytes(given: t.Mapping[str, t.Any], option: str, base: str) -> bytes | None:
    if given.get(f"{option}-data"):
        return _decoded(str(given[f"{option}-data"]), f"{option}-data")
    return read(os.path.join(base, str(given[option]))) if given.get(option) else None


def _yaml(text: str) -> dict[str, t.Any]:
    """A kubeconfig, YAML or JSON. No message quotes it: it holds keys."""
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else _safe_load(text)
    except ValueError:
        raise Unmeasurable("the kubeconfig cannot be read: it is neither YAML nor JSON") from None
    if not isinstance(document, dict):
        raise Unmeasurable("the kubeconfig is empty")
    return document


def _safe_load(text: str) -> t.Any:
    try:
        import yaml
    except ImportError:
        raise Unmeasurable("PyYAML is not installed on the host, it reads kubeconfigs: python3-yaml") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError from None


def kubeconfig_entry(path: str | None, text: str | None, label: str) -> Material:
    entry = next((one for one in kubeconfig(path, text) if one.label == label), None)
    if entry is None:
        raise Unmeasurable(f"the kubeconfig has no {label} any more")
    material = _material(x509.read(entry.certificate))
    return with_key(material, entry.key, "client-key") if label.startswith("user ") else material


def crls(path: str) -> tuple[x509.Crl, ...]:
    try:
        return x509.crls(read(path))
    except Unmeasurable as exc:
        raise Unmeasurable(str(exc) if str(exc).startswith(path) else f"{path}: {exc}") from None


def matching(pattern: str) -> list[str]:
    """The files behind a pattern; a path without one stands for itself."""
    return sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]


def discovered(root: str = "/") -> list[tuple[str, str | None]]:
    """Certificate files of this host's services, each with its key where it has one that we may read.

    What certbot manages, what the configuration of common servers names, and loose files in ``/etc/ssl``; a file of CAs
    is none. A directory or configuration that may not be read is in the list itself, so that it is not passed over.
    """
    found: dict[str, tuple[str, str | None]] = {}
    for path, key in [*_letsencrypt(root), *_configured(root), *_loose(root)]:
        found.setdefault(os.path.realpath(path), (path, key if key and os.access(key, os.R_OK) else None))
    return list(found.values())


def _letsencrypt(root: str) -> t.Iterator[tuple[str, str | None]]:
    live = os.path.join(root, LETSENCRYPT.lstrip("/"))
    try:
        os.listdir(live)
    except PermissionError:
        yield live, None
    except OSError:
        return
    for path in matching(os.path.join(live, "*", "fullchain.pem")):
        yield path, os.path.join(os.path.dirname(path), "privkey.pem")


def _configured(root: str) -> t.Iterator[tuple[str, str | None]]:
    for pattern, certificate, key in SERVICES:
        for config in matching(os.path.join(root, pattern.lstrip("/"))):
            try:
                text = read(config).decode("utf-8", "replace")
            except Unmeasurable:
                if os.path.isfile(config):
                    yield config, None
                continue
            if _OFF.search(text):
                continue
            certificates, keys = _paths(text, certificate, config, root), _paths(text, key, config, root)
            paired = len(keys) == len(certificates)
            yield from zip(certificates, keys if paired else [None] * len(certificates))


def _paths(text: str, before: str, config: str, root: str) -> list[str]:
    """The paths that follow a directive; relative ones start beside the configuration, ones with variables are no paths."""
    written = [match.group("path") for match in re.finditer(rf"^[ \t]*{before}{_PATH}", text, re.MULTILINE)]
    return [
        os.path.join(root, path.lstrip("/")) if path.startswith("/") else os.path.join(os.path.dirname(config), path)
        for path in written
        if not re.match(r".*\$|engine:|data:", path)
    ]


def _loose(root: str) -> t.Iterator[tuple[str, str | None]]:
    for pattern in LOOSE:
        for path in matching(os.path.join(root, pattern.lstrip("/"))):
            try:
                certificates = read(path).count(b"-----BEGIN CERTIFICATE-----")
            except Unmeasurable:
                certificates = 0 if os.path.isdir(path) else 1
            if 1 <= certificates <= A_BUNDLE:
                yield path, None
