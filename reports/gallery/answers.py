"""A run's prediction for each expression, in the form that the page's script reads."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from risbench import MaskError, Run
from risbench.masks import pack, runs_of, size_of
from risbench.results import heats

_HEAT_SIDE = 32  # cells; heats are smooth, and the page shows them small


def answers_of(run: Run, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """Each expression's mask code, its size, the scored point, and whether it is missing, by sample id.

    Raises:
        MaskError: a code is malformed; the expression is named.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, line in run.masks():
        if name not in wanted:
            continue
        code: Any = line.get("segmentation")
        try:
            # The script does not check codes, so they are checked here.
            runs, size = runs_of(code), size_of(code)
        except (MaskError, AttributeError, TypeError) as error:
            raise MaskError(f"{run.path}: the mask of {name}: {error}") from None
        counts = code["counts"] if isinstance(code["counts"], str) else pack(runs, size)["counts"]
        found[name] = {"counts": counts, "size": list(size)}
        if line.get("point") is not None:
            found[name]["point"] = [round(float(value), 1) for value in line["point"]]
        if line.get("missing"):
            found[name]["missing"] = True
    return found


def small_heats_of(folder: Path, image_id: int | str) -> dict[str, dict[str, Any]]:
    """Small versions of an image's saved heats, by sample id; empty if none were saved."""
    return {name: small(heat) for name, heat in heats.load(folder, image_id).items()}


def small(heat: np.ndarray) -> dict[str, Any]:
    """A heat in at most 32x32 cells of one byte each, scaled from its lowest to its highest value."""
    import base64

    import cv2

    height, width = heat.shape
    scale = min(1.0, _HEAT_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    values = heat.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if scale < 1:
        values = cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    span = high - low
    bytes_ = np.rint(255 * (values - low) / span).astype(np.uint8) if span > 0 else np.zeros(size, np.uint8)
    cells = base64.b64encode(np.ascontiguousarray(bytes_).tobytes()).decode("ascii")
    return {"size": list(size), "cells": cells, "low": float(f"{low:.4g}"), "high": float(f"{high:.4g}")}
