"""Sources of predictions in files: which names they have, and the prediction of each name.

The format is recognised by the content of the files. Other files are refused with what they are and the next step.
"""

from __future__ import annotations

import codecs
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import DataError, UsageError
from ..io import reading
from ..records import Prediction
from ..results import heats
from ..results.folder import MASKS
from .array import HOLDERS, Array
from .files import folder_of_files, what_lies_in
from .lines import Lines, wide_text

_GIVE = "give a .jsonl or .json file of masks, a folder of .png or .npy files, or a run folder"
# The kind of a file by its first bytes. numpy's .npz and torch's files are zip archives too.
_KINDS: Mapping[bytes, str] = {
    b"\x1f\x8b": "compressed by gzip: unpack it first (gunzip)",
    b"BZh": "compressed by bzip2: unpack it first (bunzip2)",
    b"\xfd7zXZ": "compressed by xz: unpack it first (unxz)",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it first (unzstd)",
    b"PK\x03\x04": "a zip archive: unpack it, and give the folder or file that was in it",
    b"7z\xbc\xaf": "a 7z archive: unpack it, and give the folder or file that was in it",
    b"\x89PNG": "one picture: give the folder with a <sent_id>.png for each expression",
    b"\xff\xd8\xff": "one JPEG picture: give a folder with a <sent_id>.png for each expression",
    b"\x93NUMPY": "one array: give the folder with a <sent_id>.npy for each expression",
    b"PAR1": "a parquet table: write a .jsonl of masks",
    b"\x89HDF": "HDF5 (as new .mat and .h5 files are): write a .jsonl of masks, or a .npy for each expression",
    b"MATLAB": "a MATLAB file: write a .jsonl of masks, or a .npy for each expression",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: get it with `git lfs pull`",
    b"<": "a page of HTML or XML, not JSON: download the file again",
}
_SUFFIXES: Mapping[str, str] = {
    ".pt": "torch's own form, which may run code: write masks as .jsonl, or heats as .npy",
    ".npz": "one archive of arrays: save a <sent_id>.npy for each expression, and give their folder",
    ".csv": "a table: write a .jsonl, one {\"sent_id\": …, \"segmentation\": {\"size\": [H, W], \"counts\": …}} a line",
    ".pkl": "a pickle, which may run code when it is read: write a .jsonl of masks, or a COCO results .json",
}  # fmt: skip
_NAMES = frozenset(("id", "sent_id", "segmentation"))
_ALIKE = {".pth": ".pt", ".ckpt": ".pt", ".tsv": ".csv", ".p": ".pkl", ".pickle": ".pkl"}


Reading = Callable[[], Prediction | None]


