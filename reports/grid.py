"""A grid of qualitative results: each row has an expression's image, the truth, and every run's mask with its IoU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from risbench import DataError, Run, Sample, UsageError
from risbench.datasets.annotations.sampleids import SampleIds
from risbench.datasets.images import read_image
from risbench.masks import at_size, decode, union_of
from risbench.plain import plain
from risbench.results import heats
from risbench.results.folder import HEATS
from risbench.results.scored import scored_split, split_record

from .about import common_columns, notes_of, titles_of
from .choice import SPREAD, chosen_samples
from .letters import wrapped
from .picture import require_picture, save, save_notes

# Okabe and Ito's orange and blue, which colour-blind readers can distinguish. A white rim separates them from images.
TRUTH, PREDICTED = (0.90, 0.62, 0.00), (0.00, 0.45, 0.70)
# Inches: four columns have the width of one and a half columns of a paper, so that text keeps its size in print.
_CELL, _CAPTION, _TITLE, _LINE = 1.2, 0.22, 0.2, 0.115
_TALLEST = 1.25  # of a row, by its width
_LETTERS = 22  # that fit beside each other in a cell
_SHORT = 15  # letters of a title that fit in its larger type
_FINE = 480  # the least number of pixels of an image's longer side, so that contours are thin


class GridColumn(NamedTuple):
    """One column of the grid.

    Attributes:
        title: above the column.
        pictures: the mask or heat of each sample and its caption, by sample id; a sample may have none.
        is_heat: whether the pictures are heats.
    """

    title: str
    pictures: dict[str, tuple[np.ndarray, str]]
    is_heat: bool = False


def render(
    runs: Sequence[Run],
    *,
    out: Path | None = None,
    metrics: str | None = None,
    data_root: Path | None = None,
    rows: str = SPREAD,
    count: int | None = None,
    heat: bool = False,
    no_notes: bool = False,
) -> str | None:
    """Draw the grid to ``out``, a PNG, PDF or SVG: image, expression, truth, and a column for each run.

    Args:
        runs: of one split.
        out: the picture.
        metrics: not used.
        data_root: where the images lie, by default where the first run found them.
        rows: the rule that chooses the expressions; see `reports.choice.chosen_samples`.
        count: the number of expressions.
        heat: add a column for each run that saved its heats.
        no_notes: write the notes to a text file beside the picture, not into it.

    Raises:
        UsageError: ``out`` is absent or has another suffix, the runs are of different splits, or ``rows`` is wrong.
        DataError: the split is not the copy that was run on, or the runs have no expression in common.
    """
    if not runs:
        raise UsageError("a grid needs at least one run")
    out = require_picture(out, "a grid is")
    if len({run.summary["split"] for run in runs}) > 1:
        raise UsageError("a grid holds runs of one split")
    split = scored_split(runs[0].about, runs[0].path, data_root)
    for run in runs:
        if run.about.split != split_record(split):
            raise DataError(f"{run.path} was run on another copy of {split.name} than the one in {split.data_root}")
        if run.about.truth != runs[0].about.truth:
            raise UsageError(
                f"{runs[0].path} and {run.path} were scored on different truths: one grid cannot hold both"
            )
    covered, _ = common_columns(runs)
    samples, rule = chosen_samples(split, covered, rows, count)
    shown = SampleIds.of(sample.id for sample in samples).places_in(covered[0].ids)
    hot = [heats_of(run, samples) if heat else None for run in runs]
    if heat:
        refuse_without(hot)
    columns: list[GridColumn] = []
    for run, title, found, own_heats in zip(runs, titles_of(runs), covered, hot, strict=True):
        masks = _masks(run, samples)
        captions = {sample.id: _caption(iou) for sample, iou in zip(samples, found.iou[shown].tolist(), strict=True)}
        pictures = {name: (mask, captions[name]) for name, mask in masks.items()}
        columns.append(GridColumn(title, pictures))
        if own_heats:
            columns.append(
                GridColumn(f"{title}, heat", {name: (one, _range(one)) for name, one in own_heats.items()}, True)
            )
    notes = [f"Rows: {rule}. Orange: truth; blue: prediction.", *notes_of(runs)]
    if heat:
        notes.insert(1, "Heats: each from its own lowest value (dark) to its highest (yellow), as printed.")
    _draw(samples, columns, [] if no_notes else notes, out)
    if no_notes:
        save_notes(out, notes)
    return None


def _caption(iou: float) -> str:
    return "no true mask" if math.isnan(iou) else f"IoU {100 * iou:.0f}"


def _masks(run: Run, samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    wanted = {sample.id for sample in samples}
    return {name: decode(line["segmentation"]) for name, line in run.masks() if name in wanted}


def _range(heat: np.ndarray) -> str:
    return f"{float(heat.min()):.2g} to {float(heat.max()):.2g}"


def _draw(samples: Sequence[Sample], methods: Sequence[GridColumn], notes: Sequence[str], out: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.style import context

    columns = 2 + len(methods)
    shapes = [min(_TALLEST, sample.size[0] / sample.size[1]) for sample in samples]
    caption = [line for note in notes for line in wrapped(note, 27 * columns).split("\n")]
    below = _LINE * (len(caption) + 1) if caption else 0.0
    height = _TITLE + sum(_CELL * shape + _CAPTION for shape in shapes) + below
    # The user's own matplotlib settings must not change the picture.
    with context("default"):
        figure = Figure(figsize=(_CELL * columns, height), layout="constrained")
        figure.get_layout_engine().set(rect=(0, below / height, 1, 1 - below / height))  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
        # The caption is placed in the space below; dollar signs in it do not start mathematics.
        figure.text(
            *(0.05 / _CELL / columns, (below - 0.06) / height),
            "\n".join(caption),
            fontsize=6,
            va="top",
            color="#444444",
            linespacing=1.3,
            parse_math=False,
        ).set_in_layout(False)
        axes = figure.subplots(len(samples), columns, squeeze=False, gridspec_kw={"height_ratios": shapes})
        for line, sample in zip(axes, samples, strict=True):
            image = read_image(sample.image_path, sample.size)
            pictures = [_enlarged(image), tinted(image, union_of(sample.parts, sample.size), TRUTH)]
            captions = [wrapped(sample.text, 2 * _LETTERS - 4, 2), ""]
            for method in methods:
                found, text = method.pictures.get(sample.id, (None, "not saved"))
                if found is None:
                    pictures.append(np.full_like(pictures[0], 128))
                elif method.is_heat:
                    pictures.append(coloured(pictures[0], found))
                else:
                    pictures.append(tinted(image, at_size(found, sample.size), PREDICTED))
                captions.append(text)
            for cell, picture, caption in zip(line, pictures, captions, strict=True):
                cell.imshow(picture, interpolation="antialiased")
                cell.set_xticks([])
                cell.set_yticks([])
                # A long expression may continue below the truth. Dollar signs in data do not start mathematics.
                place = "left" if cell is line[0] else "center"
                cell.set_xlabel(caption, loc=place, fontsize=7.5, labelpad=2, parse_math=False)
                for side in cell.spines.values():
                    side.set_visible(False)
        for cell, title in zip(axes[0], ["image", "truth", *(method.title for method in methods)], strict=True):
            size = 8.5 if len(title) <= _SHORT else 7
            cell.set_title(plain(title, _LETTERS), fontsize=size, parse_math=False)
        save(figure, out)


def tinted(image: np.ndarray, mask: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """The image with a transparent colour over the mask and a thin, solid contour round it.

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


