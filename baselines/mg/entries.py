"""What a TensorFlow checkpoint's index says of each variable: protocol buffers, and the keys of slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from risbench import DataError

from .leveltable import Wire

MOST_DIMENSIONS = 32
MOST_SIZE = 1 << 40
WHOLE = -1  # the length of a slice that has all of a dimension


@dataclass(frozen=True, slots=True)
class VariableEntry:
    """Where a tensor lies.

    Attributes:
        kind: TensorFlow's number of its type.
        shape: of the tensor.
        shard: number of the file.
        offset, size: in bytes.
        checksum: masked, of these bytes.
        slices: starts and lengths in each dimension, if it is partitioned; its data then lie in other entries.
    """

    kind: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    slices: tuple[tuple[tuple[int, int], ...], ...]


def _fields(data: bytes, what: str) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer, by number."""
    wire = Wire(data, what)
    while wire:
        tag = wire.varint()
        match tag & 7:
            case 0:
                yield tag >> 3, wire.varint()
            case 1:
                yield tag >> 3, int.from_bytes(wire.take(8), "little")
            case 2:
                yield tag >> 3, wire.take(wire.varint())
            case 5:
                yield tag >> 3, int.from_bytes(wire.take(4), "little")
            case other:
                raise DataError(f"{what} is broken: a field has the unknown kind {other}")


def _number(value: int | bytes, what: str, most: int = (1 << 63) - 1) -> int:
    if not isinstance(value, int) or value > most:  # negative ones are near 2 ** 64
        raise DataError(f"{what} is broken: a number in it is out of range")
    return value


def _bytes(value: int | bytes, what: str) -> bytes:
    if not isinstance(value, bytes):
        raise DataError(f"{what} is broken: a record in it is a number")
    return value


def read_header(data: bytes, what: str) -> int:
    """The number of shards.

    Raises:
        DataError: it is no header, or one of a machine whose numbers begin with the highest byte.
    """
    found = dict(_fields(data, what))
    if found.get(2, 0) != 0:
        raise DataError(f"{what} was written on a big-endian machine, which is not read here")
    return _number(found.get(1, 1), what, 99999)


def read_entry(data: bytes, what: str) -> VariableEntry:
    """The entry of a variable, or of a slice of one.

    Raises:
        DataError: it is broken.
    """
    values = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}
    shape: list[int] = []
    slices = []
    for number, value in _fields(data, what):
        if number in values:
            values[number] = _number(value, what)
        elif number == 2:
            shape = [
                _dimension(_bytes(part, what), what) for one, part in _fields(_bytes(value, what), what) if one == 2
            ]
        elif number == 7:
            slices.append(_slice(_bytes(value, what), what))
    if len(shape) > MOST_DIMENSIONS:
        raise DataError(f"{what} is broken: a tensor in it has {len(shape)} dimensions")
    return VariableEntry(values[1], tuple(shape), values[3], values[4], values[5], values[6], tuple(slices))


def _dimension(data: bytes, what: str) -> int:
    sizes = [_number(value, what, MOST_SIZE) for number, value in _fields(data, what) if number == 1]
    return sizes[-1] if sizes else 0


def _slice(data: bytes, what: str) -> tuple[tuple[int, int], ...]:
    extents = []
    for number, value in _fields(data, what):
        if number == 1:
            parts = {one: _number(part, what, MOST_SIZE) for one, part in _fields(_bytes(value, what), what)}
            extents.append((parts.get(1, 0), parts.get(2, WHOLE)))
    return tuple(extents)


def slice_key(name: bytes, extents: tuple[tuple[int, int], ...]) -> bytes:
    """The key of a slice's own entry, in an encoding whose order is that of the numbers.

    A zero, the name with its bytes 0 and 255 escaped and a mark at its end, the number of dimensions, and for each of
    them start and length.
    """
    escaped = b"".join({0: b"\x00\xff", 255: b"\xff\x00"}.get(byte, bytes([byte])) for byte in name)
    numbers = b"".join(_ordered(start) + _ordered(length) for start, length in extents)
    dimensions = bytes([1, len(extents)]) if extents else b"\x00"
    return b"\x00" + escaped + b"\x00\x01" + dimensions + numbers


def _ordered(value: int) -> bytes:
    """A signed number of n bytes: n ones in front of it, in the opposite of the sign, and 7 bits a byte remain."""
    length = next(count for count in range(1, 9) if -(1 << 7 * count - 1) <= value < 1 << 7 * count - 1)
    header = ((1 << length) - 1) << 7 * length
    return ((value & (1 << 8 * length) - 1) ^ header).to_bytes(length, "big")
