"""What is known about the CLIP in a file (its activation, its name, its training data), and how that is known.

Nothing is invented. OpenAI's files are known by their hash, models of the Hugging Face hub by their place in its cache;
of every other file only what the user or the settings beside it say is known.
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
    """How a CLIP was read.

    Attributes:
        quick_gelu: OpenAI's activation, or the exact GELU.
        model: its name.
        data: what it was trained on, in words.
        source: what the activation is known by; empty where that needs no word.
        notes: what the user is told, a sentence each.
    """

    quick_gelu: bool
    model: str
    data: str
    source: str = ""
    notes: tuple[str, ...] = ()

    def card(self) -> Mapping[str, Any]:
        """The part of a method's card that says so."""
        activation = "quick_gelu" if self.quick_gelu else "gelu"
        source = {"activation_from": self.source} if self.source else {}
        return {"model": self.model, "activation": activation, **source, "extra_data": self.data}


def of_openai(path: Path) -> str | None:
    """The name of OpenAI's file that a file is, byte for byte; None if it is none of them."""
    digest = tris_model.digest(path)
    return next((name for name, known in OPENAI_FILES.items() if known == digest), None)


def like_openai(held: ClipFile) -> bool:
    """Is a file in the form of OpenAI's: a TorchScript archive, or a state dict made of one, with its numbers?"""
    return held.kind == "torchscript" or held.counted


def hub_model(path: Path) -> str | None:
    """``owner/name`` of a model that lies in the cache of the Hugging Face hub."""
    for part in split_entry(path)[0].absolute().parts:
        if part.startswith("models--") and part.count("--") >= 2:
            owner, _, name = part.removeprefix("models--").partition("--")
            return f"{owner}/{name}"
    return None


def reading(method: str, held: ClipFile, model: str, activation: str | None) -> ClipReading:
    """How a file is read that stands alone.

    Args:
        method: who reads, for the note.
        held: the file.
        model: the name that fits its sizes.
        activation: what the user says; None if nothing.

    Raises:
        UsageError: the user contradicts what is certain.
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
        note = f"{method}: {held.path} is read as {model} with quick_gelu, being in the form of OpenAI's files"
        return ClipReading(True, model, data, "the form of OpenAI's files", (note,))
    note = (
        f"{method}: {held.path} is read as {model} with quick_gelu, as OpenAI has it (the file does not say: --set "
        "model=NAME of open_clip, or --set activation=quick_gelu|gelu)"
    )
    return ClipReading(True, model, data, "assumed", (note,))
