"""Predictions that someone brought, in the forms of DESIGN 4.6: which ids there are, and one at a time.

A source answers for names: a sample's ``id``, or its ``sent_id`` as text. It is read lazily, so a folder of a hundred
thousand masks costs no memory; what is wrong is said with the file or the line.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import DataError, MaskError, UsageError
from ..masks import MOST_PIXELS
from ..records import Prediction
from ..results import heats
from ..results.folder import MASKS
from ..results.masklines import prediction_in
from ..results.npy import read_npy


class Source(Protocol):
    """Predictions by name.

    Attributes:
        kind: what was read, in words.
        has_heats: whether a threshold would change anything.
    """

    kind: str
    has_heats: bool

    @property
    def names(self) -> Collection[str]:
        """Every name that a prediction was brought for."""
        ...

    def get(self, name: str, image_id: int | str) -> Prediction | None:
        """The prediction under a name; None where a run recorded it as missing."""
        ...


class Lines:
    """``masks.jsonl``, keyed by ``id`` or by ``sent_id``; ``cuts`` names the rules that cut masks in it from heats."""

    kind = "lines of masks"
    has_heats = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: dict[str, tuple[int, int, int]] = {}
        self.cuts: set[str] = set()
        place = 0
        with path.open("rb") as file:
            # Mapped, so that lines can be asked for in any order and nothing stays open.
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    line = _parsed(raw, f"{path}, line {number}")
                    _put(self.names, _name(line, f"{path}, line {number}"), (place, len(raw), number), path)
                    if isinstance(line.get("cut"), str):
                        self.cuts.add(line["cut"])
                place += len(raw)

    def line(self, name: str) -> dict[str, Any]:
        """The parsed line under a name."""
        start, length, _ = self.names[name]
        return json.loads(self._bytes[start : start + length])

    def get(self, name: str, image_id: int | str) -> Prediction | None:
        """The prediction under a name."""
        line = self.line(name)
        return None if line.get("missing") else _of_line(line, f"{self.path}, line {self.names[name][2]}")


class Array:
    """A COCO results array: ``[{"sent_id", "segmentation", …}, …]``."""

    kind = "a COCO results array"
    has_heats = False

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not JSON: {error}") from None
        if not isinstance(found, list):
            raise DataError(f"{path}: a COCO results file is a JSON array, this is {type(found).__name__}")
        self.names: dict[str, tuple[int, dict[str, Any]]] = {}
        for place, line in enumerate(found):
            where = f"{path}, entry {place}"
            if not isinstance(line, dict):
                raise DataError(f"{where}: an object is expected, not {type(line).__name__}")
            _put(self.names, _name(line, where), (place, line), path)

    def get(self, name: str, image_id: int | str) -> Prediction | None:
        """The prediction under a name."""
        place, line = self.names[name]
        return _of_line(line, f"{self.path}, entry {place}")


class Files:
    """A folder with one file for each ``sent_id``, either ``.png`` masks or ``.npy`` heats."""

    def __init__(self, path: Path, suffix: str, read: Callable[[Path], Prediction], kind: str) -> None:
        self.kind = kind
        self.has_heats = suffix == ".npy"
        self._read = read
        self.names = {file.stem: file for file in _seen(path) if file.suffix == suffix}

    def get(self, name: str, image_id: int | str) -> Prediction | None:
        """The prediction under a name."""
        return self._read(self.names[name])


class Heats:
    """The saved heats of a run folder."""

    kind = "the heats of a run"
    has_heats = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = Lines(path / MASKS)
        self.names: Collection[str] = self._lines.names
        self._image: tuple[int | str, dict[str, np.ndarray]] | None = None

    def get(self, name: str, image_id: int | str) -> Prediction | None:
        """The prediction under a name."""
        # An image's heats lie in one file and are asked for one after another.
        if self._image is None or self._image[0] != image_id:
            self._image = (image_id, heats.load(self.path, image_id))
        line = self._lines.line(name)
        heat = self._image[1].get(name)
        brought = self._lines.get(name, image_id)
        if brought is None or (heat is None and not line.get("cut")):
            return brought
        if heat is None:
            raise DataError(f"{heats.file_of(self.path, image_id)}: the heat of {name} is not there")
        # A mask or point that the method itself gave goes before its heat; what rules made is made anew.
        return Prediction(
            mask=None if line.get("cut") else brought.mask,
            heat=heat,
            point=None if line.get("found") else brought.point,
            boxes=brought.boxes,
        )


def source_of(path: Path, rescored: Callable[[Path], Source] | None = None) -> Source:
    """Recognise what was brought.

    Args:
        path: a file or a folder.
        rescored: how to read a run folder.

    Raises:
        UsageError: none of the known forms.
        DataError: one of them, but broken.
    """
    try:
        if path.is_dir():
            return _folder(path, rescored)
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        if path.suffix == ".json":
            return Array(path)
        if path.suffix == ".jsonl":
            return Lines(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    raise UsageError(f"{path}: give a .jsonl or .json file of masks, a folder of .png or .npy files, or a run folder")


def _folder(path: Path, rescored: Callable[[Path], Source] | None) -> Source:
    if (path / "header.json").is_file() and rescored is not None:
        return rescored(path)
    suffixes = {file.suffix for file in _seen(path)}
    if {".png", ".npy"} <= suffixes:
        raise UsageError(f"{path} holds both .png masks and .npy heats: put them in two folders")
    if ".png" in suffixes:
        return Files(path, ".png", read_mask, "a folder of masks")
    if ".npy" in suffixes:
        return Files(path, ".npy", read_heat, "a folder of heats")
    if (path / MASKS).is_file():
        return Lines(path / MASKS)
    raise UsageError(f"{path} holds neither <sent_id>.png masks, <sent_id>.npy heats, nor a run")


def _seen(path: Path) -> list[Path]:
    """The files of a folder in order, but for hidden ones, which file managers leave behind."""
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def read_mask(path: Path) -> Prediction:
    """A mask from a PNG of one channel with values {0, 1} or {0, 255}.

    Raises:
        DataError: another picture, with what it holds.
    """
    from PIL import Image

    try:
        # The suffix promises a PNG; left to guess, PIL would hand PostScript to a program of its own.
        with Image.open(path, formats=("PNG",)) as picture:
            if picture.height * picture.width > MOST_PIXELS:
                raise DataError(f"{path}: {picture.height}x{picture.width} pixels are more than any image has")
            if picture.mode not in ("1", "L", "P"):
                raise DataError(f"{path}: a mask has one channel of 8 bits, this has mode {picture.mode}")
            # A palette's indices are the values; its colours are only for show.
            pixels = np.asarray(picture)
    except DataError:
        raise
    except Exception as error:  # PIL raises many kinds for a broken file
        raise DataError(f"{path}: not a readable PNG: {error!s:.200}") from None
    if pixels.dtype == np.bool_:
        return Prediction(mask=pixels)
    top = int(pixels.max())
    if top not in (0, 1, 255) or ((pixels != 0) & (pixels != top)).any():
        values = np.unique(pixels)
        shown = ", ".join(map(str, values[:4])) + (", …" if len(values) > 4 else "")
        raise DataError(
            f"{path}: values {shown}: a mask holds {{0, 1}} or {{0, 255}}; a soft map belongs in a .npy of floats"
        )
    return Prediction(mask=pixels != 0)


def read_heat(path: Path) -> Prediction:
    """A heat from a ``.npy`` file of floats, without unpickling anything.

    Raises:
        DataError: not such a file.
    """
    try:
        with path.open("rb") as file:
            return Prediction(heat=read_npy(file, path.stat().st_size, str(path)))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _parsed(raw: bytes, where: str) -> dict[str, Any]:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from None
    if not isinstance(line, dict):
        raise DataError(f"{where}: a JSON object is expected, not {type(line).__name__}")
    return line


def _name(line: Mapping[str, Any], where: str) -> str:
    for key in ("id", "sent_id"):
        # COCO results may carry an "id" of their own, a number; ours is text.
        if isinstance(line.get(key), str) or (key == "sent_id" and isinstance(line.get(key), int)):
            return str(line[key])
    raise DataError(f"{where}: has neither 'id' (text, as in rows.jsonl) nor 'sent_id'")


def _put(names: dict[str, Any], name: str, value: Any, path: Path) -> None:
    if name in names:
        raise DataError(f"{path}: {name:.200} is there twice")
    names[name] = value


def _of_line(line: Mapping[str, Any], where: str) -> Prediction:
    try:
        return prediction_in(line)
    except MaskError as error:
        raise MaskError(f"{where}: {error}") from None
