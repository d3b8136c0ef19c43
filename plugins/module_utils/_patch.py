# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Update a WordPress site one part at a time, each with a smoke test after it and the old version to go back to.

What is under way stands in a file before it begins, so that the next run finds what a killed one has left, and repairs
that first. A command that outlives a killed run keeps its lock, so that nobody repairs what is still being changed.
WordPress's own maintenance page is never left behind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import time
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils import _proofs
from ansible_collections.sre.runbooks.plugins.module_utils._check import Check, Unmeasurable, at_least, worst
from ansible_collections.sre.runbooks.plugins.module_utils._checks import http
from ansible_collections.sre.runbooks.plugins.module_utils._checks.wordpress import newer_releases
from ansible_collections.sre.runbooks.plugins.module_utils._door import Job, measure_all, plan
from ansible_collections.sre.runbooks.plugins.module_utils._probe import wordpress as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe._command import Answer, command
from ansible_collections.sre.runbooks.plugins.module_utils._probe.wp_cli import Site, account_of, complaint, wp

CHECKS = {
    "patch.interrupted": "No earlier patching was broken off.",
    "patch.update": "What was to be updated has been updated, and the site works.",
    "patch.site": "The site works after patching.",
}

Smoke = t.Callable[[], t.Optional[str]]
"""Looks at the site as visitors do: what is wrong with it, None for nothing."""


BUDGET = 120.0
"""Seconds that one look at the site may take."""


class Refused(Exception):
    """Nothing was changed, for this reason."""


