"""Translate other programs' names of CLIP's weights into OpenAI's names.

Three layouts hold the same tensors. The first is OpenAI's, which open_clip uses, too. The second is open_clip's with a
separate text tower (``text.…``). The third is Hugging Face's (``text_model.…``, ``vision_model.…``): queries, keys and
values of an attention are three tables instead of one, and the two projections are layers, so their matrices are
transposed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

import torch
from torch import Tensor

Layout = Literal["openai", "huggingface"]
# Numbers about the model that OpenAI stores among its tensors.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")
_TABLES = ("attn_mask", "position_ids")  # computed, not learned; older versions of the libraries stored them
_MARKS = ("visual.class_embedding", "visual.layer1.0.conv1.weight", "vision_model.embeddings.class_embedding")

_PLACES = {"vision": "visual.transformer.resblocks.", "text": "transformer.resblocks."}
_PARTS = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip
_BLOCK = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_THREE = re.compile(r"(.+)\.self_attn\.q_proj\.(weight|bias)")
_WHOLE = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",  # spelt so in the library
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "logit_scale": "logit_scale",
}
_TURNED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}


def looks_like_clip(names: Collection[str]) -> bool:
    """Whether names belong to a CLIP with one of OpenAI's image towers, in any layout."""
    return any(mark in names for mark in _MARKS)


def looks_like_resnet(names: Collection[str]) -> bool:
    """Whether names belong to a CLIP with a ResNet tower, in any layout."""
    return _MARKS[1] in names


def layout_of(names: Collection[str]) -> Layout:
    """The layout that the names belong to."""
    return "huggingface" if _MARKS[2] in names else "openai"


def as_openai(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under OpenAI's names. Unknown names stay, so that loading refuses them by name.

    Args:
        state: weights in any layout.

    Returns:
        A new mapping, without entries that are not weights.
    """
    kept = {
        key: value for key, value in state.items() if key not in NOT_WEIGHTS and key.rpartition(".")[2] not in _TABLES
    }
    if layout_of(kept.keys()) == "huggingface":
        return _from_hugging_face(kept)
    if "text.token_embedding.weight" in kept:
        kept = {key.removeprefix("text.") if key.startswith("text.") else key: value for key, value in kept.items()}
    if "text_projection.weight" in kept and "text_projection.bias" not in kept:
        kept["text_projection"] = kept.pop("text_projection.weight").T
    return kept


def _from_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    done: set[str] = set()
    for key in state:
        if (match := _THREE.fullmatch(key)) is not None:
            parts = [f"{match[1]}.self_attn.{one}_proj.{match[2]}" for one in "qkv"]
            block = re.fullmatch(r"(vision|text)_model\.encoder\.layers\.(\d+)", match[1])
            # If one is missing or of another size, the rest keep their names, so that the error names them.
            if (
                block
                and len({state[one].shape for one in parts if one in state}) == 1
                and all(p in state for p in parts)
            ):
                name = f"{_PLACES[block[1]]}{block[2]}.attn.in_proj_{match[2]}"
                found[name] = torch.cat([state[one] for one in parts])
                done.update(parts)
    for key, value in state.items():
        if key in done:
            continue
        if key in _TURNED and value.ndim == 2:
            found[_TURNED[key]] = value.T
        elif (match := _BLOCK.fullmatch(key)) is not None and match[3] in _PARTS:
            found[f"{_PLACES[match[1]]}{match[2]}.{_PARTS[match[3]]}.{match[4]}"] = value
        else:
            found[_WHOLE.get(key, key)] = value
    return found
