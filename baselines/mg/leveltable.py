"""The sorted table that TensorFlow writes a checkpoint's index in: the format of LevelDB's files, read within bounds.

A footer of 48 bytes at the end leads to a block of handles, and these to blocks of entries. An entry's key is kept as
the tail that differs from the key before it. Every block has a checksum.
"""

from __future__ import annotations

from pathlib import Path

from risbench import DataError
from risbench.io import reading

from .crc32c import crc32c, masked

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER, TRAILER = 48, 5
MOST_BYTES = 1 << 24  # of an index; that of a thousand variables has a hundredth of it
MOST_KEYS = 1 << 27  # bytes of all keys together, which a few bytes in a file could make many


class Wire:
    """Bytes that are read from front to back; everything that would go beyond their end is refused.

    Attributes:
        at: the place that is read next.
    """

    def __init__(self, data: bytes, what: str):
        self._data, self._what, self.at = data, what, 0

    def __bool__(self) -> bool:
        """Whether something is left."""
        return self.at < len(self._data)

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            DataError: there are not so many.
        """
        if not 0 <= count <= len(self._data) - self.at:
            raise DataError(f"{self._what} is broken or cut off: {count} bytes are announced where there are fewer")
        self.at += count
        return self._data[self.at - count : self.at]

    def varint(self) -> int:
        """A number of seven bits a byte, the lowest first; at most 64 bits.

        Raises:
            DataError: it does not end.
        """
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (1 << 64) - 1
        raise DataError(f"{self._what} is broken: a number in it does not end")


def is_table(path: Path) -> bool:
    """Whether a file ends as such a table does."""
    try:
        with reading.open_to_read(path) as file:
            file.seek(-len(MAGIC), 2)
            return file.read() == MAGIC
    except (OSError, DataError):
        return False


def read_table(path: Path) -> dict[bytes, bytes]:
    """All entries of a table, in the order of their keys.

    Raises:
        DataError: no such table, or a broken one: its end, a checksum, an entry or the order of its keys.
    """
    what = str(path)
    data = reading.read_bytes(path, MOST_BYTES, "the index of a TensorFlow checkpoint")
    if len(data) < FOOTER or not data.endswith(MAGIC):
        raise DataError(f"{what} is no index of a TensorFlow checkpoint, or is cut off: its end is another")
    footer = Wire(data[-FOOTER:], what)
    _, _, offset, size = (footer.varint() for _ in range(4))  # of the block of metadata, then of that of handles
    found: dict[bytes, bytes] = {}
    last = b""
    room = [MOST_KEYS]
    for _, handle in _entries(_block(data, offset, size, what), what, room):
        place = Wire(handle, what)
        entries = _entries(_block(data, place.varint(), place.varint(), what), what, room)
        # A block that is named twice ends here, and so does one without entries.
        if not entries or (found and entries[0][0] <= last):
            raise DataError(f"{what} is broken: its keys are not in order")
        for key, value in entries:
            found[key] = value
        last = entries[-1][0]
    return found


def _block(data: bytes, offset: int, size: int, what: str) -> bytes:
    end = offset + size
    if end + TRAILER > len(data) - FOOTER:
        raise DataError(f"{what} is broken or cut off: one of its blocks lies beyond its end")
    kind = data[end]
    if int.from_bytes(data[end + 1 : end + TRAILER], "little") != masked(crc32c(data[offset : end + 1])):
        raise DataError(f"{what} is broken: the checksum of one of its blocks is another; copy or download it again")
    if kind != 0:
        raise DataError(f"{what} has compressed blocks (kind {kind}), which TensorFlow does not write")
    return data[offset:end]


def _entries(block: bytes, what: str, room: list[int]) -> list[tuple[bytes, bytes]]:
    """The entries of a block; the places at its end, at which keys are whole, are for readers that search."""
    count = int.from_bytes(block[-4:], "little")
    if len(block) < 4 or 4 * (count + 1) > len(block):
        raise DataError(f"{what} is broken: a block in it has no room for its restarts")
    wire = Wire(block[: len(block) - 4 * (count + 1)], what)
    key, found = b"", []
    while wire:
        shared, own, size = wire.varint(), wire.varint(), wire.varint()
        room[0] -= shared + own
        if shared > len(key) or room[0] < 0:
            raise DataError(f"{what} is broken: a key in it shares more than the key before it has")
        before, key = key, key[:shared] + wire.take(own)
        if found and key <= before:
            raise DataError(f"{what} is broken: its keys are not in order")
        found.append((key, wire.take(size)))
    return found
