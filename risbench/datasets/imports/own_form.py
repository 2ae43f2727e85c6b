"""The one JSON form of own data, read and checked; the first fault is told with its place in the file.

Boxes are x0 y0 x1 y1 in pixels, as everywhere in this program (not COCO's x y w h). Expressions of one image with the
same mask, box and category are about one object: they become the sentences of one ref, as training wants it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import DataError
from ...io.jsonfile import read_json
from ...records import Box
from ..annotations.numbers import whole_number
from ..images import orientation_of, size_fault
from .own_target import NEXT, target_of

EXAMPLE = """\
{
  "role": "test",
  "images": [
    {"file": "photos/street.jpg", "height": 40, "width": 60}
  ],
  "expressions": [
    {"id": 1, "text": "the red car", "image": "photos/street.jpg", "category": "car",
     "mask": [[10, 5, 30, 5, 30, 25, 10, 25]]},
    {"id": 2, "text": "car on the left", "image": "photos/street.jpg", "category": "car",
     "mask": [[10, 5, 30, 5, 30, 25, 10, 25]]},
    {"id": 3, "text": "the dark door", "image": "photos/street.jpg",
     "mask": {"size": [40, 60], "counts": [1600, 20, 780]}},
    {"id": 4, "text": "a sign", "image": "photos/street.jpg", "box": [40, 5, 55, 20]},
    {"id": 5, "text": "the bus", "image": "photos/street.jpg", "mask": []}
  ]
}"""

FORM = """\
role         what the split is for: train, val or test (left out: test)
images       file (below the JSON's own folder), height and width in pixels
expressions  text and image (one of the files above), with
  mask       polygons [[x, y, x, y, …], …] in pixels, or COCO's run-length
             code {"size": [height, width], "counts": …}; [] is an
             expression that nothing in the image is meant by
  box        [x0, y0, x1, y1] in pixels; left out, it is drawn round the mask
  category   the object's class, if it has one
  id         a number or text; all expressions have one, or none has
"""

_KEYS = {
    "the file": ({"images", "expressions"}, {"role", "info"}),
    "an image": ({"file", "height", "width"}, set()),
    "an expression": ({"text", "image"}, {"mask", "box", "category", "id"}),
}


@dataclass(slots=True)
class OwnData:
    """What a file says, ready to be written in REFER's form.

    Attributes:
        role: ``train``, ``val`` or ``test``.
        files: the image files, below the file's own folder.
        images: entries of instances.json.
        objects: of each object its image's number, box (or None), segmentation and category.
        texts: of each object its expressions, ids with texts.
        box_only: how many expressions have a box and no mask.
        without_target: how many mean nothing in their image.
        turned: the image files that carry an EXIF rotation.
    """

    role: str
    files: list[PurePosixPath] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    objects: list[tuple[int, Box | None, Any, str | None]] = field(default_factory=list)
    texts: list[list[tuple[Any, str]]] = field(default_factory=list)
    box_only: int = 0
    without_target: int = 0
    turned: list[str] = field(default_factory=list)


def read_own(path: Path) -> OwnData:
    """Reads and checks a file.

    Raises:
        DataError: naming the entry and its fault.
    """
    whole = read_json(path, NEXT)
    _check_keys(whole, "the file", f"{path}")
    role = whole.get("role", "test")
    if role not in ("train", "val", "test"):
        raise DataError(f"{path}: 'role' is {role!r:.40}, not train, val or test; {NEXT}")
    for key in ("images", "expressions"):
        if not isinstance(whole[key], list) or not whole[key]:
            raise DataError(f"{path}: {key!r} must be a list of at least one; {NEXT}")
    data = OwnData(role)
    sizes: dict[str, tuple[int, tuple[int, int]]] = {}
    for number, image in enumerate(whole["images"]):
        named = f"{path}: images[{number}]"
        size, orientation = _image(image, path.parent, named)
        if orientation != 1:
            data.turned.append(image["file"])
        if image["file"] in sizes:
            raise DataError(f"{named}: {image['file']!r:.60} is listed twice")
        sizes[image["file"]] = (number, size)
        data.files.append(PurePosixPath(image["file"]))
        data.images.append({"id": number, "file_name": image["file"], "height": size[0], "width": size[1]})
    _expressions(whole["expressions"], sizes, data, path)
    return data


def _check_keys(entry: Any, what: str, named: str) -> None:
    needed, more = _KEYS[what]
    if not isinstance(entry, dict):
        raise DataError(f"{named}: is a {type(entry).__name__}, not {{…}}; {NEXT}")
    if missing := sorted(needed - entry.keys()):
        raise DataError(f"{named}: has no {missing[0]!r}; {NEXT}")
    if strange := sorted(entry.keys() - needed - more):
        raise DataError(f"{named}: {strange[0]!r:.40} is no key of {what}: {', '.join(sorted(needed | more))}")


def _image(image: Any, folder: Path, named: str) -> tuple[tuple[int, int], int]:
    """Checks an entry of ``images``; its size, and the orientation that its file asks to be shown in."""
    _check_keys(image, "an image", named)
    file = image["file"]
    if not isinstance(file, str) or not file:
        raise DataError(f"{named}: 'file' must be the name of an image file")
    if file[0] == "/" or "\\" in file or ".." in file or "\0" in file or ":" in file.partition("/")[0]:
        raise DataError(f"{named}: {file!r:.80} is not a plain path below the JSON's own folder")
    if str(PurePosixPath(file)) != file:
        raise DataError(f"{named}: write {file!r:.80} as {str(PurePosixPath(file))!r:.80}")
    given = (image["height"], image["width"])
    size = (whole_number(given[0]) or 0, whole_number(given[1]) or 0)
    if not all(0 < side <= 1 << 16 for side in size):
        raise DataError(f"{named}: 'height' and 'width' must be whole numbers of pixels, got {given!r:.60}")
    if not (folder / file).is_file():
        raise DataError(f"{named}: {folder / file}: no such image")
    real, orientation = _size_of(folder / file, named)
    if real != size:
        raise DataError(f"{named}: {file} {size_fault(real, size, orientation)}")
    return size, orientation


def _size_of(path: Path, named: str) -> tuple[tuple[int, int], int]:
    """An image's stored size, and its EXIF orientation."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return (image.height, image.width), orientation_of(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{named}: {path}: not an image that can be read ({str(error)[:80]})") from None


def _expressions(listed: list[Any], sizes: dict[str, tuple[int, tuple[int, int]]], data: OwnData, path: Path) -> None:
    objects: dict[str, int] = {}
    idents: set[Any] = set()
    for number, entry in enumerate(listed):
        named = f"{path}: expressions[{number}]"
        _check_keys(entry, "an expression", named)
        text, file = entry["text"], entry["image"]
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{named}: 'text' is empty or not a text")
        if not isinstance(file, str) or file not in sizes:
            raise DataError(f"{named}: {file!r:.60} is not a file of 'images'")
        if ("id" in entry) != ("id" in listed[0]):
            raise DataError(f"{named}: give all expressions an 'id', or none")
        ident = entry.get("id", number)
        ident = int(ident) if type(ident) is float and ident.is_integer() else ident
        _check_ident(ident, idents, named)
        image, size = sizes[file]
        target = target_of(entry, size, named)
        data.box_only += target[0] is not None and not target[1]
        data.without_target += target[0] is None
        category = entry.get("category")
        if category is not None and (not isinstance(category, str) or not category):
            raise DataError(f"{named}: 'category' must be a text")
        key = json.dumps([image, entry.get("mask"), entry.get("box"), category], sort_keys=True)
        if key not in objects:
            objects[key] = len(data.objects)
            data.objects.append((image, *target, category))
            data.texts.append([])
        data.texts[objects[key]].append((ident, text))


def _check_ident(ident: Any, seen: set[Any], named: str) -> None:
    if type(ident) not in (int, str) or (isinstance(ident, str) and (not ident.isprintable() or not ident)):
        raise DataError(f"{named}: 'id' must be a whole number or a text")
    if isinstance(ident, str) and any(letter in ident for letter in "/\\"):
        raise DataError(f"{named}: id {ident!r:.40} has a slash, and predictions are files named by it")
    if type(ident) is int and abs(ident) >= 1 << 63:
        raise DataError(f"{named}: id {ident} is too large")
    # As a text, because 7 and "7" name the same sample and the same file.
    if str(ident) in seen:
        raise DataError(f"{named}: id {ident!r:.40} occurs twice")
    seen.add(str(ident))
