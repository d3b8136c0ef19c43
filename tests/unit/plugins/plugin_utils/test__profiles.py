# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""profiles: every number of the five documents, and where it is written."""

from __future__ import annotations

import importlib

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import LimitsSpec
from ansible_collections.sre.runbooks.plugins.plugin_utils import _profiles as profiles

WARNING, CRITICAL, MINUTES, HOURS = "warning", "critical", "minutes", "hours"

STATED = [
    # EduBot Pro
    ("edubot", "system.cpu", WARNING, 80, "EB-D1-01"),
    ("edubot", "system.memory", WARNING, 85, "EB-D1-02"),
    ("edubot", "mount.space", WARNING, 90, "EB-D1-03"),
    ("edubot", "http.latency", WARNING, 2000, "EB-D2-01"),
    ("edubot", "http.latency", CRITICAL, 5000, "EB-I-02"),
    ("edubot", "log.matches", WARNING, 10, "EB-D1-07"),
    ("edubot", "log.matches", HOURS, 12, "EB-D1-07"),
    ("edubot", "certificate.expiry", WARNING, 30, "EB-D1-10"),
    # AI Media Search
    ("media_search", "system.cpu", WARNING, 80, "MS-A-01"),
    ("media_search", "system.cpu", MINUTES, 5, "MS-A-01"),
    ("media_search", "system.memory", WARNING, 90, "MS-A-04"),
    ("media_search", "log.latency_p95", WARNING, 500, "MS-K-02"),
    ("media_search", "log.rate", WARNING, 0.1, "MS-K-04"),
    ("media_search", "queue.depth", WARNING, 1000, "MS-A-07"),
    ("media_search", "queue.done_in_time", WARNING, 95, "MS-K-03"),
    ("media_search", "queue.done_in_time", MINUTES, 5, "MS-K-03"),
    ("media_search", "database.slow_query", WARNING, 100, "MS-W3-02"),
    ("media_search", "slo.availability", WARNING, 99.9, "MS-K-01"),
    ("media_search", "slo.downtime", WARNING, 43, "MS-K-01"),
    # AskProAI
    ("askproai", "system.cpu", WARNING, 70, "AP-M-05"),
    ("askproai", "system.cpu", CRITICAL, 90, "AP-M-05"),
    ("askproai", "system.memory", WARNING, 80, "AP-M-06"),
    ("askproai", "system.memory", CRITICAL, 95, "AP-M-06"),
    ("askproai", "mount.space", WARNING, 80, "AP-M-07"),
    ("askproai", "mount.space", CRITICAL, 90, "AP-M-07"),
    ("askproai", "http.latency", WARNING, 500, "AP-M-01"),
    ("askproai", "http.latency", CRITICAL, 2000, "AP-M-01"),
    ("askproai", "log.latency_p95", WARNING, 2000, "AP-M-10"),
    ("askproai", "log.latency_p95", MINUTES, 10, "AP-M-10"),
    ("askproai", "log.rate", WARNING, 1, "AP-M-02"),
    ("askproai", "log.rate", CRITICAL, 5, "AP-M-09"),
    ("askproai", "log.rate", MINUTES, 5, "AP-M-09"),
    ("askproai", "queue.depth", WARNING, 1000, "AP-M-03"),
    ("askproai", "queue.depth", CRITICAL, 5000, "AP-M-03"),
    ("askproai", "database.connections", WARNING, 80, "AP-M-08"),
    ("askproai", "database.connections", CRITICAL, 95, "AP-M-08"),
    # Learning Assistant
    ("learning_assistant", "system.cpu", WARNING, 80, "LA-D3-01"),
    ("learning_assistant", "system.memory", WARNING, 80, "LA-D3-02"),
    ("learning_assistant", "mount.space", WARNING, 80, "LA-D3-03"),
    ("learning_assistant", "http.latency", WARNING, 200, "LA-D2-02"),
    ("learning_assistant", "log.latency_p95", WARNING, 2000, "LA-K-06"),
    ("learning_assistant", "log.rate", WARNING, 1, "LA-D2-02"),
    ("learning_assistant", "database.slow_query", WARNING, 1000, "LA-DB1-03"),
    ("learning_assistant", "vitals.fcp", WARNING, 1800, "LA-D2-01"),
    ("learning_assistant", "vitals.lcp", WARNING, 2500, "LA-D2-01"),
    ("learning_assistant", "vitals.fid", WARNING, 100, "LA-D2-01"),
    ("learning_assistant", "vitals.cls", WARNING, 0.1, "LA-D2-01"),
    ("learning_assistant", "slo.availability", WARNING, 99.9, "LA-K-01"),
    ("learning_assistant", "incident.mttd", WARNING, 5, "LA-K-02"),
    ("learning_assistant", "incident.mttr", WARNING, 30, "LA-K-03"),
    # Discord Intelligence Bot
    ("discord_intelligence", "system.memory", CRITICAL, 90, "DI-A-02"),
    ("discord_intelligence", "system.memory", MINUTES, 5, "DI-A-02"),
    ("discord_intelligence", "log.latency_p95", WARNING, 1000, "DI-A-03"),
    ("discord_intelligence", "log.latency_p95", MINUTES, 5, "DI-A-03"),
    ("discord_intelligence", "metric.errors_per_second", CRITICAL, 0.1, "DI-A-01"),
    ("discord_intelligence", "metric.errors_per_second", MINUTES, 2, "DI-A-01"),
    ("discord_intelligence", "database.pool", WARNING, 20, "DI-Q2-05"),
    ("discord_intelligence", "database.pool", CRITICAL, 20 + 30, "DI-T-09"),
    ("discord_intelligence", "redis.hit_ratio", WARNING, 80, "DI-A-04"),
    ("discord_intelligence", "redis.hit_ratio", MINUTES, 10, "DI-A-04"),
]
"""profile, metric, what, number, row of the document."""

