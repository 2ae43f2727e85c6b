"""Two segmentation networks, TRIS's stage 2 twice, which learn side by side."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tris_model import Config, Stage2

Logits = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of one network, fine to coarse: each ``(N, 1, S, S)``."""
# What a CLIP has beside its image encoder, in a network's names.
IMAGE = "backbone.visual."
TOWERS = "backbone."


class TwoNetworks(nn.Module):
    """Two networks of the same sizes that share nothing.

    Attributes:
        first: the one that answers.
        second: its peer in training; None in a file that holds one network.
    """

    def __init__(self, first: Stage2, second: Stage2 | None):
        super().__init__()
        self.first = first
        self.second = second

    @property
    def config(self) -> Config:
        """The sizes of each."""
        return self.first.config

    def forward(self, images: Tensor, tokens: Tensor, which: Tensor) -> tuple[Logits, Logits]:
        """The training pass of both.

        Args:
            images: ``(B, 3, S, S)``, normalised.
            tokens: int64 ``(N, L)``.
            which: int64 ``(N,)``: the image of each text.

        Returns:
            The logits of both networks.
        """
        if self.second is None:
            raise RuntimeError("one network alone has no peer to learn from")
        return segment(self.first, images, tokens, which), segment(self.second, images, tokens, which)


def segment(network: Stage2, images: Tensor, tokens: Tensor, which: Tensor) -> Logits:
    """TRIS's training pass, in which an image is encoded once for several texts; see :meth:`TwoNetworks.forward`."""
    pyramid = network.encode_image(images)
    features = tuple(part[which] for part in pyramid.features)
    queries = tuple(part._replace(query=part.query[which], gate=part.gate[which]) for part in pyramid.queries)
    pyramid = pyramid._replace(reduced=pyramid.reduced[which], features=features, queries=queries)
    levels = network.decode(pyramid, network.encode_text(tokens))
    heads = (network.final_seg1, network.final_seg2, network.final_seg3, network.final_seg4)
    size = (images.shape[2], images.shape[3])
    fine, second, third, coarse = (
        F.interpolate(head(level), size, mode="bilinear", align_corners=False)
        for head, level in zip(heads, levels, strict=True)
    )
    return fine, second, third, coarse


def freeze_unused(network: Stage2, *, text_learns: bool) -> None:
    """Let go of what gets no gradient, CLIP's temperature, text projection and pool, and perhaps of all text."""
    for name, weight in network.named_parameters():
        unused = name in (f"{TOWERS}logit_scale", f"{TOWERS}text_projection") or "attnpool" in name
        text = name.startswith(TOWERS) and not name.startswith(IMAGE)
        weight.requires_grad_(not (unused or (text and not text_learns)))


def adamw(
    networks: TwoNetworks, heads: float, backbone: float, weight_decay: float, *, fused: bool = False
) -> torch.optim.AdamW:
    """AdamW over what learns: CLIP's towers and all else, each group with its rate as ``initial_lr``."""
    groups: dict[float, list[nn.Parameter]] = {heads: [], backbone: []}
    for name, weight in networks.named_parameters():
        if weight.requires_grad:
            groups[backbone if f".{TOWERS}" in name else heads].append(weight)
    return torch.optim.AdamW(
        [{"params": weights, "lr": rate, "initial_lr": rate} for rate, weights in groups.items() if weights],
        weight_decay=weight_decay,
        fused=fused,
    )
