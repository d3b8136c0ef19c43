# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Certificates, served or in files, secrets and kubeconfigs: how long they last, whether clients accept them."""

from __future__ import annotations

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
    material = _material(target, target["timeout"])
    now = probe.now()
    yield _expiry(target, material, now)
    yield _renewal(target, material, now)
    yield _valid_from(target, material, now)
    yield _hostname(target, material)
    yield from _chain_checks(target, material, now)
    yield _key(target, material)
    yield _strength(target, material)
    yield _same(target, material)
    yield from _revocation_and_crl(target, material, now)
    yield _staple(target, material, now)


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


def _expiry(target: t.Mapping[str, t.Any], material: probe.Material, now: datetime.datetime) -> Check:
    leaf = material.leaf
    days = leaf.days_left(now)
    return Check.judge(
        "certificate.expiry",
        target["name"],
        round(days, 3),
        expiry_limits(target["expiry"], leaf.lifetime),
        f"{_expires(days)}, of a lifetime of {number(leaf.lifetime)} days",
        certificate=leaf.summary(),
        **material.session,
    )


def _renewal(target: t.Mapping[str, t.Any], material: probe.Material, now: datetime.datetime) -> Check:
    leaf = material.leaf
    found = renewal_limits(target["renewal"], leaf.lifetime)
    if not found:
        reason = f"lives {number(leaf.lifetime)} days: no renewal by machine is expected, certificate.expiry judges it"
        return Check.skipped("certificate.renewal", target["name"], reason)
    if leaf.lifetime <= 0:
        return Check.unknown("certificate.renewal", target["name"], "it ends before it begins")
    share = 100 * leaf.days_left(now) / leaf.lifetime
    return Check.judge(
        "certificate.renewal",
        target["name"],
        round(max(share, 0.0), 2),
        found,
        f"{max(share, 0.0):.0f} % of its lifetime of {number(leaf.lifetime)} days are left",
    )


def _valid_from(target: t.Mapping[str, t.Any], material: probe.Material, now: datetime.datetime) -> Check:
    latest = max(material.chain, key=lambda one: one.not_before)
    days = (latest.not_before - now).total_seconds() / 86400
    fine = latest.not_before <= now
    return Check.expect(
        "certificate.valid_from",
        target["name"],
        fine,
        f"valid since {_when(days)}" if fine else f"{latest.subject} becomes valid {_when(days)}, by this host's clock",
        clock=now.isoformat(timespec="seconds"),
        certificate=latest.summary(),
    )


def _names(target: t.Mapping[str, t.Any]) -> list[str]:
    used = target["server_name"] or (target["host"] or "").strip("[]")
    return ([used] if used else []) + list(target["names"] or [])


def _hostname(target: t.Mapping[str, t.Any], material: probe.Material) -> Check:
    wanted, leaf = _names(target), material.leaf
    if not wanted:
        return Check.skipped("certificate.hostname", target["name"], "not asked for: names is not given")
    missing = [one for one in wanted if not leaf.covers(one)]
    holds = [*leaf.names, *leaf.addresses]
    if not missing:
        summary = f"valid for {', '.join(wanted)}"
    elif holds:
        summary = (
            f"not valid for {', '.join(missing)}, but for {', '.join(holds[:5])}{' and more' if holds[5:] else ''}"
        )
    else:
        summary = f"not valid for {', '.join(missing)}: it has no subjectAltName, and clients ignore the common name"
    return Check.expect("certificate.hostname", target["name"], not missing, summary, names=holds[:20])


