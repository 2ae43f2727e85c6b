"""Run TRIS on images: the trunk once per image, the text tower once per distinct text, all pairs in one product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from risbench.errors import DataError, UsageError
from risbench.machine import processors
from risbench.records import Sample

from ..clip.pixels import preprocess
from ..clip.tokens import encode, pack
from ..devices import Precision, computing, pick
from ..files.checkpoint import digest, load_with_origin
from ..files.names import split_entry
from ..network.stage1 import Stage1
from ..network.stage2 import Stage2
from .batches import BatchSize
from .card import CARD
from .half import resolved
from .prepared import few_threads, prepared, text_encoder
from .prms import ClipScorer, ImageTextScorer, choose
from .remembered import RememberedTexts

Heats = list[np.ndarray]
READERS = max(4, min(12, processors() - 2))
TOGETHER = 8  # images whose texts a CPU encodes together; more gain little, and Ctrl-C waits for a call's end
UNKNOWN = "unknown (the file does not say)"


class ImageTask(NamedTuple):
    """One image, its texts as tokens, and their samples if the method reads them."""

    pixels: Callable[[], Tensor]
    tokens: Tensor
    texts: Sequence[str]
    samples: Sequence[Sample] | None


class Tris:
    """TRIS as a method of the benchmark; see :func:`tris_model.method.make` for the options.

    On the CPU each image is processed alone, so a heat does not depend on the other images of a call, not even in its
    last bit; only their texts are encoded together, where that changes no bit. On a GPU images share a batch, and heats
    agree within float noise.

    Attributes:
        card: the method's card, frozen.
        parameter_count: number of the network's parameters as loaded, with the unused attention pool.
        batch: the best number of images for one call of ``predict_many``.
        weights_notes: what a user should know about how the weights were read, one sentence each.
    """

    def __init__(
        self,
        weights: str,
        *,
        device: str = "cpu",
        stage: int | None = None,
        keep_end: bool = False,
        scorer: str | ImageTextScorer | None = None,
        precision: Precision = "float32",
        batch: int = 16,
        trained_on: str | None = None,
    ):
        self._device = pick(device)
        network, held = load_with_origin(weights, str(self._device), stage=stage)
        self.config = network.config
        if scorer is not None and not isinstance(network, Stage1):
            raise UsageError("prms needs stage 1, and these weights are stage 2")
        self.parameter_count = sum(weight.numel() for weight in network.parameters())
        on_cpu = self._device.type == "cpu"
        with few_threads(network):
            self._precision = resolved(precision, network.backbone.visual, self.config.image_size, self._device)
            self._network = prepared(network, self._precision, self._device)
            self._encode_text = text_encoder(self._network, self._device)
        self._scorer = ClipScorer(scorer, self._device, keep_end) if isinstance(scorer, str) else scorer
        self._keep_end = keep_end
        self._chosen = precision
        together = isinstance(self._encode_text, RememberedTexts)
        self._batches = BatchSize(batch if not on_cpu else min(batch, TOGETHER) if together else 1)
        self._requested_device = device
        self._texts = 0
        self._cut = 0
        reads = () if scorer is None else ("refs",)
        extra = {"weights": digest(held.path), "stage": self.config.stage, "reads": reads}
        if held.path.name != split_entry(held.path)[0].name:
            extra["weights_entry"] = held.entry
        extra["trained_on"] = trained_on or held.trained_on or UNKNOWN
        if self._precision != "float32":  # so that figures of different precisions are never taken for one run's
            extra["precision"] = self._precision
        if self.config.trimmed:  # not CLIP's vocabulary: one of ours
            extra["extra_data"] = "a tiny CLIP trained on captions of drawn scenes"
        else:
            extra["extra_data"] = (
                "unknown (the file does not say what its network started from; the authors' from CLIP RN50)"
            )
        self.weights_notes = held.notes
        if extra["trained_on"] == UNKNOWN:
            kind = f"TRIS stage {self.config.stage} ({self.config.backbone})"
            note = f"tris: {held.path} is read as {kind}; it does not say its training data (--set trained_on=… does)"
            self.weights_notes = (*held.notes, note)
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **extra})

    @property
    def batch(self) -> int:
        """The best number of images for one call of ``predict_many``."""
        return self._batches.size

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts about the run for its header, complete when the run ends.

        ``texts``: number of texts; ``texts_cut``: how many were too long for the network; ``text_length`` in tokens;
        ``keep_end``, ``device``, ``precision``, ``batch``. ``device_fell_back`` is true if ``auto`` found no CUDA
        device.
        """
        return MappingProxyType(
            {
                "texts": self._texts,
                "texts_cut": self._cut,
                "text_length": self.config.text_length,
                "keep_end": self._keep_end,
                "device": str(self._device),
                "device_fell_back": self._requested_device == "auto" and self._device.type == "cpu",
                "precision": self._precision,
                "batch": self._batches.size,
            }
        )

    def notes(self) -> list[str]:
        """The important facts as messages, one line each."""
        lines = []
        if self._chosen == "auto":
            part = "the image trunk" if self._device.type == "cpu" else "both towers"
            what = f"bf16 for {part}, float32 for the rest" if self._precision == "bf16" else self._precision
            lines.append(f"precision auto: {what} on this machine (--set precision={self._precision} fixes it)")
        if self._requested_device == "auto" and self._device.type == "cpu":
            lines.append("there is no CUDA device: auto fell back to the CPU")
        if self._cut:
            end = (
                "with their end-of-text put back"
                if self._keep_end
                else "as the authors do; --set keep_end=true repairs it"
            )
            lines.append(f"{self._cut} of {self._texts} texts were cut to {self.config.text_length} tokens ({end})")
        return lines

    def predict(self, image: np.ndarray, texts: Sequence[str], samples: Sequence[Sample] | None = None) -> Heats:
        """Predict one heat per text for one image.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
            samples: one per text; needed if the card says that the method reads refs.

        Returns:
            One float32 heat ``(S, S)`` per text; S is the network's input size. Stage 1 gives its ReLU'd response,
            stage 2 signed logits.
        """
        return self.predict_many([image], [texts], None if samples is None else [samples])[0]

    def predict_many(
        self,
        images: Sequence[np.ndarray],
        texts: Sequence[Sequence[str]],
        samples: Sequence[Sequence[Sample]] | None = None,
    ) -> list[Heats]:
        """Predict for several images, each with its own texts; see :meth:`predict`."""
        if len(images) != len(texts) or (samples is not None and len(samples) != len(texts)):
            raise DataError(f"{len(images)} images came with {len(texts)} lists of texts; each image needs its own")
        tokens = [self._tokenize(some) for some in texts]
        grouped = samples or [None] * len(texts)
        questions = list(zip(tokens, texts, grouped, strict=True))
        if self._device.type == "cpu":
            lazily = [partial(self._pixels, image) for image in images]
            tasks = [ImageTask(get, *rest) for get, rest in zip(lazily, questions, strict=True)]
            return self._over(tasks, self._answer_one_by_one)
        # Resizing releases Python's interpreter lock, so threads prepare images while the GPU works on earlier ones.
        with ThreadPoolExecutor(READERS) as pool:
            ahead = [pool.submit(self._pixels, image).result for image in images]
            tasks = [ImageTask(get, *rest) for get, rest in zip(ahead, questions, strict=True)]
            return self._over(tasks, self._answer_together)

    def _pixels(self, image: np.ndarray) -> Tensor:
        return preprocess(image, self.config.image_size)

    def _tokenize(self, texts: Sequence[str]) -> Tensor:
        rows = encode(list(texts))
        self._texts += len(rows)
        self._cut += sum(len(row) > self.config.text_length for row in rows)
        return pack(rows, keep_end=self._keep_end, length=self.config.text_length)

    def _over(self, tasks: Sequence[ImageTask], answer: Callable[[Sequence[ImageTask]], list[Heats]]) -> list[Heats]:
        return [heats for answers in self._batches.over(tasks, answer) for heats in answers]

    @torch.inference_mode()
    def _answer_one_by_one(self, tasks: Sequence[ImageTask]) -> list[Heats]:
        """Process a few images on a CPU: all distinct texts together, then each image alone."""
        network = self._network
        distinct, which = torch.unique(torch.cat([one.tokens for one in tasks]), dim=0, return_inverse=True)
        answers: list[Heats] = []
        with computing(self._precision), few_threads(network):
            texts = self._encode_text(distinct) if len(distinct) else distinct
            for one, own in zip(tasks, which.split([len(one.tokens) for one in tasks]), strict=True):
                if not len(own):
                    answers.append([])
                    continue
                image = one.pixels()
                features = network.encode_image(image[None])
                heats = network.heat(network.compare(features, texts[own]))[0]  # pyright: ignore[reportArgumentType]
                answers.append(list(self._select(one, image, heats).float().contiguous().numpy()))
        return answers

    @torch.inference_mode()
    def _answer_together(self, tasks: Sequence[ImageTask]) -> list[Heats]:
        """Process a batch on a GPU: the towers on all images and all distinct texts together, then the pairs.

        Stage 1 compares image by image, a small part of its work; stage 2 decodes the pairs of all images together.
        """
        network, device = self._network, self._device
        images = torch.stack([one.pixels() for one in tasks]).to(device, non_blocking=True)
        distinct, which = torch.unique(torch.cat([one.tokens for one in tasks]), dim=0, return_inverse=True)
        if not len(distinct):
            return [[] for _ in tasks]
        answers: list[Tensor] = []
        counts = [len(one.tokens) for one in tasks]
        with computing(self._precision), few_threads(network):
            features = network.encode_image(images)
            texts = self._encode_text(distinct)
            rows = which.to(device)
            if isinstance(network, Stage2) and len(tasks) > 1:
                owners = torch.arange(len(tasks), device=device).repeat_interleave(torch.tensor(counts, device=device))
                response = network.compare_pairs(features, owners, texts[rows])  # pyright: ignore[reportArgumentType]
                answers.append(network.heat(response[None])[0].float())
            else:
                for index, (one, own) in enumerate(zip(tasks, rows.split(counts), strict=True)):
                    response = network.compare(features.of(index), texts[own])  # pyright: ignore[reportArgumentType]
                    heats = network.heat(response)[0]
                    answers.append(self._select(one, images[index], heats).float())
            # One copy: copies of single images would make the GPU wait for each before it begins the next.
            whole = iter(torch.cat(answers).cpu().numpy())
        return [[next(whole) for _ in range(count)] for count in counts]

    def _select(self, one: ImageTask, pixels: Tensor, heats: Tensor) -> Tensor:
        """With a scorer, give all texts of one object the same map."""
        if self._scorer is None:
            return heats
        if one.samples is None or len(one.samples) != len(one.texts):
            raise DataError("prms needs to know which texts are about the same object: pass one sample per text")
        together: dict[Any, list[int]] = {}
        for place, sample in enumerate(one.samples):
            together.setdefault(sample.ref_id, []).append(place)
        chosen = heats.clone()
        for places in together.values():
            best = choose(self._scorer, pixels, heats[places], [one.texts[place] for place in places])
            chosen[places] = heats[places[best]]
        return chosen
