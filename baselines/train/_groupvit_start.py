"""The initial tiny GroupViT: a small network of transformers, initialised so that groups stay local."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json import dumps
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tris_model.ranges import Count, Number, Positive
from tris_model.tiny_clip import word_ids

from ..groupvit.features import encode_texts
from ..groupvit.weights_file import IDS, transformers


@dataclass(frozen=True, slots=True)
class TinySizes:
    """The sizes of a tiny GroupViT; see transformers' ``GroupViTConfig``.

    Attributes:
        image_size: side of its images in pixels.
        patch: side of a patch in pixels.
        width, inner, heads: channels of the image tower, channels inside its perceptrons, and its attention heads.
        depths: number of blocks of each stage.
        tokens: number of group tokens of each stage; 0 in the last.
        groups: number of groups after each stage.
        ratios: channels of a grouping's two perceptrons (over tokens, over channels), as multiples of ``width``.
        text_length: tokens per text, and rows of the position embeddings.
        text_width, text_inner, text_depth, text_heads: the same sizes of the text tower.
        embed, hidden: dimensions of the joint space, and of the layer before it.
    """

    image_size: Count = 96
    patch: Count = 8
    width: Count = 128
    inner: Count = 256
    heads: Count = 4
    depths: tuple[Count, ...] = (2, 1)
    tokens: tuple[Number, ...] = (12, 0)
    groups: tuple[Count, ...] = (12, 12)
    ratios: tuple[Positive, ...] = (0.5, 2.0)
    text_length: Count = 20
    text_width: Count = 128
    text_inner: Count = 512
    text_depth: Count = 2
    text_heads: Count = 4
    embed: Count = 128
    hidden: Count = 256

    def configuration(self, vocabulary: int) -> dict[str, Any]:
        """The arguments of ``GroupViTConfig``; the end-of-text is the last id with its own row."""
        vision = {
            "image_size": self.image_size, "patch_size": self.patch, "hidden_size": self.width,
            "intermediate_size": self.inner, "num_attention_heads": self.heads, "depths": list(self.depths),
            "num_hidden_layers": sum(self.depths), "num_group_tokens": list(self.tokens),
            "num_output_groups": list(self.groups), "assign_mlp_ratio": list(self.ratios),
        }  # fmt: skip
        text = {
            "vocab_size": vocabulary, "max_position_embeddings": self.text_length, "hidden_size": self.text_width,
            "intermediate_size": self.text_inner, "num_hidden_layers": self.text_depth,
            "num_attention_heads": self.text_heads, "eos_token_id": vocabulary - 2, "bos_token_id": vocabulary - 3,
            "pad_token_id": 0,
        }  # fmt: skip
        return {
            "vision_config": vision, "text_config": text, "projection_dim": self.embed,
            "projection_intermediate_dim": self.hidden,
        }  # fmt: skip


class TinyConfig:
    """The config of a network, as the training loop needs it."""

    def __init__(self, sizes: TinySizes, vocabulary: int):
        self.image_size = sizes.image_size
        self.text_length = sizes.text_length
        self.configuration = sizes.configuration(vocabulary)

    def to_json(self) -> str:
        """The config as JSON, for the weights file."""
        return dumps(self.configuration, sort_keys=True)


class Tiny:
    """transformers' ``GroupViTModel`` with the interface of the loop in ``tris_model.tiny_clip.trainer``.

    Attributes:
        network: the network of transformers.
        token_ids: CLIP's ids that have a row in the token table, ascending.
        config: see :class:`TinyConfig`.
    """

    def __init__(self, sizes: TinySizes):
        library = transformers()
        self.token_ids = word_ids()
        self.config = TinyConfig(sizes, len(self.token_ids) + 1)
        self.network = library.GroupViTModel(library.GroupViTConfig(**self.config.configuration))
        self.logit_scale: nn.Parameter = self.network.logit_scale

    def cells(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The groups of images ``(B, 3, S, S)``: float32 ``(B, G, C)``, after the last LayerNorm.

        Also returns, for each grouping, the degree to which each input belongs to each group: ``(B, G, N)``, without
        noise.
        """
        vision = self.network.vision_model
        tokens = vision.embeddings(images, interpolate_pos_encoding=True)
        given = vision.encoder(hidden_states=tokens, output_attentions=True, return_dict=True)
        return vision.layernorm(given.last_hidden_state).float(), [share.float() for share in given.attentions]

    def project(self, features: Tensor) -> Tensor:
        """Project features ``(..., C)`` into the joint space: ``(..., D)``, unit length."""
        return F.normalize(self.network.visual_projection(features.flatten(0, -2)), dim=1).unflatten(
            0, features.shape[:-1]
        )

    def encode_image(self, images: Tensor) -> Tensor:
        """One feature per image, the mean of its groups, as in GroupViT."""
        return self.project(self.cells(images)[0].mean(1))

    def encode_texts(self, texts: list[str]) -> Tensor:
        """Features of texts in the joint space, ``(N, D)``, unit length."""
        return encode_texts(self.network, texts, self.token_ids)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Not available: only the loop's own losses call it, and this trainer encodes texts, not tokens."""
        raise NotImplementedError

    def parameters(self) -> Iterator[nn.Parameter]:
        """The parameters, as of a module."""
        return self.network.parameters()

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The trainable parameters. Those of the image tower are named ``visual.…``."""
        for name, weight in self.network.named_parameters():
            if weight.requires_grad:
                still = name.endswith((".group_token", "position_embeddings"))
                yield ("visual." if name.startswith("vis") else "") + name + (".positional" if still else ""), weight

    def state_dict(self) -> dict[str, Any]:
        """The state under transformers' keys, and the token ids."""
        return {**self.network.state_dict(), IDS: self.token_ids}

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> None:
        """Load the state."""
        self.network.load_state_dict({key: value for key, value in state_dict.items() if key != IDS})

    def eval(self) -> None:
        """Set eval mode, as of a module."""
        self.network.eval()


@torch.no_grad()
def started(sizes: TinySizes, *, seed: int, temperature: float, residual: float, sharp: float) -> Tiny:
    """A network with randomly drawn weights.

    transformers' initialisation suits a long training: group tokens begin equal, assignments begin even, and a group's
    patches contribute hundreds of times less than its token, which encodes the whole image. In hundreds of steps such a
    network learns to use only the tokens and ignores the patches of a group. Here tokens begin far apart, assignments
    begin decided, and a group's patches outweigh its token, whose weight stays at ``residual``.

    Args:
        sizes: the network's sizes.
        seed: decides the weights.
        temperature: the initial factor of the cosines.
        residual: the weight of a group's token relative to the mean of its patches.
        sharp: standard deviation of the assignment's logits.
    """
    torch.manual_seed(seed)
    tiny = Tiny(sizes)
    vision = tiny.network.vision_model
    vision.embeddings.position_embeddings.normal_(std=0.1)
    tiny.network.text_model.embeddings.token_embedding.weight.normal_(std=0.1)
    tiny.logit_scale.fill_(log(temperature))
    unit = sizes.width**-0.5
    for stage in vision.encoder.stages:
        if stage.group_token is None:
            continue
        stage.group_token.normal_(std=0.5)
        last = stage.downsample.pre_assign_attn.norm_post
        last.weight.fill_(residual)
        last.weight.requires_grad_(False)
        last.bias.requires_grad_(False)
        assign = stage.downsample.assign
        assign.q_proj.weight.normal_(std=sharp * unit / residual)
        for layer in (assign.k_proj, assign.v_proj, assign.proj):
            layer.weight.normal_(std=unit)
    return tiny
