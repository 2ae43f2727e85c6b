"""The items of IRN: each is an image with the heat of one object. Results are a folder with one file per item."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image

from risbench.datasets.images import read_image
from risbench.errors import DataError
from risbench.io.atomic import write_whole


class Item(Protocol):
    """A referred object: its image, and stage 1's heat of it."""

    @property
    def name(self) -> str:
        """A unique name that can be a file name; the authors use ``<index>_<image id>``."""
        ...

    @property
    def picture(self) -> Hashable:
        """Identifies the image; consecutive items with the same image share the work on it."""
        ...

    def image(self) -> np.ndarray:
        """The image, uint8 ``(H, W, 3)`` RGB."""
        ...

    def heat(self) -> np.ndarray:
        """The heat, float ``(H, W)``, divided by its maximum; negative values count as 0."""
        ...


AnyItem = TypeVar("AnyItem", bound=Item)


@dataclass(frozen=True, slots=True)
class FileItem:
    """An item from files: an image file, and a heat as ``.npy``."""

    name: str
    image_path: Path
    heat_path: Path

    @property
    def picture(self) -> Path:
        """See :attr:`Item.picture`."""
        return self.image_path

    def image(self) -> np.ndarray:
        """See :meth:`Item.image`."""
        return read_image(self.image_path)

    def heat(self) -> np.ndarray:
        """See :meth:`Item.heat`.

        Raises:
            DataError: the file is missing, broken or a pickle.
        """
        try:
            return np.load(self.heat_path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{self.heat_path}: the heat cannot be read: {error}; delete it and write it again"
            ) from None


def checked_heat(heat: np.ndarray, size: tuple[int, int], what: str = "the heat") -> np.ndarray:
    """A heat as float32, with negative values set to 0.

    Raises:
        DataError: the heat has another size than the image, or its values are not real and finite.
    """
    if heat.shape != tuple(size) or heat.dtype.kind != "f" or 0 in heat.shape:
        raise DataError(f"{what} must be float {tuple(size)} like its image, not {heat.dtype} {heat.shape}")
    if not np.isfinite(heat).all():
        raise DataError(f"{what} holds NaN or infinite values; write it again")
    return np.maximum(heat, 0).astype(np.float32)


def heats_of(items: Sequence[Item], size: tuple[int, int]) -> np.ndarray:
    """The heats of the items of one image, float32 ``(K, H, W)``, not negative.

    Raises:
        DataError: see :func:`checked_heat`; the item is named.
    """
    return np.stack([checked_heat(item.heat(), size, f"the heat of {item.name}") for item in items])


def write_each(
    items: Iterable[AnyItem],
    folder: Path,
    make: Callable[[Sequence[AnyItem]], Iterable[np.ndarray]],
    tell: Callable[[str], object] = lambda name: None,
) -> int:
    """Write a one-channel PNG for each item that has none yet, so that a killed run can be continued.

    Args:
        items: items with distinct names. Several processes may divide them (``items[rank::count]``).
        folder: for the files ``<name>.png``; each is written completely or not at all.
        make: returns uint8 ``(H, W)`` for each of several items of one image.
        tell: called with each name after its file was written.

    Returns:
        The number of files written by this call.
    """
    made = 0
    for _, together in groupby(items, key=lambda item: item.picture):
        some = list(together)
        new = [item for item in some if not (folder / f"{item.name}.png").exists()]
        for item, pixels in zip(new, make(new) if new else (), strict=True):
            content = io.BytesIO()
            Image.fromarray(pixels).save(content, format="PNG")
            path = folder / f"{item.name}.png"
            try:
                write_whole(path, lambda file, content=content: file.write(content.getvalue()))
            except OSError as error:
                raise DataError(f"{path} cannot be written: {error.strerror}") from None
            made += 1
        for item in some:
            tell(item.name)
    return made


def read_png(path: Path, values: frozenset[int]) -> np.ndarray:
    """Read a file of :func:`write_each`: uint8 ``(H, W)``.

    Raises:
        DataError: the file is missing or broken, or has several channels or other values.
    """
    try:
        with Image.open(path) as image:
            image.load()
            pixels = np.array(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it and run the step again") from None
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or not set(np.unique(pixels).tolist()) <= values:
        raise DataError(f"{path}: expected one channel of {sorted(values)}; delete it and run the step again")
    return pixels
