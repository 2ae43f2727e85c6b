"""The paper's comparison in miniature: groups, differences, published figures beside measured ones, and resuming."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.runs import ious_of, write_run
from helpers.small import write_small

from reports.comparison.__main__ import main
from reports.comparison.methods import ALL, TABLE1, TABLE2
from reports.comparison.minutes import minutes_of, timed
from reports.comparison.page import page_of
from reports.tables import latex
from risbench import Run
from risbench.leaderboard.published import figures
from risbench.plugins import METHODS, installed

_LEARNT = {"lavt": "mask", "cts_style": "box", "amr": "class labels", "clip_es": "none", "groupvit": "none"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        method.folder: write_run(
            folder / method.folder,
            ious_of(0.2 + 0.04 * place, place),
            method=method.method,
            split="shapes_test",
            card={"supervision": _LEARNT.get(method.method, "text")},
            options=dict(setting.split("=") for setting in method.settings),
        )
        for place, method in enumerate(ALL)
    }


def section(page: str, title: str) -> str:
    return page.partition(f"## {title}")[2].partition("\n## ")[0]


def row(text: str, title: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in lines[0].strip("|").split("|")]


def test_every_method_of_the_paper_is_a_method_here():
    assert {method.method for method in ALL} <= set(installed(METHODS))
    assert len({method.folder for method in ALL}) == len(ALL)
    assert [method.title for method in TABLE1] == [
        "LAVT", "CTS (re-implemented)", "AMR", "TRIS", "WWbL", "GbS", "MG", "CLIP-ES", "GroupViT",
    ]  # fmt: skip


def test_a_table_is_grouped_by_supervision_and_prints_the_runs_own_figures(runs: dict[str, Run]):
    text = section(page_of(runs, {}), "Table 1")
    groups = [line.strip("|* ") for line in text.splitlines() if line.startswith("| *")]
    assert [group.strip(" *|") for group in groups] == [
        "Supervised with masks",
        "Supervised with boxes",
        "Supervised with class labels of images",
        "Supervised with text alone",
        "Not trained for the task",
    ]
    found = runs["gbs"].summary["metrics"]["mIoU"]
    cell = f"{100 * found['value']:.1f} <sub>{100 * found['low']:.1f} to {100 * found['high']:.1f}</sub>"
    assert row(text, "GbS")[1] == cell


def test_a_difference_is_tris_minus_the_other_in_either_order_of_the_runs(runs: dict[str, Run]):
    text = section(page_of(runs, {}), "Table 1").partition("Against")[2]
    values = {name: runs[name].summary["metrics"]["mIoU"]["value"] for name in ("lavt", "tris", "mg")}
    for title, name in (("LAVT", "lavt"), ("MG", "mg")):
        shown, p = row(text, title)[1:3]
        assert shown.startswith(f"{100 * (values['tris'] - values[name]):+.1f} ")
        low, high = (float(part) for part in shown.partition("<sub>")[2].removesuffix("</sub>").split(" to "))
        assert low < float(shown.split()[0]) < high
        assert p == "< 0.001"


def test_published_figures_stand_apart_with_their_source_and_a_dash_where_there_is_none(runs: dict[str, Run]):
    text = section(page_of(runs, {}), "Published figures")
    for title in ("CTS (re-implemented)", "AMR", "CLIP-ES", "GroupViT", "TRIS, stage 1"):
        assert set(row(text, title)[1:]) == {"–"}
    known = {figure.method for figure in figures()}
    for method in ALL:
        if set(method.published) & known:
            assert any(f"| {name} |" in text for name in method.published), method
    assert "LAVT README" in text
    assert "not comparable with the tables above" in text


def test_a_new_training_that_leaves_the_shipped_interval_is_bold(runs: dict[str, Run], tmp_path: Path):
    near = write_run(tmp_path / "near", ious_of(0.2, 0), method="lavt", split="shapes_test")
    far = write_run(tmp_path / "far", ious_of(0.9, 0), method="amr", split="shapes_test")
    text = section(page_of(runs, {"lavt": near, "amr": far}), "Trained anew")
    assert "**" not in "".join(row(text, "LAVT"))
    assert row(text, "AMR")[1].startswith("**")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs a TeX engine")
def test_both_tables_compile(runs: dict[str, Run], tmp_path: Path):
    tables = []
    for methods, metrics in ((TABLE1, "mIoU,oIoU,P@0.5,PointM"), (TABLE2, "PointIt,Accbox")):
        tables.append(latex.render([runs[method.folder] for method in methods], metrics=metrics) or "")
    head = r"\documentclass[twocolumn]{article}\usepackage{booktabs,graphicx}\begin{document}"
    (tmp_path / "page.tex").write_text("\n".join([head, *tables, r"\end{document}"]))
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-800:]


def test_the_command_runs_what_is_asked_for_once_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RISBENCH_DATA", str(write_small(tmp_path / "data")))
    words = ["--split", "refcoco_val", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*words, "--only", "centre"])
    assert done.exit_code == 0, done.output
    rows = tmp_path / "runs" / "centre" / "rows.jsonl"
    before = rows.stat().st_mtime_ns
    assert CliRunner().invoke(main, [*words, "--only", "centre"]).exit_code == 0
    assert rows.stat().st_mtime_ns == before
    assert not (tmp_path / "out").exists()
    strange = CliRunner().invoke(main, [*words, "--only", "center"])
    assert strange.exit_code == 2
    assert "no method center" in strange.output


def test_what_makes_a_figure_mean_something_else_stands_below_its_table(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
):
    assert "CAUTION" not in page_of(runs, {})
    known = Run.cautions
    monkeypatch.setattr(Run, "cautions", lambda run: ["odd"] if run.path.name == "mg" else known(run))
    assert "CAUTION: MG: odd." in section(page_of(runs, {}), "Table 1")
    assert "CAUTION: MG: odd." in section(page_of(runs, {}), "Table 2")


def test_minutes_of_a_training_add_up_over_calls_and_stand_with_their_sum(runs: dict[str, Run], tmp_path: Path):
    folder = tmp_path / "lavt"
    with pytest.raises(KeyboardInterrupt), timed(folder):
        raise KeyboardInterrupt
    (folder / "minutes.json").write_text('{"minutes": 20.0}')
    with timed(folder):
        pass
    assert minutes_of(folder) == pytest.approx(20, abs=0.01)
    page = page_of(runs, {"lavt": runs["lavt"]}, {"lavt": minutes_of(folder), "mg": 40.0, "gbs": 0.0})
    assert "Minutes by the clock: lavt 20, mg 40; together 1.0 hours." in section(page, "Trained anew")
