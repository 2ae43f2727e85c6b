"""MG's network: an image's cells on four levels, and a text's words and sentence, in one common space.

Image and text are encoded apart from one another; :mod:`baselines.mg.attention` compares them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .attention import WordMaps, attend, best
from .config import MgConfig
from .text import BilstmLayers, DensePair, ElmoLayers
from .vgg import ImageMapping, MgLevels


class MgNetwork(nn.Module):
    """See the module; names follow the authors' variables.

    Attributes:
        config: its sizes.
    """

    def __init__(self, config: MgConfig | None = None):
        super().__init__()
        self.config = config = MgConfig() if config is None else config
        self.vgg = MgLevels(config)
        self.image_mapping = ImageMapping(config)
        self.text = ElmoLayers(config) if config.text == "elmo" else BilstmLayers(config)
        width, space = 2 * config.embed, config.head[-1]
        self.text_mapping = nn.ModuleDict(
            {"word_level": DensePair(width, space, config.norm), "sentence_level": DensePair(width, space, config.norm)}
        )

    def encode_image(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The cells of every level.

        Args:
            images: ``(B, 3, S, S)``, as of :func:`baselines.mg.prepare`.

        Returns:
            ``(B, L, N, D)`` of unit length, N cells row by row; and the grid's height and width (37 and 37).
        """
        return self.image_mapping(self.vgg(images))

    def encode_text(
        self, words: Tensor, lstm1: Tensor | None, lstm2: Tensor | None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The words and the sentence of every text.

        Args:
            words: ``(B, T, 512)``, the character CNN of ELMo; where the network has a vocabulary, ids int64 ``(B, T)``.
            lstm1, lstm2: ``(B, T, 1024)``, outputs of ELMo's LSTM layers, forward half first; the variant with a BiLSTM
                reads neither.
            lengths: int64 ``(B,)``, words of each text; by default T. Those behind them are padding.

        Returns:
            ``(B, T, D)`` and ``(B, D)``, unit length.
        """
        count, longest = words.shape[:2]
        if lengths is None:
            lengths = torch.full((count,), longest, device=words.device)
        last = (lengths.to(words.device).long() - 1).clamp(0, longest - 1)
        vectors, sentences = self.text(words, lstm1, lstm2, last)
        return self.text_mapping["word_level"](vectors), self.text_mapping["sentence_level"](sentences)

    def word_maps(
        self,
        images: Tensor,
        words: Tensor,
        lstm1: Tensor | None = None,
        lstm2: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> WordMaps:
        """Where each image shows each word of its text.

        Args:
            images: float32 ``(B, 3, 299, 299)``, red, green, blue from 0 to 255, as of :func:`baselines.mg.prepare`.
            words, lstm1, lstm2, lengths: see :meth:`encode_text`.

        Returns:
            ``heat (B, T, 37, 37)`` of each word's best level, ``score (B, T)``, ``level (B, T)`` and ``level_score
            (B, T, 4)``. Padding has maps too, which mean nothing.
        """
        pixels, grid = self.encode_image(images)
        return compared(pixels, grid, self.encode_text(words, lstm1, lstm2, lengths)[0], self.config.squared)

    def forward(
        self, images: Tensor, words: Tensor, lstm1: Tensor | None, lstm2: Tensor | None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the losses compare: cells ``(B, L, N, D)``, words ``(C, T, D)``, sentences ``(C, D)``, unit length."""
        return self.encode_image(images)[0], *self.encode_text(words, lstm1, lstm2, lengths)


def compared(pixels: Tensor, grid: tuple[int, int], words: Tensor, squared: int = 0) -> WordMaps:
    """The maps of words ``(B, T, D)`` in the cells ``(B or 1, L, N, D)`` of their images."""
    heat, score = attend(pixels, words[:, None], squared)
    return best(heat.unflatten(3, grid), score)


def drawn_mg(config: MgConfig) -> MgNetwork:
    """A network before it learns: heads by Glorot's uniform rule, as the authors; a trunk for ReLUs; biases of 0."""
    network = MgNetwork(config)
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            if name.startswith("vgg."):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM):
            hidden = module.hidden_size
            for key, value in module.named_parameters():
                if key.startswith("weight"):
                    nn.init.uniform_(value, -(bound := math.sqrt(6 / (6 * hidden))), bound)
                else:
                    nn.init.zeros_(value)
                    if key.startswith("bias_ih"):  # the forget gate begins open
                        nn.init.ones_(value.data[hidden : 2 * hidden])
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
            nn.init.zeros_(module.weight.data[:2])  # padding, and words that no training showed
    return network
