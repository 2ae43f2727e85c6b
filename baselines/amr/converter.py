"""``risbench weights convert`` and ``show`` for AMR: of the authors' 2392 names each tensor is kept once."""

from __future__ import annotations

from pathlib import Path

from tris_model.files import read, split_entry

from .._conversion import Converter, OpenedFile
from .layout import looks_like_amr
from .weights_file import read_amr


def _holds(path: Path) -> bool:
    return looks_like_amr(read(path, looks_like_amr).state)


def _opened(path: Path) -> OpenedFile:
    file = read_amr(path)
    held, config = file.held, file.network.config
    return OpenedFile(split_entry(file.path)[0], held.kind, file.state, held.metadata, file.network, config)


converter = Converter("amr", _holds, _opened)
