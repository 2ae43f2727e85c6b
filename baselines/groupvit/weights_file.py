"""Load GroupViT's weights from any source, and check every key. Only this module imports transformers.

A source is a folder in Hugging Face's layout, the authors' ``.pth``, a file of ours, or an id of the Hugging Face hub.
Only an id that the user wrote is ever downloaded. No code in a file is run: pickles are read with
``weights_only=True``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from risbench import DataError, UsageError
from tris_model import digest
from tris_model.files import (
    INDEX,
    SUFFIXES,
    fill,
    hub_id,
    index_of,
    missing,
    read,
    snapshot,
    split_entry,
    weights_file,
    with_entry,
)

from .._clip.provenance import hub_model
from .names import is_authors, looks_like_groupvit, renamed, sizes

SHIPPED = Path(__file__).parents[1] / "weights" / "shapes_groupvit.safetensors"
HUB = "nvidia/groupvit-gcc-yfcc"
AUTHORS = "group_vit_gcc_yfcc_30e-879422e0.pth"
INSTALL = 'groupvit needs transformers: pip install "risbench[groupvit]"'
CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
IDS = "token_ids"  # in files of ours: which of CLIP's ids have a row of their own
# The training data of the published weights: for the authors' files, whose names end in the first digits of their hash,
# and for the conversions on the hub.
_YFCC, _REDCAPS = "GCC and YFCC (26 million image-text pairs)", "GCC and RedCaps"
PUBLISHED = {"879422e0": _YFCC, "3dd09a76": _REDCAPS}
CONVERTED = {"nvidia/groupvit-gcc-yfcc": _YFCC, "nvidia/groupvit-gcc-redcaps": _REDCAPS}


class Loaded(NamedTuple):
    """A network and its origin.

    Attributes:
        network: transformers' ``GroupViTModel``, float32, in eval mode.
        token_ids: int64, ascending: CLIP's ids that have a row in the token table; None if all have. A last row is for
            all other ids.
        digest: sha256 of the weights file.
        tiny: whether it is one of ours, trained on the drawn world.
        data: the training data; None if unknown.
        notes: what the user should know about how the file was read, one sentence each.
    """

    network: Any
    token_ids: Tensor | None
    digest: str
    tiny: bool
    data: str | None = None
    notes: tuple[str, ...] = ()


def advice() -> str:
    """The advice for a user who gave no weights, in one line."""
    return (
        f"groupvit needs weights: pass --weights {HUB} (fetched from the Hugging Face hub), a local copy of that "
        f"folder, or the authors' {AUTHORS} (github.com/xvjiarui/GroupViT); or --weights shapes, the tiny one of the "
        "drawn world"
    )


def transformers() -> Any:
    """Import transformers, which takes seconds.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise UsageError(INSTALL) from None
    return transformers


def load(place: str | os.PathLike[str]) -> Loaded:
    """Load a network with exactly the weights of a source.

    Args:
        place: a folder, a file, ``shapes`` or an id of the hub; an existing path takes precedence.

    Raises:
        UsageError: there is no such source, or transformers is not installed.
        DataError: the file is broken or not a GroupViT; keys are missing, unexpected or of a wrong shape, and are
            named; or the hub does not answer.
    """
    path, entry = split_entry(place)
    if path.is_dir() and str(place) != "shapes":
        return _from_folder(path)
    if path.is_file():
        return _from_file(with_entry(index_of(path) or path, entry))
    if str(place) == "shapes":
        if not SHIPPED.exists():
            raise UsageError(f"the weights 'shapes' are incomplete: there is no file {SHIPPED}; install risbench again")
        return _from_file(SHIPPED)
    if (owned := hub_id(str(place))) is not None:
        return _from_hub(owned)
    raise missing(path, advice())


def _from_folder(folder: Path) -> Loaded:
    if (folder / "snapshots").is_dir():  # a model in the cache of the hub
        folder = snapshot(folder)
    config = folder / CONFIG
    found = [folder / name for name in WEIGHTS if (folder / name).exists()]
    if not found and not config.exists() and [each for each in folder.iterdir() if each.suffix in SUFFIXES]:
        return _from_file(weights_file(folder))
    if not config.exists() or not found:
        raise DataError(
            f"{folder} holds no {CONFIG} with {' or '.join(WEIGHTS)}: give a folder in Hugging Face's layout"
        )
    return _in_their_layout(config, found[0])


def _from_hub(place: str) -> Loaded:
    transformers()
    import huggingface_hub as hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        config = Path(hub.hf_hub_download(place, CONFIG))
        for name in (name for name in WEIGHTS if not name.endswith(INDEX)):
            try:
                loaded = _in_their_layout(config, Path(hub.hf_hub_download(place, name)))
                return loaded._replace(data=CONVERTED.get(place, loaded.data))
            except EntryNotFoundError as error:
                if isinstance(error, LocalEntryNotFoundError):  # offline, which is another matter
                    raise
    except (DataError, UsageError):
        raise
    except Exception as error:  # the hub's errors, the network's, those of whichever client lies between
        raise DataError(f"{place} cannot be fetched from the Hugging Face hub ({_line(error)}); {advice()}") from None
    raise DataError(f"{place} on the Hugging Face hub holds none of {', '.join(WEIGHTS)}")


def _in_their_layout(config: Path, weights: Path) -> Loaded:
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{config} cannot be read ({_line(error)})") from None
    if not isinstance(settings, dict) or settings.get("model_type") != "groupvit":
        kind = settings.get("model_type") if isinstance(settings, dict) else None
        raise DataError(f"{config} is the configuration of {kind or 'something else'}, not of a GroupViT")
    held = read(weights, looks_like_groupvit)
    # Buffers that older versions of transformers stored.
    state = {key: value for key, value in held.state.items() if not key.endswith(".position_ids")}
    own = digest(weights)
    data = PUBLISHED.get(own[:8]) or CONVERTED.get(hub_model(weights) or "")
    return Loaded(_filled(settings, state, f"{weights} as GroupViT"), None, own, False, data, held.notes)


def _from_file(path: Path) -> Loaded:
    held = read(path, looks_like_groupvit)
    state = dict(held.state)
    beside = split_entry(path)[0].parent / CONFIG
    if held.kind == "safetensors" and "config" in held.metadata:
        ids = state.pop(IDS, None)
        network = _filled(json.loads(held.metadata["config"]), state, f"{path} as GroupViT")
        return Loaded(network, ids, digest(path), ids is not None, None, held.notes)
    if not is_authors(state) and beside.exists():
        return _in_their_layout(beside, path)
    if held.kind == "safetensors" and not is_authors(state):
        raise DataError(f"{path} does not say its sizes; give its folder, with {CONFIG}")
    if is_authors(state):
        state = renamed(state)
    try:
        config = sizes(state)
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        first = ", ".join(list(state)[:3]) or "nothing"
        raise DataError(f"{path} is not a whole GroupViT (its first keys: {first}); {advice()}") from None
    own = digest(path)
    network = _filled(config, state, f"{path} as the authors' GroupViT")
    return Loaded(network, None, own, False, PUBLISHED.get(own[:8]), held.notes)


def _filled(settings: dict[str, Any], state: dict[str, Tensor], what: str) -> Any:
    library = transformers()
    try:
        network = library.GroupViTModel(library.GroupViTConfig(**settings))
    except (TypeError, ValueError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        raise DataError(f"{what}: its configuration is refused ({_line(error)})") from None
    fill(network, state, what)
    return network.eval().requires_grad_(False)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
