"""A picture of predictions: the image with each mask, its text below, and a ring at the method's point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .grid import PREDICTED, tinted
from .letters import wrapped
from .picture import save

_COLUMNS = 3
_WIDTH = 4.0  # inches a panel


def draw(image: np.ndarray, answers: Sequence[Any], out: Path) -> None:
    """Draw the predictions for one image.

    Args:
        image: uint8 ``(H, W, 3)``.
        answers: objects with ``text``, ``mask`` and ``point``.
        out: a PNG, PDF or SVG.
    """
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    columns = min(_COLUMNS, len(answers))
    rows = -(-len(answers) // columns)
    tall = _WIDTH * image.shape[0] / image.shape[1] + 0.5
    figure, axes = plt.subplots(
        rows, columns, figsize=(_WIDTH * columns, tall * rows), squeeze=False, layout="constrained"
    )
    for cell in axes.flat:
        cell.axis("off")
    for cell, answer in zip(axes.flat, answers, strict=False):
        picture = tinted(image, answer.mask, PREDICTED)
        # A tinted picture may be enlarged; the ring is placed in the image's own pixels.
        cell.imshow(picture, extent=(0, image.shape[1], image.shape[0], 0), interpolation="nearest")
        if answer.point is not None:
            cell.plot(*answer.point, marker="o", markersize=9, markerfacecolor="none", markeredgecolor="black", mew=3.5)
            cell.plot(*answer.point, marker="o", markersize=9, markerfacecolor="none", markeredgecolor="white", mew=1.5)
        text, below = wrapped(answer.text, 44, 3), {"ha": "center", "va": "top", "fontsize": 10}
        cell.text(0.5, -0.03, text, transform=cell.transAxes, parse_math=False, **below)
    save(figure, out, 150, bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)
