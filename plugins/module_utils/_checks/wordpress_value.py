# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A number that the code of a WordPress site computes: a business figure, a count, anything PHP can say."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable, limits, number
from ansible_collections.sre.runbooks.plugins.module_utils._probe import wp_cli as probe

CHECKS = {"wordpress_value.number": "The number that the site computes is as expected."}
TARGET: dict[str, t.Any] = {
    "expression": {"type": "str", "required": True},
    "key": {"type": "str", "no_log": False},
    "unit": {"type": "str", "default": ""},
}
TUNING: dict[str, t.Any] = {
    "path": {"type": "path"},
    "url": {"type": "str"},
    "user": {"type": "str"},
    "executable": {"type": "path", "default": "wp"},
    "number": limits(unit=""),
}


def name(target: t.Mapping[str, t.Any]) -> str:
    return " ".join(filter(None, (target["expression"], target["key"])))


def validate(target: t.Mapping[str, t.Any]) -> None:
    if not target["path"]:
        raise BadOption("path: where WordPress is has to be told")
    if target["expression"].rstrip().endswith(";"):
        raise BadOption("expression: a PHP expression, without the semicolon that would make it a statement")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    site = probe.Site(target["path"], target["url"], target["user"], target["executable"])
    value = figure(probe.evaluate(site, target["expression"], target["timeout"]), target["key"])
    summary = " ".join(filter(None, ("the site computes", number(value), target["unit"])))
    limited = dataclasses.replace(target["number"], unit=target["unit"])
    yield Check.judge("wordpress_value.number", target["name"], value, limited, summary)


def figure(answer: t.Any, key: str | None) -> float:
    """The number in an answer, at the place that ``key`` names. Raises :class:`Unmeasurable` for what is none.

    WordPress and its database hand out numbers as text, so text that is a number is one; true, false, null and an empty
    text are not.
    """
    place = "the answer"
    for step in key.split(".") if key else ():
        try:
            answer = answer[int(step)] if isinstance(answer, list) else answer[step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Unmeasurable(f"{place} has no {step}") from None
        place = f"{place}.{step}"
    if isinstance(answer, str) and re.fullmatch(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", answer):
        return float(answer)
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        what = {"NoneType": "null", "dict": "an object", "list": "a list", "bool": "true or false", "str": "text"}
        raise Unmeasurable(f"{place} is {what.get(type(answer).__name__, type(answer).__name__)}, not a number")
    return float(answer)
