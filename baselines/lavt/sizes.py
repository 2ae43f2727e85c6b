"""The sizes of a LAVT: the authors' by default, detected from a file's tensors, or written in a file of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from risbench import DataError
from tris_model.ranges import Count, Positive, Share

from .._bert import BertSizes, bert_sizes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class LavtSizes:
    """What decides a LAVT's tensors, and what tensors do not tell.

    Attributes:
        image_size: side of the square input in pixels.
        patch: side of a patch in pixels.
        embed: channels of the first stage; every next stage has twice as many.
        depths: blocks of the stages.
        heads: of each stage's attentions.
        window: side of an attention's window in patches.
        mlp: hidden channels of a block's perceptron, in widths.
        fusion_heads: of each stage's attention from pixels to words.
        decoder: channels of the decoder.
        drop_path: the last block's probability of being left out of a training step; it rises from 0 evenly.
        text_length: tokens of a text.
        one: ``lavt_one``: BERT learns with dropout. In ``lavt`` it never has any.
        bert: of the words' encoder.
    """

    image_size: Count = 480
    patch: Count = 4
    embed: Count = 128
    depths: tuple[Count, Count, Count, Count] = (2, 2, 18, 2)
    heads: tuple[Count, Count, Count, Count] = (4, 8, 16, 32)
    window: Count = 12
    mlp: Positive = 4.0
    fusion_heads: tuple[Count, Count, Count, Count] = (1, 1, 1, 1)
    decoder: Count = 512
    drop_path: Share = 0.3
    text_length: Count = 20
    one: bool = False
    bert: BertSizes = field(default_factory=BertSizes)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the stages."""
        return tuple(self.embed * 2**stage for stage in range(len(self.depths)))

    @property
    def smallest_image(self) -> int:
        """The smallest side of an image in pixels: of a last map of one patch there is no variance to divide by."""
        return self.patch * 2 ** (len(self.depths) - 1) + 1

    def to_json(self) -> str:
        """As it stands in a file of ours."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str) -> LavtSizes:
        """The inverse of :meth:`to_json`.

        Raises:
            DataError: the text is something else.
        """
        try:
            held: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()
            }
            held["bert"] = BertSizes(**held["bert"])
            return cls(**held)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise DataError(f"{source} does not hold the sizes of a LAVT in its config; give another file") from None


def detected(state: Mapping[str, Tensor], *, one: bool) -> LavtSizes:
    """The sizes that the shapes of a whole state imply; what shapes cannot tell is as the authors have it.

    Missing keys leave the authors' size: the comparison that follows names the key.
    """
    base = LavtSizes()

    def size(key: str, axis: int, default: int) -> int:
        value = state.get(key)
        return int(value.shape[axis]) if value is not None and value.ndim > axis else default

    table = "backbone.layers.{}.blocks.0.attn.relative_position_bias_table"
    embed = size("backbone.patch_embed.proj.weight", 0, base.embed)
    hidden = size("backbone.layers.0.blocks.0.mlp.fc1.weight", 0, round(embed * base.mlp))
    places = size(table.format(0), 0, (2 * base.window - 1) ** 2)
    return replace(
        base,
        patch=size("backbone.patch_embed.proj.weight", 2, base.patch),
        embed=embed,
        depths=tuple(_blocks(state, stage) or base.depths[stage] for stage in range(4)),
        heads=tuple(size(table.format(stage), 1, base.heads[stage]) for stage in range(4)),
        window=(round(places**0.5) + 1) // 2,
        mlp=hidden / embed,
        decoder=size("classifier.conv1_1.weight", 1, base.decoder),
        one=one,
        bert=bert_sizes(state, prefix="text_encoder."),
    )


def _blocks(state: Mapping[str, Tensor], stage: int) -> int:
    pattern = re.compile(rf"backbone\.layers\.{stage}\.blocks\.(\d+)\.")
    found = {int(match[1]) for key in state if (match := pattern.match(key))}
    return min(max(found, default=-1) + 1, len(state))  # a key may name the billionth block
