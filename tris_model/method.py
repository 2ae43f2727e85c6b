"""The method ``tris``: TRIS as the benchmark calls it.

The entry point loads this module, so it imports little; ``make`` imports the network.
"""

from __future__ import annotations

from typing import Any, Literal

from risbench.datasets.catalog import is_drawn
from risbench.errors import UsageError
from risbench.plugins import importing

from .files.names import advice
from .inference.card import CARD


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    stage: int | None = None,
    keep_end: bool = False,
    prms: bool = False,
    scorer: str | None = None,
    precision: Literal["float32", "tf32", "bf16", "auto"] = "float32",
    batch: int = 16,
    trained_on: str | None = None,
) -> Any:
    """Build the method, a :class:`tris_model.inference.predictor.Tris`.

    Args:
        weights: an authors' ``.pth``, a safetensors file of ours, or ``shapes``, the shipped drawn-world weights (the
            default on splits ``shapes_*``).
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        split: the split of the run, given by the runner.
        stage: chooses the shipped network, 1 or 2. A file determines its stage itself; another value is an error.
        keep_end: keep the end-of-text of texts that are too long (the authors' code loses it).
        prms: use one map per object, chosen by CLIP among the maps of its texts; stage 1 only. The method then reads
            which texts are about the same object.
        scorer: the file of CLIP ViT-B/32 for ``prms``.
        precision: float32; tf32, where a GPU rounds the factors of all convolutions and products; bf16 for the two
            towers on a GPU and for the image trunk on a CPU, with heads in float32; or auto, which is bf16 where the
            device has instructions for it (and, on a CPU, was faster with them when it was tried), else float32. What
            auto became is printed, and is part of the card.
        batch: images per batch on a GPU; it is halved when memory runs out. On the CPU each image is processed alone;
            the texts of up to 8 images are encoded together, where that changes no bit.
        trained_on: the training data of the weights, for the card, if the file does not say them.

    Raises:
        UsageError: no weights are given, there is no such device, or options contradict each other.
        DataError: the weights file cannot be used.
    """
    if precision not in ("float32", "tf32", "bf16", "auto"):
        raise UsageError(f"precision must be float32, tf32, bf16 or auto, not {precision!r}")
    if stage not in (None, 1, 2):
        raise UsageError(f"stage must be 1 or 2, not {stage}")
    if batch < 1:
        raise UsageError(f"batch must be at least 1, not {batch}")
    if prms and scorer is None:
        raise UsageError(
            "prms compares maps by CLIP ViT-B/32: get OpenAI's ViT-B-32.pt (sha256 40d3…) and pass --set scorer=FILE"
        )
    if weights is None:
        if split is None or not is_drawn(split):
            raise UsageError(advice(split))
        weights = "shapes"
    with importing():
        from .inference.predictor import Tris

    return Tris(
        weights,
        device=device,
        stage=stage,
        keep_end=keep_end,
        scorer=scorer if prms else None,
        precision=precision,
        batch=batch,
        trained_on=trained_on,
    )


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
