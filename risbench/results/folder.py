"""A run folder under work: locked, appended to, resumed, closed.

Rows and masks are appended image by image, the mask first, so an expression is done when both hold it. What a kill
leaves (a half line, masks without rows) is cut away on opening. Closing rewrites both files in the split's order,
whole or not at all, and writes the summary last: a folder with ``summary.json`` is complete.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import reading
from ..errors import DataError, RisbenchError, UsageError
from . import jsonlines
from .rows import Row

SCHEMA = 1
HEADER, ROWS, MASKS, COST, SUMMARY, HEATS = (
    "header.json",
    "rows.jsonl",
    "masks.jsonl",
    "cost.json",
    "summary.json",
    "heats",
)
# What must be equal for a run to be continued; all else in a header tells how and where it was made.
# `refine` is absent from old headers, which is the same as null.
IDENTITY = (
    "schema",
    "method",
    "arguments",
    "texts",
    "refine",
    "rules",
    "split",
    "truth",
    "limit",
    "shard",
    "save_heat",
)


class RunFolder:
    """A folder that this process alone writes to; use it as a context."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Open a folder, new or to be continued.

        Args:
            path: the folder; made if absent.
            header: of the run about to be made; ``provenance`` holds this part's.

        Raises:
            RisbenchError: another process is writing there, or a file is broken.
            UsageError: the folder holds another run, with the first difference.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / ".lock").open("w")
        except OSError as error:
            raise RisbenchError(f"{path}: cannot be made: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise RisbenchError(f"{path}: another process is writing to this folder; give another --out") from None
        try:
            self._sweep()
            self.header = self._continued(header)
            self.rows = self._done()
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> RunFolder:
        """The folder itself."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Release the lock."""
        self._lock.close()

    def _sweep(self) -> None:
        """Take away what a kill left of files that are written beside their place; the lock says nobody needs them."""
        for left in [*self.path.glob(".*.part"), *(self.path / HEATS).glob(".*.part")]:
            left.unlink(missing_ok=True)

    def _continued(self, header: Mapping[str, Any]) -> dict[str, Any]:
        file = self.path / HEADER
        # As it reads back from the file: tuples as lists, keys as text.
        merged = json.loads(json.dumps(header))
        if file.exists():
            old = read_json(file)
            refuse_another(self.path, old, merged)
            merged["provenance"] = [*old.get("provenance", []), *merged.get("provenance", [])]
        elif (self.path / ROWS).exists():
            raise UsageError(f"{self.path} holds {ROWS} but no {HEADER}: not a run folder; give another --out")
        jsonlines.replace(file, json.dumps(merged, indent=2, ensure_ascii=False) + "\n")
        return merged

    def _done(self) -> list[Row]:
        rows, masks = self.path / ROWS, self.path / MASKS
        jsonlines.cut_half_line(rows)
        jsonlines.cut_half_line(masks)
        masked = {line.get("id") for _, line in jsonlines.read(masks)} if masks.exists() else set()
        found = {row.id: row for row in read_rows(rows)} if rows.exists() else {}
        return [row for row in found.values() if row.id in masked]

    def clear(self) -> None:
        """Forget rows and masks, to begin anew."""
        self.rows = []
        for name in (ROWS, MASKS, SUMMARY):
            (self.path / name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Take back everything that was written, and the folder if nothing else lies in it."""
        self.clear()
        for name in (HEADER, ".lock"):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    def append(self, rows: Sequence[Row], masks: Sequence[str]) -> None:
        """Add an image's rows and mask lines; what is added to is not complete."""
        (self.path / SUMMARY).unlink(missing_ok=True)
        jsonlines.append(self.path / MASKS, masks)
        jsonlines.append(self.path / ROWS, [row.as_line() for row in rows])
        self.rows.extend(rows)

    def add_cost(self, cost: Mapping[str, Any]) -> None:
        """Add what this part of the run took."""
        file = self.path / COST
        parts = read_json(file) if file.exists() else []
        jsonlines.replace(file, json.dumps([*parts, dict(cost)], indent=2) + "\n")

    def note_facts(self, facts: Mapping[str, Any]) -> None:
        """Add what a method learnt while running (texts it cut, batches it halved) to this part's provenance."""
        self.header["provenance"][-1]["facts"] = dict(facts)
        jsonlines.replace(self.path / HEADER, json.dumps(self.header, indent=2, ensure_ascii=False) + "\n")

    def note_cautions(self, cautions: Sequence[str]) -> None:
        """Add what is odd about this part's predictions to its provenance, to be shown beside the figures."""
        if cautions:
            self.header["provenance"][-1]["cautions"] = list(cautions)
            jsonlines.replace(self.path / HEADER, json.dumps(self.header, indent=2, ensure_ascii=False) + "\n")

    def close(self, order: Mapping[str, int], summary: Mapping[str, Any]) -> None:
        """Put rows and masks in the split's order and write the summary.

        Args:
            order: each sample id's place.
            summary: of all rows.
        """
        self.rows.sort(key=lambda row: order[row.id])
        jsonlines.append(self.path / MASKS, [])  # A shard without images has nothing to say, in a file like any other.
        jsonlines.replace(self.path / ROWS, "".join(row.as_line() + "\n" for row in self.rows))
        put_in_order(self.path / MASKS, [row.id for row in self.rows])
        jsonlines.replace(self.path / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def refuse_another(path: Path, old: Any, new: Mapping[str, Any]) -> None:
    """Refuse to mix two runs.

    Raises:
        UsageError: the folder's header is that of another run, with the first difference.
    """
    if not isinstance(old, dict):
        raise UsageError(f"{path / HEADER} is not a run's header; give another --out")
    for key in IDENTITY:
        if old.get(key) != new.get(key):
            raise UsageError(
                f"{path} holds another run: {_difference(key, old.get(key), new.get(key))}; "
                "give another --out, or the same command to continue it"
            )


def put_in_order(path: Path, ids: Iterable[str]) -> None:
    """Rewrite a file of lines with ids in the order given; the last of several with one id stays.

    Raises:
        DataError: a line is broken, with its number, or there is none for an id.
    """
    places: dict[Any, tuple[int, int]] = {}
    place = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                places[jsonlines.object_in(raw, path, number).get("id")] = (place, len(raw))
            place += len(raw)
        wanted = list(ids)
        if absent := next((name for name in wanted if name not in places), None):
            raise DataError(f"{path}: has no line for {absent}")
        temporary = path.with_name(f".{path.name}.part")
        try:
            with temporary.open("wb") as out:
                for name in wanted:
                    start, length = places[name]
                    file.seek(start)
                    out.write(file.read(length))
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise jsonlines.full(path, error) from error


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        RisbenchError: absent, broken, or larger than such a file can be.
    """
    try:
        return json.loads(reading.read_bytes(path, reading.RECORD_BYTES, "a record of a run").decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RisbenchError(f"{path}: not JSON: {error}") from None


def read_rows(path: Path) -> Iterable[Row]:
    """The rows of a file, in its order."""
    for number, line in jsonlines.read(path):
        yield Row.from_json(line, f"{path}, line {number}")


def _difference(key: str, old: Any, new: Any) -> str:
    """The first place where two values of a header differ, in words."""
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in dict.fromkeys([*old, *new]):
            if old.get(inner) != new.get(inner):
                return _difference(f"{key}.{inner}", old.get(inner), new.get(inner))
    return f"its {key} is {_short(old)}, this command's is {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
