"""``risbench train``."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .. import plugins
from ..errors import UsageError
from ..running.interrupts import STOPPED, ended_by_ctrl_c
from ..running.loop import Stopped
from ..running.tracking import NAMES, tracking
from . import options, show

_OWN = frozenset({"out", "device", "stage", "data_root", "overwrite"})  # given by options of the command, not by --set


@click.command("train")
@click.argument("trainer")
@click.option("--recipe", required=True, help="A recipe of the trainer (`list recipes`), or a TOML file.")
@click.option("--stage", help="Only one stage of the training, by the trainer's name for it [default: all].")
@options.settings
@options.out
@options.data_root
@click.option("--overwrite", is_flag=True, help="Remove what another recipe left in --out, and train.")
@click.option(
    "--device", default="auto", show_default=True, help="auto, cpu or cuda; torchrun gives each rank its own."
)
@click.option(
    "--log", "logs", multiple=True, metavar="|".join(NAMES), help="Also send the curves there; may be repeated."
)
def command(
    trainer: str,
    recipe: str,
    stage: str | None,
    pairs: tuple[str, ...],
    out: Path | None,
    data_root: Path | None,
    overwrite: bool,
    device: str,
    logs: tuple[str, ...],
) -> None:
    """Train a method with an installed trainer.

    The same command with the same --out continues an interrupted training. If another recipe was trained in --out, the
    command is refused; --overwrite removes that training and starts again.
    """
    with _stopping_reported_once():
        train = plugins.load(plugins.TRAINERS, trainer)
        given: dict[str, object] = dict(options.options_of(pairs))
        if own := sorted(_OWN & set(given)):
            raise UsageError(f"--set {own[0]}: it is not a recipe key; give --{own[0].replace('_', '-')}")
        if stage is not None:
            given["stage"] = stage
        if data_root is not None:
            given["data_root"] = data_root
        if overwrite:
            if "overwrite" not in inspect.signature(train).parameters:
                raise UsageError(f"the trainer '{trainer}' has no --overwrite; give another --out")
            given["overwrite"] = True
        known = getattr(train, "recipes", ())
        if known and recipe not in known and not Path(recipe).is_file():
            raise UsageError(f"no recipe {recipe!r}, and no such file: {plugins.near(recipe, known)}")
        folder = out or Path("runs") / "train" / f"{trainer}-{Path(recipe).stem}"
        about = {"trainer": trainer, "recipe": recipe, **{key: str(value) for key, value in given.items()}}
        with tracking(logs, folder, about, show.say):
            show.say(f"folder: {folder}")
            show.say(f"done: {train(recipe, out=folder, device=device, **given)}")


@contextmanager
def _stopping_reported_once() -> Iterator[None]:
    """End a training at once on Ctrl-C or SIGTERM outside its loops; under torchrun only the first rank reports it.

    Raises:
        Stopped: a stop was requested; what was done is written.
    """
    with ended_by_ctrl_c() as came:
        try:
            yield
        except BaseException as error:
            if not came() and not isinstance(error, (Stopped, KeyboardInterrupt)):
                raise
            if os.environ.get("RANK", "0") != "0":
                sys.exit(1)
            if isinstance(error, Stopped):
                raise
            raise Stopped(STOPPED) from None
