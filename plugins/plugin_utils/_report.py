# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report of a run as data: what every renderer and notifier is given, and all that it is given.

No clock, no files: what depends on the hour comes in through ``now``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import fnmatch
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES, Check, at_least, worst
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Key, Record, Sample, identity, iso, moment

if t.TYPE_CHECKING:
    from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import Occasion, Step

CHANGES = ("new", "worse", "missing", "recovered", "better", "still")
"""What can have become of a check since the previous run, in the order in which people want to know."""

STATES = ("measured", "done", "not_applicable", "pending", "overdue", "refused", "not_run")
"""What can become of a step. ``pending`` and ``overdue`` wait for a person, ``not_run`` is nobody's success."""


@dataclasses.dataclass(frozen=True)
class StepResult:
    """What became of one line of the runbook.

    ``status`` is the worst of its records that are not waived. ``reason`` says in one sentence why there is nothing to
    show, where that is so; ``silent`` are the patterns that no record answered. ``attestation`` is what a person said,
    ``{by, at, note, evidence}``, and ``due`` when one who has said nothing is late.
    """

    id: str
    title: str
    state: str
    status: str
    owner: str = ""
    records: tuple[Record, ...] = ()
    attestation: t.Mapping[str, t.Any] | None = None
    reason: str = ""
    silent: tuple[str, ...] = ()
    due: str = ""


