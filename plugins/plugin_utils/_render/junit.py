# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for CI: JUnit XML, one suite per host, one case per check.

critical is a failure, unknown an error, skipped and waived are skipped; a warning passes and says so in system-out.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, moment
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report, standing

ELEMENT = {"critical": "failure", "unknown": "error", "skipped": "skipped", "waived": "skipped"}
PLURAL = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def render(report: Report) -> str:
    hosts: dict[str, list[Record]] = {}
    for record in report.records:
        hosts.setdefault(record["host"], []).append(record)
    name = words.one_line(f"{report.system} {report.title}")
    suites = ET.Element("testsuites", {"name": name, **_totals(report.records)})
    for number, (host, records) in enumerate(sorted(hosts.items())):
        facts = {"name": words.one_line(host), "hostname": words.one_line(host), "package": name, "id": str(number)}
        suite = ET.SubElement(suites, "testsuite", {**facts, "timestamp": _timestamp(report), **_totals(records)})
        for record in records:
            _case(suite, record)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )


def _case(suite: ET.Element, record: Record) -> None:
    name, seconds = words.one_line(record["target"]), record.get("seconds") or 0
    case = ET.SubElement(suite, "testcase", name=name, classname=record["id"], time=f"{seconds:.3f}")
    status, said = standing(record), _said(record)
    if status in ELEMENT:
        element = ET.SubElement(case, ELEMENT[status], message=said)
        if status in ("critical", "unknown"):
            element.set("type", status)
            element.text = said
    elif status == "warning":
        ET.SubElement(case, "system-out").text = f"warning: {said}"


def _said(record: Record) -> str:
    parts = [words.one_line(record["summary"])]
    if words.limits(record):
        parts.append(f"({words.one_line(words.limits(record))})")
    if standing(record) == "waived":
        waiver = record["waiver"]
        told = (
            f"{record['status']}, waived until {waiver.get('until')} by {waiver.get('owner')}: {waiver.get('reason')}"
        )
        parts.insert(0, words.one_line(f"{told}."))
    return " ".join(parts)


def _totals(records: list[Record] | tuple[Record, ...]) -> dict[str, str]:
    elements = [ELEMENT.get(standing(record)) for record in records]
    seconds = sum(record.get("seconds") or 0 for record in records)
    counts = {PLURAL[element]: str(elements.count(element)) for element in PLURAL}
    return {"tests": str(len(records)), **counts, "time": f"{seconds:.3f}"}


def _timestamp(report: Report) -> str:
    """In UTC and without a zone, as the schema of JUnit wants it."""
    return moment(report.run["started"]).strftime("%Y-%m-%dT%H:%M:%S")
