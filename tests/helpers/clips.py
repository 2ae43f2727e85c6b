"""Files of CLIPs with a ResNet and drawn weights: ours, tiny, and in OpenAI's layout as open_clip makes it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from baselines._clip.vit import VitClip, VitConfig
from tris_model import Clip, Config, tokenize
from tris_model.files.checkpoint import write

TINY = Config(
    image_size=48, stride=8, depth=(1, 1, 1, 1), width=8, pool_grid=6, trimmed=True, ramp=True, context=20,
    text_width=32, text_depth=1, text_heads=2, embed=24, hidden=24,
)  # fmt: skip
WORDS = ("the red circle on the left", "large blue square above it", "a dog")


def tiny_clip(path: Path, config: Config = TINY) -> Path:
    """A tiny CLIP of the drawn world that knows the words of :data:`WORDS`."""
    torch.manual_seed(0)
    known = tokenize(WORDS).unique()
    network = Clip(replace(config, vocabulary=len(known) + 1))
    assert network.token_ids is not None
    network.token_ids.copy_(known)
    _live(network)
    write(network.state_dict(), path, {"config": network.config.to_json()})
    return path


TINY_VIT = VitConfig(
    image_size=48, patch=8, width=32, depth=3, heads=2, trimmed=True, context=20, text_length=20, text_width=32,
    text_depth=1, text_heads=2, embed=24,
)  # fmt: skip


def tiny_vit(path: Path, config: VitConfig = TINY_VIT) -> Path:
    """A tiny CLIP with a vision transformer that knows the words of :data:`WORDS`."""
    torch.manual_seed(0)
    known = tokenize(WORDS).unique()
    network = VitClip(replace(config, vocabulary=len(known) + 1))
    assert network.token_ids is not None
    network.token_ids.copy_(known)
    write(network.state_dict(), path, {"config": network.config.to_json()})
    return path


def openai_clip(path: Path | None = None, *, layers: tuple[int, ...] = (1, 1, 1, 1), width: int = 16) -> Any:
    """open_clip's own network with OpenAI's layout, in half precision on disk as OpenAI has them."""
    from open_clip.model import CLIP

    torch.manual_seed(0)
    vision: Any = {"image_size": 64, "layers": layers, "width": width}
    text: Any = {"context_length": 77, "width": 128, "heads": 2, "layers": 1}
    network = CLIP(64, vision, text, quick_gelu=True).eval()
    _live(network)
    network.half().float()
    if path is not None:
        torch.save({key: value.half() for key, value in network.state_dict().items()}, path)
    return network


def openai_vit(path: Path | None = None, *, quick: bool = True, archive: bool = False) -> Any:
    """The same with a vision transformer; ``archive`` writes it as OpenAI publishes it, a TorchScript archive."""
    from open_clip.model import CLIP

    torch.manual_seed(0)
    vision: Any = {"image_size": 32, "layers": 3, "width": 128, "patch_size": 8}
    text: Any = {"context_length": 77, "width": 128, "heads": 2, "layers": 1}
    network = CLIP(64, vision, text, quick_gelu=quick).eval()
    with torch.no_grad():
        for weight in network.parameters():  # LayerNorms and biases that change something
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
    network.half().float()
    if path is not None and not archive:
        torch.save({key: value.half() for key, value in network.state_dict().items()}, path)
    elif path is not None:
        archived(network.state_dict(), path)
    return network


def archived(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Half-precision tensors as attributes of nested modules in a TorchScript archive, under their dotted names."""
    root = nn.Module()
    for key, value in state.items():
        *way, last = key.split(".")
        place: nn.Module = root
        for part in way:
            if part not in dict(place.named_children()):
                place.add_module(part, nn.Module())
            place = place.get_submodule(part)
        place.register_parameter(last, nn.Parameter(value.half(), requires_grad=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch advises against TorchScript
        torch.jit.save(torch.jit.script(root), path)


@torch.no_grad()
def _live(network: nn.Module) -> None:
    """BatchNorms as after a training: freshly made they change nothing, and an order of two could hide."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(std=0.1)
            layer.running_var.uniform_(0.5, 1.5)
            layer.weight.uniform_(0.5, 1.5)
            layer.bias.normal_(std=0.1)
