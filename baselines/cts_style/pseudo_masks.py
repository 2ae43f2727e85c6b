"""Pseudo masks: of an object's proposals the one that fits its contour map best, in a folder that can be resumed.

``head.json`` says what the masks depend on; each object has a file ``<index>_<image>.png`` (0 and 255). A killed
training goes on with the objects that have no file yet.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from risbench import DataError
from risbench.datasets.images import read_image
from risbench.io.atomic import write_whole
from risbench.machine import processors
from tris_model import digest
from tris_model.ranges import Count, Share
from tris_model.train.loop import settle_head, share

from .boxed import BoxedObject, window_round
from .contour import ContourNetwork, contour_maps
from .contour_train import load_contour
from .grid_cuts import cut_window
from .proposal_file import ProposalFile

PIECE = 16  # images; what a process does at a time
THRESHOLD = 0.3  # of the contour map, in parts of its largest value
HOLDS = "pseudo masks of another contour network, of other proposals or by another recipe"


@dataclass(frozen=True, slots=True)
class MaskRecipe:
    """How pseudo masks are chosen.

    Attributes:
        proposals: a file of them, see :mod:`baselines.cts_style.proposal_file`; None cuts the pixel grid.
        threshold: above which the contour map counts, in parts of its largest value.
        processes: number of processes on the CPU, by default one per core. It changes no result.
    """

    proposals: str | None = None
    threshold: Share = THRESHOLD
    processes: Count | None = None


def best_proposal(proposals: np.ndarray, contour: np.ndarray, threshold: float = THRESHOLD) -> int:
    """The proposal with the largest overlap with the thresholded contour map.

    Args:
        proposals: bool ``(N, H, W)``.
        contour: float ``(H, W)``, not negative.
        threshold: in parts of the map's largest value, which itself always counts.

    Returns:
        The index of the largest intersection over union; of equal ones the first. A contour that is 0 everywhere fits
        no proposal, and gives 0.

    Raises:
        DataError: there are no proposals, or they have another size than the map.
    """
    if proposals.ndim != 3 or not len(proposals) or proposals.shape[1:] != contour.shape:
        raise DataError(f"proposals are bool (N, H, W), N at least 1, like the contour map {contour.shape}, "
                        f"not {proposals.shape}")  # fmt: skip
    highest = contour.max(initial=0.0)
    line = (contour >= min(highest, np.nextafter(threshold * highest, np.inf))) & (contour > 0)
    together = (proposals & line).sum((1, 2))
    either = (proposals | line).sum((1, 2))
    return int((together / np.maximum(either, 1)).argmax())


def pseudo_masks(
    network: ContourNetwork, image: np.ndarray, things: Sequence[BoxedObject], recipe: MaskRecipe,
    brought: ProposalFile | None = None,
) -> list[np.ndarray]:  # fmt: skip
    """The pseudo masks of an image's objects, each bool ``(H, W)`` within its box and never empty.

    Args:
        network: the contour network.
        image: uint8 ``(H, W, 3)``.
        things: objects of this image.
        recipe: of the choice.
        brought: proposals of a file, in place of cuts.
    """
    size = (image.shape[0], image.shape[1])
    windows = [window_round(thing.box, size) for thing in things]
    found = []
    for thing, window, contour in zip(things, windows, contour_maps(network, image, windows), strict=True):
        some = cut_window(window.of(image), window.inside) if brought is None else brought.proposals(thing)
        if brought is not None:  # nothing of them lies outside of the box
            some = some[:, window.rows, window.columns]
        found.append(window.back(some[best_proposal(some, contour, recipe.threshold)], size))
    return found


def write_masks(
    things: Sequence[BoxedObject], contour: Path, recipe: MaskRecipe, folder: Path, device: str, *,
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Write the pseudo mask of every object that has none yet; ranks and processes share the images.

    Args:
        things: the objects, those of an image side by side or not.
        contour: the contour network's file.
        recipe: of the choice.
        folder: for the masks.
        device: ``cpu``, ``cuda`` or ``cuda:N``, for the contour network.
        overwrite: remove masks that depend on something else, instead of refusing them.

    Raises:
        DataError: the folder holds other masks, or the file of proposals cannot be used.
        Stopped: after Ctrl-C.
    """
    brought = None if recipe.proposals is None else digest(ProposalFile(recipe.proposals).path)
    head = {
        "contour": digest(contour), "proposals": brought, "threshold": recipe.threshold, "objects": len(things),
        "last": things[-1].name,
    }  # fmt: skip
    settle_head(folder / "head.json", head, HOLDS, overwrite=overwrite)
    there = {path.stem for path in folder.glob("*.png")}
    missing = sorted((one for one in things if one.name not in there), key=lambda one: str(one.image_path))
    if not missing:
        return
    images = [list(group) for _, group in groupby(missing, key=lambda one: one.image_path)]
    pieces = [images[at : at + PIECE] for at in range(0, len(images), PIECE)]
    count = 1 if device.startswith("cuda") else recipe.processes or processors()
    share("masks", _Writer(contour, recipe, folder, device), pieces, count)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the masks of some images; can be sent to another process."""

    contour: Path
    recipe: MaskRecipe
    folder: Path
    device: str

    def __call__(self, images: Sequence[Sequence[BoxedObject]]) -> None:
        network, brought = _opened(self.contour, self.device, self.recipe.proposals)
        for things in images:
            image = read_image(things[0].image_path, things[0].size)
            masks = pseudo_masks(network, image, things, self.recipe, brought)
            for thing, mask in zip(things, masks, strict=True):
                content = io.BytesIO()
                Image.fromarray(mask.view(np.uint8) * 255).save(content, format="PNG")
                path = self.folder / f"{thing.name}.png"
                try:
                    write_whole(path, lambda file, content=content: file.write(content.getvalue()))
                except OSError as error:
                    raise DataError(f"{path} cannot be written: {error.strerror}") from None


@lru_cache(maxsize=1)
def _opened(contour: Path, device: str, proposals: str | None) -> tuple[ContourNetwork, ProposalFile | None]:
    """Once a process."""
    return load_contour(contour).to(device), None if proposals is None else ProposalFile(proposals)


def read_mask(folder: Path, thing: BoxedObject) -> np.ndarray:
    """A mask that :func:`write_masks` wrote: bool ``(H, W)``.

    Raises:
        DataError: the file is missing or broken, or has another size.
    """
    path = folder / f"{thing.name}.png"
    try:
        with Image.open(path) as image:
            pixels = np.array(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it and run --stage masks again") from None
    if pixels.dtype != np.uint8 or pixels.shape != tuple(thing.size) or not set(np.unique(pixels)) <= {0, 255}:
        raise DataError(f"{path} is not a mask of {thing.size[0]} x {thing.size[1]} pixels of 0 and 255; delete it")
    return pixels == 255
