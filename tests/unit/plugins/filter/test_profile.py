# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter profile, as a playbook uses it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template


def render(expression: str) -> Any:
    return Templar(loader=DataLoader()).template(trust_as_template("{{ " + expression + " }}"))


def test_the_limits_are_what_a_check_takes() -> None:
    assert render("'askproai' | sre.runbooks.profile('system.cpu')") == {"warning": "70", "critical": "90"}
    assert render("'edubot' | sre.runbooks.profile('log.matches')") == {"warning": "10", "critical": "never"}


def test_all_limits_for_a_kind_of_check_come_at_once() -> None:
    assert render("'edubot' | sre.runbooks.profile('system')") == {
        "cpu": {"warning": "80", "critical": "95"},
        "memory": {"warning": "85", "critical": "95"},
    }
    assert render("'standard' | sre.runbooks.profile('system')") == {}, "the module knows"


def test_a_part_can_be_asked_for() -> None:
    assert render("'edubot' | sre.runbooks.profile('log.matches', 'hours')") == 12
    assert render("'edubot' | sre.runbooks.profile('log.matches', part='unit')") == "records"
    assert render("'edubot' | sre.runbooks.profile('log.matches', 'minutes')") is None


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("'edubt' | sre.runbooks.profile('system.cpu')", "there is no profile 'edubt'; there are standard, edubot"),
        ("'edubot' | sre.runbooks.profile('system.cup')", "the profile edubot has no 'system.cup'; it has"),
        ("'edubot' | sre.runbooks.profile('cpu')", "there is no kind of check 'cpu'; there are .*system"),
        ("'edubt' | sre.runbooks.profile('system')", "there is no profile 'edubt'"),
        ("'edubot' | sre.runbooks.profile('system.cpu', 'limit')", "there is no part 'limit'; there are limits, unit"),
    ],
)
def test_what_there_is_not_fails_with_what_there_is(expression: str, sentence: str) -> None:
    with pytest.raises(AnsibleError, match=sentence):
        render(expression)
