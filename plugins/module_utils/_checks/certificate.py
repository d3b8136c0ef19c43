# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Certificates, served or in files, secrets and kubeconfigs: how long they last, whether clients accept them."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    BadOption,
    Check,
    Limits,
    Unmeasurable,
    limits,
    number,
)
from ansible_collections.sre.runbooks.plugins.module_utils._probe import certificates as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe import tls, x509

CHECKS = {
    "certificate.expiry": "The certificate does not expire soon.",
    "certificate.renewal": "The certificate has been renewed when its turn came.",
    "certificate.valid_from": "The certificate and its chain are valid already.",
    "certificate.hostname": "The certificate is valid for the names under which it is used.",
    "certificate.trust": "The certificate leads to a CA that is trusted.",
    "certificate.chain": "The chain is complete and in order.",
    "certificate.chain_expiry": "Nothing in the chain above the certificate expires soon.",
    "certificate.verified_expiry": "The chain that verifies lasts as long as the certificate.",
    "certificate.key": "The private key belongs to the certificate.",
    "certificate.strength": "Keys and signatures of the chain are strong enough.",
    "certificate.same": "The same certificate is found wherever it is expected.",
    "certificate.revocation": "Nothing in the chain is known to be revoked.",
    "certificate.crl": "The revocation list is fresh.",
    "certificate.staple": "The stapled OCSP response is fresh and about this certificate.",
}
ADDRESS: dict[str, t.Any] = {
    "host": {"type": "str"},
    "port": {"type": "int"},
    "starttls": {"type": "str", "choices": sorted(tls.STARTTLS)},
    "server_name": {"type": "str"},
    "path": {"type": "path"},
    "passphrase": {"type": "str", "no_log": True},
    "secrets": {
        "type": "list",
        "elements": "dict",
        "no_log": False,
        "options": {
            "apiVersion": {"type": "str"},
            "kind": {"type": "str"},
            "type": {"type": "str"},
            "immutable": {"type": "bool"},
            "metadata": {"type": "dict"},
            "data": {"type": "dict", "no_log": True},
        },
    },
}
TARGET: dict[str, t.Any] = {
    **ADDRESS,
    "kubeconfig": {"type": "path"},
    "kubeconfig_data": {"type": "str", "no_log": True},
    "discover": {"type": "bool"},
    "names": {"type": "list", "elements": "str"},
    "key_path": {"type": "path", "no_log": False},
    "same_as": {"type": "list", "elements": "dict", "options": ADDRESS},
}
AUTO = "auto"


def _auto_levels(**levels: str) -> dict[str, t.Any]:
    """A pair of limits whose default depends on the certificate. :func:`_limits` reads it."""
    options = {level: {"type": "str", **({"default": AUTO} if default else {})} for level, default in levels.items()}
    return {"type": "dict", "apply_defaults": True, "options": options}


TUNING: dict[str, t.Any] = {
    "expiry": _auto_levels(warning=AUTO, critical=AUTO),
    "renewal": _auto_levels(warning=AUTO, critical=""),
    "chain_expiry": _auto_levels(warning=AUTO, critical=AUTO),
    "verified_expiry": limits(21, 7, unit="d", worse="lower"),
    "strength": limits(None, 112, unit="bit", worse="lower", possible=(0, 256)),
    "crl": limits(None, 0, unit="d", worse="lower"),
    "staple": limits(None, 0, unit="h", worse="lower"),
    "trust": {"type": "bool"},
    "ca_path": {"type": "path"},
    "ca_data": {"type": "str"},
    "crl_path": {"type": "path"},
}
SOURCES = ("host", "path", "secrets", "kubeconfig", "kubeconfig_data", "discover")
RULES = {"mutually_exclusive": [SOURCES], "required_one_of": [SOURCES]}
DEFAULT_TARGETS: list[dict[str, t.Any]] = [{**dict.fromkeys(TARGET), "discover": True}]

