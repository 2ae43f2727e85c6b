"""Add a finished training to the shipped weights: ``python -m tris_model.weights.pack OUT``.

It writes three weights files and a card of their training. Matrices are in half precision, where this changes no result
visibly; norms, biases and scalars stay unchanged. The attention pool, which TRIS never uses, is left out.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from risbench.errors import DataError, RisbenchError, UsageError

from ..config import Config
from ..files.checkpoint import Checkpoint, digest, read, write
from ..files.names import FOLDER, NAMES, find_clip
from . import card

MOST = 12_000_000
POOL = "visual.attnpool."


def pack(out: Path, clip: Path | None = None, box: Path = FOLDER, name: str = "shapes") -> dict[str, int]:
    """Write ``NAME_clip``, ``NAME_stage1`` and ``NAME_stage2`` ``.safetensors`` and ``card.json``.

    Args:
        out: the folder of a finished ``risbench train tris``.
        clip: the CLIP that it started from; by default the one in its recipe.
        box: the target folder; it is written only after all checks.
        name: the networks' name for ``--weights``.

    Returns:
        The size of each file in bytes.

    Raises:
        UsageError: the training is not finished, or its CLIP does not exist.
        DataError: half precision cannot hold some numbers, or the files have more than 12 MB together.
    """
    recipe = _recipe(out)
    start = recipe["stage1"]["start"]
    used = clip or (find_clip(start) if start in NAMES else Path(start))
    sources = {"clip": used, **{f"stage{n}": _stage(out, n) for n in (1, 2)}}
    if not sources["clip"].is_file():
        raise UsageError(
            f"the training started from {sources['clip']}, which does not exist here; give it with --clip FILE"
        )
    box.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=box) as folder:
        files = {f"{name}_{part}.safetensors": source for part, source in sources.items()}
        facts = {}
        for file, source in files.items():
            facts[file] = _shrink(source, Path(folder) / file)
            click.echo(f"{file:30} {facts[file]['bytes']:>10,} bytes")
        total = sum(fact["bytes"] for fact in facts.values())
        click.echo(f"{'together':30} {total:>10,} bytes of {MOST:,}")
        if total > MOST:
            raise DataError(
                f"the shipped weights have at most {MOST:,} bytes together, and these have {total:,}; train "
                "smaller networks"
            )
        for file in files:
            (Path(folder) / file).replace(box / file)
    card.write(box, card.of_training(name, facts, recipe, out, sources["clip"]))
    return {file: fact["bytes"] for file, fact in facts.items()}


def _recipe(out: Path) -> dict[str, Any]:
    path = out / "recipe.json"
    if not path.is_file():
        raise UsageError(
            f"{out} is not a finished training: it has no recipe.json; run `risbench train tris` to its end"
        )
    return json.loads(path.read_text())


def _stage(out: Path, stage: int) -> Path:
    path = out / f"stage{stage}.safetensors"
    if not path.is_file():
        raise UsageError(
            f"{out} is not a finished training: it has no {path.name}; run `risbench train tris` to its end"
        )
    return path


def _shrink(source: Path, target: Path) -> dict[str, Any]:
    """Write a file's weights in a smaller form, and return the facts for the card."""
    held = read(source)
    config, state = held.config, held.state
    if "backbone.text_projection" in state:  # a TRIS network, not a CLIP
        config = replace(config, pool_grid=0)
        state = {key: value for key, value in state.items() if POOL not in key}
    metadata = {**held.metadata, "config": config.to_json()}
    return {**shrink(Checkpoint(source, held.kind, state, metadata), target), "config": _plain(config)}


def shrink(held: Checkpoint, target: Path) -> dict[str, Any]:
    """Write weights, matrices in half precision; the same weights give the same bytes.

    Args:
        held: the weights of any network whose file has its ``config``.
        target: the file to write.

    Returns:
        The facts about the file for a card.

    Raises:
        DataError: half precision cannot hold some numbers.
    """
    state = {key: _halved(key, value, held.path) for key, value in held.state.items()}
    write(state, target, {key: value for key, value in held.metadata.items() if key != "format"})
    _sort(target)
    return {
        "bytes": target.stat().st_size,
        "sha256": digest(target),
        "parameters": sum(value.numel() for value in state.values() if value.is_floating_point()),
        "made_from_sha256": digest(held.path),
        "config": json.loads(held.metadata["config"]),
    }


def _sort(path: Path) -> None:
    """Sort the file's metadata: safetensors writes it in random order, and the card identifies files by their hash."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[start:])


def _halved(key: str, value: Tensor, source: Path) -> Tensor:
    if value.ndim < 2 or not value.is_floating_point():
        return value
    half = value.to(torch.float16)
    if not torch.isfinite(half).all():
        raise DataError(f"{source}: {key} has values up to {value.abs().max():.3g}, too large for half precision")
    return half


def _plain(config: Config) -> Mapping[str, Any]:
    return json.loads(json.dumps(asdict(config)))


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--clip", type=click.Path(path_type=Path, dir_okay=False), help="The CLIP that it started from.")
@click.option("--box", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, help="Where to.")
def main(out: Path, clip: Path | None, box: Path) -> None:
    """Add the training in OUT to the shipped weights."""
    try:
        pack(out, clip, box)
    except RisbenchError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
