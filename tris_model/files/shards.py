"""Weights in several files (shards) with an index, as transformers and accelerate write them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from risbench.errors import DataError
from risbench.plain import plain

INDEX = ".index.json"
_SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})(\.\w+)")
_MOST_BYTES = 64 << 20  # the index of the largest published model has 10 MB


def is_index(path: Path) -> bool:
    """Whether a path is an index of shards."""
    return path.name.endswith(INDEX)


def index_of(path: Path) -> Path | None:
    """The index of a shard; None if the file is not a shard.

    Raises:
        DataError: the file is a shard, and its index is not in the same folder.
    """
    match = _SHARD.fullmatch(path.name)
    if match is None or int(match[2]) < 2:
        return None
    index = path.with_name(f"{match[1]}{match[3]}{INDEX}")
    if not index.exists():
        raise DataError(f"{path} is one of {int(match[2])} shards, and their index {index.name} is not in its folder")
    return index


def shards_of(index: Path) -> Sequence[Path]:
    """The files that an index names, each once, sorted by name.

    Raises:
        DataError: the file is not an index, it names a file outside its folder, or a shard is missing.
    """
    try:
        if index.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES >> 20} MiB")
        found = json.loads(index.read_text(encoding="utf-8"))
        names = sorted({str(name) for name in found["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{index} is not an index of shards ({plain(str(error), 120)}): download it again") from None
    for name in names:
        if Path(name).name != name or name in ("", ".", "..") or "\\" in name or is_index(Path(name)):
            raise DataError(f"{index} names {plain(name, 80)!r}, which is not a file in its folder")
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent or not names:
        gone = plain(", ".join(absent[:3]), 160) or "any"
        raise DataError(f"{index}: {len(absent)} of its {len(names)} shards are missing ({gone}); download them too")
    return [index.parent / name for name in names]
