"""CLIP with a vision transformer, under OpenAI's key names, so that their files load without renaming.

It is written out because other methods need its inner tensors: CLIP-ES differentiates the last block and averages the
attention of the last eight blocks; relevance maps use one row of one attention. Position embeddings are resized to the
grid of the image.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench import DataError, UsageError
from tris_model import TextTower
from tris_model.clip import Block, CausalAttention, LayerNorm, drawn, resized
from tris_model.devices import pick
from tris_model.files import fill, find_clip, looks_like_clip, read
from tris_model.ranges import Count, Number

FOLDER = Path(__file__).parents[1] / "weights"
SHIPPED = FOLDER / "shapes_clip_vit.safetensors"


@dataclass(frozen=True, slots=True)
class VitConfig:
    """The sizes of a CLIP with a vision transformer; the default is OpenAI's ViT-B/16.

    Attributes:
        image_size: side of the square input it was trained at, in pixels; a multiple of ``patch``.
        patch: side of a patch in pixels.
        stem: channels of a small convolutional stem in place of the one convolution that cuts patches; 0 for no stem,
            as in OpenAI's models. A tower trained on few images needs a stem to learn edges.
        width, depth, heads: channels, blocks and heads of the image tower.
        hidden: channels inside its perceptrons; 0 means four times ``width``, as in nearly all models.
        text_length: tokens a text is cut to.
        context: rows of the table of text positions.
        vocabulary: rows of the table of tokens.
        trimmed: the table has rows for only some of CLIP's token ids, and a last row for all others.
        text_width, text_depth, text_heads: channels, blocks and heads of the text tower.
        embed: number of dimensions of the joint space.
        quick_gelu: whether the activation is OpenAI's, ``x * sigmoid(1.702 x)``, and not the exact GELU. Weights
            trained with one give other features with the other.
    """

    image_size: Count = 224
    patch: Count = 16
    stem: Number = 0
    width: Count = 768
    depth: Count = 12
    heads: Count = 12
    hidden: Number = 0
    text_length: Count = 77
    context: Count = 77
    vocabulary: Count = 49408
    trimmed: bool = False
    text_width: Count = 512
    text_depth: Count = 12
    text_heads: Count = 8
    embed: Count = 512
    quick_gelu: bool = True

    @property
    def grid(self) -> int:
        """Patches along a side at the size that it was trained at."""
        return self.image_size // self.patch

    def to_json(self) -> str:
        """All fields as one line of JSON, for a safetensors header."""
        return json.dumps({"kind": "clip-vit", **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> VitConfig:
        """The config that :meth:`to_json` wrote.

        Raises:
            DataError: the text is not a config of this kind.
        """
        try:
            values: Any = json.loads(text)
            if not isinstance(values, Mapping) or values.get("kind") != "clip-vit":
                raise TypeError("it is of another network")
            values = {key: value for key, value in values.items() if key != "kind"}
            if unknown := sorted(set(values) - {field.name for field in fields(cls)}):
                raise TypeError(f"unknown field {', '.join(unknown)}")
            return cls(**values)
        except (ValueError, TypeError) as error:
            raise DataError(f"the config of a CLIP with a vision transformer cannot be read ({error})") from None


ROWS = 512  # of an attention that are looked at at once


class FullAttention(CausalAttention):
    """Self-attention without a mask: every token attends to every other."""

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(N, L, C)`` -> queries, keys and values, each ``(N, heads, L, C / heads)``."""
        q, k, v = self.project(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: Tensor) -> Tensor:
        """``(N, L, C)`` -> ``(N, L, C)``."""
        q, k, v = self.split(x)
        if self.training:  # by hand: on a CPU in bf16 the backward of the fused one takes three times as long
            out = torch.softmax((q * q.shape[3] ** -0.5) @ k.transpose(2, 3), 3) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def add_mean_weights(self, x: Tensor, total: Tensor) -> Tensor:
        """Add the attention weights, averaged over heads, to a table ``(L, L)``, and return it.

        It handles a few rows of one head at a time, so that memory holds one such table for any number of heads.
        """
        q, k, _ = self.split(x)
        scale = q.shape[3] ** -0.5
        for query, key in zip(q[0], k[0], strict=True):
            for rows, part in zip(total.split(ROWS), query.split(ROWS), strict=True):
                rows.add_(torch.softmax(part @ key.T * scale, 1), alpha=1 / self.heads)
        return total


