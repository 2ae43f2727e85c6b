"""Which network a file of weights belongs to, by the names of its tensors: for the message that refuses the file."""

from __future__ import annotations

import re
from collections.abc import Collection

from tris_model.files import looks_like_clip

# Names that only one network has, and what it is; the first that fits counts.
_NETWORKS = (
    (r"(^|\.)first\.attention2\.", "a checkpoint of CTS-style (--method cts_style)"),
    (r"(^|\.)attn_fusion\.|(^|\.)attention2\.", "a checkpoint of TRIS (--method tris)"),
    (r"\.fusion\.(image_lang_att|vis_project)\.", "a checkpoint of LAVT (--method lavt)"),
    (r"^E\.Org_model\.|^D\.bottleneck\.", "a checkpoint of WWbL (--method wwbl)"),
    (r"^resnet50_2\.|^stage2_1\.|^newly_added\.1\.", "a checkpoint of AMR (--method amr)"),
    (r"(^|\.)pre_cond\.\d|^decoder_blocks\.", "a checkpoint of GbS (--method gbs)"),
    (r"^image_mapping\.v1\.|^text_mapping\.(word|sentence)_level\.", "a checkpoint of MG (--method mg)"),
    (r"^fc_edge\d", "a checkpoint of IRN"),
    (r"^img_encoder\.|^vision_model\.encoder\.stages\.", "a checkpoint of GroupViT (--method groupvit)"),
    (
        r"^resnet50\.",
        "a CAM network, one branch, from which a training starts (risbench train amr --set cam.start=FILE)",
    ),
    (r"^patch_embed\.|^layers\.0\.blocks\.", "a Swin transformer alone, from which LAVT's training starts"),
    (r"^(bert\.)?(embeddings|encoder\.layer)\.", "a BERT alone, from which LAVT's training starts"),
    (r"^features\.\d+\.weight", "a VGG of torchvision, trained for ImageNet"),
    (r"^layer1\.0\.conv1\.weight", "a ResNet of torchvision, trained for ImageNet"),
)


def owner_of(names: Collection[str]) -> str:
    """The network that has such names, as a noun with its article.

    Args:
        names: of a file's tensors, without the prefixes of training loops.

    >>> owner_of(["E.Org_model.0.weight"])
    'a checkpoint of WWbL (--method wwbl)'
    >>> owner_of(["anything.weight"])
    'a file of another network (it begins with anything.weight)'
    """
    for pattern, network in _NETWORKS:
        if any(re.search(pattern, name) for name in names):
            return network
    if looks_like_clip(names):
        return "a CLIP (--method clip_sim and others)"
    first = ", ".join(list(names)[:3]) or "nothing"
    return f"a file of another network (it begins with {first:.120})"
