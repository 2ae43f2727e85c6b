"""AMR's weights from the authors' files and ours, checked name by name. Nothing in a file is ever executed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from risbench import DataError, UsageError
from tris_model import digest
from tris_model.files import Checkpoint, fill, missing, read, split_entry, weights_file, with_entry

from .._owners import owner_of
from .layout import aliases, looks_like_amr, looks_like_cam, sizes_of
from .network import AmrConfig, AmrNetwork, CamNetwork

SHIPPED = Path(__file__).parents[1] / "weights" / "shapes_amr.safetensors"
IMAGENET = "download.pytorch.org/models/resnet50-19c8e357.pth"
N = TypeVar("N", AmrNetwork, CamNetwork)


class LoadedAmr(NamedTuple):
    """A network and where it came from.

    Attributes:
        network: float32, in eval mode.
        digest: sha256 of the file.
        trained_on: the split that a file of ours names, or ``drawn scenes``; None where nothing says.
        notes: what the user should know of how the file was read, a sentence each.
    """

    network: AmrNetwork
    digest: str
    trained_on: str | None
    notes: tuple[str, ...]


def advice() -> str:
    """One line for who gave no weights."""
    return (
        "amr needs weights: pass --weights res50_amr.pth.pth, the authors' file for Pascal VOC's classes (linked from "
        "github.com/jieqin-ai/AMR; they append .pth twice), or train it (risbench train amr --recipe refcoco); or "
        "--weights shapes, the small one of the drawn world"
    )


def load(place: str | os.PathLike[str]) -> LoadedAmr:
    """See :func:`baselines.amr.load`."""
    file = read_amr(place)
    return LoadedAmr(file.network, digest(file.path), file.held.trained_on, file.held.notes)


class AmrFile(NamedTuple):
    """A file and the network that is built of it.

    Attributes:
        path: the file, with the entry that was chosen.
        held: what was read.
        state: its tensors, each once, under the names that a file of ours has.
        network: float32, in eval mode.
    """

    path: Path
    held: Checkpoint
    state: Mapping[str, Tensor]
    network: AmrNetwork


def read_amr(place: str | os.PathLike[str]) -> AmrFile:
    """A file's tensors and network; see :func:`baselines.amr.load` for what is refused."""
    path, entry = split_entry(place)
    if not path.exists():
        if str(place) != "shapes":
            raise missing(path, advice())
        path = SHIPPED
        if not path.exists():
            raise UsageError(f"the weights 'shapes' are incomplete: there is no file {path}; install risbench again")
    path = with_entry(weights_file(path), entry)
    held = read(path, looks_like_amr)
    if not looks_like_amr(held.state):
        raise DataError(f"{path} is {owner_of(held.state)}, and no AMR network; {advice()}")
    state, config = _checked(held.state, held.metadata, held.kind, str(path))
    return AmrFile(path, held, state, _built(AmrNetwork, config, state, f"{path} as AMR"))


def load_cam(path: str | os.PathLike[str]) -> CamNetwork:
    """The network of a CAM checkpoint, under the authors' names or ours.

    Raises:
        UsageError, DataError: see :func:`load`.
    """
    file, entry = split_entry(path)
    if not file.exists():
        raise missing(file, "give a CAM checkpoint (the authors' res50_cam.pth.pth), or leave cam.start out")
    place = with_entry(weights_file(file), entry)
    held = read(place, lambda names: looks_like_cam(names) or looks_like_amr(names))
    if not looks_like_cam(held.state):
        raise DataError(f"{place} is {owner_of(held.state)}, and no CAM network of one branch")
    state, config = _checked(held.state, held.metadata, held.kind, str(place))
    return _built(CamNetwork, config, state, f"{place} as a CAM network")


def load_imagenet(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The trunk's tensors in torchvision's file of a ResNet (``resnet50-19c8e357.pth``); its classifier is dropped.

    Raises:
        UsageError, DataError: see :func:`load`.
    """
    file, entry = split_entry(path)
    if not file.exists():
        raise missing(file, f"get {IMAGENET}")
    place = with_entry(weights_file(file), entry)
    held = read(place, lambda names: "layer1.0.conv1.weight" in names and "conv1.weight" in names)
    if "layer1.0.conv1.weight" not in held.state:
        raise DataError(f"{place} is {owner_of(held.state)}, and no ResNet of torchvision")
    return {key: value for key, value in held.state.items() if not key.startswith("fc.")}


def fill_trunk(trunk: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Give a trunk the tensors of another trunk; what modulation adds stays as it is.

    Raises:
        DataError: names that are missing, unexpected or misshapen.
    """
    drawn = {key: value for key, value in trunk.state_dict().items() if ".amm." in key}
    fill(trunk, {**state, **drawn}, what)


def _checked(
    state: Mapping[str, Tensor], metadata: Mapping[str, str], kind: str, source: str
) -> tuple[dict[str, Tensor], AmrConfig]:
    """Each tensor once, and the sizes."""
    if kind == "safetensors" and "config" in metadata:
        try:
            return dict(state), AmrConfig.from_json(metadata["config"])
        except (ValueError, TypeError, AttributeError):
            raise DataError(f"{source}: its configuration is not one of AMR; give another file") from None
    try:
        return _once(state, source), sizes_of(state)
    except ValueError as error:
        raise DataError(f"{source} cannot be used: {error}") from None


def _once(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """An authors' state with each tensor once.

    Raises:
        DataError: an alias is missing, or differs from its tensor.
    """
    found = {key: value for key, value in state.items() if key.startswith(("resnet50", "classifier"))}
    used = set(found)
    absent = []
    for key, value in found.items():
        for alias in aliases(key):
            used.add(alias)
            if alias not in state:
                absent.append(alias)
            elif not _same(value, state[alias]):
                raise DataError(
                    f"{source} holds two networks: {key} and {alias} are one weight in AMR, and differ here; save the "
                    "network's state_dict() again"
                )
    # An alias whose tensor is missing: as such it is unexpected, and the missing tensor is named by the comparison.
    others = {key: value for key, value in state.items() if key not in used}
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise DataError(
            f"{source} as AMR: {len(absent)} names are missing ({shown}); the authors' files have every name, so this "
            "one was cut or edited"
        )
    return {**found, **others}


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    tied = one.data_ptr() == other.data_ptr() and one.stride() == other.stride()
    return tied or torch.equal(one, other) or bool((one.isnan() & other.isnan() | (one == other)).all())


def _built(kind: type[N], config: AmrConfig, state: Mapping[str, Tensor], what: str) -> N:
    try:
        with torch.device("meta"):
            network = kind(config)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{what}: no network can be built with its sizes ({reason})") from None
    fill(network, state, what)
    return network.eval()