def _chain_checks(target: t.Mapping[str, t.Any], material: probe.Material, now: datetime.datetime) -> t.Iterator[Check]:
    """Trust, chain, chain_expiry and verified_expiry: all four hang on what verifies."""
    label = target["name"]
    given = {"ca_path": target["ca_path"], "ca_data": target["ca_data"]}
    asked = bool(target["host"] or any(given.values())) if target["trust"] is None else target["trust"]
    verdict: tls.Verdict | None = None
    until: datetime.datetime | None = None
    if asked:
        given["purpose"] = _purpose(target)
        try:
            verdict = tls.verify(material.chain, **given)
            until = tls.verified_until(material.chain, now, **given) if verdict.trusted else None
        except Unmeasurable as exc:
            yield Check.unknown("certificate.trust", label, str(exc))
            for blocked in ("certificate.chain", "certificate.verified_expiry"):
                yield Check.skipped(
                    blocked, label, f"not measured, see certificate.trust: {exc}", blocked_by="certificate.trust"
                )
            yield _chain_expiry(target, material, now, judged_elsewhere=False)
            return
    yield _trust(label, material, verdict)
    yield _chain(label, material, verdict)
    yield _chain_expiry(target, material, now, judged_elsewhere=bool(verdict and verdict.trusted))
    yield _verified_expiry(target, material, now, verdict, until)


def _purpose(target: t.Mapping[str, t.Any]) -> str | None:
    """What the certificate must be good for: a server's under a name, a client's in a kubeconfig, else anything."""
    if (target.get("entry") or "").startswith("user "):
        return "sslclient"
    return "sslserver" if _names(target) else None


def _trust(label: str, material: probe.Material, verdict: tls.Verdict | None) -> Check:
    if verdict is None:
        return Check.skipped(
            "certificate.trust", label, "not asked for: neither trust nor a CA is given for what lies in a file"
        )
    blamed = _path(material)[: verdict.depth + 1][-1]
    return Check.expect(
        "certificate.trust",
        label,
        verdict.trusted,
        f"issued by {material.leaf.issuer}, trusted" if verdict.trusted else f"not trusted: {verdict.reason}",
        certificate=blamed.summary(),
    )


def _path(material: probe.Material) -> list[x509.Certificate]:
    """From the leaf up, by the names of issuers, as far as what was found goes."""
    path = [material.leaf]
    while not path[-1].self_issued:
        issuer = next((one for one in material.found if one.subject == path[-1].issuer and one not in path), None)
        if issuer is None:
            break
        path.append(issuer)
    return path


def _chain(label: str, material: probe.Material, verdict: tls.Verdict | None) -> Check:
    path = _path(material)
    evidence = [one.summary() for one in material.found[:10]]
    if verdict and verdict.no_issuer and verdict.depth == 0:
        issuer = f"its issuer, {material.leaf.issuer}, is neither there nor trusted here"
        return Check.expect("certificate.chain", label, False, f"incomplete: {issuer}", chain=evidence)
    if verdict and verdict.no_issuer:
        top = path[: verdict.depth + 1][-1]
        end = f"it ends at {top.subject}, whose issuer, {top.issuer}, is not trusted here"
        return Check.unknown(
            "certificate.chain", label, f"whether more is needed cannot be told: {end}", chain=evidence
        )
    disorder = _disorder(material)
    if disorder:
        return Check.expect("certificate.chain", label, False, disorder, otherwise="warning", chain=evidence)
    if verdict is None and not path[-1].self_issued:
        reason = "in order as far as it goes; whether it is complete is only judged with trust or a CA"
        return Check.skipped("certificate.chain", label, reason, chain=evidence)
    count = len(material.found)
    summary = "one certificate, complete" if count == 1 else f"{count} certificates, complete and in order"
    return Check.expect("certificate.chain", label, True, summary, chain=evidence)


def _disorder(material: probe.Material) -> str | None:
    """What is wrong with the order: each certificate has to be the issuer of one before it. Cross-signed ones may follow."""
    found = material.found
    if not material.ordered or material.bundle:
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


def _chain_expiry(
    target: t.Mapping[str, t.Any], material: probe.Material, now: datetime.datetime, *, judged_elsewhere: bool
) -> Check:
    """The first to expire of everything above the leaf. Where a chain verifies, it may be one that nobody needs."""
    above = material.chain[1:]
    if not above:
        return Check.skipped("certificate.chain_expiry", target["name"], "nothing lies above the certificate here")
    first = min(above, key=lambda one: one.not_after)
    days = first.days_left(now)
    auto = {"warning": EXPIRY_DAYS["warning"], "critical": None if judged_elsewhere else EXPIRY_DAYS["critical"]}
    return Check.judge(
        "certificate.chain_expiry",
        target["name"],
        round(days, 3),
        _limits(target["chain_expiry"], DAYS, auto),
        f"{first.subject} {_expires(days)}",
        certificate=first.summary(),
    )


