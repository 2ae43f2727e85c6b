"""Positive response map selection over all training refs: one map an object, for the pseudo masks.

What is kept of a map is the raw response of the chosen sentence at the network's grid, a few hundred bytes; everything
behind it (enlarging, ReLU, the image's size, division by the maximum) is a function of that, see :func:`heat_of`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from risbench.datasets.load import load_split
from risbench.errors import DataError
from risbench.io.atomic import write_whole

from ..clip.pixels import normalised
from ..clip.tokens import tokenize
from ..devices import add_rows, computing
from ..files.checkpoint import digest, load
from ..files.names import find_clip
from ..inference.prms import ImageTextScorer
from ..network.stage1 import Stage1, enlarge
from .loop.ahead import Photographs
from .loop.finished import settle_head
from .loop.journal import Stopped, bar, interruptible, writing
from .loop.ranks import any_rank, rank, world
from .losses import visible
from .refs import Refs
from .scorers import scorer

CHUNK = 64  # images; what is lost when a run is killed
AT_ONCE = 256  # masked images that the scorer sees at once
HOLDS = "maps of other weights, or of other refs"


class Chosen(NamedTuple):
    """The maps of R refs.

    Attributes:
        refs: int64 ``(R,)``, ascending: whose they are, as places among :class:`~tris_model.train.refs.Refs`.
        response: float32 ``(R, h, w)``, raw.
        sentence: int64 ``(R,)``, whose map was chosen, as a place among the ref's sentences.
    """

    refs: np.ndarray
    response: np.ndarray
    sentence: np.ndarray


@torch.inference_mode()
def choose_many(
    scorer: ImageTextScorer, side: int, images: Tensor, heats: Tensor, refs: Tensor, texts: list[str]
) -> Tensor:
    """The best map of every ref, with all sentences of a ref against all its maps in one product.

    Args:
        scorer: the frozen CLIP.
        side: of its input.
        images: ``(M, 3, S, S)``, the image of each sentence (expanded, not copied, where the caller can).
        heats: ReLU maps ``(M, S, S)``, neither normalised nor bounded.
        refs: int64 ``(M,)``, which ref each sentence belongs to: ascending, from 0 without gaps.
        texts: the M sentences.

    Returns:
        int64 ``(R,)``: for every ref the place among the M of the first map with the largest summed cosine.
    """
    parts = [
        scorer.encode_image(visible(image, heat[:, None], side)).float()
        for image, heat in zip(images.split(AT_ONCE), heats.split(AT_ONCE), strict=True)
    ]
    image_features = F.normalize(torch.cat(parts), dim=1)
    text_features = F.normalize(scorer.encode_text(texts).float(), dim=1)
    # The sum over a ref's sentences of the cosine is the product with the sum of their features.
    together = torch.zeros(
        int(refs[-1]) + 1, text_features.shape[1], dtype=text_features.dtype, device=text_features.device
    )
    add_rows(together, refs.to(text_features.device), text_features)
    sums = (image_features * together[refs]).sum(1).cpu()
    best = torch.full((len(together),), -torch.inf).scatter_reduce_(0, refs.cpu(), sums, "amax")
    places = torch.arange(len(sums)).masked_fill(sums < best[refs.cpu()], len(sums))
    return torch.full((len(together),), len(sums)).scatter_reduce_(0, refs.cpu(), places, "amin")


def heat_of(response: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """A kept map as the authors save it: enlarged, ReLU'd, at the image's size, divided by its maximum.

    Args:
        response: float32 ``(h, w)``.
        stride: of the network.
        size: ``(H, W)`` of the image.

    Returns:
        float32 ``(H, W)`` in [0, 1]; all 0 if nothing responds.
    """
    raw = torch.from_numpy(np.asarray(response, np.float32))[None, None]
    heat = F.relu(enlarge(raw, tuple(stride * side for side in response.shape)))
    heat = F.interpolate(heat, size=size, mode="bilinear", align_corners=True)[0, 0]
    return (heat / (heat.max() + 1e-5)).numpy()


def choose_all(
    weights: Path, scorer_path: str | None, split_name: str, out: Path, device: torch.device,
    data_root: Path | None = None, limit: int | None = None, keep_end: bool = False, count: int | None = None,
    seed: int = 0, *, overwrite: bool = False,
) -> Path:  # fmt: skip
    """Choose a map for the refs of a split, chunk by chunk; a folder with some chunks is gone on with.

    Args:
        weights: of stage 1.
        scorer_path: the frozen CLIP; without one nothing is compared, and a ref's map is that of its first sentence.
        split_name: usually the training split.
        out: gets ``maps/``: a file a chunk of images, and ``maps.json`` when all are there.
        device: where it runs.
        data_root: where the data lie.
        limit: only the first images.
        keep_end: of texts that are too long.
        count: only so many refs, see :meth:`~tris_model.train.refs.Refs.some`; all by default.
        seed: decides which.
        overwrite: remove maps of other weights or refs, instead of refusing them.

    Returns:
        ``OUT/maps``, to be read by :func:`read_maps`.

    Raises:
        DataError: the folder holds maps of other weights, refs or another scorer.
    """
    folder = out / "maps"
    network = load(weights, str(device))
    if not isinstance(network, Stage1):
        raise DataError(f"{weights} is no stage 1")
    refs, chosen, head = head_of(weights, scorer_path, split_name, data_root, limit, keep_end, count, seed)
    head = {**head, "stride": network.config.stride}
    settle_head(folder / "head.json", head, HOLDS, overwrite=overwrite)
    judge = scorer(scorer_path, device, keep_end) if scorer_path else None
    photographs = Photographs(refs.paths, network.config.image_size)
    of_image: dict[int, list[int]] = {}
    for at in chosen:
        of_image.setdefault(refs.refs[at].image, []).append(at)
    chunks = [list(of_image)[first : first + CHUNK] for first in range(0, len(of_image), CHUNK)]
    done, stop = 0, False
    with bar("maps", len(chunks), 0, rank() == 0) as on_progress, interruptible() as stopping, computing("float32"):
        for number, images in enumerate(chunks):
            path = folder / f"{number:05}.npz"
            if number % world() != rank():
                continue
            places = [at for image in images for at in of_image[image]]
            if path.exists():
                if judge is not None:  # a text's rounding depends on the texts that it is first read with
                    judge.encode_text([text for at in places for text in refs.refs[at].texts])
                continue
            pixels = normalised(photographs.batch(images), device)
            response, sentence = _chunk(network, judge, pixels, [of_image[image] for image in images], refs, keep_end)
            held: dict[str, Any] = {"refs": np.array(places), "response": response, "sentence": sentence}
            path.with_name(f".{path.stem}.part.npz").unlink(missing_ok=True)  # of a version that left such
            with writing(path):
                write_whole(path, lambda file, held=held: np.savez(file, **held))
            done = number + 1
            on_progress(done, "")
            if stop := stopping():
                break
    if any_rank(stop):
        raise Stopped(f"stopped after {done} of {len(chunks)} chunks; the same command goes on")
    return folder


def head_of(
    weights: Path | None, scorer_path: str | None, split_name: str, data_root: Path | None, limit: int | None,
    keep_end: bool, count: int | None, seed: int,
) -> tuple[Refs, list[int], dict[str, Any]]:  # fmt: skip
    """The refs, the places of those that get a map, and what ``maps/head.json`` says of them.

    Args:
        weights: of stage 1; None where they are still to be trained, and then not in the head.
        scorer_path, split_name, data_root, limit, keep_end, count, seed: see :func:`choose_all`.
    """
    split = load_split(split_name, data_root)
    split = split if limit is None else split.first_images(limit)
    refs = Refs(split)
    chosen = refs.some(count, seed).tolist()
    head = {
        **({} if weights is None else {"weights": digest(weights)}), "split": split.name, "prms": bool(scorer_path),
        "of": len(refs), "refs": len(chosen), "seed": seed if len(chosen) < len(refs) else None,
        "scorer": digest(find_clip(scorer_path)) if scorer_path else None, "keep_end": keep_end,
    }  # fmt: skip
    return refs, chosen, head


@torch.inference_mode()
def _chunk(
    network: Stage1,
    judge: ImageTextScorer | None,
    pixels: Tensor,
    of_image: list[list[int]],
    refs: Refs,
    keep_end: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Responses and sentences of the refs of some images, in the order in which the images list them."""
    texts = [text for places in of_image for at in places for text in refs.refs[at].texts]
    counts = [len(refs.refs[at].texts) for places in of_image for at in places]
    ref_of = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    image_features, responses, rows = network.encode_image(pixels), [], []
    tokens = tokenize(texts, keep_end, network.config.text_length).to(pixels.device)
    distinct, which = torch.unique(tokens, dim=0, return_inverse=True)
    read, first = network.encode_text(distinct)[which], 0
    for index, places in enumerate(of_image):
        count = sum(len(refs.refs[at].texts) for at in places)
        responses.append(network.compare(image_features.of(index), read[first : first + count])[0])
        rows += [index] * count
        first += count
    response = torch.cat(responses)  # (M, h, w)
    best = starts = torch.tensor(counts).cumsum(0) - torch.tensor(counts)
    if judge is not None:
        side = int(getattr(judge, "side", pixels.shape[2]))
        best = choose_many(judge, side, pixels[rows], network.heat(response[None])[0], ref_of, texts)
    return response[best.to(response.device)].float().cpu().numpy(), (best - starts).numpy()


def read_maps(folder: Path) -> Chosen:
    """All maps that :func:`choose_all` was asked for, in the order of the refs.

    Raises:
        DataError: some are missing.
    """
    if not (folder / "head.json").exists():
        raise DataError(f"there are no maps in {folder}; run the stage 'maps' first")
    wanted = json.loads((folder / "head.json").read_text(encoding="utf-8"))["refs"]
    parts: list[Chosen] = []
    for path in sorted(folder.glob("[0-9]*.npz")):
        with np.load(path, allow_pickle=False) as held:
            parts.append(Chosen(held["refs"], held["response"], held["sentence"]))
    found = sum(len(part.refs) for part in parts)
    if found != wanted:
        raise DataError(f"{folder} has maps of {found} of {wanted} refs; run the stage 'maps' first")
    refs, response, sentence = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(refs)
    return Chosen(refs[order], response[order], sentence[order])
