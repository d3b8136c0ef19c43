# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""permission and its kin: how a tree is walked through, and what patterns mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._probe import permission as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe._trees import is_program, matches


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("*.log", "a/b/x.log", True),
        ("*.log", "x.log.gz", False),
        ("node_modules", "a/node_modules", True),
        ("wp-content/cache", "wp-content/cache", True),
        ("wp-content/cache", "wp-content/cache/a/b", True),
        ("wp-content/cache/", "wp-content/cache/a", True),
        ("/wp-content/cache", "wp-content/cache/a", True),
        ("wp-content/cache", "wp-content/cached", False),
        ("wp-content/cache", "x/wp-content/cache", False),
        ("wp-content/*.php", "wp-content/index.php", True),
    ],
)
def test_a_pattern_means_names_anywhere_or_a_path_and_what_is_below(pattern: str, path: str, meant: bool) -> None:
    assert matches(path, [pattern]) is meant


@pytest.mark.parametrize(
    "name", ["a.php", "a.php7", "A.PhP", "a.phtml", "a.php.jpg", ".htaccess", ".user.ini", "a.cgi"]
)
def test_what_a_server_may_execute_is_a_program(name: str) -> None:
    assert is_program(f"deep/{name}")


@pytest.mark.parametrize("name", ["a.jpg", "php.jpg", "a.phpx", "notes.txt", "a.json", "htaccess.txt"])
def test_pictures_and_papers_are_no_programs(name: str) -> None:
    assert not is_program(name)


def test_the_order_is_that_of_the_parts_of_the_paths(tmp_path: Path) -> None:
    for path in ("a/z", "a-b/x", "a.php", "B"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    paths = [entry.path for entry in probe.entries(probe.tree(str(tmp_path), [], 10))]
    assert paths == [".", "B", "a", "a/z", "a-b", "a-b/x", "a.php"]


def test_owners_without_a_name_stay_numbers() -> None:
    assert probe.owner(4_000_000_000) == "4000000000"
    assert probe.group(4_000_000_000) == "4000000000"
