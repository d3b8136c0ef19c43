# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Facts about installed software: what the package manager knows, whether a reboot is due, until when there is support."""

from __future__ import annotations

import dataclasses
import datetime as dt
import glob
import os
import platform
import re
import shutil
import time

from ansible_collections.sre.runbooks.plugins.module_utils import _support
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command
from ansible_collections.sre.runbooks.plugins.module_utils._probe._packages import Manager
from ansible_collections.sre.runbooks.plugins.module_utils._probe.apt import Apt
from ansible_collections.sre.runbooks.plugins.module_utils._probe.dnf import Dnf

CONTAINER = ("/run/systemd/container", "/run/.containerenv", "/.dockerenv")
OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
REBOOT_REQUIRED = ("/run/reboot-required", "/var/run/reboot-required")


@dataclasses.dataclass(frozen=True)
class Reboot:
    """Why a reboot is due, and for how many days it has been at least. ``services`` run code that was replaced.

    ``looked_at`` names what the answer rests on.
    """

    reasons: list[str]
    days: float
    services: list[str]
    looked_at: list[str]


@dataclasses.dataclass(frozen=True)
class Support:
    """Until when a release gets security updates; ``days`` are left, fewer than none when it is over."""

    release: str
    until: str
    days: float
    source: str


def manager(timeout: float) -> Manager:
    """The package manager of this host, which answers within ``timeout`` seconds in all."""
    deadline = time.monotonic() + timeout
    if shutil.which("apt-get") and shutil.which("dpkg-query"):
        return Apt(deadline)
    if shutil.which("dnf"):
        return Dnf(deadline)
    raise Unmeasurable("neither apt nor dnf is installed on this host")


def now() -> float:
    """This moment (epoch)."""
    return time.time()


def reboot(timeout: float) -> Reboot:
    """What was asked for in ``/run/reboot-required``, the kernel, and needrestart where that is installed.

    A container has no kernel of its own. Raises :class:`Unmeasurable` when nothing on the host can tell.
    """
    reasons, since, looked_at = [], [], []  # type: list[str], list[float], list[str]
    marker = next((path for path in REBOOT_REQUIRED if os.path.exists(path)), None)
    if marker:
        asked = _packages(f"{marker}.pkgs")
        reasons.append("a reboot was asked for" + (f" by {', '.join(asked)}" if asked else ""))
        since.append(os.path.getmtime(marker))
    looked_at.append(REBOOT_REQUIRED[0])
    kernel_known = any(map(os.path.exists, CONTAINER))
    if not kernel_known:
        newest = newest_kernel("/boot")
        if newest:
            kernel_known = True
            looked_at.append("/boot")
            if newest[0] != platform.release():
                reasons.append(f"the kernel {newest[0]} is installed, {platform.release()} runs")
                since.append(newest[1])
    services: list[str] = []
    if shutil.which("needrestart") and os.geteuid() == 0:
        services, kernel_state = _needrestart(timeout)
        looked_at.append("needrestart")
        kernel_known = kernel_known or kernel_state != 0
        if kernel_state > 1 and len(looked_at) == 2:
            reasons.append("needrestart says that another kernel is installed than runs")
    if not reasons and not kernel_known:
        raise Unmeasurable("whether the kernel that runs is the one installed cannot be told: /boot holds none")
    return Reboot(reasons, max(0.0, now() - min(since)) / 86400 if since else 0.0, services, looked_at)


def _packages(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            return sorted({line.strip() for line in file if line.strip()})[:20]
    except OSError:
        return []


def newest_kernel(boot: str) -> tuple[str, float] | None:
    """The newest version of the kernels in a directory, and when it was put there (epoch)."""
    found = [path for path in glob.glob(os.path.join(boot, "vmlinu[xz]-*")) if "rescue" not in path]
    paths = {os.path.basename(path).partition("-")[2]: path for path in found if not path.endswith(".old")}
    if not paths:
        return None
    version = max(paths, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
    return version, os.stat(paths[version]).st_ctime  # the time of modification is that of the build


def _needrestart(timeout: float) -> tuple[list[str], int]:
    answer = command(["needrestart", "-b"], timeout)
    fields = [line.partition(": ")[::2] for line in answer.stdout.splitlines() if line.startswith("NEEDRESTART-")]
    if not fields:
        raise Unmeasurable(f"needrestart says: {' '.join((answer.stderr or answer.stdout).split())[:300]}")
    state = dict(fields).get("NEEDRESTART-KSTA", "0").strip()
    return [value for key, value in fields if key == "NEEDRESTART-SVC"], int(state) if state.isdigit() else 0


def support(until: str | None) -> Support:
    """Until when this release is supported: as given, else as it says itself, else as the table of the collection says."""
    fields = _os_release()
    name, version = fields.get("ID", ""), fields.get("VERSION_ID", "")
    release = fields.get("PRETTY_NAME") or f"{name} {version}"
    source = "support_until"
    if not until and fields.get("SUPPORT_END"):
        until, source = fields["SUPPORT_END"], "SUPPORT_END of os-release"
    for key in ((name, version), (name, version.partition(".")[0])):
        if not until and key in _support.UNTIL:
            until, source = _support.UNTIL[key], f"{_support.SOURCES[name]}, as of {_support.AS_OF}"
    if not until:
        raise Unmeasurable(f"until when {release} is supported is not known: give support_until")
    try:
        end = dt.datetime.strptime(until, "%Y-%m-%d").replace(tzinfo=dt.timezone.utc) + dt.timedelta(days=1)
    except ValueError:
        raise Unmeasurable(f"the end of support of {release}, {until!r}, is no date") from None
    return Support(release, until, (end.timestamp() - now()) / 86400, source)


def _os_release() -> dict[str, str]:
    for path in OS_RELEASE:
        try:
            with open(path, encoding="utf-8", errors="backslashreplace") as file:
                rows = [line.strip().partition("=") for line in file if "=" in line and not line.startswith("#")]
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise Unmeasurable(f"{path}: {exc.strerror}") from exc
        return {key: value.strip("\"'") for key, _, value in rows}
    raise Unmeasurable("this host does not say what it runs: there is no /etc/os-release")
