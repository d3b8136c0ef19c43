# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: profile
short_description: The limits that a profile sets for a metric
version_added: 0.1.0
description:
  - A profile is a named set of thresholds. There is one for each of the systems of this collection, with the numbers of
    its runbook, and V(standard).
  - A metric is the id of a check, or the property of a system that something else measures.
  - What a profile does not set comes from V(standard), which is what the modules do by default.
author: [sre.runbooks contributors (@sre-runbooks)]
positional: metric, part
options:
  _input:
    description:
      - The name of the profile, V(standard), V(edubot), V(media_search), V(askproai), V(learning_assistant) or
        V(discord_intelligence).
    type: str
    required: true
  metric:
    description:
      - What the limits are for, for instance V(system.cpu), V(http.latency) or V(slo.availability).
      - A kind of check without a property, V(system), stands for all limits that the profile sets for it.
    type: str
    required: true
  part:
    description:
      - What to return.
      - V(minutes) is for how long the limit has to be passed, or within which time something has to be done. V(hours) is
        the window in which records are counted. Both are none where the document does not say.
      - V(source) says where the numbers are written.
    type: str
    choices: [limits, unit, minutes, hours, source]
    default: limits
"""

EXAMPLES = r"""
- name: Check the host by all limits of a profile
  sre.runbooks.checkup:
    system: "{{ 'edubot' | sre.runbooks.profile('system') }}"
    mount: "{{ 'edubot' | sre.runbooks.profile('mount') }}"

- name: Check the CPUs and the memory by the limits of a profile
  sre.runbooks.system_check:
    cpu: "{{ 'askproai' | sre.runbooks.profile('system.cpu') }}"
    memory: "{{ 'askproai' | sre.runbooks.profile('system.memory') }}"

- name: Show how long a response may be slow
  ansible.builtin.debug:
    msg: "{{ 'askproai' | sre.runbooks.profile('log.latency_p95', 'minutes') }} minutes"
"""

RETURN = r"""
_value:
  description: The limits as a check takes them, with V(never) where there is none; or the part that was asked for.
  type: raw
  sample: {warning: "70", critical: "90"}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.sre.runbooks.plugins.plugin_utils._profiles import limits_of, threshold

PARTS = ("limits", "unit", "minutes", "hours", "source")


def profile(name: str, metric: str, part: str = "limits") -> t.Any:
    """What a profile says about a metric, or all that it says about a kind of check."""
    if part not in PARTS:
        raise AnsibleFilterError(f"sre.runbooks.profile: there is no part {part!r}; there are {', '.join(PARTS)}")
    try:
        if "." not in metric and part == "limits":
            return limits_of(name, metric)
        return getattr(threshold(name, metric), part)
    except KeyError as exc:
        raise AnsibleFilterError(f"sre.runbooks.profile: {exc.args[0]}") from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"profile": profile}
