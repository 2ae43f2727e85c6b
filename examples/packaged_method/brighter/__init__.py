"""The brighter a place, the more it is meant: a method with an option, weights and a device."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np


class Brighter:
    """Gives every expression the brightness of the image, raised to a power."""

    card = MappingProxyType(
        {"paper": "none: an example", "licence": "MIT", "supervision": "none", "grade": "native", "threshold": 0.5}
    )
    parameter_count = 0

    def __init__(self, power: float) -> None:
        self._power = power

    def predict(self, image: np.ndarray, texts: list[str]) -> list[np.ndarray]:
        """One heat for each text, float32 ``(H, W)`` in [0, 1]; image uint8 ``(H, W, 3)``."""
        heat = (image.mean(axis=2, dtype=np.float32) / 255) ** self._power  # once an image, however many texts
        return [heat] * len(texts)


def make(*, weights: str | None = None, device: str = "cpu", power: float = 1.0) -> Brighter:
    """The method.

    Args:
        weights: what ``--weights`` names; a real method loads its network here.
        device: ``cpu``, ``cuda`` or ``cuda:N``; a real method puts its network there.
        power: an option of this method, ``--set power=2``.
    """
    return Brighter(power)
