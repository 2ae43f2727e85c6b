"""GroupViT: the network divides an image into groups, learned from text supervision alone; a text selects groups.

The network is that of transformers, with the authors' weights. The post-processing is rebuilt from the paper and from
the authors' code: the short side is 448, the two groupings are multiplied, maps are resized bilinearly to the image,
and every pixel is given to one group. The authors then assign a class from a closed list to every group. A referring
expression is not such a list. So three ways to read the groups are offered (see ``readings``), and the list of
competitors is an option. Published results of GroupViT for this task differ from one another for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from risbench import Prediction, Sample, UsageError
from risbench.datasets.catalog import is_drawn

if TYPE_CHECKING:
    from torch import Tensor

    from .features import GroupFeatures
    from .readings import Reading

CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Xu et al., GroupViT: Semantic Segmentation Emerges from Text Supervision, CVPR 2022",
        "code": "transformers' port (Apache-2.0); post-processing rebuilt after github.com/NVlabs/GroupViT at 13b7861",
        "licence": "weights: NVIDIA Source Code License, non-commercial; transformers' port: Apache-2.0",
        "supervision": "none",
        "extra_data": "GCC and YFCC (26 million image-text pairs), or GCC and RedCaps",
        "grade": "hosted",
        # A mask consists of whole groups, so there is no threshold unless one is set.
        "threshold": None,
        "weights": None,
        "reads": (),
    }
)


class GroupViT:
    """The method; it encodes each image once. See :func:`make` for the options.

    Attributes:
        card: the method's card, frozen.
        parameter_count: number of the network's parameters.
        weights_notes: what a user should know about how the weights were read, one sentence each.
    """

    def __init__(
        self,
        weights: str,
        *,
        device: str,
        reading: str,
        competitors: str | None,
        delta: float,
        top: int,
        background: float,
        size: int | None,
        prompt: str,
        threshold: float | None,
    ):
        import torch  # here, so that methods can be listed without it

        from .._clip.provenance import DRAWN, UNKNOWN
        from .competitors import parsed
        from .weights_file import load

        loaded = load(weights)
        self._device = torch.device(device)
        self._network = loaded.network.to(self._device)
        self._ids = loaded.token_ids
        vision = self._network.config.vision_config
        self._patch = vision.patch_size
        self._short = (vision.image_size if loaded.tiny else 448) if size is None else size
        if self._short < self._patch:
            raise UsageError(f"size={self._short}: give at least {self._patch}, the side of a patch in pixels")
        self._scale = float(self._network.logit_scale.exp())
        self._reading, self._delta, self._top, self._background = reading, delta, top, background
        self._prompt, self._threshold = prompt, threshold
        self._rivals = parsed(("shapes" if loaded.tiny else "coco") if competitors is None else competitors)
        self._rival_features: Tensor | None = None  # features of the competing words, encoded once
        self.parameter_count = sum(weight.numel() for weight in self._network.parameters())
        origin = {"extra_data": loaded.data or UNKNOWN}
        self.weights_notes = loaded.notes
        if loaded.tiny:
            data = "a tiny GroupViT trained on captions of drawn scenes"
            origin = {"extra_data": data, "licence": "MIT", "trained_on": DRAWN}
        elif loaded.data is None:
            note = f"groupvit: {weights} is none of the published files, so its training data are unknown"
            self.weights_notes = (*loaded.notes, note)
        options: dict[str, Any] = {"reading": reading, "size": self._short}
        if reading == "competitors":
            lists = self._rivals.lists + (("siblings",) if self._rivals.siblings else ())
            options["competitors"] = competitors if competitors is not None else lists[0]
            options["reads"] = ("refs",) if self._rivals.siblings else ()
        changes = {"threshold": threshold, "weights": loaded.digest, **origin, **options}
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **changes})

    def predict(
        self, image: np.ndarray, texts: Sequence[str], samples: Sequence[Sample] | None = None
    ) -> list[Prediction]:
        """A mask and a heat for every text; the heat is float32 on the grid of patches with maximum 1 (or all 0).

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
            samples: one per text; only needed with ``competitors=siblings``, to know which texts are about the same
                object.
        """
        import torch

        from tris_model.devices import computing

        from .features import assigned, encode_image, encode_texts, pixels_of

        if not texts:
            return []
        siblings = self._siblings(texts, samples)
        with computing("float32"), torch.inference_mode():
            features = encode_image(self._network, pixels_of(image, self._short, self._patch).to(self._device))
            distinct = list(dict.fromkeys(texts))
            by_text = dict(zip(distinct, encode_texts(self._network, self._prompted(distinct), self._ids), strict=True))
            pixels = assigned(features.maps, image.shape[:2])
            held = torch.bincount(pixels.flatten(), minlength=len(features.maps)) > 0
            answers = {
                (text, others): self._answer(self._select(features, by_text, text, others, held), features, pixels)
                for text, others in dict.fromkeys(zip(texts, siblings, strict=True))
            }
        return [answers[question] for question in zip(texts, siblings, strict=True)]

    def _prompted(self, texts: Sequence[str]) -> list[str]:
        return [self._prompt.replace("{}", text) for text in texts]

    def _siblings(self, texts: Sequence[str], samples: Sequence[Sample] | None) -> list[tuple[str, ...]]:
        """For every text the expressions about the image's other objects, if ``siblings`` compete."""
        if not self.card["reads"]:
            return [()] * len(texts)
        if samples is None:
            raise UsageError("competitors=siblings needs samples=, to know which texts are about the same object")
        about = list(zip(texts, (sample.ref_id for sample in samples), strict=True))
        return [tuple(sorted({other for other, ref in about if ref != own and other != text})) for text, own in about]

    def _select(
        self,
        features: GroupFeatures,
        by_text: Mapping[str, Tensor],
        text: str,
        siblings: tuple[str, ...],
        held: Tensor,
    ) -> Reading:
        """The groups that a text selects, with their weights."""
        import torch

        from . import readings

        cosines = by_text[text][None] @ features.groups.T
        if self._reading == "topk":
            return readings.topk(cosines, held, self._delta)
        others = [*self._rivals_of(text), *(by_text[one] for one in siblings)] if self._reading == "competitors" else []
        if not others:  # a softmax over one text is always 1
            return readings.raw(cosines, held)
        against = torch.stack([by_text[text], *others])
        groups, whole = features.groups @ against.T, against @ features.whole
        return readings.competing(groups, whole, self._scale, top=self._top, background=self._background)

    def _rivals_of(self, text: str) -> list[Tensor]:
        from .features import encode_texts

        words = self._rivals.words
        if words and self._rival_features is None:
            self._rival_features = encode_texts(self._network, self._prompted(words), self._ids)
        against = set(self._rivals.against(text))
        return (
            []
            if self._rival_features is None
            else [one for word, one in zip(words, self._rival_features, strict=True) if word in against]
        )

    def _answer(self, reading: Reading, features: GroupFeatures, pixels: Tensor) -> Prediction:
        import torch

        from .._clip.prompting import enlarged

        heat = torch.einsum("g,ghw->hw", reading.weights[0], features.maps)
        heat = heat / heat.max().clamp(min=1e-12)
        if self._threshold is None:
            mask = reading.chosen[0][pixels]
        else:
            mask = enlarged(heat[None], pixels.shape)[0] > self._threshold
        return Prediction(mask=mask.cpu().numpy(), heat=heat.float().cpu().numpy())


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    reading: Literal["raw", "competitors", "topk"] = "topk",
    competitors: str | None = None,
    delta: float = 0.05,
    top: int = 5,
    background: float = 0.95,
    size: int | None = None,
    prompt: str = "{}",
    threshold: float | None = None,
) -> GroupViT:
    """Build the method.

    Args:
        weights: a folder in Hugging Face's layout, the authors' ``.pth``, an id of the Hugging Face hub (it is
            downloaded; nothing else ever is), or ``shapes``, the shipped tiny GroupViT of the drawn world (the default
            on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split of the run, given by the runner.
        reading: how groups are selected. ``raw`` takes the group with the highest cosine; ``topk`` takes all groups
            within ``delta`` of it; ``competitors`` is the authors' rule, with competing words. On 80 scenes of
            ``shapes_val`` the shipped network reaches mIoU 9.3, 10.0 and 1.7, and PointM 17.1, 17.9 and 18.6; raw and
            topk lie within each other's interval.
        competitors: names of lists (``coco``, ``voc``, ``shapes``), ``siblings`` (the expressions about the image's
            other objects) and free words, separated by commas. A word that the expression itself names does not compete
            with it. By default ``coco``, or ``shapes`` in the drawn world. An expression without competitors is read as
            ``raw``.
        delta: for ``topk``, the largest distance below the best cosine.
        top: for ``competitors``, the number of texts that may win a group: those most similar to the image, and always
            the expression. The authors use 5.
        background: for ``competitors``, a group with a lower affinity is background. The authors use 0.95.
        size: short side of the input in pixels; by default 448, as in the authors' code, or in the drawn world the size
            that the network was trained at.
        prompt: the text that is encoded; ``{}`` stands for the expression.
        threshold: if given, the mask is where the heat exceeds it, instead of whole groups. The heat's maximum is 1.

    Raises:
        UsageError: no weights are given, transformers is not installed, the list is empty, or a number is out of range.
        DataError: the weights cannot be used.
    """
    if weights is None and (split is None or not is_drawn(split)):
        from .weights_file import advice

        raise UsageError(advice())
    if reading not in ("raw", "competitors", "topk"):
        raise UsageError(f"reading={reading}: give raw, competitors or topk")
    if "{}" not in prompt:
        raise UsageError(f"prompt={prompt} has no {{}} for the expression")
    for name, number, low, high in (("delta", delta, 0, 2), ("background", background, 0, 1)):
        if not low <= number <= high:
            raise UsageError(f"{name}={number:g}: give a number from {low} to {high}")
    if threshold is not None and not 0 <= threshold < 1:
        raise UsageError(f"threshold={threshold:g}: give a number from 0 to below 1")
    if top < 1:
        raise UsageError(f"top={top}: give 1 or more, because the expression itself is one of the texts")
    return GroupViT(
        weights or "shapes",
        device=device,
        reading=reading,
        competitors=competitors,
        delta=delta,
        top=top,
        background=background,
        size=size,
        prompt=prompt,
        threshold=threshold,
    )


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
