"""A run folder while it is written: locked, appended to, resumed, closed.

Rows and masks are appended image by image, the masks first, so an expression is done when both files have it. Half a
line or masks without rows, which a killed process may leave, are removed when the folder is opened. Closing rewrites
both files in the split's order and writes the summary last: a folder with ``summary.json`` is complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..datasets.annotations.sampleids import SampleIds
from ..errors import DataError, RisbenchError, UsageError
from ..io import atomic, plainfiles
from ..io.jsonfile import read_record
from ..plain import plain
from . import jsonlines, origin, schema
from .columns.keptrows import KeptRows
from .columns.rowcolumns import RowColumns
from .columns.rowreading import read_columns
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
        header: the content of ``header.json``, which may not be written yet.
        rows: what is kept of the rows that are done.
        complete_since: when the run in the folder was finished (UTC), if nothing was added since; else None.
        has_unknown_rows: whether some rows were made by code that was not recorded.
    """

    def __init__(self, path: Path, header: Header, mode: Mode = "continue") -> None:
        """Open a folder, new or to be continued.

        Args:
            path: the folder; made if absent.
            header: of the run about to be made; ``provenance`` holds this part's.
            mode: ``continue`` continues the same run with the same code; ``anew`` makes the same run again, with any
                code; ``overwrite`` replaces any run that is there.

        Raises:
            RisbenchError: another process is writing there, a file is broken, or a file is a link.
            UsageError: the folder holds another run (the message has the first difference) or a run by other code; or
                it should be overwritten but is not a run folder.
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
        """Remove the files of the run and nothing else; the summary first, so that a killed process leaves no folder
        that looks complete."""
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
        """The header with the provenance of all parts so far, and whether the run begins with this part."""
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
            raise DataError(f"{file}: its provenance is not a list, so no run wrote it; give another --out")
        check(parts, schema.HEADER["provenance"], str(file), "provenance")
        before = tuple(from_json(PartRecord, part) for part in parts)
        return replace(merged, provenance=(*before, *merged.provenance)), mode == "anew"

    def _finished(self) -> str | None:
        """When the run was finished: by its provenance, else by the time of the summary file; None if it was not."""
        try:
            written = (self.path / SUMMARY).stat().st_mtime
        except OSError:
            return None
        noted = [part.finished for part in self.header.provenance[:-1] if part.finished is not None]
        return plain(max(noted), 40) if noted else datetime.fromtimestamp(written, UTC).strftime(TIME)

    def _write_header(self) -> None:
        jsonlines.replace_own(self.path / HEADER, json.dumps(to_json(self.header), indent=2, ensure_ascii=False) + "\n")
        self._is_header_written = True

    def _done(self) -> KeptRows:
        rows, masks = self.path / ROWS, self.path / MASKS
        for file in (rows, masks):
            try:
                atomic.make_own(file)
            except OSError as error:
                raise jsonlines.full(file, error) from error
            jsonlines.cut_half_line(file)
        masked = SampleIds.of(jsonlines.ids_in(masks) if masks.exists() else ())
        stored = read_columns(rows) if rows.exists() else RowColumns.of([])
        # While nothing was stored before, the n-th line of either file is that of the n-th row.
        self._is_paired = not len(stored) and not len(masked)
        self._stored = (stored.ids, masked) if self.complete_since is not None else ()
        once = stored.once()
        is_masked = once.ids.places_in(masked) >= 0
        return KeptRows(once if is_masked.all() else once.take(np.flatnonzero(is_masked)))

    def clear(self) -> None:
        """Delete rows and masks, to start again."""
        self.rows = KeptRows()
        self._is_paired = True
        self._changes()
        for name in (ROWS, MASKS):
            (self.path / name).unlink(missing_ok=True)

    def take_over(self, folders: Sequence[Path]) -> None:
        """Begin with the rows and masks of other finished folders, one after the other, in place of its own.

        Raises:
            DataError: a row is broken; the message has its file and number.
        """
        self.clear()
        for name in (MASKS, ROWS):
            jsonlines.join([folder / name for folder in folders], self.path / name)
        self.rows = KeptRows(read_columns(self.path / ROWS))
        self._is_paired = False  # the files came from elsewhere

    def forget(self) -> None:
        """Delete everything that was written, and the folder if nothing else is in it."""
        self.clear()
        for name in (HEADER, ".lock"):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    def append(self, rows: Sequence[Row], masks: Sequence[str]) -> None:
        """Append an image's rows and mask lines; the folder is then not complete until it is closed."""
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
        """Add the cost of this part of the run."""
        file = self.path / COST
        parts = read_record(file) if file.exists() else []
        jsonlines.replace_own(file, json.dumps([*parts, dict(cost)], indent=2) + "\n")

    def _refuse_broken_cost(self) -> None:
        """Refuse a broken ``cost.json`` before the work, because the cost is added to it after the work.

        Raises:
            DataError: ``cost.json`` is not what a run writes.
        """
        file = self.path / COST
        try:
            check(read_record(file) if file.exists() else [], schema.COST, str(file), "it")
        except RisbenchError as error:
            step = "remove it (it holds only times and memory), and give the command again"
            raise DataError(f"{error}; {step}") from None

    def note_facts(self, facts: Mapping[str, Any]) -> None:
        """Add facts that a method reports (texts that it cut, batches that it halved) to this part's provenance."""
        self._note(facts=dict(facts))

    def note_cautions(self, cautions: Sequence[str]) -> None:
        """Add warnings about this part's predictions to its provenance; they are shown with the figures."""
        if cautions:
            self._note(cautions=tuple(cautions))

    def _note(self, **values: Any) -> None:
        """Write something into this part's provenance."""
        *before, part = self.header.provenance
        self.header = replace(self.header, provenance=(*before, replace(part, **values)))
        self._write_header()

    def close(self, order: SampleIds, summary: Mapping[str, Any]) -> None:
        """Sort rows and masks in the split's order and write the summary; files that are already so are not written.

        Args:
            order: the ids of the split's samples, among which are those of all rows.
            summary: of all rows.
        """
        found = self.rows.columns().ids
        turn = np.argsort(found.places_in(order), kind="stable")
        # Most runs are made in one part, and need their ids in no order.
        ids = found if self._is_paired else found.take(turn)
        if self.complete_since is not None and all(stored.same(ids) for stored in self._stored):
            with suppress(RisbenchError):
                if read_record(self.path / SUMMARY) == json.loads(json.dumps(summary)):
                    return
        for name in (MASKS, ROWS):
            jsonlines.append(self.path / name, [])  # A shard without images has empty files.
            if self._is_paired:
                jsonlines.reorder(self.path / name, turn)
            else:
                jsonlines.put_in_order(self.path / name, ids)
        if self.complete_since is None:
            # The parts of a merged run were finished before.
            finished = self.header.provenance[-1].finished
            self._note(finished=datetime.now(UTC).strftime(TIME) if finished is None else finished)
        jsonlines.replace_own(self.path / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def _refuse_strange(path: Path) -> None:
    """Refuse to overwrite a folder that is not a run: its header is another file, or it has files but no header.

    Raises:
        UsageError: the folder is not a run folder.
    """
    try:
        names = {file.name for file in path.iterdir() if not file.name.startswith(".")}
    except OSError:
        return  # It is absent or unreadable; making it raises the better error.
    found = read_record(path / HEADER) if HEADER in names else None
    is_run = isinstance(found, dict) and {"schema", "method", "split", "rules"} <= found.keys()
    if not is_run and (found is not None or names - {SHARDS}):
        raise UsageError(f"{path} is not a run folder, so --overwrite leaves it alone: give another --out")
