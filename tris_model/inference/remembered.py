"""Features of texts that were encoded before: many expressions of a split repeat an earlier one.

They are remembered only where an encoded text does not depend on the texts beside it, not even in its last bit. So a
run gives the same figures in any order, in shards, and after it was interrupted. The two functions at the end check
this with the network's own weights on the machine at hand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ..clip.tokens import END, START

MEBIBYTES = 64
_ROWS = 200
_PIECES = (2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 64)


class RememberedTexts:
    """Encodes texts, each at most once while it is remembered.

    Attributes:
        found: how many texts were not encoded again.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor], mebibytes: float = MEBIBYTES):
        """Begin with nothing.

        Args:
            encode: int64 ``(N, L)`` -> ``(N, …)``, where a text's feature depends on that text alone.
            mebibytes: how much is kept; the texts that were not used for the longest time are forgotten.
        """
        self._encode = encode
        self._room = mebibytes * 2**20
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()
        self.found = 0

    def clear(self) -> None:
        """Forget all texts."""
        self._kept.clear()

    def __call__(self, tokens: Tensor) -> Tensor:
        """The features of distinct texts, int64 ``(N, L)`` on the CPU -> ``(N, …)``."""
        keys = [row.tobytes() for row in tokens.numpy()]
        new = [place for place, key in enumerate(keys) if key not in self._kept]
        self.found += len(keys) - len(new)
        features = dict(zip(new, self._encode(tokens[new]), strict=True)) if new else {}
        rows = [features[place] if place in features else self._kept[key] for place, key in enumerate(keys)]
        for key, row in zip(keys, rows, strict=True):
            # A copy: a row of the batch would keep the whole batch in memory.
            self._kept[key] = row if key in self._kept else row.clone()
            self._kept.move_to_end(key)
        while self._kept and len(self._kept) * _bytes(next(iter(self._kept.values()))) > self._room:
            self._kept.popitem(last=False)
        return torch.stack(rows)


def rows_are_independent(layers: Iterable[tuple[nn.Module, int]]) -> bool:
    """Whether each row of these layers' products is the same, bit for bit, with any number of rows beside it.

    A row alone is not tried: oneDNN adds up a long product of a single row in another order.

    Args:
        layers: each maps ``(N, width)`` to ``(N, …)``; with its width.
    """
    for layer, width in layers:
        x = torch.linspace(-1, 1, _ROWS * width).mul(1000).sin().view(_ROWS, width)
        whole = layer(x)
        start = 0
        for count in _PIECES:
            rows = slice(start, start + count)
            if not torch.equal(layer(x[rows]), whole[rows]):
                return False
            start = (start + count) % (_ROWS - max(_PIECES))
    return True


def is_independent(encode: Callable[[Tensor], Tensor], length: int) -> bool:
    """Whether some texts get the same features, bit for bit, together and alone.

    Args:
        encode: int64 ``(N, length)`` -> ``(N, …)``.
        length: number of tokens.
    """
    texts = torch.zeros(5, length, dtype=torch.int64)
    texts[:, 0] = START  # the last has no end, as a text that was cut
    for row, words in zip(texts[:-1], (1, 2, 6, length), strict=True):
        end = min(words + 1, length - 1)
        row[1:end] = torch.arange(end - 1) * 97 + 320 + words
        row[end] = END
    together = encode(texts)
    return all(
        torch.equal(encode(texts[place : place + 1]), together[place : place + 1]) for place in range(len(texts))
    )


def _bytes(row: Tensor) -> int:
    return row.numel() * row.element_size()
