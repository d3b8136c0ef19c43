# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Read named values from JSON, from a Prometheus server and from an exposition page.

An empty answer is no value: a metric that nobody knows is :class:`Unmeasurable`, not zero.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
import urllib.parse

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe.http import Answer, Client

FILE_LIMIT = 4 * 1024**2


@dataclasses.dataclass(frozen=True)
class Reading:
    """One value, and the labels that tell it from others of the same name."""

    value: t.Any
    labels: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def series(self) -> str:
        """The labels as Prometheus writes them, ``{job="api"}``; empty when there are none."""
        inside = ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(self.labels.items()))
        return f"{{{inside}}}" if inside else ""


class Source:
    """Where values come from, opened once. ``read(get)`` gives the readings behind one expression, at least one."""

    def __init__(self, target: t.Mapping[str, t.Any]) -> None:
        self.format = target["format"]
        self.client = Client(target) if target["url"] else None
        if self.client and target["login"]:
            self.client.log_in()
        self.document: t.Any = None
        if self.format == "json":
            self.document = self._json(target)
        elif self.format == "exposition":
            self.document = exposition(self._text(target))

    def read(self, get: str) -> list[Reading]:
        """Raises :class:`Unmeasurable` where there is nothing, and for an expression that cannot be read."""
        if self.format == "json":
            return [Reading(search(get, self.document))]
        readings = self._query(get) if self.format == "prometheus" else select(get, self.document)
        if not readings:
            raise Unmeasurable(f"{get[:200]} has no result: nobody measures this, or no longer")
        return readings

    def _text(self, target: t.Mapping[str, t.Any]) -> str:
        if self.client:
            return self._fetch(self.client).text
        if target["file"]:
            return _file(target["file"])
        return str(target["data"])

    def _json(self, target: t.Mapping[str, t.Any]) -> t.Any:
        data = target["data"]
        if self.client or target["file"] or isinstance(data, str):
            return parse(self._text(target))
        return data

    def _fetch(self, client: Client) -> Answer:
        answer = client.ask()
        if answer.status != 200:
            begins = client.clean(" ".join(answer.text.split()))[:160]
            raise Unmeasurable(f"status {answer.status} {answer.reason[:40]}: {begins}")
        if not answer.complete:
            raise Unmeasurable("the answer is too long to look at")
        return answer

    def _query(self, query: str) -> list[Reading]:
        if not self.client:
            raise Unmeasurable("a query needs a server to ask")
        place = urllib.parse.urlsplit(self.client.address)
        parameters = "&".join(filter(None, [place.query, urllib.parse.urlencode({"query": query})]))
        url = urllib.parse.urlunsplit(place._replace(path=place.path.rstrip("/") + "/api/v1/query", query=parameters))
        answer = self.client.ask(url, expected=(200, 400, 422, 503))
        said = parse(answer.text)
        if not isinstance(said, dict) or said.get("status") != "success":
            reason = said.get("error") if isinstance(said, dict) else None
            raise Unmeasurable(f"the query failed: {self.client.clean(str(reason or f'status {answer.status}'))[:300]}")
        return list(_samples(said.get("data")))


def _samples(data: t.Any) -> t.Iterator[Reading]:
    """What an instant query gives: a vector, or a scalar. Values arrive as strings, so that NaN can be said."""
    try:
        if data["resultType"] == "scalar":
            yield Reading(float(data["result"][1]))
        elif data["resultType"] == "vector":
            for sample in data["result"]:
                labels = {key: value for key, value in sample["metric"].items() if key != "__name__"}
                yield Reading(float(sample["value"][1]), labels)
        else:
            raise Unmeasurable(f"the query gives a {data['resultType']}; an instant value is needed")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise Unmeasurable("the answer is not that of a Prometheus query") from None


def _file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as lines:
            text = lines.read(FILE_LIMIT + 1)
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise Unmeasurable(f"{path} is not text in UTF-8") from None
    if len(text) > FILE_LIMIT:
        raise Unmeasurable(f"{path} is longer than {FILE_LIMIT // 1024**2} MiB")
    return text


def parse(text: str) -> t.Any:
    """A JSON document. What claims to be one and is empty, a web page or cut off is :class:`Unmeasurable`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        if not text.strip():
            raise Unmeasurable("the answer is empty, no JSON") from None
        kind = "a web page" if text.lstrip()[:1] == "<" else "something else"
        what = exc.msg if isinstance(exc, json.JSONDecodeError) else type(exc).__name__
        raise Unmeasurable(f"the answer is {kind}, not JSON: {what}") from None


def search(expression: str, document: t.Any) -> t.Any:
    """What a JMESPath expression finds: None for nothing."""
    try:
        import jmespath
    except ImportError:
        raise Unmeasurable("python3-jmespath is not installed on the host that looks: values of JSON need it") from None
    try:
        return jmespath.search(expression, document)
    except jmespath.exceptions.JMESPathError as exc:
        raise Unmeasurable(f"{expression[:200]}: {' '.join(str(exc).split())[:300]}") from None


_LABELS = r"""\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\}"""
_SAMPLE = re.compile(
    rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:{_LABELS})?[ \t]+(?P<value>\S+)(?:[ \t]+-?[\d.]+)?(?:[ \t]+\#.*)?[ \t]*"
)
_SELECTOR = re.compile(rf"\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:{_LABELS})?\s*")
_LABEL = re.compile(r"""\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)""")


def exposition(text: str) -> list[tuple[str, Reading]]:
    """The samples of an exposition page, text format or OpenMetrics, by name."""
    found: list[tuple[str, Reading]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, labels, value = _matched(_SAMPLE, line).group("name", "labels", "value")
            found.append((name, Reading(float(value), _labels(labels))))
        except ValueError:
            raise Unmeasurable(f"line {number} is no sample of a metric: {line[:80]!r}") from None
    if not found:
        raise Unmeasurable("the page holds no metric at all")
    return found


def select(selector: str, page: t.Sequence[tuple[str, Reading]]) -> list[Reading]:
    """The readings that a selector ``name{label="value"}`` names."""
    try:
        wanted_name, labels = _matched(_SELECTOR, selector).group("name", "labels")
        wanted = _labels(labels)
    except ValueError:
        raise Unmeasurable(f'{selector[:200]} is no selector: write name or name{{label="value"}}') from None
    return [reading for name, reading in page if name == wanted_name and wanted.items() <= reading.labels.items()]


def _matched(pattern: t.Pattern[str], text: str) -> t.Match[str]:
    found = pattern.fullmatch(text)
    if not found:
        raise ValueError(text)
    return found


def _labels(text: str | None) -> dict[str, str]:
    labels: dict[str, str] = {}
    rest = (text or "").strip()
    while rest:
        label = _LABEL.match(rest)
        if not label:
            raise ValueError(text)
        labels[label[1]] = re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), label[2])
        rest = rest[label.end() :]
    return labels
