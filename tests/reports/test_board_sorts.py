"""The board's page sorts by a click on a head, in a real browser."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from helpers.waiting import GUARD

from reports import board
from risbench.leaderboard.board import entries_in, rankings_of
from risbench.metrics.metric_names import parse_all


@pytest.mark.parametrize(("clicks", "order"), [(1, "descending"), (2, "ascending")])
def test_a_click_sorts_and_another_turns_the_order(chromium: str, tmp_path: Path, clicks: int, order: str):
    (ranking,) = rankings_of(entries_in(board.folder()), parse_all("mIoU,PointM"), "shapes_test")
    click = "document.querySelectorAll('th button')[4].click();" * clicks
    page = tmp_path / "board.html"
    page.write_text(board.html([ranking]).replace("</body>", f"<script>{click}</script></body>"), encoding="utf-8")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=GUARD)
    assert f'aria-sort="{order}"' in shown.stdout
    rows = re.findall(r"<tr[^>]*>\s*(<td.*?)</tr>", shown.stdout, re.S)
    figures = [re.findall(r"<td[^>]*><bdi>(.*?)</bdi>", row)[4] for row in rows]
    known = [float(figure) for figure in figures if figure != "–"]
    assert len(known) > 5
    assert known == sorted(known, reverse=order == "descending")
    assert all(figure == "–" for figure in figures[len(known) :])