OUR_OWN = [(CRITICAL, profiles.OURS, "%"), (CRITICAL, profiles.OUR_DAYS, "d")]


@pytest.mark.parametrize(("profile", "metric", "what", "number", "row"), STATED)
def test_a_number_of_the_documents_is_in_the_profile(
    profile: str, metric: str, what: str, number: float, row: str
) -> None:
    threshold = profiles.threshold(profile, metric)
    assert getattr(threshold, what) == number
    assert row in threshold.source.split()


def test_a_profile_holds_no_number_that_the_documents_do_not_state_but_our_own_critical_limit() -> None:
    stated = {(profile, metric, what) for profile, metric, what, _, _ in STATED}
    for profile, metrics in profiles.PROFILES.items():
        for metric, threshold in metrics.items():
            for what in (WARNING, CRITICAL, MINUTES, HOURS):
                number = getattr(threshold, what)
                ours = (what, number, threshold.unit) in OUR_OWN
                assert number is None or ours or (profile, metric, what) in stated, (profile, metric, what)


@pytest.mark.parametrize(
    ("profile", "metric"), [(profile, metric) for profile, metrics in profiles.PROFILES.items() for metric in metrics]
)
def test_limits_for_a_check_of_ours_have_its_unit_and_are_accepted(profile: str, metric: str) -> None:
    if metric not in profiles.standard_metrics():
        return
    kind, _, option = metric.partition(".")
    spec = importlib.import_module(f"{profiles._checks.__name__}.{kind}").TUNING[option]
    assert isinstance(spec, LimitsSpec)
    threshold = profiles.threshold(profile, metric)
    assert threshold.unit == spec.unit
    spec.read(threshold.limits)


def test_what_a_document_leaves_open_is_what_the_module_does_by_default() -> None:
    for profile in ("standard", "discord_intelligence"):
        assert profiles.threshold(profile, "system.cpu").limits == {"warning": "80", "critical": "95"}
        assert profiles.threshold(profile, "system.reboot").limits == {"warning": "60", "critical": "never"}
        assert profiles.threshold(profile, "mount.space").unit == "%"


def test_a_certificate_about_to_expire_is_critical_also_where_a_document_only_warns() -> None:
    assert profiles.threshold("edubot", "certificate.expiry").limits == {"warning": "30", "critical": "7"}


@pytest.mark.parametrize(
    ("profile", "metric", "sentence"),
    [
        ("edubt", "system.cpu", "there is no profile 'edubt'; there are standard, edubot, media_search, askproai"),
        ("edubot", "system.cpuu", "the profile edubot has no 'system.cpuu'; it has .*http.latency.*system.cpu, "),
        ("standard", "vitals.fcp", "the profile standard has no 'vitals.fcp'"),
        ("edubot", "", "the profile edubot has no ''"),
    ],
)
def test_what_there_is_not_is_refused_and_what_there_is_is_named(profile: str, metric: str, sentence: str) -> None:
    with pytest.raises(KeyError, match=sentence):
        profiles.threshold(profile, metric)
