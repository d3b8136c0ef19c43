# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a TLS server presents, and whether a chain verifies: both asked of ``openssl``.

Python's ``ssl`` shows the certificates that a server sends along only from 3.13 on, never a stapled OCSP response, and
speaks no STARTTLS; ``openssl s_client`` does all of it, and every host that has TLS services has it.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import ssl
import tempfile
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import x509
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command

STARTTLS = {
    "ftp": 21,
    "imap": 143,
    "ldap": 389,
    "lmtp": 24,
    "mysql": 3306,
    "nntp": 119,
    "pop3": 110,
    "postgres": 5432,
    "sieve": 4190,
    "smtp": 25,
    "xmpp": 5222,
    "xmpp-server": 5269,
}
"""Protocols in which TLS is asked for inside the conversation, and their ports."""

VERIFY_SECONDS = 10.0
"""How long one verification may take: it works on local files, in milliseconds."""

_CHAIN = re.compile(r"^Certificate chain$(.*?)^---$", re.MULTILINE | re.DOTALL)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SESSION = re.compile(r"^(?:New|Reused), (?P<protocol>\S+), Cipher is (?P<cipher>\S+)$", re.MULTILINE)
_OPENSSL_ERROR = re.compile(
    r"^[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:(?P<reason>[^:]*):[^:]*:\d+:(?P<more>.*)$", re.MULTILINE
)
_VERIFY_ERROR = re.compile(r"error (?P<code>\d+) at (?P<depth>\d+) depth lookup: ?(?P<reason>.*)")
_TIME_ERRORS = (9, 10)  # not yet valid, has expired
_NO_ISSUER = (2, 20, 21)  # the issuer is neither sent nor trusted


@dataclasses.dataclass(frozen=True)
class Staple:
    """A stapled OCSP response, as ``openssl`` reads it; its signature is not verified. Times are aware."""

    status: str
    serial: int | None
    this_update: datetime.datetime | None
    next_update: datetime.datetime | None

    def fresh(self, now: datetime.datetime) -> bool:
        """Whether it holds at this time."""
        return bool(self.this_update and self.this_update <= now) and (not self.next_update or now <= self.next_update)


