# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who tried to log in, by the logs of sshd, PAM, sudo and su, and by the access log of WordPress.

A log is told by others: user names are chosen by whoever knocks, so that they are matched from both ends of a line, and
shown only when they are no mistyped password.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import re
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._log.formats import FORMATS
from ansible_collections.sre.runbooks.plugins.module_utils._log.tally import Question, Tally, readable
from ansible_collections.sre.runbooks.plugins.module_utils._log.times import Clock, zone_of
from ansible_collections.sre.runbooks.plugins.module_utils._probe import journal, logfile
from ansible_collections.sre.runbooks.plugins.module_utils._words import span

AUTH_LOGS = ("/var/log/auth.log", "/var/log/secure")
JOURNAL: dict[str, t.Any] = {"facility": "auth,authpriv"}
DAY = 86400.0
LOCAL = "this host"

_SYSLOG_HINT = re.compile(
    rb"Failed |Accepted |error: PAM: |authentication failure;|incorrect password attempt|NOT in sudoers|command not allowed"
    rb"|Authentication (?:failure|attempt)"
)
_MESSAGE = re.compile(
    rb"(?P<program>[^\s:\[]+)(?:\[\d+\])?:\s+(?:message repeated (?P<times>\d{1,6}) times: \[ )?(?P<text>.*?)\]?\s*"
)
_SSHD = re.compile(rb"sshd(?:-[a-z]+)?")
_FAILED = re.compile(
    rb"Failed (?P<method>\S+) for (?P<invalid>invalid user )?(?P<user>.*) from (?P<source>\S+) port \d+(?: ssh2?)?.*"
)
_FAILED_PAM = re.compile(rb"error: PAM: .* for (?P<invalid>illegal user )?(?P<user>.*) from (?P<source>\S+)")
_ACCEPTED = re.compile(rb"Accepted (?P<method>\S+) for (?P<user>.*) from (?P<source>\S+) port \d+(?: ssh2?)?(?:: .*)?")
_PAM = re.compile(rb"pam_\w+\((?P<service>[^:)]+):auth\): authentication failure;(?P<rest>.*)")
_PAM_FIELD = re.compile(rb"\b(rhost|ruser|user)=(\S*)")
_SUDO = re.compile(
    rb"(?P<user>\S+) : (?:(?P<attempts>\d{1,3}) incorrect password attempts?|user NOT in sudoers|command not allowed) ;.*"
)
_WORDPRESS = re.compile(
    rb"Authentication (?:failure|attempt) for (?P<invalid>unknown user )?(?P<user>.*) from (?P<source>\S+)"
)
_LOGIN = re.compile(rb"\"POST [^\"\s]*/wp-login\.php(?P<query>\?[^\"\s]*)? ")
_OTHER_ACTION = re.compile(rb"[?&]action=(?!login\b)")
_ADDRESS = re.compile(
    rb"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*)(?![\w.])"
)


@dataclasses.dataclass(frozen=True)
class Breach:
    """A login with a password that succeeded after so many had failed from the same source. ``at`` is an epoch."""

    source: str
    user: str
    failures: int
    at: float


