"""Proposals inside of a box: minimum cuts of the pixel grid (GrabCut: Rother, Kolmogorov and Blake, SIGGRAPH 2004).

The paper's proposals are those of Multiscale Combinatorial Grouping, which no plain package has. Here every pixel of a
window is tied to its neighbours by their likeness in colour, and to *object* and *background* by two mixtures of
Gaussians; the cheapest cut is a proposal. Pixels outside of the box are background; the cuts begin with two opinions of
what inside of the box is object: all of it, and an ellipse. Each is cut once, and again with mixtures learnt from the
first cut. Of each cut also its largest component, and this one without holes, are proposals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from .boxed import window_round

LONGEST = 160  # pixels of a window's longer side; larger ones are shrunk, for a cut takes time
ROUNDS = (1, 2)  # of the mixtures, before each of the two cuts


def proposals(image: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Masks of what may be the object in a box.

    Args:
        image: uint8 ``(H, W, 3)``.
        box: x0 y0 x1 y1 in pixels.

    Returns:
        bool ``(N, H, W)``, distinct, none empty, none with a pixel outside of the box; at least one: the whole box,
        where nothing else is found.
    """
    window = window_round(box, (image.shape[0], image.shape[1]))
    found = cut_window(window.of(image), window.inside)
    return window.back(found, (image.shape[0], image.shape[1]))


def cut_window(pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The proposals of a window: uint8 ``(h, w, 3)``, bool ``(h, w)`` -> bool ``(N, h, w)``."""
    height, width = inside.shape
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.ascontiguousarray(pixels if scale == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    within = inside if scale == 1 else cv2.resize(inside.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    distinct: dict[bytes, np.ndarray] = {}
    for mask in _cuts(small, within):
        if scale != 1:
            mask = cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        mask = mask & inside
        if mask.any():
            distinct.setdefault(np.packbits(mask).tobytes(), mask)
    return np.stack([*distinct.values()]) if distinct else inside[None].copy()


def _cuts(pixels: np.ndarray, inside: np.ndarray) -> Iterator[np.ndarray]:
    if inside.all() or not inside.any():  # no background to learn from
        return
    for start in _starts(inside):
        labels = start.copy()
        background, thing = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # the mixtures begin at random
        for turn, rounds in enumerate(ROUNDS):
            mode = cv2.GC_EVAL if turn else cv2.GC_INIT_WITH_MASK
            try:
                cv2.grabCut(pixels, labels, (0, 0, 0, 0), background, thing, rounds, mode)
            except cv2.error:  # too few pixels of one kind for a mixture
                break
            mask = (labels & 1).astype(bool)
            if not mask.any():
                break
            yield mask
            yield (largest := _largest(mask))
            yield _without_holes(largest)


def _starts(inside: np.ndarray) -> Iterator[np.ndarray]:
    """Labels of GrabCut: background outside; inside, probably object, all of it or in part."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    middle = ((rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2)
    half = (max(1.0, len(rows) / 2), max(1.0, len(columns) / 2))
    down = np.abs(np.arange(inside.shape[0]) - middle[0])[:, None] / half[0]
    across = np.abs(np.arange(inside.shape[1]) - middle[1])[None] / half[1]
    for thing in (inside, down**2 + across**2 <= 1):
        if (thing & inside).any():
            labels = np.where(inside, cv2.GC_PR_BGD, cv2.GC_BGD)
            labels[thing & inside] = cv2.GC_PR_FGD
            yield labels.astype(np.uint8)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest 8-connected component."""
    _, parts, facts, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    return parts == 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """The mask with all background that does not reach the border."""
    framed = np.pad(mask.view(np.uint8), 1)
    _, parts = cv2.connectedComponents(1 - framed, connectivity=4)
    return (parts != parts[0, 0])[1:-1, 1:-1]
