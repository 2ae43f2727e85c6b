"""Python's unpickler with bounds: its memory and time grow with the file's length, whatever the file contains.

The standard library's fast unpickler believes a file: nine bytes make it fill a table of gigabytes, a hundred keep it
hashing for years. Its slower twin, written in Python, keeps that table as a dict and can be told what to refuse; for
the refs of RefCOCO (20 MB) it takes one and a half seconds more, once, before they are indexed.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Iterable
from typing import Any, ClassVar

# How much larger than its file a value may be when each thing in it is written out every time it occurs, and what is
# granted to the smallest file. Refs of RefCOCO grow by a fifth.
_GROWTH = 64
_GRANTED = 1 << 20
_OWN: dict[int, Any] = pickle._Unpickler.dispatch
_KEYS = (str, int, float, bool, bytes, type(None))


class BoundedUnpickler(pickle._Unpickler):
    """An unpickler for a whole file in memory; a subclass decides which names it knows.

    Keys of dicts and members of sets are plain and short, state is set on what allows it by ``_settable`` alone, and
    what the value repeats by reference stays within a multiple of the file's length.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_OWN)
    _settable: tuple[type, ...] = ()

    def __init__(self, raw: bytes, encoding: str = "ASCII") -> None:
        super().__init__(io.BytesIO(raw), encoding=encoding)
        self._left = _GROWTH * len(raw) + _GRANTED

    def load(self) -> Any:
        """The value.

        Raises:
            pickle.UnpicklingError: refused; any other exception means a broken file.
        """
        with warnings.catch_warnings():
            # Python 2 wrote backslashes as they came.
            warnings.simplefilter("ignore", DeprecationWarning)
            return super().load()

    def spend(self, count: int) -> None:
        """Note what a call has made; a file may ask for the same large thing again and again.

        Raises:
            pickle.UnpicklingError: more than such a file can need.
        """
        self._left -= count
        if self._left < 0:
            raise pickle.UnpicklingError("it unfolds to more than a file of its length can need")

    def refuse_unplain(self, value: Any) -> None:
        """Refuse a value that holds more than plain things, or whose shared parts multiply beyond what `spend` allows.

        Raises:
            pickle.UnpicklingError: it does.
            ValueError: it holds itself.
        """
        writer = _Plain(_Counter(self), protocol=4)
        writer.fast = True  # writes out what is shared as often as it occurs
        writer.dump(value)

    def persistent_load(self, pid: Any) -> Any:
        """Nothing outside the file."""
        raise pickle.UnpicklingError("it refers to something outside itself")

    def _refuse(self) -> None:
        raise pickle.UnpicklingError("it holds something that data do not need")

    # A bytearray is made at its promised length before a byte is read; extensions and buffers name what is elsewhere.
    for _code in (
        pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.EXT1, pickle.EXT2, pickle.EXT4,
    ):  # fmt: skip
        dispatch[_code[0]] = _refuse

    def _build(self) -> None:
        if not isinstance(self.stack[-2], self._settable):  # pyright: ignore[reportAttributeAccessIssue]
            raise pickle.UnpicklingError("it sets state on what has none")
        _OWN[pickle.BUILD[0]](self)

    dispatch[pickle.BUILD[0]] = _build

    def _pair(self) -> None:
        plain_keys(self.stack[-2:-1])  # pyright: ignore[reportAttributeAccessIssue]
        _OWN[pickle.SETITEM[0]](self)

    dispatch[pickle.SETITEM[0]] = _pair


def _checked(code: bytes, step: int) -> Any:
    own = _OWN[code[0]]

    def load(self: Any) -> None:
        plain_keys(self.stack[::step])
        own(self)

    return load


for _code, _step in ((pickle.DICT, 2), (pickle.SETITEMS, 2), (pickle.ADDITEMS, 1), (pickle.FROZENSET, 1)):
    BoundedUnpickler.dispatch[_code[0]] = _checked(_code, _step)


def plain_keys(keys: Iterable[Any]) -> None:
    """Refuse keys that are slow to hash, or that can be made to collide.

    Raises:
        pickle.UnpicklingError: one that is no text, bytes, number of 64 bits, or None.
    """
    for key in keys:
        if type(key) not in _KEYS or (type(key) is int and not -(2**63) <= key < 2**63):
            raise pickle.UnpicklingError("it has a key that is neither text nor number")


class _Counter:
    """Where the writer of `refuse_unplain` writes to: nothing is kept."""

    def __init__(self, of: BoundedUnpickler) -> None:
        self._of = of

    def write(self, content: Any) -> int:
        self._of.spend(len(content))
        return len(content)


class _Plain(pickle.Pickler):
    """Writes numbers, texts, bytes, lists, tuples, dicts and sets."""

    def reducer_override(self, obj: Any) -> Any:
        if obj is list:
            return NotImplemented
        if isinstance(obj, list):  # of a kind of its own
            return list, (obj[:],)
        raise pickle.UnpicklingError(f"it holds a {type(obj).__name__}, which is no plain value")
