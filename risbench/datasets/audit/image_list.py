"""A list of training images: ids or file names, one per line or as JSON.

Empty lines and lines that begin with ``#`` are ignored. JSON is a list of numbers, texts or ``{"id" or "image_id",
"file_name"}``, or COCO's dict with such a list under ``images``. Of a path only the file name is used. COCO's file
names contain the image ids: ``COCO_val2014_000000000042.jpg`` and the later ``000000000042.jpg`` are image 42 in every
COCO set. ``112.jpg`` is SAIAPR's image 112.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...io import reading
from ...io.jsonfile import read_json
from ..annotations.columns import Ident

_FORMS = "a list has COCO ids or file names, one per line, or is a JSON list"
_NUMBERED = re.compile(r"(?:COCO_[A-Za-z]+\d{4}_)?0*(\d{1,18})")


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images of a list.

    Attributes:
        path: the file.
        entries: each entry's id (or None) and file name (or None).
    """

    path: Path
    entries: tuple[tuple[Ident | None, str | None], ...]

    def known(self, ids: set[Ident], files: set[str]) -> int:
        """The number of entries that name one of these images."""
        return sum(ident in ids or file in files for ident, file in self.entries)

    @property
    def ids(self) -> frozenset[Ident]:
        """The ids."""
        return frozenset(ident for ident, _ in self.entries if ident is not None)

    @property
    def files(self) -> frozenset[str]:
        """The file names."""
        return frozenset(file for _, file in self.entries if file is not None)


def read_image_list(path: Path) -> ImageList:
    """Read the images of a list.

    Raises:
        DataError: the file is missing, empty or broken, or an entry is neither an id nor a file name; the entry is
            named.
    """
    if path.exists():
        reading.size_of_file(path, reading.WHOLE_BYTES, "a list of images")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {_FORMS}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; {_FORMS}") from None
    if text.lstrip().startswith(("[", "{")):
        whole = read_json(path, _FORMS)
        items = whole.get("images") if isinstance(whole, dict) else whole
        if not isinstance(items, list):
            raise DataError(f"{path}: is not a list of images; {_FORMS}")
        entries = [_entry(item, f"{path}: entry {number}") for number, item in enumerate(items)]
    else:
        lines = [line.strip() for line in text.splitlines()]
        entries = [_entry(line, f"{path}") for line in lines if line and not line.startswith("#")]
    if not entries:
        raise DataError(f"{path}: names no image; {_FORMS}")
    return ImageList(path, tuple(entries))


def _entry(item: Any, where: str) -> tuple[Ident | None, str | None]:
    if isinstance(item, dict):
        ident = item.get("id", item.get("image_id"))
        item = item.get("file_name") if ident is None else ident
    if isinstance(item, int) and not isinstance(item, bool):
        return item, None
    if not isinstance(item, str) or not item.strip():
        raise DataError(f"{where} is neither an id nor a file name; {_FORMS}")
    name = re.split(r"[/\\]", item.strip())[-1]
    stem, dot, _ = name.rpartition(".")
    numbered = _NUMBERED.fullmatch(stem if dot else name)
    return int(numbered[1]) if numbered else None, name
