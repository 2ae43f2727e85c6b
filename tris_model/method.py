"""The method ``tris``: TRIS as the benchmark calls it.

This file is what the entry point loads, so it is light; the network comes with the first ``make``.
"""

from __future__ import annotations

from typing import Any, Literal

from risbench.datasets.catalog import is_drawn
from risbench.errors import UsageError

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
    precision: Literal["float32", "tf32", "bf16"] = "float32",
    batch: int = 16,
    trained_on: str | None = None,
) -> Any:
    """Build the method, a :class:`tris_model.inference.predictor.Tris`.

    Args:
        weights: an authors' ``.pth``, a safetensors file of ours, or ``shapes``, the shipped drawn-world weights
            (which need no asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        split: the split that will be answered, given by the runner.
        stage: which of the shipped networks; a file decides by itself, and another value is an error.
        keep_end: give texts that are too long their end-of-text back (the authors lose it).
        prms: one map per referred object, chosen by CLIP among those of its texts; stage 1 only. The method then
            reads which texts belong together.
        scorer: file of CLIP ViT-B/32 for ``prms``.
        precision: float32; tf32, in which a GPU rounds the factors of all convolutions and products; or bf16, in
            which the two towers compute while heads stay in float32.
        batch: images at once on a GPU; halved when memory does not suffice. On the CPU images go one by one.
        trained_on: the data that the weights were trained on, for the card, where the file does not say.

    Raises:
        UsageError: no weights, no such device, options that do not go together.
        DataError: a weights file that cannot be used.
    """
    if precision not in ("float32", "tf32", "bf16"):
        raise UsageError(f"precision must be float32, tf32 or bf16, not {precision!r}")
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
