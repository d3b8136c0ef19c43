# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever text comes from hosts, logs and databases: no format breaks, and none lets it speak for us."""

from __future__ import annotations

import html.parser
import json as json_of_python
import re
import typing as t
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import (
    html as html_renderer,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import (
    json,
    junit,
    markdown,
    nagios,
    prometheus,
    terminal,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report
from ansible_collections.sre.runbooks.tests import samples
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import Step, record, report

NASTY = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    'quote " backslash \\ newline \n return \r tab \t',
    "NUL \0 escape \033[31m bell \a delete \x7f C1 \x9b",
    "lone surrogate \ud800 noncharacter \uffff",
    "]]> &amp; <!-- --> {{ 7*7 }} {% raw %}",
    "| perfdata=1 | pipe",
    "\n# HELP sre_check_status\nsre_check_status 1\n",
    "",
]
ANY = st.text(st.characters(codec=None)) | st.sampled_from(NASTY)


_SHEET = (*samples.proof("shop")["detail"], "blocked_by")


def hostile(text: str) -> Report:
    """A report with the text wherever text can come from outside."""
    more = {
        "host": text or "h",
        "labels": {text: text, "host": text},
        "detail": {text: [text], "log": text},
        "value": 1.0,
    }
    waiver = {"reason": text, "owner": text, "until": text}
    return report(
        [
            record("a.b", text, "critical", text, unit=text, warning=text, change="new", **more),
            record("a.c", text, "critical", text, waiver=waiver, **more),
            record("a.d", text, "warning", text, **more),
            record("a.d", text, "unknown", text, **more),
            record("restore.proof", text, "critical", text, **{**more, "detail": dict.fromkeys(_SHEET, text)}),
            record("restore.proof", text, "ok", text, **{**more, "detail": {name: {text: [text]} for name in _SHEET}}),
        ],
        [Step("S1", text, checks=("a.b",), owner=text), Step("S2", text, refused=text or "no")],
        run={"user": text, "path": f"/{text}"},
        on_call=text,
    )


class Tags(html.parser.HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _value in attrs}


USUAL = Tags(html_renderer.render(hostile("plain")))


def with_nasty(test: t.Any) -> t.Any:
    """The nasty texts always, and some that hypothesis finds."""
    for text in NASTY:
        test = example(text)(test)
    return settings(max_examples=40, deadline=None)(given(ANY)(test))


@with_nasty
def test_no_text_becomes_a_tag_or_an_attribute(text: str) -> None:
    page = html_renderer.render(hostile(text))
    seen = Tags(page)
    assert seen.attributes <= USUAL.attributes
    assert set(seen.tags) <= set(USUAL.tags)
    assert not set(seen.tags) & {"script", "img", "iframe", "object", "form"}
    page.encode("utf-8")
    assert not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f]", page)


@with_nasty
def test_junit_stays_xml_with_every_case_in_it(text: str) -> None:
    tree = ET.fromstring(junit.render(hostile(text)).encode("utf-8"))
    (suite,) = tree
    assert [child.tag for case in suite for child in case] == ["failure", "failure", "error", "system-out", "skipped"]


LINE = re.compile(r'[a-z_]+\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)+\} -?[0-9][0-9.e+-]*')


@with_nasty
def test_every_line_for_prometheus_is_a_comment_or_one_sample_and_no_series_comes_twice(text: str) -> None:
    lines = prometheus.render(hostile(text)).split("\n")[:-1]
    samples = [line for line in lines if not line.startswith("# ")]
    assert [line for line in samples if not LINE.fullmatch(line)] == []
    series = [line.rpartition(" ")[0] for line in samples]
    assert len(series) == len(set(series))
    for line in samples:
        names = re.findall(r'[{,]([a-zA-Z_]\w*)="', re.sub(r'"(?:[^"\\]|\\.)*"', '""', line))
        assert len(names) == len(set(names))


@with_nasty
def test_json_stays_json(text: str) -> None:
    whole = json_of_python.loads(json.render(hostile(text)).encode("utf-8"))
    assert whole["run"]["user"] == text


@with_nasty
def test_a_finding_stays_one_line_and_no_escape_reaches_the_terminal(text: str) -> None:
    for shown in (terminal.render(hostile(text)), nagios.render(hostile(text))):
        assert "\033" not in shown
        assert "\0" not in shown
        shown.encode("utf-8")
    assert len(terminal.render(hostile(text)).split("\n")) == 11
    assert nagios.render(hostile(text)).count("\n") == 1
    assert nagios.render(hostile(text)).count("|") == 1


@with_nasty
def test_markdown_keeps_its_sections_and_has_no_tags(text: str) -> None:
    shown = markdown.render(hostile(text))
    headings = [line for line in shown.splitlines() if line.startswith("#")]
    assert headings[1:] == [
        "## What changed",
        "## Who is needed",
        "## Not fine",
        "## Waived",
        "## Restore proofs",
        "## The runbook, line by line",
    ]
    assert "<" not in shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    "labels",
    [
        {"env": "prod", "en.v": "a", "en-v": "b"},
        {"0day": "x", "__name__": "y", "": "z"},
        {"unit": "m", "host": "w", "le": "1"},
    ],
    ids=["names that become the same", "names that are not allowed", "names of ours"],
)
def test_labels_of_the_inventory_are_made_valid(labels: dict[str, str]) -> None:
    text = prometheus.render(report([record("a.b", labels=labels, value=1.0, unit="%", warning="5")]))
    assert all(LINE.fullmatch(line) for line in text.splitlines() if not line.startswith("#"))
    assert 'host="web-1"' in text
    assert "__name__" not in text


def test_of_two_records_of_the_same_check_the_worst_is_exported() -> None:
    twice = [record("a.b", status="ok"), record("a.b", status="critical")]
    text = prometheus.render(report(twice))
    assert [line[-1] for line in text.splitlines() if line.startswith("sre_check_status")] == ["4"]
