"""Image files as pixels, in the orientation in which they were annotated.

The stored pixels are used unchanged: EXIF's rotation is not applied, because boxes and masks were drawn on stored
pixels. Alpha is dropped, not blended. Palettes, greys and CMYK become RGB as by PIL's ``convert("RGB")``, which is
usual in the field. 16-bit greys, which PIL would clip at 255, are scaled.
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

# Formats that PIL decodes itself; without this list it would run Ghostscript, another program, for PostScript.
_ORIENTATION = 0x0112
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")


def read_image(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read the pixels of an image file.

    Args:
        path: a JPEG, PNG, GIF, BMP, TIFF, WebP or PPM file with any suffix.
        size: the annotated ``(height, width)``; None for any size.

    Returns:
        uint8 ``(height, width, 3)``, RGB, in newly allocated memory.

    Raises:
        DataError: the file is missing (the message says where to get it), not an image, truncated, of another size, or
            larger than any real image.
    """
    from PIL import Image

    path = Path(path)
    refuse_endless(path)
    # Opened here, because old versions of Pillow fail otherwise on a loop of links.
    with _read_errors_named(path), path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
        _refuse_size(image, path, size)
        return np.array(_to_rgb(image), np.uint8)


class ImageFileHeader(NamedTuple):
    """Facts from the first bytes of an image file: its format, and its EXIF orientation (1 for none)."""

    format: str
    orientation: int = 1


def read_header(path: str | Path, size: tuple[int, int] | None = None) -> ImageFileHeader:
    """Read an image file's header and check its end, a hundred times faster than reading its pixels.

    If a JPEG or PNG does not end as it should, it may be truncated or have data after its end. It is then decoded
    completely, as are all other formats. Damage in the middle of a JPEG or PNG is not noticed.

    Args:
        path: the file.
        size: the annotated ``(height, width)``; None for any size.

    Raises:
        DataError: see `read_image`.
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
    """The EXIF orientation of an open image: 1 for unchanged or unknown, 2 to 8 for rotated or mirrored display.

    A TIFF counts as 1, because Pillow itself rotates it while reading.
    """
    if "exif" not in image.info or image.format == "TIFF":
        return 1
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def size_fault(stored: tuple[int, int], size: tuple[int, int], orientation: int) -> str:
    """The message why an image does not have its annotated size, with what to do; sizes are ``(height, width)``."""
    height, width = stored
    sizes = f"is {height}x{width} (height x width), its annotation says {size[0]}x{size[1]}"
    if (width, height) != tuple(size):
        return f"{sizes}; it is another image, or a resized one: get it again"
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
        raise DataError(f"{path}: has {image.height}x{image.width} pixels, more than any image of a data set")


@contextmanager
def _read_errors_named(path: Path) -> Iterator[None]:
    """A context that turns any exception of reading an image into a one-line error about the file."""
    from PIL import Image

    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such image{looked_for(path)}{origin_of(path)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{path}: has more pixels than any image of a data set; it was not read") from None
    except Image.UnidentifiedImageError:
        fault = fault_of(path) or "not an image that can be read; get it again"
        raise DataError(f"{path}: {fault}{origin_of(path)}") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise DataError(f"{path}: broken or truncated image ({reason}); get it again{origin_of(path)}") from None


def looked_for(path: Path) -> str:
    """The other names and folders in which a missing image was searched; empty if there are none."""
    if (number := coco_number(path.name)) is None:
        return ""
    return f" (nor COCO_train2014_{number}.jpg, {number}.jpg, .jpeg, .png in {COCO_PLACES})"


def origin_of(path: Path) -> str:
    """Where to get a missing image, as the end of a sentence; empty if its name does not show it."""
    if path.name.startswith("COCO_train2014_") or coco_number(path.name):
        return f"; `risbench data get SPLIT` downloads the images of a split; {COCO_ORIGIN}"
    if {"saiapr_tc-12", "referit"} & set(path.parts):
        return f"; `risbench data get saiapr` downloads all of them; {SAIAPR_ORIGIN}"
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
        # PIL warns about a direct conversion; the colours are the same.
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")
