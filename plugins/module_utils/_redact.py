# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Take secrets and people out of text that is kept as evidence.

What is lost to a false alarm here is a word of a sample; what is kept by a miss is in every report. So it leans towards
taking out. IP addresses, user names without a mail domain and plain numbers stay: diagnosis needs them.
"""

from __future__ import annotations

import re
import typing as t

HIDDEN = "***"

_KEY = r"""
    (?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key|encryption[_-]?key
    |app[_-]?key|auth[_-]?key|session[_-]?id|phpsessid|sessid|nonce)
    [\w-]{0,20} \\{0,2}["'\]]{0,2} \s{0,3} (?:=>|[=:](?!>)) \s{0,3}
"""
_VALUE = r"""
    (?: \\{0,2}" (?:[^"\\]|\\(?!").)+ \\{0,2}" | '(?:[^'\\]|\\.)+' | [^\s"'&,;)}\]]+ )
"""

_RULES: tuple[tuple[t.Pattern[str], t.Any], ...] = (
    # Whole keys first: nothing inside of them is to be looked at one by one.
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        "[private key]",
    ),
    # scheme://user:password@host, also without a user; the last @ before the path ends the password.
    (re.compile(r"([A-Za-z][\w+.-]{0,20}://[^\s/:@]{0,100}:)[^\s/]{1,300}@"), rf"\1{HIDDEN}@"),
    # Headers: Authorization: Bearer …, Cookie: a=b; c=d
    (re.compile(r"""(?i)(authorization["']?\s{0,3}[:=]\s{0,3}["']?(?:[A-Za-z]+\s+)?)[^\s"',]+"""), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}"), rf"\1{HIDDEN}"),
    (re.compile(r"""(?i)((?:set-)?cookie["']?\s{0,3}:\s{0,3}["']?)[^"'\n]+"""), rf"\1{HIDDEN}"),
    # key=value, "key": "value", [key] => value. "using password: YES" is the server's own word and helps.
    (re.compile(rf"(?ix) ({_KEY}) (?!(?:yes|no|true|false|null)\b|\*{{3}}) {_VALUE}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)([?&](?:key|code|sig|signature|state|x-amz-signature)=)[^&\s\"']+"), rf"\1{HIDDEN}"),
    # Commands and statements as they stand in shell histories and query logs.
    (re.compile(r"((?:mysql|mariadb)[\w-]*\s(?:[^\n]{0,200}?\s)?-p)[^\s-]\S*"), rf"\1{HIDDEN}"),
    (re.compile(r"(\bcurl\s(?:[^\n]{0,200}?\s)?(?:-u|--user)[ =]?[\"']?[^\s:\"']{1,100}:)[^\s\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\b(?:redis-cli\s(?:[^\n]{0,200}?\s)?-a|sshpass\s+-p)\s*)\S+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)(\b(?:identified\s+by|password)\s*\(?\s*)'[^']*'"), rf"\1{HIDDEN}"),
    # Keys that are known by their shape, wherever they stand.
    (
        re.compile(
            r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeoprs]-[\w-]{10,}"
            r"|[sr]k_(?:live|test)_\w{10,}|whsec_\w{10,}|AIza[\w-]{30,}|npm_\w{30,}|SG\.[\w-]{16,}\.[\w-]{16,}"
            r"|sk-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|base64:[\w+/]{30,}={0,2}|\$2[aby]\$\d\d\$[\w./]{53})"
        ),
        "[token]",
    ),
    (re.compile(r"(?<![\w+/=-])[\w+=-]{32,}"), lambda found: _long_word(found.group())),
    (re.compile(r"[\w.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"), "[mail]"),
    (re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w-])"), lambda found: _card(found.group())),
)


def _long_word(text: str) -> str:
    """Upper case, lower case and several digits in one long word: no prose and no identifier."""
    kinds = [any(map(test, text)) for test in (str.isupper, str.islower)]
    return "[token]" if all(kinds) and sum(map(str.isdigit, text)) > 2 else text


def _card(text: str) -> str:
    """A payment card number has a check digit (Luhn); other long numbers are left as they are."""
    digits = [int(digit) for digit in reversed(text) if digit.isdigit()]
    total = sum(sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(digits))
    return "[card]" if total % 10 == 0 else text


def redact(text: str) -> str:
    """The text without passwords, tokens, keys, cookies, mail addresses and payment card numbers.

    Time is linear in the text.
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
