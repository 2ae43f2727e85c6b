"""Controls that break the link between image and text: what does a method score without the right text?

``shuffled`` replaces each expression by one about another object of the same image, or of another image if there is
no other object. ``empty`` replaces it by an empty text. A method that scores as well as before does not use the text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ..errors import UsageError
from ..records import Sample

MODES = ("given", "shuffled", "empty")


def control_texts(mode: str, samples: Iterable[Sample], seed: int = 0) -> dict[str, str] | None:
    """The text for each sample of a split, by sample id; None if each sample keeps its own.

    Args:
        mode: ``given``, ``shuffled`` or ``empty``.
        samples: all of the split, so that a run on a part of it gets the same texts.
        seed: of the random choice. The choice depends only on the seed, the sample's id and the split's texts.

    Raises:
        UsageError: an unknown mode.
    """
    if mode == "given":
        return None
    if mode == "empty":
        return {sample.id: "" for sample in samples}
    if mode != "shuffled":
        raise UsageError(f"texts={mode}: must be one of {', '.join(MODES)}")
    everything = list(samples)
    by_image: dict[int | str, list[Sample]] = {}
    for sample in everything:
        by_image.setdefault(sample.image_id, []).append(sample)
    own: dict[int | str, set[str]] = {}
    for sample in everything:
        own.setdefault(sample.ref_id, set()).add(sample.text)
    return {sample.id: _other(sample, by_image[sample.image_id], everything, own, seed) for sample in everything}


def _other(
    sample: Sample,
    neighbours: Sequence[Sample],
    everything: Sequence[Sample],
    own: dict[int | str, set[str]],
    seed: int,
) -> str:
    forbidden = own[sample.ref_id]
    choices = [
        other.text
        for other in neighbours
        # Two refs may be about one object, so the box decides as well.
        if other.ref_id != sample.ref_id and other.box != sample.box and other.text not in forbidden
    ]
    draw = int.from_bytes(hashlib.sha256(f"{seed}/{sample.id}".encode()).digest()[:8], "big")
    if choices:
        return choices[draw % len(choices)]
    start = draw % len(everything)
    for step in range(len(everything)):
        other = everything[(start + step) % len(everything)]
        if other.image_id != sample.image_id and other.text not in forbidden:
            return other.text
    return ""  # A split about a single object has no other texts.
