"""MG's weights, checked key by key: the authors' TensorFlow checkpoint as it is, or safetensors of ours."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor

from risbench import DataError, UsageError
from risbench.plugins import near
from tris_model import digest
from tris_model.files import fill, missing, read, split_entry, weights_file, with_entry

from .._owners import owner_of
from .bundle import Bundle, is_bundle
from .config import MgConfig, Mix, in_edition
from .layout import config_of, looks_like_authors, state_of
from .network import MgNetwork

SHIPPED = Path(__file__).parents[1] / "weights" / "shapes_mg.safetensors"
SOURCE = "github.com/hassanhub/MultiGrounding"
MIXES = ("stored", "thirds", "given")


class LoadedMg(NamedTuple):
    """A network and where it came from.

    Attributes:
        network: float32, in eval mode.
        digest: sha256 of the file, or of a checkpoint's index, which holds checksums of all else.
        ours: whether its file names a recipe, which the authors' does not.
        trained_on: the split that a file of ours names, or ``drawn scenes``; None where nothing says.
        metadata: of the file.
        notes: what the user should know of how the file was read, a sentence each.
    """

    network: MgNetwork
    digest: str
    ours: bool
    trained_on: str | None
    metadata: Mapping[str, str]
    notes: tuple[str, ...]


def looks_like_mg(names: Collection[str]) -> bool:
    """Whether a set of names is that of an MG network of ours."""
    return any(name.startswith("image_mapping.v1.") for name in names)


def advice() -> str:
    """One line for who gave no weights."""
    return (
        f"mg needs weights: get the authors' models.tar (linked from {SOURCE}), and pass --weights PREFIX, its "
        "TensorFlow checkpoint of a VGG-16 without `.index`, and --set text=FILE.npz, ELMo's features of the texts; or "
        "--weights shapes, the small one of the drawn world"
    )


def open_weights(place: str | os.PathLike[str], *, mix: str | None = None, edition: str | None = None) -> LoadedMg:
    """A network with exactly the weights of a file.

    Args:
        place: a TensorFlow checkpoint (its prefix, one of its files or its folder), a file of ours, or ``shapes``.
        mix: of ELMo's layers, in place of the config's; see :class:`baselines.mg.config.MgConfig`.
        edition: ``code`` or ``notebooks``, in place of what the config says of levels, grid and norms.

    Raises:
        UsageError: there is no such file, or an option that does not fit.
        DataError: broken, another method's, or variables that are missing, unexpected or misshapen.
    """
    path, entry = split_entry(place)
    if is_bundle(path):
        bundle = Bundle(path)
        config, state, notes = from_bundle(bundle)
        what, index = f"{bundle.prefix} as MG", Path(f"{bundle.prefix}.index")
        network = built(chosen(config, mix, edition), state, what)
        return LoadedMg(network, hashlib.sha256(index.read_bytes()).hexdigest(), False, None, {}, notes)
    if not path.exists():
        if str(place) != "shapes":
            raise missing(path, advice())
        path = SHIPPED
        if not path.exists():
            raise UsageError(f"the weights 'shapes' are incomplete: there is no file {path}; install risbench again")
    path = with_entry(weights_file(path), entry)
    held = read(path, looks_like_mg)
    if not looks_like_mg(held.state):
        raise DataError(f"{path} is {owner_of(held.state)}, and no MG; {advice()}")
    if "config" not in held.metadata:
        raise DataError(f"{path} has the names of an MG but no config, which says how they are used; convert it again")
    config = chosen(MgConfig.from_json(held.metadata["config"]), mix, edition)
    network = built(config, held.state, f"{path} as MG")
    return LoadedMg(network, digest(path), "recipe" in held.metadata, held.trained_on, held.metadata, held.notes)


def load(
    path: str | os.PathLike[str], device: str = "cpu", *, mix: str | None = None, edition: str | None = None
) -> MgNetwork:
    """MG's network from a file, float32, in eval mode.

    Args:
        path: the prefix of the authors' TensorFlow checkpoint (V2; VGG-16 with ELMo or with a BiLSTM, which its names
            tell apart, and with heads of any kernel and depth), a file that ``risbench weights convert`` made of one, a
            training of ours, or ``shapes``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        mix: how ELMo's layers are mixed: ``thirds`` is the authors' inference, which never restores the learnt weights,
            and the default; ``stored`` uses them, as their training does.
        edition: ``code``, the published programs, or ``notebooks``, the older ones of the paper's numbers, which differ
            in the order of the levels, their size and more (:data:`baselines.mg.config.EDITIONS`).

    Returns:
        See :class:`baselines.mg.network.MgNetwork`, above all its ``word_maps``.

    Raises:
        UsageError: there is no such file, or an option that does not fit.
        DataError: the file is broken, of another method, of TensorFlow's first format, an MG with PNASNet, or its
            variables are not those of the network; they are named.
    """
    return open_weights(path, mix=mix, edition=edition).network.to(torch.device(device))


def from_bundle(bundle: Bundle) -> tuple[MgConfig, dict[str, Tensor], tuple[str, ...]]:
    """Config, tensors and remarks of the authors' checkpoint.

    Raises:
        DataError: it is none of MG's, or broken.
    """
    if not looks_like_authors(bundle.entries):
        some = ", ".join(list(bundle.entries)[:3]) or "nothing"
        raise DataError(
            f"{bundle.prefix} is a TensorFlow checkpoint of another network (it has {some:.120}); {advice()}"
        )
    note = "The authors' file also holds VGG's fc6 and fc7, which no part of MG reads; they were left out."
    unread = any("/vgg_16/fc" in name for name in bundle.entries)
    return config_of(bundle), state_of(bundle), (note,) if unread else ()


def chosen(config: MgConfig, mix: str | None, edition: str | None) -> MgConfig:
    """A config with a user's choices.

    Raises:
        UsageError: a choice that does not fit.
    """
    if edition is not None:
        config = in_edition(config, edition)
    if mix is None:
        return config
    if mix not in MIXES:
        raise UsageError(f"mix={mix}: {near(mix, MIXES)}")
    if config.text != "elmo":
        raise UsageError(
            "mix= chooses how ELMo's layers are mixed, and these weights have a BiLSTM of their own; leave it out"
        )
    return replace(config, mix=cast(Mix, mix))


def built(config: MgConfig, state: Mapping[str, Tensor], what: str) -> MgNetwork:
    """The network of a config with exactly these weights.

    Raises:
        DataError: keys or shapes differ, by name.
    """
    if sum(map(len, config.widths)) + len(config.levels) * len(config.head) > len(state):
        raise DataError(f"{what}: {len(state)} keys are too few for the convolutions that its config names")
    with torch.device("meta"):  # no default weights to draw and throw away
        network = MgNetwork(config)
    fill(network, state, what)
    return network.eval().requires_grad_(False)
