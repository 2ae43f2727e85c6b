"""The content of annotation files as columns: images, annotations, refs and sentences.

Both layouts, REFER's and ReferIt's pickles, are read into this form, in file order. A split is a selection of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..entry import Counts
from .columns import Idents, Texts, Words, distinct
from .outlines import Outlines


@dataclass(frozen=True, slots=True, eq=False)
class AnnotationTable:
    """The columns.

    Attributes:
        image_id, image_file, image_size: each image's id, file name and int32 ``(height, width)``.
        ann_id, ann_image, ann_category, outlines: each annotation's id, image row, class and segmentation.
        ann_box: float64 ``(n, 4)``, x0 y0 x1 y1 in pixels; NaN for an annotation without a box.
        ann_whole: int64, the box's area in pixels after truncating each coordinate to an integer, as in ReferIt's test
            readers.
        ref_id, ref_image, ref_ann, ref_split: each ref's id, image row, annotation row (-1 for no target) and value of
            ``split``.
        ref_sentences: int64 ``(refs + 1,)``, offsets of each ref's sentences.
        sent_id, sent_text, sent_tags: each sentence's id, text and tags (JSON, or None).
    """

    image_id: Idents
    image_file: Texts
    image_size: np.ndarray
    ann_id: Idents
    ann_image: np.ndarray
    ann_category: Words
    ann_box: np.ndarray
    ann_whole: np.ndarray
    outlines: Outlines
    ref_id: Idents
    ref_image: np.ndarray
    ref_ann: np.ndarray
    ref_split: Words
    ref_sentences: np.ndarray
    sent_id: Idents
    sent_text: Texts
    sent_tags: Words

    def arrays(self) -> dict[str, np.ndarray]:
        """All columns as flat arrays, named ``column`` or ``column.array``."""
        flat: dict[str, np.ndarray] = {}
        for name in self.__slots__:
            column: Any = getattr(self, name)
            if isinstance(column, np.ndarray):
                flat[name] = column
            else:
                flat.update({f"{name}.{key}": array for key, array in column.arrays().items()})
        return flat

    @classmethod
    def from_arrays(cls, flat: dict[str, np.ndarray]) -> AnnotationTable:
        """Make a table from stored arrays.

        Raises:
            KeyError: a column is missing.
            ValueError: the columns do not fit together.
        """
        kinds = {"Idents": Idents.from_arrays, "Words": Words.from_arrays, "Outlines": Outlines.from_arrays}
        kinds["Texts"] = lambda arrays: Texts(**arrays)
        columns: dict[str, Any] = {}
        for name, kind in cls.__annotations__.items():
            if kind == "np.ndarray":
                columns[name] = flat[name]
            else:
                prefix = name + "."
                inner = {key.removeprefix(prefix): array for key, array in flat.items() if key.startswith(prefix)}
                if not inner:
                    raise KeyError(name)
                columns[name] = kinds[kind](inner)
        table = cls(**columns)
        table.agree()
        return table

    def agree(self) -> None:
        """Raise ValueError unless columns of one kind have equal lengths and all references are in range."""
        images, anns, refs, sentences = len(self.image_id), len(self.ann_id), len(self.ref_id), len(self.sent_id)
        lengths = [
            (images, self.image_file, self.image_size),
            (anns, self.ann_image, self.ann_category, self.ann_box, self.ann_whole, self.outlines.polygons[1:]),
            (refs, self.ref_image, self.ref_ann, self.ref_split, self.ref_sentences[1:]),
            (sentences, self.sent_text, self.sent_tags),
        ]
        if any(len(column) != count for count, *columns in lengths for column in columns):
            raise ValueError("columns of different lengths")
        if sentences != (self.ref_sentences[-1] if refs else 0):
            raise ValueError("sentences without a ref")
        inside = [(self.ann_image, images, 0), (self.ref_image, images, 0), (self.ref_ann, anns, -1)]
        if any(rows.size and not (least <= rows.min() and rows.max() < count) for rows, count, least in inside):
            raise ValueError("a row refers to a row that does not exist")

    def count(self, refs: np.ndarray, rows: np.ndarray) -> Counts:
        """The counts of selected ref rows and sentence rows; images are those that a selected ref refers to."""
        numbers = self.ref_id.numbers
        idents = len(set(self.ref_id.listed(refs))) if numbers is None else distinct(numbers[refs])
        return Counts(distinct(self.ref_image[refs]), idents, len(rows))

    def size(self, image: int) -> tuple[int, int]:
        """``(height, width)`` of an image row."""
        height, width = self.image_size[image].tolist()
        return height, width
