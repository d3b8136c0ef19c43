# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports as they could be: for eyes, for the browser test, for the benchmark and for the pictures in the docs.

Made up, the same each time.
"""

from __future__ import annotations

import datetime as dt
import random
import typing as t

from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record, Sample
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report, build
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import RUN, Occasion, Step, record

STARTED = dt.datetime(2025, 11, 21, 4, 0, tzinfo=dt.UTC)
PAGES = "https://docs.example.com/runbooks"
PREVIOUS = {"id": "20251120T040000Z-morning-91be07", "started": "2025-11-20T04:00:00+00:00", "verdict": "warning"}
ATTESTED = {
    "EB-D1-08": {
        "state": "done",
        "by": "Ada Ng",
        "at": "2025-11-21T04:22:00+00:00",
        "note": "widgets load, no notices",
    },
    "EB-D1-09": {
        "state": "not_applicable",
        "by": "Ada Ng",
        "at": "2025-11-21T04:23:00+00:00",
        "note": "no campaign runs",
    },
}
PROMISES = {
    "system.cpu": "The processors have time to spare.",
    "system.memory": "Memory is not exhausted.",
    "mount.space": "The file system has room.",
    "service.active": "The service is running.",
    "log.errors": "The log has few new errors.",
    "mysql.reachable": "The database answers.",
    "mysql.tables": "The tables that the application needs exist.",
    "certificate.expiry": "The certificate is valid for long enough.",
    "http.status": "The page answers as it should.",
    "http.latency": "The page answers fast enough.",
    "cron.overdue": "No scheduled event is overdue.",
    "backup.age": "The newest backup is recent enough.",
    "backup.restored": "The newest backup has been restored.",
    "queue.depth": "The queue does not pile up.",
    "run.host": "Every host was reached.",
    "run.notification": "Everybody who is to be told is told.",
    "run.budget": "The run stayed within its time budget.",
}
STEPS = (
    Step("EB-D1-01", "CPU usage", ("system.cpu",)),
    Step("EB-D1-02", "Memory usage", ("system.memory",)),
    Step("EB-D1-03", "Disk usage", ("mount.space",)),
    Step("EB-D1-04", "nginx is running", ("service.active@nginx",)),
    Step("EB-D1-05", "MySQL is running and answers", ("service.active@mysql", "mysql.*")),
    Step("EB-D1-06", "Errors in the log since yesterday", ("log.errors",)),
    Step("EB-D1-07", "Certificate", ("certificate.expiry",)),
    Step("EB-D1-08", "Look at the dashboard", attest=True),
    Step("EB-D1-09", "Compare campaign numbers with the ad platform", attest=True),
    Step("EB-D1-10", "Pages answer", ("http.status", "http.latency")),
    Step("EB-D1-11", "Backup completed overnight", ("backup.age", "backup.restored")),
    Step("EB-D1-12", "Cron events", ("cron.overdue",)),
    Step("EB-D1-13", "API connections are green", ("edubot.connection",)),
    Step("EB-D3-04", "Review pending maintenance", attest=True, owner="DevOps Lead"),
    Step("EB-D3-07", "Sign the change calendar", attest=True, due=1800, owner="DevOps Lead"),
    Step("EB-W9-01", "Drop unused tables", refused="destroys evidence; done by the DBA with a preview and a token"),
)


def trend(
    last: float, unit_span: float, seed: str, status: str = "ok", points: int = 30, *, drift: float = 0.0
) -> list[Sample]:
    """A plausible course that ends where the check stands now."""
    chance = random.Random(seed)
    values = [last - drift * back + chance.uniform(-unit_span, unit_span) for back in range(points - 1, 0, -1)]
    days = [STARTED - dt.timedelta(days=back) for back in range(points - 1, -1, -1)]
    return [
        *(Sample(day.isoformat(), round(max(0.0, value), 2), "ok") for day, value in zip(days, values, strict=False)),
        Sample(days[-1].isoformat(), last, status),
    ]


def measured(
    check_id: str, target: str, host: str, value: float, unit: str, limits: tuple[str, str], text: str, **more: t.Any
) -> Record:
    """A judged number."""
    more = {"value": value, "unit": unit, "warning": limits[0], "critical": limits[1], **more}
    return record(check_id, target, summary=text.format(value), host=host, **more)


def all_ok() -> Report:
    """A quiet morning."""
    steps = [step for step in STEPS if step.id not in ("EB-D1-13", "EB-D3-07", "EB-W9-01")]
    said = {"by": "Ada Ng", "at": "2025-11-21T04:22:00+00:00", "note": "nothing to see"}
    return _report(list(_quiet()), steps, {step.id: said for step in steps if step.attest})


def mixed() -> Report:
    """A morning on which everything that a report can show is there."""
    records = {(found["host"], found["id"], found["target"]): found for found in _quiet()}
    for found in _trouble():
        records[found["host"], found["id"], found["target"]] = found
    return _report(list(records.values()), STEPS, ATTESTED, on_call="Bo Lindqvist (on call)")


def fleet(hosts: int = 20, checks: int = 40) -> Report:
    """Many hosts with many checks each, a few of them not well."""
    chance = random.Random(7)
    names = [f"web-{number:02}" for number in range(1, hosts + 1)]
    records, trends, steps = [], {}, []
    for number in range(checks):
        check_id, unit, step = _FLEET[number % len(_FLEET)]
        target = f"part-{number // len(_FLEET) + 1}"
        steps.append(Step(f"FL-{number + 1:02}", f"{step} {target}", (f"{check_id}@{target}",)))
        for host in names:
            value = round(chance.uniform(20, 70), 1)
            status = chance.choices(["ok", "warning", "critical", "unknown"], [0.97, 0.015, 0.01, 0.005])[0]
            value = {"warning": 84.0, "critical": 97.0}.get(status, value)
            text = f"{target} uses {{:g}} {unit}" if status != "unknown" else "no answer within 30 s"
            found = measured(check_id, target, host, value, unit, ("80", "95"), text, status=status)
            found |= {"change": "new" if status != "ok" else None, "detail": {"lines": ["one line of evidence"] * 5}}
            records.append(found)
            trends[host, check_id, target] = trend(value, 6, f"{host}{number}", status)
    return build(
        RUN,
        records,
        occasion=t.cast("t.Any", Occasion(tuple(steps), title="Fleet check", owner="Platform Team")),
        timezone="Europe/Berlin",
        trends=trends,
        promises=PROMISES,
        pages=PAGES,
        previous=PREVIOUS,
    )


def proofs(amount: int = 30) -> Report:
    """A drill that has restored many backups, of which one was not good and one could not be restored."""
    records = [proof(f"shop-{number:02}", host=f"db-{number % 3 + 1}") for number in range(1, amount - 1)]
    reason = "not proven: orders is farthest off the manifest: 0 of 182,044, 100 %"
    records.append(
        proof(
            "an_archive_of_" + "every_" * 20 + "thing",
            status="critical",
            summary=reason,
            verdict="not proven",
            source="s3://example-backups/" + "a-long-prefix/" * 20 + "everything-2025-11-21T020000Z.sql.zst.age",
            tables=[*(f"a_table_with_quite_a_long_name_{number:02}" for number in range(20)), "and 280 more"],
            rpo="unknown: orders.at does not tell the age of the newest row: it gave nothing: null",
            checks={**dict.fromkeys(PROVEN, "ok"), "rows": "critical", "rpo": "unknown", "permissions": "skipped"},
        )
    )
    blocked = "not measured, see restore.cleared: mariadbd is not installed on the host: apt-get install mariadb-server"
    detail = {"blocked_by": "restore.cleared"}
    records.append(record("restore.proof", "newsletter", "skipped", blocked, host="db-3", detail=detail))
    records.append(record("restore.cleared", "newsletter", "unknown", blocked.partition(": ")[2], host="db-3"))
    return _report(records, (), {})


PROVEN = (
    "cleared", "encryption", "loads", "contained", "engine_check", "schema", "rows", "sample", "sequences", "rpo", "rto", "invariants",
    "coverage",
)  # fmt: skip


def proof(target: str, host: str = "db-1", status: str = "ok", summary: str = "", **detail: t.Any) -> Record:
    """What a restored backup leaves in the journal, as restore_proof writes it."""
    source = f"/var/backups/databases/{target}-20251121T020000Z.sql.zst.age"
    sheet = {
        "source": source,
        "bytes": 41_920_113,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "taken": "2025-11-21T02:00:00Z",
        "at": "2025-11-21T04:00:10Z",
        "layers": ["age", "zstd"],
        "format": "a dump of MySQL or MariaDB",
        "server": "10.11.6-MariaDB",
        "database": "shop",
        "seconds": {"start": 0.8, "restore": 94.2, "check": 12.1, "compare": 9.9},
        "tables": "all",
        "found": "182,044 rows, in each table as many as in the manifest",
        "compared_with": "the manifest",
        "rpo": "2.1 h would be lost, by the newest row of orders.at (warning 26 h, critical 50 h)",
        "rto": "restoring takes 94 s (critical 60 min)",
        "checks": {**dict.fromkeys(PROVEN, "ok"), "permissions": "skipped"},
        "verdict": "proven",
        **detail,
    }
    return record("restore.proof", target, status, summary or f"{source} has been restored", host=host, detail=sheet)


_FLEET = [
    ("system.cpu", "%", "Processors"),
    ("system.memory", "%", "Memory"),
    ("mount.space", "%", "Disk"),
    ("queue.depth", "jobs", "Queue"),
]


def _report(
    records: list[Record], steps: t.Sequence[Step], attestations: t.Mapping[str, t.Any], **more: t.Any
) -> Report:
    trends = {}
    for found in records:
        if found["value"] is not None and found["unit"]:
            drift = 1.1 if found["status"] in ("warning", "critical") else 0.02
            span = max(found["value"] * 0.06, 0.2)
            if found["unit"] == "days":
                span, drift = 0.01, -200
            seed = found["host"] + found["id"] + found["target"]
            name = found["host"], found["id"], found["target"]
            trends[name] = trend(found["value"], span, seed, found["status"], drift=drift * span / 2)
    return build(
        RUN,
        records,
        occasion=t.cast("t.Any", Occasion(tuple(steps))),
        timezone="Europe/Berlin",
        attestations=attestations,
        trends=trends,
        promises=PROMISES,
        pages=PAGES,
        previous=PREVIOUS,
        now="2025-11-21T05:10:00+00:00",
        **more,
    )


def _quiet() -> t.Iterator[Record]:
    for host, cpu, memory in (("web-1", 31, 58), ("web-2", 27, 61), ("db-1", 44, 72)):
        yield measured("system.cpu", host, host, cpu, "%", ("80", "95"), "{:g} % of the processors' time is used")
        yield measured("system.memory", host, host, memory, "%", ("85", "95"), "{:g} % of the memory is used")
        for path, used in (("/", 41), ("/var", cpu + 24)):
            text = f"{{:g}} % of {path} is used"
            yield measured("mount.space", path, host, used, "%", ("80", "90"), text, detail={"size": "98 GiB"})
    for host in ("web-1", "web-2"):
        yield record("service.active", "nginx", host=host, summary="nginx is active since 12 days", value=1.0)
        text = "{:g} errors in the last 24 h"
        yield measured("log.errors", "wordpress", host, 2, "errors", ("10", "50"), text)
    yield record("service.active", "mysql", host="db-1", summary="mysql is active since 12 days", value=1.0)
    yield record("mysql.reachable", "main", host="db-1", summary="main answers as MariaDB 10.11.6", value=1.0)
    yield record("mysql.tables", "main", host="db-1", summary="all 14 tables exist", value=1.0)
    for site, days in (("www.example.org:443", 61), ("api.example.org:443", 44)):
        yield measured("certificate.expiry", site, "localhost", days, "days", ("30..", "7.."), "expires in {:g} days")
    for page, seconds in (("start page", 0.31), ("dashboard", 0.84)):
        yield record("http.status", page, host="localhost", summary=f"{page} answers 200", value=1.0)
        text = f"{page} takes {{:g}} s at the 95th percentile"
        yield measured("http.latency", page, "localhost", seconds, "s", ("2", "5"), text)
    yield measured("backup.age", "wordpress_db", "db-1", 2.4, "h", ("26", "50"), "the newest backup is {:g} h old")
    text = "restored into a throwaway engine 3 days ago: 14 tables, 182 044 rows"
    yield record("backup.restored", "wordpress_db", host="db-1", summary=text, value=1.0)
    yield measured("run.budget", "morning", "localhost", 42, "s", ("600", ""), "took {:g} s of 600 s")
    yield record("run.notification", "operations", host="localhost", summary="operations was told about 6 findings")
    yield measured("cron.overdue", "wordpress", "web-1", 0, "events", ("0", "5"), "{:g} of 31 events are overdue")


def _trouble() -> t.Iterator[Record]:
    journal = [
        "04:41:07 nginx[812]: bind() to 0.0.0.0:443 was refused: Address already in use",
        "04:41:07 systemd[1]: nginx.service: Main process exited, code=exited, status=1/FAILURE",
        "04:41:07 systemd[1]: nginx.service: Start request repeated too quickly.",
    ]
    yield record(
        "service.active",
        "nginx",
        "critical",
        "nginx is inactive since 19 minutes",
        host="web-2",
        value=0.0,
        change="new",
        previous="ok",
        detail={"state": "dead (exited)", "restarts": 5, "journal": journal},
    )
    yield measured(
        "mount.space",
        "/var",
        "db-1",
        93.0,
        "%",
        ("80", "90"),
        "{:g} % of /var is used, 6.9 GiB are free",
        status="critical",
        change="worse",
        previous="warning",
        detail={
            "device": "/dev/vda3",
            "size": "98 GiB",
            "largest": ["41 GiB /var/lib/mysql", "22 GiB /var/lib/mysql/binlog", "9.1 GiB /var/log"],
        },
    )
    yield record(
        "mysql.tables",
        "main",
        "unknown",
        "the user sre_check may not read information_schema",
        host="db-1",
        change="new",
    )
    yield record(
        "backup.restored",
        "wordpress_db",
        "unknown",
        "not measured in this run; it was ok on 20 Nov 2025",
        host="db-1",
        change="missing",
        previous="ok",
    )
    yield measured(
        "certificate.expiry",
        "www.example.org:443",
        "localhost",
        12,
        "days",
        ("30..", "7.."),
        "expires in {:g} days",
        status="warning",
        change="still",
        previous="warning",
        detail={"subject": "CN=www.example.org", "issuer": "CN=R11, O=Let's Encrypt", "not_after": "2025-12-03"},
    )
    waiver = {"reason": "the archive moves to the new volume", "owner": "DBA", "until": "2025-12-05"}
    yield measured(
        "mount.space",
        "/archive",
        "db-1",
        97,
        "%",
        ("80", "90"),
        "{:g} % of /archive is used",
        status="critical",
        change="still",
        previous="critical",
        waiver=waiver,
    )
    yield measured(
        "log.errors",
        "wordpress",
        "web-1",
        3,
        "errors",
        ("10", "50"),
        "{:g} errors in the last 24 h",
        change="recovered",
    )
    yield record("run.host", "web-3", "critical", "no route to host", host="web-3", change="new")
    yield measured("queue.depth", "mail", "web-1", 14, "jobs", ("100", "1000"), "{:g} jobs wait in mail")
    text = "the check is off: no ad platform is configured"
    yield record("cron.overdue", "wordpress", "skipped", text, host="web-2")
