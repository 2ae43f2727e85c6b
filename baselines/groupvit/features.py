"""The features of GroupViT: groups of an image, each with a soft map and a feature, and the features of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tris_model import tokenize
from tris_model.clip import DEVIATION, MEAN

LONGEST = 2048  # pixels of the long side
END = 49407


class GroupFeatures(NamedTuple):
    """The G groups of an image on a grid of h x w patches.

    Attributes:
        maps: ``(G, h, w)``, the degree to which a patch belongs to each group; sums to 1 over the groups.
        groups: ``(G, D)``, features of the groups in the joint space, unit length.
        whole: ``(D,)``, the feature of the image, unit length.
    """

    maps: Tensor
    groups: Tensor
    whole: Tensor


def fitted(size: tuple[int, int], short: int, patch: int) -> tuple[int, int]:
    """The size ``(height, width)`` to which an image is resized.

    The short side becomes ``short``, unless the long one would then exceed :data:`LONGEST`; both are rounded to whole
    patches, so that the maps cover exactly the image (each side changes by at most half a patch).
    """
    scale = min(short / min(size), LONGEST / max(size))
    height, width = (max(1, round(side * scale / patch)) * patch for side in size)
    return height, width


def pixels_of(image: np.ndarray, short: int, patch: int) -> Tensor:
    """Preprocess an image, uint8 ``(H, W, 3)``: resized to :func:`fitted`, normalised by ImageNet's mean and deviation.

    Returns:
        float32 ``(3, height, width)`` on the CPU.
    """
    height, width = fitted(image.shape[:2], short, patch)
    resized = Image.fromarray(np.ascontiguousarray(image)).resize((width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float().div_(255)
    return pixels.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(DEVIATION)[:, None, None])


def encode_image(network: Any, pixels: Tensor) -> GroupFeatures:
    """Encode one image ``(3, H, W)``, whose sides are multiples of the patch.

    transformers' own forward accepts one size only and returns logits instead of maps. So its parts are called here,
    with position embeddings resized to the grid.
    """
    vision = network.vision_model
    patch = network.config.vision_config.patch_size
    grid = (pixels.shape[1] // patch, pixels.shape[2] // patch)
    cells = vision.embeddings(pixels[None], interpolate_pos_encoding=True)
    given = vision.encoder(hidden_states=cells, output_attentions=True, return_dict=True)
    features = vision.layernorm(given.last_hidden_state)[0]
    projected = network.visual_projection(torch.cat([features, features.mean(0, keepdim=True)]))
    projected = F.normalize(projected, dim=1)
    return GroupFeatures(chained(given.attentions).unflatten(1, grid), projected[:-1], projected[-1])


def chained(steps: Sequence[Tensor]) -> Tensor:
    """The product of one image's groupings, each ``(1, groups, inputs)``: ``(last groups, patches)``."""
    maps = steps[0][0]
    for step in steps[1:]:
        maps = step[0] @ maps
    return maps


def encode_texts(network: Any, texts: Sequence[str], token_ids: Tensor | None) -> Tensor:
    """Features of texts in the joint space, ``(N, D)``, unit length.

    Long texts are cut as CLIP's tokenizer does, and the end-of-text is kept.

    Args:
        network: transformers' ``GroupViTModel``.
        texts: at least one.
        token_ids: CLIP's ids that have a row in this network's token table; None for all.
    """
    length = network.config.text_config.max_position_embeddings
    tokens = tokenize(list(texts), keep_end=True, length=length)
    # The mask is causal: positions behind the last end-of-text change nothing, so they are cut off.
    tokens = tokens[:, : int((tokens == END).int().argmax(1).max()) + 1]
    if token_ids is not None:
        row = torch.searchsorted(token_ids, tokens.contiguous()).clamp(max=len(token_ids) - 1)
        tokens = torch.where(token_ids[row] == tokens, row, len(token_ids))
    text_features = network.text_model(input_ids=tokens.to(network.device)).pooler_output
    return F.normalize(network.text_projection(text_features), dim=1)


def assigned(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """The group of every pixel, int64 ``(H, W)``: the largest map after bilinear resizing; of equal ones the first.

    The maps are resized one after the other, because all maps of a large image do not fit in memory.
    """
    best = torch.full(size, -torch.inf, device=maps.device)
    group = torch.zeros(size, dtype=torch.int64, device=maps.device)
    for number, one in enumerate(maps):
        large = F.interpolate(one[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
        larger = large > best
        group[larger] = number
        best = torch.where(larger, large, best)
    return group
