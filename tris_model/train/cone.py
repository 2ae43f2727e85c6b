"""Give a CLIP the cone that large ones have: every picture and every text share one direction.

TRIS's calibration takes the logarithm of a cosine, which must be positive. OpenAI's CLIP obliges: its pictures and its
texts lie in two narrow cones, so that any two cosines lie near 0.2. A tiny CLIP that starts centred has cosines on both
sides of zero; half of the masked images then fall on the clamp, where there is no gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clip import Clip


@torch.no_grad()
def add_cone(network: Clip, images: Tensor, tokens: Tensor, share: float) -> None:
    """Shift the biases before the joint space along the direction that pictures and texts use least; in place.

    Cosines become about ``(cosine + share ** 2) / (1 + share ** 2)``: their order hardly changes.

    Args:
        network: in eval mode.
        images: ``(B, 3, S, S)``, normalised.
        tokens: int64 ``(N, L)``.
        share: length of the shift, as a part of the mean length of a feature.
    """
    seen, read = network.look(images), network.sum_up(tokens)
    both = torch.cat([F.normalize(seen, dim=1), F.normalize(read, dim=1)])
    direction = torch.linalg.svd(both, full_matrices=False).Vh[-1]
    network.visual.attnpool.c_proj.bias.add_(share * seen.norm(dim=1).mean() * direction)
    # A text's feature has no bias of its own: the last LayerNorm's reaches it through the projection.
    wanted = share * read.norm(dim=1).mean() * direction
    network.ln_final.bias.add_(torch.linalg.lstsq(network.text_projection.T, wanted[:, None]).solution[:, 0])
