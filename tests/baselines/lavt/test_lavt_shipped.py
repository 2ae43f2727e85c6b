"""The small LAVT in the box: the file of its card, small, whole, and the default on drawn scenes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from baselines.lavt.method import LavtMethod, make
from baselines.weights.pack import FOLDER, MOST
from risbench import evaluate, load_split
from tris_model import digest


@pytest.fixture(scope="module")
def method() -> LavtMethod:
    return make(split="shapes_test")


def test_drawn_scenes_need_no_weights_to_be_named_and_the_file_is_that_of_the_card(method: LavtMethod):
    (file,) = (FOLDER / name for name in json.loads((FOLDER / "lavt.json").read_text())["files"])
    assert method.card["weights"] == digest(file)
    assert method.card["trained_on"] == "drawn scenes"
    assert method.card["extra_data"] == "none"
    assert file.stat().st_size <= MOST
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    red, blue = method.predict(picture, ["the red circle", "blue square on the left"])
    assert red.mask.shape == picture.shape[:2]
    assert red.heat.shape == (480, 480)
    assert not np.array_equal(red.heat, blue.heat)


def test_it_finds_objects_better_than_the_middle_of_the_image_does(method: LavtMethod, tmp_path):
    split = load_split("shapes_val").first_images(12)
    scores = evaluate(method, split, out=tmp_path / "run", name="lavt").summary["metrics"]
    assert scores["mIoU"]["value"] > 0.25  # `centre` has 0.10
    assert scores["PointM"]["value"] > 0.4
