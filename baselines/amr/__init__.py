"""AMR (Qin et al., AAAI 2022): class maps of two ResNet-50, one plain and one with attention modulation.

What users call stands here; each function imports its module when it is called, so that methods are listed without
torch. ``network``, ``modulation`` and ``resnet`` hold the network, ``gradcam``, ``climbing`` and ``maps`` the maps,
``weights_file`` the authors' names, ``method`` the answers to expressions, ``loss``, ``labelled`` and ``train`` the
training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .method import make as make

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from .loss import Quirks
    from .network import AmrNetwork


def load(path: str | os.PathLike[str], device: str = "cpu") -> AmrNetwork:
    """A network with exactly the weights of a file, in eval mode.

    Args:
        path: the authors' file (2392 names of 798 tensors, plain, wrapped or prefixed), one of ours (safetensors, each
            tensor once), or ``shapes``, the small one of the drawn world.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        The network. ``network(images (B, 3, H, W) float32 normalised)`` gives two raw class maps ``(B, C, h, w)``, C
        being 20 in the authors' files, h and w a sixteenth of H and W, rounded up. ``network.branches`` is a pair of
        (features: callable ``(B, 3, H, W)`` -> ``(B, K, h, w)``, head: ``(C, K)``), the plain branch first.

    Raises:
        UsageError: there is no such file.
        DataError: broken, of another method (named), or names that are missing, unexpected, misshapen, or whose
            aliases disagree.
    """
    from tris_model.devices import pick

    from .weights_file import load as load_file

    return load_file(path).network.to(pick(device))


def fused_maps(
    branches: Sequence[tuple[Callable[[Tensor], Tensor], Tensor]],
    image: np.ndarray,
    classes: Sequence[int],
    *,
    scales: Sequence[float] = (1.0, 0.5, 0.75, 1.25, 1.5, 1.75, 2.0),
    adv_iter: int = 27,
) -> tuple[Tensor, Tensor]:
    """The maps of some classes, as the authors save them.

    Each scale's maps (summed over the steps of climbing) are resized and summed over scales; each class of each branch
    is divided by its maximum plus 1e-5; the branches are averaged. The result is not divided again, so its maximum may
    be below 1.

    Args:
        branches: any number of them, the authors' two: features, a callable ``(2, 3, h, w)`` -> ``(2, K, h', w')``
            that autograd can differentiate, and a head ``(C, K)``.
        image: uint8 ``(H, W, 3)``.
        classes: N places among the head's C classes.
        scales: any, in any order. The authors' loop is written for these seven: it takes scale 0.5 first and climbs it
            13 times where the others have 27. Here every scale of 0.5 is climbed that much less often, and a choice of
            scales without 0.5 is as their loop would be without it.
        adv_iter: how often a class is looked at at each scale, each time but the first after one more step of
            climbing. With 1 there is no climbing, and no backward pass.

    Returns:
        ``cam`` float32 ``(N, (H - 1) // 4 + 1, (W - 1) // 4 + 1)`` and ``high_res`` float32 ``(N, H, W)``, on the CPU,
        in [0, 1].

    Raises:
        UsageError: no scale, one that is not above 0, or ``adv_iter`` below 1.
    """
    from .maps import fused_maps as fused

    return fused(branches, image, classes, scales=scales, adv_iter=adv_iter)


def losses(
    network: AmrNetwork, images: Tensor, labels: Tensor, *, quirks: Quirks = "authors", validating: bool = False
) -> dict[str, Tensor]:
    """The terms of AMR's loss on a batch.

    Args:
        network: of :func:`load`.
        images: ``(B, 3, H, W)`` float32, normalised; at least two.
        labels: ``(B, C)`` float32, 1 for the classes that an image shows, else 0.
        quirks: ``authors`` compares the maps of images 0 and 1 of the batch alone, as their program does;
            ``repaired`` every image's own.
        validating: leave class 0 out of that comparison, as their validation does.

    Returns:
        Scalars with gradients: ``classification1``, ``classification2``, ``agreement`` (each without its weight), and
        ``loss``, which is 0.5 of each of the first two and 0.05 of the third.

    Raises:
        UsageError: a batch of one image with ``quirks="authors"``.
    """
    from .loss import losses as terms

    return terms(network, images, labels, quirks=quirks, validating=validating)