@dataclasses.dataclass(frozen=True)
class Errand:
    """Something that waits for a person: who, what, how urgent, and for which step; ``due`` for an attestation."""

    who: str
    what: str
    status: str
    step: str = ""
    check: str = ""
    due: str = ""


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that is to be said about one run.

    ``run`` is run.json; ``records`` are worst first; ``counts`` has every status and ``waived``; ``rest`` are the
    records that belong to no step; ``changes`` has every one of :data:`CHANGES`; ``trends`` is keyed by host, id and
    target; ``promises`` by check id; ``pages`` is where the runbook pages lie; ``previous`` is the run that this one
    is compared with.
    """

    run: t.Mapping[str, t.Any]
    system: str
    timezone: str
    occasion: Occasion | None
    verdict: str
    counts: t.Mapping[str, int]
    records: tuple[Record, ...]
    steps: tuple[StepResult, ...]
    rest: tuple[Record, ...]
    changes: t.Mapping[str, tuple[Record, ...]]
    people: tuple[Errand, ...]
    trends: t.Mapping[Key, t.Sequence[Sample]]
    promises: t.Mapping[str, str]
    pages: str
    previous: t.Mapping[str, t.Any] | None

    @property
    def title(self) -> str:
        """What this is the report of: the occasion, else the playbook."""
        return self.occasion.title if self.occasion else str(self.run.get("playbook") or "Run")

    @property
    def findings(self) -> tuple[Record, ...]:
        """What is not fine and not waived, worst first."""
        return tuple(record for record in self.records if is_finding(record))

    @property
    def waived(self) -> tuple[Record, ...]:
        """What is not fine and waived."""
        return tuple(record for record in self.records if standing(record) == "waived")

    def page(self, check_id: str) -> str:
        """Where the runbook page of a check lies; empty when nobody said."""
        return f"{self.pages.rstrip('/')}/{check_id}.md" if self.pages else ""

    def trend(self, record: Record) -> t.Sequence[Sample]:
        return self.trends.get(identity(record), ())


def standing(record: Record) -> str:
    """The status, or ``waived`` for a finding that somebody answers for."""
    return "waived" if record.get("waiver") and at_least(record["status"], "warning") else str(record["status"])


def is_finding(record: Record) -> bool:
    """Whether somebody has to look: not fine, and nobody answers for it."""
    return at_least(record["status"], "warning") and not record.get("waiver")


def build(
    run: t.Mapping[str, t.Any],
    records: t.Iterable[Record],
    *,
    occasion: Occasion | None = None,
    timezone: str = "UTC",
    attestations: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
    trends: t.Mapping[Key, t.Sequence[Sample]] | None = None,
    promises: t.Mapping[str, str] | None = None,
    pages: str = "",
    on_call: str = "",
    previous: t.Mapping[str, t.Any] | None = None,
    now: str | None = None,
) -> Report:
    """Assemble the report of a run from its records, compared already.

    ``attestations`` is step id → ``{state: done | not_applicable, by, at, note, evidence}``; ``on_call`` is who
    answers for what is critical; ``now`` (ISO 8601) decides what is overdue, by default the end of the run.
    """
    ordered = tuple(sorted(records, key=_urgency))
    steps = lay_out(occasion, ordered, run, attestations or {}, now)
    shown = {id(record) for step in steps for record in step.records}
    rest = tuple(record for record in ordered if id(record) not in shown)
    owner = occasion.owner if occasion else ""
    return Report(
        run=run,
        system=str(run.get("system") or ""),
        timezone=timezone,
        occasion=occasion,
        verdict=verdict(ordered, steps),
        counts=_counts(ordered),
        records=ordered,
        steps=steps,
        rest=rest,
        changes={change: tuple(r for r in ordered if r.get("change") == change) for change in CHANGES},
        people=_errands(steps, rest, owner, on_call),
        trends=trends or {},
        promises=promises or {},
        pages=pages,
        previous=previous,
    )


def verdict(records: t.Sequence[Record], steps: t.Sequence[StepResult] = ()) -> str:
    """The worst of what is not waived. A run in which nobody looked at anything is unknown, never fine."""
    status = worst(
        [*("ok" if record.get("waiver") else record["status"] for record in records), *(step.status for step in steps)]
    )
    waits = any(step.state in ("pending", "done", "not_applicable") for step in steps)
    return "unknown" if status == "skipped" and not waits else status


def lay_out(
    occasion: Occasion | None,
    records: t.Sequence[Record],
    run: t.Mapping[str, t.Any],
    attestations: t.Mapping[str, t.Mapping[str, t.Any]],
    now: str | None = None,
) -> tuple[StepResult, ...]:
    """What became of each step of the occasion, in the order of the runbook."""
    if occasion is None:
        return ()
    at = now or run.get("ended") or run["started"]
    return tuple(_step(step, occasion, records, run, attestations.get(step.id), at) for step in occasion.steps)


def unaccounted(steps: t.Iterable[StepResult]) -> list[Check]:
    """The findings ``run.step``: steps to which nothing in the run answers.

    A step that another finding of the run explains (what it needs was out of reach) brings no second one.
    """
    return [Check.unknown("run.step", step.id, f"{step.title}: {step.reason}") for step in steps if step.silent]


def _step(
    step: Step,
    occasion: Occasion,
    records: t.Sequence[Record],
    run: t.Mapping[str, t.Any],
    attestation: t.Mapping[str, t.Any] | None,
    now: str,
) -> StepResult:
    about = ("run.step", step.id), ("attestation.done", f"{occasion.id}/{step.id}")
    own = tuple(record for record in records if (record["id"], record["target"]) in about)
    found = StepResult(step.id, step.title, "", "skipped", owner=step.owner or occasion.owner, records=own)
    if step.refused:
        return dataclasses.replace(found, state="refused", reason=step.refused)
    if step.attest:
        due = moment(str(run["started"])) + dt.timedelta(seconds=step.due)
        return _attested(dataclasses.replace(found, due=iso(due)), attestation, late=moment(now) > due)
    return _measured(found, step, records, limited=bool(run.get("limited")))


def _attested(found: StepResult, attestation: t.Mapping[str, t.Any] | None, *, late: bool) -> StepResult:
    if attestation:
        state = str(attestation.get("state", "done"))
        status = "ok" if state == "done" else "skipped"
        reason = str(attestation.get("note") or "")
        return dataclasses.replace(found, state=state, status=status, reason=reason, attestation=attestation)
    missed = [record for record in found.records if at_least(record["status"], "warning")]
    if missed or late:
        reason = missed[0]["summary"] if missed else "nobody has attested it in time"
        return dataclasses.replace(found, state="overdue", status="warning", reason=reason)
    return dataclasses.replace(found, state="pending")


def _measured(found: StepResult, step: Step, records: t.Sequence[Record], *, limited: bool) -> StepResult:
    mine = [record for record in records if any(matches(pattern, record) for pattern in step.checks)]
    reported = [record for record in mine if record.get("change") != "missing"]
    silent = tuple(pattern for pattern in step.checks if not any(matches(pattern, record) for record in reported))
    blocked = [record for record in reported if is_blocked(record)]
    if any(record["status"] != "skipped" for record in reported):
        state = "measured"
    else:
        state = "not_run" if silent or blocked else "not_applicable"
    if silent:
        reason = "not part of this run, which was limited" if limited else f"no check reported: {', '.join(silent)}"
    elif blocked or state == "not_applicable":
        reason = (blocked or reported)[0]["summary"]
    else:
        reason = ""
    blind = ["unknown"] if blocked or (silent and not limited) else []
    return dataclasses.replace(
        found,
        state=state,
        status=worst(blind + [record["status"] for record in (*found.records, *mine) if not record.get("waiver")]),
        records=(*found.records, *mine),
        reason=reason,
        silent=() if limited else silent,
    )


def matches(pattern: str, record: Record) -> bool:
    """Whether ``check.id`` or ``check.id@target`` means this record; both parts may be globs."""
    check_id, _at, target = pattern.partition("@")
    return fnmatch.fnmatchcase(record["id"], check_id) and (
        not target or record["target"] == target or fnmatch.fnmatchcase(record["target"], target)
    )


def is_blocked(record: Record) -> bool:
    """Whether a check could not be measured because another one, which says why, could not."""
    return record["status"] == "skipped" and "blocked_by" in (record.get("detail") or {})


def _urgency(record: Record) -> tuple[t.Any, ...]:
    """Worst first; waived findings after the others, what got worse before what stood; then by name."""
    change = record.get("change")
    return (
        bool(record.get("waiver")),
        -STATUSES.index(record["status"]),
        CHANGES.index(change) if change in CHANGES else len(CHANGES),
        record["id"],
        record["target"],
        record["host"],
    )


def _counts(records: t.Iterable[Record]) -> dict[str, int]:
    counts = dict.fromkeys([*reversed(STATUSES), "waived"], 0)
    for record in records:
        counts[standing(record)] += 1
    return counts


def _errands(steps: t.Iterable[StepResult], rest: t.Sequence[Record], owner: str, on_call: str) -> tuple[Errand, ...]:
    """One line for each step that wants somebody, and for each check outside of the steps; most urgent first."""
    errands = []
    for step in steps:
        if step.state in ("pending", "overdue"):
            errands.append(Errand(step.owner, step.title, step.status, step.id, due=step.due))
        elif at_least(step.status, "warning"):
            findings = [record for record in step.records if is_finding(record)]
            who = (on_call if step.status == "critical" else "") or step.owner
            what = f"{step.title}: {_first(findings) if findings else step.reason}"
            errands.append(Errand(who, what, step.status, step.id, findings[0]["id"] if findings else "run.step"))
    findings = [record for record in rest if is_finding(record)]
    for check_id in dict.fromkeys(record["id"] for record in findings):
        same = [record for record in findings if record["id"] == check_id]
        who = (on_call if same[0]["status"] == "critical" else "") or owner
        errands.append(Errand(who, _first(same), same[0]["status"], check=check_id))
    return tuple(sorted(errands, key=lambda errand: -STATUSES.index(errand.status)))


def _first(records: t.Sequence[Record]) -> str:
    first, more = records[0], len(records) - 1
    return f"{first['summary']} ({first['host']}{f', and {more} more' if more else ''})"
