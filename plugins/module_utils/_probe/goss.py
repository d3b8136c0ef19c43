# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Get the results of goss as JSON: from goss itself, or from a file that it has written."""

from __future__ import annotations

import os
import time

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command, text

ENDS_WITH_RESULTS = (0, 1)
"""Exit codes of ``goss validate`` that come with results: all tests passed, some did not."""


def validate(gossfile: str, variables: str | None, executable: str, timeout: float) -> str:
    """The results of tests that are carried out now."""
    if not os.path.exists(gossfile):
        raise Unmeasurable(f"{gossfile} does not exist")
    options = ["--gossfile", gossfile, *(["--vars", variables] if variables else [])]
    answer = command([executable, *options, "validate", "--format", "json", "--no-color"], timeout)
    if answer.rc not in ENDS_WITH_RESULTS:
        said = (answer.stderr.strip() or answer.stdout.strip() or "it said nothing").splitlines()[-1]
        raise Unmeasurable(f"goss ended with exit code {answer.rc}: {said[:300]}")
    return answer.stdout


def results(path: str) -> tuple[str, float]:
    """The content of a file of results, and its age in hours; less than 0 when it is dated in the future."""
    try:
        with open(path, "rb") as file:
            content, written = file.read(), os.fstat(file.fileno()).st_mtime
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror}") from exc
    return text(content), (time.time() - written) / 3600
