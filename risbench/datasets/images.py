"""Image files as pixels, in the orientation in which they were annotated.

The stored pixels are taken as they lie: EXIF's rotation is not applied, because boxes and masks were drawn on stored
pixels. Alpha is dropped, not blended, and palettes, greys and CMYK become RGB, as the field's loaders do it with PIL's
``convert("RGB")``; greys of 16 bits, which PIL would cut off at 255, are scaled.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import DataError
from ..io.reading import refuse_endless
from ..io.wrong_content import fault_of
from ..masks import MOST_PIXELS
from .entry import COCO_ORIGIN, SAIAPR_ORIGIN
from .image_names import COCO_PLACES, coco_number

if TYPE_CHECKING:
    from PIL import Image

# Forms that PIL decodes itself: left to guess, it would hand PostScript to Ghostscript, which is a program.
_ORIENTATION = 0x0112
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")


def read_image(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """The pixels of an image file.

    Args:
        path: a JPEG, PNG, GIF, BMP, TIFF, WebP or PPM file, whatever its suffix.
        size: the ``(height, width)`` that the annotation promises; None to take any.

    Returns:
        uint8 ``(height, width, 3)``, RGB, of its own memory.

    Raises:
        DataError: the file is missing (with where it comes from), no image, truncated, of another size, or so large
            that it must be a trap; naming the file.
    """
    from PIL import Image

    path = Path(path)
    refuse_endless(path)
    # Opened here, because old versions of Pillow fail otherwise on a loop of links.
    with _read_errors_named(path), path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
        _refuse_size(image, path, size)
        return np.array(_to_rgb(image), np.uint8)


class ImageFileHeader(NamedTuple):
    """What the first bytes of an image file tell: its format, and the orientation that EXIF asks for (1 is none)."""

    format: str
    orientation: int = 1


def read_header(path: str | Path, size: tuple[int, int] | None = None) -> ImageFileHeader:
    """What an image file is, after a look at its first and last bytes: a hundred times faster than its pixels.

    A JPEG or PNG that does not end as such files end may be cut off or have something behind its end, so it is decoded
    to know; and so is every other format. Damage in the middle goes unseen.

    Args:
        path: the file.
        size: the ``(height, width)`` that the annotation promises; None to take any.

    Raises:
        DataError: as `read_image`.
    """
    from PIL import Image

    path = Path(path)
    with _read_errors_named(path), path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
        _refuse_size(image, path, size)
        found = ImageFileHeader(image.format or "unknown", orientation_of(image))
        if found.format in _ENDS and _ends_with(file, _ENDS[found.format]):
            return found
    read_image(path, size)
    return found


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation of an open image: 1 as stored, 2 to 8 turned or mirrored when shown; 1 where none is said.

    A TIFF counts as 1, because Pillow itself turns it while it reads.
    """
    if "exif" not in image.info or image.format == "TIFF":
        return 1
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def size_fault(stored: tuple[int, int], size: tuple[int, int], orientation: int) -> str:
    """Why an image is not of its annotated size, in words, with what to do; sizes are ``(height, width)``."""
    height, width = stored
    sizes = f"is {height}x{width} (height x width), its annotation says {size[0]}x{size[1]}"
    if (width, height) != tuple(size):
        return f"{sizes}; it is another image, or a resized one: get it anew"
    if orientation >= 5:
        return (
            f"{sizes}, as the picture is shown: the file asks to be turned (EXIF orientation {orientation}), and what "
            "was drawn on the shown picture does not lie on the stored pixels; store it upright (`mogrify -auto-orient "
            "FILE` of ImageMagick, or Pillow's ImageOps.exif_transpose)"
        )
    return f"{sizes}: height and width are exchanged in the annotation, or the picture was turned by a quarter"


_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"\0\0\0\0IEND\xaeB`\x82"}


def _ends_with(file: IO[bytes], end: bytes) -> bool:
    file.seek(-len(end), 2)
    return file.read() == end


def _refuse_size(image: Image.Image, path: Path, size: tuple[int, int] | None) -> None:
    if size is not None and (image.height, image.width) != tuple(size):
        fault = size_fault((image.height, image.width), size, orientation_of(image))
        raise DataError(f"{path}: {fault}")
    if image.height * image.width > MOST_PIXELS:
        raise DataError(f"{path}: {image.height}x{image.width} pixels are more than any image of a data set has")


@contextmanager
def _read_errors_named(path: Path) -> Iterator[None]:
    """Turns whatever reading an image raises into one line about the file."""
    from PIL import Image

    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such image{looked_for(path)}{origin_of(path)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{path}: has more pixels than any image of a data set; it was not read") from None
    except Image.UnidentifiedImageError:
        fault = fault_of(path) or "not an image that can be read; get it anew"
        raise DataError(f"{path}: {fault}{origin_of(path)}") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise DataError(f"{path}: broken or truncated image ({reason}); get it anew{origin_of(path)}") from None


def looked_for(path: Path) -> str:
    """Under which other names a missing image was looked for, and where; empty for images without such."""
    if (number := coco_number(path.name)) is None:
        return ""
    return f" (nor COCO_train2014_{number}.jpg, {number}.jpg, .jpeg, .png in {COCO_PLACES})"


def origin_of(path: Path) -> str:
    """Where an image that is missing comes from, as the end of a sentence; empty where its name does not tell."""
    if path.name.startswith("COCO_train2014_") or coco_number(path.name):
        return f"; `risbench data get SPLIT` gets the images of a split; {COCO_ORIGIN}"
    if {"saiapr_tc-12", "referit"} & set(path.parts):
        return f"; `risbench data get saiapr` gets them all; {SAIAPR_ORIGIN}"
    return ""


def _to_rgb(image: Image.Image) -> Image.Image | np.ndarray:
    if image.mode.startswith("I"):
        deep = np.clip(np.asarray(image), 0, 65535).astype(np.float64)
        grey = np.rint(deep / 257 if image.mode != "I" or deep.max(initial=0) > 255 else deep)
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode == "F":
        grey = np.clip(np.nan_to_num(np.asarray(image)), 0, 255)
        return np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        # PIL warns of the direct way; the colours come out the same.
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")
