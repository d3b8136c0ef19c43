# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Run WP-CLI for a site, as the user whom the site belongs to, and read what it prints.

Its exit code is no proof either way: several commands end with 0 when the database is down, updates that were carried out
end with 1, and an empty answer may mean "nothing" or "could not ask". Callers look for what only a success prints.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import re
import shutil
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command
from ansible_collections.sre.runbooks.plugins.module_utils._redact import redact

MARK = "@sre.runbooks@"
"""What surrounds our JSON on standard output, where PHP and plugins print warnings, notices and greetings as well."""


@dataclasses.dataclass(frozen=True)
class Site:
    """Where WordPress is (``path``), which site of a network is meant (``url``), and who runs which ``wp`` there.

    Without ``user`` it is run by the owner of the path. Root is nobody's default: every plugin would run as root.
    """

    path: str
    url: str | None = None
    user: str | None = None
    executable: str = "wp"


def wp(
    site: Site, arguments: t.Sequence[str], timeout: float, *, stdin: str = "", holds: t.Sequence[int] = ()
) -> Answer:
    """What a command of WP-CLI answers, whatever its exit code. ``timeout`` is in seconds, ``holds`` as of ``command``."""
    if not os.path.isdir(site.path):
        raise Unmeasurable(f"{site.path} is not a directory")
    executable = shutil.which(site.executable)
    if executable is None:
        raise Unmeasurable(f"{site.executable} is not installed")
    account = account_of(site)
    options = [f"--path={site.path}", "--no-color"]
    options += [f"--url={site.url}"] if site.url else []
    options += ["--allow-root"] if account.pw_uid == 0 else []
    environment = {"HOME": account.pw_dir, "USER": account.pw_name, "WP_CLI_DISABLE_AUTO_CHECK_UPDATE": "1"}
    argv = [*_become(account), executable, *arguments, *options]
    return command(argv, timeout, env=environment, stdin=stdin, holds=holds)


def account_of(site: Site) -> pwd.struct_passwd:
    """Who is to run it."""
    me = os.geteuid()
    try:
        if site.user is not None:
            account = pwd.getpwnam(site.user)
        elif me == 0:
            account = pwd.getpwuid(os.stat(site.path).st_uid)
        else:
            return pwd.getpwuid(me)
    except KeyError:
        whom = f"user {site.user}" if site.user else f"owner of {site.path}"
        raise Unmeasurable(f"the {whom} is not known on this host") from None
    if account.pw_uid == 0 and site.user is None:
        raise Unmeasurable(f"{site.path} belongs to root, and the code of a site is not run as root: name its user")
    if account.pw_uid != me != 0:
        raise Unmeasurable(f"running wp as {account.pw_name} takes root, and this is {pwd.getpwuid(me).pw_name}")
    return account


def _become(account: pwd.struct_passwd) -> list[str]:
    """``setpriv`` and not ``runuser`` or ``su``: it opens no session, so that the log of logins stays clean."""
    if account.pw_uid == os.geteuid():
        return []
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "--"]


def evaluate(site: Site, php: str, timeout: float) -> t.Any:
    """What a PHP expression is worth inside WordPress, as JSON makes it. Raises :class:`Unmeasurable`."""
    code = f"$sre_answer = {php}; echo '{MARK}', wp_json_encode($sre_answer), '{MARK}';"
    answer = wp(site, ["eval", code], timeout)
    if answer.rc:
        raise Unmeasurable(f"WordPress cannot be asked: {complaint(answer)}")
    parts = answer.stdout.split(MARK)
    if len(parts) != 3:
        raise Unmeasurable("WordPress ran and gave no answer, something in it ends every request")
    try:
        return json.loads(parts[1])
    except ValueError:
        raise Unmeasurable(f"WordPress gave an answer that is not JSON: {redact(parts[1])[:100]!r}") from None


def complaint(answer: Answer) -> str:
    """The line of an answer that says what is wrong, without secrets."""
    said = [line.strip() for line in (answer.stderr + "\n" + answer.stdout).splitlines() if line.strip()]
    telling = [line for line in said if re.search("(Fatal|Parse) error:", line)] or [
        line for line in said if line.startswith("Error:")
    ]
    line = (telling or said or [f"wp ended with exit code {answer.rc} and said nothing"])[0]
    return redact(re.sub(r"^Error: ", "", line))[:300]


def document(text: str) -> t.Any:
    """The JSON list or object that a command printed, with whatever lines stand around it; None for none."""
    decoder = json.JSONDecoder()
    for found in re.finditer(r"(?m)^[\[{]", text):
        try:
            value, end = decoder.raw_decode(text, found.start())
        except ValueError:
            continue
        if not text[end:].split("\n", 1)[0].strip():
            return value
    return None


def listed(text: str) -> list[dict[str, t.Any]] | None:
    """The rows that a command printed with ``--format=json``; None for none, which is not the same as an empty list."""
    rows = document(text)
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None
