"""Helpers of the tests of scoring."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from risbench import Run, Split
from risbench.masks import encode
from risbench.results.rows import Row

SPLIT = "refcoco_val"


Masks = Mapping[str, np.ndarray]


def without_time(run: Run) -> list[Row]:
    return [Row(**{**{name: getattr(row, name) for name in Row.__slots__}, "seconds": None}) for row in run.rows()]


def assert_same_scores(one: Run, other: Run) -> None:
    assert without_time(one) == without_time(other)
    assert one.summary["metrics"] == other.summary["metrics"]
    assert one.summary["rules"] == other.summary["rules"]


def lines(split: Split, masks: Masks, folder: Path, key: str) -> Path:
    path = folder / "masks.jsonl"
    with path.open("w") as file:
        for sample in reversed(list(split)):
            name = {"id": sample.id} if key == "id" else {"sent_id": sample.sent_id}
            file.write(json.dumps({**name, "segmentation": encode(masks[sample.id])}) + "\n\n")
    return path


def coco_array(split: Split, masks: Masks, folder: Path) -> Path:
    path = folder / "results.json"
    found = [
        {
            "id": number,  # of its own, as COCO's results often have
            "image_id": sample.image_id,
            "category_id": 1,
            "score": 0.5,
            "sent_id": sample.sent_id,
            "segmentation": encode(masks[sample.id]),
        }
        for number, sample in enumerate(split)
    ]
    path.write_text(json.dumps(found))
    return path


def pictures(split: Split, masks: Masks, folder: Path, top: int, mode: str) -> Path:
    place = folder / "masks"
    place.mkdir()
    for sample in split:
        picture = Image.fromarray(masks[sample.id].astype(np.uint8) * top)
        if mode == "P":
            picture.putpalette([0, 0, 0, 255, 0, 0] + [7] * 750)
            assert picture.mode == "P"
        elif mode == "1":
            picture = Image.fromarray(masks[sample.id])
            assert picture.mode == "1"
        picture.save(place / f"{sample.sent_id}.png")
    (place / ".DS_Store").write_text("left by a file manager")
    (place / "._5.png").write_text("left by a file manager")
    return place


FORMS: dict[str, Callable[[Split, Masks, Path], Path]] = {
    "lines by id": lambda *given: lines(*given, key="id"),
    "lines by sent_id": lambda *given: lines(*given, key="sent_id"),
    "a COCO array": coco_array,
    "pictures of 0 and 1": lambda *given: pictures(*given, top=1, mode="L"),
    "pictures of 0 and 255": lambda *given: pictures(*given, top=255, mode="L"),
    "pictures with a palette": lambda *given: pictures(*given, top=1, mode="P"),
    "pictures of one bit": lambda *given: pictures(*given, top=1, mode="1"),
}
