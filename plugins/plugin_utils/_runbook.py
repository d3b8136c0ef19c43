# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The runbook as data: read ``sre_runbook``, refuse what cannot be meant, and say where it stands.

The schema of the variable is ``runbook.schema.json`` beside this file.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import json
import re
import typing as t
import zoneinfo
from pathlib import Path

import jsonschema
import yaml

from ansible_collections.sre.runbooks.plugins.plugin_utils._catalogue import promises

SCHEMA = json.loads(Path(__file__).with_name("runbook.schema.json").read_text(encoding="utf-8"))
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DEFAULT_DUE = "24h"
SHOWN = 20
"""Mistakes shown at once."""


class RunbookError(ValueError):
    """The runbook cannot be used as it stands: the message names file, line, occasion, step and key."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One line of the runbook. Exactly one of ``checks``, ``attest`` and ``refused`` says what accounts for it.

    ``due`` is in seconds after the start of the run: when a person who has not attested is late.
    """

    id: str
    title: str
    checks: tuple[str, ...] = ()
    attest: bool = False
    refused: str | None = None
    due: int = 0
    owner: str | None = None


@dataclasses.dataclass(frozen=True)
class Occasion:
    """When somebody looks, at what, and for how long at the most (``budget``, seconds)."""

    id: str
    title: str
    playbook: str
    owner: str
    steps: tuple[Step, ...]
    schedule: str | None = None
    budget: int | None = None


@dataclasses.dataclass(frozen=True)
class Runbook:
    """A system's promise: its occasions by id, in the order in which they are written."""

    system: str
    timezone: str
    occasions: dict[str, Occasion]

    def occasion(self, playbook: str, wanted: str | None = None) -> Occasion | None:
        """The occasion that is wanted by name, else the one that the playbook stands for, else None.

        Raises :class:`RunbookError` when the name is unknown, or when the playbook serves several occasions.
        """
        if wanted:
            if wanted not in self.occasions:
                raise RunbookError(f"sre_occasion: there is no occasion {wanted}{_meant(wanted, self.occasions)}")
            return self.occasions[wanted]
        serving = [occasion for occasion in self.occasions.values() if occasion.playbook == playbook]
        if len(serving) > 1:
            names = ", ".join(occasion.id for occasion in serving)
            raise RunbookError(
                f"the playbook {playbook} serves several occasions: say which, with sre_occasion: {names}"
            )
        return serving[0] if serving else None


def seconds(text: str) -> int:
    """``90s``, ``10m``, ``4h``, ``2d`` or a sum such as ``1h30m``, in seconds."""
    return sum(int(amount) * SECONDS[unit] for amount, unit in re.findall(r"(\d+)([smhd])", text))


def read(data: t.Any, source: Source | None = None) -> Runbook:
    """Turn the variable into a :class:`Runbook`. Raises :class:`RunbookError`, naming all that the schema finds wrong."""
    source = source or Source()
    errors = sorted(
        jsonschema.Draft202012Validator(SCHEMA).iter_errors(data), key=lambda error: [*map(str, error.path)]
    )
    if errors:
        raise RunbookError("\n".join(source.at(error.absolute_path, data, _say(error)) for error in errors[:SHOWN]))
    try:
        zoneinfo.ZoneInfo(data["timezone"])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        problem = f"{data['timezone']} is no time zone, write Europe/Berlin or UTC"
        raise RunbookError(source.at(["timezone"], data, problem)) from None
    occasions = {name: _occasion(name, occasion, data, source) for name, occasion in data["occasions"].items()}
    return Runbook(data["system"], data["timezone"], occasions)


def _occasion(name: str, data: dict[str, t.Any], whole: t.Any, source: Source) -> Occasion:
    steps: list[Step] = []
    for position, step in enumerate(data["steps"]):
        path = ["occasions", name, "steps", position]
        if any(step["id"] == other.id for other in steps):
            raise RunbookError(source.at([*path, "id"], whole, "another step of the occasion has this id"))
        accounts = [key for key in ("checks", "attest", "refused") if step.get(key)]
        if len(accounts) != 1:
            has = " and ".join(accounts) or "none"
            raise RunbookError(
                source.at(path, whole, f"needs exactly one of checks, attest: true and refused: why; it has {has}")
            )
        for number, pattern in enumerate(step.get("checks", [])):
            check_id = pattern.partition("@")[0]
            if not fnmatch.filter(promises(), check_id):
                problem = f"there is no check {check_id}{_meant(check_id, promises())}"
                raise RunbookError(source.at([*path, "checks", number], whole, problem))
        steps.append(
            Step(
                id=step["id"],
                title=step["title"],
                checks=tuple(step.get("checks", ())),
                attest=step.get("attest", False),
                refused=step.get("refused"),
                due=seconds(step.get("due", DEFAULT_DUE)),
                owner=step.get("owner"),
            )
        )
    return Occasion(
        id=name,
        title=data["title"],
        playbook=data["playbook"],
        owner=data["owner"],
        steps=tuple(steps),
        schedule=data.get("schedule"),
        budget=seconds(data["budget"]) if "budget" in data else None,
    )


def _say(error: jsonschema.ValidationError) -> str:
    """What is wrong, in words of the runbook."""
    schema: t.Any = error.schema
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        unknown = min(set(t.cast("dict[str, t.Any]", error.instance)) - set(known))
        return f"unknown key {unknown}{_meant(unknown, known)}"
    if error.validator == "required":
        return "the key " + error.message.split("'")[1] + " is missing"
    if error.validator == "pattern":
        return f"{error.instance!r}: {schema.get('description', error.message)}"
    return str(error.message)


def _meant(word: str, known: t.Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


class Source:
    """The file in which the runbook stands, to say file and line of a mistake. Without one, the variable is named."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    @classmethod
    def find(cls, directories: t.Iterable[str]) -> Source:
        """The first variable file of an inventory or playbook that defines ``sre_runbook``."""
        for directory in directories:
            for path in sorted(Path(directory).glob("*_vars/**/*")):
                if path.is_file() and re.search(rb"(?m)^sre_runbook\s*:", path.read_bytes()[:1_000_000]):
                    return cls(path)
        return cls()

    def at(self, path: t.Iterable[t.Any], data: t.Any, problem: str) -> str:
        """The problem with its place in front: file and line, occasion, step, key."""
        keys = list(path)
        words = []
        if keys[:1] == ["occasions"] and len(keys) > 1:
            words.append(f"occasion {keys[1]}")
            if keys[2:3] == ["steps"] and len(keys) > 3:
                step = data["occasions"][keys[1]]["steps"][keys[3]]
                words.append(f"step {step['id'] if isinstance(step, dict) and 'id' in step else keys[3] + 1}")
                keys_left = keys[4:]
            else:
                keys_left = keys[2:]
        else:
            keys_left = keys
        if keys_left:
            words.append("key " + ".".join(map(str, keys_left)))
        return f"{self._place(keys)}: {', '.join(words) + ': ' if words else ''}{problem}"

    def _place(self, keys: list[t.Any]) -> str:
        if not self.path:
            return "sre_runbook"
        try:
            node = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, yaml.YAMLError):
            return str(self.path)
        line = 1
        for key in ["sre_runbook", *keys]:
            if isinstance(node, yaml.MappingNode):
                found = [(name, value) for name, value in node.value if name.value == str(key)]
                if not found:
                    break
                line, node = found[0][0].start_mark.line + 1, found[0][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
                line = node.start_mark.line + 1
            else:
                break
        return f"{self.path}:{line}"
