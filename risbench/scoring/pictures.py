"""Read a mask from a PNG: one channel with values {0, 1} or {0, 255}, or a picture that shows only two colours.

The visible colours decide, and black is background. If a picture shows no clear mask (grey values, several colours, a
varying alpha channel), the file is refused with a description of it, because a guess would give wrong scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..io import reading
from ..io.wrong_content import fault_in
from ..masks import MOST_PIXELS
from ..records import Prediction

if TYPE_CHECKING:
    from PIL import Image

_WAY_OUT = "save the mask in one channel, with values {0, 255}: Image.fromarray((mask * 255).astype('uint8'))"


def read_mask(path: Path) -> Prediction:
    """A mask from a PNG.

    Args:
        path: the file. It has one channel with the values 0 and 1, or 0 and the largest value; or several equal
            channels of this kind; or a palette of which two colours are used, one of them black.

    Raises:
        DataError: the picture shows no mask; the message says what it holds.
    """
    from PIL import Image

    refuse_large(path)
    try:
        with path.open("rb") as file:
            head = file.read(26)
        # Only PNG is allowed: if PIL guessed the format, it would start another program for PostScript.
        with Image.open(path, formats=("PNG",)) as picture:
            if picture.height * picture.width > MOST_PIXELS:
                raise DataError(f"{path}: {picture.height}x{picture.width} pixels are more than any image has")
            values = _values(picture, head[24], head[25])
            _refuse_what_turns(picture)
    except DataError:
        raise
    except _NoMaskError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # PIL raises many kinds for a broken file
        raise DataError(f"{path}: not a readable PNG: {_kind_of(path) or f'{error!s:.200}'}") from None
    if values.dtype == np.bool_:
        return Prediction(mask=values)
    return Prediction(mask=mask_of_values(values, str(path)))


def refuse_large(path: Path) -> None:
    """Refuse a picture with more bytes than any mask needs.

    Raises:
        DataError: it has more, or is not a regular file.
    """
    reading.size_of_file(path, reading.PICTURE_BYTES, "a picture of a mask")


def mask_of_values(values: np.ndarray, where: str) -> np.ndarray:
    """The mask of integers {0, 1} or {0, the largest value of the type (255, 65535)}; 255 also in larger types.

    Args:
        values: integers ``(H, W)``.
        where: the file, for error messages.

    Raises:
        DataError: there are other values; the message has the first of them.
    """
    tops = (0, 1, 255, 65535) if values.dtype.itemsize > 1 else (0, 1, 255)
    top = int(values.max(initial=0))
    if top not in tops or ((values != 0) & (values != top)).any():
        found = np.unique(values)
        shown = ", ".join(map(str, found[:4])) + (", …" if len(found) > 4 else "")
        raise DataError(
            f"{where}: values {shown}: a mask holds {{0, 1}} or {{0, 255}}; a soft map belongs in a .npy of floats"
        )
    return values != 0


class _NoMaskError(Exception):
    """Why a picture shows no mask."""


def _values(picture: Image.Image, depth: int, colour: int) -> np.ndarray:
    """What the picture shows, bool or integers ``(H, W)``; ``depth`` and ``colour`` are from the PNG header."""
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise _NoMaskError(f"an animation of {frames} pictures: {_WAY_OUT}")
    if picture.mode == "P":
        return _shown_by_palette(np.asarray(picture), *_palette(picture))
    if picture.mode == "1":
        return np.asarray(picture)
    if picture.mode == "L":
        pixels = np.asarray(picture)
        # PIL scales grey values of 2 or 4 bits to 255, and the 1 of a mask with them.
        one = 255 // (2**depth - 1) if depth in (2, 4) else 1
        return pixels // one if one > 1 and ((pixels == 0) | (pixels == one)).all() else pixels
    if picture.mode.startswith("I"):
        return np.asarray(picture)
    if picture.mode not in ("RGB", "RGBA", "LA") or depth != 8:
        bits = f" of {depth} bits" if depth > 8 else ""
        raise _NoMaskError(f"a mask has one channel, this has mode {picture.mode}{bits}: {_WAY_OUT}")
    return _grey(np.asarray(picture), picture.mode)


def _grey(pixels: np.ndarray, mode: str) -> np.ndarray:
    """The common value of equal channels, uint8 ``(H, W)``, of a picture without transparency."""
    channels = {"RGB": 3, "RGBA": 3, "LA": 1}[mode]
    if pixels.shape[2] > channels and (pixels[:, :, -1] != 255).any():
        raise _NoMaskError(f"a mask has one channel, this has mode {mode} with an alpha below 255: {_WAY_OUT}")
    first = pixels[:, :, 0]
    if any((pixels[:, :, other] != first).any() for other in range(1, channels)):
        raise _NoMaskError(f"a mask has one channel, this has mode {mode} with colours: {_WAY_OUT}")
    return first


def _palette(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """The colours of the indices 0 to 255 on a black background, and which of them transparency changes.

    Returns:
        int ``(256, 3)``, -1 where the palette has no colour; bool ``(256,)``.
    """
    colours = np.full((256, 3), -1)
    listed = np.array(picture.getpalette() or [], dtype=int)[: 3 * 256].reshape(-1, 3)
    colours[: len(listed)] = listed
    clear = picture.info.get("transparency")
    if isinstance(clear, bytes):
        alpha = np.frombuffer(clear[:256], np.uint8)[: len(listed)].astype(int)
        colours[: len(alpha)] = listed[: len(alpha)] * alpha[:, None] // 255
    elif isinstance(clear, int) and 0 <= clear < len(listed):
        colours[clear] = 0
    hidden = np.zeros(256, dtype=bool)
    hidden[: len(listed)] = (colours[: len(listed)] != listed).any(axis=1)
    return colours, hidden


def _shown_by_palette(indices: np.ndarray, colours: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """The mask that a picture with a palette shows.

    If index 0 is black, the indices are the values, as in label images. Otherwise the colours decide: black is
    background.
    """
    used = np.flatnonzero(np.bincount(indices.reshape(-1), minlength=256))
    black = (colours == 0).all(axis=1)
    ordinary = set(used.tolist()) <= {0, 1} or set(used.tolist()) <= {0, 255}
    if black[used].all() and not hidden[used].all() and hidden[used].any():
        raise _NoMaskError(f"its palette hides colours behind transparency, and all that is left is black: {_WAY_OUT}")
    if black[0] and ordinary:
        return indices != 0
    if len(used) <= 2 and black[used].sum() == 1:
        return ~black[indices]
    if len(used) == 1 and not black[used[0]] and ((colours[used[0]] == 255).all() or black[0]):
        return np.ones(indices.shape, bool)
    if black[0] or not ordinary:
        return indices  # neither two colours nor the values of a mask; the caller refuses it with its values
    other = used[-1]
    if other and 0 <= colours[0].sum() < colours[other].sum():
        return indices != 0  # neither is black, but index 0 is the darker one, as with black
    shown = ", ".join(f"index {index} is rgb{tuple(colours[index].tolist())}" for index in used.tolist())
    raise _NoMaskError(f"its palette does not tell object from background ({shown}; black is background): {_WAY_OUT}")


def _refuse_what_turns(picture: Image.Image) -> None:
    if "exif" in picture.info and picture.getexif().get(274, 1) != 1:
        raise _NoMaskError(
            "its EXIF orientation rotates or mirrors it: save the pixels as they should appear, without EXIF"
        )


def _kind_of(path: Path) -> str:
    """What a file is that has the suffix of a PNG but is not one; empty if its first bytes do not show it."""
    with path.open("rb") as file:
        start = file.read(512)
    if (fault := fault_in(start)) is not None:
        return f"it {fault}"
    head = start[:12]
    if head.startswith(b"\xff\xd8"):
        return "it is a JPEG, which changes the values of a mask at its edges: save it again as PNG"
    if head.startswith((b"GIF8", b"BM", b"II*\0", b"MM\0*")) or head[8:12] == b"WEBP":
        return "it is a picture of another kind under the name of a PNG: save it again as PNG"
    if head.startswith(b"\x93NUMPY"):
        return "it is an array of numpy: name it .npy"
    return ""
