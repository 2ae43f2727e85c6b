"""Read the settings file beside a CLIP's weights: activation, heads and pixel normalisation, which weights do not show.

Hugging Face's folders have ``config.json`` and ``preprocessor_config.json``; open_clip's have
``open_clip_config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from risbench.errors import DataError
from risbench.plain import plain

Three = tuple[float, float, float]
HUGGING_FACE, PIXELS, OPEN_CLIP = "config.json", "preprocessor_config.json", "open_clip_config.json"
_MOST_BYTES = 4 << 20
_EPSILON = 1e-5  # of every LayerNorm here, as OpenAI has it
# Values that transformers leaves out of config.json because they are its CLIP's defaults.
_HEADS = {"vision_config": 12, "text_config": 8}
_ACTIVATION = "quick_gelu"
_ACTIVATIONS = {"quick_gelu": True, "gelu": False}


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """The settings that are known besides the weights.

    Attributes:
        source: the file's name; None if there is no file.
        quick_gelu: True for OpenAI's activation, False for the exact GELU, None if unknown.
        heads, text_heads: number of attention heads of each tower; None if unknown.
        mean, deviation: normalisation of the pixels; None for OpenAI's.
    """

    source: str | None = None
    quick_gelu: bool | None = None
    heads: int | None = None
    text_heads: int | None = None
    mean: Three | None = None
    deviation: Three | None = None


def of_hugging_face(folder: Path) -> ClipSettings:
    """The settings in a folder in Hugging Face's layout; no settings if it has no ``config.json``.

    Raises:
        DataError: it is the configuration of another network, or of a CLIP that is not supported.
    """
    path = folder / HUGGING_FACE
    if not path.exists():
        return ClipSettings()
    settings = _json(path)
    if (kind := settings.get("model_type", "clip")) != "clip":
        raise DataError(f"{path} is the configuration of {plain(str(kind), 40)}, not of a CLIP as OpenAI made it")
    towers = {name: {**_mapping(settings.get(name)), **_mapping(settings.get(f"{name}_dict"))} for name in _HEADS}
    activations = {str(tower.get("hidden_act", _ACTIVATION)) for tower in towers.values()}
    if len(activations) != 1 or not activations <= set(_ACTIVATIONS):
        names = plain(" and ".join(sorted(activations)), 60)
        raise DataError(
            f"{path}: the activation {names} is not supported; both towers must use quick_gelu, or both gelu"
        )
    if any(abs(float(tower.get("layer_norm_eps", _EPSILON)) - _EPSILON) > 1e-12 for tower in towers.values()):
        raise DataError(f"{path}: layer_norm_eps must be {_EPSILON:g}; other values are not supported")
    heads = {name: tower.get("num_attention_heads", _HEADS[name]) for name, tower in towers.items()}
    if not all(type(count) is int and count > 0 for count in heads.values()):
        raise DataError(f"{path}: num_attention_heads is not a number of heads")
    pixels = _json(folder / PIXELS) if (folder / PIXELS).exists() else {}
    return ClipSettings(
        path.name,
        _ACTIVATIONS[activations.pop()],
        heads["vision_config"],
        heads["text_config"],
        _three(pixels.get("image_mean")),
        _three(pixels.get("image_std")),
    )


def of_open_clip(folder: Path) -> ClipSettings:
    """The settings in a folder in open_clip's layout; no settings if it has no ``open_clip_config.json``.

    Raises:
        DataError: its towers are of another kind than CLIP's own.
    """
    path = folder / OPEN_CLIP
    if not path.exists():
        return ClipSettings()
    settings = _json(path)
    model, pixels = _mapping(settings.get("model_cfg")), _mapping(settings.get("preprocess_cfg"))
    vision, text = _mapping(model.get("vision_cfg")), _mapping(model.get("text_cfg"))
    if odd := vision.get("timm_model_name") or text.get("hf_model_name"):
        raise DataError(f"{path}: a tower is {plain(str(odd), 60)}, and not one of CLIP's own")
    try:
        heads = (
            int(vision["width"]) // int(vision.get("head_width", 64))
            if not isinstance(vision["layers"], list)
            else None
        )
        text_heads = int(text["heads"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise DataError(f"{path} is not an open_clip configuration") from None
    return ClipSettings(
        path.name,
        bool(model.get("quick_gelu", False)),
        heads,
        text_heads,
        _three(pixels.get("mean")),
        _three(pixels.get("std")),
    )


def described(folder: Path) -> str | None:
    """The kind of network that a folder's settings files name; None if they name none."""
    for name in (HUGGING_FACE, OPEN_CLIP):
        if (folder / name).exists():
            try:
                settings = _json(folder / name)
            except DataError:
                return None
            vision = _mapping(_mapping(settings.get("model_cfg")).get("vision_cfg"))
            kind = settings.get("model_type") or vision.get("timm_model_name")
            return plain(f"{kind} by {name}", 100) if kind else None
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES >> 20} MiB")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({plain(str(error), 120)})") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} cannot be read (it is no JSON object)")
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _three(value: Any) -> Three | None:
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(one, (int, float)) for one in value):
        return None
    return (float(value[0]), float(value[1]), float(value[2]))
