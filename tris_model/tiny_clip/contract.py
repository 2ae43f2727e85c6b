"""The interfaces of the drawn world's training loop: a network with two towers, and its trainer."""

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
    """The parts of a network's config that the loop uses."""

    @property
    def image_size(self) -> int:
        """Side of its images in pixels."""
        ...

    @property
    def text_length(self) -> int:
        """Number of tokens per text."""
        ...

    def to_json(self) -> str:
        """The config as JSON, for a safetensors header."""
        ...


class Towers(Protocol):
    """A network that the loop can train. Parameters of the image tower are named ``visual.…``."""

    logit_scale: nn.Parameter

    @property
    def config(self) -> Sizes:
        """The sizes of the network."""
        ...

    def encode_image(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` for any S of a lesson -> ``(B, D)``, not normalised."""
        ...

    def encode_text(self, tokens: Tensor) -> Tensor:
        """``(N, text_length)`` -> ``(N, D)``, not normalised."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As of any module, like the methods below."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...  # noqa: D102
    def eval(self) -> Any: ...  # noqa: D102


class StepInputs(NamedTuple):
    """The input of a trainer for one step.

    Attributes:
        lesson: the number of images of each kind.
        objects: images of single objects to choose from.
        scenes: images of scenes to choose from.
        draw: the random generator of this step. All random choices of a step must use it; otherwise a resumed training
            would differ.
        device: the device of the batch.
        freeze_text: whether the text tower must not learn in this step.
    """

    lesson: Lesson
    objects: Pictures
    scenes: Pictures
    draw: np.random.Generator
    device: torch.device
    freeze_text: bool


class Trainer(Protocol):
    """The interface of a network's trainer; the loop :func:`tris_model.tiny_clip.trainer.teach` uses it."""

    @property
    def name(self) -> str:
        """The name of the weights file, of the training's folder and of the recipe's table."""
        ...

    @property
    def network(self) -> Towers:
        """The network, on the device and in training mode."""
        ...

    @property
    def course(self) -> Course:
        """The recipe. Its text is stored in the header of the weights file."""
        ...

    @property
    def warmup(self) -> int:
        """Steps until the learning rate reaches its full value."""
        ...

    def centre(self, images: Tensor, tokens: Tensor) -> None:
        """Subtract mean features from the towers' outputs, before the first step of a centred course.

        Args:
            images: some images, ``(B, 3, S, S)``, normalised.
            tokens: some texts, int64 ``(N, text_length)``.
        """
        ...

    def losses(self, step: StepInputs) -> Mapping[str, Tensor]:
        """The losses of the step: scalars by name; their sum is minimised."""
        ...
