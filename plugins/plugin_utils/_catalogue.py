# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Every check id that exists, with its promise: read from the kinds, so that there is no list to keep."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from ansible_collections.sre.runbooks.plugins.module_utils import (
    _checks,
    _database_restore,
    _mysql_maintenance,
    _patch,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils import _review, _trend

CONTROLLER = {
    "attestation.done": "A person has done the step, or said that it does not apply.",
    "run.broken_off": "The runs before this one came to their end.",
    "run.budget": "The run took no longer than its time budget.",
    "run.history": "The results are remembered.",
    "run.host": "The host can be reached.",
    "run.journal": "The results are written down where they belong.",
    "run.missed": "The occasion took place whenever its schedule says.",
    "run.notification": "The people to be told were told.",
    "run.step": "Every step of the runbook was measured, attested or refused with a reason.",
    "run.task": "Every task of the run came to its end.",
    "run.waiver": "No waiver has run out.",
}
"""What the controller itself judges: the run, and what people attest."""


@functools.cache
def promises() -> dict[str, str]:
    """Check id → promise, of all kinds, of history and of the run itself."""
    found = dict(CONTROLLER)
    for module in (_database_restore, _mysql_maintenance, _patch, _review, _trend):
        found.update(module.CHECKS)
    for kind in pkgutil.iter_modules(_checks.__path__):
        found.update(importlib.import_module(f"{_checks.__name__}.{kind.name}").CHECKS)
    return found
