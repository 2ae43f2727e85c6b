"""AMR as a method: the map of the class that an expression names, whichever object of it is meant.

The class is read off the text (``baselines/_words/classes.py``: rules and word lists, the annotation's category is not
looked at). All expressions of one class in an image share one map. An expression that names no class of the network's
is answered as the floor ``centre`` answers, and counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from risbench import Prediction, Sample, UsageError
from risbench.datasets.catalog import is_drawn

from .._words.classes import head
from ..floors.centre import Centre

if TYPE_CHECKING:
    from .network import ClassList
    from .weights_file import LoadedAmr

THRESHOLD = 0.20  # the authors'
DRAWN = 0.3  # with the small network of the drawn world, by `risbench sweep` on shapes_val, rules clean
MOST_PIXELS = 1024 * 1024  # of an image at scale 1; a larger one is shrunk to that
LEAST_SIDE = 32  # of an image at its smallest scale: a map of one position has no deviation, which modulation needs
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Qin et al., Activation Modulation and Recalibration Scheme for Weakly Supervised Semantic "
        "Segmentation, AAAI 2022",
        "code": "written anew; computes what github.com/jieqin-ai/AMR computes at de39168",
        "licence": "code: MIT; the authors' code and weights: Apache-2.0",
        "supervision": "class labels",
        "extra_data": "ImageNet (1.3 million labelled images)",
        "grade": "native",
        "threshold": THRESHOLD,
        "weights": None,
        "reads": (),
    }
)


class Amr:
    """Sees an image once for all its classes, where nothing is climbed; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the network.
        weights_notes: what a user should know of how the weights were read, a sentence each.
        facts: texts that name no class of the network's; images that were shrunk or enlarged; images whose maps were
            no numbers, all of whose texts are answered as ``centre``.
    """

    def __init__(
        self,
        loaded: LoadedAmr,
        *,
        device: str,
        scales: tuple[float, ...],
        adv_iter: int,
        statistics: Literal["batch", "running"],
        competitors: Literal["none", "siblings"],
        threshold: float | None,
    ):
        import torch  # here, so that methods can be listed without it

        from .network import class_names

        network = loaded.network.use(statistics).requires_grad_(False).to(torch.device(device))
        self._branches = network.branches
        self._classes: ClassList = network.config.classes
        self._places = {name: place for place, name in enumerate(class_names(self._classes))}
        drawn = loaded.trained_on == "drawn scenes"
        self._threshold = threshold if threshold is not None else DRAWN if drawn else THRESHOLD
        self._scales, self._adv_iter = scales, adv_iter
        self._siblings = competitors == "siblings"
        self._floor = Centre()
        self.parameter_count = sum(weight.numel() for weight in network.parameters())
        self.weights_notes = loaded.notes
        self.facts = {"texts_without_class": 0, "images_shrunk": 0, "images_enlarged": 0, "images_undefined": 0}
        origin: dict[str, Any] = {}
        if drawn:
            origin = {"extra_data": "none", "licence": "MIT", "trained_on": loaded.trained_on}
        elif loaded.trained_on is not None:
            origin = {"trained_on": loaded.trained_on}
        setting = {
            "scales": scales, "adv_iter": adv_iter, "statistics": statistics, "competitors": competitors,
            "classes": self._classes, "model": f"{len(scales)} scale{'s' * (len(scales) > 1)}, adv_iter {adv_iter}",
        }  # fmt: skip
        changes = {"threshold": self._threshold, "weights": loaded.digest, "reads": ("refs",) if self._siblings else ()}
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **origin, **setting, **changes})

    def predict(
        self, image: np.ndarray, texts: Sequence[str], samples: Sequence[Sample] | None = None
    ) -> list[Prediction]:
        """A heat for every text, float32 ``(H, W)`` in [0, 1], and the mask where it exceeds the threshold.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
            samples: not looked at; a method that declares that it reads its texts' company is given them.
        """
        named = [head(text, self._classes) for text in texts]
        self.facts["texts_without_class"] += sum(name is None for name in named)
        classes = sorted({self._places[name] for name in named if name is not None})
        floor = self._floor.predict(image, [""])[0]
        heats = self._heats(image, classes) if classes else None
        if heats is None:
            return [floor] * len(texts)
        pairs = zip(self._masks(heats), heats, strict=True)
        answers = [Prediction(mask=mask, heat=heat) for mask, heat in pairs]
        return [floor if name is None else answers[classes.index(self._places[name])] for name in named]

    def _masks(self, heats: np.ndarray) -> np.ndarray:
        """Where each of some heats ``(N, H, W)`` exceeds the threshold; of classes that compete the largest alone."""
        masks = heats > self._threshold
        if self._siblings:  # of equals the first, as in the authors' argmax
            masks &= heats.argmax(0) == np.arange(len(heats))[:, None, None]
        return masks

    def _heats(self, image: np.ndarray, classes: Sequence[int]) -> np.ndarray | None:
        """The maps of some classes, float32 ``(N, H, W)``; None where they are not numbers."""
        from tris_model.devices import computing

        from .maps import fused_maps, resized_maps

        given = self._fitted(image)
        with computing("float32"):
            _, maps = fused_maps(self._branches, given, classes, scales=self._scales, adv_iter=self._adv_iter)
        if not bool(maps.isfinite().all()):
            self.facts["images_undefined"] += 1
            return None
        return resized_maps(maps, image.shape[:2]).numpy()

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        """The image at a size that the network can take."""
        from PIL import Image

        height, width = image.shape[:2]
        least = math.ceil(LEAST_SIDE / min(1.0, *self._scales))
        factor = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5)
        rows, columns = (min(max(least, round(side * factor)), MOST_PIXELS // least) for side in (height, width))
        self.facts["images_enlarged"] += rows > height or columns > width
        self.facts["images_shrunk"] += rows < height or columns < width
        if (rows, columns) == (height, width):
            return image
        picture = Image.fromarray(np.ascontiguousarray(image))
        return np.asarray(picture.resize((columns, rows), Image.Resampling.BICUBIC))


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    scales: str = "1",
    adv_iter: int = 1,
    statistics: Literal["batch", "running"] = "batch",
    competitors: Literal["none", "siblings"] = "none",
    threshold: float | None = None,
) -> Amr:
    """Build the method.

    Args:
        weights: the authors' file, one of ours, or ``shapes``, the small network of the drawn world (which needs no
            asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        scales: of the image, numbers separated by commas, or ``authors`` for their seven. One scale by default, which
            is not the authors' setting.
        adv_iter: how often each class is looked at at each scale. By default 1, without climbing and without a backward
            pass, which is not the authors' setting: theirs is 27, 348 forward passes a class.
        statistics: what the spatial gates normalise with: ``batch``, the image and its mirror image, as the authors
            compute; ``running``, the stored statistics, as they meant.
        competitors: ``siblings``, a pixel belongs to the largest class among those that the texts of the call name, as
            the authors do with the true classes of an image. By default no class competes with another, so that an
            answer does not depend on the other texts of the call.
        threshold: where the heat becomes a mask; the authors' 0.20, in the drawn world the best of shapes_val.

    Raises:
        UsageError: no weights, or an option out of range.
        DataError: weights that cannot be used.
    """
    from .weights_file import advice, load

    if weights is None and (split is None or not is_drawn(split)):
        raise UsageError(advice())
    if adv_iter < 1:
        raise UsageError(f"adv_iter={adv_iter}: give 1 or more; the authors' is 27")
    if statistics not in ("batch", "running"):
        raise UsageError(f"statistics={statistics}: give batch or running")
    if competitors not in ("none", "siblings"):
        raise UsageError(f"competitors={competitors}: give none or siblings")
    if threshold is not None and not 0 <= threshold < 1:
        raise UsageError(f"threshold={threshold:g}: give a number from 0 to below 1")
    return Amr(
        load(weights or "shapes"),
        device=device,
        scales=_scales(scales),
        adv_iter=adv_iter,
        statistics=statistics,
        competitors=competitors,
        threshold=threshold,
    )


def _scales(given: str) -> tuple[float, ...]:
    if given == "authors":
        from .maps import SCALES

        return SCALES
    try:
        found = tuple(float(part) for part in given.split(","))
    except ValueError:
        found = ()
    if not found or not all(0.05 <= scale <= 8 for scale in found):
        raise UsageError(f"scales={given}: give numbers from 0.05 to 8 separated by commas, or authors")
    return found


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
