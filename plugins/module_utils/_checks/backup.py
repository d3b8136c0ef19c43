# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Backups: there in time, complete, readable, what they claim to be, and at a second place as well."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._adapt import borg, pgbackrest, restic
from ansible_collections.sre.runbooks.plugins.module_utils._backup import (
    DAY,
    Backup,
    deviation,
    longest_gap,
    newest_first,
)
from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable, limits
from ansible_collections.sre.runbooks.plugins.module_utils._dump import FORMATS, MYSQL, POSTGRESQL, SQL
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import COMPRESSIONS, ENCRYPTIONS, Keys
from ansible_collections.sre.runbooks.plugins.module_utils._probe import backup_content as content
from ansible_collections.sre.runbooks.plugins.module_utils._probe import backups as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe import repositories

CHECKS = {
    "backup.present": "There is a backup.",
    "backup.clock": "No backup is dated in the future.",
    "backup.age": "The newest backup is recent enough.",
    "backup.size": "The newest backup has a plausible size.",
    "backup.anomaly": "The newest backup is about as big as those before it.",
    "backup.count": "There are as many backups as planned.",
    "backup.gaps": "No backup is missing in the series.",
    "backup.retention": "Backups are kept as long as planned, and no longer.",
    "backup.offsite_lag": "The newest backups have reached the other place.",
    "backup.offsite": "The copy at the other place is the same.",
    "backup.duplicate": "The newest backup is not the one before it once more.",
    "backup.checksum": "The newest backup is what its checksum says.",
    "backup.encryption": "The newest backup is encrypted as planned, and can be decrypted.",
    "backup.archive": "The newest backup can be read to its end.",
    "backup.format": "The newest backup is in the format that is expected of it.",
    "backup.database": "The newest backup is of the right database.",
    "backup.complete": "The newest dump came to its end.",
    "backup.objects": "The newest backup holds what it should.",
    "backup.foreign": "The newest backup does not reach for other databases or directories.",
}
TARGET: dict[str, t.Any] = {
    "source": {"type": "str", "required": True},
    "offsite": {"type": "str"},
    "database": {"type": "str"},
}
TUNING: dict[str, t.Any] = {
    "level": {"type": "int", "choices": [0, 1, 2], "default": 1},
    "dated_by": {"type": "str", "choices": ["name", "name_utc", "modified"], "default": "name"},
    "clock": limits(5, 60, unit="min", possible=(0, float("inf"))),
    "age": limits(26, 50, unit="h", possible=(0, float("inf"))),
    "size": limits(critical="0.0001", unit="MiB", worse="lower", possible=(0, float("inf"))),
    "anomaly": limits(unit="deviations", possible=(0, float("inf"))),
    "anomaly_over": {"type": "int", "default": 14},
    "window": {"type": "float"},
    "count": limits(unit="backups", worse="lower", possible=(0, float("inf"))),
    "gaps": limits(unit="h", possible=(0, float("inf"))),
    "retention": limits(unit="d", worse="lower", possible=(0, float("inf"))),
    "offsite_lag": limits(1, 12, unit="h", possible=(0, float("inf"))),
    "may_repeat": {"type": "bool", "default": False},
    "checksum": {"type": "bool", "default": False},
    "encrypted": {"type": "bool"},
    "format": {"type": "str", "choices": sorted(FORMATS)},
    "contents": {"type": "str", "choices": ["all", "schema", "data"], "default": "all"},
    "objects": {"type": "list", "elements": "str"},
    "age_identity": {"type": "path"},
    "gpg_home": {"type": "path"},
    "gpg_key": {"type": "path", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "openssl_cipher": {"type": "str", "default": "aes-256-cbc"},
    "openssl_digest": {"type": "str", "default": "sha256"},
    "openssl_pbkdf2": {"type": "bool", "default": True},
    "openssl_iterations": {"type": "int", "default": 0},
    "s3": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "endpoint": {"type": "str"},
            "region": {"type": "str"},
            "profile": {"type": "str"},
            "ca_bundle": {"type": "path"},
            "access_key": {"type": "str", "no_log": True},
            "secret_key": {"type": "str", "no_log": True},
        },
    },
    "timeout": {"type": "float", "default": 600.0},
}
BUDGET = 1800.0
KEYS = [field.name for field in dataclasses.fields(Keys)]
MIB = 1024**2
SHOWN = 20
TOOLS = ("restic", "borg", "pgbackrest")
CONTENT = (
    "backup.checksum",
    "backup.encryption",
    "backup.archive",
    "backup.format",
    "backup.database",
    "backup.complete",
    "backup.objects",
    "backup.foreign",
)
DEEP = CONTENT[3:]
SQL_DUMPS = (MYSQL, POSTGRESQL, SQL)
NAMES = {
    ".sql": (None, SQL_DUMPS),
    ".dump": (None, ("pg_custom",)),
    ".pgdump": (None, ("pg_custom",)),
    ".backup": (None, ("pg_custom",)),
    ".tar": (None, ("tar", "pg_tar")),
    ".zip": (None, ("zip",)),
    ".tgz": ("gzip", ("tar", "pg_tar")),
    ".gz": ("gzip", None),
    ".zst": ("zstd", None),
    ".xz": ("xz", None),
    ".bz2": ("bzip2", None),
    ".age": ("age", None),
    ".gpg": ("gpg", None),
    ".enc": ("openssl", None),
}
"""The end of a name → the layer, or the formats, that it promises."""


