"""Add a finished training to the shipped weights: ``python -m baselines.weights.pack clip_vit OUT``.

It writes ``shapes_NAME.safetensors``, in half precision where this changes no result visibly and without what the file
says may be left out (``leave_out``, beginnings of names), and the card ``NAME.json``: recipe, seed, command, minutes,
machine, commit, date and hash.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from risbench import DataError, RisbenchError, UsageError
from tris_model.files import read
from tris_model.weights import card
from tris_model.weights.pack import shrink

FOLDER = Path(__file__).parent
MOST = 4_000_000
SCHEMA = 1


def pack(name: str, out: Path, box: Path = FOLDER) -> dict[str, Any]:
    """Write the weights and their card.

    Args:
        name: the name of the trainer's weights, such as ``clip_vit``.
        out: the folder of a finished training, with ``NAME.safetensors`` and ``NAME/``.
        box: the target folder; it is written only after all checks.

    Returns:
        The card.

    Raises:
        UsageError: the training is not finished.
        DataError: half precision cannot hold some numbers, or the file has more than 4 MB.
    """
    source, file = out / f"{name}.safetensors", f"shapes_{name}.safetensors"
    training = card.of_part(out / name)
    if not source.is_file() or training is None:
        raise UsageError(
            f"{out} is not a finished training: it has no {source.name} or no log; finish the training first"
        )
    held = read(source)
    left_out = tuple(json.loads(held.metadata.get("leave_out", "[]")))  # what its method does without
    held = replace(held, state={key: value for key, value in held.state.items() if not key.startswith(left_out)})
    box.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=box) as folder:
        facts = shrink(held, Path(folder) / file)
        if facts["bytes"] > MOST:
            raise DataError(
                f"a shipped network has at most {MOST:,} bytes, and this one has {facts['bytes']:,}; train a "
                "smaller one"
            )
        (Path(folder) / file).replace(box / file)
    recipe = json.loads(held.metadata["recipe"])
    made = {
        "schema": SCHEMA,
        "name": "shapes",
        "files": {file: facts},
        "data": _data(recipe),
        "seed": recipe["seed"],
        "recipe": recipe,
        "training": training,
        **_earlier(name, out),
    }
    card.write(box, made, f"{name}.json")
    return made


def _data(recipe: Mapping[str, Any]) -> str:
    if "split" in recipe:
        return f"the scenes of {recipe['split']}, drawn by risbench.datasets.shapes"
    return "scenes drawn by risbench.datasets.shapes, on seeds that belong to no split"


def _earlier(name: str, out: Path) -> dict[str, Any]:
    """The trainings that the last one started from, by their names: ``amr_cam`` before ``amr``."""
    found = {folder.name: card.of_part(folder) for folder in sorted(out.glob(f"{name}_*")) if folder.is_dir()}
    return {"earlier": found} if found else {}


@click.command()
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--box", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, help="Where to.")
def main(name: str, out: Path, box: Path) -> None:
    """Add the training of NAME in OUT to the shipped weights."""
    try:
        made = pack(name, out, box)
    except RisbenchError as error:
        raise click.ClickException(str(error)) from None
    for file, facts in made["files"].items():
        click.echo(f"{file}: {facts['bytes']:,} bytes, {facts['parameters']:,} weights, sha256 {facts['sha256']}")


if __name__ == "__main__":
    main()
