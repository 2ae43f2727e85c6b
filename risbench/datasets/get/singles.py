"""Download single images that are needed, over a few parallel connections.

Single images have no published checksums. So each downloaded image is decoded, and must have the size in its
annotation, before it gets its final name. Of existing images only the size in the header is checked.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from ...errors import DataError
from ...plain import counted
from ..images import read_image
from .fetch import Client
from .messages import OnProgress
from .part import drop
from .sources import Singles, SourceRefused, Unreachable

# After so many successive failures the cause is not a single image.
_MOST_IN_A_ROW = 12


class Image(NamedTuple):
    """An image that a split needs: its file name, its path, and its ``(height, width)``."""

    file: str
    place: Path
    size: tuple[int, int]


class Brought(NamedTuple):
    """The result: the number of downloaded images and bytes, and the failures by name."""

    fetched: int
    bytes: int
    failed: dict[str, str]


def missing_of(images: Sequence[Image]) -> list[Image]:
    """The images that are missing, or have another size than in the annotation (broken, or another image)."""
    return [image for image in images if not _is_there(image)]


def fetch_images(
    client: Client, images: Sequence[Image], singles: Singles, jobs: int, on_progress: OnProgress
) -> Brought:
    """Download images; each file is written completely or not at all.

    Args:
        client: the connections.
        images: the images to download.
        singles: their sources.
        jobs: number of parallel downloads.
        on_progress: called from this thread with the number of finished images and of all images.

    Raises:
        DataError: a file cannot be written, or no source answers; downloaded images are kept.
    """
    silent: set[str] = set()
    waiting: queue.SimpleQueue[Image] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Image, int | Exception]] = queue.SimpleQueue()
    for image in images:
        waiting.put(image)

    def work() -> None:
        while not client.stopped.is_set():
            try:
                image = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((image, _bring(client, image, singles, silent)))
            except Exception as fault:
                done.put((image, fault))

    # Daemon threads, so that Ctrl-C does not wait for a silent server; they leave only partial files.
    for _ in range(min(jobs, len(images))):
        threading.Thread(target=work, daemon=True).start()
    fetched, size, failed, in_a_row = 0, 0, {}, 0
    try:
        for number in range(len(images)):
            on_progress(number, len(images))
            image, outcome = done.get()
            if isinstance(outcome, int):
                fetched, size, in_a_row = fetched + 1, size + outcome, 0
            elif isinstance(outcome, Unreachable):
                raise DataError(
                    f"{image.file}: {outcome}; {counted(fetched, 'image')} downloaded, "
                    "the same command continues from there"
                )
            elif isinstance(outcome, SourceRefused):
                failed[image.file] = str(outcome)
                in_a_row += 1
                if in_a_row >= _MOST_IN_A_ROW and not fetched:
                    raise DataError(f"the first {in_a_row} images all failed: {image.file}: {outcome}")
            else:
                raise outcome
        on_progress(len(images), len(images))
    except BaseException:
        client.stopped.set()
        raise
    return Brought(fetched, size, failed)


def _bring(client: Client, image: Image, singles: Singles, silent: set[str]) -> int:
    """Download one image; hosts that did not answer for an earlier image are tried last."""
    part = image.place.with_name(f".{image.file}.part")
    reasons: list[SourceRefused] = []
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        for source in sorted(singles.sources, key=lambda one: one.host in silent):
            url = source.url.replace("{file}", quote(image.file))
            try:
                size = client.fetch(url, part, most=singles.most, on_progress=lambda done, total: None)
            except SourceRefused as fault:
                if isinstance(fault, Unreachable):
                    silent.add(source.host)
                reasons.append(type(fault)(f"{source.host} {fault}"))
                continue
            try:
                read_image(part, image.size)
            except DataError as fault:
                part.unlink(missing_ok=True)
                reasons.append(
                    SourceRefused(f"{source.host} gave a wrong file: {str(fault).removeprefix(f'{part}: ')}")
                )
                continue
            part.replace(image.place)
            return size
    except OSError as error:
        raise DataError(
            f"{error.filename or image.place}: {error.strerror}; run the command again to continue"
        ) from None
    finally:
        drop(part)
    kind = Unreachable if all(isinstance(reason, Unreachable) for reason in reasons) else SourceRefused
    raise kind("; ".join(map(str, reasons)))


def _is_there(image: Image) -> bool:
    from PIL import Image as Pillow

    try:
        with Pillow.open(image.place, formats=("JPEG", "PNG")) as opened:
            return (opened.height, opened.width) == image.size
    except (OSError, SyntaxError, ValueError):
        return False
