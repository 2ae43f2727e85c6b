"""Texts as GbS reads them: BERT's pieces of words, and a mask that tells words from special tokens and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._bert.wordpiece import END, START, WordPiece

if TYPE_CHECKING:
    from torch import Tensor

WORD, SPECIAL, PADDING = 0, 1, 2
_PLAIN = str.maketrans({"\u2019": "'", "\u00b4": "'", "\n": " "})


def tokenize(words: WordPiece, texts: Sequence[str], longest: int) -> tuple[Tensor, Tensor]:
    """Texts as BERT's ids.

    The right quotation mark and the acute accent become apostrophes, as in the authors' program. It cuts no text; here
    one that is longer than BERT's positions loses its last words and keeps its [SEP].

    Args:
        words: the vocabulary.
        texts: any number; empty ones are fine.
        longest: tokens of a text at most.

    Returns:
        Ids and mask, int64 ``(N, T)``, T being the length of the longest text. The mask is 0 at pieces of words, 1 at
        [CLS] and [SEP], 2 at padding.
    """
    import torch

    rows = [words.encode(text.translate(_PLAIN)) for text in texts]
    end = words.id_of(END)
    rows = [row if len(row) <= longest else [*row[: longest - 1], end] for row in rows]
    ids = torch.zeros(len(rows), max(map(len, rows), default=0), dtype=torch.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    mask = torch.zeros_like(ids)
    mask[(ids == words.id_of(START)) | (ids == end)] = SPECIAL
    mask[ids == 0] = PADDING
    return ids, mask
