"""Tables kept on disk, so that a set of annotations is parsed once.

One ``.npz`` of plain arrays (never pickles) for one set of source files, in ``<cache>/index``, named after the
SHA-256 of the sources and of the version of this form: another source is another index. Every array is read whole and
its checksum compared; an index that is broken, foreign or older is made anew from the sources, silently, because it
holds nothing else.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import DataError, DataWarning
from ...io import places
from ...io.atomic import write_whole
from ...io.hashes import sha256_of, state_of
from .refer import read_refer
from .referit import read_referit
from .table import AnnotationTable

# Goes up whenever a reader or the table changes what is stored.
VERSION = 2

_READERS: dict[str, Callable[..., AnnotationTable]] = {"refer": read_refer, "referit": read_referit}


class SourceFile(NamedTuple):
    """A file that a split was read from."""

    path: Path
    sha256: str


def table_of(reader: str, files: tuple[Path, ...]) -> tuple[AnnotationTable, tuple[SourceFile, ...]]:
    """The table of a set of files: from its index if there is one, else read and indexed.

    Args:
        reader: ``refer`` (refs pickle, instances.json) or ``referit`` (one pickle).
        files: what the reader reads.

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
        raise DataError(f"{files[0].parent}: annotations were changed while they were read; start again")
    arrays = table.arrays()
    try:
        write_whole(kept, lambda file: np.savez(file, version=np.array([VERSION]), **arrays))  # pyright: ignore[reportArgumentType]
    except OSError as error:
        warnings.warn(
            f"{kept.parent}: no index could be written ({error.strerror}), so every start parses the annotations anew; "
            "set $RISBENCH_CACHE to a folder that can be written",
            DataWarning,
            stacklevel=3,
        )
    return table, sources


def index_path(reader: str, sources: tuple[SourceFile, ...]) -> Path:
    """Where the index of these sources lies."""
    key = hashlib.sha256(" ".join([f"v{VERSION}", reader, *(source.sha256 for source in sources)]).encode())
    return places.cache_folder() / "index" / f"{key.hexdigest()[:40]}.npz"


def _load(path: Path) -> AnnotationTable | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            flat = {name: stored[name] for name in stored.files}
        if flat.pop("version").tolist() != [VERSION]:
            return None
        return AnnotationTable.from_arrays(flat)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, RuntimeError):
        return None
    except (zipfile.BadZipFile, zlib.error, SyntaxError, MemoryError):
        return None
