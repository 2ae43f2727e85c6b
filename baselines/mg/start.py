"""What an MG training begins with: the text side that its recipe names, and a trunk that is drawn or from ImageNet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from risbench import DataError, UsageError
from tris_model.files import fill, missing, read

from .config import MgConfig
from .network import MgNetwork, drawn_mg
from .vgg import MEAN, MgLevels
from .words import OwnWords, TextSource

if TYPE_CHECKING:
    from .train import MgRecipe

VGG16 = "https://download.pytorch.org/models/vgg16-397923af.pth"
# What torchvision subtracts from pixels from 0 to 1, and what it divides them by.
TORCHVISION_MEAN, TORCHVISION_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def text_side(recipe: MgRecipe, texts: Sequence[str]) -> tuple[MgConfig, TextSource, Mapping[str, str]]:
    """The network's config, what makes tensors of its texts, and what its file says of them.

    Raises:
        UsageError: the network mixes ELMo's layers, but the recipe names no file of them; or there is no such file.
        DataError: the file is no file of ELMo's features, or lacks a text of the split.
    """
    config = recipe.network
    if recipe.text == "bilstm":
        if config.text != "bilstm":
            raise UsageError(
                "mg.text is bilstm, but mg.network.text is elmo: its features come from a file, --set text=FILE.npz; "
                "or learn words with --set network.text=bilstm"
            )
        own = OwnWords.of(texts)
        return replace(config, vocabulary=len(own)), own, {"vocabulary": json.dumps(own.words)}
    from .elmo_file import ElmoFile

    file = ElmoFile(recipe.text, config)
    file.check(texts)
    return replace(config, vocabulary=0), file, {}


def started(recipe: MgRecipe) -> MgNetwork:
    """The network before it learns.

    Raises:
        UsageError: there is no file of VGG16.
        DataError: it is no VGG16.
    """
    torch.manual_seed(recipe.seed)
    network = drawn_mg(recipe.network)
    if recipe.vgg is not None:
        put_vgg(network.vgg, recipe.vgg)
    network.vgg.requires_grad_(recipe.trunk_learns)
    if recipe.network.mix != "stored" and recipe.network.text == "elmo":
        network.text.Aggr_W.requires_grad_(False)  # pyright: ignore[reportAttributeAccessIssue] - it gets no gradient
    return network


def put_vgg(trunk: MgLevels, place: str) -> None:
    """Give a trunk the weights of torchvision's VGG16, for pixels from 0 to 255 with the mean subtracted.

    Torchvision's network reads pixels from 0 to 1 that are also divided by their deviation. Both go into the first
    convolution, so that the same features come out, but for the outermost pixels, where the padding means another grey.
    """
    path = Path(place)
    if not path.is_file():
        raise missing(path, f"get {VGG16} and pass --set vgg=FILE, or --set vgg=none to draw the trunk")
    state = read(path).state
    names = [name for name, _ in trunk.named_children()]
    numbers = sorted(
        {int(key.split(".")[1]) for key in state if key.startswith("features.") and key.endswith(".weight")}
    )
    if len(numbers) < len(names):
        raise DataError(f"{path} is no VGG16 of torchvision: it has no key features.0.weight; get {VGG16}")
    given = {
        f"{name}.{part}": state[f"features.{number}.{part}"].float()
        for name, number in zip(names, numbers, strict=False)
        for part in ("weight", "bias")
        if f"features.{number}.{part}" in state
    }
    mean, deviation = (torch.tensor(one)[:, None, None] for one in (TORCHVISION_MEAN, TORCHVISION_DEVIATION))
    weight, bias = given["conv1_1.weight"] / (255 * deviation), given["conv1_1.bias"]
    moved = (weight * (torch.tensor(MEAN)[:, None, None] - 255 * mean)).sum((1, 2, 3))
    fill(trunk, {**given, "conv1_1.weight": weight, "conv1_1.bias": bias + moved}, f"{path} as torchvision's VGG16")
