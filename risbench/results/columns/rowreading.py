"""Read ``rows.jsonl`` into columns, piece by piece.

Lines exactly as a run writes them are taken apart by one pattern, which gives no other values than JSON's own. A piece
with any other line, or with a value that a row may not have, is read line by line as `Row.from_json` reads it, which
refuses a broken row by its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ...datasets.annotations.columns import Texts, offsets_of
from ...datasets.annotations.sampleids import SampleIds
from ...io import reading
from ..jsonlines import object_in
from ..rows import Row
from .rowcolumns import RowColumns, image_column

_PIECE = 8192  # lines read together
# Up to 15 digits: a float holds each such number.
_COUNT = rb"(0|[1-9]\d{0,14}|null)"
_HIT = rb"(true|false|null)"
_TEXT = rb'"[ !#-\[\]-~]*"'  # ASCII without escapes
_IDENT = rb"(?:0|-?[1-9]\d{0,17}|" + _TEXT + rb")"
_REAL = rb"-?(?:0|[1-9]\d{0,14})\.\d{1,40}(?:[eE]-\d{1,2})?|null"
_LINE = re.compile(
    rb'^\{"id": "([ !#-\[\]-~]*)", "image_id": (' + _IDENT + rb'), "ref_id": ' + _IDENT + rb', "sent_id": ' + _IDENT
    + rb', "intersection": ' + _COUNT + rb', "union": ' + _COUNT + rb', "hit_box": ' + _HIT + rb', "hit_mask": ' + _HIT
    + rb', "box_iou": (' + _REAL + rb'), "box_hit": (?:true|false|null), "seconds": (?:' + _REAL + rb")"
    + rb'(?:, "missing": (true))?(?:, "empty_truth": (true))?(?:, "no_target": (true))?\}\n',
    re.MULTILINE,
)  # fmt: skip
_HITS = {b"true": 1, b"false": 0, b"null": -1}


def read_columns(path: Path) -> RowColumns:
    """The columns of a file's rows, in its order.

    Raises:
        DataError: the file is absent, or a row is broken; the message has its number.
    """
    return RowColumns.joined(list(_pieces(path)))


def _pieces(path: Path) -> Iterator[RowColumns]:
    lines = reading.lines_of(path)
    while piece := list(islice(lines, _PIECE)):
        columns = _as_written(piece)
        yield _as_json(piece, path) if columns is None else columns


def _as_json(piece: list[tuple[int, bytes]], path: Path) -> RowColumns:
    filled = ((number, raw) for number, raw in piece if raw.strip())
    rows = [Row.from_json(object_in(raw, path, number), f"{path}, line {number}") for number, raw in filled]
    return RowColumns.of(rows)


def _as_written(piece: list[tuple[int, bytes]]) -> RowColumns | None:
    """The columns of some lines; None if one of them is not as a run writes it."""
    found = _LINE.findall(b"".join(raw for _, raw in piece))
    if len(found) < len(piece):
        return None
    ids, images, both, either, boxes, masks, box_iou, missing, empty, absent = zip(*found, strict=True)
    intersection, union, overlap = _numbers(both), _numbers(either), _numbers(box_iou)
    unknown = np.isnan(intersection)
    if (unknown != np.isnan(union)).any() or (intersection > union).any():
        return None
    return RowColumns(
        SampleIds(Texts(offsets_of(map(len, ids)), np.frombuffer(b"".join(ids), np.uint8))),
        image_column([image[1:-1].decode("ascii") if image[:1] == b'"' else int(image) for image in images]),
        intersection=intersection,
        union=union,
        hit_box=np.fromiter(map(_HITS.__getitem__, boxes), np.int8, len(piece)),
        hit_mask=np.fromiter(map(_HITS.__getitem__, masks), np.int8, len(piece)),
        box_iou=overlap,
        missing=np.fromiter(map(bool, missing), bool, len(piece)),
        empty_truth=np.fromiter(map(bool, empty), bool, len(piece)),
        no_target=np.fromiter(map(bool, absent), bool, len(piece)),
    )


def _numbers(texts: tuple[bytes, ...]) -> np.ndarray:
    return np.array([np.nan if text == b"null" else float(text) for text in texts])
