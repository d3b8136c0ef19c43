# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is true of a pool of php-fpm: its settings, its status page, the queue of its socket, its opcode cache."""

from __future__ import annotations

import configparser
import glob
import json
import os
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import fastcgi
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import command

CONFIGURED = ("/etc/php/*/fpm/pool.d/*.conf", "/etc/php-fpm.d/*.conf", "/usr/local/etc/php-fpm.d/*.conf")


def pools(patterns: t.Sequence[str] = CONFIGURED) -> list[dict[str, str]]:
    """The settings of every pool that is configured on this host, with ``pool`` for its name."""
    found = []
    for path in sorted(file for pattern in patterns for file in glob.glob(pattern)):
        parser = configparser.RawConfigParser(strict=False, interpolation=None, comment_prefixes=(";",))
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                parser.read_file(file, path)
        except (OSError, configparser.Error) as exc:
            raise Unmeasurable(f"{path} cannot be read: {' '.join(str(exc).split())}") from None
        for name in parser.sections():
            settings = {key: value.strip("\"' ").replace("$pool", name) for key, value in parser.items(name)}
            if "listen" in settings:
                found.append({**settings, "pool": name})
    return found


def settings_of(address: str, patterns: t.Sequence[str] = CONFIGURED) -> dict[str, str] | None:
    """The settings of the pool that listens at an address; None when it is not configured where we look."""
    return next((settings for settings in pools(patterns) if _same(settings["listen"], address)), None)


def _same(listen: str, address: str) -> bool:
    if address.startswith("/") or listen.startswith("/"):
        return os.path.realpath(listen) == os.path.realpath(address)
    return listen.rpartition(":")[2] == address.rpartition(":")[2]


def ping(address: str, path: str, timeout: float) -> fastcgi.Answer:
    """Any answer shows that a worker is free. Raises :class:`fastcgi.Silent` when there is none."""
    return fastcgi.ask(address, path, timeout)


def status(address: str, path: str, timeout: float) -> dict[str, t.Any]:
    """The status page of a pool, as JSON has it: counters since ``start time``, and workers now."""
    try:
        answer = fastcgi.ask(address, path, timeout, "json")
    except fastcgi.Silent as exc:
        raise Unmeasurable(f"the status page does not answer: {exc}") from None
    if answer.status != 200:
        raise Unmeasurable(f"there is no status page at {path}: set pm.status_path of the pool")
    page = _object(answer.body, "the status page")
    for key in ("start time", "active processes", "max children reached", "slow requests"):
        if not isinstance(page.get(key), int):
            raise Unmeasurable(f"the status page does not say {key}")
    return page


def opcache(address: str, script: str, timeout: float) -> dict[str, t.Any] | None:
    """What a script on the host tells of the opcode cache of the pool, None when the cache is off.

    The script prints ``json_encode(opcache_get_status(false))``. The cache of the command line is another one.
    """
    try:
        answer = fastcgi.ask(address, script, timeout)
    except fastcgi.Silent as exc:
        raise Unmeasurable(f"the opcode cache cannot be asked for: {exc}") from None
    if answer.status != 200:
        said = answer.complaints.splitlines()[-1][:200] if answer.complaints else f"status {answer.status}"
        raise Unmeasurable(f"php-fpm does not run {script}: {said}")
    if answer.body.strip() == "false":
        return None
    page = _object(answer.body, script)
    if not isinstance(page.get("opcache_statistics"), dict):
        raise Unmeasurable(f"{script} does not print what opcache_get_status() says")
    return page


def _object(body: str, what: str) -> dict[str, t.Any]:
    try:
        found = json.loads(body)
    except ValueError:
        raise Unmeasurable(f"{what} is not JSON: {body[:100]!r}") from None
    if not isinstance(found, dict):
        raise Unmeasurable(f"{what} is no JSON object")
    return found


def queue(address: str, timeout: float) -> int | None:
    """How many connections wait at a listening socket of this host, as the kernel knows; None for one that is not of it.

    php-fpm counts this for TCP alone: of a unix socket its status page always says 0.
    """
    unix = address.startswith("/")
    answer = command(["ss", "-xlnH" if unix else "-tlnH"], timeout)
    if answer.rc:
        raise Unmeasurable(f"ss ended with exit code {answer.rc}: {answer.stderr.strip()[:200]}")
    column = 4 if unix else 3
    for fields in (line.split() for line in answer.stdout.splitlines()):
        if len(fields) > column and _same(fields[column], address):
            return int(fields[column - 2])
    return None