@dataclasses.dataclass(frozen=True)
class Update:
    """One part that has a newer version: ``core``, or a ``plugin`` or ``theme`` by the key that WordPress has for it."""

    what: str
    key: str
    old: str
    new: str

    @property
    def name(self) -> str:
        """How WP-CLI calls it: ``akismet/akismet.php`` is akismet, and ``hello.php`` is hello."""
        first = self.key.split("/")[0]
        return first[:-4] if first.endswith(".php") else first

    @property
    def title(self) -> str:
        return f"{self.what} {self.name}".strip()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What may be updated: ``core`` is ``none``, ``minor`` or ``all``; of plugins and themes those that are not kept."""

    core: str
    plugins: bool
    themes: bool
    keep: t.Sequence[str] = ()

    def pending(self, facts: t.Mapping[str, t.Any]) -> list[Update]:
        """The updates that WordPress knows of. Raises :class:`Refused` when nobody can say."""
        if facts["releases_problem"]:
            raise Refused(f"what is new cannot be told, wordpress.org cannot be asked: {facts['releases_problem']}")
        newer = newer_releases(facts["version"], facts["releases"])
        release = newer.get("minor") if self.core == "minor" else newer.get("major") or newer.get("minor")
        found = [Update("core", "", facts["version"], release)] if self.core != "none" and release else []
        for what, wanted in (("plugin", self.plugins), ("theme", self.themes)):
            if wanted and facts[f"{what}s"]["checked"] is None:
                raise Refused(f"what is new cannot be told, WordPress has had no answer about updates of its {what}s")
            updates = [Update(what, key, *pair) for key, pair in sorted(facts[f"{what}s"]["pending"].items()) if wanted]
            found += [update for update in updates if update.name not in self.keep]
        return found


class Patching:
    """The patching of one site. ``directory`` holds the state and the old versions, ``settle`` is in seconds."""

    def __init__(self, site: Site, name: str, smoke: Smoke, directory: str, timeout: float, settle: float) -> None:
        self.site, self.name, self.smoke, self.timeout, self.settle = site, name, smoke, timeout, settle
        self.directory = directory
        self.state = os.path.join(directory, "state.json")
        self.old = os.path.join(directory, "old")
        self.lock: list[int] = []
        self.checks: list[Check] = []
        self.done: list[dict[str, str]] = []
        self.changed = False

    def preview(self, plan: Plan) -> list[Update]:
        """What :meth:`run` would update, as far as WordPress knows by now."""
        return plan.pending(self._facts())

    def run(self, plan: Plan, no_way_back: str | None = None) -> None:
        """Repair what an earlier run has left, then update. Raises :class:`Refused` where nothing was updated, for instance
        because there might be ``no_way_back``.
        """
        os.makedirs(self.directory, 0o711, exist_ok=True)
        with self._locked():
            self._repair()
            if no_way_back:
                raise Refused(f"there might be no way back: {no_way_back}")
            problem = self.smoke()
            if problem:
                raise Refused(f"the site does not work as it is, which has to be repaired first: {problem}")
            self._look_for_updates()
            pending = self.preview(plan)
            for position, update in enumerate(pending):
                if not self._update(update):
                    self._leave_out(pending[position + 1 :])
                    break
            if pending:
                self._look_for_updates()  # WordPress has thrown away what it knew
            else:
                self.checks.append(Check("patch.update", self.name, "ok", "there was nothing to update"))
            problem = self.smoke()
            summary = problem or "the site answers as it should"
            self.checks.append(Check.expect("patch.site", self.name, not problem, summary))

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[None]:
        with open(os.path.join(self.directory, "lock"), "w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused("another run is patching this site, or a command of one that was killed is") from None
            self.lock = [file.fileno()]
            yield

    # One update

    def _update(self, update: Update) -> bool:
        """Update one part, or go back; whether the site works afterwards."""
        try:
            active = sorted(self._facts()["active"] or ())
            self._keep(update, active)
        except (OSError, Unmeasurable) as exc:
            self._forget()
            self._tell(update, "unknown", f"not tried, because there would be no way back: {exc}", "not tried")
            return True
        self.changed = True
        try:
            problem = self._carry_out(update) or self._examine(update, active)
        except Unmeasurable as exc:
            problem = str(exc)
        finally:
            self._leave_maintenance()
        if problem:
            return self._go_back(update, problem)
        self._forget()
        self._tell(update, "ok", f"updated from {update.old} to {update.new}", "updated")
        return True

    def _carry_out(self, update: Update) -> str | None:
        """Let WP-CLI update; what it complains about. Its exit code alone is no proof, see :meth:`_examine`."""
        if update.what == "core":
            answer = self._wp("core", "update", f"--version={update.new}")
            if answer.rc == 0:
                answer = self._wp("core", "update-db")
        else:
            answer = self._wp(update.what, "update", update.name)
        return complaint(answer) if answer.rc else None

    def _examine(self, update: Update, active: t.Iterable[str]) -> str | None:
        """What is wrong after an update: the version, what is active, or what visitors see."""
        time.sleep(self.settle)  # PHP's cache of code looks for new files every few seconds only
        version = self._ask(_VERSION[update.what].replace("KEY", _php(update.key)))
        if version != update.new:
            return f"version {version} is still there"
        lost = self._lost(active)
        return f"{', '.join(lost[:3])} is not active any more" if lost else self.smoke()

    def _lost(self, active: t.Iterable[str]) -> list[str]:
        return sorted(set(active) - set(self._facts()["active"] or ()))

    def _go_back(self, update: Update, problem: str) -> bool:
        """Put the old version back; whether the site works with it."""
        left = self._restored()
        if left:
            summary = f"{update.new} does not work ({problem}), and neither does {update.old} again ({left})"
            self._tell(update, "critical", summary, "broken")
            return False
        self._tell(update, "warning", f"{update.new} does not work ({problem}): {update.old} is back", "rolled back")
        return True

    def _leave_out(self, updates: t.Iterable[Update]) -> None:
        for update in updates:
            self._tell(update, "unknown", "not tried, because the site does not work", "not tried")

    def _tell(self, update: Update, status: str, summary: str, result: str) -> None:
        told = _told(update, result)
        self.done.append(told)
        self.checks.append(Check("patch.update", f"{self.name} {update.title}", status, summary, detail=dict(told)))

    # The old version

    def _places(self, update: Update) -> list[str]:
        """What an update replaces."""
        if update.what == "core":
            root = self.site.path
            files = [name for name in sorted(os.listdir(root)) if name.endswith((".php", ".html", ".txt"))]
            files.remove("wp-config.php") if "wp-config.php" in files else None
            return [os.path.join(root, name) for name in ["wp-admin", "wp-includes", *files]]
        root = str(self._ask(_ROOT[update.what]))  # a site may keep its plugins elsewhere
        return [os.path.join(root, update.key.split("/")[0])]

    def _keep(self, update: Update, active: t.Sequence[str]) -> None:
        """Copy what is about to be replaced, and note that it is. Raises OSError or :class:`Unmeasurable`."""
        places = self._places(update)
        known = {**dataclasses.asdict(update), "places": places, "active": active}
        self._write_state({**known, "stage": "copying"})
        shutil.rmtree(self.old, ignore_errors=True)
        os.mkdir(self.old, 0o711)
        for position, place in enumerate(places):
            self._do("cp", "--archive", place, os.path.join(self.old, str(position)))
        if update.what == "core":
            self._dump()
        self._write_state({**known, "stage": "updating"})

    def _dump(self) -> None:
        """Dump the tables of WordPress, as the user of the site, to where only that user can read it.

        Those of plugins are not touched by an update of WordPress: going back would lose what visitors wrote meanwhile.
        """
        owner = account_of(self.site)
        place = os.path.dirname(self._dumped)
        os.mkdir(place, 0o700)
        os.chown(place, owner.pw_uid, owner.pw_gid)
        tables = ",".join(self._ask("array_values($GLOBALS['wpdb']->tables())"))
        answer = self._wp("db", "export", self._dumped, "--single-transaction", f"--tables={tables}")
        if answer.rc or not os.path.getsize(self._dumped):
            raise Unmeasurable(f"the database cannot be dumped: {complaint(answer)}")

    @property
    def _dumped(self) -> str:
        return os.path.join(self.old, "database", "dump.sql")

    def _restored(self) -> str | None:
        """Put back what was kept and forget that an update was under way; what is wrong then."""
        try:
            known = self._read_state()
            if known["stage"] == "updating" and self._may_have_changed_database(known):
                self._write_state({**known, "stage": "database"})  # only now the new files tell it
            self._enter_maintenance()
            for position, place in enumerate(known["places"]):
                self._put_back(os.path.join(self.old, str(position)), place)
            if self._read_state()["stage"] == "database":
                answer = self._wp("db", "import", self._dumped)
                if answer.rc:
                    return f"the database of before cannot be loaded: {complaint(answer)}"
            for name in self._lost(known["active"]):
                self._wp("plugin", "activate", name)
            if known["what"] == "core":
                # Otherwise WordPress takes no update for a quarter of an hour.
                self._ask("delete_option('core_updater.lock')")
            self._leave_maintenance()
            time.sleep(self.settle)
            problem = self.smoke()
        except (OSError, Unmeasurable) as exc:
            return str(exc)
        finally:
            self._leave_maintenance()
        if not problem:
            self._forget()
        return problem

    def _may_have_changed_database(self, known: t.Mapping[str, t.Any]) -> bool:
        """Whether the new release wants another shape of the database than the old one. It changes it while it is installed,
        and notes the version of that shape last.
        """
        includes = os.path.join(self.site.path, "wp-includes")
        if includes not in known["places"]:
            return False
        kept = os.path.join(self.old, str(known["places"].index(includes)))
        return _database_version(includes) != _database_version(kept)

    def _put_back(self, kept: str, place: str) -> None:
        """Replace a file or directory by its old version, in one step.

        What lies beside it meanwhile is hidden from WordPress, and the same at the next attempt, which removes it.
        """
        directory, name = os.path.split(place)
        new, gone = (os.path.join(directory, f".{name}.sre-{state}") for state in ("new", "gone"))
        self._do("rm", "--recursive", "--force", new, gone)
        self._do("cp", "--archive", kept, new)
        if os.path.isdir(place) and not os.path.islink(place):
            os.rename(place, gone)
        os.replace(new, place)
        self._do("rm", "--recursive", "--force", gone)

    # What is under way

    def _write_state(self, known: t.Mapping[str, t.Any]) -> None:
        """``{what, key, old, new, places, active, stage}``; ``stage`` is copying, updating, or database when that is to be put
        back as well.
        """
        _proofs.write(self.state, json.dumps(known, indent=1))

    def _read_state(self) -> dict[str, t.Any]:
        try:
            with open(self.state, encoding="utf-8") as file:
                return dict(json.load(file))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            raise Refused(f"{self.state}, which tells what was under way, cannot be read: {exc}") from None

    def _forget(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.state)

    def _repair(self) -> None:
        """Undo what a run has left that was killed."""
        left = self._read_state()
        if not left:
            self.checks.append(Check("patch.interrupted", self.name, "ok", "no earlier patching was broken off"))
            return
        update = Update(*(left[key] for key in ("what", "key", "old", "new")))
        summary = f"a run was broken off while it updated {update.title} from {update.old} to {update.new}"
        if left["stage"] == "copying":
            self._forget()
            self.checks.append(Check("patch.interrupted", self.name, "warning", f"{summary}; nothing had been changed"))
            return
        self.changed = True
        problem = self._restored()
        status, then = ("critical", f" and does not work: {problem}") if problem else ("warning", "")
        self.checks.append(Check("patch.interrupted", self.name, status, f"{summary}; {update.old} is back{then}"))

    def _enter_maintenance(self) -> None:
        """As WordPress does it, so that it ends after ten minutes when nobody ends it."""
        with open(os.path.join(self.site.path, ".maintenance"), "w", encoding="utf-8") as file:
            file.write(f"<?php $upgrading = {time.time():.0f};\n")

    def _leave_maintenance(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.site.path, ".maintenance"))

    # Asking

    def _look_for_updates(self) -> None:
        """Forget first what is known: WordPress does not ask again for twelve hours."""
        with contextlib.suppress(Unmeasurable):  # what WordPress does not know then, the plan refuses
            self._ask("array(wp_clean_update_cache(), wp_update_plugins(), wp_update_themes(), wp_version_check())")

    def _facts(self) -> dict[str, t.Any]:
        return probe.facts(self.site, self.timeout)

    def _ask(self, php: str) -> t.Any:
        return probe.evaluate(self.site, php, self.timeout)

    def _wp(self, *arguments: str) -> Answer:
        return wp(self.site, list(arguments), self.timeout, holds=self.lock)

    def _do(self, *argv: str) -> None:
        answer = command(argv, self.timeout, holds=self.lock)
        if answer.rc:
            raise Unmeasurable(f"{argv[0]} says: {answer.stderr.strip()[:200]}")


_VERSION = {
    "core": "$GLOBALS['wp_version']",
    "plugin": "call_user_func(function () { require_once ABSPATH . 'wp-admin/includes/plugin.php';"
    " $all = get_plugins(); return isset($all[KEY]) ? $all[KEY]['Version'] : null; })",
    "theme": "wp_get_theme(KEY)->get('Version')",
}
"""What PHP says of the version that is installed."""

_ROOT = {"plugin": "WP_PLUGIN_DIR", "theme": "get_theme_root()"}


def _database_version(includes: str) -> str | None:
    """The shape of the database that a release wants, by the files of its ``wp-includes``; None when they do not tell."""
    with contextlib.suppress(OSError), open(os.path.join(includes, "version.php"), encoding="utf-8") as file:
        found = re.search(r"\$wp_db_version\s*=\s*(\d+)", file.read())
        return found[1] if found else None
    return None


def _php(text: str) -> str:
    """A text as PHP writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def proven_lately(directory: str, days: float, now: float) -> str | None:
    """Why no backup counts as proven: None when one has been restored and compared within so many days."""
    proofs = [_proofs.seconds_of(proof["at"]) for proof in _proofs.proven(directory).values()]
    if not proofs:
        return f"no backup has ever been restored to prove it, as far as {directory} knows"
    age = (now - max(proofs)) / 86400
    return f"the last backup was proven {age:.1f} days ago, {days:g} are allowed" if age > days else None


