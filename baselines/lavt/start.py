"""A LAVT before it learns: drawn, or with a Swin transformer of ImageNet and a BERT that was pre-trained."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from risbench import DataError
from tris_model.files import fill, missing, read, weights_file

from .._bert import WordPiece, find_vocabulary, load_bert
from .network import Lavt, drawn_lavt
from .sizes import LavtSizes

SWIN = "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/swin_base_patch4_window12_384_22k.pth"


def vocabulary_of(texts: Sequence[str], *, vocab: str | None, bert: str | None, size: int) -> WordPiece:
    """The words that a training reads: those of a file, or all words of its texts, whole.

    Args:
        texts: of the split.
        vocab: BERT's vocabulary; None looks beside the BERT that the training starts from.
        bert: that BERT; None where none is read.
        size: how many words a file must have.

    Raises:
        UsageError: there is no such file.
        DataError: it is no vocabulary, or one of another size.
    """
    if vocab is not None or bert is not None:
        return find_vocabulary("lavt", vocab, None if bert is None else Path(bert), size)
    return WordPiece.of_texts(texts)


def started(
    sizes: LavtSizes, seed: int, *, by_width: bool = False, swin: str | None = None, bert: str | None = None
) -> Lavt:
    """The network before it learns, in float32.

    Args:
        sizes: of the network.
        seed: of the weights that are drawn.
        by_width: see :func:`baselines.lavt.network.drawn_lavt`.
        swin: a file of ImageNet weights for the Swin transformer; its head and last norm are not read.
        bert: see :func:`baselines._bert.load_bert`.

    Raises:
        UsageError: there is no such file.
        DataError: it is broken or does not fit; the keys are named.
    """
    torch.manual_seed(seed)
    network = drawn_lavt(sizes, by_width=by_width)
    if swin is not None:
        _put_swin(network, Path(swin))
    if bert is not None:
        fill(network.text_encoder, load_bert(bert).state_dict(), f"{bert} as the BERT of the recipe's sizes")
    return network


def looks_like_swin(names: Collection[str]) -> bool:
    """Whether a set of names is that of a Swin transformer."""
    return "patch_embed.proj.weight" in names and "layers.0.blocks.0.attn.qkv.weight" in names


def _put_swin(network: Lavt, path: Path) -> None:
    if not path.exists():
        raise missing(path, f"get {SWIN}")
    path = weights_file(path)
    held = read(path, looks_like_swin)
    if not looks_like_swin(held.state):
        raise DataError(f"{path} is no Swin transformer (it begins with {', '.join(list(held.state)[:3])}); get {SWIN}")
    unread = ("norm.", "head.")
    given = {
        key: value for key, value in held.state.items() if not key.startswith(unread) and not key.endswith("attn_mask")
    }
    own = network.backbone.state_dict()
    new = (".fusion.", ".res_gate.")
    kept = {
        key: value
        for key, value in own.items()
        if any(part in key for part in new) or key.startswith(("norm0", "norm1", "norm2", "norm3"))
    }
    fill(network.backbone, {**given, **kept}, f"{path} as the Swin transformer of the recipe's sizes")
