"""What open_clip's names mean here: the sizes of a model, and weights that it fetches or that lie in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

import tris_model
from risbench import DataError, UsageError
from risbench.plugins import near
from tris_model.checkpoint import read as read_checkpoint
from tris_model.clipfile import NOT_WEIGHTS, is_archive
from tris_model.clipfile import read as read_weights

from .vit import VitConfig

# What the configs of open_clip say of towers that are as OpenAI has them; every other key makes another network.
PLAIN_VISION = {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size"}
PLAIN_TEXT = {"context_length", "vocab_size", "width", "heads", "layers"}
Three = tuple[float, float, float]


class Held(NamedTuple):
    """Weights of a model of open_clip, and all that its name says of them.

    Attributes:
        state: by OpenAI's keys, floats as float32.
        source: where from, for errors.
        sizes: open_clip's config.
        quick_gelu: whether they were trained with OpenAI's activation.
        mean, deviation: of the pixels they were trained on; None where nothing says, which is OpenAI's.
        name: the file's sha256, or ``model/tag``.
    """

    state: Mapping[str, Tensor]
    source: str
    sizes: Mapping[str, Any]
    quick_gelu: bool
    mean: Three | None
    deviation: Three | None
    name: str


def held_by(method: str, model: str, weights: str | None, pretrained: str | None) -> Held:
    """The weights that a model's name and a file or a tag mean.

    Raises:
        UsageError: an unknown name or tag, with the near ones; towers of another kind; no weights.
        DataError: they cannot be had.
    """
    import open_clip

    sizes = plain_config(model)
    tags = open_clip.list_pretrained_tags_by_model(model)
    quick = bool(sizes.get("quick_gelu", False))
    if weights is not None:
        path = tris_model.find_clip(weights)
        return Held(
            read_weights(path), str(path), sizes, quick or made_by_openai(path), None, None, tris_model.digest(path)
        )
    if pretrained is None:
        told = f"; open_clip knows {', '.join(tags)}" if tags else ""
        raise UsageError(f"{method} with model={model} needs --weights FILE or --set pretrained=TAG{told}")
    if pretrained not in tags:
        raise UsageError(
            f"open_clip has no weights {pretrained!r} of {model}, nor is it a file: {near(pretrained, tags)}"
        )
    facts = open_clip.get_pretrained_cfg(model, pretrained)
    quick = quick or bool(facts.get("quick_gelu", False))
    state, name = _fetched(model, pretrained), f"{model}/{pretrained}"
    return Held(state, f"open_clip's {name}", sizes, quick, facts.get("mean"), facts.get("std"), name)


def plain_config(model: str) -> Mapping[str, Any]:
    """What open_clip says of a model, if both of its towers are as OpenAI has them.

    Raises:
        UsageError: no such name (near ones are told), or towers of another kind.
    """
    import open_clip

    sizes = open_clip.get_model_config(model) if model in open_clip.list_models() else None
    if sizes is None:
        raise UsageError(f"open_clip knows no model {model!r}: {near(model, open_clip.list_models())}")
    odd = sorted(
        {key for key in sizes if key not in ("embed_dim", "quick_gelu", "vision_cfg", "text_cfg")}
        | set(sizes["vision_cfg"]) - PLAIN_VISION
        | set(sizes["text_cfg"]) - PLAIN_TEXT
    )
    if odd:
        raise UsageError(
            f"model={model}: its towers are not CLIP's own ResNet or transformer ({', '.join(odd[:3])} …), and the "
            "methods look inside those; take RN50, RN101, ViT-B-32, ViT-B-16, ViT-L-14, ViT-H-14 or another of them"
        )
    return sizes


def vit_config(sizes: Mapping[str, Any]) -> VitConfig:
    """The sizes of a transformer from open_clip's config."""
    vision, text = sizes["vision_cfg"], sizes["text_cfg"]
    return VitConfig(
        image_size=vision["image_size"], patch=vision["patch_size"], width=vision["width"], depth=vision["layers"],
        heads=vision["width"] // vision.get("head_width", 64), hidden=int(vision["width"] * vision.get("mlp_ratio", 4)),
        context=text["context_length"], vocabulary=text["vocab_size"], text_width=text["width"],
        text_depth=text["layers"], text_heads=text["heads"], embed=sizes["embed_dim"],
        quick_gelu=bool(sizes.get("quick_gelu", False)),
    )  # fmt: skip


def made_by_openai(path: Path) -> bool:
    """Is a file OpenAI's, as it came (a TorchScript archive), as a state dict made of one, or by its hash?"""
    if is_archive(path) or set(NOT_WEIGHTS) & set(read_checkpoint(path).state):
        return True
    import open_clip

    known = {
        facts.get("url", "").split("/")[-2]
        for name, tag in open_clip.list_pretrained()
        if "openaipublic" in (facts := open_clip.get_pretrained_cfg(name, tag)).get("url", "")
    }
    return tris_model.digest(path) in known


def _fetched(model: str, tag: str) -> dict[str, Tensor]:
    import open_clip

    try:
        network = open_clip.create_model(model, pretrained=tag, precision="fp32", require_pretrained=True)
    except Exception as error:  # whatever a hub, a proxy or a cache raises
        line = " ".join(str(error).split())[:120]
        raise DataError(
            f"open_clip could not get {model}/{tag}: is there a network? Or get the file yourself and pass it with "
            f"--weights FILE --set model={model} ({type(error).__name__}: {line} …)"
        ) from None
    return {key: value.float() for key, value in network.state_dict().items()}  # pyright: ignore[reportAttributeAccessIssue]
