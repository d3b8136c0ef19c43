# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML report in a real browser."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import html
from ansible_collections.sre.runbooks.plugins.plugin_utils._report import Report
from ansible_collections.sre.runbooks.tests import samples
from ansible_collections.sre.runbooks.tests.browser import chromium, measure
from ansible_collections.sre.runbooks.tests.unit.plugins.plugin_utils.reports import record, report

OPENED = "page.querySelectorAll('details').forEach(each => each.open = true);"
WIDTHS = "return [page.documentElement.scrollWidth, page.documentElement.clientWidth]"
VERDICT = """
    const verdict = page.querySelector('#verdict .word'), box = verdict.getBoundingClientRect()
    const style = page.defaultView.getComputedStyle(verdict)
    return {said: verdict.textContent, top: box.top, bottom: box.bottom, right: box.right, shown: style.visibility}
"""


def written(whole: Report, directory: Path) -> Path:
    page = directory / "report.html"
    page.write_text(html.render(whole), encoding="utf-8")
    return page


def unwieldy() -> Report:
    """Nothing in it has a place where a line could break."""
    word, detail = "x" * 400, {"y" * 200: ["z" * 1000], "nested": {"a": "b" * 500}}
    more = {"value": 1e30, "unit": "u" * 40, "warning": "9" * 40, "change": "new", "detail": detail, "host": word}
    return report([record(f"{'a' * 100}.{'b' * 100}", word, "critical", word, **more)], pages="https://e.org/" + word)


@pytest.mark.parametrize(
    "whole",
    [samples.all_ok(), samples.mixed(), samples.fleet(), samples.proofs(), unwieldy()],
    ids=["quiet", "mixed", "20 hosts x 40 checks", "30 proofs", "unwieldy"],
)
def test_on_a_phone_nothing_sticks_out_though_everything_is_unfolded(whole: Report, tmp_path: Path) -> None:
    scrolled, seen = measure(written(whole, tmp_path), 360, 740, OPENED + WIDTHS)["found"]
    assert seen == 360
    assert scrolled <= seen


@pytest.mark.parametrize(("width", "height"), [(360, 640), (1280, 720)], ids=["phone", "desk"])
def test_the_verdict_is_on_the_first_screen(width: int, height: int, tmp_path: Path) -> None:
    found = measure(written(samples.mixed(), tmp_path), width, height, VERDICT)["found"]
    assert (found["said"], found["shown"]) == ("Critical", "visible")
    assert 0 < found["top"] < found["bottom"] < height / 2
    assert found["right"] <= width


def test_what_changed_and_who_is_needed_begin_on_the_first_screen(tmp_path: Path) -> None:
    script = "return ['changes', 'people'].map(id => page.getElementById(id).getBoundingClientRect().top)"
    tops = measure(written(samples.mixed(), tmp_path), 1280, 720, script)["found"]
    assert all(top < 500 for top in tops)


def test_nothing_is_fetched_and_nothing_runs(tmp_path: Path) -> None:
    evil = "<script>document.title='pwned'</script><img src=/x onerror=\"document.title='pwned'\">"
    page = written(report([record("a.b", evil, "critical", evil, detail={evil: evil})]), tmp_path)
    seen = measure(page, 800, 600, "return [page.title, page.querySelectorAll('script, img, link[href^=http]').length]")
    title, foreign = seen["found"]
    assert title.startswith("Critical")
    assert foreign == 0
    assert {path for path in seen["asked"] if path != "/favicon.ico"} == {"/frame.html", "/report.html"}


def test_printed_it_keeps_the_evidence_of_what_is_not_fine(tmp_path: Path) -> None:
    page, paper = written(samples.mixed(), tmp_path), tmp_path / "report.pdf"
    script = """
        page.querySelectorAll('style').forEach(each => each.textContent = each.textContent.replace('@media print', '@media all'))
        return [...page.querySelectorAll('.row.critical .evidence pre')].filter(each => each.checkVisibility()).length
    """
    assert measure(page, 800, 1100, script)["found"] > 0
    chromium("--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF")


SHEETS = """
    const rows = [...page.querySelectorAll('#proofs .row')]
    return rows.map(row => [row.getBoundingClientRect().height, row.querySelector('dl')?.checkVisibility() ?? false])
"""


def test_of_thirty_proofs_on_a_phone_good_ones_take_few_lines_and_bad_ones_show_their_evidence(tmp_path: Path) -> None:
    bad, not_made, *good = measure(written(samples.proofs(30), tmp_path), 375, 740, SHEETS)["found"]
    assert bad[1]
    assert not not_made[1]
    assert len(good) == 28
    assert not any(shown for _height, shown in good)
    assert max(height for height, _shown in good) < 740 / 4


def test_printed_every_evidence_sheet_is_there_in_full(tmp_path: Path) -> None:
    script = "page.querySelectorAll('style').forEach(each => each.textContent = each.textContent.replace('@media print', '@media all'));"
    rows = measure(written(samples.proofs(30), tmp_path), 800, 1100, script + SHEETS)["found"]
    assert [shown for _height, shown in rows] == [True, False, *[True] * 28]
    assert min(height for height, shown in rows if shown) > 200


def test_the_largest_report_stays_small(tmp_path: Path) -> None:
    many = dataclasses.replace(samples.fleet(hosts=10, checks=20))
    assert len(many.records) == 200
    assert written(many, tmp_path).stat().st_size <= 500_000
