"""A user's own splits: made by ``data import FILE --as NAME``, stored in ``own/NAME`` of a data root.

The folder has REFER's two files, which REFER's reader reads, the images, and ``split.json``. This file is written last;
a folder without it is not a split. It has the split's role and its counts at the import.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..io import places
from ..io.jsonfile import read_json
from .entry import Counts, Entry

MARK = "split.json"
REFS = "refs(own).p"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


def folder_of(name: str, data_root: str | Path | None = None) -> Path:
    """The folder of an own split."""
    return places.data_root(data_root) / "own" / name


def names(data_root: str | Path | None = None) -> tuple[str, ...]:
    """The own splits of a data root, sorted."""
    try:
        folders = sorted((places.data_root(data_root) / "own").iterdir())
    except OSError:
        return ()
    return tuple(folder.name for folder in folders if NAME.fullmatch(folder.name) and (folder / MARK).is_file())


def entry_of(name: str, data_root: str | Path | None = None) -> Entry | None:
    """The entry of an own split; None if there is none of this name.

    Raises:
        DataError: its ``split.json`` cannot be read.
    """
    if not NAME.fullmatch(name) or not (path := folder_of(name, data_root) / MARK).is_file():
        return None
    origin = f"own data, made by `risbench data import FILE --as {name}`; import it again"
    record = read_json(path, origin)
    role, counts = (record.get("role"), record.get("counts")) if isinstance(record, dict) else (None, None)
    if role not in ("train", "val", "test") or not isinstance(counts, dict):
        raise DataError(f"{path}: has no role or no counts; {origin}")
    numbers: list[Any] = [counts.get(key) for key in Counts._fields]
    if not all(type(number) is int for number in numbers):
        raise DataError(f"{path}: a count is not a whole number; {origin}")
    return Entry(name, "own", name, REFS, role, "exact", role, Counts(*numbers), origin=origin, images_origin=origin)
