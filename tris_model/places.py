"""Which weights there are and where they come from. Nothing is downloaded here."""

from __future__ import annotations

import os
from pathlib import Path

from risbench.errors import DataError, UsageError

FOLDER = Path(__file__).parent / "weights"
NAMES = ("shapes",)
RELEASES = "https://github.com/fawnliu/storage/releases/download"
PUBLISHED = ("referit", "refcoco", "refcoco+", "refcocog_google", "refcocog_umd")


def url(stage: int, name: str) -> str:
    """Where the authors' file lies."""
    return f"{RELEASES}/{'v1.0.4' if stage == 1 else 'v1.0.1'}/stage{stage}_{name}.pth"


def for_split(split: str | None) -> str:
    """The authors' name of the weights trained for a split."""
    if split is None:
        return "refcocog_google"
    data = split.split("_")[0].replace("refcocoplus", "refcoco+")
    if data == "refcocog":
        return "refcocog_umd" if split.endswith("_u") else "refcocog_google"
    return data if data in PUBLISHED else "refcocog_google"


def advice(split: str | None) -> str:
    """One line for who gave no weights: the file to get, where from, and what there is without one."""
    name = for_split(split)
    return (
        f"tris needs weights: get {url(2, name)} (stage 1: {url(1, name)}) and pass --weights FILE, "
        "or --weights shapes for the drawn-world model"
    )


def find(path_or_name: str | os.PathLike[str], stage: int | None = None) -> Path:
    """The file that is meant.

    Args:
        path_or_name: a path, or the name of shipped weights. A file of that name goes first.
        stage: which of the shipped networks, 2 by default.

    Raises:
        UsageError: neither a file nor a name, or shipped weights that are not there.
        DataError: a folder.
    """
    path = Path(path_or_name)
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the weights file in it")
    if path.exists():
        return path
    if str(path_or_name) in NAMES:
        shipped = FOLDER / f"{path_or_name}_stage{stage or 2}.safetensors"
        if not shipped.exists():
            raise UsageError(f"the weights {path_or_name!r} (stage {stage or 2}) are not shipped yet: no {shipped}")
        return shipped
    raise UsageError(f"there is no weights file {path}; {advice(None)}")
