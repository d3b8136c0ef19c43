# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values out of JSON and exposition pages, from a server, a file or given; a real Prometheus is in the integration tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import metric as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe import metrics as probe
from ansible_collections.sre.runbooks.tests.unit.door import checks_of
from ansible_collections.sre.runbooks.tests.unit.web import PASSWORD, Web, response, web


@pytest.fixture(scope="module")
def server() -> Iterator[Web]:
    with web() as running:
        yield running


def read(get: str, **target: Any) -> Check:
    target = {"name": "it", "retries": 0, "request_timeout": 1.0, **target}
    (check,) = checks_of(kind, targets=[{**target, "values": [{"name": "v", "get": get, "limits": {"critical": 100}}]}])
    return check


# JSON


def test_a_value_of_a_document_on_a_server(server: Web) -> None:
    check = read("queue.waiting", url=f"{server.url}/json", name=None)
    assert (check.status, check.value, check.target) == ("ok", 12, f"{server.url}/json v")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("null", "null"),
        ("html-as-json", "a web page, not JSON"),
        ("page", "a web page, not JSON"),
        ("empty", "empty"),
        ("no-content", "status 204"),
        ("status/500", "status 500"),
        ("status/404", "status 404"),
        ("to-login", "a web page, not JSON"),
        ("hang", "no answer in time"),
        ("short", "broke off"),
        ("garbage", "not HTTP"),
        ("bomb", "too long"),
    ],
)
def test_a_server_that_does_not_give_the_document_is_unknown(server: Web, path: str, said: str) -> None:
    check = read("queue.waiting", url=f"{server.url}/{path}", request_timeout=3.0 if path == "bomb" else 1.0)
    assert check.status == "unknown"
    assert said in check.summary


def test_a_server_that_is_gone_is_unknown() -> None:
    assert read("x", url="http://127.0.0.1:1/").status == "unknown"


def test_a_source_is_asked_once_for_all_of_its_values(server: Web) -> None:
    server.seen.clear()
    values = [{"name": name, "get": name} for name in ("queue.waiting", "rate", "nothing")]
    found = checks_of(kind, targets=[{"url": f"{server.url}/json", "values": values}])
    assert [check.status for check in found] == ["ok", "unknown", "unknown"]
    assert len(server.seen) == 1


def test_a_source_behind_a_login(server: Web) -> None:
    login = {"url": f"{server.url}/login", "username": "ops", "password": PASSWORD}
    assert read("x", url=f"{server.url}/json", login=login).status == "unknown"
    assert read("queue.waiting", url=f"{server.url}/json", login=login).status == "ok"
    login["password"] = "wrong-password"
    assert "login was refused" in read("queue.waiting", url=f"{server.url}/json", login=login).summary


def test_a_document_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert "No such file" in read("v", file=str(path)).summary
    path.write_text('{"v": 7}')
    assert read("v", file=str(path)).value == 7
    path.write_bytes(b"\xff\xfe")
    assert "not text" in read("v", file=str(path)).summary
    path.write_text("x" * (probe.FILE_LIMIT + 1))
    assert "longer than" in read("v", file=str(path)).summary


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jmespath", None)
    check = read("v", data={"v": 1})
    assert check.status == "unknown"
    assert "python3-jmespath is not installed" in check.summary


# Exposition pages

PAGE = r"""
# HELP http_requests_total Requests, "all" of them.
# TYPE http_requests_total counter
http_requests_total{code="200",path="/a b"} 1027 1395066363000
http_requests_total{code="500",path="C:\\new\n\"x\"}"} 3
up 1
memory_bytes{} 1.5e9
empty_quotient NaN
highest +Inf
spaced{ a = "1" , }   4
traced_total{a="2"} 5 # {trace_id="abc"} 0.67
# EOF
"""


@pytest.mark.parametrize(
    ("get", "value"),
    [
        ("up", 1),
        (" up ", 1),
        ("up{}", 1),
        ("memory_bytes", 1.5e9),
        ('http_requests_total{code="500"}', 3),
        ('http_requests_total{code="200", path="/a b"}', 1027),
        (r'http_requests_total{path="C:\\new\n\"x\"}"}', 3),
        ("traced_total", 5),
    ],
)
def test_a_selector_finds_its_value(get: str, value: float) -> None:
    assert read(get, data=PAGE, format="exposition").value == value


@pytest.mark.parametrize(
    ("get", "said"),
    [
        ("no_such_metric", "has no result"),
        ('up{job="x"}', "has no result"),
        ("http_requests_total", "2 series"),
        ("empty_quotient", "nan"),
        ("highest", "inf"),
        ("up{job=~'x'}", "no selector"),
        ("rate(up[5m])", "no selector"),
        ("", "no selector"),
    ],
)
def test_what_a_page_does_not_hold_is_unknown(get: str, said: str) -> None:
    check = read(get, data=PAGE, format="exposition")
    assert check.status == "unknown"
    assert said in check.summary


@pytest.mark.parametrize("page", ["", "# only comments\n", "<html>", "up one", "up{a=1} 1", '{"up": 1}'])
def test_what_is_no_exposition_page_is_unknown(page: str) -> None:
    assert read("up", data=page, format="exposition").status == "unknown"


def test_a_page_from_a_server(server: Web) -> None:
    assert "no sample" in read("up", url=f"{server.url}/page", format="exposition").summary


# Prometheus, where a real one does not go


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"[]",
        b'{"status": "success"}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "x"]}]}}',
        b'{"status": "success", "data": {"resultType": "matrix", "result": []}}',
        b'{"status": "error", "error": "query timed out"}',
    ],
)
def test_an_answer_that_is_not_that_of_a_query_is_unknown(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    from ansible_collections.sre.runbooks.tests.unit import web as pages

    monkeypatch.setitem(pages.FIXED, "/api/v1/query", response(answer))
    with web() as server:
        check = read("up", url=server.url, format="prometheus")
    assert check.status == "unknown"


def test_a_reading_is_named_by_its_labels() -> None:
    assert probe.Reading(1, {"b": 'q"', "a": "1"}).series == '{a="1",b="q\\""}'
    assert probe.Reading(1).series == ""


def test_a_selector_that_is_none_is_unmeasurable() -> None:
    with pytest.raises(Unmeasurable):
        probe.select("{", [])
