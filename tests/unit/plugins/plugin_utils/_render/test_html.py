# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html.parser
import itertools
import re
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._record import Sample
from ansible_collections.sre.runbooks.plugins.plugin_utils._render import html as renderer
from ansible_collections.sre.runbooks.plugins.plugin_utils._render.html import evidence, trend
from ansible_collections.sre.runbooks.tests import samples
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import Step, record, report

CSS = Path(renderer.__file__).with_name("report.css").read_text(encoding="utf-8")
STATUSES = ("ok", "warning", "unknown", "critical", "skipped")


class Text(html.parser.HTMLParser):
    """What a page says, without its style; with ``end`` of tags checked."""

    VOID = ("meta", "link", "br", "use", "path", "circle")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, f"</{tag}> at line {self.getpos()[0]} closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said += data.split()


def said(page: str) -> str:
    return " ".join(Text(page).said)


@pytest.mark.parametrize("make", [samples.all_ok, samples.mixed, samples.fleet, samples.proofs])
def test_every_tag_is_closed_where_it_was_opened(make: object) -> None:
    text = Text(renderer.render(make()))  # type: ignore[operator]
    assert text.open == []


def test_a_report_says_verdict_changes_people_steps_waivers_and_facts_in_this_order() -> None:
    text = said(renderer.render(samples.mixed()))
    order = [
        "edubot Morning startup",
        "Critical 3 critical, 2 unknown and 1 warning among",
        "What changed Since Thu 20 Nov, 05:00, which was warning. New 3",
        "Who is needed Bo Lindqvist (on call) 3",
        "The run itself",
        "The runbook, line by line 16 steps",
        "Outside of the runbook",
        "Waived 1",
        "This run",
        "Started Fri 21 Nov 2025, 05:00 Europe/Berlin Fri 21 Nov 2025, 04:00 UTC",
        "Took 42 s of 10 min",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_every_step_is_there_with_what_became_of_it() -> None:
    text = said(renderer.render(samples.mixed()))
    for part in (
        "CPU usage EB-D1-01 3 of 3 ok",
        "Disk usage EB-D1-03 1 critical, 5 ok, 1 waived",
        "Look at the dashboard EB-D1-08 done by Ada Ng, Fri 21 Nov, 05:22 widgets load, no notices",
        "Compare campaign numbers with the ad platform EB-D1-09 does not apply, says Ada Ng no campaign runs",
        "API connections are green EB-D1-13 did not run no check reported: edubot.connection",
        "Review pending maintenance EB-D3-04 waits until Sat 22 Nov, 05:00",
        "Sign the change calendar EB-D3-07 overdue since Fri 21 Nov, 05:30",
        "Drop unused tables EB-W9-01 not automated destroys evidence",
    ):
        assert part in text


def test_a_finding_has_value_limits_evidence_change_and_runbook_page() -> None:
    page = renderer.render(samples.mixed())
    text = said(page)
    assert (
        "/var on db-1 critical worse, was warning 93 % of /var is used, 6.9 GiB are free (warning 80, critical 90) Evidence"
        in text
    )
    assert "41 GiB /var/lib/mysql" in text
    assert 'href="https://docs.example.com/runbooks/mount.space.md"' in page


def test_many_hosts_that_are_fine_are_one_folded_line() -> None:
    hosts = [record("service.active", "nginx", host=f"web-{number}") for number in range(20)]
    page = renderer.render(report(hosts, [Step("S1", "nginx is running", checks=("service.active@nginx",))]))
    assert "nginx is running S1 20 of 20 ok" in said(page)
    assert " open>" not in page


def test_a_step_that_is_not_fine_is_unfolded_and_what_is_fine_in_it_folded() -> None:
    hosts = [record("service.active", "nginx", host=f"web-{number}") for number in range(19)]
    bad = record("service.active", "nginx", "critical", host="web-20")
    page = renderer.render(report([*hosts, bad], [Step("S1", "nginx is running", checks=("service.active",))]))
    assert page.count(" open>") == 1
    assert re.search(r'<details class="fold"><summary>.*19 ok</summary>', page)


def test_an_evidence_sheet_says_what_was_restored_and_what_was_measured() -> None:
    text = said(renderer.render(report([samples.proof("shop")], timezone="Europe/Berlin")))
    assert text.partition("Restore proofs ")[2].partition(" This run")[0] == (
        "1 shop on db-1 proven 2.1 h would be lost, by the newest row of orders.at (warning 26 h, critical 50 h);"
        " restoring takes 94 s (critical 60 min) Evidence sheet"
        " Backup /var/backups/databases/shop-20251121T020000Z.sql.zst.age"
        " Content a dump of MySQL or MariaDB, age, zstd Size 40.0 MiB (41,920,113 bytes)"
        " SHA-256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        " Taken Fri 21 Nov 2025, 03:00 Europe/Berlin Restored Fri 21 Nov 2025, 05:00 Europe/Berlin"
        " Into 10.11.6-MariaDB, database shop It took start 0.8 s, restore 1 min 34 s, check 12 s, compare 9.9 s"
        " Found 182,044 rows, in each table as many as in the manifest Compared with the manifest"
        " Would be lost 2.1 h would be lost, by the newest row of orders.at (warning 26 h, critical 50 h)"
        " Time to restore restoring takes 94 s (critical 60 min)"
        " Checks ok cleared, encryption, loads, contained, engine_check, schema, rows, sample, sequences, rpo, rto, invariants,"
        " coverage Checks skipped permissions Tables all"
    )


def test_the_evidence_of_a_proof_is_in_one_place_to_which_its_check_leads() -> None:
    page = renderer.render(report([samples.proof("shop")], [Step("S1", "Restored", checks=("restore.proof",))]))
    assert page.count("9f86d081884c7d65") == 1
    assert page.count('<a href="#proofs">Evidence sheet</a>') == 1
    assert page.count('id="proofs"') == 1


def test_a_proof_that_broke_shows_how() -> None:
    broke = record("restore.proof", "shop", "unknown", "the check broke: KeyError: 'x'", detail={"traceback": "line 7"})
    text = said(renderer.render(report([broke])))
    assert "Evidence traceback line 7" in text
    assert "shop on web-1 not restored the check broke: KeyError: 'x'" in text


def test_a_proof_that_is_unknown_says_why_and_never_that_it_is_proven() -> None:
    why = "the proof cannot be remembered: /var/lib/sre-runbooks/proofs/shop.json cannot be written: No space left on device"
    text = said(renderer.render(report([samples.proof("shop", status="unknown", summary=why)])))
    assert f"Restore proofs 1 shop on db-1 unknown {why} Evidence sheet Backup" in text
    assert "proven" not in text.partition("Restore proofs")[2]


def test_a_backup_that_could_not_be_restored_is_among_the_proofs_with_the_reason() -> None:
    text = said(renderer.render(samples.proofs(3)))
    reason = "not measured, see restore.cleared: mariadbd is not installed on the host: apt-get install mariadb-server"
    assert f"newsletter on db-3 not restored {reason} " in text


def test_of_many_proofs_those_that_are_not_good_come_first_and_unfolded() -> None:
    section = renderer.render(samples.proofs(30)).partition('id="proofs"')[2].partition("</section>")[0]
    assert re.findall(r'<span class="word (\w+)">', section) == ["critical", "unknown", *["ok"] * 28]
    assert re.findall(r'<details class="evidence sheet"( open)?>', section) == [" open", *[""] * 28]


def test_where_nothing_was_restored_there_is_no_section_for_it() -> None:
    assert "Restore proofs" not in renderer.render(samples.mixed())


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"limited": True}, "This run was limited to some hosts or tags."),
        ({"check_mode": True}, "This run was made in check mode"),
        ({"state": "broken_off"}, "This run was broken off"),
    ],
)
def test_a_run_that_does_not_tell_the_whole_story_says_so(facts: dict[str, object], words: str) -> None:
    assert words in said(renderer.render(report([record("a.b")], run=facts)))
    assert words not in said(renderer.render(report([record("a.b")])))


