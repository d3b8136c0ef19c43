# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One file per format, one function per file: a :class:`Report` in, text out. No clock, no files."""

from __future__ import annotations

import typing as t

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import (
    html,
    json,
    junit,
    markdown,
    nagios,
    prometheus,
    terminal,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report

RENDERERS: dict[str, t.Callable[[Report], str]] = {
    "html": html.render,
    "json": json.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "nagios": nagios.render,
    "prometheus": prometheus.render,
    "terminal": terminal.render,
}
