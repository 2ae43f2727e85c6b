"""Hashes of what resizing and the rules make of made-up heats: stored once, and the same on every machine.

``python -m helpers.resized`` prints them as JSON, so that another process, with other kernels, can be asked.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from made_up.samples import block, sample_of

from risbench import Prediction, Rules
from risbench.metrics.resize import bilinear

from .heats import KINDS, heat_of

GOLDEN = Path(__file__).parents[1] / "golden" / "resize.json"
# From, to: larger, smaller, single rows and columns, odd ratios, the size of TRIS and of lavt, and below 128 in sum.
SHAPES = (
    ((1, 1), (3, 5)),
    ((1, 9), (70, 40)),
    ((9, 1), (33, 64)),
    ((2, 2), (97, 131)),
    ((7, 5), (60, 60)),
    ((10, 10), (100, 150)),
    ((20, 20), (160, 120)),
    ((23, 31), (211, 173)),
    ((40, 40), (41, 39)),
    ((64, 48), (64, 48)),
    ((80, 90), (30, 20)),
    ((120, 120), (107, 160)),
)
_FULL_SIZE = (((10, 10), (480, 640)), ((320, 320), (427, 640)), ((30, 40), (480, 480)))
_JUDGED = (((6, 8), (60, 80)), ((20, 20), (97, 71)), ((40, 30), (40, 30)))
_THRESHOLDS = (None, 0.0, 0.5, -0.25)


def hashes() -> dict[str, str]:
    """A hash for every case, by its name."""
    found: dict[str, str] = {}
    for align in (True, False):
        for small, large in SHAPES:
            for kind in KINDS:
                heat = heat_of(kind, 0, small)
                found[_name(kind, small, large, align)] = _hash(bilinear(heat, large, align_corners=align))
        for small, large in _FULL_SIZE:
            heat = heat_of("signed", 1, small)
            found[_name("signed", small, large, align)] = _hash(bilinear(heat, large, align_corners=align))
    for rules in ("tris", "lavt", "clean"):
        for small, large in _JUDGED:
            for kind in KINDS:
                for threshold in _THRESHOLDS:
                    name = f"{rules} {threshold} {kind} {_by(small)} to {_by(large)}"
                    found[name] = _judged(rules, threshold, heat_of(kind, 2, small), large)
    return found


def _judged(rules: str, threshold: float | None, heat: np.ndarray, size: tuple[int, int]) -> str:
    truth = block(size, size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2)
    verdict = Rules(rules, threshold).judge(sample_of(truth), Prediction(heat=heat))
    return _hash(np.packbits(verdict.mask), repr(verdict.point), repr(tuple(verdict.scores)))


def _hash(array: np.ndarray, *more: str) -> str:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return hashlib.sha256(np.ascontiguousarray(little).tobytes() + "|".join(more).encode()).hexdigest()[:16]


def _name(kind: str, small: tuple[int, int], large: tuple[int, int], align: bool) -> str:
    return f"{'corners' if align else 'half pixels'} {kind} {_by(small)} to {_by(large)}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def changed(stored: dict[str, Any], found: dict[str, str]) -> list[str]:
    """The names whose hashes differ, or that only one of the two has."""
    return sorted(name for name in {*stored, *found} if stored.get(name) != found.get(name))


if __name__ == "__main__":
    print(json.dumps(hashes(), indent=0))
