"""The shipped tiny GroupViT: its file is that of its card, small and complete, and the default on drawn scenes."""

from __future__ import annotations

import json

import numpy as np

from baselines.groupvit.method import make
from baselines.weights.pack import FOLDER, MOST
from tris_model import digest

PICTURE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


def test_drawn_scenes_need_no_weights_to_be_named_and_the_file_is_that_of_the_card():
    (file,) = (FOLDER / name for name in json.loads((FOLDER / "groupvit.json").read_text())["files"])
    method = make(split="shapes_test")
    assert method.card["weights"] == digest(file)
    assert file.stat().st_size <= MOST
    red, blue = method.predict(PICTURE, ["the red circle", "blue square on the left"])
    assert red.mask.shape == PICTURE.shape[:2]
    assert not np.array_equal(red.heat, blue.heat)
