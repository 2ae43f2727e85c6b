"""The drawn pictures themselves: frozen, whole numbers only, and what is written of them is what is seen."""

import ast
import hashlib
import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from risbench.datasets.shapes import FREE_SEEDS, SPLITS, draw_object, draw_scene
from risbench.datasets.shapes.entries import annotation_entries, image_entry, ref_entries
from risbench.datasets.shapes.layout import LONGEST, SHORTEST
from risbench.datasets.shapes.prng import Dice, mix, noise
from risbench.errors import UsageError
from risbench.masks import box_of, decode

# Of the first 50 scenes: pixels, and all that is written of them. A change here is a new VERSION.
FROZEN = {
    "train": "dcfbbf299a12d2c3bcbc0f5959d326d5bfdb8c44d13d60df5855afc755341f3c",
    "val": "12e790819deb600cfb67c70ab106ed94dce9fb10add43cac08e5d57074250b16",
    "test": "c168952ce1492d5713356ebb87945dbcb8034e1074c3e109115da31272ae26eb",
}


DRAWING = ("prng", "forms", "stamp", "paint", "texture", "layout", "scene", "nouns", "spans", "positions", "relations")
SAYING = ("grammar", "captions")


@pytest.mark.parametrize("split", SPLITS)
def test_the_splits_are_frozen(split):
    sha = hashlib.sha256()
    for number in range(50):
        scene = draw_scene(SPLITS[split].seeds + number)
        sha.update(scene.image.tobytes())
        written = [image_entry(scene, split), annotation_entries(scene), ref_entries(scene, split)]
        sha.update(json.dumps(written, sort_keys=True).encode())
    assert sha.hexdigest() == FROZEN[split]


def test_the_dice_are_splitmix64():
    # The published test vector of splitmix64 for the state 0: its first two outputs.
    assert mix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    assert mix(2 * 0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4
    assert noise(0, 1, 2).tolist() == [[0, *[_byte(0x9E3779B97F4A7C15)]]]
    dice = Dice(1)
    assert {dice.below(7) for _ in range(500)} == {*range(7)}
    assert [Dice(1, 2).next(), Dice(2, 1).next()] != [Dice(2, 1).next(), Dice(1, 2).next()]


def _byte(value):
    word = (1 << 64) - 1
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & word
    return (((value ^ (value >> 27)) * 0x94D049BB133111EB) & word) >> 56


@pytest.mark.parametrize("module", DRAWING + SAYING)
def test_nothing_is_drawn_with_fractions(module):
    tree = ast.parse(files("risbench.datasets.shapes").joinpath(f"{module}.py").read_text())
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Div), "a true division"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.value
        assert not (isinstance(node, ast.Name) and node.id == "float")


def test_boxes_areas_and_masks_agree_and_objects_do_not_share_pixels():
    for seed in range(FREE_SEEDS, FREE_SEEDS + 60):
        scene = draw_scene(seed)
        height, width = scene.image.shape[:2]
        assert SHORTEST <= min(height, width) <= max(height, width) <= LONGEST
        assert height != width
        assert 2 <= len(scene.objects) <= 7
        assert np.sum([thing.mask for thing in scene.objects], axis=0).max() == 1
        for thing, entry in zip(scene.objects, annotation_entries(scene), strict=True):
            mask = decode(entry["segmentation"])
            x, y, w, h = entry["bbox"]
            assert np.array_equal(mask, thing.mask)
            assert box_of(mask) == (x, y, x + w, y + h) == thing.box
            assert entry["area"] == thing.area == mask.sum() >= 0.009 * height * width


def test_a_single_object_is_drawn_as_asked():
    requested = {"shape": "moon", "colour": "cyan", "object_size": "large", "pattern": "dotted"}
    scene = draw_object(7, (48, 64), **requested, ground=(9, 9, 9))
    (thing,) = scene.objects
    assert (thing.shape, thing.colour, thing.size, thing.pattern) == ("moon", "cyan", "large", "dotted")
    assert scene.image.shape == (48, 64, 3)
    assert (scene.image[~thing.mask] == 9).mean() > 0.8
    assert all("moon" in caption for caption in scene.captions)
    assert np.array_equal(draw_object(8).image, draw_object(8).image)
    with pytest.raises(UsageError, match="circle, square"):
        draw_object(1, shape="blob")
    with pytest.raises(UsageError, match="32 pixels"):
        draw_object(1, (8, 64))


def test_importing_the_scenes_is_light():
    heavy = "torch pandas matplotlib PIL pycocotools scipy multiprocessing"
    code = f"import sys, risbench.datasets.shapes; print([name for name in '{heavy}'.split() if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
