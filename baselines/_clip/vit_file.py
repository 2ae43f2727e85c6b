"""Files of our own CLIPs with a vision transformer: safetensors whose header holds the config."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from risbench import DataError, UsageError
from tris_model.devices import pick
from tris_model.files import fill, find_clip, looks_like_clip, read

from .vit import VitClip, VitConfig

FOLDER = Path(__file__).parents[1] / "weights"
SHIPPED = FOLDER / "shapes_clip_vit.safetensors"


def find_vit(path_or_name: str | os.PathLike[str]) -> Path:
    """The file that is meant: a path, or ``shapes``, the shipped one. A file of that name goes first.

    Raises:
        UsageError: neither a file nor the name, or the shipped file is not there.
        DataError: a folder with no weights, or with several.
    """
    path = Path(path_or_name)
    if str(path_or_name) != "shapes" or path.is_file():
        return find_clip(path, "--weights shapes is the tiny CLIP of the drawn world")
    if not SHIPPED.exists():
        raise UsageError(f"the weights 'shapes' lack their CLIP with a vision transformer: no {SHIPPED}")
    return SHIPPED


def load_vit(path_or_name: str | os.PathLike[str], device: str = "cpu") -> VitClip:
    """A CLIP with a vision transformer that was trained here, float32, in eval mode.

    Args:
        path_or_name: see :func:`find_vit`.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.

    Raises:
        UsageError: neither a file nor a name, or the device is not there.
        DataError: the file is broken, of another network, or its keys and shapes are not those of its config.
    """
    place = pick(device)
    path = find_vit(path_or_name)
    held = read(path, looks_like_clip)
    if "config" not in held.metadata:
        raise DataError(f"{path} does not say its sizes: it is no CLIP that was trained here")
    config = VitConfig.from_json(held.metadata["config"])
    with torch.device("meta"):  # no default weights to draw and throw away
        network = VitClip(config)
    fill(network, held.state, f"{path} as a CLIP with a vision transformer")
    return network.eval().to(place)
