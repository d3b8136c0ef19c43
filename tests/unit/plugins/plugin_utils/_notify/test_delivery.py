# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages to real receivers on the loopback interface: a webhook and a mail server, well and unwell."""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.server
import json
import socket
import threading
import time
import typing as t

import pytest
from aiosmtpd.controller import Controller

from ansible_collections.sre.runbooks.plugins.plugin_utils._notify import Notifier, deliver
from ansible_collections.sre.runbooks.plugins.plugin_utils._notify.delivery import redact
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import record, report

BAD = record("service.active", "nginx", "critical", "nginx is inactive_now", change="new", previous="ok")
SECRETS = ("us3r-name", "pa55-word", "t0ken-of-ours")


class Webhook(http.server.ThreadingHTTPServer):
    """Answers every POST with one status, and keeps what it got. With ``drip`` it never comes to the end of its answer."""

    def __init__(self, status: int = 200, *, drip: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.drip, self.got = status, drip, []  # type: int, bool, list[dict[str, t.Any]]
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"json://us3r-name:pa55-word@127.0.0.1:{self.server_port}/t0ken-of-ours"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while self.server.drip and not self.server.closing.wait(0.05):
                self.wfile.write(b".")
            self.wfile.write(b"." * 1000)
        self.close_connection = True

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def webhook(status: int = 200, *, drip: bool = False) -> t.Iterator[Webhook]:
    server = Webhook(status, drip=drip)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Mailbox:
    """Keeps the mails that it is given, or refuses them all."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.answer, self.got = answer, []  # type: str, list[t.Any]

    async def handle_DATA(self, _server: t.Any, _session: t.Any, envelope: t.Any) -> str:  # noqa: N802
        self.got.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer


@contextlib.contextmanager
def mail_server(mailbox: Mailbox) -> t.Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"mailto://127.0.0.1:{port}/?from=runbooks@example.org&to=ops@example.org&mode=insecure"
    finally:
        controller.stop()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_webhook_gets_the_message() -> None:
    with webhook() as server:
        (check,) = deliver([Notifier("ops", (server.url,))], report([BAD]))
    assert (check.id, check.target, check.status) == ("run.notification", "ops", "ok")
    assert check.summary == "ops was told about 1 finding"
    (got,) = server.got
    assert got["title"] == "edubot daily: critical, 1 new"
    assert "CRITICAL service.active nginx on web-1: nginx is inactive_now" in got["message"]


def test_a_mail_arrives_as_html_with_the_same_words() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as url:
        (check,) = deliver([Notifier("mail", (url,))], report([BAD]))
    assert check.status == "ok"
    (got,) = mailbox.got
    assert got["Subject"] == "edubot daily: critical, 1 new"
    html = got.get_body(("html",)).get_content()
    assert "<strong>critical</strong>" in html
    assert "nginx is inactive_now" in html


@pytest.mark.parametrize("trouble", ["refused", "500", "mail refused", "not a mail server"])
def test_what_does_not_arrive_is_as_bad_as_what_it_was_to_tell_and_shows_no_secret(
    trouble: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with contextlib.ExitStack() as stack:
        url = {
            "refused": lambda: f"json://us3r-name:pa55-word@127.0.0.1:{closed_port()}/t0ken-of-ours",
            "500": lambda: stack.enter_context(webhook(500)).url,
            "mail refused": lambda: stack.enter_context(mail_server(Mailbox("554 t0ken-of-ours is spam"))),
            "not a mail server": lambda: (
                f"mailto://us3r-name:pa55-word@127.0.0.1:{closed_port()}/?from=a@example.org&to=ops@example.org"
            ),
        }[trouble]()
        (check,) = deliver([Notifier("ops", (url,))], report([BAD]))
    assert check.status == "critical"
    assert check.summary.startswith("ops was not told about 1 finding: ")
    assert check.detail["reasons"]
    shown = f"{check} {''.join(capfd.readouterr())}"
    secrets = SECRETS if "mail refused" not in trouble else ("ops@example.org",)
    assert not [secret for secret in secrets if secret in shown]


def test_an_error_of_the_service_is_told() -> None:
    with webhook(500) as server:
        (check,) = deliver([Notifier("ops", (server.url,))], report([BAD]))
    assert "500" in check.summary


def test_an_address_that_hangs_ends_with_the_time_limit_and_holds_up_nobody() -> None:
    with webhook(drip=True) as slow, webhook() as fast:
        started = time.monotonic()
        checks = deliver([Notifier("slow", (slow.url,)), Notifier("fast", (fast.url,))], report([BAD]), seconds=0.5)
        assert time.monotonic() - started < 5
    assert [(check.target, check.status) for check in checks] == [("slow", "critical"), ("fast", "ok")]
    assert "no answer within 0.5 s" in checks[0].summary


def test_one_address_of_several_that_is_out_of_order_is_a_warning() -> None:
    with webhook() as well, webhook(500) as unwell:
        (check,) = deliver([Notifier("ops", (well.url, unwell.url))], report([BAD]))
    assert check.status == "warning"
    assert "at 1 of 2 addresses" in check.summary


def test_a_run_in_check_mode_tells_nobody_and_shows_the_text() -> None:
    with webhook() as server:
        (check,) = deliver([Notifier("ops", (server.url,))], report([BAD], run={"check_mode": True}))
    assert server.got == []
    assert check.status == "skipped"
    assert "would be told: edubot daily: critical, 1 new" in check.summary
    assert "nginx is inactive_now" in check.detail["text"]


def test_who_has_nothing_to_hear_is_left_alone() -> None:
    with webhook() as server:
        assert deliver([Notifier("ops", (server.url,))], report([record("system.cpu")])) == []
    assert server.got == []


def test_what_a_service_says_loses_the_parts_of_its_url() -> None:
    url = "json://us3r-name:pa55%2Dword@hooks.example.org/t0ken-of-ours?key=abcdef"
    said = redact("POST https://us3r-name:pa55-word@hooks.example.org/t0ken-of-ours?key=abcdef gave 500", url)
    assert said == "POST https://***:***@hooks.example.org/***?key=*** gave 500"
