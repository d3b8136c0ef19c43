# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go through the door of a kind of check in process, with options as a playbook gives them."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check
from ansible_collections.sre.runbooks.plugins.module_utils._door import measure_all, options, plan
from ansible_collections.sre.runbooks.tests.unit.proof import note


def checks_of(kind: Any, **given: Any) -> list[Check]:
    """Validate, plan and measure as a module would; ``check_mode`` beside the options is the task's.

    Raises :class:`BadOption` for options that are refused.
    """
    check_mode = given.pop("check_mode", False)
    validated = ArgumentSpecValidator(options(kind)).validate(given)
    if validated.error_messages:
        raise BadOption("; ".join(validated.error_messages))
    checks = measure_all(plan(kind, validated.validated_parameters), budget=60, check_mode=check_mode)
    note(checks)
    return checks


def statuses(checks: list[Check]) -> dict[str, str]:
    """Check id → status, for a single target."""
    return {check.id: check.status for check in checks}
