"""Compare the training in a folder with the given recipe.

A finished part is not made again. This is only correct if its recipe is the same. So weights files, states and the head
files of folders store their recipe, and it is compared before anything is written.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from risbench.errors import DataError
from risbench.io.atomic import write_whole

from .journal import console, writing
from .ranks import rank, wait
from .renamed import current

WAY_OUT = "give another --out, or --overwrite to make it again"
_ABSENT = object()


def settle(
    weights: Path, folder: Path, recipe: Any, table: str, *, masks: str | None = None, overwrite: bool = False
) -> bool:
    """Whether a stage is finished by this recipe. All ranks must call it together, before the stage writes anything.

    Args:
        weights: the file that the stage writes at its end.
        folder: the stage's folder with its log, state and other files.
        recipe: the stage's recipe.
        table: name of the recipe's table, for messages.
        masks: identifies the pseudo masks of a stage 2; see :func:`masks_id`.
        overwrite: remove results of another recipe instead of refusing them.

    Raises:
        DataError: see :func:`check`.
    """
    other = check(weights, folder, recipe, table, masks=masks, overwrite=overwrite)
    wait()  # until every rank has looked
    if other and rank() == 0:
        weights.unlink(missing_ok=True)
        remove(folder)
    wait()
    return weights.exists()


def check(
    weights: Path, folder: Path, recipe: Any, table: str, *, masks: str | None = None, overwrite: bool = False
) -> bool:
    """Whether weights or a state were made by another recipe; no file is changed.

    Raises:
        DataError: they were, and ``overwrite`` is not set; the first different key is named. Or a file is broken.
    """
    for path, kept in ((weights, _of_weights(weights)), (folder / "state.pt", _of_state(folder / "state.pt"))):
        if kept is None:
            continue
        difference = first_difference(kept[0], recipe)
        strange = masks is not None and kept[1] not in (None, masks)
        if (difference or strange) and overwrite:
            return True
        if difference:
            raise DataError(f"{path} belongs to another recipe: {_words(f'{table}.', difference)}; {WAY_OUT}")
        if strange:
            raise DataError(f"{path} was trained with other pseudo masks than those in the folder now; {WAY_OUT}")
    return False


def masks_id(head: Path) -> str:
    """Identifies the pseudo masks of a ``pseudo/head.json``: its hash, because it lists all that they depend on."""
    return hashlib.sha256(head.read_bytes()).hexdigest()


def check_head(path: Path, head: Mapping[str, Any], what: str, *, overwrite: bool = False) -> bool:
    """Whether a folder's head differs from the given one; keys that an older head lacks are not compared.

    Args:
        path: ``head.json``; it may be missing.
        head: the head by the current recipe.
        what: the content of the folder, for the message.
        overwrite: return True instead of refusing.

    Raises:
        DataError: the heads differ and ``overwrite`` is not set, or the file is not JSON.
    """
    if not path.exists():
        return False
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        old = dict(_flat_mapping(kept))
    except (ValueError, AttributeError, OSError):
        raise DataError(f"{path} is broken; remove {path.parent} to make it again") from None
    for key, value in _flat_mapping(json.loads(json.dumps(head))):
        if key in old and old[key] != value:
            if overwrite:
                return True
            raise DataError(
                f"{path.parent} holds {what}; remove it, or {WAY_OUT}: {_words('', (key, old[key], value))}"
            )
    return False


def settle_head(path: Path, head: Mapping[str, Any], what: str, *, overwrite: bool = False) -> None:
    """Start or continue a folder of many files. All ranks must call it together. See :func:`check_head`."""
    other = check_head(path, head, what, overwrite=overwrite)
    wait()
    if rank() == 0:
        if other:
            remove(path.parent)
        if not path.exists():  # whole, for the other ranks read it
            with writing(path):
                write_whole(path, lambda file: file.write(json.dumps(head).encode()))
    wait()


def first_difference(kept: Mapping[str, Any], recipe: Any) -> tuple[str, Any, Any] | None:
    """The first key in which a stored recipe differs from the given one, and both values.

    A stored key may have an old name. A key that did not exist yet had its default. ``val`` is compared only if weights
    are selected by it, because otherwise it has no effect on the weights.
    """
    kept = current(type(recipe), kept)
    for key, value, default in _flat(recipe):
        old = _at(kept, key)
        old = default if old is _ABSENT else old
        if key == "val" and getattr(recipe, "select", None) == "last":
            continue
        if _plain(old) != _plain(value):
            return key, _plain(old), _plain(value)
    return None


def remove(folder: Path) -> None:
    """Remove a folder with its content; of a link, remove only the link."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)


def _of_weights(path: Path) -> tuple[Mapping[str, Any], str | None] | None:
    """The recipe in a weights file, and its masks; None if there is no file or no recipe in it."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        text = metadata.get("recipe")
        kept = None if text is None else json.loads(text)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is broken ({str(error)[:80]}); remove it to train again") from None
    if not isinstance(kept, Mapping):
        console.print(f"{path} does not say its recipe; it is used as it is", highlight=False)
        return None
    return kept, metadata.get("masks")


def _of_state(path: Path) -> tuple[Mapping[str, Any], str | None] | None:
    if not path.exists():
        return None
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        kept = json.loads(held["recipe"])
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{path} is broken ({str(error)[:80]}); remove it to start again") from None
    return (kept, held.get("masks")) if isinstance(kept, Mapping) else None


def _flat(recipe: Any, before: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every key of a record and of its nested records, with value and default."""
    for field in fields(recipe):
        value, key = getattr(recipe, field.name), before + field.name
        if is_dataclass(value):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value, _ABSENT if field.default is MISSING else field.default


def _at(kept: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(kept, Mapping) or part not in kept:
            return _ABSENT
        kept = kept[part]
    return kept


def _flat_mapping(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat_mapping(value, f"{before}{key}.")
        else:
            yield before + key, value


def _plain(value: Any) -> Any:
    """A value as JSON returns it; None if there is no default or value."""
    return None if value is _ABSENT else json.loads(json.dumps(value, default=str))


def _words(table: str, difference: tuple[str, Any, Any]) -> str:
    key, old, new = difference
    return f"{table}{key} is {json.dumps(old)} there and {json.dumps(new)} here"
