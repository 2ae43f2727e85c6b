"""GroupViTs with drawn weights in each layout: a folder of transformers', the authors' ``.pth``, a file of ours."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tris_model import tokenize
from tris_model.files.checkpoint import write

# Heads have 64 channels, as the authors' do, so that their layout shows the sizes.
SMALL: dict[str, Any] = {
    "vision_config": {
        "hidden_size": 128, "intermediate_size": 96, "depths": [2, 1, 1], "num_hidden_layers": 4,
        "num_group_tokens": [10, 5, 0], "num_output_groups": [10, 5, 5], "num_attention_heads": 2, "image_size": 48,
        "patch_size": 8, "assign_mlp_ratio": [0.5, 1.0],
    },
    "text_config": {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1,
    },
    "projection_dim": 24, "projection_intermediate_dim": 40,
}  # fmt: skip
WORDS = ("the red circle on the left", "large blue square above it", "a dog")


def network(config: dict[str, Any] = SMALL, seed: int = 0) -> Any:
    """transformers' GroupViT with every weight drawn, so that no two groups are alike and nothing is 0 or 1."""
    from transformers import GroupViTConfig, GroupViTModel

    torch.manual_seed(seed)
    made = GroupViTModel(GroupViTConfig(**config)).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if name.endswith(("group_token", "position_embeddings")):
                weight.normal_()
            elif weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
            elif ".assign." in name or "projection" in name:
                weight.normal_(std=2 * weight.shape[-1] ** -0.5)
        for layer in made.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.running_mean.normal_(std=0.1)  # type: ignore[union-attr]
                layer.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
        made.logit_scale.fill_(math.log(30.0))
    return made


def folder_of(made: Any, folder: Path, *, pickled: bool = False) -> Path:
    """A folder in Hugging Face's layout, with safetensors or the pickle that older conversions have."""
    if not pickled:
        made.save_pretrained(folder)
        return folder
    folder.mkdir()
    made.config.save_pretrained(folder)
    ids = torch.arange(77)[None]  # a buffer that older versions stored
    torch.save({**made.state_dict(), "text_model.embeddings.position_ids": ids}, folder / "pytorch_model.bin")
    return folder


def made_up_groupvit(folder: Path) -> Path:
    """A folder with a GroupViT of the published size (55.7 million weights), drawn; for timing."""
    return folder_of(network({}), folder)


def authors_state(made: Any) -> dict[str, Tensor]:
    """The weights under the authors' names, written down from their layout and not by inverting our rules."""
    state = made.state_dict()
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if (match := re.match(r"(.*)\.self_attn\.q_proj\.(weight|bias)$", key)) is not None:
            whole = torch.cat([state[f"{match[1]}.self_attn.{one}_proj.{match[2]}"] for one in "qkv"])
            if key.startswith("text"):
                number = match[1].split(".")[-1]
                found[f"text_encoder.transformer.resblocks.{number}.attn.in_proj_{match[2]}"] = whole
            else:
                _, _, _, stage, _, block = match[1].split(".")
                found[f"img_encoder.layers.{stage}.blocks.{block}.attn.qkv.{match[2]}"] = whole
        elif not re.search(r"self_attn\.[kv]_proj", key):
            found[_theirs(key)] = value
    for name in ("img_projector", "text_projector"):
        for part in ("linear_hidden.0", "linear_out"):
            found[f"{name}.{part}.weight"] = found[f"{name}.{part}.weight"][:, :, None]
    return {**found, "multi_label_logit_scale": torch.zeros(())}


def _theirs(key: str) -> str:
    parts = key.split(".")
    rest = ".".join(parts[-2:])
    if key.startswith("vision_model.encoder.stages."):
        start = f"img_encoder.layers.{parts[3]}."
        if parts[4] == "layers":
            part = {"self_attn": "attn.proj." + parts[-1], "mlp": "mlp." + rest}.get(parts[6])
            return f"{start}blocks.{parts[5]}." + (part or f"norm{parts[6][-1]}.{parts[-1]}")
        tail = ".".join(parts[4:])
        return start + tail.replace("pre_assign_attn.attn.out_proj", "pre_assign_attn.attn.proj")
    if key.startswith("text_model.encoder.layers."):
        start = f"text_encoder.transformer.resblocks.{parts[3]}."
        inner = {"layer_norm1": "ln_1.", "layer_norm2": "ln_2.", "self_attn": "attn.out_proj."}.get(parts[4])
        return start + (inner + parts[-1] if inner else f"mlp.{'c_fc' if parts[5] == 'fc1' else 'c_proj'}.{parts[-1]}")
    whole = {
        "vision_model.embeddings.position_embeddings": "img_encoder.pos_embed",
        "vision_model.embeddings.patch_embeddings.projection": "img_encoder.patch_embed.proj",
        "vision_model.embeddings.layernorm": "img_encoder.patch_embed.norm",
        "vision_model.layernorm": "img_encoder.norm",
        "text_model.embeddings.token_embedding": "text_encoder.token_embedding",
        "text_model.embeddings.position_embedding.weight": "text_encoder.positional_embedding",
        "text_model.final_layer_norm": "text_encoder.ln_final",
        "visual_projection.3": "img_projector.linear_out",
        "visual_projection": "img_projector.linear_hidden",
        "text_projection.3": "text_projector.linear_out",
        "text_projection": "text_projector.linear_hidden",
    }
    for ours, theirs in whole.items():
        if key == ours or key.startswith(ours + "."):
            return theirs + key.removeprefix(ours)
    return key


def tiny_groupvit(path: Path) -> Path:
    """A file of ours that knows the words of :data:`WORDS`."""
    known = tokenize(WORDS).unique()
    last = len(known) - 1
    text = {
        **SMALL["text_config"], "vocab_size": len(known) + 1, "max_position_embeddings": 20, "eos_token_id": last,
        "bos_token_id": last - 1, "pad_token_id": 0,
    }  # fmt: skip
    config = {**SMALL, "text_config": text}
    made = network(config)
    write({**made.state_dict(), "token_ids": known}, path, {"config": json.dumps(config)})
    return path
