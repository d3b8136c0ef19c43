# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificates: where the certificates of a host's services are found."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import certificates, x509
from ansible_collections.sre.runbooks.tests.unit import authority as ca

LEAF = ca.issue("www.test")


def put(root: Path, path: str, text: str = LEAF.pem) -> str:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return str(file)


def test_a_host_without_services_has_none(tmp_path: Path) -> None:
    assert certificates.discovered(str(tmp_path)) == []


def test_what_certbot_keeps_is_found_with_its_key(tmp_path: Path) -> None:
    chain = put(tmp_path, "/etc/letsencrypt/live/example.org/fullchain.pem")
    key = put(tmp_path, "/etc/letsencrypt/live/example.org/privkey.pem", LEAF.key_pem())
    put(tmp_path, "/etc/letsencrypt/live/example.org/cert.pem")
    assert certificates.discovered(str(tmp_path)) == [(chain, key)]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            "/etc/nginx/sites-enabled/web",
            "server {\n  ssl_certificate /x/web.pem;\n  ssl_certificate_key /x/web.key;\n}",
        ),
        ("/etc/nginx/nginx.conf", '  ssl_certificate "/x/web.pem"; # here\n  ssl_certificate_key "/x/web.key";\n'),
        ("/etc/apache2/sites-enabled/web.conf", "SSLCertificateFile /x/web.pem\nSSLCertificateKeyFile /x/web.key\n"),
        ("/etc/postfix/main.cf", "smtpd_tls_cert_file=/x/web.pem\nsmtpd_tls_key_file = /x/web.key\n"),
        ("/etc/dovecot/conf.d/10-ssl.conf", "ssl_cert = </x/web.pem\nssl_key = </x/web.key\n"),
        ("/etc/postgresql/15/main/postgresql.conf", "ssl_cert_file = '/x/web.pem'\nssl_key_file = '/x/web.key'\n"),
        ("/etc/mysql/mariadb.conf.d/50-server.cnf", "ssl-cert = /x/web.pem\nssl-key = /x/web.key\n"),
    ],
)
def test_what_a_configuration_names_is_found_with_its_key(tmp_path: Path, config: str, text: str) -> None:
    put(tmp_path, config, text)
    chain, key = put(tmp_path, "/x/web.pem"), put(tmp_path, "/x/web.key", LEAF.key_pem())
    assert certificates.discovered(str(tmp_path)) == [(chain, key)]


def test_what_is_commented_out_or_no_path_is_left_alone(tmp_path: Path) -> None:
    text = "#ssl_certificate /x/old.pem;\nssl_certificate $chosen;\nssl_certificate data:$text;\nssl_certificate near.pem;\n"
    put(tmp_path, "/etc/nginx/nginx.conf", text)
    assert certificates.discovered(str(tmp_path)) == [(str(tmp_path / "etc/nginx/near.pem"), None)]


@pytest.mark.parametrize(("switch", "count"), [("ssl = off", 0), ("#ssl = off", 1), ("ssl = on", 1)])
def test_a_service_that_does_not_use_tls_needs_no_certificate(tmp_path: Path, switch: str, count: int) -> None:
    put(tmp_path, "/etc/postgresql/15/main/postgresql.conf", f"{switch}\nssl_cert_file = '/x/web.pem'\n")
    assert len(certificates.discovered(str(tmp_path))) == count


def test_a_file_that_is_named_twice_is_measured_once(tmp_path: Path) -> None:
    chain = put(tmp_path, "/etc/letsencrypt/live/example.org/fullchain.pem")
    link = tmp_path / "etc/ssl/web.pem"
    link.parent.mkdir()
    link.symlink_to(chain)
    put(tmp_path, "/etc/nginx/nginx.conf", "ssl_certificate /etc/ssl/web.pem;\n")
    assert certificates.discovered(str(tmp_path)) == [(chain, None)]


def test_loose_files_count_and_bundles_of_cas_and_keys_do_not(tmp_path: Path) -> None:
    loose = put(tmp_path, "/etc/ssl/web.pem")
    put(tmp_path, "/etc/ssl/cert.pem", LEAF.pem * 30)
    put(tmp_path, "/etc/ssl/dh.pem", "-----BEGIN DH PARAMETERS-----\n")
    put(tmp_path, "/etc/ssl/certs/a-root.pem")
    assert certificates.discovered(str(tmp_path)) == [(loose, None)]


def test_what_may_not_be_read_is_not_passed_over() -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        put(root, "/etc/letsencrypt/live/example.org/fullchain.pem")
        live = root / "etc/letsencrypt/live"
        root.chmod(0o755)
        live.chmod(0)
        me = os.geteuid()
        if me == 0:  # who may read everything
            os.seteuid(65534)
        try:
            assert certificates.discovered(directory) == [(str(live), None)]
            with pytest.raises(Unmeasurable, match="Permission denied"):
                certificates.read(str(live))
        finally:
            os.seteuid(me)
            live.chmod(0o700)


def test_a_file_too_large_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "MOST_BYTES", 10)
    with pytest.raises(Unmeasurable, match="is larger than"):
        certificates.read(put(tmp_path, "/large.pem"))


def test_a_host_without_pyyaml_reads_kubeconfigs_in_json_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(Unmeasurable, match="python3-yaml"):
        certificates.kubeconfig(None, "users: []")
    with pytest.raises(Unmeasurable, match="names no certificate"):
        certificates.kubeconfig(None, '{"users": []}')


@pytest.mark.parametrize(
    ("held", "asked", "covered"),
    [
        ("*.example.org", "www.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "a.b.example.org", False),
        ("*", "localhost", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("::1", "[::1]", True),
        ("localhost", "127.0.0.1", False),
        ("xn--bcher-kva.test", "Bücher.test", True),
    ],
)
def test_names_match_as_clients_match_them(held: str, asked: str, covered: bool) -> None:
    assert x509.certificate(ca.issue(held).der).covers(asked) is covered
