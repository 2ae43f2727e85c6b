"""``risbench run``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from .. import devices
from ..datasets.catalog import find
from ..datasets.split import Split
from ..errors import UsageError
from ..methods.named import refuse_unknown, title_of
from ..methods.refine import refiner_of
from ..metrics.metric_names import refuse_generalised
from ..metrics.rules.protocols import rules_of
from ..results.folder import TIME
from ..results.run import Run
from ..running.evaluation import default_folder, evaluate
from ..running.interrupts import stop_requested
from ..running.loop import Settings, Stopped
from ..running.made import make_before_drawing
from ..running.plan import refuse_wrong
from ..running.shards import PATIENCE, merge, wait_for_shards
from . import options, show

# With --overwrite, a shard that was begun more than this before the first rank is an old one.
_RANKS_APART = timedelta(seconds=10)
_PATIENCE = "Under torchrun: stop waiting for other ranks after so many seconds in which none wrote anything."


@click.command("run")
@click.option("--method", required=True, help="An installed method (`list methods`), or ./FILE.py[:NAME].")
@click.option("--split", required=True, help="A split: `list splits`.")
@options.rules
@options.truth
@click.option("--weights", help="A weights file, or a name that the method knows.")
@options.settings
@options.threshold
@click.option("--limit", type=int, help="Only the first N images; the run is marked partial.")
@click.option("--shard", help="I/N: every N-th image from the I-th, to OUT/shards/I-of-N; then `merge OUT`.")
@options.out
@options.data_root
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--batch", type=int, help="Images per call of the method [default: its own choice, else 1].")
@options.workers
@click.option("--save-heat", is_flag=True, help="Keep heats, for other rules and thresholds.")
@click.option("--heat-dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace the run in --out (with --shard only that shard).")
@click.option("--skip-bad", is_flag=True, help="Record unreadable images as missing; the next call tries them again.")
@click.option("--patience", type=float, default=PATIENCE, show_default=True, help=_PATIENCE)
@options.metrics
@options.as_json
def command(
    method: str,
    split: str,
    rules: str,
    truth: Path | None,
    truth_only: bool,
    weights: str | None,
    pairs: tuple[str, ...],
    threshold: float | None,
    limit: int | None,
    shard: str | None,
    out: Path | None,
    data_root: Path | None,
    device: str,
    batch: int | None,
    workers: int | None,
    save_heat: bool,
    heat_dtype: str,
    overwrite: bool,
    skip_bad: bool,
    patience: float,
    metrics: str | None,
    as_json: bool,
) -> None:
    """Run a method on a split and score it.

    The same command with the same --out continues an interrupted run. If the method's code has changed since, it is
    refused, and --overwrite starts again. Ctrl-C and SIGTERM stop after the images under work. Controls for any method:
    --set texts=shuffled gives each expression the text of another object, --set texts=empty gives empty texts.
    --set refine=crf fits the border of any method's mask to the colours of the image (`list refiners`).
    """
    begun = datetime.now(UTC)
    given = options.options_of(pairs)
    part, rank = options.shard_of(shard), _rank()
    if rank is not None:
        if part is not None:
            raise UsageError("--shard cannot be used under torchrun: every rank takes its own shard already")
        if out is None:
            raise UsageError("under torchrun give --out, so that all ranks write to one folder")
        part = rank
    if overwrite and out is None:
        raise UsageError("--overwrite needs --out: name the run folder")
    if part is not None and out is None:
        raise UsageError("--shard needs --out: the shards of a run lie in one folder")
    texts, refine = given.pop("texts", "given"), refiner_of(given)
    here = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    used = devices.chosen(device, *here)
    if device == "auto" and used == "cpu":
        show.say("device: cpu (no CUDA device found)")
    refuse_unknown(method)
    find(split, data_root)
    rules_of(rules, threshold)
    refuse_wrong(texts, limit, batch, refine)
    options.refuse_missing(truth=truth)
    with redirect_stdout(sys.stderr):
        make_before_drawing(method, split, data_root, weights=weights, device=used, options=given)
    loaded = options.loaded_split(split, data_root, truth, truth_only)
    refuse_generalised(metrics, loaded.without_mask, loaded.name)
    folder = out or default_folder(loaded.name, title_of(method))
    show.say(f"folder: {folder}")
    with (
        _stopped_at_once(folder),
        show.scoring(f"{title_of(method)} on {loaded.name}") as progress,
        stop_requested(_say_stopping) as stopping,
        redirect_stdout(sys.stderr),  # stdout is for figures only, not for what a method prints
    ):
        run = evaluate(
            method,
            loaded,
            rules=rules,
            threshold=threshold,
            out=folder,
            weights=weights,
            device=used,
            options=given,
            texts=texts,
            refine=refine,
            limit=limit,
            shard=part,
            settings=Settings(batch, skip_bad, save_heat, heat_dtype, workers),
            progress=progress,
            stop=stopping,
            overwrite=overwrite,
            on_message=show.say if rank is None or rank[0] == 0 else _say_nothing,
        )
    if rank is not None:
        if rank[0]:
            return
        run = _merged(folder, rank[1], loaded, patience, (begun - _RANKS_APART).strftime(TIME) if overwrite else None)
    show.print_run(run, as_json, metrics)


def _merged(folder: Path, count: int, split: Split, patience: float, begun_after: str | None) -> Run:
    def on_ready(ready: int) -> None:
        show.say(f"{ready} of {count} shards are finished")

    wait_for_shards(folder, count, on_ready, patience=patience, begun_after=begun_after)
    return merge(folder, split=split, overwrite=begun_after is not None)


@contextmanager
def _stopped_at_once(folder: Path) -> Iterator[None]:
    """Tell how to go on after a second Ctrl-C: without --out the same command would begin another folder.

    Raises:
        Stopped: instead of KeyboardInterrupt.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"stopped at once; give the same command with --out {folder} to go on") from None


def _say_nothing(_: str) -> None:
    """Other ranks print nothing, because the first prints the same message."""


def _rank() -> tuple[int, int] | None:
    """Rank and world size under torchrun; None for a single process."""
    if "TORCHELASTIC_RUN_ID" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def _say_stopping() -> None:
    show.say("stopping after the images under work (Ctrl-C again to stop at once)")
