"""Which weights there are and where they come from. Nothing is downloaded here."""

from __future__ import annotations

import os
from pathlib import Path

from risbench.errors import DataError, UsageError

FOLDER = Path(__file__).parent / "weights"
NAMES = ("shapes",)
RELEASES = "https://github.com/fawnliu/storage/releases/download"
PUBLISHED = ("referit", "refcoco", "refcoco+", "refcocog_google", "refcocog_umd")
OPENAI = "https://openaipublic.azureedge.net/clip/models"
RN50 = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"  # its sha256
VIT_B_32 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"


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
        f"tris needs weights: get {url(2, name)} (stage 1: {url(1, name)}) and pass --weights FILE as it is, "
        "or through `risbench weights convert FILE`; or --weights shapes for the drawn-world model"
    )


def clip_advice(method: str) -> str:
    """The same for a method that asks a CLIP with a ResNet tower."""
    return (
        f"{method} needs a CLIP: get {OPENAI}/{RN50}/RN50.pt and pass --weights FILE, "
        "or --weights shapes for the tiny one of the drawn world"
    )


def find(path_or_name: str | os.PathLike[str], stage: int | None = None) -> Path:
    """The file of a TRIS network that is meant.

    Args:
        path_or_name: a path, or the name of shipped weights. A file of that name goes first.
        stage: which of the shipped networks, 2 by default.

    Raises:
        UsageError: neither a file nor a name, or shipped weights that are not there.
        DataError: a folder.
    """
    return _find(path_or_name, f"stage{stage or 2}", advice(None))


def find_clip(path_or_name: str | os.PathLike[str]) -> Path:
    """The file of a CLIP that is meant: a path, or ``shapes``, the tiny one of the drawn world.

    Raises:
        UsageError, DataError: see :func:`find`.
    """
    return _find(path_or_name, "clip", clip_advice("this"))


def _find(path_or_name: str | os.PathLike[str], part: str, otherwise: str) -> Path:
    path = Path(path_or_name)
    if path.exists() and not path.is_dir():
        return path
    if str(path_or_name) in NAMES:
        shipped = FOLDER / f"{path_or_name}_{part}.safetensors"
        if not shipped.exists():
            raise UsageError(f"the weights {path_or_name!r} lack their {part}: no {shipped}; install risbench again")
        return shipped
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the weights file in it")
    raise UsageError(f"there is no weights file {path}; {otherwise}")
