# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How credentials look that somebody has left in the source.

Rules with a literal are looked for only where the literal is, because finding bytes is many times as fast as matching a
pattern. What is assigned to a name such as ``password`` has to look like a secret and not like a word, a path or code.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import math
import re
import typing as t

ROUNDS = 10_000
"""Of the fingerprint: enough that a weak password is not read from it by trying, little enough for thousands of findings."""
LONGEST_LINE = 600
"""Of assignments and generic values, in bytes. Longer lines are generated."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A credential that is known by its shape. The group ``secret`` of the pattern, or all of it, is the credential."""

    name: str
    literals: tuple[bytes, ...]
    pattern: t.Pattern[bytes]


@dataclasses.dataclass(frozen=True)
class Match:
    """Where a rule has found something; ``line`` counts from 1."""

    rule: str
    line: int
    secret: bytes


def _rule(name: str, literals: str, pattern: str) -> Rule:
    return Rule(name, tuple(literal.encode() for literal in literals.split()), re.compile(pattern.encode()))


RULES = (
    _rule("private_key", "PRIVATE", r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|[\s\"'.+])*(?:[A-Z][\w-]+: [^\n]{1,80}\s+)*(?P<secret>[A-Za-z0-9+/=]{40,})"),  # noqa: E501
    _rule("aws_access_key", "AKIA ASIA", r"\b(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16})\b"),
    _rule("aws_secret_key", "aws AWS", r"(?i)aws[\w.\- ]{0,20}(?:secret|sk)[\w.\- ]{0,20}[\"'\]]{0,2}\s{0,5}(?:=>|[=:,])\s{0,5}[\"']?(?P<secret>[A-Za-z0-9/+]{40})\b"),  # noqa: E501
    _rule("github_token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"\b(?P<secret>gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b"),  # noqa: E501
    _rule("gitlab_token", "glpat- gldt- glrt-", r"\b(?P<secret>gl(?:pat|dt|rt)-[\w-]{20,})"),
    _rule("slack_token", "xoxb- xoxp- xoxa- xoxr- xoxs- xapp-", r"\b(?P<secret>(?:xox[abprs]|xapp)-[A-Za-z0-9-]{20,})"),
    _rule("slack_webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[A-Z0-9]{8,}/[A-Z0-9]{8,}/[A-Za-z0-9]{20,})"),  # noqa: E501
    _rule("discord_webhook", "/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/(?P<secret>\d{17,20}/[\w-]{60,})"),
    _rule("discord_token", "discord Discord DISCORD", r"[\"'=](?P<secret>[MNO][A-Za-z\d]{23,27}\.[\w-]{6}\.[\w-]{27,40})\b"),
    _rule("telegram_token", ":AA", r"\b(?P<secret>\d{8,10}:AA[\w-]{33})\b"),
    _rule("stripe_key", "k_live_ k_test_ whsec_", r"\b(?P<secret>(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/]{30,})"),
    _rule("paypal_token", "access_token$production$", r"(?P<secret>access_token\$production\$[a-z0-9]{16}\$[0-9a-f]{32})"),
    _rule("square_token", "sq0atp- sq0csp- EAAA", r"\b(?P<secret>sq0(?:atp-[\w-]{22}|csp-[\w-]{43})|EAAA[\w-]{60})\b"),
    _rule("shopify_token", "shpat_ shpss_ shpca_ shppa_", r"\b(?P<secret>shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32})\b"),
    _rule("google_api_key", "AIza", r"\b(?P<secret>AIza[\w-]{35})(?![\w-])"),
    _rule("google_oauth_secret", "GOCSPX-", r"\b(?P<secret>GOCSPX-[\w-]{28})(?![\w-])"),
    _rule("sendgrid_key", "SG.", r"\b(?P<secret>SG\.[\w-]{22}\.[\w-]{43})(?![\w-])"),
    _rule("mailgun_key", "key-", r"\b(?P<secret>key-[0-9a-f]{32})\b"),
    _rule("mailchimp_key", "-us", r"\b(?P<secret>[0-9a-f]{32}-us\d{1,2})\b"),
    _rule("twilio_key", "SK", r"\b(?P<secret>SK[0-9a-f]{32})\b"),
    _rule("npm_token", "npm_", r"\b(?P<secret>npm_[A-Za-z0-9]{36})\b"),
    _rule("pypi_token", "pypi-AgE", r"(?P<secret>pypi-AgE[\w-]{50,})"),
    _rule("openai_key", "sk-", r"\b(?P<secret>sk-(?:proj-|svcacct-)?[\w-]{20,}T3BlbkFJ[\w-]{20,}|sk-ant-[\w-]{30,})"),
    _rule("digitalocean_token", "_v1_", r"\b(?P<secret>do[opr]_v1_[0-9a-f]{64})\b"),
    _rule("azure_storage_key", "AccountKey=", r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)"),
    _rule("vault_token", "hvs. hvb.", r"\b(?P<secret>hv[sb]\.[\w-]{24,})"),
    _rule("age_key", "AGE-SECRET-KEY-1", r"(?P<secret>AGE-SECRET-KEY-1[0-9A-Z]{58})"),
    _rule("jwt", "eyJ", r"\b(?P<secret>eyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,})"),
    _rule("wordpress_salt", "_KEY _SALT", r"define\(\s*[\"'](?:AUTH|SECURE_AUTH|LOGGED_IN|NONCE)_(?:KEY|SALT)[\"']\s*,\s*(?P<q>[\"'])(?P<secret>(?!put your)[^\n]{32,}?)(?P=q)\s*\)"),  # noqa: E501
    _rule("laravel_key", "base64:", r"\bAPP_KEY\s{0,3}=\s{0,3}[\"']?(?P<secret>base64:[A-Za-z0-9+/]{42,44}={0,2})"),
    _rule("url_password", "://", r"://[^\s/:@\"'<>{}$]{1,60}:(?P<secret>[^\s/:@\"'<>{}$%]{3,100})@[\w.\[\]-]+"),
)  # fmt: skip

_NAME = (
    rb"(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key"
    rb"|encryption[_-]?key|signing[_-]?key|credential)s?"
)
_WORDS = (b"passw", b"passphrase", b"pwd", b"secret", b"token", b"key", b"credential")
_ASSIGNED = re.compile(
    rb"(?i)"
    + _NAME
    + rb"[\w-]{0,20}[\"'\]]{0,3}\s{0,20}(?:=>|:=|,|[=:](?![=>:]))\s{0,10}(?P<q>[\"'])(?P<secret>[^\"'\s]{6,200})(?P=q)"
)
_SETTING = re.compile(
    rb"(?im)^[ \t]*(?:export[ \t]+|-[ \t]+)?[\w.-]{0,40}"
    + _NAME
    + rb"[\w-]{0,20}[ \t]{0,10}[=:][ \t]{0,10}(?P<secret>[^\s\"'#][^\s\"']{5,200})[ \t]*(?:#.*)?\r?$"
)
_SETTINGS = re.compile(
    r"(?i)(?:^|\.)(?:env|ini|cnf|conf|cfg|properties|ya?ml|toml|sh)(?:\.|$)|^dockerfile|^\.(?:pgpass|netrc|npmrc)$"
)
_GENERATED = re.compile(r"(?i)(?:[.-]min\.(?:js|css)|\.(?:map|svg|lock|po|pot|css|sum)|-lock\.json|composer\.lock)$")
_LONG = re.compile(rb"(?P<q>[\"'`])(?P<secret>[A-Za-z0-9+/_-]{36,128}={0,2})(?P=q)")

_PLACEHOLDER = re.compile(
    rb"(?i)x{4,}|\*{3,}|\.{3}|<|>|\$\{|\{\{|\}\}|%[sd]|%\(|#\{|\[\[|example|sample|dummy|placeholder|changeme|change[_-]me|"
    rb"\byour|[_-]here(?![a-z])|replace[_-]?me|foo|bar\b|lorem|insert|todo|redacted|^(?:test|demo|my|the|some|fake|default)?[_-]?"
    rb"(?:passwo?r?d|secret|token|key|pwd|pass)[_-]?\d{0,4}$|1234|abcd"
)
_CODE = re.compile(
    rb"^[$/#.@&\\?]|^https?:|->|::|\(|\)|\[|\]|;$|^\w+\.\w+\.\w+$|^[\w.+-]+@[\w-]+(?:\.\w+)+$|^[\w-]+\.(?:php|js|css|html?|json|xml|png)$"
)


def entropy(value: bytes) -> float:
    """Bits of information for each byte, by how often each occurs."""
    counts = collections.Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


def scan(content: bytes, name: str = "") -> t.Iterator[Match]:
    """Everything in the content of a file that looks like a credential. ``name`` is that of the file."""
    seen: set[bytes] = set()
    for rule in RULES:
        if any(literal in content for literal in rule.literals):
            for found in rule.pattern.finditer(content):
                secret = found.group("secret")
                if rule.name == "private_key" or not _PLACEHOLDER.search(secret):
                    seen.add(secret)
                    yield Match(rule.name, _line(content, found.start("secret")), secret)
    for rule_name, position, secret in _by_name(content, name):
        if not any(secret in known or known in secret for known in seen):
            seen.add(secret)
            yield Match(rule_name, _line(content, position), secret)


def _by_name(content: bytes, name: str) -> t.Iterator[tuple[str, int, bytes]]:
    """What is assigned to a name that calls itself secret, and long random values beside such a name."""
    generated = _GENERATED.search(name) is not None
    settings = _SETTINGS.search(name) is not None
    for start, end in _lines_with(content.lower(), _WORDS):
        if end - start > LONGEST_LINE:
            continue
        for pattern in (_ASSIGNED, _SETTING) if settings else (_ASSIGNED,):
            for found in pattern.finditer(content, start, end):
                if plausible(found.group("secret")):
                    yield "assigned_secret", found.start("secret"), found.group("secret")
        if not generated:
            for found in _LONG.finditer(content, start, end):
                if random_looking(found.group("secret")):
                    yield "high_entropy", found.start("secret"), found.group("secret")


def _lines_with(lower: bytes, words: t.Iterable[bytes]) -> list[tuple[int, int]]:
    """Where the lines begin and end that hold one of the words."""
    found: set[tuple[int, int]] = set()
    for word in words:
        position = lower.find(word)
        while position >= 0:
            start = lower.rfind(b"\n", 0, position) + 1
            end = lower.find(b"\n", position)
            end = len(lower) if end < 0 else end
            found.add((start, end))
            position = lower.find(word, end)
    return sorted(found)


def plausible(value: bytes) -> bool:
    """Whether a value may be a password: no placeholder, no code, no word, and not of one kind of character alone."""
    if _PLACEHOLDER.search(value) or _CODE.search(value):
        return False
    letters = re.sub(rb"[^A-Za-z]", b"", value)
    digits = len(re.findall(rb"\d", value))
    signs = len(re.findall(rb"[^\w./:\s-]", value))
    mixed = bool(letters) + bool(digits) + bool(signs) + (letters != letters.lower() and letters != letters.upper())
    return (
        mixed >= 2
        and (digits + signs) >= 1
        and len(set(value)) >= 5
        and entropy(value) >= 2.5
        and _no_identifier(value)
    )


def _no_identifier(value: bytes) -> bool:
    """Words joined by signs, with a number perhaps, name something: ``user-password-2``, ``sha256``, ``wp_token_v1``."""
    words = [word for word in re.split(rb"[\W_]+", value) if word]
    named = all(
        re.fullmatch(rb"[A-Z]?[a-z]{2,}\d{0,3}|[A-Z]{2,}\d{0,3}|(?:[A-Z]?[a-z]{2,})+\d?|v?\d{1,4}|[a-zA-Z]", word)
        for word in words
    )
    return not named or len(re.findall(rb"[^\w./:\s-]", value)) >= 1


def random_looking(value: bytes) -> bool:
    """Whether a long value has upper case, lower case, several digits and no regularity."""
    kinds = [re.search(kind, value) for kind in (rb"[A-Z]", rb"[a-z]")]
    digits = len(re.findall(rb"\d", value))
    return all(kinds) and digits >= 3 and entropy(value) >= 4.3 and not _PLACEHOLDER.search(value)


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def fingerprint(rule: str, secret: bytes) -> str:
    """What stands for a credential in reports and allow-lists: the same wherever it stands, and not to be turned back."""
    return hashlib.pbkdf2_hmac("sha256", secret, f"sre.runbooks secret {rule}".encode(), ROUNDS).hex()[:16]
