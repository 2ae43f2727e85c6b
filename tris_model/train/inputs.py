"""Check the inputs of a training before anything is drawn, read at length or written.

A training takes minutes to days, and each of its parts reads other files. Missing and wrong files are refused here,
with one line that says how to get the right ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from risbench.datasets.catalog import find as find_split
from risbench.datasets.catalog import is_drawn
from risbench.datasets.load import load_split
from risbench.errors import DataError, RisbenchError, UsageError

from ..files.checkpoint import load
from ..files.names import NAMES, OPENAI, RN50, VIT_B_32, find_clip
from ..network.stage1 import Stage1
from .loop.journal import console

CLIP_COMMAND = "risbench train clip --recipe shapes --out runs/clip"


def check_folder(out: Path, parts: Iterable[str] = ()) -> None:
    """Refuse a folder that cannot be created or written.

    Args:
        out: the folder of the training; it need not exist.
        parts: folders that the training will create there.

    Raises:
        UsageError: a part of the path is a file.
        RisbenchError: there is no permission to write.
    """
    for place in (out, *(out / part for part in parts)):
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place} is a file, and the training needs a folder with that name; give another --out")
    nearest = next((one for one in (out, *out.absolute().parents) if one.exists()), Path("/"))
    if not nearest.is_dir():
        raise UsageError(f"{nearest} is a file, so the folder {out} cannot be created; give another --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise RisbenchError(f"{nearest}: no permission to write there; give another --out")


def check_clip(key: str, path: str, split: str, read: Callable[[], object], *, scores: bool = False) -> None:
    """Refuse a CLIP file that is missing or of the wrong kind.

    Args:
        key: the recipe's key, such as ``stage1.start``.
        path: the value of the key, a file or ``shapes``.
        split: the split of the training; the advice depends on it.
        read: reads the file as the training will.
        scores: whether the file is the scorer.

    Raises:
        UsageError: there is no such file; the message has similar names, and says where to get a file.
        DataError: the file is a folder, broken, or not a CLIP of the required kind.
    """
    if not Path(path).exists() and path not in NAMES:
        raise UsageError(f"{key}: there is no CLIP file {path}{_near(Path(path))}; {clip_advice(split, scores=scores)}")
    with naming(key):
        find_clip(path)
        read()


def clip_advice(split: str, *, scores: bool = False) -> str:
    """The advice how to get the initial CLIP or the scorer of a training on a split."""
    if is_drawn(split):
        return f"--set clip=shapes uses the shipped one, and `{CLIP_COMMAND}` trains another"
    name, sha256 = ("ViT-B-32.pt", VIT_B_32) if scores else ("RN50.pt", RN50)
    return f"get {OPENAI}/{sha256}/{name} and pass --set {'scorer' if scores else 'clip'}=FILE"


def check_split(key: str, name: str, data_root: Path | None, warn: str = "") -> None:
    """Refuse a split that is unknown, or whose files or photographs are missing. Drawn scenes are not drawn here.

    Args:
        key: the recipe's key.
        name: the split's name.
        data_root: the folder of the data.
        warn: the reason of the warning if it is a test split.

    Raises:
        UsageError: there is no such split; similar names are listed.
        DataError: a file is missing; the message says where it comes from.
    """
    with naming(key):
        entry = find_split(name, data_root)
        if entry.role == "test" and warn:
            console.print(f"{key}: {name} is a test split: {warn}", highlight=False, soft_wrap=True, markup=False)
        if entry.family == "drawn":
            return
        split = load_split(name, data_root)
        if not len(split):
            raise DataError(f"{name} has no expressions")
        path = split[0].image_path
        if not path.is_file():
            raise DataError(f"{path}: no such image, needed for {name}; {entry.images_origin}")


def check_stage1(path: Path) -> Stage1:
    """Read the network of an earlier stage 1.

    Raises:
        DataError: the file is broken, or not a stage 1.
    """
    network = load(path)
    if not isinstance(network, Stage1):
        raise DataError(f"{path} is not a stage 1; remove it and run --stage 1 again")
    return network


@contextmanager
def naming(key: str) -> Iterator[None]:
    """A context that adds the recipe's key to the text of errors."""
    try:
        yield
    except (DataError, UsageError) as error:
        raise type(error)(f"{key}: {error}") from None


@contextmanager
def building(table: str) -> Iterator[None]:
    """A context that names the recipe's table if a network of its sizes cannot be built.

    Raises:
        UsageError: the sizes do not fit together.
    """
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UsageError(f"{table}.network: no network can be built with these sizes ({reason})") from None


def _near(path: Path) -> str:
    """Similar names in the same folder, as a text for an error."""
    try:
        there = [one.name for one in path.absolute().parent.iterdir() if one.is_file()] + list(NAMES)
    except OSError:
        return ""
    close = get_close_matches(path.name, there, 2, 0.7)
    return f" (did you mean {' or '.join(str(path.with_name(name)) for name in close)}?)" if close else ""
