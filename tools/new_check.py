# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write everything that a new kind of check needs, so that its author begins with what is particular about it.

    python tools/new_check.py queue "length:The queue is short." "age:No job waits long."
    python tools/new_check.py --wire          only wire the kinds that are there into checkup and the action group

What is written runs and is tested as it stands; what its author has to say is marked REPLACE_ME, and a test refuses
to let that through. Nothing that exists is overwritten.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKS = "plugins/module_utils/_checks"

LICENSE = """\
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
PRIVATE = f"""{LICENSE}
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""


def kinds(root: Path) -> list[str]:
    """The kinds of check in a tree."""
    return sorted(path.stem for path in (root / CHECKS).glob("*.py") if path.stem != "__init__")


def module_for(root: Path, kind: str) -> str:
    """The module of a kind, which may name another than KIND_check."""
    text = (root / CHECKS / f"{kind}.py").read_text(encoding="utf-8")
    named = re.search(r'(?m)^MODULE = "(\w+)"', text)
    return named[1] if named else f"{kind}_check"


def wire(root: Path) -> None:
    """Name every kind in ``checkup`` and in the action group, in order. Also settles a merge conflict in these lines."""
    found = kinds(root)
    checkup, runtime = root / "plugins/modules/checkup.py", root / "meta/runtime.yml"
    text = checkup.read_text(encoding="utf-8")
    documented = "".join(
        f"  {kind}:\n    description: See M(sre.runbooks.{module_for(root, kind)}).\n    type: dict\n" for kind in found
    )
    text = _between(text, "options:\n", '"""\n', documented)
    text = _between(
        text, "_checks import (  # noqa: F401\n", "    )\n", "".join(f"        {kind},\n" for kind in found)
    )
    text = _between(text, "KINDS = (", ")\n", "\n" + "".join(f'    "{kind}",\n' for kind in found))
    checkup.write_text(text, encoding="utf-8")
    grouped = "".join(f"    - {module_for(root, kind)}\n" for kind in found)
    text = re.sub(
        r"(    - checkup\n)(?:    - \w+\n|[<=>]{7}.*\n)*",
        lambda match: match[1] + grouped,
        runtime.read_text(encoding="utf-8"),
    )
    runtime.write_text(text, encoding="utf-8")


def _between(text: str, start: str, end: str, new: str) -> str:
    if start not in text:
        sys.exit(f"checkup.py has no line {start!r}")
    before, rest = text.split(start, 1)
    return before + start + new + end + rest.split(end, 1)[1]


def check_of(kind: str, promises: dict[str, str]) -> str:
    checks = "".join(f'    "{kind}.{name}": "{promise}",\n' for name, promise in promises.items())
    limits = "".join(
        f'    "{name}": limits(80, 90, unit="%"),  # REPLACE_ME: the limits and the unit\n' for name in promises
    )
    judged = "".join(
        f"""\
    yield Check.judge(
        "{kind}.{name}",
        target["name"],
        facts.{name},
        target["{name}"],
        f"{{facts.{name}:.1f}} % of {name}",
    )
"""
        for name in promises
    )
    return f'''{PRIVATE}
"""REPLACE_ME: what is judged here, in one sentence."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, limits
from ansible_collections.sre.runbooks.plugins.module_utils._probe import {kind} as probe

CHECKS = {{
{checks}}}
TARGET: dict[str, t.Any] = {{
    "address": {{"type": "str", "required": True}},
}}
TUNING: dict[str, t.Any] = {{
{limits}}}


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    facts = probe.facts(target["address"], target["timeout"])
{judged}'''


def probe_of(promises: dict[str, str]) -> str:
    fields = "".join(f"    {name}: float\n" for name in promises)
    return f'''{PRIVATE}
"""REPLACE_ME: where these facts come from."""

from __future__ import annotations

import dataclasses

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable


@dataclasses.dataclass(frozen=True)
class Facts:
    """REPLACE_ME: what is known about one target, with units."""

{fields}

def facts(address: str, timeout: float) -> Facts:
    """REPLACE_ME: ask the target, within ``timeout`` seconds. Raises :class:`Unmeasurable` with what, where and why."""
    raise Unmeasurable(f"{{address}}: nothing asks it yet, so there is no answer within {{timeout:g}} s")
'''


def module_of(kind: str, promises: dict[str, str]) -> str:
    def limit(name: str, indent: str, default: bool) -> str:
        text = f"How much {name} is fine, in percent. REPLACE_ME"
        described = f"*{name}" if default else f"&{name} {text}"
        low, high = (', default: "80"', ', default: "90"') if default else ("", "")
        lines = [
            f"{name}:",
            f"  description: {described}",
            "  type: dict",
            "  suboptions:",
            f"    warning: {{description: The last value that is fine., type: str{low}}}",
            f"    critical: {{description: The last value that is not critical., type: str{high}}}",
        ]
        return "".join(f"{indent}{line}\n" for line in lines)

    first = next(iter(promises))
    return f'''#!/usr/bin/python
{LICENSE}
from __future__ import annotations

DOCUMENTATION = r"""
module: {kind}_check
short_description: Check REPLACE_ME
version_added: 0.1.0
description:
  - REPLACE_ME what is measured, and what makes it unknown.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The targets to measure. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description: REPLACE_ME how a target is addressed.
        type: str
        required: true
      name:
        description: What to call the target in reports and history. By default its O(targets[].address).
        type: str
{"".join(limit(name, "      ", False) for name in promises)}\
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
{"".join(limit(name, "  ", True) for name in promises)}\
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check the one there is
  sre.runbooks.{kind}_check:
    targets: [{{address: localhost}}]

- name: Check two, of which one may have more
  sre.runbooks.{kind}_check:
    targets:
      - address: one.example.org
      - address: two.example.org
        {first}: {{warning: 85, critical: 95}}
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import {kind} as kind
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(kind)


if __name__ == "__main__":
    main()
'''


