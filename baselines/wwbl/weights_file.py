"""WWbL's weights, checked key by key: the authors' state dict, or a file of ours.

What the authors publish is no state dict but the whole network, pickled with its classes. ``risbench weights convert``
takes the tensors out of it (see ``converter``); here such a file is refused in a line that names the command.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from risbench import DataError, UsageError
from tris_model import digest
from tris_model.files import fill, missing, module_class, read, split_entry, weights_file, with_entry

from .._owners import owner_of
from .network import WWbLConfig, WWbLNetwork

SHIPPED = Path(__file__).parents[1] / "weights" / "shapes_wwbl.safetensors"
SOURCE = "github.com/talshaharabany/what-is-where-by-looking"
FIRST = "E.Org_model.0.weight"
# What the names of other networks' weights begin with or hold.


class LoadedWWbL(NamedTuple):
    """A network and where it came from.

    Attributes:
        network: float32, in eval mode.
        digest: sha256 of the file.
        ours: whether its file names a recipe or sizes, which the authors' do not.
        trained_on: the split that a file of ours names, or ``drawn scenes``; None where nothing says.
        notes: what the user should know of how the file was read, a sentence each.
    """

    network: WWbLNetwork
    digest: str
    ours: bool
    trained_on: str | None
    notes: tuple[str, ...]


def looks_like_wwbl(names: Collection[str]) -> bool:
    """Whether a set of names is that of a WWbL network."""
    return FIRST in names


def advice() -> str:
    """One line for who gave no weights."""
    return (
        f"wwbl needs weights: get the authors' net_best.pth (linked from {SOURCE}), run `risbench weights convert "
        "net_best.pth wwbl.safetensors` and pass --weights wwbl.safetensors, and a CLIP ViT-B/32 with --set clip=FILE; "
        "or --weights shapes, the small one of the drawn world"
    )


def open_weights(place: str | os.PathLike[str]) -> LoadedWWbL:
    """A network with exactly the weights of a file.

    Args:
        place: the authors' state dict with or without ``module.`` before its names, a file of ours, or ``shapes``.

    Raises:
        UsageError: there is no such file.
        DataError: broken, a whole pickled network, another method's, or keys that are missing, unexpected or misshapen.
    """
    path, entry = split_entry(place)
    if not path.exists():
        if str(place) != "shapes":
            raise missing(path, advice())
        path = SHIPPED
        if not path.exists():
            raise UsageError(f"the weights 'shapes' are incomplete: there is no file {path}; install risbench again")
    file = weights_file(path)
    if (found := module_class(file)) is not None:
        raise DataError(
            f"{file} was not opened: it is a whole pickled network (its class is {found:.80}) and no state dict; run "
            f"`risbench weights convert {file} {file.with_suffix('.safetensors')}`, which reads it without running it, "
            "and give that file"
        )
    path = with_entry(file, entry)
    held = read(path, looks_like_wwbl)
    if not looks_like_wwbl(held.state):
        raise DataError(f"{path} is {owner_of(held.state)}, and no WWbL (it has no key {FIRST}); {advice()}")
    ours = "config" in held.metadata
    config = WWbLConfig.from_json(held.metadata["config"]) if ours else WWbLConfig()
    network = built(config, held.state, f"{path} as WWbL")
    return LoadedWWbL(network, digest(path), "recipe" in held.metadata, held.trained_on, held.notes)


def load(path: str | os.PathLike[str], device: str = "cpu") -> WWbLNetwork:
    """WWbL's network from a file, float32, in eval mode.

    Args:
        path: the authors' plain state dict (62 entries ``E.Org_model.*`` and ``D.*``, with or without ``module.``
            before each), a file of ours or one that ``risbench weights convert`` wrote, or ``shapes``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        ``net(images, text)``: images ``(B, 3, S, S)`` of mean and deviation 0.5 and text ``(B, 512)`` of unit length ->
        ``(B, 1, S, S)`` after the sigmoid. ``net.attention(images, text)`` -> ``(B, 1, S / 8, S / 8)``.

    Raises:
        UsageError: there is no such file.
        DataError: the file is broken, of another method, the whole pickled network (``risbench weights convert`` makes
            a state dict of it), or its keys and shapes are not those of the network; they are named.
    """
    return open_weights(path).network.to(torch.device(device))


def built(config: WWbLConfig, state: Mapping[str, Tensor], what: str) -> WWbLNetwork:
    """The network of a config with exactly these weights.

    Raises:
        DataError: keys or shapes differ, by name.
    """
    if sum(map(len, config.widths)) > len(state):
        raise DataError(f"{what}: {len(state)} keys are too few for the convolutions that its config names")
    with torch.device("meta"):  # no default weights to draw and throw away
        network = WWbLNetwork(config)
    fill(network, state, what)
    return network.eval().requires_grad_(False)
