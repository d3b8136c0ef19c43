# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WP-CLI as it really answers: recordings of two of its versions, handed out by a command in its place."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable
from ansible_collections.sre.runbooks.plugins.module_utils._probe import wordpress as probe
from ansible_collections.sre.runbooks.plugins.module_utils._probe import wp_cli
from ansible_collections.sre.runbooks.plugins.module_utils._probe.wp_cli import MARK, Site

RECORDED = Path(__file__).resolve().parents[4] / "fixtures/wp-cli"
STATES = sorted(path.stem for path in RECORDED.glob("*.json"))
ME = pwd.getpwuid(os.geteuid()).pw_name

REPLAY = f"""#!{sys.executable}
import json, sys
answers = json.load(open(sys.argv[0] + ".json"))
said = " ".join(word for word in sys.argv[1:] if not word.startswith(("--path=", "--no-color", "--allow-root", "--url=")))
answer = answers.get(said) or answers[said.split()[0]]
sys.stdout.write(answer["stdout"]); sys.stderr.write(answer["stderr"]); sys.exit(answer["rc"])
"""

Replay = Callable[[dict[str, Any]], Site]


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """A site whose ``wp`` gives the answers, by arguments; ``eval`` alone stands for whatever is evaluated."""

    def site(answers: dict[str, Any]) -> Site:
        wp = tmp_path / "wp"
        wp.write_text(REPLAY)
        wp.chmod(0o755)
        (tmp_path / "wp.json").write_text(json.dumps(answers))
        return Site(str(tmp_path), user=ME, executable=str(wp))

    return site


def recorded(state: str) -> dict[str, Any]:
    by_name = json.loads((RECORDED / f"{state}.json").read_text())
    return {**{answer["args"]: answer for answer in by_name.values()}, "eval": by_name["eval_json"]}


def answer(stdout: str = "", stderr: str = "", rc: int = 0) -> dict[str, Any]:
    return {"stdout": stdout, "stderr": stderr, "rc": rc}


def evaluated(value: Any) -> str:
    return MARK + json.dumps(value) + MARK


@pytest.mark.parametrize("state", STATES)
def test_checksums_are_unknown_without_the_network(replay: Replay, state: str) -> None:
    site = replay(recorded(state))
    with pytest.raises(Unmeasurable, match=r"not compared: .*Could not resolve host"):
        probe.core_checksums(site, 10)
    if "database_down" in state:
        with pytest.raises(Unmeasurable, match="Error establishing a database connection"):
            probe.plugin_checksums(site, 10)
    else:  # exit code 0, "Success", and nothing was verified
        verified = probe.plugin_checksums(site, 10)
        assert "akismet" in verified.unverified
        assert all("Could not resolve host" in why for why in verified.unverified.values())


@pytest.mark.parametrize("state", [state for state in STATES if "database_down" in state])
def test_a_dead_database_is_named(replay: Replay, state: str) -> None:
    with pytest.raises(Unmeasurable, match="Error establishing a database connection"):
        probe.facts(replay(recorded(state)), 10)


@pytest.mark.parametrize("state", STATES)
def test_code_that_breaks_is_named_by_its_message(replay: Replay, state: str) -> None:
    answers = json.loads((RECORDED / f"{state}.json").read_text())
    with pytest.raises(Unmeasurable) as caught:
        wp_cli.evaluate(replay({"eval": answers["eval_fatal"]}), "undefined_function_here()", 10)
    assert len(str(caught.value)) < 400
    if "database_down" not in state and "2.10" in state:
        assert "undefined_function_here" in str(caught.value)


@pytest.mark.parametrize("state", [state for state in STATES if "database_down" not in state])
def test_wp_doctor_that_is_not_installed_is_named(replay: Replay, state: str) -> None:
    with pytest.raises(Unmeasurable, match="wp doctor is not installed"):
        probe.doctor(replay(recorded(state)), 10)


def test_an_empty_list_of_updates_and_no_answer_look_alike_which_is_why_it_is_not_asked_for() -> None:
    healthy = json.loads((RECORDED / "2.10.0-healthy.json").read_text())
    assert healthy["core_check_update_json"] == {
        "args": "core check-update --format=json", "rc": 0, "stderr": "", "stdout": "",
    }  # fmt: skip


