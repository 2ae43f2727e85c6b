"""The CLIP beside WWbL's weights: its text vectors must be those of the CLIP that the network was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from risbench import UsageError
from tris_model.files import clip_advice

from .._clip.opening import name_of, open_model
from .._clip.prompting import OpenedClip
from .network import WWbLConfig

TINY = "the tiny ViT of the drawn world"
OPTION = "--set clip=FILE"


def open_clip(clip: str | None, device: str, option: str = OPTION) -> OpenedClip:
    """The CLIP that is meant.

    Args:
        clip: a file, a folder, an id of the Hugging Face hub that was fetched before, ``shapes``, or ``NAME,TAG`` of
            open_clip, which fetches it.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        option: how users give it, for errors.

    Raises:
        UsageError: none is named, or it has no vision transformer.
        DataError: a file that cannot be used.
    """
    if clip is None:
        raise UsageError(clip_advice("wwbl", "ViT-B-32", option))
    of_open_clip = "," in clip and not Path(clip).exists()
    return open_model(
        "wwbl",
        weights=None if of_open_clip else clip,
        split=None,
        model=clip if of_open_clip else None,
        pretrained=None,
        device=device,
        tower="vit",
        best="vit32",
        option=option,
    )


def origin(opened: OpenedClip) -> dict[str, Any]:
    """What a network's config says of the CLIP that it was trained with."""
    config: Any = opened.clip.config
    return {"clip": TINY if opened.drawn else name_of(config), "clip_sha256": str(opened.card["weights"])}


def check_clip(opened: OpenedClip, config: WWbLConfig) -> tuple[str, ...]:
    """Compare a CLIP with the one that a network was trained with.

    Returns:
        What the user should know, a sentence each.

    Raises:
        UsageError: it is of another kind, whose text vectors mean other things to the network, or have another length.
    """
    own = origin(opened)
    if own["clip"] != config.clip or opened.clip.config.embed != config.text:
        raise UsageError(
            f"wwbl: these weights were trained with the text vectors of {config.clip} ({config.text} numbers), but "
            f"clip is {own['clip']} ({opened.clip.config.embed} numbers); {clip_advice('wwbl', 'ViT-B-32', OPTION)}"
        )
    if config.clip_sha256 and own["clip_sha256"] != config.clip_sha256:
        return ("wwbl: the CLIP is another file than the one that these weights were trained with",)
    return ()