def _verified_expiry(
    target: t.Mapping[str, t.Any],
    material: probe.Material,
    now: datetime.datetime,
    verdict: tls.Verdict | None,
    until: datetime.datetime | None,
) -> Check:
    check_id, label = "certificate.verified_expiry", target["name"]
    if verdict is None:
        return Check.skipped(check_id, label, "not asked for, as certificate.trust")
    if not verdict.trusted:
        return Check.skipped(check_id, label, "nothing verifies, see certificate.trust", blocked_by="certificate.trust")
    if until is None:
        return Check.expect(check_id, label, False, "the members of the chain are at no time all valid")
    days = (until - now).total_seconds() / 86400
    if until >= material.leaf.not_after:  # the certificate itself ends first, which is judged as certificate.expiry
        return Check.judge(check_id, label, round(days, 3), Limits(unit="d"), "lasts as long as the certificate")
    summary = f"{'stops' if days >= 0 else 'stopped'} verifying {_when(days)}, before the certificate expires"
    return Check.judge(check_id, label, round(days, 3), target["verified_expiry"], summary, until=until.isoformat())


def _key(target: t.Mapping[str, t.Any], material: probe.Material) -> Check:
    check_id, label = "certificate.key", target["name"]
    if material.key_problem:
        return Check.unknown(check_id, label, material.key_problem)
    if not material.keys:
        return Check.skipped(check_id, label, "there is no private key with it, and none is given that can be read")
    fine = material.leaf.key in material.keys
    summary = "the private key belongs to the certificate" if fine else "the private key belongs to another certificate"
    return Check.expect(check_id, label, fine, summary)


def _strength(target: t.Mapping[str, t.Any], material: probe.Material) -> Check:
    """The weakest key or signature. The signature of a root does not count: it is trusted for being known."""
    links = [(one.key_bits, f"key of {one.subject}, {one.key_words}") for one in material.chain]
    links += [
        (one.signature_bits, f"signature of {one.subject}, {one.signature_words}")
        for one in material.chain
        if not one.self_issued
    ]
    strange = [words for bits, words in links if bits is None]
    if strange:
        return Check.unknown("certificate.strength", target["name"], f"not known how strong it is: {strange[0]}")
    bits, words = min((bits, words) for bits, words in links if bits is not None)
    return Check.judge(
        "certificate.strength", target["name"], bits, target["strength"], f"the weakest is the {words}: {bits} bit"
    )


def _same(target: t.Mapping[str, t.Any], material: probe.Material) -> Check:
    check_id, label = "certificate.same", target["name"]
    if not target["same_as"]:
        return Check.skipped(check_id, label, "not asked for: same_as is not given")
    different, unseen, evidence = [], [], {label: material.leaf.summary()}
    for address in target["same_as"]:
        # Behind another address the same name is asked for.
        asked = (
            {**address, "server_name": address["server_name"] or _name_asked(target)} if address["host"] else address
        )
        try:
            other = _material(asked, target["timeout"] / 5).leaf
        except Unmeasurable as exc:
            unseen.append(str(exc))
            continue
        evidence[_place(address)] = other.summary()
        if other.fingerprint != material.leaf.fingerprint:
            different.append(f"{_place(address)} {_compared(other, material.leaf)}")
    if different:
        return Check.expect(
            check_id, label, False, f"another one at {'; '.join(different)}", otherwise="warning", places=evidence
        )
    if unseen:
        return Check.unknown(check_id, label, f"not compared: {'; '.join(unseen)}", places=evidence)
    return Check.expect(check_id, label, True, f"the same in {len(target['same_as']) + 1} places", places=evidence)


def _name_asked(target: t.Mapping[str, t.Any]) -> str | None:
    names = [one for one in _names(target) if not x509.as_address(one) and not one.startswith("*")]
    return names[0] if names else None


def _compared(other: x509.Certificate, leaf: x509.Certificate) -> str:
    days = (other.not_after - leaf.not_after).total_seconds() / 86400
    return (
        f"that expires {abs(days):.1f} days {'later' if days > 0 else 'earlier'}"
        if days
        else "that expires at the same time"
    )


