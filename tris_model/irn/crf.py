"""A dense CRF that draws the border of a two-label map along the image's colours (Krähenbühl and Koltun 2011).

Every pair of pixels has a cost for different labels. It is high for close pixels, and for close pixels of similar
colour (a :class:`Field` gives ranges and weights). The labels are found by ten steps of mean field. IRN cleans labels,
and its unary term gives each label the probability 0.7. If probabilities are given instead of labels, they are the
unary term.

``pydensecrf`` computes this if it is installed (``pip install risbench[crf]``), otherwise torch by the same steps.
"""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from risbench.errors import DataError, UsageError

from .lattice import Lattice


class Field(NamedTuple):
    """The cost of different labels for a pair of pixels.

    Attributes:
        near, near_weight: standard deviation in pixels and weight of the kernel of positions alone.
        far, colour, alike_weight: standard deviations in pixels and in levels of red, green and blue, and weight, of
            the kernel of positions and colours.
        steps: number of mean field steps.
    """

    near: float
    near_weight: float
    far: float
    colour: float
    alike_weight: float
    steps: int = 10


IRN = Field(3.0, 3.0, 50.0, 5.0, 10.0)
HEAT = Field(1.0, 3.0, 67.0, 3.0, 4.0)  # DeepLab's, which CLIP-ES takes over for its maps
TRUST = 0.7
SURE = 1e-5  # chances are kept this far from 0 and 1, whose logarithms nothing could outweigh
ENGINES = ("auto", "pydensecrf", "torch")


def clean(
    image: np.ndarray, labels: np.ndarray, engine: str = "auto", device: str | torch.device = "cpu"
) -> np.ndarray:
    """Clean label maps of one image.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        labels: bool ``(H, W)``, or ``(K, H, W)`` for K maps, which are cleaned separately but share work.
        engine: ``pydensecrf``, ``torch``, or ``auto``: torch on a GPU or without pydensecrf.
        device: the device for torch.

    Returns:
        bool, the shape of ``labels``. A pixel with equal probabilities becomes False.

    Raises:
        DataError: a shape or dtype differs from the above.
        UsageError: there is no such engine, or it is not installed.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise DataError(f"an image must be uint8 (H, W, 3) in RGB, not {image.dtype} {image.shape}")
    if labels.dtype != bool or labels.shape[-2:] != image.shape[:2] or labels.ndim not in (2, 3):
        raise DataError(
            f"labels must be bool (H, W) or (K, H, W) at the image's size {image.shape[:2]}, "
            f"not {labels.dtype} {labels.shape}"
        )
    chances = np.where(labels, np.float32(TRUST), np.float32(1 - TRUST)).reshape(-1, *image.shape[:2])
    return decide(image, chances, IRN, engine, device).reshape(labels.shape)


def decide(
    image: np.ndarray,
    chances: np.ndarray,
    field: Field = HEAT,
    engine: str = "auto",
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """The labels of K maps of one image, from initial probabilities.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        chances: float ``(K, H, W)`` in [0, 1], probabilities of the label True; maps are decided separately but share
            work.
        field: the costs.
        engine, device: see :func:`clean`.

    Returns:
        bool ``(K, H, W)``.
    """
    chances = np.clip(chances, SURE, 1 - SURE)
    odds = np.log(chances / (1 - chances)).astype(np.float32)
    if choose(engine, torch.device(device)) == "pydensecrf":
        return np.stack([_by_package(image, one, field) for one in odds]) if len(odds) else odds > 0
    return (_settled(image, torch.from_numpy(odds), field, device) > 0).cpu().numpy()


def choose(engine: str, device: torch.device) -> str:
    """The engine to use; resolves ``auto``.

    Raises:
        UsageError: there is no such engine, or it is not installed.
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
    """Whether pydensecrf is installed (or pydensecrf2, which has the same import name)."""
    return importlib.util.find_spec("pydensecrf") is not None


def believe(image: np.ndarray, labels: np.ndarray, device: str | torch.device = "cpu") -> Tensor:
    """The probability of the label True after mean field, with IRN's settings.

    Args:
        image: uint8 ``(H, W, 3)``.
        labels: bool ``(K, H, W)``.
        device: the device to compute on.

    Returns:
        float32 ``(K, H, W)`` on the device.
    """
    given = torch.from_numpy(np.ascontiguousarray(labels))
    return torch.sigmoid(_settled(image, torch.where(given, 1.0, -1.0) * math.log(TRUST / (1 - TRUST)), IRN, device))


@torch.no_grad()
def _settled(image: np.ndarray, given_odds: Tensor, field: Field, device: str | torch.device) -> Tensor:
    """The log odds after mean field, ``(K, H, W)``, from the initial log odds."""
    height, width = image.shape[:2]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([x, y], 2).reshape(-1, 2).float().to(device)
    colour = torch.from_numpy(np.ascontiguousarray(image)).reshape(-1, 3).to(device).float()
    pairs = (
        (field.near_weight, _Kernel(place / field.near)),
        (field.alike_weight, _Kernel(torch.cat([place / field.far, colour / field.colour], 1))),
    )
    given_odds = given_odds.flatten(1).T.to(device)  # (N, K)
    odds = given_odds
    for _ in range(field.steps):
        # For two labels with probabilities q and 1 - q, one filtering of their difference gives both messages.
        tilt = torch.tanh(odds / 2)
        odds = given_odds + sum(weight * kernel.smooth(tilt) for weight, kernel in pairs)
    return odds.T.reshape(-1, height, width)


class _Kernel:
    """A Gaussian kernel K, normalised symmetrically: ``D^-1/2 K D^-1/2`` with the row sums D."""

    def __init__(self, points: Tensor):
        self._lattice = Lattice(points)
        self._norm = self._lattice.filter(torch.ones_like(points[:, :1])).add_(1e-20).rsqrt_()

    def smooth(self, values: Tensor) -> Tensor:
        """``(N, K)`` -> ``(N, K)``."""
        return self._norm * self._lattice.filter(self._norm * values)


def _by_package(image: np.ndarray, odds: np.ndarray, field: Field) -> np.ndarray:
    from pydensecrf.densecrf import DenseCRF2D  # pyright: ignore[reportMissingImports]

    height, width = odds.shape
    flat = odds.ravel()
    energy = np.stack([np.logaddexp(0, flat), np.logaddexp(0, -flat)]).astype(np.float32)  # -log of both chances
    crf = DenseCRF2D(width, height, 2)
    crf.setUnaryEnergy(energy)
    crf.addPairwiseGaussian(sxy=field.near, compat=field.near_weight)
    crf.addPairwiseBilateral(
        sxy=field.far, srgb=field.colour, rgbim=np.ascontiguousarray(image).copy(), compat=field.alike_weight
    )
    belief = np.array(crf.inference(field.steps)).reshape(2, height, width)
    return belief[1] > belief[0]
