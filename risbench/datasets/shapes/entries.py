"""A scene in the format of COCO and REFER. Ids are derived from the seed, so no two splits share one."""

from __future__ import annotations

from typing import Any

from ...masks import encode
from .records import Scene
from .words import SHAPES

_ROOM = 10  # objects of a picture, sentences of a target: fewer than this

CATEGORIES: list[dict[str, Any]] = [
    {"id": number, "name": shape, "supercategory": "shape"} for number, shape in enumerate(SHAPES, start=1)
]


def file_name(split: str, seed: int) -> str:
    """The file name of a scene's image."""
    return f"shapes_{split}_{seed:08d}.png"


def image_entry(scene: Scene, split: str) -> dict[str, Any]:
    """The scene's entry in ``images`` of instances.json."""
    height, width = scene.image.shape[:2]
    return {
        "id": scene.seed,
        "file_name": file_name(split, scene.seed),
        "height": height,
        "width": width,
        "captions": list(scene.captions),
    }


def annotation_entries(scene: Scene) -> list[dict[str, Any]]:
    """The scene's objects in ``annotations`` of instances.json; a mask is the visible part of an object."""
    entries = []
    for thing in scene.objects:
        x0, y0, x1, y1 = thing.box
        entries.append(
            {
                "id": scene.seed * _ROOM + thing.depth,
                "image_id": scene.seed,
                "category_id": SHAPES.index(thing.shape) + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "segmentation": dict(encode(thing.mask)),
                "area": thing.area,
                "iscrowd": 0,
                "colour": thing.colour,
                "size": thing.size,
                "pattern": thing.pattern,
                "depth": thing.depth,
            }
        )
    return entries


def ref_entries(scene: Scene, split: str) -> list[dict[str, Any]]:
    """The scene's targets as entries of REFER's refs file."""
    entries = []
    for target, expressions in scene.expressions.items():
        ann_id = scene.seed * _ROOM + target  # a target is referred to once, so its ref bears the same number
        sentences = [
            {
                "sent_id": ann_id * _ROOM + number,
                "sent": one.text,
                "raw": one.text,
                "tokens": one.text.split(" "),
                "form": one.form,
                "ambiguous": one.ambiguous,
            }
            for number, one in enumerate(expressions)
        ]
        entries.append(
            {
                "ref_id": ann_id,
                "ann_id": ann_id,
                "category_id": SHAPES.index(scene.objects[target].shape) + 1,
                "image_id": scene.seed,
                "file_name": file_name(split, scene.seed),
                "split": split,
                "sent_ids": [sentence["sent_id"] for sentence in sentences],
                "sentences": sentences,
            }
        )
    return entries
