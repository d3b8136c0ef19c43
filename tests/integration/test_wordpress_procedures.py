# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changes a WordPress, run by ansible-playbook against a real one."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.sre.runbooks.tests.integration.playbook import LOCAL, ROOT
from ansible_collections.sre.runbooks.tests.integration.wordpress_site import WP, Site, running_wordpress

Play = Callable[..., str]
RECAP = re.compile(r"changed=(\d+).*failed=(\d+)")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_wordpress() as running:
        yield running


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """``play(tasks, "--check")`` runs tasks and returns what was printed."""

    def run(tasks: list[dict[str, Any]], *arguments: str) -> str:
        pages = [{"name": "Work", "hosts": "localhost", "gather_facts": False, "vars": LOCAL, "tasks": tasks}]
        (tmp_path / "play.yml").write_text(yaml.safe_dump(pages))
        done = subprocess.run(
            ["ansible-playbook", str(tmp_path / "play.yml"), *arguments],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    return run


def changed_and_failed(output: str) -> tuple[int, int]:
    found = RECAP.search(output)
    assert found, output
    return int(found[1]), int(found[2])


def test_wp_cli_in_check_mode_once_and_twice(site: Site, play: Play) -> None:
    plugin = site.path / "wp-content/plugins/shop.php"
    plugin.write_text("<?php\n/*\nPlugin Name: Shop\nVersion: 1.0\n*/\n")
    about = {"path": str(site.path), "executable": str(WP), "user": site.user}
    activate = {"command": ["plugin", "activate", "shop"], "unless": ["plugin", "is-active", "shop"]}
    name = {"command": ["option", "update", "blogname", "Shop"], "watch": ["option", "get", "blogname"]}
    look = {"command": ["plugin", "list", "--format=json", "--skip-update-check"], "reads": True, "parse": True}
    named = {"command": ["option", "update", "blogname", "Shop 2"], "watch": ["option", "get", "blogname"]}
    tasks = [{"name": "Wp", "sre.runbooks.wp_cli": {**about, **given}} for given in (activate, name, named, look)]

    assert changed_and_failed(play(tasks, "--check")) == (3, 0)
    assert (
        site.wp("plugin", "list", "--status=active", "--format=count").strip(),
        site.wp("option", "get", "blogname"),
    ) == ("0", "Shop\n")
    assert changed_and_failed(play(tasks)) == (2, 0), "the name is as it should be already"
    assert (
        site.wp("plugin", "list", "--status=active", "--format=count").strip(),
        site.wp("option", "get", "blogname"),
    ) == ("1", "Shop 2\n")
    assert changed_and_failed(play([tasks[0], tasks[2], tasks[3]])) == (0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused to run as root")
def test_the_code_of_a_site_is_not_run_as_root(site: Site, play: Play) -> None:
    os.chown(site.path, 0, 0)
    try:
        task = {"path": str(site.path), "executable": str(WP), "command": ["option", "get", "home"], "reads": True}
        output = play([{"name": "Wp", "sre.runbooks.wp_cli": task}])
        assert changed_and_failed(output) == (0, 1)
        assert "is not run as root" in output
        task["user"] = "root"
        assert changed_and_failed(play([{"name": "Wp", "sre.runbooks.wp_cli": task}])) == (0, 0)
    finally:
        subprocess.run(["chown", site.user, str(site.path)], check=True)


def maintenance(site: Site, *, active: bool) -> list[dict[str, Any]]:
    given = {"switch_maintenance_paths": [str(site.path)], "switch_maintenance_active": active}
    return [
        {"name": "Switch", "ansible.builtin.include_role": {"name": "sre.runbooks.switch_maintenance"}, "vars": given}
    ]


def test_maintenance_is_switched_on_and_off_once(site: Site, play: Play) -> None:
    on, off = maintenance(site, active=True), maintenance(site, active=False)
    assert [changed_and_failed(play(tasks))[0] for tasks in (on, on)] == [1, 0]
    assert site.wp("maintenance-mode", "status") == "Maintenance mode is active.\n"
    assert changed_and_failed(play(off, "--check"))[0] == 1
    assert (site.path / ".maintenance").exists()
    assert [changed_and_failed(play(tasks))[0] for tasks in (off, off)] == [1, 0]
    assert site.wp("maintenance-mode", "status") == "Maintenance mode is not active.\n"


def test_maintenance_ends_when_the_work_breaks(site: Site, play: Play, tmp_path: Path) -> None:
    tasks = tmp_path / "roles/work/tasks"
    tasks.mkdir(parents=True)
    seen = {
        "name": "Look",
        "ansible.builtin.copy": {"src": f"{site.path}/.maintenance", "dest": str(tmp_path / "seen"), "mode": "0600"},
    }
    broken = {"name": "Break", "ansible.builtin.fail": {"msg": "the disk is full"}}
    (tasks / "main.yml").write_text(yaml.safe_dump([seen, broken]))
    given = {"switch_maintenance_paths": [str(site.path)], "switch_maintenance_role": "work"}
    role = {"name": "sre.runbooks.switch_maintenance", "tasks_from": "around"}
    output = play([{"name": "Work", "ansible.builtin.include_role": role, "vars": given}])
    assert changed_and_failed(output)[1] == 1
    assert "the disk is full" in output
    assert (tmp_path / "seen").exists(), "the work was done in maintenance"
    assert not (site.path / ".maintenance").exists()


def test_caches_are_flushed_as_the_user_of_the_site(site: Site, play: Play) -> None:
    given = {"flush_caches_sites": [{"path": str(site.path)}], "flush_caches_executable": str(WP)}
    role = {"name": "Flush", "ansible.builtin.include_role": {"name": "sre.runbooks.flush_caches"}, "vars": given}
    assert changed_and_failed(play([role])) == (1, 0)
