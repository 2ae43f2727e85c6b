"""Every form of one table that has everything: splits, seeds, ties, controls, published figures, costs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from helpers.golden import is_golden
from helpers.runs import ious_of, write_run

from reports.tables import as_csv, as_json, latex, markdown
from risbench import Run

FORMS = [(markdown, "md"), (latex, "tex"), (as_csv, "csv"), (as_json, "json")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    base = tmp_path_factory.mktemp("runs")
    found = []
    for split in ("refcoco_val", "refcoco+_testA"):
        for seed in (0, 1, 2):
            ious = ious_of(0.42, seed)
            found.append(
                write_run(base / f"{split}-s{seed}", ious, method="ours_x", split=split, options={"seed": seed})
            )
        near, far = ious_of(0.421, 7), ious_of(0.30, 8)
        found.append(write_run(base / f"{split}-near", near, method="near", split=split, points=False))
        card = {"supervision": "text + SAM", "extra_data": "COCO captions"}
        found.append(write_run(base / f"{split}-far", far, method="far", split=split, card=card))
        oracle = {"supervision": "oracle", "reads": ["box"]}
        found.append(write_run(base / f"{split}-oracle", ious_of(0.8, 9), method="oracle", split=split, card=oracle))
    full = {"supervision": "none"}
    found.append(write_run(base / "full", ious_of(0.1, 3), method="full", split="refcoco_val", card=full, points=False))
    return found


@pytest.mark.filterwarnings("ignore:the table is about")
@pytest.mark.parametrize(("renderer", "suffix"), FORMS)
def test_the_whole_table_reads_as_it_was_looked_at(runs: list[Run], renderer: Any, suffix: str):
    text = renderer.render(runs, columns="paper1", published=True, efficiency=True)
    assert is_golden(text, f"whole.{suffix}")


@pytest.mark.parametrize(("renderer", "suffix"), FORMS)
def test_one_split_needs_no_heads_over_its_columns(runs: list[Run], renderer: Any, suffix: str):
    text = renderer.render([run for run in runs if run.summary["split"] == "refcoco_val"], metrics="mIoU,PointM")
    assert is_golden(text, f"plain.{suffix}")


@pytest.mark.parametrize(("renderer", "suffix"), FORMS)
def test_changing_one_row_changes_the_table(tmp_path: Path, renderer: Any, suffix: str):
    before = renderer.render([write_run(tmp_path / "a" / "x", [[0.5, 0.25], [0.75, 1.0]])])
    # A run with one other number, and one whose row was changed by hand after its summary was written.
    after = renderer.render([write_run(tmp_path / "b" / "x", [[0.5, 0.25], [0.75, 0.9]])])
    run = write_run(tmp_path / "c" / "x", [[0.5, 0.25], [0.75, 1.0]])
    rows = run.path / "rows.jsonl"
    rows.write_text(rows.read_text().replace('"intersection": 1000', '"intersection": 900'))
    assert before != after
    if suffix != "csv":  # which has no footnotes
        assert "CHANGED" in renderer.render([run])
    # And the other way round: the summary.
    run = write_run(tmp_path / "d" / "x", [[0.5, 0.25], [0.75, 1.0]])
    summary = json.loads((run.path / "summary.json").read_text())
    summary["metrics"]["mIoU"]["value"] += 0.01
    (run.path / "summary.json").write_text(json.dumps(summary))
    assert renderer.render([Run.load(run.path)]) != before


def test_every_form_says_the_same(runs: list[Run]):
    metrics = "mIoU,P@0.5,PointM"
    table = json.loads(as_json.render(runs, metrics=metrics, published=True) or "")
    lines = list(csv.reader(io.StringIO(as_csv.render(runs, metrics=metrics, published=True))))
    assert [line[0] for line in lines[1:]] == [line["method"] for line in table["lines"]]
    heads = lines[0]
    for line, result in zip(lines[1:], table["lines"], strict=True):
        for column, cell in zip(table["columns"], result["cells"], strict=True):
            text = line[heads.index(f"{column['split']} {column['metric']} (%)")]
            assert text == ("" if cell is None else f"{100 * cell['value']:.4f}")
    rows = [
        line for line in (markdown.render(runs, metrics=metrics, published=True) or "").splitlines()[2:] if "|" in line
    ]
    for row, result in zip([row for row in rows if not row.startswith("| *")], table["lines"], strict=True):
        cells = row.strip("| ").split(" | ")[1:]
        for text, cell in zip(cells, result["cells"], strict=True):
            assert text.startswith(("–", "†") if cell is None else ("*", "<", f"{100 * cell['value']:.1f}"))
            if cell is not None:
                assert f"{100 * cell['value']:.1f}" in text


def test_a_spreadsheet_is_given_no_formula(tmp_path: Path):
    for number, name in enumerate(("=1+1", "+cmd", "-2", "@x", 'a,b\n"c"')):
        run = write_run(tmp_path / str(number), [[0.5]], method=name)
        (line,) = list(csv.reader(io.StringIO(as_csv.render([run], metrics="mIoU"))))[1:]
        assert line[0] == ('a,b "c"' if number == 4 else f"'{name}")
