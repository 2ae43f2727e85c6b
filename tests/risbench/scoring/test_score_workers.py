"""Processes that score files write what one thread writes, in the split's order, and refuse what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.folders import content_of
from helpers.score_forms import lines, pictures
from helpers.small import small_split
from made_up.answers import heats_for, masks_for
from made_up.methods import Heats

from risbench import DataError, MaskError, Settings, Split, evaluate, score
from risbench.masks import encode
from risbench.scoring import predictions

IMAGES = 5


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), IMAGES)


@pytest.fixture(autouse=True)
def several_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "_PIECE", 2)


def _array(split: Split, folder: Path) -> Path:
    masks = masks_for(split)
    found = [{"sent_id": one.sent_id, "image_id": one.image_id, "segmentation": encode(masks[one.id])} for one in split]
    (folder / "results.json").write_text(json.dumps(found))
    return folder / "results.json"


def _heats(split: Split, folder: Path) -> Path:
    (folder / "heats").mkdir()
    heats = heats_for(split, (9, 7))
    for sample in split:
        np.save(folder / "heats" / f"{sample.sent_id}.npy", heats[sample.id])
    return folder / "heats"


FORMS: dict[str, Callable[[Split, Path], Path]] = {
    "lines": lambda split, folder: lines(split, masks_for(split), folder, "id"),
    "array": _array,
    "pictures": lambda split, folder: pictures(split, masks_for(split), folder, 255, "L"),
    "heats": _heats,
    "run": lambda split, folder: evaluate(Heats(), split, out=folder / "run", settings=Settings(save_heat=True)).path,
}


@pytest.mark.parametrize("form", FORMS)
def test_processes_write_the_same_bytes_as_a_thread(small: Split, tmp_path: Path, form: str):
    brought = FORMS[form](small, tmp_path)
    for count in (0, 2):
        done: list[int] = []
        score(
            brought, small, rules="clean", out=tmp_path / f"scored{count}", workers=count,
            progress=lambda state, done=done: done.append(state.done),
        )  # fmt: skip
        assert done[-1] == IMAGES
        assert done == sorted(done)
    assert content_of(tmp_path / "scored2") == content_of(tmp_path / "scored0")


def test_a_prediction_that_cannot_be_scored_is_named_and_no_folder_is_left(small: Split, tmp_path: Path):
    brought = lines(small, masks_for(small), tmp_path, "id")
    last = list(small)[-1].id
    whole = [json.loads(line) for line in brought.read_text().splitlines() if line]
    for line in whole:
        if line["id"] == last:
            line["segmentation"]["counts"] = "0"
    brought.write_text("\n".join(map(json.dumps, whole)))
    for count in (0, 2):
        with pytest.raises(MaskError, match=r"masks.jsonl, line \d+.*run"):
            score(brought, small, out=tmp_path / "scored", workers=count)
        assert not (tmp_path / "scored" / "rows.jsonl").exists()


def test_a_missing_prediction_is_an_empty_mask_in_a_process_too(small: Split, tmp_path: Path):
    masks = masks_for(small)
    brought = lines(small, masks, tmp_path, "id")
    brought.write_text("\n".join(brought.read_text().splitlines()[2:]))
    with pytest.raises(DataError, match="no prediction for"):
        score(brought, small, out=tmp_path / "refused", workers=2)
    for count in (0, 2):
        score(brought, small, out=tmp_path / f"scored{count}", workers=count, allow_missing=True)
    assert content_of(tmp_path / "scored2") == content_of(tmp_path / "scored0")


def test_a_folder_that_changed_between_two_scorings_is_read_anew(small: Split, tmp_path: Path):
    first = evaluate(Heats(), small, out=tmp_path / "run", settings=Settings(save_heat=True))
    before = score(first.path, small, rules="clean", out=tmp_path / "before").summary["metrics"]["mIoU"]["value"]
    for file in (tmp_path / "run" / "heats").iterdir():
        with np.load(file) as held:
            turned = {name: held[name][::-1, ::-1].copy() for name in held.files}
        np.savez(file, **turned)
    after = score(first.path, small, rules="clean", out=tmp_path / "after").summary["metrics"]["mIoU"]["value"]
    assert before != after
