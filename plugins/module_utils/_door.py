# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The two doors to a kind of check: its own module (:func:`run`) and ``checkup`` (:func:`run_many`).

A kind is a module of ``_checks/``. It must have

``CHECKS``
    check id → promise, a sentence in the present tense that is true when the check is ok.
``TARGET``
    argument spec of what identifies and addresses one target; its first option names the target.
``TUNING``
    argument spec of what may be given once for the task, or again for one target; limits mostly.
``measure(target)``
    yields one :class:`Check` for each id of ``CHECKS``, in that order as far as possible. ``target["afterwards"]`` takes a
    function that keeps something for the next run, a log's position say: it is called once the checks are part of the
    report, so that nothing is taken as seen that nobody was told. It is None in check mode, which keeps nothing.

and may have

``name(target)``
    the stable name of a target, where the first option of ``TARGET`` does not serve.
``DEFAULT_TARGETS``
    what is measured when ``targets`` is not given; without it the option is required.
``RULES``
    ``required_one_of``, ``mutually_exclusive`` … among the options of one target, as AnsibleModule takes them.
``validate(target)``
    raises :class:`BadOption` for a combination that cannot be meant; no I/O.
``MODULE`` and ``BUDGET``
    the name of its own module, where ``<kind>_check`` does not fit, and the default of that module's ``budget``. A kind that
    takes long has a ``timeout`` of its own in ``TUNING``.
``expand(target)``
    the concrete targets behind one that stands for several (all mounts, a glob); may raise :class:`Unmeasurable`.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, _load_params

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    BadOption,
    Check,
    LimitsSpec,
    Unmeasurable,
    at_least,
    worst,
)

WORKERS = 16
"""Targets measured at the same time: they mostly wait."""

CALL: dict[str, t.Any] = {
    "budget": {"type": "float", "default": 120.0},
    "fail_on": {"type": "str", "choices": ["never", "warning", "unknown", "critical"], "default": "never"},
}
EVERY_KIND: dict[str, t.Any] = {"timeout": {"type": "float", "default": 30.0}}
EVERY_TARGET: dict[str, t.Any] = {"name": {"type": "str"}}


def tuning(kind: t.Any) -> dict[str, t.Any]:
    """What may be given for the task or for a target."""
    return {**EVERY_KIND, **kind.TUNING}


def call(kind: t.Any) -> dict[str, t.Any]:
    """The options of a call of the module of one kind, besides the kind's own."""
    return {**CALL, "budget": {"type": "float", "default": getattr(kind, "BUDGET", CALL["budget"]["default"])}}


def options(kind: t.Any) -> dict[str, t.Any]:
    """The options of one kind, the same behind both doors."""
    targets: dict[str, t.Any] = {
        "type": "list",
        "elements": "dict",
        "options": {**kind.TARGET, **EVERY_TARGET, **{key: _bare(value) for key, value in tuning(kind).items()}},
        **getattr(kind, "RULES", {}),
    }
    if not hasattr(kind, "DEFAULT_TARGETS"):
        targets["required"] = True
    return {"targets": targets, **tuning(kind)}


