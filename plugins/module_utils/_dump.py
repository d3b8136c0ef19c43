# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a dump is and says, read as it streams by. No I/O, memory flat, fast: data is searched, not looked at.

:func:`recognise` tells the format by the first bytes. :func:`pieces` cuts the SQL text of ``mysqldump``, ``mariadb-dump``,
``pg_dump`` (plain, or as ``pg_restore -f -`` writes it) into statements and data of tables, and a :class:`Scan` notes on
the way which databases it touches, which tables it creates and fills, and whether it came to its end.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

MYSQL, POSTGRESQL, PG_CUSTOM, PG_TAR, TAR, ZIP, SQL = "mysql", "postgresql", "pg_custom", "pg_tar", "tar", "zip", "sql"
PG_DIRECTORY = "pg_directory"
"""A directory with a ``toc.dat``; it is no stream, so whoever sees a directory says so."""
FORMATS = {
    MYSQL: "a dump of MySQL or MariaDB",
    POSTGRESQL: "a plain dump of PostgreSQL",
    PG_CUSTOM: "a dump of PostgreSQL in the custom format",
    PG_TAR: "a dump of PostgreSQL in the tar format",
    PG_DIRECTORY: "a dump of PostgreSQL in the directory format",
    TAR: "a tar archive",
    ZIP: "a zip archive",
    SQL: "SQL text without the header of a dump",
}
"""Format → what people call it."""

_LOOK = 4096
"""Bytes of a statement that tell what it is about. Longer lines are not waited for."""
_LONG = 1024**2
_MARGIN = 5
"""The length of what ends the data of a table."""
_MANY = 50


@dataclasses.dataclass(frozen=True)
class Touch:
    """A statement that concerns a whole database, or reaches out of the engine.

    ``act`` is ``use``, ``create``, ``drop``, ``qualify`` (a table with its database's name), ``client`` (a command of the
    client program) or ``reach`` (a file or a program of the server); ``database`` is empty where none is named.
    """

    line: int
    act: str
    database: str
    text: str


@dataclasses.dataclass
class Table:
    """What a dump does for one table. ``bytes`` of data include the statement around it."""

    created: bool = False
    bytes: int = 0


