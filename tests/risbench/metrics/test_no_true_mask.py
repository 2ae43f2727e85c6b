"""Expressions without a true mask enter no overlap metric, whatever is answered, and everybody says how many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import Ask
from made_up.samples import block, sample_of
from PIL import Image

from reports import curves, gallery, grid, rows
from reports.tables import as_csv, as_json, latex, markdown
from risbench import Run, Scorer, Split, UsageError, evaluate, load_split, merge, score
from risbench.datasets.imports.own import import_own
from risbench.errors import DataError
from risbench.leaderboard.submit import verify
from risbench.metrics.rules.protocols import RULES
from risbench.scoring.sweep import sweep
from risbench.statistics.compare import Comparison, compare
from risbench.statistics.paired import in_step

SIZE = (40, 60)
LEFT, RIGHT = block(SIZE, 5, 10, 25, 30), block(SIZE, 10, 30, 30, 50)
NOTHING = np.zeros(SIZE, dtype=bool)
SQUARE = [[10, 5, 30, 5, 30, 25, 10, 25]]
OTHER = [[30, 10, 50, 10, 50, 30, 30, 30]]
# What is meant by each of four expressions: two masks, nothing, and a box alone.
EXPRESSIONS = [
    {"id": 1, "text": "left", "image": "a.png", "mask": SQUARE},
    {"id": 2, "text": "right", "image": "b.png", "mask": OTHER},
    {"id": 3, "text": "nobody", "image": "b.png", "mask": []},
    {"id": 4, "text": "a sign", "image": "b.png", "box": [30, 10, 50, 30]},
]
BEST = {1: LEFT, 2: RIGHT, 3: NOTHING, 4: RIGHT}
WORSE = {1: LEFT, 2: LEFT, 3: LEFT, 4: NOTHING}


def write_own(folder: Path, root: Path, expressions: list[dict[str, Any]], name: str = "mine") -> Split:
    """An own split of these expressions about images a.png and b.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for turn, file in enumerate(("a.png", "b.png")):
        Image.fromarray(np.full((*SIZE, 3), 60 + turn, np.uint8)).save(folder / file)
    images = [{"file": file, "height": 40, "width": 60} for file in ("a.png", "b.png")]
    (folder / "my.json").write_text(json.dumps({"images": images, "expressions": expressions}))
    return import_own(folder / "my.json", name, root).split


@pytest.fixture
def mine(tmp_path: Path) -> Split:
    return write_own(tmp_path / "photos", tmp_path / "root", EXPRESSIONS)


