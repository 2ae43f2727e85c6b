"""The mark of annotations that risbench converted from another format: ``origin.json`` in their folder.

The mark is one of the split's sources, so every result records it. If masks or ids are not the authors' own, the split
is partial, even if its counts are right, because no published figure was measured on it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..io.hashes import sha256_of
from ..io.jsonfile import read_json
from .annotations.index import SourceFile
from .split import Split

NAME = "origin.json"
_NEXT = "it is written by `risbench data import`; import the copy again"


def mark_of(form: str, *, exact: bool, notes: list[str], files: list[tuple[str, str]], made: dict[str, bytes]) -> bytes:
    """The content of a mark.

    Args:
        form: the converted format, and who defined it.
        exact: whether texts, ids and masks are the authors' own.
        notes: facts that users must know.
        files: the name and SHA-256 of each file that was converted.
        made: the files that were made, by name; the mark is valid only for them.
    """
    mark = {
        "made_by": "risbench data import",
        "form": form,
        "exact": exact,
        "notes": notes,
        "files": [{"file": file, "sha256": digest} for file, digest in files],
        "made": {name: hashlib.sha256(content).hexdigest() for name, content in made.items()},
    }
    return (json.dumps(mark, indent=2) + "\n").encode()


def read_mark(folder: Path) -> dict[str, Any] | None:
    """Read the mark of a folder of annotations; None if there is none.

    Raises:
        DataError: the mark cannot be read.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    mark = read_json(path, _NEXT)
    if not isinstance(mark, dict) or type(mark.get("exact")) is not bool or not isinstance(mark.get("made"), dict):
        raise DataError(f"{path}: not a mark of converted annotations; {_NEXT}")
    return mark


def marked(split: Split) -> Split:
    """The split, with the mark of its annotations among its sources if there is one.

    An old mark in a folder of other annotations is ignored.

    Raises:
        DataError: the mark cannot be read.
    """
    first, *others = split.sources
    mark = read_mark(first.path.parent)
    if mark is None or not any(mark["made"].get(path.name) == digest for path, digest in split.sources):
        return split
    path = first.path.parent / NAME
    sources = (first, SourceFile(path, sha256_of(path)), *others)
    return replace(split, sources=sources, partial=split.partial or not mark["exact"])
