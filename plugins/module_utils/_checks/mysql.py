# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A server of MySQL or MariaDB: whether it answers, has room, keeps up, and what its tables and statements suffer from.

A server that cannot be reached is critical, that is what was promised. A login that is refused, a privilege or a source
of facts that is missing is unknown: such a server shows less, and less looks like all is well.
"""

from __future__ import annotations

import contextlib
import fnmatch
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, Unmeasurable, limits
from ansible_collections.sre.runbooks.plugins.module_utils._mysql import ADDRESS, LOGIN, address, check_login
from ansible_collections.sre.runbooks.plugins.module_utils._probe import mysql as probe
from ansible_collections.sre.runbooks.plugins.module_utils._words import span

CHECKS = {
    "mysql.answers": "The server lets clients in and answers them quickly.",
    "mysql.tables": "The expected tables are there and can be opened.",
    "mysql.connections": "There are connections left.",
    "mysql.connections_peak": "There have been connections left ever since the server started.",
    "mysql.long_queries": "No statement runs for very long.",
    "mysql.lock_waits": "Nobody waits long for a lock.",
    "mysql.replication": "The replica receives and applies the changes of its source.",
    "mysql.replication_lag": "The replica is not far behind its source.",
    "mysql.slow_queries": "Few statements are slow.",
    "mysql.size": "The tables are of the expected size.",
    "mysql.fragmentation": "No large table consists of holes.",
    "mysql.corruption": "No table is damaged.",
    "mysql.primary_keys": "Every table has a primary key.",
    "mysql.unused_indexes": "Every index is used.",
    "mysql.duplicate_indexes": "No index repeats another one.",
    "mysql.full_scans": "Statements find their rows through an index.",
    "mysql.auto_increment": "Automatic numbers do not run out.",
    "mysql.buffer_pool": "Pages are found in memory.",
}
TARGET: dict[str, t.Any] = {
    **ADDRESS,
    "database": {"type": "str"},
    "matching": {"type": "str"},
    "tables": {"type": "list", "elements": "str"},
    "replica": {"type": "bool"},
}
TUNING: dict[str, t.Any] = {
    **LOGIN,
    "answers": limits(500, 2000, unit="ms"),
    "table_count": limits(unit="tables", worse="lower"),
    "connections": limits(80, 90, unit="%"),
    "connections_peak": limits(90, None, unit="%"),
    "long_queries": limits(60, 600, unit="s"),
    "lock_waits": limits(10, 30, unit="s"),
    "replication_lag": limits(60, 600, unit="s"),
    "slow_queries": limits(unit="statements"),
    "slow_time": {"type": "float"},
    "slow_source": {"type": "str", "choices": ["auto", "digest", "log"], "default": "auto"},
    "slow_log": {"type": "path"},
    "window": {"type": "float", "default": 24.0},
    "size": limits(unit="MiB"),
    "fragmentation": limits(30, None, unit="%"),
    "fragmentation_size": {"type": "float", "default": 100.0},
    "corruption": {
        "type": "str",
        "choices": ["never", "quick", "fast", "changed", "medium", "extended"],
        "default": "never",
    },
    "primary_keys": limits(0, None, unit="tables"),
    "unused_indexes": limits(unit="indexes"),
    "duplicate_indexes": limits(unit="indexes"),
    "full_scans": limits(unit="%"),
    "auto_increment": limits(70, 90, unit="%"),
    "buffer_pool": limits(95, None, unit="%", worse="lower"),
    "ignore_tables": {"type": "list", "elements": "str"},
}
DEFAULT_TARGETS: list[dict[str, t.Any]] = [dict.fromkeys(TARGET)]

MIB = 1024**2
LINES = 20
WORTH_JUDGING = 100_000
"""Pages or rows asked for since the server started: before that a share of them says nothing."""
DAYS_OF_USE = 7
"""Days that a server runs before an index counts as unused: a weekly job may need it."""


def name(target: t.Mapping[str, t.Any]) -> str:
    return address(target) + (f"/{target['database']}" if target["database"] else "")


def validate(target: t.Mapping[str, t.Any]) -> None:
    check_login(target)
    if target["tables"] is not None and not target["database"]:
        raise BadOption("tables: expected where? Give the database")
    if target["tables"] is not None and not all(target["tables"] or [""]):
        raise BadOption("tables: name at least one table")
    if target["full_scans"].critical:
        raise BadOption("full_scans.critical: a recommendation is a warning at most")
    if not target["window"] > 0:
        raise BadOption(f"window: {target['window']:g} h is no time")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    try:
        # The door gives up after the timeout: leave it to us to say what did not answer.
        server = probe.connect(target, 0.8 * target["timeout"])
    except probe.Unreachable as exc:
        yield Check("mysql.answers", target["name"], "critical", str(exc))
        for check_id in list(CHECKS)[1:]:
            yield Check.skipped(check_id, target["name"], "not measured, see mysql.answers", blocked_by="mysql.answers")
        return
    with contextlib.closing(server):
        for check_id, judge in JUDGES.items():
            yield _judged(judge, check_id, target, server)


def _judged(judge: Judge, check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    """One fact that cannot be had does not hide the others."""
    try:
        return judge(check_id, target, server)
    except Unmeasurable as exc:
        return Check.unknown(check_id, target["name"], str(exc))


def _answers(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    return Check.judge(
        check_id,
        target["name"],
        round(server.milliseconds, 1),
        target["answers"],
        f"logged in and answered within {server.milliseconds:.0f} ms",
        version=server.version,
    )


def _tables(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not target["tables"] and not target["table_count"]:
        return Check.skipped(check_id, target["name"], "not asked for: neither tables nor table_count is given")
    there = server.visible_tables
    missing = [
        one for one in target["tables"] or [] if not any(fnmatch.fnmatchcase(table.name, one) for table in there)
    ]
    if missing or target["table_count"]:
        there = server.tables  # now it matters that none is hidden from us
    closed = [f"{table}: {table.comment}"[:300] for table in there if table.engine is None]
    if missing or closed:
        told = [
            f"missing: {_some(missing)}" if missing else "",
            f"cannot be opened: {_some([str(table) for table in there if table.engine is None])}" if closed else "",
        ]
        evidence = {"missing": missing[:LINES], "closed": closed[:LINES], "tables": len(there)}
        return Check(check_id, target["name"], "critical", "; ".join(filter(None, told)), detail=evidence)
    expected = "with all that are expected" if target["tables"] else "are there"
    return Check.judge(check_id, target["name"], len(there), target["table_count"], f"{len(there)} tables {expected}")


def _some(names: t.Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def _connections(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    peak = check_id == "mysql.connections_peak"
    used = server.status("Max_used_connections" if peak else "Threads_connected")
    most = int(server.variable("max_connections"))
    when = f"were used at the peak of the last {span(server.status('Uptime'))}" if peak else "are used"
    share = 100 * used / most
    # One connection above the maximum is kept for administrators.
    return Check.judge(
        check_id, target["name"], share, target[check_id[len("mysql.") :]], f"{used} of {most} connections {when}, {share:.1f} %"
    )  # fmt: skip


def _long_queries(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    running = server.running
    longest = running[0].seconds if running else 0
    told = f"the longest of {len(running)} statements runs for {longest:.0f} s" if running else "no statement runs"
    return Check.judge(
        check_id, target["name"], longest, target["long_queries"], told, statements=[str(one)[:300] for one in running[:LINES]]
    )  # fmt: skip


def _lock_waits(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    waits = server.waits()
    longest = waits[0].seconds if waits else 0
    told = (
        f"{len(waits)} sessions wait for a lock, the longest for {longest:.0f} s"
        if waits
        else "nobody waits for a lock"
    )
    return Check.judge(
        check_id, target["name"], longest, target["lock_waits"], told, waits=[str(one)[:300] for one in waits[:LINES]]
    )


def _replication(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    channels = server.channels
    if not channels:
        if target["replica"]:
            return Check.expect(check_id, target["name"], False, "the server is no replica, and it is meant to be one")
        return Check.skipped(check_id, target["name"], "the server is no replica")
    broken = [channel for channel in channels if not channel.replicates]
    lines = [
        f"{one.name or one.source}: receiving {one.receiving}, applying {one.applying} {one.problem}".strip()[:300]
        for one in channels
    ]
    told = (
        f"{len(broken)} of {len(channels)} sources are not replicated" if broken else "receives and applies all changes"
    )
    return Check.expect(check_id, target["name"], not broken, told, channels=lines[:LINES])


def _replication_lag(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not server.channels:
        return Check.skipped(check_id, target["name"], "the server is no replica")
    if not all(channel.replicates for channel in server.channels):
        return Check.skipped(
            check_id, target["name"], "not measured, see mysql.replication", blocked_by="mysql.replication"
        )
    known = [channel.lag for channel in server.channels if channel.lag is not None]
    if len(known) < len(server.channels):
        raise Unmeasurable("the replica does not know how far it is behind its source")
    lag = max(known)
    return Check.judge(check_id, target["name"], lag, target["replication_lag"], f"{lag:.0f} s behind the source")


def _slow_queries(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not target["slow_queries"]:
        return Check.skipped(check_id, target["name"], "not asked for: slow_queries has no limit")
    slow = server.slow(target["slow_source"], target["window"], target["slow_time"], target["slow_log"])
    count = len(slow.statements)
    return Check.judge(
        check_id,
        target["name"],
        count,
        target["slow_queries"],
        f"{count} different statements took {slow.seconds:g} s or more within {target['window']:g} h",
        source=slow.source,
        statements=[_statement(one) for one in slow.statements[:LINES]],
    )


def _statement(one: t.Any) -> str:
    """The costliest come first; rows looked at for each row returned tell whether an index is missing."""
    ratio = f", {one.examined / max(1, one.sent):,.0f} rows looked at for each returned" if one.examined else ""
    return f"{one.total:,.1f} s in {one.count} runs, at most {one.longest:.2f} s{ratio}: {one.shape}"[:300]


def _size(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not server.tables:
        raise Unmeasurable("there is no table")
    largest = sorted(server.tables, key=lambda table: -table.size)
    size = sum(table.size for table in largest) / MIB
    lines = [f"{table}: {table.size / MIB:,.1f} MiB, about {table.rows:,} rows" for table in largest[:LINES]]
    return Check.judge(
        check_id,
        target["name"],
        round(size, 3),
        target["size"],
        f"{len(largest)} tables hold {size:,.1f} MiB",
        tables=lines,
    )


def _no_table(check_id: str, target: dict[str, t.Any]) -> Check:
    return Check.skipped(
        check_id, target["name"], "not measured, there is no table, see mysql.size", blocked_by="mysql.size"
    )


def _fragmentation(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not server.tables:
        return _no_table(check_id, target)
    least = target["fragmentation_size"]
    shares = {
        table: 100 * table.free / (table.size + table.free)
        for table in server.tables
        if table.size + table.free >= max(1, least * MIB) and str(table) not in server.shared_space
    }
    worst = max(shares, key=lambda table: shares[table], default=None)
    told = f"{shares[worst]:.1f} % of {worst} is free" if worst else f"no table is larger than {least:g} MiB"
    lines = [
        f"{table}: {share:.1f} % of {(table.size + table.free) / MIB:,.0f} MiB"
        for table, share in sorted(shares.items(), key=lambda item: -item[1])
    ]
    value = shares[worst] if worst else 0
    return Check.judge(check_id, target["name"], value, target["fragmentation"], told, tables=lines[:LINES])


WORDS = {"ok": "sound", "no check": "of an engine without a check"}


def _corruption(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if target["corruption"] == "never":
        return Check.skipped(check_id, target["name"], "not asked for: corruption says never")
    if not server.tables:
        return _no_table(check_id, target)
    found: dict[str, list[str]] = {"damaged": [], "suspect": [], "not checked": [], "no check": [], "ok": []}
    for table, verdict, said in server.check_tables(target["corruption"], 0.6 * target["timeout"]):
        found[verdict].append(f"{table}: {said}"[:300])
    counts = ", ".join(f"{len(lines)} {WORDS.get(verdict, verdict)}" for verdict, lines in found.items() if lines)
    lines = [line for verdict in ("damaged", "suspect", "not checked", "no check") for line in found[verdict]][:LINES]
    if found["not checked"] and not found["damaged"]:
        raise Unmeasurable(f"not all tables could be checked ({counts}): {'; '.join(lines[:3])}")
    status = "critical" if found["damaged"] else "warning"
    fine = not found["damaged"] and not found["suspect"]
    return Check.expect(
        check_id, target["name"], fine, f"of {len(server.tables)} tables: {counts}", otherwise=status, tables=lines
    )


def _count(check_id: str, target: dict[str, t.Any], found: list[str], what: str) -> Check:
    option = check_id[len("mysql.") :]
    told = f"{len(found)} {what}"
    return Check.judge(check_id, target["name"], len(found), target[option], told, **{option: found[:LINES]})


def _primary_keys(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not server.tables:
        return _no_table(check_id, target)
    keyed = {(index.schema, index.table) for index in server.indexes if index.name == "PRIMARY"}
    without = [str(table) for table in server.tables if (table.schema, table.name) not in keyed]
    return _count(check_id, target, without, f"of {len(server.tables)} tables have no primary key")


def _unused_indexes(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not target["unused_indexes"]:
        return Check.skipped(check_id, target["name"], "not asked for: unused_indexes has no limit")
    unused = list(map(str, server.unused_indexes()))
    uptime = server.status("Uptime")
    if uptime < DAYS_OF_USE * 86400:
        raise Unmeasurable(f"the server has counted for {span(uptime)}, too short to call an index unused")
    return _count(check_id, target, unused, f"indexes were not used for {span(uptime)}")


def _duplicate_indexes(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not target["duplicate_indexes"]:
        return Check.skipped(check_id, target["name"], "not asked for: duplicate_indexes has no limit")
    if not server.tables:
        return _no_table(check_id, target)
    pairs = [f"{one} is covered by {other.name}" for one, other in repeated(server.indexes)]
    return _count(check_id, target, pairs, "indexes repeat another one")


def repeated(indexes: t.Sequence[t.Any]) -> list[tuple[t.Any, t.Any]]:
    """(index, another one that serves for it): the same columns, or the first columns of a longer one.

    A unique index is served by none but an equal unique one: it also forbids something. Of two that are equal, the
    later by name is the repetition, the primary key never.
    """
    found = []
    for one in indexes:
        for other in indexes:
            if one is other or (one.schema, one.table, one.type) != (other.schema, other.table, other.type):
                continue
            equal = one.columns == other.columns
            prefix = one.type == "BTREE" and one.columns == other.columns[: len(one.columns)]
            first = (not other.unique, other.name != "PRIMARY", other.name) < (
                not one.unique, one.name != "PRIMARY", one.name,
            )  # fmt: skip
            if (equal and first) or (prefix and not equal and not one.unique):
                found.append((one, other))
                break
    return found


def _full_scans(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not target["full_scans"]:
        return Check.skipped(check_id, target["name"], "not asked for: full_scans has no limit")
    scanned = server.status("Handler_read_rnd_next")
    rows = scanned + sum(
        server.status(f"Handler_read_{how}") for how in ("first", "key", "last", "next", "prev", "rnd")
    )
    if rows < WORTH_JUDGING:
        return Check.skipped(check_id, target["name"], f"only {rows:,} rows were read since the server started")
    try:
        without = server.digests(target["window"], "sum_no_index_used > 0 AND sum_rows_examined > 0")
        statements = [_statement(one) for one in sorted(without, key=lambda one: -one.examined)[:LINES]]
    except Unmeasurable as exc:
        statements = [f"the statements are not known: {exc}"]
    share = 100 * scanned / rows
    return Check.judge(
        check_id,
        target["name"],
        share,
        target["full_scans"],
        f"{share:.1f} % of {rows:,} rows were read by scanning whole tables",
        statements=statements,
    )


def _auto_increment(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    if not server.tables:
        return _no_table(check_id, target)
    shares = sorted(
        ((100 * last / most, f"{table}: {last:,} of {most:,}") for table, last, most in server.auto_increments()), reverse=True
    )  # fmt: skip
    if not shares:
        return Check.skipped(check_id, target["name"], "no table has automatic numbers")
    lines = [f"{line}, {share:.1f} %" for share, line in shares[:LINES]]
    return Check.judge(
        check_id, target["name"], shares[0][0], target["auto_increment"], f"given out in {lines[0]}", tables=lines
    )


def _buffer_pool(check_id: str, target: dict[str, t.Any], server: probe.Server) -> Check:
    asked, missed = server.status("Innodb_buffer_pool_read_requests"), server.status("Innodb_buffer_pool_reads")
    if asked < WORTH_JUDGING:
        return Check.skipped(check_id, target["name"], f"only {asked:,} pages were asked for since the server started")
    share = 100 * (1 - missed / asked)
    pool = int(server.variable("innodb_buffer_pool_size")) / MIB
    return Check.judge(
        check_id,
        target["name"],
        share,
        target["buffer_pool"],
        f"{share:.2f} % of {asked:,} pages were in memory",
        pool_mib=pool,
    )


Judge = t.Callable[[str, t.Dict[str, t.Any], t.Any], Check]
JUDGES: dict[str, Judge] = {
    "mysql.answers": _answers,
    "mysql.tables": _tables,
    "mysql.connections": _connections,
    "mysql.connections_peak": _connections,
    "mysql.long_queries": _long_queries,
    "mysql.lock_waits": _lock_waits,
    "mysql.replication": _replication,
    "mysql.replication_lag": _replication_lag,
    "mysql.slow_queries": _slow_queries,
    "mysql.size": _size,
    "mysql.fragmentation": _fragmentation,
    "mysql.corruption": _corruption,
    "mysql.primary_keys": _primary_keys,
    "mysql.unused_indexes": _unused_indexes,
    "mysql.duplicate_indexes": _duplicate_indexes,
    "mysql.full_scans": _full_scans,
    "mysql.auto_increment": _auto_increment,
    "mysql.buffer_pool": _buffer_pool,
}
