# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A session with MySQL or MariaDB: where the server is, who logs in, and what a statement answers.

Checks ask in sessions that cannot write and whose statements end by themselves; maintenance asks for one that can.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import ssl
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption, Unmeasurable

PORT = 3306
SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock")  # noqa: S108 - where servers put it
"""Where Debian, Red Hat and a server built by hand put their socket."""

ADDRESS: dict[str, t.Any] = {
    "host": {"type": "str"},
    "port": {"type": "int"},
    "unix_socket": {"type": "path"},
}
LOGIN: dict[str, t.Any] = {
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "option_file": {"type": "path"},
    "allow_root": {"type": "bool", "default": False},
    "tls": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
}

REFUSED_BY_A_SICK_SERVER = {
    1040: "it has no connection left",
    1053: "it is shutting down",
    2006: "it hung up",
    2013: "it hung up before it had greeted",
}
"""Codes that say something about the server. All others say that it is there, and does not want us."""


class Unreachable(Unmeasurable):
    """Nobody answers there. Where reachability is the promise, that is no blind spot: it is what was looked for."""


def check_login(options: t.Mapping[str, t.Any]) -> None:
    """Refuse what cannot be meant. Raises :class:`BadOption`; reads nothing."""
    if options["host"] and options["unix_socket"]:
        raise BadOption("unix_socket: give a host or a socket, not both")
    if options["port"] is not None and not 0 < options["port"] < 65536:
        raise BadOption(f"port: {options['port']} is no port")
    if not options["user"] and not options["option_file"]:
        raise BadOption("user: say who logs in, with user or with option_file")
    if options["user"] == "root" and not options["allow_root"]:
        raise BadOption(
            "user: root may do everything, and looking takes little: see docs/grants/mysql.md, or allow_root"
        )
    if options["client_key"] and not options["client_cert"]:
        raise BadOption("client_key: belongs to a client_cert, and none is given")
    given = next((option for option in ("ca_path", "client_cert") if options[option]), None)
    if given and not options["tls"]:
        raise BadOption(f"{given}: says how to use TLS, and tls is off")


def address(options: t.Mapping[str, t.Any]) -> str:
    """Where the server is, in one stable word; ``localhost`` for the one of this host, however it is reached."""
    if options["unix_socket"]:
        return str(options["unix_socket"])
    if not options["host"]:
        return f"localhost:{options['port']}" if options["port"] else "localhost"
    host = f"[{options['host']}]" if ":" in options["host"] else options["host"]
    return f"{host}:{options['port'] or PORT}"


