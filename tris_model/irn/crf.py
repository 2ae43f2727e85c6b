"""A dense CRF that draws the border of a two-label map along the image's colours (Krähenbühl and Koltun 2011).

Every pair of pixels pays for having different labels: near ones (``sxy`` 3, weight 3), and near ones of like colour
(``sxy`` 50, ``srgb`` 5, weight 10). Ten steps of mean field. Each label given is believed with probability 0.7.

``pydensecrf`` computes this where it is installed (``pip install risbench[crf]``); else torch does, by the same steps.
"""

from __future__ import annotations

import importlib.util
import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from risbench.errors import DataError, UsageError

from .lattice import Lattice

TRUST = 0.7
NEAR, NEAR_WEIGHT = 3.0, 3.0
FAR, COLOUR, ALIKE_WEIGHT = 50.0, 5.0, 10.0
STEPS = 10
ENGINES = ("auto", "pydensecrf", "torch")


def clean(
    image: np.ndarray, labels: np.ndarray, engine: str = "auto", device: str | torch.device = "cpu"
) -> np.ndarray:
    """Clean label maps of one image.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        labels: bool ``(H, W)``, or ``(K, H, W)`` for K maps that are cleaned each alone but share the work.
        engine: ``pydensecrf``, ``torch``, or ``auto``: torch on a GPU or without pydensecrf.
        device: where torch works.

    Returns:
        bool, the shape of ``labels``. A pixel torn between both labels becomes False.

    Raises:
        DataError: shapes or dtypes differ from the above.
        UsageError: no such engine, or it is not installed.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise DataError(f"an image is uint8 (H, W, 3) in RGB, not {image.dtype} {image.shape}")
    if labels.dtype != bool or labels.shape[-2:] != image.shape[:2] or labels.ndim not in (2, 3):
        raise DataError(
            f"labels are bool (H, W) or (K, H, W) at the image's size {image.shape[:2]}, "
            f"not {labels.dtype} {labels.shape}"
        )
    maps = labels.reshape(-1, *image.shape[:2])
    if choose(engine, torch.device(device)) == "pydensecrf":
        cleaned = np.stack([_by_package(image, one) for one in maps]) if len(maps) else maps.copy()
    else:
        cleaned = (believe(image, maps, device) > 0.5).cpu().numpy()
    return cleaned.reshape(labels.shape)


def choose(engine: str, device: torch.device) -> str:
    """The engine that ``auto`` means here.

    Raises:
        UsageError: no such engine, or it is not installed.
    """
    if engine not in ENGINES:
        raise UsageError(f"there is no CRF engine {engine!r}; use {', '.join(ENGINES)}")
    if engine == "pydensecrf" and not installed():
        raise UsageError("pydensecrf is not installed; pip install risbench[crf], or use engine torch")
    if engine == "auto":
        return "pydensecrf" if device.type == "cpu" and installed() else "torch"
    return engine


@cache
def installed() -> bool:
    """Whether pydensecrf (or pydensecrf2, which has the same import name) is there."""
    return importlib.util.find_spec("pydensecrf") is not None


@torch.no_grad()
def believe(image: np.ndarray, labels: np.ndarray, device: str | torch.device = "cpu") -> Tensor:
    """The probability of the label True after mean field.

    Args:
        image: uint8 ``(H, W, 3)``.
        labels: bool ``(K, H, W)``.
        device: where to work.

    Returns:
        float32 ``(K, H, W)`` on the device.
    """
    height, width = image.shape[:2]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([x, y], 2).reshape(-1, 2).float().to(device)
    colour = torch.from_numpy(np.ascontiguousarray(image)).reshape(-1, 3).to(device).float()
    pairs = (
        (NEAR_WEIGHT, _Kernel(place / NEAR)),
        (ALIKE_WEIGHT, _Kernel(torch.cat([place / FAR, colour / COLOUR], 1))),
    )
    given = torch.from_numpy(np.ascontiguousarray(labels)).flatten(1).T.to(device)
    said = torch.where(given, 1.0, -1.0) * math.log(TRUST / (1 - TRUST))  # (N, K), as the log of the odds
    odds = said
    for _ in range(STEPS):
        # With two labels of probabilities q and 1 - q, both messages of a kernel are one filtering of their difference.
        tilt = torch.tanh(odds / 2)
        odds = said + sum(weight * kernel.smooth(tilt) for weight, kernel in pairs)
    return torch.sigmoid(odds).T.reshape(len(labels), height, width)


class _Kernel:
    """A Gaussian kernel K, normalised on both sides: ``D^-1/2 K D^-1/2`` with the row sums D."""

    def __init__(self, points: Tensor):
        self._lattice = Lattice(points)
        self._norm = self._lattice.filter(torch.ones_like(points[:, :1])).add_(1e-20).rsqrt_()

    def smooth(self, values: Tensor) -> Tensor:
        """``(N, K)`` -> ``(N, K)``."""
        return self._norm * self._lattice.filter(self._norm * values)


def _by_package(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    from pydensecrf.densecrf import DenseCRF2D  # pyright: ignore[reportMissingImports]

    height, width = labels.shape
    flat = labels.ravel()
    energy = np.empty((2, flat.size), np.float32)
    for label in (0, 1):
        energy[label] = np.where(flat == label, -math.log(TRUST), -math.log(1 - TRUST))
    field = DenseCRF2D(width, height, 2)
    field.setUnaryEnergy(energy)
    field.addPairwiseGaussian(sxy=NEAR, compat=NEAR_WEIGHT)
    field.addPairwiseBilateral(sxy=FAR, srgb=COLOUR, rgbim=np.ascontiguousarray(image).copy(), compat=ALIKE_WEIGHT)
    belief = np.array(field.inference(STEPS)).reshape(2, height, width)
    return belief[1] > belief[0]
