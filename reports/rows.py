"""The rows of runs, one line for each expression, as CSV, JSON lines or Parquet, with their types."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from risbench import RisbenchError, Run, UsageError
from risbench.datasets.annotations.sampleids import SampleIds
from risbench.results.export.table import COLUMNS, column_of, records_of
from risbench.results.folder import ROWS
from risbench.results.jsonlines import encoded, replace_with
from risbench.results.rows import read_rows
from risbench.statistics.changes import change_texts
from risbench.statistics.comparable import truth_name

from .tables.escapes import harmless

_PIECE = 1 << 14  # lines that are written together
_SUFFIXES = (".csv", ".jsonl", ".parquet")
# The type of each column in Parquet.
_TYPES = {
    **dict.fromkeys(("method", "split", "rules", "run"), "string"),
    **COLUMNS,
    "truth": "string",
    "changed": "string",  # what was changed by hand in the run's folder; the column is absent if nothing was
}


def render(
    runs: Sequence[Run], *, out: Path | None = None, metrics: str | None = None, data_root: Path | None = None
) -> str | None:
    """All rows of some runs, each with its run, split and rules. Without ``out``, CSV is returned.

    The columns from ``id`` to ``missing`` are those of `risbench.Run.to_frame`. If a run's split is not at hand, its
    texts, categories, areas and words are empty, with a warning; ``data_root`` says where the split lies.

    Raises:
        UsageError: ``out`` has another suffix.
        RisbenchError: pyarrow is missing for Parquet.
        DataError: a row is broken, or ``data_root`` does not hold the split of a run.
    """
    if out is not None and out.suffix not in _SUFFIXES:
        raise UsageError(f"{out}: rows are written as {', '.join(_SUFFIXES)}")
    ids, changed = [], []
    for run in runs:
        columns = run.columns()
        ids.append(columns.ids)
        changed.append(" ".join(change_texts(run, columns)))
        del columns  # before those of the next run are read
    names = [name for name in _TYPES if name != "changed" or (any(changed) and any(map(len, ids)))]
    records = _records(runs, ids, changed, data_root)
    # The first line is made before a file or folder is: a split that is not at hand is refused there.
    records = chain(list(islice(records, 1)), records)
    if out is None:
        return "".join(_csv(records, names)).rstrip("\n")
    if out.suffix == ".parquet":
        _refuse_without_parquet()
    writers = {
        ".csv": lambda file: _write(file, _csv(records, names)),
        ".jsonl": lambda file: _write(file, _jsonl(records, names)),
        ".parquet": lambda file: _parquet(file, records, names, _kinds_of_ids(runs)),
    }
    replace_with(out, writers[out.suffix])
    return None


def _records(
    runs: Sequence[Run], ids: Sequence[SampleIds], changed: Sequence[str], data_root: Path | None
) -> Iterator[dict[str, Any]]:
    """The lines of all runs one after the other."""
    for run, mine, text in zip(runs, ids, changed, strict=True):
        about, more = _about(run), {"truth": truth_name(run) if run.about.truth else None, "changed": text or None}
        for record in records_of(run, read_rows(run.path / ROWS), mine, data_root=data_root):
            yield {**about, **record, **more}


def _about(run: Run) -> dict[str, Any]:
    summary = run.summary
    return {
        "method": summary["method"],
        "split": summary["split"],
        "rules": summary["rules"]["name"],
        "run": run.path.name,
    }


def _write(file: BinaryIO, texts: Iterable[str]) -> None:
    for text in texts:
        file.write(encoded(text))


def _csv(records: Iterator[dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    """The file's text in pieces."""
    lines: Iterator[Sequence[Any]] = ([_cell(record[name]) for name in names] for record in records)
    lines = chain([names], lines)
    while piece := list(islice(lines, _PIECE)):
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(piece)
        yield stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return harmless(value)
    return "" if value is None else value  # a float prints with all its digits


def _jsonl(records: Iterator[dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    for record in records:
        yield json.dumps({name: record[name] for name in names}, ensure_ascii=False) + "\n"


def _refuse_without_parquet() -> None:
    try:
        import pyarrow.parquet  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise RisbenchError("Parquet needs pyarrow: pip install 'risbench[parquet]'") from None


def _kinds_of_ids(runs: Sequence[Run]) -> dict[str, str]:
    """The type of each column of ids: that of all runs together."""
    kinds = dict.fromkeys((name for name, kind in _TYPES.items() if kind == "id"), "int64")
    for run in runs:
        for row in read_rows(run.path / ROWS):
            for name in kinds:
                if column_of("id", [getattr(row, name)])[1] != "int64":
                    kinds[name] = "string"
    return kinds


def _parquet(
    file: BinaryIO, records: Iterator[dict[str, Any]], names: Sequence[str], of_ids: Mapping[str, str]
) -> None:
    import pyarrow  # pyright: ignore[reportMissingImports]
    import pyarrow.parquet  # pyright: ignore[reportMissingImports]

    known = {**{name: getattr(pyarrow, name)() for name in ("string", "int64", "float64")}, "bool": pyarrow.bool_()}
    kinds = {name: of_ids.get(name, _TYPES[name]) for name in names}
    schema = pyarrow.schema([(name, known[kind]) for name, kind in kinds.items()])
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        while piece := list(islice(records, _PIECE)):
            columns = {name: [record[name] for record in piece] for name in names}
            for name in of_ids:
                if kinds[name] == "string":
                    columns[name] = [str(value) for value in columns[name]]
            writer.write_table(
                pyarrow.table([pyarrow.array(columns[name], known[kinds[name]]) for name in names], schema=schema)
            )
