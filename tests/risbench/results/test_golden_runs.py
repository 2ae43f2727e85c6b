"""Run folders of every schema there has been: read, or refused by the schema's name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from reports.tables import as_json, markdown
from risbench import DataError, Run, score
from risbench.scorer import summary_of

GOLDEN = Path(__file__).parents[2] / "golden"


def test_a_run_of_schema_1_is_read_and_its_rows_give_its_summary():
    run = Run.load(GOLDEN / "run-schema-1")
    assert run.summary["count"] == len(run.rows()) == len(list(run.masks()))
    found = summary_of(run.rows())
    for name, number in run.summary["metrics"].items():
        assert (found[name]["value"], found[name]["count"]) == (pytest.approx(number["value"]), number["count"]), name
    assert "CHANGED" not in (markdown.render([run]) or "")
    assert json.loads(as_json.render([run]) or "")["lines"][0]["method"] == "centre"


def test_a_run_of_schema_1_is_scored_again_to_the_same_rows(tmp_path: Path):
    run = Run.load(GOLDEN / "run-schema-1")
    again = score(run.path, "shapes_val", out=tmp_path / "again")
    for old, new in zip(run.rows(), again.rows(), strict=True):
        assert (old.id, old.intersection, old.union, old.hit_box, old.hit_mask, old.box_iou) == (
            *(new.id, new.intersection, new.union, new.hit_box, new.hit_mask),
            pytest.approx(new.box_iou),
        )


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_another_schema_is_refused_by_its_name(tmp_path: Path, schema: object):
    folder = tmp_path / "run"
    shutil.copytree(GOLDEN / "run-schema-1", folder)
    header = json.loads((folder / "header.json").read_text())
    (folder / "header.json").write_text(json.dumps({**header, "schema": schema}))
    with pytest.raises(DataError, match=f"has schema {schema!r}; this version reads 1"):
        Run.load(folder)
