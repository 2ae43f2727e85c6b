"""The work of ``data import FILE --as NAME``: make a split of the data root from own data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError, UsageError
from ...io.hashes import sha256_of
from .. import catalog, own
from ..entry import Counts
from ..load import load_split
from ..split import Split
from .own_form import OwnData, read_own
from .placing import place, place_bytes
from .scan import FoundFile
from .written import instances_bytes, ref_of, refs_bytes


@dataclass(frozen=True, slots=True)
class MadeSplit:
    """The result of an import of own data.

    Attributes:
        split: the split, loaded.
        folder: its folder.
        new: whether it did not exist before.
        box_only, without_target: number of expressions with only a box, and without a target.
        turned: image files with an EXIF rotation.
    """

    split: Split
    folder: Path
    new: bool
    box_only: int
    without_target: int
    turned: tuple[str, ...] = ()


def import_own(
    file: str | Path,
    name: str,
    data_root: str | Path | None = None,
    *,
    copy: bool = False,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> MadeSplit:
    """Make an own split; every command then knows it by its name in this data root.

    A second import of the same file changes nothing; another file is refused.

    Args:
        file: JSON in the form of `own_form`.
        name: the split's name.
        data_root: the target; by default ``$RISBENCH_DATA``, else the user data folder.
        copy: copy the images instead of linking to them.
        progress: called with the number of images that are placed, and of all images.

    Raises:
        UsageError: the name is not allowed for an own split.
        DataError: the file has a fault (the entry is named), or another split of this name exists.
        OSError: the data root cannot be written.
    """
    _check_name(name)
    path = Path(file).expanduser()
    data = read_own(path)
    folder = own.folder_of(name, data_root)
    contents = _contents(data, path)
    new = not (folder / own.MARK).is_file()
    for place_name, content in contents.items():
        there = folder / place_name
        if there.is_file() and there.read_bytes() != content:
            raise UsageError(
                f"--as {name}: {folder} is a split made of another file; move it away, or choose another name"
            )
    for done, image in enumerate(data.files, start=1):
        place(FoundFile(image.parts, path.parent.absolute() / image), folder / "images" / image, copy)
        progress(done, len(data.files))
    for place_name, content in contents.items():
        place_bytes(content, folder / place_name)
    split = load_split(name, data_root)
    if split.partial:
        raise DataError(f"{folder}: changed during the import; import it again")
    return MadeSplit(split, folder, new, data.box_only, data.without_target, tuple(data.turned))


def _contents(data: OwnData, path: Path) -> dict[str, bytes]:
    """The files of a split; the last one marks it as complete."""
    classes = sorted({category for *_, category in data.objects if category is not None})
    numbers = {category: number for number, category in enumerate(classes, 1)}
    anns: list[dict[str, Any]] = []
    refs: list[dict[str, Any]] = []
    for ident, ((image, box, segmentation, category), texts) in enumerate(zip(data.objects, data.texts, strict=True)):
        number = None if category is None else numbers[category]
        if box is not None:
            sides = [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0]
            anns.append({"id": ident, "image_id": image, "bbox": sides, "segmentation": segmentation})
            anns[-1]["category_id"] = number
        refs.append(ref_of(ident, None if box is None else ident, image, data.role, texts, number))
    named = [{"id": number, "name": category} for category, number in numbers.items()]
    used = {image for image, *_ in data.objects}
    counts = Counts(len(used), len(refs), sum(map(len, data.texts)))
    mark = {
        "made_by": "risbench data import",
        "made_of": {"file": path.name, "sha256": sha256_of(path)},
        "role": data.role,
        "counts": counts._asdict(),
        "box_only": data.box_only,
        "without_target": data.without_target,
    }
    return {
        own.REFS: refs_bytes(refs),
        "instances.json": instances_bytes(data.images, anns, named, "own data"),
        own.MARK: (json.dumps(mark, indent=2) + "\n").encode(),
    }


def _check_name(name: str) -> None:
    """Refuse a name that is not allowed for an own split.

    Raises:
        UsageError: the catalog uses the name, or it is not a valid folder name.
    """
    if not own.NAME.fullmatch(name) or ".." in name:
        raise UsageError(
            f"--as {name!r:.80}: a split's name has letters, digits, _ + - and dots, at most 64 characters"
        )
    taken = {known.lower() for known in catalog.names()}
    lowered = name.lower()
    if lowered in taken or lowered.replace("refcocoplus_", "refcoco+_", 1) in taken:
        raise UsageError(f"--as {name}: that is a split of the catalog (`risbench list splits`); choose another name")
    if lowered.startswith(("shapes_", "refcocoplus_")):
        # Methods use drawn-world weights for names that begin with shapes_, and refcocoplus_ is an alias of refcoco+_.
        raise UsageError(f"--as {name}: the catalog uses names that begin like this; choose another name")
