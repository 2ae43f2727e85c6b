"""Read pickles without trusting them: the result has only plain values, and no code that the file names is run.

REFER's and ReferIt's annotations are Python-2 pickles. A pickle is a program that may call any function by name. So
names are looked up in the closed table below, and all others are refused. Some copies hold numpy's scalars and arrays
of numbers. They are rebuilt here as plain numbers and nested lists, without calling numpy's own functions. `bounded`
limits a file's memory and time by its length.
"""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...io.reading import refuse_endless
from ...io.wrong_content import TEXT_MODE, fault_in, is_text_mode
from .bounded import BoundedUnpickler, plain_keys

# Ten times the largest known annotation pickle; a file is read completely, so it needs a limit.
_MOST_BYTES = 1 << 30
_NUMBERS = re.compile(r"[<>|=]?[biuf][1248]")
Spend = Callable[[int], None]


class _Dtype:
    """The type of a numpy value; only numbers are allowed."""

    __slots__ = ("_spend", "code")

    def __init__(self, spend: Spend, code: Any, align: Any = False, copy: Any = True) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
            raise pickle.UnpicklingError(f"asks for numpy values of type {text!r:.40}, which are not plain numbers")
        self.code = text.lstrip("<>|=")
        self._spend = spend

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("asks for numpy values with fields, which are not plain numbers")
        self.code = order + self.code.lstrip("<>|=")

    def read(self, raw: Any) -> np.ndarray:
        self._spend(len(raw))
        data = raw.encode("latin1") if isinstance(raw, str) else raw
        return np.frombuffer(data, dtype=np.dtype(self.code))


class _Array(list[Any]):
    """An array of numbers; its value is a (nested) list."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_columns, raw = state
        if not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError("holds an array that is not of numbers")
        if len(shape) > 1 and 0 in shape:
            raise pickle.UnpicklingError("holds an empty array of many dimensions")
        self[:] = dtype.read(raw).reshape(shape, order="F" if by_columns else "C").tolist()


class _Door:
    """The calls that a pickle may make.

    They are bound methods, because a pickle can set attributes of objects that it names, but not of bound methods.
    """

    __slots__ = ("_spend",)

    def __init__(self, spend: Spend) -> None:
        self._spend = spend

    def dtype(self, *given: Any) -> _Dtype:
        return _Dtype(self._spend, *given)

    def scalar(self, dtype: Any, raw: Any) -> Any:
        if not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError("holds a number without a type")
        return dtype.read(raw)[0].item()

    def array(self, *_: Any) -> _Array:
        return _Array()

    def ndarray(self, *_: Any) -> Any:
        raise pickle.UnpicklingError("calls numpy.ndarray, which is not needed for numbers")

    def encode(self, text: str, encoding: str = "latin1") -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"calls _codecs.encode with {encoding!r:.40}")
        self._spend(len(text))
        return text.encode("latin1")

    def empty(self) -> bytes:
        return b""

    def set(self, items: Any = ()) -> Any:
        self._take(items)
        return set(items)

    def frozenset(self, items: Any = ()) -> Any:
        self._take(items)
        return frozenset(items)

    def ordered(self, items: Any = ()) -> Any:
        self._spend(len(items))
        pairs = [(key, value) for key, value in items]
        self._take([key for key, _ in pairs])
        return dict(pairs)

    def _take(self, keys: Any) -> None:
        self._spend(len(keys))
        plain_keys(keys)


def _doors(spend: Spend) -> dict[tuple[str, str], Callable[..., Any]]:
    door = _Door(spend)
    known: dict[tuple[str, str], Callable[..., Any]] = {
        ("_codecs", "encode"): door.encode,  # how Python 3 writes bytes into protocols 0 to 2
        ("collections", "OrderedDict"): door.ordered,
        ("numpy", "dtype"): door.dtype,
        ("numpy", "ndarray"): door.ndarray,
    }
    for module in ("builtins", "__builtin__"):
        known[module, "bytes"] = door.empty  # how Python 3 writes b"" there; it is called with nothing
        known[module, "set"] = door.set
        known[module, "frozenset"] = door.frozenset
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[module, "scalar"] = door.scalar
        known[module, "_reconstruct"] = door.array
    return known


class _Refused(Exception):
    """The pickle names an object outside the table."""


class _Restricted(BoundedUnpickler):
    _settable = (_Dtype, _Array)

    def __init__(self, raw: bytes) -> None:
        # latin1 maps every byte of a Python-2 str to a character, so it never fails and is reversible.
        super().__init__(raw, encoding="latin1")
        self._doors = _doors(self.spend)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._doors[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None


def read_pickle(path: Path, what: str = "annotations") -> Any:
    """Read the plain value in a pickle of protocol 0 to 5.

    Args:
        path: the file.
        what: the expected content, for error messages.

    Raises:
        DataError: the file is missing, broken or too large, needs more memory than its length allows, or names a class
            or function that plain data do not need. No code was run.
    """
    refuse_endless(path)
    raw = b""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than {_MOST_BYTES >> 20} MiB, which no pickle of {what} is")
        raw = path.read_bytes()
        # A pickle of protocol 0 is text, so it could be read with carriage returns in it.
        if (fault := fault_in(raw[:512])) is not None or (raw[:1] != b"\x80" and is_text_mode(raw)):
            raise DataError(f"{path}: {fault or TEXT_MODE}")
        reader = _Restricted(raw)
        value = reader.load()
        reader.refuse_unplain(value)
        return value
    except _Refused as refused:
        request = " ".join(str(refused).split())[:120]
        raise DataError(
            f"{path}: refused, the pickle asks for {request}; {what} need only plain values, and no code "
            "was run; get the file again from its source"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); it should hold {what}") from None
    except (MemoryError, RecursionError, OverflowError):
        raise DataError(f"{path}: not a pickle of {what}: it needs more memory than its length allows") from None
    except (
        pickle.UnpicklingError,
        EOFError,
        AssertionError,
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        if is_text_mode(raw):
            raise DataError(f"{path}: {TEXT_MODE}") from None
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{path}: not a complete pickle of {what} ({reason}); get the file again") from None
