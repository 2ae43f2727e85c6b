"""Runs are scored again under other rules, from their heats or their masks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.score_forms import SPLIT, assert_same_scores, lines
from made_up.answers import Answers, every_form_for, heats_for, masks_for

from risbench import DataError, MaskError, Rules, Run, Settings, Split, UsageError, evaluate, score
from risbench.metrics.rules.protocols import RULES


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("under", RULES)
def test_a_run_with_heats_scored_again_equals_a_fresh_run(pictured: Split, tmp_path: Path, rules: str, under: str):
    method = Answers(every_form_for(pictured))
    evaluate(method, pictured, rules=rules, out=tmp_path / "run", settings=Settings(save_heat=True))
    fresh = evaluate(method, pictured, rules=under, out=tmp_path / "fresh")
    again = score(tmp_path / "run", pictured, rules=under, out=tmp_path / "again")
    assert_same_scores(again, fresh)
    assert list(again.masks()) == list(fresh.masks())
    assert again.header["method"] == {**fresh.header["method"], "entry_point": None}


@pytest.mark.parametrize("rules", RULES)
def test_a_run_with_heats_is_cut_elsewhere_with_a_threshold(pictured: Split, tmp_path: Path, rules: str):
    method = Answers(heats_for(pictured))
    evaluate(method, pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    fresh = evaluate(method, pictured, rules=rules, threshold=0.3, out=tmp_path / "fresh")
    again = score(tmp_path / "run", pictured, rules=rules, threshold=0.3, out=tmp_path / "again")
    assert_same_scores(again, fresh)
    assert again.summary["rules"]["threshold"] == 0.3


def test_a_threshold_is_refused_where_the_method_made_its_masks_itself(pictured: Split, tmp_path: Path):
    from risbench import Prediction

    masks, heats = masks_for(pictured), heats_for(pictured)
    both = {name: Prediction(mask=masks[name], heat=heats[name]) for name in masks}
    evaluate(Answers(both), pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    with pytest.raises(UsageError, match="was made by the method itself: leave --threshold out"):
        score(tmp_path / "run", pictured, threshold=0.3, out=tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_method_with_a_mask_of_its_own_is_scored_again_by_that_mask(pictured: Split, tmp_path: Path):
    from risbench import Prediction

    masks, heats = masks_for(pictured), heats_for(pictured)
    both = {name: Prediction(mask=masks[name], heat=heats[name]) for name in masks}
    evaluate(Answers(both), pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    again = score(tmp_path / "run", pictured, rules="clean", out=tmp_path / "again")
    alone = evaluate(Answers(masks), pictured, rules="clean", out=tmp_path / "alone")
    for name in ("mIoU", "oIoU", "Accbox"):
        assert again.summary["metrics"][name] == alone.summary["metrics"][name]
    assert again.summary["metrics"]["PointIt"]["count"] == len(pictured)


@pytest.mark.parametrize("rules", ["tris", "clean"])
@pytest.mark.parametrize("under", ["tris", "clean"])
def test_a_run_without_heats_is_scored_again_from_its_masks(pictured: Split, tmp_path: Path, rules: str, under: str):
    masks = masks_for(pictured)
    evaluate(Answers(masks), pictured, rules=rules, out=tmp_path / "run")
    fresh = evaluate(Answers(masks), pictured, rules=under, out=tmp_path / "fresh")
    assert_same_scores(score(tmp_path / "run", pictured, rules=under, out=tmp_path / "again"), fresh)


def test_a_lavt_run_scored_again_under_lavt_is_the_same(pictured: Split, tmp_path: Path):
    for name, answers in (
        ("heats", heats_for(pictured)),
        ("masks", masks_for(pictured)),
        ("all", every_form_for(pictured)),
    ):
        run = evaluate(Answers(answers), pictured, rules="lavt", out=tmp_path / name)
        again = score(tmp_path / name, pictured, rules="lavt", out=tmp_path / f"{name} again")
        assert_same_scores(again, run)


def test_masks_that_lavt_cut_are_refused_under_other_rules(pictured: Split, tmp_path: Path):
    evaluate(Answers(heats_for(pictured)), pictured, rules="lavt", out=tmp_path / "run")
    for brought in (tmp_path / "run", tmp_path / "run" / "masks.jsonl"):
        with pytest.raises(UsageError, match=r"masks that the rules lavt cut .* run the method again with --save-heat"):
            score(brought, pictured, rules="tris", out=tmp_path / "again")
    # Masks that the method brought itself are at the image's size, and fine.
    masks = masks_for(pictured)
    evaluate(Answers(masks), pictured, rules="lavt", out=tmp_path / "own")
    fresh = evaluate(Answers(masks), pictured, out=tmp_path / "fresh")
    assert_same_scores(score(tmp_path / "own", pictured, rules="tris", out=tmp_path / "own again"), fresh)


@pytest.mark.parametrize("how", ["threshold", "rules"])
def test_a_threshold_for_masks_is_refused(pictured: Split, tmp_path: Path, how: str):
    given: dict[str, Any] = {"threshold": 0.5} if how == "threshold" else {"rules": Rules("tris", 0.5)}
    evaluate(Answers(heats_for(pictured)), pictured, out=tmp_path / "run")
    for brought in (tmp_path / "run", lines(pictured, masks_for(pictured), tmp_path, "id")):
        with pytest.raises(UsageError, match=r"--threshold cuts heats, but .* holds masks"):
            score(brought, pictured, out=tmp_path / "again", **given)


def test_rules_and_a_threshold_beside_them_are_both_heard(pictured: Split, tmp_path: Path):
    method = Answers(heats_for(pictured))
    named = evaluate(method, pictured, rules="clean", threshold=0.3, out=tmp_path / "named")
    given = evaluate(method, pictured, rules=Rules("clean"), threshold=0.3, out=tmp_path / "given")
    assert_same_scores(named, given)
    assert given.summary["rules"]["threshold"] == 0.3


def test_a_limited_run_is_scored_again_over_its_images(pictured: Split, tmp_path: Path):
    method = Answers(heats_for(pictured))
    first = evaluate(method, pictured, limit=1, out=tmp_path / "run", settings=Settings(save_heat=True))
    again = score(tmp_path / "run", pictured, out=tmp_path / "again")
    assert_same_scores(again, first)
    assert again.summary["partial"]
    assert again.header["limit"] == 1


def test_a_run_on_another_split_or_copy_is_refused(pictured: Split, tmp_path: Path):
    evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    with pytest.raises(UsageError, match=f"was run on {SPLIT}, or on another copy of refcoco_testA"):
        score(tmp_path / "run", "refcoco_testA", data_root=pictured.data_root, out=tmp_path / "again")
    instances = pictured.data_root / "refer" / "refcoco" / "instances.json"
    instances.write_text(instances.read_text() + " ")
    with pytest.raises(UsageError, match="another copy"):
        score(tmp_path / "run", SPLIT, data_root=pictured.data_root, out=tmp_path / "again")


def test_a_run_is_not_scored_into_itself(pictured: Split, tmp_path: Path):
    run = evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    with pytest.raises(UsageError, match="holds the predictions: give another --out"):
        score(tmp_path / "run", pictured, out=tmp_path / "." / "run")
    assert Run.load(tmp_path / "run").summary == run.summary


def test_an_unfinished_run_is_refused(pictured: Split, tmp_path: Path):
    evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(DataError, match="is not finished"):
        score(tmp_path / "run", pictured, out=tmp_path / "again")


@pytest.mark.parametrize(
    ("content", "reason"),
    [("[]", "schema None"), ('{"schema": 99}', "schema 99"), ('{"schema": 1}', "method is absent"), ("{", "not JSON")],
)
@pytest.mark.parametrize("file", ["header.json", "summary.json"])
def test_a_broken_run_folder_is_refused(pictured: Split, tmp_path: Path, file: str, content: str, reason: str):
    evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    (tmp_path / "run" / file).write_text(content)
    with pytest.raises(Exception, match=reason) as caught:
        score(tmp_path / "run", pictured, out=tmp_path / "again")
    assert file in str(caught.value)


@pytest.mark.parametrize("how", ["removed", "broken", "emptied", "no archive"])
def test_a_lost_heat_is_said_and_not_replaced_by_the_mask_cut_from_it(pictured: Split, tmp_path: Path, how: str):
    evaluate(Answers(heats_for(pictured)), pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    file = tmp_path / "run" / "heats" / "1.npz"
    if how == "removed":
        file.unlink()
    elif how == "broken":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "no archive":
        with file.open("wb") as stream:
            np.save(stream, np.ones(3))
    else:
        np.savez(file)
    with pytest.raises(DataError, match=r"1\.npz"):
        score(tmp_path / "run", pictured, rules="clean", out=tmp_path / "again")


def test_heats_kept_in_half_precision_are_scored_again_as_kept(pictured: Split, tmp_path: Path):
    heats = heats_for(pictured)
    kept = Settings(save_heat=True, heat_dtype="float16")
    evaluate(Answers(heats), pictured, out=tmp_path / "run", settings=kept)
    fresh = evaluate(
        Answers({name: heat.astype(np.float16) for name, heat in heats.items()}),
        pictured,
        rules="clean",
        out=tmp_path / "fresh",
    )
    assert_same_scores(score(tmp_path / "run", pictured, rules="clean", out=tmp_path / "again"), fresh)
    large = {name: heat * 1e6 for name, heat in heats.items()}
    with pytest.raises(MaskError, match=f"{SPLIT}/.*do not fit float16: give --heat-dtype float32"):
        evaluate(Answers(large), pictured, out=tmp_path / "large", settings=kept)


def test_neither_torch_nor_images_are_needed(split: Split, tmp_path: Path):
    assert not split[0].image_path.exists()
    brought = lines(split, masks_for(split), tmp_path, "id")
    heats = tmp_path / "heats"
    heats.mkdir()
    for sample in split:
        np.save(heats / f"{sample.sent_id}.npy", np.ones((3, 3), np.float32))
    code = """
import sys
from risbench import score
split, root, out, *brought = sys.argv[1:]
for number, given in enumerate(brought):
    for rules in ("tris", "lavt", "clean"):
        score(given, split, rules=rules, data_root=root, out=f"{out}-{number}-{rules}")
print([name for name in ("torch", "pandas", "matplotlib") if name in sys.modules])
"""
    given = [SPLIT, split.data_root, tmp_path / "run", brought, heats]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, given)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
