# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of other tools, run by a playbook: what is run when, and what counts as a change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sre.runbooks.plugins.module_utils import _tool
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer
from ansible_collections.sre.runbooks.plugins.module_utils._probe.wp_cli import complaint, document


class Tool:
    """A tool that gives its answers in turn, and remembers what it was asked."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers, self.asked = answers, []  # type: dict[str, list[Answer]], list[str]

    def run(self, arguments: Sequence[str], _stdin: str) -> Answer:
        self.asked.append(" ".join(arguments))
        return self.answers[arguments[0]].pop(0)


def done(stdout: str = "", rc: int = 0, stderr: str = "") -> Answer:
    return Answer(rc, stdout, stderr)


def task(tool: Tool, capfd: pytest.CaptureFixture[str], *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """The result of a task, as Ansible gets it."""

    def main() -> None:
        module = AnsibleModule(_tool.OPTIONS, mutually_exclusive=_tool.EXCLUSIVE, supports_check_mode=True)
        _tool.carry_out(module, tool.run, complaint, document)

    arguments = {"_ansible_check_mode": check_mode, "command": ["write"], **options}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        main()
    return dict(json.loads(capfd.readouterr().out))


def test_a_command_about_which_nothing_is_known_changes_something(capfd: pytest.CaptureFixture[str]) -> None:
    result = task(Tool(write=[done("Success: done\n")]), capfd)
    assert (result["changed"], result["rc"], result["stdout"]) == (True, 0, "Success: done\n")


def test_check_mode_runs_nothing_that_may_write(capfd: pytest.CaptureFixture[str]) -> None:
    tool = Tool()
    result = task(tool, capfd, check_mode=True)
    assert (tool.asked, result["changed"], result["msg"]) == ([], True, "would run write")


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_command_that_reads_is_always_run_and_changes_nothing(
    capfd: pytest.CaptureFixture[str], check_mode: bool
) -> None:
    tool = Tool(list=[done("[]")])
    result = task(tool, capfd, check_mode=check_mode, command=["list"], reads=True, parse=True)
    assert (tool.asked, result["changed"], result["json"]) == (["list"], False, [])


@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_run_when_there_is_nothing_to_do(capfd: pytest.CaptureFixture[str], check_mode: bool) -> None:
    tool = Tool(**{"is-active": [done()]})
    result = task(tool, capfd, check_mode=check_mode, unless=["is-active"])
    assert (tool.asked, result["changed"]) == (["is-active"], False)


def test_what_is_to_be_done_is_done_or_told(capfd: pytest.CaptureFixture[str]) -> None:
    tool = Tool(**{"is-active": [done(rc=1), done(rc=1)]}, write=[done()])
    assert task(tool, capfd, check_mode=True, unless=["is-active"])["msg"] == "would run write"
    assert task(tool, capfd, unless=["is-active"])["changed"] is True
    assert tool.asked == ["is-active", "is-active", "write"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_question_that_fails_is_no_answer(capfd: pytest.CaptureFixture[str], check_mode: bool) -> None:
    """As recorded: ``maintenance-mode is-active`` ends with 1 when it is not, and when the database is down."""
    broken = done(rc=1, stderr="Error: Error establishing a database connection.\n")
    tool = Tool(**{"is-active": [broken]})
    result = task(tool, capfd, check_mode=check_mode, unless=["is-active"])
    assert result["failed"]
    assert "cannot be told: Error establishing a database connection" in result["msg"]
    assert tool.asked == ["is-active"]


@pytest.mark.parametrize(("after", "changed"), [("6.8.7\n", False), ("6.8.9\n", True)])
def test_what_is_watched_tells_whether_something_has_changed(
    capfd: pytest.CaptureFixture[str], after: str, changed: bool
) -> None:
    tool = Tool(version=[done("6.8.7\n"), done(after)], write=[done("Success: whatever\n")])
    result = task(tool, capfd, watch=["version"])
    assert (result["changed"], result["diff"]) == (changed, {"before": "6.8.7\n", "after": after})


def test_a_watch_that_cannot_see_stops_before_anything_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    tool = Tool(version=[done(rc=1, stderr="Error: no")])
    assert task(tool, capfd, watch=["version"])["failed"]
    assert tool.asked == ["version"]


def test_another_exit_code_fails_with_what_was_said(capfd: pytest.CaptureFixture[str]) -> None:
    tool = Tool(write=[done("half\n", 1, "Error: the disk is full\n"), done(rc=1)])
    result = task(tool, capfd)
    assert (result["failed"], result["rc"], result["stdout"]) == (True, 1, "half\n")
    assert result["msg"] == "write ended with exit code 1: the disk is full"
    assert task(tool, capfd, accept=[0, 1])["failed"] is False, "without the word, Ansible goes by the exit code"


@pytest.mark.parametrize("printed", ["", "Success.\n", "0\n", "[1"])
def test_no_json_is_not_an_empty_list(capfd: pytest.CaptureFixture[str], printed: str) -> None:
    result = task(Tool(list=[done(printed)]), capfd, command=["list"], reads=True, parse=True)
    assert result["failed"]
    assert "printed no JSON" in result["msg"]


def test_json_is_found_among_warnings(capfd: pytest.CaptureFixture[str]) -> None:
    tool = Tool(get=[done('\nWarning: x in a.php\n{"a": [1]}\n')])
    assert task(tool, capfd, command=["get"], reads=True, parse=True)["json"] == {"a": [1]}


def test_a_tool_that_is_missing_fails_the_task(capfd: pytest.CaptureFixture[str]) -> None:
    class Missing(Tool):
        def run(self, arguments: Sequence[str], _stdin: str) -> Answer:
            raise Unmeasurable("wp is not installed")

    assert task(Missing(), capfd)["msg"] == "wp is not installed"


def test_a_command_cannot_both_read_and_have_something_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    assert task(Tool(), capfd, reads=True, unless=["is-active"])["failed"]
