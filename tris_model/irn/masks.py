"""From a heat and a trained network to the pseudo mask that stage 2 learns from.

The displacements split the heat into parts, and each part is spread separately. The mask is where any part exceeds the
threshold. The authors store every connected component of it with a score, and the small ones with 0. Their stage 2 then
takes the union of all components, whatever their score. So only the union is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..clip.pixels import DEVIATION, MEAN
from ..devices import computing
from .centroids import split
from .items import Item, checked_heat, heats_of, read_png, write_each
from .network import STRIDE, EdgeDisplacement
from .walk import PAPER, Walk, spread

THRESHOLD = 0.25  # of the hottest pixel


def normalise(image: np.ndarray) -> torch.Tensor:
    """Normalise by ImageNet's mean and deviation, without resizing: uint8 ``(H, W, 3)`` -> float32 ``(3, H, W)``."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float().div_(255)
    return pixels.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(DEVIATION)[:, None, None]).contiguous()


def refine(image: np.ndarray, heat: np.ndarray, network: EdgeDisplacement, how: Walk = PAPER) -> np.ndarray:
    """Spread one heat, or several heats of one image, up to the object's edges.

    Args:
        image: uint8 ``(H, W, 3)``.
        heat: float ``(H, W)``, in any scale; negative values count as 0. Or ``(K, H, W)``: heats are spread separately,
            but the image is analysed once.
        network: the trained network, in eval mode; its device is used.
        how: settings of the walk.

    Returns:
        float32 in [0, 1], the shape of ``heat``: the maximum over parts at each pixel, divided by the overall maximum;
        zeros if the heat is nowhere above 0.

    Raises:
        DataError: the heat has another size, or contains NaN.
    """
    heats = np.stack([checked_heat(one, image.shape[:2]) for one in (heat if heat.ndim == 3 else heat[None])])
    if not heats.any():
        return heats.reshape(heat.shape)
    device = network.fc_edge6.weight.device
    with computing("float32"):
        edges, displacements = (part.cpu().numpy() for part in network.analyse(normalise(image).to(device)))
    return walk(heats, edges, displacements, how, device).reshape(heat.shape)


def walk(
    heat: np.ndarray,
    edges: np.ndarray,
    displacements: np.ndarray,
    how: Walk = PAPER,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Like :func:`refine`, from the network's outputs.

    Args:
        heat: float32 ``(H, W)`` or ``(K, H, W)``, not negative.
        edges: ``(h, w)`` for h = ceil(H / 4), w = ceil(W / 4).
        displacements: ``(2, h, w)``.
        how: settings of the walk.
        device: the device of the walk.
    """
    height, width = heat.shape[-2:]
    heats = heat.reshape(-1, height, width)
    parts = split(displacements)
    size = (parts.shape[0], parts.shape[1])
    small = F.interpolate(torch.from_numpy(heats)[:, None], size, mode="bilinear", align_corners=True)[:, 0].numpy()
    # Most parts hold no heat, so spreading them would be wasted work.
    warm = [
        (one, part)
        for one, each in enumerate(small)
        for part in np.flatnonzero(np.bincount(parts.ravel(), each.ravel()) > 0)
    ]
    full = np.zeros_like(heats)
    if not warm:  # all of it lay between the cells
        return full.reshape(heat.shape)
    walked = spread(np.stack([small[one] * (parts == part) for one, part in warm]), edges, how, device)
    for (one, _), cells in zip(warm, walked, strict=True):  # one at a time: parts are many and images large
        up = F.interpolate(
            torch.from_numpy(cells)[None, None], scale_factor=STRIDE, mode="bilinear", align_corners=False
        )
        np.maximum(full[one], up[0, 0, :height, :width].numpy(), out=full[one])
    top = full.max((1, 2), keepdims=True)
    return (full / np.where(top > 0, top, 1)).reshape(heat.shape)


def pseudo_mask(
    image: np.ndarray, heat: np.ndarray, network: EdgeDisplacement, threshold: float = THRESHOLD, how: Walk = PAPER
) -> np.ndarray:
    """The mask of each object: bool, the shape of ``heat``; empty if the heat is empty. See :func:`refine`."""
    return refine(image, heat, network, how) > np.float32(threshold)


def write_masks(
    items: Iterable[Item],
    folder: Path,
    network: EdgeDisplacement,
    *,
    threshold: float = THRESHOLD,
    how: Walk = PAPER,
    tell: Callable[[str], object] = lambda name: None,
) -> int:
    """Write :func:`pseudo_mask` of each item as ``<folder>/<name>.png`` (0 and 255); existing files are kept.

    Returns:
        The number of files written by this call.
    """

    def make(some: Sequence[Item]) -> np.ndarray:
        image = some[0].image()
        heats = heats_of(some, image.shape[:2])
        return pseudo_mask(image, heats, network, threshold, how).astype(np.uint8) * 255

    return write_each(items, folder, make, tell)


def read_mask(folder: Path, name: str) -> np.ndarray:
    """Read a mask that :func:`write_masks` wrote: bool ``(H, W)``.

    Raises:
        DataError: the file is missing or broken.
    """
    return read_png(folder / f"{name}.png", frozenset((0, 255))) == 255
