"""Makers of small made-up data sets, in each layout that the readers know."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco


def code_of(mask: np.ndarray) -> dict[str, Any]:
    """COCO's compressed code of a mask, by the COCO tools."""
    packed = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": packed["counts"].decode()}


def rectangle(size: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def write_image(path: Path, size: tuple[int, int], value: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def sentence(sent_id: int, text: str, **more: Any) -> dict[str, Any]:
    return {"sent_id": sent_id, "sent": text, "raw": text.upper(), "tokens": text.split(), **more}


def ref(ref_id: int, ann_id: Any, image_id: int, split: str, sentences: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "ref_id": ref_id,
        "ann_id": ann_id,
        "image_id": image_id,
        "category_id": 1,
        "file_name": f"COCO_train2014_{image_id:012d}_{ref_id}.jpg",
        "split": split,
        "sent_ids": [one["sent_id"] for one in sentences],
        "sentences": list(sentences),
    }


def annotation(ann_id: Any, image_id: int, box: Any, segmentation: Any, category_id: int = 1) -> dict[str, Any]:
    return {
        "id": ann_id,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": box,
        "segmentation": segmentation,
        "area": 1.0,
        "iscrowd": 0,
    }


def image(image_id: int, size: tuple[int, int], file_name: str | None = None) -> dict[str, Any]:
    file_name = file_name or f"COCO_train2014_{image_id:012d}.jpg"
    return {"id": image_id, "file_name": file_name, "height": size[0], "width": size[1]}


CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "cup"}]
SIZE = (40, 60)
CROWD = {"size": [40, 60], "counts": [100, 7, 33, 9, 40 * 60 - 149]}


def refer_content() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Instances and refs: four images, every form of segmentation, all splits of unc."""
    stored = code_of(rectangle(SIZE, 10, 5, 30, 25))
    anns = [
        annotation(11, 1, [10.25, 5.5, 20.5, 20.25], [[10, 5, 30, 5, 30, 25.5], [12, 7, 40, 7, 40, 30, 12, 30]]),
        annotation(12, 1, [10, 5, 20, 20], stored, 2),
        annotation(13, 2, [10, 5, 20, 20], [stored, code_of(rectangle(SIZE, 25, 20, 50, 35))]),
        annotation(14, 2, [2, 2, 3, 30], CROWD),
        annotation(15, 3, [1, 1, 5, 5], []),
        annotation(16, 3, [1, 2, 30, 20], [[1, 2, 31, 2, 31, 22, 1, 22]], 2),  # no expression refers to it
        annotation(17, 4, [1, 2, 30, 20], [[1.5, 2, 31, 2.25, 31, 22]], 7),  # a class without a name
    ]
    refs = [
        ref(101, 13, 2, "val", [sentence(5, "two parts"), sentence(3, "the other of two")]),
        ref(100, 11, 1, "val", [sentence(0, "left cat")]),
        ref(102, 14, 2, "val", [sentence(9, "the crowd")]),
        ref(103, 12, 1, "val", [sentence(10, "café ☕"), sentence(11, "")]),
        ref(104, 15, 3, "testA", [sentence(20, "nothing drawn")]),
        ref(105, 17, 4, "testB", [sentence(21, "nameless")]),
        ref(106, None, 4, "testB", [sentence(22, "not there")]),
        ref(107, 16, 3, "testAB", [sentence(23, "in both tests")]),
        ref(108, 17, 4, "train", []),
    ]
    images = [image(n, SIZE) for n in (1, 2, 3, 4)]
    return {"images": images, "annotations": anns, "categories": CATEGORIES}, refs


def write_refer(
    root: Path,
    instances: Any = None,
    refs: Any = None,
    folder: str = "refcoco",
    refs_file: str = "refs(unc).p",
    protocol: int = 2,
) -> Path:
    """Writes REFER's layout below a data root; the content above unless another is given."""
    default = refer_content()
    place = root / "refer" / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "instances.json").write_text(json.dumps(default[0] if instances is None else instances))
    (place / refs_file).write_bytes(pickle.dumps(default[1] if refs is None else refs, protocol=protocol))
    return root


# ReferIt: image 112 (100 x 200) with a box of 4.9 % and one of exactly 5 %, image 1019 (80 x 100) with one of 5.1 %.
_REFERIT_SIZES = {112: (100, 200), 1019: (80, 100)}
_REFERIT_OBJECTS = [
    (112, 1, "112_1", (10, 20, 59, 40), ["small roof", "roof"]),  # 49 x 20 = 980 of 20,000
    (112, 2, "112_2", (20, 10, 120, 90), ["house"]),
    (1019, 3, "1019_1", (10, 10, 44, 22), ["dog, barely", "dog"]),  # 34 x 12 = 408 of 8,000
]


def referit_parts(size: tuple[int, int], box: tuple[int, int, int, int]) -> list[dict[str, Any]]:
    """Two codes that overlap."""
    x0, y0, x1, y1 = box
    return [code_of(rectangle(size, x0, y0, x1 - 3, y1)), code_of(rectangle(size, x0 + 3, y0, x1, y1))]


def write_referit_as_refer(root: Path, objects: Sequence[Any] = _REFERIT_OBJECTS) -> Path:
    """The made-up ReferIt as ``refer/refclef``, with string ids of annotations, as refclef has them."""
    anns, refs, sent_id = [], [], 500
    for image_id, ref_id, ann_id, box, texts in objects:
        size = _REFERIT_SIZES[image_id]
        xywh = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
        anns.append(annotation(ann_id, image_id, xywh, referit_parts(size, box)))
        sentences = [sentence(sent_id + n, text) for n, text in enumerate(texts)]
        sent_id += len(texts)
        refs.append(ref(ref_id, ann_id, image_id, "test", sentences))
    images = [image(n, size, f"{n}.jpg") for n, size in _REFERIT_SIZES.items()]
    instances = {"images": images, "annotations": anns, "categories": CATEGORIES}
    return write_refer(root, instances, refs, "refclef", "refs(berkeley).p")


def write_referit_as_pickles(
    root: Path, objects: Sequence[Any] = _REFERIT_OBJECTS, texts_as_ids: bool = True, nested_box: bool = True
) -> Path:
    """The made-up ReferIt as TRIS's ``referit/annotations/test.pickle``."""
    whole: dict[str, Any] = {}
    for image_id, size in _REFERIT_SIZES.items():
        anns = []
        for owner, ref_id, _, box, texts in objects:
            for text in texts if owner == image_id else ():
                anns.append(
                    {
                        "ref_id": str(ref_id) if texts_as_ids else ref_id,
                        "image_id": str(image_id) if texts_as_ids else image_id,
                        "query": text,
                        "category": {"id": 1},
                        "bbox": [list(box)] if nested_box else list(box),
                        "segmentation": referit_parts(size, box),
                        "idx": len(anns),
                        "image_size": (*size, 3),
                    }
                )
        whole[str(image_id)] = {
            "image_id": str(image_id) if texts_as_ids else image_id,
            "size": (*size, 3),
            "queries": [ann["query"] for ann in anns],
            "captions": [],
            "annotations": anns,
        }
    place = root / "referit" / "annotations"
    place.mkdir(parents=True, exist_ok=True)
    (place / "test.pickle").write_bytes(pickle.dumps(whole, protocol=2))
    return root
