"""The bilateral prompt: the texts attend to the image, and the image attends to the texts (the paper's section 3.1).

The first attention runs over all texts of the batch, so the result of a pair depends on its batch. The official
evaluation has one text at a time. Then the image's prompt depends neither on the image nor on the text: a softmax over
one element is 1, so the map is constant over the image, and an InstanceNorm turns a constant map into its bias.
``BilateralPrompt.alone`` uses this.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _image_projection(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.InstanceNorm2d(channels, affine=True), nn.ReLU())


def _text_projection(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, channels), nn.ReLU())


class BilateralPrompt(nn.Module):
    """Cross attention in both directions between P = h * w image cells and N texts with C channels.

    InstanceNorm uses the image's own statistics, in training and evaluation alike.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.v_proj1 = _image_projection(channels)
        self.v_proj2 = _image_projection(channels)
        self.v_proj3 = _image_projection(channels)
        self.t_proj1 = _text_projection(channels)
        self.t_proj2 = _text_projection(channels)
        self.t_proj3 = _text_projection(channels)
        self.v_output = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.InstanceNorm2d(channels, affine=True))
        self.t_output = nn.Sequential(nn.Linear(channels, channels))
        self.scale = channels**-0.5

    def forward(self, image: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Compute both prompts over all texts of the batch.

        Args:
            image: ``(B, C, h, w)``, unit length over C.
            texts: ``(N, C)``, unit length.

        Returns:
            The image's prompt ``(B, C, h, w)`` and the texts' ``(B, N, C)``.
        """
        query = self.v_proj1(image).flatten(2).transpose(1, 2)  # (B, P, C)
        towards = torch.softmax(query @ self.t_proj2(texts).T * self.scale, dim=-1)  # (B, P, N)
        gained = (towards @ self.t_proj3(texts)).transpose(1, 2)  # (B, C, P)
        for_image = self.v_output(gained.reshape(image.shape))
        return for_image, self.attend(*self.keys_and_values(image), self.queries(texts))

    def keys_and_values(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values of images, both ``(B, C, P)``; texts need nothing else of an image."""
        return self.v_proj2(image).flatten(2), self.v_proj3(image).flatten(2)

    def queries(self, texts: Tensor) -> Tensor:
        """The texts' queries, ``(N, C)`` -> ``(N, C)``."""
        return self.t_proj1(texts)

    def attend(self, keys: Tensor, values: Tensor, queries: Tensor) -> Tensor:
        """Every text attends to every image.

        Args:
            keys, values: ``(B, C, P)``, from :meth:`keys_and_values`.
            queries: ``(N, C)``, from :meth:`queries`.

        Returns:
            ``(B, N, C)``; texts do not affect one another here.
        """
        towards = torch.softmax(queries @ keys * self.scale, dim=-1)  # (B, N, P)
        return self.t_output(towards @ values.transpose(1, 2))

    @property
    def alone(self) -> Tensor:
        """The image's prompt for a single text: the last InstanceNorm's bias, ``(C,)``, for all inputs."""
        bias = self.v_output[1].bias
        assert isinstance(bias, Tensor)  # always affine
        return bias
