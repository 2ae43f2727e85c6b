"""What is known about the CLIP in a file (activation, name, training data), and from what source.

Nothing is guessed. OpenAI's files are recognised by their hash, models of the Hugging Face hub by their place in its
cache. About any other file only the user's options and the settings file beside it count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tris_model
from risbench import UsageError
from tris_model.files import OPENAI_FILES, ClipFile, split_entry

UNKNOWN = "unknown (the file does not say)"
DRAWN = "drawn scenes"  # what a card says is trained on; `risbench` warns where photographs are answered
PAIRS = "400 million image-text pairs"


@dataclass(frozen=True, slots=True)
class ClipReading:
    """How a CLIP file was read.

    Attributes:
        quick_gelu: True for OpenAI's activation, False for the exact GELU.
        model: the model's name.
        data: the training data, in words.
        source: how the activation is known; empty if this needs no mention.
        notes: messages for the user, one sentence each.
    """

    quick_gelu: bool
    model: str
    data: str
    source: str = ""
    notes: tuple[str, ...] = ()

    def card(self) -> Mapping[str, Any]:
        """These facts as a part of a method's card."""
        activation = "quick_gelu" if self.quick_gelu else "gelu"
        source = {"activation_from": self.source} if self.source else {}
        return {"model": self.model, "activation": activation, **source, "extra_data": self.data}


def of_openai(path: Path) -> str | None:
    """The name of the OpenAI file with the same hash; None if there is none."""
    digest = tris_model.digest(path)
    return next((name for name, known in OPENAI_FILES.items() if known == digest), None)


def like_openai(held: ClipFile) -> bool:
    """Whether a file has OpenAI's form: a TorchScript archive, or a state dict that was made from one."""
    return held.kind == "torchscript" or held.counted


def hub_model(path: Path) -> str | None:
    """``owner/name`` of a model that lies in the cache of the Hugging Face hub."""
    for part in split_entry(path)[0].absolute().parts:
        if part.startswith("models--") and part.count("--") >= 2:
            owner, _, name = part.removeprefix("models--").partition("--")
            return f"{owner}/{name}"
    return None


def reading(method: str, held: ClipFile, model: str, activation: str | None) -> ClipReading:
    """Decide how to read a file that came without a model name.

    Args:
        method: its name, for the notes.
        held: the file.
        model: the usual name of a CLIP of these sizes.
        activation: the user's choice; None if there is none.

    Raises:
        UsageError: the choice contradicts what is certain.
    """
    if (name := of_openai(held.path)) is not None:
        if activation == "gelu":
            raise UsageError(f"{held.path} is OpenAI's {name}, trained with quick_gelu: leave activation=gelu out")
        return ClipReading(True, model, f"CLIP {model} ({PAIRS})", "OpenAI's file, by its hash")
    hub = hub_model(held.path)
    data = UNKNOWN if hub is None else f"that of {hub} on the Hugging Face hub"
    if hub is not None and hub.startswith("openai/"):
        data = f"CLIP {model} ({PAIRS})"
    if activation is not None:
        return ClipReading(activation == "quick_gelu", model, data, "--set activation")
    if held.settings.quick_gelu is not None:
        return ClipReading(held.settings.quick_gelu, model, data, str(held.settings.source))
    if like_openai(held):
        note = f"{method}: {held.path} is read as {model} with quick_gelu, as its form is OpenAI's"
        return ClipReading(True, model, data, "the form of OpenAI's files", (note,))
    note = (
        f"{method}: {held.path} is read as {model} with quick_gelu, as in OpenAI's models (the file does not say: "
        "--set model=NAME of open_clip, or --set activation=quick_gelu|gelu)"
    )
    return ClipReading(True, model, data, "assumed", (note,))
