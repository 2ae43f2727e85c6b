"""Open files of ``torch.save`` without running any code in them.

Torch's own reader of weights (``weights_only=True``) accepts tensors and plain values. Training programs save more:
settings (``argparse.Namespace``, OmegaConf), numpy's numbers, paths, dates. Their classes are never imported: each
object is replaced by an inert one that keeps nothing, because only tensors are needed. All other classes are refused.
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

# Settings, numbers, paths and dates. Replacing them runs no code, whatever the file passes to them.
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
    """Replaces an object that is not needed; it accepts any arguments and any state and keeps nothing."""

    def __new__(cls, *_: object, **__: object) -> Inert:
        """Accept any arguments."""
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


MOST_TIED = 8  # how many names a weight may have, over a whole file


def _empty_dict(*_: object) -> dict[Any, Any]:
    """Replaces a ``defaultdict``, whose default is not needed."""
    return {}


def read_pickle(path: Path, *, mapped: bool) -> Any:
    """Read the value in a file of ``torch.save``, on the CPU.

    Args:
        path: the file.
        mapped: whether to memory-map the file instead of reading it (only possible for torch's zip archives).

    Raises:
        DataError: the file is broken, or holds an object that could run code; the message names it and says what to do.
    """
    known: dict[str, Any] = {}
    while True:
        try:
            with torch.serialization.safe_globals([(known[name], name) for name in known]), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about protocols and storages, which no user of a file can change
                # Mapping does not read the optimiser's state in the authors' files, twice the size of the weights.
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
            raise DataError(
                f"{path} is not a checkpoint, or it is broken ({_line(error)}); download it again"
            ) from None


def plain_values(held: Any) -> dict[str, Any]:
    """The truth values, numbers and texts of a file, and lists of these, by their key; all else is left out."""
    kinds = (bool, int, float, str)
    return {
        key: value
        for key, value in (held.items() if isinstance(held, Mapping) else ())
        if isinstance(key, str)
        and (
            isinstance(value, kinds) or (isinstance(value, (list, tuple)) and all(isinstance(v, kinds) for v in value))
        )
    }


def refuse_unfolding(path: Path, held: Mapping[str, Tensor], size: int) -> None:
    """Refuse tensors that need more numbers than the file holds.

    Args:
        path: the file, for error messages.
        held: its tensors.
        size: its size in bytes, or that of all its shards.

    Raises:
        DataError: a tensor is sparse, quantised or without data, or its strides repeat its numbers.
    """
    distinct: dict[Any, int] = {}
    for key, value in held.items():
        real = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        count = value.numel() * value.element_size() if real else 0
        if not real or count > value.untyped_storage().nbytes():
            raise DataError(
                f"{path} holds no weights: {key!s:.80} is not a plain tensor, or needs more numbers than the file holds"
            )
        # Some networks have one weight under several names, and their files hold it once.
        distinct[value.data_ptr(), value.shape, value.stride(), value.dtype] = count
    total = sum(value.numel() * value.element_size() for value in held.values())
    if sum(distinct.values()) > 2 * size or total > MOST_TIED * size:
        raise DataError(
            f"{path} holds no weights: its tensors share their numbers, and together they are larger than the file"
        )


def _named(error: pickle.UnpicklingError) -> str | None:
    """The class name that torch's reader refused; it leaves out ``builtins.``."""
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
    return f"it is broken or holds more than tensors ({name}), and opening it would run code; {_advice(path)}"


def _advice(path: Path, part: str = "['model']") -> str:
    """A Python command that saves the weights alone, for users who trust the file."""
    there, new = plain(str(path)), plain(str(path.with_name(f"{path.stem}.weights.pth")))
    return (
        "if you trust it, save its weights alone with the program that made it, and give that file: python -c "
        f'"from torch import load, save; save(load({there!r}, weights_only=False){part}, {new!r})"'
    )


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return plain(lines[0], 200) if lines else type(error).__name__