def _tool(source: str) -> str | None:
    return next((tool for tool in TOOLS if source.startswith(f"{tool}:")), None)


def validate(target: t.Mapping[str, t.Any]) -> None:
    for option in ("source", "offsite"):
        place = target[option]
        if place is not None and not place.startswith(("/", "s3://", *(f"{tool}:" for tool in TOOLS))):
            raise BadOption(
                f"{option}: {place} is neither an absolute path, nor s3://bucket/pattern, nor restic:REPOSITORY"
            )
        if place is not None and place.startswith("s3://") and not place[5:].partition("/")[2]:
            raise BadOption(f"{option}: {place} names no objects; write s3://bucket/* for all of them")
    if target["offsite"] and (_tool(target["source"]) or _tool(target["offsite"])):
        raise BadOption(
            "offsite: only files and objects can be compared; give the other repository as a target of its own"
        )
    if target["anomaly_over"] < 1:
        raise BadOption(f"anomaly_over: {target['anomaly_over']} backups are nothing to compare with")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    now, deadline = probe.now_and_deadline(0.9 * target["timeout"])
    tool = _tool(target["source"])
    if tool:
        yield from _measure_repository(tool, target, now)
        return
    backups = newest_first(probe.found(target["source"], target["dated_by"], target["s3"], target["timeout"]))
    yield from _series(target, backups, now)
    if not backups:
        for check_id in ("backup.offsite_lag", "backup.offsite", "backup.duplicate", *CONTENT):
            yield Check.skipped(check_id, target["name"], "there is no backup", blocked_by="backup.present")
        return
    sums = probe.Sums(target["s3"], target["timeout"], deadline)
    other = _other_place(target, backups)
    content_checks = list(_content(target, backups[0], sums, _asked(target, backups, other, sums), deadline))
    yield from _offsite(target, backups, other, sums, now)
    yield _duplicate(target, backups, sums)
    yield from content_checks


# L0: what can be told without reading


def _series(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], now: float) -> t.Iterator[Check]:
    name = target["name"]
    there = f"{len(backups)} backups are there" if backups else "there is no backup"
    yield Check.expect("backup.present", name, bool(backups), there, newest=[one.place for one in backups[:5]])
    if not backups:
        for check_id in ("backup.clock", "backup.age", "backup.size", "backup.anomaly"):
            yield Check.skipped(check_id, name, "there is no backup", blocked_by="backup.present")
    else:
        yield from _newest(target, backups, now)
    since = now - target["window"] * DAY if target["window"] else 0.0
    yield _count(target, backups, since)
    yield _gaps(target, backups, since)
    yield _retention(target, backups, now)


def _newest(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], now: float) -> t.Iterator[Check]:
    name, newest = target["name"], backups[0]
    evidence: dict[str, t.Any] = {"backup": newest.place, "taken": round(newest.taken, 3), "bytes": newest.size}
    latest = max(backups, key=lambda one: one.latest)
    ahead = max(0.0, latest.latest - now) / 60
    dated = (
        f"{latest.name} is dated {_duration(ahead / 60)} in the future"
        if ahead
        else "all backups are dated in the past"
    )
    clock = Check.judge("backup.clock", name, round(ahead, 4), target["clock"], dated, backup=latest.place)
    yield clock
    hours = round(max(0.0, now - newest.taken) / 3600, 4)
    if not target["age"]:
        yield Check.skipped("backup.age", name, "not asked for: age has no limit")
    elif clock.status != "ok":
        yield Check.unknown("backup.age", name, f"the age cannot be told: {dated}", **evidence)
    else:
        yield Check.judge(
            "backup.age", name, hours, target["age"], f"the newest backup is {_duration(hours)} old", **evidence
        )
    yield _size(target, newest)
    yield _anomaly(target, backups)


