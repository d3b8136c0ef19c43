# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What kind of message it is: the same sentence with the names, numbers and ids of the case taken out."""

from __future__ import annotations

import hashlib
import re

from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

LONGEST = 200
"""Characters of a signature: what comes later is seldom what tells two kinds apart."""

_FOLDS = (
    (re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"), "<id>"),
    (re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\w+://[^\s\"'<>]+"), "<url>"),
    (re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?"), "<ip>"),
    (re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{1,4}(?![\w:])"), "<ip>"),
    (
        re.compile(
            r"(?<![\w.])(?<!GET )(?<!HEAD )(?<!POST )(?<!PUT )(?<!PATCH )(?<!DELETE )/(?:[\w.@+%~-]+/)*[\w.@+%~-]*"
        ),
        "<path>",
    ),
    (re.compile(r"\b(?:0x[0-9a-fA-F]+|(?=[a-f]*\d)[0-9a-f]{8,}|[A-Za-z_]*\d[\w]{15,})\b"), "<id>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def fold(message: str) -> str:
    """The signature of a message, redacted: numbers, ids, addresses and paths are folded, those of requests aside."""
    text = redact(message[: 4 * LONGEST])
    for pattern, replacement in _FOLDS:
        text = pattern.sub(replacement, text)
    return text.strip()[:LONGEST]


def digest(signature: str) -> str:
    """A short stable name of a signature, for remembering which ones were seen."""
    return hashlib.sha256(signature.encode("utf-8", "backslashreplace")).hexdigest()[:16]
