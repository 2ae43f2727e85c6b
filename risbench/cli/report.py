"""``risbench report``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .. import plugins
from ..errors import UsageError
from ..results.run import Run
from . import options, show


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--as", "kind", default="markdown", show_default=True, help="A renderer: `list reports`.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here [default: stdout].")
@options.metrics
@options.data_root
@click.option("--rows", help="grid: spread, random:SEED, worst, best, disagree, or ids:ID,ID… [default: spread].")
@click.option("--count", type=click.IntRange(1), help="grid: how many rows [default: 6].")
@click.option("--heat", is_flag=True, help="grid: show saved heats as colours.")
@click.option("--thumbnails", help="html: `inside` the page or `beside` it [default: inside, up to 3000 images].")
def command(
    runs: tuple[Path, ...], kind: str, out: Path | None, metrics: str | None, data_root: Path | None, **more: Any
) -> None:
    """Render RUNS as a table, a picture or a page. RUNS are run folders; curves also take a training's log.jsonl."""
    render = plugins.load(plugins.REPORTS, kind)
    given = {name: value for name, value in more.items() if value not in (None, False)}
    logs = [path for path in runs if path.suffix == ".jsonl"]
    if logs:
        given["logs"] = logs
    _refuse_strange(render, kind, given)
    found = [Run.load(folder) for folder in runs if folder not in logs]
    text = render(found, out=out, metrics=metrics, data_root=data_root, **given)
    if text is not None:
        click.echo(text)
    if out is not None:
        show.say(f"written: {out}")


def _refuse_strange(render: Callable[..., Any], kind: str, given: dict[str, Any]) -> None:
    """Say so where an option means nothing to a renderer, which would otherwise be passed over in silence."""
    taken = inspect.signature(render).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
        return
    for name in given:
        if name == "logs" and name not in taken:
            raise UsageError(f"{given[name][0]} is a log, which --as {kind} does not read; --as curves does")
        if name not in taken:
            raise UsageError(f"--{name.replace('_', '-')} means nothing to --as {kind}")
