"""Saved heats: one ``.npz`` an image, with an array for each expression at the model's own resolution."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import DataError, MaskError
from ..io import atomic, plainfiles, reading
from . import jsonlines
from .folder import HEATS
from .npy import read_npy

_PLAIN = re.compile(r"[\w.-]{1,80}")


def file_of(folder: Path, image_id: int | str) -> Path:
    """Where the heats of an image lie."""
    name = str(image_id)
    if not _PLAIN.fullmatch(name) or name.startswith("."):
        name = hashlib.sha256(jsonlines.encoded(name)).hexdigest()[:32]
    return folder / HEATS / f"{name}.npz"


def save(folder: Path, image_id: int | str, heats: Mapping[str, np.ndarray], dtype: str) -> None:
    """Write an image's heats, ``{sample id: float (h, w)}``, whole or not at all.

    Raises:
        MaskError: a heat's numbers are too large for the type.
    """
    stored = {name: _fitted(name, heat, dtype) for name, heat in heats.items()}
    path = file_of(folder, image_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # numpy's parameters are positional names here; ids are keys with slashes, which zip allows.
        atomic.replace(path, lambda file: np.savez(file, **stored))  # pyright: ignore[reportArgumentType]
    except OSError as error:
        raise jsonlines.full(path, error) from error


def _fitted(name: str, heat: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        fitted = heat.astype(dtype)
    if not np.isfinite(fitted).all():
        raise MaskError(f"prediction for {name}: its numbers do not fit {dtype}: give --heat-dtype float32")
    return fitted


def is_broken(folder: Path, image_id: int | str) -> bool:
    """Whether an image's file of heats is incomplete; a zip archive has its index at the end."""
    path = file_of(folder, image_id)
    return path.exists() and not (path.is_file() and zipfile.is_zipfile(path))


def load(folder: Path, image_id: int | str) -> dict[str, np.ndarray]:
    """An image's heats by sample id; empty if none were saved.

    Raises:
        DataError: the file is broken.
    """
    path = file_of(folder, image_id)
    if not path.exists():
        return {}
    try:
        with plainfiles.open_to_read(path) as file, zipfile.ZipFile(file) as archive:
            return {
                member.filename.removesuffix(".npy"): _member(archive, member, path)
                for member in _stored(archive, path)
            }
    except (ValueError, OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read: {error!s:.200}") from None


def _stored(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """The members of the archive. risbench never compresses them, so a small file cannot become large in memory."""
    members = archive.infolist()
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if packed or sum(member.file_size for member in members) > path.stat().st_size:
        raise DataError(f"{path}: not heats that a run saved: an array in it is compressed, or there twice")
    if sum(member.file_size for member in members) > reading.HEATS_BYTES:
        raise DataError(f"{path}: holds more than {reading.HEATS_BYTES:,} bytes of heats, too many for one image")
    return members


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    content = archive.read(member)  # with its checksum
    return read_npy(io.BytesIO(content), len(content), f"{path}, {member.filename:.80}")
