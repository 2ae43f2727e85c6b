"""LAVT's files, checked key by key: the authors' ``lavt`` and ``lavt_one`` checkpoints, and files of ours.

The authors save ``{model, bert_model, optimizer, args, …}`` for ``lavt`` and put BERT into ``model`` as
``text_encoder.…`` for ``lavt_one``. BERT may have its pooler, which nothing reads. Settings beside the weights are
never unpickled (see :mod:`tris_model.files`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from risbench import DataError, UsageError
from tris_model import digest
from tris_model.files import NAMES, Checkpoint, fill, missing, read, split_entry, weights_file, with_entry

from .._bert import WordPiece, find_vocabulary, looks_like_bert, tidied
from .._owners import owner_of
from .network import Lavt
from .sizes import LavtSizes, detected

SHIPPED = Path(__file__).parents[1] / "weights" / "shapes_lavt.safetensors"
BERT = "text_encoder."
_GATES = "backbone.layers.0.res_gate.0.weight"
_FUSION = "backbone.layers.0.fusion.vis_project.0.weight"


class LoadedLavt(NamedTuple):
    """A network and where it came from.

    Attributes:
        network: in eval mode, float32.
        words: the vocabulary that a file of ours holds; None in the authors' files.
        path: the file.
        digest: its sha256.
        drawn: whether it is one of ours, of the drawn world.
        trained_on: the split that a file of ours names.
        notes: what the user should know of how the file was read, a sentence each.
    """

    network: Lavt
    words: WordPiece | None
    path: Path
    digest: str
    drawn: bool
    trained_on: str | None
    notes: tuple[str, ...]


def advice() -> str:
    """One line for who gave no weights."""
    return (
        "lavt needs weights: get one of the authors' (github.com/yz93/LAVT-RIS, section Weights) and pass --weights "
        "FILE, with BERT's vocab.txt beside it; or --weights shapes, the small one of the drawn world"
    )


def looks_like_lavt(names: Collection[str]) -> bool:
    """Whether a set of names is that of a LAVT, of which parts may be missing."""
    return _FUSION in names or _GATES in names


def load(
    path: str | os.PathLike[str],
    vocab: str | os.PathLike[str] | None = None,
    *,
    mha: tuple[int, int, int, int] = (1, 1, 1, 1),
) -> Lavt:
    """A LAVT with exactly the weights of a file.

    Args:
        path: a ``.pth`` of the authors' ``lavt`` or ``lavt_one``, a file of ours, or ``shapes``.
        vocab: BERT's vocabulary, only to check that it belongs to these weights; the network reads token ids.
        mha: the heads of each stage's attention from pixels to words, which the authors' ``--mha`` sets and shapes do
            not tell. Their published files have one.

    Returns:
        The network in eval mode, float32, on the CPU; its sizes are in ``.sizes``. ``net(images (B, 3, 480, 480),
        token_ids (B, 20), token_mask (B, 20))`` gives logits ``(B, 2, 480, 480)``, ``net.features`` of the same
        the four fused maps.

    Raises:
        UsageError: there is no such file.
        DataError: it is broken, of another method (which is named), without BERT, or keys are missing, unexpected or
            misshapen, by name; or the vocabulary has another size.
    """
    loaded = load_with_origin(path, mha=mha)
    if vocab is not None:
        find_vocabulary("lavt", vocab, None, loaded.network.sizes.bert.vocabulary)
    return loaded.network


def load_with_origin(path: str | os.PathLike[str], *, mha: tuple[int, int, int, int] = (1, 1, 1, 1)) -> LoadedLavt:
    """As :func:`load`, with what the file says of itself."""
    file = read_lavt(path, mha=mha)
    place, held, sizes = file.place, file.held, file.sizes
    words = None
    if "config" in held.metadata and not ("source_sha256" in held.metadata and "vocabulary" not in held.metadata):
        words = WordPiece(_list_of(held.metadata.get("vocabulary"), place), str(place))
        if len(words) != sizes.bert.vocabulary:
            raise DataError(f"{place} has {len(words)} words, but its weights know {sizes.bert.vocabulary}")
    trained_on = held.trained_on
    return LoadedLavt(
        file.network,
        words,
        split_entry(place)[0],
        digest(place),
        trained_on == "drawn scenes",
        trained_on,
        held.notes,
    )


class LavtFile(NamedTuple):
    """A file and the network that is built of it.

    Attributes:
        place: the file, with the entry that was chosen.
        held: what was read.
        state: its tensors under the names that a file of ours has.
        sizes: of the network.
        network: in eval mode, float32.
    """

    place: Path
    held: Checkpoint
    state: Mapping[str, Tensor]
    sizes: LavtSizes
    network: Lavt


def read_lavt(path: str | os.PathLike[str], *, mha: tuple[int, int, int, int] = (1, 1, 1, 1)) -> LavtFile:
    """A file's tensors and network; see :func:`load` for what is refused."""
    place = _found(path)
    held = read(place, looks_like_lavt)
    state = dict(held.state)
    if not looks_like_lavt(state):
        raise DataError(f"{place} is {owner_of(state)}, and no LAVT; {advice()}")
    if "config" in held.metadata:
        sizes = LavtSizes.from_json(held.metadata["config"], str(place))
        # A converted file keeps no trace of the heads either: its shapes are those of the authors' file.
        sizes = replace(sizes, fusion_heads=mha) if "source_sha256" in held.metadata else sizes
    else:
        one = any(key.startswith(BERT) for key in state)
        state = _with_one_bert(state, place, one=one)
        sizes = replace(detected(state, one=one), fusion_heads=mha)
    with torch.device("meta"):  # no default weights to draw and throw away
        network = _built(sizes, place)
    fill(network, state, f"{place} as LAVT")
    _check_places(network, place)
    return LavtFile(place, held, state, sizes, network.eval())


