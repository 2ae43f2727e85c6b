"""The method ``lavt``, the fully supervised reference: it learnt from masks, which weak supervision does not have.

The image is squashed to a square, 480 x 480 for the authors' files, and the network's logits are enlarged to 480 x 480,
corners on corners, as the network itself does. The heat is the softmax probability of the object there. The mask is
where the object's logit is the larger one, resized to the image's size with nearest neighbours, as in the authors'
demonstration.

The words enter every stage, so an image cannot be encoded once for all its expressions. What can be shared is shared:
the patches and the blocks of the first stage, which come before any word. The rest is computed for several expressions
at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from risbench import Prediction, UsageError
from risbench.datasets.catalog import is_drawn
from risbench.metrics.rules.protocols import own_size

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 480  # of the heat, where LAVT's evaluation compares
LARGEST = 2048  # pixels of the input's side
TOGETHER = 4  # expressions at a time at 480 x 480; more of a smaller image
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Yang et al., LAVT: Language-Aware Vision Transformer for Referring Image Segmentation, CVPR 2022",
        "code": "from the paper and from facts about what github.com/yz93/LAVT-RIS at 1da0af9 computes",
        "licence": "MIT; the authors' weights and code: GPL-3.0",
        "supervision": "mask",
        "extra_data": "ImageNet-22k (Swin-B), BooksCorpus and Wikipedia (BERT-base)",
        "grade": "native",
        # Of the probability; the same as the larger of the two logits.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
        "note": (
            "words enter every stage, so each expression is encoded with the image again, but for the first stage's "
            "blocks; the authors read the sentences' field raw, and risbench has sent"
        ),
    }
)


class LavtMethod:
    """Segments an image for each expression; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the network.
        weights_notes: what a user should know of how the weights were read, a sentence each.
    """

    def __init__(
        self,
        weights: str,
        *,
        device: str,
        vocab: str | None,
        answer: str,
        size: int | None,
        mha: tuple[int, int, int, int],
    ):
        import torch  # here, so that methods can be listed without it

        from .._bert import find_vocabulary
        from .._clip.provenance import DRAWN, UNKNOWN
        from .weights_file import load_with_origin

        loaded = load_with_origin(weights, mha=mha)
        self._device = torch.device(device)
        self._network = loaded.network.to(self._device).requires_grad_(False)
        self._answer = answer
        self.sizes = sizes = loaded.network.sizes
        self._side = sizes.image_size if size is None else size
        if not sizes.smallest_image <= self._side <= LARGEST:
            raise UsageError(f"size={size}: give a number of pixels from {sizes.smallest_image} to {LARGEST}")
        if loaded.words is not None and vocab is None:
            self._words = loaded.words
        else:
            self._words = find_vocabulary("lavt", vocab, loaded.path, sizes.bert.vocabulary)
        self._together = max(TOGETHER, TOGETHER * (SIDE // self._side) ** 2)
        self.parameter_count = sum(weight.numel() for weight in self._network.parameters())
        self.weights_notes = loaded.notes
        origin: dict[str, Any] = {"variant": "lavt_one" if sizes.one else "lavt", "size": self._side, "answer": answer}
        if loaded.drawn:
            origin |= {"extra_data": "none", "licence": "MIT", "trained_on": DRAWN}
        elif loaded.trained_on is not None:
            origin |= {"extra_data": UNKNOWN, "trained_on": loaded.trained_on}
        if sizes.fusion_heads != (1, 1, 1, 1):
            origin["mha"] = "-".join(map(str, sizes.fusion_heads))
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, "weights": loaded.digest, **origin})

    def predict(self, image: np.ndarray, texts: Sequence[str]) -> list[Prediction]:
        """A heat for every text, float32 ``(480, 480)`` in [0, 1], and a mask, bool ``(H, W)``.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
        """
        import torch

        from tris_model.clip import preprocess
        from tris_model.devices import computing

        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))
        heats: dict[str, np.ndarray] = {}
        with computing("float32"), torch.inference_mode():
            patches = self._network.before_words(preprocess(image, self._side)[None].to(self._device))
            for start in range(0, len(distinct), self._together):
                some = distinct[start : start + self._together]
                heats |= zip(some, self._heats(patches, some).cpu().numpy(), strict=True)
        answers = {text: self._prediction(heat, image.shape[:2]) for text, heat in heats.items()}
        return [answers[text] for text in texts]

    def _heats(self, patches: Tensor, texts: Sequence[str]) -> Tensor:
        """The probability of the object, ``(N, 480, 480)``, from one image's patches."""
        token_ids, token_mask = (one.to(self._device) for one in self._words.tokenize(texts, self.sizes.text_length))
        shared = patches.expand(len(texts), -1, -1, -1)
        return self._network.logits(shared, token_ids, token_mask, (SIDE, SIDE)).softmax(1)[:, 1]

    def _prediction(self, heat: np.ndarray, size: tuple[int, ...]) -> Prediction:
        if self._answer == "heat":
            return Prediction(heat=heat)
        from PIL import Image

        mask = Image.fromarray((heat > CARD["threshold"]).view(np.uint8))
        mask = mask.resize((size[1], size[0]), Image.Resampling.NEAREST)
        return Prediction(mask=np.asarray(mask).view(np.bool_), heat=heat)


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    rules: str | None = None,
    vocab: str | None = None,
    answer: Literal["both", "heat"] | None = None,
    size: int | None = None,
    mha: str = "1-1-1-1",
) -> LavtMethod:
    """Build the method.

    Args:
        weights: a file of the authors' ``lavt`` or ``lavt_one``, as it is, a file that `risbench train lavt` wrote, or
            ``shapes``, the shipped small LAVT of the drawn world (which needs no asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        vocab: BERT's ``vocab.txt``; by default the one beside the weights. Files of ours hold theirs.
        rules: the name of the rules that will score, given by the runner.
        answer: ``both``, mask and heat; or ``heat`` alone, from which rules with a threshold for probabilities make the
            mask. By default ``heat`` under the rules ``lavt``, which then score the authors' own mask at 480 x 480, and
            ``both`` otherwise. A mask at the image's size loses pixels where a side is below 480.
        size: side of the square input; the authors' 480, or what a file of ours was trained at.
        mha: heads of the attention from pixels to words in each stage, for files of trainings with the authors' option
            ``--mha``, which leaves no trace in the tensors; their published files have one each.

    Raises:
        UsageError: no weights, no vocabulary, or an option that does not fit.
        DataError: weights or a vocabulary that cannot be used.
    """
    if weights is None and (split is None or not is_drawn(split)):
        from .weights_file import advice

        raise UsageError(advice())
    if answer is None:
        answer = "heat" if rules is not None and own_size(rules) == (SIDE, SIDE) else "both"
    if answer not in ("both", "heat"):
        raise UsageError(f"answer={answer}: give both or heat")
    heads = [int(part) if part.isdecimal() else 0 for part in mha.split("-")]
    if len(heads) != 4 or not all(heads):
        raise UsageError(f"mha={mha}: give four numbers of heads, one for each stage, such as 4-4-4-4")
    first, second, third, fourth = heads
    return LavtMethod(
        weights or "shapes",
        device=device,
        vocab=vocab,
        answer=answer,
        size=size,
        mha=(first, second, third, fourth),
    )


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