def _size(target: t.Mapping[str, t.Any], newest: Backup) -> Check:
    name = target["name"]
    if not target["size"]:
        return Check.skipped("backup.size", name, "not asked for: size has no limit")
    if newest.size is None:
        return Check.unknown("backup.size", name, "nobody tells the size of the newest backup", backup=newest.place)
    mib = round(newest.size / MIB, 6)
    summary = f"the newest backup has {_mib(newest.size)}" if newest.size else "the newest backup is empty"
    return Check.judge("backup.size", name, mib, target["size"], summary, backup=newest.place, bytes=newest.size)


def _anomaly(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup]) -> Check:
    name, newest = target["name"], backups[0]
    if not target["anomaly"]:
        return Check.skipped("backup.anomaly", name, "not asked for: anomaly has no limit")
    earlier = [float(one.size) for one in backups[1 : target["anomaly_over"] + 1] if one.size is not None]
    if newest.size is None:
        return Check.unknown("backup.anomaly", name, "nobody tells the size of the newest backup", backup=newest.place)
    try:
        value, median = deviation(newest.size, earlier)
    except Unmeasurable as exc:
        return Check.unknown("backup.anomaly", name, str(exc))
    share = f"{100 * (newest.size - median) / median:+.0f} %" if median else "not empty, as they are,"
    summary = f"the size is {share} from the median of {len(earlier)} earlier backups, {value:.1f} deviations"
    sizes = [round(one / MIB, 3) for one in earlier[:SHOWN]]
    return Check.judge(
        "backup.anomaly", name, round(value, 2), target["anomaly"], summary, backup=newest.place, bytes=newest.size,
        median_mib=round(median / MIB, 3), earlier_mib=sizes,
    )  # fmt: skip


def _count(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], since: float) -> Check:
    if not target["count"]:
        return Check.skipped("backup.count", target["name"], "not asked for: count has no limit")
    counted = [one.place for one in backups if one.taken >= since]
    when = f" of the last {target['window']:g} d" if target["window"] else ""
    summary = f"{len(counted)} backups{when} are there"
    return Check.judge("backup.count", target["name"], len(counted), target["count"], summary, newest=counted[:SHOWN])


def _gaps(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], since: float) -> Check:
    name = target["name"]
    if not target["gaps"]:
        return Check.skipped("backup.gaps", name, "not asked for: gaps has no limit")
    try:
        seconds, before, after = longest_gap(backups, since)
    except Unmeasurable as exc:
        return Check.unknown("backup.gaps", name, str(exc))
    hours = round(seconds / 3600, 4)
    return Check.judge(
        "backup.gaps", name, hours, target["gaps"], f"the longest gap is {_duration(hours)}, before {after.name}",
        after=before.place, before=after.place,
    )  # fmt: skip


def _retention(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], now: float) -> Check:
    name = target["name"]
    if not target["retention"]:
        return Check.skipped("backup.retention", name, "not asked for: retention has no limit")
    if not backups:
        return Check.skipped("backup.retention", name, "there is no backup", blocked_by="backup.present")
    days = round((now - backups[-1].taken) / DAY, 3)
    oldest = [one.place for one in backups[: -SHOWN - 1 : -1]]
    return Check.judge(
        "backup.retention", name, days, target["retention"], f"the oldest backup is {days:.1f} d old", oldest=oldest
    )


@dataclasses.dataclass(frozen=True)
class _Other:
    """The other place: its backups, newest first, or why they cannot be told."""

    copies: t.Sequence[Backup] = ()
    pair: tuple[Backup, Backup] | None = None
    """The newest backup that has a copy, and the copy."""
    problem: str = ""


def _other_place(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup]) -> _Other:
    if not target["offsite"]:
        return _Other()
    try:
        copies = newest_first(probe.found(target["offsite"], target["dated_by"], target["s3"], target["timeout"]))
    except Unmeasurable as exc:
        return _Other(problem=str(exc))
    there = {copy.key: copy for copy in copies}
    return _Other(copies, next(((one, there[one.key]) for one in backups if one.key in there), None))


