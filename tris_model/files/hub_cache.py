"""Find models of the Hugging Face hub that were downloaded before. Nothing is downloaded here."""

from __future__ import annotations

import os
import re
from pathlib import Path

from risbench.errors import DataError, UsageError
from risbench.plain import plain

_FILES = (".pth", ".pt", ".bin", ".safetensors", ".ckpt", ".tar", ".zip", ".json")
_PREFIXES = ("hf-hub:", "hf_hub:", "https://huggingface.co/", "https://hf.co/")


def hub_id(text: str) -> str | None:
    """``owner/name`` if a text is an id of the hub and not a mistyped path; it may begin with ``hf-hub:``."""
    named = next((text.removeprefix(prefix) for prefix in _PREFIXES if text.startswith(prefix)), None)
    # A path object has removed one slash of a URL.
    named = named or next((text[len(p) - 1 :] for p in _PREFIXES if "//" in p and text.startswith(p[:-2])), None)
    found = (named or text).strip("/")
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", found):
        return None
    if named is None and (Path(found).suffix in _FILES or Path(found).parent.is_dir()):
        return None
    return found


def cache_folder() -> Path:
    """The cache folder of the hub's tools, by their environment variables."""
    for name, below in (
        ("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub"),
    ):  # fmt: skip
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser() / below
    return Path("~/.cache/huggingface/hub").expanduser()


def snapshot(model: str | Path) -> Path:
    """The folder of a model's files.

    Args:
        model: an id of the hub, or the model's folder in the cache (``models--owner--name``).

    Raises:
        UsageError: the model is not in the cache; the message names the command to run.
        DataError: the cache holds several snapshots, and none is the current one.
    """
    folder = model if isinstance(model, Path) else cache_folder() / f"models--{model.replace('/', '--')}"
    there = sorted(each for each in (folder / "snapshots").glob("*") if each.is_dir())
    try:
        current = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        current = ""
    for each in there:
        if each.name == current:
            return each
    if len(there) == 1:
        return there[0]
    if there:
        names = plain(", ".join(each.name for each in there[:3]), 140)
        raise DataError(f"{folder} holds several snapshots ({names} …): give the folder of one")
    if isinstance(model, Path):
        raise DataError(f"{model} is a folder of the Hugging Face cache without a snapshot: download the model again")
    raise UsageError(
        f"there is no weights file {model}, and as an id of the Hugging Face hub it is not on this machine (looked in "
        f"{cache_folder()}): run `hf download {model}` where there is a network, then give the same name or the folder"
    )