EXPIRY_DAYS = {"warning": 21.0, "critical": 7.0}
EXPIRY_SHARES = {"warning": 1 / 6, "critical": 1 / 12}
"""By default an expiry alarms at so many days left, but at no more than this share of the certificate's lifetime."""

RENEWED_BY_MACHINE = 100.0
"""Days. What lives no longer is renewed by a machine, at a third of its lifetime left (a half where it lives ten days)."""
RENEWAL_SHARE = 25.0
"""Percent of the lifetime left at which such a renewal is overdue."""

DAYS = limits(unit="d", worse="lower")
SHARE = limits(unit="%", worse="lower")


def name(target: t.Mapping[str, t.Any]) -> str:
    if target["host"] is not None:
        return _place(target)
    if target.get("entry"):
        return f"{target['kubeconfig'] or 'kubeconfig'} {target['entry']}"
    if target["secrets"] is not None:
        return _place(target) if target["secrets"] else "secrets"
    return (
        target["path"] or target["kubeconfig"] or ("kubeconfig" if target["kubeconfig_data"] else "certificate files")
    )


def _place(address: t.Mapping[str, t.Any]) -> str:
    """Where a certificate is, in one stable word."""
    if address["host"] is not None:
        host = address["host"].strip("[]")
        host = f"[{host}]" if ":" in host else host
        asked = f"{address['server_name']}@" if address["server_name"] else ""
        return f"{asked}{host}:{probe.port_of(address)}"
    if address["secrets"]:
        return "secret " + ", ".join(map(probe.secret_name, address["secrets"]))
    return str(address["path"])


def validate(target: t.Mapping[str, t.Any]) -> None:
    """Refuse what cannot be meant: no or two sources, a URL for a host, a port out of range, impossible limits."""
    if not target["discover"] and all(target[source] in (None, "", False) for source in SOURCES):
        raise BadOption(f"{SOURCES[0]}: the target names nothing, give one of {', '.join(SOURCES)}")
    for where, address in [("", target)] + [(f"same_as[{i}].", one) for i, one in enumerate(target["same_as"] or [])]:
        _validate_address(where, address)
    if target["ca_path"] and target["ca_data"]:
        raise BadOption("ca_path: give one of ca_path and ca_data; what the task says is undone by an empty text")
    for option in ("expiry", "renewal", "chain_expiry"):
        written = {level: None if text == AUTO else text for level, text in target[option].items()}
        try:
            (SHARE if option == "renewal" else DAYS).read(written)
        except BadOption as exc:
            raise BadOption(f"{option}.{exc}") from None


def _validate_address(where: str, address: t.Mapping[str, t.Any]) -> None:
    if address["host"] is not None and (not address["host"] or re.search(r"[\s/@]|^-", address["host"])):
        raise BadOption(f"{where}host: {address['host']!r} is no host name or address")
    if address["port"] is not None and not 0 < address["port"] < 65536:
        raise BadOption(f"{where}port: {address['port']} is no port")
    for option in ("port", "starttls", "server_name"):
        if address[option] is not None and not address["host"]:
            raise BadOption(f"{where}{option}: says how to reach a host, and no host is given")
    if where and not any((address["host"], address["path"], address["secrets"])):
        raise BadOption(f"{where}host: names nothing, give one of host, path and secrets")


