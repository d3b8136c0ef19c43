# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patching a site: real files and directories, and a WP-CLI that does to them what the real one does."""

from __future__ import annotations

import json
import os
import pwd
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils import _patch, _proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer
from ansible_collections.sre.runbooks.plugins.module_utils._probe.wp_cli import Site

ALL = _patch.Plan("minor", plugins=True, themes=True)
FINE = Answer(0, "Success", "")


class Killed(BaseException):
    """The machine goes off."""


class Wordpress:
    """A site on disk. ``broken`` are the versions with which it does not work, ``fate`` is what befalls an update."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.offers = {"akismet": "5.3.1", "shop": "2.0"}
        self.broken: set[str] = set()
        self.fate: dict[str, Callable[[], Answer]] = {}
        self.releases = {"6.4.1": "insecure", "6.4.2": "outdated", "6.5.2": "latest"}
        self.releases_problem: str | None = None
        self.database = "57155"
        self.locked = False
        for path, text in (
            ("wp-admin/index.php", "6.4.1"),
            ("wp-includes/version.php", "6.4.1\n$wp_db_version = 57155;\n"),
            ("index.php", "6.4.1"),
            ("readme.html", "6.4.1"),
            ("wp-config.php", "secret"),
            ("wp-content/uploads/a.jpg", "picture"),
            ("wp-content/plugins/akismet/akismet.php", "5.3"),
            ("wp-content/plugins/shop/shop.php", "1.0"),
            ("wp-content/plugins/shop/data/old.txt", "only in 1.0"),
        ):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        self.active = ["akismet", "shop"]

    def plugin(self, name: str) -> Path:
        return self.root / f"wp-content/plugins/{name}/{name}.php"

    @property
    def version(self) -> str:
        return (self.root / "wp-includes/version.php").read_text().partition("\n")[0]

    def visit(self) -> str | None:
        """What a visitor finds wrong."""
        if (self.root / ".maintenance").exists():
            return "answers with status 503"
        running = [self.version, *(self.plugin(name).read_text() for name in self.active)]
        bad = self.broken.intersection(running)
        return f"There has been a critical error ({', '.join(sorted(bad))})" if bad else None

    def facts(self, _site: Site, _timeout: float) -> dict[str, Any]:
        pending = {
            f"{name}/{name}.php": [self.plugin(name).read_text(), new]
            for name, new in self.offers.items()
            if self.plugin(name).read_text() != new
        }
        return {
            "version": self.version,
            "releases": self.releases,
            "releases_problem": self.releases_problem,
            "plugins": {"checked": 1, "pending": pending},
            "themes": {"checked": 1, "pending": {}},
            "active": list(self.active),
        }

    def ask(self, _site: Site, php: str, _timeout: float) -> Any:
        if php == "WP_PLUGIN_DIR":
            return str(self.root / "wp-content/plugins")
        if php == "delete_option('core_updater.lock')":
            self.locked = False
        if "$GLOBALS['wpdb']->tables()" in php:
            return ["wp_options", "wp_posts"]
        if "get_plugins" in php:
            return self.plugin(php.split("$all['")[1].split("/", maxsplit=1)[0]).read_text()
        return self.version if "wp_version']" in php else None

    def wp(self, _site: Site, arguments: list[str], _timeout: float, *, holds: Any) -> Answer:
        assert holds, "the lock outlives a run that is killed"
        if arguments[:2] == ["plugin", "activate"]:
            self.active.append(arguments[2])
            return FINE
        if arguments[:2] == ["db", "export"]:
            Path(arguments[2]).write_text(self.database)
        elif arguments[:2] == ["db", "import"]:
            self.database = Path(arguments[2]).read_text()
        elif arguments[:2] == ["core", "update-db"]:
            return self.fate.get("database", self.update_database)()
        elif arguments[:2] == ["core", "update"]:
            if self.locked:
                return Answer(1, "", "Error: Another update is currently in progress.")
            new = arguments[2].partition("=")[2]
            return self.fate.get("core", lambda: self.replace_core(new))()
        else:
            return self.fate.get(arguments[2], lambda: self.replace(arguments[2]))()
        return FINE

    def update_database(self) -> Answer:
        self.database = "58975"
        return FINE

    def replace_core(self, new: str) -> Answer:
        for name in ("wp-admin/index.php", "wp-includes/version.php", "index.php", "readme.html"):
            (self.root / name).write_text(f"{new}\n$wp_db_version = 58975;\n")
        return FINE

    def replace(self, name: str) -> Answer:
        """As WP-CLI does: maintenance on, the directory away, the new one in its place, maintenance off."""
        (self.root / ".maintenance").write_text("")
        for file in sorted(self.plugin(name).parent.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        self.plugin(name).write_text(self.offers[name])
        (self.root / ".maintenance").unlink()
        return FINE


@pytest.fixture
def wordpress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wordpress:
    site = Wordpress(tmp_path / "site")
    monkeypatch.setattr(_patch.probe, "facts", site.facts)
    monkeypatch.setattr(_patch.probe, "evaluate", site.ask)
    monkeypatch.setattr(_patch, "wp", site.wp)
    monkeypatch.setattr(_patch, "account_of", lambda _site: pwd.getpwuid(os.geteuid()))
    return site


@pytest.fixture
def patch(wordpress: Wordpress, tmp_path: Path) -> Callable[..., _patch.Patching]:
    def run(plan: _patch.Plan = ALL, no_way_back: str | None = None) -> _patch.Patching:
        site = Site(str(wordpress.root), user=None)
        patching = _patch.Patching(site, "shop", wordpress.visit, str(tmp_path / "state"), timeout=60, settle=0)
        patching.run(plan, no_way_back)
        return patching

    return run


def results(patching: _patch.Patching) -> dict[str, str]:
    return {f"{done['what']} {done['name']}".strip(): done["result"] for done in patching.done}


def statuses(patching: _patch.Patching) -> dict[str, str]:
    return {f"{check.id}@{check.target}": check.status for check in patching.checks}


def snapshot(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_everything_that_may_be_updated_is(wordpress: Wordpress, patch: Any) -> None:
    patching = patch()
    assert results(patching) == {"core": "updated", "plugin akismet": "updated", "plugin shop": "updated"}
    assert (wordpress.version, wordpress.plugin("shop").read_text()) == ("6.4.2", "2.0")
    assert statuses(patching) == {
        "patch.interrupted@shop": "ok",
        "patch.update@shop core": "ok",
        "patch.update@shop plugin akismet": "ok",
        "patch.update@shop plugin shop": "ok",
        "patch.site@shop": "ok",
    }
    assert patching.changed


def test_a_second_run_changes_nothing(wordpress: Wordpress, patch: Any) -> None:
    patch()
    before = snapshot(wordpress.root)
    again = patch()
    assert (again.done, again.changed, snapshot(wordpress.root)) == ([], False, before)
    assert statuses(again)["patch.update@shop"] == "ok"


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (_patch.Plan("none", plugins=True, themes=True), {"plugin akismet", "plugin shop"}),
        (_patch.Plan("minor", plugins=False, themes=True), {"core"}),
        (_patch.Plan("none", plugins=True, themes=True, keep=["shop"]), {"plugin akismet"}),
    ],
)
def test_what_is_not_to_be_updated_stays(patch: Any, plan: _patch.Plan, expected: set[str]) -> None:
    assert set(results(patch(plan))) == expected


def test_a_new_branch_is_for_those_who_ask_for_it(wordpress: Wordpress, patch: Any) -> None:
    patch(_patch.Plan("all", plugins=False, themes=False))
    assert wordpress.version == "6.5.2"


def test_an_update_that_breaks_the_site_is_undone_and_the_others_are_not(wordpress: Wordpress, patch: Any) -> None:
    wordpress.broken = {"2.0"}
    patching = patch()
    assert results(patching) == {"core": "updated", "plugin akismet": "updated", "plugin shop": "rolled back"}
    assert wordpress.plugin("shop").read_text() == "1.0"
    assert (wordpress.root / "wp-content/plugins/shop/data/old.txt").read_text() == "only in 1.0"
    assert statuses(patching)["patch.update@shop plugin shop"] == "warning"
    assert statuses(patching)["patch.site@shop"] == "ok"


def test_a_release_that_breaks_the_site_is_undone_with_its_database(wordpress: Wordpress, patch: Any) -> None:
    wordpress.broken = {"6.4.2"}
    before = snapshot(wordpress.root)
    patch(_patch.Plan("minor", plugins=False, themes=False))
    assert (wordpress.version, wordpress.database, snapshot(wordpress.root)) == ("6.4.1", "57155", before)


def test_a_database_that_was_changed_half_is_loaded_again(wordpress: Wordpress, patch: Any) -> None:
    def half() -> Answer:
        wordpress.database = "57155 and a half"
        return Answer(1, "", "Error: Deadlock found.")

    wordpress.fate["database"] = half
    patch(_patch.Plan("minor", plugins=False, themes=False))
    assert (wordpress.version, wordpress.database) == ("6.4.1", "57155")


def test_an_update_that_ends_well_and_changed_nothing_is_seen(wordpress: Wordpress, patch: Any) -> None:
    wordpress.fate["shop"] = lambda: FINE
    patching = patch()
    assert results(patching)["plugin shop"] == "rolled back"
    assert "version 1.0 is still there" in patching.checks[-2].summary


def test_an_update_that_complains_is_undone(wordpress: Wordpress, patch: Any) -> None:
    wordpress.fate["shop"] = lambda: Answer(1, "", "Error: Download failed.")
    patching = patch()
    assert "Download failed." in patching.checks[-2].summary
    assert wordpress.visit() is None


def test_a_plugin_that_is_not_active_any_more_is_seen(wordpress: Wordpress, patch: Any) -> None:
    def deactivated() -> Answer:
        wordpress.active.remove("shop")
        return wordpress.replace("shop")

    wordpress.fate["shop"] = deactivated
    assert "shop is not active any more" in patch().checks[-2].summary
    assert wordpress.active == ["akismet", "shop"]


def test_maintenance_is_off_whatever_happens(wordpress: Wordpress, patch: Any) -> None:
    def stuck() -> Answer:
        (wordpress.root / ".maintenance").write_text("")
        raise Unmeasurable("wp gave no answer within 60 s")

    wordpress.fate["shop"] = stuck
    patching = patch()
    assert not (wordpress.root / ".maintenance").exists()
    assert results(patching)["plugin shop"] == "rolled back"


def test_nothing_more_is_tried_on_a_site_that_stays_down(wordpress: Wordpress, patch: Any) -> None:
    def burnt() -> Answer:
        wordpress.broken = {"5.3", "5.3.1"}
        return wordpress.replace("akismet")

    wordpress.fate["akismet"] = burnt
    patching = patch()
    assert results(patching) == {"core": "updated", "plugin akismet": "broken", "plugin shop": "not tried"}
    assert statuses(patching)["patch.update@shop plugin akismet"] == "critical"
    assert statuses(patching)["patch.update@shop plugin shop"] == "unknown"
    assert statuses(patching)["patch.site@shop"] == "critical"


@pytest.mark.parametrize("victim", ["core", "shop"])
def test_a_run_that_is_killed_half_way_is_repaired_by_the_next(wordpress: Wordpress, patch: Any, victim: str) -> None:
    def killed() -> Answer:
        (wordpress.root / ".maintenance").write_text("")
        wordpress.broken = {"half"}
        wordpress.locked = victim == "core"
        (wordpress.root / "wp-includes/version.php").write_text("half")
        wordpress.plugin("shop").write_text("half")
        raise Killed

    wordpress.fate[victim] = killed
    with pytest.raises(Killed):
        patch()
    (wordpress.root / ".maintenance").write_text("")  # a kill runs no finally
    if victim == "shop":
        (wordpress.root / "wp-includes/version.php").write_text("6.4.2")
    else:
        wordpress.plugin("shop").write_text("1.0")
    wordpress.fate = {}
    patching = patch()
    assert wordpress.visit() is None
    assert patching.checks[0].id == "patch.interrupted"
    assert patching.checks[0].status == "warning"
    assert "a run was broken off while it updated" in patching.checks[0].summary
    assert (wordpress.version, wordpress.plugin("shop").read_text()) == ("6.4.2", "2.0")
    assert statuses(patch())["patch.interrupted@shop"] == "ok"


def test_a_run_that_was_killed_before_it_changed_anything_is_only_told(
    wordpress: Wordpress, patch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: object, **_holds: object) -> None:
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(_patch, "command", killed)
        with pytest.raises(Killed):
            patch()
    patching = patch()
    assert "nothing had been changed" in patching.checks[0].summary
    assert wordpress.visit() is None


def test_a_run_that_is_killed_while_it_goes_back_leaves_nothing_beside(
    wordpress: Wordpress, patch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_way(_patching: _patch.Patching, _kept: str, place: str) -> None:
        os.rename(place, f"{os.path.dirname(place)}/.shop.sre-gone")
        os.mkdir(f"{os.path.dirname(place)}/.shop.sre-new")
        raise Killed

    wordpress.broken = {"2.0"}
    before = snapshot(wordpress.plugin("shop").parents[1])
    only_shop = _patch.Plan("none", plugins=True, themes=False, keep=["akismet"])
    with monkeypatch.context() as context:
        context.setattr(_patch.Patching, "_put_back", half_way)
        with pytest.raises(Killed):
            patch(only_shop)
    assert not wordpress.plugin("shop").exists()
    patching = patch(_patch.Plan("none", plugins=False, themes=False))
    assert "1.0 is back" in patching.checks[0].summary
    assert snapshot(wordpress.plugin("shop").parents[1]) == before


def test_a_release_of_the_same_shape_leaves_the_database_alone(wordpress: Wordpress, patch: Any) -> None:
    def same_shape() -> Answer:
        wordpress.replace_core("6.4.2")
        (wordpress.root / "wp-includes/version.php").write_text("6.4.2\n$wp_db_version = 57155;\n")
        return FINE

    def an_order_comes_in() -> Answer:
        wordpress.database = "57155 and an order"
        return FINE

    wordpress.broken, wordpress.fate = {"6.4.2"}, {"core": same_shape, "database": an_order_comes_in}
    patch(_patch.Plan("minor", plugins=False, themes=False))
    assert (wordpress.version, wordpress.database) == ("6.4.1", "57155 and an order")


def test_what_was_left_is_repaired_also_without_a_proven_backup(wordpress: Wordpress, patch: Any) -> None:
    def killed() -> Answer:
        wordpress.plugin("shop").write_text("half")
        raise Killed

    wordpress.broken = {"half"}
    wordpress.fate["shop"] = killed
    with pytest.raises(Killed):
        patch()
    with pytest.raises(_patch.Refused, match="no way back"):
        patch(no_way_back="no backup has ever been restored")
    assert (wordpress.visit(), wordpress.plugin("shop").read_text()) == (None, "1.0")


def test_a_site_that_is_down_is_not_patched(wordpress: Wordpress, patch: Any) -> None:
    wordpress.broken = {"1.0"}
    before = snapshot(wordpress.root)
    with pytest.raises(_patch.Refused, match="which has to be repaired first"):
        patch()
    assert snapshot(wordpress.root) == before


def test_without_a_copy_of_the_old_version_nothing_is_updated(
    wordpress: Wordpress, patch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_patch, "command", lambda *_, **_holds: Answer(1, "", "No space left on device"))
    before = snapshot(wordpress.root)
    patching = patch()
    assert set(results(patching).values()) == {"not tried"}
    assert statuses(patching)["patch.update@shop core"] == "unknown"
    assert (snapshot(wordpress.root), patching.changed) == (before, False)


@pytest.mark.parametrize("silence", ["wordpress.org", "transient"])
def test_what_nobody_knows_is_not_nothing(
    wordpress: Wordpress, patch: Any, monkeypatch: pytest.MonkeyPatch, silence: str
) -> None:
    wordpress.releases_problem = "it answers with status 500" if silence == "wordpress.org" else None
    facts = wordpress.facts
    if silence == "transient":
        monkeypatch.setattr(
            _patch.probe, "facts", lambda *a: {**facts(*a), "plugins": {"checked": None, "pending": {}}}
        )
    with pytest.raises(_patch.Refused, match="what is new cannot be told"):
        patch()


def test_two_runs_at_once_do_not_patch_one_site(wordpress: Wordpress, patch: Any) -> None:
    def second() -> Answer:
        with pytest.raises(_patch.Refused, match="another run is patching this site"):
            patch()
        return wordpress.replace("shop")

    wordpress.fate["shop"] = second
    assert results(patch())["plugin shop"] == "updated"


# The way back


def proof(directory: Path, days_ago: float, *, proven: bool = True) -> None:
    at = _proofs.time_text(time.time() - days_ago * 86400)
    entry = {"at": at, "source": "dump.sql", "sha256": "ab", "bytes": 1, "proven": proven, "tables": None}
    directory.mkdir()
    (directory / "shop.json").write_text(json.dumps({"tables": {}, "proofs": [entry]}))


@pytest.mark.parametrize(
    ("days_ago", "proven", "reason"),
    [(1, True, None), (9, True, "the last backup was proven 9.0 days ago, 8 are allowed"), (1, False, "no backup has")],
)
def test_a_backup_has_to_have_been_proven(tmp_path: Path, days_ago: float, proven: bool, reason: str | None) -> None:
    proof(tmp_path / "proofs", days_ago, proven=proven)
    told = _patch.proven_lately(str(tmp_path / "proofs"), 8, time.time())
    assert told is None if reason is None else reason in str(told)


def carried_out(wordpress: Wordpress, tmp_path: Path, *, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    params = {
        "path": str(wordpress.root),
        "url": None,
        "user": None,
        "executable": "wp",
        "core": "minor",
        "plugins": True,
        "themes": True,
        "keep": [],
        "smoke": {"targets": [], "timeout": 30.0},
        "settle": 0,
        "proven": 8.0,
        "proofs": str(tmp_path / "proofs"),
        "directory": str(tmp_path / "patches"),
        "timeout": 60.0,
        **given,
    }
    return _patch.carry_out(params, time.time(), check_mode=check_mode)


def test_without_a_proven_backup_nothing_is_touched_and_that_is_told(wordpress: Wordpress, tmp_path: Path) -> None:
    before = snapshot(wordpress.root)
    result = carried_out(wordpress, tmp_path)
    assert (result["status"], result["changed"], snapshot(wordpress.root)) == ("unknown", False, before)
    assert "not patched: there might be no way back: no backup has ever been restored" in result["checks"][1]["summary"]


def test_check_mode_tells_what_would_be_updated_and_writes_nothing(wordpress: Wordpress, tmp_path: Path) -> None:
    proof(tmp_path / "proofs", 1)
    before = snapshot(tmp_path)
    result = carried_out(wordpress, tmp_path, check_mode=True)
    assert [update["to"] for update in result["updates"]] == ["6.4.2", "5.3.1", "2.0"]
    assert (result["changed"], snapshot(tmp_path)) == (True, before)
    assert [(check["id"], check["status"]) for check in result["checks"]] == [
        (name, "skipped") for name in _patch.CHECKS
    ]
    assert "3 updates would be tried" in result["checks"][1]["summary"]
    assert result["diff"]["after"] == "core  6.4.2\nplugin akismet 5.3.1\nplugin shop 2.0\n"


def test_the_difference_shows_what_was_rolled_back_as_it_is(wordpress: Wordpress, tmp_path: Path) -> None:
    wordpress.fate["shop"] = lambda: FINE
    result = carried_out(wordpress, tmp_path, proven=0, core="none")
    assert result["diff"] == {
        "before": "plugin akismet 5.3\nplugin shop 1.0\n",
        "after": "plugin akismet 5.3.1\nplugin shop 1.0\n",
    }
