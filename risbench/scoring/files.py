"""A folder with one file for each expression: ``<sent_id>.png`` masks, or ``<sent_id>.npy`` arrays.

If the folder itself has no such file, the folders below it are read. They may be one for each image, or the parts of
full ids: ``<split>/<ref_id>/<sent_id>.png``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import DataError, MaskError, UsageError
from ..records import Prediction
from ..results.npy import read_npy
from .pictures import mask_of_values, read_mask, refuse_large

_DEPTH = 3  # levels of folders that are searched, so that a wrong folder, such as the home folder, takes no hours
_PICTURES = (".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")


class Files:
    """The files of one kind.

    Attributes:
        kind: the kind of predictions, in words.
        has_heats: whether all files are heats, to which a threshold applies; otherwise all are masks.
        names: of the files: each one's path in the folder without the suffix.
        beside: the name of the folder that a file is in, if it is a folder below the given one.
    """

    def __init__(self, path: Path, suffix: str, found: Sequence[Path]) -> None:
        self._read: Callable[[Path], Prediction] = {".png": read_mask, ".npy": read_array}[suffix]
        self._files: dict[str, Path] = {}
        self.beside: dict[str, Mapping[str, str]] = {}
        for file in found:
            if suffix == ".png":
                refuse_large(file)  # before all contents are hashed, not after
            name = file.relative_to(path).with_suffix("").as_posix()
            if name in self._files:
                raise DataError(f"{path}: two files for {name:.200}: {self._files[name].name} and {file.name}")
            self._files[name] = file
            if "/" in name:
                self.beside[name] = {"folder": file.parent.name}
        self.names = list(self._files)
        self.has_heats = suffix == ".npy" and self._read(found[0]).heat is not None
        self.kind = "a folder of heats" if self.has_heats else "a folder of masks"

    def task(self, place: int, image_id: int | str) -> Callable[[], Prediction]:
        """What reads the prediction of the name at a place."""
        return partial(_of_file, self._files[self.names[place]], self._read, self.has_heats)


def _of_file(file: Path, read: Callable[[Path], Prediction], are_heats: bool) -> Prediction:
    """The prediction of a file.

    Raises:
        DataError: the file is broken, or a mask among heats.
    """
    found = read(file)
    if (found.heat is not None) != are_heats:
        kinds = ("a mask", "heats") if are_heats else ("a heat", "masks")
        raise DataError(f"{file}: holds {kinds[0]}, other files here hold {kinds[1]}: put them in two folders")
    return found


def folder_of_files(path: Path, deep: bool) -> Files | None:
    """The files of a folder; None if there are none of these kinds.

    Args:
        path: the folder.
        deep: whether to read the folders below it if it has no such file itself.

    Raises:
        UsageError: there are files of two kinds, or only pictures of a format that changes masks.
        DataError: two files have one name, or the first file is broken.
    """
    files = _walk(path, deep)
    suffixes = Counter(file.suffix.lower() for file in files)
    if suffixes[".png"] and suffixes[".npy"]:
        raise UsageError(f"{path} holds both .png masks and .npy heats: put them in two folders")
    for suffix in (".png", ".npy"):
        if suffixes[suffix]:
            return Files(path, suffix, [file for file in files if file.suffix.lower() == suffix])
    # A run folder without its header may contain pictures too.
    if deep and (pictures := [suffix for suffix in _PICTURES if suffixes[suffix]]):
        why = ": JPEG changes the values at a mask's edges" if pictures[0] in (".jpg", ".jpeg") else ""
        raise UsageError(f"{path} holds {pictures[0]} pictures{why}; save each mask as .png, with values {{0, 255}}")
    return None


def what_lies_in(path: Path) -> str:
    """Which files a folder contains, and which of them to give, for an error message."""
    files = _walk(path)
    if lines := [file for file in files if file.suffix.lower() in (".json", ".jsonl")][:2]:
        return f"give the file, {lines[0]}" if len(lines) == 1 else "give one file of masks, not the folder of several"
    suffixes = Counter(file.suffix.lower() or "(no suffix)" for file in files)
    shown = ", ".join(f"{count} {suffix:.20}" for suffix, count in suffixes.most_common(3))
    return f"it holds {shown} files" if shown else "it is empty"


def _walk(path: Path, deep: bool = True) -> list[Path]:
    """The files of a folder, sorted; if none is a mask or heat, those of the folders below it too.

    Hidden files, which file managers create, are left out. Links to folders are not followed.
    """
    here = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not deep or any(file.suffix.lower() in (".png", ".npy") for file in here):
        return here
    found = here
    for folder, below, names in os.walk(path):
        depth = len(Path(folder).relative_to(path).parts)
        below[:] = sorted(name for name in below if not name.startswith(".")) if depth < _DEPTH else []
        if depth:
            files = (Path(folder) / name for name in sorted(names) if not name.startswith("."))
            found.extend(file for file in files if file.is_file())
    return found


def read_array(path: Path) -> Prediction:
    """A heat from a ``.npy`` file of floats, or a mask from one of bools or of whole numbers {0, 1} or {0, 255}.

    Nothing is unpickled.

    Raises:
        DataError: not such a file.
        MaskError: an array of more than two dimensions.
    """
    try:
        with path.open("rb") as file:
            found = read_npy(file, path.stat().st_size, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if found.ndim == 3 and 1 in (found.shape[0], found.shape[2]):
        step = "array[0]" if found.shape[0] == 1 else "array[:, :, 0]"
        raise MaskError(f"{path}: its shape is {found.shape}; a heat is (height, width): save {step}")
    if found.dtype == np.bool_:
        return Prediction(mask=found)
    if found.dtype.kind in "iu":
        return Prediction(mask=mask_of_values(found, f"{path}: an array of {found.dtype}"))
    return Prediction(heat=found)
