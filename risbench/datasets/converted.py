"""The mark of annotations that were not copied but made here of another form: ``origin.json`` beside them.

It is one of the split's sources, so every result says it; and where masks or ids are not the authors' own, the split is
partial, whatever it counts, because no published figure was taken on it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataError
from .hashes import sha256_of
from .index import Source
from .jsonfile import read_json
from .split import Split

NAME = "origin.json"
_NEXT = "it is written by `risbench data import`; import the copy anew"


def mark_of(made_of: str, *, exact: bool, notes: list[str], files: list[tuple[str, str]]) -> bytes:
    """The mark as it is written.

    Args:
        made_of: the form and whose it is.
        exact: whether texts, ids and masks are the authors' own.
        notes: what must be known.
        files: the name and SHA-256 of each file it was made of.
    """
    listed = [{"file": file, "sha256": digest} for file, digest in files]
    mark = {"made_by": "risbench data import", "made_of": made_of, "exact": exact, "notes": notes, "files": listed}
    return (json.dumps(mark, indent=2) + "\n").encode()


def read_mark(folder: Path) -> dict[str, Any] | None:
    """The mark of a folder of annotations; None where there is none.

    Raises:
        DataError: it cannot be read.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    mark = read_json(path, _NEXT)
    if not isinstance(mark, dict) or not isinstance(mark.get("exact"), bool):
        raise DataError(f"{path}: no mark of converted annotations; {_NEXT}")
    return mark


def marked(split: Split) -> Split:
    """The split with the mark of its annotations, if they have one, among its sources.

    Raises:
        DataError: the mark cannot be read.
    """
    first, *others = split.sources
    if (mark := read_mark(first.path.parent)) is None:
        return split
    path = first.path.parent / NAME
    sources = (first, Source(path, sha256_of(path)), *others)
    return replace(split, sources=sources, partial=split.partial or not mark["exact"])