@dataclasses.dataclass
class Logins:
    """What happened between ``since`` and ``until`` (epochs). ``begins`` is where the log begins, None when not known."""

    since: float
    until: float
    read: str = ""
    begins: float | None = None
    sources: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """Source → logins that failed."""
    users: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """User that exists, as far as the log tells → logins that failed."""
    invalid: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """User that does not exist → logins that failed."""
    successes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """``user from source`` → logins."""
    breaches: list[Breach] = dataclasses.field(default_factory=list)
    denied: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """User → refusals by sudo and su."""
    _run: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    _asked: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    @property
    def failures(self) -> int:
        return sum(self.sources.values())

    @property
    def covered(self) -> bool:
        """Whether the log goes back to the beginning of the window."""
        return self.begins is not None and self.begins <= self.since

    def failed(self, source: str, user: str, *, invalid: bool = False, times: int = 1) -> None:
        self.sources[source] += times
        self._run[source] += times
        (self.invalid if invalid else self.users)[user] += times

    def succeeded(self, source: str, user: str, when: float, *, guessable: bool = True) -> None:
        """A login with a password ends a run of failures. One with a key says nothing about guessing."""
        self.successes[f"{user} from {source}"] += 1
        if guessable and self._run[source]:
            self.breaches.append(Breach(source, user, self._run[source], when))
            self._run[source] = 0

    def refused(self, user: str, times: int = 1) -> None:
        self.denied[user] += times

    def mistyped(self, user: str, times: int) -> None:
        """PAM tells the first wrong password of a call of sudo; sudo tells them all, once it gives up (a negative number)."""
        self._asked[user] += times

    def settle(self) -> None:
        """Count the wrong passwords of which only PAM told, because the next one was right."""
        for user, times in self._asked.items():
            if times > 0:
                self.refused(user, times)
        self._asked.clear()


class _Events(Tally):
    """Reads single records where a tally counts them. ``hint`` finds the lines that may tell something."""

    def __init__(
        self,
        form: str,
        hint: t.Pattern[bytes],
        tell: t.Callable[[t.Match[bytes], float], None],
        clock: Clock,
        start: float,
    ) -> None:
        super().__init__(Question(), FORMATS[form], clock, start)
        self._hint, self._tell = hint, tell

    def take(self, block: bytes, end: int, *, dated: bool = False, seen: int = 0, counted: bool = False) -> None:
        line = -1
        for found in self._hint.finditer(block, 0, end):
            begin = block.rfind(b"\n", 0, found.start()) + 1
            if begin == line:
                continue
            line = begin
            header = self.form.header.match(block, line)
            stamp = self.form.stamp(header) if header else None
            when = self.clock.read(stamp) if stamp else None
            if header and when is not None and when >= self.start:
                self._tell(header, when)


def of_host(path: str | None, window: float, timezone: str | None, timeout: float) -> Logins:
    """The logins to this host in the last ``window`` seconds, by the log at ``path`` or by the one that the host keeps.

    Raises :class:`Unmeasurable`, also for a log to which nobody has written for longer than the window.
    """
    deadline, now = time.monotonic() + 0.9 * timeout, time.time()
    logins = Logins(now - window, now)
    clock = Clock(zone_of(timezone), now)
    events = _Events("syslog", _SYSLOG_HINT, _syslog_teller(logins), clock, logins.since)
    _read(logins, events, path, deadline) if path else _read_what_there_is(logins, events, deadline)
    logins.settle()
    return logins


def of_wordpress(path: str, window: float, timezone: str | None, timeout: float) -> Logins:
    """The logins to WordPress by the access log of its web server: a form that comes back (200) was refused."""
    deadline, now = time.monotonic() + 0.9 * timeout, time.time()
    logins = Logins(now - window, now)
    events = _Events("access", _LOGIN, _access_teller(logins), Clock(zone_of(timezone), now), logins.since)
    _read(logins, events, path, deadline)
    return logins


def _read(logins: Logins, events: _Events, path: str, deadline: float) -> None:
    log = logfile.Log(path, deadline=deadline)
    newest = log.newest(events.form, events.clock)
    if newest is None:
        raise Unmeasurable(f"{path} is empty, and so is what rotation made of it: nobody can tell who logged in")
    silent = logins.until - newest
    if silent > max(DAY, logins.until - logins.since):
        raise Unmeasurable(f"nothing was written to {path} for {span(silent)}: whatever writes it does so no more")
    coverage, _places = log.read_window(events, logins.since)
    logins.read, logins.begins = path, coverage.begins
    if coverage.complete:
        logins.begins = min(coverage.begins or logins.since, logins.since)


