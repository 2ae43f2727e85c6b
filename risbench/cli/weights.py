"""``risbench weights``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import plugins
from ..errors import RisbenchError, UsageError
from ..io.plainfiles import real
from . import options, show


@click.group("weights")
def command() -> None:
    """Inspect weights files, and convert them to safetensors."""


_of = click.option("--of", "method", help="The method that the weights are for [default: the one whose file it is].")
_DEFAULT = "tris"


def reader_of(file: Path, method: str | None) -> Any:
    """What reads a file of weights: the named method's reader, else the first that claims the file, else TRIS's.

    A reader is a module or object with ``convert(file, out)`` and ``describe(file)``; one that may be found by the file
    alone has ``claims(file) -> bool``, which runs nothing that is in the file.
    """
    if method is None:
        for name in plugins.installed(plugins.WEIGHTS):
            try:
                reader = plugins.load(plugins.WEIGHTS, name)
            except RisbenchError:  # a plug-in that is broken does not stop the others
                continue
            if getattr(reader, "claims", lambda _: False)(file):
                return reader
    return plugins.load(plugins.WEIGHTS, method or _DEFAULT)


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_of
@options.as_json
def show_command(file: Path, method: str | None, as_json: bool) -> None:
    """Print what FILE holds: architecture, parameters, and the file it was converted from."""
    found: dict[str, Any] = reader_of(file, method).describe(file)
    if as_json:
        show.print_json(found)
        return
    for key, value in found.items():
        show.print_line(f"{key:16} {value}")


@command.command("convert")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), required=False)
@_of
def convert(file: Path, out: Path | None, method: str | None) -> None:
    """Convert FILE to OUT, from .pth to .safetensors or back, by the suffix of OUT [default: FILE.safetensors]."""
    target = out or file.with_suffix(".safetensors")
    if real(target) == real(file):
        raise UsageError(f"{file} would be overwritten: give another OUT")
    reader_of(file, method).convert(file, target)
    show.say(f"written: {target}")
