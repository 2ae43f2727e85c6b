"""Saved heats: one ``.npz`` an image, with an array for each expression at the model's own resolution."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

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
        MaskError: a heat's numbers are too large for the type.
    """
    stored = {name: _fitted(name, heat, dtype) for name, heat in heats.items()}
    path = file_of(folder, image_id)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            # numpy's parameters are positional names here; ids are keys with slashes, which zip allows.
            np.savez(file, **stored)  # pyright: ignore[reportArgumentType]
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise jsonlines.full(path, error) from error


def _fitted(name: str, heat: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        fitted = heat.astype(dtype)
    if not np.isfinite(fitted).all():
        raise MaskError(f"prediction for {name}: its numbers do not fit {dtype}: give --heat-dtype float32")
    return fitted


def load(folder: Path, image_id: int | str) -> dict[str, np.ndarray]:
    """An image's heats by sample id; empty if none were saved.

    Raises:
        DataError: the file is broken.
    """
    path = file_of(folder, image_id)
    if not path.exists():
        return {}
    try:
        # Opened here, because numpy forgets to close what turns out to be no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, TypeError, AttributeError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
