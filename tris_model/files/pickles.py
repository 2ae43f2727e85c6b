"""What ``torch.save`` wrote, opened without running a line of it.

Torch's own reader of weights (``weights_only=True``) knows tensors and plain values. Training programs put more beside
the weights: settings (``argparse.Namespace``, OmegaConf), numpy's numbers, paths, dates. Their classes are never
imported: each becomes an inert object that keeps nothing, since only tensors are wanted. Every other name is refused.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbench.errors import DataError
from risbench.plain import plain

# Settings, numbers, paths and dates. Making one inert runs no code, whatever the file passes to it.
_HARMLESS = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|typing\.\w+|"
    r"(omegaconf|yacs|ml_collections|addict|easydict|mmcv|mmengine|hydra|fvcore|detectron2\.config)\.[\w.]+|"
    r"numpy\.(_core|core)\.(multiarray|numeric)\.(scalar|_reconstruct|_frombuffer)|"
    r"numpy\.(dtype|ndarray|bool_?|str_|bytes_|void|(u?int|float|complex)\d*_?)|numpy\.dtypes\.\w+|"
    r"numpy\.random\._pickle\.\w+|"
    r"pathlib\.[\w.]+|datetime\.\w+|uuid\.UUID|decimal\.Decimal|fractions\.Fraction|collections\.deque|"
    r"builtins\.(dict|list|tuple|set|frozenset|int|float|complex|str|bool|bytes|object|slice|range)|"
    r"copyreg\._reconstructor|torch\.torch_version\.TorchVersion"
)
_DICTS = ("collections.defaultdict",)  # torch fills only plain dicts, and weights may lie in one of these
_ROUNDS = 60  # different names that one file may need


class Inert:
    """Stands for an object that is not wanted; it takes any arguments and any state and keeps nothing."""

    def __new__(cls, *_: object, **__: object) -> Inert:
        """Take any arguments."""
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


MOST_TIED = 8  # how many names a weight may have, over a whole file


def _empty_dict(*_: object) -> dict[Any, Any]:
    """In place of a dict with a default, which nothing here uses."""
    return {}


def read_pickle(path: Path, *, mapped: bool) -> Any:
    """The value that a file of ``torch.save`` holds, on the CPU.

    Args:
        path: the file.
        mapped: whether to map the file instead of reading it (torch's zip archives alone can be).

    Raises:
        DataError: it is broken, or holds an object whose class would have to run; that is named, with what to do.
    """
    known: dict[str, Any] = {}
    while True:
        try:
            with torch.serialization.safe_globals([(known[name], name) for name in known]), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about protocols and storages, which no user of a file can change
                # Mapped: the authors' files carry the optimiser's state too, twice the weights, never touched.
                return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except pickle.UnpicklingError as error:
            name = _named(error)
            if name is None:
                raise DataError(
                    f"{path} was not opened: it is broken or holds more than tensors ({_line(error)}); {_advice(path)}"
                ) from None
            if name in known or len(known) > _ROUNDS or not (_HARMLESS.fullmatch(name) or name in _DICTS):
                raise DataError(f"{path} was not opened: {_refusal(path, name)}") from None
            known[name] = _empty_dict if name in _DICTS else type("Inert", (Inert,), {})
        except DataError:
            raise
        except Exception as error:  # torch raises many kinds for a broken file
            raise DataError(f"{path} is no checkpoint or a broken one ({_line(error)}); download it again") from None


def refuse_unfolding(path: Path, held: Mapping[str, Tensor], size: int) -> None:
    """Refuse tensors that are small in the file and large, or not there, when they are used.

    Args:
        path: the file, for messages.
        held: its tensors.
        size: its bytes, or those of all its shards.

    Raises:
        DataError: one that is sparse, quantised or without data, or whose strides repeat its numbers.
    """
    distinct: dict[Any, int] = {}
    for key, value in held.items():
        real = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        count = value.numel() * value.element_size() if real else 0
        if not real or count > value.untyped_storage().nbytes():
            raise DataError(
                f"{path} holds no weights: {key!s:.80} is not a plain tensor, or needs more numbers than the file holds"
            )
        # Some networks keep one weight under several names, and their files hold it once.
        distinct[value.data_ptr(), value.shape, value.stride(), value.dtype] = count
    total = sum(value.numel() * value.element_size() for value in held.values())
    if sum(distinct.values()) > 2 * size or total > MOST_TIED * size:
        raise DataError(
            f"{path} holds no weights: its tensors share their numbers, and together they are larger than the file"
        )


def _named(error: pickle.UnpicklingError) -> str | None:
    """The name that torch's reader does not know; it leaves out ``builtins.``."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if found is None:
        return None
    return found[1] if "." in found[1] else f"builtins.{found[1]}"


def _refusal(path: Path, name: str) -> str:
    if name.rpartition(".")[2][:1].isupper():
        return (
            f"it holds an object of the class {name} (a whole network instead of its weights?), and to open that would "
            f"run code; {_advice(path, '.state_dict()')}"
        )
    return f"it is broken or holds more than tensors ({name}), and would run code; {_advice(path)}"


def _advice(path: Path, part: str = "['model']") -> str:
    """A line of Python that writes the weights alone, for who trusts the file."""
    there, new = plain(str(path)), plain(str(path.with_name(f"{path.stem}.weights.pth")))
    return (
        "if you trust it, save its weights alone with the program that made it, and give that file: python -c "
        f'"from torch import load, save; save(load({there!r}, weights_only=False){part}, {new!r})"'
    )


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return plain(lines[0], 200) if lines else type(error).__name__