def _asked(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], other: _Other, sums: probe.Sums) -> set[str]:
    """The checksums of the newest backup that will be needed, so that it is read only once."""
    newest, asked = backups[0], set()  # type: Backup, set[str]
    if target["level"] < 1:
        return asked
    if len(backups) > 1 and newest.size == backups[1].size and not target["may_repeat"]:
        asked.add("sha256")
    if other.pair and other.pair[0] is newest and other.pair[1].size == newest.size:
        with contextlib.suppress(Unmeasurable):  # it is met again, and told, when they are compared
            asked.add(sums.told(other.pair[1]))
    return asked


def _offsite(
    target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], other: _Other, sums: probe.Sums, now: float
) -> t.Iterator[Check]:
    """Whether what is here is also there: by name, size, and from level 1 by checksum."""
    name = target["name"]
    if not target["offsite"]:
        for check_id in ("backup.offsite_lag", "backup.offsite"):
            yield Check.skipped(check_id, name, "not asked for: offsite is not given")
        return
    if other.problem:
        yield Check.unknown("backup.offsite_lag", name, other.problem)
        yield Check.skipped("backup.offsite", name, f"not measured: {other.problem}", blocked_by="backup.offsite_lag")
        return
    # newest first: what was not copied before the pair is gone for good or not wanted there
    uncopied = backups[: backups.index(other.pair[0])] if other.pair else backups
    hours = round(max(0.0, now - uncopied[-1].taken) / 3600, 4) if uncopied else 0.0
    lag = f"the newest backup lacks a copy, for {_duration(hours)}" if uncopied else "the newest backup has a copy"
    if uncopied and not other.copies:
        lag = "there is no copy at all"
    if target["offsite_lag"]:
        missing = [one.place for one in uncopied[:SHOWN]]
        newest_copy = other.copies[0].place if other.copies else None
        yield Check.judge(
            "backup.offsite_lag", name, hours, target["offsite_lag"], lag, missing=missing, newest_copy=newest_copy
        )
    else:
        yield Check.skipped("backup.offsite_lag", name, "not asked for: offsite_lag has no limit")
    if other.pair is None:
        yield Check.expect("backup.offsite", name, False, "no backup has a copy at the other place")
    else:
        yield _same(target, *other.pair, sums)


def _same(target: t.Mapping[str, t.Any], here: Backup, there: Backup, sums: probe.Sums) -> Check:
    name = target["name"]
    evidence: dict[str, t.Any] = {
        "backup": here.place,
        "copy": there.place,
        "bytes": here.size,
        "copy_bytes": there.size,
    }
    if here.size != there.size:
        summary = f"the copy of {here.name} has {there.size:,} bytes instead of {here.size:,}"
        return Check.expect("backup.offsite", name, False, summary, **evidence)
    if target["level"] < 1 or here.directory or there.directory:
        return Check.expect("backup.offsite", name, True, f"the copy of {here.name} has the same size", **evidence)
    try:
        algorithm = sums.told(there)
        mine, told = sums.of(here, algorithm), sums.of(there, algorithm)
    except Unmeasurable as exc:
        return Check.unknown("backup.offsite", name, f"the checksums cannot be compared: {exc}", **evidence)
    verb = "has the same checksum" if told == mine else "has the same size and another checksum"
    evidence.update(checksum=mine, copy_checksum=told)
    return Check.expect("backup.offsite", name, told == mine, f"the copy of {here.name} {verb}", **evidence)


def _duplicate(target: t.Mapping[str, t.Any], backups: t.Sequence[Backup], sums: probe.Sums) -> Check:
    name, newest = target["name"], backups[0]
    if target["may_repeat"]:
        return Check.skipped("backup.duplicate", name, "not asked for: backups may repeat")
    if target["level"] < 1:
        return Check.skipped("backup.duplicate", name, "not asked for: it takes level 1")
    if len(backups) == 1:
        return Check.skipped("backup.duplicate", name, "there is no earlier backup")
    before = backups[1]
    evidence: dict[str, t.Any] = {"backup": newest.place, "before": before.place, "bytes": newest.size}
    same = newest.size == before.size and not newest.directory
    try:
        same = same and sums.of(newest, "sha256") == sums.of(before, "sha256")
    except Unmeasurable as exc:
        return Check.unknown("backup.duplicate", name, str(exc), **evidence)
    summary = f"{newest.name} is {before.name} once more" if same else f"{newest.name} is not {before.name}"
    return Check.expect("backup.duplicate", name, not same, summary, **evidence)


