"""Thumbnails of images, as data inside the page or as files beside it."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from risbench import DataError
from risbench.datasets.images import read_image
from risbench.io.atomic import sweep_parts
from risbench.plain import counted
from risbench.results.jsonlines import replace_bytes

SIDE = 320  # pixels of the longer side, as wide as the page shows an image
_QUALITY = 78


class Thumbnails:
    """Makes thumbnails on all cores; use it as a context.

    Attributes:
        folder: where files are written, or None for data within the page.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            sweep_parts(folder)
        self._pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
        self._made = self._requested = 0
        self._absent: list[Path] = []
        self._broken: list[str] = []

    def __enter__(self) -> Thumbnails:
        """Itself."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)

    def of(self, images: Sequence[tuple[Path, tuple[int, int]]]) -> list[str | None]:
        """The ``src`` of an ``img`` element for each path and ``(height, width)``; None if there is no image."""
        sources: list[str | None] = []
        for (path, _), (jpeg, problem) in zip(images, self._pool.map(_made, images), strict=True):
            self._requested += 1
            if jpeg is None:
                self._absent.append(path)
                if problem:
                    self._broken.append(problem)
                sources.append(None)
            elif self.folder is None:
                sources.append("data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii"))
            else:
                # Numbered, because ids and file names of data sets may be unsafe in a path or URL.
                name = f"{self._requested - 1:06d}.jpg"
                replace_bytes(self.folder / name, jpeg, sweep=False)
                sources.append(f"{self.folder.name}/{name}")
        return sources

    def notes(self, folder: Path) -> list[str]:
        """What could not be shown; ``folder`` is where the images should lie."""
        notes = []
        if missing := len(self._absent) - len(self._broken):
            notes.append(
                f"{missing} of {counted(self._requested, 'image')} are not there (looked in {folder}; "
                "--data-root DIR looks elsewhere): their masks stand on grey."
            )
        notes += self._broken[:3]
        if len(self._broken) > 3:
            notes.append(f"and {counted(len(self._broken) - 3, 'more image')} cannot be read.")
        if self.folder is not None:
            notes.append(f"Thumbnails lie beside the page, in {self.folder.name}: move both together.")
        return notes


def _made(image: tuple[Path, tuple[int, int]]) -> tuple[bytes | None, str | None]:
    """A small JPEG of an image, or the reason why there is none (None if there is no file)."""
    from PIL import Image

    path, size = image
    if not path.is_file():
        return None, None
    try:
        picture = _drafted(path, size)
        small = picture if picture is not None else Image.fromarray(read_image(path, size))
        small.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    except (DataError, OSError) as error:
        return None, str(error)
    memory = io.BytesIO()
    small.save(memory, "JPEG", quality=_QUALITY)
    return memory.getvalue(), None


def _drafted(path: Path, size: tuple[int, int]):
    """A JPEG decoded at a fraction of its size, which is four times as fast; None for other images."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.format != "JPEG" or picture.mode not in ("RGB", "L") or picture.size != size[::-1]:
                return None
            picture.draft("RGB", (SIDE, SIDE))
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError):
        # `read_image` then raises an error that says what is wrong.
        return None