@dataclasses.dataclass
class Scan:
    """What was seen of a dump so far. ``lines`` and ``bytes`` are of plain text."""

    format: str
    lines: int = 0
    bytes: int = 0
    header: bool = False
    """Whether the dump says what it is, and so is to say as well where it ends."""
    database: str = ""
    server: str = ""
    complete: bool = False
    completed: str = ""
    """The time that the last line tells, as it stands there: local time of whoever dumped."""
    tables: dict[str, Table] = dataclasses.field(default_factory=dict)
    touches: list[Touch] = dataclasses.field(default_factory=list)

    def table(self, name: str) -> Table:
        return self.tables.setdefault(name, Table())

    def foreign(self, own: str) -> list[Touch]:
        """What a dump of the database ``own`` has no business to say. To drop a database is foreign to every dump."""
        return [
            touch
            for touch in self.touches
            if touch.act in ("drop", "client", "reach") or (touch.database and touch.database != own)
        ]

    @property
    def data_bytes(self) -> int:
        return sum(table.bytes for table in self.tables.values())


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some bytes of a dump, in order and without gaps.

    ``table`` is set for the data of a table; ``start`` for what begins a statement, then as a rule a whole line.
    """

    data: bytes
    table: str | None = None
    start: bool = False


def recognise(head: bytes) -> str | None:
    """The format of a plain stream by its first bytes, of which about 1000 are enough. None: it is no backup we know."""
    if head.startswith(b"PGDMP"):
        return PG_CUSTOM
    if head[257:262] == b"ustar":
        return PG_TAR if head.startswith(b"toc.dat\0") else TAR
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZIP
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if re.search(
        rb"^-- (?:MySQL|MariaDB) dump |^/\*M!999999\\- enable the sandbox mode|^-- phpMyAdmin SQL", text, re.MULTILINE
    ):
        return MYSQL
    if re.search(rb"^-- PostgreSQL database (?:cluster )?dump", text, re.MULTILINE):
        return POSTGRESQL
    if b"\0" in text:
        return None
    if re.match(rb"/\*!\d{5,6} SET |(?:DROP|CREATE) TABLE [^;]*`", text):
        return MYSQL
    if re.match(rb"SET (?:statement_timeout|client_encoding)|SELECT pg_catalog\.", text):
        return POSTGRESQL
    first = re.sub(rb"(?m)^--.*$|/\*(?!!).*?\*/", b"", text).lstrip()
    return SQL if re.match(rb"(?i)(?:SET|CREATE|DROP|INSERT|BEGIN|USE|COPY|ALTER|LOCK|SELECT|START)\s", first) else None


def database_in_header(head: bytes) -> str:
    """The database that a dump in the custom, tar or directory format was taken of; empty where that cannot be told.

    Written in the header of ``toc.dat``: versions and sizes, the compression (a number until 1.14, a byte since), seven
    numbers of the time of the dump, then the name. Numbers have a byte for the sign and the lowest byte first.
    """
    start = head.find(b"PGDMP")
    if start < 0 or len(head) < start + 11:
        return ""
    major, minor, _revision, size = head[start + 5 : start + 9]
    position = start + 11 + (1 if (major, minor) >= (1, 15) else 1 + size) + 7 * (1 + size)
    length = int.from_bytes(head[position + 1 : position + 1 + size], "little")
    position += 1 + size
    return head[position : position + min(length, 200)].decode("utf-8", "backslashreplace")


def identifier(raw: bytes) -> str:
    """A name without its quotes."""
    text = raw.decode("utf-8", "backslashreplace").strip()
    for quote in ('"', "`"):
        if len(text) > 1 and text[0] == text[-1] == quote:
            return text[1:-1].replace(quote * 2, quote)
    return text


# The words of the two dialects

_NAME = rb'(`(?:[^`]|``)*`|"(?:[^"]|"")*"|[\w$\x80-\xff]+)'
_EXISTS = rb"(?:/\*!\d+\s+IF NOT EXISTS\s*\*/\s*|IF\s+(?:NOT\s+)?EXISTS\s+)?"
_VERSIONED = rb"(?:/\*M?!\d*\s*)?"


@dataclasses.dataclass(frozen=True)
class _Dialect:
    """How one family of servers writes what we look for. Patterns match at the beginning of a statement."""

    token: t.Pattern[bytes]
    """What begins something in which a statement cannot begin."""
    ending: dict[bytes, t.Pattern[bytes]]
    data: t.Pattern[bytes]
    """The beginning of the data of a table: groups are the database or schema, and the table."""
    data_end: t.Pattern[bytes]
    mark: bytes
    """The byte by which :attr:`data_end` is looked for: one byte is found many times faster than a pattern."""
    no_data: t.Pattern[bytes] | None
    """The end of data where it follows upon the beginning."""
    created: t.Pattern[bytes]
    acts: tuple[tuple[str, t.Pattern[bytes]], ...]
    header: t.Pattern[bytes]
    trailer: t.Pattern[bytes]
    after: t.Pattern[bytes]
    """What may still follow the trailer."""


def _compiled(pattern: bytes, flags: int = re.IGNORECASE) -> t.Pattern[bytes]:
    return re.compile(pattern, flags)


_MYSQL = _Dialect(
    token=_compiled(rb"--[ \t\r\n]|#|/\*(?!!|M!(?!999999))|'|\"|`"),
    ending={
        b"'": _compiled(rb"'|\\.", re.DOTALL),
        b'"': _compiled(rb'"|\\.', re.DOTALL),
        b"`": _compiled(rb"`"),
        b"/*": _compiled(rb"\*/"),
    },
    data=_compiled(
        rb"(?:INSERT|REPLACE)\s+(?:LOW_PRIORITY\s+|DELAYED\s+|IGNORE\s+)*INTO\s+(?:" + _NAME + rb"\s*\.\s*)?" + _NAME
    ),
    data_end=_compiled(rb";\r?\n"),
    mark=b";",
    no_data=None,
    created=_compiled(
        _VERSIONED + rb"CREATE\s+(?:TEMPORARY\s+)?TABLE\s+" + _EXISTS + rb"(?:" + _NAME + rb"\s*\.\s*)?" + _NAME
    ),
    acts=(
        ("use", _compiled(_VERSIONED + rb"(?:USE\s+|\\u\s+)" + _NAME)),
        ("create", _compiled(_VERSIONED + rb"(?:CREATE|ALTER)\s+(?:DATABASE|SCHEMA)\s+" + _EXISTS + _NAME)),
        ("drop", _compiled(_VERSIONED + rb"DROP\s+(?:DATABASE|SCHEMA)\s+" + _EXISTS + _NAME)),
        (
            "qualify",
            _compiled(
                _VERSIONED + rb"(?:CREATE\s+(?:TEMPORARY\s+)?TABLE|DROP\s+TABLE|ALTER\s+TABLE|LOCK\s+TABLES?|TRUNCATE"
                rb"(?:\s+TABLE)?|UPDATE|DELETE\s+FROM|(?:INSERT|REPLACE)(?:\s+IGNORE)?\s+INTO)\s+"
                + _EXISTS + _NAME + rb"\s*\.\s*" + _NAME
            ),
        ),
        ("client", _compiled(rb"\\[!.TPR]|(?:system|source|tee|pager|connect)\s+[^=\s]")),
        ("reach", _compiled(rb"LOAD\s+DATA\b|INSTALL\s+(?:PLUGIN|SONAME)\b|CREATE\s+(?:AGGREGATE\s+)?FUNCTION\b.*\bSONAME\b"
                            rb"|SELECT\b.*\bINTO\s+(?:OUT|DUMP)FILE\b")),
    ),
    header=_compiled(rb"-- (?:MySQL|MariaDB) dump |-- Host: [^\n]*?Database: ([^\n]*)|-- Server version\s+([^\n]*)"),
    trailer=_compiled(rb"-- Dump completed(?: on ([^\n]*))?"),
    after=_compiled(rb"\s*$|--|#"),
)  # fmt: skip

_POSTGRESQL = _Dialect(
    token=_compiled(rb"--|/\*|'|\"|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$"),
    ending={
        b"'": _compiled(rb"'"),
        b"E'": _compiled(rb"'|\\.", re.DOTALL),
        b'"': _compiled(rb'"'),
        b"/*": _compiled(rb"\*/"),
    },
    data=_compiled(rb"COPY\s+(?:" + _NAME + rb"\.)?" + _NAME + rb"\s*(?:\([^\n]*\)\s*)?FROM\s+stdin\b[^\n]*;[ \t\r]*$"),
    data_end=_compiled(rb"\n\\\.\r?\n"),
    mark=b"\\",
    no_data=_compiled(rb"\\\.\r?\n"),
    created=_compiled(rb"CREATE\s+(?:UNLOGGED\s+|FOREIGN\s+)?TABLE\s+" + _EXISTS + rb"(?:" + _NAME + rb"\.)?" + _NAME),
    acts=(
        ("use", _compiled(rb"\\c(?:onnect)?\s+(?:-reuse-previous=on\s+)?(?:\"dbname='|'dbname=)?" + _NAME)),
        ("create", _compiled(rb"(?:CREATE|ALTER)\s+DATABASE\s+" + _NAME)),
        ("drop", _compiled(rb"DROP\s+DATABASE\s+" + _EXISTS + _NAME)),
        ("client", _compiled(rb"\\(?!restrict\b|unrestrict\b|\.)\S")),
        (
            "reach",
            _compiled(
                rb"COPY\b.*\b(?:FROM|TO)\s+(?:PROGRAM\b|E?')|ALTER\s+SYSTEM\b|CREATE\s+(?:SUBSCRIPTION|SERVER)\b"
                rb"|SELECT\b.*\b(?:dblink|lo_import|lo_export|pg_read_file)\w*\s*\("
            ),
        ),
    ),
    header=_compiled(rb"-- PostgreSQL database (?:cluster )?dump\s*()$|-- Dumped from database version ([^\n]*)"),
    trailer=_compiled(rb"-- PostgreSQL database (?:cluster )?dump complete()"),
    after=_compiled(rb"\s*$|--|\\unrestrict\b"),
)  # fmt: skip


def _qualified(found: t.Match[bytes]) -> str:
    schema, name = identifier(found.group(1) or b"public"), identifier(found.group(2))
    return name if schema == "public" else f"{schema}.{name}"


class _Reader:
    """Cuts text into pieces and tells a scan what they are."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.dialect = _POSTGRESQL if scan.format == POSTGRESQL else _MYSQL
        self.delimiter = b";"
        self.inside: bytes | None = None  # the quote or comment that is open
        self.fresh = True  # the next line begins a statement
        self.long = False  # the beginning of this line has been handed on
        self.filling: str | None = None  # the table whose data this is

    def cut(self, buffer: bytes, last: bool) -> t.Generator[Piece, None, bytes]:
        """All pieces that are complete in the buffer. Returns the rest, which waits for more."""
        position = 0
        while position < len(buffer):
            measure = self._line_end if self.filling is None else self._data_end
            end = measure(buffer, position, last)
            if end == position:
                break
            yield self._noted(buffer[position:end])
            position = end
        return buffer[position:]

    def _data_end(self, buffer: bytes, position: int, last: bool) -> int:
        """How far the data of a table goes, of which all but a few bytes can be handed on at any time."""
        if self.fresh and self.dialect.no_data:
            if len(buffer) - position < _MARGIN and not last:
                return position
            found = self.dialect.no_data.match(buffer, position)
            if found:
                return found.end()
        found = self._next_end(buffer, position)
        if found:
            return found.end()
        return len(buffer) if last else max(position, len(buffer) - _MARGIN)

    def _next_end(self, buffer: bytes, position: int) -> t.Match[bytes] | None:
        mark = buffer.find(self.dialect.mark, position)
        if mark >= 0 and self.dialect is _MYSQL:  # the rows of a statement are one line, or a line each
            mark = buffer.find(b"\n", mark) - 1
        return None if mark < 0 else self.dialect.data_end.search(buffer, max(position, mark - 1))

    def _line_end(self, buffer: bytes, position: int, last: bool) -> int:
        newline = buffer.find(b"\n", position)
        waiting = len(buffer) - position
        if self.dialect is _MYSQL and self.fresh and not self.long and (newline >= 0 or last or waiting >= _LOOK):
            data = self.dialect.data.match(buffer, position)
            if data:
                return self._run_end(buffer, data)
        if newline >= 0:
            return newline + 1
        return len(buffer) if last or waiting > _LONG else position

    def _run_end(self, buffer: bytes, begun: t.Match[bytes]) -> int:
        """Where a run of statements for one table ends.

        Or just where the first has begun, when its end is not to be seen: its line may be longer than memory.
        """
        found = self._next_end(buffer, begun.end())
        if not found:
            return begun.end()
        while buffer.startswith(begun.group(), found.end()):
            following = self._next_end(buffer, found.end())
            if not following:
                break
            found = following
        return found.end()

    def _noted(self, data: bytes) -> Piece:
        scan = self.scan
        number = scan.lines + 1
        scan.bytes += len(data)
        scan.lines += data.count(b"\n")
        if self.filling is not None:
            return self._filled(data)
        start = self.fresh and not self.inside and not self.long
        if start and (not data.strip() or data.startswith((b"--", b"#"))):
            self._remark(data)
            return Piece(data)
        if start:
            scan.complete = scan.complete and bool(self.dialect.after.match(data))
            found = self.dialect.data.match(data)
            self._statement(data, number)
            if found:
                return self._filling_starts(found, data)
        self._follow(data)
        return Piece(data, start=start)

    def _filling_starts(self, found: t.Match[bytes], data: bytes) -> Piece:
        name = self._named(found)
        self.scan.table(name).bytes += len(data)
        if not (self.dialect is _MYSQL and self.dialect.data_end.search(data[-_MARGIN:])):
            self.filling = name
        return Piece(data, table=name, start=True)

    def _filled(self, data: bytes) -> Piece:
        name = t.cast(str, self.filling)
        self.scan.table(name).bytes += len(data)
        ended = self.dialect.data_end.search(data[-_MARGIN:])
        if ended or (self.fresh and self.dialect.no_data and self.dialect.no_data.fullmatch(data)):
            self.filling = None
        self.fresh = self.filling is None
        return Piece(data, table=name)

    def _named(self, found: t.Match[bytes]) -> str:
        """The table of a match; of PostgreSQL with its schema, unless that is ``public``."""
        return _qualified(found) if self.dialect is _POSTGRESQL else identifier(found.group(2))

    def _remark(self, line: bytes) -> None:
        scan = self.scan
        found = self.dialect.trailer.match(line)
        if found:
            scan.complete, scan.completed = True, (found.group(1) or b"").decode("ascii", "replace").strip()
            return
        found = self.dialect.header.match(line)
        if found:
            scan.header = True
            scan.database = scan.database or (found.group(1) or b"").decode("utf-8", "replace").strip()
            scan.server = scan.server or (found.group(2) or b"").decode("ascii", "replace").strip()

    def _statement(self, line: bytes, number: int) -> None:
        line = line[:_LOOK]
        for act, pattern in self.dialect.acts:
            found = pattern.match(line)
            if found and len(self.scan.touches) < _MANY:
                database = identifier(found.group(1)) if found.lastindex else ""
                text = line.decode("utf-8", "backslashreplace").strip()[:200]
                touch = Touch(number, act, database, text)
                if not any(
                    (touch.act, touch.database, touch.text) == (old.act, old.database, old.text)
                    for old in self.scan.touches
                ):
                    self.scan.touches.append(touch)
                break
        found = self.dialect.created.match(line)
        if found:
            self.scan.table(self._named(found)).created = True
        if self.dialect is _MYSQL:
            found = re.match(rb"(?i)DELIMITER\s+(\S+)", line)
            if found:
                self.delimiter = found.group(1)

    def _follow(self, data: bytes) -> None:
        """Go through a line, or a part of a long one: whether a quote is open at its end, whether its statement has ended."""
        position, code_ends = 0, 0
        while True:
            if self.inside:
                found = self._ending(self.inside).search(data, position)
                if not found:
                    break
                position = found.end()
                if not found.group().startswith(b"\\"):
                    code_ends = code_ends if self.inside == b"/*" else position
                    self.inside = None
                continue
            found = self.dialect.token.search(data, position)
            if not found:
                code_ends = len(data) if data[position:].strip() else code_ends
                break
            code_ends, position = found.start(), found.end()
            if found.group().startswith((b"--", b"#")):
                break
            self.inside = found.group()
            if self.inside == b"'" and self.dialect is _POSTGRESQL and data[code_ends - 1 : code_ends] in (b"E", b"e"):
                self.inside = b"E'"
        self.long = not data.endswith(b"\n")
        code = data[:code_ends].rstrip()
        first = code.split(None, 1)[:1]
        self.fresh = not self.inside and (
            (self.fresh and not code)
            or code.endswith(self.delimiter)
            or code.startswith(b"\\")
            or bool(first and first[0].upper() == b"DELIMITER")
        )

    def _ending(self, opened: bytes) -> t.Pattern[bytes]:
        return self.dialect.ending.get(opened) or re.compile(re.escape(opened))


