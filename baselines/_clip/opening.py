"""Open a CLIP: OpenAI's files, an open_clip name with its weights, Hugging Face's files, or ours.

The activation needs care. OpenAI trained with QuickGELU, most others with the exact GELU. The weights have the same
shapes, and the wrong activation silently costs accuracy. If the file determines the activation (by its config, its hash
or its form), that one is used. Otherwise OpenAI's activation is used, and a message says so. Training data are unknown
unless the file or the user names them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor

import tris_model
from risbench import UsageError
from risbench.datasets.catalog import is_drawn
from tris_model import TextTower
from tris_model.files import NAMES, ClipFile, clip_advice, detect_clip, fill, read_clip, split_entry

from .prompting import DEVIATION, MEAN, OpenedClip
from .provenance import DRAWN, UNKNOWN, ClipReading, reading
from .vit import VitClip, VitConfig, exact_gelu, find_vit

C = TypeVar("C", bound=TextTower)
Tower = Literal["resnet", "vit"]
Activation = Literal["quick_gelu", "gelu"]
FILES = {"resnet": "RN50", "vit": "ViT-B-16", "vit32": "ViT-B-32"}
# Image towers, by width and depth, with heads that do not have 64 channels. None of them is OpenAI's.
WIDE_HEADS = {(1280, 32): ("ViT-H-14", 80), (1408, 40): ("ViT-g-14", 88), (1664, 48): ("ViT-bigG-14", 104)}
OURS = "a tiny CLIP trained on captions of drawn scenes"


def open_model(
    method: str,
    *,
    weights: str | None,
    split: str | None,
    model: str | None,
    pretrained: str | None,
    device: str,
    activation: Activation | None = None,
    tower: Tower | None = None,
    best: str = "vit",
    option: str = "--weights FILE",
) -> OpenedClip:
    """Open the CLIP that a method's options name.

    Args:
        method: its name, for error messages.
        weights: a file or folder, an id of the Hugging Face hub that is in the local cache, or ``shapes``, the shipped
            tiny CLIP of the drawn world.
        split: the split of the run; ``shapes`` is the default on drawn splits.
        model: open_clip's name of the model in ``weights`` or ``pretrained``; ``NAME,TAG`` also names the open_clip
            weights that ``weights`` holds.
        pretrained: open_clip's tag of weights, which open_clip downloads or has in its cache; or a file.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        activation: the activation of the weights, if the user knows it.
        tower: the kind of image tower that the method needs; None for any.
        best: a key of `FILES`; the file that an error message advises if no weights are given.
        option: the option that names the file, for error messages.

    Raises:
        UsageError: a name is unknown, two options contradict each other, no weights are given, or the tower is of the
            other kind.
        DataError: the file cannot be used; keys that are missing, unexpected or of a wrong shape are named.
    """
    documented = False  # a tag beside a file says what the file holds
    if model is not None and "," in model:
        model, _, tag = (part.strip() for part in model.partition(","))
        if pretrained not in (None, tag):
            raise UsageError(f"model={model},{tag} and pretrained={pretrained} name two tags; give one")
        pretrained = tag
        documented = weights is not None
    if pretrained is not None and model is None:
        raise UsageError(f"pretrained={pretrained} needs a model of open_clip: add --set model=NAME")
    if pretrained is not None and Path(pretrained).exists():
        if weights is not None:
            raise UsageError(f"--weights {weights} and pretrained={pretrained} are two weights files; give one")
        weights, pretrained = pretrained, None
    if pretrained is not None and weights is not None and not documented:
        raise UsageError(f"--weights {weights} and pretrained={pretrained}: give one of them")
    if model is not None:
        opened = _of_open_clip(method, model, weights, pretrained, activation)
    else:
        opened = _of_file(
            method, _path(clip_advice(method, FILES[best], option), weights, split, tower, best), activation
        )
    found: Tower = "vit" if isinstance(opened.clip, VitClip) else "resnet"
    if tower is not None and found != tower:
        kinds = {"resnet": "a ResNet", "vit": "a vision transformer"}
        raise UsageError(f"{method} needs {kinds[tower]}, but {model or weights} has {kinds[found]}")
    opened.clip.to(torch.device(device)).eval().requires_grad_(False)
    # The text tower needs no gradient. With packed weights a text's feature does not depend on the other texts.
    count = sum(weight.numel() for weight in opened.clip.parameters())
    tris_model.fuse_for_inference(opened.clip.transformer)
    return opened._replace(parameter_count=count)


def _path(advice: str, weights: str | None, split: str | None, tower: Tower | None, best: str) -> Path:
    if weights is None and (split is None or not is_drawn(split)):
        get, _, shipped = advice.partition(", or ")
        raise UsageError(f"{get}, name one of open_clip's with --set model=… --set pretrained=…, or take {shipped}")
    if (weights is not None and weights not in NAMES) or Path("shapes").is_file():
        return tris_model.find_clip(weights or "shapes", advice)
    if tower == "resnet" or (tower is None and best == "resnet"):
        return tris_model.find_clip("shapes")
    return find_vit("shapes")


def _of_file(method: str, path: Path, activation: Activation | None) -> OpenedClip:
    """A weights file without a model name; a note tells the user what the file leaves open."""
    held = read_clip(path)
    config: VitConfig | tris_model.Config
    if '"clip-vit"' in held.metadata.get("config", ""):
        config = VitConfig.from_json(held.metadata["config"])
    elif "visual.class_embedding" in held.state:
        config = _vit_config(held, activation)
    elif "config" in held.metadata:
        config = tris_model.Config.from_json(held.metadata["config"])
    else:
        config = detect_clip(held.state)
    vit = isinstance(config, VitConfig)
    if not vit and not config.pool_grid:
        raise UsageError(
            f"{path} has no attention pool, which a CLIP needs to encode images; give the file of a whole CLIP"
        )
    if config.trimmed and ("config" in held.metadata or not vit):  # not CLIP's vocabulary: one of ours
        read = ClipReading(config.quick_gelu if vit else True, f"tiny {'ViT' if vit else 'RN'}", OURS)
    elif vit and "config" in held.metadata:
        read = ClipReading(config.quick_gelu, name_of(config), UNKNOWN, "the file's config")
    else:
        read = reading(method, held, name_of(config), activation)
    if vit:
        inside = held.state.get("transformer.resblocks.0.mlp.c_fc.bias")
        hidden = None if inside is None else len(inside)
        config = replace(config, quick_gelu=read.quick_gelu)
        clip = _filled(partial(VitClip, config, hidden), held.state, f"{path}")
    else:
        clip = _filled(partial(tris_model.Clip, config), held.state, f"{path}")
        if not read.quick_gelu:
            exact_gelu(clip)
    card = {
        "weights": tris_model.digest(path),
        **read.card(),
        **_entry(path),
        **({"trained_on": DRAWN} if config.trimmed else {}),
    }
    mean, deviation = held.settings.mean or MEAN, held.settings.deviation or DEVIATION
    return OpenedClip(clip, mean, deviation, card, notes=(*held.notes, *read.notes))


def _entry(path: Path) -> dict[str, str]:
    """The chosen entry of a file that holds several networks."""
    entry = split_entry(path)[1]
    return {} if entry is None else {"weights_entry": entry}


def _vit_config(held: ClipFile, activation: Activation | None) -> VitConfig:
    """The sizes of a vision transformer, from its tensors and the settings file beside them.

    Raises:
        UsageError: the tower is not one of OpenAI's, and nothing says its activation.
    """
    config, settings = vit_sizes(held.state), held.settings
    found = WIDE_HEADS.get((config.width, config.depth))
    if found is not None and settings.heads is None:
        name, channels = found
        if activation is None:
            raise UsageError(
                f"{held.path} has the sizes of {name}, which is not an OpenAI model, and does not say its "
                f"activation: add --set model={name} (gelu) or --set model={name}-quickgelu, or "
                "--set activation=gelu|quick_gelu"
            )
        config = replace(config, heads=config.width // channels)
    return replace(config, heads=settings.heads or config.heads, text_heads=settings.text_heads or config.text_heads)


def _of_open_clip(
    method: str, model: str, weights: str | None, pretrained: str | None, activation: Activation | None
) -> OpenedClip:
    from .open_clip_names import held_by, vit_config

    held = held_by(method, model, weights, pretrained, None if activation is None else activation == "quick_gelu")
    state, layers = held.state, held.sizes["vision_cfg"]["layers"]
    if isinstance(layers, list):
        found = replace(detect_clip(state), depth=tuple(layers))
        clip = _filled(partial(tris_model.Clip, found), state, f"{held.source} as {model}")
        if not held.quick_gelu:
            exact_gelu(clip)
    else:
        config = replace(vit_config(held.sizes), quick_gelu=held.quick_gelu)
        clip = _filled(partial(VitClip, config), state, f"{held.source} as {model}")
    read = ClipReading(held.quick_gelu, model, held.data, held.activation_from)
    return OpenedClip(
        clip, held.mean or MEAN, held.deviation or DEVIATION, {"weights": held.name, **read.card()}, notes=held.notes
    )


def vit_sizes(state: Mapping[str, Tensor]) -> VitConfig:
    """The sizes of a CLIP in OpenAI's layout, from its tensors; heads have 64 channels, as OpenAI's do."""

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
        text_heads=max(1, text.text_width // 64), embed=text.embed, trimmed=text.trimmed,
    )  # fmt: skip


def _filled(make: Callable[[], C], state: Mapping[str, Tensor], what: str) -> C:
    with torch.device("meta"):  # no default weights to draw and throw away
        clip = make()
    fill(clip, state, f"{what} (CLIP)")
    return clip


def name_of(config: tris_model.Config | VitConfig) -> str:
    """The usual name of these sizes, or a description if they have none."""
    if not isinstance(config, VitConfig):
        return config.backbone.removeprefix("clip-")
    kind = {(768, 12): "B", (1024, 24): "L", (1280, 32): "H", (1408, 40): "g", (1664, 48): "bigG"}
    size = "" if config.image_size == 224 else f"@{config.image_size}"
    return f"ViT-{kind.get((config.width, config.depth), f'{config.width}-wide')}/{config.patch}{size}"
