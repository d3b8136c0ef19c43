# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Web addresses that have to answer, as they should and soon enough.

To be reachable is the promise here: a refused connection, a time-out, a name that does not exist, an answer that breaks
off and a status that is not expected are critical. Unknown is what says that we cannot look: a refused login, the
resolver or the proxy of this host, a route that this host does not have.
"""

from __future__ import annotations

import fnmatch
import math
import statistics
import typing as t
import urllib.parse

from ansible_collections.sre.runbooks.plugins.module_utils._check import (
    STATUSES,
    BadOption,
    Check,
    Unmeasurable,
    limits,
)
from ansible_collections.sre.runbooks.plugins.module_utils._probe import http as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe import login_form
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact
from ansible_collections.sre.runbooks.plugins.module_utils._request import OPTIONS, check_request, check_url

CHECKS = {
    "http.status": "The address answers with an expected status.",
    "http.tls": "The certificate on the way is trusted and lasts.",
    "http.redirect": "The address leads where it should.",
    "http.content_type": "The answer is of the expected kind.",
    "http.content": "The answer holds what it should, and nothing that it should not.",
    "http.size": "The answer is neither empty nor of an odd size.",
    "http.latency": "The answer comes soon enough.",
}
PHP_ERRORS = ["<b>Fatal error</b>:", "<b>Parse error</b>:", "<b>Warning</b>:", "<b>Deprecated</b>:"]
"""What PHP writes into a page when it shows its errors to visitors; a page that writes about PHP escapes the tags."""

TARGET: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "connect_to": {"type": "str"},
    "method": {"type": "str", "default": "GET", "choices": ["GET", "HEAD", "OPTIONS", "POST", "PUT"]},
    "body": {"type": "str", "no_log": True},
}
TUNING: dict[str, t.Any] = {
    "status": {"type": "list", "elements": "int", "default": [200]},
    "final_url": {"type": "str"},
    "content_type": {"type": "str"},
    "contains": {"type": "list", "elements": "str", "default": []},
    "lacks": {"type": "list", "elements": "str", "default": PHP_ERRORS},
    "tls": limits(10, 3, unit="days", worse="lower"),
    "size": limits(critical="1..", unit="bytes", worse="lower", possible=(0, math.inf)),
    "latency": limits(2000, 5000, unit="ms", possible=(0, math.inf)),
    "samples": {"type": "int", "default": 3},
    **OPTIONS,
}
WITHOUT_BODY = (204, 205, 304, *probe.REDIRECTS)


def name(target: t.Mapping[str, t.Any]) -> str:
    return redact(target["url"])


def validate(target: dict[str, t.Any]) -> None:
    check_url(target["url"])
    check_request(target)
    if not 1 <= target["samples"] <= 20:
        raise BadOption("samples: give 1 to 20")
    if not target["status"]:
        raise BadOption("status: an empty list expects no answer at all")


def measure(target: dict[str, t.Any]) -> t.Iterator[Check]:
    visit = probe.visit(target)
    good = [answer for answer in visit.answers if answer.status in target["status"]]
    yield _status(target, visit)
    yield _tls(target, visit)
    if not good:
        for check_id in list(CHECKS)[2:]:
            yield Check.skipped(
                check_id,
                target["name"],
                "not measured, there is no good answer, see http.status",
                blocked_by="http.status",
            )
        return
    yield _redirect(target, good, visit.clean)
    yield _content_type(target, good)
    if not all(answer.complete for answer in good):
        raise Unmeasurable(
            f"the answer is longer than {probe.BODY_LIMIT // 1024**2} MiB, too much to look at; "
            "with method HEAD a download can be checked without its content"
        )
    yield _content(target, good, visit.clean)
    yield _size(target, good)
    yield _latency(target, good)


def _status(target: dict[str, t.Any], visit: probe.Visit) -> Check:
    wanted, answers = target["status"], visit.answers
    evidence: dict[str, t.Any] = {
        "statuses": [answer.status for answer in answers],
        "retried": [reason for answer in answers for reason in answer.retried][:10],
    }
    if answers:
        evidence.update(peer=answers[-1].peer, redirects=[visit.clean(hop)[:300] for hop in answers[-1].hops])
    refused = next(
        (answer for answer in answers if answer.status in (401, 403, 407) and answer.status not in wanted), None
    )
    if refused and (target["username"] is not None or target["secret_headers"] or target["login"]):
        raise Unmeasurable(f"our credentials are refused: status {_said(refused)}")
    bad = [answer for answer in answers if answer.status not in wanted]
    if bad:
        share = f" to {len(bad)} of {len(answers)} requests" if len(bad) < len(answers) else ""
        summary = f"answers with status {_said(bad[0])}{share}, expected is {_either(wanted)}"
        evidence["begins"] = visit.clean(" ".join(bad[0].text.split()))[:300]
    elif visit.broken_off:
        summary = f"{visit.broken_off} (request {len(answers) + 1})" if answers else str(visit.broken_off)
    else:
        again = f", after {len(evidence['retried'])} retries" if evidence["retried"] else ""
        summary = f"answers with status {_said(answers[-1])}{again}"
    return Check.expect("http.status", target["name"], not bad and not visit.broken_off, summary, **evidence)


def _said(answer: probe.Answer) -> str:
    return f"{answer.status} {answer.reason[:40]}".strip()


def _either(statuses: t.Sequence[int]) -> str:
    return " or ".join(map(str, statuses))


def _tls(target: dict[str, t.Any], visit: probe.Visit) -> Check:
    """The certificates of all hosts on the way, redirects included: the one that ends first is judged."""
    if isinstance(visit.broken_off, probe.Untrusted):
        return Check.expect("http.tls", target["name"], False, str(visit.broken_off))
    certificates = [certificate for answer in visit.answers for certificate in answer.certificates]
    if not certificates:
        if not visit.answers:
            reason = "not measured, there is no answer, see http.status"
            return Check.skipped("http.tls", target["name"], reason, blocked_by="http.status")
        reason = "not encrypted" if target["validate_certs"] else "not asked for: validate_certs is off"
        return Check.skipped("http.tls", target["name"], reason)
    first = min(certificates, key=lambda certificate: certificate.days)
    return Check.judge(
        "http.tls",
        target["name"],
        round(first.days, 2),
        target["tls"],
        f"the certificate of {first.host} is trusted and valid for another {first.days:.1f} days",
        days={certificate.host: round(certificate.days, 1) for certificate in certificates},
    )


def _redirect(target: dict[str, t.Any], good: list[probe.Answer], clean: t.Callable[[str], str]) -> Check:
    verdicts = [_arrival(target, answer, clean) for answer in good]
    return max(verdicts, key=lambda check: STATUSES.index(check.status))


def _arrival(target: dict[str, t.Any], answer: probe.Answer, clean: t.Callable[[str], str]) -> Check:
    end = answer.location or answer.url
    evidence = {"final_url": clean(end)[:300], "redirects": [clean(hop)[:300] for hop in answer.hops]}
    shown = f"leads to {evidence['final_url']}" if answer.hops or answer.location else "answers without a redirect"
    wanted = target["final_url"]
    if wanted is not None and not fnmatch.fnmatchcase(end, wanted):
        return _arrived(target, False, f"{shown}, expected is {redact(wanted)}", evidence)
    if wanted is None and _is_login(target, answer):
        return _arrived(target, False, f"{shown}, which is a login page", evidence)
    steps = [hop.partition(" ")[2] for hop in answer.hops] + [end]
    for before, after in zip(steps, steps[1:]):
        if before.startswith("https:") and not after.startswith("https:") and wanted is None:
            shown += ", which is no longer encrypted"
            return Check.expect("http.redirect", target["name"], False, shown, otherwise="warning", **evidence)
    return _arrived(target, True, shown, evidence)


def _arrived(target: dict[str, t.Any], fine: bool, summary: str, evidence: dict[str, t.Any]) -> Check:
    return Check.expect("http.redirect", target["name"], fine, summary, **evidence)


def _is_login(target: dict[str, t.Any], answer: probe.Answer) -> bool:
    """A password field where none was asked for: behind a redirect, or after we have logged in."""
    moved = urllib.parse.urlsplit(answer.url).path != urllib.parse.urlsplit(target["url"]).path
    return bool((moved or target["login"]) and login_form.find(answer.text).password)


def _content_type(target: dict[str, t.Any], good: list[probe.Answer]) -> Check:
    wanted = target["content_type"]
    if wanted is None:
        return Check.skipped("http.content_type", target["name"], "not asked for: content_type is not set")
    odd = next((answer for answer in good if not fnmatch.fnmatchcase(answer.media_type, wanted.lower())), None)
    found = (odd or good[-1]).media_type[:100]
    summary = f"is {found}" if found else "does not say what it is"
    return Check.expect(
        "http.content_type", target["name"], not odd, summary + (f", expected is {wanted}" if odd else "")
    )


def _content(target: dict[str, t.Any], good: list[probe.Answer], clean: t.Callable[[str], str]) -> Check:
    contains, lacks = target["contains"], target["lacks"]
    if (not contains and not lacks) or target["method"] == "HEAD":
        why = "a HEAD request has no content" if target["method"] == "HEAD" else "neither contains nor lacks is set"
        return Check.skipped("http.content", target["name"], f"not asked for: {why}")
    pages = [answer.text for answer in good]
    missing = [text for text in contains if not all(text in page for page in pages)]
    unwanted = [text for text in lacks if any(text in page for page in pages)]
    parts = [f"{len(missing)} of {len(contains)} required texts are missing: {_quoted(missing)}"] if missing else []
    parts += [f"holds what it should not: {_quoted(unwanted)}"] if unwanted else []
    fine = f"holds all of {len(contains)} required texts" if contains else "holds nothing that it should not"
    return Check.expect(
        "http.content",
        target["name"],
        not parts,
        clean("; ".join(parts) or fine)[:500],
        missing=[clean(text)[:300] for text in missing[:10]],
        unwanted=[clean(_around(text, pages)) for text in unwanted[:10]],
        **({"begins": clean(" ".join(pages[0].split()))[:300]} if missing else {}),
    )


def _quoted(texts: list[str]) -> str:
    return ", ".join(f"'{text[:80]}'" for text in texts[:3]) + (" …" if len(texts) > 3 else "")


def _around(text: str, pages: list[str]) -> str:
    """The line that holds an unwanted text: mostly it says what went wrong."""
    page = next(page for page in pages if text in page)
    start = page.index(text)
    return " ".join(page[max(0, start - 60) : start + 240].split())


def _size(target: dict[str, t.Any], good: list[probe.Answer]) -> Check:
    if target["method"] == "HEAD" or all(answer.status in WITHOUT_BODY for answer in good):
        return Check.skipped("http.size", target["name"], "an answer of this kind has no content")
    verdicts = [
        Check.judge(
            "http.size", target["name"], size, target["size"], f"{size:,} bytes" if size else "the answer is empty"
        )
        for size in [len(answer.body) for answer in good]
    ]
    return max(verdicts, key=lambda check: STATUSES.index(check.status))


def _latency(target: dict[str, t.Any], good: list[probe.Answer]) -> Check:
    """The 95th percentile by nearest rank: of fewer than 20 requests, the slowest."""
    times = sorted(1000 * answer.seconds for answer in good)
    p50, p95 = statistics.median(times), times[math.ceil(0.95 * len(times)) - 1]
    counted = f"95 % of {len(times)} requests" if len(times) >= 20 else f"the slowest of {len(times)} requests"
    if len(times) == 1:
        counted = "the one request"
    return Check.judge(
        "http.latency",
        target["name"],
        round(p95, 1),
        target["latency"],
        f"{counted} took {p95:,.0f} ms, the median {p50:,.0f} ms"
        if len(times) > 1
        else f"{counted} took {p95:,.0f} ms",
        p50_ms=round(p50, 1),
        p95_ms=round(p95, 1),
        max_ms=round(times[-1], 1),
        requests=len(times),
        asked=target["samples"],
    )
