"""The file names under which an image may be found.

COCO uses the same numbers in all of its releases, so ``COCO_train2014_000000000025.jpg`` of 2014 and
``000000000025.jpg`` of 2017 are the same image. Refs name it ``COCO_train2014_000000000025_3.jpg``, after one of its
objects. Only files with such a number of twelve digits are searched under another name; any other file may have another
suffix. The reader compares the size to confirm that it is the same image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

# The folders of COCO's releases, and the usual folders that contain them, below a data root.
_RELEASES = ("train2014", "train2017", "val2014", "val2017", "trainval2014")
_KEPT_IN = ("images/mscoco/images", "images", "coco", "coco/images", "refer/images/mscoco/images")
COCO_FOLDERS = (
    "train2014",
    "images/mscoco/images/train2014",
    *(f"{kept}/train2014" for kept in _KEPT_IN[1:]),
    *_RELEASES[1:],
    *(f"{kept}/{release}" for kept in _KEPT_IN for release in _RELEASES[1:]),
)
COCO_PLACES = f"{', '.join(_RELEASES)} of the data root, or of {', '.join(f'{kept}/' for kept in _KEPT_IN)} in it"
_SUFFIXES = (".jpg", ".JPG", ".jpeg", ".JPEG", ".png", ".PNG")
_COCO = re.compile(r"(?:COCO_(train|val)2014_)?(\d{12})(?:_\d+)?\.(?:jpe?g|png)", re.ASCII | re.IGNORECASE)


def coco_number(name: str) -> str | None:
    """The twelve digits of a COCO file name; None if a name has none."""
    match = _COCO.fullmatch(name)
    return match[2] if match else None


def names_of(file: str) -> Iterator[str]:
    """The possible names of an annotated image file below a folder of images, its own name first."""
    plain = PurePosixPath(file.replace("\\", "/"))
    yield file
    if str(plain) != file:
        yield str(plain)
    if match := _COCO.fullmatch(plain.name):
        release, number = (match[1] or "train").lower(), match[2]
        others = ("val" if release == "train" else "train",) if match[1] is None else ()
        for stem in (
            plain.stem,
            f"COCO_{release}2014_{number}",
            number,
            *(f"COCO_{one}2014_{number}" for one in others),
        ):
            yield from (f"{stem}{suffix}" for suffix in _SUFFIXES)
    else:
        yield from (str(plain.with_suffix(suffix)) for suffix in _SUFFIXES)