def _read_what_there_is(logins: Logins, events: _Events, deadline: float) -> None:
    """The journal where it goes back far enough, else a file to which something is being written, else the journal."""
    reasons: list[str] = []
    source = journal.Journal(JOURNAL, deadline)
    begins: float | None = None
    try:
        source.newest()
        begins = source.begins()
    except Unmeasurable as exc:
        reasons.append(str(exc))
    if begins is None or begins > logins.since:
        for path in AUTH_LOGS:
            if not os.path.exists(path):
                reasons.append(f"{path} does not exist")
                continue
            try:
                _read(logins, events, path, deadline)
                return
            except Unmeasurable as exc:
                reasons.append(str(exc))
    if begins is None:
        raise Unmeasurable("there is no log of logins: " + "; ".join(reasons))
    source.read(events, since=logins.since)
    logins.read, logins.begins = "the journal", begins


def _syslog_teller(logins: Logins) -> t.Callable[[t.Match[bytes], float], None]:
    def tell(header: t.Match[bytes], when: float) -> None:
        found = _MESSAGE.fullmatch(header.group("message"))
        if not found:
            return
        program, text, times = found.group("program"), found.group("text"), int(found.group("times") or 1)
        if _SSHD.fullmatch(program):
            _tell_sshd(logins, text, times, when)
        elif program.startswith(b"wordpress"):
            told = _WORDPRESS.fullmatch(text)
            if told:
                logins.failed(
                    _text(told, "source"), _text(told, "user"), invalid=bool(told.group("invalid")), times=times
                )
        else:
            _tell_pam(logins, program, text, times)

    return tell


def _tell_sshd(logins: Logins, text: bytes, times: int, when: float) -> None:
    """PAM says the same once more for each password, and is left out; so are keys that do not fit, of which users have many."""
    failed = _FAILED.fullmatch(text) or _FAILED_PAM.fullmatch(text)
    if failed:
        method = failed.groupdict().get("method", b"pam")
        told_by_pam = method.startswith(b"keyboard-interactive")
        if not told_by_pam and (method not in (b"publickey", b"none") or failed.group("invalid")):
            logins.failed(
                _text(failed, "source"), _text(failed, "user"), invalid=bool(failed.group("invalid")), times=times
            )
        return
    accepted = _ACCEPTED.fullmatch(text)
    if accepted:
        guessable = accepted.group("method").startswith((b"password", b"keyboard-interactive"))
        logins.succeeded(_text(accepted, "source"), _text(accepted, "user"), when, guessable=guessable)


def _tell_pam(logins: Logins, program: bytes, text: bytes, times: int) -> None:
    told = _PAM.fullmatch(text)
    if told:
        fields = {
            key: value.decode("utf-8", "backslashreplace") for key, value in _PAM_FIELD.findall(told.group("rest"))
        }
        user = fields.get(b"user") or "?"
        if told.group("service") == b"sudo":
            logins.mistyped(fields.get(b"ruser") or user, 1)
        elif told.group("service") in (b"su", b"su-l"):
            logins.refused(fields.get(b"ruser") or user, times)
        else:
            logins.failed(fields.get(b"rhost") or LOCAL, user, invalid=b"user" not in fields, times=times)
        return
    refused = _SUDO.fullmatch(text) if program == b"sudo" else None
    if refused:
        user = _text(refused, "user")
        attempts = refused.group("attempts")
        logins.refused(user, int(attempts) if attempts else 1)
        if attempts:
            logins.mistyped(user, -1)


def _access_teller(logins: Logins) -> t.Callable[[t.Match[bytes], float], None]:
    def tell(header: t.Match[bytes], when: float) -> None:
        request = _LOGIN.search(header.group())
        if not request or _OTHER_ACTION.search(request.group("query") or b""):
            return
        address = _ADDRESS.search(header.group(), 0, header.start("time") - header.start())
        source = address.group().decode() if address else "?"
        status = header.group("status")
        if status == b"200":
            logins.failed(source, "?")
        elif status in (b"302", b"303"):
            logins.succeeded(source, "somebody", when)

    return tell


def _text(found: t.Match[bytes], group: str) -> str:
    return readable(found.group(group))[:100]
