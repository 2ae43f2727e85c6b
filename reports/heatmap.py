"""Draw a saved heat as colours over its image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from risbench import Run, Sample, UsageError
from risbench.results import heats
from risbench.results.folder import HEATS


def heats_of(run: Run, samples: Sequence[Sample]) -> dict[str, np.ndarray] | None:
    """The saved heats of some samples by id; None if the run saved none."""
    if not (run.path / HEATS).is_dir():
        return None
    found: dict[str, np.ndarray] = {}
    for sample in samples:
        heat = heats.load(run.path, sample.image_id).get(sample.id)
        if heat is not None:
            found[sample.id] = heat
    return found


def refuse_without(found: Sequence[dict[str, np.ndarray] | None]) -> None:
    """Refuse runs without saved heats.

    Raises:
        UsageError: no run has saved heats.
    """
    if not any(found):
        raise UsageError("--heat shows saved heats, but these runs have none: run again with --save-heat")


def coloured(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The heat in the colours of viridis, from its lowest to its highest value, over the image in grey.

    The lightness of viridis rises evenly, so the order is visible for colour-blind readers and in grey prints.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    import cv2
    from matplotlib import colormaps

    height, width = image.shape[:2]
    values = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    low, high = float(heat.min()), float(heat.max())
    level = (values - low) / (high - low) if high > low else np.zeros_like(values)
    colours = 255 * colormaps["viridis"](level)[:, :, :3]
    grey = image.astype(np.float32).mean(axis=2, keepdims=True)
    return (0.7 * colours + 0.3 * grey).round().clip(0, 255).astype(np.uint8)
