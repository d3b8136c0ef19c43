# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for history in whatever database."""

from __future__ import annotations

import datetime as dt
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ansible_collections.sre.runbooks.plugins.plugin_utils import _history
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History, HistoryUnavailable
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Sample

ROOT = Path(__file__).resolve().parents[4]
FIRST = dt.datetime(2026, 11, 1, 5, 0, tzinfo=dt.UTC)


def on(day: int) -> str:
    return (FIRST + dt.timedelta(days=day)).isoformat()


def run(day: int = 0, **more: Any) -> dict[str, Any]:
    about = {"id": f"run-{day}", "system": "shop", "occasion": "morning", "state": "closed", "limited": False}
    return {**about, "started": on(day), "verdict": "ok", "counts": {"ok": 1}, **more}


def record(status: str = "ok", value: float | None = 50.0, **more: Any) -> dict[str, Any]:
    about = {"host": "web1", "id": "mount.space", "target": "/", "status": status, "value": value, "unit": "%"}
    return {**about, "summary": f"{value} % used", "change": None, **more}


def attestation(**more: Any) -> dict[str, Any]:
    about = {"system": "shop", "occasion": "morning", "step": "A-1", "date": FIRST.date(), "state": "done"}
    return {**about, "by": "jo", "at": FIRST, "note": "", "evidence": "", **more}


def another_process(function: Any, *arguments: str) -> subprocess.Popen[str]:
    """Call a function of a test file in a process of its own, as soon as it gets a line; its output is what it prints."""
    call = f"from {function.__module__} import {function.__name__} as run; import sys; print('ready', flush=True)"
    command = [sys.executable, "-c", f"{call}; input(); run(*sys.argv[1:])", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)


def open_as_nobody(place: str) -> None:
    with tempfile.TemporaryDirectory() as other, History(f"{other}/history.sqlite"):
        pass  # while everything that has to be imported can be read
    if os.geteuid() == 0:
        os.seteuid(65534)  # root may write everywhere
    try:
        History(place)
    except HistoryUnavailable as exc:
        print(exc)  # noqa: T201


def save_some(place: str, first: str) -> None:
    with History(place) as history:
        for day in range(int(first), int(first) + 5):
            history.save(run(day), [record(value=float(day), target=f"/{number}") for number in range(50)])