def pieces(chunks: t.Iterable[bytes], scan: Scan) -> t.Iterator[Piece]:
    """Cut SQL text into pieces, noting in the scan what they say. Every byte comes out again, in order."""
    reader = _Reader(scan)
    rest = b""
    for chunk in chunks:
        rest = yield from reader.cut(rest + chunk if rest else chunk, last=False)
    yield from reader.cut(rest, last=True)


# What is handed to the client program of a throwaway server


def sample(parts: t.Iterable[Piece], tables: t.Container[str] | None) -> t.Iterator[Piece]:
    """Without the data of other tables; everything when ``tables`` is None. What creates things is always kept."""
    return (piece for piece in parts if tables is None or piece.table is None or piece.table in tables)


_ROLE = rb'("(?:[^"]|"")+"|[a-z_][\w$]*)'
_ROLES = tuple(
    _compiled(pattern)
    for pattern in (
        rb"GRANT\b.*\bTO\s+" + _ROLE,
        rb"REVOKE\b.*\bFROM\s+" + _ROLE,
        rb"ALTER\s+DEFAULT\s+PRIVILEGES\s+FOR\s+ROLE\s+" + _ROLE,
        rb"ALTER\s+DEFAULT\s+PRIVILEGES\b.*\bTO\s+" + _ROLE,
        rb"CREATE\s+POLICY\b.*\sTO\s+" + _ROLE,
    )
)
_NO_ROLES = ("public", "current_user", "session_user", "current_role")
_LEFT_OUT = _compiled(
    rb"\\(?:un)?restrict\b|COMMENT\s+ON\s+(?:EXTENSION|DATABASE)\b|SET\s+SESSION\s+AUTHORIZATION\b"
    rb"|ALTER\b[^'\n]*\sOWNER\s+TO\s+" + _ROLE + rb"\s*;\s*$"
)  # fmt: skip
_EXTENSION = _compiled(rb"CREATE\s+EXTENSION\s+" + _EXISTS + _NAME)