def heats_of(run: Run, samples: Sequence[Sample]) -> dict[str, np.ndarray] | None:
    """The saved heats of some samples by id; None where the run kept none."""
    if not (run.path / HEATS).is_dir():
        return None
    found: dict[str, np.ndarray] = {}
    for sample in samples:
        heat = heats.load(run.path, sample.image_id).get(sample.id)
        if heat is not None:
            found[sample.id] = heat
    return found


def refuse_without(found: Sequence[dict[str, np.ndarray] | None]) -> None:
    """Say what to do where no run has heats.

    Raises:
        UsageError: none has.
    """
    if not any(found):
        raise UsageError("--heat shows saved heats, and these runs kept none: run again with --save-heat")


def coloured(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The heat in viridis, from its lowest to its highest value, over the image in grey: uint8 ``(H, W, 3)``.

    Viridis rises evenly in lightness, so colour-blind readers and grey prints show the same order.
    """
    import cv2
    from matplotlib import colormaps

    height, width = image.shape[:2]
    values = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    low, high = float(heat.min()), float(heat.max())
    level = (values - low) / (high - low) if high > low else np.zeros_like(values)
    colours = 255 * colormaps["viridis"](level)[:, :, :3]
    grey = image.astype(np.float32).mean(axis=2, keepdims=True)
    return (0.7 * colours + 0.3 * grey).round().clip(0, 255).astype(np.uint8)
