"""The sizes of a GbS: the authors' by default, detected from a file's tensors, or written in a file of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from risbench import DataError
from tris_model.ranges import Count, Number

from .._bert import BertSizes, bert_sizes

if TYPE_CHECKING:
    from torch import Tensor

KIND = "gbs"
BERT = "caption_model.model."
_CONVOLUTION = re.compile(r"backbone\.layers\.(\d+)\.weight")
_DECODER = re.compile(r"decoder_blocks\.(\d+)\.conv0\.weight")


@dataclass(frozen=True, slots=True)
class GbsConfig:
    """The sizes of a network, and how it is shown images; the default is the authors'.

    Attributes:
        widths: channels of the 3x3 convolutions of each stage of the trunk. The image is halved after every stage, and
            what each halving gives is a level.
        decoder: channels of the decoder's blocks, the deepest first. Each block brings the map one level up.
        bottleneck: channels of the blocks that the levels pass before they are compared with words.
        words_side: side of the map of words in cells.
        image_size: of the input in pixels. It is no part of the weights.
        resize: ``short``: the shorter side is ``image_size`` and the proportions are kept. ``square``: both sides are.
        border: rows and columns of the fused map that are set to 0: the first ones, and the last ones.
        img2txt: whether the branch of words was trained. Without it the heat is the map of separation alone.
        bert: of the words' encoder.
    """

    widths: tuple[tuple[Count, ...], ...] = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
    decoder: tuple[Count, ...] = (512,)
    bottleneck: Count = 512
    words_side: Count = 32
    image_size: Count = 512
    resize: Literal["short", "square"] = "short"
    border: tuple[Number, Number] = (4, 3)
    img2txt: bool = True
    bert: BertSizes = field(default_factory=BertSizes)

    @property
    def depths(self) -> tuple[int, ...]:
        """Channels of the levels, the image itself being the first."""
        return (3, *(stage[-1] for stage in self.widths))

    @property
    def stride(self) -> int:
        """Pixels of the input for a cell of the map, along each side."""
        return 2 ** (len(self.widths) - len(self.decoder))

    @property
    def smallest(self) -> int:
        """The smallest side of an input in pixels, of which the deepest level has one cell."""
        return 2 ** len(self.widths)

    def to_json(self) -> str:
        """All fields as one line of JSON, as it stands in a safetensors header."""
        return json.dumps({"kind": KIND, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str) -> GbsConfig:
        """The config that :meth:`to_json` wrote.

        Raises:
            DataError: the text is not such a config.
        """
        try:
            values: Any = json.loads(text)
            if not isinstance(values, Mapping) or values.get("kind") != KIND:
                raise TypeError("it is of another network")
            held: dict[str, Any] = {key: value for key, value in values.items() if key != "kind"}
            if unknown := sorted(set(held) - {one.name for one in fields(cls)}):
                raise TypeError(f"unknown field {', '.join(unknown)}")
            held["widths"] = tuple(tuple(int(width) for width in stage) for stage in held["widths"])
            held["decoder"] = tuple(int(width) for width in held["decoder"])
            first, last = held["border"]
            held["border"] = (int(first), int(last))
            held["bert"] = BertSizes(**held["bert"])
            made = cls(**held)
            numbers = (made.bottleneck, made.words_side, made.image_size, *made.decoder, *sum(made.widths, ()))
            if not made.widths or not all(made.widths) or min(numbers) < 1:
                raise ValueError("a stage has no convolution, or a number is below 1")
            return made
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{source}: the config of a GbS network cannot be read ({error})") from None


def detected(state: Mapping[str, Tensor], *, img2txt: bool = True) -> GbsConfig:
    """The sizes that the shapes of an image network imply; what shapes cannot tell is as the authors have it.

    Args:
        state: by the names of the image network, without a prefix, and of BERT below ``caption_model.model.``.
        img2txt: whether the file says that the branch of words was trained.

    A missing key leaves the authors' size: the comparison that follows names the key.
    """
    base = GbsConfig()
    convolutions = {
        int(match[1]): int(value.shape[0])
        for key, value in state.items()
        if (match := _CONVOLUTION.fullmatch(key)) and value.ndim == 4
    }
    stages: list[list[int]] = [[]]
    before = None
    for place in sorted(convolutions):
        if before is not None and place - before > 3:  # convolution, BatchNorm, ReLU, and here a halving
            stages.append([])
        stages[-1].append(convolutions[place])
        before = place
    decoder = {int(match[1]): int(value.shape[0]) for key, value in state.items() if (match := _DECODER.fullmatch(key))}
    first = state.get("pre_cond.0.conv0.weight")
    gate = state.get("conditions.0.cap_fc.weight")
    if any(key.startswith(BERT) for key in state):
        bert = bert_sizes(state, BERT)
    else:
        bert = base.bert if gate is None or gate.ndim != 2 else replace(base.bert, width=int(gate.shape[1]))
    return GbsConfig(
        widths=tuple(map(tuple, stages)) if convolutions else base.widths,
        decoder=tuple(decoder[place] for place in sorted(decoder)) if decoder else base.decoder,
        bottleneck=base.bottleneck if first is None or not first.ndim else int(first.shape[0]),
        img2txt=img2txt,
        bert=bert,
    )
