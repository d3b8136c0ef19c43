# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The verdict in one line, as Nagios and its heirs read it."""

from __future__ import annotations

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report

WORD = {"skipped": "UNKNOWN"}


def render(report: Report) -> str:
    said = words.one_line(f"{report.system} {report.title}: {words.headline(report)}").replace("|", "/")
    figures = [f"{status}={amount}" for status, amount in report.counts.items()]
    if report.run.get("seconds") is not None:
        budget = report.occasion.budget if report.occasion else None
        figures.append(f"duration={report.run['seconds']:g}s;{budget or ''}")
    return f"{WORD.get(report.verdict, report.verdict.upper())} - {said} | {' '.join(figures)}\n"
