"""The method ``cts_style``: a network that learnt from boxes, by way of pseudo masks that contour maps chose.

A re-implementation after the paper's abstract, not the authors' code, of which there is none. The image is squashed to
a square and encoded once for all its texts, as in TRIS, whose segmentation network this is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from risbench import Prediction, UsageError
from risbench.datasets.catalog import is_drawn

AT_ONCE = 8  # texts that are decoded together
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Feng et al., Learning From Box Annotations for Referring Image Segmentation, IEEE TNNLS 2022, doi "
        "10.1109/TNNLS.2022.3201372",
        "code": "a re-implementation, not the authors' code: they published none (github.com/fengguang94/"
        "Weakly-Supervised-RIS at e611d63 holds the title)",
        "licence": "MIT",
        "supervision": "box",
        "extra_data": "CLIP RN50 (400 million image-text pairs)",
        "grade": "native",
        # Of the probability of the object.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
        "note": "re-implementation, not the authors' code; their proposals are those of MCG, ours minimum cuts of the "
        "pixel grid, and the networks are TRIS's stage 2",
    }
)
Answer = Literal["first", "second", "mean"]


class CtsStyle:
    """Encodes each image once for all its texts; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the networks that answer.
        weights_notes: what a user should know of how the weights were read, a sentence each.
    """

    def __init__(self, weights: str, *, device: str, answer: Answer, threshold: float):
        import torch  # here, so that methods can be listed without it

        from tris_model import fuse_for_inference

        from .._clip.provenance import DRAWN, UNKNOWN
        from .weights_file import open_weights

        loaded = open_weights(weights)
        networks = loaded.networks
        if answer != "first" and networks.second is None:
            raise UsageError(f"answer={answer}: {weights} holds one network, the first; leave answer out")
        chosen = {"first": [networks.first], "second": [networks.second], "mean": [networks.first, networks.second]}
        some = [network for network in chosen[answer] if network is not None]
        self._device = torch.device(device)
        self._config = networks.config
        self.parameter_count = sum(weight.numel() for network in some for weight in network.parameters())
        self._networks = [fuse_for_inference(network.to(self._device)) for network in some]
        self._threshold = threshold
        self.weights_notes = loaded.notes
        changes: dict[str, Any] = {"weights": loaded.digest, "threshold": threshold, "answer": answer}
        changes["trained_on"] = loaded.trained_on or UNKNOWN
        if loaded.trained_on == DRAWN:
            changes |= {"extra_data": "a tiny CLIP trained on captions of drawn scenes"}
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **changes})

    def predict(self, image: np.ndarray, texts: Sequence[str]) -> list[Prediction]:
        """A heat for every text, float32 ``(S, S)`` in (0, 1), and the mask where it exceeds the threshold.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
        """
        import torch
        import torch.nn.functional as F

        from tris_model import preprocess, tokenize
        from tris_model.devices import computing

        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))
        tokens = tokenize(distinct, length=self._config.text_length).to(self._device)
        answers: dict[str, Prediction] = {}
        with computing("float32"), torch.inference_mode():
            pixels = preprocess(image, self._config.image_size)[None].to(self._device)
            encoded = [(one, one.encode_image(pixels), one.encode_text(tokens)) for one in self._networks]
            for at in range(0, len(distinct), AT_ONCE):
                some = slice(at, at + AT_ONCE)
                logits = [one.heat(one.compare(features, words[some]))[0] for one, features, words in encoded]
                heats = torch.stack(logits).float().sigmoid().mean(0)
                for text, heat in zip(distinct[some], heats, strict=True):
                    size = (image.shape[0], image.shape[1])
                    large = F.interpolate(heat[None, None], size, mode="bilinear", align_corners=False)[0, 0]
                    answers[text] = Prediction(mask=(large > self._threshold).cpu().numpy(), heat=heat.cpu().numpy())
        return [answers[text] for text in texts]


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    answer: Answer = "first",
    threshold: float = 0.5,
) -> CtsStyle:
    """Build the method.

    Args:
        weights: a file that ``risbench train cts_style`` wrote, or ``shapes``, the shipped small network of the drawn
            world (on ``shapes_*`` the default). The authors published none; predictions of theirs are scored with
            ``risbench score``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        answer: ``first``: one of the two networks, whichever; ``second``, the other; or ``mean``, the mean of their
            probabilities, which costs twice as much. Shipped weights hold the first alone.
        threshold: of the probability of the object, in [0, 1).

    Raises:
        UsageError: no weights, or an option that does not fit.
        DataError: weights that cannot be used.
    """
    if weights is None and (split is None or not is_drawn(split)):
        from .weights_file import advice

        raise UsageError(advice())
    if answer not in ("first", "second", "mean"):
        raise UsageError(f"answer={answer}: give first, second or mean")
    if not 0 <= threshold < 1:
        raise UsageError(f"threshold={threshold}: give a number from 0 to below 1")
    return CtsStyle(weights or "shapes", device=device, answer=answer, threshold=threshold)


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
