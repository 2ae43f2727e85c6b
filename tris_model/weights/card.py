"""``card.json``: the shipped weights, how and on what machine they were trained, and their scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from risbench.errors import DataError
from risbench.io.atomic import write_whole

from ..files.checkpoint import read as read_weights

CARD = "card.json"
SCHEMA = 1


def of_training(
    name: str, files: Mapping[str, Mapping[str, Any]], recipe: Mapping[str, Any], out: Path, clip: Path
) -> dict[str, Any]:
    """Make a card without scores.

    Args:
        name: the networks' name for ``--weights``.
        files: facts about each file, by file name.
        recipe: the recipe of ``risbench train tris``.
        out: the training's folder.
        clip: the CLIP that it started from, with its own records in the same folder.
    """
    own = read_weights(clip).metadata.get("recipe")
    parts = {"clip": clip.parent / "clip", "stage1": out / "stage1", "irn": out / "pseudo", "stage2": out / "stage2"}
    validated = out / "scores.json"
    return {
        "schema": SCHEMA,
        "name": name,
        "files": dict(files),
        "data": "scenes drawn by risbench.datasets.shapes; the splits and seeds stand in the recipes",
        "recipes": {"clip": None if own is None else json.loads(own), "tris": recipe},
        "training": {part: found for part, folder in parts.items() if (found := of_part(folder)) is not None},
        "validation": json.loads(validated.read_text()) if validated.is_file() else None,
        "scores": [],
    }


def of_part(folder: Path) -> dict[str, Any] | None:
    """Facts from the journal of one part of the training: steps, minutes, memory, and all starts.

    Minutes are None if the log has no times; the result is None if there is no log.
    """
    log = folder / "log.jsonl"
    if not log.is_file():
        return None
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    seconds = [line.get("seconds") for line in lines]
    starts = folder / "starts.jsonl"
    return {
        "steps": len(lines),
        "minutes": None if not lines or None in seconds else round(sum(seconds) / 60, 2),
        "memory_mib": max((line["memory"] for line in lines if "memory" in line), default=None),
        "starts": [json.loads(line) for line in starts.read_text().splitlines()] if starts.is_file() else [],
    }


def read(box: Path) -> dict[str, Any]:
    """Read the card of a folder of weights.

    Raises:
        DataError: there is no card.
    """
    path = box / CARD
    if not path.is_file():
        raise DataError(f"there is no {path}; python -m tris_model.weights.pack writes it")
    return json.loads(path.read_text())


def write(box: Path, card: Mapping[str, Any], name: str = CARD) -> None:
    """Write the card, completely or not at all."""
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    write_whole(box / name, lambda file: file.write(text.encode()))
