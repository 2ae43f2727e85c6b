"""``risbench weights convert`` and ``show`` for WWbL: the authors' pickled network becomes safetensors."""

from __future__ import annotations

from pathlib import Path

from risbench import DataError
from tris_model.files import LAYERS, missing, module_class, read, read_module, weights_file

from .._conversion import Converter, OpenedFile
from .._owners import owner_of
from .network import WWbLConfig
from .weights_file import advice, built, looks_like_wwbl

# The authors' classes by the modules in which their program has them.
CLASSES = ("model.MultiModel", "models.vgg16.VGG16", "base.MMDecoder", "base.BottleneckBlock", "base.UpBlock")
WHAT = "WWbL's network"


def _holds(path: Path) -> bool:
    """A pickled network of WWbL's classes or inside torch's wrapper, or its weights."""
    if (found := module_class(path)) is not None:
        return found in CLASSES or found in LAYERS
    return looks_like_wwbl(read(path, looks_like_wwbl).state)


def _opened(path: Path) -> OpenedFile:
    """The authors' pickled module, of which no class is imported and nothing run; a state dict; or our file."""
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
    return OpenedFile(path, kind, state, metadata, built(config, state, f"{path} as WWbL"), config)


converter = Converter("wwbl", _holds, _opened)