def _found(path: str | os.PathLike[str]) -> Path:
    place, entry = split_entry(path)
    if place.exists() and not (place.is_dir() and str(path) in NAMES):
        return with_entry(weights_file(place), entry)
    if str(path) in NAMES:
        if not SHIPPED.exists():
            raise UsageError(f"the weights 'shapes' are incomplete: there is no file {SHIPPED}; install risbench again")
        return SHIPPED
    raise missing(place, advice())


def _with_one_bert(state: Mapping[str, Tensor], place: Path, *, one: bool) -> dict[str, Tensor]:
    """The weights with BERT's below ``text_encoder.``, under today's names and without its pooler."""
    if one:
        inside = {key.removeprefix(BERT): value for key, value in state.items() if key.startswith(BERT)}
    else:
        file = split_entry(place)[0]
        try:
            inside = read(file, looks_like_bert).state
        except DataError:
            inside = {}
        if not looks_like_bert(inside):
            raise DataError(
                f"{file} is a LAVT without its BERT: it has neither an entry 'bert_model' (lavt) nor keys "
                "text_encoder.… (lavt_one), and LAVT's BERT has learnt with it; give the authors' whole file"
            )
    rest = {key: value for key, value in state.items() if not key.startswith(BERT)}
    return {**rest, **{BERT + key: value for key, value in tidied(inside).items()}}


def _built(sizes: LavtSizes, place: Path) -> Lavt:
    try:
        return Lavt(sizes)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{place}: no LAVT can be built with the sizes of its tensors ({reason})") from None


def _check_places(network: Lavt, place: Path) -> None:
    """The numbers of relative places follow from the window; a file with others would be read wrongly."""
    from .swin import WindowAttention, relative_places

    own = relative_places(network.sizes.window)
    for name, module in network.named_modules():
        if isinstance(module, WindowAttention) and not module.relative_position_index.equal(own):
            raise DataError(f"{place}: {name}.relative_position_index is not that of a window of the table's size")


def _list_of(text: str | None, place: Path) -> list[str]:
    try:
        words = json.loads(text or "")
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DataError(f"{place} is a file of ours without its vocabulary; give another file")
    return words