def test_a_first_run_says_that_there_is_nothing_to_compare_with() -> None:
    assert "There is no earlier run to compare with." in said(renderer.render(report([record("a.b")])))


def test_a_budget_that_was_overrun_is_shown() -> None:
    page = renderer.render(report([record("a.b")], [Step("S1", "x", checks=("a.b",))], run={"seconds": 700.0}))
    assert "Took 11 min 40 s of 10 min" in said(page)
    assert 'class="critical" style="width:100%"' in page


def test_a_status_is_never_said_by_colour_alone() -> None:
    page = renderer.render(samples.mixed())
    icons = re.findall(
        r'<svg class="icon (\w+)"( role="img" aria-label="(\w+)"| aria-hidden="true")><use href="#i-(\w+)"/>', page
    )
    assert icons
    assert all(shape == status for status, _how, _label, shape in icons)
    assert len({re.search(rf'id="i-{status}".*?</symbol>', page)[0] for status in STATUSES}) == len(STATUSES)  # type: ignore[index]


def samples_of(*values: float | None) -> list[Sample]:
    return [Sample("2025-11-21T04:00:00+00:00", value, "ok") for value in values]


def test_a_trend_has_its_course_its_limit_and_words() -> None:
    drawn = trend(samples_of(10, 20, 30), record("a.b", value=30.0, warning="40", critical="90"))
    assert 'aria-label="3 runs, 10 to 30, between 10 and 30"' in drawn
    assert 'd="M3 25L52 18L101 10"' in drawn
    assert 'class="warning" d="M0 3H104"' in drawn
    assert "critical" not in drawn


