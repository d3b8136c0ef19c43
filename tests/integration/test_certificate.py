# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificate_check through its module on the system's Python and cryptography, and on servers of the distribution."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.sre.runbooks.plugins.module_utils._check import Check
from ansible_collections.sre.runbooks.plugins.module_utils._checks import certificate as kind
from ansible_collections.sre.runbooks.tests.integration.conftest import Postgresql, free_port
from ansible_collections.sre.runbooks.tests.unit import authority as ca
from ansible_collections.sre.runbooks.tests.unit.door import checks_of
from ansible_collections.sre.runbooks.tests.unit.plugins.module_utils._checks.test_certificate import (
    CASES,
    CHAIN,
    HOST,
    ISSUING,
    LEAF,
    RENEWED,
    ROOT,
    SELF_SIGNED,
    TRUSTED,
    write_files,
)

SYSTEM_PYTHON = "/usr/bin/python3"


def red(checks: list[Check]) -> dict[str, str]:
    return {check.id.split(".")[1]: check.status for check in checks if check.status not in ("ok", "skipped")}


def wait_for(port: int) -> None:
    """Until somebody listens."""
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        assert time.monotonic() < end, f"nobody listens on port {port}"
        time.sleep(0.02)


def wait_until_fine(target: dict[str, Any]) -> None:
    """A server that reloads presents the old certificate for a while yet."""
    end = time.monotonic() + 20
    while found := red(checks_of(kind, targets=[target])):
        assert time.monotonic() < end, found
        time.sleep(0.05)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that servers can read who give up their privileges, with certificates in it."""
    with tempfile.TemporaryDirectory(prefix="certificate-") as made:
        path = Path(made)
        path.chmod(0o755)
        ca.chain_file(path / "chain.pem", *CHAIN)
        ca.chain_file(path / "other.pem", SELF_SIGNED, key=SELF_SIGNED)
        (path / "key.pem").write_text(LEAF.key_pem())
        yield path


@contextlib.contextmanager
def running(*command: str, port: int, user: str | None = None) -> Iterator[None]:
    with tempfile.TemporaryFile() as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, user=user)
        try:
            wait_for(port)
            yield
        except AssertionError as exc:
            output.seek(0)
            exc.add_note(output.read().decode(errors="replace"))
            raise
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def nginx(directory: Path) -> Iterator[int]:
    """A server with one certificate for www.test, another one for whoever asks for nothing or something else."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert binary, "nginx is not installed: apt-get install nginx-light"
    port = free_port()
    temporary = "".join(
        f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(f"""
        daemon off; pid {directory}/pid; error_log {directory}/log; events {{}}
        http {{
          access_log off; {temporary}
          server {{ listen {HOST}:{port} ssl default_server; listen [::1]:{port} ssl; server_name _;
                    ssl_certificate {directory}/other.pem; ssl_certificate_key {directory}/other.pem; }}
          server {{ listen {HOST}:{port} ssl; listen [::1]:{port} ssl; server_name www.test;
                    ssl_certificate {directory}/chain.pem; ssl_certificate_key {directory}/key.pem; }}
        }}""")
    with running(binary, "-c", str(directory / "nginx.conf"), "-e", str(directory / "log"), port=port):
        yield port


def test_nginx_presents_one_certificate_by_name_and_another_without(nginx: int, directory: Path) -> None:
    named = {"host": HOST, "port": nginx, "server_name": "www.test", "ca_data": ROOT.pem}
    assert red(checks_of(kind, targets=[named])) == {}
    assert red(checks_of(kind, targets=[{**named, "host": "::1"}])) == {}
    assert red(checks_of(kind, targets=[{**named, "server_name": "else.test"}])) == {
        "hostname": "critical",
        "trust": "critical",
    }
    assert red(checks_of(kind, targets=[{"host": HOST, "port": nginx, "trust": False}])) == {"hostname": "critical"}


def test_nginx_that_was_not_reloaded_after_a_renewal_is_noticed_until_it_is(nginx: int, directory: Path) -> None:
    target = {
        "host": HOST,
        "port": nginx,
        "server_name": "www.test",
        "ca_data": ROOT.pem,
        "key_path": str(directory / "key.pem"),
        "same_as": [{"path": str(directory / "chain.pem")}],
    }
    assert red(checks_of(kind, targets=[target])) == {}
    ca.chain_file(directory / "chain.pem", RENEWED, ISSUING)
    assert red(checks_of(kind, targets=[target])) == {"same": "warning"}
    os.kill(int((directory / "pid").read_text()), 1)
    wait_until_fine(target)


def test_what_a_configuration_names_is_measured_without_being_asked_for(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = directory / "etc/nginx/sites-enabled/web"
    config.parent.mkdir(parents=True)
    config.write_text("server {\n  ssl_certificate /chain.pem;\n}\n")
    monkeypatch.setattr(kind.probe.discovered, "__defaults__", (str(directory),))
    found = checks_of(kind)
    assert {check.target for check in found} == {f"{directory}/chain.pem"}
    assert red(found) == {}


def test_postgresql_presents_its_certificate(postgresql: Postgresql, directory: Path) -> None:
    target = {
        "host": HOST,
        "port": postgresql.port,
        "starttls": "postgres",
        "server_name": "www.test",
        "ca_data": ROOT.pem,
    }
    (unread, *_) = checks_of(kind, targets=[target])
    assert (unread.status, unread.summary) == (
        "unknown",
        f"{HOST}:{postgresql.port}: the server does not offer TLS within postgres, or hung up instead",
    )
    for name in ("chain.pem", "key.pem"):
        shutil.copy(directory / name, postgresql.directory / name)
        os.chown(postgresql.directory / name, postgresql.directory.stat().st_uid, -1)
        (postgresql.directory / name).chmod(0o600)
    settings = {"ssl_cert_file": "chain.pem", "ssl_key_file": "key.pem"}
    try:
        for setting, name in settings.items():
            postgresql.sql(f"ALTER SYSTEM SET {setting} = '{postgresql.directory / name}'")
        postgresql.sql("ALTER SYSTEM SET ssl = on")
        postgresql.sql("SELECT pg_reload_conf()")
        wait_until_fine(target)
    finally:
        postgresql.sql("ALTER SYSTEM RESET ALL")
        postgresql.sql("SELECT pg_reload_conf()")


def test_mariadb_presents_its_certificate(directory: Path) -> None:
    server = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert server, "MariaDB is not installed: apt-get install mariadb-server"
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    data, port = directory / "data", free_port()
    data.mkdir()
    for path in (data, directory / "key.pem"):
        os.chown(path, pwd.getpwnam(user).pw_uid, -1)
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={user}", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    options = [f"--datadir={data}", f"--socket={data}/sock", f"--port={port}", f"--bind-address={HOST}"]
    options += [f"--user={user}", f"--ssl-cert={directory}/chain.pem", f"--ssl-key={directory}/key.pem"]
    with running(server, "--no-defaults", *options, port=port):
        target = {"host": HOST, "port": port, "starttls": "mysql", "server_name": "www.test", "ca_data": ROOT.pem}
        assert red(checks_of(kind, targets=[target])) == {}


def test_every_case_on_the_python_and_cryptography_of_the_system(tmp_path: Path) -> None:
    """The whole table in one call of the module, side by side. Entries of a kubeconfig have names of their own."""
    seen = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import cryptography, yaml; print(cryptography.__version__)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert seen.returncode == 0, "libraries are missing: apt-get install python3-cryptography python3-yaml"
    cases = {name: case for name, case in CASES.items() if not name.startswith("kubeconfig,") and name != "kubeconfig"}
    with contextlib.ExitStack() as stack:
        targets = []
        for number, (name, (place, options, _)) in enumerate(cases.items()):
            directory = tmp_path / str(number)
            directory.mkdir()
            given = write_files({**TRUSTED, **options, **place(directory, stack)}, directory)
            targets.append({"name": name, **{key: value for key, value in given.items() if value is not None}})
        checks = through_the_module(tmp_path, targets)
    not_fine: dict[str, dict[str, str]] = {name: {} for name in cases}
    for check in checks:
        if check["status"] not in ("ok", "skipped"):
            not_fine[check["target"]][check["id"].split(".")[1]] = check["status"]
    assert len(checks) == len(cases) * len(kind.CHECKS)
    assert not_fine == {name: verdict for name, (_, _, verdict) in cases.items()}, seen.stdout


def through_the_module(directory: Path, targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = directory / "answer.json"
    tasks = [
        {"sre.runbooks.certificate_check": {"targets": targets}, "register": "found"},
        {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(answer), "mode": "0600"}},
    ]
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": SYSTEM_PYTHON},
        "tasks": tasks,
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play], allow_unicode=True))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(directory / "play.yml")]
    environment = {**os.environ, "SRE_RUNBOOKS_DIRECTORY": str(directory / "state")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    checks: list[dict[str, Any]] = json.loads(answer.read_text())["checks"]
    return checks
