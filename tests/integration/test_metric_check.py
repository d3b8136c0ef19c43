# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""metric_check on a real Prometheus, which scrapes itself, and a server that is not there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import metric as kind
from ansible_collections.sre.runbooks.tests.integration.conftest import free_port
from ansible_collections.sre.runbooks.tests.integration.http_cases import running
from ansible_collections.sre.runbooks.tests.unit.door import checks_of

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: itself, static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{instance: itself}}}}]}}
  - {{job_name: gone, static_configs: [{{targets: ["127.0.0.1:1"], labels: {{instance: gone}}}}]}}
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert shutil.which("prometheus"), "Prometheus is missing: apt-get install prometheus"
    directory, port = tmp_path_factory.mktemp("prometheus"), free_port()
    configuration = directory / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(port=port))
    command = [
        "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with running(*command, port=port):
        ends = time.monotonic() + 40
        while query(url, "count(up) == 2").status != "ok":
            assert time.monotonic() < ends, "Prometheus has scraped nothing"
            time.sleep(0.2)
        yield url


def queries(url: str, *values: dict[str, Any], **target: Any) -> list[Check]:
    named = [{"name": str(n), **value} for n, value in enumerate(values)]
    return checks_of(kind, targets=[{"url": url, "format": "prometheus", "name": "p", "values": named, **target}])


def query(url: str, get: str, **value: Any) -> Check:
    (check,) = queries(url, {"get": get, **value})
    return check


@pytest.mark.parametrize(
    ("get", "status", "value"),
    [
        ('up{job="itself"}', "ok", 1),
        ('up{job="gone"}', "critical", 0),
        ("sum(up)", "ok", 1),
        ("scalar(sum(up))", "ok", 1),
        ("min(up)", "critical", 0),
        ("1 - 3", "critical", -2),
    ],
)
def test_a_query_gives_a_number_to_judge(prometheus: str, get: str, status: str, value: float) -> None:
    check = query(prometheus, get, limits={"critical": "1.."})
    assert (check.status, check.value) == (status, value)


@pytest.mark.parametrize(
    ("get", "said"),
    [
        ("no_such_metric", "has no result"),
        ('up{job="nobody"}', "has no result"),
        ("sum(rate(http_requests_total[5m]))", "has no result"),
        ("histogram_quantile(0.95, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket{handler='/x'}[1m])))",
         "has no result"),
        ("sum(up) / 0 * 0", "nan"),
        ("1 / 0", "inf"),
        ("up", "2 series"),
        ("up[5m]", "instant value"),
        ('"a text"', "instant value"),
        ("sum(", "the query failed"),
        ("rate(up)", "the query failed"),
    ],
)  # fmt: skip
def test_a_query_without_a_number_is_unknown(prometheus: str, get: str, said: str) -> None:
    check = query(prometheus, get, limits={"critical": 100})
    assert check.status == "unknown"
    assert said in check.summary


def test_each_series_is_a_target(prometheus: str) -> None:
    found = queries(prometheus, {"name": "up", "get": "up", "series": "each", "limits": {"critical": "1.."}})
    assert {check.target: check.status for check in found} == {
        'p up{instance="gone",job="gone"}': "critical",
        'p up{instance="itself",job="itself"}': "ok",
    }


def test_the_page_of_the_server_itself_is_a_source(prometheus: str) -> None:
    def page(get: str, **value: Any) -> Check:
        values = [{"name": "v", "get": get, **value}]
        (check,) = checks_of(kind, targets=[{"url": f"{prometheus}/metrics", "format": "exposition", "values": values}])
        return check

    assert page("process_open_fds", limits={"critical": 10_000}).status == "ok"
    assert page("process_open_fds", limits={"critical": 0}).status == "critical"
    assert page('prometheus_http_requests_total{handler="/api/v1/query",code="200"}').value
    assert page("prometheus_http_requests_total", series="sum").value
    assert "series" in page("prometheus_http_requests_total").summary
    assert page("no_such_metric").status == "unknown"


@pytest.mark.parametrize("path", ["/-/nothing", "/graph"])
def test_what_is_not_prometheus_is_unknown(prometheus: str, path: str) -> None:
    assert query(prometheus + path, "up").status == "unknown"


def test_a_server_that_is_gone_is_unknown_for_every_value() -> None:
    found = queries("http://127.0.0.1:1", {"get": "up"}, {"get": "sum(up)"}, retries=0)
    assert [(check.target, check.status) for check in found] == [("p 0", "unknown"), ("p 1", "unknown")]


def test_a_textfile_of_the_node_exporter_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "backup.prom").write_text('backup_age_hours{set="db"} 30\n')
    values = [{"name": "age", "get": 'backup_age_hours{set="db"}', "limits": {"warning": 26, "critical": 50}}]
    target = {"file": str(tmp_path / "backup.prom"), "format": "exposition", "name": "backup", "values": values}
    (check,) = checks_of(kind, targets=[target])
    assert (check.status, check.target) == ("warning", "backup age")
