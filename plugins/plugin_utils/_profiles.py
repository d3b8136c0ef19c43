# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The thresholds of five companies, each with the row of the document that states it, and our own.

A profile names what a company wrote down. What it did not write down is ``standard``: the defaults of the modules.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

from ansible_collections.sre.runbooks.plugins.module_utils import _checks
from ansible_collections.sre.runbooks.plugins.module_utils._check import UNLIMITED, LimitsSpec

STANDARD = "standard"

OURS = 95
"""The critical limit, in percent, of CPU, memory and disk where a document has one number: that one is the warning."""

OUR_DAYS = 7
"""The critical limit, in days, of what expires where a document has one number."""


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A pair of limits and where it is written.

    ``source`` holds row ids of the requirements; ``minutes`` is for how long the limit has to be passed, or within which
    time something has to be done; ``hours`` is the window in which records are counted.
    """

    warning: float | str | None
    critical: float | str | None
    unit: str
    source: str
    minutes: int | None = None
    hours: int | None = None

    @property
    def limits(self) -> dict[str, str]:
        """As the limits of a check are written."""
        pair = {"warning": self.warning, "critical": self.critical}
        return {level: UNLIMITED if limit is None else str(limit) for level, limit in pair.items()}


PROFILES: dict[str, dict[str, Threshold]] = {
    STANDARD: {},
    "edubot": {
        "system.cpu": Threshold(80, OURS, "%", "EB-D1-01"),
        "system.memory": Threshold(85, OURS, "%", "EB-D1-02"),
        "mount.space": Threshold(90, OURS, "%", "EB-D1-03"),
        "http.latency": Threshold(2000, 5000, "ms", "EB-D2-01 EB-I-02"),
        "log.matches": Threshold(10, None, "records", "EB-D1-07", hours=12),
        "certificate.expiry": Threshold(30, OUR_DAYS, "d", "EB-D1-10"),
    },
    "media_search": {
        "system.cpu": Threshold(80, OURS, "%", "MS-A-01", minutes=5),
        "system.memory": Threshold(90, OURS, "%", "MS-A-04"),
        "log.latency_p95": Threshold(500, None, "ms", "MS-K-02"),
        "log.rate": Threshold(0.1, None, "%", "MS-K-04"),
        "queue.depth": Threshold(1000, None, "jobs", "MS-A-07"),
        "queue.done_in_time": Threshold(95, None, "%", "MS-K-03", minutes=5),
        "database.slow_query": Threshold(100, None, "ms", "MS-W3-02"),
        "slo.availability": Threshold(99.9, None, "%", "MS-K-01"),
        "slo.downtime": Threshold(43, None, "min a month", "MS-K-01"),
    },
    "askproai": {
        "system.cpu": Threshold(70, 90, "%", "AP-M-05"),
        "system.memory": Threshold(80, 95, "%", "AP-M-06"),
        "mount.space": Threshold(80, 90, "%", "AP-M-07"),
        "http.latency": Threshold(500, 2000, "ms", "AP-M-01"),
        "log.latency_p95": Threshold(2000, None, "ms", "AP-M-10", minutes=10),
        "log.rate": Threshold(1, 5, "%", "AP-M-02 AP-M-09", minutes=5),
        "queue.depth": Threshold(1000, 5000, "jobs", "AP-M-03"),
        "database.connections": Threshold(80, 95, "%", "AP-M-08"),
    },
    "learning_assistant": {
        "system.cpu": Threshold(80, OURS, "%", "LA-D3-01"),
        "system.memory": Threshold(80, OURS, "%", "LA-D3-02"),
        "mount.space": Threshold(80, OURS, "%", "LA-D3-03"),
        "http.latency": Threshold(200, None, "ms", "LA-D2-02"),
        "log.latency_p95": Threshold(2000, None, "ms", "LA-K-06"),
        "log.rate": Threshold(1, None, "%", "LA-D2-02"),
        "database.slow_query": Threshold(1000, None, "ms", "LA-DB1-03"),
        "vitals.fcp": Threshold(1800, None, "ms", "LA-D2-01 LA-D4-01"),
        "vitals.lcp": Threshold(2500, None, "ms", "LA-D2-01"),
        "vitals.fid": Threshold(100, None, "ms", "LA-D2-01"),
        "vitals.cls": Threshold(0.1, None, "", "LA-D2-01"),
        "slo.availability": Threshold(99.9, None, "%", "LA-K-01"),
        "incident.mttd": Threshold(5, None, "min", "LA-K-02"),
        "incident.mttr": Threshold(30, None, "min", "LA-K-03"),
    },
    "discord_intelligence": {
        "system.memory": Threshold(None, 90, "%", "DI-A-02", minutes=5),
        "log.latency_p95": Threshold(1000, None, "ms", "DI-A-03", minutes=5),
        "metric.errors_per_second": Threshold(None, 0.1, "1/s", "DI-A-01", minutes=2),
        "database.pool": Threshold(20, 50, "connections", "DI-Q2-05 DI-T-09"),  # 20, and 30 more when pressed
        "redis.hit_ratio": Threshold(80, None, "%", "DI-A-04", minutes=10),
    },
}


def limits_of(profile: str, kind: str) -> dict[str, dict[str, str]]:
    """All limits that a profile sets for a kind of check, as its module takes them; :class:`KeyError` as below."""
    kinds = [found.name for found in pkgutil.iter_modules(_checks.__path__)]
    if kind not in kinds:
        raise KeyError(f"there is no kind of check {kind!r}; there are {', '.join(kinds)}")
    own = {metric: metric.rpartition(".")[2] for metric in _profile(profile) if metric.startswith(f"{kind}.")}
    return {option: threshold(profile, metric).limits for metric, option in own.items()}


def _profile(profile: str) -> dict[str, Threshold]:
    if profile not in PROFILES:
        raise KeyError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    return PROFILES[profile]


def threshold(profile: str, metric: str) -> Threshold:
    """What a profile says about a metric, else what the module of the check does by default.

    Raises :class:`KeyError` with a sentence that names what there is.
    """
    found = _profile(profile).get(metric) or _standard(metric)
    if not found:
        known = sorted({*_profile(profile), *standard_metrics()})
        raise KeyError(f"the profile {profile} has no {metric!r}; it has {', '.join(known)}")
    return found


def standard_metrics() -> list[str]:
    """Everything that a check judges by limits of its own: ``system.cpu``, ``mount.space`` and so on."""
    kinds = [kind.name for kind in pkgutil.iter_modules(_checks.__path__)]
    return [f"{kind}.{option}" for kind in kinds for option in _limits_of(kind)]


def _standard(metric: str) -> Threshold | None:
    kind, _, option = metric.partition(".")
    if metric not in standard_metrics():
        return None
    spec = _limits_of(kind)[option]
    warning, critical = (spec["options"][level].get("default") for level in ("warning", "critical"))
    return Threshold(warning, critical, spec.unit, f"the default of {kind}_check")


def _limits_of(kind: str) -> dict[str, LimitsSpec]:
    tuning = importlib.import_module(f"{_checks.__name__}.{kind}").TUNING
    return {option: spec for option, spec in tuning.items() if isinstance(spec, LimitsSpec)}
