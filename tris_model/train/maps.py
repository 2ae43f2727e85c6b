"""Positive response map selection over all training refs: one map per object, for the pseudo masks.

Of each map only the raw response of the chosen sentence on the network's grid is stored, a few hundred bytes.
:func:`heat_of` computes the rest from it: enlarging, ReLU, the image's size, division by the maximum.
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
        refs: int64 ``(R,)``, ascending indices among :class:`~tris_model.train.refs.Refs`.
        response: float32 ``(R, h, w)``, raw responses.
        sentence: int64 ``(R,)``, the sentence whose map was chosen, as an index among the ref's sentences.
    """

    refs: np.ndarray
    response: np.ndarray
    sentence: np.ndarray


@torch.inference_mode()
def choose_many(
    scorer: ImageTextScorer, side: int, images: Tensor, heats: Tensor, refs: Tensor, texts: list[str]
) -> Tensor:
    """The best map of every ref; all sentences of a ref are compared with all its maps in one product.

    Args:
        scorer: the frozen CLIP.
        side: side of the scorer's input in pixels.
        images: ``(M, 3, S, S)``, the image of each sentence (expanded instead of copied, if possible).
        heats: ReLU'd maps ``(M, S, S)``, neither normalised nor bounded.
        refs: int64 ``(M,)``, the ref of each sentence; ascending consecutive numbers from 0.
        texts: the M sentences.

    Returns:
        int64 ``(R,)``: for every ref the index, among the M, of the first map with the largest summed cosine.
    """
    parts = [
        scorer.encode_image(visible(image, heat[:, None], side)).float()
        for image, heat in zip(images.split(AT_ONCE), heats.split(AT_ONCE), strict=True)
    ]
    image_features = F.normalize(torch.cat(parts), dim=1)
    text_features = F.normalize(scorer.encode_text(texts).float(), dim=1)
    # The cosines' sum over a ref's sentences is the product with the sum of their features.
    together = torch.zeros(
        int(refs[-1]) + 1, text_features.shape[1], dtype=text_features.dtype, device=text_features.device
    )
    add_rows(together, refs.to(text_features.device), text_features)
    sums = (image_features * together[refs]).sum(1).cpu()
    best = torch.full((len(together),), -torch.inf).scatter_reduce_(0, refs.cpu(), sums, "amax")
    places = torch.arange(len(sums)).masked_fill(sums < best[refs.cpu()], len(sums))
    return torch.full((len(together),), len(sums)).scatter_reduce_(0, refs.cpu(), places, "amin")


def heat_of(response: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """A stored map as the authors save it: enlarged, ReLU'd, at the image's size, divided by its maximum.

    Args:
        response: float32 ``(h, w)``.
        stride: the network's stride in pixels.
        size: ``(H, W)`` of the image.

    Returns:
        float32 ``(H, W)`` in [0, 1]; all 0 if there is no positive response.
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
    """Choose a map for every ref of a split, chunk by chunk; a folder with some chunks is continued.

    Args:
        weights: the weights of stage 1.
        scorer_path: the frozen CLIP; None to use the map of each ref's first sentence, without a comparison.
        split_name: usually the training split.
        out: the output folder, for ``maps/`` with a file per chunk of images, and ``maps.json`` when all chunks are
            finished.
        device: the device to compute on.
        data_root: the folder of the data.
        limit: use only the first ``limit`` images.
        keep_end: keep the end-of-text of texts that are too long.
        count: number of refs to use, see :meth:`~tris_model.train.refs.Refs.some`; all by default.
        seed: decides which refs are used.
        overwrite: remove maps of other weights or refs instead of refusing them.

    Returns:
        The folder ``OUT/maps``; :func:`read_maps` reads it.

    Raises:
        DataError: the folder holds maps of other weights, refs or another scorer.
    """
    folder = out / "maps"
    network = load(weights, str(device))
    if not isinstance(network, Stage1):
        raise DataError(f"{weights} is not a stage 1")
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
    with bar("maps", len(of_image), 0, rank() == 0) as on_progress, interruptible() as stopping, computing("float32"):
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
            on_progress(min(done * CHUNK, len(of_image)), "")
            if stop := stopping():
                break
    if any_rank(stop):
        raise Stopped(f"stopped after {done} of {len(chunks)} chunks; the same command goes on")
    return folder


def head_of(
    weights: Path | None, scorer_path: str | None, split_name: str, data_root: Path | None, limit: int | None,
    keep_end: bool, count: int | None, seed: int,
) -> tuple[Refs, list[int], dict[str, Any]]:  # fmt: skip
    """The refs, the indices of those that get a map, and the content of ``maps/head.json``.

    Args:
        weights: the weights of stage 1; None if they are not trained yet, and then the head does not have them.
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
    """The responses and sentences of the refs of some images, in the order of the images."""
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
    """Read all maps of :func:`choose_all`, in the order of the refs.

    Raises:
        DataError: some maps are missing.
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
