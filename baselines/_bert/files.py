"""BERT's files: its weights as they are published or stand inside other checkpoints, and its vocabulary."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor

from risbench import DataError, UsageError
from tris_model.files import fill, missing, read, weights_file

from .transformer import Bert, BertSizes
from .wordpiece import WordPiece

HUB = "https://huggingface.co/google-bert/bert-base-uncased"
VOCABULARY = "vocab.txt"
MOST_WORDS = 1_000_000
WORDS = "embeddings.word_embeddings.weight"
# Parts of published files that no rival reads: what BERT was pre-trained with, its summary of sentence pairs, and the
# numbers of positions, which some versions of the library stored.
_UNREAD = re.compile(r"(cls|pooler|classifier)\.|(.*\.)?position_ids$")


def looks_like_bert(names: Collection[str]) -> bool:
    """Whether a set of names is that of a BERT, with or without ``bert.`` before them."""
    return WORDS in names or f"bert.{WORDS}" in names


def tidied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A BERT's weights under today's names, without ``bert.``, heads, pooler and numbers of positions.

    The oldest files call a LayerNorm's weight and bias gamma and beta.
    """
    found = {}
    for key, value in state.items():
        name = key.removeprefix("bert.")
        if not _UNREAD.match(name):
            name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
            found[name] = value
    return found


def bert_sizes(state: Mapping[str, Tensor], prefix: str = "") -> BertSizes:
    """The sizes that shapes imply; heads leave no trace in them, and all published ones have 64 channels a head.

    A missing key leaves BERT-base's size: the comparison that follows names the key.
    """
    base = BertSizes()

    def size(key: str, axis: int, default: int) -> int:
        value = state.get(prefix + key)
        return int(value.shape[axis]) if value is not None and value.ndim > axis else default

    pattern = re.compile(rf"{re.escape(prefix)}encoder\.layer\.(\d+)\.")
    layers = {int(match[1]) for key in state if (match := pattern.match(key))}
    width = size(WORDS, 1, base.width)
    return BertSizes(
        vocabulary=size(WORDS, 0, base.vocabulary),
        positions=size("embeddings.position_embeddings.weight", 0, base.positions),
        width=width,
        depth=min(max(layers, default=base.depth - 1) + 1, len(state)),
        heads=max(1, width // 64),
        hidden=size("encoder.layer.0.intermediate.dense.weight", 0, base.hidden),
    )


def load_bert(path: str | os.PathLike[str]) -> Bert:
    """A BERT in eval mode, float32, with exactly the weights of a file.

    Args:
        path: ``model.safetensors`` or ``pytorch_model.bin``, or a folder in Hugging Face's layout that holds one.

    Raises:
        UsageError: there is no such file.
        DataError: it is broken, is no BERT, or keys are missing, unexpected or misshapen, by name.
    """
    place = Path(path)
    if not place.exists():
        raise missing(place, f"get model.safetensors from {HUB}")
    place = weights_file(place)
    held = read(place, looks_like_bert)
    state = tidied(held.state)
    if WORDS not in state:
        some = ", ".join(list(held.state)[:3]) or "nothing"
        raise DataError(f"{place} is no BERT (it begins with {some}); get model.safetensors from {HUB}")
    bert = Bert(bert_sizes(state))
    fill(bert, state, f"{place} as BERT")
    return bert.eval()


def find_vocabulary(method: str, vocab: str | os.PathLike[str] | None, beside: Path | None, size: int) -> WordPiece:
    """BERT's vocabulary from a file with a piece a line.

    Args:
        method: who asks, for messages.
        vocab: the file, or a folder with ``vocab.txt``; None looks beside the weights.
        beside: the file of weights, or its folder.
        size: how many pieces the weights know.

    Raises:
        UsageError: there is no such file; with where to get it.
        DataError: it is no vocabulary, or one of another size.
    """
    option = f"--set vocab=FILE (get {HUB}/resolve/main/{VOCABULARY})"
    if vocab is None:
        path = None if beside is None else (beside if beside.is_dir() else beside.parent) / VOCABULARY
        if path is None or not path.is_file():
            where = "" if path is None else f", and there is no {path}"
            raise UsageError(f"{method} needs BERT's vocabulary{where}: pass {option}, or put it beside the weights")
    else:
        path = Path(vocab)
        path = path / VOCABULARY if path.is_dir() else path
        if not path.is_file():
            raise UsageError(f"there is no vocabulary {path}; pass {option}")
    words = WordPiece(_lines(path), str(path))
    if len(words) != size:
        raise DataError(f"{path} has {len(words)} words, but the weights know {size}; pass the one of these weights")
    return words


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            words = [line.rstrip("\r\n") for line, _ in zip(file, range(MOST_WORDS), strict=False)]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is no vocabulary of BERT: it is not text in UTF-8") from None
    return words
