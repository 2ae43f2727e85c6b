"""Read and check the JSON form of own data; an error names the first fault and its place in the file.

Boxes are x0 y0 x1 y1 in pixels, as everywhere in risbench (not COCO's x y w h). Expressions of one image with the same
mask, box and category are about one object. They become the sentences of one ref, as training needs it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import DataError, MaskError
from ...io.jsonfile import read_json
from ...masks import box_of, parts_of, union_of
from ...records import Box
from ..annotations.numbers import whole_number
from ..images import orientation_of, size_fault

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
    """The content of a file, ready to be written in REFER's form.

    Attributes:
        role: ``train``, ``val`` or ``test``.
        files: the image files, below the JSON file's folder.
        images: entries of instances.json.
        objects: each object's image number, box (or None), segmentation and category.
        texts: each object's expressions, as ids with texts.
        box_only: number of expressions with a box but no mask.
        without_target: number of expressions without a target in their image.
        turned: the image files with an EXIF rotation.
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
    """Read and check a file.

    Raises:
        DataError: the file has a fault; the entry is named.
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
        raise DataError(f"{named}: {strange[0]!r:.40} is not a key of {what}: {', '.join(sorted(needed | more))}")


def _image(image: Any, folder: Path, named: str) -> tuple[tuple[int, int], int]:
    """Check an entry of ``images``; return its size and its EXIF orientation."""
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


def _check_ident(ident: Any, known: set[Any], named: str) -> None:
    if type(ident) not in (int, str) or (isinstance(ident, str) and (not ident.isprintable() or not ident)):
        raise DataError(f"{named}: 'id' must be a whole number or a text")
    if isinstance(ident, str) and any(letter in ident for letter in "/\\"):
        raise DataError(f"{named}: id {ident!r:.40} has a slash, but ids are also file names of predictions")
    if type(ident) is int and abs(ident) >= 1 << 63:
        raise DataError(f"{named}: id {ident} is too large")
    # Compared as texts, because 7 and "7" name the same sample and the same file.
    if str(ident) in known:
        raise DataError(f"{named}: id {ident!r:.40} occurs twice")
    known.add(str(ident))


NEXT = "the form is in `risbench data import --help`"
_SLACK = 1.0  # pixels by which an outline may stand over the edge: annotators' tools round
_LEAST_COMMON = 0.5  # of a given box and the one round the mask; as `data check` has it


def target_of(entry: dict[str, Any], size: tuple[int, int], named: str) -> tuple[Box | None, Any]:
    """The box and segmentation of an expression's target; no box and no parts if there is no target.

    Args:
        entry: the expression, with ``mask``, ``box`` or both.
        size: ``(height, width)`` of its image.
        named: its name in error messages.

    Raises:
        DataError: the mask or the box is broken, empty or outside the image, or they do not fit each other.
    """
    mask, box = entry.get("mask"), entry.get("box")
    given = None if box is None else _box(box, size, named)
    if mask is None and given is None:
        raise DataError(f"{named}: has neither 'mask' nor 'box'; an expression without a target has \"mask\": []")
    if not mask and mask not in (None, []):
        raise DataError(f"{named}: 'mask' is {mask!r:.40}; {NEXT}")
    if not mask:
        return given, []
    drawn = _drawn(mask, size, named)
    if given and (common := _in_common(given, drawn)) < _LEAST_COMMON:
        raise DataError(
            f"{named}: its box and the box round its mask have {common:.0%} in common; a box is x0, y0, x1, y1"
        )
    return given or drawn, mask


def _box(box: Any, size: tuple[int, int], named: str) -> Box:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise DataError(f"{named}: 'box' must be four numbers x0, y0, x1, y1, got {box!r:.60}")
    x0, y0, x1, y1 = map(float, box)
    if x0 >= x1 or y0 >= y1:
        raise DataError(f"{named}: box {box!r:.60} has no area; a box is x0, y0, x1, y1")
    if min(x0, y0) < -_SLACK or x1 > size[1] + _SLACK or y1 > size[0] + _SLACK:
        raise DataError(f"{named}: box {box!r:.60} lies outside its image of {size[0]}x{size[1]} (height x width)")
    return Box(x0, y0, x1, y1)


def _drawn(mask: Any, size: tuple[int, int], named: str) -> Box:
    """The box round a mask, after checking the mask."""
    if isinstance(mask, list):
        for which, polygon in enumerate(mask):
            _check_polygon(polygon, size, f"{named}: polygon {which}")
    elif not isinstance(mask, dict):
        raise DataError(f"{named}: 'mask' is a {type(mask).__name__}; {NEXT}")
    try:
        box = box_of(union_of(parts_of(mask, size), size))
    except MaskError as error:
        raise DataError(f"{named}: mask: {error}") from None
    if box is None:
        raise DataError(f'{named}: its mask covers no pixel; an expression without a target has "mask": []')
    return box


def _check_polygon(polygon: Any, size: tuple[int, int], named: str) -> None:
    # A polygon with fewer than three corners covers no pixel; drawing shows whether the whole mask is empty.
    if not isinstance(polygon, list) or not all(map(_is_number, polygon)):
        raise DataError(f"{named}: must be at least three x, y pairs in one list, got {polygon!r:.60}")
    for sides, limit in ((polygon[::2], size[1]), (polygon[1::2], size[0])):
        if sides and (min(sides) < -_SLACK or max(sides) > limit + _SLACK):
            raise DataError(f"{named}: lies outside its image of {size[0]}x{size[1]} (height x width)")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e7


def _in_common(a: Box, b: Box) -> float:
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    shared = max(width, 0) * max(height, 0)
    return shared / (a.area + b.area - shared)
