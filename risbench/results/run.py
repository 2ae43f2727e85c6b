"""A finished run: its header, rows, masks and summary, read back from its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets.split import Split
from ..errors import DataError, MaskError
from ..io.jsonfile import read_record
from ..metrics.coverage import cautions
from ..plain import counted
from . import jsonlines, schema
from .columns.maskcoverage import coverage_in
from .columns.rowcolumns import RowColumns
from .columns.rowreading import read_columns
from .folder import COST, HEADER, MASKS, ROWS, SCHEMA, SUMMARY
from .header import Header, TruthRecord
from .jsonrecord import from_json, kinds_of, to_json
from .kinds import check
from .rows import Row, read_rows

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """One run folder.

    Attributes:
        path: the folder.
        header: how the run was made, as ``header.json`` has it; `about` is the same with types.
        summary: its numbers; docs/architecture.md lists the keys.
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
        header = read_header(path / HEADER)
        if not (path / SUMMARY).is_file():
            shards = path / "shards"
            step = f"`risbench merge {path}`" if shards.is_dir() else "give its command again with --out to continue"
            raise DataError(f"{path} is not finished (no {SUMMARY}): {step}")
        summary = _of_this_schema(path / SUMMARY)
        check(summary, schema.SUMMARY, str(path / SUMMARY))
        schema.check_metrics(summary["metrics"], str(path / SUMMARY), "metrics")
        if not header["provenance"]:
            raise DataError(f"{path / HEADER}: provenance is empty, so it is not what a run writes")
        return Run(path, header, summary)

    def __repr__(self) -> str:
        from .export.notebook import headline

        return f"<Run of {headline(self)}; {self.path}>"

    def _repr_html_(self) -> str:
        from .export.notebook import html_of

        return html_of(self)

    def to_frame(self, split: Split | None = None, data_root: str | Path | None = None) -> pandas.DataFrame:
        """The run as a pandas table: a line for each expression, in the split's order.

        The columns are ids (``id``, ``image_id``, ``ref_id``, ``sent_id``), what the split knows (``text``,
        ``category``, ``area``: the share of the image that the true mask covers, ``words``: how many) and the scores as
        `rows` has them (``iou``, ``hit_box``, ``hit_mask``, ``box_iou``, …). Absent values are pandas' missing ones.
        ``text`` is the sample's own, also where a control gave the method another.

        Args:
            split: the run's split, if it is loaded already.
            data_root: where the split lies; by default where the run found it. If it is not there any more, what comes
                from the split is missing, and a `DataWarning` says why.

        Raises:
            UsageError: ``split`` is not the run's split, or lacks some of its expressions.
            DataError: a row is broken, or ``data_root`` does not hold the run's split.
        """
        from .export.table import frame_of

        return frame_of(self, split, data_root)

    @property
    def about(self) -> Header:
        """The header, typed."""
        return from_json(Header, self.header)

    def rows(self) -> list[Row]:
        """All rows, in the split's order.

        Raises:
            DataError: a row is broken, or there are more or fewer than the summary counts.
        """
        rows = list(read_rows(self.path / ROWS))
        self.refuse_other_count(ROWS, len(rows))
        return rows

    def columns(self) -> RowColumns:
        """What statistics read of all rows, in the split's order, in a tenth of the memory of `rows`.

        Raises:
            DataError: a row is broken, or there are more or fewer than the summary counts.
        """
        columns = read_columns(self.path / ROWS)
        self.refuse_other_count(ROWS, len(columns))
        return columns

    def masks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Sample id and parsed line of every mask, in the split's order.

        Raises:
            DataError: a line is broken, or (after the last) there are more or fewer than the summary counts.
        """
        count = 0
        for number, line in jsonlines.read(self.path / MASKS):
            if not isinstance(line.get("id"), str):
                raise DataError(f"{self.path / MASKS}, line {number}: no 'id'")
            count += 1
            yield line["id"], line
        self.refuse_other_count(MASKS, count)

    def cautions(self) -> list[str]:
        """The warnings to print with this run's figures, each a sentence without its full stop.

        They are about masks of the whole image, empty masks and unused thresholds (`risbench.metrics.coverage`), and
        about points, boxes and sizes (`risbench.methods.geometry`). Missing or broken masks give no warning here,
        because every function that needs them refuses them.
        """
        try:
            coverage = coverage_in(self.path / MASKS)
        except (DataError, MaskError):
            return self.odd_predictions()
        found = cautions(coverage, to_json(self.about.rules), self.about.method.card)
        return [*found, *self.odd_predictions()]

    def cost(self) -> list[dict[str, Any]]:
        """The cost of each part of the run; empty if no method was run."""
        file = self.path / COST
        parts = read_record(file) if file.exists() else []
        check(parts, schema.COST, str(file))
        return parts

    def odd_predictions(self) -> list[str]:
        """The stored warnings about points, boxes and heats of each part; see `risbench.methods.geometry`."""
        found = [line for part in self.about.provenance for line in part.cautions]
        return list(dict.fromkeys(found))

    def refuse_other_count(self, file: str, count: int) -> None:
        """Refuse a file that was cut off exactly between two lines, and so looks complete.

        Raises:
            DataError: it has more or fewer lines than the summary counts.
        """
        if count != self.summary["count"]:
            raise DataError(
                f"{self.path / file}: holds {counted(count, 'line')}, the summary counts "
                f"{counted(self.summary['count'], 'expression')}: it "
                "was cut off or is of another run; give the run's command again with --out to repair it"
            )


def read_header(file: Path) -> dict[str, Any]:
    """A header that was checked, as it stands in its file; see `risbench.results.header.Header`.

    Raises:
        DataError: it is of another schema, or not what a run writes.
    """
    found = _of_this_schema(file)
    truth = found.get("truth")
    if truth is not None:
        try:
            check(truth, kinds_of(TruthRecord), str(file), "truth")
        except DataError:
            raise DataError(f"{file}: its 'truth' is not what a run writes") from None
    check(found, schema.HEADER, str(file))
    return found


def _of_this_schema(file: Path) -> dict[str, Any]:
    """The object in a file; what is made by hand is often a list."""
    found = read_record(file)
    number = found.get("schema") if isinstance(found, dict) else None
    if number != SCHEMA:
        raise DataError(f"{file} has schema {number!r:.40}; this version reads {SCHEMA}")
    return found
