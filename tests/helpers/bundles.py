"""TensorFlow checkpoints of the second format, written from the format's description, one byte after the other."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

NUMBERS = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "bfloat16": 14, "float16": 19,
}  # fmt: skip
MAGIC = 0xDB4775248B80FB57


def _table_of_bytes() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table_of_bytes()


def checksum(data: bytes) -> int:
    """CRC-32C by the loop over bytes, rotated and moved as files hold it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17 & 0xFFFFFFFF)) + 0xA282EAD8) % 2**32


@contextmanager
def fast_checksums(other: Callable[[bytes], int]) -> Iterator[None]:
    """While it lasts, another function makes the checksums; for files too large for a loop over bytes."""
    global checksum
    before, checksum = checksum, other
    try:
        yield
    finally:
        checksum = before


def varint(number: int) -> bytes:
    number %= 2**64
    found = b""
    while number >= 128:
        found += bytes([number % 128 + 128])
        number //= 128
    return found + bytes([number])


def tag(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer; zeros are left out by those who write it."""
    if isinstance(value, bytes):
        return varint(number * 8 + 2) + varint(len(value)) + value
    return varint(number * 8) + varint(value)


def table(entries: Mapping[bytes, bytes], an_block: int = 5, kind: int = 0) -> bytes:
    """A sorted table: blocks of some entries each, with every second key whole."""

    def block(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
        out, restarts, before = b"", [], b""
        for place, (key, value) in enumerate(pairs):
            shared = 0
            if place % 2 == 0:
                restarts.append(len(out))
            else:
                while shared < min(len(before), len(key)) and before[shared] == key[shared]:
                    shared += 1
            out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
            before = key
        restarts = restarts or [0]
        return out + b"".join(struct.pack("<I", one) for one in restarts) + struct.pack("<I", len(restarts))

    out, handles = b"", []

    def put(raw: bytes) -> bytes:
        nonlocal out
        handle = varint(len(out)) + varint(len(raw))
        out += raw + bytes([kind]) + struct.pack("<I", checksum(raw + bytes([kind])))
        return handle

    pairs = sorted(entries.items())
    for start in range(0, len(pairs), an_block):
        some = pairs[start : start + an_block]
        handles.append((some[-1][0] + b"\x00", put(block(some))))
    meta = put(block([]))
    footer = meta + put(block(handles))
    return out + footer.ljust(40, b"\x00") + struct.pack("<Q", MAGIC)


@dataclass
class BundleWriter:
    """What goes into a checkpoint: entries of the index, and the bytes of each shard."""

    shards: int = 1
    entries: dict[bytes, bytes] = field(default_factory=dict)
    data: list[bytes] = field(default_factory=list)
    turn: int = 0

    def __post_init__(self) -> None:
        self.data = [b""] * self.shards

    def put(self, key: bytes, kind: int, shape: Sequence[int], raw: bytes) -> None:
        """A tensor's bytes, in the shards in turn."""
        shard, self.turn = self.turn % self.shards, self.turn + 1
        offset = len(self.data[shard])
        self.data[shard] += raw
        entry = tag(1, kind) + tag(2, b"".join(tag(2, tag(1, size) if size else b"") for size in shape))
        for number, value in ((3, shard), (4, offset), (5, len(raw))):
            if value:
                entry += tag(number, value)
        self.entries[key] = entry + varint(6 * 8 + 5) + struct.pack("<I", checksum(raw))

    def array(self, name: str, value: np.ndarray, kind: str | None = None) -> None:
        kind = kind or value.dtype.name
        raw = value
        if kind == "bfloat16":
            raw = (np.ascontiguousarray(value, np.float32).view(np.uint32) >> 16).astype(np.uint16)
        self.put(name.encode(), NUMBERS[kind], value.shape, np.ascontiguousarray(raw).tobytes())

    def strings(self, name: str, texts: Sequence[bytes]) -> None:
        lengths = b"".join(varint(len(text)) for text in texts)
        raw = lengths + struct.pack("<I", checksum(lengths)) + b"".join(texts)
        self.put(name.encode(), 7, [len(texts)], raw)

    def partitioned(self, name: str, value: np.ndarray, cuts: Sequence[int]) -> None:
        """A variable in slices of its first dimension; all of the other dimensions."""
        slices = b""
        edges = [0, *cuts, len(value)]
        for start, end in pairwise(edges):
            extent = (tag(1, start) if start else b"") + tag(2, end - start)
            slices += tag(7, tag(1, extent) + b"".join(tag(1, b"") for _ in value.shape[1:]))
            key = b"\x00" + name.encode() + b"\x00\x01" + bytes([1, value.ndim]) + signed(start) + signed(end - start)
            key += b"".join(bytes([0x80, 0x7F]) for _ in value.shape[1:])
            self.put(key, NUMBERS[value.dtype.name], value[start:end].shape, value[start:end].tobytes())
        shape = tag(2, b"".join(tag(2, tag(1, size)) for size in value.shape))
        self.entries[name.encode()] = tag(1, NUMBERS[value.dtype.name]) + shape + slices

    def save(self, prefix: Path, header: bytes | None = None, **how: int) -> Path:
        header = tag(1, self.shards) + tag(3, tag(1, 1)) if header is None else header
        Path(f"{prefix}.index").write_bytes(table({**self.entries, b"": header}, **how))
        for number, raw in enumerate(self.data):
            Path(f"{prefix}.data-{number:05d}-of-{self.shards:05d}").write_bytes(raw)
        return prefix


def signed(number: int) -> bytes:
    """A signed number in the order-preserving code, for the lengths that tests need: one byte, or two."""
    if number < 64:
        return bytes([0x80 + number])
    assert number < 8192
    return bytes([0xC0 + number // 256, number % 256])