_FREEZABLE = _compiled(rb"CREATE\s+(?:UNLOGGED\s+)?TABLE\s+" + _EXISTS + rb"(?:" + _NAME + rb"\.)?" + _NAME)
_TRANSACTION = _compiled(rb"(?:BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE)\b")


class _Frozen:
    """Which tables can be filled with rows that are frozen at once, so that nobody rewrites them when they are first read.

    The server demands that a table was created in the same transaction, and that it is no parent of partitions.
    """

    def __init__(self) -> None:
        self._tables: set[str] = set()
        self._creating = ""
        self._given_up = False

    def see(self, piece: Piece) -> None:
        if piece.start:
            found = _FREEZABLE.match(piece.data)
            self._creating = _qualified(found) if found else ""
            self._given_up = self._given_up or bool(_TRANSACTION.match(piece.data))
            if self._creating:
                self._tables.add(self._creating)
        if self._creating and b"PARTITION BY" in piece.data.upper():
            self._tables.discard(self._creating)

    def copy(self, piece: Piece) -> bytes:
        """The beginning of the data of a table, which is the statement and a newline."""
        if self._given_up or piece.table not in self._tables:
            return piece.data
        return re.sub(rb"(?i)\bFROM stdin;(\s*)$", rb"FROM stdin WITH (FREEZE);\1", piece.data)


