"""An unpickler whose memory and time are bounded by the file's length, whatever the file contains.

The standard library's fast unpickler trusts a file: nine bytes make it fill a table of gigabytes, a hundred bytes keep
it hashing for years. The slower version, written in Python, stores this table as a dict and can be made to refuse
things, but takes ten times as long.

Most annotations are only lists, dicts, texts and numbers. So a regular expression first walks over the instructions of
a file. If each is one of the few that make such values, and names no far place of the table, the fast version can do no
harm and reads the file. Every other file, broken files included, is read by the slower version from its beginning.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import re
import warnings
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

# The largest allowed ratio of a value's size, with repeated parts counted each time, to its file's size; and the size
# that is always allowed. Refs of RefCOCO grow by a fifth.
_GROWTH = 64
_GRANTED = 1 << 20
_OWN: dict[int, Any] = pickle._Unpickler.dispatch
_KEYS = (str, int, float, bool, bytes, type(None))


class BoundedUnpickler(pickle._Unpickler):
    """An unpickler for a whole file in memory; a subclass decides which names it accepts.

    Keys of dicts and members of sets must be plain and short. State is set only on objects that allow it by
    ``_settable``. Values that are repeated by reference must stay within a multiple of the file's length.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_OWN)
    _settable: tuple[type, ...] = ()

    def __init__(self, raw: bytes, encoding: str = "ASCII") -> None:
        super().__init__(io.BytesIO(raw), encoding=encoding)
        self._raw, self._text_encoding = raw, encoding
        self._left = _GROWTH * len(raw) + _GRANTED

    def load(self) -> Any:
        """Read the value.

        Raises:
            pickle.UnpicklingError: the file is refused; any other exception means a broken file.
        """
        with warnings.catch_warnings():
            # Python 2 wrote backslashes without escaping them.
            warnings.simplefilter("ignore", DeprecationWarning)
            if is_harmless(self._raw):
                # Whatever is wrong with the file, the slower version says.
                with contextlib.suppress(Exception):
                    return _Harmless(io.BufferedReader(io.BytesIO(self._raw)), encoding=self._text_encoding).load()  # pyright: ignore[reportArgumentType]
            return super().load()

    def spend(self, count: int) -> None:
        """Count the size of what a call made, because a file may request the same large object many times.

        Raises:
            pickle.UnpicklingError: the sum is more than such a file can need.
        """
        self._left -= count
        if self._left < 0:
            raise pickle.UnpicklingError("it unfolds to more than a file of its length can need")

    def refuse_unplain(self, value: Any) -> None:
        """Refuse a value with objects that are not plain, or whose shared parts multiply beyond what `spend` allows.

        Raises:
            pickle.UnpicklingError: the value is refused.
            ValueError: the value contains itself.
        """
        writer = _Plain(_Counter(self), protocol=4)
        writer.fast = True  # writes out what is shared as often as it occurs
        writer.dump(value)

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside the file."""
        raise pickle.UnpicklingError("it refers to something outside itself")

    def _refuse(self) -> None:
        raise pickle.UnpicklingError("it holds an object that data do not need")

    # A bytearray is allocated in its stated length before a byte is read; extensions and buffers are outside the file.
    for _code in (
        pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.EXT1, pickle.EXT2, pickle.EXT4,
    ):  # fmt: skip
        dispatch[_code[0]] = _refuse

    def _build(self) -> None:
        if not isinstance(self.stack[-2], self._settable):  # pyright: ignore[reportAttributeAccessIssue]
            raise pickle.UnpicklingError("it sets the state of an object that has no state")
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
        pickle.UnpicklingError: a key is not a text, bytes, a number of 64 bits, or None.
    """
    for key in keys:
        if type(key) not in _KEYS or (type(key) is int and not -(2**63) <= key < 2**63):
            raise pickle.UnpicklingError("it has a key that is neither text nor number")


class _Counter:
    """The output of the writer in `refuse_unplain`; it only counts bytes."""

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
        raise pickle.UnpicklingError(f"it holds a {type(obj).__name__}, which is not a plain value")


class _Harmless(pickle.Unpickler):
    """The fast unpickler, for a file that `is_harmless`."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError("it names an object")  # the instructions were looked at, and look up no names

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside itself")


def is_harmless(raw: bytes) -> bool:
    """Whether a pickle consists only of instructions that make lists, dicts, texts and numbers of 64 bits.

    Such values cannot be slow to hash, and the table of values grows by a small multiple of the file's length at most.
    No tuples: a dict's key could be one that holds itself many times.
    """
    # In text a value takes five bytes or more, so a file has fewer places than a fifth of its bytes.
    walk = _instructions(len(str(len(raw) // 5 + 9)), min(len(raw) >> 16, 255))
    at = 2 if raw[:1] == pickle.PROTO and len(raw) > 1 and raw[1] <= pickle.HIGHEST_PROTOCOL else 0
    frame = None  # where the current frame ends; the slower version refuses an instruction across this end
    while True:
        end = len(raw) if frame is None else frame
        code = raw[at : at + 1]
        if (found := walk.match(raw, at, end)) is not None:
            at = found.end()
        elif at == frame:
            frame = None
        elif code == pickle.FRAME and frame is None:
            frame = at + 9 + int.from_bytes(raw[at + 1 : at + 9], "little")
            at += 9
        elif code in (pickle.BINUNICODE, pickle.BINSTRING) and end - at > 5:
            # A text of more than 255 bytes.
            at += 5 + int.from_bytes(raw[at + 1 : at + 5], "little")
        else:
            return raw[at:] == pickle.STOP
        if at > end or (frame or 0) > len(raw):
            return False


@cache
def _instructions(digits: int, high: int) -> re.Pattern[bytes]:
    """Matches up to 5,000 harmless instructions.

    Args:
        digits: how many digits the number of a place in the table of values has at most, as text.
        high: the same in binary: its third byte at most; the fourth is 0.
    """
    place = rb"\d{1,%d}\n" % digits
    whole = rb"(?:-?[1-9]\d{0,17}|0)"
    kinds = [
        rb"[](}easuNld]",  # lists, dicts, None
        b"[" + re.escape(pickle.NEWTRUE + pickle.NEWFALSE + pickle.MEMOIZE) + b"]",
        rb"[Kqh].",
        rb"M..",
        rb"[jJ]....",
        rb"r..[\x00-\x%02x]\x00" % high,
        rb"G.{8}",
        rb"X(?:%s)" % _lengths(rb"\x00\x00\x00", 256),
        rb"T(?:%s)" % _lengths(rb"\x00\x00\x00", 256),
        rb"[U\x8c](?:%s)" % _lengths(b"", 256),
        rb"\x8a(?:%s)" % _lengths(b"", 9),  # a whole number of up to 64 bits
        # The same in text, as Python 2 wrote it.
        rb"[pg]" + place,
        rb"I(?:0[01]|%s)\n" % whole,
        rb"L%sL?\n" % whole,
        rb"F[-+0-9.e]{1,40}\n",
        rb"[SV][^\n]*\n",
    ]
    return re.compile(rb"(?s:%s){1,5000}" % b"|".join(kinds))


def _lengths(after: bytes, count: int) -> bytes:
    """Alternatives: a byte below ``count``, what follows it, and as many bytes as it says."""
    return b"|".join(re.escape(bytes([n])) + after + (b".{%d}" % n if n else b"") for n in range(count))
