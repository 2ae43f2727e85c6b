"""``risbench report``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from .. import plugins
from ..errors import UsageError
from . import options, show
from .folders import RunPath, runs_in


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=RunPath())
@click.option("--as", "kind", default="markdown", show_default=True, help="A renderer: `list reports`.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here [default: stdout].")
@options.metrics
@options.data_root
# The options below are passed to the renderer by name, if they were given.
@click.option("--columns", help="Tables: a set of columns, paper1 or paper2, instead of --metrics.")
@click.option("--mixed", is_flag=True, help="Tables: allow runs that cannot be compared, with a footnote.")
@click.option("--published", is_flag=True, help="Tables: add published figures, marked, with their sources.")
@click.option("--efficiency", is_flag=True, help="Tables: add parameters, images a second and memory.")
@options.intervals
@options.caption
@options.label
@click.option("--rows", help="grid: spread, random:SEED, worst, best, disagree or ids:ID,ID,... [default: spread].")
@click.option("--count", type=click.IntRange(1, 100), help="grid: how many rows [default: 6].")
@click.option("--heat", is_flag=True, help="grid: also show saved heats.")
@click.option("--thumbnails", help="html: `inside` the page or `beside` it [default: inside, up to 3000 images].")
def command(
    runs: tuple[Path, ...], kind: str, out: Path | None, metrics: str | None, data_root: Path | None, **more: Any
) -> None:
    """Render RUNS as a table or a picture, or export their rows. A folder that contains runs means all of them.

    Tables: markdown, latex, csv, json. `--as rows --out rows.csv` (or .jsonl, .parquet) writes every expression.
    Pictures and pages, to --out: grid and curves (.png, .pdf), html. Curves also take a training's log.jsonl as a RUN.
    """
    render = plugins.load(plugins.REPORTS, kind)
    chosen = {key: value for key, value in more.items() if value not in (None, False, ())}
    reads_logs = "logs" in inspect.signature(render).parameters
    logs = [path for path in runs if reads_logs and path.suffix == ".jsonl"]
    if logs:
        chosen["logs"] = logs
    _refuse_unknown(render, kind, chosen)
    named = [path for path in runs if path not in logs]
    text = render(
        runs_in(named) if named else [],
        out=out,
        metrics=metrics,
        data_root=data_root,
        **chosen,
    )
    if text is not None:
        show.print_data(text, kind)
    if out is not None:
        show.say(f"written: {out}")


def _refuse_unknown(render: Any, kind: str, chosen: dict[str, Any]) -> None:
    accepted = inspect.signature(render).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        return
    for key in chosen:
        if key not in accepted:
            raise UsageError(f"--{key.replace('_', '-')} is not an option of --as {kind}")
