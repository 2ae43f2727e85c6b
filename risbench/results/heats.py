"""Saved heats: one ``.npz`` an image, with an array for each expression at the model's own resolution."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, MaskError
from . import jsonlines
from .folder import HEATS

_PLAIN = re.compile(r"[\w.-]{1,80}")


def file_of(folder: Path, image_id: int | str) -> Path:
    """Where the heats of an image lie."""
    name = str(image_id)
    if not _PLAIN.fullmatch(name) or name.startswith("."):
        name = hashlib.sha256(name.encode()).hexdigest()[:32]
    return folder / HEATS / f"{name}.npz"


def save(folder: Path, image_id: int | str, heats: Mapping[str, np.ndarray], dtype: str) -> None:
    """Write an image's heats, ``{sample id: float (h, w)}``, whole or not at all.

    Raises:
        MaskError: a heat is too large for the type.
        RisbenchError: the disk is full.
    """
    path = file_of(folder, image_id)
    arrays: dict[str, Any] = {name: _as(dtype, heat, name) for name, heat in heats.items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            # numpy's parameters are positional names here; ids are keys with slashes, which zip allows.
            np.savez(file, **arrays)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise jsonlines.full(path, error) from error


def _as(dtype: str, heat: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        kept = heat.astype(dtype)
    if not np.isfinite(kept).all():
        largest = np.abs(heat).max()
        raise MaskError(f"heat for {name}: values up to {largest:g} do not fit {dtype}: give --heat-dtype float32")
    return kept


def load(folder: Path, image_id: int | str) -> dict[str, np.ndarray]:
    """An image's heats by sample id; empty if none were saved.

    Raises:
        DataError: the file is broken.
    """
    path = file_of(folder, image_id)
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
