# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The contract: what a check says, how a limit is written, how a value is judged.

Everything that compares a value with a limit is in this file. Kinds of check (``_checks/``) declare
limits with :func:`limits` and judge with :meth:`Check.judge`; probes (``_probe/``) raise :class:`Unmeasurable`.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing as t

STATUSES = ("skipped", "ok", "warning", "unknown", "critical")
"""From least to most urgent: the one order for every comparison. A blind spot outranks a yellow light."""

UNLIMITED = "never"
"""What an operator writes to switch a default limit off."""

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_LIMIT = re.compile(rf"(?P<only>{_NUMBER})|(?P<low>{_NUMBER})?\.\.(?P<high>{_NUMBER})?")


class BadOption(ValueError):
    """An option that cannot be meant: found before anything is measured, reported as a failed task."""


class Unmeasurable(Exception):
    """A probe could not get a fact. The check becomes unknown for this reason; the task goes on."""


def worst(statuses: t.Iterable[str]) -> str:
    """The most urgent status; ``skipped`` for none at all, because nothing was seen."""
    return max(statuses, key=STATUSES.index, default="skipped")


def at_least(status: str, threshold: str) -> bool:
    """Whether a status is at least as urgent as a threshold, which may also be ``never``."""
    return threshold != "never" and STATUSES.index(status) >= STATUSES.index(threshold)


def number(value: float) -> str:
    """A number as people write it: ``3``, ``0.25``, ``1234``; four significant digits."""
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@dataclasses.dataclass(frozen=True)
class Limits:
    """A pair of limits, read and known to be possible: what :meth:`Check.judge` takes.

    ``warning`` and ``critical`` are kept as the operator wrote them, for the record; either may be None.
    """

    warning: str | None = None
    critical: str | None = None
    unit: str = ""
    worse: str = "higher"

    def status(self, value: float) -> str:
        """``critical``, ``warning`` or ``ok``: the bounds themselves are still fine."""
        for level in ("critical", "warning"):
            low, high = interval(getattr(self, level), self.worse)
            if not low <= value <= high:
                return level
        return "ok"

    def __bool__(self) -> bool:
        """False when neither level is limited, so that a kind can say that nothing was to be judged."""
        return self.warning is not None or self.critical is not None


def interval(text: str | None, worse: str) -> tuple[float, float]:
    """The closed interval of fine values that a limit names: ``20``, ``10..20``, ``..20`` or ``10..``.

    A lone number is the last fine value in the direction that gets worse. Raises :class:`BadOption`.
    """
    if text is None:
        return -math.inf, math.inf
    found = _LIMIT.fullmatch(text.strip())
    only, low, high = found.group("only", "low", "high") if found else (None, None, None)
    if only:
        low, high = (None, only) if worse == "higher" else (only, None)
    elif not (low or high):
        hint = "; ranges are written low..high" if ":" in text or "-" in text[1:] else ""
        raise BadOption(f"{text!r} is neither a number nor low..high{hint}")
    bounds = float(low) if low else -math.inf, float(high) if high else math.inf
    if bounds[0] > bounds[1]:
        raise BadOption(f"{text!r} names no value at all: {low} is greater than {high}")
    return bounds


class LimitsSpec(t.Dict[str, t.Any]):
    """The argument spec of a pair of limits, which also knows its unit, its direction and the values that can occur."""

    unit: str
    worse: str
    possible: tuple[float, float]

    def read(self, given: t.Mapping[str, t.Any]) -> Limits:
        """Turn the option into :class:`Limits`. Raises :class:`BadOption` for a pair that cannot be meant."""
        texts = {level: None if text in (None, "", UNLIMITED) else str(text) for level, text in given.items()}
        bounds: dict[str, tuple[float, float]] = {}
        for level, text in texts.items():
            try:
                bounds[level] = interval(text, self.worse)
            except BadOption as exc:
                raise BadOption(f"{level}: {exc}") from None
            finite = [bound for bound in bounds[level] if math.isfinite(bound)]
            if not all(self.possible[0] <= bound <= self.possible[1] for bound in finite):
                least, most = map(number, self.possible)
                hint = ". YAML reads 10:20 as 620: write 10..20" if any(bound >= 60 for bound in finite) else ""
                raise BadOption(f"{level}: {text} is outside of what can occur, {least} to {most} {self.unit}{hint}")
        (low, high), (critical_low, critical_high) = bounds["warning"], bounds["critical"]
        if texts["warning"] is not None and (low < critical_low or high > critical_high):
            raise BadOption(
                f"warning {texts['warning']} is beyond critical {texts['critical']}: it would never be seen"
            )
        return Limits(texts["warning"], texts["critical"], self.unit, self.worse)