def for_postgresql(parts: t.Iterable[Piece], own: str, extensions: t.Container[str] = ()) -> t.Iterator[bytes]:
    """The statements of a dump as an ordinary role can run them in an empty database of its own, in one transaction.

    Left out are owners, and what chooses or creates the database ``own`` or one of the ``extensions``, which are there
    already. Roles that are granted something are created first. Whatever concerns another database stays, to be refused.
    """
    known: set[str] = set()
    frozen = _Frozen()
    for piece in parts:
        if piece.table is not None:
            yield frozen.copy(piece) if piece.start else piece.data
            continue
        frozen.see(piece)
        if not piece.start:
            yield piece.data
            continue
        line = piece.data[:_LOOK]
        if _LEFT_OUT.match(line) or _chooses(line, own) or _creates_extension(line, extensions):
            continue
        for role in (identifier(found.group(1)) for found in (pattern.match(line) for pattern in _ROLES) if found):
            if role not in known and role.lower() not in _NO_ROLES:
                known.add(role)
                yield _role_statement(role)
        yield piece.data


def _chooses(line: bytes, own: str) -> bool:
    for act, pattern in _POSTGRESQL.acts:
        found = pattern.match(line)
        if found and act in ("use", "create", "drop"):
            return identifier(found.group(1)) == own
    return False


def _creates_extension(line: bytes, extensions: t.Container[str]) -> bool:
    found = _EXTENSION.match(line)
    return bool(found) and identifier(t.cast("t.Match[bytes]", found).group(1)) in extensions


def _role_statement(role: str) -> bytes:
    text, name = "'" + role.replace("'", "''") + "'", '"' + role.replace('"', '""') + '"'
    return (
        f"DO $sre_proof$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {text}) THEN "
        f"CREATE ROLE {name}; GRANT {name} TO CURRENT_USER; END IF; END $sre_proof$;\n"
    ).encode()
