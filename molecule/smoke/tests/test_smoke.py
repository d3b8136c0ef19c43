# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet can be raised: systemd runs, and hosts know each other by name."""

from __future__ import annotations

from typing import Any


def test_systemd_has_started_everything(host: Any) -> None:
    """No unit has failed."""
    assert host.check_output("systemctl is-system-running") == "running"


def test_hosts_resolve_each_other(host: Any) -> None:
    """By name, and by alias."""
    assert host.run("getent hosts sre-smoke-one").rc == 0
    assert host.run("getent hosts db").rc == 0
