"""The method ``gbs``: a network that learned to take blended images apart by texts, and so finds what a text means.

The image is resized and encoded once. Each text gates the deepest features, and a small decoder makes a map; its words
are looked up among the features of all levels, which makes another map. The heat is the root of their product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from risbench import Prediction, UsageError
from risbench.datasets.catalog import is_drawn

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 16  # texts that are decoded together
LARGEST = 2048  # pixels of the input's side
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Arbelle et al., Detector-Free Weakly Supervised Grounding by Separation, ICCV 2021",
        "code": "from the paper and facts about what github.com/aarbelle/GroundingBySeparation at 826457c computes",
        "licence": "MIT; the authors' code: Apache-2.0; they published no weights",
        "supervision": "text",
        "extra_data": "ImageNet (the trunk's start), BooksCorpus and Wikipedia (BERT-base)",
        "grade": "native",
        # Of the heat. The authors have none for masks. Half is ours, the middle of what the map is trained to.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
        "note": "its authors evaluate points alone, and never on RefCOCO",
    }
)
DRAWN_THRESHOLD = 0.25  # the best of shapes_val for the shipped network (`risbench sweep`, rules clean)


class GbsMethod:
    """Encodes each image once for all its texts; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of both networks.
        weights_notes: what a user should know of how the weights were read, a sentence each.
    """

    def __init__(
        self, weights: str, *, device: str, vocab: str | None, bert: str | None, size: int | None,
        maps: str | None, threshold: float | None,
    ):  # fmt: skip
        import torch  # here, so that methods can be listed without it

        from .._bert import find_vocabulary, load_bert
        from .._clip.prompting import checked_threshold
        from .._clip.provenance import DRAWN, UNKNOWN
        from .weights_file import load_with_origin

        loaded = load_with_origin(weights)
        self.config = config = loaded.network.config
        if loaded.bert is not None and bert is not None:
            raise UsageError(f"bert={bert}: {loaded.path} holds its own BERT; leave bert out")
        if loaded.bert is None and bert is None:
            raise UsageError(
                f"{loaded.path} holds no BERT; pass the one that it was trained with, --set bert=FILE "
                "(model.safetensors of huggingface.co/google-bert/bert-base-uncased)"
            )
        encoder = load_bert(str(bert)) if loaded.bert is None else loaded.bert
        if encoder.sizes.width != config.bert.width:
            raise UsageError(
                f"bert={bert} has vectors of {encoder.sizes.width} numbers, but {loaded.path} was trained with "
                f"{config.bert.width}; give the BERT of its training"
            )
        self._longest = encoder.sizes.positions
        if loaded.words is not None and vocab is None:
            self._words = loaded.words
        else:
            self._words = find_vocabulary("gbs", vocab, loaded.path, encoder.sizes.vocabulary)
        self._device = torch.device(device)
        self._network = loaded.network.to(self._device).requires_grad_(False)
        self._bert = encoder.to(self._device).requires_grad_(False)
        self._side = config.image_size if size is None else size
        if not config.smallest <= self._side <= LARGEST:
            raise UsageError(f"size={size}: give a number of pixels from {config.smallest} to {LARGEST}")
        self._maps = maps or ("both" if config.img2txt else "separation")
        if self._maps not in ("both", "separation", "words"):
            raise UsageError(f"maps={maps}: give both, separation or words")
        if self._maps != "separation" and not config.img2txt:
            raise UsageError(f"maps={maps}: {loaded.path} was trained without the branch of words; leave maps out")
        drawn = loaded.trained_on == DRAWN
        usual = DRAWN_THRESHOLD if drawn else float(CARD["threshold"])
        self._threshold = checked_threshold(usual if threshold is None else threshold)
        self.parameter_count = sum(one.numel() for part in (self._network, self._bert) for one in part.parameters())
        self.weights_notes = loaded.notes
        origin: dict[str, Any] = {
            "weights": loaded.digest,
            "threshold": self._threshold,
            "size": self._side,
            "maps": self._maps,
        }
        if drawn:
            data = "names of single drawn objects, in the place of ImageNet and of BERT's training"
            origin |= {"extra_data": data, "licence": "MIT", "trained_on": DRAWN, "note": "trained on drawn scenes"}
        elif loaded.words is not None:
            origin |= {"trained_on": loaded.trained_on or UNKNOWN}
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **origin})

    def predict(self, image: np.ndarray, texts: Sequence[str]) -> list[Prediction]:
        """A heat for every text, float32 ``(h, w)`` in [0, 1], and the mask where it exceeds the threshold.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
        """
        import torch

        from tris_model.devices import computing

        from .._clip.prompting import enlarged
        from .pixels import prepare

        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))
        answers: dict[str, Prediction] = {}
        square = self.config.resize == "square"
        with computing("float32"), torch.inference_mode():
            pixels = prepare(image, self._side, square=square, smallest=self.config.smallest)
            levels = self._network.encode(pixels[None].to(self._device))
            cells = self._network.pixels(levels)[0] if self._maps != "separation" else None
            for at in range(0, len(distinct), AT_ONCE):
                some = distinct[at : at + AT_ONCE]
                heats = self._heats(levels, cells, some)
                masks = enlarged(heats, image.shape[:2]) > self._threshold
                for text, heat, mask in zip(some, heats.cpu().numpy(), masks.cpu().numpy(), strict=True):
                    answers[text] = Prediction(mask=mask, heat=heat)
        return [answers[text] for text in texts]

    def _heats(self, levels: list[Tensor], cells: Tensor | None, texts: Sequence[str]) -> Tensor:
        """``(N, h, w)``, of one image's features."""
        from .captions import tokenize
        from .matching import sentence_of, unit_words, words_heat
        from .pixels import fuse

        ids, mask = (one.to(self._device) for one in tokenize(self._words, texts, self._longest))
        words = self._bert(ids, mask.lt(2))
        found = None
        if cells is not None:
            found = words_heat(cells, unit_words(words, mask)).unflatten(1, (self.config.words_side,) * 2)
        if self._maps == "words":
            assert found is not None
            return fuse(found, border=self.config.border)
        raw = self._network.decode(levels, sentence_of(words, mask))[:, 0]
        return fuse(raw, found, border=self.config.border)


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    vocab: str | None = None,
    bert: str | None = None,
    size: int | None = None,
    maps: Literal["both", "separation", "words"] | None = None,
    threshold: float | None = None,
) -> GbsMethod:
    """Build the method.

    Args:
        weights: a ``checkpoint.dict`` of the authors' training, a file that ``risbench train gbs`` wrote, or
            ``shapes``, the shipped small network of the drawn world (which needs no asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        vocab: BERT's ``vocab.txt``; by default the one beside the weights. Files of ours hold theirs.
        bert: BERT's weights, for a file that holds the image network alone.
        size: shorter side of the input in pixels; the authors' 512, or what a file of ours was trained at.
        maps: what the heat is made of: ``both`` maps, as the authors evaluate, or one of them alone. By default both
            where both were trained.
        threshold: of the heat, in [0, 1); by default 0.5, in the drawn world the best of shapes_val.

    Raises:
        UsageError: no weights, no vocabulary, no BERT, or an option that does not fit.
        DataError: a file that cannot be used.
    """
    if weights is None and (split is None or not is_drawn(split)):
        from .weights_file import advice

        raise UsageError(advice())
    return GbsMethod(
        weights or "shapes", device=device, vocab=vocab, bert=bert, size=size, maps=maps, threshold=threshold
    )  # fmt: skip


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
