"""Whose weights a file holds that is no LAVT, for the message that refuses it."""

from __future__ import annotations

from collections.abc import Collection

# Names that only one network's file has, and the method it belongs to.
_OWNERS = (
    (("attn_fusion.", "attention2."), "a TRIS network, --method tris"),
    (("E.Org_model.",), "WWbL's network, --method wwbl"),
    (("resnet50_2.", "stage2_1.", "classifier2."), "AMR's network, --method amr"),
    (("img_encoder.", "vision_model.encoder.stages."), "a GroupViT, --method groupvit"),
    (("visual.", "positional_embedding"), "a CLIP, --method clip_sim and others"),
    (("patch_embed.", "layers.0.blocks."), "a Swin transformer alone, from which a training of lavt can start"),
    (("bert.", "embeddings.", "encoder.layer."), "a BERT alone, from which a training of lavt can start"),
)


def owner_of(names: Collection[str]) -> str:
    """What a set of names is, in words."""
    for starts, owner in _OWNERS:
        if any(name.startswith(starts) for name in names):
            return f"it is {owner}"
    return f"it begins with {', '.join(list(names)[:3]) or 'nothing'}"
