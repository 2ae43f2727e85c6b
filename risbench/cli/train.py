"""``risbench train``."""

from __future__ import annotations

from pathlib import Path

import click

from .. import plugins
from . import options, show


@click.command("train")
@click.argument("trainer")
@click.option("--recipe", required=True, help="A recipe of the trainer (`list recipes`), or a TOML file.")
@click.option("--stage", help="Only a part of the training, as the trainer names it.")
@options.settings
@options.out
@options.data_root
@click.option(
    "--device", default="auto", show_default=True, help="auto, cpu or cuda; torchrun gives each rank its own."
)
def command(
    trainer: str,
    recipe: str,
    stage: str | None,
    pairs: tuple[str, ...],
    out: Path | None,
    data_root: Path | None,
    device: str,
) -> None:
    """Train a method with an installed trainer.

    The same command with the same --out continues a training that was cut off.
    """
    train = plugins.load(plugins.TRAINERS, trainer)
    given: dict[str, object] = dict(options.options_of(pairs))
    if stage is not None:
        given["stage"] = stage
    if data_root is not None:
        given["data_root"] = data_root
    folder = out or Path("runs") / "train" / f"{trainer}-{Path(recipe).stem}"
    show.say(f"folder: {folder}")
    show.say(f"done: {train(recipe, out=folder, device=device, **given)}")
