# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The formats of logs: how a record begins, when it was written, how urgent it is.

A record is its first line, which the format recognises, and all lines up to the next first line: a stack trace belongs to
what it traces.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._log.times import BSD, CLF, CTIME, ISO, PHP

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""From least to most urgent, the names of syslog."""

_RANK = {level: rank for rank, level in enumerate(LEVELS)}
_ALIASES = {
    **{level: level for level in LEVELS},
    "trace": "debug",
    "information": "info",
    "log": "info",
    "warn": "warning",
    "err": "error",
    "severe": "error",
    "crit": "critical",
    "fatal": "critical",
    "panic": "emergency",
    "emerg": "emergency",
    "deprecated": "notice",
}
_NUMBERED = {10: "debug", 20: "debug", 30: "info", 40: "warning", 50: "error", 60: "critical"}  # pino, bunyan
_MONOLOG = {100: "debug", 200: "info", 250: "notice", 300: "warning", 400: "error", 500: "critical", 550: "alert"}

Header = t.Match[bytes]


@dataclasses.dataclass(frozen=True)
class Words:
    """Lower-case words of which a record has one, in whatever case. A ``<priority>`` in front of a line goes before."""

    words: tuple[bytes, ...]
    priority: bool = False


Hint = t.Union[t.Tuple[bytes, ...], Words, None]


@dataclasses.dataclass(frozen=True)
class Format:
    """How to read one kind of log.

    ``header`` matches a record's first line from its start. ``level`` tells its urgency, or None where it tells none.
    ``hint`` gives, for a level, literals or words of which every record of that level or worse holds one in its first
    line: what is scanned for; None when each record has to be looked at. ``starts`` are literals that begin a record and
    no continuation, for counting; empty when every line is a record. ``dated`` is False when there is no time stamp.
    """

    name: str
    header: t.Pattern[bytes]
    level: t.Callable[[Header], str | None]
    hint: t.Callable[[str], Hint]
    starts: tuple[bytes, ...] = ()
    stamp: t.Callable[[Header], bytes | None] = lambda found: found.group("time")
    message: t.Callable[[Header], bytes] = lambda found: found.group("message")
    dated: bool = True


def at_least(level: str | None, wanted: str) -> bool:
    """Whether a record of this level is wanted. One that tells no level is not."""
    return level is not None and _RANK[level] >= _RANK[wanted]


def worse(wanted: str) -> list[str]:
    """The level and all more urgent ones."""
    return list(LEVELS[_RANK[wanted] :])


def level_named(name: str) -> str | None:
    """The level behind one of the many names of it."""
    return _ALIASES.get(name.lower())


def _named(found: Header) -> str | None:
    told = found.group("level").lower()
    return _LEVEL_BYTES.get(told) or ("debug" if told.startswith(b"trace") else None)


_LEVEL_BYTES = {name.encode(): level for name, level in _ALIASES.items()}
_PLAIN_NAMES = {level: [level] for level in LEVELS}
_SHORT_NAMES = {**_PLAIN_NAMES, "warning": ["warn"], "critical": ["crit"], "emergency": ["emerg"]}


def _literals(template: str, names: t.Mapping[str, list[str]], *, upper: bool = False) -> t.Callable[[str], Hint]:
    """The hint of a format that writes its levels in one fixed way."""

    def hint(wanted: str) -> Hint:
        if wanted == "debug":
            return None
        spelled = [name for level in worse(wanted) for name in names[level]]
        return tuple((template % (name.upper() if upper else name)).encode() for name in spelled)

    return hint


# Where a line has no field for its urgency, its words tell, in the order of these rows.
_WORDS = (
    ("critical", rb"panic|fatal|critical|emergency|segfault|out of memory|oom-kill|uncaught"),
    ("error", rb"errors?|failed|failure|exception|traceback|denied"),
    ("warning", rb"warn(?:ing)?|deprecated"),
)
_WORD_PATTERNS = [(level, re.compile(rb"(?i)\b(?:" + words + rb")\b")) for level, words in _WORDS]


def level_by_words(text: bytes) -> str:
    """The urgency that the words of a message tell; ``info`` when they tell none."""
    return next((level for level, words in _WORD_PATTERNS if words.search(text, 0, 400)), "info")


def _hint_by_words(wanted: str, *, priority: bool = False) -> Hint:
    """The words, shortened where one is the beginning of another."""
    if not at_least(wanted, "warning"):
        return None
    found = [word for level, words in _WORDS if at_least(level, wanted) for word in words.split(b"|")]
    plain = [re.sub(rb"\(.*|.\?", b"", word) for word in found]
    return Words(tuple(sorted(set(plain))), priority) if plain else None


_SEVERITY = tuple(reversed(LEVELS))


def _syslog_level(found: Header) -> str | None:
    priority = found.group("pri")
    return _SEVERITY[int(priority) % 8] if priority else level_by_words(found.group("message"))


def _php_level(found: Header) -> str:
    kind = _PHP_KIND.match(found.group("message"))
    if not kind:
        return "info"
    if kind.group("fatal"):
        return "critical"
    if kind.group("lesser"):
        return "warning" if kind.group("lesser") == b"Warning" else "notice"
    return "error" if kind.group("database") else _LEVEL_BYTES[kind.group("word").lower()]


_PHP_KIND = re.compile(
    rb"PHP (?:(?P<fatal>(?:Fatal|Parse|Core|Compile|Recoverable fatal|Catchable fatal|User) error)|"
    rb"(?P<lesser>(?:Core |Compile |User )?(?:Warning|Notice|Deprecated|Strict Standards)))"
    rb"|(?P<database>WordPress database error)"
    rb"|(?:[^\n]{0,60}?[^\w\n])?(?P<word>EMERGENCY|ALERT|CRITICAL|FATAL|ERROR|WARNING|NOTICE|INFO|DEBUG)\b"
)


def _php_hint(wanted: str) -> Hint:
    """Marks without which a line is not of that level; the header decides."""
    if wanted == "error":
        return (b" error", b"ERROR", b"CRITICAL", b"FATAL", b"ALERT", b"EMERGENCY")
    return (b" error:", b"CRITICAL", b"FATAL", b"ALERT", b"EMERGENCY") if at_least(wanted, "critical") else None


def _status_level(found: Header) -> str:
    return {b"5": "error", b"4": "warning"}.get(found.group("status")[:1], "info")


def _status_hint(wanted: str) -> Hint:
    if wanted == "error":
        return (b'" 5',)
    return (b'" 5', b'" 4') if wanted == "warning" else None


_JSON_TIME = re.compile(
    rb'"(?:@?timestamp|time|ts|datetime|date|asctime|t)"\s*:\s*(?:"([^"]{6,60})"|(\d{9,19}(?:\.\d+)?))'
)
_JSON_LEVEL = re.compile(
    rb'"(?:level_name|levelname|loglevel|log\.level|level|severity|lvl|priority)"\s*:\s*(?:"([A-Za-z]+)"|(\d{1,3})\b)'
)
_JSON_MESSAGE = re.compile(rb'"(?:message|msg|log|event|error|err)"\s*:\s*"((?:[^"\\]|\\.)*)"')


def _json_stamp(found: Header) -> bytes | None:
    time = _JSON_TIME.search(found.group())
    return (time.group(1) or time.group(2)) if time else None


def _json_message(found: Header) -> bytes:
    message = _JSON_MESSAGE.search(found.group())
    return message.group(1) if message else found.group()


def _json_level(found: Header) -> str | None:
    told = _JSON_LEVEL.search(found.group())
    if not told:
        return level_by_words(_json_message(found))
    if told.group(1):
        return _LEVEL_BYTES.get(told.group(1).lower())
    number = int(told.group(2))
    return _SEVERITY[number] if number < 8 else _NUMBERED.get(number) or _MONOLOG.get(number, "emergency")


def _access_message(found: Header) -> bytes:
    """Status, method and path; the query is left out, which has what is asked for, and secrets."""
    method, _, path = found.group("request")[1:-1].partition(b" ")
    return b" ".join((found.group("status"), method, path.partition(b" ")[0].partition(b"?")[0]))


_LINE = re.compile(rb"(?P<message>.*)")

FORMATS = {
    form.name: form
    for form in (
        Format(
            "laravel",
            re.compile(rb"\[(?P<time>" + ISO + rb")\] [\w.-]+\.(?P<level>[A-Z]+): (?P<message>.*)"),
            _named,
            _literals(".%s:", _PLAIN_NAMES, upper=True),
            starts=(b"[1", b"[2"),
        ),
        Format(
            "nginx_error",
            re.compile(
                rb"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>[a-z]+)\] (?:\d+#\d+: )?(?:\*\d+ )?(?P<message>.*)"
            ),
            _named,
            _literals(" [%s] ", _SHORT_NAMES),
            starts=(b"1", b"2"),
        ),
        Format(
            "apache_error",
            re.compile(rb"\[(?P<time>" + CTIME + rb")\] \[(?:[\w.-]*:)?(?P<level>[a-z]+\d?)\] (?P<message>.*)"),
            _named,
            _literals("%s] ", _SHORT_NAMES),
        ),
        Format(
            "access",
            re.compile(
                rb"\S+ .{0,200}?\[(?P<time>" + CLF + rb')\] (?P<request>"(?:[^"\\\n]|\\.)*") (?P<status>\d{3}).*'
            ),
            _status_level,
            _status_hint,
            message=_access_message,
        ),
        Format(
            "php",
            re.compile(rb"\[(?P<time>" + PHP + rb")\] (?P<message>.*)"),
            _php_level,
            _php_hint,
            starts=(b"[0", b"[1", b"[2", b"[3"),
        ),
        Format(
            "syslog",
            re.compile(
                rb"(?:<(?P<pri>\d{1,3})>(?:1 )?)?(?P<time>"
                + BSD
                + rb"|(?=\S{10}T)"
                + ISO
                + rb") [\w.:-]+ (?P<message>[\w(/<-].*)"
            ),
            _syslog_level,
            lambda wanted: _hint_by_words(wanted, priority=True),
        ),
        Format(
            "json", re.compile(rb"\{.*"), _json_level, lambda _wanted: None, stamp=_json_stamp, message=_json_message
        ),
        Format(
            "timestamped",
            re.compile(rb"\[?(?P<time>" + ISO + rb")\]?[ \t:,-]*(?P<message>.*)"),
            lambda found: level_by_words(found.group("message")),
            _hint_by_words,
            starts=(b"1", b"2", b"[1", b"[2"),
        ),
        Format(
            "plain",
            _LINE,
            lambda found: level_by_words(found.group()),
            _hint_by_words,
            stamp=lambda _found: None,
            dated=False,
        ),
    )
}


def custom(pattern: str) -> Format:
    """The format that an operator describes: a regular expression with the groups time, level, message, as far as they are.

    Raises :class:`re.error` for what is none.
    """
    header = re.compile(pattern.encode())
    groups = header.groupindex

    def message(found: Header) -> bytes:
        return found.group("message") if "message" in groups else found.group()

    def level(found: Header) -> str | None:
        return _named(found) if "level" in groups else level_by_words(message(found))

    return Format(
        "pattern",
        header,
        level,
        lambda _wanted: None,
        stamp=lambda found: found.group("time") if "time" in groups else None,
        message=message,
        dated="time" in groups,
    )


def detect(sample: bytes) -> Format | None:
    """The first format that recognises most of what any format recognises; None when no format knows a line."""
    lines = [line for line in sample.replace(b"\0", b"").splitlines() if line.strip()][:200]
    scores = {
        name: sum(bool((found := form.header.match(line)) and form.stamp(found)) for line in lines)
        for name, form in FORMATS.items()
        if form.dated
    }
    best = max(scores.values(), default=0)
    return next((FORMATS[name] for name, score in scores.items() if score and score >= 0.8 * best), None)
