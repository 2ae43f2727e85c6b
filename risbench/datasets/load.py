"""A split by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..io import places
from .annotations.index import table_of
from .catalog import Entry, find
from .converted import marked
from .layout import ImageFiles, Layout, drawn_layout, present_layout
from .split import Split, split_of

Progress = Callable[[int, int], object]


def load_split(name: str, data_root: str | Path | None = None, progress: Progress | None = None) -> Split:
    """The samples of a split.

    Args:
        name: one of `risbench.datasets.catalog.names`, or an own split of the data root.
        data_root: the folder of the data; by default ``$RISBENCH_DATA``, else the user data folder. Drawn scenes need
            none: they are drawn into the cache when first asked for.
        progress: told ``(done, total)`` while scenes are drawn.

    Raises:
        UsageError: no such split, with the near names.
        DataError: a file is missing (with where it comes from) or broken.
    """
    entry = find(name, data_root)
    root, layout = locate(entry, data_root, progress)
    table, sources = table_of(layout.reader, layout.files)
    return marked(split_of(entry, table, sources, root, ImageFiles.of(layout)))


def is_to_be_drawn(entry: Entry) -> bool:
    """Whether a split is of drawn scenes that are not drawn yet, which takes up to minutes."""
    if entry.family != "drawn":
        return False
    from .shapes.write import folder_of, is_whole

    try:
        return not is_whole(folder_of(entry.folder, places.cache_folder()))
    except OSError:
        return False  # a cache that cannot be looked into is named by who reads it


def locate(entry: Entry, data_root: str | Path | None = None, progress: Progress | None = None) -> tuple[Path, Layout]:
    """The data root and the files of a split, after drawing them where they are drawn scenes.

    Raises:
        DataError: a file is missing.
    """
    if entry.family == "drawn":
        # Only who asks for drawn scenes loads the drawing.
        from . import shapes  # pyright: ignore[reportAttributeAccessIssue]

        root = places.cache_folder()
        return root, drawn_layout(entry, Path(shapes.write_split(entry.folder, root, progress)))
    root = places.data_root(data_root)
    return root, present_layout(entry, root)
