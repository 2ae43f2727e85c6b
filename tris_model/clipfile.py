"""OpenAI's CLIP files, read without running a line of what is in them.

OpenAI publishes CLIP as TorchScript archives: a zip with pickled objects, raw tensors and program text.
Torch's own loader would compile that program. Here the pickle is read by an unpickler that knows five harmless names
and turns every ``__torch__`` class into an empty box; the tensors lie in that tree of boxes under their dotted names.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbench.datasets.bounded import BoundedUnpickler
from risbench.errors import DataError

from .architecture import detect_clip, fill
from .checkpoint import read as read_checkpoint
from .clip import Clip
from .config import STAGE1, Config
from .places import find_clip
from .stage1 import Stage1
from .stage2 import Stage2
from .zips import content_of, members_of

# Numbers about the model that OpenAI keeps among its tensors.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")
STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "DoubleStorage": torch.float64,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Box:
    """What a TorchScript object becomes: attributes and nothing to call."""

    def __setstate__(self, state: Any) -> None:
        """Keep the attributes in ``__dict__``, where nothing looks them up as methods."""
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an object's state is not a dict")
        self.__dict__.update(state)


def read(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """A CLIP's weights by OpenAI's keys, floats as float32.

    Args:
        path: a TorchScript archive, or a state dict as ``.pt``/``.pth``/``.safetensors``.

    Raises:
        DataError: broken, or holding anything but boxes, numbers and tensors.
    """
    path = Path(path)
    return _floats(_archive(path) if is_archive(path) else read_checkpoint(path).state)


def _floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        key: value.float() if value.is_floating_point() else value
        for key, value in state.items()
        if key not in NOT_WEIGHTS
    }


def is_archive(path: Path) -> bool:
    """Is it a TorchScript archive? (``torch.save`` writes no ``constants.pkl``.)

    Raises:
        DataError: it is a broken archive.
    """
    return path.is_file() and any(Path(name).name == "constants.pkl" for name in members_of(path))


def _archive(path: Path) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next(name for name in archive.namelist() if Path(name).name == "data.pkl")
            tree = _Unpickler(archive, str(Path(inside).parent)).load()
        return dict(_tensors(tree))
    except pickle.UnpicklingError as error:
        raise DataError(f"{path} was not opened: {' '.join(str(error).split())[:200]}") from None
    except Exception as error:  # a broken pickle raises many kinds
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path} is a broken archive ({type(error).__name__}: {reason}); download it again") from None


def _tensors(box: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(box).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, Box):
            yield from _tensors(value, f"{prefix}{name}.")


class _Unpickler(BoundedUnpickler):
    _settable = (Box,)

    def __init__(self, archive: zipfile.ZipFile, folder: str):
        super().__init__(content_of(archive, f"{folder}/data.pkl"))
        self._archive = archive
        self._folder = folder
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Boxes for TorchScript's classes, our own rebuilder for tensors, dtypes for storages; nothing else."""
        if module.split(".")[0] == "__torch__":
            return type("Box", (Box,), {})
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name in ("build_intlist", "build_doublelist", "build_boollist"):
            return list
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a CLIP and might run code")

    def persistent_load(self, pid: Any) -> Tensor:
        """``("storage", dtype, key, device, count)`` -> the raw numbers, one-dimensional."""
        kind, dtype, key, _device, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError("it refers to something outside itself")
        if key not in self._storages:
            raw = bytearray(content_of(self._archive, f"{self._folder}/data/{key}"))
            numbers = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
            if len(numbers) < count:
                raise pickle.UnpicklingError(f"the tensor {key} is cut short")
            self._storages[key] = numbers
        return self._storages[key]


def _tensor(numbers: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_ignored: Any) -> Tensor:
    if not isinstance(numbers, Tensor):
        raise pickle.UnpicklingError("a tensor is made of something else than numbers")
    return numbers.as_strided(tuple(size), tuple(stride), offset)  # raises where it would leave the storage


def start(path: str | os.PathLike[str], config: Config = STAGE1) -> Stage1 | Stage2:
    """A network to be trained: CLIP's towers from a file, heads freshly drawn.

    Args:
        path: OpenAI's file, or a tiny CLIP of ours.
        config: the network's stage and heads; the towers' sizes come from the file. Without a ``pool_grid`` the
            attention pool, which TRIS never uses, is left out.

    Raises:
        DataError: the file is broken or no CLIP with a ResNet; missing, unexpected and misshapen keys are named.
    """
    state, towers = open_clip(path, config)
    heads = ("stage", "hidden", "decoder", "alpha", "beta")
    grid = towers.pool_grid if config.pool_grid else 0
    config = replace(towers, pool_grid=grid, **{name: getattr(config, name) for name in heads})
    if not config.pool_grid:
        state = {key: value for key, value in state.items() if not key.startswith("visual.attnpool.")}
    network = Stage1(config) if config.stage == 1 else Stage2(config)
    fill(network.backbone, state, f"{path} as CLIP ({config.backbone})")
    return network


def load_clip(path_or_name: str | os.PathLike[str]) -> Clip:
    """A CLIP with a ResNet tower and its attention pool, float32, in eval mode: ours, or OpenAI's RN50.

    Args:
        path_or_name: a file, or ``shapes``, the shipped tiny CLIP of the drawn world.

    Raises:
        UsageError: neither a file nor a name.
        DataError: broken, or no such CLIP.
    """
    path = find_clip(path_or_name)
    state, config = open_clip(path)
    with torch.device("meta"):  # no default weights to draw and throw away
        clip = Clip(config)
    fill(clip, state, f"{path} as CLIP")
    return clip.eval()


def open_clip(path: str | os.PathLike[str], base: Config = STAGE1) -> tuple[dict[str, Tensor], Config]:
    """The weights of a CLIP with a ResNet tower, and its sizes: as its file says, else by its shapes.

    Args:
        path: a file, or ``shapes``, the shipped tiny CLIP of the drawn world.
        base: sizes that shapes do not tell.

    Raises:
        UsageError: neither a file nor that name.
        DataError: broken, or no such CLIP.
    """
    path = find_clip(path)
    held = None if is_archive(path) else read_checkpoint(path)
    state = read(path) if held is None else _floats(held.state)
    if "visual.layer1.0.conv1.weight" not in state:
        raise DataError(f"{path} has no ResNet tower (visual.layer1.…); TRIS starts from OpenAI's RN50.pt or RN101.pt")
    if held is not None and "config" in held.said:
        return state, Config.from_json(held.said["config"])
    return state, detect_clip(state, base)
