"""A picture of results: each row an expression with its image, the truth and every run's mask with its IoU."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import DataError, Run, Sample, UsageError, load_split
from risbench.datasets.images import read_image
from risbench.masks import decode, union_of

# Okabe and Ito's orange and sky blue: told apart by colour-blind readers, and from most photographs.
TRUTH, PREDICTED = (0.90, 0.62, 0.00), (0.34, 0.71, 0.91)
_ROWS = 6
_CELL = 1.75  # inches


def render(
    runs: Sequence[Run], *, out: Path | None = None, metrics: str | None = None, data_root: Path | None = None
) -> str | None:
    """Draw the grid to ``out``, a PNG or PDF. Rows are spread evenly over the split, one an image.

    Raises:
        UsageError: no ``out``, another suffix, or runs of different splits.
    """
    if out is None or out.suffix not in (".png", ".pdf"):
        raise UsageError("a grid is a picture: give --out FILE.png or FILE.pdf")
    if len({run.summary["split"] for run in runs}) > 1:
        raise UsageError("a grid holds runs of one split")
    root = data_root if data_root is not None else runs[0].header["data_root"]
    split = load_split(runs[0].summary["split"], root)
    chosen = _chosen(split, [{row.id for row in run.rows()} for run in runs])
    _draw(chosen, [_of_run(run, chosen) for run in runs], [run.summary["method"] for run in runs], out)
    return None


def _chosen(split: Any, covered: list[set[str]]) -> list[Sample]:
    """One expression from each of some images, evenly spread: the choice depends on the split alone."""
    common = set.intersection(*covered)
    groups = [kept for group in split.by_image() if (kept := [item for item in group if item.id in common])]
    if not groups:
        raise DataError("the runs have no expression in common")
    places = np.linspace(0, len(groups) - 1, min(_ROWS, len(groups))).round().astype(int)
    return [groups[place][turn % len(groups[place])] for turn, place in enumerate(places.tolist())]


def _of_run(run: Run, samples: Sequence[Sample]) -> dict[str, tuple[np.ndarray, float]]:
    """Mask and IoU of each sample."""
    wanted = {sample.id for sample in samples}
    masks = {name: decode(line["segmentation"]) for name, line in run.masks() if name in wanted}
    return {row.id: (masks[row.id], row.iou) for row in run.rows() if row.id in wanted}


def _draw(
    samples: Sequence[Sample], answers: Sequence[dict[str, tuple[np.ndarray, float]]], titles: Sequence[str], out: Path
) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    columns = 2 + len(answers)
    figure, axes = plt.subplots(
        len(samples), columns, figsize=(_CELL * columns, _CELL * len(samples)), squeeze=False, layout="constrained"
    )
    for line, sample in zip(axes, samples, strict=True):
        image = read_image(sample.image_path, sample.size)
        truth = union_of(sample.parts, sample.size)
        pictures = [image, tinted(image, truth, TRUTH)]
        captions = ["\n".join(textwrap.wrap(sample.text, 30, max_lines=2, placeholder=" …")), ""]
        for found in answers:
            mask, iou = found[sample.id]
            pictures.append(tinted(image, mask, PREDICTED) if mask.shape == truth.shape else mask)
            captions.append(f"IoU {100 * iou:.0f}")
        for cell, picture, caption in zip(line, pictures, captions, strict=True):
            cell.imshow(picture, interpolation="nearest")
            cell.set_xticks([])
            cell.set_yticks([])
            # Data may hold a dollar sign, which matplotlib would read as mathematics.
            cell.set_xlabel(caption.replace("$", r"\$"), fontsize=7, labelpad=2)
            for side in cell.spines.values():
                side.set_visible(False)
    for cell, title in zip(axes[0], ["image", "truth", *titles], strict=True):
        cell.set_title(title.replace("$", r"\$"), fontsize=8)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150, metadata={"CreationDate": None} if out.suffix == ".pdf" else None)
    plt.close(figure)


def tinted(image: np.ndarray, mask: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """The image with a translucent fill over the mask and a firm contour round it: uint8 ``(H, W, 3)``."""
    import cv2

    picture = image.astype(np.float32)
    shade = 255 * np.array(colour, dtype=np.float32)
    picture[mask] = 0.45 * picture[mask] + 0.55 * shade
    picture[~mask] *= 0.75
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(max(image.shape[:2]) / 200))
    drawn = np.ascontiguousarray(picture.clip(0, 255).astype(np.uint8))
    cv2.drawContours(drawn, contours, -1, (255, 255, 255), width + 2)
    cv2.drawContours(drawn, contours, -1, tuple(float(value) for value in shade), width)
    return drawn
