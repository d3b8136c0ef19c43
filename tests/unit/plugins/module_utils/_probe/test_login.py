# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""login: what a real sshd, sudo and su have written, in every dress in which it is found."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import re
import time
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import login as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe.login import Logins

RECORDED = Path(__file__).parents[4] / "fixtures/login/openssh-9.2p1-sudo-1.9.13-debian12.log"
DAY = 86400
BSD, ISO = "%b %e %H:%M:%S", "%Y-%m-%dT%H:%M:%S.000000+00:00"


def dated(text: str, stamp: str = BSD, ago: float = 600) -> str:
    """The lines as if they had been written some seconds ago, each a second later than the one before."""
    lines, moment = [], time.time() - ago
    for number, line in enumerate(text.splitlines()):
        when = dt.datetime.fromtimestamp(moment + number, dt.UTC)
        lines.append(re.sub(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d", when.strftime(stamp), line))
    return "\n".join(lines) + "\n"


def line(message: str) -> str:
    return f"Nov  5 05:00:00 web1 {message}\n"


def failed(source: str, user: str = "root", times: int = 1) -> str:
    return line(f"sshd[1]: Failed password for {user} from {source} port 4711 ssh2") * times


def accepted(source: str, user: str = "root", method: str = "password") -> str:
    return line(f"sshd[1]: Accepted {method} for {user} from {source} port 4711 ssh2")


def read(path: Path, window: float = DAY) -> Logins:
    return probe.of_host(str(path), window, "UTC", 30)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


@pytest.mark.parametrize("program", ["sshd", "sshd-session", "sshd-auth"])
@pytest.mark.parametrize("stamp", [BSD, ISO])
def test_what_sshd_sudo_and_su_have_written_is_counted_once(log: Path, stamp: str, program: str) -> None:
    """Debian 13 has the same messages from sshd-session, rsyslog of Debian 12 writes ISO time stamps."""
    log.write_text(dated(RECORDED.read_text(), stamp).replace(" sshd[", f" {program}["))
    found = read(log)
    assert found.sources == {"203.0.113.5": 5}
    assert found.users == {"jo": 3}
    assert found.invalid == {"admin": 1, "root from 9.9.9.9 port 22 ssh2": 1}
    assert found.successes == {"jo from 203.0.113.5": 1}
    assert [(breach.user, breach.failures) for breach in found.breaches] == [("jo", 5)]
    assert found.denied == {"jo": 6}


def test_a_user_name_made_to_look_like_an_address_accuses_nobody_else(log: Path) -> None:
    """What ``ssh 'root from 9.9.9.9 port 22 ssh2'@host`` leaves behind, as recorded."""
    log.write_text(dated(RECORDED.read_text()))
    assert "9.9.9.9" not in read(log).sources


def test_only_what_lies_in_the_window_counts(log: Path) -> None:
    log.write_text(dated(failed("192.0.2.1"), ago=3 * DAY) + dated(failed("192.0.2.2"), ago=60))
    assert read(log).sources == {"192.0.2.2": 1}
    assert read(log, 4 * DAY).sources == {"192.0.2.1": 1, "192.0.2.2": 1}


def test_what_rotation_put_away_counts(log: Path) -> None:
    log.write_text(dated(failed("192.0.2.1"), ago=60))
    for number, content in ((1, dated(failed("192.0.2.1"), ago=2 * DAY).encode()), (2, None)):
        archive = log.with_name(f"auth.log.{number}" + (".gz" if content is None else ""))
        archive.write_bytes(content or gzip.compress(dated(failed("192.0.2.1"), ago=3 * DAY).encode()))
        os.utime(archive, (0, time.time() - (number + 1) * DAY + 60))
    assert read(log, 7 * DAY).failures == 3


def test_how_far_the_log_goes_back_is_known(log: Path) -> None:
    log.write_text(dated(failed("192.0.2.1"), ago=3600))
    assert not read(log).covered
    log.write_text(dated(failed("192.0.2.1"), ago=2 * DAY) + dated(failed("192.0.2.1"), ago=3600))
    assert read(log).covered


def test_a_login_ends_a_run_of_failures_and_a_key_does_not(log: Path) -> None:
    log.write_text(
        dated(
            failed("192.0.2.1", times=7)
            + accepted("192.0.2.1", method="publickey")
            + accepted("192.0.2.2")
            + accepted("192.0.2.1")
            + accepted("192.0.2.1")
        )
    )
    found = read(log)
    assert [(breach.source, breach.failures) for breach in found.breaches] == [("192.0.2.1", 7)]


@pytest.mark.parametrize(
    ("message", "sources"),
    [
        ("sshd[1]: message repeated 3 times: [ Failed password for root from 192.0.2.1 port 1 ssh2]", {"192.0.2.1": 3}),
        ("sshd[1]: Failed publickey for jo from 192.0.2.1 port 1 ssh2: ED25519 SHA256:x", {}),
        ("sshd[1]: Failed none for jo from 192.0.2.1 port 1 ssh2", {}),
        ("sshd[1]: Failed publickey for invalid user jo from 2001:db8::1 port 1 ssh2", {"2001:db8::1": 1}),
        ("sshd[1]: error: PAM: Authentication failure for root from 192.0.2.1", {"192.0.2.1": 1}),
        ("sshd[1]: Failed keyboard-interactive/pam for root from 192.0.2.1 port 1 ssh2", {}),
        ("vsftpd[1]: pam_unix(vsftpd:auth): authentication failure; logname= tty=ftp ruser=jo rhost=192.0.2.1", {"192.0.2.1": 1}),
        ("login[1]: pam_unix(login:auth): authentication failure; tty=/dev/tty1 ruser= rhost=  user=root", {"this host": 1}),
        ("wordpress(shop.example.org)[1]: Authentication failure for admin from 192.0.2.1", {"192.0.2.1": 1}),
        ("app[1]: Failed password for root from 192.0.2.1 port 1 ssh2", {}),
        ("sshd[1]: Received disconnect from 192.0.2.1 port 1:11: Bye Bye [preauth]", {}),
    ],
)  # fmt: skip
def test_each_kind_of_line_is_understood(log: Path, message: str, sources: dict[str, int]) -> None:
    log.write_text(dated(line(message)))
    assert read(log).sources == sources


def test_sudo_that_gives_up_tells_every_attempt_and_pam_the_first(log: Path) -> None:
    pam = "sudo: pam_unix(sudo:auth): authentication failure; logname=jo uid=1000 euid=0 tty=/dev/pts/0 ruser=jo rhost=  user=jo"
    gave_up = "sudo:       jo : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/jo ; USER=root ; COMMAND=/bin/ls"
    log.write_text(dated(line(pam) + line(gave_up) + line(pam)))
    assert read(log).denied == {"jo": 4}


def test_a_log_that_nobody_writes_any_more_is_unmeasurable(log: Path) -> None:
    log.write_text(dated(failed("192.0.2.1"), ago=40 * DAY))
    with pytest.raises(Unmeasurable, match=r"nothing was written to .*auth.log for 40 days"):
        read(log)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "does not exist"), ("", "is empty"), ("no log at all\n" * 5, "no time stamp of the format syslog")],
)
def test_a_log_that_tells_nothing_is_unmeasurable(log: Path, content: str | None, reason: str) -> None:
    if content is not None:
        log.write_text(content)
    with pytest.raises(Unmeasurable, match=reason):
        read(log)


