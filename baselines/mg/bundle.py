"""A checkpoint of TensorFlow in its second format, read without TensorFlow.

Its files are ``PREFIX.index`` and ``PREFIX.data-00000-of-00001`` and so on.

The index is a sorted table of where each variable lies (:mod:`baselines.mg.leveltable`, :mod:`baselines.mg.entries`),
the shards are the variables' bytes. No more is read than the shards hold, every checksum is compared, and nothing in
the files is ever run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from risbench import DataError
from risbench.io import reading

from .crc32c import crc32c, masked
from .entries import WHOLE, VariableEntry, read_entry, read_header, slice_key
from .leveltable import is_table, read_table

# TensorFlow's numbers of types. bfloat16 (14) becomes float32, which holds every value of it.
KINDS: Mapping[int, str] = MappingProxyType(
    {
        1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 8: "<c8", 9: "<i8", 10: "?", 14: "<u2", 17: "<u2",
        18: "<c16", 19: "<f2", 22: "<u4", 23: "<u8",
    }
)  # fmt: skip
STRING, BFLOAT16, BOOL = 7, 14, 10
MOST_SLICES = 1000


class Bundle:
    """An open checkpoint; the index is read, the variables are not.

    Attributes:
        prefix: of its files.
        entries: every variable's, by name, those of strings too.
    """

    def __init__(self, prefix: str | os.PathLike[str]):
        """Read the index.

        Args:
            prefix: the common beginning of the files' names; one of the files; or a folder that holds one checkpoint.

        Raises:
            DataError: there is no such checkpoint, it has the first format (one file), or its index is broken.
        """
        self.prefix = bundle_prefix(Path(prefix))
        index = Path(f"{self.prefix}.index")
        what = str(index)
        if not index.exists():
            if is_table(self.prefix):
                raise DataError(
                    f"{self.prefix} is a TensorFlow checkpoint of the first format (V1, one file), of which nothing is "
                    "read here; load it with tf.train.Saver and save it again, with write_version=tf.train.SaverDef.V2"
                )
            raise DataError(f"there is no checkpoint {self.prefix}: it would have a file {index.name}")
        table = read_table(index)
        if b"" not in table:
            raise DataError(f"{what} is no index of a TensorFlow checkpoint: it has no header")
        self._shards = read_header(table.pop(b""), what)
        self._table, self._what = table, what
        self.entries: dict[str, VariableEntry] = {}
        for key, value in table.items():
            if key.startswith(b"\x00"):  # a slice
                continue
            try:
                name = key.decode()
            except UnicodeDecodeError:
                raise DataError(f"{what} is broken: the name of a variable is no text") from None
            self.entries[name] = read_entry(value, what)

    def read(self, name: str) -> np.ndarray:
        """A variable, in memory of its own.

        Raises:
            KeyError: there is none of this name.
            DataError: it is of a type that is not read, lies beyond the end of its shard, or its checksum is another.
        """
        entry = self.entries[name]
        self.refuse_more([name])
        if not entry.slices:
            return self._data(name, entry)
        parts = list(self._parts(name, entry))
        if sum(math.prod(part.shape) for _, part in parts) != math.prod(entry.shape) or _overlap(
            [place for place, _ in parts]
        ):
            raise DataError(f"{self._what}: the slices of {name:.120} do not make up its shape {entry.shape}")
        first = self._data(name, parts[0][1])
        whole = np.empty(entry.shape, first.dtype)
        for place, part in parts:
            whole[place] = self._data(name, part)
        return whole

    def refuse_more(self, names: Iterable[str]) -> None:
        """Refuse variables that take more bytes than there are, so that an index of a few bytes cannot fill the memory.

        Raises:
            DataError: they do.
        """
        wanted = 0
        for name in names:
            entry = self.entries[name]
            for part in [part for _, part in self._parts(name, entry)] if entry.slices else [entry]:
                what = f"{self.prefix}: the variable {name:.120}"
                if part.kind not in KINDS:
                    raise DataError(f"{what} has TensorFlow's type {part.kind}, which is not read here")
                if math.prod(part.shape) * np.dtype(KINDS[part.kind]).itemsize != part.size:
                    raise DataError(f"{what} has {part.size:,} bytes, which do not fit its shape {part.shape}")
                wanted += part.size
        paths = (shard_of(self.prefix, number, self._shards) for number in range(self._shards))
        if wanted > (held := sum(path.stat().st_size for path in paths if path.is_file())):
            raise DataError(
                f"{self.prefix} is broken or cut off: its variables take {wanted:,} bytes, and its shards have {held:,}"
            )

    def _parts(self, name: str, entry: VariableEntry) -> Iterator[tuple[tuple[slice, ...], VariableEntry]]:
        if len(entry.slices) > MOST_SLICES:
            raise DataError(f"{self._what}: {name:.120} has {len(entry.slices)} slices; at most {MOST_SLICES} are read")
        for extents in entry.slices:
            value = self._table.get(slice_key(name.encode(), extents))
            if value is None or len(extents) != len(entry.shape):
                raise DataError(f"{self._what} is broken: a slice of {name:.120} is missing")
            part = read_entry(value, self._what)
            ends = [
                (start, size if length == WHOLE else start + length)
                for (start, length), size in zip(extents, entry.shape, strict=True)
            ]
            if (
                part.slices
                or part.kind != entry.kind
                or part.shape != tuple(end - start for start, end in ends)
                or any(end > size for (_, end), size in zip(ends, entry.shape, strict=True))
            ):
                raise DataError(f"{self._what} is broken: a slice of {name:.120} does not fit into its shape")
            yield tuple(slice(start, end) for start, end in ends), part

    def _data(self, name: str, entry: VariableEntry) -> np.ndarray:
        what = f"{self.prefix}: the variable {name:.120}"
        raw = self._bytes(entry, what)
        try:
            found = raw.view(KINDS[entry.kind]).reshape(entry.shape)
        except ValueError:
            raise DataError(f"{what} has the impossible shape {entry.shape}") from None
        if entry.kind == BFLOAT16:
            return (found.astype(np.uint32) << 16).view(np.float32)
        return raw.reshape(entry.shape) != 0 if entry.kind == BOOL else found

    def _bytes(self, entry: VariableEntry, what: str) -> np.ndarray:
        """The bytes of an entry, uint8 ``(size,)``, which its checksum fits."""
        if not entry.shard < self._shards:
            raise DataError(f"{what} lies in shard {entry.shard}, but there are {self._shards}; its index is broken")
        path = shard_of(self.prefix, entry.shard, self._shards)
        try:
            with reading.open_to_read(path) as file:
                if entry.offset + entry.size > os.fstat(file.fileno()).st_size:
                    raise DataError(f"{what} lies beyond the end of {path.name}, which is cut off; copy it again")
                file.seek(entry.offset)
                raw = np.fromfile(file, np.uint8, entry.size)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}; {what} lies in it") from None
        if len(raw) != entry.size or (entry.size and masked(crc32c(raw)) != entry.checksum):
            raise DataError(f"{what} is broken: its checksum is another; copy or download {path.name} again")
        return raw


def read_bundle(prefix: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All variables of a TensorFlow checkpoint of the second format (V2), without TensorFlow.

    Args:
        prefix: what the names of its files begin with, ``PREFIX.index`` and ``PREFIX.data-00000-of-00001`` …; one of
            these files; or a folder that holds one checkpoint.

    Returns:
        Arrays by the variables' names, in the machine's own memory. Partitioned variables are joined, bfloat16 becomes
        float32 (which holds its values exactly), and variables of strings are left out.

    Raises:
        DataError: there is no such checkpoint, it has the first format (V1), or a file of it is broken, cut off or
            claims more than the shards hold.
    """
    bundle = Bundle(prefix)
    names = [name for name, entry in bundle.entries.items() if entry.kind != STRING]
    bundle.refuse_more(names)
    return {name: bundle.read(name) for name in names}


def shard_of(prefix: Path, number: int, count: int) -> Path:
    """The file of a shard."""
    return Path(f"{prefix}.data-{number:05d}-of-{count:05d}")


def bundle_prefix(path: Path) -> Path:
    """The prefix of a checkpoint, from the prefix, from one of its files, or from the folder that holds it.

    Raises:
        DataError: a folder holds none or several.
    """
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) != 1:
            raise DataError(f"{path} is a folder with {len(found)} checkpoints of TensorFlow; give one, PREFIX.index")
        return found[0].with_suffix("")
    if path.suffix == ".index":
        return path.with_suffix("")
    return path.with_suffix("") if path.suffix.startswith(".data-") else path


def is_bundle(path: Path) -> bool:
    """Whether a path names a checkpoint of TensorFlow, of either format."""
    try:
        prefix = bundle_prefix(path)
    except DataError:
        return False
    return Path(f"{prefix}.index").is_file() or (prefix.is_file() and is_table(prefix))


def _overlap(places: list[tuple[slice, ...]]) -> bool:
    return any(
        all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))
        for at, one in enumerate(places)
        for other in places[:at]
    )
