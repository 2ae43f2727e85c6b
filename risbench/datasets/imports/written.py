"""Writes REFER's two files, so that converted and own data are read by the same reader."""

from __future__ import annotations

import json
import pickle
from typing import Any


def refs_bytes(refs: list[dict[str, Any]]) -> bytes:
    """A pickle of plain values, of protocol 2 as the authors' own: the same refs are the same bytes."""
    # A pickle refers back to objects that occur twice, so its bytes depend on which strings are one object: after a
    # trip through JSON none are but keys, whoever made the refs.
    return pickle.dumps(json.loads(json.dumps(refs)), protocol=2)


def instances_bytes(
    images: list[dict[str, Any]], annotations: list[dict[str, Any]], categories: list[dict[str, Any]], about: str
) -> bytes:
    """``instances.json`` in COCO's form."""
    whole = {"info": {"description": about}, "images": images, "annotations": annotations, "categories": categories}
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass")


def ref_of(
    ref_id: Any, ann_id: Any, image_id: Any, split: str, texts: list[tuple[Any, str]], category_id: Any = None
) -> dict[str, Any]:
    """A ref with its sentences, each an id and a text."""
    sentences = [{"sent_id": ident, "sent": text, "raw": text, "tokens": text.split()} for ident, text in texts]
    return {
        "ref_id": ref_id,
        "ann_id": ann_id,
        "image_id": image_id,
        "category_id": category_id,
        "split": split,
        "sent_ids": [ident for ident, _ in texts],
        "sentences": sentences,
    }
