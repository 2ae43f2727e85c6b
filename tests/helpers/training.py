"""Helpers of the tests of training: a tiny data set in REFER's form, a tiny CLIP in a file, recipes of a few steps."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from helpers.weight_recipe import filled
from PIL import Image

from tris_model.clip.towers import Clip
from tris_model.config import STAGE1, Config
from tris_model.files.checkpoint import write
from tris_model.train.stage1 import Stage1Recipe

TOWERS = replace(
    STAGE1, image_size=32, stride=8, depth=(1, 1, 1, 1), width=4, pool_grid=4, context=20, text_width=16,
    text_depth=1, text_heads=2, embed=12, hidden=8, ramp=True,
)  # fmt: skip
WORDS = ("left dog", "red dog", "big cat", "cat on top", "a car", "blue car", "old man", "man in black")


@cache
def _clip_bytes(config: Config) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.safetensors"
        write(filled(Clip(config)).state_dict(), path, {"config": config.to_json()})
        return path.read_bytes()


def clip_file(path: Path, config: Config = TOWERS) -> Path:
    path.write_bytes(_clip_bytes(config))
    return path


def refer_tree(root: Path, images: int = 4) -> Path:
    """RefCOCO's layout: two refs in every image but the last, which has one; two sentences each."""
    draw = np.random.default_rng(0)
    (root / "train2014").mkdir(parents=True)
    (root / "refer/refcoco").mkdir(parents=True)
    entries, annotations, refs = [], [], []
    for image in range(1, images + 1):
        name = f"COCO_train2014_{image:012d}.jpg"
        Image.fromarray(draw.integers(0, 256, (24, 32, 3), np.uint8)).save(root / "train2014" / name)
        entries.append({"id": image, "file_name": name, "height": 24, "width": 32})
        for which in range(1 if image == images else 2):
            ident = 10 * image + which
            polygon = [2.0 + which, 2.0, 12.0, 2.0, 12.0, 14.0, 2.0, 14.0]
            annotations.append(
                {"id": ident, "image_id": image, "category_id": 1, "bbox": [2, 2, 10, 12], "segmentation": [polygon],
                 "area": 120.0, "iscrowd": 0}
            )  # fmt: skip
            result = [f"{WORDS[(2 * image + 4 * which + more) % len(WORDS)]} {image}" for more in (0, 1)]
            sentences = [
                {"sent_id": 10 * ident + more, "sent": text, "raw": text, "tokens": text.split()}
                for more, text in enumerate(result)
            ]
            refs.append(
                {"ref_id": ident, "ann_id": ident, "image_id": image, "category_id": 1, "file_name": name,
                 "split": "val" if image == images else "train", "sent_ids": [s["sent_id"] for s in sentences],
                 "sentences": sentences}
            )  # fmt: skip
    instances = {"images": entries, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (root / "refer/refcoco/instances.json").write_text(json.dumps(instances))
    (root / "refer/refcoco/refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
    return root


def recipe(clip: Path, **changes: object) -> Stage1Recipe:
    network = replace(STAGE1, hidden=8, pool_grid=0)
    given = {"batch": 2, "epochs": 2, "negatives": 2, **changes}
    return Stage1Recipe("refcoco_train", str(clip), str(clip), network=network, **given)  # pyright: ignore
