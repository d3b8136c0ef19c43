# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A throwaway database server of the installed binaries, into which a dump is loaded that nobody trusts.

What stands between a dump and everything else on the host, each wall sufficient for what it is there for:

- The server has its own data, its own socket in a private directory and no TCP; the dump reaches this socket only.
- Server and client run as a user who owns nothing and whom no database server knows (``nobody``), never as root, ``mysql``
  or ``postgres``, whom a production server would let in by the socket.
- Both run without a network, where the kernel lets us take it away.
- Clients read no option file and no start file, have an environment of three variables, can start no program and write no
  file (``RLIMIT_NPROC`` and ``RLIMIT_FSIZE`` are 0), and are told to refuse such commands where they know how.
- MariaDB and MySQL load no plugin and read and write files in an empty directory only. In PostgreSQL the dump is loaded
  by an ordinary role, so that ``COPY … PROGRAM``, server files and untrusted extensions are refused.
- The server dies with us (``PR_SET_PDEATHSIG``), and what is left of its directory is removed by whoever comes next.
"""

# ruff: noqa: S608 - names are quoted by backquoted(), doublequoted() and text()

from __future__ import annotations

import contextlib
import csv
import functools
import glob
import io
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
import typing as t
from xml.etree import ElementTree

from ansible_collections.sre.runbooks.plugins.module_utils import _manifest
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._pipe import Broken, Chunks, Process, close
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

KNOWN_TO_SERVERS = ("root", "mysql", "mariadb", "postgres")
MIB = 1024**2
_SETTLED = (
    "datadir",
    "socket",
    "port",
    "bind-address",
    "skip-networking",
    "plugin-dir",
    "plugin-load",
    "secure-file-priv",
)


class Refused(Exception):
    """A statement of ours was refused by the server, for the reason that it gives."""


class Walls:
    """How a command is run so that it can do no harm: a prefix of its argument list, and its environment."""

    def __init__(self, user: str, home: str) -> None:
        self.user = user if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if self.user in KNOWN_TO_SERVERS:
            raise Unmeasurable(
                f"a dump is not loaded as {self.user}, whom a production server may let in: become root, or another user"
            )
        try:
            self._entry = pwd.getpwnam(self.user)
        except KeyError:
            raise Unmeasurable(f"there is no user {self.user} on the host to run a throwaway server as") from None
        self.home = home
        self.without_network = self._way_out_of_the_network()

    @property
    def missing(self) -> list[str]:
        """Walls that this host does not let us build."""
        return [] if self.without_network is not None else ["the processes keep their network: unshare was refused"]

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": self.home,
        }

    def own(self, path: str) -> str:
        """A directory within ours that belongs to the user."""
        os.mkdir(path, 0o700)
        if os.geteuid() == 0:
            os.chown(path, self._entry.pw_uid, self._entry.pw_gid)
        return path

    def hand_over(self, path: str) -> None:
        """Give a directory and all that is in it to the user."""
        if os.geteuid() == 0:
            for folder, _folders, files in os.walk(path):
                for place in (folder, *(os.path.join(folder, name) for name in files)):
                    os.chown(place, self._entry.pw_uid, self._entry.pw_gid, follow_symlinks=False)

    def argv(
        self, command: t.Sequence[str], *, memory: int | None = None, confined: bool = False, dropped: bool = True
    ) -> list[str]:
        """A command behind the walls; ``memory`` in bytes; one that is ``confined`` starts nothing and writes no file.

        One that is not ``dropped`` stays who we are, to read what only we may read.
        """
        limits = [
            "--core=0",
            *([f"--data={memory}"] if memory else []),
            *(["--nproc=0", "--fsize=0"] if confined else []),
        ]
        drop = []
        if os.geteuid() == 0 and dropped:
            drop = [f"--reuid={self._entry.pw_uid}", f"--regid={self._entry.pw_gid}", "--clear-groups"]
        return [
            *(self.without_network or []),
            "setpriv", *drop, "--no-new-privs", "--pdeathsig", "KILL", "--",
            "prlimit", *limits, "--", *command,
        ]  # fmt: skip

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def _way_out_of_the_network() -> t.Sequence[str] | None:
        for way in (["unshare", "--net", "--"], ["unshare", "--user", "--map-current-user", "--net", "--"]):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                tried = subprocess.run(
                    [*way, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    timeout=10, check=False,
                )  # fmt: skip
                if tried.returncode == 0:
                    return way
        return None


class Engine:
    """A throwaway server. Use it as a context manager; ``place`` is a private directory of :mod:`_scratch`.

    ``memory`` is in MiB, ``settings`` are options of the server, ``deadline`` is a time of ``time.monotonic()``.
    """

    name = ""
    database = ""

    def __init__(
        self,
        place: str,
        user: str,
        memory: int,
        settings: t.Mapping[str, t.Any],
        deadline: float,
        binaries: str | None = None,
    ) -> None:
        self.place, self.memory, self.settings, self.deadline, self.binaries = (
            place,
            memory,
            settings,
            deadline,
            binaries,
        )
        self.walls = Walls(user, place)
        self.home = self.walls.own(os.path.join(place, "e"))
        self.walls.home = self.home
        self.data, self.log = os.path.join(self.home, "data"), os.path.join(place, "server.log")
        self._server: subprocess.Popen[bytes] | None = None
        os.chmod(place, 0o711)  # noqa: S103 - to pass through

    def __enter__(self) -> t.Any:
        try:
            self._install()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    # What the two kinds of server differ in

    def _install(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _client(self, database: str | None, *, ours: bool) -> list[str]:
        raise NotImplementedError

    def _env(self, ours: bool) -> dict[str, str]:
        return self.walls.env

    def create(self, database: str) -> None:
        """An empty database for the dump."""
        raise NotImplementedError

    def sql(self, statement: str, *, timeout: float | None = None) -> list[list[str]]:
        """Run one statement of ours in the database. Raises :class:`Refused`."""
        raise NotImplementedError

    def ask(self, statement: str, timeout: float) -> list[list[str]]:
        """Run a statement of the operator, which may only read."""
        raise NotImplementedError

    def elsewhere(self, about: t.Mapping[str, t.Any], database: str, statement: str, timeout: float) -> list[list[str]]:
        """Run a statement on another server, of which ``about`` tells host, port, socket, user and password; only reading."""
        raise NotImplementedError

    def damages(self, tables: t.Sequence[str] | None) -> tuple[str, list[str]]:
        """What the server itself finds wrong in some tables, or in all: how it looked, and what it found.

        It leaves no trace in the database, which others are looking at.
        """
        raise NotImplementedError

    # What they have in common

    def tool(self, *names: str) -> str:
        """The path of the first of some programs that is there. Raises :class:`Unmeasurable`."""
        places = (
            [self.binaries]
            if self.binaries
            else [*self._places(), "/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin", "/sbin", "/bin"]
        )
        for name in names:
            for folder in places:
                path = os.path.join(folder, name)
                if os.access(path, os.X_OK):
                    return path
        where = f" in {self.binaries}" if self.binaries else ""
        raise Unmeasurable(f"{names[0]} is not installed on the host{where}: {self._package()}")

    def _places(self) -> list[str]:
        return []

    def _package(self) -> str:
        return "the proof starts a server of its own"

    def run(self, argv: t.Sequence[str], what: str) -> None:
        """Run a command of ours behind the walls. Raises :class:`Unmeasurable`."""
        done = self._answer(self.walls.argv(argv), b"", self.walls.env, None)
        if done.returncode:
            raise Unmeasurable(f"{what} did not work: {tail(done.stderr or done.stdout)}")

    def _answer(
        self, argv: t.Sequence[str], stdin: bytes, env: t.Mapping[str, str], timeout: float | None
    ) -> subprocess.CompletedProcess[bytes]:
        left = max(1.0, self.deadline - time.monotonic())
        try:
            return subprocess.run(
                argv, input=stdin, capture_output=True, timeout=min(timeout or left, left), check=False, env=dict(env),
                cwd=self.home, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise Unmeasurable(f"{argv[0]} is not installed on the host") from None
        except subprocess.TimeoutExpired:
            raise Unmeasurable(f"{os.path.basename(argv[-1])}: no answer in time") from None

    def _start(self) -> None:
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(
                self.walls.argv(self._command(), memory=self.memory * MIB), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.walls.env, cwd=self.home, start_new_session=True,
            )  # fmt: skip
        while True:
            with contextlib.suppress(Refused):
                self.sql("SELECT 1", timeout=10)
                return
            if self._server.poll() is not None:
                raise Unmeasurable(f"the throwaway server did not start: {self.last_words()}")
            if time.monotonic() > self.deadline:
                raise Unmeasurable(f"the throwaway server did not start in time: {self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        with contextlib.suppress(OSError), open(self.log, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log) - 4096))
            return tail(log.read())
        return "it left no log"

    def stop(self) -> None:
        """End the server at once. Its data is not going to be used again."""
        server = self._server
        if server is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(server.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)

    def load(self, chunks: Chunks, tick: t.Callable[[], None]) -> None:
        """Feed the statements of a dump to the client. Raises :class:`Broken` at the first that is refused."""
        client = Process(
            "load", self.walls.argv(self._client(self.database, ours=False), confined=True), chunks,
            env=self._env(ours=False), cwd=self.home, deadline=self.deadline, tick=tick,
        )  # fmt: skip
        try:
            for _output in client:  # what SELECT setval() and the like answer
                pass
        except Broken as exc:
            if exc.stage != "load":
                raise
            if self._server is not None and self._server.poll() is not None:
                raise Unmeasurable(f"the throwaway server ended while it was loading: {self.last_words()}") from exc
            raise Broken("load", _complaint(exc.reason)) from exc
        finally:
            close(client)


class Mysql(Engine):
    """MariaDB or MySQL, whichever is installed."""

    name = "mysql"

    def _package(self) -> str:
        return "the proof starts a server of its own, as mariadb-server or mysql-server bring it"

    @property
    def _socket(self) -> str:
        return os.path.join(self.home, "s")

    def _install(self) -> None:
        os.chmod(self.walls.own(os.path.join(self.home, "none")), 0o700)
        server = self.tool("mariadbd", "mysqld")
        version = self._answer(self.walls.argv([server, "--no-defaults", "--version"]), b"", self.walls.env, 30)
        self._maria = b"mariadb" in version.stdout.lower()
        if self._maria:
            install = [
                self.tool("mariadb-install-db", "mysql_install_db"), "--no-defaults", f"--datadir={self.data}",
                "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
                "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=16M",
                "--innodb-buffer-pool-size=32M", "--aria-pagecache-buffer-size=16M", "--loose-sync-frm=OFF",
            ]  # fmt: skip
        else:
            install = [server, "--no-defaults", "--initialize-insecure", f"--datadir={self.data}"]
        try:
            self.run(install, "creating an empty server")
        except Unmeasurable as exc:
            # MariaDB 10.11 was seen to crash while it does so on a busy machine: that says nothing of a backup.
            if "Segmentation fault" not in str(exc):
                raise
            shutil.rmtree(self.data, ignore_errors=True)
            self.run(install, "creating an empty server, a second time after a crash,")

    def _command(self) -> list[str]:
        pool = self.memory * 2 // 5  # besides it takes about 430 MiB
        settings = {
            "datadir": self.data, "socket": self._socket, "pid-file": os.path.join(self.home, "pid"),
            "skip-networking": "ON", "plugin-dir": os.path.join(self.home, "none"),
            "secure-file-priv": os.path.join(self.home, "none"), "local-infile": "OFF", "event-scheduler": "OFF",
            "skip-log-bin": None, "loose-skip-slave-start": "ON", "performance-schema": "OFF", "max-connections": "10",
            "max-allowed-packet": "1G", "innodb-buffer-pool-size": f"{pool}M", "innodb-flush-log-at-trx-commit": "0",
            "innodb-doublewrite": "0", "innodb-log-buffer-size": "32M", "innodb-flush-method": "nosync",
            "innodb-autoextend-increment": "64", "key-buffer-size": "32M", "tmpdir": self.home,
        }  # fmt: skip
        if self._maria:
            settings.update(
                {"innodb-log-file-size": "512M", "aria-pagecache-buffer-size": "16M", "loose-sync-frm": "OFF"}
            )
        else:
            settings.update({"loose-mysqlx": "OFF", "loose-innodb-redo-log-capacity": "512M"})
        for option, value in ((name.replace("_", "-"), value) for name, value in self.settings.items()):
            if option in _SETTLED:
                raise Unmeasurable(f"{option} of the throwaway server is not for you to set")
            settings[option] = str(value)
        return [
            self.tool("mariadbd", "mysqld"), "--no-defaults",
            *(f"--{option}" if value is None else f"--{option}={value}" for option, value in settings.items()),
        ]  # fmt: skip

    @functools.cached_property
    def _refusing(self) -> list[str]:
        """The words by which this client is told to start no program and read no file of its own."""
        client = self.tool("mariadb", "mysql")
        known = self._answer([client, "--no-defaults", "--help"], b"", self.walls.env, 30).stdout
        return [
            word for word in ("--sandbox", "--skip-system-command") if word[2:].replace("skip-", "").encode() in known
        ]

    def _client(self, database: str | None, *, ours: bool) -> list[str]:
        return [
            self.tool("mariadb", "mysql"), "--no-defaults", "--protocol=socket", f"--socket={self._socket}", "--user=root",
            "--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--max-allowed-packet=1G",
            *(["--raw"] if ours else ["--local-infile=0", "--quick", *self._refusing]),
            *([database] if database else []),
        ]  # fmt: skip

    def create(self, database: str) -> None:
        self.database = ""
        self.sql(f"CREATE DATABASE {backquoted(database)} CHARACTER SET utf8mb4")
        self.database = database

    def sql(self, statement: str, *, timeout: float | None = None) -> list[list[str]]:
        return self._rows(f"{_manifest.SESSION['mysql']};\n{statement};\n", timeout)

    def ask(self, statement: str, timeout: float) -> list[list[str]]:
        return self._rows(
            f"{_manifest.SESSION['mysql']};\nSET SESSION TRANSACTION READ ONLY;\nSTART TRANSACTION READ ONLY;\n"
            f"{statement.rstrip().rstrip(';')};\n", timeout
        )  # fmt: skip

    def elsewhere(self, about: t.Mapping[str, t.Any], database: str, statement: str, timeout: float) -> list[list[str]]:
        file = os.path.join(self.place, "production.cnf")
        lines = [
            f"{key}={option_value(about[key])}"
            for key in ("host", "port", "socket", "user", "password")
            if about.get(key)
        ]
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, ("[client]\n" + "\n".join(lines) + "\n").encode())
            text = f"{_manifest.SESSION['mysql']};\nSTART TRANSACTION READ ONLY;\n{statement};\n"
            argv = [
                self.tool("mariadb", "mysql"), f"--defaults-file={file}", "--batch", "--skip-column-names", "--xml",
                "--default-character-set=utf8mb4", database,
            ]  # fmt: skip
            done = self._answer(argv, text.encode(), self.walls.env, timeout)
        finally:
            os.close(handle)
            os.unlink(file)
        if done.returncode:
            raise Refused(tail(done.stderr))
        return list(xml_rows(done.stdout))

    def _rows(self, text: str, timeout: float | None) -> list[list[str]]:
        client = [*self._client(self.database or None, ours=True), "--xml"]
        client.remove("--raw")
        done = self._answer(self.walls.argv(client, confined=True), text.encode(), self.walls.env, timeout)
        if done.returncode:
            raise Refused(tail(done.stderr))
        return list(xml_rows(done.stdout))

    def damages(self, tables: t.Sequence[str] | None) -> tuple[str, list[str]]:
        if tables is None:
            tables = [row[0] for row in self.sql("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")]
        found = []
        for start in range(0, len(tables), 100):
            listed = ", ".join(backquoted(name) for name in tables[start : start + 100])
            for row in self.sql(f"CHECK TABLE {listed}"):
                table, _operation, kind, text = row[:4]
                if kind.lower() in ("error", "warning") or (
                    kind == "status" and text not in ("OK", "Table is already up to date")
                ):
                    found.append(f"{table.partition('.')[2]}: {text}")
        return "CHECK TABLE", found


class Postgresql(Engine):
    """PostgreSQL, the newest version that is installed unless told otherwise."""

    name = "postgresql"
    superuser = False
    """Whether the dump is loaded with all rights in the server."""

    def _places(self) -> list[str]:
        installed = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
        return sorted(
            installed,
            key=lambda path: [int(part) for part in "".join(c if c.isdigit() else " " for c in path).split()],
            reverse=True,
        )

    def _package(self) -> str:
        return "the proof starts a server of its own, as postgresql brings it"

    def _install(self) -> None:
        self._secrets = {"sre_admin": secrets.token_urlsafe(18), "sre_proof": secrets.token_urlsafe(18)}
        file = os.path.join(self.home, "password")
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(handle, self._secrets["sre_admin"].encode())
        os.close(handle)
        if os.geteuid() == 0:
            shutil.chown(file, self.walls.user)
        self.run(
            [
                self.tool("initdb"), "-D", self.data, "-U", "sre_admin", "-A", "scram-sha-256", f"--pwfile={file}", "-N",
                "-E", "UTF8", "--locale=C.UTF-8", "--lc-messages=C",
            ],
            "creating an empty server",
        )  # fmt: skip
        os.unlink(file)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "", "unix_socket_directories": self.home, "unix_socket_permissions": "0700",
            "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal",
            "max_wal_senders": "0", "archive_mode": "off", "autovacuum": "off", "logging_collector": "off", "jit": "off",
            "max_wal_size": "4GB", "checkpoint_timeout": "1h", "max_connections": "10", "max_locks_per_transaction": "2048",
            "shared_buffers": f"{max(64, self.memory // 4)}MB", "maintenance_work_mem": f"{max(64, self.memory // 4)}MB",
            "bgwriter_lru_maxpages": "0", "track_activities": "off", "track_counts": "off",
        }  # fmt: skip
        for option, value in self.settings.items():
            if option.replace("_", "-") in _SETTLED or option in settings or "preload" in option or "command" in option:
                raise Unmeasurable(f"{option} of the throwaway server is not for you to set")
            settings[option] = str(value)
        options = [word for option, value in settings.items() for word in ("-c", f"{option}={value}")]
        return [self.tool("postgres"), "-D", self.data, *options]

    def _client(self, database: str | None, *, ours: bool) -> list[str]:
        user = "sre_admin" if ours or self.superuser else "sre_proof"
        loading = [] if ours else ["--single-transaction", *self._refusing]
        return [
            self.tool("psql"), "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse",
            "-h", self.home, "-p", "5432", "-U", user,
            "-d", database or "postgres", *loading, "-f", "-",
        ]  # fmt: skip

    def _env(self, ours: bool) -> dict[str, str]:
        user = "sre_admin" if ours or self.superuser else "sre_proof"
        return {**self.walls.env, "PGPASSWORD": self._secrets[user], "PGCONNECT_TIMEOUT": "10"}

    @functools.cached_property
    def _refusing(self) -> list[str]:
        r"""The words by which this client is told to refuse commands of its own: ``\restrict``, where it knows it."""
        command = ["-c", f"\\restrict {secrets.token_hex(16)}"]
        plain = [
            self.tool("psql"),
            "-X",
            "-w",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.home,
            "-p",
            "5432",
            "-U",
            "sre_admin",
            "-d",
            "postgres",
        ]
        tried = self._answer(self.walls.argv([*plain, *command], confined=True), b"", self._env(ours=True), 30)
        return [] if tried.returncode else command

    def create(self, database: str) -> None:
        self.database = ""
        quoted = doublequoted(database)
        self.sql(
            f"CREATE ROLE sre_proof LOGIN CREATEROLE CREATEDB PASSWORD {_manifest.text(self._secrets['sre_proof'])}"
        )
        self.sql(f"CREATE DATABASE {quoted} OWNER sre_proof")
        self.database = database
        for extension in self.extensions:
            self.sql(f"CREATE EXTENSION {doublequoted(extension)} CASCADE")
        self._client(database, ours=False)  # finds out now what the client knows

    extensions: t.Sequence[str] = ()
    """Extensions that only a superuser may create, and that are there before the dump is loaded."""

    def sql(self, statement: str, *, timeout: float | None = None) -> list[list[str]]:
        return self._rows(f"{_manifest.SESSION['postgresql']};\n{statement};\n", timeout)

    def ask(self, statement: str, timeout: float) -> list[list[str]]:
        return self._rows(
            f"{_manifest.SESSION['postgresql']};\nSET default_transaction_read_only = on;\n"
            f"SET statement_timeout = {int(timeout * 1000)};\n{statement.rstrip().rstrip(';')};\n", timeout
        )  # fmt: skip

    def elsewhere(self, about: t.Mapping[str, t.Any], database: str, statement: str, timeout: float) -> list[list[str]]:
        text = (
            f"{_manifest.SESSION['postgresql']};\nSET default_transaction_read_only = on;\n"
            f"SET statement_timeout = {int(timeout * 1000)};\n{statement};\n"
        )
        place = {"-h": about.get("socket") or about.get("host"), "-p": about.get("port"), "-U": about.get("user")}
        argv = [
            self.tool("psql"), "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "--csv", "-P", f"null={_manifest.NULL}",
            *(word for option, value in place.items() if value for word in (option, str(value))), "-d", database, "-f", "-",
        ]  # fmt: skip
        env = {
            **self.walls.env,
            "PGCONNECT_TIMEOUT": "10",
            **({"PGPASSWORD": about["password"]} if about.get("password") else {}),
        }
        done = self._answer(argv, text.encode(), env, timeout)
        if done.returncode:
            raise Refused(tail(done.stderr))
        return list(csv.reader(io.StringIO(done.stdout.decode("utf-8", "backslashreplace"))))

    def _rows(self, text: str, timeout: float | None) -> list[list[str]]:
        client = [*self._client(self.database or None, ours=True), "--csv", "-P", f"null={_manifest.NULL}"]
        done = self._answer(self.walls.argv(client, confined=True), text.encode(), self._env(ours=True), timeout)
        if done.returncode:
            raise Refused(tail(done.stderr))
        return list(csv.reader(io.StringIO(done.stdout.decode("utf-8", "backslashreplace"))))

    def damages(self, tables: t.Sequence[str] | None) -> tuple[str, list[str]]:
        if not self.sql("SELECT name FROM pg_available_extensions WHERE name = 'amcheck'"):
            return "amcheck is not installed (postgresql-contrib): every row was read instead", []
        relations = (
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_%'"
            " AND n.nspname <> 'information_schema' AND c.relpersistence = 'p'"
        )
        found: list[str] = []
        with contextlib.suppress(Refused):  # before PostgreSQL 14 there is none for tables
            found += [
                f"{name}: block {block}: {message}"
                for name, block, message in self._amcheck(
                    "SELECT c.oid::regclass, v.blkno, v.msg FROM (SELECT c.oid "
                    + relations
                    + " AND c.relkind IN ('r', 'm'))"
                    " c CROSS JOIN LATERAL verify_heapam(c.oid) v LIMIT 100"
                )
            ]
        try:
            self._amcheck(
                "SELECT count(bt_index_check(c.oid)) FROM (SELECT c.oid "
                + relations
                + " AND c.relkind = 'i' AND c.relam ="
                " (SELECT oid FROM pg_am WHERE amname = 'btree')) c"
            )
        except Refused as exc:
            found.append(str(exc))
        return "amcheck", found

    def _amcheck(self, statement: str) -> list[list[str]]:
        """Run a statement with the extension, which nobody else sees and which is gone afterwards."""
        return self.sql(f"BEGIN;\nCREATE EXTENSION IF NOT EXISTS amcheck;\n{statement};\nROLLBACK")


ENGINES: dict[str, type[Engine]] = {"mysql": Mysql, "postgresql": Postgresql}


def xml_rows(raw: bytes) -> t.Iterator[list[str]]:
    """Rows out of what the client of MySQL writes as XML: the only of its formats in which nothing is ambiguous.

    Only the last result counts: those before it answer the statements that begin a session.
    """
    last = raw.rfind(b"<?xml")
    if last < 0:
        return
    for row in ElementTree.fromstring(raw[last:]):  # noqa: S314 - written by our own client
        yield [
            _manifest.NULL if any(key.endswith("nil") for key in field.attrib) else (field.text or "")
            for field in row
        ]  # fmt: skip


def backquoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def option_value(value: t.Any) -> str:
    """A value in an option file."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def doublequoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tail(raw: bytes) -> str:
    lines = [line.strip() for line in raw.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return _complaint(redact("; ".join(line[:300] for line in lines[-4:]))) or "without a word"


def _complaint(text: str) -> str:
    """Without the statement that the client of MySQL repeats before its complaint: it may hold anything."""
    found = re.search(r"ERROR \d+ \(\w+\) at line \d+.*", text)
    return found.group() if found else text
