"""The reader of ``instances.json``: the images, objects and classes of a set, in COCO's form.

COCO's ``x y w h`` is converted to x0 y0 x1 y1 only here. Of a duplicate image or annotation id the later entry is used,
as in the REFER tool. The file is read in pieces; one that is broken or has an unusual form is read whole, so there is
one place that says what is wrong with it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import DataError
from ...io.jsonfile import read_json
from ...io.jsonpieces import NotInPiecesError, read_in_pieces
from ..entry import REFER_ORIGIN
from .columns import Ident, IdentBuilder, Texts, Words
from .numbers import whole_number
from .outlines import OutlineBuilder
from .rows import Rows, check_file_names, sizes_of


class InstanceColumns(NamedTuple):
    """The columns of `AnnotationTable` for images and annotations, and the row of each id."""

    image_columns: dict[str, Any]
    image_rows: dict[Ident, int]
    ann_columns: dict[str, Any]
    ann_rows: dict[Ident, int]


def read_instances(path: Path) -> Callable[[], InstanceColumns]:
    """Read a file.

    Returns:
        A function that makes the columns. It raises DataError if a key is missing or of the wrong type, or if an
        annotation refers to a missing image.

    Raises:
        DataError: it is missing, or it is not a JSON object with lists of images and annotations.
    """
    if (made := _in_pieces(path)) is not None:
        return lambda: made
    whole = read_json(path, REFER_ORIGIN)
    if not isinstance(whole, dict):
        raise DataError(f"{path}: holds a {type(whole).__name__}, not COCO's dict of images and annotations")
    images = Rows(path, "image", _part(whole, "images", path), "id")
    anns = Rows(path, "annotation", _part(whole, "annotations", path), "id")
    return lambda: _columns(images, anns, whole)


def _in_pieces(path: Path) -> InstanceColumns | None:
    """The columns; None if anything is wrong or unusual, also if the file cannot be read."""
    images, anns = _Images(), _Annotations()
    take = {
        "images": lambda rows: images.add(Rows(path, "image", rows, "id")),
        "annotations": lambda rows: anns.add(Rows(path, "annotation", rows, "id")),
    }
    try:
        names = _names(read_in_pieces(path, take), path)
        return InstanceColumns(images.columns(), images.rows, anns.columns(images.rows, names), anns.rows())
    except (NotInPiecesError, DataError, OSError):
        return None


def _columns(image_rows: Rows, ann_rows: Rows, whole: dict[str, Any]) -> InstanceColumns:
    images, anns = _Images(), _Annotations()
    images.add(image_rows)
    names = _names(whole, image_rows.path)
    anns.add(ann_rows, images.rows)
    return InstanceColumns(images.columns(), images.rows, anns.columns(images.rows, names), anns.rows())


def _part(whole: dict[str, Any], key: str, path: Path) -> Any:
    if key not in whole:
        raise DataError(f"{path}: has no {key!r}; {REFER_ORIGIN}")
    return whole[key]


def _names(whole: dict[str, Any], path: Path) -> dict[Any, str]:
    rows = Rows(path, "category", whole.get("categories") or [], "id")
    return dict(zip(rows.take_idents("id"), rows.take("name", str), strict=True))


class _Images:
    """The columns of images, and the row of each id."""

    def __init__(self) -> None:
        self.rows: dict[Ident, int] = {}
        self._idents = IdentBuilder()
        self._files: list[str] = []
        self._sizes = [np.zeros((0, 2), np.int32)]

    def add(self, images: Rows) -> None:
        idents = images.take_idents("id")
        files = images.take("file_name", str)
        check_file_names(files, images)
        self._sizes.append(sizes_of(images.take_whole("height"), images.take_whole("width"), images))
        first = len(self._files)
        self.rows.update(zip(idents, range(first, first + len(idents)), strict=True))
        self._idents.add(idents)
        self._files.extend(files)

    def columns(self) -> dict[str, Any]:
        size = np.concatenate(self._sizes)
        return {"image_id": self._idents.idents(), "image_file": Texts.pack(self._files), "image_size": size}


class _Annotations:
    """The columns of annotations. Their images and classes may come later in the file."""

    def __init__(self) -> None:
        self._idents, self._images = IdentBuilder(), IdentBuilder()
        self._boxes = [np.zeros((0, 4))]
        self._categories: dict[Ident | None, int] = {}
        self._codes = array("i")
        self._outlines = OutlineBuilder()
        self._known_rows: np.ndarray | None = None

    def add(self, anns: Rows, images: dict[Ident, int] | None = None) -> None:
        """Take the next annotations, or, if the rows of images are given, all."""
        self._idents.add(anns.take_idents("id"))
        if images is None:
            self._images.add(anns.take_idents("image_id"))
        else:
            self._known_rows = anns.look_up("image_id", images, "image", anns.path)
        self._boxes.append(anns.take_boxes("bbox"))
        given = [_plain(row.get("category_id")) for row in anns.rows]
        self._codes.extend(self._categories.setdefault(category, len(self._categories)) for category in given)
        self._outlines.add([row.get("segmentation") for row in anns.rows], anns.fail)

    def rows(self) -> dict[Ident, int]:
        """The row of each id."""
        return {ident: row for row, ident in enumerate(self._idents.listed())}

    def columns(self, images: dict[Ident, int], names: dict[Any, str]) -> dict[str, Any]:
        """The columns, with the rows of images and the names of classes.

        Raises:
            NotInPiecesError: an image is unknown, or its id is written in another way here.
        """
        boxes = np.concatenate(self._boxes)
        whole = np.nan_to_num(np.trunc(boxes[:, 2]) * np.trunc(boxes[:, 3])).astype(np.int64)
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        categories = Words.pack(_name_of(category, names) for category in self._categories)
        return {
            "ann_id": self._idents.idents(),
            "ann_image": self._image_rows(images) if self._known_rows is None else self._known_rows,
            "ann_category": Words(categories.code[np.array(self._codes, np.int32)], categories.texts),
            "ann_box": corners,
            "ann_whole": whole,
            "outlines": self._outlines.outlines(),
        }

    def _image_rows(self, images: dict[Ident, int]) -> np.ndarray:
        try:
            return np.fromiter((images[ident] for ident in self._images.listed()), np.int32)
        except KeyError:
            raise NotInPiecesError from None


def _plain(category: Any) -> Ident | None:
    """The id of a class by which it is found; a number may be written as a float."""
    return category if type(category) in (int, str) else whole_number(category)


def _name_of(ident: Ident | None, names: dict[Any, str]) -> str | None:
    """The class of an id, even if one file writes it as a number and the other as a text."""
    if ident is None:
        return None
    if ident in names:
        return names[ident]
    number = whole_number(ident)
    return None if number is None else names.get(number, names.get(str(number)))
