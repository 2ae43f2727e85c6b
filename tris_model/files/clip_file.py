"""Read files of CLIPs: OpenAI's archives; state dicts in OpenAI's, open_clip's or Hugging Face's layout; and ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from risbench.errors import DataError

from ..clip.towers import Clip
from ..config import STAGE1, Config
from ..network.stage1 import Stage1
from ..network.stage2 import Stage2
from . import clip_settings
from .architecture import detect_clip, fill
from .checkpoint import read as read_checkpoint
from .clip_names import NOT_WEIGHTS, Layout, as_openai, layout_of, looks_like_clip
from .clip_settings import ClipSettings
from .names import find_clip, split_entry


@dataclass(frozen=True, slots=True)
class ClipFile:
    """A CLIP's weights, and what its file says about them.

    Attributes:
        path: the file, or ``FILE#ENTRY``.
        kind: ``pth``, ``safetensors`` or ``torchscript``.
        state: tensors under OpenAI's names, floats as float32.
        metadata: the metadata of a file of ours.
        layout: the naming scheme of the file.
        counted: whether the weights contain OpenAI's numbers about the model, as OpenAI's own files do.
        settings: the settings file beside it.
        notes: what a user should know about how it was read, one sentence each.
    """

    path: Path
    kind: str
    state: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    layout: Layout
    counted: bool
    settings: ClipSettings
    notes: tuple[str, ...]


def read_clip(path: str | os.PathLike[str]) -> ClipFile:
    """Read a CLIP of any layout from a file, an index of shards, or one entry of a file.

    Raises:
        DataError: the file is broken, or not a CLIP with one of OpenAI's image towers; the message says what it looks
            like.
    """
    held = read_checkpoint(path, looks_like_clip)
    folder = split_entry(held.path)[0].parent
    if not looks_like_clip(held.state.keys()):
        raise DataError(f"{held.path} is not a CLIP: {_stranger(held.state, folder)}")
    layout = layout_of(held.state.keys())
    if layout == "huggingface":
        settings = clip_settings.of_hugging_face(folder)
    else:
        named = held.path.name.startswith("open_clip")  # as they are called on the hub, and nobody else calls a file
        settings = clip_settings.of_open_clip(folder) if named else ClipSettings()
    counted = any(key in held.state for key in NOT_WEIGHTS)
    return ClipFile(held.path, held.kind, _floats(held.state), held.metadata, layout, counted, settings, held.notes)


def read(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a CLIP's weights under OpenAI's keys, floats as float32.

    Args:
        path: a TorchScript archive, a state dict as ``.pt``/``.pth``/``.safetensors``, or the index of its shards.

    Raises:
        DataError: the file is broken, or holds anything but plain objects, numbers and tensors.
    """
    return _floats(read_checkpoint(path, looks_like_clip).state)


def _floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.float() if value.is_floating_point() else value for key, value in as_openai(state).items()}


def _stranger(state: Mapping[str, Tensor], folder: Path) -> str:
    """Describe weights that do not belong to a CLIP."""
    hints = (
        ("attn_fusion.", "TRIS stage 1"), ("attention2.", "TRIS stage 2"), ("img_encoder.", "GroupViT"),
        ("vision_model.encoder.stages.", "GroupViT"), ("visual.trunk.", "a CLIP with a tower of timm's"),
        ("visual.blocks.", "EVA-CLIP"), ("visual.head.", "EVA-CLIP"), ("vision_model.head.", "SigLIP"),
        ("vision_model.", "a model of Hugging Face's other than CLIP"), ("text_model.", "a text tower alone"),
        ("backbone.visual.", "a network with a CLIP in it"),
    )  # fmt: skip
    kind = clip_settings.described(folder) or next(
        (name for start, name in hints if any(key.startswith(start) for key in state)), None
    )
    some = ", ".join(key[:60] for key in list(state)[:3]) or "nothing"
    looks = f"it looks like {kind}; " if kind else ""
    return (
        f"{looks}no visual.layer1.… (ResNet), no visual.class_embedding (transformer), nor Hugging Face's "
        f"vision_model.… of a CLIP: {some} …; OpenAI's, open_clip's and Hugging Face's CLIPs with those towers are read"
    )


def start(path: str | os.PathLike[str], config: Config = STAGE1) -> Stage1 | Stage2:
    """A network to be trained: CLIP's towers come from a file, heads are drawn at random.

    Args:
        path: OpenAI's file, or a tiny CLIP of ours.
        config: the network's stage and heads; the towers' sizes come from the file. Without a ``pool_grid`` the
            attention pool, which TRIS never uses, is left out.

    Raises:
        DataError: the file is broken or not a CLIP with a ResNet; keys that are missing, unexpected or of a wrong shape
            are named.
    """
    state, towers = open_clip_file(path, config)
    heads = ("stage", "hidden", "decoder", "alpha", "beta")
    grid = towers.pool_grid if config.pool_grid else 0
    config = replace(towers, pool_grid=grid, **{name: getattr(config, name) for name in heads})
    if not config.pool_grid:
        state = {key: value for key, value in state.items() if not key.startswith("visual.attnpool.")}
    network = Stage1(config) if config.stage == 1 else Stage2(config)
    fill(network.backbone, state, f"{path} as CLIP ({config.backbone})")
    return network


def load_clip(path_or_name: str | os.PathLike[str]) -> Clip:
    """Load a CLIP with a ResNet tower and its attention pool, float32, in eval mode: ours, or OpenAI's RN50.

    Args:
        path_or_name: a file, or ``shapes``, the shipped tiny CLIP of the drawn world.

    Raises:
        UsageError: there is no such file or name.
        DataError: the file is broken or not such a CLIP.
    """
    state, config = open_clip_file(path_or_name)
    with torch.device("meta"):  # no default weights to draw and throw away
        clip = Clip(config)
    fill(clip, state, f"{path_or_name} as CLIP")
    return clip.eval()


def open_clip_file(path: str | os.PathLike[str], base: Config = STAGE1) -> tuple[dict[str, Tensor], Config]:
    """The weights of a CLIP with a ResNet tower, and its sizes, from its file's metadata or from its shapes.

    Args:
        path: a file, or ``shapes``, the shipped tiny CLIP of the drawn world.
        base: the sizes that shapes do not determine.

    Raises:
        UsageError: there is no such file or name.
        DataError: the file is broken or not such a CLIP.
    """
    held = read_checkpoint(find_clip(path), looks_like_clip)
    state = _floats(held.state)
    if "visual.layer1.0.conv1.weight" not in state:
        raise DataError(f"{path} has no ResNet tower (visual.layer1.…); TRIS starts from OpenAI's RN50.pt or RN101.pt")
    if "config" in held.metadata:
        return state, Config.from_json(held.metadata["config"])
    return state, detect_clip(state, base)
