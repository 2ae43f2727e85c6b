"""Store tables on disk, so that annotations are parsed only once.

Each set of source files has one ``.npz`` of plain arrays (never pickles) in ``<cache>/index``. Its name is the SHA-256
of the sources and of the format's version, so other sources have another index. Every array is read completely, and its
checksum is compared; the largest one, the corners of outlines, is not kept in memory (see `stored`). A broken, foreign
or old index is silently made again from the sources, because it holds no other data.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import DataError, DataWarning
from ...io import places
from ...io.atomic import write_whole
from ...io.hashes import sha256_of, state_of
from .refer import read_refer
from .referit import read_referit
from .stored import StoredNumbers
from .table import AnnotationTable

# Increase it whenever a reader or the table changes the stored data.
VERSION = 2

_IN_FILE = "outlines.numbers"

_READERS: dict[str, Callable[..., AnnotationTable]] = {"refer": read_refer, "referit": read_referit}


class SourceFile(NamedTuple):
    """A file that a split was read from."""

    path: Path
    sha256: str


def table_of(reader: str, files: tuple[Path, ...]) -> tuple[AnnotationTable, tuple[SourceFile, ...]]:
    """The table of a set of files, from its index if there is one; otherwise the files are read and indexed.

    Args:
        reader: ``refer`` (refs pickle, instances.json) or ``referit`` (one pickle).
        files: the files for the reader.

    Raises:
        DataError: a file is missing, broken, or was changed while it was read.
    """
    sources = tuple(SourceFile(path, sha256_of(path)) for path in files)
    kept = index_path(reader, sources)
    if (table := _load(kept)) is not None:
        return table, sources
    before = [state_of(path) for path in files]
    table = _READERS[reader](*files)
    if [state_of(path) for path in files] != before or any(sha256_of(path) != sha for path, sha in sources):
        raise DataError(f"{files[0].parent}: the annotations changed while they were read; start again")
    arrays = table.arrays()
    try:
        write_whole(kept, lambda file: np.savez(file, version=np.array([VERSION]), **arrays))  # pyright: ignore[reportArgumentType]
    except OSError as error:
        warnings.warn(
            f"{kept.parent}: the index cannot be written ({error.strerror}), so every start reads the annotations "
            "again; set $RISBENCH_CACHE to a writable folder",
            DataWarning,
            stacklevel=3,
        )
    return table, sources


def index_path(reader: str, sources: tuple[SourceFile, ...]) -> Path:
    """The path of the index of these sources."""
    key = hashlib.sha256(" ".join([f"v{VERSION}", reader, *(source.sha256 for source in sources)]).encode())
    return places.cache_folder() / "index" / f"{key.hexdigest()[:40]}.npz"


def _load(path: Path) -> AnnotationTable | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            flat: dict[str, Any] = {name: stored[name] for name in stored.files if name != _IN_FILE}
            flat[_IN_FILE] = StoredNumbers.in_archive(file, stored.zip, f"{_IN_FILE}.npy", path)
        if flat.pop("version").tolist() != [VERSION]:
            return None
        return AnnotationTable.from_arrays(flat)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, RuntimeError):
        return None
    except (zipfile.BadZipFile, zlib.error, SyntaxError, MemoryError):
        return None
