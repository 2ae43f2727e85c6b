"""Initialise stage 2 with the result of stage 1, for trainings that are too short to learn it again.

The authors start stage 2 from CLIP with randomly drawn heads. Word features then pass an attention that is uniform at
first, and an InstanceNorm, which needs a long training: on drawn scenes with the true masks the network still ignored
the text after 500 steps.
"""

from __future__ import annotations

import torch

from ..network.stage1 import Stage1
from ..network.stage2 import Stage2


@torch.no_grad()
def hand_over(first: Stage1, second: Stage2) -> None:
    """Copy stage 1's towers, and initialise the coarsest attention as stage 1's comparison of cells with texts.

    The first channels of its queries are the projected cells, and those of its keys the projected words; the other
    channels of the keys are zero. So a cell attends most to the words that respond to it, such as the end-of-text.

    Args:
        first: the trained stage 1.
        second: a stage 2 with the same towers; it is changed in place.
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