def limits(
    warning: float | str | None = None,
    critical: float | str | None = None,
    *,
    unit: str,
    worse: str = "higher",
    possible: tuple[float, float] = (-math.inf, math.inf),
) -> LimitsSpec:
    """Declare an option that holds a pair of limits, with its defaults.

    ``unit`` is fixed for the option and documented with it; ``worse`` says in which direction values get worse
    (``higher`` or ``lower``); ``possible`` bounds the values that can occur at all, so that a percentage of 620 is
    refused. A percentage without bounds of its own gets 0 to 100.
    """
    if unit == "%" and possible == (-math.inf, math.inf):
        possible = (0, 100)
    levels = {
        level: {"type": "str", **({} if default is None else {"default": str(default)})}
        for level, default in (("warning", warning), ("critical", critical))
    }
    spec = LimitsSpec(type="dict", apply_defaults=True, options=levels, no_log=False)
    spec.unit, spec.worse, spec.possible = unit, worse, possible
    return spec


@dataclasses.dataclass(frozen=True)
class Check:
    """One judged statement about one target. Together with the host, ``id`` and ``target`` are its identity in history.

    ``target`` is stable and never contains a measured value; ``summary`` is one sentence with value and unit;
    ``detail`` is JSON-ready evidence, never a secret; ``seconds`` is what measuring took.
    """

    id: str
    target: str
    status: str
    summary: str
    value: float | None = None
    unit: str = ""
    warning: str | None = None
    critical: str | None = None
    detail: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    seconds: float | None = None

    @classmethod
    def judge(cls, id: str, target: str, value: float, limits: Limits, summary: str, **detail: t.Any) -> Check:  # noqa: A002
        """Judge one number by its limits. A value that is no number is unknown, never fine."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return cls.unknown(id, target, f"the measured value is not a number: {value!r}", **detail)
        return cls(
            id, target, limits.status(value), summary, value, limits.unit, limits.warning, limits.critical, detail
        )

    @classmethod
    def expect(
        cls,
        id: str,  # noqa: A002
        target: str,
        fine: bool,
        summary: str,
        *,
        otherwise: str = "critical",
        **detail: t.Any,
    ) -> Check:
        """Judge a yes-or-no fact: value 1 and ok when ``fine``, else value 0 and the status ``otherwise``."""
        return cls(id, target, "ok" if fine else otherwise, summary, 1.0 if fine else 0.0, detail=detail)

    @classmethod
    def unknown(cls, id: str, target: str, reason: str, **detail: t.Any) -> Check:  # noqa: A002
        """Nothing could be judged, for this reason."""
        return cls(id, target, "unknown", reason, detail=detail)

    @classmethod
    def skipped(cls, id: str, target: str, reason: str, **detail: t.Any) -> Check:  # noqa: A002
        """Nothing was to be judged, for this reason: not asked for, or not applicable here."""
        return cls(id, target, "skipped", reason, detail=detail)


Look = t.Callable[[t.Dict[str, t.Any]], t.Iterator[Check]]


def each_alone(looks: t.Mapping[tuple[str, ...], Look], target: dict[str, t.Any]) -> t.Iterator[Check]:
    """Take several looks at one target, of which one that cannot be taken leaves the others alone.

    ``looks`` is the ids that a look reports → the look. What one of them raises :class:`Unmeasurable` for is its first id that
    is missing; the rest of it is skipped and names that.
    """
    for ids, look in looks.items():
        missing = list(ids)
        try:
            for check in look(target):
                missing.remove(check.id)
                yield check
        except Unmeasurable as exc:
            first, *rest = missing
            yield Check.unknown(first, target["name"], str(exc))
            for other in rest:
                yield Check.skipped(other, target["name"], f"not measured, see {first}: {exc}", blocked_by=first)
