# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""plugin: the verdict of somebody else, adopted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import plugin as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer
from ansible_collections.sre.runbooks.tests.unit.door import checks_of


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the plugin was asked; a test changes what it answers."""
    facts: dict[str, Any] = {"answer": Answer(0, "LOAD OK | load1=1.5;5;10;0;", "")}

    def run(argv: list[str], timeout: float, env: dict[str, str]) -> Answer:
        facts.update(argv=argv, timeout=timeout, env=env)
        answer = facts["answer"]
        assert isinstance(answer, Answer)
        return answer

    monkeypatch.setattr(kind.probe, "run", run)
    return facts


def one(**target: Any) -> Check:
    (check,) = checks_of(kind, targets=[target])
    return check


@pytest.mark.parametrize(
    ("rc", "status"), [(0, "ok"), (1, "warning"), (2, "critical"), (3, "unknown"), (127, "unknown")]
)
def test_the_verdict_of_the_plugin_is_ours(asked: dict[str, Any], rc: int, status: str) -> None:
    asked["answer"] = Answer(rc, "LOAD so and so | load1=1.5;5;10;0;", "")
    check = one(command="check_load -w 5 -c 10")
    assert (check.id, check.target, check.status) == ("plugin.verdict", "check_load", status)


def test_a_plugin_that_is_not_installed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> Answer:
        raise Unmeasurable("check_load is not installed")

    monkeypatch.setattr(kind.probe, "run", absent)
    assert (one(command="check_load").status, one(command="check_load").summary) == (
        "unknown",
        "check_load is not installed",
    )


def test_quotes_group_words_and_nothing_else_of_a_shell_means_anything(asked: dict[str, Any]) -> None:
    one(command="""check_x -s 'two words' -p "$HOME/*" --say=a\\ b""")
    assert asked["argv"] == ["check_x", "-s", "two words", "-p", "$HOME/*", "--say=a b"]


def test_a_list_of_words_is_taken_as_it_is(asked: dict[str, Any]) -> None:
    one(argv=["/opt/check x", "a;b", "'c'", ""])
    assert asked["argv"] == ["/opt/check x", "a;b", "'c'", ""]


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ({}, "one of the following is required"),
        ({"command": "a", "argv": ["a"]}, "mutually exclusive"),
        ({"command": "   "}, "names no plugin"),
        ({"argv": []}, "names no plugin"),
        ({"command": "check_x 'open"}, "No closing quotation"),
        ({"command": "plugins/check_x"}, "neither a name nor a full path"),
        ({"command": "check_x | grep OK"}, "there is no shell"),
        ({"command": "check_x && true"}, "there is no shell"),
        ({"command": "check_x 2>&1"}, "there is no shell"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(target: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadOption, match=complaint):
        one(**target)


def test_variables_of_the_task_and_of_the_target_come_together_as_text(asked: dict[str, Any]) -> None:
    checks_of(
        kind,
        targets=[{"command": "check_x", "environment": {"B": 2}, "secret_environment": {"S": "s"}, "timeout": 7}],
        environment={"A": 1, "B": 1},
    )
    assert asked["env"] == {"A": "1", "B": "2", "S": "s"}
    assert asked["timeout"] == 7


def test_the_same_plugin_twice_needs_names(asked: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match="give one a name of its own"):
        checks_of(kind, targets=[{"command": "check_tcp -p 22"}, {"command": "check_tcp -p 80"}])
    named = [{"command": "check_tcp -p 22", "name": "ssh"}, {"command": "check_tcp -p 80", "name": "web"}]
    assert [check.target for check in checks_of(kind, targets=named)] == ["ssh", "web"]