# L1 and L2: what it takes reading to tell


def _content(
    target: t.Mapping[str, t.Any], newest: Backup, sums: probe.Sums, asked: set[str], deadline: float
) -> t.Iterator[Check]:
    name, level = target["name"], target["level"]
    if level < 1:
        for check_id in CONTENT:
            yield Check.skipped(check_id, name, "not asked for: it takes a higher level")
        return
    settings, timeout = target["s3"], target["timeout"]
    try:
        told = None if newest.directory else probe.told_digest(newest, settings, timeout)
        facts = probe.told_facts(newest, settings, timeout) if level > 1 else None
        keys = Keys(**{option: target[option] for option in KEYS})
        how = content.How(keys, level > 1, deadline, asked | {told[0]} if told else asked)
        if newest.directory:
            seen = content.examine_directory(newest.place, how)
        else:
            seen = content.examine(lambda: probe.read(newest, settings, timeout), how)
            sums.learn(newest, seen.digests)
    except Unmeasurable as exc:
        yield Check.unknown("backup.checksum", name, str(exc), backup=newest.place)
        for check_id in CONTENT[1:]:
            yield Check.skipped(check_id, name, f"not measured: {exc}", blocked_by="backup.checksum")
        return
    yield _checksum(target, newest, seen, told)
    encryption = _encryption(target, newest, seen)
    yield encryption
    archive = _archive(target, newest, seen, encryption)
    yield archive
    if level < 2:
        for check_id in DEEP:
            yield Check.skipped(check_id, name, "not asked for: it takes level 2")
        return
    yield from _deep(target, newest, seen, archive, facts)


def _checksum(
    target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content, told: tuple[str, str, str] | None
) -> Check:
    name = target["name"]
    if told is None:
        if target["checksum"]:
            return Check.expect(
                "backup.checksum", name, False, "no checksum lies beside the backup", backup=newest.place
            )
        return Check.skipped("backup.checksum", name, "no checksum lies beside the backup, and none is asked for")
    algorithm, digest, where = told
    same = seen.digests[algorithm] == digest
    summary = f"the {algorithm} checksum is {'' if same else 'not '}the one in {where}"
    return Check.expect(
        "backup.checksum", name, same, summary, backup=newest.place, told=digest, measured=seen.digests[algorithm]
    )


def _encryption(target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content) -> Check:
    name, wanted = target["name"], target["encrypted"]
    layers = [layer for layer in (seen.outermost, *seen.stages) if layer in (*ENCRYPTIONS, "zip") and layer != "gzip"]
    broken_layer = seen.broken[0] if seen.broken and seen.broken[0] in ENCRYPTIONS else None
    evidence: dict[str, t.Any] = {"backup": newest.place, "layers": list(seen.stages) or [seen.outermost or "none"]}
    by = next(iter(layers), broken_layer)
    if broken_layer and seen.broken:
        summary = f"the backup cannot be decrypted by {broken_layer}: {seen.broken[1]}"
        return Check.expect("backup.encryption", name, False, summary, **evidence)
    if by and seen.problem:
        return Check.unknown("backup.encryption", name, seen.problem, **evidence)
    if by:
        if wanted is False:
            summary = f"the backup is encrypted by {by}, which is not planned"
            return Check.expect("backup.encryption", name, False, summary, **evidence)
        return Check.expect(
            "backup.encryption", name, True, f"the backup is encrypted by {by} and was decrypted", **evidence
        )
    packed = next((layer for layer in (seen.outermost, *seen.stages) if layer in COMPRESSIONS), None)
    plain = f"the backup is compressed by {packed} and not encrypted" if packed else "the backup is not encrypted"
    if wanted is None:
        return Check.skipped("backup.encryption", name, f"not asked for: {plain}", **evidence)
    return Check.expect("backup.encryption", name, not wanted, plain, **evidence)


def _archive(target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content, encryption: Check) -> Check:
    name = target["name"]
    evidence: dict[str, t.Any] = {"backup": newest.place, "layers": list(seen.stages), "plain_bytes": seen.plain_bytes}
    if seen.broken and seen.broken[0] in ENCRYPTIONS:
        return Check.skipped("backup.archive", name, "it cannot be decrypted", blocked_by="backup.encryption")
    if seen.broken:
        return Check.expect("backup.archive", name, False, f"{seen.broken[0]}: {seen.broken[1]}", **evidence)
    if seen.problem and encryption.status == "unknown":
        return Check.skipped("backup.archive", name, f"not measured: {seen.problem}", blocked_by="backup.encryption")
    if seen.problem:
        return Check.unknown("backup.archive", name, seen.problem, **evidence)
    what = FORMATS.get(seen.format or "", "something unknown")
    return Check.expect("backup.archive", name, True, f"it was read to its end: {what}", **evidence)


