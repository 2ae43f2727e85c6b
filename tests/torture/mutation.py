"""Files that are nearly right: valid ones with a few bytes, or a few values, turned into something else.

Every file is a function of a target's seeds and one number, so any of them can be made again.
"""

from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable, Sequence
from typing import Any

_NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 1)
_WORDS = [
    b"",
    b"\0",
    b"\n",
    b'"',
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"NaN",
    b"Infinity",
]
_WORDS += [
    b"-1",
    b"1e999",
    b"-0.0",
    b"99999999999999999999",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"..",
    b"/",
    b"=",
    b"%s",
    b"]" * 9,
]
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 2**31, 2**53, 2**63, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", "a", "-1", "..", "/etc/passwd", "x" * 5000, "\0", "\ud800", "é☕", [], [[]], {}, [0],
    [1, 2, 3, 4],     [1e9] * 6, [[1, 2]], {"size": [40, 60], "counts": ""}, {"size": [2**40, 2**40], "counts": "0"},
    {"size": [4, 4], "counts": [16]}, {"name": {}}, {"a": [{"b": [None]}]}, [None] * 50,
)  # fmt: skip


def changed_bytes(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with one to six changes."""
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        _CHANGES[chance.randrange(len(_CHANGES))](chance, content, seeds)
    return bytes(content[: 1 << 20])


def _place(chance: random.Random, content: bytearray) -> int:
    # Headers stand at the front: half of the changes fall there.
    last = len(content) if chance.random() < 0.5 else min(len(content), 120)
    return chance.randrange(last + 1)


def _flip(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    if content:
        content[_place(chance, content) % len(content)] ^= 1 << chance.randrange(8)


def _set(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    if content:
        content[_place(chance, content) % len(content)] = chance.randrange(256)


def _cut(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    start = _place(chance, content)
    del content[start : start + chance.choice((1, 2, 4, 8, 40, 10**9))]


def _insert(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    start = _place(chance, content)
    content[start:start] = chance.choice(_WORDS) if chance.random() < 0.7 else chance.randbytes(chance.randrange(1, 9))


def _repeat(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    start, length = _place(chance, content), chance.choice((1, 3, 16, 64))
    content[start:start] = content[start : start + length] * chance.choice((1, 2, 100))


def _number(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    start, width = _place(chance, content), chance.choice((1, 2, 4, 8))
    number = chance.choice(_NUMBERS) % (1 << 8 * width)
    content[start : start + width] = number.to_bytes(width, chance.choice(("little", "big")))


def _digits(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    places = [place for place, byte in enumerate(content[:4000]) if 48 <= byte <= 57]
    if places:
        start = chance.choice(places)
        content[start : start + 1] = str(chance.choice(_NUMBERS) * chance.choice((1, -1))).encode()


def _splice(chance: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    other = chance.choice(seeds)
    content[_place(chance, content) :] = other[chance.randrange(len(other) + 1) :]


_CHANGES = (_flip, _set, _cut, _insert, _repeat, _number, _digits, _splice)


def changed_value(chance: random.Random, value: Any) -> Any:
    """A copy of a JSON-like value with one to three parts replaced, taken out, doubled or renamed."""
    value = copy.deepcopy(value)
    for _ in range(chance.choice((1, 1, 2, 3))):
        value = _change_at(chance, value)
    return value


def _change_at(chance: random.Random, value: Any) -> Any:
    if isinstance(value, (dict, list)) and value and chance.random() < 0.85:
        keys: Any = list(value) if isinstance(value, dict) else range(len(value))
        key = chance.choice(keys)
        kind = chance.random()
        if kind < 0.12:
            del value[key]
        elif kind < 0.17 and isinstance(value, dict):
            value[chance.choice(("", "id", "size", "x", str(key).upper()))] = value.pop(key)
        elif kind < 0.22 and isinstance(value, list):
            value.insert(key, copy.deepcopy(value[key]))
        else:
            value[key] = _change_at(chance, value[key])
        return value
    kind = chance.random()
    if kind < 0.1:
        return [value]
    if kind < 0.15:
        return {"size": value}
    if kind < 0.3 and isinstance(value, (int, float)) and abs(value) < 1e300:
        return value + chance.choice((-1, 1, 0.5, 1000))
    if kind < 0.4 and isinstance(value, str):
        return changed_bytes(chance, [value.encode("utf-8", "replace")]).decode("latin1")
    return copy.deepcopy(chance.choice(_VALUES))


def json_of(value: Any) -> bytes:
    """JSON as careless programs write it: NaN and lone surrogates included."""
    return json.dumps(value).encode()


def lines_of(value: list[Any]) -> bytes:
    """One JSON a line."""
    return b"".join(json_of(line) + b"\n" for line in value)


def pickle_of(chance: random.Random) -> Callable[[Any], bytes]:
    """Pickles in any protocol."""
    return lambda value: pickle.dumps(value, protocol=chance.randrange(6))