def test_an_unknown_is_a_gap_in_the_trend() -> None:
    drawn = trend(samples_of(1, 2, None, 2, 1), record("a.b", value=1.0))
    assert re.search(r'd="M\S+ \S+L\S+ \d+M\S+ \S+L\S+ \d+"', drawn)


@pytest.mark.parametrize("values", [(), (1.0,), (None, None), (1.0, None)], ids=["none", "one", "unknown", "one known"])
def test_below_two_values_there_is_no_trend(values: tuple[float | None, ...]) -> None:
    assert trend(samples_of(*values), record("a.b")) == ""


@pytest.mark.parametrize("limit", ["10:20", "@5", "", "nonsense"])
def test_a_limit_in_a_foreign_syntax_is_left_out_of_the_trend(limit: str) -> None:
    assert "warning" not in trend(samples_of(1, 1), record("a.b", warning=limit))


def test_evidence_is_bounded_and_in_order() -> None:
    shown = evidence({"log_lines": ["one", "two"], "empty": [], "blocked_by": "a.b", "long": "x" * 100}, 50)
    assert shown == (("log lines", "one\ntwo"), ("long", "x" * 42 + "…"))


def test_two_hundred_checks_with_all_the_evidence_they_may_bring_stay_below_500_kb() -> None:
    detail = {"lines": ["x" * 300] * 20}
    many = [record("a.b", f"t{number}", "critical", detail=detail, value=5.0, unit="%") for number in range(200)]
    trends = {(r["host"], r["id"], r["target"]): samples_of(*range(30)) for r in many}
    page = renderer.render(report(many, [Step("S1", "All", checks=("a.b",))], trends=trends))
    assert len(page.encode()) <= 500_000


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_ground_it_stands_on(scheme: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0 if scheme == "light" else 1]))
    texts = ["ink", "soft", "link", *STATUSES, "waived", "person"]
    grounds = ["page", *(f"{status}-tint" for status in STATUSES)]
    poor = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text, ground in itertools.product(texts, grounds)
        if contrast(colours[text], colours[ground]) < 4.5
    }
    assert poor == {}