@dataclasses.dataclass(frozen=True)
class Served:
    """What a server presented: the chain as sent, its own certificate first."""

    chain: tuple[x509.Certificate, ...]
    protocol: str
    cipher: str
    staple: Staple | None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a chain verifies, and in OpenSSL's words why not.

    ``depth`` is how far up the chain it went: 0 is the leaf. ``no_issuer`` means that it found no next certificate.
    """

    trusted: bool
    reason: str = ""
    depth: int = 0
    no_issuer: bool = False


def served(
    host: str, port: int, *, server_name: str | None = None, starttls: str | None = None, timeout: float
) -> Served:
    """Shake hands and return what the server presented. Nothing is verified, so a bad certificate is seen as well.

    ``host`` is a name or an address, ``server_name`` is asked for by SNI (None: no SNI), ``starttls`` a key of
    :data:`STARTTLS`, ``timeout`` in seconds for all of it. Raises :class:`Unmeasurable` with the reason when there is
    no handshake: name unknown, refused, timed out, no TLS there, alert. A server that wants a certificate of ours has
    shown its own by then, which is enough.
    """
    where = f"{host}:{port}"
    peer = f"[{host}]" if ":" in host else x509.ascii_name(host)
    argv = ["openssl", "s_client", "-connect", f"{peer}:{port}", "-showcerts", "-status", "-prexit"]
    # See even what is too weak to be accepted: the verdict is not OpenSSL's here.
    argv += ["-cipher", "DEFAULT:@SECLEVEL=0", "-legacy_server_connect"]
    argv += ["-servername", x509.ascii_name(server_name)] if server_name else ["-noservername"]
    if starttls:
        argv += ["-starttls", starttls]
        if starttls.startswith("xmpp"):
            argv += ["-name", x509.ascii_name(server_name or host)]
    try:
        answer = command(argv, timeout)
    except Unmeasurable as exc:
        raise Unmeasurable(f"{where}: {exc}") from None
    section = _CHAIN.search(answer.stdout)
    chain = tuple(
        x509.certificate(ssl.PEM_cert_to_DER_cert(pem)) for pem in _PEM.findall(section.group(1) if section else "")
    )
    if not chain:
        raise Unmeasurable(f"{where}: {_no_handshake(answer, starttls)}")
    session = _SESSION.search(answer.stdout)
    return Served(
        chain=chain,
        protocol=session.group("protocol") if session else "",
        cipher=session.group("cipher") if session else "",
        staple=_staple(answer.stdout),
    )


def _no_handshake(answer: Answer, starttls: str | None) -> str:
    """Why there was no handshake, as a person would say it."""
    found = _OPENSSL_ERROR.search(answer.stderr)
    reason = found.group("reason") if found else ""
    if starttls and ("STARTTLS" in answer.stderr or not found):
        return f"the server does not offer TLS within {starttls}, or hung up instead"
    if found and "BIO_lookup" in found.group(0):
        return f"the name does not resolve: {found.group('more')}"
    if reason in ("wrong version number", "packet length too long", "record layer failure", "http request"):
        return "what answers there does not speak TLS"
    if "unexpected eof" in reason or "errno=0" in answer.stderr or (not reason and "errno=104" in answer.stderr):
        return "the server hung up during the TLS handshake"
    if "alert" in reason:
        return f"the server refused the TLS handshake: {reason}"
    lines = answer.stderr.strip().splitlines()
    return reason or (lines[-1][:200] if lines else "there was no TLS handshake and openssl does not say why")


def _staple(text: str) -> Staple | None:
    if "OCSP Response Data" not in text:
        return None

    def field(name: str) -> str | None:
        found = re.search(rf"^\s*{name}: *(.+?)\s*$", text, re.MULTILINE)
        return found.group(1) if found else None

    def moment(name: str) -> datetime.datetime | None:
        written = field(name)
        try:
            seconds = ssl.cert_time_to_seconds(written) if written else None
        except ValueError:
            return None
        return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)

    serial = field("Serial Number")
    return Staple(
        status=field("Cert Status") or field("OCSP Response Status") or "unreadable",
        serial=int(serial, 16) if serial and re.fullmatch("[0-9A-Fa-f]+", serial) else None,
        this_update=moment("This Update"),
        next_update=moment("Next Update"),
    )


def verify(
    chain: t.Sequence[x509.Certificate],
    *,
    ca_path: str | None = None,
    ca_data: str | None = None,
    purpose: str | None = None,
    at: datetime.datetime | None = None,
) -> Verdict:
    """Verify the first certificate of a chain by OpenSSL; the others are intermediates it may use, in any order.

    Trusted are the CAs of the system, or instead of them those of ``ca_path`` (a file, or a directory as c_rehash makes
    it) or of ``ca_data`` (PEM); of CAs given, an intermediate is as good as a root. ``purpose`` is ``sslserver``,
    ``sslclient`` or None for any. Without ``at`` all times are ignored: expiry is a question of its own.
    Raises :class:`Unmeasurable` when nothing can be verified with.
    """
    with tempfile.TemporaryDirectory(prefix="sre-certificate-") as directory:
        argv = ["openssl", "verify", "-untrusted", _write(directory, "chain.pem", "".join(one.pem for one in chain))]
        argv += ["-attime", str(int(at.timestamp()))] if at else ["-no_check_time"]
        argv += ["-purpose", purpose] if purpose else []
        env: dict[str, str] = {}
        if ca_data:
            ca_path = _write(directory, "ca.pem", ca_data)
        if ca_path:
            if not os.path.exists(ca_path):
                raise Unmeasurable(f"{ca_path} does not exist")
            argv += ["-partial_chain", "-CApath" if os.path.isdir(ca_path) else "-CAfile", ca_path]
            # The options that leave the system's CAs out differ between versions of openssl; these variables do not.
            env = {"SSL_CERT_FILE": os.path.join(directory, "none"), "SSL_CERT_DIR": os.path.join(directory, "none")}
        answer = command(argv, VERIFY_SECONDS, env=env, stdin=chain[0].pem)
    verdict = _verdict(answer)
    if verdict.no_issuer and not ca_path and not _system_trusts_anyone():
        raise Unmeasurable("this host trusts no CA at all: install ca-certificates, or give ca_path")
    return verdict


def _write(directory: str, name: str, text: str) -> str:
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _verdict(answer: Answer) -> Verdict:
    if answer.rc == 0:
        return Verdict(True)
    problems = [match.groupdict() for match in _VERIFY_ERROR.finditer(answer.stderr + answer.stdout)]
    if not problems:
        lines = (answer.stderr + answer.stdout).strip().splitlines()
        raise Unmeasurable(f"openssl verify: {lines[0][:200] if lines else f'exit code {answer.rc} without a word'}")
    worst = next((one for one in problems if int(one["code"]) not in _TIME_ERRORS), problems[0])
    return Verdict(False, worst["reason"], int(worst["depth"]), int(worst["code"]) in _NO_ISSUER)


def _system_trusts_anyone() -> bool:
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or (paths.capath and os.listdir(paths.capath)))


def verified_until(
    chain: t.Sequence[x509.Certificate], now: datetime.datetime, **trust: t.Any
) -> datetime.datetime | None:
    """Until when the chain verifies, by whatever path lasts longest; None when it never does.

    At most until the leaf expires, and usually until then, which takes one verification. A time in the past means that
    it does not verify any more. ``trust`` is what :func:`verify` takes.
    """
    second = datetime.timedelta(seconds=1)
    leaf = chain[0]

    def verifies(at: datetime.datetime) -> bool:
        return verify(chain, at=at, **trust).trusted

    end = leaf.not_after
    if verifies(end - second):
        return end
    begin = next((at for at in (now, leaf.not_before + second) if at < end and verifies(at)), None)
    if begin is None:
        return None
    for known in sorted({one.not_after for one in chain if begin < one.not_after < end}):
        if verifies(known - second) and not verifies(known):
            return known
    return _last_moment(verifies, begin, end)


def _last_moment(
    verifies: t.Callable[[datetime.datetime], bool], begin: datetime.datetime, end: datetime.datetime
) -> datetime.datetime:
    """Halve the time between one when it verifies and one when it does not, down to an hour: a root expires in between."""
    while end - begin > datetime.timedelta(hours=1):
        middle = begin + (end - begin) / 2
        begin, end = (middle, end) if verifies(middle) else (begin, middle)
    return begin
