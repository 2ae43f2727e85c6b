"""``risbench export``."""

from __future__ import annotations

from pathlib import Path

import click

from ...plain import counted
from ...results.export.coco import write_coco
from .. import options, show
from ..folders import runs_in


@click.command("export")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder to write to.")
@options.data_root
@options.as_json
def command(runs: tuple[Path, ...], out: Path, data_root: Path | None, as_json: bool) -> None:
    """Write RUNS and their truth as COCO files, which FiftyOne and pycocotools load.

    OUT gets labels.json, with an annotation for each expression, and a predictions-METHOD.json for each run. A table of
    every expression is `report --as rows`.
    """
    files = write_coco(runs_in(runs), out, data_root)
    places = [str(files.labels), *map(str, files.predictions)]
    if as_json:
        show.print_json({"files": places, "without_target": files.without_target, "empty": list(files.empty)})
    else:
        for place in places:
            show.print_line(place)
    if files.without_target:
        left_out = counted(files.without_target, "expression without a target is", "expressions without a target are")
        show.say(f"{left_out} left out of {files.labels}")
    for place, count in zip(files.predictions, files.empty, strict=True):
        if count:
            show.say(f"{counted(count, 'empty mask is', 'empty masks are')} left out of {place}: no pixel, so no box")
