"""GbS's files, checked key by key: the authors' checkpoints, and files of ours. Nothing in a file is ever executed.

The authors save ``{model_state_dict, decoder_depths, backbone, img2txt, optimizer_state_dict, ...}`` with the image
network under ``model.image_model`` and BERT under ``model.caption_model.model``. They published no file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from risbench import DataError, UsageError
from tris_model import digest
from tris_model.files import NAMES, Checkpoint, fill, missing, read, split_entry, weights_file, with_entry

from .._bert import Bert, WordPiece, tidied
from .._owners import owner_of
from .config import BERT, GbsConfig, detected
from .network import GbsNetwork

SHIPPED = Path(__file__).parents[1] / "weights" / "shapes_gbs.safetensors"
IMAGE = "image_model."
SOURCE = "github.com/aarbelle/GroundingBySeparation"
_FIRST = "pre_cond.0.conv0.weight"
_DROPPED = "scale_conv_up.weight"  # of old files; the authors' program leaves it out as well
_RENAMED = ("up_blocks.", "decoder_blocks.")


class LoadedGbs(NamedTuple):
    """The networks of a file and where they came from.

    Attributes:
        network: the image network, float32, in eval mode.
        bert: the words' encoder; None where the file has none.
        words: the vocabulary that a file of ours holds; None in the authors' files.
        path: the file.
        digest: its sha256.
        trained_on: the split that a file of ours names, or ``drawn scenes``; None where nothing says.
        notes: what the user should know of how the file was read, a sentence each.
    """

    network: GbsNetwork
    bert: Bert | None
    words: WordPiece | None
    path: Path
    digest: str
    trained_on: str | None
    notes: tuple[str, ...]


def advice() -> str:
    """One line for who gave no weights."""
    return (
        f"gbs needs weights, and its authors ({SOURCE}) published none: pass --weights FILE of a training, theirs "
        "(checkpoint.dict) or ours (`risbench train gbs`), with BERT's vocab.txt beside it; or --weights shapes, the "
        "small one of the drawn world"
    )


def looks_like_gbs(names: Collection[str]) -> bool:
    """Whether a set of names is that of a GbS network, with or without what stands before its image network."""
    return _FIRST in names or IMAGE + _FIRST in names


def load(path: str | os.PathLike[str], device: str = "cpu") -> GbsNetwork:
    """GbS's image network from a file, float32, in eval mode. Its weights can learn.

    Args:
        path: the authors' ``checkpoint.dict`` (234 names under ``model.image_model``; BERT may be there or not), a
            state dict of it with or without prefixes, a file of ours, or ``shapes``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        ``net(images (B, 3, H, W), text (B, 768))`` gives raw maps ``(B, 1, h, w)``; ``net.words_map(images, words
        (B, T, 768), mask (B, T))`` the map of words ``(B, 1, 32, 32)``. Images as :func:`baselines.gbs.prepare` makes
        them. Its sizes are in ``net.config``.

    Raises:
        UsageError: there is no such file.
        DataError: it is broken, of another method (which is named), has another trunk than VGG16, or its keys and
            shapes are not those of the network; they are named.
    """
    return load_with_origin(path).network.to(torch.device(device))


def load_with_origin(path: str | os.PathLike[str]) -> LoadedGbs:
    """As :func:`load`, with BERT and with what the file says of itself."""
    place = _found(path)
    held = read(place, looks_like_gbs)
    if not looks_like_gbs(held.state):
        raise DataError(f"{place} is {owner_of(held.state)}, and no GbS; {advice()}")
    state = tidied_names(held.state)
    if (trunk := held.settings.get("backbone", "vgg")) != "vgg" or not _has_vgg(state):
        kind = f"'{trunk:.40}'" if isinstance(trunk, str) and trunk != "vgg" else "another one"
        raise DataError(f"{place} is a GbS whose trunk is {kind}; only the one on VGG16 ('vgg') can be built here")
    words = None
    if "config" in held.metadata:
        config = GbsConfig.from_json(held.metadata["config"], str(place))
        words = WordPiece(_list_of(held.metadata["vocabulary"], place), str(place)) if _ours(held) else None
    else:
        config = detected(state, img2txt=bool(held.settings.get("img2txt", True)))
        _check_decoder(held.settings.get("decoder_depths"), config, place)
    image = {key: value for key, value in state.items() if not key.startswith(BERT)}
    text = tidied({key.removeprefix(BERT): value for key, value in state.items() if key.startswith(BERT)})
    with torch.device("meta"):  # no default weights to draw and throw away
        network, bert = _built(config, len(state), place), Bert(config.bert) if text else None
    fill(network, image, f"{place} as GbS")
    if bert is not None:
        fill(bert, text, f"{place} as GbS's BERT")
        bert.eval()
    if words is not None and len(words) != config.bert.vocabulary:
        raise DataError(f"{place} has {len(words)} words, but its weights know {config.bert.vocabulary}")
    return LoadedGbs(
        network.eval(), bert, words, split_entry(place)[0], digest(place), held.trained_on, held.notes
    )  # fmt: skip


def _found(path: str | os.PathLike[str]) -> Path:
    place, entry = split_entry(path)
    if place.exists() and not (place.is_dir() and str(path) in NAMES):
        return with_entry(weights_file(place), entry)
    if str(path) in NAMES:
        if not SHIPPED.exists():
            raise UsageError(f"the weights 'shapes' are incomplete: there is no file {SHIPPED}; install risbench again")
        return SHIPPED
    raise missing(place, advice())


def tidied_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The image network's names without what stands before them, and today's names for old ones."""
    found = {}
    for key, value in state.items():
        name = key.removeprefix(IMAGE)
        if name == _DROPPED:
            continue
        found[name.replace(*_RENAMED, 1) if name.startswith(_RENAMED[0]) else name] = value
    return found


def _has_vgg(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith("backbone.layers.") for key in state) or not any(
        key.startswith("backbone.") for key in state
    )


def _check_decoder(depths: Any, config: GbsConfig, place: Path) -> None:
    """The list beside the weights is what the authors build their network from."""
    if isinstance(depths, (list, tuple)) and tuple(depths) != config.decoder:
        raise DataError(
            f"{place}: its decoder_depths are {list(depths)}, but its tensors are those of {list(config.decoder)}"
        )


def _built(config: GbsConfig, keys: int, place: Path) -> GbsNetwork:
    if sum(map(len, config.widths)) + len(config.decoder) + config.bert.depth > keys:
        raise DataError(f"{place} has {keys} keys, too few for the layers that its config names")
    if len(config.decoder) > len(config.widths):
        raise DataError(
            f"{place}: a decoder of {len(config.decoder)} blocks has no {len(config.widths)} levels to read"
        )
    try:
        return GbsNetwork(config)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{place}: no GbS can be built with the sizes of its tensors ({reason})") from None


def _ours(held: Checkpoint) -> bool:
    return "vocabulary" in held.metadata


def _list_of(text: str, place: Path) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DataError(f"{place} is a file of ours whose vocabulary cannot be read; give another file")
    return words
