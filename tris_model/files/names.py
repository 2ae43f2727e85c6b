"""The weights that exist, and where to get them. Nothing is downloaded here."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from risbench.errors import DataError, UsageError
from risbench.plain import plain

from .hub_cache import hub_id, snapshot
from .shards import index_of

FOLDER = Path(__file__).parents[1] / "weights"
NAMES = ("shapes",)
RELEASES = "https://github.com/fawnliu/storage/releases/download"
PUBLISHED = ("referit", "refcoco", "refcoco+", "refcocog_google", "refcocog_umd")
OPENAI = "https://openaipublic.azureedge.net/clip/models"
# The sha256 of each file, which is also a part of its URL.
OPENAI_FILES: Mapping[str, str] = MappingProxyType(
    {
        "RN50": "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        "RN101": "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
        "RN50x4": "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd",
        "RN50x16": "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa",
        "RN50x64": "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c",
        "ViT-B-32": "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        "ViT-B-16": "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
        "ViT-L-14": "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        "ViT-L-14-336px": "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
    }
)
RN50, VIT_B_32 = OPENAI_FILES["RN50"], OPENAI_FILES["ViT-B-32"]
# For a folder the first of these files that exists is used.
IN_FOLDERS = (
    "model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin",
    "open_clip_model.safetensors", "open_clip_pytorch_model.bin",
)  # fmt: skip
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")


def url(stage: int, name: str) -> str:
    """The URL of an authors' file."""
    return f"{RELEASES}/{'v1.0.4' if stage == 1 else 'v1.0.1'}/stage{stage}_{name}.pth"


def openai_url(name: str) -> str:
    """The URL of an OpenAI file; ``name`` is a key of :data:`OPENAI_FILES`."""
    return f"{OPENAI}/{OPENAI_FILES[name]}/{name}.pt"


def for_split(split: str | None) -> str:
    """The authors' name of the weights that were trained for a split."""
    if split is None:
        return "refcocog_google"
    data = split.split("_")[0].replace("refcocoplus", "refcoco+")
    if data == "refcocog":
        return "refcocog_umd" if split.endswith("_u") else "refcocog_google"
    return data if data in PUBLISHED else "refcocog_google"


def advice(split: str | None) -> str:
    """The advice for a user who gave no weights, in one line: which file to get, where, and the alternative."""
    name = for_split(split)
    return (
        f"tris needs weights: get {url(2, name)} (stage 1: {url(1, name)}) and pass --weights FILE as it is, "
        "or through `risbench weights convert FILE`; or --weights shapes for the drawn-world model"
    )


def clip_advice(method: str, name: str = "RN50", option: str = "--weights FILE") -> str:
    """The advice for a method that needs a CLIP: ``name`` is the OpenAI file, ``option`` the option that takes it."""
    shipped = ", or --weights shapes for the tiny CLIP of the drawn world" if option.startswith("--weights") else ""
    return f"{method} needs a CLIP: get {openai_url(name)} and pass {option}{shipped}"


def find(path_or_name: str | os.PathLike[str], stage: int | None = None) -> Path:
    """Find the file of a TRIS network.

    Args:
        path_or_name: a path, or the name of shipped weights. A file with that name takes precedence.
        stage: chooses the shipped network, 2 by default.

    Raises:
        UsageError: there is no such file or name, or the shipped weights are missing.
        DataError: a folder holds no weights file, or several.
    """
    return _find(path_or_name, f"stage{stage or 2}", advice(None))


def find_clip(path_or_name: str | os.PathLike[str], otherwise: str | None = None) -> Path:
    """Find the file of a CLIP: a path, or ``shapes``, the tiny CLIP of the drawn world.

    Args:
        path_or_name: see above.
        otherwise: the advice if there is no such file; by default to get OpenAI's RN50.

    Raises:
        UsageError, DataError: see :func:`find`.
    """
    return _find(path_or_name, "clip", otherwise or clip_advice("this"))


def _find(path_or_name: str | os.PathLike[str], part: str, otherwise: str) -> Path:
    path, entry = split_entry(path_or_name)
    if path.exists() and not (path.is_dir() and str(path_or_name) in NAMES):
        return with_entry(weights_file(path), entry)
    if str(path_or_name) in NAMES:
        shipped = FOLDER / f"{path_or_name}_{part}.safetensors"
        if not shipped.exists():
            raise UsageError(
                f"the weights {path_or_name!r} are incomplete: there is no file {shipped}; install risbench again"
            )
        return shipped
    if (owned := hub_id(str(path))) is not None:
        return with_entry(weights_file(snapshot(owned)), entry)
    raise missing(path, otherwise)


def missing(path: Path, otherwise: str) -> UsageError:
    """The error for a path that does not exist: similar names in its folder, and what to get."""
    return UsageError(f"there is no weights file {path}{_near(path)}; {otherwise}")


def _near(path: Path) -> str:
    try:
        names = [each.name for each in path.parent.iterdir() if each.suffix in SUFFIXES or each.is_dir()][:2000]
    except OSError:
        return f" (nor a folder {path.parent})" if path.parent != Path() else ""
    close = difflib.get_close_matches(path.name, names, 3, 0.6)
    return f" (did you mean {' or '.join(plain(name, 80) for name in close)}?)" if close else ""


def split_entry(given: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Split ``FILE#ENTRY``; the entry chooses one of several networks in a file.

    A file with the whole name takes precedence.
    """
    path, text = Path(given), str(given)
    if "#" not in text or path.exists():
        return path, None
    file, _, entry = text.rpartition("#")
    return (Path(file), entry) if entry and file and Path(file).exists() else (path, None)


def with_entry(path: Path, entry: str | None) -> Path:
    """The inverse of :func:`split_entry`."""
    return path if entry is None else path.with_name(f"{path.name}#{entry}")


def weights_file(path: Path) -> Path:
    """The weights file of a path: the path itself, the index of its shards, or the only weights file in a folder.

    Raises:
        DataError: a folder without weights, or with several possible files.
    """
    if not path.is_dir():
        return index_of(path) or path
    if (path / "snapshots").is_dir():  # a model in the cache of the Hugging Face hub
        path = snapshot(path)
    for name in IN_FOLDERS:
        if (path / name).exists():
            return path / name
    found = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES and each.is_file())
    if len(found) == 1:
        return index_of(found[0]) or found[0]
    indices = {index for each in found if (index := index_of(each)) is not None}
    if len(indices) == 1 and all(re.search(r"-\d+-of-\d+\.", each.name) for each in found):
        return indices.pop()
    if (path / ".metadata").exists() or any(path.glob("*.distcp")):
        raise DataError(
            f"{path} is a folder of torch.distributed.checkpoint: write one file with `python -m "
            f"torch.distributed.checkpoint.format_utils dcp_to_torch {path} OUT.pth` and give that"
        )
    names = plain(", ".join(each.name for each in found[:5]), 200) + (" …" if len(found) > 5 else "")
    held = f"several files of weights ({names})" if found else "no file of weights"
    raise DataError(f"{path} is a folder with {held}; give the weights file itself")