def quoted(*names: str) -> str:
    """A name of SQL, with its database before it or without."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def connect(options: t.Mapping[str, t.Any], timeout: float, *, writing: bool = False) -> Session:
    """Log in. ``timeout`` is in seconds, for the connection and again for each answer.

    Raises :class:`Unreachable` when there is no server to talk to, :class:`Unmeasurable` when it does not let us in.
    """
    try:
        import pymysql
    except ImportError:
        raise Unmeasurable("python3-pymysql is not installed on the host: the role prerequisites installs it") from None
    found = {
        **_read_option_file(options["option_file"]),
        **{key: options[key] for key in ("user", "password") if options[key]},
    }
    if found.get("user") == "root" and not options["allow_root"]:
        raise Unmeasurable(f"{options['option_file']} logs in as root, which is not allowed, see docs/grants/mysql.md")
    where = _where(options, found)
    started = time.monotonic()
    try:
        connection = pymysql.connect(
            **where,
            user=found.get("user", ""),
            password=found.get("password", ""),
            ssl=_tls(options) if options["tls"] else None,
            connect_timeout=max(1, min(10, timeout)),
            read_timeout=timeout,
            write_timeout=timeout,
            charset="utf8mb4",
            autocommit=True,
            cursorclass=pymysql.cursors.DictCursor,
        )
    except pymysql.MySQLError as exc:
        raise _refusal(exc) from None
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as exc:  # RuntimeError: an authentication that takes python3-cryptography
        raise Unmeasurable(f"cannot log in: {exc}") from None
    session = Session(connection)
    try:
        session.prepare(timeout, writing=writing)
        if options["tls"] and not session.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0]["Value"]:
            raise Unmeasurable("the server does not offer TLS, and tls is asked for")
        if session.user.startswith("root@") and not options["allow_root"]:
            raise Unmeasurable("the server takes us for root, which is not allowed, see docs/grants/mysql.md")
    except BaseException:
        session.close()
        raise
    session.seconds = time.monotonic() - started
    return session


def _read_option_file(path: str | None) -> dict[str, str]:
    """Section ``client`` of an option file: user, password, host, port, socket. As MySQL's own clients read it, but for
    included files.
    """
    if not path:
        return {}
    parser = configparser.RawConfigParser(allow_no_value=True, strict=False, comment_prefixes=("#", ";", "!"))
    try:
        with open(path, encoding="utf-8") as lines:
            parser.read_file(lines)
    except OSError as exc:
        raise Unmeasurable(f"{path}: {exc.strerror}") from None
    except (configparser.Error, UnicodeDecodeError):
        raise Unmeasurable(f"{path} is no option file of MySQL") from None
    if not parser.has_option("client", "user"):
        raise Unmeasurable(f"{path} names no user in its section client")
    return {key: (value or "").strip("'\"") for key, value in parser.items("client")}


def _where(options: t.Mapping[str, t.Any], found: t.Mapping[str, str]) -> dict[str, t.Any]:
    """What the options say, then the option file, then the server of this host."""
    host, port, socket = (options["host"], options["port"], options["unix_socket"])
    if not (host or socket):
        if found.get("socket") and not port:
            socket = found["socket"]
        elif found.get("host", "localhost") != "localhost":
            host = found["host"]
        elif not port:
            socket = next(filter(os.path.exists, SOCKETS), None)
    if socket:
        return {"unix_socket": socket}
    written = str(port or found.get("port") or PORT)
    if not written.isdigit():
        raise Unmeasurable(f"{options['option_file']}: {written} is no port")
    return {"host": host or "127.0.0.1", "port": int(written)}


def _tls(options: t.Mapping[str, t.Any]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options["ca_path"])
        if options["client_cert"]:
            context.load_cert_chain(options["client_cert"], options["client_key"])
    except OSError as exc:
        raise Unmeasurable(f"the certificates for TLS cannot be read: {exc.strerror or exc}") from None
    if not options["validate_certs"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _refusal(exc: Exception) -> Unmeasurable:
    code, text = (*exc.args, "", "")[:2]
    cause = getattr(exc, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        return Unmeasurable(f"no agreement on TLS: {cause.reason or cause}")
    if isinstance(cause, PermissionError):
        return Unmeasurable(f"may not be asked from here: {cause.strerror}")
    if code == 2003 or isinstance(cause, OSError):
        reason = getattr(cause, "strerror", None) or str(cause or text)
        return Unreachable(f"no server answers: {reason[:1].lower()}{reason[1:]}")
    if code in REFUSED_BY_A_SICK_SERVER:
        return Unreachable(f"the server turns clients away: {REFUSED_BY_A_SICK_SERVER[code]}")
    return Unmeasurable(f"the login is refused: {text or exc} ({code})")


class Session:
    """A connection that is logged in. ``seconds`` is what it took until the server had answered the first question."""

    def __init__(self, connection: t.Any) -> None:
        self.connection = connection
        self.seconds = 0.0
        self.text, self.user = "", ""

    def prepare(self, timeout: float, *, writing: bool) -> None:
        """Know the server, and see to it that no statement outlives our patience, and that none of a check writes."""
        row = self.rows("SELECT VERSION() AS version, CURRENT_USER() AS user")[0]
        self.text, self.user = row["version"], row["user"]
        self.do("SET SESSION lock_wait_timeout = %s", (max(1, int(timeout / 2)),))
        if writing:
            return
        if self.mariadb:
            self.do("SET SESSION max_statement_time = %s", (max(1.0, timeout * 0.8),))
        else:
            self.do("SET SESSION MAX_EXECUTION_TIME = %s", (max(1000, int(timeout * 800)),))
            if self.version >= (8, 0):
                self.do("SET SESSION information_schema_stats_expiry = 0")  # sizes of now, not of yesterday
        self.do("SET SESSION TRANSACTION READ ONLY")

    @property
    def mariadb(self) -> bool:
        return "mariadb" in self.text.lower()

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(map(int, re.findall(r"\d+", self.text.replace("5.5.5-", ""))[:3]))

    def rows(self, statement: str, values: t.Sequence[t.Any] = ()) -> list[dict[str, t.Any]]:
        """What a statement answers, a dictionary for each row. Raises :class:`Unmeasurable` with the server's reason."""
        return self._run(statement, values)[1]

    def do(self, statement: str, values: t.Sequence[t.Any] = ()) -> int:
        """Run a statement, return how many rows it changed."""
        return self._run(statement, values)[0]

    def _run(self, statement: str, values: t.Sequence[t.Any]) -> tuple[int, list[dict[str, t.Any]]]:
        import pymysql

        try:
            with self.connection.cursor() as cursor:
                changed = cursor.execute(statement, values or None)
                return int(changed), list(cursor.fetchall())
        except pymysql.MySQLError as exc:
            code, text = (*exc.args, "", "")[:2]
            told = " ".join(statement.split()[:2])
            raise Unmeasurable(f"{told}: {text or 'the connection is gone'} ({code})") from None

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.connection.close()
