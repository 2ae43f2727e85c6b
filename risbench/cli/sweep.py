"""``risbench sweep``."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import click
from rich.table import Table

from .. import plugins
from ..datasets.catalog import find
from ..errors import UsageError
from ..io.plainfiles import real
from ..metrics.metric_names import refuse_generalised
from ..metrics.rules.protocols import rules_of
from ..plain import counted, plain
from ..results.rows import truth_notes
from ..scoring.sweep import CAUTION, Sweep, sweep, sweepable_metrics, thresholds_of
from ..statistics.comparable import truth_note
from . import options, show
from .folders import RunPath


@click.command("sweep")
@click.argument("predictions", type=RunPath())
@click.option("--split", required=True, help="The split they are of: `list splits`.")
@options.rules
@options.truth
@click.option("--thresholds", help="0.1,0.2,0.5 or START:STOP:STEP [default: 0:0.95:0.05 and the rules' own].")
@click.option("--metrics", help="mIoU, oIoU and P@k [default: mIoU,oIoU,P@0.5,P@0.7,P@0.9].")
@click.option("--allow-missing", is_flag=True, help="Count missing heats as empty masks.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curve here (.png, .pdf or .svg)."
)
@options.data_root
@options.as_json
def command(
    predictions: Path,
    split: str,
    rules: str,
    truth: Path | None,
    truth_only: bool,
    thresholds: str | None,
    metrics: str | None,
    allow_missing: bool,
    out: Path | None,
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Score the heats of PREDICTIONS at several thresholds.

    PREDICTIONS are a run folder made with --save-heat, or a folder of <sent_id>.npy heats. Thresholds are in the units
    of the rules: tris divides each heat by its maximum; lavt and clean use the heat as it is. For a method with a
    threshold option of its own (--set threshold=T), sweep under the rules clean. Refiners are not applied.
    """
    if out is not None and out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"{out}: the name must end in .png, .pdf or .svg")
    find(split, data_root)
    options.refuse_missing(predictions, truth)
    rules_of(rules)
    grid = None if thresholds is None else thresholds_of(thresholds)
    sweepable_metrics(metrics)
    loaded = options.loaded_split(split, data_root, truth, truth_only, predictions)
    refuse_generalised(metrics, loaded.without_mask, loaded.name)
    with show.counting(f"sweeping on {loaded.name}") as on_progress:
        found = sweep(
            predictions,
            loaded,
            rules=rules,
            thresholds=grid,
            metrics=metrics,
            allow_missing=allow_missing,
            progress=on_progress,
        )
    if out is not None:
        draw: Callable[..., None] = plugins.load(plugins.PICTURES, "sweep")
        draw(found, real(predictions).name, out, [*found.changed, f"Caution: {CAUTION}."])
        show.say(f"written: {out}")
    if as_json:
        show.print_json(found.record())
    else:
        _print(found)


def _print(found: Sweep) -> None:
    title = f"{found.split}, rules {found.rules}, in percent" + (" (PARTIAL)" if found.partial else "")
    table = Table(title=title, title_justify="left")
    table.add_column("threshold", justify="right")
    for name in found.metrics:
        table.add_column(name, justify="right")
    level = [found.level(turn) for turn in range(len(found.metrics))]
    for place, (threshold, values) in enumerate(zip(found.thresholds, found.values, strict=True)):
        cells = [f"{100 * value:.2f}" for value in values]
        marked = [f"[bold]{cell}[/]" if place in level[turn] else cell for turn, cell in enumerate(cells)]
        table.add_row(f"{threshold:g}", *marked)
    show.print_table(table)
    place = found.best()
    if place is None or not level[0]:
        notes = [f"no threshold is the best: {found.metrics[0]} is the same at all of them"]
    else:
        value, low, high = (100 * numbers[place][0] for numbers in (found.values, found.low, found.high))
        interval = "no interval: one image" if math.isnan(low) else f"95 % interval {low:.2f} to {high:.2f}"
        notes = [f"best {found.metrics[0]}: {value:.2f} ({interval}) at threshold {found.thresholds[place]:g}"]
        notes[0] += found.also_best()
    notes += [f"caution: {CAUTION}", *found.changed]
    notes += [f"warning: {plain(caution)}" for caution in found.cautions]
    if (truth := truth_note(found.truth)) is not None:
        notes.append(truth)
    if not {0, len(found.thresholds) - 1}.isdisjoint(level[0]):
        notes.append("the best threshold is the first or last one: a wider range may have a better one (--thresholds)")
    notes += truth_notes(found.record(), found.rules)
    if found.missing:
        notes.append(
            f"{found.missing} of {counted(found.expressions, 'expression')} have no heat and count as empty masks"
        )
    for note in notes:
        show.print_line(note)
