"""A CLIP from whatever a user has: OpenAI's files, an open_clip name with its weights, or ours of the drawn world.

The activation is the trap. OpenAI trained with QuickGELU, most others with the exact GELU, the shapes of the weights
are the same, and the wrong one costs accuracy in silence. So a file that stands alone is read as OpenAI's; a file or a
tag with an open_clip name is read as that name says, unless it is known to be OpenAI's: then QuickGELU it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

import tris_model
from risbench import DataError, UsageError
from tris_model import TextTower
from tris_model.architecture import detect_clip, fill
from tris_model.checkpoint import read as read_checkpoint
from tris_model.clipfile import is_archive
from tris_model.clipfile import read as read_weights
from tris_model.places import OPENAI, RN50

from ._clip import DEVIATION, MEAN, Opened
from .vit import VitClip, VitConfig, exact_gelu
from .vit_file import find_vit, load_vit

C = TypeVar("C", bound=TextTower)
Tower = Literal["resnet", "vit"]
FILES = {
    "resnet": f"{OPENAI}/{RN50}/RN50.pt",
    "vit": f"{OPENAI}/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
    "vit32": f"{OPENAI}/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
}


def open_model(
    method: str,
    *,
    weights: str | None,
    split: str | None,
    model: str | None,
    pretrained: str | None,
    device: str,
    tower: Tower | None = None,
    best: str = "vit",
) -> Opened:
    """The CLIP that a method's options mean.

    Args:
        method: its name, for errors.
        weights: a file, or ``shapes``, the shipped tiny one of the drawn world.
        split: the split that will be answered; on drawn ones ``shapes`` needs no asking.
        model: a name of open_clip, which says what ``weights`` or ``pretrained`` hold.
        pretrained: open_clip's tag of weights, which it fetches or has fetched before; or a file.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        tower: the kind of image tower that the method can use; any if None.
        best: whose file is named to users without weights, a key of `FILES`.

    Raises:
        UsageError: unknown or clashing names, no weights, or a tower of the other kind.
        DataError: a file that cannot be used; missing, unexpected and misshapen keys are named.
    """
    if pretrained is not None and model is None:
        raise UsageError(f"pretrained={pretrained} needs a model of open_clip: add --set model=NAME")
    if pretrained is not None and Path(pretrained).is_file():
        if weights is not None:
            raise UsageError(f"two files of weights: --weights {weights} and pretrained={pretrained}; give one")
        weights, pretrained = pretrained, None
    if pretrained is not None and weights is not None:
        raise UsageError(f"--weights {weights} and pretrained={pretrained}: give one of them")
    if model is not None:
        opened = _of_open_clip(method, model, weights, pretrained)
    else:
        opened = _of_file(_path(method, weights, split, tower, best))
    found: Tower = "vit" if isinstance(opened.clip, VitClip) else "resnet"
    if tower is not None and found != tower:
        kinds = {"resnet": "a ResNet", "vit": "a vision transformer"}
        raise UsageError(f"{method} looks into {kinds[tower]}, and {model or weights} has {kinds[found]}")
    opened.clip.to(torch.device(device)).eval().requires_grad_(False)
    # Nobody differentiates the text tower; packed, a text's feature does not depend on which are read with it.
    count = sum(weight.numel() for weight in opened.clip.parameters())
    tris_model.quicken(opened.clip.transformer)
    return opened._replace(parameter_count=count)


def _path(method: str, weights: str | None, split: str | None, tower: Tower | None, best: str) -> Path:
    if weights is None and (split is None or not split.startswith("shapes_")):
        raise UsageError(
            f"{method} needs a CLIP: get {FILES[best]} and pass --weights FILE, name one of open_clip's with "
            "--set model=… --set pretrained=…, or take --weights shapes, the tiny one of the drawn world"
        )
    if (weights is not None and weights != "shapes") or Path("shapes").is_file():
        return tris_model.find_clip(weights or "shapes")
    if tower == "resnet" or (tower is None and best == "resnet"):
        return tris_model.find_clip("shapes")
    return find_vit("shapes")


def _of_file(path: Path) -> Opened:
    """A file by itself: ours says what it is, any other is read as OpenAI's."""
    held = None if is_archive(path) else read_checkpoint(path)
    if held is not None and '"clip-vit"' in held.said.get("config", ""):
        clip = load_vit(path)
        return Opened(clip, MEAN, DEVIATION, _card(path, clip.config))
    state = _tidy(read_weights(path))
    if "visual.class_embedding" in state:
        config = vit_sizes(state)
        return Opened(_filled(VitClip(config), state, str(path)), MEAN, DEVIATION, _card(path, config))
    if "visual.layer1.0.conv1.weight" in state:
        clip = tris_model.load_clip(path)
        if not clip.config.pool_grid:
            raise UsageError(f"{path} has no attention pool, through which a CLIP sees; give a whole CLIP")
        return Opened(clip, MEAN, DEVIATION, _card(path, clip.config))
    some = ", ".join(list(state)[:3]) or "nothing"
    raise DataError(
        f"{path} is no CLIP: no visual.layer1.… (ResNet), no visual.class_embedding (transformer): {some} …"
    )


