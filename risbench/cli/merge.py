"""``risbench merge``."""

from __future__ import annotations

from pathlib import Path

import click

from ..running.shards import merge
from . import options, show


@click.command("merge")
@click.argument("folder", type=click.Path(path_type=Path))
@options.data_root
@click.option("--overwrite", is_flag=True, help="Replace the run that FOLDER already holds.")
@options.metrics
@options.as_json
def command(folder: Path, data_root: Path | None, overwrite: bool, metrics: str | None, as_json: bool) -> None:
    """Merge the shards in FOLDER into one run."""
    show.print_run(merge(folder, data_root, overwrite=overwrite), as_json, metrics)
