"""Helpers of the tests of the whole training: a recipe of a few steps for the made-up data of `training`."""

from __future__ import annotations

from pathlib import Path

from helpers.training import clip_file, refer_tree

RECIPE = """
[stage1]
split = "refcoco_train"
val = "refcoco_val"
start = "{clip}"
scorer = "{clip}"
batch = 2
epochs = 1
negatives = 2
network = {{ hidden = 8, pool_grid = 0 }}
rates = {{ heads = 1e-2, backbone = 1e-3 }}

[pseudo]
trunk = "stage1"
processes = 1
train = {{ epochs = 2, batch = 3, crop = 32, radius = 3, width = 8 }}
walk = {{ steps = 4, radius = 3 }}

[stage2]
split = "refcoco_train"
val = "refcoco_val"
start = "{clip}"
batch = 3
epochs = 1
network = {{ stage = 2, hidden = 0, decoder = 4, pool_grid = 0 }}
rates = {{ heads = 1e-2, backbone = 1e-3 }}
"""


def made(folder: Path) -> tuple[str, Path]:
    """The recipe's file and the data root, both below a folder: 6 refs in 3 images."""
    clip = clip_file(folder / "clip.safetensors")
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(clip=clip))
    return str(path), refer_tree(folder / "data")
