"""Where data lie: the data root and the cache folder; and the file of notes beside a picture."""

from __future__ import annotations

import os
from pathlib import Path

ANOTHER = "give another data root: --data-root DIR, or RISBENCH_DATA"  # for messages about one that cannot be written


def data_root(given: str | Path | None = None) -> Path:
    """The data root: the one given, else ``$RISBENCH_DATA``, else the user data folder."""
    if given is not None:
        return Path(given).expanduser()
    if named := os.environ.get("RISBENCH_DATA"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("risbench", appauthor=False))


def cache_folder() -> Path:
    """The folder of indexes and drawn scenes: ``$RISBENCH_CACHE``, else the user cache folder."""
    if named := os.environ.get("RISBENCH_CACHE"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("risbench", appauthor=False))


def notes_beside(picture: Path) -> Path:
    """The text file with the notes of a picture that is drawn without them: ``grid.notes.txt`` beside ``grid.pdf``."""
    return picture.with_name(f"{picture.stem}.notes.txt")
