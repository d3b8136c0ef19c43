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
from collections.abc import Iterator
from pathlib import Path

import pytest


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
    settings = f"-p {server.port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        run(f"{tools}/initdb", "-D", str(data), "-U", server.user, "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
        run(f"{tools}/pg_ctl", "-D", str(data), "-w", "-t", "30", "-l", str(directory / "log"), "-o", settings, "start")
        try:
            yield server
        finally:
            run(f"{tools}/pg_ctl", "-D", str(data), "-w", "-t", "30", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory)
