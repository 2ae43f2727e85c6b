"""Was the training in a folder made by the recipe that is given now?

A finished part is not made again. That is right only where its recipe is the same: a file of weights, a state and the
head of a folder each keep the recipe they were made by, and it is compared before anything is written.
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

WAY_OUT = "give another --out, or --overwrite to make it anew"
_ABSENT = object()


def settle(
    weights: Path, folder: Path, recipe: Any, table: str, *, masks: str | None = None, overwrite: bool = False
) -> bool:
    """Whether a stage is finished by this recipe; all ranks ask together, before the stage writes anything.

    Args:
        weights: what the stage leaves at its end.
        folder: its log and state, and all that it writes on the way.
        recipe: its record.
        table: of the recipe, for messages.
        masks: which pseudo masks a stage 2 learns from, as :func:`masks_id` has it.
        overwrite: remove what was made by another recipe, instead of refusing it.

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
    """Whether weights or a state were made by another recipe; nothing is changed.

    Raises:
        DataError: they were, and ``overwrite`` is not set: the first key that differs is named. Or the file is broken.
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
    """What tells the pseudo masks of a ``pseudo/head.json`` from others: its hash, for it says all they depend on."""
    return hashlib.sha256(head.read_bytes()).hexdigest()


def check_head(path: Path, head: Mapping[str, Any], what: str, *, overwrite: bool = False) -> bool:
    """Whether the head of a folder is another than this; keys that an older head lacks are not compared.

    Args:
        path: ``head.json``; it may be absent.
        head: what it would be now.
        what: what the folder holds, for the message.
        overwrite: answer, instead of refusing.

    Raises:
        DataError: it is another, and ``overwrite`` is not set; or no JSON.
    """
    if not path.exists():
        return False
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        old = dict(_flat_mapping(kept))
    except (ValueError, AttributeError, OSError):
        raise DataError(f"{path} is broken; remove {path.parent} to make it anew") from None
    for key, value in _flat_mapping(json.loads(json.dumps(head))):
        if key in old and old[key] != value:
            if overwrite:
                return True
            raise DataError(
                f"{path.parent} holds {what}; remove it, or {WAY_OUT}: {_words('', (key, old[key], value))}"
            )
    return False


def settle_head(path: Path, head: Mapping[str, Any], what: str, *, overwrite: bool = False) -> None:
    """Begin or go on with a folder of many files; all ranks ask together. See :func:`check_head`."""
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
    """The first key in which a kept recipe differs from a record, its value there and here.

    A kept key may have an old name. One that is younger than the kept recipe had its default then. A split of which
    only scores are taken decides nothing: ``val`` counts where weights are selected by it.
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
    """Remove a folder of ours with all that is in it; of a link the link alone."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)


def _of_weights(path: Path) -> tuple[Mapping[str, Any], str | None] | None:
    """The recipe that a file of weights keeps, and its masks; None without a file, or where it names no recipe."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        text = metadata.get("recipe")
        kept = None if text is None else json.loads(text)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is broken ({str(error)[:80]}); remove it to train anew") from None
    if not isinstance(kept, Mapping):
        console.print(f"{path} does not say by which recipe it was made; it is taken as it is", highlight=False)
        return None
    return kept, metadata.get("masks")


def _of_state(path: Path) -> tuple[Mapping[str, Any], str | None] | None:
    if not path.exists():
        return None
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        kept = json.loads(held["recipe"])
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{path} is broken ({str(error)[:80]}); remove it to start anew") from None
    return (kept, held.get("masks")) if isinstance(kept, Mapping) else None


def _flat(recipe: Any, before: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every key of a record and of the records in it, with its value and its default."""
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
    """As it comes back from JSON; what has no default or no value is None."""
    return None if value is _ABSENT else json.loads(json.dumps(value, default=str))


def _words(table: str, difference: tuple[str, Any, Any]) -> str:
    key, old, new = difference
    return f"{table}{key} is {json.dumps(old)} there and {json.dumps(new)} here"
