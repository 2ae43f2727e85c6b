"""All sizes of a TRIS network in one frozen record; the default is the authors' RN50 at 320 pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from risbench.errors import DataError

from .ranges import Count, Number, Real, Within

RN50 = (3, 4, 6, 3)
RN101 = (3, 4, 23, 3)


@dataclass(frozen=True, slots=True)
class Config:
    """The sizes of a network. They alone determine the shapes of its tensors.

    Attributes:
        stage: 1 (response maps from texts alone) or 2 (segmentation, learned from stage 1's masks).
        image_size: side of the square input in pixels; a multiple of ``stride``.
        text_length: tokens per text, with start-of-text and end-of-text.
        stride: side of a cell of the last trunk layer in input pixels: 32, 16 or 8. At 16 layer 4 keeps the resolution
            of the layer before it, at 8 layer 3 does so too.
        depth: number of bottlenecks in each of the four trunk layers.
        width: channels of the stem; the layers have 4, 8, 16 and 32 times as many.
        trunk: ``clip``, or ``imagenet``: torchvision's ResNet-50, which has no attention pool.
        pool_grid: side of the grid of the attention pool's position embeddings; 0 for no pool. TRIS never uses the
            pool; its weights are only kept with CLIP's others.
        context: rows of the text's position embeddings.
        vocabulary: rows of the token table.
        trimmed: the token table has rows for only some of CLIP's token ids (the weights list them as ``token_ids``),
            and a last row for all others.
        ramp: learnable ramps from left to right and top to bottom are added before layer 4, so that a small trunk can
            encode positions.
        text_width, text_depth, text_heads: channels, blocks and heads of the text transformer.
        embed: size of the text's hidden feature (CLIP's joint space).
        hidden: number C of channels in which stage 1 compares image and text; 0 in stage 2.
        decoder: channels of stage 2's finest reduced feature; 0 in stage 1.
        alpha, beta: weights of the bilateral prompt's two residuals (image, text).
    """

    stage: Annotated[int, Within(1, 2)] = 1
    image_size: Count = 320
    text_length: Count = 20
    stride: Count = 32
    depth: tuple[Count, Count, Count, Count] = RN50
    width: Count = 64
    pool_grid: Number = 7
    context: Count = 77
    vocabulary: Count = 49408
    trimmed: bool = False
    ramp: bool = False
    text_width: Count = 512
    text_depth: Count = 12
    text_heads: Count = 8
    embed: Count = 1024
    hidden: Number = 1024
    decoder: Number = 0
    alpha: Real = 0.1
    beta: Real = 0.1
    trunk: Literal["clip", "imagenet"] = "clip"

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of c1 to c4."""
        return (4 * self.width, 8 * self.width, 16 * self.width, 32 * self.width)

    @property
    def pool_heads(self) -> int:
        """Number of heads of the attention pool, as in CLIP."""
        return max(1, self.width * 32 // 64)

    @property
    def backbone(self) -> str:
        """The trunk's name in the authors' scripts, or ``custom``."""
        if self.trunk == "imagenet":
            return "imagenet-RN50"
        named = {(RN50, 64, 1024): "clip-RN50", (RN101, 64, 512): "clip-RN101"}
        return named.get((self.depth, self.width, self.embed), "custom")

    def to_json(self) -> str:
        """All fields as one line of JSON, for a safetensors header."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """The config that :meth:`to_json` wrote.

        Raises:
            DataError: the text is not a config of this kind.
        """
        try:
            values: Any = json.loads(text)
            if not isinstance(values, Mapping):
                raise TypeError("not an object")
            known = {field.name for field in fields(cls)}
            if unknown := sorted(set(values) - known):
                raise TypeError(f"unknown field {', '.join(unknown)}")
            return cls(**{**values, "depth": tuple(values.get("depth", RN50))})
        except (ValueError, TypeError) as error:
            raise DataError(
                f"a TRIS config cannot be read ({error}); was the file written by a newer risbench?"
            ) from None


STAGE1 = Config()
STAGE2 = Config(stage=2, hidden=0, decoder=64)
