# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Run a command of another tool for a playbook: what it changes is declared, check mode and ``changed`` are honest."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer

OPTIONS: dict[str, t.Any] = {
    "command": {"type": "list", "elements": "str", "required": True},
    "reads": {"type": "bool", "default": False},
    "unless": {"type": "list", "elements": "str"},
    "watch": {"type": "list", "elements": "str"},
    "parse": {"type": "bool", "default": False},
    "accept": {"type": "list", "elements": "int", "default": [0]},
    "stdin": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 300.0},
}
EXCLUSIVE = [("reads", "unless"), ("reads", "watch")]

Run = t.Callable[[t.Sequence[str], str], Answer]


class Refused(Exception):
    """The command cannot be run, or did not do what it should. Carries what it answered, if it did."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


def carry_out(
    module: AnsibleModule, run: Run, complaint: t.Callable[[Answer], str], document: t.Callable[[str], t.Any]
) -> None:
    """Body of a module with :data:`OPTIONS`: run, and exit with the answer.

    ``run`` starts the tool with arguments and standard input; ``complaint`` finds what is wrong in an answer; ``document``
    finds the JSON in its standard output, None for none.
    """
    try:
        result = _carry_out(module.params, module.check_mode, run, complaint, document)
    except Unmeasurable as exc:
        module.fail_json(msg=str(exc))
    except Refused as exc:
        module.fail_json(msg=str(exc), **(_told(exc.answer) if exc.answer else {}))
    module.exit_json(**result)


def _carry_out(
    params: t.Mapping[str, t.Any],
    check_mode: bool,
    run: Run,
    complaint: t.Callable[[Answer], str],
    document: t.Callable[[str], t.Any],
) -> dict[str, t.Any]:
    words = " ".join(params["command"])
    if params["unless"] and _is_done(run(params["unless"], ""), complaint):
        return {"changed": False, "msg": f"nothing to do: {' '.join(params['unless'])} says so"}
    if check_mode and not params["reads"]:
        return {"changed": True, "msg": f"would run {words}"}
    before = _seen(params, run, complaint)
    answer = run(params["command"], params["stdin"] or "")
    if answer.rc not in params["accept"]:
        raise Refused(f"{words} ended with exit code {answer.rc}: {complaint(answer)}", answer)
    after = _seen(params, run, complaint)
    parsed = document(answer.stdout) if params["parse"] else None
    if params["parse"] and parsed is None:
        raise Refused(f"{words} printed no JSON, which may mean that there is nothing, or that nobody answered", answer)
    changed = not params["reads"] if before is None else before != after
    # Ansible takes another exit code than 0 for a failure, unless it is told that it is none.
    result = {"changed": changed, "failed": False, "msg": f"ran {words}", **_told(answer), "json": parsed}
    return result if before is None else {**result, "diff": {"before": before, "after": after}}


def _is_done(answer: Answer, complaint: t.Callable[[Answer], str]) -> bool:
    """Exit code 0 says that it is done. Another one says no, if it is not a complaint: then nobody knows."""
    if answer.rc and answer.stderr.strip():
        raise Refused(f"whether there is anything to do cannot be told: {complaint(answer)}", answer)
    return answer.rc == 0


def _seen(params: t.Mapping[str, t.Any], run: Run, complaint: t.Callable[[Answer], str]) -> str | None:
    if not params["watch"]:
        return None
    answer = run(params["watch"], "")
    if answer.rc:
        raise Refused(f"what is watched cannot be seen: {complaint(answer)}", answer)
    return answer.stdout


def _told(answer: Answer) -> dict[str, t.Any]:
    return dict(answer.__dict__)
