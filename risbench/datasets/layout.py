"""The annotation files of a split, and the folders that may contain its images.

ReferIt's Berkeley splits have two layouts. If both exist, the pickles are read, because TRIS and the compared methods
were tested on them, while every copy of refclef contains ``refs(berkeley).p``. `Split.sources`, and so every result,
records which files were read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError
from .catalog import names
from .entry import REFERIT_ORIGIN, Entry
from .image_names import COCO_FOLDERS, names_of

_SAIAPR_FOLDERS = ("images/saiapr_tc-12", "saiapr_tc-12", "referit/saiapr_tc-12")
_PICKLE_FOLDERS = ("referit/images", *_SAIAPR_FOLDERS)


_REFS = re.compile(
    r"refs[ _.-]*(?:\(|%28)? ?(unc|umd|google|berkeley) ?(?:\)|%29)?(?: ?\(\d+\))?\.(?:p|pkl|pickle)", re.IGNORECASE
)
_INSTANCES = re.compile(r"instances ?\(\d+\)\.json", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """One possible layout of a split.

    Attributes:
        reader: ``refer`` or ``referit``.
        files: the annotation files; all are needed.
        folders: folders that may contain the images, the most likely first.
        origin: where to get the annotations.
        nested: whether images may be in subfolders, as ``00/images/112.jpg`` (the tree of SAIAPR's archive).
        renamed: whether images may have another of their usual names; see `image_names`.
    """

    reader: str
    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    origin: str
    nested: bool = False
    renamed: bool = False


def layouts(entry: Entry, root: Path) -> tuple[Layout, ...]:
    """The possible layouts of a split below a data root, the preferred one first; none for drawn scenes."""
    if entry.family == "drawn":
        return ()
    folder = root / ("own" if entry.family == "own" else "refer") / entry.folder
    files = (folder / entry.refs_file, folder / "instances.json")
    if entry.family == "own":
        return (Layout("refer", files, (folder / "images",), entry.origin),)
    files = tuple(_present(file) for file in files)
    if entry.family == "refer":
        return (Layout("refer", files, _below(root, COCO_FOLDERS), entry.origin, renamed=True),)
    refer = Layout("refer", files, _below(root, (*_SAIAPR_FOLDERS, "referit/images")), entry.origin, nested=True)
    if entry.pickle is None:
        return (refer,)
    pickle = (root / "referit" / "annotations" / entry.pickle,)
    return (Layout("referit", pickle, _below(root, _PICKLE_FOLDERS), REFERIT_ORIGIN, nested=True), refer)


def plain_name(name: str) -> str:
    """REFER's name of a file that a browser or a tool has renamed.

    ``refs_unc.p``, ``refs%28unc%29.p``, ``refs (unc).p`` and ``refs(unc)(1).p`` are ``refs(unc).p``.
    """
    if match := _REFS.fullmatch(name):
        return f"refs({match[1].lower()}).p"
    return "instances.json" if _INSTANCES.fullmatch(name) else name


def _present(file: Path) -> Path:
    """The file, or the only file in its folder with this `plain_name`."""
    if file.is_file():
        return file
    try:
        others = [other for other in file.parent.iterdir() if plain_name(other.name) == file.name and other.is_file()]
    except OSError:
        return file
    return others[0] if len(others) == 1 else file


def drawn_layout(entry: Entry, folder: Path) -> Layout:
    """The layout of drawn scenes in their folder."""
    return Layout("refer", (folder / entry.refs_file, folder / "instances.json"), (folder / "images",), entry.origin)


def present_layout(entry: Entry, root: Path) -> Layout:
    """The first layout whose annotation files all exist.

    Raises:
        DataError: there is none; the message names the first missing file and where to get it.
    """
    ways = layouts(entry, root)
    for way in ways:
        if all(file.is_file() for file in way.files):
            return way
    if not root.is_dir():
        raise DataError(
            f"{root}: no such data root (needed for {entry.name}); set --data-root or $RISBENCH_DATA"
            f"{_to_get(entry)}; {entry.origin}"
        )
    # Of two layouts the partly existing one is assumed; if nothing exists, REFER's, which has all splits.
    begun = [way for way in ways if any(file.is_file() for file in way.files)] or [ways[-1]]
    missing = next(file for file in begun[0].files if not file.is_file())
    other = "" if len(ways) == 1 else f" (or {ways[0].files[0]})"
    also = ""
    if entry.name == "referit_val" and (root / "referit" / "annotations").is_dir():
        also = " (the pickles in referit/annotations have no val)"
    raise DataError(f"{missing}: no such file{other}, needed for {entry.name}{also}{_to_get(entry)}; {entry.origin}")


def _to_get(entry: Entry) -> str:
    return f"; `risbench data get {entry.name}` downloads it" if entry.name in names() else ""


def _below(root: Path, folders: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(root / folder for folder in folders)


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Finds the file of an image.

    Attributes:
        folders: the existing folders, the most likely first; the most likely one if none exists.
        nested: whether to search subfolders, too.
        renamed: whether to search other usual names, too.
    """

    folders: tuple[Path, ...]
    nested: bool
    renamed: bool = False
    _plain: list[bool] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, layout: Layout) -> ImageFiles:
        """The finder for a layout; existing folders are checked now."""
        there = tuple(folder for folder in layout.folders if folder.is_dir())
        if layout.renamed and there and all(folder.name.startswith("val") for folder in there):
            there = (*layout.folders[:1], *there)  # the images of other releases alone: the others do not belong there
        return cls(there or layout.folders[:1], layout.nested, layout.renamed and len(there) > 0)

    def find(self, file: str) -> Path:
        """The path of an image; for a missing image, the path where it should be."""
        first = self.folders[0] / file
        # A look at the disk for each of 20,000 images is slow on network drives. Where there is one folder, and the
        # first image that is looked for lies in it under its own name, the others do as well, or nowhere.
        if len(self.folders) == 1 and not self.nested:
            if not self.renamed:
                return first
            if not self._plain:
                self._plain.append(first.is_file())
            if self._plain[0]:
                return first
        for folder in self.folders:
            if (flat := folder / file).is_file():
                return flat
            if self.nested and (below := _nested(folder, file)):
                return below
        if self.renamed:
            for name in names_of(file):
                for folder in self.folders:
                    if (other := folder / name).is_file():
                        return other
        return first


def _nested(folder: Path, file: str) -> Path | None:
    stem = Path(file).stem
    if stem.isascii() and stem.isdigit():
        # SAIAPR's archive has a thousand images in each of its numbered folders.
        likely = folder / f"{int(stem[:9]) // 1000:02d}" / "images" / file
        if likely.is_file():
            return likely
    return next((path for path in sorted(folder.glob(f"*/images/{_plain(file)}")) if path.is_file()), None)


def _plain(file: str) -> str:
    """A file name with escaped wildcards."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in file)