def test_a_log_that_may_not_be_read_is_unmeasurable(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text(dated(failed("192.0.2.1")))

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(Unmeasurable, match="Permission denied"):
        read(log)


class Host:
    """A host with a journal, as a stand-in for journalctl tells it, and with files."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory, self.file = directory, directory / "auth.log"
        (directory / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{directory}/bin:/usr/bin:/bin")
        monkeypatch.setattr(probe, "AUTH_LOGS", (str(self.file), str(directory / "secure")))
        self.journal("exit 1")

    def journal(self, script: str) -> None:
        fake = self.directory / "bin/journalctl"
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)

    def keeps_a_journal(self, message: str, *, begins: float) -> None:
        def entry(ago: float, text: str) -> str:
            return json.dumps(
                {
                    "__REALTIME_TIMESTAMP": str(int((time.time() - ago) * 1e6)),
                    "SYSLOG_IDENTIFIER": "sshd-session",
                    "_PID": "7",
                    "MESSAGE": text,
                }
            )

        (self.directory / "first").write_text(entry(begins, "Server listening on :: port 22.") + "\n")
        (self.directory / "last").write_text(entry(60, message) + "\n")
        self.journal(
            f'case "$*" in *--lines=1*) cat {self.directory}/last;; *) cat {self.directory}/first {self.directory}/last;; esac'
        )

    def read(self) -> Logins:
        return probe.of_host(None, DAY, "UTC", 30)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


FAILED = "Failed password for root from 192.0.2.9 port 22 ssh2"


def test_the_journal_is_read_where_it_goes_back_far_enough(host: Host) -> None:
    host.keeps_a_journal(FAILED, begins=2 * DAY)
    host.file.write_text(dated(failed("192.0.2.1"), ago=60))
    found = host.read()
    assert (found.read, found.sources, found.covered) == ("the journal", {"192.0.2.9": 1}, True)


def test_the_file_is_read_where_the_journal_is_too_short(host: Host) -> None:
    host.keeps_a_journal(FAILED, begins=3600)
    host.file.write_text(dated(failed("192.0.2.1"), ago=60))
    assert host.read().sources == {"192.0.2.1": 1}


def test_a_file_left_behind_by_rsyslog_does_not_hide_the_journal(host: Host) -> None:
    host.keeps_a_journal(FAILED, begins=3600)
    host.file.write_text(dated(failed("192.0.2.1"), ago=90 * DAY))
    found = host.read()
    assert (found.sources, found.covered) == ({"192.0.2.9": 1}, False)


def test_a_host_without_any_log_of_logins_is_unmeasurable_and_says_where_it_was_looked_for(host: Host) -> None:
    with pytest.raises(
        Unmeasurable, match=r"there is no log of logins: .*auth.log does not exist.*secure does not exist"
    ):
        host.read()


def access(status: int, request: str = "POST /wp-login.php HTTP/1.1", source: str = "203.0.113.7") -> str:
    when = dt.datetime.fromtimestamp(time.time() - 60, dt.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{source} - - [{when}] "{request}" {status} 4711 "-" "Mozilla/5.0 (9.9.9.9)"\n'


@pytest.mark.parametrize(
    ("written", "failures"),
    [
        (access(200) * 3, 3),
        (access(302), 0),
        (access(200, "GET /wp-login.php HTTP/1.1"), 0),
        (access(200, "POST /blog/wp-login.php?redirect_to=x HTTP/2.0"), 1),
        (access(200, "POST /wp-login.php?action=lostpassword HTTP/1.1"), 0),
        (access(200, "POST /wp-login.php?action=login HTTP/1.1"), 1),
        (access(403), 0),
    ],
)
def test_a_login_form_that_comes_back_was_refused(tmp_path: Path, written: str, failures: int) -> None:
    path = tmp_path / "access.log"
    path.write_text(written)
    assert probe.of_wordpress(str(path), DAY, "UTC", 30).sources == ({"203.0.113.7": failures} if failures else {})


def test_a_login_to_wordpress_after_refusals_is_told(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(access(200) * 30 + access(302) + access(302, source="198.51.100.1"))
    [breach] = probe.of_wordpress(str(path), DAY, "UTC", 30).breaches
    assert (breach.source, breach.failures) == ("203.0.113.7", 30)


def test_virtual_hosts_before_the_address_are_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("shop.example.org:443 " + access(200))
    assert probe.of_wordpress(str(path), DAY, "UTC", 30).sources == {"203.0.113.7": 1}
