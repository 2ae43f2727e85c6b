"""``risbench report``."""

from __future__ import annotations

from pathlib import Path

import click

from .. import plugins
from ..results.run import Run
from . import options, show


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--as", "kind", default="markdown", show_default=True, help="A renderer: `list reports`.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here [default: stdout].")
@options.metrics
@options.data_root
def command(runs: tuple[Path, ...], kind: str, out: Path | None, metrics: str | None, data_root: Path | None) -> None:
    """Render RUNS as a table or a picture."""
    render = plugins.load(plugins.REPORTS, kind)
    text = render([Run.load(folder) for folder in runs], out=out, metrics=metrics, data_root=data_root)
    if text is not None:
        click.echo(text)
    if out is not None:
        show.say(f"written: {out}")
