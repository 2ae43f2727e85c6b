"""Start stage 2 where stage 1 ended, for trainings that are too short to find it again.

The authors start stage 2 from CLIP with heads drawn at random. What it learns of words must then pass an InstanceNorm
behind an attention that is even at first, which takes a long training: on drawn scenes, given the true masks, 500 steps
of it still ignored the text.
"""

from __future__ import annotations

import torch

from ..network.stage1 import Stage1
from ..network.stage2 import Stage2


@torch.no_grad()
def hand_over(first: Stage1, second: Stage2) -> None:
    """Copy stage 1's towers, and let the coarsest attention begin as stage 1's comparison of cells with texts.

    The first channels of its queries are the projected cells, those of its keys the projected words, the other keys
    are zero: a cell looks most at the words that respond to it, the end of the text among them.

    Args:
        first: trained.
        second: of the same towers, changed in place.
    """
    second.backbone.load_state_dict(first.backbone.state_dict(), strict=False)  # the attention pool may be missing
    attention, size = second.attention4, len(first.vis_project.weight)
    assert first.vis_project.bias is not None
    assert attention.Wq.bias is not None
    assert attention.Wk.bias is not None
    attention.Wq.weight[:size] = first.vis_project.weight
    attention.Wq.bias[:size] = first.vis_project.bias
    attention.Wk.weight.zero_()
    attention.Wk.bias.zero_()
    attention.Wk.weight[:size, :, 0] = first.lan_project.weight @ first.backbone.text_projection.T
    attention.Wk.bias[:size] = first.lan_project.bias
