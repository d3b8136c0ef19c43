# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""metric: how named values are judged."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._checks import metric as kind
from ansible_collections.sre.runbooks.plugins.module_utils._probe.metrics import Reading
from ansible_collections.sre.runbooks.tests.unit.door import checks_of


def read(data: Any, **value: Any) -> Check:
    """One value of a JSON document that is given."""
    value = {"name": "v", "get": "v", **value}
    (check,) = checks_of(kind, targets=[{"name": "doc", "data": data, "values": [value]}])
    assert (check.id, check.target) == ("metric.value", "doc v")
    return check


@pytest.mark.parametrize(
    ("value", "status"),
    [(0, "ok"), (1800, "ok"), (1800.5, "warning"), (3000, "warning"), (3001, "critical"), (-5, "ok")],
)
def test_a_number_is_judged_by_its_limits(value: float, status: str) -> None:
    check = read({"v": value}, limits={"warning": 1800, "critical": 3000}, unit="ms")
    assert (check.status, check.value, check.unit, check.warning) == (status, value, "ms", "1800")
    assert "ms" in check.summary


@pytest.mark.parametrize(("value", "status"), [(99.9, "ok"), (99, "warning"), (94, "critical")])
def test_a_value_can_have_a_least(value: float, status: str) -> None:
    assert read({"v": value}, limits={"warning": "99.5..", "critical": "95.."}).status == status


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"v": None}, "null or missing"),
        ({}, "null or missing"),
        ({"other": 1}, "null or missing"),
        ([], "null or missing"),
        (None, "null or missing"),
        ({"v": "1200"}, "text, not a number"),
        ({"v": ""}, "text, not a number"),
        ({"v": True}, "true or false"),
        ({"v": [1]}, "a list"),
        ({"v": {}}, "an object"),
        ('{"v": NaN}', "nan"),
        ('{"v": 1e999}', "inf"),
        ("", "empty"),
        ("<html>502 Bad Gateway</html>", "a web page, not JSON"),
        ('{"v": 12', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_number_is_unknown_and_never_below_its_limit(document: Any, said: str) -> None:
    check = read(document, limits={"warning": 1800})
    assert check.status == "unknown"
    assert said in check.summary


def test_without_data_the_target_is_refused() -> None:
    with pytest.raises(BadOption):
        checks_of(kind, targets=[{"name": "doc", "values": [{"name": "v", "get": "v"}]}])


def test_a_value_without_limits_is_recorded() -> None:
    check = read({"v": 7})
    assert (check.status, check.value, check.warning) == ("ok", 7, None)


def test_zero_is_a_value() -> None:
    assert (read({"v": 0}).status, read({"v": 0}).value) == ("ok", 0)


def test_an_expression_can_calculate_and_one_that_is_none_is_unknown() -> None:
    assert read({"w": [{"n": 3}, {"n": 4}]}, get="sum(w[].n)").value == 7
    assert read({"w": 1}, get="sum(w)").status == "unknown"
    assert read({"v": 1}, get="v[").status == "unknown"
    assert read({"v": 1}, get="").status == "unknown"


STATES = {"Up": "ok", "degraded": "warning", "down": "critical", True: "ok", False: "critical"}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("up", "ok"),
        ("UP", "ok"),
        ("degraded", "warning"),
        ("down", "critical"),
        (True, "ok"),
        (False, "critical"),
        ("starting", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        (["up"], "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_word_is_judged_by_what_it_means(word: Any, status: str) -> None:
    assert read({"v": word}, states=STATES).status == status


SERIES = [Reading(1.0, {"i": "a"}), Reading(0.0, {"i": "b"}), Reading(5.0, {"i": "c"})]


def queried(monkeypatch: pytest.MonkeyPatch, readings: list[Reading], **value: Any) -> list[Check]:
    class Source:
        def __init__(self, _target: object) -> None: ...

        def read(self, _get: str) -> list[Reading]:
            return readings

    monkeypatch.setattr(kind.probe, "Source", Source)
    values = [{"name": "up", "get": "up", "limits": {"critical": "1.."}, **value}]
    return checks_of(
        kind, targets=[{"name": "prom", "url": "http://127.0.0.1:1/", "format": "prometheus", "values": values}]
    )


def test_several_series_are_unknown_until_it_is_said_which_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = queried(monkeypatch, SERIES)
    assert (check.status, check.target) == ("unknown", "prom up")
    assert "3 series" in check.summary


@pytest.mark.parametrize(("series", "value"), [("max", 5), ("min", 0), ("sum", 6), ("mean", 2)])
def test_several_series_can_be_made_one_number(monkeypatch: pytest.MonkeyPatch, series: str, value: float) -> None:
    (check,) = queried(monkeypatch, SERIES, series=series)
    assert check.value == value


def test_each_series_can_be_a_target_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {check.target: check.status for check in queried(monkeypatch, SERIES, series="each")}
    assert found == {'prom up{i="a"}': "ok", 'prom up{i="b"}': "critical", 'prom up{i="c"}': "ok"}


def test_a_series_that_is_no_number_spoils_the_aggregate(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = queried(monkeypatch, [*SERIES, Reading(float("nan"), {"i": "d"})], series="min")
    assert check.status == "unknown"


def test_a_source_that_is_gone_makes_each_of_its_values_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_target: object) -> None:
        raise Unmeasurable("connecting to 127.0.0.1 port 3000: Connection refused")

    monkeypatch.setattr(kind.probe, "Source", gone)
    values = [{"name": "a", "get": "a"}, {"name": "b", "get": "b", "states": {"up": "ok"}}]
    found = checks_of(kind, targets=[{"url": "http://127.0.0.1:3000/health", "values": values}])
    assert [(check.target, check.status) for check in found] == [
        ("http://127.0.0.1:3000/health a", "unknown"),
        ("http://127.0.0.1:3000/health b", "unknown"),
    ]
    assert all("refused" in check.summary for check in found)


def test_a_broken_value_does_not_hide_the_others() -> None:
    values = [
        {"name": "a", "get": "a"},
        {"name": "b", "get": "b"},
        {"name": "c", "get": "c", "limits": {"critical": 1}},
    ]
    found = checks_of(kind, targets=[{"name": "doc", "data": {"a": 1, "c": 2}, "values": values}])
    assert [check.status for check in found] == ["ok", "unknown", "critical"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"values": []}, "one or more"),
        ({"values": [{"name": "a", "get": "a"}] * 2}, "a name of its own"),
        ({"values": [{"name": "a", "get": "a", "limits": {"warning": 9, "critical": 5}}]}, "values.a.limits.warning"),
        ({"values": [{"name": "a", "get": "a", "limits": {"warning": "ten"}}]}, "neither a number"),
        ({"values": [{"name": "a", "get": "a", "states": {"up": "fine"}}]}, "leads to ok"),
        ({"values": [{"name": "a", "get": "a", "states": {}}]}, "leads to ok"),
        ({"values": [{"name": "a", "get": "a", "states": {"up": "ok"}, "limits": {"warning": 1}}]}, "not both"),
        ({"format": "prometheus"}, "asks a server"),
        ({"file": "/x"}, "mutually exclusive"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(target: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOption) as refused:
        checks_of(kind, targets=[{"data": {}, "values": [{"name": "a", "get": "a"}], **target}])
    assert said in str(refused.value)