def carry_out(params: t.Mapping[str, t.Any], now: float, *, check_mode: bool) -> dict[str, t.Any]:
    """Body of the module: its result. Raises ``BadOption``. What keeps it from patching is a check that is unknown."""
    site = Site(*(params[option] for option in ("path", "url", "user", "executable")))
    wanted = Plan(*(params[option] for option in ("core", "plugins", "themes", "keep")))
    name = str(params["url"] or params["path"])
    directory = os.path.join(params["directory"], re.sub(r"[^\w.-]+", "_", name).strip("_."))
    jobs = plan(http, params["smoke"], "smoke.")
    patching = Patching(site, name, lambda: look(jobs), directory, params["timeout"], params["settle"])
    updates = patching.done
    try:
        reason = proven_lately(params["proofs"], params["proven"], now) if params["proven"] else None
        if not check_mode:
            patching.run(wanted, reason)
        elif reason:
            raise Refused(f"there might be no way back: {reason}")
        else:
            updates = [_told(update, "pending") for update in patching.preview(wanted)]
            reason = f"check mode: {len(updates)} updates would be tried, and nothing was touched"
            patching.checks += [Check.skipped(check_id, name, reason) for check_id in CHECKS]
    except (Refused, Unmeasurable) as exc:
        patching.checks.append(Check.unknown("patch.site", name, f"not patched: {exc}"))
    changed = bool(updates) if check_mode else patching.changed
    checks = patching.checks
    return {
        "changed": changed,
        "updates": updates,
        "diff": {"before": _versions(updates, "from"), "after": _versions(updates, "to")},
        "status": worst(check.status for check in checks),
        "checks": [dataclasses.asdict(check) for check in checks],
    }


def look(jobs: t.Sequence[Job]) -> str | None:
    """What visitors find wrong, None for nothing."""
    checks = measure_all([dataclasses.replace(job, checks=[], further=[], afterwards=[]) for job in jobs], BUDGET)
    bad = [check for check in checks if at_least(check.status, "unknown")]
    return f"{bad[0].target}: {bad[0].summary}" if bad else None


def _versions(updates: t.Iterable[t.Mapping[str, str]], which: str) -> str:
    stayed = ("rolled back", "not tried")
    return "".join(
        f"{update['what']} {update['name']} {update['from' if update['result'] in stayed else which]}\n"
        for update in updates
    )


def _told(update: Update, result: str) -> dict[str, str]:
    return {"what": update.what, "name": update.name, "from": update.old, "to": update.new, "result": result}