class Names(Protocol):
    """Names in the order of their predictions, all different: a list, or what takes less memory."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __getitem__(self, place: int, /) -> str: ...


class PredictionSource(Protocol):
    """Predictions by name: a sample's ``id``, or its ``sent_id`` as text.

    Attributes:
        kind: the kind of predictions, in words.
        has_heats: whether they are heats, to which a threshold applies.
    """

    kind: str
    has_heats: bool

    @property
    def names(self) -> Names:
        """The names of all predictions."""
        ...

    @property
    def beside(self) -> Mapping[str, Mapping[str, str]]:
        """Other ids of each prediction, by name; see `entries.Named` and `files.Files`."""
        ...

    def task(self, place: int, image_id: int | str) -> Reading:
        """What reads the prediction of the name at a place; it gives None if a run recorded it as missing.

        It can be sent to another process, so that reading and decoding is done there.
        """
        ...


class Heats:
    """The saved heats of a run folder."""

    kind = "the heats of a run"
    has_heats = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = Lines(path / MASKS)
        self.names: Names = self._lines.names
        self.beside: Mapping[str, Mapping[str, str]] = self._lines.beside
        self._reading = secrets.token_hex(8)
        self._places: dict[str, int] = {}

    def task(self, place: int, image_id: int | str) -> Reading:
        """What reads the prediction of the name at a place."""
        where = partial(_heats_of_image, self._reading, self.path, image_id)
        line, name = self._lines.line(place), self.names[place]
        return partial(_with_heat, self._lines.task(place, image_id), line, where, name)

    def task_of(self, name: str, image_id: int | str) -> Reading:
        """What reads the prediction of a name."""
        if not self._places:
            self._places = {known: place for place, known in enumerate(self.names)}
        return self.task(self._places[name], image_id)


@lru_cache(maxsize=1)
def _heats_of_image(reading: str, folder: Path, image_id: int | str) -> tuple[Path, Mapping[str, np.ndarray]]:
    """An image's heats, which are in one file and are read one after another.

    Args:
        reading: differs for each time that a folder is scored, because its files may have changed in between.
        folder: of the run.
        image_id: of the image.
    """
    return heats.file_of(folder, image_id), heats.load(folder, image_id)


def _with_heat(
    stored: Reading,
    line: Mapping[str, Any],
    of_image: Callable[[], tuple[Path, Mapping[str, np.ndarray]]],
    name: str,
) -> Prediction | None:
    file, of_names = of_image()
    heat = of_names.get(name)
    brought = stored()
    if brought is None or (heat is None and not line.get("cut")):
        return brought
    if heat is None:
        raise DataError(f"{file}: the heat of {name} is not there")
    # A mask or point of the method itself is kept; one that rules made from the heat is made again.
    return Prediction(
        mask=None if line.get("cut") else brought.mask,
        heat=heat,
        point=None if line.get("found") else brought.point,
        boxes=brought.boxes,
    )


def source_of(path: Path, rescored: Callable[[Path], PredictionSource] | None = None) -> PredictionSource:
    """Recognise the format of predictions.

    Args:
        path: a file or a folder.
        rescored: how to read a run folder.

    Raises:
        UsageError: the format is not known.
        DataError: the format is known, but the file is broken.
    """
    try:
        if path.is_dir():
            return _folder(path, rescored)
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        return _file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _folder(path: Path, rescored: Callable[[Path], PredictionSource] | None) -> PredictionSource:
    if (path / "header.json").is_file() and rescored is not None:
        return rescored(path)
    # If there is a masks.jsonl, the folders below are not searched: they may hold a run's pictures.
    if (found := folder_of_files(path, deep=not (path / MASKS).is_file())) is not None:
        return found
    if (path / MASKS).is_file():
        return Lines(path / MASKS)
    raise UsageError(f"{path} holds neither <sent_id>.png masks, <sent_id>.npy heats, nor a run: {what_lies_in(path)}")


def _file(path: Path) -> PredictionSource:
    reading.size_of_file(path, 1 << 62, "a file of predictions")
    with path.open("rb") as file:
        head = file.read(512)
    suffix = path.suffix.lower()
    if (kind := _SUFFIXES.get(_ALIKE.get(suffix, suffix))) is not None:
        raise UsageError(f"{path}: {kind}")
    if head[257:262] == b"ustar":
        raise UsageError(f"{path}: a tar archive: unpack it, and give the folder or file that was in it")
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        raise UsageError(f"{path}: {_SUFFIXES['.pkl']}")
    for start, kind in _KINDS.items():
        if head.lstrip().startswith(start):
            raise UsageError(f"{path}: {kind}")
    if suffix not in (".json", ".jsonl"):
        raise UsageError(f"{path}: {_GIVE}")
    return Lines(path) if _is_lines(path, suffix, head) else Array(path)


def _is_lines(path: Path, suffix: str, head: bytes) -> bool:
    """Whether a JSON file holds one object in each line, whatever its suffix."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        first = wide_text(path).strip().partition("\n")[0].encode()
        start = first[:1]
    else:
        start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        first = next((raw for _, raw in reading.lines_of(path) if raw.strip()), b"") if start == b"{" else b""
    if start != b"{":
        return suffix == ".jsonl" and start != b"["
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        return suffix == ".jsonl"
    return isinstance(found, dict) and not any(key in found for key in HOLDERS) and not _NAMES.isdisjoint(found)
