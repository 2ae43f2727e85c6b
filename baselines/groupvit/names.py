"""Translate the authors' weight names into transformers' names, and derive the network's sizes from the weights.

The translation is the one of transformers' published conversion. Three things change besides names. The authors keep
the queries, keys and values of a self-attention in one table. Their projection heads are convolutions over one
position. And the temperature of their multi-label loss is dropped, because inference does not use it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

LEFT_OUT = ("multi_label_logit_scale",)
HEAD = 64  # channels of an attention head in both towers; heads leave no trace in shapes

_STAGE = r"img_encoder\.layers\.(\d+)\."
_BLOCK = rf"{_STAGE}blocks\.(\d+)\."
_WORD = r"text_encoder\.transformer\.resblocks\.(\d+)\."
_IMAGE, _TEXT = r"vision_model.encoder.stages.\1.", r"text_model.encoder.layers.\1."
_RULES = tuple(
    (re.compile(ours), theirs)
    for ours, theirs in (
        (r"img_encoder\.pos_embed$", "vision_model.embeddings.position_embeddings"),
        (r"img_encoder\.patch_embed\.proj\.", "vision_model.embeddings.patch_embeddings.projection."),
        (r"img_encoder\.patch_embed\.norm\.", "vision_model.embeddings.layernorm."),
        (r"img_encoder\.norm\.", "vision_model.layernorm."),
        (_BLOCK + r"attn\.(qkv)\.", _IMAGE + r"layers.\2.self_attn.\3."),
        (_BLOCK + r"attn\.proj\.", _IMAGE + r"layers.\2.self_attn.out_proj."),
        (_BLOCK + r"norm([12])\.", _IMAGE + r"layers.\2.layer_norm\3."),
        (_BLOCK, _IMAGE + r"layers.\2."),
        (_STAGE + r"downsample\.pre_assign_attn\.attn\.proj\.", _IMAGE + "downsample.pre_assign_attn.attn.out_proj."),
        (_STAGE, _IMAGE),
        (r"text_encoder\.token_embedding\.", "text_model.embeddings.token_embedding."),
        (r"text_encoder\.positional_embedding$", "text_model.embeddings.position_embedding.weight"),
        (r"text_encoder\.ln_final\.", "text_model.final_layer_norm."),
        (_WORD + r"attn\.in_proj_(weight|bias)$", _TEXT + r"self_attn.qkv.\2"),
        (_WORD + r"attn\.out_proj\.", _TEXT + "self_attn.out_proj."),
        (_WORD + r"ln_([12])\.", _TEXT + r"layer_norm\2."),
        (_WORD + r"mlp\.c_fc\.", _TEXT + "mlp.fc1."),
        (_WORD + r"mlp\.c_proj\.", _TEXT + "mlp.fc2."),
        (r"img_projector\.linear_hidden\.", "visual_projection."),
        (r"img_projector\.linear_out\.", "visual_projection.3."),
        (r"text_projector\.linear_hidden\.", "text_projection."),
        (r"text_projector\.linear_out\.", "text_projection.3."),
    )
)


def is_authors(state: Mapping[str, Tensor]) -> bool:
    """Whether weights have the authors' names."""
    return any(key.startswith("img_encoder.") for key in state)


def looks_like_groupvit(names: Collection[str]) -> bool:
    """Whether names belong to a GroupViT, the authors' or transformers'."""
    return any(name.startswith(("img_encoder.layers.", "vision_model.encoder.stages.")) for name in names)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' weights under transformers' names. Unknown names stay, so that loading refuses them by name."""
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if key in LEFT_OUT:
            continue
        name = _renamed(key)
        if ".qkv." in name and len(value) % 3 == 0:
            for one, part in zip("qkv", value.chunk(3), strict=True):
                found[name.replace(".qkv.", f".{one}_proj.")] = part
        elif re.match(r"(visual|text)_projection\.[03]\.weight$", name) and value.ndim == 3:
            found[name] = value.squeeze(2)
        else:
            found[name] = value
    return found


def _renamed(key: str) -> str:
    for pattern, name in _RULES:
        if match := pattern.match(key):
            return match.expand(name) + key[match.end() :]
    return key


def sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of transformers' ``GroupViTConfig``, derived from weights under its names.

    Raises:
        KeyError, IndexError: weights are missing.
    """
    stage = "vision_model.encoder.stages."
    stages = 1 + max(int(match[1]) for key in state if (match := re.match(rf"{re.escape(stage)}(\d+)\.", key)))
    depths = [_depth(state, f"{stage}{at}.") for at in range(stages)]
    tokens = [_rows(state, f"{stage}{at}.group_token", 1) for at in range(stages)]
    groups = [_rows(state, f"{stage}{at}.downsample.mlp_inter.fc2.weight", 0) for at in range(stages)]
    patches = state["vision_model.embeddings.patch_embeddings.projection.weight"]
    width, patch = patches.shape[0], patches.shape[2]
    first = f"{stage}0.downsample."
    ratios = [state[f"{first}{part}.fc1.weight"].shape[0] / width for part in ("mlp_inter", "mlp_channels")]
    words = state["text_model.embeddings.token_embedding.weight"]
    vision = {
        "hidden_size": width,
        "intermediate_size": state[f"{stage}0.layers.0.mlp.fc1.weight"].shape[0],
        "num_hidden_layers": sum(depths),
        "depths": depths,
        "num_group_tokens": tokens,
        # A stage without grouping keeps its tokens.
        "num_output_groups": [groups[at] or (groups[at - 1] if at else 0) for at in range(stages)],
        "num_attention_heads": max(1, width // HEAD),
        "image_size": patch * round(state["vision_model.embeddings.position_embeddings"].shape[1] ** 0.5),
        "patch_size": patch,
        "assign_mlp_ratio": ratios,
    }
    text = {
        "vocab_size": words.shape[0],
        "hidden_size": words.shape[1],
        "intermediate_size": state["text_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
        "num_hidden_layers": _depth(state, "text_model.encoder."),
        "num_attention_heads": max(1, words.shape[1] // HEAD),
        "max_position_embeddings": state["text_model.embeddings.position_embedding.weight"].shape[0],
    }
    out = state["visual_projection.3.weight"]
    return {
        "vision_config": vision,
        "text_config": text,
        "projection_dim": out.shape[0],
        "projection_intermediate_dim": out.shape[1],
    }


def _depth(state: Mapping[str, Tensor], prefix: str) -> int:
    found = {int(match[1]) for key in state if (match := re.match(rf"{re.escape(prefix)}layers\.(\d+)\.", key))}
    return max(found, default=-1) + 1


def _rows(state: Mapping[str, Tensor], key: str, axis: int) -> int:
    return state[key].shape[axis] if key in state else 0
