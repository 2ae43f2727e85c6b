"""The reader of REFER's layout: ``instances.json`` (COCO's form) and a pickle of refs in the same folder.

Refs are in the pickle's order, and sentences in each ref's order; the text is ``sent``, the cleaned one. The
``file_name`` of a ref is ignored, because it has a suffix that no image file has; the image's own ``file_name`` is
used. COCO's ``x y w h`` is converted to x0 y0 x1 y1 only here. Of a duplicate image or annotation id the later entry is
used, as in the REFER tool.
"""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...io.jsonfile import collector_at_rest, read_json
from ..entry import REFER_ORIGIN
from .columns import Idents, Texts, Words, offsets_of
from .numbers import whole_number
from .outlines import Outlines
from .rows import Rows, check_file_names, sizes_of
from .table import AnnotationTable
from .unpickle import read_pickle

_TAGS = ("form", "ambiguous")


def read_refer(refs: Path, instances: Path) -> AnnotationTable:
    """Read one refs pickle with its instances file.

    Raises:
        DataError: a file is missing or broken, a key is missing or of the wrong type, or a ref refers to a missing
            image or annotation; the message names the file and the id.
    """
    with collector_at_rest():
        whole = read_json(instances, REFER_ORIGIN)
        if not isinstance(whole, dict):
            raise DataError(f"{instances}: holds a {type(whole).__name__}, not COCO's dict of images and annotations")
        images = Rows(instances, "image", _part(whole, "images", instances), "id")
        anns = Rows(instances, "annotation", _part(whole, "annotations", instances), "id")
        ref_rows = Rows(refs, "ref", read_pickle(refs, "refs"), "ref_id")
        image_columns, image_rows = _images(images)
        ann_columns, ann_rows = _annotations(anns, image_rows, _categories(whole, instances))
        return AnnotationTable(
            **image_columns, **ann_columns, **_refs(ref_rows, image_rows, ann_rows, ann_columns, instances)
        )


def _part(whole: dict[str, Any], key: str, path: Path) -> Any:
    if key not in whole:
        raise DataError(f"{path}: has no {key!r}; {REFER_ORIGIN}")
    return whole[key]


def _images(images: Rows) -> tuple[dict[str, Any], dict[Any, int]]:
    idents = images.take_idents("id")
    files = images.take("file_name", str)
    check_file_names(files, images)
    size = sizes_of(images.take_whole("height"), images.take_whole("width"), images)
    columns = {"image_id": Idents.pack(idents), "image_file": Texts.pack(files), "image_size": size}
    return columns, {ident: row for row, ident in enumerate(idents)}


def _categories(whole: dict[str, Any], path: Path) -> dict[Any, str]:
    rows = Rows(path, "category", whole.get("categories") or [], "id")
    return dict(zip(rows.take_idents("id"), rows.take("name", str), strict=True))


def _annotations(anns: Rows, images: dict[Any, int], names: dict[Any, str]) -> tuple[dict[str, Any], dict[Any, int]]:
    idents = anns.take_idents("id")
    image = anns.look_up("image_id", images, "image", anns.path)
    boxes = anns.take_boxes("bbox")
    whole = np.nan_to_num(np.trunc(boxes[:, 2]) * np.trunc(boxes[:, 3])).astype(np.int64)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    categories = [row.get("category_id") for row in anns.rows]
    columns = {
        "ann_id": Idents.pack(idents),
        "ann_image": image,
        "ann_category": Words.pack(_name_of(ident, names) for ident in categories),
        "ann_box": corners,
        "ann_whole": whole,
        "outlines": Outlines.pack([row.get("segmentation") for row in anns.rows], anns.fail),
    }
    return columns, {ident: row for row, ident in enumerate(idents)}


def _name_of(ident: Any, names: dict[Any, str]) -> str | None:
    """The class of an id, even if one file writes it as a number and the other as a text."""
    if type(ident) in (int, str) and ident in names:
        return names[ident]
    if (number := whole_number(ident)) is None:
        return None
    return names.get(number, names.get(str(number)))


def _refs(
    refs: Rows, images: dict[Any, int], anns: dict[Any, int], ann_columns: dict[str, Any], instances: Path
) -> dict[str, Any]:
    idents = refs.take_idents("ref_id")
    ref_image = refs.look_up("image_id", images, "image", instances)
    ref_ann = refs.look_up("ann_id", anns, "annotation", instances, none=True)
    aimed = np.flatnonzero(ref_ann >= 0)
    elsewhere = aimed[ann_columns["ann_image"][ref_ann[aimed]] != ref_image[aimed]]
    if elsewhere.size:
        raise refs.fail(int(elsewhere[0]), "its annotation belongs to another image")
    groups = refs.take("sentences", list)
    sentences = Rows(refs.path, "sentence", list(chain.from_iterable(groups)), "sent_id")
    return {
        "ref_id": Idents.pack(idents),
        "ref_image": ref_image,
        "ref_ann": ref_ann,
        "ref_split": Words.pack(refs.take("split", str)),
        "ref_sentences": offsets_of(map(len, groups)),
        "sent_id": Idents.pack(sentences.take_idents("sent_id")),
        "sent_text": Texts.pack(sentences.take("sent", str)),
        "sent_tags": Words.pack(_tags(sentences)),
    }


def _tags(sentences: Rows) -> list[str | None]:
    tags: list[str | None] = []
    for number, sentence in enumerate(sentences.rows):
        if "form" in sentence or "ambiguous" in sentence:
            try:
                tags.append(json.dumps({key: sentence[key] for key in _TAGS if key in sentence}))
            except (TypeError, ValueError, RecursionError):
                raise sentences.fail(number, "'form' or 'ambiguous' is not a plain value") from None
        else:
            tags.append(None)
    return tags
