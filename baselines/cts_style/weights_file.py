"""The file of a training: both networks, ``first.…`` and ``second.…``, each with the names of TRIS's stage 2.

There is no layout of the authors. A packed file, small enough to be shipped, holds the network that answers alone, and
leaves out a text encoder that did not learn: it is read from the CLIP that the training started from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from risbench import DataError, UsageError
from tris_model import Config, Stage2, digest
from tris_model.config import STAGE2
from tris_model.files import NAMES, fill, find_clip, missing, read, read_clip, split_entry, weights_file, with_entry

from .._owners import owner_of
from .networks import IMAGE, TOWERS, TwoNetworks

SHIPPED = Path(__file__).parents[1] / "weights" / "shapes_cts_style.safetensors"
METHOD = "cts_style"
FIRST = "first."
SECOND = "second."


class LoadedNetworks(NamedTuple):
    """Networks and where they came from.

    Attributes:
        networks: float32, in eval mode.
        digest: sha256 of the file.
        trained_on: the split that the file names, or ``drawn scenes``; None where nothing says.
        notes: what the user should know of how the file was read, a sentence each.
    """

    networks: TwoNetworks
    digest: str
    trained_on: str | None
    notes: tuple[str, ...]


def looks_like_cts(names: Collection[str]) -> bool:
    """Whether a set of names is that of CTS-style networks."""
    return f"{FIRST}attention2.Wk.weight" in names


def advice() -> str:
    """One line for who gave no weights."""
    return (
        "cts_style needs weights, and its authors published none: train some with `risbench train cts_style --recipe "
        "refcoco` and pass --weights FILE; or --weights shapes, the small one of the drawn world"
    )


def metadata_of(config: Config, start: str, *, text_learns: bool) -> dict[str, str]:
    """What a training writes into its file, beside the recipe.

    Args:
        config: of each network.
        start: the CLIP that it starts from.
        text_learns: whether CLIP's text encoder changes.
    """
    held = {"method": METHOD, "config": config.to_json(), "leave_out": json.dumps([SECOND])}
    if not text_learns and start in NAMES:
        text = [f"{FIRST}{TOWERS}{part}" for part in ("transformer.", "token_embedding.", "ln_final.", "positional_")]
        held |= {
            "leave_out": json.dumps([SECOND, *text]),
            "text_clip": start,
            "text_clip_sha256": digest(find_clip(start)),
        }
    return held


def open_weights(place: str | os.PathLike[str]) -> LoadedNetworks:
    """Networks with exactly the weights of a file.

    Args:
        place: a file that ``risbench train cts_style`` or :mod:`baselines.weights.pack` wrote, or ``shapes``.

    Raises:
        UsageError: there is no such file.
        DataError: broken, another method's (which is named), or keys that are missing, unexpected or misshapen.
    """
    path, entry = split_entry(place)
    if not path.exists() or (path.is_dir() and str(place) in NAMES):
        if str(place) not in NAMES:
            raise missing(path, advice())
        path = SHIPPED
        if not path.exists():
            raise UsageError(f"the weights 'shapes' are incomplete: there is no file {path}; install risbench again")
    path = with_entry(weights_file(path), entry)
    held = read(path, looks_like_cts)
    if not looks_like_cts(held.state):
        raise DataError(f"{path} is {owner_of(held.state)}, and none of cts_style (it has no first.attention2); "
                        f"{advice()}")  # fmt: skip
    config = Config.from_json(held.metadata["config"]) if "config" in held.metadata else STAGE2
    state = with_text(held.state, held.metadata, path)
    networks = _built(config, state, path)
    fill(networks, state, f"{path} as cts_style")
    return LoadedNetworks(networks.eval().requires_grad_(False), digest(path), held.trained_on, held.notes)


def _built(config: Config, state: Mapping[str, Tensor], path: Path) -> TwoNetworks:
    """Networks of these sizes without numbers; two if the file holds any of the second."""
    both = any(key.startswith(SECOND) for key in state)
    try:
        if config.stage != 2 or sum(config.depth) + config.text_depth > len(state):
            raise ValueError
        with torch.device("meta"):  # no default weights to draw and throw away
            return TwoNetworks(Stage2(config), Stage2(config) if both else None)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        raise DataError(
            f"{path}: its config is not that of a segmentation network with {len(state)} tensors; give another file"
        ) from None


def load(path: str | os.PathLike[str], device: str = "cpu") -> TwoNetworks:
    """The networks of a file, float32, in eval mode.

    Args:
        path: a file that ``risbench train cts_style`` wrote (two networks), one that was packed (one network), or
            ``shapes``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        ``net.first`` and ``net.second`` (None if the file holds one): TRIS's stage 2, images ``(B, 3, S, S)`` and
        tokens ``(B, L)`` -> logits ``(B, 1, S, S)``; S and L are ``net.config.image_size`` and ``.text_length``.

    Raises:
        UsageError: there is no such file.
        DataError: the file is broken, of another method, or its keys and shapes are not those of the networks; they are
            named.
    """
    return open_weights(path).networks.to(torch.device(device))


def with_text(state: Mapping[str, Tensor], metadata: Mapping[str, str], path: Path) -> dict[str, Tensor]:
    """The tensors of a file, with those of the text encoder where it was packed without.

    Raises:
        DataError: it was, and the CLIP that it started from is another one today.
    """
    whole = dict(state)
    name = metadata.get("text_clip")
    if name is None or f"{FIRST}{TOWERS}ln_final.weight" in state:
        return whole
    if name not in NAMES:
        raise DataError(f"{path} holds no text encoder, and refers to a CLIP {name!r:.60} that is not shipped")
    clip = find_clip(name)
    if digest(clip) != metadata.get("text_clip_sha256"):
        raise DataError(
            f"{path} holds no text encoder but refers to the CLIP {name!r} of its time, and {clip} is another file; "
            "give a file that is not packed, or install risbench again"
        )
    for key, value in read_clip(clip).state.items():
        key = f"{TOWERS}{key}"
        if not key.startswith(IMAGE):
            whole.setdefault(f"{FIRST}{key}", value)
    return whole
