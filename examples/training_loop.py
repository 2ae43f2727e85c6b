"""A metric in a training loop: ``python examples/training_loop.py``. `risbench.Scorer` takes tensors as they are.

The network is as small as can be, three weights and a bias: it finds what differs from the ground, and cannot read.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits

import risbench
from risbench.masks import union_of

EPOCHS, RATE = 3, 5.0
RARE = torch.tensor(8.0)  # a pixel of the object counts so often, for there are many more of the ground


def features(sample: risbench.Sample) -> torch.Tensor:
    """How far every fourth pixel is from the image's most usual colour, float32 ``(h, w, 3)`` in [0, 1]."""
    with Image.open(sample.image_path) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)[::4, ::4] / 255
    return torch.from_numpy(np.abs(pixels - np.median(pixels, axis=(0, 1))))


def truth(sample: risbench.Sample) -> torch.Tensor:
    """The true mask at the same places, float32 ``(h, w)`` of 0 and 1."""
    return torch.from_numpy(union_of(sample.parts, sample.size)[::4, ::4]).float()


def score(network: torch.nn.Module, split: risbench.Split) -> risbench.Scorer:
    """The scores of a split, or of one rank's part of it."""
    scorer = risbench.Scorer("clean")
    with torch.no_grad():
        for sample in split:
            scorer.add(sample, torch.sigmoid(network(features(sample)))[..., 0])  # a heat, of any size
    return scorer


if __name__ == "__main__":
    torch.manual_seed(0)
    scenes = risbench.load_split("shapes_val").first_images(8)
    learn, held = scenes.shard(0, 2), scenes.shard(1, 2)  # every other image

    network = torch.nn.Linear(3, 1)
    for epoch in range(EPOCHS):
        for sample in learn:
            loss = binary_cross_entropy_with_logits(network(features(sample))[..., 0], truth(sample), pos_weight=RARE)
            loss.backward()
            for weight in network.parameters():
                weight.data -= RATE * weight.grad
                weight.grad = None

        # Two ranks would score a part each; merged they are the whole.
        scorer, other = score(network, held.shard(0, 2)), score(network, held.shard(1, 2))
        scorer.merge(other)
        figures = scorer.summary("mIoU,PointM")
        print(f"epoch {epoch + 1}:", ", ".join(f"{name} {100 * one['value']:.1f}" for name, one in figures.items()))
    for caution in scorer.cautions():
        print(f"caution: {caution}")
