# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.plugins.plugin_utils._notify import Notifier, read

URL = "json://ops:s3cr3t-word@hooks.example.org/t0ken-of-ours"


def test_a_notifier_needs_a_name_and_urls_and_has_defaults_for_the_rest() -> None:
    assert read([{"name": "ops", "urls": [URL]}]) == [
        Notifier("ops", (URL,), ("new", "worse", "recovered", "missing"), "warning", None)
    ]


def test_everything_can_be_given() -> None:
    given = {"name": "pager", "urls": URL, "on": ["new", "worse"], "minimum": "critical", "repeat": "1h30m"}
    assert read([given]) == [Notifier("pager", (URL,), ("new", "worse"), "critical", 1.5)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"urls": [URL]}, "sre_notify[0].name: is missing"),
        ({"name": "ops"}, "sre_notify[0].urls: is missing"),
        ({"name": "ops", "urls": []}, "sre_notify[0].urls: is missing"),
        ({"name": "ops", "urls": [URL, "s3cr3t-word"]}, "sre_notify[0].urls[1]: is no URL"),
        (
            {"name": "ops", "urls": ["jsom://s3cr3t-word@h"]},
            "sre_notify[0].urls[0]: Apprise understands no such jsom://",
        ),
        ({"name": "ops", "urls": ["slack://s3cr3t-word"]}, "Apprise understands no such slack:// URL; check its parts"),
        ({"name": "ops", "url": URL, "urls": [URL]}, "sre_notify[0]: unknown key url; did you mean urls?"),
        ({"name": "ops", "urls": [URL], "on": ["newer"]}, "sre_notify[0].on: 'newer' is none of new, worse"),
        ({"name": "ops", "urls": [URL], "on": []}, "sre_notify[0].on: is not a list"),
        ({"name": "ops", "urls": [URL], "minimum": "ok"}, "sre_notify[0].minimum: 'ok' is none of warning, unknown"),
        ({"name": "ops", "urls": [URL], "repeat": "4"}, "sre_notify[0].repeat: '4' is no duration; write 4h"),
        ({"name": "ops", "urls": [URL], "repeat": "0h"}, "sre_notify[0].repeat: '0h' is no duration"),
        ("ops", "sre_notify[0]: is not a dictionary"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_without_a_url(
    wrong: t.Any, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadOption) as caught:
        read([wrong])
    assert said in str(caught.value)
    printed = "".join(capfd.readouterr())
    assert "s3cr3t-word" not in str(caught.value) + printed
    assert "t0ken-of-ours" not in str(caught.value) + printed


def test_two_notifiers_of_one_name_are_refused() -> None:
    with pytest.raises(BadOption, match="two notifiers are called ops"):
        read([{"name": "ops", "urls": [URL]}, {"name": "ops", "urls": [URL]}])


def test_something_else_than_a_list_is_refused() -> None:
    with pytest.raises(BadOption, match="sre_notify: is not a list"):
        read({"name": "ops"})


def test_a_notifier_does_not_show_its_urls() -> None:
    assert "s3cr3t-word" not in repr(read([{"name": "ops", "urls": [URL]}]))
