"""A user's own splits: made by ``data import FILE --as NAME``, kept below a data root in ``own/NAME``.

The folder has REFER's two files and the images, read by the same reader as everything else, and ``split.json``, which
is written last: a folder without it is no split yet. It says what the split is for, and what it counted when made.
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
    """Where a split of one's own lies."""
    return places.data_root(data_root) / "own" / name


def names(data_root: str | Path | None = None) -> tuple[str, ...]:
    """The own splits of a data root, sorted."""
    try:
        folders = sorted((places.data_root(data_root) / "own").iterdir())
    except OSError:
        return ()
    return tuple(folder.name for folder in folders if NAME.fullmatch(folder.name) and (folder / MARK).is_file())


def entry_of(name: str, data_root: str | Path | None = None) -> Entry | None:
    """The entry of an own split; None where there is none of this name.

    Raises:
        DataError: its ``split.json`` cannot be read.
    """
    if not NAME.fullmatch(name) or not (path := folder_of(name, data_root) / MARK).is_file():
        return None
    origin = f"own data, made by `risbench data import FILE --as {name}`; import it again"
    record = read_json(path, origin)
    role, counts = (record.get("role"), record.get("counts")) if isinstance(record, dict) else (None, None)
    if role not in ("train", "val", "test") or not isinstance(counts, dict):
        raise DataError(f"{path}: says no role and counts; {origin}")
    numbers: list[Any] = [counts.get(key) for key in Counts._fields]
    if not all(type(number) is int for number in numbers):
        raise DataError(f"{path}: a count is no whole number; {origin}")
    return Entry(name, "own", name, REFS, role, "exact", role, Counts(*numbers), origin=origin, images_origin=origin)
