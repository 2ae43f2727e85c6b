"""CLIP-ES (Lin et al., CVPR 2023): Grad-CAM of the softmax probability of the expression among other words.

1. The image, in its own size rounded to a multiple of the patch, goes once through all blocks but the last.
2. It goes through the last block; the image's feature is the mean over patches. Grad-CAM is taken at the block's first
   LayerNorm, for the softmax probability of the expression among background words.
3. The map is spread along the attention of the last eight blocks (`_clip.affinity`), within boxes round its peaks.

In WSSS the softmax is over the true classes of the image. These are unknown here, so an expression competes only with
background words. With ``competitors=siblings`` it also competes with the other expressions about the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from risbench import Prediction, UsageError

from ._clip.grids import grid_of
from ._words.competitors import Background, background_of, plain

if TYPE_CHECKING:
    from torch import Tensor

    from ._clip.prompting import OpenedClip

PROMPT = "a clean origami {}."
LAYERS = 8  # the last ones, whose attention is averaged
# The authors give no threshold: they sweep, and the best is usually from 0.3 to 0.5.
PHOTOGRAPHS, DRAWN = 0.4, 0.45  # the second from `risbench sweep` on shapes_val, rules clean
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Lin et al., CLIP is Also an Efficient Segmenter, CVPR 2023",
        "code": "written anew from the paper; without the synonyms of class names, which an expression has not",
        "licence": "MIT",
        "supervision": "none",
        "extra_data": "CLIP's (400 million image-text pairs)",
        "grade": "native",
        "threshold": PHOTOGRAPHS,
        "weights": None,
        "reads": (),
    }
)


class ClipEs:
    """The method; it encodes each image once. See :func:`make` for the options.

    Attributes:
        card: the method's card, frozen.
        parameter_count: number of the CLIP's parameters.
        facts: the number of images with more than :data:`PATCHES` patches, and of texts without any competitor.
    """

    def __init__(
        self,
        opened: OpenedClip,
        background: Background,
        *,
        siblings: bool,
        prompt: str,
        affinity: bool,
        crf: bool,
        size: int | None,
        threshold: float,
    ):
        import torch

        from tris_model.devices import computing

        from ._clip.prompting import checked_threshold, encode_texts, prompted

        with computing("float32"), torch.no_grad():
            text_features = encode_texts(opened, prompted(prompt, background.words))
        self._words = dict(zip(background.words, text_features, strict=True))
        self._opened, self._visual = opened, opened.clip.visual
        self._background, self._siblings, self._prompt = background, siblings, prompt
        self._affinity, self._crf = affinity, crf
        self._size, self._threshold = size, checked_threshold(threshold)
        self.facts = {"images_shrunk": 0, "texts_alone": 0}
        self.parameter_count, self.weights_notes = opened.parameter_count, opened.notes
        settings = {
            "threshold": threshold,
            "background": background.words,
            "affinity": affinity,
            "competitors": "siblings" if siblings else "none",
            "prompt": prompt,
            "reads": ("siblings",) if siblings else (),
        }
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **opened.card, **settings})

    def predict(self, image: np.ndarray, texts: Sequence[str], *, samples: object = None) -> list[Prediction]:
        """A heat for every text, float32 ``(h, w)`` in [0, 1] with one cell per patch, and its mask.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
            samples: not used; the runner passes them to every method whose card has ``reads``.
        """
        import torch

        from tris_model.devices import computing

        from ._clip.prompting import enlarged, spread

        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))
        with computing("float32"):
            maps = self.cams(image, distinct)
        heats = spread(maps)[[distinct.index(text) for text in texts]]
        large = enlarged(heats, image.shape[:2])
        if self._crf:
            from tris_model.irn import decide

            masks = decide(image, large.cpu().numpy(), device=large.device)
        else:
            masks = (large > self._threshold).cpu().numpy()
        pairs = zip(masks, heats.to(torch.float32).cpu().numpy(), strict=True)
        return [Prediction(mask=mask, heat=heat) for mask, heat in pairs]

    def cams(self, image: np.ndarray, texts: Sequence[str]) -> Tensor:
        """The maps of distinct texts, ``(N, h, w)``, not negative, without a fixed maximum; see :meth:`predict`."""
        import torch

        from ._clip.affinity import balanced, carried
        from ._clip.prompting import pixels_of, spread

        patch = self._opened.cell
        height, width = self._grid(image.shape[:2])
        with torch.no_grad():
            pixels = pixels_of(self._opened, image, height * patch, width * patch)
            tokens, attention = self._tokens(pixels)
            wanted = self._rivals(texts)
        maps = self._grad_cam(tokens, wanted).reshape(-1, height, width)
        if attention is None:
            return maps
        return carried(balanced(attention[1:, 1:].contiguous()), spread(maps))

    def _grid(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Patches down and across, at most :data:`PATCHES`."""
        grid = grid_of(size, self._opened.cell, self._size)
        self.facts["images_shrunk"] += grid != grid_of(size, self._opened.cell, self._size, most=None)
        return grid

    def _tokens(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """The input tokens of the last block, ``(1, L, C)``, and the mean attention of the last blocks, ``(L, L)``."""
        x, blocks = self._visual.embed(pixels), self._visual.blocks
        attention = x.new_zeros(x.shape[1], x.shape[1]) if self._affinity else None
        for place, block in enumerate(blocks, start=1):
            y = block.ln_1(x)
            if attention is not None and place > len(blocks) - LAYERS:
                block.attn.add_mean_weights(y, attention)
            if place < len(blocks):
                x = x + block.attn(y)
                x = x + block.mlp(block.ln_2(x))
        return x, attention

    def _grad_cam(self, tokens: Tensor, wanted: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Maps ``(N, L - 1)`` of texts; each text comes with the features of its competitors.

        The sum of a channel's gradient over all patches is the gradient of one shift vector that is added to all
        patches, so only this vector is differentiated. The block runs forwards once and backwards once per text. This
        was faster than copies of the block or a batch of gradients, and a map does not depend on the other texts.
        """
        import torch
        from torch.nn.functional import normalize

        block = self._visual.blocks[-1]
        with torch.enable_grad():
            y = block.ln_1(tokens)
            shift = torch.zeros_like(y[0, 0]).requires_grad_()
            x = tokens + block.attn(torch.cat([y[:, :1], y[:, 1:] + shift], 1))
            x = x + block.mlp(block.ln_2(x))
            feature = self._visual.summary(x[:, 1:]).mean(1)[0]
            feature = normalize(feature, dim=0)
            channels = []
            for text, rivals in wanted:
                target = log_odds(feature, text, rivals, self._opened.clip.logit_scale.exp())
                channels += torch.autograd.grad(target, shift, retain_graph=True)
        return (torch.stack(channels) @ y[0, 1:].T).relu()

    def _rivals(self, texts: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        """Each text's feature ``(D,)`` and its competitors' features ``(M, D)``; M may be 0."""
        import torch

        from ._clip.prompting import encode_texts, prompted

        by_text = dict(zip(texts, encode_texts(self._opened, prompted(self._prompt, texts)), strict=True))
        known = {**by_text, **self._words}
        found = []
        for text, own in by_text.items():
            others = [other for other in texts if self._siblings and plain(other) != plain(text)]
            rivals = [known[word] for word in dict.fromkeys([*others, *self._background.against(text)])]
            self.facts["texts_alone"] += not rivals
            found.append((own, torch.stack(rivals) if rivals else own[None][:0]))
        return found


def log_odds(feature: Tensor, text: Tensor, rivals: Tensor, scale: Tensor) -> Tensor:
    """The logarithm of the odds of a text's softmax probability among its competitors.

    With the logits ``z = scale * cosine`` the gradient of the probability p is ``p (1 - p)`` times that of ``z -
    logsumexp(z of the competitors)``. ReLU and scaling to [0, 1] remove a map's scale, so both give the same map. But
    CLIP's scale of 100 makes p nearly 1 or 0; then the gradient of p vanishes in float32, and that of the log odds does
    not.

    Args:
        feature, text: unit length ``(D,)``.
        rivals: unit length ``(M, D)``; if M is 0, the probability is always 1 and its gradient zero.
        scale: factor of the cosines in the logits.
    """
    if not len(rivals):
        return (feature * 0).sum()
    return scale * (text @ feature) - (scale * (rivals @ feature)).logsumexp(0)


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    model: str | None = None,
    pretrained: str | None = None,
    activation: Literal["quick_gelu", "gelu"] | None = None,
    competitors: Literal["none", "siblings"] = "none",
    background: str = "coco",
    prompt: str | None = None,
    refine_affinity: bool | None = None,
    crf: bool = False,
    size: int | None = None,
    threshold: float | None = None,
) -> ClipEs:
    """Build the method.

    Args:
        weights: OpenAI's ``ViT-B-16.pt`` (the authors') or another CLIP with a vision transformer, or ``shapes``, the
            shipped tiny CLIP of the drawn world (the default on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split of the run, given by the runner.
        model: the name that open_clip gives the model, if the weights are not OpenAI's; ``NAME,TAG`` also names the
            open_clip weights that the file holds.
        pretrained: open_clip's tag of weights for ``model``; open_clip downloads them.
        activation: the activation that the weights were trained with, if the file does not say it.
        competitors: ``siblings`` puts the other expressions about the image into the softmax, as the authors do with
            the image's classes. A prediction then depends on the other expressions, and the card says so.
        background: ``coco`` or ``voc``, the authors' words; ``shapes``, the drawn shapes that the expression does not
            name; or words separated by commas. The tiny CLIP knows none of the authors' words and reads them all as the
            same unknown word.
        prompt: the text that is encoded; ``{}`` stands for the expression or word. By default the authors' prompt, or
            the bare text with the tiny CLIP, which does not know the words of that prompt.
        refine_affinity: spread the map along the attention. On by default, but off with the tiny CLIP, whose attention
            does not follow objects (on shapes_val PointM fell by half).
        crf: refine the mask by a dense CRF, with the map as the probability of the expression; the threshold is then
            not used.
        size: largest side of the input in pixels; by default not limited, as in the authors' code, but an image with
            more than 4096 patches (1024 x 1024 pixels) is shrunk to that.
        threshold: the mask is where the heat exceeds it, from 0 to below 1; by default 0.4, or 0.45 with the tiny CLIP.

    Raises:
        UsageError: no weights are given, or an option has a wrong value.
        DataError: the weights file cannot be used.
    """
    from ._clip.opening import open_model

    if size is not None and size < 1:
        raise UsageError(f"size={size}: give pixels, at least 1")
    chosen = background_of(background)
    opened = open_model(
        "clip_es",
        weights=weights,
        split=split,
        model=model,
        pretrained=pretrained,
        activation=activation,
        device=device,
        tower="vit",
    )
    drawn = opened.drawn
    return ClipEs(
        opened,
        chosen,
        siblings=competitors == "siblings",
        prompt=prompt or ("{}" if drawn else PROMPT),
        affinity=not drawn if refine_affinity is None else refine_affinity,
        crf=crf,
        size=size,
        threshold=(DRAWN if drawn else PHOTOGRAPHS) if threshold is None else threshold,
    )


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
