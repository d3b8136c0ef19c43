# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whom to tell about what: the variable ``sre_notify``, read."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import logging
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import STATUSES, BadOption
from ansible_collections.sre.runbooks.plugins.plugin_utils._compare import TOLD
from ansible_collections.sre.runbooks.plugins.plugin_utils._runbook import SECONDS, seconds

URGENT = tuple(status for status in STATUSES if STATUSES.index(status) >= STATUSES.index("warning"))
KEYS = ("name", "urls", "on", "minimum", "repeat")


@dataclasses.dataclass(frozen=True)
class Notifier:
    """Whom to tell, and about what.

    ``urls`` are secrets and shown nowhere; ``on`` are the changes that matter here; ``minimum`` is the least urgent
    status that does; ``repeat`` says after how many hours what is still critical is told again, None for never.
    """

    name: str
    urls: tuple[str, ...] = dataclasses.field(repr=False)
    on: tuple[str, ...] = TOLD
    minimum: str = "warning"
    repeat: float | None = None


def read(given: t.Any) -> list[Notifier]:
    """The notifiers. Raises :class:`BadOption`, which names entry and key, and never a URL."""
    if not isinstance(given, list):
        raise BadOption("sre_notify: is not a list of notifiers")
    notifiers: list[Notifier] = []
    for position, entry in enumerate(given):
        where = f"sre_notify[{position}]"
        notifier = _read(entry, where)
        if any(notifier.name == other.name for other in notifiers):
            raise BadOption(f"{where}.name: two notifiers are called {notifier.name}")
        notifiers.append(notifier)
    return notifiers


def _read(entry: t.Any, where: str) -> Notifier:
    if not isinstance(entry, dict):
        raise BadOption(f"{where}: is not a dictionary with {', '.join(KEYS)}")
    for name in entry:
        if name not in KEYS:
            close = difflib.get_close_matches(str(name), KEYS, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(KEYS)}"
            raise BadOption(f"{where}: unknown key {name}{hint}")
    if not isinstance(entry.get("name"), str) or not entry["name"].strip():
        raise BadOption(
            f"{where}.name: is missing; give the notifier a name, which the report shows in place of its URLs"
        )
    minimum = entry.get("minimum", "warning")
    if minimum not in URGENT:
        raise BadOption(f"{where}.minimum: {minimum!r} is none of {', '.join(URGENT)}")
    return Notifier(
        entry["name"].strip(),
        _urls(entry.get("urls"), f"{where}.urls"),
        _on(entry.get("on", list(TOLD)), f"{where}.on"),
        minimum,
        _repeat(entry.get("repeat"), f"{where}.repeat"),
    )


def _urls(given: t.Any, where: str) -> tuple[str, ...]:
    urls = [given] if isinstance(given, str) else given
    if not isinstance(urls, list) or not urls:
        raise BadOption(f"{where}: is missing; give at least one Apprise URL")
    for position, url in enumerate(urls):
        scheme = re.match(r"\s*([A-Za-z0-9.+-]+)://", url) if isinstance(url, str) else None
        if not scheme:
            raise BadOption(f"{where}[{position}]: is no URL; write scheme://… as Apprise has it")
        if not _understood(url):
            raise BadOption(f"{where}[{position}]: Apprise understands no such {scheme[1]}:// URL; check its parts")
    return tuple(urls)


def _understood(url: str) -> bool:
    return bool(service(url))


def service(url: str) -> t.Any:
    """The service behind a URL, or None. A service must not wait longer than the delivery, nor in threads of its own."""
    apprise = library()
    asset = apprise.AppriseAsset(app_id="sre.runbooks", app_desc="sre.runbooks", service_timeout=0, async_mode=False)
    return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


@functools.cache
def library() -> t.Any:
    """Apprise, kept from writing URLs to the terminal."""
    try:
        import apprise
    except ImportError:
        raise BadOption("sre_notify: the Python library apprise is not installed on the controller") from None
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return apprise


def _on(given: t.Any, where: str) -> tuple[str, ...]:
    changes = [given] if isinstance(given, str) else given
    if not isinstance(changes, list) or not changes:
        raise BadOption(f"{where}: is not a list of {', '.join(TOLD)}")
    for change in changes:
        if change not in TOLD:
            raise BadOption(f"{where}: {change!r} is none of {', '.join(TOLD)}")
    return tuple(changes)


def _repeat(given: t.Any, where: str) -> float | None:
    if given is None or given == "never":
        return None
    units = "".join(SECONDS)
    if not re.fullmatch(rf"(\d+[{units}])+", str(given)) or not seconds(str(given)):
        raise BadOption(f"{where}: {given!r} is no duration; write 4h, 30m or never")
    return seconds(str(given)) / 3600
