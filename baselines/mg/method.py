"""MG: where each word of an expression lies in the image, on the level of features that fits the word best.

The image is squashed to a square and encoded once for all its texts. A text's map is the average of its words' maps,
weighted with how well each word fits the image. The whole expression is the query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from risbench import Prediction, UsageError
from risbench.datasets.catalog import is_drawn

if TYPE_CHECKING:
    from .weights_file import LoadedMg
    from .words import TextSource

AT_ONCE = 16  # texts that are compared with an image together
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Akbari et al., Multi-level Multimodal Common Semantic Space for Image-Phrase Grounding, CVPR 2019",
        "code": "from the paper and from facts about what github.com/hassanhub/MultiGrounding at b7bdd35 computes",
        "licence": "MIT; the authors' weights and code: GPL-3.0",
        "supervision": "text",
        "extra_data": "ImageNet (VGG-16), the One Billion Word Benchmark (ELMo)",
        "grade": "native",
        # Of the map's range. The authors define no mask; their boxes are made of what exceeds 0.3 of a peak.
        "threshold": 0.3,
        "weights": None,
        "reads": (),
        "note": "its authors never evaluated it on RefCOCO; the whole expression is the query",
    }
)
DRAWN_THRESHOLD = 0.05  # the best of shapes_val for the shipped network (`risbench sweep`, rules clean)


class MultiGrounding:
    """Encodes each image once for all its texts; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the network, without ELMo's.
        weights_notes: what a user should know of how the weights were read, a sentence each.
    """

    def __init__(
        self, weights: str, *, device: str, text: str | None, mix: str | None, edition: str | None,
        threshold: float | None,
    ):  # fmt: skip
        import torch  # here, so that methods can be listed without it

        from .._clip.prompting import checked_threshold
        from .._clip.provenance import DRAWN, UNKNOWN
        from .weights_file import open_weights

        loaded = open_weights(weights, mix=mix, edition=edition)
        config = loaded.network.config
        self._source = text_source(loaded, text)
        self._device = torch.device(device)
        self._network = loaded.network.to(self._device)
        drawn = loaded.trained_on == DRAWN
        self._threshold = checked_threshold(
            (DRAWN_THRESHOLD if drawn else float(CARD["threshold"])) if threshold is None else threshold
        )
        self.parameter_count = sum(one.numel() for one in self._network.parameters())
        self.weights_notes = loaded.notes
        changes: dict[str, Any] = {
            "weights": loaded.digest,
            "threshold": self._threshold,
            "size": config.image_size,
            "levels": "-".join(config.levels),
            "grid": config.grid,
            "model": f"VGG with {'ELMo' if config.text == 'elmo' else 'a BiLSTM'}",
        }
        if config.text == "elmo":
            changes["mix"] = config.mix
        if not config.vocabulary:
            changes["text"] = file_digest(str(text))
        if drawn:
            changes |= {"extra_data": "none", "licence": "MIT", "trained_on": DRAWN, "note": "trained on drawn scenes"}
        elif loaded.ours:
            changes |= {"trained_on": loaded.trained_on or UNKNOWN}
            if config.vocabulary:
                changes["extra_data"] = "none for the text side; see the recipe for the trunk"
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **changes})

    def predict(self, image: np.ndarray, texts: Sequence[str]) -> list[Prediction]:
        """A heat for every text, float32 ``(37, 37)`` in [0, 1], and the mask where it exceeds the threshold.

        A heat's least value is 0 and its largest 1. A text of which no word fits the image has a heat of zeros.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.

        Raises:
            DataError: the file of ELMo's features lacks a text.
        """
        import torch

        from tris_model.devices import computing

        from .._clip.prompting import enlarged, spread
        from .attention import query_map
        from .network import compared
        from .pixels import prepare

        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))
        answers: dict[str, Prediction] = {}
        with computing("float32"), torch.inference_mode():
            pixels = prepare(image, self._network.config.image_size)[None].to(self._device)
            cells, grid = self._network.encode_image(pixels)
            # Texts of similar length stand together, so that little is computed of padding.
            distinct.sort(key=lambda one: len(one.split()))
            for at in range(0, len(distinct), AT_ONCE):
                some = distinct[at : at + AT_ONCE]
                batch = self._source.batch(some).to(self._device)
                words, _ = self._network.encode_text(batch.words, batch.lstm1, batch.lstm2, batch.lengths)
                found = compared(cells, grid, words, self._network.config.squared)
                maps = query_map(found, batch.lengths.to(self._device))
                heats = spread(maps)
                masks = enlarged(heats, image.shape[:2]) > self._threshold
                for text, heat, mask in zip(some, heats.cpu().numpy(), masks.cpu().numpy(), strict=True):
                    answers[text] = Prediction(mask=mask, heat=heat)
        return [answers[text] for text in texts]


def text_source(loaded: LoadedMg, text: str | None) -> TextSource:
    """What makes tensors of texts: the vocabulary in the file of weights, or a file of ELMo's features.

    Raises:
        UsageError: the network needs the one, and the other is given.
        DataError: the file of features cannot be used.
    """
    config = loaded.network.config
    if config.vocabulary:
        from .words import OwnWords

        if text not in (None, "bilstm"):
            raise UsageError(
                f"text={text}: these weights learnt words of their own and read no features of ELMo; leave text out"
            )
        return OwnWords.from_metadata(loaded.metadata, config.vocabulary)
    from .elmo_file import MAKE, ElmoFile

    if text in (None, "bilstm"):
        kind = "ELMo's layers" if config.text == "elmo" else "a BiLSTM on ELMo's character CNN"
        raise UsageError(f"these weights read {kind}: give its features of the texts with --set text=FILE.npz; {MAKE}")
    return ElmoFile(text, config)


def file_digest(path: str) -> str:
    """The sha256 of a file, which may have gigabytes."""
    import hashlib

    with open(path, "rb") as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").hexdigest()


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    text: str | None = None,
    mix: Literal["stored", "thirds", "given"] | None = None,
    edition: Literal["code", "notebooks"] | None = None,
    threshold: float | None = None,
) -> MultiGrounding:
    """Build the method, which needs two files: MG's weights, and ELMo's features of the texts.

    Args:
        weights: the authors' TensorFlow checkpoint (its prefix), what ``risbench weights convert`` made of it, a
            training of ours, or ``shapes``, the shipped small network of the drawn world (on ``shapes_*`` the default).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        text: an ``.npz`` of ELMo's features (:mod:`baselines.mg.elmo_file`); or ``bilstm``, the text side that lies in
            the weights, where one was trained here, as in the drawn world; it is the default there.
        mix: how ELMo's layers are mixed: ``thirds``, the mean, is what the authors' inference computes, not what was
            learnt, and the default for their files; ``stored`` uses the learnt weights; ``given`` reads word vectors
            that are mixed already, ``words`` being ``(M, 1024)``.
        edition: ``code``, the authors' published programs; or ``notebooks``, the older ones of the paper's numbers, in
            which levels have another order and size. By default what the file of weights says; theirs says nothing,
            and is read as ``code``.
        threshold: of the map's range, in [0, 1); by default 0.3, in the drawn world the best of shapes_val.

    Raises:
        UsageError: no weights or no features, or an option that does not fit.
        DataError: a file that cannot be used.
    """
    if weights is None and (split is None or not is_drawn(split)):
        from .weights_file import advice

        raise UsageError(advice())
    return MultiGrounding(weights or "shapes", device=device, text=text, mix=mix, edition=edition, threshold=threshold)


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
