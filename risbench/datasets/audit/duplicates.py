"""Duplicates in a split. Duplicate ids are errors; duplicate texts and objects are only reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from ...plain import plain
from ..annotations.columns import Ident, Idents
from ..split import Split
from .text_match import normalised


def doubled_ids(split: Split) -> Iterator[tuple[str, Ident, str]]:
    """The duplicate ids: the kind (``image``, ``annotation``, ``ref``, ``sentence``), the id, and the file's path."""
    table, refs, instances = split.table, split.sources[0].path, split.sources[-1].path
    columns: tuple[tuple[str, Idents, object], ...] = (
        ("image", table.image_id, instances),
        ("annotation", table.ann_id, instances),
        ("ref", table.ref_id, refs),
        ("sentence", table.sent_id, refs),
    )
    for what, idents, path in columns:
        for ident in _repeated(idents.listed()):
            yield what, ident, str(path)


class DuplicateTexts:
    """The texts of a split as numbers, with their objects; `text_match.normalised` decides which texts are equal."""

    def __init__(self, split: Split) -> None:
        table = split.table
        self._texts = table.sent_text.listed(split.rows)
        codes: dict[str, int] = {}
        self._text = np.array([codes.setdefault(normalised(text), len(codes)) for text in self._texts], np.int64)
        self._count = max(1, len(codes))
        self._image = split.sample_images.astype(np.int64)
        # A ref without a target counts as an object of its own.
        anns = split.sample_anns.astype(np.int64)
        self._object = np.where(anns >= 0, anns, len(table.ann_id) + split.sample_refs)

    def twice(self) -> tuple[int, int, str]:
        """Count texts that occur several times for the same object.

        Returns:
            The number of expressions that repeat an earlier one, the number of their objects, and the first such text.
        """
        key = self._object * self._count + self._text
        _, first = np.unique(key, return_index=True)
        again = np.ones(len(key), bool)
        again[first] = False
        return int(again.sum()), len(np.unique(self._object[again])), self._first(again)

    def of_several(self) -> tuple[int, int, str]:
        """Count texts that describe several objects of one image, so that the object is ambiguous.

        Returns:
            The number of such expressions, the number of their images, and the first such text.
        """
        key = self._image * self._count + self._text
        order = np.lexsort((self._object, key))
        keys, objects = key[order], self._object[order]
        # Neighbours with the same key and different objects.
        unlike = (keys[1:] == keys[:-1]) & (objects[1:] != objects[:-1])
        doubtful = np.isin(key, keys[1:][unlike])
        return int(doubtful.sum()), len(np.unique(self._image[doubtful])), self._first(doubtful)

    def _first(self, flags: np.ndarray) -> str:
        return plain(self._texts[int(flags.argmax())], 60) if flags.any() else ""


def shared_objects(split: Split) -> tuple[int, str]:
    """Objects with several refs: their number, and the refs of the first."""
    refs: dict[int, list[Ident]] = {}
    targets = split.table.ref_ann[split.ref_rows].tolist()
    for ann, ref in zip(targets, split.table.ref_id.listed(split.ref_rows), strict=True):
        if ann >= 0:
            refs.setdefault(ann, []).append(ref)
    shared = [group for group in refs.values() if len(group) > 1]
    return len(shared), ", ".join(map(str, shared[0][:4])) if shared else ""


def _repeated(items: Iterable[Ident]) -> list[Ident]:
    return [item for item, count in Counter(items).items() if count > 1]
