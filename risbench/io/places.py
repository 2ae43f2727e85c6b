"""Where data lie: the data root and the cache folder."""

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
