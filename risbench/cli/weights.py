"""``risbench weights``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import plugins
from ..errors import UsageError
from ..io.plainfiles import real
from . import options, show


@click.group("weights")
def command() -> None:
    """Inspect weights files, and convert them to safetensors."""


_of = click.option("--of", "method", default="tris", show_default=True, help="The method that the weights are for.")


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_of
@options.as_json
def show_command(file: Path, method: str, as_json: bool) -> None:
    """Print what FILE holds: stage, architecture, parameters, and the file it was converted from."""
    found: dict[str, Any] = plugins.load(plugins.WEIGHTS, method).describe(file)
    if as_json:
        show.print_json(found)
        return
    for key, value in found.items():
        show.print_line(f"{key:16} {value}")


@command.command("convert")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), required=False)
@_of
def convert(file: Path, out: Path | None, method: str) -> None:
    """Convert FILE to OUT, from .pth to .safetensors or back, by the suffix of OUT [default: FILE.safetensors]."""
    target = out or file.with_suffix(".safetensors")
    if real(target) == real(file):
        raise UsageError(f"{file} would be overwritten: give another OUT")
    plugins.load(plugins.WEIGHTS, method).convert(file, target)
    show.say(f"written: {target}")
