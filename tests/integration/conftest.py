# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers for the integration tests: started for them alone, in private directories, gone afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.tests.integration.production import (  # noqa: F401 - fixtures for all tests
    age_keys,
    bot,
    bot_dump,
    bot_manifest,
    good,
    good_pg,
    shop,
    shop_dump,
    shop_manifest,
)


@dataclasses.dataclass(frozen=True)
class Postgresql:
    """A running PostgreSQL. Its superuser is ``admin`` with the password ``secret-of-admin``; it has the database ``postgres``."""

    port: int
    directory: Path
    user: str = "admin"
    password: str = "secret-of-admin"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement, return what psql prints, unaligned."""
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One PostgreSQL for all tests of a session: make a database of your own in it."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def bot_server() -> Iterator[Postgresql]:
    """Another one, for production alone: whatever happens to it was done by the test at hand."""
    with running_postgresql() as server:
        yield server


@contextlib.contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    """PostgreSQL on loopback and on a socket in its directory. As root it runs as nobody: it refuses to run as root."""
    tools = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), default=None)
    assert tools, "PostgreSQL is not installed: apt-get install postgresql"
    # Not below tmp_path: its parents are closed to other users, and the path of a socket has to be short.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(directory, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    server = Postgresql(free_port(), directory)

    def run(*command: str) -> None:
        done = subprocess.run(
            command, user=user, cwd=directory, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

    data, secret = directory / "data", directory / "password"
    secret.write_text(server.password, encoding="utf-8")
    secret.chmod(0o644)
    settings = f"-p {server.port} -k {directory} -c listen_addresses=127.0.0.1"
    try:
        run(f"{tools}/initdb", "-D", str(data), "-U", server.user, "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("fsync = off\n")
        run(f"{tools}/pg_ctl", "-D", str(data), "-w", "-t", "30", "-l", str(directory / "log"), "-o", settings, "start")
        try:
            yield server
        finally:
            run(f"{tools}/pg_ctl", "-D", str(data), "-w", "-t", "30", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory)


@dataclasses.dataclass(frozen=True)
class Mariadb:
    """A running MariaDB. Its ``root`` needs no password, on the socket and on loopback."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def socket(self) -> str:
        return str(self.directory / "socket")

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def sql(self, statements: str, database: str = "") -> str:
        """Run statements as root, return what the client prints, tabs between columns."""
        command = ["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-BN", "-e", statements, database]
        done = subprocess.run(
            [part for part in command if part], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@dataclasses.dataclass(frozen=True)
class S3:
    """Something that speaks the protocol of S3, with credentials that it takes. Make a bucket of your own in it."""

    endpoint: str

    @property
    def settings(self) -> dict[str, str]:
        """As options of a module."""
        return {"endpoint": self.endpoint, "region": "eu-central-1", "access_key": "test", "secret_key": "secret-of-s3"}

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="secret-of-s3",
        )

    def bucket(self, name: str) -> Any:
        """The client, with a new bucket of that name."""
        client = self.client()
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        return client


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """The server of moto, for all tests of a session."""
    server = shutil.which("moto_server")
    assert server, "moto_server is not there: make integration installs it"
    port = free_port()
    with subprocess.Popen(
        [server, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            end = time.monotonic() + 60
            while not _answers(port):
                assert process.poll() is None, "moto_server did not start"
                assert time.monotonic() < end, "moto_server does not answer"
                time.sleep(0.1)
            yield S3(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """One MariaDB, set up as it is delivered, for all tests of a session: make a database of your own in it."""
    with running_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def shop_server() -> Iterator[Mariadb]:
    """Another one, for production alone."""
    with running_mariadb() as server:
        yield server


@contextlib.contextmanager
def running_mariadb(*options: str) -> Iterator[Mariadb]:
    """MariaDB on loopback and on a socket in its directory, with options of the server such as ``--server-id=2``."""
    server = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert server, "MariaDB is not installed: apt-get install mariadb-server"
    directory = Path(tempfile.mkdtemp(prefix="my-"))  # as with PostgreSQL
    user = ["--user=nobody"] if os.geteuid() == 0 else []
    if user:
        os.chown(directory, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    port, data, log = free_port(), directory / "data", directory / "log"
    try:
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", *user]
        install.append("--auth-root-authentication-method=normal")
        # A server that starts removes what it takes for its own leftovers in the temporary directory.
        own = {**os.environ, "TMPDIR": str(directory)}
        done = subprocess.run(install, env=own, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        settings = [
            *user, f"--datadir={data}", f"--socket={directory}/socket", f"--pid-file={directory}/pid", f"--port={port}",
            "--bind-address=127.0.0.1", f"--log-error={log}", "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=32M", "--skip-name-resolve", *options,
        ]  # fmt: skip
        process = subprocess.Popen([server, "--no-defaults", *settings], env=own, stdin=subprocess.DEVNULL)
        running = Mariadb(directory, port, process)
        try:
            _await_mariadb(running, log)
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(directory)


def _await_mariadb(server: Mariadb, log: Path) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(AssertionError):
            server.sql("SELECT 1")
            return
        if server.process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"MariaDB did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
