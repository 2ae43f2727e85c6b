"""The reader of REFER's layout: ``instances.json`` (see `instances`) and a pickle of refs in the same folder.

Refs are in the pickle's order, and sentences in each ref's order; the text is ``sent``, the cleaned one. The
``file_name`` of a ref is ignored, because it has a suffix that no image file has; the image's own ``file_name`` is
used.
"""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...io.jsonfile import collector_at_rest
from .columns import Idents, Texts, Words, offsets_of
from .instances import read_instances
from .rows import Rows
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
        columns_of_instances = read_instances(instances)
        ref_rows = Rows(refs, "ref", read_pickle(refs, "refs"), "ref_id")
        image_columns, image_rows, ann_columns, ann_rows = columns_of_instances()
        return AnnotationTable(
            **image_columns, **ann_columns, **_refs(ref_rows, image_rows, ann_rows, ann_columns, instances)
        )


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
