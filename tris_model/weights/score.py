"""Add scores of runs to the card: ``python -m tris_model.weights.score RUN…``.

The scores are those of the shipped networks on a split that was not used for training, over all expressions and by
form, with intervals. Runs of other weights are refused, so that the card cannot have scores of other networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from risbench.datasets.load import load_split
from risbench.errors import RisbenchError, UsageError
from risbench.metrics.metric_names import parse_all
from risbench.results.columns.rowcolumns import columns_of
from risbench.results.jsonrecord import to_json
from risbench.results.run import Run
from risbench.statistics.slices import slices_of
from risbench.statistics.summary import summarise, with_interval

from ..files.names import FOLDER
from . import card

SHOWN = "mIoU,PointM"


def add(runs: Sequence[Path], box: Path = FOLDER, data_root: Path | None = None) -> list[dict[str, Any]]:
    """Add the scores of runs to the card, in place of the earlier ones.

    Raises:
        UsageError: a run used weights that are not shipped.
        DataError: there is no card, or a run is not finished.
    """
    held = card.read(box)
    by_hash = {fact["sha256"]: file for file, fact in held["files"].items()}
    entries = []
    for folder in runs:
        run = Run.load(folder)
        weights = run.about.method.card.get("weights")
        if weights not in by_hash:
            raise UsageError(f"{folder} was run with other weights than those in {box}; run it with --weights shapes")
        entries.append(_entry(run, by_hash[weights], data_root))
    card.write(box, {**held, "scores": entries})
    return entries


def _entry(run: Run, weights: str, data_root: Path | None) -> dict[str, Any]:
    header, made = run.about, to_json(run.about.provenance[0])
    return {
        "method": header.method.name,
        "weights": weights,
        "arguments": to_json(header.arguments),
        "split": run.summary["split"],
        "texts": run.summary["texts"],
        "rules": run.summary["rules"],
        "count": run.summary["count"],
        "partial": run.summary["partial"],
        "metrics": run.summary["metrics"],
        "by": by_form(run, data_root),
        "made": {key: made[key] for key in ("started", "commit", "machine")},
    }


def by_form(run: Run, data_root: Path | None = None) -> dict[str, dict[str, Any]]:
    """Metrics with intervals by form of expression, by ambiguity, and by both: ``{part: {metric: …}}``."""
    split = load_split(run.summary["split"], data_root)
    rows = run.rows()
    samples = [split.sample(row.id) for row in rows]
    found = slices_of(split, samples)
    forms = found.get("form", {})
    blurred = {{"True": "ambiguous", "False": "clear"}[key]: flags for key, flags in found.get("ambiguous", {}).items()}
    both = {f"{form}, {how}": one & other for form, one in forms.items() for how, other in blurred.items()}
    columns, images = columns_of(rows), [row.image_id for row in rows]
    return {
        part: summarise(
            {key: values[wanted] for key, values in columns.items()},
            [images[place] for place in np.flatnonzero(wanted)],
            parse_all(SHOWN),
        )
        for part, wanted in {**forms, **blurred, **both}.items()
        if wanted.any()
    }


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """The entries as a Markdown table, in percent, with one row per network and part."""
    names = SHOWN.split(",")
    lines = ["| weights | expressions | count | " + " | ".join(names) + " |", "|:--|:--|--:|" + "--:|" * len(names)]
    for entry in entries:
        for part, metrics in {"all": entry["metrics"], **entry["by"]}.items():
            cells = " | ".join(with_interval(metrics[name]) for name in names)
            lines.append(f"| {entry['weights']} | {part} | {metrics['mIoU']['count']} | {cells} |")
    return "\n".join(lines)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--box", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, help="The folder of the card.")
@click.option("--data-root", type=click.Path(path_type=Path, file_okay=False))
def main(runs: tuple[Path, ...], box: Path, data_root: Path | None) -> None:
    """Add the scores of RUNS to the card, in place of the earlier ones, and print them."""
    try:
        click.echo(table(add(runs, box, data_root)))
    except RisbenchError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
