"""Model names of open_clip. A name gives the sizes of a model; its weights are downloaded or come from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

import tris_model
from risbench import DataError, UsageError
from risbench.plugins import near
from tris_model.files import clip_advice, read_clip

from .provenance import PAIRS, UNKNOWN, like_openai, of_openai
from .vit import VitConfig

# The keys in open_clip's configs for towers like OpenAI's; any other key means another network.
PLAIN_VISION = {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size"}
PLAIN_TEXT = {"context_length", "vocab_size", "width", "heads", "layers"}
Three = tuple[float, float, float]


class OpenClipWeights(NamedTuple):
    """The weights of an open_clip model, and what its name says about them.

    Attributes:
        state: tensors under OpenAI's keys, floats as float32.
        source: where the weights come from, for error messages.
        sizes: open_clip's config.
        quick_gelu: whether the weights were trained with OpenAI's activation.
        mean, deviation: normalisation of the pixels; None means OpenAI's.
        name: the file's sha256, or ``model/tag``.
        data: the training data, in words.
        activation_from: how the activation is known.
        notes: what the user should know, one sentence each.
    """

    state: Mapping[str, Tensor]
    source: str
    sizes: Mapping[str, Any]
    quick_gelu: bool
    mean: Three | None
    deviation: Three | None
    name: str
    data: str
    activation_from: str
    notes: tuple[str, ...] = ()


def held_by(
    method: str, model: str, weights: str | None, pretrained: str | None, quick_gelu: bool | None = None
) -> OpenClipWeights:
    """The weights that a model name and a file or a tag stand for.

    Args:
        method: its name, for error messages.
        model: open_clip's name.
        weights: a file; ``pretrained`` then names the open_clip weights that it holds.
        pretrained: open_clip's tag.
        quick_gelu: the user's choice of activation; None if there is none.

    Raises:
        UsageError: the name or tag is unknown (similar names are listed), the towers are of another kind, or no weights
            are given.
        DataError: the weights cannot be read or downloaded.
    """
    import open_clip

    sizes = plain_config(model)
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained is not None and pretrained not in tags:
        raise UsageError(
            f"open_clip has no weights {pretrained!r} for {model}, and there is no such file: {near(pretrained, tags)}"
        )
    facts = open_clip.get_pretrained_cfg(model, pretrained) if pretrained is not None else {}
    quick, source = bool(sizes.get("quick_gelu", False) or facts.get("quick_gelu", False)), f"open_clip's {model}"
    mean, deviation = facts.get("mean"), facts.get("std")
    data = _data(model, pretrained)
    if weights is None and pretrained is None:
        tags_text = f"; open_clip knows {', '.join(tags)}" if tags else ""
        raise UsageError(f"{method} with model={model} needs --weights FILE or --set pretrained=TAG{tags_text}")
    if weights is None:
        assert pretrained is not None
        if quick_gelu is not None:
            quick, source = quick_gelu, "--set activation"
        state, name = _fetched(model, pretrained), f"{model}/{pretrained}"
        return OpenClipWeights(state, f"open_clip's {name}", sizes, quick, mean, deviation, name, data, source)
    path = tris_model.find_clip(weights, clip_advice(method))
    held = read_clip(path)
    if like_openai(held) or of_openai(path) is not None:
        quick, source = True, "the form of OpenAI's files"
        data = _data(model, "openai") if of_openai(path) is not None else data
    if quick_gelu is not None:
        quick, source = quick_gelu, "--set activation"
    mean, deviation = mean or held.settings.mean, deviation or held.settings.deviation
    notes = held.notes
    if pretrained is None and source.startswith("open_clip's"):
        activation = "quick_gelu" if quick else "gelu"
        notes = (
            *notes,
            f"{method}: {path} is read as open_clip's {model} with {activation} (model=NAME,TAG says which weights)",
        )
    return OpenClipWeights(
        held.state, str(path), sizes, quick, mean, deviation, tris_model.digest(path), data, source, notes
    )


def _data(model: str, tag: str | None) -> str:
    """The training data of a tag's weights; a model name alone does not tell it."""
    if tag is None:
        return UNKNOWN
    return f"CLIP {model} ({PAIRS})" if tag == "openai" else f"CLIP {model}, open_clip's {tag}"


def plain_config(model: str) -> Mapping[str, Any]:
    """open_clip's config of a model whose two towers are built like OpenAI's.

    Raises:
        UsageError: the name is unknown (similar names are listed), or the towers are of another kind.
    """
    import open_clip

    if model.startswith(("hf-hub:", "local-dir:")):
        raise UsageError(f"model={model}: give it as --weights {model.removeprefix('local-dir:')}, and leave model out")
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