def test_the_answer_is_found_among_what_php_and_plugins_print(replay: Replay) -> None:
    noise = "\nWarning: Undefined array key in /w/a.php on line 3\n[1, 2]\n"
    site = replay({"eval": answer(noise + evaluated({"posts": "1", "none": None}) + "<!-- cached -->\n")})
    assert wp_cli.evaluate(site, "x()", 10) == {"posts": "1", "none": None}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(""), "gave no answer"),
        (answer("0\n"), "gave no answer"),
        (answer(f"{MARK}{{}}"), "gave no answer"),
        (answer(f"{MARK}{MARK}"), "not JSON"),
        (answer(f"{MARK}password=hunter2{MARK}"), r"not JSON: 'password=\*\*\*'"),
        (answer("", "", 255), "wp ended with exit code 255 and said nothing"),
        (answer(evaluated(1), "PHP Fatal error:  out of memory", 255), "out of memory"),
        (answer("", "Error: password=hunter2 refused", 1), r"password=\*\*\* refused"),
    ],
)
def test_anything_but_one_answer_is_unknown(replay: Replay, said: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unmeasurable, match=reason):
        wp_cli.evaluate(replay({"eval": said}), "x()", 10)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (evaluated([]), "another shape"),
        (evaluated({"trouble": ["Table 'w.wp_options' is marked as crashed"]}), "crashed"),
    ],
)
def test_facts_that_are_none_are_unknown(replay: Replay, told: str, reason: str) -> None:
    with pytest.raises(Unmeasurable, match=reason):
        probe.facts(replay({"eval": answer(told)}), 10)


def test_files_of_wordpress_that_deviate_are_listed(replay: Replay) -> None:
    said = answer(
        "",
        "Warning: File doesn't verify against checksum: wp-login.php\nWarning: File doesn't exist: readme.html\n"
        "Warning: File should not exist: wp-includes/evil.php\n"
        "Error: WordPress installation doesn't verify against checksums.\n",
        1,
    )
    verified = probe.core_checksums(replay({"core verify-checksums": said}), 10)
    assert [line.rpartition(" ")[2] for line in verified.deviating] == [
        "wp-login.php",
        "readme.html",
        "wp-includes/evil.php",
    ]


def test_a_file_too_many_deviates_although_wp_calls_it_a_success(replay: Replay) -> None:
    said = answer(
        "Success: WordPress installation verifies against checksums.\n",
        "Warning: File should not exist: wp-admin/shell.php\n",
    )
    assert len(probe.core_checksums(replay({"core verify-checksums": said}), 10).deviating) == 1


VERIFY = "plugin verify-checksums --all --format=json"


def test_files_of_plugins_that_deviate_are_listed(replay: Replay) -> None:
    rows = [{"plugin_name": "akismet", "file": "akismet.php", "message": "Checksum does not match"}]
    said = answer(
        "Deprecated: something in x.php on line 1\n" + json.dumps(rows),
        "Warning: Couldn't fetch response from https://downloads.wordpress.org/plugin-checksums/shop/1.0.json (HTTP code 404).\n"
        "Warning: Could not retrieve the checksums for version 1.0 of plugin shop, skipping.\n"
        "Error: Only verified 1 of 3 plugins (1 failed, 1 skipped).\n",
        1,
    )
    verified = probe.plugin_checksums(replay({VERIFY: said}), 10)
    assert verified.deviating == ("akismet/akismet.php: Checksum does not match",)
    assert list(verified.unverified) == ["shop"]
    assert "404" in verified.unverified["shop"]


def test_deviating_plugins_without_a_list_are_unknown(replay: Replay) -> None:
    with pytest.raises(Unmeasurable, match="does not say which"):
        probe.plugin_checksums(replay({VERIFY: answer("", "Error: No plugins verified (1 failed).\n", 1)}), 10)


def test_verdicts_of_wp_doctor_are_read_whatever_stands_before_them(replay: Replay) -> None:
    rows = [{"name": "cron-count", "status": "error", "message": "x"}]
    site = replay({"doctor check --all --format=json": answer("Notice: [y] in x\n" + json.dumps(rows) + "\n", "", 1)})
    assert probe.doctor(site, 10) == rows


@pytest.mark.parametrize("text", ["", "[1, 2]", "[{]", 'x [{"a": 1}]', '[{"a": 1}] trailing'])
def test_a_list_is_one_only_as_a_whole(text: str) -> None:
    assert wp_cli.listed(text) is None


