# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How to ask over HTTP: the options that the kinds which do so have in common, and what is refused. No I/O."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.sre.runbooks.plugins.module_utils._check import BadOption
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

OPTIONS: dict[str, t.Any] = {
    "headers": {"type": "dict", "default": {}},
    "secret_headers": {"type": "dict", "default": {}, "no_log": True},
    "secret_parameters": {"type": "dict", "default": {}, "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "login": {
        "type": "dict",
        "options": {
            "url": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "username_field": {"type": "str", "no_log": False},
            "password_field": {"type": "str", "no_log": False},
            "fields": {"type": "dict"},
        },
    },
    "proxy": {"type": "str", "no_log": True},
    "family": {"type": "str", "choices": ["any", "ipv4", "ipv6"], "default": "any"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "retries": {"type": "int", "default": 1},
    "request_timeout": {"type": "float", "default": 10.0},
}
"""Part of the ``TUNING`` of a kind."""

DIRECT = "direct"
"""The proxy that stands for none."""


def check_url(url: str) -> None:
    """Raise :class:`BadOption` for what is no address of a web server. No I/O."""
    try:
        place = urllib.parse.urlsplit(url)
        host, _port = place.hostname, place.port
        (host or "").encode("idna")
    except ValueError as exc:
        raise BadOption(f"{redact(url)} is no address: {exc}") from None
    if place.scheme not in ("http", "https") or not host:
        raise BadOption(f"{redact(url)} is no address: write http://host/path or https://host/path")
    if "@" in place.netloc:
        raise BadOption(f"{redact(url)} holds credentials, which would be shown: give them in username and password")


def check_request(target: t.Mapping[str, t.Any]) -> None:
    """Raise :class:`BadOption` for request options that cannot be meant. No I/O, and no value of a secret in the text."""
    _check_headers(target)
    if (target["username"] is None) != (target["password"] is None):
        raise BadOption("username, password: give both or none")
    if target["client_key"] and not target["client_cert"]:
        raise BadOption("client_key: there is no client_cert that it belongs to")
    if target["retries"] < 0:
        raise BadOption("retries: give 0 or more")
    if not 0 < target["request_timeout"] < target["timeout"]:
        raise BadOption(
            f"request_timeout: {target['request_timeout']:g} s has to be more than 0 and less than timeout, "
            f"{target['timeout']:g} s, or a server that hangs is not told from a check that hangs"
        )
    if target["proxy"] not in (None, DIRECT):
        proxy = urllib.parse.urlsplit(target["proxy"])
        if proxy.scheme != "http" or not proxy.hostname:
            raise BadOption(f"proxy: write http://host:port, or {DIRECT} for none whatever the environment says")
    if target["connect_to"] and not target["connect_to"].startswith("/"):
        _check_way(target["connect_to"])
    if target["login"]:
        if not all(target["login"].get(option) for option in ("url", "username", "password")):
            raise BadOption("login: url, username and password are required")
        check_url(target["login"]["url"])


def _check_headers(target: t.Mapping[str, t.Any]) -> None:
    for option in ("headers", "secret_headers"):
        for key, value in target[option].items():
            if re.search(r"[\r\n\0]", f"{key}{value}") or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", key):
                raise BadOption(
                    f"{option}.{key!r}: not a header; a line break at the end of a secret is easily overlooked"
                )


def _check_way(way: str) -> None:
    try:
        place = urllib.parse.urlsplit(f"//{way}")
        if place.hostname and place.port != 0 and place.netloc == way and ("[" in way or way.count(":") < 2):
            return
    except ValueError:
        pass
    raise BadOption(f"connect_to: {way}: write address, address:port, [address]:port or /path/to/socket")
