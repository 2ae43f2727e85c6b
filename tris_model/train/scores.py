"""The end of a training: both networks are scored on validation masks, which were not used for training, in a table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from risbench.io.atomic import write_whole
from risbench.plain import counted
from risbench.running.terminal_table import print_table
from risbench.statistics.summary import with_interval

from ..files.checkpoint import digest
from .loop.journal import writing
from .validation import validate

SHOWN = ("mIoU", "P@0.5", "PointM")


def score_all(out: Path, vals: Mapping[int, str | None], device: torch.device, data_root: Path | None = None) -> None:
    """Score the existing networks, print the table and write ``OUT/scores.json``.

    A network that was scored before is not run again.

    Args:
        out: the folder with ``stage1.safetensors`` and ``stage2.safetensors``.
        vals: the validation split of each stage; None for no score.
        device: the device to compute on.
        data_root: the folder of the data.
    """
    rows: list[dict[str, Any]] = []
    for stage, val in vals.items():
        weights = out / f"stage{stage}.safetensors"
        if val is None or not weights.exists():
            continue
        hashed = digest(weights)
        run = validate(weights, val, out / "scores" / f"stage{stage}-{val}-{hashed[:8]}", device, data_root)
        kept = {key: run.summary[key] for key in ("split", "rules", "count", "partial", "metrics")}
        rows.append({"stage": stage, "weights": str(weights), "sha256": hashed, "run": str(run.path), **kept})
    if rows:
        text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
        with writing(out / "scores.json"):
            write_whole(out / "scores.json", lambda file: file.write(text.encode()))
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto")
    splits = ", ".join(dict.fromkeys(row["split"] for row in rows))
    counts = [counted(row["count"], "expression") + (" (partial)" if row["partial"] else "") for row in rows]
    same = len(set(counts)) == 1
    title = f"TRIS on {splits}: %, with 95 % intervals" + (f"; {counts[0]}" if same else "")
    table = Table(title=title, title_justify="left")
    table.add_column("stage")
    for name in SHOWN:
        table.add_column(name, justify="right")
    if not same:
        table.add_column("scored on", justify="right")
    for row, count in zip(rows, counts, strict=True):
        cells = [with_interval(row["metrics"][name]) for name in SHOWN]
        table.add_row(str(row["stage"]), *cells, *([] if same else [count]))
    print_table(console, table)
    console.print(f"rules {rows[0]['rules']['name']}", highlight=False)
    for row in rows:
        console.print(f"stage {row['stage']}: {row['weights']}", highlight=False, soft_wrap=True, markup=False)
