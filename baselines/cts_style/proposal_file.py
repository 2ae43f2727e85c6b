"""Proposals that somebody brings: a text file with one line for each image.

A line is a JSON object of an image's id, as the annotation has it, and of masks at the image's size in COCO's
run-length encoding, as pycocotools writes it:

    {"image_id": 581857, "masks": [{"size": [427, 640], "counts": "…"}, {"size": [427, 640], "counts": "…"}]}

So the masks of Multiscale Combinatorial Grouping, of selective search or of any other program can be used. They need
not know boxes: a proposal counts for a box if more than half of its pixels lie within, and is cut to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import DataError, UsageError
from risbench.errors import MaskError
from risbench.io import reading
from risbench.masks import decode, size_of
from risbench.results.jsonlines import object_in

from .boxed import BoxedObject, pixels_of

MOST = 20_000  # masks of one image
FORM = '{"image_id": …, "masks": [{"size": [H, W], "counts": "…"}, …]}'


class ProposalFile:
    """A file of proposals; an image's line is read when it is needed.

    Args:
        path: the file.

    Raises:
        UsageError: there is no such file.
        DataError: a line is not of the form above, or an image has two lines.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        refuse_absent(self.path)
        self._places: dict[str, tuple[int, int]] = {}  # of each image's line: where it begins, and its number
        begin = 0
        for number, raw in reading.lines_of(self.path):
            if raw.strip():
                ident = _key(self._line(raw, number)["image_id"])
                if ident in self._places:
                    raise DataError(
                        f"{self.path}:{number}: image {ident} has a line before, {self._places[ident][1]}; put all of "
                        "its masks into one"
                    )
                self._places[ident] = (begin, number)
            begin += len(raw)

    def proposals(self, thing: BoxedObject) -> np.ndarray:
        """The proposals for an object's box, as :func:`baselines.cts_style.proposals` returns them.

        Raises:
            DataError: the image has no line, or a mask is broken or of another size than the image.
        """
        place = self._places.get(_key(thing.image_id))
        if place is None:
            raise DataError(f"{self.path} has no line for the image {thing.image_id!r}; give proposals of all images")
        begin, number = place
        with self.path.open("rb") as file:
            file.seek(begin)
            masks = self._line(file.readline(), number)["masks"]
        inside = np.zeros(thing.size, bool)
        inside[pixels_of(thing.box, thing.size)] = True
        found: dict[bytes, np.ndarray] = {}
        for at, code in enumerate(masks):
            try:
                if size_of(code) != tuple(thing.size):
                    raise MaskError(f"its size is {size_of(code)}, the image's {tuple(thing.size)}")
                mask = decode(code)
            except MaskError as error:
                raise DataError(f"{self.path}:{number}: mask {at}: {error}") from None
            within = mask & inside
            if 2 * within.sum() > mask.sum():
                found.setdefault(np.packbits(within).tobytes(), within)
        return np.stack([*found.values()]) if found else inside[None]

    def _line(self, raw: bytes, number: int) -> dict[str, Any]:
        line = object_in(raw, self.path, number)
        ident, masks = line.get("image_id"), line.get("masks")
        if not isinstance(ident, (int, str)) or isinstance(ident, bool) or not _are_codes(masks):
            raise DataError(f"{self.path}:{number}: not of the form {FORM}, of at most {MOST:,} masks")
        return line


def refuse_absent(path: Path) -> None:
    """Refuse a file of proposals that is not there.

    Raises:
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"masks.proposals: there is no file {path}; give a file with lines {FORM}")


def _are_codes(masks: Any) -> bool:
    return (
        isinstance(masks, Sequence)
        and not isinstance(masks, str)
        and len(masks) <= MOST
        and all(isinstance(one, dict) for one in masks)
    )


def _key(ident: int | str) -> str:
    """Ids may be numbers in one program's files and texts in another's."""
    return str(ident)
