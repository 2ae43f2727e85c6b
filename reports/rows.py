"""The rows of runs, one line for each expression, as CSV, JSON lines or Parquet, with their types."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from risbench import RisbenchError, Run, UsageError
from risbench.results.export.table import COLUMNS, column_of, records_of
from risbench.results.jsonlines import replace_bytes
from risbench.statistics.changes import change_texts
from risbench.statistics.comparable import truth_name

from .tables.as_csv import harmless

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
    read = [(run, run.rows()) for run in runs]
    records = [
        {**_about(run), **record, "truth": truth_name(run) if run.about.truth else None}
        for run, rows in read
        for record in records_of(run, rows, data_root=data_root)
    ]
    changed = [" ".join(change_texts(run, rows)) for run, rows in read]
    if any(changed):  # the column is added only if it is not empty
        each = (text for text, (_, rows) in zip(changed, read, strict=True) for _ in rows)
        records = [{**record, "changed": text or None} for record, text in zip(records, each, strict=True)]
    if out is None:
        return _csv(records).rstrip("\n")
    writers = {".csv": lambda: _csv(records).encode(), ".jsonl": lambda: _jsonl(records), ".parquet": None}
    write = writers[out.suffix]
    replace_bytes(out, _parquet(records) if write is None else write())
    return None


def _about(run: Run) -> dict[str, Any]:
    summary = run.summary
    return {
        "method": summary["method"],
        "split": summary["split"],
        "rules": summary["rules"]["name"],
        "run": run.path.name,
    }


def _csv(records: Sequence[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = _names(records)
    writer.writerow(names)
    for record in records:
        writer.writerow([_cell(record[name]) for name in names])
    return stream.getvalue()


def _names(records: Sequence[dict[str, Any]]) -> list[str]:
    return [name for name in _TYPES if name != "changed" or (records and name in records[0])]


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return harmless(value)
    return "" if value is None else value  # a float prints with all its digits


def _jsonl(records: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _parquet(records: Sequence[dict[str, Any]]) -> bytes:
    try:
        import pyarrow  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise RisbenchError("Parquet needs pyarrow: pip install 'risbench[parquet]'") from None
    names = ("string", "int64", "float64")
    kinds = {**{name: getattr(pyarrow, name)() for name in names}, "bool": pyarrow.bool_()}
    arrays = {}
    for name in _names(records):
        values, kind = column_of(_TYPES[name], [record[name] for record in records])
        arrays[name] = pyarrow.array(values, kinds[kind])
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(arrays), sink)
    return sink.getvalue().to_pybytes()
