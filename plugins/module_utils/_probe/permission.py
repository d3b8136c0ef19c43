# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whose the files of a tree are, what they grant, and which of them hold private keys."""

from __future__ import annotations

import fnmatch
import functools
import grp
import os
import pwd
import re
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._probe._trees import Entry, Tree

SECRET_NAMES = (
    ".pgpass",
    ".my.cnf",
    ".netrc",
    ".htpasswd",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    "*.p12",
    "*.pfx",
)
KEY_NAMES = ("*.key", "*.pem")
_KEY = re.compile(rb"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")


def tree(root: str, exclude: t.Sequence[str], timeout: float) -> Tree:
    """The tree below ``root``. Raises :class:`Unmeasurable` when it is not there."""
    return Tree(root, exclude, time.monotonic() + 0.95 * timeout)


def entries(tree: Tree) -> t.Iterator[Entry]:
    """The root itself as ``.``, and everything in it."""
    yield Entry(".", "dir", os.lstat(tree.root))
    yield from tree.entries()


@functools.lru_cache(maxsize=1000)
def owner(uid: int) -> str:
    """The name of a user, or the number of one without."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@functools.lru_cache(maxsize=1000)
def group(gid: int) -> str:
    """The name of a group, or the number of one without."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def is_secret(tree: Tree, entry: Entry) -> bool:
    """Whether a file holds a secret: by its name, or a private key by its content. Raises :class:`Unreadable`."""
    if any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in SECRET_NAMES):
        return True
    if not any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in KEY_NAMES):
        return False
    try:
        return any(_KEY.search(block) for block in tree.blocks(entry.path))
    except FileNotFoundError:
        return False
