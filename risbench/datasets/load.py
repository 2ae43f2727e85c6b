"""Load a split by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..io import places
from .annotations.columns import distinct
from .annotations.index import SourceFile, table_of
from .annotations.table import AnnotationTable
from .catalog import find
from .converted import marked
from .entry import Entry
from .layout import ImageFiles, Layout, drawn_layout, present_layout
from .split import Split

Progress = Callable[[int, int], object]


def load_split(name: str, data_root: str | Path | None = None, progress: Progress | None = None) -> Split:
    """Load the samples of a split.

    Args:
        name: one of `risbench.datasets.catalog.names`, or an own split of the data root.
        data_root: the folder of the data; by default ``$RISBENCH_DATA``, else the user data folder. Drawn scenes need
            none: they are drawn into the cache at the first use.
        progress: called with ``(done, total)`` while scenes are drawn.

    Raises:
        UsageError: there is no such split; similar names are listed.
        DataError: a file is missing (the message says where to get it) or broken.
    """
    entry = find(name, data_root)
    root, layout = locate(entry, data_root, progress)
    table, sources = table_of(layout.reader, layout.files)
    return marked(split_of(entry, table, sources, root, ImageFiles.of(layout)))


def is_to_be_drawn(entry: Entry) -> bool:
    """Whether a split has drawn scenes that are not drawn yet; drawing takes up to minutes."""
    if entry.family != "drawn":
        return False
    from .shapes.write import folder_of, is_whole

    try:
        return not is_whole(folder_of(entry.folder, places.cache_folder()))
    except OSError:
        return False  # a cache that cannot be looked into is named by who reads it


def locate(entry: Entry, data_root: str | Path | None = None, progress: Progress | None = None) -> tuple[Path, Layout]:
    """The data root and the files of a split; drawn scenes are drawn first.

    Raises:
        DataError: a file is missing.
    """
    if entry.family == "drawn":
        # Imported here, because only drawn scenes need it.
        from . import shapes  # pyright: ignore[reportAttributeAccessIssue]

        root = places.cache_folder()
        return root, drawn_layout(entry, Path(shapes.write_split(entry.folder, root, progress)))
    root = places.data_root(data_root)
    return root, present_layout(entry, root)


def split_of(
    entry: Entry, table: AnnotationTable, sources: tuple[SourceFile, ...], data_root: Path, image_files: ImageFiles
) -> Split:
    """Make the split of an entry from a table.

    Raises:
        DataError: two of its samples have the same id.
    """
    words = [table.ref_split.texts[code] for code in range(len(table.ref_split.texts))]
    taken = np.array([entry.takes(word) for word in words], bool)
    refs = np.flatnonzero(taken[table.ref_split.code]) if len(words) else np.zeros(0, np.int64)
    if entry.least_percent:
        height_by_width = table.image_size[table.ref_image[refs]].astype(np.int64).prod(axis=1)
        whole = np.where(table.ref_ann[refs] >= 0, table.ann_whole[table.ref_ann[refs]], 0) if len(refs) else refs
        # In whole numbers, so that a box of exactly 5 % is left out regardless of the rounding of 0.05.
        refs = refs[100 * whole > entry.least_percent * height_by_width]
    starts, counts = table.ref_sentences[refs], np.diff(table.ref_sentences)[refs]
    rows = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    found = table.count(refs, rows)
    partial = entry.family != "drawn" and not found.agree(entry.expected)
    split = Split(entry, table, rows, refs, sources, data_root, image_files, found, partial)
    _refuse_doubled(split)
    return split


def _refuse_doubled(split: Split) -> None:
    refs, sentences = split.table.ref_id.numbers, split.table.sent_id.numbers
    if refs is not None and sentences is not None:
        if distinct(sentences[split.rows]) == len(split):
            return
        pairs = np.stack([refs[split._refs], sentences[split.rows]])
        pairs = pairs[:, np.lexsort(pairs)]
        if not (pairs[:, 1:] == pairs[:, :-1]).all(axis=0).any():
            return
    known: set[str] = set()
    for ident in split.ids:
        if ident in known:
            raise DataError(f"{split.sources[0].path}: two expressions have the id {ident}; get the file again")
        known.add(ident)
