# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The end of a run: from the journal to findings, comparison, notifications, history and reports.

Called by the action ``report``, or by the callback ``journal`` when a playbook ended without it.
"""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import dataclasses
import datetime as dt
import json
import shutil
import tempfile
import typing as t
import zoneinfo
from pathlib import Path

from ansible.template import Templar

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Limits
from ansible_collections.sre.runbooks.plugins.plugin_utils import (
    _attest,
    _compare,
    _notify,
    _report,
    _run,
    _runbook,
    _schedule,
    _waivers,
)
from ansible_collections.sre.runbooks.plugins.plugin_utils._catalogue import promises
from ansible_collections.sre.runbooks.plugins.plugin_utils._history import History, HistoryUnavailable, location
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, iso, make, moment
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import RENDERERS

ENABLED = "SRE_RUNBOOKS_JOURNAL"
"""Set in the environment while the callback listens, so that preflight can tell."""

RUN = "SRE_RUNBOOKS_RUN"
"""The directory of the run, for the actions of this playbook; they run in processes of their own."""


class Variables(collections.abc.Mapping[str, t.Any]):
    """Ansible's variables, each resolved when it is asked for, as plain data."""

    def __init__(self, raw: t.Mapping[str, t.Any], loader: t.Any) -> None:
        self._raw, self._templar = raw, Templar(loader=loader, variables=dict(raw))

    def __getitem__(self, name: str) -> t.Any:
        return _plain(self._templar.template(self._raw[name]))

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _plain(value: t.Any) -> t.Any:
    """Without the tags that Ansible gives to values."""
    if isinstance(value, collections.abc.Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


@dataclasses.dataclass(frozen=True)
class Settings:
    """The collection's variables, read and known to make sense. ``history`` and ``notify`` hold secrets."""

    runbook: _runbook.Runbook | None
    wanted: str | None
    waivers: list[_waivers.Waiver]
    notify: list[_notify.Notifier]
    labels: dict[str, t.Any]
    history: str | None
    pages: str
    keep_runs: int
    keep_history: int
    textfile: str | None

    @classmethod
    def read(cls, variables: t.Mapping[str, t.Any]) -> Settings:
        """Raises RunbookError or BadOption, naming what cannot be meant."""
        places = [variables.get(name) for name in ("inventory_dir", "playbook_dir")]
        source = _runbook.Source.find(str(place) for place in places if place)
        data = variables.get("sre_runbook")
        return cls(
            runbook=_runbook.read(data, source) if data is not None else None,
            wanted=variables.get("sre_occasion") or None,
            waivers=_waivers.read(variables.get("sre_waivers") or []),
            notify=_notify.read(variables.get("sre_notify") or []),
            labels=variables.get("sre_labels") or {},
            history=variables.get("sre_history") or None,
            pages=variables.get("sre_pages") or PAGES,
            keep_runs=_days(variables, "sre_keep_runs", 90),
            keep_history=_days(variables, "sre_keep_history", 730),
            textfile=variables.get("sre_textfile") or None,
        )

    @property
    def system(self) -> str:
        return self.runbook.system if self.runbook else str(self.labels.get("system", "unnamed"))

    @property
    def timezone(self) -> str:
        return self.runbook.timezone if self.runbook else "UTC"

    def occasion(self, playbook: str) -> _runbook.Occasion | None:
        """The occasion of this run. Raises RunbookError."""
        return self.runbook.occasion(playbook, self.wanted) if self.runbook else None


PAGES = (Path(__file__).resolve().parents[2] / "docs" / "runbooks").as_uri()
"""Where the runbook pages lie when nobody says otherwise: in the collection itself."""


def _days(variables: t.Mapping[str, t.Any], name: str, default: int) -> int:
    value = variables.get(name, default)
    if isinstance(value, bool) or not str(value).isdigit() or int(value) < 1:
        raise BadOption(f"{name}: {value!r} is not a number of days of at least 1")
    return int(value)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a run. ``terminal`` is what a person at a terminal is to read last."""

    path: Path
    verdict: str
    counts: dict[str, int]
    terminal: str


FILES = {
    "report.html": "html",
    "report.json": "json",
    "report.md": "markdown",
    "report.txt": "terminal",
    "junit.xml": "junit",
    "metrics.prom": "prometheus",
}
"""What lies in the directory of a closed run, and which renderer writes it."""


REMINDED = dt.timedelta(days=31)
"""How long an overdue attestation is asked for."""

LATE = ("run.notification", "run.history")
"""Found after the comparison of everything else, and compared on their own."""


def finish(path: Path, variables: t.Mapping[str, t.Any]) -> Outcome:
    """Close the run in ``path`` and report it. Raises RunbookError or BadOption for variables that make no sense."""
    hosts = (variables.get("groups") or {}).get("all") or []
    return _Closing(path, _run.read_facts(path), Settings.read(variables), hosts).run()


class _Closing:
    """One run on its way from the journal to the reports."""

    def __init__(self, path: Path, facts: Record, settings: Settings, hosts: t.Collection[str]) -> None:
        self.path, self.settings, self.hosts = path, settings, {"localhost", *hosts}
        self.now = dt.datetime.now(dt.UTC)
        self.today = self.now.astimezone(zoneinfo.ZoneInfo(settings.timezone)).date()
        self.directory = Path(facts["directory"])
        self.occasion = settings.occasion(facts["playbook"])
        self.facts: Record = {
            **facts,
            "system": settings.system,
            "occasion": self.occasion.id if self.occasion else None,
            "state": "closed",
            "ended": iso(self.now),
            "seconds": round((self.now - moment(facts["started"])).total_seconds(), 1),
        }
        self.name = str(self.facts["occasion"] or facts["playbook"])
        self.before: tuple[Record, list[Record]] | None = None
        self.attested: dict[str, Record] = {}
        self.overdue: list[Check] = []
        self.missed: list[Check] = []

    def run(self) -> Outcome:
        """Everything that is to be said of the run is said here, in this order."""
        history, trouble = self._open_history()
        with history or contextlib.nullcontext():
            records = self._compared(self._accounted(_run.read_journal(self.path)))
            records += self._late(_notify.deliver(self.settings.notify, self._build(records)))
            records += self._late([self._saved(history, records, trouble)])
            trends = self._trends(history)
        records += self._late(self._exported(records))
        return self._written(records, trends)

    # What the run has to say of itself

    def _accounted(self, records: list[Record]) -> list[Record]:
        """The records of the journal, and those of the run itself, so that nothing is passed over in silence."""
        records = records + [
            make(check, "localhost", self.now) for check in [*self._own(records), *self.missed, *self.overdue]
        ]
        steps = _report.lay_out(self.occasion, records, self.facts, self.attested, iso(self.now))
        records += [make(check, "localhost", self.now) for check in _report.unaccounted(steps)]
        return records + _waivers.findings(records, self.settings.waivers, self.today, self.now)

    def _own(self, records: list[Record]) -> t.Iterator[Check]:
        if not records:
            reason = "nothing was checked: the inventory has no hosts, or no role was given anything to look at"
            yield Check.unknown("run.step", self.name, reason)
        if self.occasion and self.occasion.budget:
            spent, budget = self.facts["seconds"], self.occasion.budget
            limits = Limits(warning=str(budget), unit="s")
            yield Check.judge("run.budget", self.name, spent, limits, f"took {spent:.0f} s of {budget} s")
        if self.path.parent != self.directory / "runs":
            yield Check.unknown(
                "run.journal", str(self.directory), f"cannot be written to: the run lies in {self.path}"
            )
        for name, broken in self._broken_off().items():
            last = broken[-1]
            times = "a run" if len(broken) == 1 else f"{len(broken)} runs"
            summary = f"{times} did not come to an end; the last one started {last['started']} and {last['knew']}"
            yield Check("run.broken_off", name, "warning", summary, float(len(broken)), detail={"runs": broken})

    def _broken_off(self) -> dict[str, list[Record]]:
        """The runs that were killed, by occasion. Each is said once: it is marked."""
        found: dict[str, list[Record]] = collections.defaultdict(list)
        for path, facts in _run.broken_off(self.directory, self.path):
            name = str(facts.get("occasion") or facts.get("playbook"))
            try:
                knew = f"knew {len(_run.read_journal(path))} results"
            except ValueError:
                knew = "its journal is damaged"
            found[name].append(
                {"path": str(path), "started": facts["started"], "user": facts.get("user"), "knew": knew}
            )
            with contextlib.suppress(OSError):
                _run.write(path / "run.json", json.dumps({**facts, "state": "broken_off"}, indent=2) + "\n")
        return found

    # History

    def _open_history(self) -> tuple[History | None, str]:
        try:
            history = History(location(self.settings.history))
            self._remember(history)
            return history, ""
        except HistoryUnavailable as exc:
            self.missed = list(self._missed(None))
            return None, str(exc)

    def _remember(self, history: History) -> None:
        self.before = history.previous(
            self.settings.system, self.facts["occasion"], self.facts["started"], playbook=self.facts["playbook"]
        )
        if self.settings.runbook:
            since = self.now - REMINDED
            rows = history.attestations(self.settings.system, since=since.date())
            runs = history.runs(self.settings.system, since=since)
            self.overdue = _attest.overdue(self.settings.runbook, runs, rows, self.now)
            self.attested = _attest.for_report(
                rows, self.name, _attest.day(self.settings.runbook, self.facts["started"])
            )
        self.missed = list(self._missed(history))

    def _missed(self, history: History | None) -> t.Iterable[Check]:
        """What the schedules of the runbook say of the time before this run."""
        runbook, system, started = self.settings.runbook, self.settings.system, self.facts["started"]
        if not runbook:
            return ()
        if not history:
            return _schedule.untold(runbook, "run.history")
        whole = not self.facts["limited"] and not self.facts.get("check_mode")
        current = self.facts["occasion"] if whole else None
        seen = history.first_seen(system, "run.missed")
        return _schedule.missed(runbook, current, moment(started), history.began(system, started), seen)

    def _trends(self, history: History | None) -> t.Mapping[t.Any, t.Sequence[t.Any]]:
        with contextlib.suppress(HistoryUnavailable):  # said by run.history
            return history.trends(self.settings.system, self.hosts) if history else {}
        return {}

    def _saved(self, history: History | None, records: list[Record], trouble: str) -> Check:
        """Keep the run. The finding ``run.history`` is part of what is kept, as far as that can be."""
        fine = Check("run.history", self.name, "ok", "the results are remembered")
        if history:
            try:
                kept = records + self._late([fine])
                self._judge(kept)
                history.save(self.facts, kept)
                history.retain(self.settings.keep_history)
                return fine
            except HistoryUnavailable as exc:
                trouble = str(exc)
        return Check.unknown("run.history", self.name, f"the results are in the run's directory only: {trouble}")

    # Comparison

    def _compared(self, records: list[Record]) -> list[Record]:
        before = [record for record in (self.before[1] if self.before else []) if record["id"] not in LATE]
        limited = bool(self.facts["limited"])
        compared = _compare.compare(records, before, at=self.now, hosts=self.hosts, limited=limited)
        return _waivers.apply(compared, self.settings.waivers, self.today)

    def _late(self, checks: t.Iterable[Check]) -> list[Record]:
        """Records of what is known only after everything else has been compared."""
        records = [make(check, "localhost", self.now) for check in checks]
        before = self.before[1] if self.before else []
        compared = _compare.compare(records, before, at=self.now, hosts=(), limited=True)
        return _waivers.apply(compared, self.settings.waivers, self.today)

    # Reports

    def _judge(
        self, records: list[Record], trends: t.Mapping[t.Any, t.Sequence[t.Any]] | None = None
    ) -> _report.Report:
        """The report, its verdict and counts written down among the facts of the run."""
        report = self._build(records, trends)
        self.facts.update(verdict=report.verdict, counts=dict(report.counts))
        return report

    def _build(
        self, records: list[Record], trends: t.Mapping[t.Any, t.Sequence[t.Any]] | None = None
    ) -> _report.Report:
        return _report.build(
            self.facts,
            records,
            occasion=self.occasion,
            timezone=self.settings.timezone,
            attestations=self.attested,
            trends=trends,
            promises=promises(),
            pages=self.settings.pages,
            previous=self.before[0] if self.before else None,
        )

    def _exported(self, records: list[Record]) -> t.Iterator[Check]:
        """Give the metrics to the node exporter, where that is asked for; a finding when it does not work."""
        if not self.settings.textfile:
            return
        path = Path(self.settings.textfile) / f"sre_runbooks_{self.settings.system}_{self.name}.prom"
        try:
            _run.write(path, RENDERERS["prometheus"](self._judge(records)))
        except OSError as exc:
            yield Check.unknown("run.journal", str(path), f"the metrics cannot be written: {exc.strerror}")

    def _written(self, records: list[Record], trends: t.Mapping[t.Any, t.Sequence[t.Any]]) -> Outcome:
        try:
            return self._write(self._judge(records, trends))
        except OSError as exc:  # the disk is full or gone: rather elsewhere than nowhere
            elsewhere = Path(tempfile.mkdtemp(prefix="sre-runbooks-")) / self.path.name
            self.path = Path(shutil.copytree(self.path, elsewhere))
            reason = f"cannot be written to ({exc.strerror}): the run lies in {elsewhere}"
            lost = Check.unknown("run.journal", str(self.directory), reason)
            return self._write(self._judge(records + self._late([lost]), trends))

    def _write(self, report: _report.Report) -> Outcome:
        report = dataclasses.replace(report, run={**self.facts, "path": str(self.path)})
        texts = {name: RENDERERS[renderer](report) for name, renderer in FILES.items()}
        for name, text in texts.items():
            _run.write(self.path / name, text)
        _run.write(self.path / "run.json", json.dumps(self.facts, indent=2, sort_keys=True) + "\n")
        if self.path.parent == self.directory / "runs":
            _run.point_latest(self.path)
            _run.retain(self.directory, self.settings.keep_runs)
        return Outcome(self.path, report.verdict, dict(report.counts), texts["report.txt"])
