"""The sizes of an MG network, and the choices in which its two editions differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints

from risbench import DataError, UsageError
from risbench.plugins import near
from tris_model.ranges import Count, Number

KIND = "mg"
Mix = Literal["thirds", "stored", "given"]


@dataclass(frozen=True, slots=True)
class MgConfig:
    """The sizes of a network, and how it computes; the default is the authors' VGG-16 with ELMo.

    Attributes:
        widths: channels of the 3x3 convolutions of each stage of the trunk; the image is halved between stages.
        levels: the convolutions whose outputs are the levels, ``STAGE_CONVOLUTION``, counted from 1.
        batchnorm: whether a BatchNorm follows each convolution of the trunk, which lets a trunk learn that starts from
            nothing. The authors' has none and starts from ImageNet.
        image_size: side of the square input, in pixels.
        head: channels of the convolutions on each level; the last is the width of the common space.
        kernel: side of their kernels: 1, or 3 in the authors' variant with one convolution.
        text: ``elmo`` mixes the three layers of ELMo; ``bilstm`` runs a BiLSTM on ELMo's first, the character CNN.
        embed: length of a word of the character CNN. The layers above it are twice as long.
        vocabulary: words of an embedding that is learnt in place of the character CNN; 0 where there is none.
        grid: size of the maps: the ``largest`` level's, or the ``smallest``'s.
        resize: ``legacy``: TensorFlow 1's bilinear rule, in which cell i lies at ``i * old / new``; ``aligned``:
            corners on corners.
        norm: ``each``: vectors of texts get unit length after both dense layers; ``last``: after the second alone.
        mix: of ELMo's layers: ``thirds``, the mean, as the authors' inference computes always; ``stored``,
            the softmax of the stored weights, as in their training; ``given``: the word vectors come mixed.
        squared: how often heats are squared; the authors' 0. A trunk that starts from nothing makes all objects alike
            at first, and squares tell apart what fits a word well and what fits it best.
        sentence: a sentence's score is the ``max`` over the levels, or their ``mean``.
    """

    widths: tuple[tuple[Count, ...], ...] = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
    levels: tuple[str, ...] = ("4_1", "4_3", "5_1", "5_3")
    batchnorm: bool = False
    image_size: Count = 299
    head: tuple[Count, ...] = (1024, 1024, 1024)
    kernel: Count = 1
    text: Literal["elmo", "bilstm"] = "elmo"
    embed: Count = 512
    vocabulary: Number = 0
    grid: Literal["largest", "smallest"] = "largest"
    resize: Literal["legacy", "aligned"] = "legacy"
    norm: Literal["each", "last"] = "each"
    mix: Mix = "thirds"
    squared: Number = 0
    sentence: Literal["max", "mean"] = "max"

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Stage and convolution of each level, from 0."""
        return tuple(
            (int(stage) - 1, int(place) - 1) for stage, _, place in (one.partition("_") for one in self.levels)
        )

    def __post_init__(self) -> None:
        """Refuse levels that are no convolution of the trunk, and kernels of an even side."""
        for name, (stage, place) in zip(self.levels, self.places, strict=True):
            if not (0 <= stage < len(self.widths) and 0 <= place < len(self.widths[stage])):
                raise ValueError(f"the trunk has no convolution {name}")
        if not self.levels or not self.head or self.kernel % 2 == 0:
            raise ValueError("a network needs a level, a convolution on each, and kernels of an odd side")

    def to_json(self) -> str:
        """All fields as one line of JSON, as it stands in a safetensors header."""
        return json.dumps({"kind": KIND, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> MgConfig:
        """The config that :meth:`to_json` wrote.

        Raises:
            DataError: the text is not such a config.
        """
        try:
            values: Any = json.loads(text)
            if not isinstance(values, Mapping) or values.get("kind") != KIND:
                raise TypeError("it is of another network")
            values = {key: value for key, value in values.items() if key != "kind"}
            if unknown := sorted(set(values) - {field.name for field in fields(cls)}):
                raise TypeError(f"unknown field {', '.join(unknown)}")
            for name in ("image_size", "kernel", "embed", "vocabulary", "squared"):
                if not 0 <= int(values.get(name, 1)) <= 1 << 20:
                    raise ValueError(f"{name} is out of range")
            values["widths"] = tuple(tuple(int(width) for width in stage) for stage in values["widths"])
            values["levels"] = tuple(str(level) for level in values["levels"])
            values["head"] = tuple(int(width) for width in values["head"])
            if not all(0 < width <= 1 << 16 for stage in (*values["widths"], values["head"]) for width in stage):
                raise ValueError("a width is out of range")
            made = cls(**values)
            for name, hint in get_type_hints(cls).items():
                known = get_args(hint)
                if known and isinstance(known[0], str) and getattr(made, name) not in known:  # of a Literal
                    raise ValueError(f"{name} is none of {', '.join(known)}")
            return made
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(f"the config of an MG network cannot be read ({str(error)[:120]})") from None


# What decides a result and leaves no trace in the tensors. `code`: the published programs (train.py and its inference);
# `notebooks`: the older ones in the authors' folder original_codes_stable, with which the paper's numbers were made.
EDITIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "code": MappingProxyType(
            {
                "levels": ("4_1", "4_3", "5_1", "5_3"), "grid": "largest", "resize": "legacy", "norm": "each",
                "mix": "thirds", "sentence": "max",
            }
        ),
        "notebooks": MappingProxyType(
            {
                "levels": ("5_1", "5_3", "4_1", "4_3"), "grid": "smallest", "resize": "aligned", "norm": "last",
                "mix": "given", "sentence": "mean",
            }
        ),
    }
)  # fmt: skip


def in_edition(config: MgConfig, edition: str) -> MgConfig:
    """The config of a file of the authors, read as one of the two editions.

    Raises:
        UsageError: there is no such edition.
    """
    if edition not in EDITIONS:
        raise UsageError(f"edition={edition}: {near(edition, EDITIONS)}")
    changes = dict(EDITIONS[edition])
    if config.text == "bilstm":
        changes["mix"] = config.mix  # its word vectors are mixed by a dense layer
    return replace(config, **changes)
