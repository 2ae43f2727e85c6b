"""WWbL: a network that learned from texts alone where CLIP looks, and shows it in one forward pass.

The image is squashed to a square and encoded once. Each text's CLIP vector then gates the image's features, and a small
decoder makes a map of what passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from risbench import Prediction, UsageError
from risbench.datasets.catalog import is_drawn

AT_ONCE = 8  # texts that are decoded together
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Shaharabany et al., What is Where by Looking: Weakly-Supervised Open-World Phrase-Grounding without "
        "Text Inputs, NeurIPS 2022",
        "code": "rebuilt from the paper and from what github.com/talshaharabany/what-is-where-by-looking computes",
        "licence": "the authors' code and weights: none given; this code: MIT",
        "supervision": "text",
        "extra_data": "CLIP ViT-B/32's (400 million image-text pairs), ImageNet (the trunk's start)",
        "grade": "native",
        # Of the map after its sigmoid. The authors have none for masks: half is ours.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
        "note": "its authors never evaluated it on RefCOCO; the prompt there is that of their loops, 'image of'",
    }
)
DRAWN_THRESHOLD = 0.3  # the best of shapes_val for the shipped network (`risbench sweep`, rules clean)


class WWbL:
    """Encodes each image once for all its texts; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the network and of the CLIP.
        weights_notes: what a user should know of how the weights were read, a sentence each.
    """

    def __init__(
        self, weights: str, *, device: str, clip: str | None, prompt: str | None, size: int | None,
        threshold: float | None,
    ):  # fmt: skip
        import torch  # here, so that methods can be listed without it

        from .._clip.prompting import checked_threshold, prompted
        from .._clip.provenance import DRAWN, UNKNOWN
        from .clip import check_clip, open_clip
        from .weights_file import open_weights

        loaded = open_weights(weights)
        config = loaded.network.config
        drawn = loaded.trained_on == DRAWN
        self._clip = open_clip(("shapes" if drawn else None) if clip is None else clip, device)
        notes = check_clip(self._clip, config)
        self._device = torch.device(device)
        self._network = loaded.network.to(self._device)
        self._side = config.image_size if size is None else size
        if not 8 <= self._side <= 4096:
            raise UsageError(f"size={self._side}: give the side of the square input in pixels, from 8 to 4096")
        self._prompt = config.prompt if prompt is None else prompt
        prompted(self._prompt, ())
        usual = DRAWN_THRESHOLD if drawn else float(CARD["threshold"])
        self._threshold = checked_threshold(usual if threshold is None else threshold)
        self.parameter_count = self._clip.parameter_count + sum(one.numel() for one in self._network.parameters())
        self.weights_notes = (*loaded.notes, *self._clip.notes, *notes)
        changes: dict[str, Any] = {
            "weights": loaded.digest,
            "threshold": self._threshold,
            "prompt": self._prompt,
            "size": self._side,
            "clip": self._clip.card["weights"],
            "model": f"VGG16 with {config.clip}'s text vectors" if not drawn else f"a small VGG with {config.clip}",
        }
        if drawn:
            data = "a tiny CLIP trained on captions of drawn scenes"
            changes |= {"extra_data": data, "licence": "MIT", "trained_on": DRAWN, "note": "trained on drawn scenes"}
        elif loaded.ours:
            changes |= {"trained_on": loaded.trained_on or UNKNOWN}
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **changes})

    def predict(self, image: np.ndarray, texts: Sequence[str]) -> list[Prediction]:
        """A heat for every text, float32 ``(S, S)`` in (0, 1), and the mask where it exceeds the threshold.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
        """
        import torch

        from tris_model.devices import computing

        from .._clip.prompting import encode_texts, enlarged, prompted
        from .pixels import squashed

        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))
        answers: dict[str, Prediction] = {}
        with computing("float32"), torch.inference_mode():
            vectors = encode_texts(self._clip, prompted(self._prompt, distinct))
            features = self._network.encode(squashed(image, self._side).to(self._device))
            for at in range(0, len(distinct), AT_ONCE):
                some = vectors[at : at + AT_ONCE]
                heats = self._network.decode(features, some, (self._side, self._side))[:, 0]
                for text, heat in zip(distinct[at : at + AT_ONCE], heats, strict=True):
                    mask = enlarged(heat[None], image.shape[:2])[0] > self._threshold
                    answers[text] = Prediction(mask=mask.cpu().numpy(), heat=heat.cpu().numpy())
        return [answers[text] for text in texts]


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    clip: str | None = None,
    prompt: str | None = None,
    size: int | None = None,
    threshold: float | None = None,
) -> WWbL:
    """Build the method, which needs two files: WWbL's weights, and the CLIP whose text vectors they know.

    Args:
        weights: the authors' state dict, what ``risbench weights convert`` made of their ``net_best.pth``, a training
            of ours, or ``shapes``, the shipped small network of the drawn world (on ``shapes_*`` the default).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        clip: OpenAI's ``ViT-B-32.pt`` or another file of it, an id of the Hugging Face hub that was fetched before, or
            ``NAME,TAG`` of open_clip; by default, with weights of the drawn world alone, the shipped tiny CLIP.
        prompt: what is read, the expression standing for ``{}``. By default that of the network's training. The
            authors' loops: ``image of {}`` on ReferIt and Flickr30k, ``image of image of {}`` on Visual Genome, where
            the words are put in twice (they also lower the case there, which CLIP does itself). They never evaluated
            RefCOCO; ``image of {}`` is used there too.
        size: side of the square input in pixels; 224 as the authors evaluate (they train at 304).
        threshold: of the map, in [0, 1); by default 0.5, in the drawn world the best of shapes_val.

    Raises:
        UsageError: no weights or no CLIP, or an option that does not fit.
        DataError: a file that cannot be used.
    """
    if weights is None and (split is None or not is_drawn(split)):
        from .weights_file import advice

        raise UsageError(advice())
    return WWbL(weights or "shapes", device=device, clip=clip, prompt=prompt, size=size, threshold=threshold)


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
