"""``risbench weights convert`` and ``show`` for LAVT: the authors' files become one of ours, BERT's pooler aside."""

from __future__ import annotations

from pathlib import Path

from tris_model.files import read, split_entry

from .._conversion import Converter, OpenedFile
from .weights_file import looks_like_lavt, read_lavt


def _holds(path: Path) -> bool:
    return looks_like_lavt(read(path, looks_like_lavt).state)


def _opened(path: Path) -> OpenedFile:
    file = read_lavt(path)
    held = file.held
    return OpenedFile(split_entry(file.place)[0], held.kind, file.state, held.metadata, file.network, file.sizes)


converter = Converter("lavt", _holds, _opened)
