# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plain conversations before TLS, as scripts: what a server says until the handshake begins (STARTTLS).

They follow the protocols' documents, and are no servers: each answers the one question that leads to TLS.
"""

from __future__ import annotations

import socket
import struct

from ansible_collections.sre.runbooks.tests.unit.authority import Dialogue


def lines(greeting: bytes, *turns: tuple[bytes, bytes]) -> Dialogue:
    """A protocol of lines: greet, then answer each line that begins as expected."""

    def converse(connection: socket.socket) -> None:
        connection.sendall(greeting)
        for expected, answer in turns:
            heard = _line(connection)
            tag = heard.split(b" ", 1)[0]
            assert expected in heard.upper(), heard
            connection.sendall(answer.replace(b"TAG", tag))

    return converse


def _line(connection: socket.socket) -> bytes:
    heard = b""
    while not heard.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise OSError("the client left")
        heard += byte
    return heard


def _exactly(connection: socket.socket, count: int) -> bytes:
    heard = b""
    while len(heard) < count:
        some = connection.recv(count - len(heard))
        if not some:
            raise OSError("the client left")
        heard += some
    return heard


def ldap(connection: socket.socket) -> None:
    """RFC 4511: an extended request for StartTLS, an extended response with resultCode success."""
    header = _exactly(connection, 2)
    request = _exactly(connection, header[1])
    assert b"1.3.6.1.4.1.1466.20037" in request
    connection.sendall(bytes.fromhex("300c0201017807 0a0100 0400 0400"))


def postgres(connection: socket.socket) -> None:
    """SSLRequest is 8 bytes with the code 80877103; S means yes."""
    assert struct.unpack("!II", _exactly(connection, 8)) == (8, 80877103)
    connection.sendall(b"S")


def mysql(connection: socket.socket) -> None:
    """Handshake V10 with CLIENT_SSL among the capabilities, then the client's SSLRequest of 32 bytes."""
    capabilities = 0x800 | 0x200 | 0x8000  # CLIENT_SSL, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION
    payload = b"\x0a8.0.36\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", capabilities)
    payload += b"\x21" + struct.pack("<HHB", 2, 0, 21) + b"\0" * 10 + b"123456789012\0"
    connection.sendall(struct.pack("<I", len(payload))[:3] + b"\0" + payload)
    header = _exactly(connection, 4)
    _exactly(connection, int.from_bytes(header[:3], "little"))


def xmpp(connection: socket.socket) -> None:
    """RFC 6120: the stream, its features, <starttls/>, <proceed/>."""
    _until(connection, b"version='1.0'>")
    connection.sendall(
        b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
        b"id='1' from='www.test' version='1.0'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
        b"<required/></starttls></stream:features>"
    )
    _until(connection, b"<starttls")
    _until(connection, b">")
    connection.sendall(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")


def _until(connection: socket.socket, end: bytes) -> None:
    heard = b""
    while end not in heard:
        byte = connection.recv(1)
        if not byte:
            raise OSError("the client left")
        heard += byte


STARTTLS: dict[str, Dialogue] = {
    "smtp": lines(
        b"220 mx.test ESMTP\r\n",
        (b"EHLO", b"250-mx.test\r\n250 STARTTLS\r\n"),
        (b"STARTTLS", b"220 go ahead\r\n"),
    ),
    "imap": lines(
        b"* OK ready\r\n",
        (b"CAPABILITY", b"* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK\r\n"),
        (b"STARTTLS", b"TAG OK begin\r\n"),
    ),
    "pop3": lines(b"+OK ready\r\n", (b"STLS", b"+OK begin\r\n")),
    "ftp": lines(b"220 ready\r\n", (b"AUTH TLS", b"234 go\r\n")),
    "ldap": ldap,
    "postgres": postgres,
    "mysql": mysql,
    "xmpp": xmpp,
}

SMTP_WITHOUT_TLS = lines(b"220 mx.test ESMTP\r\n", (b"EHLO", b"250 mx.test\r\n"), (b"STARTTLS", b"502 what?\r\n"))
