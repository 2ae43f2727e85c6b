"""``risbench score``."""

from __future__ import annotations

from pathlib import Path

import click

from ..datasets.catalog import find
from ..methods.cards import read_card
from ..metrics.rules.protocols import rules_of
from ..results.folder import HEADER
from ..results.run import Run
from ..scoring.predictions import score
from ..statistics.changes import change_texts
from . import options, show


@click.command("score")
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option("--split", required=True, help="The split they are of: `list splits`.")
@options.rules
@options.truth
@options.threshold
@click.option(
    "--card", type=click.Path(path_type=Path, dir_okay=False), help="TOML file about the method: name, paper and so on."
)
@click.option("--name", help="The method's name [default: the card's, else the file name].")
@options.out
@options.data_root
@click.option("--allow-missing", is_flag=True, help="Count missing predictions as empty masks.")
@options.workers
@options.metrics
@options.as_json
def command(
    predictions: Path,
    split: str,
    rules: str,
    truth: Path | None,
    truth_only: bool,
    threshold: float | None,
    card: Path | None,
    name: str | None,
    out: Path | None,
    data_root: Path | None,
    allow_missing: bool,
    workers: int | None,
    metrics: str | None,
    as_json: bool,
) -> None:
    """Score PREDICTIONS, in one of these forms; images are not needed.

    A masks.jsonl, a COCO results array with sent_id, a folder of <sent_id>.png masks or <sent_id>.npy heats, or a run
    folder, which is scored again under other rules.
    """
    find(split, data_root)
    options.refuse_missing(predictions, truth)
    rules_of(rules, threshold)
    if card is not None:
        read_card(card)
    loaded = options.loaded_split(split, data_root, truth, truth_only, predictions)
    if (predictions / HEADER).is_file():
        for text in change_texts(Run.load(predictions)):
            show.say(f"{text} Its masks or heats are scored as they are.")
    with show.scoring(f"scoring on {loaded.name}") as progress:
        run = score(
            predictions,
            loaded,
            rules=rules,
            threshold=threshold,
            out=out,
            card=card,
            name=name,
            allow_missing=allow_missing,
            progress=progress,
            workers=workers,
        )
    show.print_run(run, as_json, metrics)