class EveryHistory:
    """The tests: a class of a test file takes them over, and has or sees a fixture ``place``."""

    @pytest.fixture
    def history(self, place: str) -> Any:
        with History(place) as opened:
            yield opened

    def test_what_was_saved_is_read_back(self, history: History) -> None:
        history.save(run(), [record(), record("warning", 85.0, target="/var", change="new", since=on(0))])
        assert history.runs() == [run()]
        found = history.previous("shop", "morning", on(1))
        assert found is not None
        assert found[0] == run()
        assert sorted(found[1], key=lambda each: each["target"]) == [
            {**record(), "summary": "", "since": None, "at": on(0)},
            {**record("warning", 85.0, target="/var", change="new"), "since": on(0), "at": on(0)},
        ]

    def test_the_same_run_saved_again_replaces_what_it_said(self, history: History) -> None:
        history.save(run(state="running"), [record(), record(target="/var")])
        history.save(run(), [record("critical", 99.0)])
        history.save(run(), [record("critical", 99.0)])
        assert history.runs() == [run()]
        found = history.previous("shop", "morning", on(1))
        assert found is not None
        assert [each["status"] for each in found[1]] == ["critical"]

    def test_of_two_records_with_one_identity_the_more_urgent_is_kept(self, history: History) -> None:
        history.save(run(), [record("warning", 1), record("critical", 2), record("ok", 3)])
        assert [sample.value for sample in history.trends("shop")["web1", "mount.space", "/"]] == [2]

    def test_a_run_without_records_is_a_run(self, history: History) -> None:
        history.save(run(), [])
        assert history.previous("shop", "morning", on(1)) == (run(), [])

    @pytest.mark.parametrize(
        "other",
        [
            {"system": "blog"},
            {"occasion": "evening"},
            {"occasion": None},
            {"state": "broken_off"},
            {"state": "running"},
            {"limited": True},
        ],
        ids=str,
    )
    def test_the_previous_run_is_a_whole_one_of_the_same_occasion(
        self, history: History, other: dict[str, Any]
    ) -> None:
        history.save(run(0), [record(value=1.0)])
        history.save(run(1, **other), [record(value=2.0)])
        found = history.previous("shop", "morning", on(2))
        assert found is not None
        assert (found[0]["id"], found[1][0]["value"]) == ("run-0", 1.0)

    def test_what_began_are_the_last_whole_runs_of_each_occasion(self, history: History) -> None:
        others: list[dict[str, Any]] = [{"occasion": "weekly", "check_mode": False}, {"check_mode": False}]
        others += [{"check_mode": True}, {"state": "broken_off"}, {"limited": True}, {"occasion": None}]
        for day, more in enumerate([{}, *others, {"system": "blog"}, {}]):
            history.save(run(day, **more), [])
        expected = {"morning": dt.datetime.fromisoformat(on(2)), "weekly": dt.datetime.fromisoformat(on(1))}
        assert history.began("shop", on(8)) == expected
        assert history.began("nobody", on(8)) == {}

    def test_a_target_is_known_since_its_first_record(self, history: History) -> None:
        for day in (3, 1, 2):
            history.save(run(day), [record(), record(target=f"/{day}"), record(id="mount.inodes", target="/x")])
        history.save(run(0, system="blog"), [record()])
        expected = {"/": 1, "/1": 1, "/2": 2, "/3": 3}
        seen = history.first_seen("shop", "mount.space")
        assert seen == {target: dt.datetime.fromisoformat(on(day)) for target, day in expected.items()}

    def test_the_previous_run_is_the_last_one_before(self, history: History) -> None:
        for day in (2, 0, 1, 3):
            history.save(run(day), [record(value=float(day))])
        assert [(history.previous("shop", "morning", on(day)) or ({"id": None}, []))[0]["id"] for day in range(4)] == [
            None,
            "run-0",
            "run-1",
            "run-2",
        ]

    def test_a_run_without_an_occasion_has_a_previous_one_too(self, history: History) -> None:
        history.save(run(0, occasion=None), [])
        found = history.previous("shop", None, on(1))
        assert found is not None
        assert found[0]["id"] == "run-0"

    def test_a_run_without_an_occasion_is_compared_with_one_of_the_same_playbook(self, history: History) -> None:
        for day, playbook in enumerate(["backup", "restore_database", "restore_drill"]):
            history.save(run(day, occasion=None, playbook=playbook), [])
        found = history.previous("shop", None, on(3), playbook="backup")
        assert found is not None
        assert found[0]["id"] == "run-0"
        assert history.previous("shop", None, on(3), playbook="patching") is None

    def test_runs_are_listed_from_the_latest_on(self, history: History) -> None:
        for day in range(3):
            history.save(run(day), [])
        history.save(run(3, system="blog"), [])
        assert [each["id"] for each in history.runs("shop")] == ["run-2", "run-1", "run-0"]
        assert [each["id"] for each in history.runs("shop", "morning", since=on(1), limit=1)] == ["run-2"]
        assert history.runs("shop", "evening") == []

    def test_a_trend_has_the_last_samples_from_old_to_new(self, history: History) -> None:
        for day in range(5):
            history.save(run(day), [record(value=float(day)), record("warning", None, host="web2", unit="")])
        trends = history.trends("shop", limit=3)
        assert trends["web1", "mount.space", "/"] == [Sample(on(day), float(day), "ok", "%") for day in (2, 3, 4)]
        assert trends["web2", "mount.space", "/"] == [Sample(on(day), None, "warning", "") for day in (2, 3, 4)]
        assert list(history.trends("shop", hosts={"web2"})) == [("web2", "mount.space", "/")]
        assert history.trends("shop", hosts=[]) == {}
        assert history.trends("blog") == {}

    def test_a_trend_that_is_shorter_than_asked_for_is_whole(self, history: History) -> None:
        history.save(run(), [record()])
        assert len(history.trends("shop", limit=30)["web1", "mount.space", "/"]) == 1

    def test_a_series_reaches_back_as_far_as_asked(self, history: History) -> None:
        for day in range(4):
            history.save(run(day), [record(value=float(day)), record(target="/var"), record(id="mount.inodes")])
        assert sorted(key[2] for key in history.series("shop", "web1", "mount.space")) == ["/", "/var"]
        series = history.series("shop", "web1", "mount.space", since=on(2), target="/")
        assert {key: [sample.value for sample in samples] for key, samples in series.items()} == {
            ("web1", "mount.space", "/"): [2.0, 3.0]
        }

    def test_two_systems_may_have_a_host_of_the_same_name(self, history: History) -> None:
        history.save(run(0), [record(value=1.0, host="localhost")])
        history.save(run(1, system="blog"), [record(value=2.0, host="localhost")])
        assert [sample.value for sample in history.trends("blog")["localhost", "mount.space", "/"]] == [2.0]

    def test_a_unit_that_was_not_known_at_first_is_learnt(self, history: History) -> None:
        history.save(run(0), [record("unknown", None, unit="")])
        history.save(run(1), [record("ok", 3.0, unit="%")])
        history.save(run(2), [record("unknown", None, unit="")])
        assert {sample.unit for sample in history.trends("shop")["web1", "mount.space", "/"]} == {"%"}

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_number_is_kept_as_no_value(self, history: History, value: float) -> None:
        history.save(run(), [record("unknown", value)])
        assert [sample.value for sample in history.trends("shop")["web1", "mount.space", "/"]] == [None]

    def test_text_that_is_no_text_does_not_stop_the_run_from_being_saved(self, history: History) -> None:
        history.save(run(), [record("critical", summary="nul \0 and \udcff"), record(target="/\udcff")])
        found = history.previous("shop", "morning", on(1))
        assert found is not None
        assert sorted(each["summary"] for each in found[1]) == ["", "nul ? and ?"]

    def test_markup_and_quotes_are_only_text(self, history: History) -> None:
        odd = "'; DROP TABLE runs; --"
        history.save(run(), [record("critical", host=odd, summary=odd)])
        assert list(history.trends("shop", hosts=[odd])) == [(odd, "mount.space", "/")]

    def test_attestations_are_appended_and_never_replaced(self, history: History) -> None:
        rows = [attestation(), attestation(state="not_applicable", note="holiday"), attestation(step="A-2")]
        for row in rows:
            history.attest(row)
        assert history.attestations("shop") == rows
        assert history.attestations("shop", "evening") == []
        assert history.attestations("shop", since=FIRST.date() + dt.timedelta(days=1)) == []
        assert history.attestations("blog") == []

    def test_what_is_old_is_forgotten_and_attestations_are_kept(self, history: History) -> None:
        history.save(run(0), [record(), record(target="/gone")])
        history.save(run(10), [record()])
        history.attest(attestation())
        now = FIRST + dt.timedelta(days=12)
        assert history.retain(5, now=now) == 4  # a run, its two samples, and the series that nothing else has seen
        assert history.retain(5, now=now) == 0
        assert [each["id"] for each in history.runs()] == ["run-10"]
        assert list(history.trends("shop")) == [("web1", "mount.space", "/")]
        assert len(history.attestations("shop")) == 1

    def test_a_newer_schema_is_refused_in_words(
        self, history: History, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_history, "STEPS", ())
        with pytest.raises(
            HistoryUnavailable, match=r"a newer version of sre.runbooks: its schema is 1, this one knows 0"
        ):
            History(place)

    def test_an_older_schema_is_brought_up_to_date_and_keeps_its_rows(
        self, history: History, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history.save(run(), [record()])

        def add_a_table(connection: sa.Connection) -> None:
            connection.execute(sa.text("CREATE TABLE incidents (key INTEGER PRIMARY KEY)"))

        monkeypatch.setattr(_history, "STEPS", (*_history.STEPS, add_a_table))
        with pytest.raises(HistoryUnavailable, match="schema 1 of 2"):
            History(place, write=False)
        for _again in range(2):
            with History(place) as upgraded:
                assert upgraded.runs() == [run()]
                with upgraded._transaction() as connection:
                    assert _history._version(connection) == 2
                    assert sa.inspect(connection).has_table("incidents")

    def test_an_upgrade_that_breaks_leaves_the_old_schema(
        self, history: History, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def half(connection: sa.Connection) -> None:
            connection.execute(sa.text("CREATE TABLE half_done (key INTEGER)"))
            connection.execute(sa.text("CREATE TABLE runs (key INTEGER)"))

        with monkeypatch.context() as patched:
            patched.setattr(_history, "STEPS", (*_history.STEPS, half))
            with pytest.raises(HistoryUnavailable, match="runs"):
                History(place)
        with history._transaction() as connection:
            assert _history._version(connection) == 1
            assert not sa.inspect(connection).has_table("half_done")

    def test_two_runs_that_begin_at_once_create_and_fill_one_history(self, place: str) -> None:
        writers = [another_process(save_some, place, first) for first in ("0", "5")]
        assert [writer.stdout and writer.stdout.readline() for writer in writers] == ["ready\n", "ready\n"]
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("go\n")
            writer.stdin.flush()
        assert [(writer.communicate(timeout=60)[1], writer.returncode) for writer in writers] == [("", 0), ("", 0)]
        with History(place) as history:
            assert len(history.runs()) == 10
            trends = history.trends("shop")
            assert len(trends) == 50
            assert {len(samples) for samples in trends.values()} == {10}