def expand(target: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """One target for each file behind a pattern, each secret, each certificate of a kubeconfig, each file discovered."""
    if target["discover"]:
        found = probe.discovered()
        return [{**target, "discover": False, "path": path, "key_path": key} for path, key in found] or [target]
    if target["path"]:
        paths = probe.matching(target["path"])
        if not paths:
            raise Unmeasurable(f"no file matches {target['path']}")
        return [{**target, "path": path} for path in paths]
    if target["secrets"] is not None:
        if not target["secrets"]:
            raise Unmeasurable("secrets is an empty list: the query that filled it found none")
        return [{**target, "secrets": [one]} for one in target["secrets"]]
    if target["kubeconfig"] or target["kubeconfig_data"]:
        entries = probe.kubeconfig(target["kubeconfig"], target["kubeconfig_data"])
        return [{**target, "entry": entry.label} for entry in entries]
    return [target]


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    if target["discover"]:
        for check_id in CHECKS:
            yield Check.skipped(check_id, target["name"], "no certificate file of a service was found on this host")
        return
    sight = _Sight(target, _material(target, target["timeout"]), probe.now())
    yield _expiry(sight)
    yield _renewal(sight)
    yield _valid_from(sight)
    yield _hostname(sight)
    yield from _what_verifies(sight)
    yield _key(sight)
    yield _strength(sight)
    yield _same(sight)
    yield from _revocation_and_crl(sight)
    yield _staple(sight)


def _material(address: t.Mapping[str, t.Any], timeout: float) -> probe.Material:
    if address["host"]:
        # The door gives up after the timeout: leave it to us to say what did not answer.
        material = probe.server(address, 0.8 * timeout)
    elif address["secrets"]:
        material = probe.secret(address["secrets"][0])
    elif address.get("entry"):
        material = probe.kubeconfig_entry(address["kubeconfig"], address["kubeconfig_data"], address["entry"])
    else:
        material = probe.file(address["path"], address["passphrase"])
    if address.get("key_path"):
        material = probe.with_key_file(material, address["key_path"], address["passphrase"])
    return material


@dataclasses.dataclass(frozen=True)
class _Sight:
    """A target, what was found there, and when it was looked at."""

    target: t.Mapping[str, t.Any]
    material: probe.Material
    now: datetime.datetime

    @property
    def label(self) -> str:
        return str(self.target["name"])

    @property
    def leaf(self) -> x509.Certificate:
        return self.material.leaf

    @property
    def names(self) -> list[str]:
        """What the certificate has to be valid for."""
        used = self.target["server_name"] or (self.target["host"] or "").strip("[]")
        return ([used] if used else []) + list(self.target["names"] or [])

    def days_to(self, moment: datetime.datetime) -> float:
        return round((moment - self.now).total_seconds() / 86400, 3)


def _limits(given: t.Mapping[str, str | None], spec: t.Any, auto: t.Mapping[str, float | None]) -> Limits:
    """The limits as written, with levels that are V(auto) filled from ``auto``; those give way to a written one."""
    filled = {level: auto[level] if text == AUTO else text for level, text in given.items()}
    levels = {level: number(one) if isinstance(one, float) else one for level, one in filled.items()}
    try:
        return t.cast("Limits", spec.read(levels))
    except BadOption:  # of the pair one was written, and the other is beyond it
        written = next(text for text in given.values() if text != AUTO)
        return t.cast("Limits", spec.read(dict.fromkeys(levels, written)))


def expiry_limits(given: t.Mapping[str, str | None], lifetime: float) -> Limits:
    """The limits for a certificate that lives ``lifetime`` days. What has expired is critical whatever is written."""
    auto = {level: min(EXPIRY_DAYS[level], EXPIRY_SHARES[level] * lifetime) for level in EXPIRY_DAYS}
    found = _limits(given, DAYS, auto)
    return found if found.critical else Limits(found.warning, "0", found.unit, found.worse)


def renewal_limits(given: t.Mapping[str, str | None], lifetime: float) -> Limits:
    """Limits in percent of the lifetime; by default only for what a machine renews."""
    auto = {"warning": RENEWAL_SHARE if lifetime <= RENEWED_BY_MACHINE else None, "critical": None}
    return _limits(given, SHARE, auto)


def _when(days: float) -> str:
    """Like "in 12.3 days" or "5.0 hours ago"."""
    amount = f"{abs(days):.1f} days" if abs(days) >= 3 else f"{abs(days) * 24:.1f} hours"
    return f"in {amount}" if days >= 0 else f"{amount} ago"


def _expires(days: float) -> str:
    return f"{'expires' if days >= 0 else 'expired'} {_when(days)}"


# The certificate itself


def _expiry(sight: _Sight) -> Check:
    leaf, days = sight.leaf, sight.days_to(sight.leaf.not_after)
    which = f"{leaf.subject} " if sight.material.bundle else ""
    return Check.judge(
        "certificate.expiry",
        sight.label,
        days,
        expiry_limits(sight.target["expiry"], leaf.lifetime),
        f"{which}{_expires(days)}, of a lifetime of {number(leaf.lifetime)} days",
        certificate=leaf.summary(),
        **sight.material.session,
    )


def _renewal(sight: _Sight) -> Check:
    check_id, lifetime = "certificate.renewal", sight.leaf.lifetime
    found = renewal_limits(sight.target["renewal"], lifetime)
    if not found:
        reason = f"lives {number(lifetime)} days: no renewal by machine is expected, certificate.expiry judges it"
        return Check.skipped(check_id, sight.label, reason)
    if lifetime <= 0:
        return Check.unknown(check_id, sight.label, "it ends before it begins")
    share = round(max(100 * sight.days_to(sight.leaf.not_after) / lifetime, 0.0), 2)
    summary = f"{share:.0f} % of its lifetime of {number(lifetime)} days are left"
    return Check.judge(check_id, sight.label, share, found, summary)


def _valid_from(sight: _Sight) -> Check:
    latest = max(sight.material.chain, key=lambda one: one.not_before)
    fine, when = latest.not_before <= sight.now, _when(sight.days_to(latest.not_before))
    return Check.expect(
        "certificate.valid_from",
        sight.label,
        fine,
        f"valid since {when}" if fine else f"{latest.subject} becomes valid {when}, by this host's clock",
        clock=sight.now.isoformat(timespec="seconds"),
        certificate=latest.summary(),
    )


def _hostname(sight: _Sight) -> Check:
    if not sight.names:
        return Check.skipped("certificate.hostname", sight.label, "not asked for: names is not given")
    missing = [one for one in sight.names if not sight.leaf.covers(one)]
    holds = [*sight.leaf.names, *sight.leaf.addresses]
    summary = f"not valid for {', '.join(missing)}" if missing else f"valid for {', '.join(sight.names)}"
    if missing and holds:
        summary += f", but for {', '.join(holds[:5])}{' and more' if holds[5:] else ''}"
    elif missing:
        summary += ": it has no subjectAltName, and clients ignore the common name"
    return Check.expect("certificate.hostname", sight.label, not missing, summary, names=holds[:20])


# What verifies: trust, chain, chain_expiry and verified_expiry


def _what_verifies(sight: _Sight) -> t.Iterator[Check]:
    given = {"ca_path": sight.target["ca_path"], "ca_data": sight.target["ca_data"]}
    asked = sight.target["trust"]
    if asked is None:
        asked = bool(sight.target["host"] or any(given.values()))
    verdict: tls.Verdict | None = None
    until: datetime.datetime | None = None
    if asked:
        given["purpose"] = _purpose(sight)
        try:
            verdict = tls.verify(sight.material.chain, **given)
            until = tls.verified_until(sight.material.chain, sight.now, **given) if verdict.trusted else None
        except Unmeasurable as exc:
            yield Check.unknown("certificate.trust", sight.label, str(exc))
            yield _blocked("certificate.chain", sight, str(exc))
            yield _chain_expiry(sight, verified=False)
            yield _blocked("certificate.verified_expiry", sight, str(exc))
            return
    yield _trust(sight, verdict)
    yield _chain(sight, verdict)
    yield _chain_expiry(sight, verified=bool(verdict and verdict.trusted))
    yield _verified_expiry(sight, verdict, until)


def _blocked(check_id: str, sight: _Sight, reason: str) -> Check:
    first = "certificate.trust"
    return Check.skipped(check_id, sight.label, f"not measured, see {first}: {reason}", blocked_by=first)


def _purpose(sight: _Sight) -> str | None:
    """What the certificate must be good for: a client's in a kubeconfig, a server's under a name, else anything."""
    if (sight.target.get("entry") or "").startswith("user "):
        return "sslclient"
    return "sslserver" if sight.names else None


def _trust(sight: _Sight, verdict: tls.Verdict | None) -> Check:
    check_id = "certificate.trust"
    if verdict is None:
        reason = "not asked for: what lies in a file is judged where trust or a CA is given"
        return Check.skipped(check_id, sight.label, reason)
    blamed = _path(sight.material)[: verdict.depth + 1][-1]
    summary = f"issued by {sight.leaf.issuer}, trusted" if verdict.trusted else f"not trusted: {verdict.reason}"
    return Check.expect(check_id, sight.label, verdict.trusted, summary, certificate=blamed.summary())


def _path(material: probe.Material) -> list[x509.Certificate]:
    """From the leaf up, by the names of issuers, as far as what was found goes."""
    path = [material.leaf]
    while not path[-1].self_issued:
        issuer = next((one for one in material.found if one.subject == path[-1].issuer and one not in path), None)
        if issuer is None:
            break
        path.append(issuer)
    return path


def _chain(sight: _Sight, verdict: tls.Verdict | None) -> Check:
    check_id, found = "certificate.chain", sight.material.found
    path, evidence = _path(sight.material), [one.summary() for one in found[:10]]
    if sight.material.bundle:
        return Check.skipped(check_id, sight.label, f"{len(found)} CAs that do not issue one another are no chain")
    if verdict and verdict.no_issuer and verdict.depth == 0:
        summary = f"incomplete: its issuer, {sight.leaf.issuer}, is neither there nor trusted here"
        return Check.expect(check_id, sight.label, False, summary, chain=evidence)
    if verdict and verdict.no_issuer:
        top = path[: verdict.depth + 1][-1]
        reason = f"it ends at {top.subject}, whose issuer, {top.issuer}, is not trusted here"
        return Check.unknown(check_id, sight.label, f"whether more is needed cannot be told: {reason}", chain=evidence)
    disorder = _disorder(sight.material)
    if disorder:
        return Check.expect(check_id, sight.label, False, disorder, otherwise="warning", chain=evidence)
    if verdict is None and not path[-1].self_issued:
        reason = "in order as far as it goes; whether it is complete is only judged with trust or a CA"
        return Check.skipped(check_id, sight.label, reason, chain=evidence)
    summary = "one certificate, complete" if len(found) == 1 else f"{len(found)} certificates, complete and in order"
    return Check.expect(check_id, sight.label, True, summary, chain=evidence)


def _disorder(material: probe.Material) -> str | None:
    """What is wrong with the order: each certificate has to be the issuer of one before it, so cross-signed ones may follow."""
    found = material.found
    if not material.ordered:
        return None
    if found[0] != material.leaf:
        return f"out of order: {material.leaf.subject} has to come first"
    for position, one in enumerate(found[1:], 1):
        if one in found[:position]:
            return f"{one.subject} is there twice"
        if not any(before.issuer == one.subject for before in found[:position]):
            later = any(other.issuer == one.subject for other in found[position + 1 :])
            return f"{one.subject} is {'out of order' if later else 'not part of the chain'}"
    return None


def _chain_expiry(sight: _Sight, *, verified: bool) -> Check:
    """The first to expire of everything above the leaf. Where a chain verifies, it may be one that nobody needs."""
    check_id, above = "certificate.chain_expiry", sight.material.chain[1:]
    if not above or sight.material.bundle:
        return Check.skipped(check_id, sight.label, "nothing lies above the certificate here")
    first = min(above, key=lambda one: one.not_after)
    days = sight.days_to(first.not_after)
    auto = {"warning": EXPIRY_DAYS["warning"], "critical": None if verified else EXPIRY_DAYS["critical"]}
    found = _limits(sight.target["chain_expiry"], DAYS, auto)
    summary = f"{first.subject} {_expires(days)}"
    return Check.judge(check_id, sight.label, days, found, summary, certificate=first.summary())


def _verified_expiry(sight: _Sight, verdict: tls.Verdict | None, until: datetime.datetime | None) -> Check:
    check_id = "certificate.verified_expiry"
    if verdict is None:
        return Check.skipped(check_id, sight.label, "not asked for, as certificate.trust")
    if not verdict.trusted:
        return _blocked(check_id, sight, "nothing verifies")
    if until is None:
        return Check.expect(check_id, sight.label, False, "the members of the chain are at no time all valid")
    days = sight.days_to(until)
    if until >= sight.leaf.not_after:  # the certificate itself ends first, which certificate.expiry judges
        return Check.judge(check_id, sight.label, days, Limits(unit="d"), "lasts as long as the certificate")
    summary = f"{'stops' if days >= 0 else 'stopped'} verifying {_when(days)}, before the certificate expires"
    found = sight.target["verified_expiry"]
    return Check.judge(check_id, sight.label, days, found, summary, until=until.isoformat())


# Keys and signatures


def _key(sight: _Sight) -> Check:
    check_id, material = "certificate.key", sight.material
    if material.key_problem:
        return Check.unknown(check_id, sight.label, material.key_problem)
    if not material.keys:
        reason = "there is no private key with it, and none is given that can be read"
        return Check.skipped(check_id, sight.label, reason)
    fine = sight.leaf.key in material.keys
    return Check.expect(
        check_id, sight.label, fine, f"the private key belongs to {'the' if fine else 'another'} certificate"
    )


def _strength(sight: _Sight) -> Check:
    """The weakest key or signature. The signature of a root does not count: it is trusted for being known."""
    check_id, chain = "certificate.strength", sight.material.chain
    links = [(one.key_bits, f"key of {one.subject}, {one.key_words}") for one in chain] + [
        (one.signature_bits, f"signature of {one.subject}, {one.signature_words}")
        for one in chain
        if not one.self_issued
    ]
    strange = [words for bits, words in links if bits is None]
    if strange:
        return Check.unknown(check_id, sight.label, f"not known how strong it is: {strange[0]}")
    bits, words = min((bits, words) for bits, words in links if bits is not None)
    summary = f"the weakest is the {words}: {bits} bit"
    return Check.judge(check_id, sight.label, bits, sight.target["strength"], summary)


# The same certificate elsewhere


def _same(sight: _Sight) -> Check:
    check_id, places = "certificate.same", sight.target["same_as"]
    if not places:
        return Check.skipped(check_id, sight.label, "not asked for: same_as is not given")
    different, unseen, seen = [], [], {sight.label: sight.leaf.summary()}
    for address in places:
        asked_for = address["server_name"] or (_name_asked(sight) if address["host"] else None)
        try:
            other = _material({**address, "server_name": asked_for}, sight.target["timeout"] / 5).leaf
        except Unmeasurable as exc:
            unseen.append(str(exc))
            continue
        seen[_place(address)] = other.summary()
        if other.fingerprint != sight.leaf.fingerprint:
            different.append(f"{_place(address)} that {_compared(other, sight.leaf)}")
    if different:
        summary = f"another one at {'; '.join(different)}"
        return Check.expect(check_id, sight.label, False, summary, otherwise="warning", places=seen)
    if unseen:
        return Check.unknown(check_id, sight.label, f"not compared: {'; '.join(unseen)}", places=seen)
    return Check.expect(check_id, sight.label, True, f"the same in {len(places) + 1} places", places=seen)


def _name_asked(sight: _Sight) -> str | None:
    """Behind another address the same name is asked for."""
    return next((one for one in sight.names if not x509.as_address(one) and "*" not in one), None)


def _compared(other: x509.Certificate, leaf: x509.Certificate) -> str:
    days = other.days_left(leaf.not_after)
    return f"expires {abs(days):.1f} days {'later' if days > 0 else 'earlier'}" if days else "expires at the same time"


# Revocation


def _revocation_and_crl(sight: _Sight) -> t.Iterator[Check]:
    lists: tuple[x509.Crl, ...] = ()
    problem = ""
    if sight.target["crl_path"]:
        try:
            lists = probe.crls(sight.target["crl_path"])
        except Unmeasurable as exc:
            problem = str(exc)
    yield _revocation(sight, lists, problem)
    if problem:
        yield Check.unknown("certificate.crl", sight.label, problem)
    elif lists:
        yield _crl(sight, lists)
    else:
        yield Check.skipped("certificate.crl", sight.label, "not asked for: crl_path is not given")


def _revocation(sight: _Sight, lists: tuple[x509.Crl, ...], problem: str) -> Check:
    check_id, label, chain = "certificate.revocation", sight.label, sight.material.chain
    staple = sight.material.staple
    told = staple.status if staple and staple.serial == sight.leaf.serial else ""
    if told == "revoked":
        return Check.expect(check_id, label, False, "revoked, says the stapled OCSP response")
    for one in lists:
        holders = [holder for holder in chain if holder.subject == one.issuer]
        if holders and not any(one.signed_by(holder) for holder in holders):
            return Check.unknown(check_id, label, f"the list of {one.issuer} does not bear its signature")
        revoked = next((certificate for certificate in chain if one.revokes(certificate)), None)
        if revoked:
            return Check.expect(check_id, label, False, f"revoked: {revoked.subject}, says the list of {one.issuer}")
    if problem:
        return Check.unknown(check_id, label, problem)
    if lists and not any(one.issuer == certificate.issuer for one in lists for certificate in chain):
        return Check.unknown(check_id, label, f"the list is of {lists[0].issuer}, which issued nothing in this chain")
    if lists:
        return Check.expect(check_id, label, True, "nothing in the chain is on the list")
    if told == "good" and staple and staple.fresh(sight.now):
        return Check.expect(check_id, label, True, "not revoked, says the stapled OCSP response")
    if told == "unknown":
        return Check.unknown(
            check_id, label, "the stapled OCSP response says that its CA does not know the certificate"
        )
    return Check.skipped(
        check_id, label, "no list is given and no OCSP response of use is stapled: nothing to judge by"
    )


def _crl(sight: _Sight, lists: tuple[x509.Crl, ...]) -> Check:
    check_id = "certificate.crl"
    due = [(one.next_update, one) for one in lists if one.next_update]
    if len(due) < len(lists):
        endless = next(one.issuer for one in lists if not one.next_update)
        return Check.unknown(check_id, sight.label, f"the list of {endless} does not say when the next one is due")
    moment, first = min(due, key=lambda pair: pair[0])
    days = sight.days_to(moment)
    summary = f"the next list of {first.issuer} {'is' if days >= 0 else 'was'} due {_when(days)}"
    return Check.judge(check_id, sight.label, days, sight.target["crl"], summary, entries=first.entries)


def _staple(sight: _Sight) -> Check:
    check_id, label, staple = "certificate.staple", sight.label, sight.material.staple
    if not sight.target["host"]:
        return Check.skipped(check_id, label, "only a server staples")
    if staple is None and sight.leaf.must_staple:
        return Check.expect(check_id, label, False, "no OCSP response is stapled, which the certificate demands")
    if staple is None:
        return Check.skipped(check_id, label, "no OCSP response is stapled, which is allowed")
    if staple.this_update is None:
        return Check.unknown(check_id, label, f"the stapled OCSP response is of no use: {staple.status}")
    if staple.serial != sight.leaf.serial:
        return Check.expect(check_id, label, False, "the stapled OCSP response is about another certificate")
    if staple.this_update > sight.now:
        return Check.expect(check_id, label, False, "the stapled OCSP response is not valid yet, by this host's clock")
    if staple.next_update is None:
        return Check.expect(check_id, label, True, f"the stapled OCSP response says {staple.status}, without an end")
    days = sight.days_to(staple.next_update)
    summary = f"the stapled OCSP response says {staple.status} and {_expires(days)}"
    return Check.judge(check_id, label, round(24 * days, 2), sight.target["staple"], summary)
