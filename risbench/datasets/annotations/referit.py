"""The reader of ReferIt's pickles, as published by TRIS and MultiGrounding, with one entry per expression.

``{str(image_id): {image_id, size (H, W, 3), annotations: [{ref_id, query, bbox, segmentation, category}]}}``. Two
decisions are made here:

- An expression has no id, so ``sent_id`` is its index in the file, from 0, over all images in the file's order.
- Some copies have numbers as ids, others texts. An id of decimal digits becomes a number, so that samples have the same
  names in all copies and image ids agree with REFER's; any other id stays a text.

Boxes are already x0 y0 x1 y1, as four numbers or as a list of one box. The annotations of one ref differ only in their
text. They become one object, whose ``ann_id`` is the ref's id.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...io.jsonfile import collector_at_rest
from .columns import Ident, Idents, Texts, Words, offsets_of
from .numbers import whole_number
from .outlines import Outlines
from .rows import Rows, check_file_names, sizes_of
from .table import AnnotationTable
from .unpickle import read_pickle


def read_referit(path: Path) -> AnnotationTable:
    """Read one pickle; its refs' ``split`` is the file's stem (``train``, ``test``).

    Raises:
        DataError: the file is missing or broken, or a key is missing or of the wrong type; the message names the file
            and the id.
    """
    with collector_at_rest():
        images = _images(path)
        anns = _flat(images)
        objects, of_ann = _objects(anns)
        return AnnotationTable(
            **_image_columns(images), **_object_columns(objects), **_ref_columns(anns, of_ann, path.stem)
        )


def plain_ident(ident: Any) -> Any:
    """An id as a number if it is a number or consists of digits."""
    if isinstance(ident, str) and ident.isascii() and ident.isdigit() and str(int(ident[:18])) == ident:
        return int(ident)
    return ident


def _images(path: Path) -> Rows:
    whole = read_pickle(path, "ReferIt annotations")
    if not isinstance(whole, dict):
        raise DataError(f"{path}: holds a {type(whole).__name__}, not a dict of images; is it REFER's refs file?")
    rows = []
    for key, image in whole.items():
        if not isinstance(image, dict):
            raise DataError(f"{path}: image {key!r:.40} is a {type(image).__name__}, not a dict")
        rows.append({**image, "image_id": plain_ident(image.get("image_id", key))})
    return Rows(path, "image", rows, "image_id")


def _image_columns(images: Rows) -> dict[str, Any]:
    idents: list[Ident] = images.take_idents("image_id")
    sizes = images.take("size", tuple, list)
    sides = []
    for number, size in enumerate(sizes):
        plain = [whole_number(side) for side in size]
        if len(size) not in (2, 3) or None in plain:
            raise images.fail(number, f"'size' must be (height, width, 3), got {size!r:.60}")
        sides.append(plain)
    files = [f"{ident}.jpg" for ident in idents]
    check_file_names(files, images)
    size = sizes_of([size[0] for size in sides], [size[1] for size in sides], images)
    return {"image_id": Idents.pack(idents), "image_file": Texts.pack(files), "image_size": size}


def _flat(images: Rows) -> Rows:
    """The annotations of all images, each with the row of its image and a box of four numbers."""
    rows = []
    for number, listed in enumerate(images.take("annotations", list, tuple)):
        for annotation in listed:
            if not isinstance(annotation, dict):
                raise images.fail(number, f"an annotation is a {type(annotation).__name__}, not a dict")
            box = annotation.get("bbox")
            if isinstance(box, (list, tuple)) and len(box) == 1:
                box = box[0]
            ref_id = plain_ident(annotation.get("ref_id"))
            rows.append({**annotation, "ref_id": ref_id, "bbox": box, "row": number})
    return Rows(images.path, "annotation of ref", rows, "ref_id")


def _objects(anns: Rows) -> tuple[Rows, list[int]]:
    """The distinct objects, and the row of each annotation's object."""
    known: dict[Any, int] = {}
    rows: list[Any] = []
    of_ann = []
    for ann, ref_id in zip(anns.rows, anns.take_idents("ref_id"), strict=True):
        row = known.setdefault((ann["row"], ref_id), len(rows))
        # The same ref with another box or mask is another object; later annotations of the ref belong to this one.
        if row < len(rows) and any(rows[row].get(key) != ann.get(key) for key in ("bbox", "segmentation")):
            row = known[ann["row"], ref_id] = len(rows)
        if row == len(rows):
            rows.append(ann)
        of_ann.append(row)
    return Rows(anns.path, anns.what, rows, anns.id_key), of_ann


def _object_columns(objects: Rows) -> dict[str, Any]:
    box = objects.take_boxes("bbox")
    cut = np.trunc(np.nan_to_num(box)).astype(np.int64)
    return {
        "ann_id": Idents.pack(objects.take_idents("ref_id")),
        "ann_image": np.array(objects.take("row"), np.int32),
        "ann_category": Words.pack(_category(row.get("category"), row.get("category_id")) for row in objects.rows),
        "ann_box": box,
        "ann_whole": np.maximum(cut[:, 2] - cut[:, 0], 0) * np.maximum(cut[:, 3] - cut[:, 1], 0),
        "outlines": Outlines.pack([row.get("segmentation") for row in objects.rows], objects.fail),
    }


def _category(*given: Any) -> str | None:
    """The class.

    If only its number is known, the number is its name, because classes are only compared for equality.
    """
    for category in given:
        named = category.get("name", category.get("id")) if isinstance(category, dict) else category
        if isinstance(named, (str, int)):
            return str(named)
    return None


def _ref_columns(anns: Rows, of_ann: list[int], split: str) -> dict[str, Any]:
    """The columns of refs. A ref is a run of consecutive annotations of one object, in file order."""
    texts = anns.take("query", str)
    anns.take_idents("ref_id")
    runs = [(row, [at for at, _ in run]) for row, run in groupby(enumerate(of_ann), key=itemgetter(1))]
    first = [anns.rows[run[0]] for _, run in runs]
    return {
        "ref_id": Idents.pack([ann["ref_id"] for ann in first]),
        "ref_image": np.array([ann["row"] for ann in first], np.int32),
        "ref_ann": np.array([row for row, _ in runs], np.int32),
        "ref_split": Words.pack([split] * len(runs)),
        "ref_sentences": offsets_of(len(run) for _, run in runs),
        "sent_id": Idents.pack(range(len(texts))),
        "sent_text": Texts.pack(texts),
        "sent_tags": Words.pack([None] * len(texts)),
    }