def test_no_site_and_no_wp_are_told(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="is not a directory"):
        wp_cli.wp(Site(str(tmp_path / "gone"), user=ME), [], 5)
    with pytest.raises(Unmeasurable, match="no-such-wp is not installed"):
        wp_cli.wp(Site(str(tmp_path), user=ME, executable="no-such-wp"), [], 5)
    with pytest.raises(Unmeasurable, match="user no-such-user is not known"):
        wp_cli.wp(Site(str(tmp_path), user="no-such-user", executable="true"), [], 5)


class _Account:
    """Who runs the tests does not matter: the argument list does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, euid: int) -> None:
        self.started: list[list[str]] = []
        monkeypatch.setattr(wp_cli.os, "geteuid", lambda: euid)
        monkeypatch.setattr(wp_cli.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(wp_cli, "command", lambda argv, *_, **__: self.started.append(argv))


def test_root_becomes_the_user_of_the_site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account, nobody = _Account(monkeypatch, 0), pwd.getpwnam("nobody")
    wp_cli.wp(Site(str(tmp_path), user="nobody"), ["core", "version"], 5)
    (started,) = account.started
    become = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--init-groups", "--"]
    assert started == [*become, "/usr/bin/wp", "core", "version", f"--path={tmp_path}", "--no-color"]


def test_root_runs_the_code_of_a_site_only_when_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    account = _Account(monkeypatch, 0)
    with pytest.raises(Unmeasurable, match="belongs to root, and the code of a site is not run as root"):
        wp_cli.wp(Site("/usr"), [], 5)
    wp_cli.wp(Site("/usr", user="root", url="https://a.example.org"), [], 5)
    assert account.started == [
        ["/usr/bin/wp", "--path=/usr", "--no-color", "--url=https://a.example.org", "--allow-root"]
    ]


def test_nobody_but_root_becomes_somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account, nobody = _Account(monkeypatch, pwd.getpwnam("nobody").pw_uid), pwd.getpwnam("nobody")
    with pytest.raises(Unmeasurable, match="running wp as root takes root, and this is nobody"):
        wp_cli.wp(Site(str(tmp_path), user="root"), [], 5)
    wp_cli.wp(Site(str(tmp_path)), [], 5)
    assert account.started[0][0] == "/usr/bin/wp", f"{nobody.pw_name} is itself"


LINE = "*/5 * * * * www-data"


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (f"{LINE} php /var/www/shop/wp-cron.php", True),
        (f"{LINE} cd /var/www/shop && wp cron event run --due-now", True),
        (f"{LINE} curl -s https://shop.example.org/wp-cron.php?doing_wp_cron", True),
        (f"{LINE} curl -s http://localhost/wp-cron.php", True),
        (f"# {LINE} php /var/www/shop/wp-cron.php", False),
        (f"{LINE} php /var/www/other/wp-cron.php", False),
        (f"{LINE} /usr/bin/backup /var/www/shop", False),
    ],
)
def test_the_runner_of_events_is_recognized(tmp_path: Path, text: str, runs: bool) -> None:
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/cron.d/shop").write_text(f"SHELL=/bin/sh\n{text}\n")
    found = probe.cron_runner("/var/www/shop/", "https://shop.example.org/", root=str(tmp_path))
    assert found == (f"/etc/cron.d/shop: {text}" if runs else None)


def test_a_service_runs_events_only_with_its_timer(tmp_path: Path) -> None:
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "shop.service").write_text("[Service]\nExecStart=/usr/bin/php /var/www/shop/wp-cron.php\n")
    assert probe.cron_runner("/var/www/shop", "https://x/", root=str(tmp_path)) is None
    (units / "shop.timer").write_text("[Timer]\nOnCalendar=*:0/5\n")
    assert probe.cron_runner("/var/www/shop", "https://x/", root=str(tmp_path)) is not None


def test_a_crontab_that_may_not_be_read_could_be_the_one(tmp_path: Path) -> None:
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/cron.d/shop").symlink_to("/proc/self/mem")  # readable by nobody at its beginning, not even by root
    (tmp_path / "etc/crontab").symlink_to(tmp_path / "etc/cron.d/shop")
    with pytest.raises(Unmeasurable, match="cannot be told"):
        probe.cron_runner("/var/www/shop", "https://x/", root=str(tmp_path))
