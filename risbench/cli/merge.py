"""``risbench merge``."""

from __future__ import annotations

from pathlib import Path

import click

from ..merge import merge
from . import options, show


@click.command("merge")
@click.argument("folder", type=click.Path(path_type=Path))
@options.data_root
@options.metrics
@options.as_json
def command(folder: Path, data_root: Path | None, metrics: str | None, as_json: bool) -> None:
    """Merge the shards in FOLDER into one run."""
    show.print_run(merge(folder, data_root), as_json, metrics)