def _deep(
    target: t.Mapping[str, t.Any],
    newest: Backup,
    seen: content.Content,
    archive: Check,
    facts: t.Mapping[str, t.Any] | None,
) -> t.Iterator[Check]:
    name = target["name"]
    if archive.status == "unknown" or "blocked_by" in archive.detail:
        blocked = archive.detail.get("blocked_by", "backup.archive")
        for check_id in DEEP:
            yield Check.skipped(check_id, name, f"not measured, see {blocked}", blocked_by=blocked)
        return
    format_check = _format(target, newest, seen)
    yield format_check
    yield _database(target, newest, seen)
    yield _complete(target, newest, seen)
    if archive.status != "ok" and seen.scan is None and seen.members is None:
        for check_id in ("backup.objects", "backup.foreign"):
            yield Check.skipped(check_id, name, "not measured, see backup.archive", blocked_by="backup.archive")
        return
    yield _objects(target, newest, seen, facts)
    yield _foreign(target, newest, seen)


def _format(target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content) -> Check:
    name = target["name"]
    evidence: dict[str, t.Any] = {"backup": newest.place, "format": seen.format, "layers": list(seen.stages)}
    what = FORMATS.get(seen.format or "", "nothing that is known here")
    packed = f"{what}, packed by {', '.join(seen.stages)}" if seen.stages else what
    if seen.format is None and seen.broken:
        return Check.skipped("backup.format", name, "not measured, see backup.archive", blocked_by="backup.archive")
    if target["format"]:
        fine = seen.format == target["format"]
        wanted = FORMATS[target["format"]]
        summary = f"it is {packed}" if fine else f"it is {packed}, and should be {wanted}"
        return Check.expect("backup.format", name, fine, summary, **evidence)
    complaint = _misnamed(newest.name, seen)
    if complaint:
        return Check.expect("backup.format", name, False, f"it is {packed}, and {complaint}", **evidence)
    if seen.format is None:
        return Check.expect("backup.format", name, False, f"it is {packed}", **evidence)
    return Check.expect("backup.format", name, True, f"it is {packed}", **evidence)


def _misnamed(name: str, seen: content.Content) -> str:
    """What a name promises and the content does not keep; empty when all is well."""
    stages = list(seen.stages)
    while True:
        stem, dot, end = name.rpartition(".")
        layer, formats = NAMES.get(f"{dot}{end.lower()}", (None, None))
        if not layer and not formats:
            return ""
        if layer and (not stages or stages.pop(0) != layer):
            return f"{dot}{end} promises {layer}"
        if formats and (stages or (seen.format is not None and seen.format not in formats)):
            return f"its name ends with {dot}{end}"
        if formats:
            return ""
        name = stem


def _database(target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content) -> Check:
    name, wanted = target["name"], target["database"]
    evidence: dict[str, t.Any] = {"backup": newest.place}
    if not wanted:
        return Check.skipped("backup.database", name, "not asked for: database is not given")
    if not seen.database:
        return Check.unknown("backup.database", name, "the backup does not say which database it is of", **evidence)
    return Check.expect(
        "backup.database", name, seen.database == wanted, f"it is of the database {seen.database}", **evidence
    )


def _complete(target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content) -> Check:
    name = target["name"]
    evidence: dict[str, t.Any] = {"backup": newest.place, "plain_bytes": seen.plain_bytes}
    if seen.scan is not None:
        evidence.update(lines=seen.scan.lines, completed=seen.scan.completed)
        if seen.scan.complete:
            return Check.expect("backup.complete", name, True, "the dump says that it is complete", **evidence)
        if seen.scan.header or seen.broken:
            summary = f"the dump ends in line {seen.scan.lines} without its last words"
            return Check.expect("backup.complete", name, False, summary, **evidence)
        return Check.unknown("backup.complete", name, "nothing in the dump tells whether it is complete", **evidence)
    if seen.broken:
        return Check.expect("backup.complete", name, False, f"it ends before its end: {seen.broken[1]}", **evidence)
    if seen.format is None:
        return Check.unknown("backup.complete", name, "what it is is not known, so nothing tells its end", **evidence)
    return Check.expect("backup.complete", name, True, "the archive has its end", **evidence)


