"""What the training loop of the drawn world needs: a network with two towers, and a trainer that knows its losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from .course import Course
from .lessons import Lesson
from .pictures import Pictures


class Sizes(Protocol):
    """What the loop asks of a network's config."""

    @property
    def image_size(self) -> int:
        """Side of its pictures in pixels."""
        ...

    @property
    def text_length(self) -> int:
        """Tokens of a text."""
        ...

    def to_json(self) -> str:
        """As it stands in a safetensors header."""
        ...


class Towers(Protocol):
    """A network that the loop can teach. Parameters of the image tower lie under ``visual.``."""

    logit_scale: nn.Parameter

    @property
    def config(self) -> Sizes:
        """The sizes of the network."""
        ...

    def encode_image(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` of any S that a lesson has -> ``(B, D)``, not normalised."""
        ...

    def encode_text(self, tokens: Tensor) -> Tensor:
        """``(N, text_length)`` -> ``(N, D)``, not normalised."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As any module's; so are those below."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...  # noqa: D102
    def eval(self) -> Any: ...  # noqa: D102


class StepInputs(NamedTuple):
    """What a trainer is given for one step.

    Attributes:
        lesson: how many pictures of which kind.
        objects: pictures of single objects to choose from.
        scenes: pictures of scenes to choose from.
        draw: the generator of this step. All that is random in a step must come from it, or a training that was
            stopped would not go on as the same training.
        device: of the batch.
        freeze_text: whether the text tower must not learn in this step.
    """

    lesson: Lesson
    objects: Pictures
    scenes: Pictures
    draw: np.random.Generator
    device: torch.device
    freeze_text: bool


class Trainer(Protocol):
    """What a network's trainer must offer; :func:`tris_model.tiny_clip.trainer.teach` is the loop that uses it."""

    @property
    def name(self) -> str:
        """Of the file of weights, of the folder of the training and of the recipe's table."""
        ...

    @property
    def network(self) -> Towers:
        """On the device, in training mode."""
        ...

    @property
    def course(self) -> Course:
        """The recipe. Its text stands in the header of the weights."""
        ...

    @property
    def warmup(self) -> int:
        """Steps until the rate is whole."""
        ...

    def centre(self, images: Tensor, tokens: Tensor) -> None:
        """Before the first step of a centred course: take the means of some pictures and texts out of the towers.

        Args:
            images: ``(B, 3, S, S)``, normalised.
            tokens: int64 ``(N, text_length)``.
        """
        ...

    def losses(self, step: StepInputs) -> Mapping[str, Tensor]:
        """What the step makes small: scalars by name; their sum is what is differentiated."""
        ...