class VisionBlock(Block):
    """CLIP's transformer block without the causal mask."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__(width, heads, hidden)
        self.attn = FullAttention(width, heads)


def stem(channels: int, width: int, patch: int) -> nn.Sequential:
    """Convolutions of stride 2 until a cell is one patch: ``(B, 3, H, W)`` -> ``(B, width, h, w)``.

    See Xiao et al., Early Convolutions Help Transformers See Better, NeurIPS 2021. ``patch`` is a power of two.
    """
    layers: list[nn.Module] = []
    before = 3
    for level in range(patch.bit_length() - 1):
        after = min(width, channels << level)
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        before = after
    return nn.Sequential(*layers, nn.Conv2d(before, width, 1))


class VisionTransformer(nn.Module):
    """The image tower.

    Attributes:
        blocks: the stack of blocks. Several methods use the last one separately.
    """

    def __init__(self, config: VitConfig):
        super().__init__()
        width, deviation = config.width, config.width**-0.5
        self.patch = config.patch
        self.conv1 = (
            stem(config.stem, width, config.patch)
            if config.stem
            else nn.Conv2d(3, width, config.patch, stride=config.patch, bias=False)
        )
        self.class_embedding = nn.Parameter(drawn(width, deviation=deviation))
        self.positional_embedding = nn.Parameter(drawn(config.grid**2 + 1, width, deviation=deviation))
        self.ln_pre = LayerNorm(width)
        blocks = (VisionBlock(width, config.heads, config.hidden) for _ in range(config.depth))
        self.transformer: Any = nn.Sequential(OrderedDict(resblocks=nn.Sequential(*blocks)))
        self.ln_post = LayerNorm(width)
        self.proj = nn.Parameter(drawn(width, config.embed, deviation=deviation))

    @property
    def blocks(self) -> Any:
        """The stack of blocks."""
        return self.transformer.resblocks

    def positions(self, height: int, width: int) -> Tensor:
        """Position embeddings resized bilinearly to a grid: ``(1 + height * width, C)``, the class token's first."""
        return resized(self.positional_embedding, height, width)

    def embed(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> tokens before the first block, ``(B, 1 + h * w, C)``.

        Sides are multiples of the patch.
        """
        cells = self.conv1(images)
        tokens = torch.cat([self.class_embedding.expand(len(images), 1, -1), cells.flatten(2).transpose(1, 2)], 1)
        return self.ln_pre(tokens + self.positions(*cells.shape[2:]))

    def before_last(self, images: Tensor) -> Tensor:
        """Tokens that enter the last block: ``(B, 3, H, W)`` -> ``(B, 1 + h * w, C)``."""
        return self.blocks[:-1](self.embed(images))

    def summary(self, tokens: Tensor) -> Tensor:
        """Project tokens ``(…, C)`` into the joint space: ``(…, embed)``, not normalised."""
        return self.ln_post(tokens) @ self.proj

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> the class token in the joint space, ``(B, embed)``, not normalised."""
        return self.summary(self.blocks(self.embed(images))[:, 0])


class VitClip(TextTower):
    """A CLIP with a vision transformer; its text tower is the same class as TRIS's."""

    def __init__(self, config: VitConfig, text_hidden: int | None = None):
        """Build it; ``text_hidden`` is the size inside the text tower's perceptrons if it differs from CLIP's."""
        super().__init__(config, text_hidden)
        self.config = config
        self.visual = VisionTransformer(config)
        if not config.quick_gelu:
            exact_gelu(self)

    def encode_image(self, images: Tensor) -> Tensor:
        """One feature per image, ``(B, 3, H, W)`` -> ``(B, embed)``, not normalised."""
        return self.visual(images)


def exact_gelu(network: nn.Module) -> None:
    """Replace OpenAI's approximation by the exact GELU in every block of a network."""
    for block in network.modules():
        if isinstance(block, Block):
            block.mlp.gelu = nn.GELU()  # pyright: ignore[reportAttributeAccessIssue]


def find_vit(path_or_name: str | os.PathLike[str]) -> Path:
    """Find a weights file: a path, or ``shapes``, the shipped one. A file with that name takes precedence.

    Raises:
        UsageError: there is no such file or name, or the shipped file is missing.
        DataError: a folder holds no weights file, or several.
    """
    path = Path(path_or_name)
    if str(path_or_name) != "shapes" or path.is_file():
        return find_clip(path, "--weights shapes is the tiny CLIP of the drawn world")
    if not SHIPPED.exists():
        raise UsageError(f"the weights 'shapes' are incomplete: there is no file {SHIPPED}; install risbench again")
    return SHIPPED


def load_vit(path_or_name: str | os.PathLike[str], device: str = "cpu") -> VitClip:
    """A CLIP with a vision transformer that was trained here, float32, in eval mode.

    Args:
        path_or_name: see :func:`find_vit`.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.

    Raises:
        UsageError: there is no such file or name, or no such device.
        DataError: the file is broken or of another network, or its keys and shapes do not fit its config.
    """
    place = pick(device)
    path = find_vit(path_or_name)
    held = read(path, looks_like_clip)
    if "config" not in held.metadata:
        raise DataError(f"{path} does not say its sizes, so it is not a CLIP that risbench trained")
    config = VitConfig.from_json(held.metadata["config"])
    with torch.device("meta"):  # no default weights to draw and throw away
        network = VitClip(config)
    fill(network, held.state, f"{path} as a CLIP with a vision transformer")
    return network.eval().to(place)
