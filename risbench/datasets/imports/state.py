"""The state of a data root: the splits that can be loaded, their counts, and what is missing for others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..annotations.index import table_of
from ..catalog import find, names
from ..entry import Counts, Entry
from ..layout import ImageFiles, Layout, layouts, present_layout
from ..load import load_split
from ..split import Split


@dataclass(frozen=True, slots=True)
class SplitState:
    """One split of a data root.

    Attributes:
        name: the split's name.
        counts, expected: the counts of the copy, and of the literature.
        partial: whether these differ, or its truth is not the authors' own.
        images_present, images_absent: number of existing and of missing image files.
        missing: the missing files, one line each, with where to get them; or why it cannot be loaded.
    """

    name: str
    counts: Counts | None
    expected: Counts
    partial: bool
    images_present: int = 0
    images_absent: int = 0
    missing: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it can be run: it loads, has expressions, and its images exist."""
        return self.counts is not None and bool(self.counts.expressions) and not self.images_absent


def entries() -> list[Entry]:
    """The catalog's splits that are read from files."""
    return [entry for entry in map(find, names()) if entry.family != "drawn"]


def whole_layouts(root: Path) -> Iterable[Layout]:
    """All complete sets of annotation files below a root, without duplicates."""
    known = set()
    for entry in entries():
        for layout in layouts(entry, root):
            if layout.files not in known and all(file.is_file() for file in layout.files):
                known.add(layout.files)
                yield layout


def image_names(root: Path, faults: dict[Layout, DataError]) -> set[str]:
    """The image files that the annotations below a root refer to.

    Args:
        root: the data root.
        faults: filled with the errors of sets of files that cannot be read.
    """
    wanted: set[str] = set()
    for layout in whole_layouts(root):
        try:
            table, _ = table_of(layout.reader, layout.files)
        except DataError as error:
            faults[layout] = error
        else:
            wanted.update(table.image_file[row] for row in range(len(table.image_file)))
    return wanted


def states(root: Path) -> list[SplitState]:
    """The existing splits, complete or partial, in the catalog's order."""
    found = []
    for entry in entries():
        if not any(file.is_file() for layout in layouts(entry, root) for file in layout.files):
            continue
        try:
            present_layout(entry, root)
            found.append(_state(entry, load_split(entry.name, root)))
        except DataError as error:
            found.append(SplitState(entry.name, None, entry.expected, True, missing=(str(error),)))
    # Splits of a data set share their folder: instances.json alone is a part of all of them; one line reports this.
    return [state for state in found if state.counts or not _named_by_another(state, found)]


def _named_by_another(state: SplitState, found: list[SplitState]) -> bool:
    """Whether the message of a missing split would only repeat that of another split about the same file."""
    first = next(other for other in found if not other.counts and _file(other) == _file(state))
    return first is not state


def _file(state: SplitState) -> str:
    return state.missing[0].partition(", needed for ")[0]


def _state(entry: Entry, split: Split) -> SplitState:
    layout = present_layout(entry, split.data_root)
    files = ImageFiles.of(layout)
    table, rows = split.table, np.unique(split.table.ref_image[split.ref_rows])
    present = sum(files.find(table.image_file[row]).is_file() for row in rows.tolist())
    absent = len(rows) - present
    if not len(split):
        missing = (f"{split.sources[0].path} has no expression of it; {layout.origin}",)
        return SplitState(split.name, split.counts, split.expected, split.partial, present, absent, missing)
    missing = (f"{absent:,} of {len(rows):,} images in {files.folders[0]}; {entry.images_origin}",) if absent else ()
    return SplitState(split.name, split.counts, split.expected, split.partial, present, absent, missing)
