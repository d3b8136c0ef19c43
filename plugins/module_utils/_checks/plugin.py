# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Monitoring plugins of others, whose verdict is adopted."""

from __future__ import annotations

import posixpath
import shlex
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._adapt import nagios
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.module_utils._probe import plugins as probe

CHECKS = {
    "plugin.verdict": "The monitoring plugin finds everything in order.",
}
TARGET: dict[str, t.Any] = {
    "command": {"type": "str"},
    "argv": {"type": "list", "elements": "str"},
}
TUNING: dict[str, t.Any] = {
    "environment": {"type": "dict", "default": {}},
    "secret_environment": {"type": "dict", "default": {}, "no_log": True},
}
RULES: dict[str, t.Any] = {
    "required_one_of": [("command", "argv")],
    "mutually_exclusive": [("command", "argv")],
}


def argv(target: t.Mapping[str, t.Any]) -> list[str]:
    """The words of the command. Quotes group them as in a shell; nothing else of a shell is understood."""
    if target["argv"] is not None:
        return list(target["argv"])
    try:
        return shlex.split(target["command"])
    except ValueError as exc:
        raise BadOption(f"command: {exc}") from exc


def name(target: t.Mapping[str, t.Any]) -> str:
    """The plugin without its arguments: they hold limits, which change, and sometimes secrets."""
    return posixpath.basename(argv(target)[0])


def validate(target: t.Mapping[str, t.Any]) -> None:
    option = "argv" if target["argv"] is not None else "command"
    words = argv(target)
    if not words or not words[0]:
        raise BadOption(f"{option}: names no plugin")
    if "/" in words[0] and not words[0].startswith("/"):
        raise BadOption(f"{option}: {words[0]} is neither a name nor a full path")
    if option == "command":
        shell = [word for word in words if word in ("|", "||", "&&", ";", "&", ">", ">>", "<", "2>&1")]
        if shell:
            raise BadOption(f"command: {shell[0]} means nothing here, there is no shell; make it a script")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    given = {**target["environment"], **target["secret_environment"]}
    environment = {variable: str(value) for variable, value in given.items()}
    yield nagios.check("plugin.verdict", target["name"], probe.run(argv(target), target["timeout"], environment))
