"""CLIP-ES (Lin et al., CVPR 2023): where would more of a patch make CLIP surer of the expression than of other words?

1. The image in the size that it has (to the next multiple of the patch), through all blocks but the last, once.
2. Through the last block; the image's feature is the mean over patches. Grad-CAM at the block's first LayerNorm, of the
   softmax probability of the expression among background words.
3. The map is carried along the attention of the last eight blocks (`_affinity`), within boxes round its peaks.

In WSSS the softmax is over the true classes of the image. Here those are unknown: an expression competes only with
background words, or also with its siblings where the user asks for that.
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
# The authors name no threshold: they sweep, and the best is usually from 0.3 to 0.5.
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
    """Sees an image once, whatever is asked about it; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the CLIP.
        facts: how many images were larger than :data:`PATCHES`, and texts that no word stood against.
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
        """A heat for every text, a cell for each patch, float32 ``(h, w)`` in [0, 1], and its mask.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
            samples: not looked at; who declares that it reads its texts' company is given them.
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
        """The maps of different texts, ``(N, h, w)``, not negative, of any range; see :meth:`predict`."""
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
        """What enters the last block, ``(1, L, C)``, and the mean attention of the last blocks, ``(L, L)``."""
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
        """Maps ``(N, L - 1)`` of texts, each given with its rivals.

        The mean of a channel's gradient over all patches is (but for their number) the gradient of one shift that all
        patches share: a single vector to differentiate. The block is seen forwards once and backwards once a text,
        which was faster than copies of it or a batch of gradients, and makes a map the same in any company.
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
                target = surer(feature, text, rivals, self._opened.clip.logit_scale.exp())
                channels += torch.autograd.grad(target, shift, retain_graph=True)
        return (torch.stack(channels) @ y[0, 1:].T).relu()

    def _rivals(self, texts: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        """Each text's feature ``(D,)`` and those of what stands against it, ``(M, D)``; M may be 0."""
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


def surer(feature: Tensor, text: Tensor, rivals: Tensor, scale: Tensor) -> Tensor:
    """A number that grows as the softmax probability of a text among rivals does: the logarithm of its odds.

    With the logits ``z = scale * cosine`` the gradient of the probability p is ``p (1 - p)`` times that of
    ``z - logsumexp(z of the rivals)``. ReLU and spreading forget a map's scale, so both give the same map; but where p
    is nearly 1 (or 0), as CLIP's scale of 100 makes it, ``1 - p`` (or p) is lost in float32 and this is not.

    Args:
        feature, text: unit length ``(D,)``.
        rivals: unit length ``(M, D)``; with none the probability is always 1, and its gradient zero.
        scale: of the logits.
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
            shipped tiny CLIP of the drawn world (which needs no asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        model: a name of open_clip that says what the weights are of, where they are not OpenAI's; ``NAME,TAG`` also
            says which of open_clip's weights a file holds.
        pretrained: open_clip's tag of weights for ``model``, which it fetches.
        activation: what the weights were trained with, where the file does not say.
        competitors: ``siblings`` puts the other expressions about the image into the softmax, as the authors do with
            the image's classes. An answer then depends on what else is asked, and the card says so.
        background: ``coco`` or ``voc``, the authors' words, ``shapes``, the drawn ones that the expression does not
            name, or words with commas between them. The tiny CLIP knows none of the authors' words, so to it they are
            one: something else.
        prompt: what is read, the expression or word standing for ``{}``; by default the authors', with the tiny CLIP,
            which never read such words, the bare text.
        refine_affinity: carry the map along the attention; by default so, but not with the tiny CLIP, whose patches
            attend to anything (on shapes_val it lost half of PointM).
        crf: draw the mask's border by a dense CRF, with the map as the expression's chance; the threshold then plays no
            part.
        size: the longest side of the input in pixels; by default none, as the authors, but an image of more than 4096
            patches (1024 x 1024 pixels) is shrunk to that.
        threshold: where the heat becomes a mask, from 0 to below 1; by default 0.4, with the tiny CLIP 0.45.

    Raises:
        UsageError: no weights, or an option that does not fit.
        DataError: a weights file that cannot be used.
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
