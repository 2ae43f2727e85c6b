"""Write REFER's two files, so that the same reader reads converted and own data."""

from __future__ import annotations

import json
import pickle
from typing import Any


def refs_bytes(refs: list[dict[str, Any]]) -> bytes:
    """A pickle of plain values, of protocol 2 like the authors'; the same refs give the same bytes."""
    # A pickle stores an object that occurs twice only once, so its bytes depend on the identity of strings. After a
    # conversion to JSON and back only equal keys are the same object.
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
