"""Read TorchScript archives, such as OpenAI's CLIPs, without running any code in them.

An archive is a zip with pickled objects, raw tensors and program text. Torch's own loader would compile the program.
Here a restricted unpickler reads the pickle: it accepts five harmless names and replaces every ``__torch__`` class by a
plain object. The tensors are the attributes of these nested objects; their dotted paths are their names.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbench.datasets.annotations.bounded import BoundedUnpickler
from risbench.errors import DataError

from .zips import content_of, members_of

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


class PlainObject:
    """Replaces a TorchScript object: it has attributes but no methods."""

    def __setstate__(self, state: Any) -> None:
        """Store the attributes in ``__dict__``, where they cannot become methods."""
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an object's state is not a dict")
        self.__dict__.update(state)


def is_archive(path: Path) -> bool:
    """Whether a file is a TorchScript archive (``torch.save`` writes no ``constants.pkl``).

    Raises:
        DataError: the file is a broken archive.
    """
    return path.is_file() and any(Path(name).name == "constants.pkl" for name in members_of(path))


def read_archive(path: Path) -> dict[str, Tensor]:
    """Read the tensors of an archive, under their dotted names and as they are stored.

    Raises:
        DataError: the file is broken, or holds anything but plain objects, numbers and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next(name for name in archive.namelist() if Path(name).name == "data.pkl")
            tree = ArchiveUnpickler(archive, str(Path(inside).parent)).load()
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
        elif isinstance(value, PlainObject):
            yield from _tensors(value, f"{prefix}{name}.")


class ArchiveUnpickler(BoundedUnpickler):
    """Reads ``data.pkl`` of a zip archive of torch's, and the numbers that lie beside it."""

    _settable: tuple[type, ...] = (PlainObject,)

    def __init__(self, archive: zipfile.ZipFile, folder: str):
        super().__init__(content_of(archive, f"{folder}/data.pkl"))
        self._archive = archive
        self._folder = folder
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Plain objects for TorchScript's classes, our own function for tensors, dtypes for storages; nothing else."""
        if module.split(".")[0] == "__torch__":
            return type("Box", (PlainObject,), {})
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return stored_tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name in ("build_intlist", "build_doublelist", "build_boollist"):
            return list
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not part of a network and might run code")

    def persistent_load(self, pid: Any) -> Tensor:
        """``("storage", dtype, key, device, count)`` -> the raw numbers, one-dimensional."""
        kind, dtype, key, _device, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError("it refers to something outside itself")
        if key not in self._storages:
            raw = bytearray(content_of(self._archive, f"{self._folder}/data/{key}"))
            numbers = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
            if len(numbers) < count:
                raise pickle.UnpicklingError(f"the tensor {key} is incomplete")
            self._storages[key] = numbers
        return self._storages[key]


def stored_tensor(
    numbers: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_ignored: Any
) -> Tensor:
    """A tensor of numbers that lie in the file: a view of them, in place of torch's own rebuilder."""
    if not isinstance(numbers, Tensor):
        raise pickle.UnpicklingError("a tensor does not consist of numbers")
    return numbers.as_strided(tuple(size), tuple(stride), offset)  # raises where it would leave the storage
