# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""See to it that a message arrives, within a time limit, and say when it did not. A URL is a secret and never shown."""

from __future__ import annotations

import dataclasses
import queue
import re
import threading
import time
import typing as t
import urllib.parse

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Check, worst
from ansible_collections.sre.runbooks.plugins.plugin_utils._notify.message import Message, chosen, text
from ansible_collections.sre.runbooks.plugins.plugin_utils._notify.settings import Notifier, library, service
from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Record
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import _words as words
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report

SECONDS = 30.0
"""For all notifiers together, which are served side by side."""

SECRET = 4
"""Parts of a URL from this length on are taken out of what a service says."""


@dataclasses.dataclass(frozen=True)
class _Parcel:
    """One message on its way to one URL."""

    notifier: Notifier
    number: int
    message: Message


def deliver(notifiers: t.Iterable[Notifier], report: Report, *, seconds: float = SECONDS) -> list[Check]:
    """Tell everybody who is to be told. One check ``run.notification`` for each notifier that had something to say.

    In check mode nobody is told: the check is skipped and shows the text. A message that arrived
    nowhere is as bad as what it was to tell.
    """
    to_tell = {notifier: chosen(notifier, report) for notifier in notifiers}
    messages = {notifier: text(report, records) for notifier, records in to_tell.items() if records}
    if report.run.get("check_mode"):
        return [_rehearsed(notifier, message) for notifier, message in messages.items()]
    parcels = [_Parcel(who, number, message) for who, message in messages.items() for number in range(len(who.urls))]
    troubles = _send_all(parcels, seconds)
    return [_outcome(notifier, to_tell[notifier], messages[notifier], troubles) for notifier in messages]


def _rehearsed(notifier: Notifier, message: Message) -> Check:
    said = f"check mode: {notifier.name} would be told: {message.title}"
    return Check.skipped("run.notification", notifier.name, said, text=message.plain)


def _outcome(
    notifier: Notifier, records: t.Sequence[Record], message: Message, troubles: dict[tuple[str, int], str]
) -> Check:
    failed = [trouble for (name, _number), trouble in sorted(troubles.items()) if name == notifier.name]
    told = words.plural(len(records), "finding")
    if not failed:
        return Check("run.notification", notifier.name, "ok", f"{notifier.name} was told about {told}")
    nobody = len(failed) == len(notifier.urls)
    status = worst(["warning", *(record["status"] for record in records)]) if nobody else "warning"
    part = "" if nobody else f" at {len(failed)} of {len(notifier.urls)} addresses"
    summary = f"{notifier.name} was not told about {told}{part}: {failed[0]}"
    return Check("run.notification", notifier.name, status, summary, detail={"reasons": failed, "text": message.plain})


def _send_all(parcels: t.Sequence[_Parcel], seconds: float) -> dict[tuple[str, int], str]:
    """Send side by side; what went wrong, by notifier and position of the URL.

    Daemon threads of our own: one that hangs is left behind and does not hold up the end of the playbook.
    """
    arrived: queue.SimpleQueue[tuple[_Parcel, str]] = queue.SimpleQueue()
    for parcel in parcels:
        threading.Thread(target=lambda parcel=parcel: arrived.put((parcel, _send(parcel))), daemon=True).start()
    end = time.monotonic() + seconds
    troubles = {(parcel.notifier.name, parcel.number): f"no answer within {seconds:g} s" for parcel in parcels}
    for _parcel in parcels:
        try:
            parcel, trouble = arrived.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        troubles[parcel.notifier.name, parcel.number] = trouble
    return {place: trouble for place, trouble in troubles.items() if trouble}


def _send(parcel: _Parcel) -> str:
    """Send to one URL; why it did not arrive, or nothing."""
    url, message = parcel.notifier.urls[parcel.number], parcel.message
    try:
        target = service(url)
        if target is None:
            return "Apprise does not understand the URL any more"
        apprise = library()
        marked = target.resolve_format(None) != apprise.NotifyFormat.TEXT
        sender = apprise.Apprise(asset=target.asset)
        sender.add(target)
        result = sender.notify(
            title=message.title,
            body=message.markdown if marked else message.plain,
            body_format=apprise.NotifyFormat.MARKDOWN if marked else apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
        )
        if result:
            return ""
        reasons = [entry.message for entry in result.logs()] or ["the service did not take the message"]
        return redact(words.shorten(words.one_line(f"{target.service_name}: {reasons[-1]}"), 300), url)
    except BadOption as exc:
        return str(exc)
    except Exception as exc:  # noqa: BLE001 - whatever a service's library does, the run goes on and says it
        return redact(f"{type(exc).__name__}: {words.shorten(words.one_line(exc), 200)}", url)


def redact(said: str, url: str) -> str:
    """What a service said, without the parts of its URL other than scheme and host."""
    scheme, _colon, rest = url.partition("://")
    host = urllib.parse.urlsplit(f"x://{rest}").hostname or ""
    parts = {urllib.parse.unquote(part) for part in re.split(r"[/?&=:@#,;]+", rest)} | set(
        re.split(r"[/?&=:@#,;]+", rest)
    )
    for part in sorted(parts - {scheme, host, host.upper()}, key=len, reverse=True):
        if len(part) >= SECRET:
            said = said.replace(part, "***")
    return said.replace(url, "***")