def _of_open_clip(method: str, model: str, weights: str | None, pretrained: str | None) -> Opened:
    from ._open_clip import held_by, vit_config

    held = held_by(method, model, weights, pretrained)
    state, layers = _tidy(held.state), held.sizes["vision_cfg"]["layers"]
    if isinstance(layers, list):
        clip = _filled(
            tris_model.Clip(replace(detect_clip(state), depth=tuple(layers))), state, f"{held.source} as {model}"
        )
        if not held.quick_gelu:
            exact_gelu(clip)
    else:
        config = replace(vit_config(held.sizes), quick_gelu=held.quick_gelu)
        clip = _filled(VitClip(config), state, f"{held.source} as {model}")
    said = {"model": model, "activation": _activation(held.quick_gelu), "extra_data": f"CLIP {model}"}
    return Opened(clip, held.mean or MEAN, held.deviation or DEVIATION, {"weights": held.name, **said})


def vit_sizes(state: Mapping[str, Tensor]) -> VitConfig:
    """The sizes of a transformer in OpenAI's layout, from its tensors; heads have 64 channels, as OpenAI's do."""

    def size(key: str, axis: int, default: int) -> int:
        return int(state[key].shape[axis]) if key in state and state[key].ndim > axis else default

    text = detect_clip(state)
    width, patch = size("visual.conv1.weight", 0, 768), size("visual.conv1.weight", 3, 16)
    places = size("visual.positional_embedding", 0, 197)
    blocks = {key.split(".")[3] for key in state if key.startswith("visual.transformer.resblocks.")}
    return VitConfig(
        image_size=round((places - 1) ** 0.5) * patch, patch=patch, width=width, depth=len(blocks),
        heads=max(1, width // 64), hidden=size("visual.transformer.resblocks.0.mlp.c_fc.weight", 0, 0),
        context=text.context, vocabulary=text.vocabulary, text_width=text.text_width, text_depth=text.text_depth,
        text_heads=max(1, text.text_width // 64), embed=text.embed,
    )  # fmt: skip


def _filled(clip: C, state: Mapping[str, Tensor], what: str) -> C:
    fill(clip, state, f"{what} (CLIP)")
    return clip


def _tidy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what a parallel training puts before every key, and without numbers that are no weights."""
    return {key.removeprefix("module."): value for key, value in state.items() if not key.endswith("attn_mask")}


def _activation(quick: bool) -> str:
    return "quick_gelu" if quick else "gelu"


def _card(path: Path, config: tris_model.Config | VitConfig) -> dict[str, Any]:
    vit = isinstance(config, VitConfig)
    if config.trimmed:
        model, data = f"tiny {'ViT' if vit else 'RN'}", "a tiny CLIP trained on captions of drawn scenes"
    else:
        model = _vit_name(config) if vit else config.backbone.removeprefix("clip-")
        data = f"CLIP {model} (400 million image-text pairs)"
    quick = config.quick_gelu if vit else True
    return {"weights": tris_model.digest(path), "model": model, "activation": _activation(quick), "extra_data": data}


def _vit_name(config: VitConfig) -> str:
    kind = {768: "B", 1024: "L"}.get(config.width, f"{config.width}-wide")
    size = "" if config.image_size == 224 else f"@{config.image_size}"
    return f"ViT-{kind}/{config.patch}{size}"
