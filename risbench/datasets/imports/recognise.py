"""Recognises a file of a copy by its name and folder, and knows where the readers look for it.

One rule serves all trees that are in use, because they agree on the last two names: the refer tool's ``data/refcoco``,
LAVT's ``refer/data/refcoco``, TRIS's ``refer/refcoco`` and the archive ``refcoco.zip``;
``images/mscoco/images/train2014`` and ``train2014``; ``images/saiapr_tc-12``, flat or as in the archive of ImageCLEF;
``referit/annotations`` of TRIS and MultiGrounding.
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
    """What a file is, and its place below the data root (for parquet, which is converted, none)."""

    kind: Kind
    path: PurePosixPath


def data_set_of(folder: str) -> str | None:
    """REFER's name of a data set, of a folder's name: ``refcocoplus`` is ``refcoco+``."""
    plain = folder.lower().replace("plus", "+")
    return plain if plain in ("refcoco", "refcoco+", "refcocog", "refclef") else None


def _known() -> tuple[set[tuple[str, str]], set[str]]:
    """The (folder, file) pairs of REFER and the ReferIt pickles that any split is read from."""
    entries = [entry for entry in map(find, names()) if entry.family != "drawn"]
    pairs = {(entry.folder, file) for entry in entries for file in (entry.refs_file, "instances.json")}
    return pairs, {entry.pickle for entry in entries if entry.pickle}


_PAIRS, _PICKLES = _known()


def recognise(parts: tuple[str, ...]) -> Destination | None:
    """What the file that these names lead to is; None for anything that no split is read from."""
    name, folder = parts[-1], parts[-2] if len(parts) > 1 else ""
    if name.endswith(".parquet"):
        return Destination("parquet", PurePosixPath())
    if name in _PICKLES:
        # Whether it is ReferIt's, and not Flickr's of the same name, shows when it is read.
        return Destination("annotations", PurePosixPath("referit", "annotations", name))
    data_set = data_set_of(folder)
    plain = plain_name(name)
    if data_set and (data_set, plain) in _PAIRS:
        return Destination("annotations", PurePosixPath("refer", data_set, plain))
    if _COCO.fullmatch(name):
        return Destination("coco", PurePosixPath("train2014", name))
    if folder.lower() in _COCO_FOLDERS and (number := coco_number(name)) is not None:
        # Which release an image first came with does not show in a folder of 2017: the annotations tell.
        return Destination("coco", PurePosixPath("train2014", f"COCO_train2014_{number}.jpg"))
    if _SAIAPR.fullmatch(name):
        return _saiapr(parts)
    return None


# Data sets that look like REFER's and are none: their expressions have several targets, or none.
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
    """The name of the data set that a file is of, where it is known and cannot be read; None for any other file."""
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
