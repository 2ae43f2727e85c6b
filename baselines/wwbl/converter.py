"""``risbench weights convert`` and ``show`` for WWbL: the authors' pickled network becomes safetensors.

Entry point ``wwbl`` of ``risbench.weights``: ``claims``, ``convert`` and ``describe``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from risbench import DataError, RisbenchError, UsageError
from tris_model import digest
from tris_model.files import LAYERS, missing, module_class, read, read_module, weights_file, write

from .._owners import owner_of
from .network import WWbLConfig, WWbLNetwork
from .weights_file import advice, built, looks_like_wwbl

# The authors' classes by the modules in which their program has them.
CLASSES = ("model.MultiModel", "models.vgg16.VGG16", "base.MMDecoder", "base.BottleneckBlock", "base.UpBlock")
WHAT = "WWbL's network"


class OpenedFile(NamedTuple):
    """What a file holds, whichever form it has."""

    path: Path
    kind: str
    state: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    network: WWbLNetwork


def claims(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of WWbL's: a pickled network of its classes or inside torch's wrapper, or its weights."""
    path = Path(path)
    if not path.is_file():
        return False
    if (found := module_class(path)) is not None:
        return found in CLASSES or found in LAYERS
    try:
        return looks_like_wwbl(read(path, looks_like_wwbl).state)
    except RisbenchError:
        return False


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> dict[str, Any]:
    """Copy WWbL's weights to safetensors or, by the suffix of ``out``, to a state dict; bit for bit.

    Args:
        source: the authors' pickled module, of which no class is imported and nothing run; a state dict; or our file.
        out: ``.safetensors`` or ``.pth``.

    Returns:
        :func:`describe` of the new file.

    Raises:
        UsageError: there is no such file, or another suffix.
        DataError: the pickle names anything that WWbL's network has not, which is named; or it is no whole WWbL.
    """
    out = Path(out)
    if out.suffix not in (".safetensors", ".pth"):
        raise UsageError(f"{out} must end in .safetensors or .pth, which decides the kind of file")
    held = _opened(Path(source))
    known = "source_sha256" in held.metadata
    origin = {} if known else {"source": held.path.name, "source_sha256": digest(held.path)}
    kept = {key: value for key, value in held.metadata.items() if key != "format"}
    write(held.state, out, {**kept, **origin, "config": held.network.config.to_json()})
    return describe(out)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``risbench weights show`` prints: a flat record of the file and its network."""
    held = _opened(Path(path))
    config = held.network.config
    kinds = Counter(str(value.dtype).removeprefix("torch.") for value in held.state.values())
    return {
        "path": str(held.path),
        "method": "wwbl",
        "kind": held.kind,
        "bytes": held.path.stat().st_size,
        "sha256": digest(held.path),
        "keys": len(held.state),
        "parameters": sum(weight.numel() for weight in held.network.parameters()),
        "dtypes": dict(kinds),
        "config": asdict(config),
        "metadata": {key: value for key, value in held.metadata.items() if key != "config"},
    }


def _opened(path: Path) -> OpenedFile:
    if not path.exists():
        raise missing(path, advice())
    path = weights_file(path)
    if module_class(path) is not None:
        kind, state, metadata = "pickled module", read_module(path, CLASSES, WHAT), {}
    else:
        held = read(path, looks_like_wwbl)
        kind, state, metadata = held.kind, held.state, held.metadata
    if not looks_like_wwbl(state):
        raise DataError(f"{path} is {owner_of(state)}, and no WWbL; {advice()}")
    config = WWbLConfig.from_json(metadata["config"]) if "config" in metadata else WWbLConfig()
    return OpenedFile(path, kind, state, metadata, built(config, state, f"{path} as WWbL"))
