#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: system_check
short_description: Check the CPU, memory, pressure, last boot and clock of a host
version_added: 0.1.0
description:
  - Measures a host as a whole and judges it by limits. There is one target, V(host); O(targets) is not needed.
  - CPU time is sampled over O(interval), while other targets of the same call are measured. What this check itself
    used is taken off. The load and the pressure look further back.
  - Memory counts as used when the kernel could not give it to a program without swapping. Where the first process is in
    a control group with a limit (version 1, 2 or both), as in a container, the tighter of the two is judged and named.
  - A kernel without an account of pressure (PSI) makes the three C(system.pressure_*) C(skipped), a host without swap
    C(system.swap).
  - In a container C(system.reboot) is about the start of the container.
  - The clock is judged by the bound of its error that the kernel keeps and every time daemon tells it. The bound grows by
    half a millisecond a second while nobody steers the clock.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: Only for a name of its own. Every option of the task can be given here as well.
    type: list
    elements: dict
    suboptions:
      name:
        description: What to call the target in reports and history. By default V(host).
        type: str
      interval:
        description: &interval How long to look at the CPUs, in seconds. Must be less than O(timeout).
        type: float
      cpu:
        description: &cpu How busy the CPUs may be, in percent; all counts but idle, so waiting for disks and steal too.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      steal:
        description: &steal How much CPU time the hypervisor may withhold, in percent of all CPU time.
        type: dict
        suboptions: *levels
      memory:
        description: &memory How much of the memory may be used, in percent.
        type: dict
        suboptions: *levels
      swap:
        description: &swap How much of the swap space may be used, in percent.
        type: dict
        suboptions: *levels
      load:
        description: &load How high the load average of 5 minutes may be, per core.
        type: dict
        suboptions: *levels
      pressure_cpu:
        description: &pressure_cpu For how much of the last minute some task may have waited for a CPU, in percent.
        type: dict
        suboptions: *levels
      pressure_memory:
        description: &pressure_memory For how much of the last minute all work may have stood still for want of memory, in percent.
        type: dict
        suboptions: *levels
      pressure_io:
        description: &pressure_io For how much of the last minute all work may have stood still for want of a disk, in percent.
        type: dict
        suboptions: *levels
      reboot:
        description: &reboot How long ago the last start of the host must be, in minutes.
        type: dict
        suboptions: *levels
      clock:
        description: &clock How far off the clock may be by what the kernel knows, in seconds. V(16) and more is not synchronised.
        type: dict
        suboptions: *levels
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  interval:
    description: *interval
    type: float
    default: 0.5
  cpu:
    description: *cpu
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "80"}
      critical: {description: *critical, type: str, default: "95"}
  steal:
    description: *steal
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "10"}
      critical: {description: *critical, type: str, default: "25"}
  memory:
    description: *memory
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "85"}
      critical: {description: *critical, type: str, default: "95"}
  swap:
    description: *swap
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "80"}
      critical: {description: *critical, type: str, default: "95"}
  load:
    description: *load
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "2"}
      critical: {description: *critical, type: str, default: "5"}
  pressure_cpu:
    description: *pressure_cpu
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "60"}
      critical: {description: *critical, type: str, default: "90"}
  pressure_memory:
    description: *pressure_memory
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "10"}
      critical: {description: *critical, type: str, default: "30"}
  pressure_io:
    description: *pressure_io
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "40"}
      critical: {description: *critical, type: str, default: "80"}
  reboot:
    description: *reboot
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "60"}
      critical: {description: *critical, type: str}
  clock:
    description: *clock
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "5"}
      critical: {description: *critical, type: str}
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check the host
  sre.runbooks.system_check:

- name: Check a build server, which may be busy but must not swap
  sre.runbooks.system_check:
    cpu: {warning: never, critical: never}
    load: {warning: 4, critical: 8}
    swap: {warning: 10, critical: 50}

- name: Check that the CPUs have not been busy for five minutes on end
  sre.runbooks.system_check:
    interval: 300
    cpu: {warning: 80, critical: never}
    timeout: 330
    budget: 360

- name: Check the host by the limits of a profile
  sre.runbooks.system_check:
    cpu: "{{ 'askproai' | sre.runbooks.profile('system.cpu') }}"
    memory: "{{ 'askproai' | sre.runbooks.profile('system.memory') }}"
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: warning
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: system.memory
      target: host
      status: warning
      summary: 91.2 % of the memory of control group / is used, 45 MiB are available
      value: 91.2
      unit: "%"
      warning: "85"
      critical: "95"
      detail:
        pools:
          the host: {used_mib: 2048, total_mib: 7976}
          control group /: {used_mib: 467, total_mib: 512}
        top:
          - {pid: 412, name: mariadbd, rss_mib: 322}
      seconds: 0.514
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import system
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(system)


if __name__ == "__main__":
    main()