def _revocation_and_crl(
    target: t.Mapping[str, t.Any], material: probe.Material, now: datetime.datetime
) -> t.Iterator[Check]:
    label = target["name"]
    lists: tuple[x509.Crl, ...] = ()
    problem = ""
    if target["crl_path"]:
        try:
            lists = probe.crls(target["crl_path"])
        except Unmeasurable as exc:
            problem = str(exc)
    yield _revocation(label, material, lists, problem)
    if not target["crl_path"]:
        yield Check.skipped("certificate.crl", label, "not asked for: crl_path is not given")
    elif problem:
        yield Check.unknown("certificate.crl", label, problem)
    else:
        yield _crl(target, lists, now)


def _revocation(label: str, material: probe.Material, lists: tuple[x509.Crl, ...], problem: str) -> Check:
    check_id = "certificate.revocation"
    if material.staple and material.staple.status == "revoked":
        return Check.expect(check_id, label, False, "revoked, says the stapled OCSP response")
    for one in lists:
        signers = [holder for holder in material.chain if holder.subject == one.issuer]
        if signers and not any(one.signed_by(holder) for holder in signers):
            return Check.unknown(
                check_id, label, f"the revocation list is not signed by {one.issuer}, whose name it bears"
            )
        revoked = next((certificate for certificate in material.chain if one.revokes(certificate)), None)
        if revoked:
            return Check.expect(check_id, label, False, f"revoked: {revoked.subject}, says the list of {one.issuer}")
    if problem:
        return Check.unknown(check_id, label, problem)
    if lists and not any(one.issuer == certificate.issuer for one in lists for certificate in material.chain):
        return Check.unknown(check_id, label, f"the list is of {lists[0].issuer}, which issued nothing in this chain")
    if lists:
        return Check.expect(check_id, label, True, "nothing in the chain is on the list")
    if material.staple and material.staple.status == "good":
        return Check.expect(check_id, label, True, "not revoked, says the stapled OCSP response")
    return Check.skipped(check_id, label, "no list is given and no OCSP response is stapled: nothing to judge by")


def _crl(target: t.Mapping[str, t.Any], lists: tuple[x509.Crl, ...], now: datetime.datetime) -> Check:
    endless = next((one for one in lists if one.next_update is None), None)
    if endless:
        reason = f"the list of {endless.issuer} does not say when the next one is due"
        return Check.unknown("certificate.crl", target["name"], reason)
    first = min(lists, key=lambda one: one.next_update or now)
    days = ((first.next_update or now) - now).total_seconds() / 86400
    return Check.judge(
        "certificate.crl",
        target["name"],
        round(days, 3),
        target["crl"],
        f"the next list of {first.issuer} {'is' if days >= 0 else 'was'} due {_when(days)}",
        entries=first.entries,
    )


def _staple(target: t.Mapping[str, t.Any], material: probe.Material, now: datetime.datetime) -> Check:
    check_id, label, staple = "certificate.staple", target["name"], material.staple
    if not target["host"]:
        return Check.skipped(check_id, label, "only a server staples")
    if staple is None:
        if material.leaf.must_staple:
            return Check.expect(check_id, label, False, "no OCSP response is stapled, which the certificate demands")
        return Check.skipped(check_id, label, "no OCSP response is stapled, which is allowed")
    if staple.this_update is None:
        return Check.unknown(check_id, label, f"the stapled OCSP response is of no use: {staple.status}")
    if staple.serial != material.leaf.serial:
        return Check.expect(check_id, label, False, "the stapled OCSP response is about another certificate")
    if staple.this_update > now:
        return Check.expect(check_id, label, False, "the stapled OCSP response is not valid yet, by this host's clock")
    if staple.next_update is None:
        return Check.expect(check_id, label, True, f"the stapled OCSP response says {staple.status}, without an end")
    hours = (staple.next_update - now).total_seconds() / 3600
    summary = f"the stapled OCSP response says {staple.status} and {_expires(hours / 24)}"
    return Check.judge(check_id, label, round(hours, 2), target["staple"], summary)
