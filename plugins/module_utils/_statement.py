# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is left of an SQL statement that may be shown: its shape, without the values of anybody."""

from __future__ import annotations

import re

LONGEST = 10_000
"""Characters of a statement that are looked at; the rest is values, mostly."""

_PARTS = re.compile(
    r"""
      (?P<comment> /\*.*?(?:\*/|\Z) | (?:--(?=\s|\Z)|\#)[^\n]* )
    | (?P<name> `[^`]*(?:`|\Z) )
    | (?P<value> '(?:[^'\\]|\\.?|'')*(?:'|\Z) | "(?:[^"\\]|\\.?|"")*(?:"|\Z)
               | (?<![\w$]) (?: 0[xX][0-9a-fA-F]+ | \d+(?:\.\d*)?(?:[eE][+-]?\d+)? | \.\d+ ) (?![\w$]) )
    """,
    re.DOTALL | re.VERBOSE,
)
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS = re.compile(r"(\(\?(?:, …)?\))(?:\s*,\s*\(\?(?:, …)?\))+")


def shape(statement: str, longest: int = 300) -> str:
    """The statement on one line, comments gone, every value a ``?``, lists of values as ``(?, …)``.

    A string that does not end, as in a statement that was cut off, counts as a value to its end. Two statements that
    differ in their values alone have the same shape.
    """
    text = _PARTS.sub(_replace, statement[:LONGEST])
    text = _ROWS.sub(r"\1, …", _LIST.sub("(?, …)", " ".join(text.split())))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _replace(found: re.Match[str]) -> str:
    if found["comment"]:
        return " "
    return found["name"] or "?"
