"""A finished run: its header, rows, masks and summary, read back from its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from . import jsonlines
from .folder import COST, HEADER, MASKS, ROWS, SCHEMA, SUMMARY, read_json, read_rows
from .rows import Row


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder.

    Attributes:
        path: the folder.
        header: how the run was made.
        summary: its numbers; see DESIGN for the keys.
    """

    path: Path
    header: dict[str, Any]
    summary: dict[str, Any]

    @staticmethod
    def load(folder: str | Path) -> Run:
        """Read a complete run folder.

        Raises:
            DataError: not a run folder, an unfinished one, or one of another schema.
        """
        path = Path(folder)
        if not (path / HEADER).is_file():
            raise DataError(f"{path} is not a run folder: it has no {HEADER}")
        header = _object(path / HEADER, ("method", "rules", "split", "texts", "limit", "shard", "data_root"))
        _refuse_odd_truth(path / HEADER, header.get("truth"))
        if not (path / SUMMARY).is_file():
            shards = path / "shards"
            step = f"`risbench merge {path}`" if shards.is_dir() else "give its command again with --out to continue"
            raise DataError(f"{path} is not finished (no {SUMMARY}): {step}")
        return Run(path, header, _object(path / SUMMARY, ("method", "split", "rules", "texts", "count", "metrics")))

    def rows(self) -> list[Row]:
        """All rows, in the split's order."""
        return list(read_rows(self.path / ROWS))

    def masks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Sample id and parsed line of every mask, in the split's order."""
        for number, line in jsonlines.read(self.path / MASKS):
            if not isinstance(line.get("id"), str):
                raise DataError(f"{self.path / MASKS}, line {number}: no 'id'")
            yield line["id"], line

    def cost(self) -> list[dict[str, Any]]:
        """What each part of the run took; empty where nothing was run."""
        return read_json(self.path / COST) if (self.path / COST).exists() else []


def _refuse_odd_truth(file: Path, truth: Any) -> None:
    """What says which masks were the truth must be whole; runs of before there were others have no such key."""
    kinds = {"file": str, "sha256": str, "replaces": int, "of": int, "only": bool}
    if truth is not None and not (
        isinstance(truth, dict) and all(isinstance(truth.get(key), kind) for key, kind in kinds.items())
    ):
        raise DataError(f"{file}: its 'truth' is not what a run writes")


def _object(file: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    """A file of this schema with its keys; what is made by hand is often a list, or short of some."""
    found = read_json(file)
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise DataError(f"{file} has schema {schema!r}; this version reads {SCHEMA}")
    if absent := [key for key in needed if key not in found]:
        raise DataError(f"{file} has no {', '.join(absent)}: it is not what a run left")
    return found
