# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Backups that have to prove themselves: restored into a throwaway server or directory, and compared."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils import _proofs as proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    BadOption,
    Check,
    Limits,
    Unmeasurable,
    limits,
    number,
    worst,
)
from ansible_collections.sre.runbooks.plugins.module_utils._dump import FORMATS
from ansible_collections.sre.runbooks.plugins.module_utils._probe import restores as probe
from ansible_collections.sre.runbooks.plugins.module_utils._unpack import open_to_everybody
from ansible_collections.sre.runbooks.plugins.module_utils._words import span

MODULE = "restore_proof"
IN_CHECK_MODE = "check mode: a proof writes throwaway data, so nothing was restored"
BUDGET = 14400.0

CHECKS = {
    "restore.cleared": "No throwaway data of a proof was left behind.",
    "restore.encryption": "The backup is encrypted where it has to be.",
    "restore.loads": "The backup decrypts, unpacks and loads to its end without one error.",
    "restore.contained": "The backup touches nothing but what it is of.",
    "restore.engine_check": "The server finds no damage in what was restored.",
    "restore.schema": "What was restored has the tables, columns, objects and files that it should have.",
    "restore.rows": "What was restored has as many rows, or files, as it should have.",
    "restore.sample": "Rows and files that were sampled have the checksums that they should have.",
    "restore.sequences": "Nothing that counts up would hand out a value that is taken.",
    "restore.permissions": "No restored file can be changed by everybody, and modes are as they were.",
    "restore.rpo": "What would be lost by restoring now is no more than may be lost.",
    "restore.rto": "Restoring takes no longer than it may take.",
    "restore.invariants": "What has to be true of the data is true of what was restored.",
    "restore.coverage": "Every table has been restored and compared recently.",
    "restore.proof": "The backup has been restored and is what it should be.",
}
TARGET: dict[str, t.Any] = {
    "source": {"type": "str", "required": True},
    "s3": {
        "type": "dict",
        "options": {
            "endpoint": {"type": "str"},
            "region": {"type": "str"},
            "profile": {"type": "str"},
            "access_key": {"type": "str", "no_log": True},
            "secret_key": {"type": "str", "no_log": True},
            "ca_bundle": {"type": "path"},
        },
    },
    "engine": {"type": "str", "choices": ["auto", "mysql", "postgresql", "files"], "default": "auto"},
    "database": {"type": "str"},
    "manifest": {"type": "str"},
    "production": {
        "type": "dict",
        "options": {
            "host": {"type": "str"},
            "port": {"type": "int"},
            "socket": {"type": "path"},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "database": {"type": "str"},
        },
    },
    "newest": {
        "type": "list",
        "elements": "dict",
        "options": {"table": {"type": "str", "required": True}, "column": {"type": "str", "required": True}},
    },
    "invariants": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "sql": {"type": "str", "required": True},
            "warning": {"type": "str"},
            "critical": {"type": "str"},
        },
    },
    "smoke": {"type": "list", "elements": "str"},
}
TUNING: dict[str, t.Any] = {
    "rows": limits(1, 10, unit="%", possible=(0, float("inf"))),
    "rpo": limits(26, 50, unit="h", possible=(0, float("inf"))),
    "rto": limits(unit="min", possible=(0, float("inf"))),
    "coverage": limits(8, 15, unit="d", possible=(0, float("inf"))),
    "encrypted": {"type": "bool", "default": False},
    "dated_by": {"type": "str", "choices": ["name", "name_utc", "modified"], "default": "name"},
    "age_identity": {"type": "path"},
    "gpg_home": {"type": "path"},
    "gpg_key": {"type": "path", "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "openssl_cipher": {"type": "str", "default": "aes-256-cbc"},
    "openssl_iterations": {"type": "int"},
    "sample_tables": {"type": "int", "default": 0},
    "extensions": {"type": "list", "elements": "str"},
    "superuser": {"type": "bool", "default": False},
    "settings": {"type": "dict"},
    "binaries": {"type": "path"},
    "user": {"type": "str", "default": "nobody"},
    "memory": {"type": "int", "default": 1024},
    "scratch": {"type": "path", "default": "/var/tmp/sre-proof"},  # noqa: S108 - its owner and mode are looked at
    "disk_reserve": {"type": "int", "default": 1024},
    "disk_limit": {"type": "int", "default": 0},
    "disk_factor": {"type": "float", "default": 3.0},
    "query_timeout": {"type": "float", "default": 600.0},
    "state": {"type": "path", "default": proofs.DIRECTORY},
    "sheets": {"type": "path"},
    "progress_path": {"type": "path"},
    "timeout": {"type": "float", "default": BUDGET},
}
_LISTED = 20
_MEANWHILE = 1800.0
"""Seconds by which a row may be newer than its backup: tables without transactions go on while they are dumped."""


def validate(target: dict[str, t.Any]) -> None:
    """Read the limits of invariants, too. Raises :class:`BadOption`."""
    if target["memory"] < 768:
        raise BadOption(f"memory: {target['memory']} MiB are too few for a server, give 768 or more")
    if target["sample_tables"] < 0:
        raise BadOption("sample_tables: give 0 for all tables, or how many to prove each time")
    names = [invariant["name"] for invariant in target.get("invariants") or []]
    if len(set(names)) < len(names):
        raise BadOption("invariants: two have the same name")
    for invariant in target.get("invariants") or []:
        try:
            invariant["limits"] = limits(unit="").read(
                {level: invariant.get(level) for level in ("warning", "critical")}
            )
        except BadOption as exc:
            raise BadOption(f"invariants: {invariant['name']}: {exc}") from None
        if not invariant["limits"]:
            raise BadOption(f"invariants: {invariant['name']} has no limit, so nothing could ever be wrong with it")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    if target["afterwards"] is None:
        for check_id in CHECKS:
            yield Check.skipped(check_id, target["name"], IN_CHECK_MODE)
        return
    proof = probe.prove(target)
    judged = list(_judged(proof, target))
    yield from judged
    yield _verdict(proof, target, judged)


def _judged(proof: probe.Proof, target: dict[str, t.Any]) -> t.Iterator[Check]:
    name = target["name"]
    yield _cleared(proof, name)
    yield _encryption(proof, target)
    yield _loads(proof, name)
    yield _contained(proof, target)
    if not proof.restored:
        for check_id in list(CHECKS)[4:-1]:
            yield Check.skipped(check_id, name, "nothing was restored, see restore.loads", blocked_by="restore.loads")
        return
    yield _engine_check(proof, name)
    yield _schema(proof, name)
    yield _rows(proof, target)
    yield _sample(proof, name)
    yield _sequences(proof, name)
    yield _permissions(proof, name)
    yield _rpo(proof, target)
    yield _rto(proof, target)
    yield _invariants(proof, target)
    yield _coverage(proof, target)


def _cleared(proof: probe.Proof, name: str) -> Check:
    if proof.left:
        return Check.expect(
            "restore.cleared",
            name,
            False,
            "throwaway data cannot be removed: " + ", ".join(proof.left[:3]),
            left=proof.left[:_LISTED],
        )
    if proof.cleared:
        return Check.expect(
            "restore.cleared", name, False, f"a proof was killed and had left {len(proof.cleared)} directories or files, gone now",
            otherwise="warning", cleared=proof.cleared[:_LISTED],
        )  # fmt: skip
    return Check.expect("restore.cleared", name, True, "nothing was left behind", walls_missing=proof.missing_walls)


def _encryption(proof: probe.Proof, target: dict[str, t.Any]) -> Check:
    name, stages = target["name"], ", ".join(proof.stages) or "none"
    if not target["encrypted"]:
        return Check.skipped("restore.encryption", name, f"not asked for: encrypted is not set; layers: {stages}")
    if proof.broken and not proof.stages and not proof.format:
        return Check.unknown("restore.encryption", name, f"it was not read far enough to tell: {proof.broken}")
    encrypted = any(stage in probe.pipe.ENCRYPTIONS for stage in proof.stages)
    told = f"encrypted by {stages}" if encrypted else f"not encrypted, although it has to be; layers: {stages}"
    return Check.expect("restore.encryption", name, encrypted, told)


def _loads(proof: probe.Proof, name: str) -> Check:
    evidence = _evidence(proof)
    if proof.broken:
        return Check.expect(
            "restore.loads", name, False, f"not restored: {proof.broken}", stage=proof.broken.stage, **evidence
        )
    seconds = proof.seconds["restore"]
    what = f"{FORMATS[proof.format]} of {proof.bytes / probe.MIB:,.1f} MiB was restored in {span(seconds)}"
    return Check.expect("restore.loads", name, True, what, **evidence)


def _contained(proof: probe.Proof, target: dict[str, t.Any]) -> Check:
    name = target["name"]
    if proof.unpacked is not None:
        refused = proof.unpacked.refused
        told = (
            f"{len(refused)} entries were refused, first {refused[0]}"
            if refused
            else "no entry leads out of its directory"
        )
        return Check.expect("restore.contained", name, not refused, told, refused=refused[:_LISTED])
    if proof.scan is None:
        return Check.skipped(
            "restore.contained", name, "nothing was read, see restore.loads", blocked_by="restore.loads"
        )
    foreign = proof.scan.foreign(proof.database)
    listed = [f"line {touch.line}: {touch.text}" for touch in foreign]
    of = proof.scan.database
    if target["database"] and of and of != target["database"]:
        listed.insert(0, f"the dump says that it is of {of}, and {target['database']} is expected")
    told = (
        f"the dump touches more than {proof.database}: {listed[0]}"
        if listed
        else f"the dump touches {proof.database} only"
    )
    return Check.expect("restore.contained", name, not listed, told, statements=listed[:_LISTED])


def _engine_check(proof: probe.Proof, name: str) -> Check:
    if proof.unpacked is not None:
        return Check.skipped("restore.engine_check", name, "files have no server to check them")
    told = f"{proof.damages[0]}" if proof.damages else "no damage was found"
    return Check.expect(
        "restore.engine_check",
        name,
        not proof.damages,
        f"{proof.engine_check}: {told}",
        damages=proof.damages[:_LISTED],
    )


def _schema(proof: probe.Proof, name: str) -> Check:
    found = t.cast("manifest.Facts", proof.found)
    if proof.expected is None:
        return Check.skipped("restore.schema", name, f"nothing to compare with: {proof.no_reference}")
    if proof.unpacked is not None:
        before, after = proof.expected.get("files", {}), found["files"]
        differences = [f"{path} is missing" for path in sorted(set(before) - set(after))]
        differences += [f"{path} was not there" for path in sorted(set(after) - set(before))]
    else:
        differences = manifest.schema_differences(proof.expected, found)
    told = (
        f"{len(differences)} differences from {proof.reference}: {differences[0]}"
        if differences
        else f"as in {proof.reference}"
    )
    return dataclasses.replace(
        Check.expect("restore.schema", name, not differences, told, differences=differences[:_LISTED]),
        value=float(len(differences)),
    )


def _rows(proof: probe.Proof, target: dict[str, t.Any]) -> Check:
    name, found = target["name"], t.cast("manifest.Facts", proof.found)
    if proof.unpacked is not None:
        count, before = len(found["files"]), len((proof.expected or {}).get("files", {}))
        share = 100 * abs(count - before) / before if before else 0.0
        told = (
            f"{count:,} files, {before:,} are expected"
            if proof.expected
            else f"{count:,} files, with nothing to compare with"
        )
        return Check.judge("restore.rows", name, share, target["rows"], told)
    total = sum(table["rows"] or 0 for table in found["tables"].values())
    deviations = manifest.row_deviations(proof.expected, found) if proof.expected is not None else {}
    if not total and (not deviations or any(before for before, _after, _share in deviations.values())):
        return Check.expect(
            "restore.rows", name, False, f"not one row in {len(found['tables'])} tables: only the schema was backed up"
        )
    if proof.expected is None:
        return Check.expect(
            "restore.rows", name, True, f"{total:,} rows, with nothing to compare with: {proof.no_reference}"
        )
    if not deviations:
        return Check.unknown("restore.rows", name, f"{proof.reference} knows the rows of no table that was restored")
    table, (before, after, share) = max(deviations.items(), key=lambda item: item[1][2])
    listed = {
        table: f"{before:,} expected, {after:,} found" for table, (before, after, off) in deviations.items() if off
    }
    told = (
        f"{total:,} rows; {table} is farthest off {proof.reference}: {after:,} of {before:,}, {share:.3g} %"
        if share
        else f"{total:,} rows, in each table as many as in {proof.reference}"
    )
    return Check.judge("restore.rows", name, share, target["rows"], told, tables=dict(list(listed.items())[:_LISTED]))


def _sample(proof: probe.Proof, name: str) -> Check:
    if proof.expected is None:
        return Check.skipped("restore.sample", name, f"nothing to compare with: {proof.no_reference}")
    found = t.cast("manifest.Facts", proof.found)
    if proof.unpacked is not None:
        before, after = proof.expected.get("files", {}), found["files"]
        common = sorted(set(before) & set(after))
        differing = [
            f"{path} has another checksum" for path in common if before[path]["sha256"] != after[path]["sha256"]
        ]
        compared = len(common)
    else:
        compared, differing = manifest.sample_differences(proof.expected, found)
    if not compared:
        return Check.unknown("restore.sample", name, f"{proof.reference} has no checksum to compare with")
    if differing and proof.reference != "the manifest":  # a server that is in use differs every time
        told = f"{len(differing)} of {compared} tables differ from {proof.reference}, which has gone on: a manifest would tell"
        return Check.skipped("restore.sample", name, told, differing=differing[:_LISTED])
    told = differing[0] if differing else f"checksums of {compared:,} tables or files are as in {proof.reference}"
    return Check.expect("restore.sample", name, not differing, told, differing=differing[:_LISTED])


def _sequences(proof: probe.Proof, name: str) -> Check:
    if proof.unpacked is not None:
        return Check.skipped("restore.sequences", name, "files have no sequences")
    told = f"{proof.behind[0]} is behind its column" if proof.behind else "no sequence is behind its column"
    return Check.expect("restore.sequences", name, not proof.behind, told, behind=proof.behind[:_LISTED])


def _permissions(proof: probe.Proof, name: str) -> Check:
    if proof.unpacked is None:
        return Check.skipped("restore.permissions", name, "a database has no modes")
    wrong = open_to_everybody(proof.unpacked)
    before = (proof.expected or {}).get("files", {})
    wrong += [
        f"{path} has mode {about['mode']}, had {before[path]['mode']}"
        for path, about in sorted(proof.unpacked.files.items())
        if before.get(path, {}).get("mode") not in (None, about["mode"])
    ]
    told = wrong[0] if wrong else "no file is open to everybody"
    return Check.expect("restore.permissions", name, not wrong, told, otherwise="warning", wrong=wrong[:_LISTED])


def _rpo(proof: probe.Proof, target: dict[str, t.Any]) -> Check:
    if proof.newest is None:
        return Check.unknown("restore.rpo", target["name"], proof.newest_problem or "nothing tells the age of the data")
    hours = (proof.started - proof.newest) / 3600
    if hours < -0.1:
        return Check.unknown(
            "restore.rpo", target["name"], f"{proof.newest_by} lies {-hours:.1f} h in the future: its age says nothing"
        )
    if proof.dumped is not None and proof.newest - proof.dumped > _MEANWHILE:
        newer = f"{proof.newest_by} is {(proof.newest - proof.dumped) / 3600:.1f} h newer than the backup, which was taken at"
        told = (
            f"{newer} {proofs.time_text(proof.dumped)} by its manifest: a clock is wrong, or the column is not in UTC"
        )
        return Check.unknown("restore.rpo", target["name"], told)
    hours = max(0.0, hours)
    return Check.judge(
        "restore.rpo", target["name"], hours, target["rpo"], f"{hours:.1f} h would be lost, by {proof.newest_by}",
        newest=proofs.time_text(proof.newest), by=proof.newest_by,
    )  # fmt: skip


def _rto(proof: probe.Proof, target: dict[str, t.Any]) -> Check:
    minutes = proof.seconds["restore"] / proof.share / 60
    told = f"restoring takes {span(max(1.0, minutes * 60))}"
    if proof.share < 1:
        told += f", as {100 * proof.share:.0f} % of the data took {span(max(1.0, proof.seconds['restore']))}"
    return Check.judge(
        "restore.rto", target["name"], minutes, target["rto"], told, share=round(proof.share, 4), **proof.seconds
    )


def _invariants(proof: probe.Proof, target: dict[str, t.Any]) -> Check:
    name = target["name"]
    if proof.smoke is not None:
        code, said = proof.smoke
        told = "the smoke check went well" if code == 0 else f"the smoke check ended with exit code {code}: {said}"
        return Check.expect("restore.invariants", name, code == 0, told)
    if not proof.answers:
        return Check.skipped("restore.invariants", name, "not asked for: there are no invariants")
    members = [_invariant(proof, invariant["name"], invariant["limits"]) for invariant in target["invariants"]]
    status = worst(member.status for member in members)
    bad = [member for member in members if member.status != "ok"]
    told = "; ".join(f"{member.target}: {member.summary}" for member in bad[:3]) or f"{len(members)} hold"
    answers = {member.target: f"{member.status}: {member.summary}" for member in members[:_LISTED]}
    return Check("restore.invariants", name, status, told, float(len(bad)), detail={"invariants": answers})


def _invariant(proof: probe.Proof, name: str, wanted: Limits) -> Check:
    answer = proof.answers[name]
    if isinstance(answer, str):
        return Check.unknown("restore.invariants", name, answer)
    return Check.judge("restore.invariants", name, answer, wanted, f"gives {number(answer)}")


def _coverage(proof: probe.Proof, target: dict[str, t.Any]) -> Check:
    name = target["name"]
    if proof.state_problem:
        return Check.unknown("restore.coverage", name, proof.state_problem)
    tables = list(t.cast("manifest.Facts", proof.found).get("tables", {}))
    if proof.tables is None:
        return Check.judge("restore.coverage", name, 0.0, target["coverage"], "everything was restored this time")
    before = {table: proof.remembered.get(table) for table in tables if table not in proof.tables}
    never = [table for table, when in before.items() if not when]
    if never:
        return Check(
            "restore.coverage", name, "warning", f"{len(never)} of {len(tables)} tables have never been restored, first {never[0]}",
            detail={"never": never[:_LISTED], "now": proof.tables[:_LISTED]},
        )  # fmt: skip
    days = {table: (proof.started - proofs.seconds_of(str(when))) / 86400 for table, when in before.items()}
    oldest = max(days, key=lambda table: days[table])
    return Check.judge(
        "restore.coverage", name, days[oldest], target["coverage"], f"{oldest} was restored {days[oldest]:.1f} days ago, all others since",
        now=proof.tables[:_LISTED],
    )  # fmt: skip


def _verdict(proof: probe.Proof, target: dict[str, t.Any], judged: list[Check]) -> Check:
    """The evidence sheet. Of a proof that is worth something everything but the first and the last two has to be ok."""
    name, by_id = target["name"], {check.id: check for check in judged}
    counted = [check for check in judged if check.id not in ("restore.cleared", "restore.rto", "restore.coverage")]
    bad = [check for check in counted if check.status in ("critical", "unknown")]
    sheet = {
        **_evidence(proof),
        "seconds": {stage: round(seconds, 1) for stage, seconds in proof.seconds.items()},
        "tables": "all" if proof.tables is None else _some(proof.tables),
        "found": by_id["restore.rows"].summary if proof.restored else "",
        "compared_with": _compared_with(proof),
        "rpo": _figure(by_id["restore.rpo"]),
        "rto": _figure(by_id["restore.rto"]),
        "checks": {check.id.partition(".")[2]: check.status for check in judged},
        "verdict": "not proven" if bad else "proven",
    }
    try:
        probe.keep(proof, target, proven=not bad)
        if target["sheets"]:
            probe.write_sheet(
                target["sheets"], name, {".md": markdown(name, sheet, judged), ".json": _json(name, sheet, judged)}
            )
    except Unmeasurable as exc:
        return Check.unknown("restore.proof", name, f"the proof cannot be remembered: {exc}", **sheet)
    if bad:
        return Check.expect(
            "restore.proof", name, False, f"not proven: {bad[0].summary}", because=[check.id for check in bad], **sheet
        )
    rest = "" if proof.expected is not None else ", with nothing to compare it with"
    return Check.expect("restore.proof", name, True, f"{proof.place} has been restored{rest}", **sheet)


def _some(names: list[str]) -> list[str]:
    more = len(names) - _LISTED
    return names if more <= 0 else [*names[:_LISTED], f"and {more} more"]


def _compared_with(proof: probe.Proof) -> str:
    if not proof.restored:
        return "nothing: it was not restored"
    return proof.reference or f"nothing: {proof.no_reference}"


def _figure(check: Check) -> str:
    """What was measured, with its limits; why it was not, where it was not."""
    if check.value is None:
        return f"{'not measured' if check.status == 'skipped' else check.status}: {check.summary}"
    given = (("warning", check.warning), ("critical", check.critical))
    return f"{check.summary} ({', '.join(f'{level} {limit} {check.unit}' for level, limit in given if limit) or 'no limit is set'})"


def _evidence(proof: probe.Proof) -> dict[str, t.Any]:
    evidence: dict[str, t.Any] = {
        "source": proof.place,
        "bytes": proof.bytes,
        "sha256": proof.sha256,
        "taken": proofs.time_text(proof.taken if proof.dumped is None else proof.dumped),
        "at": proofs.time_text(proof.started),
        "layers": proof.stages,
        "format": FORMATS.get(proof.format, ""),
        "server": proof.server,
        "database": proof.database,
    }
    return {key: value for key, value in evidence.items() if value}


def markdown(name: str, sheet: dict[str, t.Any], judged: list[Check]) -> str:
    """The evidence sheet for people."""
    lines = [f"# Proof of restore: {name}", "", f"**{sheet['verdict'].capitalize()}**", ""]
    lines += [
        f"- {key.replace('_', ' ')}: {value if isinstance(value, (str, int)) else json.dumps(value)}"
        for key, value in sheet.items()
        if key != "checks"
    ]
    lines += ["", "| Check | Status | Finding |", "|---|---|---|"]
    lines += [f"| {check.id} | {check.status} | {check.summary.replace('|', chr(92) + '|')} |" for check in judged]
    return "\n".join(lines) + "\n"


def _json(name: str, sheet: dict[str, t.Any], judged: list[Check]) -> str:
    return (
        json.dumps({"target": name, **sheet, "checks": [dataclasses.asdict(check) for check in judged]}, indent=1)
        + "\n"
    )
