"""Texts as MG's network reads them: ids of a vocabulary that was learnt with it, or ELMo's features from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from risbench import DataError

PADDING, UNKNOWN = 0, 1


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Texts as tensors, as :meth:`baselines.mg.network.MgNetwork.encode_text` takes them.

    Attributes:
        words: float ``(B, T, E)``, or ids int64 ``(B, T)``.
        lstm1, lstm2: ``(B, T, 2 E)``, or None.
        lengths: int64 ``(B,)``; 0 for a text without words, and T is at least 1 all the same.
    """

    words: Tensor
    lstm1: Tensor | None
    lstm2: Tensor | None
    lengths: Tensor

    def to(self, device: torch.device) -> TextBatch:
        """The same on a device; the lengths stay where they are."""
        first, second = (None if one is None else one.to(device) for one in (self.lstm1, self.lstm2))
        return TextBatch(self.words.to(device), first, second, self.lengths)


class TextSource(Protocol):
    """What makes tensors of texts."""

    def batch(self, texts: Sequence[str]) -> TextBatch:
        """The texts of a call, any number."""
        ...


def words_of(text: str) -> list[str]:
    """The words of a text: what white space separates, as ELMo's module does."""
    return text.split()


class OwnWords:
    """The vocabulary of a network that learnt its own embedding: lower-case words.

    Attributes:
        words: every word's id is its place here and 2; 0 is padding, and 1 a word that is not here.
    """

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        self._ids = {word: number for number, word in enumerate(self.words, start=2)}

    def __len__(self) -> int:
        return len(self.words) + 2

    @classmethod
    def of(cls, texts: Sequence[str]) -> OwnWords:
        """All words of some texts, sorted."""
        return cls(sorted({word for text in texts for word in words_of(text.lower())}))

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], size: int) -> OwnWords:
        """The vocabulary in a file of weights.

        Raises:
            DataError: there is none, or one of another size than the network's embedding.
        """
        try:
            words: Any = json.loads(metadata["vocabulary"])
        except (KeyError, ValueError, RecursionError):
            words = None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or len(words) + 2 != size:
            raise DataError(f"the file has no vocabulary of the {size - 2} words of its embedding")
        return cls(words)

    def batch(self, texts: Sequence[str]) -> TextBatch:
        """See :class:`TextSource`."""
        rows = [[self._ids.get(word, UNKNOWN) for word in words_of(text.lower())] for text in texts]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        ids = torch.full((len(rows), max(1, *map(len, rows)) if rows else 1), PADDING, dtype=torch.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row, dtype=torch.int64)
        return TextBatch(ids, None, None, lengths)
