"""A run folder under work: locked, appended to, resumed, closed.

Rows and masks are appended image by image, the mask first, so an expression is done when both hold it. What a kill
leaves (a half line, masks without rows) is cut away on opening. Closing rewrites both files in the split's order,
whole or not at all, and writes the summary last: a folder with ``summary.json`` is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..errors import DataError, RisbenchError, UsageError
from ..io import atomic, plainfiles
from ..io.jsonfile import read_record
from ..plain import plain
from . import jsonlines, origin, schema
from .header import Header, PartRecord
from .identity import RUN_ANEW, SCORED_ANEW, refuse_another
from .jsonrecord import from_json, to_json
from .kinds import check
from .lock import locked
from .rows import Row

SCHEMA = 1
TIME = "%Y-%m-%dT%H:%M:%SZ"
Mode = Literal["continue", "anew", "overwrite"]
HEADER, ROWS, MASKS, COST, SUMMARY, HEATS, SHARDS = (
    "header.json",
    "rows.jsonl",
    "masks.jsonl",
    "cost.json",
    "summary.json",
    "heats",
    "shards",
)


class RunFolder:
    """A folder that this process alone writes to; use it as a context.

    Attributes:
        path: the folder.
        header: what stands, or will stand, in ``header.json``.
        rows: what is done.
        complete_since: when the run in the folder was finished (UTC), as long as nothing was added to it; else None.
        has_unknown_rows: whether there are rows of which nobody recorded what code made them.
    """

    def __init__(self, path: Path, header: Header, mode: Mode = "continue") -> None:
        """Open a folder, new or to be continued.

        Args:
            path: the folder; made if absent.
            header: of the run about to be made; ``provenance`` holds this part's.
            mode: ``continue`` the same run by the same code; ``anew``, do the same run again, by whatever code;
                ``overwrite`` whatever run is there.

        Raises:
            RisbenchError: another process is writing there, or a file is broken, or a link stands in its place.
            UsageError: the folder holds another run, with the first difference, or one by other code; or it is to be
                overwritten and is no run.
        """
        self.path = path
        if mode == "overwrite":
            _refuse_strange(path)
        self._lock = locked(path)
        try:
            plainfiles.refuse_link(path / HEATS)
            self._sweep()
            if mode == "overwrite":
                self._start_anew()
            self.has_unknown_rows = False
            self.header, is_new = self._continued(header, mode)
            self.complete_since = None if is_new else self._finished()
            if mode == "continue" and self.complete_since is None:
                self._refuse_broken_cost()
            self._is_header_written = False
            if self.complete_since is None:
                self._write_header()
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
        known = [f".{name}.*part" for name in (HEADER, ROWS, MASKS, COST, SUMMARY)]
        for left in [left for pattern in [*known, f"{HEATS}/.*.npz.*part"] for left in self.path.glob(pattern)]:
            with suppress(OSError):
                left.unlink()

    def _start_anew(self) -> None:
        """Remove the run: its own files by their names, and nothing else. The summary goes first: what a kill leaves
        is not complete."""
        _refuse_strange(self.path)
        try:
            for name in (SUMMARY, ROWS, MASKS, COST):
                (self.path / name).unlink(missing_ok=True)
            for file in (self.path / HEATS).glob("*.npz"):
                file.unlink()
            with suppress(OSError):
                (self.path / HEATS).rmdir()
            (self.path / HEADER).unlink(missing_ok=True)
        except OSError as error:
            raise jsonlines.full(self.path, error) from error

    def _continued(self, header: Header, mode: Mode) -> tuple[Header, bool]:
        """The header with the parts so far, and whether the run begins with this part."""
        file = self.path / HEADER
        # As it reads back from the file: tuples as lists, keys as text.
        own = json.loads(json.dumps(to_json(header)))
        merged = from_json(Header, own)
        if not file.exists():
            if (self.path / ROWS).exists():
                raise UsageError(f"{self.path} holds {ROWS} but no {HEADER}: not a run folder; give another --out")
            return merged, True
        old = read_record(file)
        refuse_another(self.path, old, own, SCORED_ANEW if mode == "anew" else RUN_ANEW)
        if mode == "continue":
            origin.refuse_other(self.path, old.get("origin"), merged.origin)
            self.has_unknown_rows = not origin.is_known(old.get("origin"))
            if self.has_unknown_rows:
                merged = replace(merged, origin=origin.with_unknown_rows(merged.origin))
        parts = old.get("provenance", [])
        if not isinstance(parts, list):
            raise DataError(f"{file}: its provenance is no list, so it is not what a run wrote; give another --out")
        check(parts, schema.HEADER["provenance"], str(file), "provenance")
        before = tuple(from_json(PartRecord, part) for part in parts)
        return replace(merged, provenance=(*before, *merged.provenance)), mode == "anew"

    def _finished(self) -> str | None:
        """When the run was finished: as it says itself, else the time of the summary; None if it was not."""
        try:
            written = (self.path / SUMMARY).stat().st_mtime
        except OSError:
            return None
        noted = [part.finished for part in self.header.provenance[:-1] if part.finished is not None]
        return plain(max(noted), 40) if noted else datetime.fromtimestamp(written, UTC).strftime(TIME)

    def _write_header(self) -> None:
        jsonlines.replace_own(self.path / HEADER, json.dumps(to_json(self.header), indent=2, ensure_ascii=False) + "\n")
        self._is_header_written = True

    def _done(self) -> list[Row]:
        rows, masks = self.path / ROWS, self.path / MASKS
        for file in (rows, masks):
            try:
                atomic.make_own(file)
            except OSError as error:
                raise jsonlines.full(file, error) from error
            jsonlines.cut_half_line(file)
        self._stored_masks = [line.get("id") for _, line in jsonlines.read(masks)] if masks.exists() else []
        stored = list(read_rows(rows)) if rows.exists() else []
        self._stored_rows = [row.id for row in stored]
        masked = set(self._stored_masks)
        return [row for row in {row.id: row for row in stored}.values() if row.id in masked]

    def clear(self) -> None:
        """Forget rows and masks, to begin anew."""
        self.rows = []
        self._changes()
        for name in (ROWS, MASKS):
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
        self._changes()
        jsonlines.append(self.path / MASKS, masks)
        jsonlines.append(self.path / ROWS, [row.as_line() for row in rows])
        self.rows.extend(rows)

    def _changes(self) -> None:
        (self.path / SUMMARY).unlink(missing_ok=True)
        self.complete_since = None
        if not self._is_header_written:
            self._write_header()

    def add_cost(self, cost: Mapping[str, Any]) -> None:
        """Add what this part of the run took."""
        file = self.path / COST
        parts = read_record(file) if file.exists() else []
        jsonlines.replace_own(file, json.dumps([*parts, dict(cost)], indent=2) + "\n")

    def _refuse_broken_cost(self) -> None:
        """Refuse before the work what could not be added to after it.

        Raises:
            DataError: ``cost.json`` is not what a run writes.
        """
        file = self.path / COST
        try:
            check(read_record(file) if file.exists() else [], schema.COST, str(file), "it")
        except RisbenchError as error:
            step = "remove it (it holds nothing but what the parts took), and give the command again"
            raise DataError(f"{error}; {step}") from None

    def note_facts(self, facts: Mapping[str, Any]) -> None:
        """Add what a method learnt while running (texts it cut, batches it halved) to this part's provenance."""
        self._note(facts=dict(facts))

    def note_cautions(self, cautions: Sequence[str]) -> None:
        """Add what is odd about this part's predictions to its provenance, to be shown beside the figures."""
        if cautions:
            self._note(cautions=tuple(cautions))

    def _note(self, **values: Any) -> None:
        """Write something into this part's provenance."""
        *before, part = self.header.provenance
        self.header = replace(self.header, provenance=(*before, replace(part, **values)))
        self._write_header()

    def close(self, order: Mapping[str, int], summary: Mapping[str, Any]) -> None:
        """Put rows and masks in the split's order and write the summary; what stands so already is left alone.

        Args:
            order: each sample id's place.
            summary: of all rows.
        """
        self.rows.sort(key=lambda row: order[row.id])
        ids = [row.id for row in self.rows]
        if self.complete_since is not None and self._stored_rows == self._stored_masks == ids:
            with suppress(RisbenchError):
                if read_record(self.path / SUMMARY) == json.loads(json.dumps(summary)):
                    return
        jsonlines.append(self.path / MASKS, [])  # A shard without images has nothing to say, in a file like any other.
        jsonlines.replace_own(self.path / ROWS, "".join(row.as_line() + "\n" for row in self.rows))
        jsonlines.put_in_order(self.path / MASKS, ids)
        if self.complete_since is None:
            # The parts of a merged run were finished before.
            finished = self.header.provenance[-1].finished
            self._note(finished=datetime.now(UTC).strftime(TIME) if finished is None else finished)
        jsonlines.replace_own(self.path / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def _refuse_strange(path: Path) -> None:
    """Refuse to overwrite what is not a run: its header is not ours, or other things lie there without one.

    Raises:
        UsageError: what lies there.
    """
    try:
        names = {file.name for file in path.iterdir() if not file.name.startswith(".")}
    except OSError:
        return  # It is absent, which is said better when it is made.
    found = read_record(path / HEADER) if HEADER in names else None
    is_run = isinstance(found, dict) and {"schema", "method", "split", "rules"} <= found.keys()
    if not is_run and (found is not None or names - {SHARDS}):
        raise UsageError(f"{path} is not a run folder, so --overwrite leaves it alone: give another --out")


def read_rows(path: Path) -> Iterable[Row]:
    """The rows of a file, in its order."""
    for number, line in jsonlines.read(path):
        yield Row.from_json(line, f"{path}, line {number}")
