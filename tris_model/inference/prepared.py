"""Make a network that was just loaded ready for answers: fused, in its precision, its texts remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..network.stage1 import Stage1
from ..network.stage2 import Stage2
from .fused import Linear, fuse_for_inference, packs
from .half import HalfClip, HalfTrunk
from .ragged import RaggedClip
from .remembered import RememberedTexts, is_independent, rows_are_independent

SMALL = 32  # channels of a stem; CLIP's have 64


def prepared(network: Stage1 | Stage2, precision: str, device: torch.device) -> Stage1 | Stage2:
    """Replace a network's layers in place by faster ones, and return it.

    On a CPU bf16 is for the trunk alone; on a GPU for both towers.
    """
    clip = network.backbone
    if device.type != "cpu":
        fuse_for_inference(network, pack=False if precision == "bf16" else None)
        if precision == "bf16":
            network.backbone = HalfClip(clip)  # pyright: ignore[reportAttributeAccessIssue]
        return network
    visual = clip.visual
    if precision == "bf16":
        clip.visual = nn.Identity()
    fuse_for_inference(network, winograd=network.config.width >= SMALL)
    if precision == "bf16":
        clip.visual = HalfTrunk(visual)
    if isinstance(network, Stage1):  # stage 2 reads the padding, too
        network.backbone = RaggedClip(clip, pack=packs())  # pyright: ignore[reportAttributeAccessIssue]
    return network


def text_encoder(network: Stage1 | Stage2, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Encodes distinct texts, int64 ``(N, L)`` on the CPU; it remembers them where that changes no bit."""
    if device.type == "cpu" and _are_independent(network):
        return RememberedTexts(network.encode_text)
    return lambda tokens: network.encode_text(tokens.to(device))


@torch.inference_mode()
def _are_independent(network: Stage1 | Stage2) -> bool:
    """Whether an encoded text depends on that text alone, with this network on this machine."""
    layers = {}
    for layer in network.backbone.modules():
        if isinstance(layer, Linear):
            layers.setdefault((layer.inside, layer.outside), layer)
    rows = rows_are_independent([(layer, inside) for (inside, _), layer in layers.items()])
    return rows and is_independent(network.encode_text, network.config.text_length)


@contextmanager
def few_threads(network: Stage1 | Stage2) -> Iterator[None]:
    """One thread for a small network: several would mostly wait for each other.

    Where other work takes their processors, waiting threads made a small network twenty times slower. One thread also
    gives the same figures, bit for bit, with any number of processors.
    """
    before = torch.get_num_threads()
    if network.config.width >= SMALL or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