def _objects(
    target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content, facts: t.Mapping[str, t.Any] | None
) -> Check:
    """Tables of a dump, members of an archive: those expected are there and, of tables, with data."""
    name, wanted, evidence = target["name"], target["objects"], {"backup": newest.place}  # type: str, t.Any, dict[str, t.Any]
    if seen.scan is None and seen.members is None:
        return Check.unknown(
            "backup.objects", name, "what it is is not known, so nothing tells what it holds", **evidence
        )
    if seen.members is not None:
        complaints = [f"{one} is missing" for one in wanted or [] if not seen.members.names & {one, f"{one}/"}]
        if facts and facts.get("files"):
            complaints += _file_complaints(seen.members.files, facts["files"])
        if complaints and seen.members.count > content.MOST_NAMES:
            reason = f"it holds {seen.members.count:,} members, more than can be compared with what it should hold"
            return Check.unknown("backup.objects", name, reason, **evidence)
        counted = f"{seen.members.count:,} members"
    elif seen.scan is not None:
        tables = seen.scan.tables
        complaints = list(_table_complaints(tables, wanted, target["contents"]))
        if facts and facts.get("tables"):
            complaints += _manifest_complaints(tables, facts["tables"], target["contents"])
        counted = f"{len(tables)} tables with {_mib(seen.scan.data_bytes)} of data"
        evidence["tables"] = [f"{table} {about.bytes:,} bytes" for table, about in sorted(tables.items())[:SHOWN]]
    summary = f"it holds {counted}" + (f"; {'; '.join(complaints[:3])}" if complaints else "")
    if len(complaints) > 3:
        summary += f" and {len(complaints) - 3} more"
    return Check.expect("backup.objects", name, not complaints, summary, complaints=complaints[:SHOWN], **evidence)


def _table_complaints(tables: t.Mapping[str, t.Any], wanted: t.Sequence[str] | None, contents: str) -> t.Iterator[str]:
    if not tables:
        yield "there is no table"
        return
    created = {name for name, table in tables.items() if table.created}
    filled = {name for name, table in tables.items() if table.bytes}
    if contents != "data" and not created:
        yield "it only holds data, and creates no table"
    elif contents != "data" and filled - created:
        yield f"data of {', '.join(sorted(filled - created)[:5])} has no table"
    if contents != "schema" and not filled:
        yield "it only holds the schema, and no data"
    for one in wanted or []:
        if one not in created | filled:
            yield f"the table {one} is missing"
        elif contents != "schema" and filled and one not in filled:
            yield f"the table {one} is empty"


def _manifest_complaints(
    tables: t.Mapping[str, t.Any], promised: t.Mapping[str, t.Any], contents: str
) -> t.Iterator[str]:
    """Where a dump is not what the manifest says that the database held."""
    for one in sorted(promised.keys() - tables.keys()):
        yield f"the table {one} of the manifest is missing"
    for one in sorted(tables.keys() - promised.keys()):
        yield f"the table {one} is not in the manifest"
    for one in sorted(promised.keys() & tables.keys()):
        rows = promised[one].get("rows")
        if rows and not tables[one].bytes and contents != "schema":
            yield f"the table {one} is empty, and had {rows:,} rows"


