# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A real database server, through the client programs that come with it: statements, dumps, and loading.

Passwords go through an option file that has no name, or through the environment: never through arguments, and nothing of
them is left on disk by a run that is killed. Its clients are ended with it. Whoever uses this decides what may be done
there: nothing is guarded here.
"""

# ruff: noqa: S608 - names are quoted by text()

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest as manifest
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._engine import (
    Refused,
    option_value,
    tail,
    xml_rows,
)
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import Chunks, Process, close, handed_over

MYSQL, POSTGRESQL = ENGINES = ("mysql", "postgresql")

LOGIN: dict[str, t.Any] = {
    "engine": {"type": "str", "choices": list(ENGINES), "required": True},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "socket": {"type": "path"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
"""The options that say where the server is, and who logs in. ``socket`` is a directory for PostgreSQL."""


def connect(options: t.Mapping[str, t.Any], deadline: float) -> Server:
    """The server of the options. ``deadline`` is a moment of ``time.monotonic()``. Nothing is asked yet."""
    return (Postgresql if options["engine"] == POSTGRESQL else Mysql)(options, deadline)


class Server:
    """One server, and who logs in. A context manager, which ends what may be open beside the statements."""

    engine = ""
    _secret: str | None = None
    """What the clients read from a file without a name, as :class:`Process` hands it over."""

    def __init__(self, options: t.Mapping[str, t.Any], deadline: float) -> None:
        self.deadline = deadline
        self._login = {key: options[key] for key in ("host", "port", "socket", "user", "password") if options.get(key)}
        self.env = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}

    def __enter__(self) -> t.Any:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where it is, in one stable word."""
        if self._login.get("socket"):
            return str(self._login["socket"])
        port = f":{self._login['port']}" if self._login.get("port") else ""
        return f"{self._login.get('host', 'localhost')}{port}"

    def sql(self, statements: str, database: str | None = None) -> list[list[str]]:
        """Run statements, return the rows of the last. Raises :class:`Refused` at the first that is refused."""
        raise NotImplementedError

    def facts(self, database: str, like: manifest.Facts | None = None) -> manifest.Facts:
        """What a database holds, in sessions that only read; ``like`` the facts to compare with later.

        Raises :class:`Refused` and :class:`Unmeasurable`.
        """
        raise NotImplementedError

    def dump(self, database: str, *, packed: bool) -> Process:
        """A consistent dump. ``packed`` says that it is compressed afterwards, so the tool is not to."""
        raise NotImplementedError

    def load(self, database: str, chunks: Chunks) -> None:
        """Run the statements of a dump in a database, to the end or to the first that is refused."""
        raise NotImplementedError

    def databases(self) -> list[str]:
        raise NotImplementedError

    def tables(self, database: str) -> list[str]:
        """The names of its tables, of PostgreSQL with their schema unless that is ``public``."""
        raise NotImplementedError

    def close(self) -> None:
        """End what may be open beside the statements."""

    def _answer(self, argv: t.Sequence[str], statements: str) -> bytes:
        with handed_over(self._secret) as handle:
            try:
                done = subprocess.run(
                    [argument.replace("{secret}", str(handle)) for argument in _bound(argv)],
                    input=statements.encode(), capture_output=True, env=self.env, start_new_session=True, check=False,
                    pass_fds=() if handle is None else (handle,), timeout=max(0.1, self.deadline - time.monotonic()),
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise Unmeasurable(f"{argv[0]} gave no answer in the time that was left") from None
        if done.returncode:
            raise Refused(tail(done.stderr))
        return done.stdout

    def _through(self, argv: t.Sequence[str], chunks: Chunks) -> None:
        """Feed a client that says nothing when all is well. Raises :class:`Broken`."""
        client = self._process("load", argv, chunks)
        try:
            for _words in client:
                pass
        finally:
            close(client)

    def _process(self, stage: str, argv: t.Sequence[str], chunks: Chunks) -> Process:
        return Process(stage, _bound(argv), chunks, env=self.env, secret=self._secret, deadline=self.deadline)


def _tool(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        raise Unmeasurable(f"{names[0]} is not installed on the host")
    return found


def _bound(argv: t.Sequence[str]) -> list[str]:
    """A client that ends with us, also when we are killed: nothing of a run goes on while the next one begins."""
    setpriv = shutil.which("setpriv")
    return [*([setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []), *argv]


class Mysql(Server):
    """MySQL or MariaDB."""

    engine = MYSQL
    OPTION_FILE = "--defaults-file=/dev/fd/{secret}"

    def __init__(self, options: t.Mapping[str, t.Any], deadline: float) -> None:
        super().__init__(options, deadline)
        self._secret = "[client]\n" + "".join(f"{key}={option_value(value)}\n" for key, value in self._login.items())

    def _client(self, *more: str) -> list[str]:
        return [
            _tool("mariadb", "mysql"), self.OPTION_FILE, "--batch", "--skip-column-names",
            "--default-character-set=utf8mb4", "--max-allowed-packet=1G", *more,
        ]  # fmt: skip

    def sql(self, statements: str, database: str | None = None) -> list[list[str]]:
        return list(xml_rows(self._answer(self._client("--xml", *([database] if database else [])), statements)))

    def facts(self, database: str, like: manifest.Facts | None = None) -> manifest.Facts:
        begin = f"{manifest.SESSION[MYSQL]}; START TRANSACTION READ ONLY;\n"
        return manifest.take(lambda statement: self.sql(f"{begin}{statement};", database), MYSQL, database, like=like)

    def dump(self, database: str, *, packed: bool) -> Process:
        # Without locks for loading: under a lock of its table, a sequence that is a default cannot be asked.
        return self._process("dump", [
            _tool("mariadb-dump", "mysqldump"), self.OPTION_FILE, "--single-transaction", "--quick", "--skip-add-locks",
            "--routines", "--events", "--triggers", "--hex-blob", "--no-tablespaces", "--default-character-set=utf8mb4",
            "--max-allowed-packet=1G", database,
        ], iter(()))  # fmt: skip

    def load(self, database: str, chunks: Chunks) -> None:
        self._through(self._client("--quick", "--local-infile=0", database), chunks)

    def databases(self) -> list[str]:
        return [row[0] for row in self.sql("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1")]

    def tables(self, database: str) -> list[str]:
        return [
            row[0]
            for row in self.sql(
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
                f" AND TABLE_SCHEMA = {manifest.text(database)} ORDER BY 1"
            )
        ]

    def as_user(self, user: str, password: str) -> Mysql:
        """The same server for somebody else."""
        return Mysql({**self._login, "user": user, "password": password}, self.deadline)

    def code(self, database: str, *, triggers_only: bool = False) -> bytes:
        """The statements that create triggers, routines and events, whether they are there already or not."""
        chunks = self._process("dump", [
            _tool("mariadb-dump", "mysqldump"), self.OPTION_FILE, "--no-create-info", "--no-data",
            "--no-create-db", "--triggers", "--add-drop-trigger", *([] if triggers_only else ["--routines", "--events"]),
            "--no-tablespaces", "--skip-lock-tables", "--default-character-set=utf8mb4", database,
        ], iter(()))  # fmt: skip
        try:
            return b"".join(chunks)
        finally:
            close(chunks)

    def unsafe_tables(self, database: str) -> list[str]:
        """Tables of which ``--single-transaction`` takes no consistent picture."""
        return [
            row[0]
            for row in self.sql(
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
                f" AND ENGINE <> 'InnoDB' AND TABLE_SCHEMA = {manifest.text(database)} ORDER BY 1"
            )
        ]


class Postgresql(Server):
    """PostgreSQL."""

    engine = POSTGRESQL

    def __init__(self, options: t.Mapping[str, t.Any], deadline: float) -> None:
        super().__init__(options, deadline)
        names = {"host": "PGHOST", "socket": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        self.env.update({names[key]: str(value) for key, value in self._login.items()}, PGCONNECT_TIMEOUT="10")
        self._holder: subprocess.Popen[bytes] | None = None
        self._snapshot = ""

    def close(self) -> None:
        if self._holder is not None:
            self._holder.kill()
            self._holder.communicate()
            self._holder = None

    def _client(self, database: str | None) -> list[str]:
        return [
            _tool("psql"), "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database or "postgres", "-f", "-"
        ]  # fmt: skip

    def sql(self, statements: str, database: str | None = None) -> list[list[str]]:
        answer = self._answer([*self._client(database), "--csv", "-P", f"null={manifest.NULL}"], statements)
        return list(csv.reader(io.StringIO(answer.decode("utf-8", "backslashreplace"))))

    def hold(self, database: str) -> None:
        """Keep one moment of a database: facts and dumps from now on are of exactly this one. Raises :class:`Refused`."""
        self._holder = holder = subprocess.Popen(
            _bound(self._client(database)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env,
            start_new_session=True,
        )  # fmt: skip
        stdin, stdout = t.cast("t.IO[bytes]", holder.stdin), t.cast("t.IO[bytes]", holder.stdout)
        try:
            stdin.write(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();\n")
            stdin.flush()
            self._snapshot = stdout.readline().decode().strip()
        except BrokenPipeError:
            self._snapshot = ""
        if not self._snapshot:
            raise Refused(tail(holder.communicate()[1]))

    def facts(self, database: str, like: manifest.Facts | None = None) -> manifest.Facts:
        begin = f"{manifest.SESSION[POSTGRESQL]};\nBEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
        if self._snapshot:
            begin += f"SET TRANSACTION SNAPSHOT {manifest.text(self._snapshot)};\n"
        return manifest.take(
            lambda statement: self.sql(f"{begin}{statement};", database), POSTGRESQL, database, like=like
        )

    def dump(self, database: str, *, packed: bool) -> Process:
        argv = [_tool("pg_dump"), "-w", "-Fc", *(["-Z0"] if packed else []), "-d", database]
        argv += [f"--snapshot={self._snapshot}"] if self._snapshot else []
        return self._process("dump", argv, iter(()))

    def load(self, database: str, chunks: Chunks) -> None:
        self._through(self._client(database), chunks)

    def load_packed(self, database: str, chunks: Chunks) -> None:
        """Load what ``pg_dump`` has packed."""
        self._through([_tool("pg_restore"), "--exit-on-error", "--no-password", "-d", database], chunks)

    def databases(self) -> list[str]:
        return [row[0] for row in self.sql("SELECT datname FROM pg_database ORDER BY 1")]

    def tables(self, database: str) -> list[str]:
        schema = "CASE schemaname WHEN 'public' THEN '' ELSE schemaname || '.' END"
        ours = "schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema'"
        return [
            row[0] for row in self.sql(f"SELECT {schema} || tablename FROM pg_tables WHERE {ours} ORDER BY 1", database)
        ]
