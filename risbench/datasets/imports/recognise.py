"""Recognise a file of a copy by its name and folder, and find its place for the readers.

One rule covers all trees in use, because they agree on the last two names: the refer tool's ``data/refcoco``, LAVT's
``refer/data/refcoco``, TRIS's ``refer/refcoco`` and the archive ``refcoco.zip``; ``images/mscoco/images/train2014`` and
``train2014``; ``images/saiapr_tc-12``, flat or as in the archive of ImageCLEF; ``referit/annotations`` of TRIS and
MultiGrounding.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from ..catalog import find, names
from ..image_names import coco_number
from ..layout import plain_name

Kind = Literal["annotations", "coco", "saiapr", "referit", "parquet"]

_COCO_FOLDERS = ("train2014", "train2017", "val2017")
_COCO = re.compile(r"COCO_train2014_\d{12}\.jpg")
_SAIAPR = re.compile(r"\d{1,6}\.jpg")
_NUMBERED = re.compile(r"\d{2}")


class Destination(NamedTuple):
    """The kind of a file, and its path below the data root (none for parquet, which is converted)."""

    kind: Kind
    path: PurePosixPath


def data_set_of(folder: str) -> str | None:
    """REFER's name of a data set, from a folder's name: ``refcocoplus`` is ``refcoco+``."""
    plain = folder.lower().replace("plus", "+")
    return plain if plain in ("refcoco", "refcoco+", "refcocog", "refclef") else None


def _known() -> tuple[set[tuple[str, str]], set[str]]:
    """The (folder, file) pairs of all splits of REFER and of ReferIt's pickles."""
    entries = [entry for entry in map(find, names()) if entry.family != "drawn"]
    pairs = {(entry.folder, file) for entry in entries for file in (entry.refs_file, "instances.json")}
    return pairs, {entry.pickle for entry in entries if entry.pickle}


_PAIRS, _PICKLES = _known()


def recognise(parts: tuple[str, ...]) -> Destination | None:
    """The destination of the file with this path; None if no split uses such a file."""
    name, folder = parts[-1], parts[-2] if len(parts) > 1 else ""
    if name.endswith(".parquet"):
        return Destination("parquet", PurePosixPath())
    if name in _PICKLES:
        # Reading it shows whether it is ReferIt's and not Flickr's, which has the same name.
        return Destination("annotations", PurePosixPath("referit", "annotations", name))
    data_set = data_set_of(folder)
    plain = plain_name(name)
    if data_set and (data_set, plain) in _PAIRS:
        return Destination("annotations", PurePosixPath("refer", data_set, plain))
    if _COCO.fullmatch(name):
        return Destination("coco", PurePosixPath("train2014", name))
    if folder.lower() in _COCO_FOLDERS and (number := coco_number(name)) is not None:
        # A folder of 2017 does not show in which release an image was first published; the annotations do.
        return Destination("coco", PurePosixPath("train2014", f"COCO_train2014_{number}.jpg"))
    if _SAIAPR.fullmatch(name):
        return _saiapr(parts)
    return None


# Data sets that look like REFER's, but whose expressions have several targets, or none.
_OTHERS = {
    "grefcoco": "gRefCOCO",
    "ref-zom": "Ref-ZOM",
    "refzom": "Ref-ZOM",
    "rrefcoco": "R-RefCOCO",
    "rrefcoco+": "R-RefCOCO+",
    "rrefcocog": "R-RefCOCOg",
    "r-refcoco": "R-RefCOCO",
    "r-refcoco+": "R-RefCOCO+",
    "r-refcocog": "R-RefCOCOg",
}
_GREFS = re.compile(r"grefs\b.*\.(?:json|p|pkl|pickle)", re.IGNORECASE)
NOT_SUPPORTED = (
    "is recognised and not supported yet, because its protocol (several targets, or none) is not; `risbench data "
    'import FILE --as NAME` (see its --help) takes such expressions with one mask each, or with "mask": []'
)


def unsupported(parts: tuple[str, ...]) -> str | None:
    """The name of a known but unsupported data set to which a file belongs; None for any other file."""
    if _GREFS.fullmatch(parts[-1]):
        return "gRefCOCO"
    if not parts[-1].lower().endswith((".json", ".p", ".pkl", ".pickle")):
        return None
    folders = (part.lower().replace("plus", "+").replace("_", "-") for part in reversed(parts[:-1]))
    return next((_OTHERS[folder] for folder in folders if folder in _OTHERS), None)


def _saiapr(parts: tuple[str, ...]) -> Destination | None:
    folders = [part.lower() for part in parts[:-1]]
    if folders[-1:] == ["saiapr_tc-12"]:
        return Destination("saiapr", PurePosixPath("images", "saiapr_tc-12", parts[-1]))
    if folders[-1:] == ["images"]:
        if folders[-2:-1] == ["referit"]:
            return Destination("referit", PurePosixPath("referit", "images", parts[-1]))
        if "saiapr_tc-12" in folders and _NUMBERED.fullmatch(folders[-2]):
            return Destination("saiapr", PurePosixPath("images", "saiapr_tc-12", *parts[-3:]))
    return None


LOOKED_FOR = (
    "refcoco/, refcoco+/, refcocog/, refclef/ (or their .zip) with instances.json and refs(…).p; train2014/ or "
    "train2014.zip with COCO_train2014_….jpg; saiapr_tc-12/ or referit/images; train.pickle and test.pickle of "
    "ReferIt; ….parquet of RefCOCO"
)
