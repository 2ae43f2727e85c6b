"""A picture of results: each row an expression with its image, the truth and every run's mask with its IoU."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import DataError, Run, Sample, UsageError, load_split
from risbench.datasets.images import read_image
from risbench.header import split_record
from risbench.masks import decode, union_of

# Okabe and Ito's orange and blue: colour-blind readers tell them apart. A white rim parts them from the picture.
TRUTH, PREDICTED = (0.90, 0.62, 0.00), (0.00, 0.45, 0.70)
_ROWS = 6
# Inches: four columns are as wide as they are printed in a paper's column and a half, and read there.
_CELL, _CAPTION, _TITLE = 1.2, 0.22, 0.2
_TALLEST = 1.25  # of a row, by its width
_LETTERS = 22  # that fit beside each other in a cell
_FINE = 480  # pixels along a picture's longer side, at least, so that contours are thin


def render(
    runs: Sequence[Run], *, out: Path | None = None, metrics: str | None = None, data_root: Path | None = None
) -> str | None:
    """Draw the grid to ``out``, a PNG or PDF. Rows are spread evenly over the split, one an image.

    Raises:
        UsageError: no ``out``, another suffix, or runs of different splits.
        DataError: the split is not the copy that was run on, or the runs have no expression in common.
    """
    if not runs:
        raise UsageError("a grid needs at least one run")
    if out is None or out.suffix not in (".png", ".pdf"):
        raise UsageError("a grid is a picture: give --out FILE.png or FILE.pdf")
    if len({run.summary["split"] for run in runs}) > 1:
        raise UsageError("a grid holds runs of one split")
    root = data_root if data_root is not None else runs[0].header["data_root"]
    split = load_split(runs[0].summary["split"], root)
    for run in runs:
        if run.header["split"] != split_record(split):
            raise DataError(f"{run.path} was run on another copy of {split.name} than the one in {split.data_root}")
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
    from matplotlib.figure import Figure
    from matplotlib.style import context

    columns = 2 + len(answers)
    shapes = [min(_TALLEST, sample.size[0] / sample.size[1]) for sample in samples]
    height = _TITLE + sum(_CELL * shape + _CAPTION for shape in shapes)
    # The reader's own settings must not change the picture, and a letter that the font lacks is no fault of a run.
    with context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure = Figure(figsize=(_CELL * columns, height), layout="constrained")
        axes = figure.subplots(len(samples), columns, squeeze=False, gridspec_kw={"height_ratios": shapes})
        for line, sample in zip(axes, samples, strict=True):
            image = read_image(sample.image_path, sample.size)
            pictures = [_enlarged(image), tinted(image, union_of(sample.parts, sample.size), TRUTH)]
            captions = ["\n".join(textwrap.wrap(sample.text, 2 * _LETTERS, max_lines=2, placeholder=" …")), ""]
            for found in answers:
                mask, iou = found[sample.id]
                pictures.append(tinted(image, _at_size(mask, sample.size), PREDICTED))
                captions.append(f"IoU {100 * iou:.0f}")
            for cell, picture, caption in zip(line, pictures, captions, strict=True):
                cell.imshow(picture, interpolation="antialiased")
                cell.set_xticks([])
                cell.set_yticks([])
                # The expression may run on below the truth. A dollar sign in the data is no mathematics.
                place = "left" if cell is line[0] else "center"
                cell.set_xlabel(caption, loc=place, fontsize=7.5, labelpad=2, parse_math=False)
                for side in cell.spines.values():
                    side.set_visible(False)
        for cell, title in zip(axes[0], ["image", "truth", *titles], strict=True):
            cell.set_title(textwrap.shorten(title, _LETTERS, placeholder="…"), fontsize=8.5, parse_math=False)
        out.parent.mkdir(parents=True, exist_ok=True)
        # Neither a date nor a version: the same results make the same file.
        plain = {"Software": None} if out.suffix == ".png" else {"CreationDate": None, "Producer": None}
        figure.savefig(out, dpi=200, metadata=plain)


def tinted(image: np.ndarray, mask: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """The image with a translucent fill over the mask and a firm, thin contour round it.

    Args:
        image: uint8 ``(H, W, 3)``.
        mask: bool ``(H, W)``.
        colour: red, green and blue in [0, 1].

    Returns:
        uint8 ``(k H, k W, 3)``; a small image is enlarged by a whole number k, for contours thinner than its pixels.
    """
    import cv2

    pixels, inside = _enlarged(image), _enlarged(mask)
    picture = pixels.astype(np.float32)
    shade = 255 * np.array(colour, dtype=np.float32)
    picture[inside] = 0.65 * picture[inside] + 0.35 * shade
    picture[~inside] *= 0.7
    contours, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    width = max(2, round(max(pixels.shape[:2]) / 130))
    drawn = np.ascontiguousarray(picture.clip(0, 255).astype(np.uint8))
    cv2.drawContours(drawn, contours, -1, (255, 255, 255), width + max(2, width), cv2.LINE_AA)
    cv2.drawContours(drawn, contours, -1, tuple(float(value) for value in shade), width, cv2.LINE_AA)
    return drawn


def _enlarged(pixels: np.ndarray) -> np.ndarray:
    """An image or mask with each pixel as a square of k by k; k is 1 for a large one."""
    factor = max(1, -(-_FINE // max(pixels.shape[:2])))
    return np.ascontiguousarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def _at_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at the image's size; rules that work at a size of their own leave it at that."""
    if mask.shape == size:
        return mask
    rows = (np.arange(size[0]) * mask.shape[0]) // size[0]
    columns = (np.arange(size[1]) * mask.shape[1]) // size[1]
    return mask[rows][:, columns]