def write_answers(folder: Path, masks: dict[int, np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for ident, mask in masks.items():
        Image.fromarray(mask.view(np.uint8) * 255).save(folder / f"{ident}.png")
    return folder


def scored(tmp_path: Path, split: Split, name: str, masks: dict[int, np.ndarray], **more: Any) -> Run:
    return score(write_answers(tmp_path / f"png_{name}", masks), split, out=tmp_path / name, **more)


class Heats:
    """Answers every text with one heat, whose highest value lies in the left square."""

    def predict(self, image: np.ndarray, texts: list[str]) -> list[np.ndarray]:
        heat = np.where(LEFT, 0.8, 0.2).astype(np.float32)
        heat[8, 15] = 0.9
        return [heat for _ in texts]


@pytest.mark.parametrize("name", RULES)
def test_overlap_is_of_those_that_have_a_true_mask_whatever_the_others_answer(tmp_path: Path, mine: Split, name: str):
    best = scored(tmp_path, mine, "best", BEST, rules=name).summary["metrics"]
    for metric in ("mIoU", "oIoU", "P@0.5", "P@0.9"):
        assert (best[metric]["value"], best[metric]["count"]) == (1.0, 2), metric
    other = scored(tmp_path, mine, "other", {**BEST, 4: NOTHING}, rules=name).summary["metrics"]
    for metric in ("mIoU", "oIoU", "P@0.5", "P@0.9"):
        assert other[metric] == best[metric]


@pytest.mark.parametrize("name", RULES)
def test_a_mask_where_nothing_is_meant_scores_0_and_an_empty_answer_is_left_out(tmp_path: Path, mine: Split, name: str):
    wrong = scored(tmp_path, mine, "wrong", {**BEST, 3: LEFT}, rules=name)
    metrics = wrong.summary["metrics"]
    assert (metrics["mIoU"]["value"], metrics["mIoU"]["count"]) == (pytest.approx(2 / 3), 3)
    assert (metrics["P@0.5"]["value"], metrics["P@0.5"]["count"]) == (pytest.approx(2 / 3), 3)
    assert metrics["oIoU"]["value"] == pytest.approx(2 / 3)
    assert (wrong.summary["without_mask"], wrong.summary["no_target_answered"]) == (2, 1)
    assert "masks predicted for expressions without a target: 1, each counts as IoU 0" in (
        markdown.render([wrong]) or ""
    )
    assert "no_target_answered" not in scored(tmp_path, mine, "right", BEST, rules=name).summary


def test_a_box_without_a_mask_still_counts_for_boxes(tmp_path: Path, mine: Split):
    best = scored(tmp_path, mine, "best", BEST).summary["metrics"]
    assert (best["Accbox"]["value"], best["Accbox"]["count"]) == (1.0, 3)
    missed = scored(tmp_path, mine, "missed", {**BEST, 4: NOTHING}).summary["metrics"]
    assert missed["Accbox"]["value"] == pytest.approx(2 / 3)


def test_p_at_0_counts_nobody_without_a_mask(tmp_path: Path, mine: Split):
    from risbench.metrics.metric_names import parse_all
    from risbench.scorer import summary_of

    found = summary_of(scored(tmp_path, mine, "run", {**WORSE, 3: NOTHING}).rows(), parse_all("P@0"))
    assert (found["P@0"]["value"], found["P@0"]["count"]) == (1.0, 2)


def test_a_row_tells_by_itself_what_its_expression_has(mine: Split):
    scorer = Scorer("tris")
    for sample in mine:
        scorer.add(sample, np.where(LEFT, 1.0, 0.0).astype(np.float32))
    by_text = dict(zip([sample.text for sample in mine], scorer.rows, strict=True))
    nobody, sign, left = by_text["nobody"], by_text["a sign"], by_text["left"]
    assert (nobody.intersection, nobody.union, nobody.iou) == (0, LEFT.sum(), 0.0)
    assert nobody.no_target
    assert nobody.without_mask
    assert (nobody.hit_box, nobody.hit_mask, nobody.box_iou) == (None, None, None)
    assert (sign.union, sign.hit_mask) == (None, None)
    assert sign.hit_box is False
    assert sign.box_iou is not None
    assert left.hit_mask is True
    assert left.iou == 1.0
    # An answer without a point is told from an expression without a truth.
    silent = Scorer("tris")
    abstained = {sample.text: silent.add(sample, NOTHING) for sample in mine}
    assert (abstained["nobody"].intersection, abstained["nobody"].union, abstained["nobody"].iou) == (None, None, None)
    assert [abstained[text].box_iou is None for text in ("left", "nobody", "a sign")] == [False, True, False]
    assert {row.hit_box for row in abstained.values()} == {None}


def test_an_object_with_a_mask_and_no_box_is_left_out_of_boxes_alone():
    from dataclasses import replace

    sample = replace(sample_of(LEFT), box=None)
    row = Scorer("clean").add(sample, np.where(LEFT, 1.0, 0.0).astype(np.float32))
    assert (row.iou, row.hit_mask) == (1.0, True)
    assert (row.hit_box, row.box_iou) == (None, None)


def test_a_missing_answer_misses_only_what_could_be_hit(tmp_path: Path, mine: Split):
    folder = tmp_path / "heats"
    folder.mkdir()
    np.save(folder / "1.npy", np.where(LEFT, 1.0, 0.0).astype(np.float32))
    run = score(folder, mine, out=tmp_path / "run", allow_missing=True)
    metrics = run.summary["metrics"]
    assert (metrics["PointM"]["value"], metrics["PointM"]["count"]) == (0.5, 2)
    assert (metrics["PointIt"]["value"], metrics["PointIt"]["count"]) == (pytest.approx(1 / 3), 3)
    assert (metrics["mIoU"]["value"], metrics["mIoU"]["count"]) == (0.5, 2)


def test_a_true_mask_whose_parts_cancel_out_scores_nothing_and_is_counted():
    # The authors' truth is where exactly one part covers; two equal parts leave none of it.
    scorer = Scorer("tris")
    row = scorer.add(sample_of(LEFT, LEFT), LEFT)
    assert (row.iou, row.empty_truth) == (0.0, True)
    assert scorer.summary()["mIoU"]["count"] == 1
    whole = Scorer("clean").add(sample_of(LEFT, LEFT), LEFT)
    assert (whole.iou, whole.empty_truth) == (1.0, False)
    assert json.loads(row.as_line())["empty_truth"] is True
    assert "empty_truth" not in json.loads(whole.as_line())


def test_score_says_how_many_are_left_out(tmp_path: Path, mine: Split, ask: Ask):
    answers = write_answers(tmp_path / "png", BEST)
    root = ["--split", "mine", "--data-root", tmp_path / "root"]
    result = ask("score", answers, *root, "--out", "run")
    assert result.code == 0
    assert "2 expressions have no true mask: left out of mIoU, oIoU, P@k and PointM" in result.out
    assert "1 expression has no true box: left out of PointIt and Accbox" in result.out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["count"], summary["without_mask"], summary["without_box"]) == (4, 2, 1)
    assert json.loads(ask("score", answers, *root, "--out", "run2", "--json").out)["without_mask"] == 2
    # Rules without boxes cannot say who has none.
    result = ask("score", answers, *root, "--out", "run3", "--rules", "lavt")
    assert "no true mask" in result.out
    assert "no true box" not in result.out


@pytest.mark.parametrize(("name", "plain"), [("gIoU", "mIoU"), ("ciou", "oIoU")])
def test_giou_is_no_name_for_a_mean_that_leaves_some_out(tmp_path: Path, mine: Split, ask: Ask, name: str, plain: str):
    answers = write_answers(tmp_path / "png", BEST)
    root = ["--split", "mine", "--data-root", tmp_path / "root"]
    result = ask("score", answers, *root, "--out", "run", "--metrics", f"P@0.5,{name}")
    assert result.code == 2
    assert f"--metrics {name}: 2 expressions of mine have no true mask" in result.err
    assert f"use {plain}, which leaves them out" in result.err
    assert Run.load(tmp_path / "run").summary["count"] == 4  # the work is kept
    # A run refuses before it works for hours.
    result = ask("run", "--method", "centre", *root, "--out", "never", "--metrics", name)
    assert (result.code, (tmp_path / "never").exists()) == (2, False)
    assert ask("report", "run", "--as", "csv", "--metrics", name).code == 2
    assert ask("compare", "run", "run", "--no-slices", "--metrics", name).code == 2
    scorer = Scorer()
    for sample in mine:
        scorer.add(sample, LEFT)
    with pytest.raises(UsageError, match="no true mask"):
        scorer.summary(name)


def test_giou_stays_a_name_where_all_have_a_mask(tmp_path: Path, ask: Ask):
    whole = write_own(tmp_path / "photos", tmp_path / "root", EXPRESSIONS[:2], "whole")
    assert whole.without_mask == 0
    answers = write_answers(tmp_path / "png", {1: LEFT, 2: RIGHT})
    result = ask("score", answers, "--split", "whole", "--data-root", tmp_path / "root", "--metrics", "gIoU,cIoU")
    assert result.code == 0
    assert "no true mask" not in result.out


def test_a_split_knows_how_many_have_no_mask(tmp_path: Path, mine: Split):
    assert mine.without_mask == 2
    assert mine.first_images(1).without_mask == 0
    truth = tmp_path / "truth.json"
    sign = next(sample for sample in mine if sample.text == "a sign")
    truth.write_text(json.dumps([{"ref_id": sign.ref_id, "segmentation": OTHER}]))
    assert mine.with_truth(truth).without_mask == 1


def test_a_sweep_leaves_them_out_as_scoring_does(tmp_path: Path, mine: Split, ask: Ask):
    folder = tmp_path / "heats"
    folder.mkdir()
    heat = np.where(LEFT, 0.8, np.where(RIGHT, 0.4, 0.1)).astype(np.float32)
    for ident in (1, 2, 3, 4):
        np.save(folder / f"{ident}.npy", heat)
    found = sweep(folder, mine, rules="clean", thresholds=[0.3, 0.6], metrics="mIoU,oIoU,P@0")
    assert (found.expressions, found.without_mask) == (4, 2)
    for place, threshold in enumerate(found.thresholds):
        run = score(folder, mine, rules="clean", threshold=threshold, out=tmp_path / f"at{place}")
        assert found.values[place][0] == pytest.approx(run.summary["metrics"]["mIoU"]["value"])
        assert found.values[place][1] == pytest.approx(run.summary["metrics"]["oIoU"]["value"])
    result = ask("sweep", folder, "--split", "mine", "--data-root", tmp_path / "root", "--rules", "clean")
    assert "2 expressions have no true mask" in result.out


def test_a_split_in_which_nobody_has_a_mask_has_dashes_and_no_sweep(tmp_path: Path, ask: Ask):
    root = tmp_path / "root"
    nobody = write_own(tmp_path / "photos", root, EXPRESSIONS[2:], "nobody")
    one = scored(tmp_path, nobody, "one", {3: NOTHING, 4: RIGHT})
    two = scored(tmp_path, nobody, "two", {3: NOTHING, 4: LEFT})
    assert one.summary["metrics"]["mIoU"] == {"value": None, "low": None, "high": None, "count": 0}
    result = ask("score", tmp_path / "png_one", "--split", "nobody", "--data-root", root)
    assert "│ mIoU    │      – │" in result.out
    result = ask("compare", one.path, two.path, "--data-root", root)
    assert (result.code, "Traceback" in result.err) == (0, False)
    assert "| png\\_one | – | – |" in (markdown.render([one]) or "")
    with pytest.raises(DataError, match="no expression of these runs has a true mask"):
        curves.render([one], out=tmp_path / "c.png")
    (tmp_path / "heats").mkdir()
    for ident in (3, 4):
        np.save(tmp_path / "heats" / f"{ident}.npy", np.ones(SIZE, np.float32))
    with pytest.raises(DataError, match="no expression has a true mask"):
        sweep(tmp_path / "heats", nobody)


def test_runs_are_compared_over_those_that_have_a_mask(tmp_path: Path, mine: Split, ask: Ask):
    best, worse = scored(tmp_path, mine, "best", BEST), scored(tmp_path, mine, "worse", WORSE)
    found: Comparison = compare([best, worse])
    by_metric = {test.metric: test for test in found.overall}
    low = worse.summary["metrics"]["mIoU"]["value"]
    assert by_metric["mIoU"].values == (1.0, low)
    assert [item.text for item in found.apart] == ["right"]
    parts = {test.part for test in found.slices if test.slice == "area"}
    assert "no true mask" in parts
    assert "0 to 2 %" not in parts
    assert found.record()["without_mask"] == 2
    assert "2 expressions have no true mask" in ask("compare", best.path, worse.path).out


def test_a_run_that_counted_them_is_not_compared_with_one_that_leaves_them_out(tmp_path: Path, mine: Split):
    from dataclasses import replace

    new = scored(tmp_path, mine, "new", BEST)
    rows_now = new.rows()
    before = [replace(row, intersection=0, union=7) if row.union is None else row for row in rows_now]
    with pytest.raises(DataError, match="was made by an older version, score it again"):
        in_step([new, new], [rows_now, before])


def test_every_form_of_report_takes_them_and_says_how_many(tmp_path: Path, mine: Split):
    best, worse = scored(tmp_path, mine, "best", BEST), scored(tmp_path, mine, "worse", WORSE)
    message = "2 expressions have no true mask"
    for form in (markdown, latex, as_json):
        assert message in (form.render([best, worse]) or ""), form.__name__
    head, line, *_ = (as_csv.render([best, worse]) or "").splitlines()
    assert dict(zip(head.split(","), line.split(","), strict=True))["mine expressions without true mask"] == "2"
    page = tmp_path / "page.html"
    gallery.render([best, worse], out=page)
    assert message in page.read_text()
    listed = [json.loads(line) for line in _rows_of(best, tmp_path).splitlines()]
    assert [row["iou"] for row in listed if row["union"] is None] == [None, None]
    curves.render([best, worse], out=tmp_path / "curves.png")
    for rule in ("spread", "random:1", "worst", "disagree", "ids:3,4"):
        grid.render([best, worse], out=tmp_path / "grid.png", rows=rule)
        assert (tmp_path / "grid.png").stat().st_size


def _rows_of(run: Run, tmp_path: Path) -> str:
    rows.render([run], out=tmp_path / "rows.jsonl")
    return (tmp_path / "rows.jsonl").read_text()


def test_the_worst_are_not_those_without_a_mask(tmp_path: Path, mine: Split):
    from reports.choice import chosen_samples

    run = scored(tmp_path, mine, "worse", WORSE)
    samples, _ = chosen_samples(mine, [run.columns()], "worst", 4)
    assert {sample.text for sample in samples} == {"left", "right"}


def test_two_boxes_without_masks_in_one_image_keep_their_own_in_the_gallery(tmp_path: Path):
    two = [
        {"id": 1, "text": "left", "image": "a.png", "box": [10, 5, 30, 25]},
        {"id": 2, "text": "right", "image": "a.png", "box": [30, 10, 50, 30]},
        {"id": 3, "text": "all", "image": "b.png", "mask": SQUARE},
    ]
    split = write_own(tmp_path / "photos", tmp_path / "root", two, "boxes")
    run = scored(tmp_path, split, "run", {1: LEFT, 2: RIGHT, 3: LEFT})
    gallery.render([run], out=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "[10.0, 5.0, 30.0, 25.0]" in text or "[10.0,5.0,30.0,25.0]" in text
    assert "[30.0, 10.0, 50.0, 30.0]" in text or "[30.0,10.0,50.0,30.0]" in text


def test_shards_merge_to_what_one_process_finds_and_the_run_is_verified(tmp_path: Path, mine: Split):
    whole = evaluate(Heats(), mine, name="heats", out=tmp_path / "whole")
    for number in (0, 1):
        evaluate(Heats(), mine, name="heats", out=tmp_path / "parts", shard=(number, 2))
    merged = merge(tmp_path / "parts", split=mine)
    for key in ("without_mask", "without_box", "count"):
        assert merged.summary[key] == whole.summary[key]
    assert merged.summary["metrics"] == whole.summary["metrics"]
    verify(whole, data_root=tmp_path / "root")
    loaded = load_split("mine", tmp_path / "root")
    assert score(whole.path, loaded, out=tmp_path / "again").summary["metrics"] == whole.summary["metrics"]
