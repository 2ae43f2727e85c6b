"""Rows leave as CSV, JSON lines and Parquet with nothing lost and every type kept."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from helpers.runs import ious_of, write_run

from reports import rows
from risbench import RisbenchError, Run, UsageError

# The made-up runs here are of a split that is nowhere; tests/risbench/results/test_table.py has the texts.
pytestmark = pytest.mark.filterwarnings("ignore:.*without text, category, area and words")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path / "run", ious_of(0.4, 1, images=4), points=False, method="=ours")


def test_every_expression_is_a_line_with_its_numbers(run: Run, tmp_path: Path):
    rows.render([run], out=tmp_path / "rows.csv")
    text = (tmp_path / "rows.csv").read_text()
    assert text.rstrip("\n") == rows.render([run])
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["id"] for line in lines] == [row.id for row in run.rows()]
    for line, row in zip(lines, run.rows(), strict=True):
        assert int(line["intersection"]) == row.intersection
        assert float(line["iou"]) == row.iou
        assert line["hit_box"] == ""
        assert line["box_hit"] == str(row.box_iou is not None and row.box_iou > 0.5).lower()
        assert line["missing"] == "false"
        assert line["method"] == "'=ours"


def test_json_lines_keep_the_types(run: Run, tmp_path: Path):
    rows.render([run, run], out=tmp_path / "rows.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(lines) == 2 * len(run.rows())
    assert lines[0]["image_id"] == 0
    assert lines[0]["hit_mask"] is None
    assert lines[0]["method"] == "=ours"


def test_a_run_read_back_from_its_export_scores_the_same(run: Run):
    lines = list(csv.DictReader(io.StringIO(rows.render([run]) or "")))
    mean = sum(float(line["iou"]) for line in lines) / len(lines)
    assert mean == pytest.approx(run.summary["metrics"]["mIoU"]["value"])


def test_parquet_holds_typed_columns(run: Run, tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows.render([run], out=tmp_path / "rows.parquet")
    table = parquet.read_table(tmp_path / "rows.parquet")
    types = dict(zip(table.schema.names, table.schema.types, strict=True))
    assert types["image_id"] == pyarrow.int64()
    assert types["hit_box"] == pyarrow.bool_()
    assert types["iou"] == pyarrow.float64()
    assert types["id"] == types["text"] == pyarrow.string()
    assert types["words"] == pyarrow.int64()
    assert types["area"] == pyarrow.float64()
    assert table.column("hit_box").null_count == table.num_rows == len(run.rows())
    assert table.column("intersection").to_pylist() == [row.intersection for row in run.rows()]


def test_lines_written_in_pieces_are_those_written_at_once(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    other = write_run(tmp_path / "other", ious_of(0.2, 2, images=4), points=False)
    text = (other.path / "rows.jsonl").read_text()
    (other.path / "rows.jsonl").write_text(text.replace('"ref_id": 0', '"ref_id": "zero"', 1))  # texts among numbers
    for size in (1 << 14, 3):
        monkeypatch.setattr(rows, "_PIECE", size)
        for suffix in ("csv", "jsonl", "parquet"):
            rows.render([run, other], out=tmp_path / f"{size}.{suffix}")
    for suffix in ("csv", "jsonl"):
        assert (tmp_path / f"3.{suffix}").read_bytes() == (tmp_path / f"{1 << 14}.{suffix}").read_bytes()
    parquet = pytest.importorskip("pyarrow.parquet")
    few, all_at_once = (parquet.read_table(tmp_path / f"{size}.parquet") for size in (3, 1 << 14))
    assert few.equals(all_at_once)
    lines = [json.loads(line) for line in (tmp_path / "3.jsonl").read_text().splitlines()]
    for name in few.schema.names:
        values = [line[name] for line in lines]
        assert few.column(name).to_pylist() == ([str(value) for value in values] if name == "ref_id" else values)


def test_parquet_without_pyarrow_says_what_to_install(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RisbenchError, match=r"pip install 'risbench\[parquet\]'"):
        rows.render([run], out=tmp_path / "rows.parquet")
    assert not (tmp_path / "rows.parquet").exists()


def test_another_suffix_is_refused(run: Run, tmp_path: Path):
    with pytest.raises(UsageError, match=r"rows\.xlsx: rows are written as \.csv, \.jsonl, \.parquet"):
        rows.render([run], out=tmp_path / "rows.xlsx")
