"""``risbench weights convert`` and ``show`` for GbS: a training's checkpoint becomes safetensors."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from tris_model.files import read

from .._conversion import Converter, OpenedFile
from .config import BERT
from .weights_file import load_with_origin, looks_like_gbs, tidied_names


def _holds(path: Path) -> bool:
    return looks_like_gbs(read(path, looks_like_gbs).state)


def _opened(path: Path) -> OpenedFile:
    """Today's names for the authors' old ones; BERT where the file has it, and the vocabulary of a file of ours."""
    loaded = load_with_origin(path)
    held = read(path, looks_like_gbs)
    state: dict[str, Tensor] = dict(loaded.network.state_dict())
    parts: list[nn.Module] = [loaded.network]
    if loaded.bert is not None:
        state |= {f"{BERT}{name}": value for name, value in loaded.bert.state_dict().items()}
        parts.append(loaded.bert)
    stored = tidied_names(held.state)  # in the file's own precision
    state = {name: stored.get(name, value) for name, value in state.items()}
    return OpenedFile(loaded.path, held.kind, state, held.metadata, nn.ModuleList(parts), loaded.network.config)


converter = Converter("gbs", _holds, _opened)