def test_of_check(kind: str, promises: dict[str, str]) -> str:
    ids = "".join(f'    "{kind}.{name}",\n' for name in promises)
    same = ", ".join(f"{name}=value" for name in promises)
    return f'''{LICENSE}
"""{kind}: what is judged."""

from __future__ import annotations

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import {kind} as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.{kind} import Facts
from ansible_collections.sre.runbooks.tests.unit.door import checks_of, statuses

IDS = [
{ids}]


@pytest.mark.parametrize(("value", "status"), [(80, "ok"), (81, "warning"), (90, "warning"), (91, "critical")])
def test_values_are_judged_on_inside_and_outside_of_their_limits(
    monkeypatch: pytest.MonkeyPatch, value: float, status: str
) -> None:
    monkeypatch.setattr(kind.probe, "facts", lambda *_: Facts({same}))
    assert statuses(checks_of(kind, targets=[{{"address": "x"}}])) == dict.fromkeys(IDS, status)


def test_a_target_that_gives_no_answer_is_one_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> Facts:
        raise Unmeasurable("x: no answer")

    monkeypatch.setattr(kind.probe, "facts", silent)
    found = checks_of(kind, targets=[{{"address": "x"}}])
    assert [check.status for check in found] == ["unknown", *["skipped"] * (len(IDS) - 1)]
    assert found[0].summary == "x: no answer"
'''


def test_of_probe(kind: str) -> str:
    return f'''{LICENSE}
"""{kind}: the real thing made small."""

from __future__ import annotations

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import {kind} as probe


def test_what_is_not_there_is_unmeasurable() -> None:
    with pytest.raises(Unmeasurable):
        probe.facts("no-such-target.invalid", 1)
'''


def page_of(check_id: str, promise: str) -> str:
    return f"""\
# {check_id}

{promise}

## What it means

REPLACE_ME: what is wrong when this is red, and what follows if nobody acts. What `unknown` means.

## First look

    REPLACE_ME the three commands that show it

## Fix

1. REPLACE_ME: from the harmless to the costly.

## Escalate

REPLACE_ME: to whom, and when.
"""


def files_of(kind: str, promises: dict[str, str]) -> dict[str, str]:
    """Path in the tree → content."""
    tests = "tests/unit/plugins/module_utils"
    return {
        f"{CHECKS}/{kind}.py": check_of(kind, promises),
        f"plugins/module_utils/_probe/{kind}.py": probe_of(promises),
        f"plugins/modules/{kind}_check.py": module_of(kind, promises),
        f"{tests}/_checks/test_{kind}.py": test_of_check(kind, promises),
        f"{tests}/_probe/test_{kind}.py": test_of_probe(kind),
        f"changelogs/fragments/{kind}.yml": f"---\nminor_changes:\n  - {kind}_check module - REPLACE_ME what an operator notices.\n",
        **{f"docs/runbooks/{kind}.{name}.md": page_of(f"{kind}.{name}", promise) for name, promise in promises.items()},
    }


def read_promises(kind: str, given: list[str]) -> dict[str, str]:
    """``id:promise`` arguments as property → promise; the id with or without its kind."""
    promises = {}
    for item in given:
        check_id, _, promise = item.partition(":")
        name = check_id[len(kind) + 1 :] if check_id.startswith(f"{kind}.") else check_id
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            sys.exit(f"{check_id}: a check id is <kind>.<property>, in lower case")
        if not re.fullmatch(r"[A-Z].*[^.]\.", promise.strip()) or '"' in promise:
            sys.exit(
                f"{check_id}: a promise is one sentence, present tense, true when ok, with a full stop: {promise!r}"
            )
        promises[name] = promise.strip()
    return promises


def write(root: Path, kind: str, promises: dict[str, str]) -> list[str]:
    """Write the files of a kind and wire it. Returns what was written."""
    files = files_of(kind, promises)
    there = [path for path in files if (root / path).exists()]
    if there:
        sys.exit(f"these exist already, nothing was written: {', '.join(there)}")
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    wire(root)
    return [*files, "plugins/modules/checkup.py", "meta/runtime.yml"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", nargs="?", help="the subject, singular: queue")
    parser.add_argument("checks", nargs="*", metavar="id:promise", help='what is judged: "length:The queue is short."')
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to write into")
    parser.add_argument("--wire", action="store_true", help="only wire the kinds that are there")
    given = parser.parse_args()
    if given.wire:
        wire(given.root)
        return
    if not given.kind or not re.fullmatch(r"[a-z][a-z0-9_]*", given.kind) or not given.checks:
        parser.error("give a kind in lower case and at least one id:promise")
    for path in write(given.root, given.kind, read_promises(given.kind, given.checks)):
        print(path)
    print(
        "\nNow replace what is marked REPLACE_ME (grep -rn REPLACE_ME), beginning with the probe. docs/contract.md explains the rest."
    )


if __name__ == "__main__":
    main()