def _file_complaints(files: t.Mapping[str, int], promised: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Where an archive is not what the manifest says that the directory held."""
    for one in sorted(promised.keys() - files.keys()):
        yield f"{one} of the manifest is missing"
    for one in sorted(files.keys() - promised.keys()):
        yield f"{one} is not in the manifest"
    for one in sorted(promised.keys() & files.keys()):
        if promised[one].get("bytes", files[one]) != files[one]:
            yield f"{one} has {files[one]:,} bytes, and had {promised[one]['bytes']:,}"


def _foreign(target: t.Mapping[str, t.Any], newest: Backup, seen: content.Content) -> Check:
    name, evidence = target["name"], {"backup": newest.place}
    if seen.members is not None:
        outside = seen.members.outside
        summary = "no member of the archive reaches out of its directory"
        if outside:
            reach = "member reaches" if len(outside) == 1 else "members reach"
            summary = f"{len(outside)} {reach} out of the directory, the first: {outside[0]}"
        return Check.expect("backup.foreign", name, not outside, summary[:300], members=outside[:SHOWN], **evidence)
    if seen.scan is None:
        return Check.unknown("backup.foreign", name, "what it is is not known", **evidence)
    touches = seen.scan.foreign(target["database"] or seen.database)
    named = [f"line {touch.line}: {touch.text[:200]}" for touch in touches[:SHOWN]]
    summary = "no statement reaches out of the database"
    if touches:
        reach = "statement reaches" if len(touches) == 1 else "statements reach"
        summary = f"{len(touches)} {reach} out of the database, the first in {named[0]}"
    return Check.expect("backup.foreign", name, not touches, summary[:300], statements=named, **evidence)


# Repositories, which their own tools look into


def _measure_repository(tool: str, target: t.Mapping[str, t.Any], now: float) -> t.Iterator[Check]:
    name, level, timeout = target["name"], target["level"], target["timeout"]
    repository = target["source"].partition(":")[2]
    backups, encrypted, known = _adopted(tool, repository, target)
    yield from _series(target, backups, now)
    for check_id in ("backup.offsite_lag", "backup.offsite", "backup.duplicate", "backup.checksum"):
        yield Check.skipped(check_id, name, f"{tool} sees to that itself")
    yield _repository_encryption(target, encrypted)
    if level < 1:
        yield Check.skipped("backup.archive", name, "not asked for: it takes level 1")
    else:
        complaints = [*known, *_complaints_of(tool, repository, target["passphrase"], level > 1, 0.9 * timeout)]
        summary = f"{tool} finds {complaints[0]}" if complaints else f"{tool} finds the repository whole"
        yield Check.expect("backup.archive", name, not complaints, summary[:300], complaints=complaints[:SHOWN])
    for check_id in DEEP:
        yield Check.skipped(check_id, name, f"{tool} keeps files, and tells nothing of dumps in them")


def _adopted(tool: str, repository: str, target: t.Mapping[str, t.Any]) -> tuple[list[Backup], str, list[str]]:
    """The backups of a repository, newest first, how they are encrypted (empty: not at all), and what is known to be wrong."""
    password, timeout = target["passphrase"], target["timeout"]
    if tool == "restic":
        backups = newest_first(
            restic.snapshots(repositories.restic_snapshots(repository, password, timeout), repository)
        )
        if backups and backups[0].size is None and target["size"]:
            told = restic.size(repositories.restic_size(repository, backups[0].name, password, timeout))
            backups = restic.newest_with_size(backups, told)
        return backups, "restic", []
    if tool == "borg":
        text = repositories.borg_archives(repository, password, timeout)
        sizes = None
        if target["size"] or target["anomaly"]:
            sizes = repositories.borg_sizes(repository, password, timeout, 1 + target["anomaly_over"])
        found, mode = borg.archives(text, repository, sizes)
        return newest_first(found), "" if mode == "none" or mode.startswith("authenticated") else mode, []
    stanza = pgbackrest.stanza(repositories.pgbackrest_info(repository, timeout), repository)
    return newest_first(stanza.backups), "its repository cipher" if stanza.encrypted else "", stanza.complaints


def _complaints_of(tool: str, repository: str, password: str | None, data: bool, timeout: float) -> list[str]:
    if tool == "restic":
        answer = repositories.restic_check(repository, password, timeout, data=data)
        return restic.complaints(answer.rc, answer.stdout + answer.stderr)
    if tool == "borg":
        answer = repositories.borg_check(repository, password, timeout, data=data)
        return borg.complaints(answer.rc, answer.stdout + answer.stderr)
    if not data:
        return []
    answer = repositories.pgbackrest_verify(repository, timeout)
    return pgbackrest.complaints(answer.rc, answer.stdout + answer.stderr)


def _repository_encryption(target: t.Mapping[str, t.Any], by: str) -> Check:
    name, wanted = target["name"], target["encrypted"]
    summary = f"the repository is encrypted by {by}" if by else "the repository is not encrypted"
    if wanted is None:
        return Check.skipped("backup.encryption", name, f"not asked for: {summary}")
    return Check.expect("backup.encryption", name, bool(by) == wanted, summary)


def _mib(size: int) -> str:
    return f"{size / MIB:,.3f} MiB" if size >= MIB / 100 else f"{size:,} bytes"


def _duration(hours: float) -> str:
    if hours < 2:
        return f"{hours * 60:.1f} min"
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} d ({hours:.0f} h)"
