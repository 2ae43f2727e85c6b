"""The small CTS-style network in the box: the file of its card, small, whole, and the default on drawn scenes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from baselines.cts_style.method import CtsStyle, make
from baselines.weights.pack import FOLDER, MOST
from risbench import evaluate, load_split
from tris_model import digest


@pytest.fixture(scope="module")
def method() -> CtsStyle:
    return make(split="shapes_test")


def test_drawn_scenes_need_no_weights_to_be_named_and_the_file_is_that_of_the_card(method: CtsStyle):
    (file,) = (FOLDER / name for name in json.loads((FOLDER / "cts_style.json").read_text())["files"])
    assert method.card["weights"] == digest(file)
    assert (method.card["trained_on"], method.card["supervision"]) == ("drawn scenes", "box")
    assert file.stat().st_size <= MOST
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    red, blue = method.predict(picture, ["the red circle", "blue square on the left"])
    assert red.mask.shape == picture.shape[:2]
    assert not np.array_equal(red.heat, blue.heat)


def test_it_finds_objects_better_than_one_that_knows_the_class_alone(method: CtsStyle, tmp_path):
    split = load_split("shapes_val").first_images(12)
    scores = evaluate(method, split, out=tmp_path / "run", name="cts_style").summary["metrics"]
    assert scores["mIoU"]["value"] > 0.3  # `centre` has 0.10
    assert scores["PointM"]["value"] > 0.5  # a map of the right class, whichever object of it: about 0.45
