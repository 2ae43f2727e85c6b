"""A whole network that ``torch.save`` pickled with its classes: its tensors are taken out, and nothing of it is run.

Such a file is a program that makes objects of the classes it names. Here each name of a closed list stands for an inert
record, which keeps the attributes that the file gives it and has nothing to call; tensors are rebuilt by our own
function. Any other name is refused, and no class of the file's authors, and none of torch's layers, is ever imported.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbench.datasets.annotations.bounded import BoundedUnpickler, plain_keys
from risbench.errors import DataError
from risbench.plain import plain

from .entries import without_wrappers
from .pickled_heads import member_named, module_class, skip_pickle
from .pickles import refuse_unfolding
from .torchscript import STORAGES, ArchiveUnpickler, stored_tensor
from .zips import content_of, members_of, refuse_packed

# Layers and containers of torch that image networks are made of, and what stands round them.
LAYERS = frozenset(
    {"torch.device", "argparse.Namespace"}
    | {f"torch.nn.parallel.{name}" for name in ("data_parallel.DataParallel", "distributed.DistributedDataParallel")}
    | {
        f"torch.nn.modules.{name}"
        for name in (
            "activation.ELU", "activation.GELU", "activation.Hardswish", "activation.Hardtanh", "activation.LeakyReLU",
            "activation.PReLU", "activation.ReLU", "activation.ReLU6", "activation.SiLU", "activation.Sigmoid",
            "activation.Softmax", "activation.Tanh", "batchnorm.BatchNorm1d", "batchnorm.BatchNorm2d",
            "batchnorm.SyncBatchNorm", "container.ModuleDict", "container.ModuleList", "container.Sequential",
            "conv.Conv1d", "conv.Conv2d", "conv.ConvTranspose2d", "dropout.Dropout", "dropout.Dropout2d",
            "flatten.Flatten", "instancenorm.InstanceNorm2d", "linear.Identity", "linear.Linear",
            "normalization.GroupNorm", "normalization.LayerNorm", "padding.ReflectionPad2d", "padding.ZeroPad2d",
            "pooling.AdaptiveAvgPool2d", "pooling.AdaptiveMaxPool2d", "pooling.AvgPool2d", "pooling.MaxPool2d",
            "upsampling.Upsample", "upsampling.UpsamplingBilinear2d", "upsampling.UpsamplingNearest2d",
        )
    }
)  # fmt: skip
_MOST = 10_000  # modules of a network
_DEEP = 64  # modules inside one another


class ModuleRecord:
    """What an object of a listed class becomes: its attributes, and nothing to call."""

    __slots__ = ("attributes",)

    def __init__(self, *_: object) -> None:
        self.attributes: Mapping[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        """Keep the attributes where nothing looks them up."""
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an object's state is not a dict")
        self.attributes = state


def read_module(path: Path, classes: Collection[str], what: str) -> dict[str, Tensor]:
    """The tensors of a pickled network by the names that its ``state_dict()`` would give them, wrappers' words aside.

    Args:
        path: a file of ``torch.save``, of torch's zip archives or of the form before torch 1.6.
        classes: the network's own classes, ``module.Class``, which stand for inert records beside torch's layers.
        what: the network, for errors.

    Returns:
        Parameters and persistent buffers, on the CPU.

    Raises:
        DataError: the file is broken, no pickled network, or names anything else, which is named; nothing was run.
    """
    if module_class(path) is None:
        raise DataError(f"{path} holds no pickled network; a file of weights alone needs no conversion")
    names = LAYERS | set(classes)
    try:
        if members_of(path):
            refuse_packed(path)
            found = _of_archive(path, names, what)
        else:
            found = _of_legacy(path, names, what)
        if not isinstance(found, ModuleRecord):
            raise DataError(f"{path} holds no pickled network")
        state = without_wrappers(dict(_tensors(found)), str(path))
    except DataError:
        raise
    except pickle.UnpicklingError as error:
        reason = plain(" ".join(str(error).split()), 300)
        raise DataError(f"{path} was not opened: {reason}; nothing was executed") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a broken pickle raises many kinds
        reason = plain(" ".join(str(error).split()), 120)
        raise DataError(f"{path} is broken ({type(error).__name__}: {reason}); download it again") from None
    if not state:
        raise DataError(f"{path} holds a network without a tensor")
    refuse_unfolding(path, state, path.stat().st_size)
    return state


class _Names:
    """The names that a pickled network may use, and what each stands for."""

    def __init__(self, names: Collection[str], what: str, spend: Callable[[int], None]):
        self._names, self._what, self._spend = names, what, spend
        self._records: dict[str, type[ModuleRecord]] = {}
        self._functions: dict[str, Any] = {
            "torch._utils._rebuild_tensor_v2": stored_tensor,
            "torch._utils._rebuild_parameter": self.parameter,
            "collections.OrderedDict": self.ordered,
            "builtins.set": self.set,
            "__builtin__.set": self.set,
        }

    def find(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if full in self._functions:
            return self._functions[full]
        if full not in self._names:
            raise pickle.UnpicklingError(f"it names {full}, which is no part of {self._what} and might run code")
        if full not in self._records:
            self._records[full] = type("Record", (ModuleRecord,), {"__slots__": ()})
        return self._records[full]

    def parameter(self, data: Any, *_: object) -> Tensor:
        if not isinstance(data, Tensor):
            raise pickle.UnpicklingError("a parameter is made of something else than a tensor")
        return data

    def ordered(self, *given: object) -> dict[Any, Any]:
        if given:
            raise pickle.UnpicklingError("a dict is made of something")
        return {}

    def set(self, items: Any = ()) -> Any:
        self._spend(len(items))
        plain_keys(items)
        return set(items)


class _ArchivedModule(ArchiveUnpickler):
    _settable = (ModuleRecord,)

    def __init__(self, archive: zipfile.ZipFile, folder: str, names: Collection[str], what: str):
        super().__init__(archive, folder)
        self._known = _Names(names, what, self.spend)

    def find_class(self, module: str, name: str) -> Any:
        return self._known.find(module, name)


class _LegacyModule(BoundedUnpickler):
    _settable = (ModuleRecord,)

    def __init__(self, raw: bytes, most: int, names: Collection[str], what: str):
        super().__init__(raw)
        self._known = _Names(names, what, self.spend)
        self._left_bytes = most
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        return self._known.find(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """A class beside its program text, which is dropped; or numbers, which follow behind the pickle."""
        if pid[0] == "module":
            return pid[1]
        kind, dtype, key, _device, count, part = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or part is not None or not isinstance(key, str):
            raise pickle.UnpicklingError("it refers to something outside itself")
        if key not in self.storages:
            self._left_bytes -= count * dtype.itemsize
            if count < 0 or self._left_bytes < 0:
                raise pickle.UnpicklingError(f"the tensor {key:.40} is larger than the file")
            self.storages[key] = torch.zeros(count, dtype=dtype)
        return self.storages[key]


def _of_archive(path: Path, names: Collection[str], what: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        folder = str(Path(member_named(archive, "data.pkl")).parent)
        if f"{folder}/byteorder" in archive.namelist() and content_of(archive, f"{folder}/byteorder") != b"little":
            raise pickle.UnpicklingError("its numbers were written by a big-endian machine")
        return _ArchivedModule(archive, folder, names, what).load()


def _of_legacy(path: Path, names: Collection[str], what: str) -> Any:
    """Magic number, version, the writer's machine, the object, the keys of its numbers, and the numbers."""
    raw = bytearray(path.read_bytes())
    stream = io.BytesIO(raw)
    for _ in range(3):
        skip_pickle(stream)
    # Each pickle's end is found before it is opened.
    reader = _LegacyModule(bytes(raw[stream.tell() : skip_pickle(stream)]), len(raw), names, what)
    found = reader.load()
    keys = BoundedUnpickler(bytes(raw[stream.tell() : skip_pickle(stream)])).load()
    if not isinstance(keys, list) or set(keys) != set(reader.storages):
        raise pickle.UnpicklingError("the numbers of its tensors are not those that it names")
    place = stream.tell()
    for key in keys:
        numbers = reader.storages[key]
        if int.from_bytes(raw[place : place + 8], "little") != len(numbers):
            raise pickle.UnpicklingError(f"the tensor {key:.40} has another length than it names")
        place += 8
        if len(numbers):
            numbers.copy_(torch.frombuffer(raw, dtype=numbers.dtype, count=len(numbers), offset=place))
        place += len(numbers) * numbers.dtype.itemsize
    return found


def _tensors(module: ModuleRecord) -> Iterator[tuple[str, Tensor]]:
    """A network's parameters and persistent buffers by their dotted names, as ``state_dict()`` walks."""
    waiting: list[tuple[ModuleRecord, Sequence[str]]] = [(module, ())]
    for _ in range(_MOST):
        if not waiting:
            return
        one, prefix = waiting.pop()
        held = one.attributes
        passing = held.get("_non_persistent_buffers_set") or ()
        for table in ("_parameters", "_buffers"):
            for name, value in _table(held, table).items():
                if isinstance(value, Tensor) and not (table == "_buffers" and name in passing):
                    yield ".".join((*prefix, name)), value
        for name, inner in reversed(_table(held, "_modules").items()):
            if isinstance(inner, ModuleRecord):
                waiting.append((inner, (*prefix, name)))
                if len(prefix) > _DEEP:
                    raise pickle.UnpicklingError("its modules lie inside one another without end")
    raise pickle.UnpicklingError("it has more modules than a network")


def _table(held: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = held.get(name)
    return {key: value for key, value in found.items() if isinstance(key, str)} if isinstance(found, dict) else {}