def _bare(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """An option without its defaults: what a target leaves out comes from the task."""
    bare = {key: value for key, value in spec.items() if key not in ("default", "apply_defaults", "required")}
    if "options" in bare:
        bare["options"] = {key: _bare(value) for key, value in bare["options"].items()}
    return bare


def _inherit(target: t.Any, default: t.Any) -> t.Any:
    """Fill what a target leaves out, level by level, from what the task says."""
    if target is None:
        return default
    if isinstance(target, dict) and isinstance(default, dict):
        return {key: _inherit(target.get(key), default.get(key)) for key in {**default, **target}}
    return target


@dataclasses.dataclass
class Job:
    """One target of one kind, on its way through measurement."""

    kind: t.Any
    target: dict[str, t.Any]
    name: str
    expandable: bool = True
    checks: list[Check] = dataclasses.field(default_factory=list)
    further: list[Job] = dataclasses.field(default_factory=list)
    check_mode: bool = False
    afterwards: list[t.Callable[[], None]] = dataclasses.field(default_factory=list)
    started: float = 0.0


def plan(kind: t.Any, params: t.Mapping[str, t.Any], where: str = "") -> list[Job]:
    """The targets of one kind, complete, named and with limits that can be read. Raises :class:`BadOption`."""
    given = params.get("targets")
    jobs: list[Job] = []
    for position, raw in enumerate(kind.DEFAULT_TARGETS if given is None else given):
        target = _inherit(raw, {option: params.get(option) for option in tuning(kind)})
        try:
            _read(kind, target)
            jobs.append(Job(kind, target, _name(kind, target)))
        except BadOption as exc:
            raise BadOption(f"{where}targets[{position}].{exc}" if given is not None else f"{where}{exc}") from None
        if any(job.name == jobs[-1].name for job in jobs[:-1]):
            raise BadOption(
                f"{where}targets[{position}]: two targets are called {jobs[-1].name}; give one a name of its own"
            )
    return jobs


def _read(kind: t.Any, target: dict[str, t.Any]) -> None:
    if not target["timeout"] > 0:
        raise BadOption(f"timeout: {target['timeout']} s leaves no time to measure; give more than 0")
    for option, spec in kind.TUNING.items():
        if isinstance(spec, LimitsSpec):
            try:
                target[option] = spec.read(target[option])
            except BadOption as exc:
                raise BadOption(f"{option}.{exc}") from None
    if hasattr(kind, "validate"):
        kind.validate(target)


def _name(kind: t.Any, target: t.Mapping[str, t.Any]) -> str:
    if target.get("name"):
        return str(target["name"])
    return str(kind.name(target) if hasattr(kind, "name") else target[next(iter(kind.TARGET))])


def measure_target(job: Job) -> None:
    """Measure one target into its job. Nothing escapes, and every declared check reports.

    When a target cannot be measured, the first check that is missing says why; the others are skipped and name it,
    so that one dead target is one line.
    """
    kind, missing = job.kind, list(job.kind.CHECKS)
    problem: tuple[str, dict[str, t.Any]] | None = None
    try:
        if job.expandable and hasattr(kind, "expand"):
            concrete = kind.expand(job.target)
            if not concrete:
                raise Unmeasurable("there is nothing to measure")
            if concrete != [job.target]:
                job.further = [
                    Job(kind, target, _name(kind, {**target, "name": None}), False, check_mode=job.check_mode)
                    for target in concrete
                ]
                return
        afterwards = None if job.check_mode else job.afterwards.append
        for check in kind.measure({**job.target, "name": job.name, "afterwards": afterwards}):
            missing.remove(check.id)
            job.checks.append(dataclasses.replace(check, seconds=round(time.monotonic() - job.started, 3)))
    except Unmeasurable as exc:
        problem = (str(exc), {})
    except Exception as exc:  # noqa: BLE001 - a broken check must not hide the others: it is unknown and brings its traceback
        problem = (f"the check broke: {type(exc).__name__}: {exc}", {"traceback": traceback.format_exc()})
    if missing:
        reason, detail = problem or ("the check did not report", {})
        job.checks += _blocked(job.name, missing, reason, detail)


def _blocked(name: str, ids: t.Sequence[str], reason: str, detail: dict[str, t.Any]) -> list[Check]:
    first, *rest = ids
    return [Check.unknown(first, name, reason, **detail)] + [
        Check.skipped(other, name, f"not measured, see {first}: {reason}", blocked_by=first) for other in rest
    ]


def _keep(job: Job) -> None:
    """Keep what a kind wants to know the next time. Where that is not possible, the first check says so."""
    try:
        for keep in job.afterwards:
            keep()
    except Exception as exc:  # noqa: BLE001 - whatever it is, the next run would not know where it is
        first = job.checks[0]
        status = worst([first.status, "unknown"])
        summary = f"{first.summary}; this cannot be kept for the next run: {exc}"
        job.checks[0] = dataclasses.replace(first, status=status, summary=summary)


class _Crew:
    """Threads at work on jobs, each with its own deadline.

    A thread cannot be stopped: one that hangs is left behind, its job given up and not looked at again.
    """

    def __init__(self, jobs: list[Job], budget: float) -> None:
        self.budget, self.end = budget, time.monotonic() + budget
        self.waiting, self.running = list(jobs), {}  # type: list[Job], dict[int, Job]
        self.finished: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.checks: dict[tuple[int, ...], list[Check]] = {}
        self.place = {id(job): (position,) for position, job in enumerate(jobs)}  # type: dict[int, tuple[int, ...]]

    def start(self) -> None:
        while self.waiting and len(self.running) < WORKERS:
            job = self.waiting.pop(0)
            job.started = time.monotonic()
            self.running[id(job)] = job
            threading.Thread(target=self._work, args=(job,), daemon=True).start()

    def _work(self, job: Job) -> None:
        measure_target(job)
        self.finished.put(job)

    def take(self) -> None:
        """Wait for the next job to end, or for the next deadline."""
        nearest = min([self.end, *(job.started + job.target["timeout"] for job in self.running.values())])
        try:
            job = self.finished.get(timeout=max(0.001, nearest - time.monotonic()))
        except queue.Empty:
            return
        if self.running.pop(id(job), None) is None:
            return  # given up already
        _keep(job)
        for position, further in enumerate(job.further):
            self.place[id(further)] = (*self.place[id(job)], position)
        self.waiting += job.further
        self.checks[self.place[id(job)]] = job.checks

    def give_up_the_overdue(self) -> None:
        now = time.monotonic()
        for key, job in list(self.running.items()):
            if now >= job.started + job.target["timeout"]:
                self._give_up(self.running.pop(key), f"no answer within {job.target['timeout']:g} s")
        if now >= self.end:
            for job in [*self.running.values(), *self.waiting]:
                self._give_up(job, f"the time budget of the call, {self.budget:g} s, was spent")
            self.running, self.waiting = {}, []

    def _give_up(self, job: Job, reason: str) -> None:
        reported = list(job.checks)
        seen = {check.id for check in reported}
        missing = [check_id for check_id in job.kind.CHECKS if check_id not in seen]
        self.checks[self.place[id(job)]] = reported + (_blocked(job.name, missing, reason, {}) if missing else [])


def measure_all(jobs: list[Job], budget: float, *, check_mode: bool = False) -> list[Check]:
    """Measure all jobs side by side and return their checks in the order of the jobs.

    A target that hangs becomes unknown after its timeout, and what has not been measured when the budget of the call
    (seconds) is spent becomes unknown too; the rest report.
    """
    for job in jobs:
        job.check_mode = check_mode
    crew = _Crew(jobs, budget)
    while crew.waiting or crew.running:
        crew.start()
        crew.take()
        crew.give_up_the_overdue()
    return [check for place in sorted(crew.checks) for check in crew.checks[place]]


def run(kind: t.Any) -> None:
    """Body of the module of one kind."""
    module = AnsibleModule({**options(kind), **call(kind)}, supports_check_mode=True)
    _finish(module, lambda: plan(kind, module.params))


def run_many(names: t.Sequence[str], load: t.Callable[[str], t.Any]) -> None:
    """Body of ``checkup``: each option is a kind. Only the kinds that are asked for are loaded."""
    asked = [name for name in names if (_load_params() or {}).get(name) is not None]
    kinds = {name: load(name) for name in asked}
    specs = {
        name: {"type": "dict", "no_log": False, **({"options": options(kinds[name])} if name in kinds else {})}
        for name in names
    }
    module = AnsibleModule({**specs, **CALL}, supports_check_mode=True)
    _finish(module, lambda: [job for name in asked for job in plan(kinds[name], module.params[name], f"{name}.")])


def _finish(module: AnsibleModule, jobs: t.Callable[[], list[Job]]) -> None:
    try:
        if not module.params["budget"] > 0:
            raise BadOption(f"budget: {module.params['budget']} s leaves no time to measure; give more than 0")
        planned = jobs()
    except BadOption as exc:
        module.fail_json(msg=str(exc))
    checks = measure_all(planned, module.params["budget"], check_mode=module.check_mode)
    status = worst(check.status for check in checks)
    result: dict[str, t.Any] = {
        "changed": False,
        "status": status,
        "checks": [dataclasses.asdict(check) for check in checks],
    }
    if at_least(status, module.params["fail_on"]):
        module.fail_json(msg=f"the worst check is {status}", **result)
    module.exit_json(msg=f"the worst check is {status}" if checks else "no targets, nothing was measured", **result)
