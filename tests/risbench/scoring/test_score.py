"""Predictions that someone brought: every form scores as the method itself would, and what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import SIZE
from helpers.score_forms import FORMS, SPLIT, assert_same_scores, lines, without_time
from made_up.answers import Answers, heats_for, masks_for

from risbench import DataError, Rules, Run, Split, UsageError, evaluate, score
from risbench.masks import encode
from risbench.metrics.rules.protocols import RULES

# The forms


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rules", RULES)
def test_masks_in_every_form_score_as_the_method_that_made_them(pictured: Split, tmp_path: Path, form: str, rules: str):
    masks = masks_for(pictured)
    brought = FORMS[form](pictured, masks, tmp_path)
    fresh = evaluate(Answers(masks), pictured, rules=rules, out=tmp_path / "fresh")
    found = score(brought, pictured, rules=rules, out=tmp_path / "scored")
    assert_same_scores(found, fresh)
    assert [line["segmentation"] for _, line in found.masks()] == [encode(masks[name]) for name in pictured.ids]


@pytest.mark.parametrize(
    ("size", "dtype"), [(SIZE, "float32"), ((7, 5), "float64"), ((1, 1), "float32"), ((90, 70), "float16")]
)
@pytest.mark.parametrize("rules", RULES)
def test_heats_of_any_size_score_as_the_method_that_made_them(
    pictured: Split, tmp_path: Path, size: tuple[int, int], dtype: str, rules: str
):
    heats = {name: heat.astype(dtype) for name, heat in heats_for(pictured, size).items()}
    place = tmp_path / "heats"
    place.mkdir()
    for sample in pictured:
        np.save(place / f"{sample.sent_id}.npy", heats[sample.id])
    for threshold in (None, 0.25):
        fresh = evaluate(Answers(heats), pictured, rules=rules, threshold=threshold, out=tmp_path / f"fresh{threshold}")
        found = score(place, pictured, rules=rules, threshold=threshold, out=tmp_path / f"scored{threshold}")
        assert_same_scores(found, fresh)


def test_the_result_is_a_run_folder(split: Split, tmp_path: Path):
    run = score(lines(split, masks_for(split), tmp_path, "id"), SPLIT, data_root=split.data_root, out=tmp_path / "run")
    again = Run.load(tmp_path / "run")
    assert again.summary == run.summary
    assert [row.id for row in again.rows()] == list(split.ids)
    assert [name for name, _ in again.masks()] == list(split.ids)
    assert again.summary["count"] == len(split)
    assert again.header["method"]["name"] == "masks"
    assert again.header["arguments"]["predictions"] == "lines of masks"
    assert again.header["provenance"][0]["predictions"] == str(tmp_path / "masks.jsonl")
    assert again.cost() == []


def test_without_a_folder_the_run_lies_below_runs(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    brought = lines(split, masks_for(split), tmp_path, "id")
    run = score(brought, split)
    assert run.path.parent == Path("runs") / SPLIT / "masks"
    card = tmp_path / "card.toml"
    card.write_text('name = "../../ours"')
    assert score(brought, split, card=card).path.resolve().is_relative_to(tmp_path / "runs" / SPLIT)


# What may come along


def test_points_and_boxes_of_a_line_are_scored(split: Split, tmp_path: Path):
    path = tmp_path / "masks.jsonl"
    with path.open("w") as file:
        for number, sample in enumerate(split):
            line: dict[str, Any] = {"id": sample.id, "segmentation": encode(np.zeros(sample.size, bool))}
            assert sample.box is not None
            x0, y0, x1, y1 = sample.box
            line["point"] = [(x0 + x1) / 2, (y0 + y1) / 2] if number % 2 else [-5, -5]
            line["boxes"] = [[0, 0, 1, 1], list(sample.box)] if number % 3 else [list(sample.box)]
            file.write(json.dumps(line) + "\n")
    run = score(path, split, rules="clean", out=tmp_path / "run")
    assert [row.hit_box for row in run.rows()] == [bool(number % 2) for number in range(len(split))]
    # Only the first box counts.
    assert [row.box_iou == 1 for row in run.rows()] == [number % 3 == 0 for number in range(len(split))]
    assert run.summary["metrics"]["PointIt"]["count"] == len(split)
    kept = [line for _, line in run.masks()]
    assert kept[0]["point"] == [-5, -5]
    assert kept[1]["boxes"][0] == [0, 0, 1, 1]


def test_masks_alone_do_not_point(split: Split, tmp_path: Path):
    run = score(lines(split, masks_for(split), tmp_path, "id"), split, out=tmp_path / "run")
    for name in ("PointIt", "PointM"):
        assert run.summary["metrics"][name] == {"value": None, "low": None, "high": None, "count": 0}
    assert run.summary["metrics"]["Accbox"]["count"] == len(split)


def test_a_card_is_kept_and_its_threshold_used(split: Split, tmp_path: Path):
    place = tmp_path / "heats"
    place.mkdir()
    heats = heats_for(split)
    for sample in split:
        np.save(place / f"{sample.sent_id}.npy", heats[sample.id])
    card = tmp_path / "card.toml"
    card.write_text('name = "Ours [v2]"\nsupervision = "text"\nthreshold = -0.25\nreads = "box"\n')
    run = score(place, split, rules="clean", card=card, out=tmp_path / "run")
    assert run.summary["method"] == "Ours [v2]"
    assert run.header["method"]["card"] == {"supervision": "text", "threshold": -0.25, "reads": ["box"]}
    assert run.summary["rules"]["threshold"] == -0.25
    bare = score(place, split, rules=Rules("clean", -0.25), out=tmp_path / "bare")
    assert without_time(bare) == without_time(run)
    assert (
        score(place, split, rules="clean", card=card, threshold=0.1, out=tmp_path / "other").summary["rules"][
            "threshold"
        ]
        == 0.1
    )
    assert score(place, split, rules="tris", card=card, out=tmp_path / "tris").summary["rules"]["threshold"] is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = ", "not TOML"),
        ("name = 5", "name is a text, not 5"),
        ('name = " "', "name is a text"),
        ("paper = 2023-10-01", "write dates and times as texts"),
    ],
)
def test_an_odd_card_is_refused(split: Split, tmp_path: Path, text: str, reason: str):
    card = tmp_path / "card.toml"
    card.write_text(text)
    with pytest.raises(DataError, match=reason):
        score(lines(split, masks_for(split), tmp_path, "id"), split, card=card, out=tmp_path / "run")
    with pytest.raises(DataError, match="cannot be read"):
        score(tmp_path / "masks.jsonl", split, card=tmp_path / "none.toml", out=tmp_path / "run")


def test_a_threshold_that_is_no_number_is_refused(split: Split, tmp_path: Path):
    card = tmp_path / "card.toml"
    card.write_text('threshold = "0.5"')
    with pytest.raises(UsageError, match=r"threshold of a method's card must be a number, not '0\.5'"):
        score(lines(split, masks_for(split), tmp_path, "id"), split, rules="clean", card=card, out=tmp_path / "run")


# Pictures and arrays that are not what they should be


# Missing, doubled, unknown


# Runs scored again


# What it does not need
